"""From a validated rig to the objects that it describes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..models.array import TrapArray
from ..models.errors import InputError
from ..models.gas import Gas
from ..models.sphere import MATERIALS, Sphere
from ..models.tweezer import Tweezer
from .detectors import calibrated, detector_channels, detector_name, run_record
from .devices import (
    DevicesConfig,
    ReplayConfig,
    SimulatedController,
    SimulatedDigitizer,
    SimulatedGate,
    SimulatedGauge,
    SimulatedPattern,
    SimulatedRF,
    SimulatedSlm,
)
from .knobs import with_named
from .load import LoadedRig
from .schema import DetectorConfig, ParticleConfig, RigConfig, TweezerConfig

if TYPE_CHECKING:
    from ..instruments.controller_protocol import FeedbackController
    from ..instruments.rig import Rig
    from ..instruments.simulated.settings import DetectorSettings, WorldSettings

__all__ = ["build_rig", "build_trap", "require_one_world", "world_settings"]

_FAMILIES = ("digitizer", "slm", "rf", "gauge", "gate", "pattern", "controller")

# Imports of the simulated laboratory and of replay are kept inside the functions that need them:
# predictions are to start quickly.


def _sphere(particle: ParticleConfig) -> Sphere:
    """Make a sphere; a material supplies what is not given."""
    index, density = particle.index, particle.density
    if particle.material is not None:
        usual_index, usual_density = MATERIALS[particle.material]
        index = usual_index if index is None else index
        density = usual_density if density is None else density
    assert index is not None
    assert density is not None
    return Sphere(particle.radius, density, index, particle.charge)


def _tweezer(tweezer: TweezerConfig) -> Tweezer:
    x, y, z = tweezer.position
    return Tweezer(
        (x, y, z),
        tweezer.power,
        tweezer.waist_x,
        tweezer.waist_y,
        tweezer.phase,
        tweezer.polarization,
        tweezer.detuning,
        tweezer.direction,
    )


def _measured(config: RigConfig) -> tuple[float | tuple[float, float, float], ...] | None:
    """Measured frequencies in rad/s; the schema has seen that all or none are given."""
    result: list[float | tuple[float, float, float]] = []
    for particle in config.particles:
        if particle.measured_frequency is None:
            return None
        omegas = [math.tau * frequency for frequency in particle.measured_frequency]
        result.append(omegas[0] if len(omegas) == 1 else (omegas[0], omegas[1], omegas[2]))
    return tuple(result)


def build_trap(config: RigConfig) -> TrapArray:
    """Make the particles, tweezers and gas of a rig.

    Raises
    ------
    InputError
        For what no single key can show: touching spheres, a waist below λ/4, slow beats.
    """
    gas = config.gas
    return TrapArray(
        spheres=tuple(_sphere(particle) for particle in config.particles),
        tweezers=tuple(_tweezer(tweezer) for tweezer in config.tweezers),
        wavelength=config.wavelength,
        gas=None if gas is None else Gas(gas.pressure, gas.temperature, gas.species),
        radiative_correction=config.radiative_correction,
        measured_omegas=_measured(config),
    )


def build_rig(loaded: LoadedRig, *, watched: bool = True) -> Rig:
    """Make the devices of a rig; nothing is connected yet.

    Parameters
    ----------
    loaded : LoadedRig
        From :func:`~.load.read_rig`.
    watched : bool
        Whether somebody watches: decides what ``simulation.clock = "auto"`` means.

    Raises
    ------
    InputError
        If no digitizer or detector is configured, or devices do not go together.
    DeviceError
        If the driver of a real device cannot be loaded.
    NotTrappedError
        If the light of a simulated rig does not hold the particles.
    FileError
        If the file to be replayed cannot be read.
    """
    config = loaded.config
    devices = config.devices
    if devices is None or devices.digitizer is None:
        raise InputError(
            f"rig {loaded.name} has no digitizer: add [devices.digitizer] with driver = "
            '"simulated", "replay" or that of a card, see optobind instruments list'
        )
    if not config.detectors:
        raise InputError(f"rig {loaded.name} has no detectors: add [[detectors]]")
    if isinstance(devices.digitizer, ReplayConfig):
        return _replay_rig(loaded, devices.digitizer, devices)
    require_one_world(loaded.name, devices)
    if devices.pattern is not None and devices.gate is None:
        raise InputError(
            f"rig {loaded.name} has a pattern player but no gate: add [devices.gate], which closes "
            "what the player leaves"
        )
    if isinstance(devices.digitizer, SimulatedDigitizer):
        rig = _simulated_rig(loaded, devices.digitizer, devices, watched)
    else:
        from .live import build_live_rig

        rig = build_live_rig(loaded, build_trap(config))
    return with_named(rig, config)


def require_one_world(name: str, devices: DevicesConfig) -> None:
    """Refuse real devices beside simulated ones: neither would see what the other does.

    Raises
    ------
    InputError
        Names both kinds.
    """
    tables: dict[str, Any] = {family: getattr(devices, family) for family in _FAMILIES}
    tables |= {f"knob {name}": table for name, table in devices.knobs.items()}
    tables |= {f"sensor {name}": table for name, table in devices.sensors.items()}
    present = {family: table.driver for family, table in tables.items() if table is not None}
    simulated = [family for family, driver in present.items() if driver == "simulated"]
    real = [family for family in present if family not in simulated]
    if simulated and real:
        raise InputError(
            f"rig {name} mixes real devices ({', '.join(real)}) with simulated ones "
            f"({', '.join(simulated)}): make all of them real, or all simulated"
        )
    if simulated and devices.light is not None:
        raise InputError(
            f"rig {name} is simulated: its world makes the light from SLM and RF by itself, leave "
            "devices.light out"
        )


def _simulated_rig(
    loaded: LoadedRig, digitizer: SimulatedDigitizer, devices: DevicesConfig, watched: bool
) -> Rig:
    """Build the simulated laboratory; families that the rig leaves out do not exist."""
    from ..instruments.simulated.build import build_simulated_rig

    config = loaded.config
    settings = world_settings(config, digitizer, devices, watched=watched)
    trap = build_trap(config)
    clock = "real-time" if settings.real_time else "fast"
    record = run_record(loaded, trap, "SIM", calibrated=True, clock=clock)
    present = {family: getattr(devices, family) is not None for family in _FAMILIES}
    rig = build_simulated_rig(
        trap, settings, name=loaded.name, config=record, controller=present["controller"]
    )
    return replace(
        rig,
        slm=rig.slm if present["slm"] else None,
        rf=rig.rf if present["rf"] else None,
        gauge=rig.gauge if present["gauge"] else None,
        gate=rig.gate if present["gate"] else None,
        pattern=rig.pattern if present["pattern"] else None,
        controller=_controller(rig, devices),
        light=rig.light if present["slm"] and present["rf"] else None,
        drivers={name: driver for name, driver in rig.drivers.items() if present[name]},
        seed=config.simulation.seed,
    )


def _controller(rig: Rig, devices: DevicesConfig) -> FeedbackController | None:
    """Controller of a simulated rig within its limits, if the rig has one."""
    if rig.controller is None or not isinstance(devices.controller, SimulatedController):
        return None
    from .hardware_controllers import within_limits

    return within_limits(rig.controller, devices.controller.limits())


def _replay_rig(loaded: LoadedRig, replay: ReplayConfig, devices: DevicesConfig) -> Rig:
    """Play a file; without a calibration of every signal, in volts and without particles."""
    from ..acquisition.replay import ReplayDigitizer
    from ..instruments.rig import Rig as MadeRig

    others = [f for f in (*_FAMILIES[1:], "light", "knobs", "sensors") if getattr(devices, f)]
    if others:
        raise InputError(
            f"rig {loaded.name} replays a file: {', '.join(f'devices.{f}' for f in others)} "
            "cannot act on it, leave it out"
        )
    digitizer = ReplayDigitizer(
        replay.path,
        loop=replay.loop,
        real_time=replay.speed == "real-time",
        sample_rate=replay.sample_rate,
        name="digitizer",
    )
    identity = digitizer.connect()  # now, so that an unreadable file is found before a run begins
    names = digitizer.info.channels
    digitizer.disconnect()
    detectors = loaded.config.detectors
    if len(detectors) > len(names):
        raise InputError(f"rig {loaded.name} has {len(detectors)} detectors, but {identity}")
    scaled = calibrated(detectors)
    trap = build_trap(loaded.config) if scaled else None
    return MadeRig(
        name=loaded.name,
        mode="REPLAY",
        digitizer=digitizer,
        detectors=detector_channels(detectors, names),
        trap=trap,
        drivers={"digitizer": "replay"},
        config=run_record(loaded, trap, "REPLAY", calibrated=scaled, clock=replay.speed),
    )


def world_settings(
    config: RigConfig,
    digitizer: SimulatedDigitizer,
    devices: DevicesConfig,
    *,
    watched: bool = True,
) -> WorldSettings:
    """Translate the configuration for the simulated laboratory; ``watched`` as in build_rig."""
    from ..instruments.simulated.settings import (
        FeedbackSettings,
        RfSettings,
        SlmSettings,
        WorldSettings,
    )

    slm = devices.slm if isinstance(devices.slm, SimulatedSlm) else None
    rf = devices.rf if isinstance(devices.rf, SimulatedRF) else None
    gauge = devices.gauge if isinstance(devices.gauge, SimulatedGauge) else None
    gate = devices.gate if isinstance(devices.gate, SimulatedGate) else None
    pattern = devices.pattern if isinstance(devices.pattern, SimulatedPattern) else None
    loops = devices.controller if isinstance(devices.controller, SimulatedController) else None
    seen = sorted(config.detectors, key=lambda detector: detector.channel)
    if gate is not None and gate.loopback:
        seen.append(DetectorConfig(channel=len(seen), name="loopback", role="monitor"))
    return WorldSettings(
        sample_rate=digitizer.sample_rate,
        seed=config.simulation.seed,
        real_time=config.simulation.real_time(watched=watched),
        adc_range=digitizer.full_scale,
        adc_bits=digitizer.bits,
        detectors=tuple(_detector_settings(detector) for detector in seen),
        cross_talk=_cross_talk(config.simulation.cross_talk, len(seen)),
        feedback=FeedbackSettings()
        if gate is None
        else FeedbackSettings(
            damping=tuple(math.tau * value for value in gate.damping),
            corner=gate.corner,
            delay=gate.delay,
            efficiency=gate.efficiency,
            closed=gate.closed,
            switch_delay=gate.switch_delay,
            switch_jitter=gate.switch_jitter,
            phase=() if loops is None else tuple(loops.phase),
            gain_error=() if loops is None else tuple(loops.gain_error),
            phase_offset=() if loops is None else tuple(loops.phase_offset),
        ),
        slm=SlmSettings()
        if slm is None
        else SlmSettings(
            field_of_view=slm.field_of_view,
            phase_levels=slm.phase_levels,
            time_constant=slm.time_constant,
        ),
        rf=RfSettings() if rf is None else RfSettings(carrier=rf.carrier, site_power=rf.site_power),
        gauge_accuracy=0.01 if gauge is None else gauge.accuracy,
        pattern_offset=None if pattern is None else pattern.offset,
    )


def _cross_talk(share: float, size: int) -> tuple[tuple[float, ...], ...]:
    """Mixing of the detectors' signals; empty for none."""
    if share == 0.0:
        return ()
    return tuple(tuple(1.0 if i == j else share for j in range(size)) for i in range(size))


def _detector_settings(detector: DetectorConfig) -> DetectorSettings:
    from ..instruments.simulated.settings import DetectorSettings

    usual = DetectorSettings(name="", particle=0)
    return DetectorSettings(
        name=detector_name(detector),
        particle=detector.particle,
        role=detector.role,
        efficiency=usual.efficiency if detector.efficiency is None else detector.efficiency,
        volts_per_metre=usual.volts_per_metre
        if detector.volts_per_metre is None
        else detector.volts_per_metre,
        polarity=detector.polarity,
        gain_error=detector.gain_error,
        electronic_noise=detector.noise,
        offset=detector.offset,
        bandwidth=detector.bandwidth,
        delay=detector.delay,
    )
