"""Nothing leaves the machine: what the installed command connects to and leaves on disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEASE = ROOT / "data" / "lease.pdf"
# Under these ONNX Runtime sends nothing by itself, so that a test would see nothing to complain of.
SPARED = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")
PEER = re.compile(r"sa_family=AF_INET6?, .*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"([^\"]+)\"")
TRACE = ("strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg")


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*TRACE, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def user(tmp_path: Path, shared_cache: Path) -> dict[str, str]:
    """The environment of somebody whose home folder is new."""
    spared = {name: value for name, value in os.environ.items() if name not in SPARED}
    home = tmp_path / "user"
    home.mkdir()
    places = {"RAG_HOME": str(tmp_path / "home"), "RAG_CACHE": str(shared_cache)}
    return spared | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")} | places


def peers(trace: Path) -> set[str]:
    """Addresses that a traced command spoke to, its own machine aside."""
    found = set(PEER.findall(trace.read_text(errors="replace")))
    return {address for address in found if not address.startswith("127.") and address != "::1"}


def test_the_trace_tells_a_peer(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    connect = "7 connect(22, {sa_family=AF_INET"
    trace.write_text(
        f'{connect}, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}}, 16) = 0\n'
        f'{connect}, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0\n'
        f"{connect}6, sin6_port=htons(443), sin6_flowinfo=htonl(0), "
        'inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 0\n'
    )
    assert peers(trace) == {"192.0.2.1", "2001:db8::1"}


@pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")
@pytest.mark.parametrize("told", [None, "0"])
def test_a_day_of_work_speaks_to_nobody(
    user: dict[str, str], tmp_path: Path, told: str | None
) -> None:
    """ONNX Runtime's wheels send events to their makers unless told not to (Privacy.md there)."""
    if told is not None:
        user["ORT_DISABLE_TELEMETRY"] = told
    command = str(Path(sys.executable).with_name("rag"))
    for number, words in enumerate((
        ["ingest", str(LEASE)],
        ["ask", "How high is the deposit?", "-k", "3", "--max-tokens", "24"],
        ["search", "deposit"],
        ["doctor"],
    )):  # fmt: skip
        trace = tmp_path / f"trace-{number}"
        done = subprocess.run(
            [*TRACE, "-o", str(trace), command, *words],
            env=user,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert peers(trace) == set(), words
    left = [path for path in Path(user["HOME"]).rglob("*") if path.is_file()]
    assert left == []


@pytest.mark.parametrize("told", [None, "0"])
def test_telemetry_is_off_before_anything_else_is_imported(
    user: dict[str, str], told: str | None
) -> None:
    code = "import rag, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = user if told is None else user | {"ORT_DISABLE_TELEMETRY": told}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
