"""A follow-up's ids go on from those of the turn before, where they were remembered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import tiny_models
from tiny_models import FAMILIES

from rag.engines import prompt_ids
from rag.engines.chat_template import ChatTemplate
from rag.engines.prompt_ids import PromptIds
from rag.types import Message

ASKED = [Message("system", "Be brief."), Message("user", "How long?")]
NEXT = Message("user", "And then?")


def template(folder: Path, name: str, thinking: str = "off") -> ChatTemplate:
    from mlx_lm.utils import load_tokenizer

    (folder / name).mkdir(exist_ok=True)
    tiny_models.write_tokenizer(folder / name, FAMILIES[name])
    (folder / name / "config.json").write_text('{"model_type": "llama"}')
    return ChatTemplate(load_tokenizer(folder / name), thinking=thinking)


def grown(answer: str) -> list[Message]:
    return [*ASKED, Message("assistant", answer), NEXT]


def written(made: ChatTemplate, text: str) -> list[int]:
    ids: list[int] = made.tokenizer.encode(text, add_special_tokens=False)
    return ids


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("name", FAMILIES)
def test_it_reads_as_the_template_has_it_but_for_what_the_template_drops(
    tmp_path: Path, name: str, ended: bool
) -> None:
    """Ended by its end token or cut off: the next turn stands behind a well-formed end."""
    made = template(tmp_path, name)
    ids = PromptIds(made, rewinds=FAMILIES[name].rewinds)
    prompt = ids.encode(ASKED)
    opened = "<|channel|>final<|message|>" if name == "gpt-oss" else ""
    answer = written(made, f"{opened}Two years.") + [made.end_id] * ended
    ids.remember(ASKED, "Two years.", prompt, answer, thought=False)
    found, anew = ids.encode(grown("Two years.")), made.encode(grown("Two years."))
    assert found[: len(prompt)] == prompt
    tail = written(made, "Two years.")
    at = len(prompt) + len(answer) - ended
    assert found[at - len(tail) : at] == tail
    assert found[at:] == anew[len(anew) - len(found[at:]) :]
    if prompt == anew[: len(prompt)]:  # the template drops nothing
        assert found == anew


def test_what_was_changed_or_never_said_is_rendered_anew(tmp_path: Path) -> None:
    made = template(tmp_path, "qwen3")
    ids = PromptIds(made, rewinds=True)
    ids.remember(ASKED, "Two.", ids.encode(ASKED), written(made, "Two."), thought=False)
    for messages in (
        grown("Two"),
        [*grown("Two.")[:-1], Message("assistant", "x")],
        [ASKED[0], Message("user", "How wide?"), *grown("Two.")[2:]],
        grown("Two.")[1:],
    ):
        assert ids.encode(messages) == made.encode(messages)
    assert ids.encode(grown("Two.")) != made.encode(grown("Two."))  # its closed thoughts stay


@pytest.mark.parametrize(
    ("name", "rewinds", "kept"),
    [("qwen3", True, False), ("qwen3.5", False, True), ("gpt-oss", False, False)],
)
def test_past_thoughts_stay_only_where_the_cache_would_be_lost(
    tmp_path: Path, name: str, rewinds: bool, kept: bool
) -> None:
    made = template(tmp_path, name, "high")
    ids = PromptIds(made, rewinds=rewinds)
    said = written(made, "<think>Hm.</think>Two.")
    ids.remember(ASKED, "Two.", ids.encode(ASKED), said, thought=True)
    text = made.tokenizer.decode(ids.encode(grown("Two.")))
    assert ("Hm." in text) == kept


def test_a_message_may_hold_what_stands_for_an_answer(tmp_path: Path) -> None:
    made = template(tmp_path, "llama-3.2")
    ids = PromptIds(made, rewinds=True)
    ids.remember(ASKED, "Two.", ids.encode(ASKED), written(made, "Two."), thought=False)
    messages = [
        *grown("Two.")[:-1],
        Message("user", "\u2e3a answer \u2e3a twice \u2e3a answer \u2e3a"),
    ]
    assert ids.encode(messages) == made.encode(messages)


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    made = template(tmp_path, "qwen3")
    ids = PromptIds(made, rewinds=True)
    for number in range(prompt_ids._KEPT + 1):
        ids.remember(ASKED, f"{number}", [1], written(made, f"{number}"), thought=False)
    assert ids.encode(grown("0")) == made.encode(grown("0"))
    assert ids.encode(grown("1"))[0] == 1


def test_a_template_that_fails_on_an_example_is_rendered_anew(tmp_path: Path) -> None:
    made = template(tmp_path, "gemma-2")
    ids = PromptIds(made, rewinds=True)
    prompt = ids.encode(ASKED)  # without a system role
    ids.remember(ASKED, "Two.", prompt, written(made, "Two."), thought=False)
    assert ids.encode(grown("Two.")) == made.encode(grown("Two."))


_HEAD = """\
# Prompts

What the templates of `tests/tiny_models.py`, which have each family's markers and rules, make of a
conversation, with thoughts off. Written by `tests/test_prompt_ids.py`: change the code instead, and
run it with `WRITE_DOCS=1`.
"""


def page(folder: Path) -> str:
    """docs/prompts.md: each family's prompt for a follow-up."""
    parts = [_HEAD]
    for name in FAMILIES:
        made = template(folder, name)
        text = made.tokenizer.decode(made.encode(grown("Two years.")))
        thinks = f"\n\nThoughts: {'expected' if made.thinks else 'none'}."
        parts.append(f"## {name}\n\n```text\n{text.rstrip()}\n```{thinks}\n")
    return "\n".join(parts)


def test_the_page_of_prompts_is_up_to_date(tmp_path: Path) -> None:
    file = Path(__file__).parent.parent / "docs" / "prompts.md"
    if os.environ.get("WRITE_DOCS"):
        file.write_text(page(tmp_path), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == page(tmp_path)
