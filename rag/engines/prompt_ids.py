"""The ids of a prompt: a follow-up goes on from the very ids that were read and written before.

Rendered anew, a past turn may come out otherwise: templates drop thoughts, and the mark that closed
them, and text is not always cut into the tokens that the model chose. A prefix cache reuses only
what is the same from the first id on, and caches of sliding windows or of states cannot even be cut
back to that point. So what was said stays as it was.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from rag.engines.chat_template import ChatTemplate
from rag.types import Message

# Conversations that are remembered. One of 8192 tokens takes 64 kB.
_KEPT = 256


class PromptIds:
    """Encodes prompts with a template. Any thread may do it."""

    def __init__(self, template: ChatTemplate, *, rewinds: bool) -> None:
        """`rewinds`: the model's cache can be cut back to any token."""
        self.template = template
        self.rewinds = rewinds
        self._kept: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The whole prompt, up to where the assistant begins to speak."""
        if len(messages) > 2 and messages[-2].role == "assistant" and messages[-1].role == "user":
            with self._lock:
                known = self._kept.get(_key(messages[:-1]))
            if known is not None and (bridge := self.template.after_answer(messages[-1])):
                return [*known, *bridge]
        return self.template.encode(messages)

    def remember(
        self,
        messages: Sequence[Message],
        answer: str,
        prompt: Sequence[int],
        written: Sequence[int],
        *,
        thought: bool,
    ) -> None:
        """An answer to `messages`: the ids that were read, and those that were written.

        Past thoughts are left out of a conversation where the cache then still fits: where it can
        be cut back, or where past answers begin as the model began (gpt-oss: `<|channel|>`).
        """
        if thought and (self.rewinds or self.template.format.harmony):
            return
        end = len(written) - (bool(written) and written[-1] in self.template.stop_ids)
        self.restore(_key([*messages, Message("assistant", answer)]), (*prompt, *written[:end]))

    def restore(self, key: bytes, ids: tuple[int, ...]) -> None:
        """Remember what `remembered` told once."""
        with self._lock:
            self._kept[key] = ids
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def remembered(self) -> dict[bytes, tuple[int, ...]]:
        """The ids of conversations up to their last answer, by a digest of what was said."""
        with self._lock:
            return dict(self._kept)


def _key(messages: Sequence[Message]) -> bytes:
    said = repr([(message.role, message.content) for message in messages])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()
