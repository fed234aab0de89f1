"""The chat model in this process, on vllm-mlx: requests decode together, one step at a time.

vllm-mlx's `EngineCore` schedules; its steps run on the MLX thread, in turns with embedding.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.engines import sampling
from rag.engines.kept_prompts import KeptPrompts
from rag.engines.prompt_ids import PromptIds
from rag.engines.thought_stream import Decoded, TokenLimits, without_thoughts
from rag.engines.thoughts import ThoughtFilter
from rag.engines.vllm_mlx_loading import LIBRARIES, Limits, import_library, kept_prompts, load
from rag.errors import EngineBusy, EngineError, EngineTimeout, PromptTooLong
from rag.models import registry
from rag.types import Finish, Message, Piece

if TYPE_CHECKING:
    from vllm_mlx.engine_core import EngineCore
    from vllm_mlx.output_collector import RequestOutputCollector as Collector
    from vllm_mlx.request import RequestOutput, SamplingParams


class VLLMMLXEngine:
    """An Engine. Make one with `open`, in the event loop that will use it."""

    def __init__(
        self,
        model: registry.Model,
        core: EngineCore,
        prompts: PromptIds,
        thread: MLXThread,
        *,
        context_tokens: int,
        thinking_tokens: int,
        capacity: int,
        timeout_s: float,
        kept: KeptPrompts | None = None,
    ) -> None:
        self.model = model.name
        self.context_tokens = context_tokens
        template = prompts.template
        self.thinking_tokens = thinking_tokens if template.thinks else 0
        thinks = " thinking" if template.thinks else ""
        self.fingerprint = f"{model.name} {model.folder.name} {model.revision}{thinks}"
        self._core = core
        self._prompts, self._template = prompts, template
        self._grammar = sampling.JSONGrammar(template.tokenizer)
        self._thread = thread
        self._capacity = capacity
        self._timeout_s = timeout_s
        self._kept = kept
        self._active: set[str] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        settings: Settings,
        thread: MLXThread,
        *,
        notify: Callable[[str], None] | None = None,
        limits: Limits | None = None,
    ) -> VLLMMLXEngine:
        """Load the configured chat model. Raises ModelNotFound, ModelLoadFailed, StoreError."""
        model = await thread.run(registry.chat_model, settings, notify or registry.silent)
        for name in LIBRARIES:  # in steps, so that closing need not wait for the whole
            await thread.run(import_library, name)
        context_tokens = _context_tokens(model.folder, settings.context_tokens)
        core, prompts, used = await thread.run(
            load, model, settings, context_tokens, thread, limits
        )
        kept = await thread.run(kept_prompts, model, settings, prompts, core)
        await core.start()
        return cls(
            model,
            core,
            prompts,
            thread,
            context_tokens=context_tokens,
            thinking_tokens=settings.thinking_tokens,
            capacity=used.concurrency + settings.queue_limit,
            timeout_s=settings.request_timeout_s,
            kept=kept,
        )

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, chat template included."""
        return len(self._prompts.encode(messages))

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, object] | None = None,
    ) -> AsyncGenerator[Piece]:
        """The answer piece by piece. With a JSON `schema`, the answer is JSON that fits it.

        Raises PromptTooLong, ThoughtsCutOff, EngineBusy, EngineTimeout, EngineError.
        """
        prompt = await asyncio.to_thread(self._prompts.encode, messages)
        end = sampling.EndToken(self._template.end_id)
        processors: list[sampling.Processor] = [end, sampling.at(temperature)]
        if schema is not None:  # compiling it takes a moment
            processors.insert(0, await asyncio.to_thread(self._grammar.processor, schema))
            prompt += self._template.closing(prompt)
        room = self.context_tokens - len(prompt)
        if room < 1:
            raise PromptTooLong(
                f"the prompt has {len(prompt)} tokens, the model takes {self.context_tokens}"
            )
        limits = TokenLimits(max_tokens, 0 if schema is not None else self.thinking_tokens)
        thoughts = ThoughtFilter(self._template.format, inside=self._template.unclosed(prompt))
        if self._kept is not None:
            store = self._core.scheduler.memory_aware_cache.store
            await self._thread.run(self._kept.bring, prompt, store)
        written: list[int] = []
        decoded = self._decoded(prompt, self._params(min(limits.total, room), processors), written)
        text = ""
        async with aclosing(without_thoughts(decoded, thoughts, limits, end=end.ask)) as pieces:
            async for piece in pieces:
                text = ("" if piece.restart else text) + piece.text
                if piece.finish:
                    kept = thoughts.thought
                    self._prompts.remember(messages, text, prompt, written, thought=kept)
                yield piece

    async def close(self) -> None:
        """End what still runs with EngineError, free the model. Idempotent."""
        if self._closed:
            return
        self._closed = True
        while self._core._output_collectors:  # emptied first, for EngineCore.close clears them
            self._core._output_collectors.popitem()[1].put(_ended("abort"))
        await self._core.stop()
        if self._kept is not None:
            await self._thread.run(self._save, self._kept)
        await self._thread.run(self._core.close)

    def _save(self, kept: KeptPrompts) -> None:
        entries = self._core.scheduler.memory_aware_cache._entries
        newest = ((ids, entry.cache) for ids, entry in reversed(entries.items()))
        kept.save(newest, self._prompts.remembered())

    # ── one request ───────────────────────────────────────────────────────────────────────────

    async def _decoded(
        self, prompt: list[int], params: SamplingParams, written: list[int]
    ) -> AsyncGenerator[Decoded]:
        """What the model writes, thoughts and all; `written` gets its ids."""
        request_id = self._admit()
        try:
            collector = await self._begin(request_id, prompt, params)
            sent = 0
            while True:
                output = await self._output(collector)
                written[:] = output.output_token_ids
                step = self._step(output, sent)
                sent += len(step.text)
                yield step
                if step.done:
                    return
        finally:
            await self._retire(request_id)

    def _admit(self) -> str:
        """A new request's id, which `_retire` must give back whatever happens."""
        self._check_open()
        if len(self._active) >= self._capacity:
            raise EngineBusy(f"{len(self._active)} requests are running or waiting")
        request_id = uuid.uuid4().hex
        self._active.add(request_id)
        return request_id

    def _check_open(self) -> None:
        if self._closed or not self._core.is_healthy():
            raise EngineError("the engine is closed", hint="Start the program again.")

    async def _begin(self, request_id: str, prompt: list[int], params: SamplingParams) -> Collector:
        await self._core.add_request(prompt, params, request_id)
        self._check_open()
        return self._core._output_collectors[request_id]

    def _params(self, max_tokens: int, processors: list[sampling.Processor]) -> SamplingParams:
        from vllm_mlx.request import SamplingParams

        return SamplingParams(
            max_tokens=max_tokens,
            # One sampler serves the whole batch: greedy, so that the processors decide.
            temperature=0.0,
            top_p=1.0,
            stop_token_ids=self._template.stop_ids,
            logits_processors=processors,
        )

    async def _output(self, collector: Collector) -> RequestOutput:
        # Not EngineCore.stream_outputs: it swallows the cancellation of the task that consumes it.
        try:
            return await asyncio.wait_for(collector.get(), self._timeout_s)
        except TimeoutError:
            raise EngineTimeout(f"no token within {self._timeout_s:g} s") from None

    def _step(self, output: RequestOutput, sent: int) -> Decoded:
        if not output.finished:
            return Decoded(output.new_text, self._usage(output, "length"))
        if output.finish_reason not in ("stop", "length"):
            raise EngineError(
                f"the model stopped with {output.finish_reason!r}",
                hint="Its log on stderr says why; a full memory is the usual cause.",
            )
        # The detokenizer holds back bytes of an unfinished character; the whole text has them.
        only_stop = output.finish_reason == "stop" and output.completion_tokens == 1
        text = "" if only_stop else output.output_text[sent:]
        return Decoded(text, self._usage(output, output.finish_reason), done=True)

    def _usage(self, output: RequestOutput, reason: Literal["stop", "length"]) -> Finish:
        request = self._core.scheduler.get_request(output.request_id)
        return Finish(
            reason=reason,
            prompt_tokens=output.prompt_tokens,
            cached_tokens=0 if request is None else request.cached_tokens,
            completion_tokens=output.completion_tokens,
        )

    async def _retire(self, request_id: str) -> None:
        """Take the request out of the batch; back only when it is out, at most one step later."""
        self._active.discard(request_id)
        self._core._cleanup_request_tracking(request_id)
        if not self._closed:
            await asyncio.shield(self._thread.run(self._forget, request_id))

    def _forget(self, request_id: str) -> None:
        # EngineCore's own way drops the request before the abort is seen: one that still waits
        # would then be decoded to its end for nobody.
        scheduler = self._core.scheduler
        request = scheduler.get_request(request_id)
        if request is not None and not request.is_finished():
            scheduler.abort_request(request_id)
            scheduler._process_pending_aborts()
        scheduler.remove_finished_request(request_id)


def _ended(reason: str) -> RequestOutput:
    from vllm_mlx.request import RequestOutput

    return RequestOutput(request_id="", finished=True, finish_reason=reason)


def _context_tokens(folder: Path, wanted: int | None) -> int:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config", config)
    return min(
        wanted or registry.DEFAULT_CONTEXT, int(text.get("max_position_embeddings", sys.maxsize))
    )
