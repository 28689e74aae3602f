"""From particles, light and settings to a rig of simulated devices on one world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.array import TrapArray
from ...models.errors import InputError
from ..guard import GuardedLight, LightLimits
from ..rig import Rig
from ..tweezer_control import SlmRfControl
from .controller import SimulatedController
from .devices import SimulatedGate, SimulatedGauge, SimulatedRFSource, SimulatedSLM
from .digitizer import SimulatedDigitizer
from .mechanics import TrapMechanics
from .optics import OpticalPath, calibration
from .pattern_player import SimulatedPatternPlayer
from .settings import WorldSettings
from .world import SimulatedWorld

__all__ = ["build_simulated_rig", "build_world"]


def build_world(trap: TrapArray, settings: WorldSettings) -> SimulatedWorld:
    """Build the world of a trap.

    Raises
    ------
    NotTrappedError
        If the light does not hold the particles.
    InputError
        Without detectors, or for a detector of a particle that does not exist.
    """
    if not settings.detectors:
        raise InputError("a simulated rig needs at least one detector")
    return SimulatedWorld(TrapMechanics(trap), settings)


def build_simulated_rig(
    trap: TrapArray,
    settings: WorldSettings,
    *,
    name: str = "simulated",
    config: Mapping[str, Any] | None = None,
    controller: bool = False,
) -> Rig:
    """Build world and devices; ``rig.world`` is the :class:`~.world.SimulatedWorld`.

    Parameters
    ----------
    trap : TrapArray
        Particles, tweezers and gas.
    settings : WorldSettings
        The rest.
    name : str
        Name of the rig.
    config : mapping, optional
        Complete configuration as JSON values, kept in the rig.
    controller : bool
        Whether the rig has a feedback controller: gain and phase of the loops can be set then.

    Raises
    ------
    NotTrappedError
        If the light does not hold the particles.
    InputError
        For settings that do not fit the trap.
    """
    world = build_world(trap, settings)
    # Idle before the devices take over: the rounding of their settings must not kick particles.
    world.idle = True
    path = OpticalPath(world)
    slm, rf = SimulatedSLM(path, world), SimulatedRFSource(path, world)
    families, player = ["digitizer", "slm", "rf", "gate", "gauge"], None
    if controller:
        families.append("controller")
    if settings.pattern_offset is not None:
        families.append("pattern")
        player = SimulatedPatternPlayer(world, settings.pattern_offset)
    return Rig(
        name=name,
        mode="SIM",
        digitizer=SimulatedDigitizer(world),
        detectors=tuple(d.channel(i) for i, d in enumerate(settings.detectors)),
        trap=trap,
        light=GuardedLight(
            SlmRfControl(slm, rf, [calibration(settings)] * len(trap.spheres)), LightLimits(), trap
        ),
        gate=SimulatedGate(world),
        gauge=SimulatedGauge(world),
        slm=slm,
        rf=rf,
        pattern=player,
        controller=SimulatedController(world) if controller else None,
        drivers=dict.fromkeys(families, "simulated"),
        config=dict(config or {}),
        world=world,
        seed=settings.seed,
    )
