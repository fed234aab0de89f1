"""Every error that this program raises on purpose. Each one carries a hint: what the user can do.

RagError
├── ConfigError            a setting is unknown, malformed or contradicts another
├── ModelError
│   ├── ModelNotFound      no such folder, bundled name or cached hub model, and no hub to ask
│   └── ModelLoadFailed    the folder is there, the model in it cannot be used
├── ExtractionError        one file could not be turned into text (only that file is lost)
│   ├── UnsupportedFile    not a document that we read, or not what its name says
│   ├── DamagedFile        cannot be opened, or opens with no pages
│   ├── EncryptedFile      needs a password, or the one given is wrong
│   ├── NoText             opened, but holds no text (scanned, and no OCR at hand)
│   ├── FileChanged        written to, or replaced, while it was read
│   └── LimitExceeded      stopped by the limit on time, memory, pages or size
├── StoreError
│   ├── IndexMissing       nothing was ingested into this collection yet
│   │   └── IndexPending   its first documents are being read
│   ├── IndexMismatch      made with another embedding model, or by another version
│   ├── IndexLocked        another process is writing
│   ├── IndexCorrupt       LanceDB cannot read its own files
│   ├── StorageFull        no space is left on the disk
│   └── DocumentNotFound   no document answers to this name
├── EmbeddingError         the embedder failed or gave vectors that must not be stored
├── EngineError
│   ├── EngineBusy         the queue is full
│   ├── EngineTimeout      no token within the time allowed
│   ├── EngineUnreachable  the configured server does not answer
│   ├── AnswerStopped      ended before its end, by its reader or with the service
│   ├── PromptTooLong      does not fit the model's context
│   └── ThoughtsCutOff     the model thought until its limit, and wrote no answer
├── ServiceRunning         another service runs on this home
├── PathNotFound           a path that was named leads to no file or folder
├── PageNotFound           a document has no such page, or none that can be drawn
├── InvalidName            cannot be given to a tag or a collection
├── SessionBusy            an answer of this session is being written
├── SessionNotFound        no chat session with this id
└── InvalidQuestion        empty, or a filter that cannot be understood
    ├── InvalidSchema      a JSON schema that no answer can be held to
    └── InvalidQuestionSet a file of questions for `rag eval` that cannot be understood
"""

from __future__ import annotations


class RagError(Exception):
    """Base of the tree. `hint` is one sentence that tells the user what to do next."""

    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class ConfigError(RagError):
    """A setting is unknown, malformed or contradicts another."""


class ModelError(RagError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """No such folder, bundled name or cached hub model, and no hub to ask."""


class ModelLoadFailed(ModelError):
    """The model's folder is there, but the model in it cannot be used."""


class ExtractionError(RagError):
    """One file could not be turned into text. `kind` is the stable word that reports use."""

    kind = "failed"


class ServiceRunning(RagError):
    """Another service runs on this home, which holds its sessions and uploads."""

    hint = "Use that one, or give this one another --home."


class PathNotFound(RagError):
    """A path that was named leads to no file or folder."""

    hint = "Check the path."


class PageNotFound(RagError):
    """A document has no such page, or none that can be drawn."""

    hint = "See its pages with: rag show"


class UnsupportedFile(ExtractionError):
    """Not a document that we read, or not what its name says."""

    kind = "not-a-pdf"
    hint = "Check that the file is what its name says."


class DamagedFile(ExtractionError):
    """The file cannot be opened, or opens with no pages."""

    kind = "damaged"
    hint = "Open it in a PDF viewer and save it again, or fetch a fresh copy."


class EncryptedFile(ExtractionError):
    """The file needs a password, or the one given is wrong."""

    kind = "encrypted"
    hint = "Give the password with --password."


class NoText(ExtractionError):
    """The file opened but holds no text."""

    kind = "no-text"
    hint = (
        "Its pages are empty, or need OCR: install the extra rag-local[ocr], or Tesseract; "
        "rag doctor tells which is there."
    )


class FileChanged(ExtractionError):
    """The file was written to, or replaced, while it was read."""

    kind = "changed"
    hint = "Ingest it again when nothing writes to it any more; rag watch does so by itself."


class LimitExceeded(ExtractionError):
    """Stopped by the limit on time, memory, pages or size."""

    kind = "limit"
    hint = "Raise the limit in rag.toml ([extraction] table) if you trust the file."


class StoreError(RagError):
    """Something about the index on disk."""


class IndexMissing(StoreError):
    """Nothing was ingested into this collection yet."""

    hint = "Run: rag ingest FOLDER"


class IndexPending(IndexMissing):
    """The first documents of this collection are being read."""

    hint = "Ask again once they are read."


class IndexMismatch(StoreError):
    """The index was made with another embedding model, or by another version of this program."""


class IndexLocked(StoreError):
    """Another process is writing to this collection."""

    hint = "Wait until it is done; reading and asking work meanwhile."


class IndexCorrupt(StoreError):
    """LanceDB cannot read its own files."""

    hint = "Run: rag doctor. Beyond repair, restore a backup (rag restore) or ingest anew."


class StorageFull(StoreError):
    """No space is left on the disk."""

    hint = "Free some space and run the command again: it goes on where it stopped."


class DocumentNotFound(StoreError):
    """No document answers to this name."""

    hint = "Run: rag list"


class EmbeddingError(RagError):
    """The embedder failed or gave vectors that must not be stored (NaN, wrong length)."""


class EngineError(RagError):
    """The language model did not answer as it should."""


class EngineBusy(EngineError):
    """The queue of waiting requests is full."""

    hint = "Try again in a moment."


class EngineTimeout(EngineError):
    """No token came within the time allowed."""

    hint = "Raise request_timeout_s, ask for less, or choose a smaller model."


class EngineUnreachable(EngineError):
    """The configured server does not answer."""

    hint = "Check engine_url, and that the server runs."


class AnswerStopped(EngineError):
    """The answer was ended before its end, by its reader or with the service."""

    hint = "Ask again, or go on from what is there."


class PromptTooLong(EngineError):
    """The prompt does not fit the model's context."""

    hint = "Ask with fewer passages (-k) or a shorter question."


class ThoughtsCutOff(EngineError):
    """The model thought until its limit, or to its end, and wrote no answer."""

    hint = "Raise thinking_tokens, set thinking = 'off' if it is on, or choose another model."


class InvalidName(RagError):
    """A name that cannot be given to a tag or a collection."""


class SessionBusy(RagError):
    """An answer of this session is being written."""

    hint = "Wait for it, or stop it first."


class SessionNotFound(RagError):
    """No chat session with this id."""

    hint = "List the sessions first; it may have been deleted."


class InvalidQuestion(RagError):
    """The question is empty, or a filter cannot be understood."""

    hint = "Write a question in words."


class InvalidSchema(InvalidQuestion):
    """No answer can be held to this JSON schema."""

    hint = "Keep to type, properties, required, items, enum and their limits."


class InvalidQuestionSet(InvalidQuestion):
    """A file of questions for `rag eval` cannot be understood."""

    hint = "The format is described in docs/evaluation.md."
