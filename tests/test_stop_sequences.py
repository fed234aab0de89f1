"""What a model writes ends before a stop sequence, however its pieces are cut."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.answering.generation import stopped_at
from rag.types import Finish, Piece

FINISH = Finish("stop", 1, 0, 1)


async def _told(pieces: Sequence[Piece], stops: Sequence[str]) -> tuple[list[Piece], bool]:
    """What comes out, and whether the engine was closed."""
    closed = False

    async def stream() -> AsyncGenerator[Piece]:
        nonlocal closed
        try:
            for piece in pieces:
                yield piece
        finally:
            closed = True

    return [piece async for piece in stopped_at(stream(), stops, 7)], closed


@example(text="baa", cuts=[2], stops=["a", "baa"], finishes=False)
@example(text="baa", cuts=[], stops=["a", "baa"], finishes=False)
@given(
    text=st.text("abc", max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=6),
    stops=st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3),
    finishes=st.booleans(),
)
async def test_any_text_cut_anywhere(
    text: str, cuts: list[int], stops: list[str], finishes: bool
) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parts = [Piece(text[a:b]) for a, b in pairwise(places)]
    if finishes:
        parts.append(Piece("", FINISH))
    told, closed = await _told(parts, stops)
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    _, end = min(found, default=(0, len(text)))  # the stop that is complete first
    assert "".join(piece.text for piece in told) == text[:end]
    assert closed


async def test_a_stop_is_how_it_ended_with_the_tokens_so_far() -> None:
    parts = [Piece("One "), Piece("two "), Piece("END of"), Piece(" it", FINISH)]
    told, _ = await _told(parts, ["END"])
    assert told[-1].finish == Finish("stop", 7, 0, 3)


async def test_a_stop_in_the_last_piece_is_no_limit() -> None:
    told, _ = await _told([Piece("so END", Finish("length", 5, 2, 4))], ["END"])
    assert told[-1].finish == Finish("stop", 5, 2, 4)


async def test_thoughts_pass_and_a_restart_forgets() -> None:
    parts = [
        Piece("EN"),
        Piece("", thought="hm"),
        Piece("D of it", restart=True),
        Piece(". END", FINISH),
    ]
    told, _ = await _told(parts, ["END"])
    assert [piece.thought for piece in told if piece.thought] == ["hm"]
    assert "".join(piece.text for piece in told if not piece.thought) == "D of it. "


@pytest.mark.parametrize("stop", ["\n", "kiln", "🙂"])
async def test_what_is_held_back_comes_at_the_end(stop: str) -> None:
    told, _ = await _told([Piece("two ki")], [stop])
    assert "".join(piece.text for piece in told) == "two ki"
