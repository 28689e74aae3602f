"""Devices for the contract suites: each maker is a context that gives a function ``make``.

To put a driver under contract add it to a list here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

from optobind.instruments.catalogue import make_device
from optobind.instruments.controller_protocol import LoopSetting
from optobind.instruments.fake_card import FakeCard
from optobind.instruments.fake_controller import FakeController
from optobind.instruments.fake_knobs import FakeKnob, FakeSensor
from optobind.instruments.fakes import (
    FakeDigitizer,
    FakeGate,
    FakeGauge,
    FakePatternPlayer,
    FakeRFSource,
    FakeSLM,
)
from optobind.instruments.knob_protocol import KnobLimits, SensorLimits
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import GaugeReading, RFTone, SpotPattern
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.knobs import (
    SimulatedKnob,
    SimulatedThermometer,
    SimulatedValve,
)
from optobind.instruments.slm.options import SlmOptions
from optobind.instruments.slm.panel import PanelInfo
from optobind.instruments.slm.spot_slm import HologramSLM
from optobind.instruments.template import (
    ExampleController,
    ExampleControllerTwin,
    ExampleSource,
    ExampleTwin,
)
from optobind.instruments.virtual.laboratory import GAUGE_DIALECTS, RF_DIALECTS
from optobind.instruments.virtual.ni_server import serve_ni
from optobind.instruments.virtual.redpitaya_server import serve_redpitaya
from optobind.instruments.virtual.serial_server import SerialServer
from optobind.instruments.virtual.text_server import TextServer, make_instrument
from optobind.models.unit_scale import unit_scale

from . import foreign_stand_ins as stand_ins
from .conftest import make_settings, make_trap

PATTERN = SpotPattern(((1.3e-6, 0.0, 0.0), (-1.3e-6, 0.0, 0.0)), (0.5, 0.5), (0.4, 0.0))
# Within the limits of every dialect.
TONES = [RFTone(50e6, 0.45), RFTone(50e6, 0.48)]
KNOB = KnobLimits(unit_scale("mW"), 0.0, 0.3, tolerance=1e-3)
SERIAL = ("novatech-409b", "aa-mdsnc", *GAUGE_DIALECTS)

Make = Callable[[], Any]


@contextmanager
def fake(family: str) -> Iterator[Make]:
    device = {
        "digitizer": lambda: FakeDigitizer(np.arange(400, dtype=np.int16).reshape(100, 4)),
        "slm": lambda: FakeSLM(PATTERN),
        "rf": lambda: FakeRFSource(TONES),
        "gauge": lambda: FakeGauge([GaugeReading(1e-6)]),
        "gate": lambda: FakeGate(),
        "pattern": lambda: FakePatternPlayer(),
        "controller": lambda: FakeController([LoopSetting(100.0, centre=5e4)] * 2),
        "knob": lambda: FakeKnob(KNOB, 0.2),
        "sensor": lambda: FakeSensor(SensorLimits(unit_scale("K")), [293.0]),
    }[family]()
    yield lambda: device


@contextmanager
def card(family: str) -> Iterator[Make]:
    """The stand-in that takes samples by the wall's clock."""
    device = FakeCard(np.arange(400, dtype=np.int16).reshape(100, 4), 1e5)
    yield lambda: device


@contextmanager
def simulated(family: str) -> Iterator[Make]:
    rig = build_simulated_rig(make_trap(), make_settings(pattern_offset=1), controller=True)
    device = getattr(rig, family)
    yield lambda: device


@contextmanager
def template(family: str) -> Iterator[Make]:
    if family == "controller":
        loops = ExampleControllerTwin()
        yield lambda: ExampleController(family, link=ScriptedLink(respond=loops))
        return
    twin = ExampleTwin()
    yield lambda: ExampleSource(family, link=ScriptedLink(respond=twin))


def served(driver: str, *, serial: bool = False) -> Callable[[str], Any]:
    """A text driver on a served instrument, over TCP or a pseudo terminal."""

    @contextmanager
    def maker(family: str) -> Iterator[Make]:
        device = FakeRFSource(TONES) if family == "rf" else FakeGauge([GaugeReading(1e-4)])
        instrument = make_instrument(driver, device)
        with SerialServer(instrument) if serial else TextServer(instrument) as server:
            yield lambda: make_device(
                family, driver, family, address=server.visa_address, timeout=3.0
            )

    return maker


@contextmanager
def ni(family: str) -> Iterator[Make]:
    """The NI drivers on the virtual card."""
    with serve_ni(build_simulated_rig(make_trap(), make_settings(in_loop=False))) as server:
        options = {"full_scale": 1.0, "real_time": False} if family == "digitizer" else {}
        yield lambda: make_device(family, "ni", family, grpc=server.address, **options)


@contextmanager
def redpitaya(family: str) -> Iterator[Make]:
    """The Red Pitaya driver on its served board."""
    rig = build_simulated_rig(make_trap(), make_settings(in_loop=False))
    with serve_redpitaya(rig.digitizer) as server:
        yield lambda: make_device(
            family, "redpitaya", family, host=server.host, port=server.port, sample_rate=1e6
        )


class MemoryPanel:
    """An SLM's panel that keeps the image and its note, as a display's process does."""

    def __init__(self) -> None:
        self.image: Any = None
        self.note: Any = None

    def open(self) -> PanelInfo:
        return PanelInfo("memory panel", (320, 200), (20e-6, 20e-6), note=self.note)

    def show_image(self, image: Any, note: Any) -> None:
        self.image, self.note = image, note

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def hologram(family: str) -> Iterator[Make]:
    """The SLM drivers' common part on a panel in memory."""
    panel = MemoryPanel()
    options = SlmOptions(wavelength=1064e-9, focal_length=4e-3, beam_waist=2e-3)
    yield lambda: HologramSLM(family, panel, options, (20e-6, 20e-6))


@contextmanager
def display(family: str) -> Iterator[Make]:
    """The display driver on Qt's screen in memory, in a process of its own."""
    options = {"wavelength": 1064e-9, "focal_length": 4e-3, "verify": False}
    screen = patch.dict(os.environ, {"QT_QPA_PLATFORM": "offscreen"})
    with screen, TemporaryDirectory() as folder:
        device = make_device(
            family, "display", family, screen=0, pitch=8e-6, pixels=(320, 200), folder=folder,
            **options,
        )  # fmt: skip
        try:
            yield lambda: device
        finally:
            device.connect()
            device.close_window()


_ALL = ("digitizer", "slm", "rf", "gauge", "gate", "pattern", "controller")


@contextmanager
def twin(family: str) -> Iterator[Make]:
    """A simulated knob that lags, or the thermometer."""
    world = build_simulated_rig(make_trap(), make_settings()).world
    device: Any = SimulatedKnob(world, "knob twin", KNOB, value=0.2, noise=1e-4)
    if family == "sensor":
        device = SimulatedThermometer(world, "sensor twin", SensorLimits(unit_scale("degC")))
    yield lambda: device


@contextmanager
def valve(family: str) -> Iterator[Make]:
    """The simulated valve."""
    world = build_simulated_rig(make_trap(), make_settings()).world
    limits = KnobLimits(unit_scale("mbar"), 1e-9, 1.0, relative=0.05)
    device = SimulatedValve(world, "knob valve", limits, accuracy=0.01)
    yield lambda: device


def foreign(driver: str, mood: str = "friendly") -> Callable[[str], Any]:
    """An adapter on a class that behaves like those of its package."""

    @contextmanager
    def maker(family: str) -> Iterator[Make]:
        with stand_ins.supply(mood) as address:
            limits = SensorLimits(unit_scale("mA")) if family == "sensor" else stand_ins.LIMITS
            options = stand_ins.options(driver, address)
            yield lambda: make_device(family, driver, f"{family} x", limits=limits, **options)

    return maker


_ALL = ("digitizer", "slm", "rf", "gauge", "gate", "pattern", "controller")
# (name, family, maker, whether it refuses values out of range)
MAKERS: list[tuple[str, str, Callable[[str], Any], bool]] = [
    *(("fake", family, fake, False) for family in _ALL),
    ("card", "digitizer", card, False),
    *(("simulated", family, simulated, True) for family in _ALL),
    ("fake", "knob", fake, False),
    ("fake", "sensor", fake, False),
    ("simulated knob", "knob", twin, True),
    ("simulated thermometer", "sensor", twin, True),
    ("simulated valve", "knob", valve, True),
    *(
        (f"{driver} {mood}", family, foreign(driver, mood), True)
        for driver in ("pymeasure", "qcodes")
        for family in ("knob", "sensor")
        for mood in ("friendly", "slow", "texts with units", "numpy")
    ),
    ("template", "rf", template, True),
    ("template", "controller", template, True),
    *((driver, "rf", served(driver), True) for driver in RF_DIALECTS),
    *((driver, "gauge", served(driver), True) for driver in GAUGE_DIALECTS),
    ("ni", "digitizer", ni, True),
    ("ni", "gate", ni, True),
    ("redpitaya", "digitizer", redpitaya, True),
    ("hologram", "slm", hologram, True),
]
if find_spec("PyQt6") is not None:
    MAKERS.append(("display", "slm", display, True))
if sys.platform != "win32":
    MAKERS += [
        (
            f"{driver} serial",
            "rf" if driver in RF_DIALECTS else "gauge",
            served(driver, serial=True),
            True,
        )
        for driver in SERIAL
    ]
