"""What the service is asked in benchmarks/serve.py: rules for many tenants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

A_PAGE = 6  # tenants


def make_pdf(pages: int) -> bytes:
    import pymupdf

    document = pymupdf.open()
    for number in range(pages):
        page = document.new_page()
        tenants = range(number * A_PAGE, (number + 1) * A_PAGE)
        text = "\n\n".join(_clause(tenant) for tenant in tenants)
        page.insert_textbox(pymupdf.Rect(60, 60, 540, 780), text, fontsize=10)
    content: bytes = document.tobytes(deflate=True)
    return content


def _clause(tenant: int) -> str:
    kilns, power = 2 + tenant % 7, 10 + tenant % 23
    text = f"Tenant {tenant} may run {kilns} electric kilns of at most {power} kilowatts each. "
    return text * 4


def questions(pages: int) -> Iterator[str]:
    """No two alike for as long as can be, so that no cache answers."""
    forms = ("How many electric kilns may tenant {} run?", "What power has a kiln of tenant {}?")
    for number in itertools.count():
        for form in forms:
            for tenant in range(A_PAGE * pages):
                yield form.format(tenant) + (f" Asked {number} times before." if number else "")


AT_LENGTH = "told at length"
LONG_BYTES = 48_000


def long_answer() -> str:
    """48 kB of Markdown with headings, lists, tables and code, no two blocks alike."""
    blocks, size, n = [], 0, 0
    while size < LONG_BYTES:
        n += 1
        words = " ".join(f"{word}{n * k % 97}" for k, word in enumerate(_WORDS, start=3))
        rows = "".join(f"\n{words.split()[k]} | {n * k}" for k in range(6))
        blocks += [
            f"## Part {n}",
            f"The kiln {n} **{words}** and then {words[::-1]}.",
            "\n".join(f"- {word} of {n}" for word in words.split()),
            f"name | number\n---|---:{rows}",
            f"```python\nkiln{n} = {n * n}\nprint(kiln{n})\n```",
        ]
        size = len("\n\n".join(blocks))
    return "\n\n".join(blocks)[:LONG_BYTES]


_WORDS = "heat glaze clay shelf cone draught brick shard wheel slip".split()
