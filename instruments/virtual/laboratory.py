"""The virtual laboratory: one simulated world behind instruments that real drivers talk to.

The RF source and the gauge speak the text protocol of a chosen device, digitizer and feedback gate
are an NI card behind a gRPC device server. The SLM stays inside: it is a picture, not a protocol.
A client therefore finds fixed beams with an AOM each; what the SLM adds to their phases is in the
calibration that :meth:`VirtualLaboratory.tables` gives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, cast

from ...models.errors import DeviceError, InputError
from ..catalogue import find_driver, make_device
from ..patterns import PHASE, POWER
from ..rig import Rig
from ..simulated.digitizer import SimulatedDigitizer
from ..simulated.world import SimulatedWorld
from .conversation import Instrument
from .ni_server import NiServer, serve_ni
from .ni_server_light import LightWire
from .serial_server import SerialServer
from .text_server import TextServer, make_instrument

__all__ = ["GAUGE_DIALECTS", "RF_DIALECTS", "VirtualLaboratory"]

RF_DIALECTS = (
    "keysight", "rigol-dg1000z", "rigol-dg4000", "siglent", "moglabs", "novatech-409b", "aa-mdsnc",
)  # fmt: skip
GAUGE_DIALECTS = ("pfeiffer-tpg", "mks-937b", "agilent-xgs600")
_SERIAL = ("novatech-409b", "aa-mdsnc", *GAUGE_DIALECTS)
_SENSOR = "full-range"
_DEVICE = "Dev1"
_PHASE_OUTPUT, _POWER_OUTPUT = "ao0", "ao1"
_LIGHT = {_PHASE_OUTPUT: LightWire(PHASE, 1.0), _POWER_OUTPUT: LightWire(POWER, 5.0)}


class _SharedWorld:
    """The world as the digitizer sees it: no step while another server changes something."""

    def __init__(self, world: SimulatedWorld, lock: threading.RLock) -> None:
        self._world, self._lock = world, lock
        self.settings = world.settings

    @property
    def idle(self) -> bool:
        """Whether world time rests."""
        return self._world.idle

    @idle.setter
    def idle(self, value: bool) -> None:
        with self._lock:
            self._world.idle = value

    def warm_up(self) -> None:
        with self._lock:
            self._world.warm_up()

    def begin_pattern(self) -> None:
        with self._lock:
            self._world.begin_pattern()

    def skip_pattern(self, samples: int) -> None:
        with self._lock:
            self._world.skip_pattern(samples)

    def advance(self, buffer: Any) -> Any:
        with self._lock:
            return self._world.advance(buffer)

    def skip(self, samples: int) -> None:
        with self._lock:
            self._world.skip(samples)


class _Shared:
    """A device whose calls exclude those of the other devices of the world."""

    def __init__(self, device: Any, lock: threading.RLock) -> None:
        self._device, self._lock = device, lock

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._device, name)
        return self._locked(value) if callable(value) else value

    def _locked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with self._lock:
                return method(*arguments)

        return call


class VirtualLaboratory:
    """Servers on one simulated world; they run until :meth:`stop`.

    Parameters
    ----------
    rig : Rig
        A simulated rig with RF source, gauge, gate and digitizer; those it lacks are not served.
    rf, gauge : str
        Drivers whose devices are imitated, of :data:`RF_DIALECTS` and :data:`GAUGE_DIALECTS`.
    host : str
        Address to listen on; ports are free ones.
    serial : bool
        Serve devices that have a serial line on a pseudo terminal instead of TCP.

    Raises
    ------
    InputError
        For a rig that is not simulated, or an unknown dialect.
    DeviceError
        If a port cannot be had, nidaqmx[grpc] or pyvisa are missing, or an instrument cannot stand
        in this laboratory (its frequencies do not reach the carrier).
    """

    def __init__(
        self,
        rig: Rig,
        *,
        rf: str = "keysight",
        gauge: str = "pfeiffer-tpg",
        host: str = "127.0.0.1",
        serial: bool = False,
    ) -> None:
        if not isinstance(rig.world, SimulatedWorld):
            raise InputError(f"rig {rig.name} is {rig.mode}: only a simulated one can be served")
        _require_known("RF source", rf, RF_DIALECTS)
        _require_known("gauge", gauge, GAUGE_DIALECTS)
        self._rig, self._world, self._host, self._serial = rig, rig.world, host, serial
        self._dialects = {"rf": rf, "gauge": gauge}
        self.lock = threading.RLock()
        self._texts: dict[str, TextServer | SerialServer] = {}
        self._ni: NiServer | None = None
        self._require_carrier()
        try:
            self._serve()
            self._light = self._light_table()
        except BaseException:
            self.stop()
            raise

    def _require_carrier(self) -> None:
        """Refuse a source whose frequencies do not reach the carrier of this laboratory."""
        dialect, carrier = self._dialects["rf"], self._world.settings.rf.carrier
        low, high = find_driver("rf", dialect).load().widest.frequency_range  # type: ignore[attr-defined]
        if self._rig.rf is not None and not low <= carrier <= high:
            raise DeviceError(
                f"{dialect} makes {1e-6 * low:g} … {1e-6 * high:g} MHz, and the carrier of rig "
                f"{self._rig.name} is {1e-6 * carrier:g} MHz: choose another source (--rf), or set "
                "devices.rf.carrier"
            )

    def _serve(self) -> None:
        """Start all servers."""
        self._world.warm_up()  # before a client waits: kernels may have to be compiled
        shared = cast("SimulatedWorld", _SharedWorld(self._world, self.lock))
        gate = self._rig.gate
        served = replace(
            self._rig,
            digitizer=SimulatedDigitizer(shared),
            gate=None if gate is None else cast("Any", _Shared(gate, self.lock)),
        )
        light = {o: w for o, w in _LIGHT.items() if w.signal in self._world.signals}
        self._ni = serve_ni(served, device=_DEVICE, host=self._host, light=light)
        for family, options in (("rf", {}), ("gauge", {"sensor": _SENSOR})):
            device = getattr(self._rig, family)
            if device is not None:
                shared_device = _Shared(device, self.lock)
                instrument = make_instrument(self._dialects[family], shared_device, **options)
                self._texts[family] = self._text_server(self._dialects[family], instrument)

    def _text_server(self, dialect: str, instrument: Instrument) -> TextServer | SerialServer:
        if self._serial and dialect in _SERIAL:
            return SerialServer(instrument)
        return TextServer(instrument, self._host)

    @property
    def ni(self) -> NiServer:
        """The NI card."""
        assert self._ni is not None
        return self._ni

    def stop(self) -> None:
        """Stop all servers; the world stays as it is. Safe to call twice."""
        for server in self._texts.values():
            server.stop()
        ni, self._ni = self._ni, None
        if ni is not None:
            ni.stop()

    def __enter__(self) -> VirtualLaboratory:
        """Serve within a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    # -- what a client needs ----------------------------------------------------------------------

    def tables(self) -> dict[str, dict[str, Any]]:
        """Tables of ``[devices]`` of the rig file that connects to this laboratory."""
        settings = self._world.settings
        tables: dict[str, dict[str, Any]] = {
            "digitizer": {
                "driver": "ni",
                "device": _DEVICE,
                "channels": [f"ai{i}" for i in range(len(settings.detectors))],
                "sample_rate": f"{settings.sample_rate!r} Hz",
                "full_scale": f"{settings.adc_range!r} V",
                "clock": "real-time" if settings.real_time else "fast",
                "grpc": self.ni.address,
            }
        }
        if self._rig.gate is not None:
            tables["gate"] = {"driver": "ni", "device": _DEVICE, "grpc": self.ni.address}
            tables["pattern"] = {"driver": "ni"}  # on the line of the gate
            if set(self._world.signals) >= {PHASE, POWER}:
                tables["pattern"] |= {
                    "phase_output": _PHASE_OUTPUT,
                    "phase_scale": f"{_LIGHT[_PHASE_OUTPUT].scale!r} V/rad",
                    "power_output": _POWER_OUTPUT,
                    "power_scale": f"{_LIGHT[_POWER_OUTPUT].scale!r} V",
                }
        for family, server in self._texts.items():
            tables[family] = {"driver": self._dialects[family], "address": server.visa_address}
        if "gauge" in tables:
            tables["gauge"]["sensor"] = _SENSOR
        if self._light is not None:
            tables["light"] = self._light
        return tables

    def _light_table(self) -> dict[str, Any] | None:
        """Calibration of the light path, once the driver has found the source as it should be."""
        server = self._texts.get("rf")
        if server is None or self._rig.slm is None:
            return None
        self._rig.slm.connect()
        pattern = self._rig.slm.read()
        offsets = list(pattern.phases)
        source = make_device(
            "rf", self._dialects["rf"], "rf", address=server.visa_address, channels=len(offsets)
        )
        source.connect()
        try:
            if source.capabilities.phase == "absent":
                tones = self._world_tones(len(offsets))
                offsets = [offset + tone.phase for offset, tone in zip(offsets, tones, strict=True)]
        finally:
            source.disconnect()
        rf = self._world.settings.rf
        return {
            "control": "aom",
            "carrier": f"{rf.carrier!r} Hz",
            "site_power": f"{rf.site_power!r} W",
            "full_amplitude": f"{rf.full_amplitude!r} V",
            "order": -1,  # as simulated.optics.calibration has it
            "phase_offset": [f"{offset!r} rad" for offset in offsets],
        }

    def _world_tones(self, count: int) -> list[Any]:
        assert self._rig.rf is not None
        with self.lock:
            return [self._rig.rf.read_tone(channel) for channel in range(count)]


def _require_known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise InputError(f"unknown dialect {name!r} of the {what}; known: {', '.join(known)}")
