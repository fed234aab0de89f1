"""The turns of a session as a tree: each knows the one before it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import orm

from rag.errors import SessionNotFound
from rag.sessions.tables import TurnRow


class Branches:
    """All turns of one session, read at once."""

    def __init__(self, db: orm.Session, session: str) -> None:
        statement = sa.select(TurnRow).where(TurnRow.session_id == session).order_by(TurnRow.id)
        self._rows = {row.id: row for row in db.scalars(statement)}
        self._children: dict[int | None, list[int]] = {}
        for row in self._rows.values():
            self._children.setdefault(row.parent_id, []).append(row.id)

    def row(self, turn: int) -> TurnRow:
        """Raises SessionNotFound for a turn of another session."""
        if turn not in self._rows:
            raise SessionNotFound(f"the session has no turn {turn}")
        return self._rows[turn]

    def path(self, leaf: int | None) -> list[TurnRow]:
        """From the first turn to `leaf`."""
        found: list[TurnRow] = []
        while leaf is not None and leaf in self._rows:
            found.append(self._rows[leaf])
            leaf = self._rows[leaf].parent_id
        return found[::-1]

    def beside(self, row: TurnRow) -> tuple[int, ...]:
        """The turns in this one's place, itself too, in order."""
        return tuple(self._children[row.parent_id])

    def end(self, row: TurnRow) -> int:
        """The latest turn that goes on from this one; itself if none does."""
        turn = row.id
        while following := self._children.get(turn):
            turn = following[-1]
        return turn
