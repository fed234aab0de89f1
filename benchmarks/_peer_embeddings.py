"""Our embedder as an OpenAI-compatible server, for the peer that embeds through one.

    python -m benchmarks._peer_embeddings MODEL

Prints its base URL when it is ready, and ends with stdin.
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from rag.config import Settings
from rag.embedders.base import Embedder
from rag.runtime import Runtime


class Request(BaseModel):
    input: str | list[str]
    model: str


def application(embedder: Embedder) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> dict[str, object]:
        texts = [request.input] if isinstance(request.input, str) else request.input
        vectors = (await embedder.embed_documents(texts)).tolist()
        data = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        return {"object": "list", "data": data, "model": request.model, "usage": usage}

    return app


async def run(model: str) -> None:
    embedder = await Runtime(Settings()).embedder(model)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(application(embedder), log_level="warning")
        server = uvicorn.Server(config)
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", flush=True)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
