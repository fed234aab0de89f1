"""What the control groups of Linux, of a container or a service, leave to this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def memory_limit(root: Path = _ROOT, own: Path = _OWN) -> int | None:
    """Bytes: the least limit of the groups that this process is in; None without any."""
    found = [
        limit
        for folder in _folders(root, own)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _number(_read(folder / name))) is not None
    ]
    return min(found, default=None)


def cpu_limit(root: Path = _ROOT, own: Path = _OWN) -> float | None:
    """Cores' worth of time that the groups allow at least one of; None without any limit."""
    found = [share for folder in _folders(root, own) if (share := _cores(folder)) is not None]
    return min(found, default=None)


def _cores(folder: Path) -> float | None:
    """Version 2 has "quota period" in one file, version 1 two files; -1 or "max" is no limit."""
    told = _read(folder / "cpu.max").split()
    if len(told) != 2:
        told = [_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    quota, period = map(_number, told)
    return quota / period if quota and period else None


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's groups and of all above them, where they are to be seen."""
    yield root
    for line in _read(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        top = root
        for controller in ("memory", "cpu"):
            if controller in controllers.split(","):
                top = root / controllers if (root / controllers).is_dir() else root / controller
        folder = top
        yield folder
        for part in Path(path.lstrip("/")).parts:
            folder /= part
            yield folder


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
