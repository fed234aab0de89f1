"""Imports of others that do far more than is wanted of them, cut short.

Nothing here changes what a package offers; tests/test_import_time.py holds that, and that the work
is really saved.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


@contextmanager
def defer_package_init(package: str) -> Iterator[None]:
    """In the block, submodules of a package are imported without its `__init__`.

    Afterwards the package is one that nobody has imported yet: whoever asks for it or for another
    submodule has the import system run the `__init__`, under its own locks and before the
    submodule, as ever. Nothing happens where there is no such package or where it is loaded
    already. (`importlib.util.LazyLoader` runs the `__init__` as soon as a submodule is imported,
    because that reads the package's `__path__`; and a `__getattr__` on the package runs it in the
    middle of a submodule that asks its package for a name.)
    """
    spec = None if package in sys.modules else importlib.util.find_spec(package)
    if spec is None or spec.loader is None:
        yield
        return
    module = sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]
        sys.meta_path.insert(0, _Later(module, spec))


class _Later:
    """Finds a package as the module that already has the submodules imported so far."""

    def __init__(self, module: ModuleType, spec: ModuleSpec) -> None:
        self._module, self._spec, self._loader = module, spec, spec.loader
        spec.loader = self  # type: ignore[assignment]

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return self._spec if name == self._spec.name else None

    def create_module(self, _: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        assert self._loader is not None
        self._spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)


# ── transformers' models ──────────────────────────────────────────────────────────────────────

# Names of what is exported, by module, by the packages that it needs.
Structure = Mapping[Set[str], Mapping[str, Set[str]]]
_UTILS = "transformers.utils.import_utils"
# The major version whose insides this knows; another one imports as it likes.
_KNOWN_MAJOR = "5"


def remember_models_of_transformers(cache: Path) -> None:
    """Have transformers look through its models once, not twice at every import.

    For the names to offer it reads all 1,700 files of its models, which is 1.0 of the 2.4 s that
    the bundled chat model takes to load. They are kept in `cache`, for this very installation.
    Call it before anything imports transformers; nothing happens after that.
    """
    if importlib.metadata.version("transformers").split(".")[0] != _KNOWN_MAJOR:
        return
    asked = any(isinstance(finder, _Remembering) for finder in sys.meta_path)
    if not asked and "transformers" not in sys.modules:
        sys.meta_path.insert(0, _Remembering(cache))


class _Remembering:
    """Finds the module that looks through the models, and replaces its function that does."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def find_spec(self, name: str, path: Any = None, _: object = None) -> ModuleSpec | None:
        if name != _UTILS:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            self._spec, self._loader = spec, spec.loader
            spec.loader = self  # type: ignore[assignment]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        look: Callable[..., Structure] | None = getattr(module, "define_import_structure", None)
        if look is not None and self._spec.origin is not None:
            models = Path(self._spec.origin).parents[1] / "models"
            module.define_import_structure = _remembered(look, models, self._cache)  # type: ignore[attr-defined]


def _remembered(look: Callable[..., Structure], models: Path, cache: Path) -> Callable[..., Any]:
    """`look`, for `models` from a file in `cache`, which is written if it is not there."""

    def define_import_structure(module_path: str | Path, prefix: str | None = None) -> Any:
        if Path(module_path) not in (models, models / "__init__.py"):
            return look(module_path, prefix)
        file = cache / f"transformers-{importlib.metadata.version('transformers')}.json"
        made = f"{models} {models.stat().st_mtime_ns}"
        found = _read_structure(file, made)
        if found is None:
            found = look(models)
            with suppress(OSError):  # a cache that cannot be written to
                _write_structure(file, made, found)
        if prefix is None:
            return found
        return {
            needs: {f"{prefix}.{name}": set(names) for name, names in modules.items()}
            for needs, modules in found.items()
        }

    return define_import_structure


def _read_structure(file: Path, made: str) -> Structure | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["made"] != made:
            return None
        return {
            frozenset(needs): {name: set(names) for name, names in modules.items()}
            for needs, modules in content["models"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_structure(file: Path, made: str, structure: Structure) -> None:
    listed = [
        [sorted(needs), {name: sorted(names) for name, names in modules.items()}]
        for needs, modules in structure.items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps({"made": made, "models": listed}), encoding="utf-8")
    aside.replace(file)
