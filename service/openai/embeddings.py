"""Embeddings by the model that made a collection's index, for clients that keep their own."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from service.deps import Service
from service.openai.limits import Body, ModelName, Unsupported
from service.openai.questions import collection_of
from service.sound import Sound

router = APIRouter(prefix="/v1", tags=["openai"])
TEXTS = 2048  # of a request, as OpenAI has it
_AT_ONCE = 64  # texts: between them, questions get their turn


class Embeddings(Sound, Body):
    model: ModelName
    input: str | Annotated[list[Any], Field(min_length=1, max_length=TEXTS)] = Field(
        examples=["The deposit is 23,500 crowns."]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


@router.post("/embeddings", summary="Embed texts, with a collection's model")
async def embed(body: Embeddings, state: Service) -> dict[str, Any]:
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not all(isinstance(text, str) for text in texts):
        hint = "LangChain's OpenAIEmbeddings sends texts with check_embedding_ctx_length=False."
        raise Unsupported("input", "tokens of another model cannot be read here", hint)
    if not all(text.strip() for text in texts):
        raise Unsupported("input", "a text to embed is empty", "Leave empty texts out.")
    embedder = await state.pipeline(collection_of(state, body.model)).embedder()
    if body.dimensions not in (None, embedder.dimensions):
        raise Unsupported("dimensions", f"this model's vectors have {embedder.dimensions}")
    longest = embedder.max_tokens - 2  # the special tokens
    counts = embedder.count_tokens(texts)
    for place, count in enumerate(counts):
        if count > longest:
            what = f"text {place} has {count:,} tokens; the embedding model reads {longest:,}"
            raise Unsupported("input", what, "Cut it into shorter texts.")
    rows: list[dict[str, Any]] = []
    for begin in range(0, len(texts), _AT_ONCE):
        for vector in await embedder.embed_documents(texts[begin : begin + _AT_ONCE]):
            shown: Any = vector.tolist()
            if body.encoding_format == "base64":
                shown = base64.b64encode(vector.astype("<f4").tobytes()).decode()
            rows.append({"object": "embedding", "index": len(rows), "embedding": shown})
    usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return {"object": "list", "data": rows, "model": body.model, "usage": usage}
