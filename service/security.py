"""Who may ask what: Host and Origin, API keys, how often and how much. One ASGI middleware.

The page cannot send a header with an image, so a key can be traded for a cookie (`POST /login`):
HttpOnly and SameSite=Strict, an HMAC with the key itself, so nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.config import Settings, revealed
from rag.errors import ConfigError
from service.problems import Refused, told
from service.request_log import CLIENT
from service.state import is_loopback

COOKIE = "rag_key"
COOKIE_DAYS = 30
BODY_LIMIT = 2 << 20  # bytes of a request that is no upload
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
# Without a key: the page's own files hold no data, probes must work, and this is how to log in.
_OPEN = {"/", "/health", "/ready", "/login"}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_CLIENTS = 10_000  # whose rate is remembered

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key. The name is for logs and limits; the key is never told."""

    name: str
    secret: bytes


def parse_keys(setting: str) -> tuple[Key, ...]:
    """Keys of "KEY" or "name:KEY,name2:KEY2". Raises ConfigError for one that can be guessed."""
    keys = []
    for part in filter(None, setting.replace(" ", "").split(",")):
        name, colon, secret = part.rpartition(":")
        if len(secret) < 16:
            raise ConfigError(
                f"the API key {name or 'without a name'} is shorter than 16 characters",
                hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        keys.append(Key(name if colon else "default", secret.encode()))
    return tuple(keys)


def require_safe(settings: Settings) -> None:
    """Raises ConfigError if the service would be open to a network without a key."""
    service = settings.service
    if is_loopback(service.host) or parse_keys(revealed(settings.api_key)) or service.allow_anyone:
        return
    raise ConfigError(
        f"anyone who reaches {service.host} could read your documents",
        hint="Set RAG_API_KEY, or pass --allow-anyone if the network is yours alone.",
    )


class Guard:
    """Turns away what may not pass, and marks every response with the security headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        service = settings.service
        self.app = app
        self.keys = parse_keys(revealed(settings.api_key))
        self.hosts = _LOOPBACK | {_in_brackets(service.host), *service.allowed_hosts}
        # A service on all addresses has as many names as its machine; its key guards it then.
        # Without a key, an address or the machine's own name: no page can take these for itself.
        self.any_address = service.host in ("0.0.0.0", "::") and not service.allowed_hosts
        self.any_host = self.any_address and bool(self.keys)
        if self.any_address:
            self.hosts |= {(own := socket.gethostname().lower()), f"{own}.local"}
        self.upload_limit = (service.max_upload_mb << 20) + BODY_LIMIT
        self.rate = Rate(service.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_origin(scope, headers)
            client = self._client(scope, headers)
            scope[CLIENT] = client
            self.rate.take(client)
            limit = self._limit(scope)
            _check_length(headers, limit)
        except Refused as refused:
            await told(refused, scope)(scope, receive, _marked(send))
            return
        await self.app(scope, _limited(receive, limit), _marked(send))

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Against pages of other sites: DNS rebinding, and forms or scripts that post to us."""
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if not (self.any_host or name.lower() in self.hosts or self._is_address(name)):
            raise Refused(
                421, f"this service does not go by the name {name[:80]!r}",
                "Add the name to service.allowed_hosts.",
            )  # fmt: skip
        if scope["method"] in _SAFE_METHODS:
            return
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "requests from pages of other sites are not taken")

    def _is_address(self, name: str) -> bool:
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self.any_address

    def _client(self, scope: Scope, headers: Headers) -> str:
        """The key's name, else the address. Raises Refused without a key where one is needed."""
        address = scope["client"][0] if scope.get("client") else "local"
        if not self.keys:
            return address
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        key = find_key(self.keys, given) or read_cookie(self.keys, headers.get("cookie", ""))
        if key is not None:
            return f"key {key.name}"
        if scope["path"] in _OPEN or scope["path"].startswith("/static/"):
            return address
        self.rate.take(f"refused {address}")
        raise Refused(
            401, "an API key is needed", "Send it as: Authorization: Bearer KEY",
            WWW_Authenticate="Bearer",
        )  # fmt: skip

    def _limit(self, scope: Scope) -> int:
        is_upload = scope["method"] == "POST" and scope["path"] == "/documents"
        return self.upload_limit if is_upload else BODY_LIMIT


class Rate:
    """A token bucket a client: so many requests a minute, half of them at once."""

    def __init__(self, per_minute: int) -> None:
        self.per_second = per_minute / 60
        self.burst = max(1.0, per_minute / 2)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Raises Refused (429)."""
        now = time.monotonic()
        tokens, since = self._buckets.pop(client, (self.burst, now))
        tokens = min(self.burst, tokens + (now - since) * self.per_second)
        self._buckets[client] = (max(0.0, tokens - 1), now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if tokens < 1:
            wait = str(max(1, round((1 - tokens) / self.per_second)))
            raise Refused(429, "too many requests", "Ask less often.", Retry_After=wait)


def find_key(keys: Sequence[Key], given: str) -> Key | None:
    """Compares with all keys, each in constant time."""
    found = None
    for key in keys:
        if hmac.compare_digest(key.secret, given.encode()):
            found = key
    return found


def make_cookie(key: Key) -> str:
    until = str(int(time.time()) + COOKIE_DAYS * 86_400)
    return f"{until}.{_signature(key, until)}"


def read_cookie(keys: Sequence[Key], header: str) -> Key | None:
    try:
        cookie = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    until, _, signature = (cookie.value if cookie else "").partition(".")
    if not until.isdecimal() or len(until) > 12 or int(until) < time.time():
        return None
    for key in keys:
        if hmac.compare_digest(_signature(key, until).encode(), signature.encode()):
            return key
    return None


def _signature(key: Key, until: str) -> str:
    return hmac.new(key.secret, f"rag cookie {until}".encode(), hashlib.sha256).hexdigest()


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_length(headers: Headers, limit: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 18:
        raise Refused(400, "Content-Length is no number")
    if int(length) > limit:
        raise Refused(413, f"the request is larger than {limit >> 20} MiB")


def _limited(receive: Receive, limit: int) -> Receive:
    """Also for bodies that do not say how long they are."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise Refused(413, f"the request is larger than {limit >> 20} MiB")
        return message

    return counted


def _marked(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return marked
