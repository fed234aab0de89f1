"""The chat model that suits a machine, where none is named."""

from __future__ import annotations

from dataclasses import dataclass

from rag.compute.machine import Machine


@dataclass(frozen=True, slots=True)
class Default:
    """`size` is that of its download, in bytes; `least` the usable memory that it wants."""

    name: str
    size: int
    least: int


# Chosen by size, and by what they do: no thoughts before an answer, caches that can be cut back.
# How well they answer from documents was not measured: no model hub could be reached.
DEFAULTS = (
    Default("mlx-community/Qwen3-30B-A3B-Instruct-2507-4bit", 17_200_000_000, 22 << 30),
    Default("mlx-community/Qwen3-4B-Instruct-2507-4bit", 2_280_000_000, 5 << 30),
    Default("mlx-community/Llama-3.2-3B-Instruct-4bit", 1_820_000_000, 0),
)


def suited(machine: Machine) -> Default | None:
    """The largest that has room; None on a CPU, where the bundled model is the one that is quick
    enough."""
    return next(iter(fitting(machine)), None)


def fitting(machine: Machine) -> tuple[Default, ...]:
    """All that have room, the largest first; none on a CPU."""
    if machine.device == "cpu":
        return ()
    return tuple(default for default in DEFAULTS if machine.usable >= default.least)
