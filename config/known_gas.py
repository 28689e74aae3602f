"""What a rig states of its gas and particles, as numbers that a run file keeps for fits."""

from __future__ import annotations

from typing import Any

from ..models.array import TrapArray
from .schema import RigConfig

__all__ = ["known_gas"]


def known_gas(config: RigConfig, trap: TrapArray | None) -> dict[str, Any] | None:
    """Gas, radii and relative standard errors, SI; None for what the rig does not state.

    Parameters
    ----------
    config : RigConfig
        The rig.
    trap : TrapArray or None
        Its particles and gas.
    """
    if trap is None or trap.gas is None or config.gas is None:
        return None
    gauge = None if config.devices is None else config.devices.gauge
    return {
        "species": trap.gas.species,
        "temperature": trap.gas.temperature,
        "pressure": trap.gas.pressure,
        "pressure_error": config.gas.pressure_error,
        "gauge_error": getattr(gauge, "accuracy", None),
        "radii": [sphere.radius for sphere in trap.spheres],
        "radius_errors": [particle.radius_error for particle in config.particles],
        "density_errors": [particle.density_error for particle in config.particles],
    }
