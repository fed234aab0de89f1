"""What a container allows: memory and cores by its control groups, of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.compute.cgroup import cpu_limit, memory_limit
from rag.compute.cpu_cores import cores


def tree(root: Path, own: str, **files: str) -> tuple[Path, Path]:
    """A folder of control groups (with "__" for "/") and the list of this process's."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    listed = root / "own"
    listed.write_text(own)
    return root, listed


def test_version_2_inside_a_container(tmp_path: Path) -> None:
    found = tree(tmp_path, "0::/\n", memory_dot_max="1073741824", cpu_dot_max="150000 100000")
    assert (memory_limit(*found), cpu_limit(*found)) == (1 << 30, 1.5)


def test_the_least_limit_of_a_group_and_of_those_above_it_holds(tmp_path: Path) -> None:
    found = tree(
        tmp_path,
        "0::/user/rag.service\n",
        user__memory_dot_max="2000",
        user__cpu_dot_max="300000 100000",
        **{"user__rag.service__memory_dot_max": "3000"},
        **{"user__rag.service__cpu_dot_max": "max 100000"},
    )
    assert (memory_limit(*found), cpu_limit(*found)) == (2000, 3.0)


def test_version_1(tmp_path: Path) -> None:
    found = tree(
        tmp_path,
        "7:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n1:name=systemd:/docker/a\n",
        memory__docker__a__memory_dot_limit_in_bytes="5000",
        cpu__cpu_dot_cfs_quota_us="50000",
        cpu__cpu_dot_cfs_period_us="100000",
    )
    assert (memory_limit(*found), cpu_limit(*found)) == (5000, 0.5)


@pytest.mark.parametrize("text", ["max", "-1", "", "unreadable \ufffd"])
def test_no_limit(tmp_path: Path, text: str) -> None:
    found = tree(tmp_path, "0::/\n", memory_dot_max=text, cpu_dot_max=f"{text} 100000")
    assert (memory_limit(*found), cpu_limit(*found)) == (None, None)
    assert memory_limit(tmp_path / "none", tmp_path / "neither") is None


def test_there_is_always_a_core() -> None:
    assert cores() >= 1
