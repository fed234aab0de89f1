"""`rag --help` and shell completion answer at once: they load nothing heavy. A search loads no more
than it takes to search."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from store_factory import addition

from rag.compute.mlx_runtime import MLXThread
from rag.config import load_settings
from rag.embedders.factory import open_embedder
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
    "pymupdf", "rag.answering.answer", "sqlalchemy",
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


def test_the_library_loads_what_it_needs_when_it_is_used() -> None:
    assert loaded_by("import rag; dir(rag); rag.__all__") & (HEAVY | {"rag.api"}) == set()
    loaded = loaded_by("import rag; rag.Scope; rag.RagError; rag.errors")
    assert loaded & HEAVY <= {"pydantic"}


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


def run_with_slow_package(folder: Path, script: str) -> list[str]:
    """What a script prints that imports `slow`, whose parts ask it for names, as REST clients do.

    The script begins with `slow.types` imported and the package itself put off.
    """
    package = folder / "slow"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import time\nprint('begun')\nfrom slow.part import Part\nfrom slow.types import Type\n"
        "time.sleep(0.2)\nWHOLE = True\n"
    )
    (package / "part.py").write_text("from slow import types\nclass Part(types.Type): ...\n")
    (package / "types.py").write_text("class Type: ...\n")
    begin = """
        import sys, threading
        from rag.compute.import_patches import defer_package_init
        with defer_package_init("slow"), defer_package_init("no_such_package"):
            from slow.types import Type
        print("types")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(script)],
        capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    return done.stdout.splitlines()


def test_what_is_put_off_is_whole_for_those_who_ask(tmp_path: Path) -> None:
    script = """
        import slow
        assert slow.WHOLE and slow.Type is slow.types.Type is Type
        assert slow.__spec__.loader is slow.__loader__ and slow.__loader__.get_source("slow")
        with defer_package_init("slow"):
            assert slow.WHOLE
        assert sys.modules["slow"] is slow
    """
    assert run_with_slow_package(tmp_path, script) == ["types", "begun"]


def test_a_part_of_what_is_put_off_has_its_package_before_it(tmp_path: Path) -> None:
    """`slow.part` asks for a name of `slow`, whose `__init__` asks for a name of `slow.part`."""
    script = "from slow.part import Part; import slow; assert slow.WHOLE and slow.Part is Part"
    assert run_with_slow_package(tmp_path, script) == ["types", "begun"]


def test_threads_that_ask_for_what_is_put_off_do_not_wait_for_each_other(tmp_path: Path) -> None:
    script = """
        def ask(statement):
            start.wait()
            exec(statement)
            sys.stdout.write("asked\\n")  # in one piece: print writes the end of a line by itself
        asked = ["import slow; slow.WHOLE", "from slow import WHOLE"] * 4
        start = threading.Barrier(len(asked))
        threads = [threading.Thread(target=ask, args=[statement]) for statement in asked]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """
    told = run_with_slow_package(tmp_path, script)
    assert told == ["types", "begun", *["asked"] * 8]


def test_lancedbs_rest_client_is_there_for_those_who_ask(tmp_path: Path) -> None:
    loaded = loaded_by(
        "import asyncio, pathlib; from rag.store.connection import connect; "
        f"asyncio.run(connect(pathlib.Path({str(tmp_path)!r}))); "
        "import lance_namespace_urllib3_client.api_client; "
        "import lance_namespace_urllib3_client as client; client.TableApi; client.models"
    )
    assert {"lancedb", "lance_namespace_urllib3_client.api.table_api"} <= loaded


# ── transformers' models ──────────────────────────────────────────────────────────────────────

LOOKED = """
import sys
from pathlib import Path
from rag.compute.import_patches import remember_models_of_transformers as remember
if sys.argv[1:]: remember(Path(sys.argv[1])), remember(Path(sys.argv[1]))
import transformers
from transformers.utils import import_utils
whole = import_utils.define_import_structure(Path(transformers.__path__[0], "models"), prefix="m")
names = sorted((sorted(n), m, sorted(k)) for n, of in whole.items() for m, k in of.items())
from transformers import AutoTokenizer, LlamaConfig
from transformers.models import bert
read = import_utils.create_import_structure_from_path.cache_info().misses
print(hash(str(names)), len(names), sys.modules["transformers.utils.import_utils"].__spec__.loader
      is import_utils.__loader__, bert.BertConfig.model_type, read)
"""


def models_of_transformers(*cache: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOKED, *cache], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    return done.stdout.split()


def test_transformers_looks_through_its_models_once(tmp_path: Path) -> None:
    *plain, folders = models_of_transformers()
    assert int(folders) > 1000  # if it looks no more, there is nothing to remember
    cache = tmp_path / "cache"
    *first, once = models_of_transformers(str(cache))
    assert (first, int(once) < 0.6 * int(folders)) == (plain, True)
    *second, none = models_of_transformers(str(cache))
    assert (second, int(none) < 5) == (plain, True)
    [file] = cache.iterdir()
    for damaged in ("", "[]", '{"made": 1}', file.read_text().replace("/models ", "/others ")):
        file.write_text(damaged)
        assert models_of_transformers(str(cache)) == [*plain, once]
    assert models_of_transformers(str(cache)) == [*plain, none]


def test_a_cache_that_cannot_be_written_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert models_of_transformers(str(tmp_path / "file"))[:-1] == models_of_transformers()[:-1]


def test_an_answer_loads_nothing_for_pictures(tmp_path: Path, chat_folder: Path) -> None:
    """vllm-mlx asks mlx_vlm for its version when it opens, and tells it of a stream at a step."""
    loaded = loaded_by(
        "import asyncio; from rag.config import Settings; from rag.runtime import Runtime; "
        "from rag.types import Message\n"
        "    async def main():\n"
        f"        runtime = Runtime(Settings(chat_model={str(chat_folder)!r}, "
        f"home={str(tmp_path)!r}))\n"
        "        stream = (await runtime.engine()).stream([Message('user', 'Hi')], max_tokens=2, "
        "temperature=0)\n"
        "        assert [piece async for piece in stream]\n"
        "        await runtime.close()\n"
        "    asyncio.run(main())"
    )
    assert "vllm_mlx.scheduler" in loaded
    assert not {name for name in loaded if name.startswith("mlx_vlm.")}
