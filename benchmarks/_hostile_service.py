"""A service with a scripted engine in a process of its own: HOME is its argument."""

from __future__ import annotations

import sys
from pathlib import Path

from rag.config import Service, Settings
from rag.runtime import Runtime
from rag.testing import FakeEngine
from service import serving


def main() -> None:
    limits = Service(port=0, requests_per_minute=10_000_000, log="json", max_upload_mb=64)
    settings = Settings(home=Path(sys.argv[1]), service=limits)
    text = " ".join(f"The tenant may run kiln {number} at night." for number in range(60))
    engine = FakeEngine(text, delay_s=0.02, context_tokens=32_768)
    serving.serve(
        settings, lambda url: print(url, flush=True), runtime=Runtime(settings, engine=engine)
    )


if __name__ == "__main__":
    main()
