"""The tables of the sessions database, and how to reach it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from rag.errors import ConfigError

_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000")


class Base(orm.DeclarativeBase):
    pass


class SessionRow(Base):
    __tablename__ = "sessions"
    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    collection: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    created_at: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    updated_at: orm.Mapped[str] = orm.mapped_column(sa.String(40), index=True)


class TurnRow(Base):
    __tablename__ = "turns"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    session_id: orm.Mapped[str] = orm.mapped_column(
        sa.ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    question: orm.Mapped[str] = orm.mapped_column(sa.Text)
    text: orm.Mapped[str] = orm.mapped_column(sa.Text, default="")
    state: orm.Mapped[str] = orm.mapped_column(sa.String(16), index=True)
    details: orm.Mapped[dict[str, Any]] = orm.mapped_column(sa.JSON, default=dict)
    created_at: orm.Mapped[str] = orm.mapped_column(sa.String(40))


def connect(url: str | sa.URL) -> sa.Engine:
    """A database with these tables, made if need be. Raises ConfigError."""
    try:
        engine = sa.create_engine(url, pool_pre_ping=True)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _sqlite_pragmas)
        Base.metadata.create_all(engine)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise ConfigError(
            f"the sessions database cannot be used: {error}",
            hint="Check service.sessions_url, and that its driver is installed.",
        ) from error
    return engine


def _sqlite_pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "busy_timeout=5000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
