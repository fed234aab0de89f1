"""What lives as long as the service does."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import shutil
from pathlib import Path

from rag.config import Settings, in_collection
from rag.errors import RagError
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.sessions.store import Sessions
from rag.store.lock import writer_lock
from service import uploads
from service.answers import Answers, at_once
from service.jobs import Jobs
from service.metrics import Metrics
from service.page_images import PageImages
from service.wire import Wire

_log = logging.getLogger(__name__)


class State:
    """The models, sessions, jobs and collections of one service."""

    def __init__(self, settings: Settings, runtime: Runtime, sessions: Sessions) -> None:
        self.settings = settings
        self.runtime = runtime
        self.sessions = sessions
        self.metrics = Metrics()
        self.answers = Answers(at_once(settings))
        self.jobs = Jobs(self)
        self.pages = PageImages()
        self.local = is_loopback(settings.service.host)
        self.warm = False
        self._pipelines: dict[str, Pipeline] = {}

    async def warm_up(self) -> None:
        """Load the models before anybody waits for them."""
        try:
            embedder = await self.pipeline().embedder()
            await embedder.embed_query("warm up")
            async with self.runtime.lease() as engine:
                self.warm = True
                if self.settings.quotes == "auto":
                    await self.runtime.is_capable(engine, None)
        except RagError as error:
            _log.error("the models cannot be loaded: %s %s", error, error.hint)

    def resume_uploads(self) -> None:
        """Take up uploads that a former process had not ingested; known files cost one stat."""
        folder = self.settings.home / "files"
        for files in sorted(folder.iterdir()) if folder.is_dir() else ():
            uploads.forget_unfinished(files)
            if paths := [path for path in sorted(files.iterdir()) if path.is_file()]:
                self.jobs.add(files.name, dict.fromkeys(paths, ""))

    # ── collections ───────────────────────────────────────────────────────────────────────────

    def pipeline(self, collection: str | None = None) -> Pipeline:
        """The pipeline of a collection, which need not have an index yet."""
        settings = self.collection_settings(collection)
        name = settings.collection
        if name not in self._pipelines:
            pipeline = Pipeline(settings, self.runtime)
            if not settings.collection_dir.is_dir():
                return pipeline  # not kept: clients may ask for any name
            self._pipelines[name] = pipeline
        return self._pipelines[name]

    def collection_settings(self, collection: str | None) -> Settings:
        return self.settings if collection is None else in_collection(self.settings, collection)

    def collections(self) -> list[str]:
        """Names of what is on disk, and the default one."""
        folder = self.settings.home / "collections"
        found = (
            {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
        )
        return sorted(found | {self.settings.collection})

    async def delete_collection(self, name: str) -> None:
        """Its index, its uploaded files, and the jobs that wait for it. Raises IndexLocked."""
        await self.jobs.abandon(name)
        await asyncio.to_thread(self._delete_collection, name)

    def _delete_collection(self, name: str) -> None:
        settings = self.collection_settings(name)
        with writer_lock(settings.collection_dir):
            if pipeline := self._pipelines.pop(name, None):
                pipeline.close()
            shutil.rmtree(self.files_dir(name), ignore_errors=True)
            shutil.rmtree(settings.collection_dir)
        self.runtime.forget([name])

    def files_dir(self, collection: str) -> Path:
        """Where uploads to a collection are kept."""
        return self.settings.home / "files" / collection

    def wire(self, collection: str) -> Wire:
        return Wire(collection, show_paths=self.local)

    # ── end ───────────────────────────────────────────────────────────────────────────────────

    async def close(self) -> None:
        """Stop taking work, give what runs its time, write down the rest."""
        await self.answers.drain(self.settings.service.shutdown_s)
        await self.jobs.close()
        for pipeline in self._pipelines.values():
            pipeline.close()
        await self.runtime.close()
        await self.sessions.close()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
