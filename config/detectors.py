"""The detectors of a rig, and what a run file keeps of its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..models.array import TrapArray
from .knobs import described_knobs
from .known_gas import known_gas
from .load import LoadedRig
from .schema import DetectorConfig

if TYPE_CHECKING:
    from ..instruments.rig import DetectorChannel

__all__ = ["calibrated", "detector_channels", "detector_name", "run_record"]


def calibrated(detectors: Sequence[DetectorConfig]) -> bool:
    """Whether the scale of every signal is known."""
    signals = [detector for detector in detectors if detector.role != "monitor"]
    return all(detector.volts_per_metre is not None for detector in signals)


def detector_channels(
    detectors: Sequence[DetectorConfig], names: Sequence[str]
) -> tuple[DetectorChannel, ...]:
    """Map every channel of a record; those that the rig does not name are monitors."""
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
                name=detector_name(detector),
                particle=detector.particle,
                role=detector.role,
                volts_per_metre=detector.volts_per_metre or 1.0,
                polarity=detector.polarity,
                low=detector.low,
                high=detector.high,
                delay=detector.delay,
                lowpass=detector.bandwidth,
            )
        )
    return tuple(channels)


def detector_name(detector: DetectorConfig) -> str:
    """Name of a detector: as given, or after its particle (counted from 1, as in formulas)."""
    if detector.name is not None:
        return detector.name
    if detector.particle is None:
        return f"monitor {detector.channel}"
    suffix = " in loop" if detector.role == "in_loop" else ""
    return f"z{detector.particle + 1}{suffix}"


def run_record(
    loaded: LoadedRig, trap: TrapArray | None, mode: str, *, calibrated: bool, **more: Any
) -> dict[str, Any]:
    """Collect what a run file keeps of the configuration, as JSON values.

    ``rig`` is the document with units, which gives the same rig again; ``masses`` (kg) and
    ``calibrated`` spare readers from interpreting it, and so do ``gas`` (species, temperature,
    radii, errors) and unit and range of its ``knobs``.
    """
    return {
        "name": loaded.name,
        "mode": mode,
        "rig": loaded.source,
        "masses": None if trap is None else [float(mass) for mass in trap.masses],
        "calibrated": calibrated,
        "gas": known_gas(loaded.config, trap),
        **({"knobs": knobs} if (knobs := described_knobs(loaded.config)) else {}),
        **more,
    }
