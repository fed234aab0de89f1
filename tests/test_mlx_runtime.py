"""Device, BLAS and the MLX thread. What changes a process for good is tried in a fresh one."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import threading

import pytest

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread

linux_only = pytest.mark.skipif(
    sys.platform != "linux" or mlx_runtime.device() != "cpu",
    reason="OpenBLAS is for Linux hosts that compute on the CPU",
)


def fresh_process(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


PRODUCT = """
from rag.compute import mlx_runtime as r, openblas; r.prepare()
import numpy as np, mlx.core as mx
g = np.random.default_rng(7); a = g.random((65, 129), dtype=np.float32)
b = g.random((129, 33), dtype=np.float32); c = np.array(mx.array(a) @ mx.array(b))
print(r.blas().fast, r.blas().name, np.abs(c - a @ b).max() < 1e-3)
"""


@linux_only
def test_openblas_takes_the_place_of_the_reference_blas() -> None:
    fast, name, _, same = fresh_process(PRODUCT).split()
    assert (fast, name, same) == ("True", "OpenBLAS", "True")


@linux_only
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names a kind of x86-64 processor")
@pytest.mark.parametrize("processor", ["Nehalem", "Haswell"])
def test_openblas_has_kernels_for_old_processors_too(processor: str) -> None:
    """One that was built for AVX-512 alone ended `rag ask` with SIGILL on an EPYC of 2021."""
    code = PRODUCT + (
        "name = openblas.load().function('openblas_get_corename');"
        "name.restype = __import__('ctypes').c_char_p; print(name().decode())"
    )
    used = fresh_process(code, OPENBLAS_CORETYPE=processor)
    assert used.split()[-2:] == ["True", processor]


@linux_only
def test_an_mlx_imported_too_early_is_reported_as_slow() -> None:
    used = fresh_process(
        "import mlx.core; from rag.compute import mlx_runtime as r; r.prepare();"
        "print(r.blas(), r.blas_threads())"
    )
    assert used == "Blas(name='reference BLAS', path=None, fast=False) None"


def test_the_module_itself_imports_no_mlx() -> None:
    assert (
        fresh_process("import sys, rag.compute.mlx_runtime; print('mlx.core' in sys.modules)")
        == "False"
    )


def test_device_is_one_that_mlx_has() -> None:
    import mlx.core as mx

    assert (mlx_runtime.device() == "cpu") is not mx.is_available(mx.gpu)


@pytest.mark.parametrize("allowed", [512, 1_000_000])
def test_mlx_lm_leaves_the_limit_on_open_files_as_it_is(allowed: int) -> None:
    """In a container with fewer it raised ValueError; where more are allowed it took them away."""
    code = f"""
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
most = {allowed} if hard == resource.RLIM_INFINITY else min(hard, {allowed})
resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, most), most))
from rag.compute import mlx_runtime
mlx_runtime.prepare()
import mlx_lm
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (min(256, most), most), mlx_lm.load.__name__)
"""
    assert fresh_process(code) == "True load"


async def test_all_work_runs_on_one_thread_in_order(mlx_thread: MLXThread) -> None:
    seen: list[tuple[int, int]] = []

    def work(number: int) -> None:
        seen.append((number, threading.get_ident()))

    await asyncio.gather(*(mlx_thread.run(work, n) for n in range(20)))
    assert [number for number, _ in seen] == list(range(20))
    assert len({thread for _, thread in seen}) == 1
    assert seen[0][1] != threading.get_ident()


async def test_an_error_on_the_thread_reaches_the_caller_and_the_thread_lives_on(
    mlx_thread: MLXThread,
) -> None:
    with pytest.raises(ZeroDivisionError):
        await mlx_thread.run(lambda: 1 // 0)
    assert await mlx_thread.run(lambda a, *, b: a + b, 1, b=2) == 3


async def test_close_is_idempotent_and_refuses_more_work() -> None:
    thread = MLXThread()
    await thread.run(int)
    thread.close()
    thread.close()
    with pytest.raises(RuntimeError):
        await thread.run(int)


@linux_only
def test_one_blas_thread_for_a_while_even_after_an_error() -> None:
    code = """
from contextlib import suppress
from rag.compute import mlx_runtime as r
r.prepare()
with suppress(ZeroDivisionError), r.one_blas_thread():
    print(r.blas_threads())
    1 // 0
print(r.blas_threads())
"""
    assert fresh_process(code, OPENBLAS_NUM_THREADS="2").split() == ["1", "2"]


@linux_only
def test_blas_leaves_half_the_cores_unless_told_otherwise() -> None:
    code = (
        "import os; from rag.compute import mlx_runtime as r; r.prepare();"
        "print(r.blas_threads() == max(1, len(os.sched_getaffinity(0)) // 2))"
    )
    assert fresh_process(code) == "True"
    told = "import os; os.environ['OPENBLAS_NUM_THREADS'] = '1';"
    code = told + "from rag.compute import mlx_runtime as r; r.prepare(); print(r.blas_threads())"
    assert fresh_process(code) == "1"


@pytest.mark.parametrize("told", [None, "20"])
def test_threads_of_openblas_sleep_soon_unless_told_otherwise(
    told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are two of them in a process, NumPy's the first: each asks when it is loaded."""
    code = """
import os, sys
class Watch:
    def find_spec(self, name, *rest):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
sys.meta_path.insert(0, Watch())
import rag.compute.cpu_llama
"""
    # Importing rag has set it in this process.
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    environment = {} if told is None else {"OPENBLAS_THREAD_TIMEOUT": told}
    assert fresh_process(code, **environment) == (told or "8")


@pytest.mark.skipif(sys.platform != "linux", reason="only there are cores taken away")
def test_lancedb_computes_on_two_threads_where_it_would_on_one() -> None:
    code = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from rag.store.connection import library
library()
print(os.environ["LANCE_CPU_THREADS"])
"""
    assert fresh_process(f"import os; os.environ.pop('LANCE_CPU_THREADS', None)\n{code}") == "2"
    assert fresh_process(code, LANCE_CPU_THREADS="5") == "5"


@pytest.mark.parametrize("ending", ["", "thread.close()", "sys.exit(0)"])
def test_a_process_that_used_the_thread_ends_well(ending: str) -> None:
    """Without clearing the thread's streams, more than half of such processes end by SIGABRT; when
    they are cleared before their work is done, one in twelve by SIGSEGV."""
    code = f"""
import sys
from rag.compute.mlx_runtime import MLXThread
thread, kept = MLXThread(), []
def work():
    import mlx.core as mx
    mx.set_default_stream(mx.new_stream(mx.default_device()))
    kept.append(mx.random.normal((400, 400)) @ mx.random.normal((400, 400)))
    mx.async_eval(kept)
thread.executor.submit(work).result()
{ending}
"""
    for _ in range(3):
        assert fresh_process(code) == ""
