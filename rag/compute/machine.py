"""The memory that models may fill on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from rag.compute import mlx_runtime
from rag.compute.cgroup import memory_limit
from rag.compute.mlx_runtime import Device

# What the system, the index and other programs keep of it. Metal says itself what it recommends:
# two thirds to three quarters of the memory that CPU and GPU share.
_SHARES = {"metal": 0.7, "cuda": 0.9, "cpu": 0.8}


@dataclass(frozen=True, slots=True)
class Machine:
    """`memory` is the GPU's where it has its own, else the machine's; `usable` is what models may
    take of it. Both in bytes."""

    device: Device
    memory: int
    usable: int

    @classmethod
    def here(cls) -> Machine:
        """This machine, or the container that we run in."""
        device = mlx_runtime.device()
        memory = main_memory()
        told: dict[str, Any] = {}
        if (pretence := mlx_runtime.pretence()) is not None:
            memory = pretence.memory
        elif device != "cpu":
            import mlx.core as mx

            told = mx.device_info(mx.gpu)
            memory = int(told.get("memory_size") or told.get("total_memory") or memory)
        recommended = int(told.get("max_recommended_working_set_size") or memory)
        return cls(device, memory, min(recommended, int(memory * _SHARES[device])))


def main_memory() -> int:
    """Bytes of memory that this process may have at most."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(memory, memory_limit() or memory)
