"""Who may ask, from where, how often and how much; and that nothing becomes HTML."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rag.config import Service, Settings
from rag.errors import ConfigError
from rag.testing import FakeEngine
from service import markdown
from service.problems import Refused
from service.security import Key, Rate, make_cookie, parse_keys, read_cookie, require_safe
from tests.service_server import running, service_settings

KEY, OTHER = "correct-horse-battery", "staple-of-the-other-one"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[str]:
    """A service with keys."""
    home = tmp_path_factory.mktemp("home")
    settings = service_settings(home, shared_cache, api_key=SecretStr(f"anna:{KEY},ben:{OTHER}"))
    with running(settings, FakeEngine()) as url:
        yield url


def test_without_a_key_only_the_page_and_the_probes_answer(address: str) -> None:
    with httpx2.Client(base_url=address) as client:
        for path in ("/", "/static/app.js", "/health", "/ready"):
            assert client.get(path).status_code in (200, 503), path
        for path in ("/documents", "/sessions", "/metrics", "/openapi.json", "/v1/models", "/mcp"):
            refused = client.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_each_key_opens_by_either_header(address: str, key: str) -> None:
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        assert httpx2.get(f"{address}/documents", headers=headers).status_code == 200
    assert httpx2.get(f"{address}/documents", headers={"X-API-Key": key[:-1]}).status_code == 401


def test_a_key_is_traded_for_a_cookie_that_scripts_cannot_read(address: str) -> None:
    with httpx2.Client(base_url=address) as client:
        assert client.post("/login", json={"key": "wrong"}).status_code == 401
        answer = client.post("/login", json={"key": KEY})
        assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
        assert KEY not in answer.headers["set-cookie"]
        assert client.get("/documents").status_code == 200


def test_a_cookie_of_another_key_or_time_is_no_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = Key("a", b"a" * 16), Key("b", b"b" * 16)
    cookie = make_cookie(key)
    assert read_cookie([other, key], f"x=1; rag_key={cookie}") == key
    assert read_cookie([other], f"rag_key={cookie}") is None
    until, _, signature = cookie.partition(".")
    assert read_cookie([key], f"rag_key={int(until) + 1}.{signature}") is None
    later = time.time() + 40 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert read_cookie([key], f"rag_key={cookie}") is None


def test_names_and_pages_of_others_are_turned_away(address: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    rebound = httpx2.get(f"{address}/documents", headers={**headers, "Host": "evil.example"})
    assert rebound.status_code == 421
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = httpx2.post(f"{address}/sessions", json={}, headers={**headers, "Origin": origin})
        assert answer.status_code == 403, origin
        assert "access-control-allow-origin" not in answer.headers
    same = httpx2.post(f"{address}/sessions", json={}, headers={**headers, "Origin": address})
    assert same.status_code == 201


def test_every_response_carries_the_policy(address: str) -> None:
    for path in ("/", "/nothing", "/documents"):
        answer = httpx2.get(f"{address}{path}")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_beyond_the_limit_is_refused_also_when_it_does_not_say(address: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    assert (
        httpx2.post(f"{address}/query", content=bytes(3 << 20), headers=headers).status_code == 413
    )

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield bytes(100_000)

    answer = httpx2.post(f"{address}/query", content=pieces(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_client_that_asks_too_often_waits() -> None:
    rate = Rate(6)
    for _ in range(3):
        rate.take("one")
    with pytest.raises(Refused) as refused:
        rate.take("one")
    assert refused.value.status_code == 429
    assert refused.value.headers is not None
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 10
    rate.take("two")


def test_an_open_address_demands_a_key_or_an_explicit_word() -> None:
    def settings(**service: object) -> Settings:
        return Settings(service=Service(host="0.0.0.0", **service))  # type: ignore[arg-type]

    with pytest.raises(ConfigError):
        require_safe(settings())
    require_safe(settings(allow_anyone=True))
    require_safe(settings().model_copy(update={"api_key": SecretStr(KEY)}))
    require_safe(Settings())
    with pytest.raises(ConfigError):
        parse_keys("name:short")


def test_no_page_can_take_the_name_of_a_service_on_all_addresses_without_keys(
    tmp_path: Path, shared_cache: Path
) -> None:
    service = Service(host="0.0.0.0", port=0, allow_anyone=True, shutdown_s=2)
    settings = service_settings(tmp_path, shared_cache, service=service)
    with running(settings, FakeEngine()) as url:
        for host in ("192.168.1.7:8000", "[fe80::1]:8000", "localhost", socket.gethostname()):
            assert httpx2.get(f"{url}/documents", headers={"Host": host}).status_code == 200, host
        for host in ("evil.example", "192.168.1.7.evil.example", "1.2.3.4.5"):
            assert httpx2.get(f"{url}/documents", headers={"Host": host}).status_code == 421, host


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](https://elsewhere.example/pixel.png)",
        "`<b>` and ```\n<script>\n```",
        '[1]: javascript:alert(1) "t"\n\n[x][1]',
        '[a](<https://x.example/" onmouseover=alert(1)>)',
    ],
)
def test_no_markdown_becomes_a_script_or_an_image(text: str) -> None:
    html = markdown.render(text, {1: '"><script>'}, [markdown.Note(len(text), "<b>", "x", '"><i>')])
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert " onmouseover=" not in html.replace("&quot; onmouseover", "")


@given(st.text(max_size=200), st.integers(0, 200))
def test_any_text_renders_with_no_tag_but_ours(text: str, end: int) -> None:
    import re

    html = markdown.render(text, {1: "a"}, [markdown.Note(min(end, len(text)))])
    allowed = "p|em|strong|s|code|pre|h[1-6]|ul|ol|li|blockquote|hr|br|button|span|div|m[a-z]+"
    for tag in re.findall(r"</?([a-zA-Z][a-zA-Z0-9]*)", html):
        assert re.fullmatch(allowed, tag), html
