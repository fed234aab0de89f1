"""Whether a chat model answers from passages what they say: measured once, and kept.

Twelve questions on six invented passages, in English, German and French, two of them without an
answer there. No document of the user's is in them. What a model can do is not known from its name,
and its size says little.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.engines.base import Engine
from rag.errors import EngineError
from rag.types import Message
from rag.verification.refusal_detection import is_refusal

# Right ones of the twelve that make a model capable. One that is right in 45% passes in 1 of 120
# times, one that is right in 95% in 98 of 100.
NEEDED: Final = 10
_VERSION: Final = 1  # of the questions: raise it, and models are measured anew
_TOKENS: Final = 48  # of one answer
_TOGETHER: Final = 4  # questions that decode together; between two such groups it may be decided

_SYSTEM: Final = (
    "You answer questions about the user's documents. Use only the numbered passages. Answer in "
    "one short sentence and copy names, numbers and units as they stand. If the passages do not "
    'hold the answer, say: "The documents do not say."'
)
_PASSAGES: Final = """\
Passages:

[1] Ferry timetable, page 1
The ferry to Orsund leaves at 7:40 and 16:15 on weekdays. On Saturdays and Sundays it leaves at \
9:05 only. A single ticket costs 38 crowns, a return ticket 64 crowns; children under 6 travel free.

[2] Lease of the workshop, page 2
Mr Hallberg lets the workshop to Ms Okafor from 1 March. The monthly rent is 740 crowns, and the \
deposit is 2,100 crowns. The landlord repairs the roof; the tenant repairs the windows.

[3] Manual of the pump, page 5
Do not run the pump for longer than 45 minutes. Change the filter every 200 hours of use. If the \
red lamp flashes, the oil is too hot; if it is lit steadily, the tank is empty.

[4] Minutes of the club, page 1
The meeting elected Teresa Lindqvist treasurer. Pavel Novak, who had been treasurer until then, \
became secretary. The yearly fee was raised from 20 to 25 crowns.

[5] Hausordnung, page 1
Die Waschküche ist werktags von 8 bis 20 Uhr geöffnet. Fahrräder gehören in den Keller, nicht in \
den Hof.

[6] Guide du musée, page 3
Le musée est fermé le mardi. L'entrée coûte 12 euros, 7 euros pour les étudiants."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question. Right is an answer that says one of `wanted`, and none of `unwanted` before it;
    without `wanted`, one that says that the documents do not say."""

    question: str
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def is_right(self, answer: str) -> bool:
        if not self.wanted:
            return is_refusal(answer)
        found, wrong = _first(self.wanted, answer), _first(self.unwanted, answer)
        return found is not None and (wrong is None or found < wrong)


PROBES: Final = (
    Probe("When does the ferry leave on Sundays?", ("9:05",), ("7:40", "16:15")),
    Probe("Who repairs the windows?", ("tenant", "Okafor"), ("landlord", "Hallberg")),
    Probe("Who is the secretary of the club?", ("Novak",), ("Lindqvist",)),
    Probe("How much does a dog pay on the ferry?"),
    Probe("How much is a return ticket?", ("64",), ("38",)),
    Probe("What does it mean if the red lamp is lit steadily?", ("empty",), ("hot",)),
    Probe("How high was the club's fee before it was raised?", ("20",), ("25",)),
    Probe("Wo sollen Fahrräder stehen?", ("Keller",), ("Hof",)),
    Probe("Combien un étudiant paie-t-il ?", ("7",), ("12",)),
    Probe("How high is the deposit for the workshop?", ("2,100", "2100"), ("740",)),
    Probe("Who wrote the manual of the pump?"),
    Probe("After how many hours must the filter be changed?", ("200",), ("45",)),
)


@dataclass(frozen=True, slots=True)
class Capability:
    """How many of the questions asked were answered right. It may be decided before all are."""

    right: int
    asked: int

    @property
    def capable(self) -> bool:
        return self.right >= NEEDED

    @property
    def decided(self) -> bool:
        return self.capable or self.asked - self.right > len(PROBES) - NEEDED


async def measured(engine: Engine) -> Capability:
    """Asks the model until it is decided. Raises EngineError."""
    found = Capability(0, 0)
    for start in range(0, len(PROBES), _TOGETHER):
        group = PROBES[start : start + _TOGETHER]
        right = sum(await _right(engine, group))
        found = Capability(found.right + right, found.asked + len(group))
        if found.decided:
            break
    return found


async def _right(engine: Engine, probes: tuple[Probe, ...]) -> list[bool]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_answer(engine, probe.question)) for probe in probes]
    except* EngineError as errors:
        raise errors.exceptions[0] from None
    return [probe.is_right(task.result()) for probe, task in zip(probes, tasks, strict=True)]


async def _answer(engine: Engine, question: str) -> str:
    asked = [Message("system", _SYSTEM), Message("user", f"{_PASSAGES}\n\nQuestion: {question}")]
    text = ""
    async with aclosing(engine.stream(asked, max_tokens=_TOKENS, temperature=0.0)) as pieces:
        async for piece in pieces:
            text = ("" if piece.restart else text) + piece.text
    return text


def _first(words: tuple[str, ...], text: str) -> int | None:
    """Where the first of them stands, as a word of its own."""
    places = (re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)
    return min((place.start() for place in places if place), default=None)


class Capabilities:
    """What was measured, in a file of the cache that may be deleted.

    Under the model's fingerprint, and under the name by which it was last asked for: so that before
    it is loaded one can say what to expect. Names and addresses are kept as hashes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._measuring = asyncio.Lock()

    def expected(self, name: str) -> bool | None:
        """Of the model of that name when it was last used; None: nothing is known."""
        return self._known("name", name)

    def known(self, engine: Engine) -> bool | None:
        """None: it was not measured. An engine without a fingerprint counts as capable."""
        return self._known("model", engine.fingerprint) if engine.fingerprint else True

    async def of(self, engine: Engine, name: str) -> bool:
        """Whether it is capable; measures it if need be, which takes seconds. Where that fails it
        counts as not capable for now."""
        async with self._measuring:
            capable = self.known(engine)
            if capable is None:
                try:
                    found = await measured(engine)
                except EngineError:
                    return False
                capable = found.capable
                self._keep("model", engine.fingerprint, found)
            if engine.fingerprint and self.expected(name) is not capable:
                self._keep("name", name, Capability(NEEDED if capable else 0, len(PROBES)))
        return capable

    def _known(self, kind: str, of: str) -> bool | None:
        told = self._read().get(_key(kind, of))
        try:
            return None if told is None else Capability(**told).capable
        except TypeError:  # of another version, or somebody's edit
            return None

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _keep(self, kind: str, of: str, found: Capability) -> None:
        """A cache that cannot be written costs a measurement each time, nothing else."""
        kept = self._read() | {_key(kind, of): {"right": found.right, "asked": found.asked}}
        aside = self._file.with_suffix(f".{id(self)}")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(kept), encoding="utf-8")
            aside.replace(self._file)


def _key(kind: str, of: str) -> str:
    told = f"{_VERSION} {kind} {of}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(told).hexdigest()[:16]
