"""The OpenAPI document against the running service: whatever it allows, nothing is a 500."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

from rag.pipeline import AskOptions
from rag.testing import FakeEngine
from tests.service_server import ANSWER, LEASE, pdf, running, service_settings, upload


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    engine = FakeEngine(ANSWER, context_tokens=8192)
    with running(service_settings(home, shared_cache), engine) as url:
        with httpx2.Client(base_url=url, timeout=60) as client:
            upload(client, ("lease.pdf", pdf(LEASE)))
        yield url


# Uploads and model loads start processes, and their own tests try what they refuse.
_LEFT_OUT = {("POST", "/documents"), ("POST", "/models")}


def test_nothing_that_the_document_allows_is_a_500(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) in _LEFT_OUT:
            continue

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def never_a_500(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=[not_a_server_error])

        never_a_500()
        tried += 1
    assert tried > 20


def test_the_library_and_the_document_name_options_alike(address: str) -> None:
    """rag.client sends them by name; what was begun the service knows itself, by `continues`."""
    query = httpx2.get(f"{address}/openapi.json").json()["components"]["schemas"]["Query"]
    names = {field.name for field in fields(AskOptions)} - {"begun"}
    assert names <= set(query["properties"])
    assert query["properties"]["schema"]["examples"][0]["type"] == "object"


def test_every_operation_is_told_of_with_a_summary(address: str) -> None:
    document = httpx2.get(f"{address}/openapi.json").json()
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
    ]
    assert len(operations) > 20
    assert [path for path, operation in operations if not operation.get("summary")] == []
