"""True paraphrases and falsehoods of one point, written from frames.txt.

Distance is no truth: here what is far from the text (another voice, order, number word or date) is
true, and what is near to it (two names exchanged, one word turned round) is false.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.verifier.examples import CONTRADICTED, NOT_SAID, SUPPORTED, Example
from benchmarks.verifier.values import Value, make

_FILE = Path(__file__).with_name("frames.txt")
_SLOT = re.compile(r"\{([A-Z])\}")
_KINDS = {"Y": "date", "D": "date", "N": "number", "K": "number", "R": "number", "U": "number"}
Filled = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Frame:
    """One fact: sentences that say it, and sentences that say otherwise, by kind."""

    id: str
    language: str
    true: tuple[str, ...]
    false: tuple[tuple[str, str], ...]
    exchanged: tuple[str, str] | None  # slots that make a falsehood when they change places


@dataclass(frozen=True, slots=True)
class Fact:
    frame: Frame
    values: Filled

    def say(self, template: str, rng: random.Random, values: Filled | None = None) -> str:
        held = values or self.values
        text = _SLOT.sub(lambda m: rng.choice(held[m[1]].ways), template)
        return text[0].upper() + text[1:]


def frames() -> list[Frame]:
    """All frames of the file."""
    found: list[Frame] = []
    language = ""
    for block in re.split(
        r"\n\s*\n|(?=^# )", _FILE.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("# "):
            language = lines.pop(0)[2:].strip()
        true = tuple(line[2:] for line in lines if line.startswith("= "))
        false = [line[2:].split(" ", 1) for line in lines if line.startswith("! ")]
        swap = next((line[2:].split() for line in lines if line.startswith("~ ")), None)
        if true:
            pair = (swap[0], swap[1]) if swap else None
            name = f"{language}{len(found)}"
            found.append(Frame(name, language, true, tuple((k, t) for k, t in false), pair))
    return found


def examples(some: Sequence[Frame], count: int, rng: random.Random) -> Iterator[Example]:
    """`count` rounds over the frames, several examples each."""
    by_language: dict[str, list[Frame]] = {}
    for frame in some:
        by_language.setdefault(frame.language, []).append(frame)
    for _ in range(count):
        for frame in some:
            yield from _round(frame, by_language[frame.language], rng)


def _round(frame: Frame, others: Sequence[Frame], rng: random.Random) -> Iterator[Example]:
    fact = _fact(frame, rng)
    kind, said = "", rng.choice(frame.true)
    if frame.false and rng.random() < 0.4:  # the text itself is the other side of the frame
        kind, said = rng.choice(frame.false)
    evidence = _evidence(fact.say(said, rng), frame, others, rng)

    def one(label: int, what: str, claim: str) -> Example:
        return Example("frames", frame.id, f"{frame.language} {what}", claim, evidence, label)

    if kind:  # "not", "fell": what says the opposite is now false, the same is true
        yield one(SUPPORTED, "paraphrase", fact.say(said, rng))
        yield one(CONTRADICTED, kind, fact.say(rng.choice(frame.true), rng))
    else:
        ways = [t for t in frame.true if t != said] or [said]
        yield one(SUPPORTED, "paraphrase", fact.say(rng.choice(ways), rng))
        if frame.false:
            kind, template = rng.choice(frame.false)
            yield one(CONTRADICTED, kind, fact.say(template, rng))
        if frame.exchanged:
            yield one(CONTRADICTED, "roles", _exchanged(fact, frame.exchanged, rng))
            yield one(SUPPORTED, "paraphrase", fact.say(rng.choice(ways), rng))
    slots = sorted(set(_SLOT.findall(said)))
    if slots:
        slot = rng.choice(slots)
        changed = {**fact.values, slot: _other(fact.values, slot)}
        template = rng.choice([said, *(frame.true if not kind or said in frame.true else ())])
        if slot in _SLOT.findall(template):
            yield one(CONTRADICTED, _KINDS.get(slot, "name"), fact.say(template, rng, changed))
    if rng.random() < 0.25:
        other = _fact(rng.choice([f for f in others if f is not frame]), rng)
        yield one(NOT_SAID, "not said", other.say(rng.choice(other.frame.true), rng))


def _other(values: Filled, slot: str) -> Value:
    found = values[slot].other()
    return found if found.ways[0] != values[slot].ways[0] else _other(values, slot)


def _exchanged(fact: Fact, pair: tuple[str, str], rng: random.Random) -> str:
    a, b = pair
    changed = {**fact.values, a: fact.values[b], b: fact.values[a]}
    return fact.say(rng.choice(fact.frame.true), rng, changed)


def _fact(frame: Frame, rng: random.Random) -> Fact:
    slots = sorted(
        {s for t in (*frame.true, *(t for _, t in frame.false)) for s in _SLOT.findall(t)}
    )
    return Fact(frame, {slot: make(slot, frame.language, rng) for slot in slots})


def _evidence(sentence: str, frame: Frame, others: Sequence[Frame], rng: random.Random) -> str:
    beside = [_fact(f, rng) for f in rng.sample([f for f in others if f is not frame], 3)]
    if rng.random() < 0.2:
        beside[0] = _fact(frame, rng) if frame.true[0].count("{") > 1 else beside[0]
    texts = [fact.say(rng.choice(fact.frame.true), rng) for fact in beside[: rng.randint(0, 3)]]
    texts.insert(rng.randint(0, len(texts)), sentence)
    return " ".join(texts)
