"""What to do with files of formats that are not read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ADVICE: Final = {
    "Save it as .docx, .pptx or .xlsx.": (
        ".doc .dot .ppt .pps .xls .odt .ods .odp .rtf .wps .wpd .xlsb .ott"
        " .dotx .dotm .potx .potm .ppsx .ppsm .xlsm .xltx"
    ),
    "Export it as PDF.": ".pages .numbers .key .vsd .vsdx .djvu .ps .eps .dwg .pub .one .tex .azw3",
    "Save it as .xlsx.": ".csv .tsv .dbf",
    "Print the message to a PDF.": ".eml .msg .mbox .emlx .pst",
    "Put pictures of pages into a PDF: they are read by OCR then.": (
        ".jpg .jpeg .png .tif .tiff .heic .webp .bmp .gif .jp2"
    ),
    "Unpack it.": ".zip .7z .rar .tar .gz .tgz .bz2 .xz",
}
_BY_SUFFIX: Final = {suffix: text for text, names in _ADVICE.items() for suffix in names.split()}


def advice(suffix: str) -> str:
    """What brings in a file of this suffix (lower case, with its dot); "" where that is unknown."""
    return _BY_SUFFIX.get(suffix, "")


def advice_on(suffixes: Iterable[str]) -> list[str]:
    """As lines, ".jpg, .png: …", one for each thing to do."""
    found: dict[str, list[str]] = {}
    for suffix in suffixes:
        if text := advice(suffix):
            found.setdefault(text, []).append(suffix)
    return [f"{', '.join(names)}: {text}" for text, names in found.items()]
