"""State of the simulated world between two set-points, and the kernels that advance it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.rng import new_stream
from .closed_loop import ClosedLoop, build_closed_loop
from .detection import all_detectors, detection_chain, in_loop_detectors, lower_root
from .feedback import design_loop, held_force_input, ring_length
from .kernels import Chain, Dynamics, Loop, Memory, Table, advance_many, advance_pair
from .mechanics import OperatingPoint
from .settings import WorldSettings
from .truth import fit_truth

__all__ = ["Engine"]

_NO_TRUTH = np.zeros((0, 0))
_WARM_UP_LIMIT = 2**20


class Engine:
    """States, filters and random streams, with the kernels' arrays for one operating point.

    Parameters
    ----------
    settings : WorldSettings
        Sample rate, detectors, feedback.
    point : OperatingPoint
        Where to begin, all particles present.
    seeds : sequence of SeedSequence
        For dynamics, detection and drawn states.

    Raises
    ------
    InputError
        For a detector of a particle that does not exist.
    """

    def __init__(
        self, settings: WorldSettings, point: OperatingPoint, seeds: list[np.random.SeedSequence]
    ) -> None:
        count = len(point.masses)
        for detector in settings.detectors:
            if detector.particle is not None and not 0 <= detector.particle < count:
                raise InputError(
                    f"detector {detector.name!r} sees particle {detector.particle}, "
                    f"allowed: 0 … {count - 1}"
                )
        self._settings = settings
        self._detectors = all_detectors(settings, count)
        self._in_loop = in_loop_detectors(self._detectors, count)
        self._floor = np.zeros(len(self._detectors))
        self._rng = np.random.default_rng(seeds[2])
        self.point = point
        self.present: tuple[bool, ...] = (True,) * count
        self.gate = settings.feedback.closed
        self.equilibrium_step = np.zeros(count)
        self._turn = 0  # of the table: setting of the next sample
        self.memory = Memory(
            state=np.zeros(2 * count),
            low_pass=np.zeros(len(self._detectors)),
            filtered=np.zeros(count),
            ring=np.zeros((count, ring_length(settings))),
            cursor=np.zeros(1, dtype=np.int64),
            streams=np.stack([new_stream(seeds[0]), new_stream(seeds[1])]),
        )
        self.prepare()

    def prepare(self) -> None:
        """Compute the arrays of the kernels for the present operating point and gate."""
        point, dt = self.point, 1.0 / self._settings.sample_rate
        step, covariance = point.model.discretise(dt)
        self._table: Table | None = None
        drift = np.zeros(len(step))
        drift[0::2] = -self.equilibrium_step / point.lengths
        self._dynamics = Dynamics(
            step=np.ascontiguousarray(step),
            root=lower_root(covariance),
            force=np.ascontiguousarray(held_force_input(point.model.drift, dt)),
            drift=drift,
            limits=point.limits / point.lengths,
        )
        self._chains: dict[bool, Chain] = {}
        self._detect()
        self._loop = self._loop_of(self._settings)

    def _loop_of(self, settings: WorldSettings) -> Loop:
        """Feedback law of given settings at the present operating point."""
        return design_loop(
            settings,
            self._detectors,
            self._in_loop,
            self._chain,
            self.point,
            self.present,
            self.memory.ring.shape[1],
        )

    def retune(self, settings: WorldSettings) -> None:
        """Take the feedback of other settings over; what its filters hold stays."""
        self._settings = settings
        self._loop = self._loop_of(settings)

    def switch(self, closed: bool) -> None:
        """Close or open the feedback gate."""
        self.gate = closed
        self._detect()

    def _detect(self) -> None:
        """Compute the arrays of the detection kernel, once for each position of the gate."""
        if self.gate not in self._chains:
            self._chains[self.gate], self._floor = detection_chain(
                self._settings, self._detectors, self.point, self._floor, self.present, self.gate
            )
        self._chain = self._chains[self.gate]

    def install(
        self, point: OperatingPoint, present: tuple[bool, ...], *, keep_deviation: bool
    ) -> None:
        """Exchange the operating point; positions and momenta in SI stay as they are.

        ``keep_deviation`` lets the particles follow an equilibrium that moves slowly. What the
        feedback's filters hold stays the same in metres.
        """
        old, state = self.point, self.memory.state
        ratio = old.lengths / point.lengths
        state[0::2] *= ratio
        state[1::2] /= ratio
        if not keep_deviation:
            state[0::2] += (old.equilibrium - point.equilibrium) / point.lengths
        self.memory.filtered[:] *= ratio
        self.memory.ring[:] *= ratio[:, None]
        for j, there in enumerate(present):
            if not there:
                state[2 * j : 2 * j + 2] = 0.0
        self.point, self.present = point, present
        self.prepare()

    def table(
        self,
        point: OperatingPoint,
        models: list[LinearModel],
        forces: NDArray[np.float64],
        order: NDArray[np.int64],
    ) -> Table:
        """Steps of light that changes with each sample.

        Parameters
        ----------
        point : OperatingPoint
            Of the mean light.
        models : list of LinearModel
            One for each setting of the light, on the scale of the point.
        forces : ndarray, shape (settings, N)
            Of each setting, quanta of momentum a second.
        order : ndarray of int64
            Which setting holds at each sample, over and over.
        """
        dt = 1.0 / self._settings.sample_rate
        steps, covariances = zip(*(model.discretise(dt) for model in models), strict=True)
        held = np.array([held_force_input(model.drift, dt) for model in models])
        return Table(
            step=np.ascontiguousarray(steps),
            root=np.array([lower_root(covariance) for covariance in covariances]),
            force=np.ascontiguousarray(held),
            drift=np.einsum("ksj,kj->ks", held, forces),
            limits=point.limits / point.lengths,
            order=np.ascontiguousarray(order),
        )

    def modulate(self, table: Table, turn: int) -> None:
        """Step by a table from its setting ``turn`` on, until another point is installed."""
        self._table, self._turn = table, turn

    def rest(self, equilibrium: NDArray[np.float64]) -> None:
        """Stop the motion of the equilibria where they are, m."""
        self.point = replace(self.point, equilibrium=equilibrium)
        self.equilibrium_step = np.zeros_like(equilibrium)
        self.prepare()

    def run(self, counts: NDArray[np.int16], truth: NDArray[np.float64] | None) -> tuple[int, bool]:
        """Fill ``counts`` until its end or a loss; return rows made and whether one was clipped."""
        pair = len(self.present) == 2 and self._table is None
        table = self._table or Table.steady(self._dynamics)
        made, clipped = (advance_pair if pair else advance_many)(
            self._dynamics if pair else table._replace(order=np.roll(table.order, -self._turn)),
            self._chain,
            self._loop,
            self.memory,
            float(self.gate),
            counts,
            _NO_TRUTH if truth is None else truth,
        )
        self._turn = (self._turn + int(made)) % len(table.order)
        return int(made), bool(clipped)

    def lose_what_left(self) -> bool:
        """Lose particles that are where the linear model is nonsense; whether there are any."""
        out = np.abs(self.memory.state[0::2]) > self._dynamics.limits
        self.present = tuple(
            there and not bool(gone) for there, gone in zip(self.present, out, strict=True)
        )
        return bool(out.any())

    def closed_loop(
        self, gate: bool | None = None, settings: WorldSettings | None = None
    ) -> ClosedLoop:
        """Exact discrete system of states, filters, delays and detectors.

        ``settings`` have the feedback as it would be.
        """
        closed, dt = self.gate if gate is None else gate, 1.0 / self._settings.sample_rate
        loop = self._loop if settings is None else self._loop_of(settings)
        return build_closed_loop(self._dynamics, self._chain, loop, closed, dt)

    def line(self, particle: int) -> float:
        """Line ω̃_j of a particle without mutual coupling, rad/s; 0 where it has none."""
        drift = self.point.model.drift
        square = -float(drift[2 * particle + 1, 2 * particle]) * self.point.omega
        return math.sqrt(max(0.0, square))

    def truth(self) -> dict[str, float]:
        """Truth of a pair fit, see :func:`~.truth.fit_truth`."""
        return fit_truth(
            self._settings,
            self._detectors,
            self.point,
            self._chain,
            self._loop,
            self.gate,
        )

    def thermalise(self, particles: Iterable[int]) -> None:
        """Draw states as cold as feedback would keep each particle alone, filters empty."""
        noise, drift = self.point.model.noise, self.point.model.drift
        for j in particles:
            p = 2 * j + 1
            feedback = self._settings.feedback
            damping = feedback.damping_of(j) * math.cos(feedback.lead_of(j)) - float(drift[p, p])
            variance = max(0.5, 0.5 * float(noise[p, p]) / damping) if damping > 0.0 else 0.5
            variance = min(variance, (0.01 * float(self._dynamics.limits[j])) ** 2)
            draw = self._rng.standard_normal(2) * math.sqrt(variance)
            self.memory.state[2 * j : 2 * j + 2] = draw
            self.memory.filtered[j] = 0.0
            self.memory.ring[j] = 0.0

    def warm_up(self) -> None:
        """Let a stable closed loop forget how it began."""
        rate = self.closed_loop().growth_rate if self.gate else 0.0
        if rate >= 0.0:
            return
        samples = min(int(10.0 / -rate * self._settings.sample_rate), _WARM_UP_LIMIT)
        self.run(np.zeros((samples, len(self._settings.detectors)), dtype=np.int16), None)
