"""Sets of one language each for `benchmarks retrieval`, out of XQuAD's files.

    uv run python -m benchmarks.languages FOLDER SETS
    uv run python -m benchmarks retrieval SETS --sets de,ru --half 2 --home HOME

FOLDER holds xquad.LANGUAGE.json. Each article becomes a PDF, each paragraph a page of its own,
and a question's gold page is that of its paragraph.
"""

from __future__ import annotations

import argparse
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

MARGINS: Final = (60, 60, -60, -60)  # points


def render(article: dict[str, Any], file: Path) -> None:
    """The title and a paragraph a page, by a font that has the script."""
    import pymupdf

    title = article["title"].replace("_", " ")
    with pymupdf.open() as document:
        for number, paragraph in enumerate(article["paragraphs"], 1):
            page = document.new_page()
            head = f"<h1>{html.escape(title)}</h1>" if number == 1 else ""
            text = html.escape(paragraph["context"].strip("\ufeff \n"))
            page.insert_htmlbox(page.rect + MARGINS, f"{head}<p>{text}</p>")
        document.set_metadata({"title": title})
        document.subset_fonts()
        document.save(file, garbage=4, deflate=True)


def questions(article: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, paragraph in enumerate(article["paragraphs"], 1):
        for asked in paragraph["qas"]:
            yield {
                "id": asked["id"],
                "question": asked["question"],
                "answers": [answer["text"] for answer in asked["answers"]],
                "doc": f"{article['title']}.pdf",
                "pages": [number],
                "answerable": True,
            }


def make(source: Path, folder: Path) -> None:
    articles = json.loads(source.read_text(encoding="utf-8"))["data"]
    (folder / "pdfs").mkdir(parents=True, exist_ok=True)
    for article in articles:
        file = folder / "pdfs" / f"{article['title']}.pdf"
        if not file.exists():
            render(article, file)
    rows = [json.dumps(row, ensure_ascii=False) for a in articles for row in questions(a)]
    (folder / "questions.jsonl").write_text("\n".join(rows), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", type=Path)
    options = parser.parse_args()
    for source in sorted(options.folder.glob("xquad.*.json")):
        make(source, options.sets / source.name.split(".")[1])


if __name__ == "__main__":
    main()
