"""`rag serve` and `rag mcp`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.context import Context
from cli.options import Model
from cli.terminal import say


def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Default: this machine alone.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="Default 8000; 0 takes a free one.")
    ] = None,
    allow_anyone: Annotated[
        bool,
        typer.Option("--allow-anyone", help="No API key, though others may reach the address."),
    ] = False,
    model: Model = None,
) -> None:
    """Serve the chat page, the HTTP API, OpenAI's protocol and MCP.

    An address that others may reach demands RAG_API_KEY.
    """
    from service import serving

    context: Context = ctx.obj
    settings = context.settings(chat_model=model)
    changes: dict[str, Any] = {"host": host, "port": port, "allow_anyone": allow_anyone or None}
    given = {name: value for name, value in changes.items() if value is not None}
    service = settings.service.model_copy(update=given)
    settings = settings.model_copy(update={"service": service})
    serving.serve(settings, _tell, runtime=context.runtime_factory(settings))


def _tell(url: str) -> None:
    say(f"Chat with your documents at {url}\nPress Ctrl-C to stop.")


def mcp(ctx: typer.Context) -> None:
    """Offer search, ask, list_documents and read_page as MCP tools, on stdin and stdout."""
    import asyncio

    context: Context = ctx.obj
    asyncio.run(_mcp(context))


async def _mcp(context: Context) -> None:
    from rag.config import in_collection
    from rag.pipeline import Pipeline
    from service.answers import Answers, at_once
    from service.mcp import make_server

    settings = context.settings()
    runtime = context.runtime_factory(settings)

    def pipeline_of(collection: str | None) -> Pipeline:
        name = collection or settings.collection
        return pipelines.setdefault(name, Pipeline(in_collection(settings, name), runtime))

    pipelines: dict[str, Pipeline] = {}
    try:
        await make_server(pipeline_of, Answers(at_once(settings)).start).run_stdio_async()
    finally:
        for pipeline in pipelines.values():
            pipeline.close()
        await runtime.close()
