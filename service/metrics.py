"""What Prometheus reads."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)


class Metrics:
    """One registry a service, so that two services in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ["method", "route", "status"]
        self.requests = Counter("rag_requests", "HTTP requests", names, registry=self.registry)
        self.seconds = Histogram(
            "rag_request_seconds",
            "Seconds until a response's last byte",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_token = Histogram(
            "rag_first_token_seconds",
            "Seconds from a question to its answer's first token",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "rag_answers", "Answers by how they ended", ["outcome"], registry=self.registry
        )
        self.answering = Gauge("rag_answering", "Answers under way", registry=self.registry)
        self.jobs = Gauge("rag_jobs", "Ingest jobs by status", ["status"], registry=self.registry)
        self.models = Gauge("rag_models_loaded", "Chat models in memory", registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Measured:
    """ASGI middleware: counts requests by route and method, never by what a client made up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            metrics: Metrics = scope["app"].state.service.metrics
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.labels(method, route, status).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - started)
