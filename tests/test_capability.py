"""What a model can do is measured once, by its answers, and kept under its fingerprint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rag.config import Settings
from rag.engines.capability import NEEDED, PROBES, Capabilities, Probe, measured
from rag.errors import EngineBusy
from rag.runtime import Runtime
from rag.testing import FakeEngine
from rag.types import Message


def answers(right: int) -> Callable[[Sequence[Message]], str]:
    """A model that answers the first `right` questions, and says of the others what it must not."""
    told = {
        probe.question: (
            (probe.wanted[0] if probe.wanted else "The documents do not say.")
            if number < right
            else "Quite so."
        )
        for number, probe in enumerate(PROBES)
    }
    return lambda messages: told[messages[-1].content.rpartition("Question: ")[2]]


async def test_as_many_right_answers_as_are_needed_make_a_model_capable() -> None:
    assert (await measured(FakeEngine(answers(NEEDED)))).capable
    assert not (await measured(FakeEngine(answers(NEEDED - 1)))).capable


async def test_it_ends_once_it_is_decided() -> None:
    engine = FakeEngine("Nonsense.")
    assert not (await measured(engine)).capable
    assert len(engine.calls) < len(PROBES)


async def test_a_parrot_is_not_capable() -> None:
    """Neither who says everything back, nor who always refuses."""
    assert not (await measured(FakeEngine())).capable
    assert not (await measured(FakeEngine("The documents do not say."))).capable


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("At 9:05.", True),
        ("It leaves at 9:05, not at 7:40.", True),
        ("It leaves at 7:40 and at 9:05.", False),
        ("It leaves at 19:05.", False),
        ("", False),
    ],
)
def test_the_right_words_stand_before_the_wrong_ones(answer: str, right: bool) -> None:
    assert Probe("When?", ("9:05",), ("7:40",)).is_right(answer) is right


async def test_a_model_is_measured_once(tmp_path: Path) -> None:
    engine = FakeEngine(answers(len(PROBES)), fingerprint="one")
    for _ in range(2):
        kept = Capabilities(tmp_path / "kept" / "c.json")  # another process
        assert await kept.of(engine, "a name")
    assert len(engine.calls) <= len(PROBES)
    assert kept.expected("a name") is True
    assert kept.expected("another") is None
    assert "one" not in (tmp_path / "kept" / "c.json").read_text().split('"')


async def test_another_content_under_the_same_name_is_measured_anew(tmp_path: Path) -> None:
    kept = Capabilities(tmp_path / "c.json")
    assert await kept.of(FakeEngine(answers(len(PROBES)), fingerprint="one"), "name")
    assert not await kept.of(FakeEngine("Nonsense.", fingerprint="two"), "name")
    assert kept.expected("name") is False


class _Busy(FakeEngine):
    def stream(self, *_: object, **__: object) -> object:  # type: ignore[override]
        raise EngineBusy("busy")


async def test_a_failed_measurement_is_not_kept(tmp_path: Path) -> None:
    kept = Capabilities(tmp_path / "c.json")
    engine = _Busy(fingerprint="busy")
    assert not await kept.of(engine, "name")
    assert kept.known(engine) is None
    assert kept.expected("name") is None


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"x": 1}), "\x00"])
async def test_a_damaged_file_is_measured_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "c.json").write_text(content)
    engine = FakeEngine(answers(len(PROBES)), fingerprint="one")
    assert await Capabilities(tmp_path / "c.json").of(engine, "name")
    assert Capabilities(tmp_path / "c.json").known(engine) is True


async def test_a_damaged_entry_is_measured_over(tmp_path: Path) -> None:
    engine = FakeEngine(answers(len(PROBES)), fingerprint="one")
    await Capabilities(tmp_path / "c.json").of(engine, "name")
    kept = json.loads((tmp_path / "c.json").read_text())
    for broken in ({"right": "many", "asked": 12}, {"a": 1}, [1], "x", None, 3):
        (tmp_path / "c.json").write_text(json.dumps(dict.fromkeys(kept, broken)))
        assert await Capabilities(tmp_path / "c.json").of(engine, "name")


async def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = FakeEngine(answers(len(PROBES)), fingerprint="one")
    assert await Capabilities(tmp_path / "file" / "c.json").of(engine, "name")


async def test_what_is_expected_before_a_model_is_loaded(settings: Settings) -> None:
    async def open_engine(_: Settings) -> FakeEngine:
        return FakeEngine("Nonsense.", fingerprint="silly", model="silly")

    own = settings.model_copy(update={"cache": settings.home / "cache"})
    runtime = Runtime(own, open_engine=open_engine)
    assert runtime.expects_capable(None) is None
    async with runtime.lease() as engine:
        assert await runtime.is_capable(engine, None) is False
    assert runtime.expects_capable(None) is False
    await runtime.close()
    later = Runtime(own, open_engine=open_engine)
    assert later.expects_capable(None) is False  # nothing is loaded yet
    await later.close()
