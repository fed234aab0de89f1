"""Pooling and prompts come from a model's own files, and from nothing that its path says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from cli.main import create_cli
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.factory import open_model
from rag.errors import ModelLoadFailed
from rag.models import listing, registry
from rag.models.embedding_use import MLX_TYPES, read_use

_SEARCH = "Represent this sentence for searching relevant passages: "
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of a BERT model that say no more than its shape."""
    made = tmp_path / "model"
    made.mkdir()
    write(made / "config.json", {"model_type": "bert", "hidden_size": 32})
    shutil.copy(registry.embedding_folder(Settings()) / "tokenizer.json", made)
    save_file({}, made / "model.safetensors")
    return made


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def configure(folder: Path, **changes: Any) -> None:
    write(folder / "config.json", json.loads((folder / "config.json").read_text()) | changes)


@pytest.mark.parametrize(
    "path",
    [
        "bge-trials/my-model",
        "BAAI/bge-small-en-v1.5",
        "intfloat/e5-small-v2",
        "models--BAAI--bge-small-en/snapshots/c0ffee",
        "e5",
        "qwen3/nomic/bge-m3",
    ],
)
def test_a_path_says_nothing(folder: Path, tmp_path: Path, path: str) -> None:
    moved = tmp_path / "elsewhere" / path
    shutil.copytree(folder, moved)
    assert read_use(moved) == read_use(folder)
    assert read_use(moved).query_prompt == ""


def test_a_folder_that_is_named_like_a_hub_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "BAAI" / "bge-small-en-v1.5")
    monkeypatch.chdir(tmp_path)
    settings = Settings(embedding_model="BAAI/bge-small-en-v1.5", cache=tmp_path)
    row = next(r for r in listing.list_models(settings) if r.used and r.role == "embedding")
    assert row.embedding is not None
    assert (row.embedding.pooling, row.embedding.query_prompt) == ("mean", "")


@pytest.mark.parametrize(
    ("published", "model_type", "pooling", "query", "document"),
    [
        ("intfloat/e5-small-v2", "bert", "mean", "query: ", "passage: "),
        ("intfloat/multilingual-e5-base", "xlm-roberta", "mean", "query: ", "passage: "),
        ("mlx-community/multilingual-e5-small-mlx", "bert", "mean", "query: ", "passage: "),
        (
            "/home/me/.cache/torch/sentence_transformers/BAAI_bge-small-en/",
            "bert",
            "cls",
            _SEARCH,
            "",
        ),
        ("BAAI/bge-large-en-v1.5", "bert", "cls", _SEARCH, ""),
        ("BAAI/bge-m3", "xlm-roberta", "cls", "", ""),
        ("mixedbread-ai/mxbai-embed-large-v1", "bert", "cls", _SEARCH, ""),
        ("Snowflake/snowflake-arctic-embed-m", "bert", "cls", _SEARCH, ""),
        # Other types, other words, parts of a name: no family.
        ("intfloat/e5-mistral-7b-instruct", "qwen3", "lasttoken", "", ""),
        ("me/bge-trials", "bert", "mean", "", ""),
        ("me/not-e5-small", "bert", "mean", "", ""),
        ("me/bge-small-en-v1.5-finetuned-on-mail", "bert", "mean", "", ""),
        ("BAAI/bge-small-en-v1.5/run-3", "bert", "mean", "", ""),
        ("sentence-transformers/all-MiniLM-L6-v2", "bert", "mean", "", ""),
        ("sentence-transformers/all-mpnet-base-v2", "mpnet", "mean", "", ""),
    ],
)
def test_published_families(
    folder: Path, published: str, model_type: str, pooling: str, query: str, document: str
) -> None:
    """By the config's own word, by the model card's, by the hub id."""
    configure(folder, model_type=model_type)
    found = [read_use(folder, published)]
    configure(folder, _name_or_path=published)
    found.append(read_use(folder))
    configure(folder, _name_or_path="./run-3")
    name = published.rstrip("/").split("/")[-1]
    for head in (f"model-index:\n- name: {name}\n", f"base_model: {published}\n"):
        (folder / "README.md").write_text(f"---\nlicense: mit\n{head}---\n# A model\n")
        found.append(read_use(folder))
    assert {(u.pooling, u.query_prompt, u.document_prompt) for u in found} == {
        (pooling, query, document)
    }


def test_the_text_of_a_model_card_is_no_name(folder: Path) -> None:
    (folder / "README.md").write_text("---\ntags: [bge]\n---\nbase_model: BAAI/bge-small-en\n")
    assert read_use(folder).family == ""


def test_files_come_before_the_family(folder: Path) -> None:
    configure(folder, _name_or_path="BAAI/bge-small-en-v1.5")
    write(folder / "1_Pooling" / "config.json", MEAN)
    assert (read_use(folder).pooling, read_use(folder).query_prompt) == ("mean", _SEARCH)
    prompts = {"query": "Q: ", "corpus": "C: "}
    write(folder / "config_sentence_transformers.json", {"prompts": prompts})
    use = read_use(folder)
    assert (use.query_prompt, use.document_prompt, use.family) == ("Q: ", "C: ", "")


@pytest.mark.parametrize(
    ("config", "query", "document"),
    [
        ({"prompts": {"query": "q ", "passage": "p "}}, "q ", "p "),
        ({"prompts": {"document": "d ", "passage": "p "}}, "", "d "),
        ({"prompts": {"query": "q ", "other": "o "}, "default_prompt_name": "other"}, "q ", "o "),
        ({"prompts": {"query": "", "document": ""}}, "", ""),
        ({"prompts": None, "default_prompt_name": None}, "", ""),
        ({"prompts": {"query": "q "}, "default_prompt_name": "missing"}, "q ", ""),
    ],
)
def test_prompts_as_sentence_transformers_takes_them(
    folder: Path, config: dict[str, Any], query: str, document: str
) -> None:
    write(folder / "config_sentence_transformers.json", config)
    use = read_use(folder)
    assert (use.query_prompt, use.document_prompt) == (query, document)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True, "include_prompt": True}, "lasttoken"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": ["cls"]}, "cls"),
    ],
)
def test_pooling_of_the_files(folder: Path, pooling: dict[str, Any], expected: str) -> None:
    """Wherever modules.json says that they are."""
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "pool", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    write(folder / "modules.json", modules)
    write(folder / "pool" / "config.json", pooling)
    assert read_use(folder).pooling == expected


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "max_tokens"),
        ("1_Pooling/config.json", MEAN | {"pooling_mode_cls_token": True}, "cls_token, mean"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", "cls"]}, "cls, mean"),
        ("1_Pooling/config.json", [], "no object"),
        ("modules.json", [{"type": "st.models.WordWeights", "path": "1"}], "WordWeights"),
        ("modules.json", [{"type": "st.models.Dense", "path": "2_Dense"}], "hidden_size"),
        ("modules.json", {"a": 1}, "no modules"),
        ("modules.json", 7, "no modules"),
        ("config_sentence_transformers.json", {"prompts": ["query: "]}, "no texts"),
        ("config_sentence_transformers.json", {"prompts": {"query": 1}}, "no texts"),
        ("config.json", {"model_type": "distilbert", "hidden_size": 32}, "distilbert"),
        ("config.json", {"model_type": "bert"}, "hidden_size"),
        ("config.json", {"hidden_size": 32}, "''"),
    ],
)
def test_what_cannot_be_used_is_refused_when_it_is_opened(
    folder: Path, mlx_thread: MLXThread, file: str, content: object, named: str
) -> None:
    write(folder / file, content)
    settings = Settings(embedding_model=str(folder))
    with pytest.raises(ModelLoadFailed, match=named):
        open_model(settings, mlx_thread)
    row = next(r for r in listing.list_models(settings) if r.used and r.role == "embedding")
    assert row.embedding is None
    assert named in row.unusable


def test_layers_behind_the_pooling(folder: Path) -> None:
    write(folder / "modules.json", [{"type": "st.models.Dense", "path": "2_Dense"}])
    write(folder / "2_Dense" / "config.json", {"out_features": 16})
    with pytest.raises(ModelLoadFailed, match="after the pooling"):
        read_use(folder)
    configure(folder, model_type="gemma3_text")
    assert (read_use(folder).size, read_use(folder).dense) == (16, True)


@pytest.mark.parametrize("model_type", MLX_TYPES)
def test_mlx_embeddings_has_the_types_that_we_say_it_has(model_type: str) -> None:
    import importlib.util

    module = f"mlx_embeddings.models.{model_type.replace('-', '_')}"
    assert importlib.util.find_spec(module) is not None


def test_an_ingest_with_an_unsupported_model_reads_nothing(folder: Path, tmp_path: Path) -> None:
    configure(folder, model_type="distilbert")
    (tmp_path / "note.txt").write_text("A note.")
    environment = {"RAG_HOME": str(tmp_path / "home"), "RAG_EMBEDDING_MODEL": str(folder)}
    ran = CliRunner().invoke(create_cli(), ["ingest", str(tmp_path / "note.txt")], env=environment)
    assert ran.exit_code != 0
    assert "distilbert" in ran.stderr
    assert "note.txt" not in ran.stdout
    assert not list((tmp_path / "home").rglob("*.lance"))


def test_rag_models_shows_pooling_and_prompts(folder: Path, tmp_path: Path) -> None:
    configure(folder, _name_or_path="intfloat/e5-small-v2")
    environment = {"RAG_HOME": str(tmp_path / "home"), "RAG_EMBEDDING_MODEL": str(folder)}
    ran = CliRunner().invoke(create_cli(), ["models", "--json"], env=environment)
    row = json.loads(ran.stdout.splitlines()[0])
    assert row["embedding"]["query_prompt"] == "query: "
    assert row["embedding"]["family"] == "e5"
    shown = CliRunner().invoke(create_cli(), ["models"], env=environment | {"COLUMNS": "400"})
    assert "mean pooling, before queries 'query: ', before passages 'passage: ' (as e5)" in (
        shown.stdout
    )
