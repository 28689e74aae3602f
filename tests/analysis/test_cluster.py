"""The same numbers on a Dask cluster, also when a worker of it is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from batch_work import slow, square
from test_batch import lines, record, squares

from optobind.analysis.batch.fits import fit_tasks
from optobind.analysis.batch.run import run_batch
from optobind.analysis.batch.tasks import Task
from optobind.models.errors import InputError

distributed = pytest.importorskip("distributed")
# Dask's own sockets and loops; what of them outlives a test is no concern of ours.
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def program(name: str, *arguments: str) -> subprocess.Popen[str]:
    """A scheduler or a worker as their users start them."""
    own = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": own},
    )  # fmt: skip


def follow(process: subprocess.Popen[str], pattern: str) -> str:
    """What a program says, once it does; the rest is read away."""
    for line in process.stderr:
        if found := re.search(pattern, line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found[1]
    raise AssertionError(f"never said {pattern}")


@pytest.fixture
def cluster():
    """A scheduler and two worker processes: address and workers."""
    scheduler = program("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    started = [scheduler]
    try:
        address = follow(scheduler, r"Scheduler at:\s*(tcp://\S+)")
        workers = [
            program("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            for _ in range(2)
        ]
        started += workers
        for worker in workers:
            follow(worker, r"Registered to:\s*(tcp://\S+)")
        yield address, workers
    finally:
        for process in reversed(started):
            process.kill()
            process.wait(10.0)
            process.stderr.close()


@pytest.mark.study
def test_a_killed_worker_leaves_its_tasks_to_the_other(cluster, tmp_path):
    address, workers = cluster
    folder = tmp_path / "seen"
    folder.mkdir()
    tasks = [Task(slow, {"number": n, "folder": str(folder)}, {"number": n}) for n in range(14)]

    def kill_one() -> None:
        deadline = time.monotonic() + 60.0
        victim = workers[0].pid
        while time.monotonic() < deadline:
            if any(path.name.endswith(f".{victim}") for path in folder.iterdir()):
                os.kill(victim, signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcome = run_batch(tasks, tmp_path / "t.csv", scheduler=address)
    killer.join()
    assert workers[0].wait(10.0) == -signal.SIGKILL
    assert outcome.counts == {"ok": 14, "failed": 0, "crashed": 0}
    assert [line["square"] for line in lines(tmp_path / "t.csv")] == [str(n * n) for n in range(14)]
    by = [path.name.rpartition(".")[2] for path in folder.iterdir()]
    assert {str(worker.pid) for worker in workers} == set(by)


@pytest.mark.study
def test_a_local_cluster_gives_the_same_bytes_as_this_process(tmp_path):
    paths = [record(tmp_path / f"{k}.npz", k, 30_000) for k in range(3)]
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    paths.append(tmp_path / "bad.npz")
    tasks = fit_tasks("spectrum", paths, {})
    run_batch(tasks, tmp_path / "here.csv", jobs=0)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as local:
        outcome = run_batch(tasks, tmp_path / "there.csv", scheduler=local.scheduler_address)
        log = tmp_path / "log"
        run_batch(squares([1, 13, 7], log), tmp_path / "t.csv", scheduler=local.scheduler_address)
    assert outcome.counts == {"ok": 3, "failed": 1, "crashed": 0}
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    assert [line["status"] for line in lines(tmp_path / "t.csv")] == ["ok", "failed", "crashed"]


def test_a_scheduler_that_is_not_there_is_said(tmp_path, monkeypatch):
    from optobind.analysis.batch import cluster as module

    monkeypatch.setattr(module, "_CONNECT", 0.5)
    tasks = [Task(square, {"number": 1, "log": str(tmp_path / "log")})]
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_batch(tasks, tmp_path / "t.csv", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="no Dask scheduler answers at nonsense"):
        run_batch(tasks, tmp_path / "t.csv", scheduler="nonsense:x")
