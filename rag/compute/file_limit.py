"""How many files this process may open is left as it is.

mlx-lm sets the limit to 2,048 of at most 4,096 when it is imported. Where a container or a session
allows fewer it cannot be imported at all ("not allowed to raise maximum limit"), and where more
are allowed it takes them away from a service with many clients.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE = "mlx_lm.utils"


def keep() -> None:
    """From now on; for a module that is imported later. Idempotent."""
    if _MODULE not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds the module where it is, and watches over its execution."""

    def find_spec(self, name: str, path: Any = None, _: object = None) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        with _limit_kept():
            self._loader.exec_module(module)


@contextmanager
def _limit_kept() -> Iterator[None]:
    """In the block nothing changes the limit on open files."""
    real = resource.setrlimit

    def but_files(which: int, limits: tuple[int, int]) -> None:
        if which != resource.RLIMIT_NOFILE:
            real(which, limits)

    resource.setrlimit = but_files
    try:
        yield
    finally:
        resource.setrlimit = real
