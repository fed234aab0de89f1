"""What reading keeps of files: words, order, table cells; what OCR costs and gives.

    uv run python -m benchmarks extraction words judgement DEV_SET/pdfs …
    uv run python -m benchmarks extraction order tables --tables tatqa_dataset_dev.json
    uv run python -m benchmarks extraction ocr DEV_SET --pages 14 --engines tesseract,rapidocr

words      against PyMuPDF's plain text: the share of words lost (each file above 0.5% is named),
           words left out as further copies of a line on three pages, neighbouring words kept
judgement  what page judgement decides by: the writing that no text covers, and how like a common
           font's the widths of each font's letters are
order      pages of one to three columns made here: neighbouring words kept
tables     tables of TAT-QA drawn with rules and without: cells kept in the row of their label
ocr        pages of a set (its pdfs/ and questions.jsonl) drawn and read back: characters right,
           page@5 beside the text layer's, pages a minute of one worker, its peak memory

Prints a table each, then one JSON line.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._extraction_made import cells_kept, order_kept
from benchmarks._extraction_ocr import measure
from benchmarks._extraction_words import Kept, kept_words
from benchmarks._report import finish, show, tell
from rag.config import Extraction
from rag.errors import ExtractionError
from rag.readers.document import parse_document

_LIMIT = 0.005  # of a file's words: a file above it is named
_PAGES = 3  # of a file, for the judgement
PARTS = ("words", "judgement", "order", "tables", "ocr")


def words(options: argparse.Namespace, _work: Path) -> dict[str, Any]:
    found = {_name(folder): _corpus(folder, options.files) for folder in options.folders}
    columns = ["corpus", "files", "pages", "words", "lost %", "lost p95 %", "lost max %",
               "copies left out %", "neighbours kept %"]  # fmt: skip
    show("Words kept", columns, [[name, *_of_corpus(files)] for name, files in found.items()])
    above = [k for files in found.values() for k in files if k.share > _LIMIT]
    rows = [[k.file, 100 * k.share, k.lost, "; ".join(k.lines[:3])] for k in above]
    show(f"Files that lose more than {_LIMIT:.1%}", ["file", "lost %", "words", "lines"], rows)
    return {
        name: dict(zip(columns[1:], _of_corpus(files), strict=True))
        | {"above": [asdict(k) | {"lines": k.lines[:5]} for k in files if k.share > _LIMIT]}
        for name, files in found.items()
    }


def _name(folder: Path) -> str:
    return folder.parent.name if folder.name == "pdfs" else folder.name


def _corpus(folder: Path, limit: int | None) -> list[Kept]:
    found = []
    for path in sorted(folder.rglob("*.pdf"))[:limit]:
        try:
            parsed = parse_document(path, Extraction(ocr=False), password=None)
        except ExtractionError as error:
            tell(f"  {path.name}: {error}")
            continue
        found.append(kept_words(path, parsed.pages))
    return found


def _of_corpus(files: Sequence[Kept]) -> list[object]:
    total = sum(k.words for k in files) or 1
    shares = [100 * k.share for k in files] or [0.0]
    pairs = sum(k.neighbours for k in files) or 1
    return [
        len(files),
        sum(k.pages for k in files),
        total,
        f"{100 * sum(k.lost for k in files) / total:.3f}",
        f"{float(np.percentile(shares, 95)):.3f}",
        f"{max(shares):.3f}",
        100 * sum(k.left_out for k in files) / total,
        100 * sum(k.neighbours_kept for k in files) / pairs,
    ]


def judgement(options: argparse.Namespace, _work: Path) -> dict[str, Any]:
    """Of the first pages of each file, without OCR."""
    found = {_name(folder): _judged(folder, options.files) for folder in options.folders}
    rows = [
        [name, kind, len(values), *(f"{v:.2f}" for v in _spread(values))]
        for name, kinds in found.items()
        for kind, values in kinds.items()
        if values
    ]
    show("What pages are judged by", ["corpus", "of", "n", "least", "5%", "median", "95%", "most"],
         rows)  # fmt: skip
    return {name: {kind: _spread(v) for kind, v in k.items() if v} for name, k in found.items()}


def _judged(folder: Path, limit: int | None) -> dict[str, list[float]]:
    """Shares of writing outside text, of pages taken for text and of others; fonts' likeness."""
    import pymupdf

    from rag.readers.fonts import Fonts
    from rag.readers.ink import Ink
    from rag.readers.legibility import judge
    from rag.readers.raw_text import texts_of

    found: dict[str, list[float]] = {"open, read as text": [], "open, unread": [], "fonts": []}
    for path in sorted(folder.rglob("*.pdf"))[:limit]:
        fonts = Fonts()
        with pymupdf.open(path) as document:
            for page in document.pages(0, min(_PAGES, document.page_count)):
                judged, ink = judge(page, texts_of(page, fonts)), Ink.of(page)
                everywhere, open_ = (
                    ink.writing([(t.box, 1.0) for t in judged.texts]) if ink else (0, 0)
                )
                if everywhere:
                    kind = "open, unread" if judged.unread else "open, read as text"
                    found[kind].append(float(np.sum(open_)) / everywhere)
        found["fonts"] += fonts.likenesses().values()
    return found


def _spread(values: Sequence[float]) -> list[float]:
    return [float(v) for v in np.percentile(values, [0, 5, 50, 95, 100])]


def order(_options: argparse.Namespace, work: Path) -> dict[str, Any]:
    found = {f"{n} columns": order_kept(n, 5, work / "order.pdf") for n in (1, 2, 3)}
    show(
        "Order, pages made", ["page", "neighbours kept %"], [[k, 100 * v] for k, v in found.items()]
    )
    return found


def tables(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    found = {
        name: cells_kept(options.tables, 100, work / "table.pdf", ruled=ruled)
        for name, ruled in (("ruled", True), ("without rules", False))
    }
    show("Tables drawn", ["table", "cells kept %"], [[k, 100 * v] for k, v in found.items()])
    return found


def ocr(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    folder = options.folders[0]
    folder = folder.parent if folder.name == "pdfs" else folder
    found = measure(folder, work, options.pages, options.engines, options.dpi)
    rows = [
        [
            name,
            100 * f["characters"],
            100 * f["page_recall@5"],
            f["pages_a_minute"],
            f["workers_mb"],
        ]
        for name, f in found.items()
    ]
    columns = ["read by", "characters right %", "page@5", "pages a minute", "worker MB"]
    show(f"OCR, {folder.name}, {found['text layer']['questions']} questions", columns, rows)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="+", help=f"{', '.join(PARTS)}; then folders")
    parser.add_argument("--files", type=int, help="only the first N of a folder")
    parser.add_argument("--tables", type=Path, help="TAT-QA's JSON")
    parser.add_argument("--pages", type=int, default=14, help="pages that OCR reads")
    parser.add_argument("--engines", type=_names, default=("tesseract", "rapidocr"))
    parser.add_argument("--dpi", type=_numbers, default=(200, 100))
    options = parser.parse_args()
    options.folders = [Path(part) for part in options.parts if part not in PARTS]
    wanted = [part for part in options.parts if part in PARTS]
    if not options.folders and {*wanted} & {"words", "judgement", "ocr"}:
        parser.error("name the folder of PDFs")
    if "tables" in wanted and not options.tables:
        parser.error("tables needs --tables")
    with tempfile.TemporaryDirectory() as work:
        results = {part: globals()[part](options, Path(work)) for part in wanted}
    finish("extraction", results, files=options.files, pages=options.pages)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, _names(text)))


if __name__ == "__main__":
    main()
