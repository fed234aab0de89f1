"""Pages to chunks: whole blocks packed up to a limit, each chunk an exact slice of one page.

A chunk stays within one section: it ends before the next heading, unless it is tiny. A block that
is too long is cut: a table between rows, a list between items, text where semchunk cuts it. A table
that goes on over the page without naming its columns again has its header row in the header, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rag.ingest.chunk_header import CountTokens, Header, Headers
from rag.types import PAGE_BREAK, Block, BlockKind, Chunk, Page, ParsedDocument

_TINY = 6  # a fragment of less than 1/6 of the limit joins a neighbour
_CAPTION = 8  # a text of less than 1/8 of the limit right above a table goes with it


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page that is not cut further: a block, or a cut of one."""

    start: int
    end: int
    tokens: int
    kind: BlockKind
    header: Header
    repeats_head: bool = False  # part of a cut table, whose caption and header row the header has
    first: bool = True  # of its block


@dataclass(slots=True)
class _Draft:
    """A chunk being filled: neighbouring pieces of one page."""

    pieces: list[Piece]

    @property
    def tokens(self) -> int:
        return sum(piece.tokens for piece in self.pieces)

    @property
    def lead(self) -> Piece:
        """What the chunk is about: its longest piece that is no heading."""
        return max(self.pieces, key=lambda piece: (piece.kind != "heading", piece.tokens))


def chunk_document(
    document: ParsedDocument, *, limit: int, count_tokens: CountTokens
) -> list[Chunk]:
    """Chunks in order; header and text together take at most `limit` tokens by count_tokens."""
    headers = Headers(document.title, limit=limit, count_tokens=count_tokens)
    cutter = _Cutter(limit, count_tokens)
    chunks: list[Chunk] = []
    offset = 0
    for page in document.pages:
        blocks = headers.headed(page)
        drafts = _merged(_packed(cutter.pieces(page, blocks), limit), limit)
        chunks += [_chunk(draft, page, offset) for draft in drafts]
        offset += len(page.text) + len(PAGE_BREAK)
    return cutter.within_limit(chunks)


class _Cutter:
    """Blocks to pieces that fit."""

    def __init__(self, limit: int, count_tokens: CountTokens) -> None:
        self._limit = limit
        self._count = count_tokens
        self._open = ("", 0)  # head and columns of a table that ends the page

    def pieces(self, page: Page, blocks: Sequence[tuple[Block, Header]]) -> list[Piece]:
        counts = self._count([page.text[block.start : block.end] for block, _ in blocks])
        found: list[Piece] = []
        for (block, header), tokens in zip(blocks, counts, strict=True):
            piece = self._continued(
                page.text, Piece(block.start, block.end, tokens, block.kind, header), found
            )
            if tokens <= self._room(piece):
                found.append(piece)
            else:
                found += self._cut(page.text, piece, found[-1] if found else None)
        self._remember(page.text, [block for block, _ in blocks], counts)
        return found

    def _continued(self, text: str, piece: Piece, above: Sequence[Piece]) -> Piece:
        """The piece with the head of the page before, where it goes on with that page's table."""
        head, columns = self._open
        row = text[piece.start : piece.end].partition("\n")[0]
        if piece.kind != "table" or not columns or _names(row) or row.count("|") != columns:
            return piece
        if len(above) > 1 or not all(map(self._is_caption, above)):
            return piece
        header = self._extended(piece.header, head)
        return replace(piece, header=header, repeats_head=header is not piece.header)

    def _remember(self, text: str, blocks: Sequence[Block], counts: Sequence[int]) -> None:
        """The table that ends the page, but for a foot or a note of a line."""
        last = len(blocks) - 1
        if last > 0 and blocks[last].kind == "text" and counts[last] <= self._limit // _CAPTION:
            last -= 1
        table = blocks[last] if blocks and blocks[last].kind == "table" else None
        row = text[table.start : table.end].partition("\n")[0] if table else ""
        if _names(row):
            self._open = (row, row.count("|"))
        elif row.count("|") != self._open[1]:
            self._open = ("", 0)

    def _room(self, piece: Piece) -> int:
        return self._limit - piece.header.tokens

    def _cut(self, text: str, piece: Piece, above: Piece | None) -> list[Piece]:
        if piece.kind == "table":
            return self._cut_table(text, piece, above)
        if piece.kind == "list":
            return self._cut_lines(text, piece)
        return self._cut_text(text, piece)

    def _cut_table(self, text: str, piece: Piece, above: Piece | None) -> list[Piece]:
        """Between rows. Every cut after the first has caption and header row in its header."""
        lines = _line_spans(text, piece.start, piece.end)
        if len(lines) < 4:
            return self._cut_lines(text, piece)
        following = piece
        if not piece.repeats_head:
            caption = text[above.start : above.end] if above and self._is_caption(above) else ""
            head = "\n".join(filter(None, [caption, text[lines[0][0] : lines[0][1]]]))
            header = self._extended(piece.header, head)
            following = replace(piece, header=header, repeats_head=header is not piece.header)
        top = (lines[0][0], lines[2][1])  # header row, rule and first body row stay together
        pieces = self._fill(text, [top, *lines[3:]], following)
        first = replace(pieces[0], header=piece.header, repeats_head=piece.repeats_head)
        return [first, *(replace(p, first=False) for p in pieces[1:])]

    def _extended(self, header: Header, head: str) -> Header:
        """The header with the head of a table under it, unless that takes half of the limit."""
        text = "\n".join(filter(None, [header.text, head]))
        tokens = self._count([text])[0]
        return header if tokens > self._limit // 2 else Header(text, tokens)

    def _is_caption(self, piece: Piece) -> bool:
        return piece.kind == "text" and piece.tokens <= self._limit // _CAPTION

    def _cut_lines(self, text: str, piece: Piece) -> list[Piece]:
        return self._fill(text, _line_spans(text, piece.start, piece.end), piece)

    def _fill(self, text: str, spans: Sequence[tuple[int, int]], like: Piece) -> list[Piece]:
        """Packs neighbouring lines; one that is too long by itself is cut as text."""
        room = self._room(like)
        pieces: list[Piece] = []
        counts = self._count([text[start:end] for start, end in spans])
        for (start, end), tokens in zip(spans, counts, strict=True):
            last = pieces[-1] if pieces else None
            if tokens > room:
                pieces += self._cut_text(text, replace(like, start=start, end=end))
            elif last is not None and last.tokens + tokens <= room:
                pieces[-1] = replace(last, end=end, tokens=last.tokens + tokens)
            else:
                pieces.append(replace(like, start=start, end=end, tokens=tokens))
        return pieces

    def _cut_text(self, text: str, piece: Piece) -> list[Piece]:
        import semchunk

        room = max(8, self._room(piece))
        cut = semchunk.chunkerify(lambda part: self._count([part])[0], room, memoize=False)
        texts, spans = cut(text[piece.start : piece.end], offsets=True)
        counts = self._count(texts)
        return [
            replace(piece, start=piece.start + start, end=piece.start + end, tokens=tokens)
            for (start, end), tokens in zip(spans, counts, strict=True)
        ]

    def within_limit(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Counts exactly. Where counts of parts do not add up, a chunk may be over: it is cut."""
        counts = self._count([chunk.content for chunk in chunks])
        found: list[Chunk] = []
        for chunk, tokens in zip(chunks, counts, strict=True):
            if tokens <= self._limit or len(chunk.text) < 2:
                found.append(replace(chunk, tokens=tokens))
            else:
                found += self.within_limit(_halves(chunk))
        return found


def _halves(chunk: Chunk) -> list[Chunk]:
    """Two chunks, cut at the white space nearest to the middle, else in the middle."""
    middle = len(chunk.text) // 2
    cuts = [i for i, char in enumerate(chunk.text) if char.isspace() and i > 0]
    cut = min(cuts, key=lambda i: abs(i - middle), default=middle)
    halves = ((0, cut), (cut, len(chunk.text)))
    return [_slice(chunk, start, end) for start, end in halves if chunk.text[start:end].strip()]


def _slice(chunk: Chunk, start: int, end: int) -> Chunk:
    part = chunk.text[start:end]
    start += len(part) - len(part.lstrip())
    end -= len(part) - len(part.rstrip())
    return replace(
        chunk, text=chunk.text[start:end], start=chunk.start + start, end=chunk.start + end
    )


def _names(row: str) -> bool:
    """Whether a table's first row names its columns; it is empty where the table has none."""
    return bool(row.strip("| "))


def _line_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans = []
    for line in text[start:end].split("\n"):
        if line.strip():
            spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def _packed(pieces: Iterable[Piece], limit: int) -> list[_Draft]:
    drafts: list[_Draft] = []
    for piece in pieces:
        draft = drafts[-1] if drafts else None
        if draft is not None and _joins(draft, piece, limit):
            draft.pieces.append(piece)
            continue
        new = _Draft([piece])
        if draft is not None and piece.kind != "heading":
            _take_captions(draft, new, limit)
            if not draft.pieces:
                drafts.pop()
        drafts.append(new)
    return drafts


def _joins(draft: _Draft, piece: Piece, limit: int) -> bool:
    """Within one section, with room left; what follows a table's head belongs under that head."""
    last = draft.pieces[-1]
    if piece.repeats_head or last.repeats_head:
        return False
    if piece.kind == "heading" and last.kind != "heading":
        return False
    return draft.tokens + piece.tokens + piece.header.tokens <= limit


def _take_captions(draft: _Draft, new: _Draft, limit: int) -> None:
    """Headings, and a caption if a table follows, move to the chunk of what they stand above."""
    head = new.pieces[0]
    if not head.first:
        return
    while draft.pieces:
        last = draft.pieces[-1]
        caption = head.kind == "table" and last.kind == "text" and last.tokens <= limit // _CAPTION
        if not (last.kind == "heading" or (caption and len(new.pieces) == 1)):
            return
        if new.tokens + last.tokens + head.header.tokens > limit:
            return
        new.pieces.insert(0, draft.pieces.pop())


def _merged(drafts: Sequence[_Draft], limit: int) -> list[_Draft]:
    """Tiny drafts join the one before, else the one after."""
    merged: list[_Draft] = []
    for draft in drafts:
        last = merged[-1] if merged else None
        if last is not None and _may_merge(last, draft, limit):
            last.pieces.extend(draft.pieces)
        else:
            merged.append(draft)
    return merged


def _may_merge(one: _Draft, other: _Draft, limit: int) -> bool:
    if min(one.tokens, other.tokens) * _TINY > limit:
        return False
    if any(piece.repeats_head for piece in (*one.pieces, *other.pieces)):
        return False
    lead = max(one, other, key=lambda draft: draft.tokens).lead
    return one.tokens + other.tokens + lead.header.tokens <= limit


def _chunk(draft: _Draft, page: Page, offset: int) -> Chunk:
    lead = draft.lead
    start, end = draft.pieces[0].start, draft.pieces[-1].end
    return Chunk(
        text=page.text[start:end],
        header=lead.header.text,
        start=offset + start,
        end=offset + end,
        first_page=page.number,
        last_page=page.number,
        kind=lead.kind,
        tokens=0,
    )
