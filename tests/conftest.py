"""Options of the whole suite: real hardware, workers, second tries of tests of real time."""

from __future__ import annotations

import gc
import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--hardware",
        metavar="RIG",
        default=None,
        help="run the contract suites on the real devices of this rig file",
    )
    parser.addoption(
        "--hardware-writes",
        action="store_true",
        help="allow them to change settings (they are put back): never with particles trapped",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("rerunfailures"):
        config.option.rerun_show_tracebacks = True  # a second try is never silent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Try tests of real time a second time: a computer may stand still for longer than a guardian.

    Nothing else gets one. The summary names each second try, with the failure of the first.
    """
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if item.get_closest_marker("realtime"):
                item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_collection_finish() -> None:
    gc.freeze()  # the tests themselves stay: no collection of garbage need look at them again


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers more than cores: tests spend half of their time waiting for devices."""
    usable = getattr(os, "sched_getaffinity", None)
    return (len(usable(0)) if usable is not None else os.cpu_count() or 1) + 2
