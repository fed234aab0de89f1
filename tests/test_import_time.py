"""`rag --help` and shell completion answer at once: they load nothing heavy. A search loads no more
than it takes to search."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
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
# The REST client's functions take half as long as the rest of LanceDB together.
NOT_TO_SEARCH = CHAT | {
    "datasets", "fastapi", "lance_namespace_urllib3_client.api", "mlx_embeddings", "pandas",
    "pymupdf", "rag.ask.answering", "sqlalchemy",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


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


def test_what_is_put_off_is_whole_for_those_who_ask(tmp_path: Path) -> None:
    package = tmp_path / "slow"
    package.mkdir()
    (package / "__init__.py").write_text(
        "print('begun')\nfrom slow.part import Part\nWHOLE = True\n"
    )
    (package / "part.py").write_text("class Part: ...\n")
    script = """
        from rag.store.lance import put_off
        put_off("slow")
        put_off("no_such_package")
        from slow.part import Part
        print("part")
        import slow
        assert slow.Part is Part and slow.WHOLE
        try: slow.missing
        except AttributeError as error: print(error)
        put_off("slow")
        assert slow.WHOLE
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "part", "begun", "module 'slow' has no attribute 'missing'"
    ]  # fmt: skip


def test_lancedbs_rest_client_is_there_for_those_who_ask(tmp_path: Path) -> None:
    loaded = loaded_by(
        "import asyncio, pathlib; from rag.store.lance import connect; "
        f"asyncio.run(connect(pathlib.Path({str(tmp_path)!r}))); "
        "import lance_namespace_urllib3_client as client; client.TableApi; client.ApiClient"
    )
    assert {"lancedb", "lance_namespace_urllib3_client.api.table_api"} <= loaded
