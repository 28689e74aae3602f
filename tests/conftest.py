"""Options of the whole suite: real hardware takes part only when a rig file names it."""

from __future__ import annotations

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
