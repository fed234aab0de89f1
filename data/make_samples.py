"""Writes the sample PDFs of this folder from the texts in source/.

    uv run python data/make_samples.py [--out FOLDER]

Needs PyMuPDF alone. The same texts and the same PyMuPDF give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import handbook
from markup import parse, read_source
from typesetting import Theme, typeset

HERE = Path(__file__).resolve().parent

# No background colours: a Story draws those of other pages too.
BASE = """
body { margin: 0; font-family: serif; font-size: 10px; line-height: 1.38; text-align: justify;
       hyphens: auto }
p { margin: 0 0 6px 0 }
ul, ol { margin: 0 0 6px 0; padding-left: 18px }
li { margin: 0 0 2px 0 }
h1, h2, h3, h4 { font-family: sans-serif; font-weight: bold; text-align: left; line-height: 1.2 }
h1 { font-size: 17px; margin: 16px 0 8px 0 }
h2 { font-size: 12.5px; margin: 11px 0 4px 0 }
h3 { font-size: 10.5px; margin: 8px 0 3px 0 }
sup { font-size: 65% }
table { width: 100%; border-collapse: collapse; margin: 2px 0 9px 0; line-height: 1.2;
        text-align: left; font-size: 9px }
th { text-align: left; font-weight: bold; padding: 3px 4px; hyphens: none }
td { padding: 2.5px 4px; hyphens: none }
.right { text-align: right; padding-left: 14px }
.ruled td, .ruled th { border: 0.5px solid #555 }
.ruled th { border-bottom: 1.2px solid #333 }
.booktabs { border-top: 1px solid black; border-bottom: 1px solid black }
.booktabs th { border-bottom: 0.5px solid black }
.total td { font-weight: bold; border-top: 0.5px solid black }
.group td { font-weight: bold; font-style: italic }
.caption { font-family: sans-serif; font-size: 8.5px; font-weight: bold; text-align: left;
           margin: 7px 0 2px 0 }
.box { border: 0.7px solid #9a3324; padding: 5px 8px; margin: 6px 0 }
.plain { text-align: left }
.kicker { font-family: sans-serif; font-size: 10px; color: #666; text-align: left; margin: 0 }
.title { font-family: sans-serif; font-size: 23px; font-weight: bold; line-height: 1.15;
         text-align: left; margin: 2px 0 3px 0 }
.cover { font-family: sans-serif; font-size: 38px; font-weight: bold; line-height: 1.1;
         text-align: left; margin: 6px 0 10px 0 }
.subtitle { font-family: sans-serif; font-size: 11px; text-align: left; margin: 0 0 16px 0 }
.notes { border-top: 0.5px solid #555; font-size: 8px; line-height: 1.25; padding-top: 3px }
.notes p { margin: 0 0 2px 0 }
.margin { font-family: sans-serif; font-size: 8px; color: #555; line-height: 1.2 }
.margin p { margin: 0; text-align: left }
.contents-title { font-family: sans-serif; font-size: 17px; font-weight: bold; margin: 0 0 8px 0 }
.contents { font-size: 10px }
.contents td { border: none; padding: 1.5px 4px }
.contents .level1 td { font-weight: bold; padding-top: 5px }
.contents .level2 td { padding-left: 16px }
"""
HEAD = (
    "<table style='font-size:8px;margin:0;border-bottom:0.5px solid #999'><tr>"
    "<td style='padding:0 0 3px 0'>{title}</td>"
    "<td style='padding:0 0 3px 0;text-align:right'>{section}</td></tr></table>"
)


def _colour(colour: str) -> str:
    return f"h1, h2, .title, .cover, .contents-title {{ color: {colour} }}"


PAPER = (
    "body { font-size: 10px; line-height: 1.36 } p { margin: 0 0 5px 0 } ul { padding-left: 13px }"
    "table { font-size: 8.5px } .right { padding-left: 4px }"
    ".caption { font-family: serif; font-size: 8px; font-weight: normal }"
    "h2 { font-family: serif; font-size: 11px; margin: 9px 0 3px 0 }"
    "h3 { font-family: serif; font-size: 9.5px; font-style: italic; margin: 6px 0 2px 0 }"
    ".title { font-family: serif; font-size: 19px; text-align: center }"
    ".authors { text-align: center; font-size: 11px } .notes { font-size: 7px }"
    ".affiliation { text-align: center; font-style: italic; margin: 0 0 10px 0 }"
    ".abstract { margin: 0 28px 12px 28px } .reference { font-size: 7.5px; margin: 0 0 2px 0 }"
)
GERMAN = "body { font-size: 11.5px } table { font-size: 10.5px } p { margin: 0 0 8px 0 }"
HANDBOOK = "body { font-size: 9.5px } table { font-size: 8.5px } .cover { font-size: 32px }"


@dataclass(frozen=True)
class Sample:
    """One PDF: source/NAME.marked, or what `make` puts together, in the given theme."""

    name: str
    theme: Theme
    make: Callable[[Path], tuple[dict[str, str], str]] = read_source

    def build(self) -> bytes:
        meta, body = self.make(HERE / "source" / f"{self.name}.marked")
        return typeset(parse(body), meta, self.theme)


SAMPLES = (
    Sample("annual-report", Theme(BASE + _colour("#14406b"), head=HEAD)),
    Sample(
        "lease",
        Theme(BASE + "body { font-size: 11px }", margin=80, head=HEAD, foot="<p>Page {page}</p>"),
    ),
    Sample(
        "paper",
        Theme(
            BASE + PAPER,
            margin=62,
            head="<p style='text-align:center'>Quiet Networks 9 · 2031 · Tolvaldsen and others</p>",
        ),
    ),
    Sample(
        "transit-handbook",
        Theme(BASE + HANDBOOK + _colour("#0b5a50"), "a5", 46, HEAD),
        handbook.read_handbook,
    ),
    Sample("travel-policy", Theme(BASE + _colour("#5b2a6e"), head=HEAD)),
    Sample("vereinssatzung", Theme(BASE + GERMAN, head=HEAD, foot="<p>Seite {page}</p>")),
    Sample("water-report", Theme(BASE + _colour("#0a6080"), head=HEAD)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the sample PDFs.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        data = sample.build()
        (out / f"{sample.name}.pdf").write_bytes(data)
        print(f"{sample.name}.pdf  {len(data) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
