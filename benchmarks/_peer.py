"""What `benchmarks peers` and a peer's process say to each other: one JSON line for each request.

A peer runs in an environment of its own, so this module needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

Place = tuple[str, int]  # a PDF's file name, and a page from 1


class Peer(Protocol):
    """A program that finds passages. Opening it has loaded its libraries and its model."""

    def ingest(self, pdfs: list[Path]) -> int:
        """Make an index of these files. Returns the number of its passages."""

    def search(self, question: str, k: int) -> list[Place]:
        """Where the k best passages begin, best first."""


def serve(open_peer: Callable[[Path, Path], Peer], *packages: str) -> None:
    """Open a peer on the model and the index that the command line names; answer until stdin ends.

    `packages` are those whose versions tell what was measured.
    """
    # Libraries print. Our lines go where they cannot.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    peer = open_peer(Path(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps({name: version(name) for name in packages}), file=lines)
    for line in sys.stdin:
        request = json.loads(line)
        if "ingest" in request:
            answer: object = peer.ingest([Path(pdf) for pdf in request["ingest"]])
        else:
            answer = peer.search(request["search"], request["k"])
        print(json.dumps(answer), file=lines)
