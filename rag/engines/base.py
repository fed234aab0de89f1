"""Messages to a streamed answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from rag.config import Settings
from rag.types import Message, Piece

if TYPE_CHECKING:
    from rag.compute.mlx_runtime import MLXThread


class Engine(Protocol):
    """A language model that answers a chat. Closing the generator stops the generation."""

    @property
    def model(self) -> str:
        """The model's name, as shown to the user."""

    @property
    def fingerprint(self) -> str:
        """Another one whenever the model's content may be another; "" where nobody can tell, or
        needs to: what it can do is not measured then."""

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together must fit in this many tokens."""

    @property
    def thinking_tokens(self) -> int:
        """Tokens that its thoughts may take beside an answer; 0 where it does not think."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, chat template included."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, object] | None = None,
    ) -> AsyncGenerator[Piece]:
        """The answer piece by piece, thoughts apart; the last piece carries how it ended. With a
        JSON `schema` the answer is JSON that fits it, unless cut off by `max_tokens`. Raises
        EngineError.
        """

    async def close(self) -> None: ...


async def open_engine(
    settings: Settings, thread: MLXThread, *, notify: Callable[[str], None] | None = None
) -> Engine:
    """The engine that the settings name: a server's if there is an engine_url, else our own.

    `notify` is told, in a line, of what takes time. Raises ModelError, ConfigError.
    """
    if settings.engine_url is not None:
        from rag.engines.openai_compatible import OpenAIEngine

        return await OpenAIEngine.open(settings)
    from rag.engines.vllm_mlx import VLLMMLXEngine

    return await VLLMMLXEngine.open(settings, thread, notify=notify)
