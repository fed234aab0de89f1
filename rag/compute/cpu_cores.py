"""How many cores there are to compute on."""

from __future__ import annotations

import math
import os

from rag.compute.cgroup import cpu_limit


def cores() -> int:
    """Cores that this process may use; those whose time a container does not get are none."""
    allowed = cpu_limit()
    there = _there()
    return there if allowed is None else max(1, min(there, math.ceil(allowed)))


def _there() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
