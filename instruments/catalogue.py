"""Which drivers there are: those shipped here and those that other packages announce.

A package announces a driver with an entry point in one of the groups ``optobind.digitizer``,
``optobind.rf``, ``optobind.slm``, ``optobind.gauge``, ``optobind.gate``, ``optobind.pattern``,
``optobind.knob``, ``optobind.sensor``, ``optobind.controller``: its name is the driver's name in
rig files, its value a factory ``(name: str, **options) -> device`` (usually the class).
Nothing is imported before a driver is asked for; a broken plugin is reported and harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, Literal

from ..models.errors import DeviceError, InputError

__all__ = ["FAMILIES", "DriverSpec", "Family", "drivers", "find_driver", "make_device"]

Family = Literal[
    "digitizer", "rf", "slm", "gauge", "gate", "pattern", "controller", "knob", "sensor"
]
FAMILIES: tuple[Family, ...] = (
    "digitizer", "rf", "slm", "gauge", "gate", "pattern", "controller", "knob", "sensor",
)  # fmt: skip

Exercised = Literal["virtual laboratory", "scripted", "not exercised", "plugin"]


@dataclass(frozen=True)
class DriverSpec:
    """A driver that a rig file may name.

    Attributes
    ----------
    family : str
        Kind of device.
    name : str
        The value of ``driver`` in the rig file.
    factory : str
        ``module:object``, relative to ``optobind.instruments`` if it begins with a dot.
    extra : str or None
        Extra of the package that brings what the driver imports.
    summary : str
        Devices it drives.
    exercised : str
        What it has been tried on.
    """

    family: Family
    name: str
    factory: str
    extra: str | None
    summary: str
    exercised: Exercised

    def load(self) -> Callable[..., Any]:
        """Import the factory.

        Raises
        ------
        DeviceError
            If the import fails; names the remedy.
        """
        module, _, attribute = self.factory.partition(":")
        package = __package__ if module.startswith(".") else None
        try:
            loaded = import_module(module, package)
            return getattr(loaded, attribute)  # type: ignore[no-any-return]
        except Exception as error:  # a plugin may fail in any way
            remedy = f"install it with pip install optobind[{self.extra}]" if self.extra else ""
            text = f"driver {self.name!r} ({self.family}) cannot be loaded: {error}"
            raise DeviceError(f"{text}; {remedy}" if remedy else text) from error


_SHIPPED: tuple[DriverSpec, ...] = (
    DriverSpec("rf", "keysight", ".rf.scpi:KeysightSource", "visa",
               "Keysight 33500B/33600A", "virtual laboratory"),
    DriverSpec("rf", "rigol-dg1000z", ".rf.scpi:RigolDG1000ZSource", "visa",
               "Rigol DG1000Z", "virtual laboratory"),
    DriverSpec("rf", "rigol-dg4000", ".rf.scpi:RigolDG4000Source", "visa",
               "Rigol DG4000", "virtual laboratory"),
    DriverSpec("rf", "siglent", ".rf.siglent:SiglentSource", "visa",
               "Siglent SDG", "virtual laboratory"),
    DriverSpec("rf", "moglabs", ".rf.moglabs:MoglabsSource", "visa",
               "MOGLabs QRF and XRF", "virtual laboratory"),
    DriverSpec("rf", "novatech-409b", ".rf.novatech:NovatechSource", "visa",
               "Novatech 409B", "virtual laboratory"),
    DriverSpec("rf", "aa-mdsnc", ".rf.aa:AaSource", "visa",
               "AA Opto-Electronic MDSnC (no phase)", "virtual laboratory"),
    DriverSpec("rf", "spectrum-dds", ".rf.spectrum:SpectrumDdsSource", "spectrum",
               "Spectrum M4i with DDS firmware", "scripted"),
    DriverSpec("gauge", "pfeiffer-tpg", ".gauges.pfeiffer:PfeifferGauge", "visa",
               "Pfeiffer TPG 26x/36x", "virtual laboratory"),
    DriverSpec("gauge", "mks-937b", ".gauges.mks:MksGauge", "visa",
               "MKS 937B", "virtual laboratory"),
    DriverSpec("gauge", "agilent-xgs600", ".gauges.agilent:AgilentGauge", "visa",
               "Agilent XGS-600", "virtual laboratory"),
    DriverSpec("slm", "display", ".slm.display:DisplaySLM", "gui",
               "any SLM that is a screen", "virtual laboratory"),
    DriverSpec("slm", "slmsuite", ".slm.vendor:SlmsuiteSLM", "slm",
               "Holoeye, Meadowlark, Hamamatsu, Santec, TI through slmsuite", "scripted"),
    DriverSpec("digitizer", "ni", ".digitizers.ni:NiDigitizer", "ni",
               "National Instruments through NI-DAQmx", "virtual laboratory"),
    DriverSpec("digitizer", "redpitaya", ".digitizers.redpitaya:RedPitayaDigitizer", None,
               "Red Pitaya, SCPI server", "virtual laboratory"),
    DriverSpec("digitizer", "picoscope", ".digitizers.picoscope:PicoScopeDigitizer", "picoscope",
               "PicoScope 5000A streaming", "scripted"),
    DriverSpec("digitizer", "spectrum", ".digitizers.spectrum:SpectrumDigitizer", "spectrum",
               "Spectrum M2p/M4i FIFO", "scripted"),
    DriverSpec("digitizer", "zurich", ".digitizers.zurich:ZurichDigitizer", "zurich",
               "Zurich Instruments HF2/MFLI/UHFLI demodulators", "scripted"),
    DriverSpec("gate", "ni", ".digitizers.ni_gate:NiGate", "ni",
               "digital output of a National Instruments card", "virtual laboratory"),
    DriverSpec("pattern", "ni", ".digitizers.ni_pattern:NiPatternPlayer", "ni",
               "clocked lines, counters and outputs of a National Instruments card",
               "virtual laboratory"),
    DriverSpec("controller", "zurich", ".controllers.zurich:ZurichController", "zurich",
               "loops of a Zurich Instruments lock-in", "scripted"),
    DriverSpec("knob", "pymeasure", ".knobs.pymeasure_adapter:PyMeasureKnob", "pymeasure",
               "a property of any PyMeasure instrument", "virtual laboratory"),
    DriverSpec("knob", "qcodes", ".knobs.qcodes_adapter:QcodesKnob", "qcodes",
               "a parameter of any QCoDeS instrument", "virtual laboratory"),
    DriverSpec("sensor", "pymeasure", ".knobs.pymeasure_adapter:PyMeasureSensor", "pymeasure",
               "a property of any PyMeasure instrument", "virtual laboratory"),
    DriverSpec("sensor", "qcodes", ".knobs.qcodes_adapter:QcodesSensor", "qcodes",
               "a parameter of any QCoDeS instrument", "virtual laboratory"),
)  # fmt: skip


def _announced(family: Family) -> Iterator[DriverSpec]:
    """Drivers of other packages; their entry points are read, nothing is imported."""
    for entry in metadata.entry_points(group=f"optobind.{family}"):
        package = entry.dist.name if entry.dist is not None else "an unknown package"
        yield DriverSpec(family, entry.name, entry.value, None, f"from {package}", "plugin")


def drivers(family: Family | None = None) -> tuple[DriverSpec, ...]:
    """All drivers, shipped ones first; a plugin cannot take a shipped name.

    Parameters
    ----------
    family : str, optional
        Only these.
    """
    found: dict[tuple[str, str], DriverSpec] = {}
    for spec in _SHIPPED:
        found[spec.family, spec.name] = spec
    for kind in FAMILIES:
        for spec in _announced(kind):
            found.setdefault((kind, spec.name), spec)
    return tuple(spec for spec in found.values() if family in (None, spec.family))


def find_driver(family: Family, name: str) -> DriverSpec:
    """Look a driver up.

    Raises
    ------
    InputError
        For an unknown name; lists the known ones.
    """
    known = {spec.name: spec for spec in drivers(family)}
    if name not in known:
        names = ", ".join(["simulated", *sorted(known)])
        raise InputError(f"unknown {family} driver {name!r}; known: {names}")
    return known[name]


def make_device(family: Family, driver: str, name: str, **options: Any) -> Any:
    """Make a device that is not connected yet.

    Raises
    ------
    InputError
        For an unknown driver or an option that it does not take.
    DeviceError
        If the driver cannot be loaded.
    """
    factory = find_driver(family, driver).load()
    try:
        return factory(name, **options)
    except TypeError as error:
        raise InputError(f"{family} driver {driver!r}: {error}") from None
