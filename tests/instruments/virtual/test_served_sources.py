"""The real RF drivers, through pyvisa-py, against served instruments on the simulated world."""

from __future__ import annotations

import math
import socket
import sys
import threading
import time
from dataclasses import replace

import pytest

from optobind.instruments.catalogue import make_device
from optobind.instruments.control.tones import read_tones, set_tones
from optobind.instruments.fakes import FakeGauge, FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.visa import VisaLink
from optobind.instruments.protocols import DeviceState, GaugeReading, RFTone
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.optics import calibration
from optobind.instruments.simulated.settings import RfSettings
from optobind.instruments.tweezer_control import SlmRfControl
from optobind.instruments.virtual.serial_server import serve_serial
from optobind.instruments.virtual.text_server import TextServer, make_instrument, serve_text
from optobind.models.errors import DeviceError, InputError

from ..conftest import make_settings, make_trap

SOURCES = (
    "keysight",
    "rigol-dg1000z",
    "rigol-dg4000",
    "siglent",
    "moglabs",
    "novatech-409b",
    "aa-mdsnc",
)
TONES = [RFTone(40e6, 0.4), RFTone(41e6, 0.45)]
pytest.importorskip("pyvisa_py")

pytestmark = pytest.mark.realtime
posix = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")


def make_rig(dialect: str):
    """A rig whose carrier the served model reaches: a DG1000Z stops at 60 MHz."""
    changes = {}
    if dialect == "rigol-dg1000z":
        changes["rf"] = RfSettings(carrier=40e6, frequency_range=(20e6, 60e6))
    settings = make_settings(in_loop=False, **changes)
    return build_simulated_rig(make_trap(), settings), settings


@pytest.fixture
def connect():
    """Connects a driver to a server; the link is closed after the test, come what may."""
    made = []

    def connect(dialect: str, server, **options):
        made.append(make_device("rf", dialect, "rf", address=server.visa_address, **options))
        made[-1].connect()
        return made[-1]

    yield connect
    for source in made:
        source.disconnect()


def check_physics(dialect: str, rig, source) -> None:
    """Set, read back, align: the world's light follows."""
    light = rig.world.light
    before = read_tones(source, 2)
    assert [t.frequency for t in before] == pytest.approx([rig.rf.read_tone(0).frequency] * 2)
    absent = source.capabilities.phase == "absent"
    wanted = replace(before[0], amplitude=0.41, phase=0.0 if absent else before[0].phase + 0.3)
    source.set_tone(0, wanted)
    read = source.read_tone(0)
    assert read.amplitude == pytest.approx(0.41, rel=0.01)
    power = math.sin(0.5 * math.pi * rig.rf.read_tone(0).amplitude) ** 2
    assert rig.world.light.sites[0].power == pytest.approx(power, rel=1e-9)
    assert rig.world.light.sites[0].power > light.sites[0].power + 0.05
    if not absent:
        turned = rig.world.light.relative_phase - light.relative_phase
        assert turned == pytest.approx(0.3, abs=1e-3)
    moved = [replace(tone, frequency=tone.frequency + 1e6) for tone in read_tones(source, 2)]
    phi = rig.world.light.relative_phase
    set_tones(source, moved)
    assert [s.detuning for s in rig.world.light.sites] == pytest.approx([-1e6, -1e6], abs=1.0)
    if not absent:
        assert rig.world.light.relative_phase == pytest.approx(phi, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", SOURCES)
def test_light_of_the_world_follows_the_driver_over_tcp(dialect: str, connect):
    rig, _ = make_rig(dialect)
    light = rig.world.light
    with serve_text(dialect, rig.rf) as server:
        source = connect(dialect, server)
        assert rig.world.light == light
        check_physics(dialect, rig, source)
        state = rig.world.light
        source.disconnect()
        source.connect()
        assert rig.world.light == state


@posix
@pytest.mark.parametrize("dialect", ["novatech-409b", "aa-mdsnc"])
def test_light_of_the_world_follows_the_driver_over_a_serial_line(dialect: str, connect):
    rig, _ = make_rig(dialect)
    with serve_serial(dialect, rig.rf) as server:
        source = connect(dialect, server)
        check_physics(dialect, rig, source)


@pytest.mark.parametrize("dialect", ["keysight", "moglabs", "novatech-409b"])
def test_light_control_works_through_the_real_driver(dialect: str, connect):
    rig, settings = make_rig(dialect)
    rig.slm.connect()
    with serve_text(dialect, rig.rf) as server:
        source = connect(dialect, server)
        control = SlmRfControl(rig.slm, source, [calibration(settings)] * 2)
        state = control.read().state.with_pair(phi=1.1)
        applied = control.apply(state)
        assert applied.phase_error < 1e-3
        assert applied.state.relative_phase == pytest.approx(1.1, abs=1e-3)
        assert rig.world.light.relative_phase == pytest.approx(1.1, abs=1e-3)
        for site, wanted in zip(rig.world.light.sites, state.sites, strict=True):
            assert site.power == pytest.approx(wanted.power, rel=0.01)
        with pytest.raises(InputError, match=r"power of tweezer 1"):
            control.apply(state.with_pair(total_power=9.0))


def test_beat_that_the_world_cannot_follow_is_a_device_error_and_the_old_tone_stays(connect):
    rig, _ = make_rig("keysight")
    with serve_text("keysight", rig.rf) as server:
        source = connect("keysight", server)
        light, tone = rig.world.light, source.read_tone(0)
        with pytest.raises(DeviceError, match=r"-221 Settings conflict.*old tone again") as caught:
            source.set_tone(0, replace(tone, frequency=tone.frequency + 50.0))
        assert not isinstance(caught.value, LinkError)
        assert rig.world.light == light
        assert source.state is DeviceState.READY


def test_two_devices_have_links_of_their_own(connect):
    gauge = FakeGauge([GaugeReading(1e-4)])
    with (
        serve_text("keysight", FakeRFSource(TONES)) as server,
        serve_text("pfeiffer-tpg", gauge) as other,
    ):
        source = connect("keysight", server)
        gauge = make_device("gauge", "pfeiffer-tpg", "gauge", address=other.visa_address)
        gauge.connect()
        gauge.disconnect()
        assert source.read_tone(0).enabled


# -- faults on a real socket -------------------------------------------------------------------


class Spoiled:
    """An instrument whose answers are spoiled once ``spoil`` is set."""

    def __init__(self, instrument) -> None:
        self.instrument, self.spoil = instrument, None

    def converse(self):
        outer, conversation = self, self.instrument.converse()

        class Talk:
            greeting = conversation.greeting

            def receive(self, data: bytes) -> bytes:
                answer = conversation.receive(data)
                return answer if outer.spoil is None else outer.spoil(answer)

        return Talk()


def hang_up(answer: bytes) -> bytes:
    raise ConnectionResetError


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: b"",
        lambda answer: answer[:-3],
        lambda answer: b"\xff\xfe~~" + answer,
        lambda answer: b"~" * 70_000,
        hang_up,
    ],
    ids=["silence", "cut", "noise", "flood", "hang up"],
)
@pytest.mark.parametrize("dialect", ["keysight", "siglent", "moglabs", "novatech-409b", "aa-mdsnc"])
def test_fault_on_the_line_ends_in_time_and_leaves_the_outputs(dialect: str, spoil, connect):
    fake = FakeRFSource(TONES)
    spoiled = Spoiled(make_instrument(dialect, fake))
    with TextServer(spoiled) as server:
        source = connect(dialect, server, timeout=0.15)
        tone = source.read_tone(0)
        spoiled.spoil = spoil
        begin = time.monotonic()
        for call in (lambda: source.read_tone(0), lambda: source.set_tone(0, tone), source.align):
            try:
                call()
            except DeviceError:
                assert source.state is DeviceState.FAULTED
        with pytest.raises(DeviceError):
            source.read_tone(0)
        assert time.monotonic() - begin < 60.0
        assert [fake.read_tone(n) for n in range(2)] == TONES
        spoiled.spoil = None
        source.disconnect()
        source.connect()
        assert source.read_tone(0) == tone
        assert [fake.read_tone(n) for n in range(2)] == TONES


def test_server_that_dies_is_noticed_and_the_driver_comes_back_with_the_next_one(connect):
    fake = FakeRFSource(TONES)
    server = serve_text("keysight", fake)
    source = connect("keysight", server, timeout=0.3)
    server.stop()
    begin = time.monotonic()
    with pytest.raises(LinkError, match=r"rf: TCPIP0.*SOCKET"):
        source.read_tone(0)
    with pytest.raises(DeviceError, match=r"rf.*(refused|not there|not open)"):
        source.connect()
    assert time.monotonic() - begin < 60.0
    assert source.state is DeviceState.FAULTED
    with serve_text("keysight", fake, port=server.address[1]):
        source.connect()
        assert source.read_tone(0).enabled


def test_listener_that_never_answers_does_not_hang_a_connection():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"TCPIP0::127.0.0.1::{silent.getsockname()[1]}::SOCKET"
        source = make_device("rf", "keysight", "rf", address=address, timeout=0.2)
        begin = time.monotonic()
        with pytest.raises(LinkError, match=r"rf: .*did not answer in time"):
            source.connect()
        assert time.monotonic() - begin < 60.0
    assert source.state is DeviceState.FAULTED
    source.disconnect()


def test_bytes_that_trickle_do_not_outlast_the_timeout_by_much():
    def trickle(listener: socket.socket, over: threading.Event) -> None:
        connection, _ = listener.accept()
        with connection:
            while not over.wait(0.01):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        over = threading.Event()
        thread = threading.Thread(target=trickle, args=(listener, over))
        thread.start()
        address = f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET"
        source = make_device("rf", "keysight", "rf", address=address, timeout=0.3)
        begin = time.monotonic()
        try:
            with pytest.raises(LinkError, match=r"does not stop talking|did not end its answer"):
                source.connect()
            assert time.monotonic() - begin < 60.0
        finally:
            over.set()
            thread.join(60.0)
    assert not thread.is_alive()


def test_small_writes_are_sent_at_once():
    with serve_text("keysight", FakeRFSource(TONES)) as server:
        link = VisaLink(server.visa_address)
        link.open()
        try:
            session = link._resource.visalib.sessions[link._resource.session]
            assert session.interface.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            link.close()
