"""What requests in OpenAI's form may ask for, and the refusal of what cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.problems import Refused
from service.schemas import STOP_CHARS, STOPS

MAX_TOKENS = 32_768
ModelName = Annotated[str, Field(max_length=200, examples=["rag"])]
Temperature = Annotated[float, Field(ge=0, le=2)] | None
# A list of OpenAI's holds four; ours may hold as many as /query takes.
Stop = str | list[str] | None
# What changes the form of an answer, or who writes it. Each with a test of the values that change
# nothing, which clients send by default.
_NOTHING: tuple[Any, ...] = (None, False, [], {}, "", 0)
_CANNOT: Mapping[str, str] = {
    "tools": "this model calls no tools: it answers from the documents",
    "functions": "this model calls no functions: it answers from the documents",
    "web_search_options": "nothing leaves this machine, so the web is not searched",
    "audio": "answers are text",
    "logprobs": "tokens are verified and cited as text, so they have no log probabilities here",
    "top_logprobs": "tokens are verified and cited as text, so they have no log probabilities here",
    "logit_bias": "single tokens cannot be weighted here",
    "suffix": "a text cannot be filled in here",
    "echo": "the prompt is not repeated",
    "prompt": "prompts are not kept here: send the text as `input`",
    "background": "answers are not kept here: read the stream",
    "previous_response_id": "answers are not kept here: send the conversation as `input`",
    "conversation": "answers are not kept here: send the conversation as `input`",
}


class Body(BaseModel):
    """Fields of OpenAI's that are not here, and change nothing of an answer's form, are taken and
    passed over (`seed`, `top_p`, `user`, `metadata`…)."""

    model_config = ConfigDict(extra="allow")


class Unsupported(Refused):
    """A parameter that cannot be done, named as OpenAI's errors name it."""

    def __init__(self, param: str, detail: str, hint: str = "") -> None:
        super().__init__(400, detail, hint or f"Leave `{param}` out.")
        self.code, self.param = "unsupported_parameter", param


def require_supported(body: Body) -> None:
    """Raises Unsupported for the first parameter that cannot be done."""
    asked = body.model_extra or {}
    for param, why in _CANNOT.items():
        tools_off = param == "tools" and asked.get("tool_choice") == "none"
        # Of completions `logprobs` is a number, and 0 asks for some.
        if not tools_off and asked.get(param) not in _NOTHING:
            raise Unsupported(param, why)
    for param in ("n", "best_of"):
        if asked.get(param) not in (None, 1):
            raise Unsupported(param, f"one answer is written: {param} must be 1")
    if any(kind != "text" for kind in _listed(asked.get("modalities"))):
        raise Unsupported("modalities", "answers are text")


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def limit_of(param: str, wanted: int | None) -> int | None:
    """Tokens that an answer may have. −1 is what some clients send for "as many as it takes"; more
    than the most is the most, since it is a limit. Raises Unsupported."""
    if wanted is None or wanted == -1:
        return None
    if wanted < 1:
        raise Unsupported(
            param, f"{param} must be at least 1", f"Leave `{param}` out for no limit."
        )
    return min(wanted, MAX_TOKENS)


def stops_of(stop: Stop) -> list[str]:
    """Raises Unsupported."""
    stops = [stop] if isinstance(stop, str) else list(dict.fromkeys(stop or []))
    if len(stops) > STOPS or any(not 0 < len(one) <= STOP_CHARS for one in stops):
        what = f"stop takes {STOPS} texts of 1 to {STOP_CHARS} characters"
        raise Unsupported("stop", what, "Shorten it.")
    return stops


class ContentPart(Body):
    type: str
    text: str = ""


class ChatMessage(Body):
    """A message of a conversation, whichever of the two APIs it comes by."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or [] if part.type in _TEXT)

    def require_text(self, param: str) -> None:
        """Raises Unsupported for images, sound and files: they would be left out in silence."""
        parts = self.content if isinstance(self.content, list) else []
        for part in parts:
            if part.type not in (*_TEXT, "refusal"):
                hint = "Upload files as documents, with POST /documents, and ask for them."
                raise Unsupported(param, f"a message's part is {part.type[:40]!r}, not text", hint)


_TEXT = ("text", "input_text", "output_text")


def schema_of(param: str, asked: object) -> dict[str, Any] | None:
    """The JSON Schema of a `response_format`, or of `text.format`. Raises Unsupported."""
    if asked is None or asked == {}:
        return None
    if not isinstance(asked, Mapping):
        raise Unsupported(param, f"{param} is no object", 'Give one, like {"type": "text"}.')
    kind = asked.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    if kind != "json_schema":
        hint = "Use text, json_object or json_schema."
        raise Unsupported(param, f"no answer has the format {str(kind)[:40]!r}", hint)
    named = asked.get("json_schema", asked)  # the Responses API has no level between
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if not isinstance(schema, dict):
        raise Unsupported(param, f"{param} holds no schema", "Give a JSON Schema as `schema`.")
    return schema
