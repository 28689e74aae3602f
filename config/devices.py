"""Schema of ``[devices]``: each family with its drivers, each driver with its own keys.

Simulated devices are described here, real ones in :mod:`.hardware` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ..acquisition.sweeps.knobs import require_new_name
from .fields import (
    Accuracy,
    Bits,
    Damping,
    Delay,
    Efficiency,
    FieldOfView,
    Frequency,
    Ordinal,
    PhaseLevels,
    Power,
    RadioFrequency,
    SampleRate,
    Seed,
    Share,
    Table,
    Voltage,
)
from .hardware import (
    AaTable,
    AgilentTable,
    GaugeTable,
    MksTable,
    NiGateTable,
    NovatechTable,
    RFTable,
    ScpiTable,
    SpectrumDdsTable,
)
from .hardware_controllers import SimulatedController, ZurichControllerTable
from .hardware_digitizers import (
    NiDigitizerTable,
    PicoScopeTable,
    RedPitayaTable,
    SpectrumTable,
    ZurichTable,
)
from .hardware_knobs import (
    PluginKnob,
    PluginSensor,
    PyMeasureKnob,
    PyMeasureSensor,
    QcodesKnob,
    QcodesSensor,
    SimulatedKnobTable,
    SimulatedSensorTable,
)
from .hardware_light import AodLight, AomLight, SlmLight, SlmRfLight
from .hardware_patterns import NiPatternTable
from .hardware_slm import DisplaySlmTable, SlmsuiteTable
from .plugins import (
    PLUGIN,
    PluginController,
    PluginDigitizer,
    PluginGate,
    PluginGauge,
    PluginPattern,
    PluginRF,
    PluginSlm,
)

__all__ = [
    "DevicesConfig",
    "ReplayConfig",
    "SimulatedController",
    "SimulatedDigitizer",
    "SimulatedGate",
    "SimulatedGauge",
    "SimulatedPattern",
    "SimulatedRF",
    "SimulatedSlm",
    "SimulationConfig",
]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


class SimulationConfig(Table):
    """Settings of the simulated laboratory as a whole: seed and clock.

    ``clock = "auto"`` is real-time in the window and in a virtual laboratory, as fast as possible
    in ``optobind run``, where nobody watches. The record depends on the seed, not on the clock.
    ``cross_talk`` is the share of every other particle's signal that each detector shows.
    """

    seed: Seed = 1
    cross_talk: Share = 0.0
    clock: Literal["auto", "real-time", "fast"] = "auto"

    def real_time(self, *, watched: bool) -> bool:
        """Whether the clock is that of the wall, with or without somebody who watches."""
        return self.clock == "real-time" or (self.clock == "auto" and watched)


class SimulatedDigitizer(Table):
    """The digitizer of the simulated laboratory; ``full_scale`` is the largest voltage."""

    driver: Literal["simulated"]
    sample_rate: SampleRate = 2e6
    bits: Bits = 16
    full_scale: Voltage = 1.0


class ReplayConfig(Table):
    """Plays a recorded file: a run file, NPZ, LeCroy ``.raw``/``.trc``, or CSV with a rate."""

    driver: Literal["replay"]
    path: Annotated[str, Field(min_length=1)]
    speed: Literal["real-time", "fast"] = "real-time"
    loop: bool = False
    sample_rate: SampleRate | None = None


class SimulatedSlm(Table):
    """The SLM of the simulated laboratory: full field of view, levels, settling."""

    driver: Literal["simulated"]
    field_of_view: FieldOfView = 60e-6
    phase_levels: PhaseLevels = 256
    time_constant: Delay = 5e-3


class SimulatedRF(Table):
    """The RF source and AOMs of the simulated laboratory; ``site_power`` at full diffraction."""

    driver: Literal["simulated"]
    carrier: RadioFrequency = 80e6
    site_power: Power = 1.0


class SimulatedGauge(Table):
    """The gauge of the simulated laboratory: relative standard deviation of a reading."""

    driver: Literal["simulated"]
    accuracy: Accuracy = 0.01


class SimulatedGate(Table):
    """The feedback gate and loop of the simulated laboratory.

    ``damping`` is Γ/2π, one value or one per particle; ``corner`` and ``delay`` are the loop's. The
    gate itself acts ``switch_delay`` after its command, give or take ``switch_jitter``. With
    ``loopback`` a last channel of the digitizer shows it, as a cable to a spare input would.
    """

    driver: Literal["simulated"]
    damping: Annotated[list[Damping], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        default_factory=lambda: [1000.0]
    )
    corner: Frequency = 250e3
    delay: Delay = 1e-6
    efficiency: Efficiency = 0.3
    closed: bool = True
    switch_delay: Delay = 0.0
    switch_jitter: Delay = 0.0
    loopback: bool = False


class SimulatedPattern(Table):
    """The pattern player of the simulated laboratory; edges act ``offset`` samples late."""

    driver: Literal["simulated"]
    offset: Ordinal = 0


def _tags(*arms: type[Table]) -> Callable[[object], str | None]:
    """Tell the arms of a family apart by ``driver``; what none of them names is a plugin's."""
    tags: dict[str, str] = {}
    for arm in arms:
        names = get_args(arm.model_fields["driver"].annotation)
        tags |= dict.fromkeys(names, names[0])

    def tag(value: object) -> str | None:
        driver = value.get("driver") if isinstance(value, dict) else getattr(value, "driver", None)
        if not isinstance(driver, str):
            return None
        return tags.get(driver, PLUGIN)

    return tag


Digitizer = Annotated[
    Annotated[SimulatedDigitizer, Tag("simulated")]
    | Annotated[ReplayConfig, Tag("replay")]
    | Annotated[NiDigitizerTable, Tag("ni")]
    | Annotated[RedPitayaTable, Tag("redpitaya")]
    | Annotated[PicoScopeTable, Tag("picoscope")]
    | Annotated[SpectrumTable, Tag("spectrum")]
    | Annotated[ZurichTable, Tag("zurich")]
    | Annotated[PluginDigitizer, Tag(PLUGIN)],
    Discriminator(
        _tags(
            SimulatedDigitizer,
            ReplayConfig,
            NiDigitizerTable,
            RedPitayaTable,
            PicoScopeTable,
            SpectrumTable,
            ZurichTable,
        )
    ),
]
Slm = Annotated[
    Annotated[SimulatedSlm, Tag("simulated")]
    | Annotated[DisplaySlmTable, Tag("display")]
    | Annotated[SlmsuiteTable, Tag("slmsuite")]
    | Annotated[PluginSlm, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedSlm, DisplaySlmTable, SlmsuiteTable)),
]
RF = Annotated[
    Annotated[SimulatedRF, Tag("simulated")]
    | Annotated[RFTable, Tag("siglent")]
    | Annotated[ScpiTable, Tag("keysight")]
    | Annotated[NovatechTable, Tag("novatech-409b")]
    | Annotated[AaTable, Tag("aa-mdsnc")]
    | Annotated[SpectrumDdsTable, Tag("spectrum-dds")]
    | Annotated[PluginRF, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedRF, RFTable, ScpiTable, NovatechTable, AaTable, SpectrumDdsTable)),
]
Gauge = Annotated[
    Annotated[SimulatedGauge, Tag("simulated")]
    | Annotated[GaugeTable, Tag("pfeiffer-tpg")]
    | Annotated[MksTable, Tag("mks-937b")]
    | Annotated[AgilentTable, Tag("agilent-xgs600")]
    | Annotated[PluginGauge, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedGauge, GaugeTable, MksTable, AgilentTable)),
]
Gate = Annotated[
    Annotated[SimulatedGate, Tag("simulated")]
    | Annotated[NiGateTable, Tag("ni")]
    | Annotated[PluginGate, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedGate, NiGateTable)),
]
Pattern = Annotated[
    Annotated[SimulatedPattern, Tag("simulated")]
    | Annotated[NiPatternTable, Tag("ni")]
    | Annotated[PluginPattern, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedPattern, NiPatternTable)),
]
Knob = Annotated[
    Annotated[SimulatedKnobTable, Tag("simulated")]
    | Annotated[PyMeasureKnob, Tag("pymeasure")]
    | Annotated[QcodesKnob, Tag("qcodes")]
    | Annotated[PluginKnob, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedKnobTable, PyMeasureKnob, QcodesKnob)),
]
Sensor = Annotated[
    Annotated[SimulatedSensorTable, Tag("simulated")]
    | Annotated[PyMeasureSensor, Tag("pymeasure")]
    | Annotated[QcodesSensor, Tag("qcodes")]
    | Annotated[PluginSensor, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedSensorTable, PyMeasureSensor, QcodesSensor)),
]
Controller = Annotated[
    Annotated[SimulatedController, Tag("simulated")]
    | Annotated[ZurichControllerTable, Tag("zurich")]
    | Annotated[PluginController, Tag(PLUGIN)],
    Discriminator(_tags(SimulatedController, ZurichControllerTable)),
]
Light = Annotated[SlmLight | SlmRfLight | AomLight | AodLight, Field(discriminator="control")]


class DevicesConfig(Table):
    """The devices by family, and how SLM and RF make the light of real ones."""

    digitizer: Digitizer | None = None
    slm: Slm | None = None
    rf: RF | None = None
    gauge: Gauge | None = None
    gate: Gate | None = None
    pattern: Pattern | None = None
    controller: Controller | None = None
    light: Light | None = None
    knobs: dict[str, Knob] = Field(default_factory=dict)
    sensors: dict[str, Sensor] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names(self) -> DevicesConfig:
        """Knobs and sensors share their names with plans and records."""
        for name in (*self.knobs, *self.sensors):
            require_new_name(name)
        both = self.knobs.keys() & self.sensors.keys()
        if both:
            raise ValueError(
                f"has {min(both)} as a knob and as a sensor: a knob is recorded as it is, give the "
                "sensor another name"
            )
        return self
