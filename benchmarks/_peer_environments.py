"""The programs that benchmarks/peers.py compares, and the environment of each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_OWN_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class System:
    """A program: its module is `_peer_KEY`. `requirements` of none: ours, as uv.lock has it."""

    key: str
    name: str
    settings: str
    requirements: tuple[str, ...] = ()
    torch: bool = False
    python: str = _OWN_PYTHON


SYSTEMS = (
    System("ours", "ours", "as installed, chat models and engine included"),
    System(
        "llamaindex",
        "LlamaIndex",
        "PyMuPDFReader, SentenceSplitter (1024), vector search in LanceDB, torch",
        (
            "llama-index-core",
            "llama-index-vector-stores-lancedb",
            "llama-index-embeddings-huggingface",
            "llama-index-readers-file",
            "pymupdf",
        ),
        torch=True,
    ),
    System(
        "txtai",
        "txtai",
        "PyMuPDF's blocks, Segmentation(paragraphs), vector search in Faiss, torch",
        ("txtai", "pymupdf"),
        torch=True,
    ),
    System(
        "haiku",
        "haiku.rag slim",
        "PyMuPDF's blocks, docling's HybridChunker (256), hybrid search in LanceDB, our embedder",
        ("haiku.rag-slim", "docling-core[chunking]", "pymupdf"),
        python="3.12",
    ),
)


class Environments:
    """Virtual environments in one folder, made when first wanted."""

    def __init__(self, work: Path, torch: str, find_links: str | None) -> None:
        self._work = work
        self._torch = torch
        if find_links and Path(find_links).is_dir():  # uv is run elsewhere
            find_links = str(Path(find_links).absolute())
        self._find_links = ["--find-links", find_links] if find_links else []

    def make(self, system: System) -> int:
        """Install a program, unless it is there. Returns the bytes of its environment."""
        folder = self._folder(system)
        if system.requirements:
            self._install(system, folder)
        else:
            self._sync(folder)
        return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())

    def command(self, system: System, model: Path, store: Path) -> list[str]:
        """How its process is started. The last argument is for the peer that embeds by ours."""
        arguments = [str(model), str(store), self._python(SYSTEMS[0])]
        return [self._python(system), "-m", f"benchmarks._peer_{system.key}", *arguments]

    def _folder(self, system: System) -> Path:
        return self._work / system.key

    def _python(self, system: System) -> str:
        return str(self._folder(system) / "bin" / "python")

    def _install(self, system: System, folder: Path) -> None:
        packages = [*([self._torch] if system.torch else []), *system.requirements]
        marker, wanted = folder / "installed.json", json.dumps([system.python, *packages])
        if marker.is_file() and marker.read_text() == wanted:
            return
        print(f"installing {system.name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        self._uv("venv", "--quiet", "--python", system.python, str(folder))
        # Copies: nltk, which LlamaIndex uses, refuses to read files that are linked.
        options = ["--python", str(folder), "--link-mode", "copy", *self._find_links]
        plan = self._uv("pip", "install", "--dry-run", *options, *packages)
        if "nvidia-" in plan:
            raise SystemExit(
                f"{system.name} would be installed with PyTorch for CUDA, several GB: name a CPU "
                "build by --torch torch==VERSION and --find-links FOLDER_OR_PAGE"
            )
        self._uv("pip", "install", "--quiet", *options, *packages)
        marker.write_text(wanted)

    def _sync(self, folder: Path) -> None:
        options = ["--quiet", "--frozen", "--no-dev", "--link-mode", "copy"]
        environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(folder)}
        self._uv("sync", *options, "--project", str(ROOT), environment=environment)

    def _uv(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """Run uv, and give back what it says."""
        done = subprocess.run(
            ["uv", *arguments],
            cwd=self._work,  # in our root it would leave torch out, as our pyproject.toml says
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"uv {' '.join(arguments)} failed:\n{done.stderr}")
        return done.stderr
