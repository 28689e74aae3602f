"""Connections to the NI card that break or stall at any moment, through a TCP relay."""

from __future__ import annotations

import random
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest

pytest.importorskip("nidaqmx")
pytest.importorskip("grpc")

from optobind.instruments.digitizers import daqmx
from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.protocols import DeviceState
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.virtual.ni_server import serve_ni
from optobind.models.errors import DeviceError

from .conftest import make_settings, make_trap

pytestmark = pytest.mark.realtime

LONGEST = 60.0  # s, of one call: none hangs


class Relay:
    """Passes bytes on between a client and a server until told to cut or to stall."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.mode, self.left = "pass", 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def strike(self, mode: str, after: int) -> None:
        """Cut or stall once so many more pieces have passed."""
        self.left, self.mode = after, mode

    def heal(self) -> None:
        self.mode = "pass"

    def close(self) -> None:
        self._over.set()
        self._thread.join(60.0)

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.01):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._pass(key.fileobj, key.data)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.mode != "pass" and self.left <= 0:
            client.close()
            return
        server = socket.create_connection(self._target)
        self._selector.register(client, selectors.EVENT_READ, server)
        self._selector.register(server, selectors.EVENT_READ, client)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        if source.fileno() < 0:
            return  # closed a moment ago, with its other end
        if self.mode != "pass":
            self.left -= 1
        if self.mode == "stall" and self.left < 0:
            time.sleep(0.002)
            return  # nothing is read any more: the line stands still
        data = b""
        with suppress(OSError):
            data = source.recv(65536)
        if data and not (self.mode == "cut" and self.left < 0):
            with suppress(OSError):
                sink.sendall(data)
                return
        for end in (source, sink):
            with suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()


@pytest.fixture(scope="module")
def rig():
    rig = build_simulated_rig(make_trap(), make_settings(in_loop=False))
    rig.world.warm_up()  # kernels are compiled before any deadline
    return rig


@contextmanager
def line(rig) -> Iterator[Relay]:
    """A line to a card of its own: a card may stay reserved for a client that has vanished."""
    with serve_ni(rig) as server:
        relay = Relay(server.address)
        try:
            yield relay
        finally:
            relay.close()


@pytest.fixture
def struck(monkeypatch):
    """Strikes a line; from then on calls are given up early."""

    @contextmanager
    def strike(relay, kind, after):
        with monkeypatch.context() as patch:
            relay.strike(kind, after)
            patch.setattr(daqmx, "_CALL_SECONDS", 0.6)
            yield
        relay.heal()

    return strike


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_gate_behind_a_broken_line_is_an_error_and_has_the_old_or_the_new_level(rig, struck, kind):
    for seed in range(12):
        with line(rig) as relay:
            rng = random.Random(f"gate {kind} {seed}")
            gate = NiGate("gate", grpc=relay.address, timeout=0.4)
            gate._system._timeout = 60.0  # a busy server is reached all the same
            gate.connect()
            before = rig.gate.read()
            wanted = rng.choice([True, False])
            with struck(relay, kind, rng.randrange(12)):
                begin = time.monotonic()
                try:
                    gate.set(wanted)
                    assert rig.gate.read() is wanted
                except DeviceError:
                    assert gate.state is DeviceState.FAULTED
                    assert rig.gate.read() in (before, wanted)
                assert time.monotonic() - begin < LONGEST
            gate.disconnect()
            again = NiGate("gate", grpc=relay.address, timeout=30.0)
            again.connect()
            until = time.monotonic() + 60.0
            while again.read() is not rig.gate.read():  # a stalled order may come late
                assert time.monotonic() < until
            again.set(before)
            assert rig.gate.read() is before
            again.disconnect()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_digitizer_behind_a_broken_line_faults_within_its_timeout(rig, struck, kind):
    light = rig.world.light
    for seed in range(10):
        with line(rig) as relay:
            rng = random.Random(f"digitizer {kind} {seed}")
            device = NiDigitizer(
                "daq", grpc=relay.address, full_scale=1.0, timeout=0.4, real_time=False
            )
            device._system._timeout = 60.0
            device.connect()
            device.start()
            buffer = np.zeros((2000, 2), dtype=np.int16)
            with struck(relay, kind, rng.randrange(20)):
                expected = 0
                for _ in range(40):
                    begin = time.monotonic()
                    try:
                        result = device.read_into(buffer)
                    except DeviceError:
                        break
                    finally:
                        assert time.monotonic() - begin < LONGEST
                    assert result.first_sample == expected
                    expected += result.samples
                else:
                    pytest.fail("the broken line was not noticed")
            device.disconnect()
            assert device.state is DeviceState.DISCONNECTED
            assert rig.world.light == light
            assert rig.gate.read() is True


def test_a_card_says_again_what_broke_it(rig, struck):
    with line(rig) as relay:
        device = NiDigitizer("daq", grpc=relay.address, full_scale=1.0, timeout=0.4)
        device._system._timeout = 60.0
        device.connect()
        device.start()
        with struck(relay, "cut", 0):
            with pytest.raises(DeviceError) as first:
                device.present_sample()  # beside a switch of the gate, where it is kept quiet
            why = str(first.value).removeprefix("daq: ")
            for ask in (
                lambda: device.read_into(np.zeros((100, 2), np.int16)),
                device.present_sample,
            ):
                with pytest.raises(DeviceError) as again:
                    ask()
                assert str(again.value) == f"daq is faulted ({why}): connect it again"
        device.disconnect()
