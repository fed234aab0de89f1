"""What a PDF holds beside its pages, which is not read: attachments, and forms in XFA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_ATTACHED = 17  # the annotation by which a file is attached to a place on a page (PDF_ANNOT_FILE…)
_SHOWN = 5  # names


def warnings_of(document: Any, pinned: Sequence[str]) -> tuple[str, ...]:
    """Of an open pymupdf PDF; `pinned` are the files attached to places on its pages."""
    names = list(dict.fromkeys([*_attachments(document), *pinned]))
    told = []
    if names:
        what = "a portfolio; its files are" if _has(document, "Collection") else "attachments"
        told.append(f"{what} not read: {_listed(names)}")
    if _is_dynamic_form(document):
        told.append(
            "a form in XFA, of which only what other viewers show is read; open it in Adobe Reader "
            "and print it to a PDF"
        )
    return tuple(told)


def pinned_files(page: Any) -> list[str]:
    """Names of the files attached to places on a pymupdf page."""
    document = page.parent
    pinned = [xref for xref, kind, *_ in page.annot_xrefs() if kind == _ATTACHED]
    names = [[document.xref_get_key(xref, key) for key in ("FS/UF", "FS/F")] for xref in pinned]
    return [next((text for kind, text in pair if kind == "string"), "unnamed") for pair in names]


def _attachments(document: Any) -> list[str]:
    return _tried(lambda: [_name(document, i) for i in range(document.embfile_count())]) or []


def _name(document: Any, index: int) -> str:
    info = document.embfile_info(index)
    name = str(info.get("ufilename") or info.get("filename") or info.get("name") or "unnamed")
    try:
        return name.encode("latin-1").decode("utf-8")  # PyMuPDF gives the bytes of UTF-8 as letters
    except UnicodeError:
        return name


def _is_dynamic_form(document: Any) -> bool:
    """A form laid out by its viewer: its pages say only that another viewer is needed. (One that
    has fields as well stands on its pages.)"""
    if not _has(document, "AcroForm/XFA"):
        return False
    return _has(document, "NeedsRendering") or not _has(document, "AcroForm/Fields")


def _has(document: Any, key: str) -> bool:
    found = _tried(lambda: document.xref_get_key(document.pdf_catalog(), key))
    return found is not None and found[0] != "null" and found[1] not in ("[]", "false")


def _tried(ask: Callable[[], Any]) -> Any:
    """None where the file is too damaged to say."""
    from pymupdf import mupdf

    try:
        return ask()
    except (RuntimeError, ValueError, LookupError, TypeError, mupdf.FzErrorBase):
        return None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(" ".join(name.split())[:80] for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
