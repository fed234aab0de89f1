"""Question sets: one JSON object a line, with the places where the answer stands.

`{id, question, history?, answers, doc, pages, answerable}`: `doc` is a PDF's file name, pages count
from 1. `gold [{doc, pages}]` stands instead where several documents hold the answer; `scope: "doc"`
searches inside `doc` alone. `text_only` and `has_text`, where a set has them, mark the questions
whose answer stands in plain text (docs/evaluation.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rag.errors import InvalidQuestionSet
from rag.types import Message

PageNumber = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what is known of its answer. `gold` holds (document name, page) pairs."""

    id: str
    question: str
    history: tuple[Message, ...]
    answers: tuple[str, ...]
    gold: frozenset[tuple[str, int]]
    answerable: bool
    cluster: str  # what the bootstrap draws: the document, or the question where it has none
    scope: str | None  # search inside this document alone
    in_text: bool | None  # the answer stands in plain text; None: the set does not say

    @property
    def gold_documents(self) -> frozenset[str]:
        return frozenset(document for document, _ in self.gold)

    @property
    def documents(self) -> frozenset[str]:
        """Every document that this question needs in the index."""
        return self.gold_documents | ({self.scope} if self.scope else set())


class _Turn(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class _Gold(BaseModel):
    doc: str
    pages: list[PageNumber] = Field(min_length=1)


class _Line(BaseModel):
    """A line as it stands in the file. Fields that sets add for people are let pass."""

    model_config = ConfigDict(extra="ignore")

    id: str
    question: str = Field(pattern=r"\w")
    history: list[_Turn] = []
    answers: list[str] = []
    doc: str | None = None
    pages: list[PageNumber] = []
    gold: list[_Gold] = []
    answerable: bool = True
    scope: Literal["doc"] | None = None
    text_only: bool | None = None
    has_text: bool | None = None

    @model_validator(mode="after")
    def _consistent(self) -> _Line:
        if self.answerable and not self.gold and not (self.doc and self.pages):
            raise ValueError("an answerable question needs doc and pages, or gold")
        if self.scope and not self.doc:
            raise ValueError('scope "doc" needs doc')
        return self

    def to_question(self) -> Question:
        gold = self.gold
        if self.answerable and not gold:
            assert self.doc is not None  # _consistent
            gold = [_Gold(doc=self.doc, pages=self.pages)]
        flags = [flag for flag in (self.text_only, self.has_text) if flag is not None]
        return Question(
            id=self.id,
            question=self.question,
            history=tuple(Message(turn.role, turn.content) for turn in self.history),
            answers=tuple(self.answers),
            gold=frozenset((place.doc, page) for place in gold for page in place.pages),
            answerable=self.answerable,
            cluster=self.doc or (gold[0].doc if gold else self.id),
            scope=self.doc if self.scope else None,
            in_text=all(flags) if flags else None,
        )


def read_questions(path: Path) -> list[Question]:
    """The questions of a file, in order. Raises InvalidQuestionSet, which names the line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # not U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidQuestionSet(
            f"{path} cannot be read: {error}", hint="Check its path."
        ) from error
    questions = list(parse_questions(lines, source=str(path)))
    if not questions:
        raise InvalidQuestionSet(f"{path} holds no questions")
    return questions


def parse_questions(lines: Iterable[str], *, source: str = "questions") -> Iterator[Question]:
    """Raises InvalidQuestionSet with the source and the number of the first wrong line."""
    first_seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            question = _Line.model_validate(json.loads(line)).to_question()
        except ValidationError as error:
            raise InvalidQuestionSet(f"{source}, line {number}: {_reasons(error)}") from error
        except ValueError as error:
            raise InvalidQuestionSet(f"{source}, line {number} is no JSON: {error}") from error
        if (earlier := first_seen.setdefault(question.id, number)) != number:
            raise InvalidQuestionSet(
                f"{source}, line {number}: id {question.id!r} stands in line {earlier} already"
            )
        yield question


def missing_documents(questions: Sequence[Question], known: Iterable[str]) -> list[str]:
    """Names of documents that the questions need and that are not among `known`."""
    needed = frozenset[str]().union(*(question.documents for question in questions))
    return sorted(needed - set(known))


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        ".".join(map(str, problem["loc"])) + (": " if problem["loc"] else "") + problem["msg"]
        for problem in error.errors(include_url=False)
    )
