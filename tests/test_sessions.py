"""Sessions: what is written stays, in order, through a restart and a crash."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rag.config import Service, Settings
from rag.errors import ConfigError, SessionNotFound
from rag.sessions.store import Sessions
from rag.sessions.tables import Base, connect
from service.serving import serve

POSTGRES = os.environ.get("TEST_POSTGRES_URL")  # of a database that may be emptied
needs_postgres = pytest.mark.skipif(POSTGRES is None, reason="needs TEST_POSTGRES_URL")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of an empty database: the default one, or the PostgreSQL server of the environment."""
    if request.param == "sqlite":
        yield ""
        return
    assert POSTGRES is not None
    engine = connect(POSTGRES)
    Base.metadata.drop_all(engine)
    yield POSTGRES
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
async def sessions(tmp_path: Path, url: str) -> AsyncIterator[Sessions]:
    opened = await Sessions.open(tmp_path, url)
    yield opened
    await opened.close()


async def _answered(sessions: Sessions, id_: str, question: str, text: str) -> int:
    turn = await sessions.begin(id_, question)
    await sessions.end(turn, "done", text, {"model": "m"})
    return turn


async def test_a_conversation_is_there_after_a_restart(
    tmp_path: Path, sessions: Sessions, url: str
) -> None:
    id_ = (await sessions.create("leases")).id
    await _answered(sessions, id_, "What is the rent?", "910 euros [1].")
    await _answered(sessions, id_, "And the deposit?", "Three months' rent [1].")
    await sessions.close()

    again = await Sessions.open(tmp_path, url)
    session, turns = await again.get(id_), await again.turns(id_)
    await again.close()
    assert (session.title, session.collection, session.turns) == ("What is the rent?", "leases", 2)
    assert [(turn.question, turn.state) for turn in turns] == [
        ("What is the rent?", "done"),
        ("And the deposit?", "done"),
    ]
    assert turns[0].details == {"model": "m"}


async def test_a_crash_in_mid_answer_leaves_a_session_that_goes_on(
    tmp_path: Path, sessions: Sessions, url: str
) -> None:
    id_ = (await sessions.create("default")).id
    await _answered(sessions, id_, "one?", "One.")
    turn = await sessions.begin(id_, "two?")
    await sessions.draft(turn, "Two, and")  # the process dies here

    again = await Sessions.open(tmp_path, url)
    assert await again.recover() == 1
    assert [turn.state for turn in await again.turns(id_)] == ["done", "unfinished"]
    assert (await again.turns(id_))[-1].text == "Two, and"
    await _answered(again, id_, "three?", "Three.")
    answered = [turn for turn in await again.turns(id_) if turn.state == "done"]
    assert [(turn.question, turn.text) for turn in answered] == [
        ("one?", "One."),
        ("three?", "Three."),
    ]
    await again.close()


async def test_a_question_edited_is_a_branch_and_nothing_is_lost(sessions: Sessions) -> None:
    id_ = (await sessions.create("default")).id
    turns = [await _answered(sessions, id_, f"question {n}", f"answer {n}") for n in range(3)]
    new = await sessions.begin(id_, "question 1, better put", replaces=turns[1])

    async def shown() -> list[str]:
        return [turn.question for turn in await sessions.turns(id_)]

    assert await shown() == ["question 0", "question 1, better put"]
    assert (await sessions.turns(id_))[1].branches == (turns[1], new)
    await sessions.show(id_, turns[1])
    assert await shown() == ["question 0", "question 1", "question 2"]
    assert [turn.id for turn in await sessions.turns(id_, before=turns[2])] == turns[:2]
    await sessions.begin(id_, "question 0, anew", replaces=turns[0])
    assert await shown() == ["question 0, anew"]
    await sessions.show(id_, turns[0])
    assert await shown() == ["question 0", "question 1, better put"]
    other = (await sessions.create("default")).id
    for call in (sessions.show(other, new), sessions.begin(other, "x", replaces=new)):
        with pytest.raises(SessionNotFound):
            await call


async def test_a_database_of_before_there_were_branches(tmp_path: Path, url: str) -> None:
    engine = sa.create_engine(url or f"sqlite:///{tmp_path / 'sessions.db'}")
    ids = "INTEGER" if engine.dialect.name == "sqlite" else "SERIAL"
    with engine.begin() as old:
        for statement in _OLD.replace("IDS", ids).strip().removesuffix(";").split(";\n"):
            old.execute(sa.text(statement))
        if engine.dialect.name != "sqlite":
            old.execute(sa.text("SELECT setval('turns_id_seq', 3)"))
    engine.dispose()
    sessions = await Sessions.open(tmp_path, url)
    assert [turn.text for turn in await sessions.turns("one")] == ["a1", "a2"]
    assert [turn.branches for turn in await sessions.turns("two")] == [(2,)]
    assert [session.id for session in await sessions.find()] == ["two", "one"]
    await sessions.begin("one", "q3")
    assert [turn.question for turn in await sessions.turns("one")] == ["q1", "q2", "q3"]
    await sessions.close()
    again = await Sessions.open(tmp_path, url)
    assert len(await again.turns("one")) == 3
    await again.close()


_OLD = """
CREATE TABLE sessions (id VARCHAR(32) PRIMARY KEY, title VARCHAR(200) NOT NULL,
  collection VARCHAR(64) NOT NULL, created_at VARCHAR(40) NOT NULL,
  updated_at VARCHAR(40) NOT NULL);
CREATE TABLE turns (id IDS PRIMARY KEY, session_id VARCHAR(32) NOT NULL
  REFERENCES sessions (id), question TEXT NOT NULL, text TEXT NOT NULL,
  state VARCHAR(16) NOT NULL, details JSON NOT NULL, created_at VARCHAR(40) NOT NULL);
INSERT INTO sessions VALUES ('one', 't', 'default', '2026', '2026');
INSERT INTO sessions VALUES ('two', 't', 'default', '2026', '2027');
INSERT INTO turns VALUES (1, 'one', 'q1', 'a1', 'done', '{}', '2026'),
  (2, 'two', 'q', 'b', 'done', '{}', '2026'), (3, 'one', 'q2', 'a2', 'done', '{}', '2026');
"""


async def test_search_finds_titles_questions_and_answers_literally(sessions: Sessions) -> None:
    rent, other = await sessions.create("default"), await sessions.create("default")
    await _answered(sessions, rent.id, "What is the rent?", "It rose by 5% in May.")
    await _answered(sessions, other.id, "Who signed?", "Ms Adler, with 50 others.")

    async def found(query: str) -> set[str]:
        return {session.id for session in await sessions.find(query)}

    assert await found("RENT") == {rent.id}
    assert await found("adler") == {other.id}
    assert await found("5%") == {rent.id}
    assert await found("") == {rent.id, other.id}
    assert await found("nowhere") == set()


async def test_the_session_last_used_comes_first(sessions: Sessions) -> None:
    first, second = await sessions.create("default"), await sessions.create("default")
    await _answered(sessions, second.id, "later", "yes")
    assert [s.id for s in await sessions.find()] == [second.id, first.id]
    assert [s.id for s in await sessions.find(limit=1, offset=1)] == [first.id]


async def test_a_clock_set_back_does_not_change_the_order(
    tmp_path: Path, sessions: Sessions, url: str
) -> None:
    first, second = await sessions.create("default"), await sessions.create("default")
    engine = sa.create_engine(url or f"sqlite:///{tmp_path / 'sessions.db'}")
    with engine.begin() as db:  # written when the clock was a year ahead
        db.execute(sa.text("UPDATE sessions SET updated_at = '2999-01-01T00:00:00.000+00:00'"))
    engine.dispose()
    await _answered(sessions, first.id, "now?", "yes")
    third = await sessions.create("default")
    assert [s.id for s in await sessions.find()] == [third.id, first.id, second.id]


async def test_a_nul_is_left_out(sessions: Sessions) -> None:
    """PostgreSQL refuses it, and over HTTP a question may hold one."""
    id_ = (await sessions.create("default", "on \0rent")).id
    turn = await sessions.begin(id_, "What is\0 the rent?")
    await sessions.end(turn, "done", "910\0 euros", {"question": "What is\0 the rent?"})
    [kept] = await sessions.turns(id_)
    assert (kept.question, kept.text) == ("What is the rent?", "910 euros")
    assert [found.title for found in await sessions.find("the\0 rent")] == ["on rent"]
    with pytest.raises(SessionNotFound):
        await sessions.get("no\0where")


async def test_rename_and_delete(sessions: Sessions) -> None:
    id_ = (await sessions.create("default", "old")).id
    await _answered(sessions, id_, "q", "a")
    assert (await sessions.rename(id_, "  new\n name ")).title == "new name"
    await sessions.delete(id_)
    for call in (sessions.get, sessions.turns, sessions.delete):
        with pytest.raises(SessionNotFound):
            await call(id_)


async def test_no_turn_is_lost_when_many_write_at_once(
    tmp_path: Path, sessions: Sessions, url: str
) -> None:
    import asyncio

    other = await Sessions.open(tmp_path, url)  # another process would look the same
    ids = [(await sessions.create("default")).id for _ in range(4)]
    await asyncio.gather(
        *(
            _answered(who, id_, f"q{n}", "a")
            for n in range(5)
            for id_ in ids
            for who in (sessions, other)
        )
    )
    assert [len(await sessions.turns(id_)) for id_ in ids] == [10] * 4
    await other.close()


async def test_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    sessions = await Sessions.open(tmp_path)
    await sessions.create("default")
    with sqlite3.connect(tmp_path / "sessions.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await sessions.close()


async def test_a_url_that_names_no_database_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        await Sessions.open(tmp_path, "nosuchdatabase://somewhere/db")


def test_rag_serve_says_which_driver_is_missing(tmp_path: Path) -> None:
    """A stand-in for any driver that is not installed: this one never is, being for Oracle."""
    settings = Settings(home=tmp_path, service=Service(sessions_url="oracle+oracledb://u@h/db"))
    with pytest.raises(ConfigError, match=r"driver of .* not installed: oracledb") as caught:
        serve(settings, print)
    assert "psycopg" in caught.value.hint
