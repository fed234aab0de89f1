"""Where text enters: bytes in any encoding to text that any encoding can write.

A str may hold lone surrogates: Python puts a byte that is no UTF-8 into a path, an argument or a
line of stdin as one (PEP 383), and PDF files hold halves of pairs. LanceDB, tokenizers and JSON for
others take none of them.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from pathlib import Path
from typing import Final

_LONE = re.compile("[\ud800-\udfff]")
# A noncharacter (Unicode 3.4, D14): it marks a byte in a stored path, as hexadecimal after it.
_MARK: Final = "\U0010ffff"
_MARKED = re.compile(f"{_MARK}([0-9a-f]{{2}})")
# Byte order marks, the longer ones first: that of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED: Final = re.compile(
    rb"""<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*["']?\s*([\w:.+-]{2,40})""",
    re.IGNORECASE,
)
_SAMPLE: Final = 1 << 16  # bytes that are looked at to guess
# Below this share of bytes beyond ASCII among letters a text is in Latin script: Czech has 0.4 at
# most, French 0.25, while all but a few letters of other scripts are beyond ASCII.
_LATIN_SHARE: Final = 0.4
_LATIN: Final = (
    "windows-1252", "windows-1250", "windows-1254", "windows-1257", "iso-8859-2", "macroman",
    "ibm850",
)  # fmt: skip
_ASCII_LETTERS: Final = re.compile(rb"[A-Za-z]")
_ODD_SHARE: Final = 0.01  # characters that no text has
_HEAD: Final = 4096  # bytes in which a web page declares its encoding: HTML asks for 1024


def well_formed(text: str) -> str:
    """The text without lone surrogates: a byte that was no UTF-8 is read as Windows-1252, a half of
    a pair becomes U+FFFD."""
    return _LONE.sub(_replacement, text) if _LONE.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    byte = ord(match.group()) - 0xDC00
    if 0x80 <= byte <= 0xFF:
        return bytes([byte]).decode("cp1252", errors="replace")
    return "\N{REPLACEMENT CHARACTER}"


def name_key(text: str) -> str:
    """What two spellings of one name have in common: "Ü" may be one character or two (macOS writes
    two), and case does not matter."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", well_formed(text)).casefold())


def decode_input(data: bytes) -> str:
    """What a person or a program typed or piped: UTF-8, other bytes as `well_formed` reads them."""
    return well_formed(data.decode("utf-8", errors="surrogateescape"))


# ── paths ─────────────────────────────────────────────────────────────────────────────────────


def stored_path(path: Path) -> str:
    """A path as text that any database takes; `path_of` gives the same path back, byte for byte."""
    try:
        data = os.fsencode(path)
    except UnicodeEncodeError:  # a half of a pair: no file can have it, where names are UTF-8
        return well_formed(str(path))
    return "".join(map(_stored, data.decode("utf-8", errors="surrogateescape")))


def _stored(char: str) -> str:
    if char == _MARK or _LONE.match(char):
        data = char.encode("utf-8", errors="surrogateescape")
        return "".join(f"{_MARK}{byte:02x}" for byte in data)
    return char


def path_of(stored: str) -> Path:
    """The inverse of `stored_path`."""
    if _MARK not in stored:
        return Path(stored)
    data = b"".join(
        bytes([int(part, 16)]) if index % 2 else part.encode()
        for index, part in enumerate(_MARKED.split(stored))
    )
    return Path(os.fsdecode(data))


# ── contents of files ─────────────────────────────────────────────────────────────────────────


def decode(data: bytes, *, markup: bool = False) -> tuple[str, str]:
    """The text of a file and a warning, "" where the encoding is certain.

    By its byte order mark; by what it declares, if it is `markup`; as UTF-8 if it is that; else by
    what chardet finds likely, which the warning names.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    declared = marked or (_declared(data) if markup else None) or "utf-8"
    if not marked and b"\x00" in data[:_HEAD] and (wide := unmarked_utf16(data[:_HEAD])):
        return well_formed(data.decode(wide, errors="replace")), ""
    for encoding in dict.fromkeys((declared, "utf-8")):
        try:
            return well_formed(data.decode(encoding)), ""
        except UnicodeDecodeError:
            continue
    if marked or declared != "utf-8":
        return well_formed(data.decode(declared, errors="replace")), (
            f"holds bytes that are no {declared}: they are shown as \N{REPLACEMENT CHARACTER}"
        )
    return _guessed(data)


def _declared(data: bytes) -> str | None:
    """The encoding that HTML or XML declares, by its WHATWG meaning where Python's is narrower."""
    found = _DECLARED.search(data[:_HEAD])
    if found is None:
        return None
    try:
        name = codecs.lookup(found.group(1).decode("ascii")).name
    except LookupError:
        return None
    # Pages that say Latin-1 or GB2312 mean the larger sets (encoding.spec.whatwg.org, 4.2).
    wider = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
    wider |= {"shift_jis": "cp932", "euc_kr": "cp949"}
    # A page that was read as bytes of ASCII up to its declaration is no UTF-16, whatever it says.
    return None if name.startswith(("utf-16", "utf-32")) else wider.get(name, name)


def _guessed(data: bytes) -> tuple[str, str]:
    """chardet errs on short texts when it may choose among all encodings. Told by the share of
    bytes beyond ASCII whether the script is Latin, it hardly does (tests/test_encoding.py)."""
    import chardet

    head = data[:_SAMPLE]
    high = len(head.translate(None, bytes(range(128))))
    latin = high < _LATIN_SHARE * (high + len(_ASCII_LETTERS.findall(head)))
    encoding = None if latin or is_plain(head) else unmarked_utf16(head)
    if latin:
        encoding = chardet.detect(head, include_encodings=_LATIN)["encoding"]
    elif encoding is None:
        found = chardet.detect(head, exclude_encodings=_LATIN, no_match_encoding="gb18030")
        encoding = found["encoding"]
    try:
        text = data.decode(encoding or "cp1252", errors="replace")
    except LookupError:  # one that Python does not know
        encoding, text = "cp1252", data.decode("cp1252", errors="replace")
    return well_formed(text), f"not UTF-8 and nothing says what: read as {encoding or 'cp1252'}"


def is_plain(head: bytes) -> bool:
    """Whether there are no control characters but those of text."""
    return not any(byte < 9 or 13 < byte < 27 for byte in head)


def unmarked_utf16(head: bytes) -> str | None:
    """Which UTF-16 the beginning of a file with control characters is, if it is one."""
    even = head[: len(head) // 2 * 2]
    found: dict[str, int] = {}
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = even.decode(encoding)
        except UnicodeDecodeError:
            if not (text := even[:-2].decode(encoding, errors="ignore")):
                continue
        odd = sum(unicodedata.category(c)[0] == "C" and c not in "\t\n\f\r\ufeff" for c in text)
        if odd <= _ODD_SHARE * len(text):
            found[encoding] = sum(c.isascii() for c in text)
    return max(found, key=lambda encoding: found[encoding]) if found and even else None
