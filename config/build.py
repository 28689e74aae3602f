"""From a validated rig to the objects that it describes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..models.array import TrapArray
from ..models.errors import InputError
from ..models.gas import Gas
from ..models.sphere import MATERIALS, Sphere
from ..models.tweezer import Tweezer
from .devices import DevicesConfig, ReplayConfig, SimulatedDigitizer
from .load import LoadedRig
from .schema import DetectorConfig, ParticleConfig, RigConfig, TweezerConfig

if TYPE_CHECKING:
    from ..instruments.rig import DetectorChannel, Rig
    from ..instruments.simulated.settings import DetectorSettings, WorldSettings

__all__ = ["build_rig", "build_trap", "world_settings"]

_FAMILIES = ("digitizer", "slm", "rf", "gauge", "gate")

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


def build_rig(loaded: LoadedRig) -> Rig:
    """Make the devices of a rig; nothing is connected yet.

    Raises
    ------
    InputError
        If no digitizer or detector is configured, or devices do not go together.
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
            '"simulated" or "replay"'
        )
    if not config.detectors:
        raise InputError(f"rig {loaded.name} has no detectors: add [[detectors]]")
    if isinstance(devices.digitizer, ReplayConfig):
        return _replay_rig(loaded, devices.digitizer, devices)
    return _simulated_rig(loaded, devices.digitizer, devices)


def _simulated_rig(loaded: LoadedRig, digitizer: SimulatedDigitizer, devices: DevicesConfig) -> Rig:
    """Build the simulated laboratory; families that the rig leaves out do not exist."""
    from ..instruments.simulated.build import build_simulated_rig

    config = loaded.config
    settings = world_settings(config, digitizer, devices)
    trap = build_trap(config)
    rig = build_simulated_rig(
        trap, settings, name=loaded.name, config=_record(loaded, trap, "SIM", calibrated=True)
    )
    present = {family: getattr(devices, family) is not None for family in _FAMILIES}
    return replace(
        rig,
        slm=rig.slm if present["slm"] else None,
        rf=rig.rf if present["rf"] else None,
        gauge=rig.gauge if present["gauge"] else None,
        gate=rig.gate if present["gate"] else None,
        light=rig.light if present["slm"] and present["rf"] else None,
        drivers={name: driver for name, driver in rig.drivers.items() if present[name]},
        seed=config.simulation.seed,
    )


def _replay_rig(loaded: LoadedRig, replay: ReplayConfig, devices: DevicesConfig) -> Rig:
    """Play a file; without a calibration of every signal, in volts and without particles."""
    from ..acquisition.replay import ReplayDigitizer
    from ..instruments.rig import Rig as MadeRig

    others = [f for f in _FAMILIES[1:] if getattr(devices, f) is not None]
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
    signals = [detector for detector in detectors if detector.role != "monitor"]
    calibrated = all(detector.volts_per_metre is not None for detector in signals)
    trap = build_trap(loaded.config) if calibrated else None
    return MadeRig(
        name=loaded.name,
        mode="REPLAY",
        digitizer=digitizer,
        detectors=_channels(detectors, names),
        trap=trap,
        drivers={"digitizer": "replay"},
        config=_record(loaded, trap, "REPLAY", calibrated=calibrated),
    )


def _channels(
    detectors: Sequence[DetectorConfig], names: Sequence[str]
) -> tuple[DetectorChannel, ...]:
    """Map every channel of a file; those that the rig does not name are monitors."""
    from ..instruments.rig import DetectorChannel as Channel

    known = {detector.channel: detector for detector in detectors}
    channels = []
    for number, name in enumerate(names):
        detector = known.get(number)
        if detector is None:
            channels.append(Channel(number, name, None, role="monitor"))
            continue
        channels.append(
            Channel(
                channel=number,
                name=_name_of(detector),
                particle=detector.particle,
                role=detector.role,
                volts_per_metre=detector.volts_per_metre or 1.0,
                polarity=detector.polarity,
            )
        )
    return tuple(channels)


def world_settings(
    config: RigConfig, digitizer: SimulatedDigitizer, devices: DevicesConfig
) -> WorldSettings:
    """Translate the configuration for the simulated laboratory."""
    from ..instruments.simulated.settings import (
        FeedbackSettings,
        RfSettings,
        SlmSettings,
        WorldSettings,
    )

    slm, rf, gauge, gate = devices.slm, devices.rf, devices.gauge, devices.gate
    detectors = sorted(config.detectors, key=lambda detector: detector.channel)
    return WorldSettings(
        sample_rate=digitizer.sample_rate,
        seed=config.simulation.seed,
        real_time=config.simulation.clock == "real-time",
        adc_range=digitizer.full_scale,
        adc_bits=digitizer.bits,
        detectors=tuple(_detector_settings(detector) for detector in detectors),
        feedback=FeedbackSettings()
        if gate is None
        else FeedbackSettings(
            damping=tuple(math.tau * value for value in gate.damping),
            corner=gate.corner,
            delay=gate.delay,
            efficiency=gate.efficiency,
            closed=gate.closed,
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
    )


def _name_of(detector: DetectorConfig) -> str:
    """Name of a detector: as given, or after its particle (counted from 1, as in formulas)."""
    if detector.name is not None:
        return detector.name
    if detector.particle is None:
        return f"monitor {detector.channel}"
    suffix = " in loop" if detector.role == "in_loop" else ""
    return f"z{detector.particle + 1}{suffix}"


def _detector_settings(detector: DetectorConfig) -> DetectorSettings:
    from ..instruments.simulated.settings import DetectorSettings

    usual = DetectorSettings(name="", particle=0)
    return DetectorSettings(
        name=_name_of(detector),
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
    )


def _record(
    loaded: LoadedRig, trap: TrapArray | None, mode: str, *, calibrated: bool
) -> dict[str, Any]:
    """Collect what a run file keeps of the configuration, as JSON values.

    ``rig`` is the document with units, which gives the same rig again; ``masses`` (kg) and
    ``calibrated`` spare readers from interpreting it.
    """
    return {
        "name": loaded.name,
        "mode": mode,
        "rig": loaded.source,
        "masses": None if trap is None else [float(mass) for mass in trap.masses],
        "calibrated": calibrated,
    }
