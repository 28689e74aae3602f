"""Trajectories of N particles in 3D in the full field, with gas and correlated recoil noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...models.array import TrapArray
from ...models.constants import BOLTZMANN
from ...models.errors import InputError
from ...models.ranges import require_range
from ...models.rng import new_stream
from .anharmonic import trap_sizes
from .packing import Beams, Particles, make_work, pack_beams, pack_particles
from .recoil import kick_root
from .settings import TrajectorySettings, resolve_step
from .starts import Start, starting_states
from .stepping import KEPT, TOUCHED, Bath, Limits, State, advance
from .trajectory import Loss, Trajectory

__all__ = ["simulate_full_field"]

_Array = NDArray[np.float64]
_MOST_BYTES = 4e9
_CHUNK_STEPS = 2_000_000  # between looks at the keyboard


def simulate_full_field(
    trap: TrapArray,
    duration: float,
    settings: TrajectorySettings | None = None,
    *,
    start: Start = "rest",
    seed: int = 0,
    trajectories: int | None = None,
) -> Trajectory:
    """Integrate the equations of motion of every particle along x, y and z.

    Forces as in :meth:`TrapArray.forces`, momentum diffusion as in
    :meth:`TrapArray.momentum_diffusion`, stepped as :mod:`.stepping` describes. The gas is
    classical, kT per mode.

    Parameters
    ----------
    trap : TrapArray
        Particles in Gaussian beams.
    duration : float
        s; rounded to whole samples, at least one.
    settings : TrajectorySettings, optional
        Step, sampling, and which effects act.
    start : "rest", "thermal" or (positions, velocities)
        At the equilibrium and cold, in the thermal state of the harmonic traps at the temperature
        of the gas, or arrays (n, 3) or (m, n, 3) in m and m/s.
    seed : int
        Seed; trajectory i draws from the i-th child of its SeedSequence, whatever m is.
    trajectories : int, optional
        Number m of independent runs; None for one run without the leading axis.

    Returns
    -------
    Trajectory
        Times (s,), positions and velocities (s, n, 3), or (m, s, n, 3) of m runs.

    Raises
    ------
    InputError
        For a step too long, a start that does not match, beams behind an objective, measured
        frequencies, or a record of more than 4 GB.
    NotTrappedError
        If the array has no equilibrium.

    References
    ----------
    B. Leimkuhler and C. Matthews, Appl. Math. Res. Express 2013, 34 (2013).

    Examples
    --------
    Without gas, recoil, binding and scattering energy is conserved.

    >>> import numpy as np
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> still = ob.theory.TrajectorySettings(
    ...     gas=False, recoil=False, binding=False, scattering=False
    ... )
    >>> start = (trap.foci + 1e-8, np.zeros((2, 3)))
    >>> energy = ob.theory.simulate_full_field(trap, 1e-4, still, start=start).energy(trap)
    >>> bool(np.ptp(energy) < 1e-4 * abs(energy.mean()))
    True
    """
    settings = TrajectorySettings() if settings is None else settings
    if not isinstance(settings, TrajectorySettings):
        raise InputError(f"settings must be TrajectorySettings, got {type(settings).__name__}")
    count = 1 if trajectories is None else trajectories
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise InputError(f"trajectories must be a whole number of at least 1, got {trajectories!r}")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"seed must be a whole number of at least 0, got {seed!r}")
    if trap.measured_omegas is not None:
        raise InputError(
            "measured_omegas do not shape the light: for trajectories choose waists that give "
            "these frequencies and use replace(trap, measured_omegas=None)"
        )
    beams = pack_beams(trap, settings.detunings)
    particles = pack_particles(trap, binding=settings.binding, scattering=settings.scattering)
    dt = resolve_step(trap, settings)
    rows = _sample_count(duration, dt * settings.sample_every, count, len(trap.spheres))
    draws, noise = np.random.SeedSequence(seed).spawn(2)
    r, v = starting_states(trap, start, count, draws)
    positions = np.empty((count, rows + 1, *r.shape[1:]))
    velocities = np.empty_like(positions)
    positions[:, 0], velocities[:, 0] = r, v
    alive = np.ones((count, rows + 1), dtype=bool)
    bath, limits = _bath(trap, settings, dt), _limits(trap, settings)
    losses = []
    for index, child in enumerate(noise.spawn(count)):
        state = State(r[index], v[index], new_stream(child), np.zeros(1, dtype=np.int64))
        run = _Run(beams, particles, bath, limits, dt, settings.sample_every)
        loss = run.fill(index, state, positions[index], velocities[index], alive[index])
        losses += [] if loss is None else [loss]
    single = trajectories is None
    return Trajectory(
        times=np.asarray(np.arange(rows + 1) * (dt * settings.sample_every), dtype=np.float64),
        positions=positions[0] if single else positions,
        velocities=velocities[0] if single else velocities,
        alive=alive[0] if single else alive,
        losses=tuple(losses),
        dt=dt,
    )


def _sample_count(duration: float, interval: float, count: int, particles: int) -> int:
    """Samples after the first one."""
    rows = max(1, round(require_range("duration", duration, 0.0, 1e6, "s") / interval))
    size = 48.0 * (rows + 1) * count * particles
    if size > _MOST_BYTES:
        raise InputError(
            f"the record would need {size / 1e9:.3g} GB, at most {_MOST_BYTES / 1e9:g} GB are "
            "allowed: use a larger sample_every, fewer trajectories or a shorter duration"
        )
    return rows


class _Run:
    """One trajectory at a time, in chunks."""

    def __init__(
        self,
        beams: Beams,
        particles: Particles,
        bath: Bath,
        limits: Limits,
        dt: float,
        every: int,
    ) -> None:
        self.parts = (beams, particles, bath, limits)
        self.work = make_work(beams, len(particles.mass))
        self.dt, self.every = dt, every

    def fill(
        self,
        index: int,
        state: State,
        positions: _Array,
        velocities: _Array,
        alive: NDArray[np.bool_],
    ) -> Loss | None:
        """Fill the samples after the first one; what is lost ends the run."""
        chunk = max(1, _CHUNK_STEPS // self.every)
        done = 1
        while done < len(positions):
            some = slice(done, min(done + chunk, len(positions)))
            rows, particle, how = advance(
                *self.parts,
                self.work,
                state,
                self.dt,
                self.every,
                positions[some],
                velocities[some],
            )
            done += rows
            if how != KEPT:
                positions[done:], velocities[done:] = positions[done - 1], velocities[done - 1]
                alive[done:] = False
                last = state.positions[particle]
                where = last if np.isfinite(last).all() else positions[done - 1, particle]
                return Loss(
                    trajectory=index,
                    particle=int(particle),
                    time=float(state.steps[0] * self.dt),
                    position=(float(where[0]), float(where[1]), float(where[2])),
                    reason="touched" if how == TOUCHED else "escaped",
                )
        return None


def _bath(trap: TrapArray, settings: TrajectorySettings, dt: float) -> Bath:
    """Gas and recoil; the kicks belong to the equilibrium until they are refreshed."""
    n, mass = len(trap.spheres), trap.masses
    gas = trap.gas if settings.gas else None
    gamma = trap.damping_rates
    temperature = gas.temperature if gas is not None and settings.thermal_noise else 0.0
    heat = 2.0 * mass * gamma * BOLTZMANN * temperature
    recoil = np.zeros((3 * n, 3 * n))
    if settings.recoil:
        recoil = np.ascontiguousarray(trap.momentum_diffusion(trap.equilibrium()).real)
    root = np.zeros((3 * n, 3 * n))
    kick_root(recoil, heat, gamma, mass, dt, root)
    noisy = settings.recoil or bool(gamma.any())
    refresh = settings.recoil_refresh if settings.recoil else 0
    return Bath(np.exp(-gamma * dt), gamma, heat, root, noisy, refresh)


def _limits(trap: TrapArray, settings: TrajectorySettings) -> Limits:
    """Where the particles are lost."""
    size = trap_sizes(trap)
    return Limits(
        home=trap.foci,
        across=settings.lost_waists * size[:, :2],
        along=settings.lost_rayleighs * size[:, 2],
        radius=np.array([sphere.radius for sphere in trap.spheres]),
    )
