from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.rig import Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import DetectorSettings
from optobind.instruments.virtual.ni_server import NiServer, serve_ni

from ..conftest import make_settings, make_trap

pytest.importorskip("nidaqmx")
pytest.importorskip("grpc")

RANGE = 1.0  # V, of the simulated ADC


def make_rig(*, monitor: bool = False, **changes: Any) -> Rig:
    """A simulated rig; on a virtual clock unless told otherwise."""
    settings = make_settings(in_loop=False, **changes)
    if monitor:
        detectors = (*settings.detectors, DetectorSettings("gate", None, "monitor"))
        settings = make_settings(**{**changes, "in_loop": False, "detectors": detectors})
    return build_simulated_rig(make_trap(), settings)


@pytest.fixture
def serve() -> Iterator[Callable[..., NiServer]]:
    """Serves rigs, and ends the servers after the test."""
    servers: list[NiServer] = []

    def start(rig: Rig, **options: Any) -> NiServer:
        servers.append(serve_ni(rig, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop(None)


@pytest.fixture
def digitizers() -> Iterator[Callable[..., NiDigitizer]]:
    """Makes digitizers on a server, and disconnects them after the test."""
    made: list[NiDigitizer] = []

    def make(server: NiServer, **options: Any) -> NiDigitizer:
        values = {"full_scale": RANGE, "timeout": 1.0, **options}
        made.append(NiDigitizer("daq", grpc=server.address, **values))
        made[-1]._system._timeout = 60.0  # a busy server is reached all the same
        return made[-1]

    yield make
    for digitizer in made:
        digitizer.disconnect()


@pytest.fixture
def gates() -> Iterator[Callable[..., NiGate]]:
    """Makes gates on a server, and disconnects them after the test."""
    made: list[NiGate] = []

    def make(server: NiServer, **options: Any) -> NiGate:
        made.append(NiGate("gate", **{**server.gate_options, **options}))
        return made[-1]

    yield make
    for gate in made:
        gate.disconnect()
