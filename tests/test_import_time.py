"""`rag --help` and shell completion answer at once: they load nothing heavy. A search loads no more
than it takes to search."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from store_factory import addition

from rag.config import load_settings
from rag.embedding import open_embedder
from rag.mlx_runtime import MLXThread
from rag.store import StoreWriter

HEAVY = {
    "asyncio", "fastapi", "lancedb", "mlx", "mlx_embeddings", "numpy", "onnxruntime", "openai",
    "prompt_toolkit", "pyarrow", "pydantic", "pydantic_settings", "pymupdf", "rich", "sqlalchemy",
    "tokenizers", "transformers", "vllm_mlx",
}  # fmt: skip
CHAT = {"mlx_lm", "mlx_vlm", "openai", "transformers", "vllm_mlx"}
# pandas alone takes a second: pyarrow imports it if it is installed, so it must not be.
NOT_TO_SEARCH = CHAT | {"datasets", "fastapi", "mlx_embeddings", "pandas", "pymupdf", "sqlalchemy"}


def loaded_by(code: str) -> set[str]:
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def loaded_by_command(*arguments: str) -> set[str]:
    return loaded_by(f"sys.argv = {['rag', *arguments]!r}; import cli.main; cli.main.main()")


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by_command("--help") & HEAVY == set()


def test_a_command_of_the_index_loads_no_model_library() -> None:
    loaded = loaded_by("import rag.pipeline")
    assert loaded & {"mlx", "mlx_embeddings", "vllm_mlx", "transformers", "openai"} == set()


async def test_a_search_on_a_cpu_loads_what_it_needs_alone(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, embedding_backend="onnx")
    thread = MLXThread()
    embedder = await open_embedder(settings, thread)
    text = "The harbour dues rose in March."
    vectors = await embedder.embed_documents([f"dues\n{text}"])
    store = await StoreWriter.create(
        settings.collection_dir, embedder.id, embedder.dimensions, settings.embedding_model
    )
    await store.commit([addition("dues", [text], list(vectors))])
    await store.optimize()
    store.close()
    await embedder.close()
    thread.close()
    loaded = loaded_by_command("--home", str(tmp_path), "search", "harbour dues", "--json")
    assert {"lancedb", "onnxruntime"} <= loaded
    assert loaded & NOT_TO_SEARCH == set()
