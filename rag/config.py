"""Settings, from the nearest source that names them: flag, RAG_* variable, rag.toml, default.

A key that nobody knows is an error wherever it stands: a misspelt setting must not pass silently.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rag.errors import ConfigError, InvalidQuestion
from rag.options import QuotesMode
from rag.terms import phrase_pattern

ENV_PREFIX = "RAG_"
CONFIG_FILE = "rag.toml"
COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
# Read by this module or by the service, not fields of Settings.
_OTHER_VARIABLES = {"RAG_CONFIG"}


class Extraction(BaseModel):
    """Limits on a file while it is turned into text. A hostile file costs itself, nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(60.0, gt=0, description="seconds of work for one file's plain text")
    memory_mb: int = Field(2048, ge=256, description="memory for one file in a worker, MiB")
    max_pages: int = Field(20_000, ge=1, description="files with more pages are refused")
    max_file_mb: int = Field(512, ge=1, description="larger files are refused, MiB")
    layout: bool = Field(True, description="layout analysis on pages that seem to hold tables")
    ocr: bool = Field(True, description="OCR of what is on a page but not in its text")
    ocr_engine: Literal["auto", "vision", "tesseract", "rapidocr"] = Field(
        "auto", description="auto: Vision, Tesseract or RapidOCR, the first installed"
    )
    ocr_language: str = Field("eng", description="Tesseract's name of the language(s), as eng+deu")


class Service(BaseModel):
    """How `rag serve` listens and what it lets through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(
        "127.0.0.1", description="address to listen on; any but loopback needs api_key"
    )
    port: int = Field(8000, ge=0, le=65535, description="0 takes a free one")
    allow_anyone: bool = Field(False, description="no key, even on an address that others reach")
    allowed_hosts: tuple[str, ...] = Field((), description="further names in the Host header")
    max_upload_mb: int = Field(512, ge=1, description="one upload's limit, MiB")
    requests_per_minute: int = Field(600, ge=1, description="requests of one client; more get 429")
    shutdown_s: float = Field(
        10.0, ge=0, description="seconds that running answers may take at shutdown"
    )
    models: tuple[str, ...] = Field((), description="further chat models that clients may load")
    log: Literal["plain", "json"] = Field("plain", description="lines of the log, on stderr")
    sessions_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL; default: SQLite in home"
    )


class Settings(BaseSettings):
    """Everything that can be set. Frozen; passed in, never global."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("rag", appauthor=False)),
        description="where collections and sessions live",
    )
    cache: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("rag", appauthor=False)),
        description="where imported models live; may be deleted",
    )
    collection: str = Field(
        "default",
        pattern=COLLECTION_NAME,
        description="name of a set of documents that are searched together",
    )

    embedding_model: str = Field("all-MiniLM-L6-v2", description="bundled name, hub id or folder")
    embedding_dimensions: int | None = Field(
        None, ge=1, description="dimensions to keep (Matryoshka models); default: all"
    )
    embedding_backend: Literal["auto", "mlx", "onnx"] = Field(
        "auto", description="auto: ONNX Runtime for BERT models on a CPU, else MLX"
    )
    chat_model: str = Field("auto", description="auto, bundled name, hub id or folder")
    engine_url: str | None = Field(None, description="an OpenAI-compatible server's base URL")
    engine_api_key: SecretStr | None = Field(
        None, description="the key for engine_url, if it needs one"
    )

    reranker: str | None = Field(
        None, description="a cross-encoder that also ranks: hub id or folder"
    )
    profile: Literal["none", "filings"] = Field(
        "none", description="glossary of a trade; filings: ratios and statements of companies"
    )
    glossary: dict[str, str] = Field(
        {}, description="phrase or regular expression in a question → words to search for, too"
    )

    chunk_tokens: int = Field(256, ge=32, description="a chunk's limit, in embedder tokens")
    k: int = Field(8, ge=1, le=100, description="passages given to the model")
    refusal_threshold: float = Field(
        0.1, ge=0, le=1, description="refuse where an answer is less likely than this; 0: never"
    )
    verifier: str = Field(
        "auto",
        min_length=1,
        description="what checks answers: auto (words and the bundled model), lexical (words), or "
        "a classifier's hub id or folder",
    )
    quotes: QuotesMode = Field(
        "auto",
        description="the passages' own sentences. first: they begin the answer; only: they are it;"
        " off; auto: first where the model is not capable",
    )
    prompt: Literal["auto", "passages", "sentences"] = Field(
        "auto",
        description="what a model is given: whole passages, or the sentences nearest to the "
        "question; auto: sentences where the model is not capable",
    )
    max_tokens: int = Field(512, ge=1, description="an answer's limit, in chat-model tokens")
    thinking: Literal["off", "low", "medium", "high"] = Field(
        "off", description="how much the model thinks first, if its template has the choice"
    )
    thinking_tokens: int = Field(
        2048, ge=1, description="limit of a model's thoughts, in addition to max_tokens"
    )
    temperature: float = Field(0.0, ge=0, le=2, description="0 takes the most likely words")
    context_tokens: int | None = Field(None, ge=512, description="prompt budget; default: by model")
    queue_limit: int = Field(64, ge=1, description="requests that may wait; more get 'busy'")
    request_timeout_s: float = Field(300.0, gt=0, description="longest wait for the next token")
    workers: int | None = Field(None, ge=1, description="processes for ingest; default: by cores")

    prefix_cache_bits: Literal[4, 8] | None = Field(
        None, description="8 or 4: the prefix cache takes a half or a quarter of its memory"
    )
    prefix_cache_disk_mb: int = Field(
        0,
        ge=0,
        description="MiB of disk for what models read, so that follow-ups after a restart are fast;"
        " 0: nothing is written",
    )
    model_memory_mb: int | None = Field(None, ge=1, description="budget of loaded chat models, MiB")
    api_key: SecretStr | None = Field(
        None, description="key(s) of the service's clients: KEY, or name:KEY,name2:KEY2"
    )

    extraction: Extraction = Extraction()
    service: Service = Service()

    @field_validator("home", "cache")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("quotes", mode="before")
    @classmethod
    def _mode(cls, value: object) -> object:
        told = value.casefold() if isinstance(value, str) else value
        named = {True: "only", False: "off", "true": "only", "false": "off"}
        return named.get(told, told) if isinstance(told, bool | str) else value

    @field_validator("glossary")
    @classmethod
    def _expressions(cls, value: dict[str, str]) -> dict[str, str]:
        for entry in value:
            try:
                re.compile(entry)  # "a)(b" is one only inside what phrase_pattern() puts around it
                found = phrase_pattern(entry).search(" ")
            except re.error as error:
                raise ValueError(f"{entry!r} is no regular expression: {error}") from error
            if found:
                raise ValueError(f"{entry!r} fits every question")
        return value

    @property
    def collection_dir(self) -> Path:
        return self.home / "collections" / self.collection

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return init_settings, env_settings, toml


def revealed(secret: SecretStr | None) -> str:
    """A secret setting in the clear, "" where it is not set."""
    return "" if secret is None else secret.get_secret_value()


def in_collection(settings: Settings, name: str) -> Settings:
    """The settings, for another collection. Raises InvalidQuestion if it cannot be a name."""
    if not re.fullmatch(COLLECTION_NAME, name):
        raise InvalidQuestion(
            f"{name[:80]!r} cannot be a collection's name",
            hint="Letters, digits, '.', '-' and '_'; at most 63, a letter or digit first.",
        )
    return settings.model_copy(update={"collection": _spelled(settings.home, name)})


def _spelled(home: Path, name: str) -> str:
    """A collection's name as its folder has it, if there is one that differs in case alone: "Demo"
    and "demo" are one collection everywhere, as macOS has it."""
    try:
        there = os.listdir(home / "collections")  # noqa: PTH208
    except OSError:
        return name
    if name in there:
        return name
    return next((other for other in sorted(there) if other.casefold() == name.casefold()), name)


def load_settings(**flags: Any) -> Settings:
    """Settings with the given flags on top; flags that are None count as not given.

    Raises ConfigError with the name and the source of whatever is wrong.
    """
    _reject_unknown_variables()
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
        name = _spelled(settings.home, settings.collection)
        return settings if name == settings.collection else in_collection(settings, name)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigError(
            f"a setting is wrong: {problems}", hint="The settings are listed in docs/config.md."
        ) from error
    except ValueError as error:  # a rag.toml that is no TOML
        raise ConfigError(f"{config_file()}: {error}", hint="Correct its syntax.") from error


def config_file() -> Path:
    """The rag.toml that is read, whether it exists or not. Raises ConfigError."""
    named = os.environ.get("RAG_CONFIG")
    if named and not Path(named).is_file():
        raise ConfigError(
            f"RAG_CONFIG names {named}, which is not a file", hint="Correct the path."
        )
    return Path(named) if named else Path(CONFIG_FILE)


def _reject_unknown_variables() -> None:
    known = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    for variable in os.environ:
        top = variable.upper().split("__", 1)[0]
        if top.startswith(ENV_PREFIX) and top not in known:
            raise ConfigError(
                f"the environment sets {variable}, which is no setting",
                hint="Unset it, or see docs/config.md for the names.",
            )
