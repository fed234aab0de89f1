"""The tables of the sessions database, and how to reach it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from rag.errors import ConfigError, StorageFull, StoreError

_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000")


# SQLite's words, and PostgreSQL's.
_FULL = ("database or disk is full", "No space left on device", "Disk quota exceeded")


# A database of before there were branches: each session is one.
_BRANCHES = (
    "ALTER TABLE sessions ADD COLUMN leaf_id INTEGER",
    "ALTER TABLE turns ADD COLUMN parent_id INTEGER",
    "UPDATE turns SET parent_id = (SELECT MAX(t.id) FROM turns t"
    " WHERE t.session_id = turns.session_id AND t.id < turns.id)",
    "UPDATE sessions SET leaf_id = (SELECT MAX(t.id) FROM turns t"
    " WHERE t.session_id = sessions.id)",
)


# A database of before sessions were counted: by the clock, which was their order.
_TOUCHED = (
    "ALTER TABLE sessions ADD COLUMN touched INTEGER NOT NULL DEFAULT 0",
    "UPDATE sessions SET touched = (SELECT COUNT(*) FROM sessions s"
    " WHERE s.updated_at <= sessions.updated_at)",
    "CREATE INDEX ix_sessions_touched ON sessions (touched)",
)


class Base(orm.DeclarativeBase):
    pass


class _Text(sa.types.TypeDecorator[str]):
    """Without NUL, which PostgreSQL takes in no text, also not in one that is looked for."""

    impl: type[sa.String] = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return value and value.replace("\0", "")


class _Name(_Text):
    impl = sa.String
    cache_ok = True


class SessionRow(Base):
    __tablename__ = "sessions"
    id: orm.Mapped[str] = orm.mapped_column(_Name(32), primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(_Name(200))
    collection: orm.Mapped[str] = orm.mapped_column(_Name(64))
    created_at: orm.Mapped[str] = orm.mapped_column(_Name(40))
    updated_at: orm.Mapped[str] = orm.mapped_column(_Name(40), index=True)
    # Counts up with each question: the order of sessions, also where the clock was set back.
    touched: orm.Mapped[int] = orm.mapped_column(default=0, index=True)
    # The last turn of the branch that is shown and goes on.
    leaf_id: orm.Mapped[int | None] = orm.mapped_column(default=None)


class TurnRow(Base):
    __tablename__ = "turns"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    session_id: orm.Mapped[str] = orm.mapped_column(
        _Name(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    # The turn before; several turns with one parent are branches.
    parent_id: orm.Mapped[int | None] = orm.mapped_column(default=None, index=True)
    question: orm.Mapped[str] = orm.mapped_column(_Text)
    text: orm.Mapped[str] = orm.mapped_column(_Text, default="")
    state: orm.Mapped[str] = orm.mapped_column(_Name(16), index=True)
    details: orm.Mapped[dict[str, Any]] = orm.mapped_column(sa.JSON, default=dict)
    created_at: orm.Mapped[str] = orm.mapped_column(_Name(40))


def connect(url: str | sa.URL) -> sa.Engine:
    """A database with these tables, made if need be. Raises ConfigError."""
    try:
        engine = sa.create_engine(url, pool_pre_ping=True)
        if engine.dialect.name == "sqlite":
            _keep_private(engine.url.database)
            sa.event.listen(engine, "connect", _sqlite_pragmas)
        Base.metadata.create_all(engine)
        _add(engine, "turns", "parent_id", _BRANCHES)
        _add(engine, "sessions", "touched", _TOUCHED)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the driver of the sessions database is not installed: {error.name}",
            hint='For postgresql+psycopg: uv sync --extra postgres, or install "psycopg[binary]".',
        ) from error
    except sa.exc.SQLAlchemyError as error:
        raise ConfigError(
            f"the sessions database cannot be used: {error}", hint="Check service.sessions_url."
        ) from error
    return engine


def _add(engine: sa.Engine, table: str, column: str, statements: tuple[str, ...]) -> None:
    """To a database of before there was the column."""
    if column in {known["name"] for known in sa.inspect(engine).get_columns(table)}:
        return
    with engine.begin() as db:
        for statement in statements:
            db.execute(sa.text(statement))


def _keep_private(database: str | None) -> None:
    """A file for its owner alone; SQLite makes those beside it with the same rights."""
    if not database or database == ":memory:" or database.startswith("file:"):
        return
    try:
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))
        for path in (database, f"{database}-wal", f"{database}-shm"):
            if Path(path).exists():
                Path(path).chmod(0o600)
    except OSError as error:
        raise ConfigError(
            f"the sessions database cannot be used: {database}: {error.strerror}",
            hint="Check its folder, and who owns it.",
        ) from error


@contextmanager
def translated() -> Iterator[None]:
    """The database's errors become ours: StorageFull, or StoreError."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error)
        if any(sign in words for sign in _FULL):
            raise StorageFull("the disk is full: the conversation cannot be kept") from error
        raise StoreError(
            f"the sessions database failed ({type(error).__name__})",
            hint="Check that it can be reached and written.",
        ) from error


def _sqlite_pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
