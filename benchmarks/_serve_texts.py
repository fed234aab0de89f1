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
