"""Tasks on a Dask cluster (extra ``dask``): a worker that dies gives its tasks to the others."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from ...models.errors import InputError
from .tasks import Outcome, Task, carry_out

__all__ = ["on_cluster"]

_CONNECT, _WORKERS = 10.0, 30.0  # s to wait for the scheduler, and for a first worker
_AHEAD = 4  # tasks for each thread that the scheduler knows beforehand


def on_cluster(tasks: Sequence[Task], address: str) -> Iterator[tuple[Task, Outcome]]:
    """Carry tasks out on a cluster, in the order in which they end.

    Every worker needs this version of optobind and sees the files under the same paths.

    Parameters
    ----------
    tasks : sequence of Task
        Independent of each other.
    address : str
        Of the scheduler, ``tcp://host:8786``.

    Raises
    ------
    InputError
        If dask is not installed, no scheduler answers, it has no worker, or it goes away.
    """
    client = _connected(address)
    try:
        yield from _results(client, tasks, address)
    finally:
        client.close(timeout=2.0)


def _distributed() -> Any:
    """The package, which has no types."""
    try:
        return import_module("distributed")
    except ImportError:
        raise InputError(
            "a cluster needs dask: install with: pip install 'optobind[dask]'"
        ) from None


def _connected(address: str) -> Any:
    """A client of a scheduler that has a worker."""
    distributed = _distributed()
    # Its own log would tell the user of every try to connect; what matters is said once, here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}): start one with "
            "dask scheduler, and give the address that it prints"
        ) from None
    try:
        client.wait_for_workers(1, timeout=_WORKERS)
    except TimeoutError:
        client.close(timeout=2.0)
        raise InputError(
            f"the scheduler at {address} has no worker: start some with dask worker {address}"
        ) from None
    return client


def _results(client: Any, tasks: Sequence[Task], address: str) -> Iterator[tuple[Task, Outcome]]:
    waiting, known = deque(tasks), {}
    threads = sum(client.nthreads().values())
    ended = _distributed().as_completed(loop=client.loop)

    def submit() -> None:
        task = waiting.popleft()
        # The key is that of the task: a task that two programs ask for is done once.
        future = client.submit(carry_out, task, key=f"optobind-{task.key}", pure=True)
        known[future.key] = task
        ended.add(future)

    while waiting and len(known) < max(_AHEAD * threads, 8):
        submit()
    for future in ended:
        task = known.pop(future.key)
        if future.status == "cancelled":
            raise InputError(
                f"the scheduler at {address} has gone: what is done is kept; start it anew and "
                "give the same command"
            )
        yield task, _outcome_of(future)
        future.release()
        if waiting:
            submit()


def _outcome_of(future: Any) -> Outcome:
    """What a worker answered, or why none could."""
    error = future.exception()
    if error is None:
        found = future.result()
        assert isinstance(found, Outcome)
        return found
    if type(error).__name__ == "KilledWorker":
        return Outcome("crashed", {}, "every worker that tried it died: killed, or out of memory")
    return Outcome("crashed", {}, f"internal error: {type(error).__name__}: {error}")
