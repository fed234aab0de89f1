"""Structured answers: JSON stays JSON, and each field has its citations beside it."""

from __future__ import annotations

import json
from typing import Any

from asking import events_of, pipeline_over
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.pipeline import AskOptions
from rag.testing import FakeEngine
from rag.verification.structured import cited_fields, fields_of

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12),
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
LEASE = {"lease": ["The yearly rent is 4,200 crowns.", "The tenant is Ada Byron of Hill Road."]}
SCHEMA = {
    "type": "object",
    "properties": {"rent": {"type": "number"}, "tenant": {"type": "string"}},
}


def found_at(data: Any, path: str) -> Any:
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        data = data[int(name)] if isinstance(data, list) else data[name]
    return data


@given(values, st.sampled_from([None, 2]))
def test_each_field_is_found_where_it_stands(data: Any, indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    for field in fields_of(text):
        value = found_at(data, field.path)
        assert json.loads(text[field.start : field.end]) == value
        assert not isinstance(value, (dict, list, bool))


def test_what_is_cut_off_has_no_fields() -> None:
    assert fields_of('{"rent": 42') == []


async def test_fields_have_citations_beside_them(settings: Settings) -> None:
    reply = '{"rent": 4200, "tenant": "Ada Byron", "landlord": "Otto Zwei"}'
    engine = FakeEngine(reply)
    async with pipeline_over(settings, engine, LEASE) as pipeline:
        _, done = await events_of(
            pipeline, "Who pays how much rent?", options=AskOptions(schema=SCHEMA)
        )
    assert done.answer.text == reply
    assert json.dumps(SCHEMA) in engine.calls[0][-1].content
    shown = cited_fields(done.answer)
    assert shown["data"] == json.loads(reply)
    pages = {
        path: [place["page"] for place in places] for path, places in shown["citations"].items()
    }
    assert pages == {"/rent": [1], "/tenant": [2], "/landlord": []}
