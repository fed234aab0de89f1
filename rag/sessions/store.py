"""Chat sessions that outlive the process, in SQLite or any other database of SQLAlchemy's.

The turns of a session are a tree: a question edited or answered again is a branch beside the old
one. `turns` is the branch that is shown; nothing is deleted but a whole session.

A turn is written when its question arrives, before the model starts. A crash in mid-answer so
leaves a turn that says "answering", with the text of the last `draft`: `recover` marks it as
unfinished, and the session can go on.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from rag.disk import cannot_write, make_private
from rag.errors import SessionNotFound
from rag.sessions.branches import Branches
from rag.sessions.tables import SessionRow, TurnRow, connect, translated

TurnState = Literal["answering", "done", "stopped", "unfinished", "failed"]
T = TypeVar("T")
_TITLE_CHARS = 80


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation about one collection. Times are ISO 8601, UTC."""

    id: str
    title: str
    collection: str
    created_at: str
    updated_at: str
    turns: int


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """A question and what became of it. `details` is whatever the answer's teller keeps of it."""

    id: int
    question: str
    text: str
    state: TurnState
    details: Mapping[str, Any]
    created_at: str
    branches: tuple[int, ...] = ()  # turns in this one's place, itself too, in order


class Sessions:
    """The sessions in one database. Every method works off the event loop."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._make = orm.sessionmaker(engine, expire_on_commit=False)

    @classmethod
    async def open(cls, home: Path, url: str = "") -> Sessions:
        """The database at `url`; without one, `home/sessions.db`.

        Raises ConfigError, StoreError.
        """
        try:
            make_private(home)
        except OSError as error:
            raise cannot_write(home, error) from error
        target = url or sa.URL.create("sqlite", database=str(home / "sessions.db"))
        return cls(await asyncio.to_thread(connect, target))

    async def close(self) -> None:
        await asyncio.to_thread(self._engine.dispose)

    # ── sessions ──────────────────────────────────────────────────────────────────────────────

    async def create(self, collection: str, title: str = "") -> Session:
        now = _now()
        row = SessionRow(
            id=secrets.token_urlsafe(12),
            title=_shortened(title),
            collection=collection,
            created_at=now,
            updated_at=now,
            touched=_next(),
        )

        def work(db: orm.Session) -> Session:
            db.add(row)
            return _session(row, 0)

        return await self._write(work)

    async def get(self, id_: str) -> Session:
        """Raises SessionNotFound."""
        return await self._read(lambda db: _session(_found(db, id_), _count(db, id_)))

    async def find(self, query: str = "", *, limit: int = 100, offset: int = 0) -> list[Session]:
        """The latest first; with a query, those whose title or turns hold it."""
        turns = sa.select(TurnRow.session_id, sa.func.count().label("n")).group_by(
            TurnRow.session_id
        )
        counts = turns.subquery()
        number = sa.func.coalesce(counts.c.n, 0)
        statement = sa.select(SessionRow, number).outerjoin(
            counts, counts.c.session_id == SessionRow.id
        )
        if query.strip():
            statement = statement.where(_holds(query.strip()))
        statement = statement.order_by(SessionRow.touched.desc(), SessionRow.id)
        statement = statement.limit(limit).offset(offset)
        return await self._read(
            lambda db: [_session(row, count) for row, count in db.execute(statement).all()]
        )

    async def rename(self, id_: str, title: str) -> Session:
        """Raises SessionNotFound."""

        def work(db: orm.Session) -> Session:
            row = _found(db, id_)
            row.title = _shortened(title)
            return _session(row, _count(db, id_))

        return await self._write(work)

    async def delete(self, id_: str) -> None:
        """Raises SessionNotFound."""

        def work(db: orm.Session) -> None:
            row = _found(db, id_)
            db.execute(sa.delete(TurnRow).where(TurnRow.session_id == id_))
            db.delete(row)

        await self._write(work)

    # ── turns ─────────────────────────────────────────────────────────────────────────────────

    async def turns(self, id_: str, *, before: int | None = None) -> list[SessionTurn]:
        """Those of the branch that is shown, in order; or those that led to the turn `before`.

        Raises SessionNotFound.
        """

        def work(db: orm.Session) -> list[SessionTurn]:
            session, tree = _found(db, id_), Branches(db, id_)
            leaf = session.leaf_id if before is None else tree.row(before).parent_id
            return [_turn(row, tree.beside(row)) for row in tree.path(leaf)]

        return await self._read(work)

    async def show(self, id_: str, turn: int) -> None:
        """Show the branch through `turn`, to its latest end. Raises SessionNotFound."""

        def work(db: orm.Session) -> None:
            session, tree = _found(db, id_), Branches(db, id_)
            session.leaf_id = tree.end(tree.row(turn))

        await self._write(work)

    async def begin(self, id_: str, question: str, *, replaces: int | None = None) -> int:
        """Write down a question; returns the turn's id. Raises SessionNotFound.

        It goes on where the branch that is shown ends; with `replaces` it is a branch beside that
        turn: a question edited, or to be answered again.
        """
        now = _now()

        def work(db: orm.Session) -> int:
            # Written first: who asks at the same time waits here, and then sees this turn.
            same = SessionRow.id == id_
            db.execute(sa.update(SessionRow).where(same).values(updated_at=now, touched=_next()))
            session = _found(db, id_)
            parent = session.leaf_id
            if replaces is not None:
                parent = Branches(db, id_).row(replaces).parent_id
            session.title = session.title or _shortened(question)
            row = TurnRow(session_id=id_, question=question, state="answering", created_at=now)
            row.parent_id = parent
            db.add(row)
            db.flush()
            session.leaf_id = row.id
            return row.id

        return await self._write(work)

    async def draft(self, turn: int, text: str) -> None:
        """Write down how far an answer has come, for the case of a crash."""
        answering = sa.and_(TurnRow.id == turn, TurnRow.state == "answering")
        statement = sa.update(TurnRow).where(answering).values(text=text)
        await self._write(lambda db: db.execute(statement))

    async def end(
        self, turn: int, state: TurnState, text: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Write down how a turn ended; nothing happens if it was deleted meanwhile."""
        values = {"state": state, "text": text, "details": dict(details or {})}
        statement = sa.update(TurnRow).where(TurnRow.id == turn).values(**values)
        await self._write(lambda db: db.execute(statement))

    async def recover(self) -> int:
        """Mark turns as unfinished that a dead process left in mid-answer. Returns how many."""
        left = sa.update(TurnRow).where(TurnRow.state == "answering")
        statement = left.values(state="unfinished")

        def work(db: orm.Session) -> int:
            return int(getattr(db.execute(statement), "rowcount", 0))

        return await self._write(work)

    # ── inside ────────────────────────────────────────────────────────────────────────────────

    async def _read(self, work: Callable[[orm.Session], T]) -> T:
        def run() -> T:
            with translated(), self._make() as db:
                return work(db)

        return await asyncio.to_thread(run)

    async def _write(self, work: Callable[[orm.Session], T]) -> T:
        def run() -> T:
            with translated(), self._make.begin() as db:
                return work(db)

        # Shielded: a client that goes away must not leave a turn half written.
        return await asyncio.shield(asyncio.to_thread(run))


def _holds(query: str) -> sa.ColumnElement[bool]:
    escaped = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    columns = (TurnRow.question, TurnRow.text)
    inside = sa.or_(*(column.ilike(f"%{escaped}%", escape="\\") for column in columns))
    turn = sa.exists().where(TurnRow.session_id == SessionRow.id, inside)
    return sa.or_(SessionRow.title.ilike(f"%{escaped}%", escape="\\"), turn)


def _next() -> sa.ScalarSelect[int]:
    """Behind every other session, whatever the clock says."""
    other = orm.aliased(SessionRow)
    return sa.select(sa.func.coalesce(sa.func.max(other.touched), 0) + 1).scalar_subquery()


def _found(db: orm.Session, id_: str) -> SessionRow:
    row = db.get(SessionRow, id_)
    if row is None:
        raise SessionNotFound(f"no session {id_[:40]!r}")
    return row


def _count(db: orm.Session, id_: str) -> int:
    statement = sa.select(sa.func.count()).select_from(TurnRow).where(TurnRow.session_id == id_)
    return db.scalar(statement) or 0


def _session(row: SessionRow, turns: int) -> Session:
    return Session(row.id, row.title, row.collection, row.created_at, row.updated_at, turns)


def _turn(row: TurnRow, branches: tuple[int, ...]) -> SessionTurn:
    state: TurnState = row.state  # type: ignore[assignment]
    details = row.details or {}
    return SessionTurn(row.id, row.question, row.text, state, details, row.created_at, branches)


def _shortened(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= _TITLE_CHARS else line[: _TITLE_CHARS - 1].rstrip() + "…"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
