"""What the records of a seek say of the rig, with every reading of them that is not ruled out.

Couplings turn with φ and kd, so that the first few records can often be read in several ways: each
is a maximum of the posterior, found by a scan of the offsets of φ and kd, and has a weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...array import TrapArray
from ...coefficients import ArrayCoefficients
from ...families import pair_family
from ..joint.belief import Belief, Nearness
from ..joint.frame import Tolerances
from ..joint.law import LAW, PairLaw, PairSetting
from ..joint.points import FORESEEN
from .steered import CROSS, MIXING, Knobs, SteeredLaw
from .targets import Doubts

__all__ = ["Finding", "Reading", "prior_of", "readings"]

_Array = NDArray[np.float64]

_PHASES, _DISTANCES = 24, 9
_KEPT = 6
_APART = 0.5  # rad: nearer starts are one
_NEGLIGIBLE = 1e-4  # weight
_SAMPLED = 12  # settings at which the law is fitted to first principles, in φ and in d


@dataclass(frozen=True)
class Finding:
    """What was found at a setting.

    Attributes
    ----------
    setting : Knobs
        As read back.
    measured : ndarray, shape (m,)
        Estimates, rad/s.
    covariance : ndarray, shape (m, m)
        Theirs.
    names : tuple of str
        Some of ``FORESEEN``.
    heating : (float, float)
        D_11 and D_22, 1/s.
    """

    setting: Knobs
    measured: NDArray[np.float64]
    covariance: NDArray[np.float64]
    names: tuple[str, ...] = FORESEEN
    heating: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Reading:
    """One way to read the records: its weight among all, and what is known then."""

    weight: float
    belief: Belief[Knobs]

    def value(self, name: str) -> float:
        """Value of a parameter."""
        return float(self.belief.values[self.belief.law.parameters.index(name)])

    def stderr(self, name: str) -> float:
        """Standard error of a parameter in doubt."""
        at = self.belief.names.index(name)
        return math.sqrt(float(self.belief.covariance[at, at]))


def prior_of(trap: TrapArray, origin: Knobs, doubts: Doubts) -> Belief[Knobs]:
    """What a rig file says of its pair, from first principles, and how sure it is.

    Parameters
    ----------
    trap : TrapArray
        As the file has it.
    origin : Knobs
        The light of the beginning.
    doubts : Doubts
        Standard errors.
    """
    law = PairLaw.of(trap)
    law = replace(law, power=0.5 * origin.total)
    values = _nominal(trap, law, origin)
    rate = values["G"] / (law.k * origin.distance)
    known = {**values, **dict.fromkeys(CROSS, 0.0), "mix_12": 0.0, "mix_21": 0.0, "gain_2": 1.0}
    errors = {
        "G": doubts.coupling * values["G"],
        "kd_0": law.k * doubts.distance,
        "phi_0": doubts.phase,
        "kappa": 0.1,
        "omega_0": doubts.line * values["omega_0"],
        "balance_0": doubts.balance,
        **dict.fromkeys(CROSS, doubts.knobs),
        **dict.fromkeys(MIXING, doubts.detectors),
    }
    # What the law lacks against first principles: the shares of global fits.
    tolerances = Tolerances(0.008 * rate, 0.08 * rate, 0.0, doubts.drift)
    return Belief.beforehand(SteeredLaw(law, origin), known, errors, tolerances, Nearness())


def _nominal(trap: TrapArray, law: PairLaw, origin: Knobs) -> dict[str, float]:
    """Values of the law that follow first principles best about the light of the beginning."""
    phases = np.linspace(-math.pi, math.pi, _SAMPLED, endpoint=False)
    places = origin.distance + np.linspace(-0.2, 0.2, 5) * trap.wavelength
    phi, distance = (g.ravel() for g in np.meshgrid(phases, places, indexing="ij"))
    family = pair_family(trap, phi=phi, separation=distance, balance=origin.balance)
    exact, omegas = fitted_columns(family.coefficients().held)
    powers = family.powers.reshape(-1, 2)
    omega = float((omegas / np.sqrt(powers / law.power)).mean())
    settings = [
        PairSetting(p, d, (float(w[0]), float(w[1])))
        for p, d, w in zip(phi.tolist(), distance.tolist(), powers, strict=True)
    ]
    start = {"kd_0": 0.0, "phi_0": 0.0, "kappa": 0.95, "balance_0": 0.0, "omega_slope": 0.5}
    start |= {"G": 1.0, "omega_0": omega}
    shape = law.columns(np.array([[start[n] for n in LAW]]), settings)[0, :, :3]
    start["G"] = float((shape * exact[:, :3]).sum() / (shape**2).sum())
    # The shift of the equilibria is of the size of G: fitted once G is known to a few per cent.
    rate = start["G"] / (law.k * origin.distance)
    belief = Belief.beforehand(
        law, start, {"G": 0.2 * start["G"], "kappa": 0.3}, Tolerances(0.008 * rate, rate, 0.0)
    )
    for setting, columns in zip(settings[::3], exact[::3], strict=True):
        belief = belief.with_record(setting, columns, np.eye(5))
    values = belief.settled().values
    return dict(zip(LAW, values.tolist(), strict=True))


def fitted_columns(held: ArrayCoefficients) -> tuple[_Array, _Array]:
    """What fits find of arrays: ``FORESEEN`` (n, 5) in their convention, and bare ω_j (n, 2).

    With ω̃_j² = ω_j² + 2ωs_j and q = ω/[(ω̃_1 + ω̃_2)/2]: g → qg, D → qD (physics.md §2).
    """
    omegas, omega, shifts = held.omegas, held.omega, held.shifts
    lines = np.sqrt(omegas**2 + 2.0 * omega[..., None] * shifts)
    q = omega / lines.mean(axis=-1)
    plus, minus = held.couplings[..., 0, 1], held.couplings[..., 1, 0]
    cross = held.rates[..., 0, 1].real
    couplings = q[..., None] * np.stack(
        [0.5 * (plus + minus), 0.5 * (plus - minus), cross], axis=-1
    )
    return np.concatenate([couplings, lines], axis=-1), omegas


def readings(prior: Belief[Knobs], findings: Sequence[Finding]) -> tuple[Reading, ...]:
    """Every reading of the findings that is not ruled out, the likeliest first.

    Without findings it is the prior alone.
    """
    if not findings:
        return (Reading(1.0, prior),)
    heating = np.mean([f.heating for f in findings], axis=0)
    law = prior.law
    assert isinstance(law, SteeredLaw)
    one, two = (float(d) for d in heating)
    belief = replace(prior, law=replace(law, heating=(one, two)))
    for f in findings:
        belief = belief.with_record(f.setting, f.measured, f.covariance, f.names)
    belief = replace(belief, first=replace(prior, law=belief.law))
    found = [belief.settled(start) for start in _starts(belief)]
    costs = np.array([f.cost() - np.linalg.slogdet(f.covariance)[1] for f in found])
    shares = np.exp(-0.5 * (costs - costs.min()))
    kept: list[tuple[float, Belief[Knobs]]] = []
    for i in np.argsort(-shares).tolist():
        if shares[i] > _NEGLIGIBLE and all(_differ(found[i], other) for _, other in kept):
            kept.append((float(shares[i]), found[i]))
    total = sum(share for share, _ in kept)
    return tuple(Reading(share / total, one) for share, one in kept)


def _differ(one: Belief[Knobs], other: Belief[Knobs]) -> bool:
    at = {n: one.law.parameters.index(n) for n in ("phi_0", "kd_0")}
    turned = math.remainder(one.values[at["phi_0"]] - other.values[at["phi_0"]], math.tau)
    moved = one.values[at["kd_0"]] - other.values[at["kd_0"]]
    return math.hypot(turned, float(moved)) > 0.1


def _starts(belief: Belief[Knobs]) -> list[_Array]:
    """Values from which the maxima are looked for: best of a scan of φ_0 and kd_0, apart."""
    every, first = belief.law.parameters, belief.first
    assert first is not None
    at = {n: every.index(n) for n in ("phi_0", "kd_0", "omega_0", "balance_0", "G")}
    base = first.values.copy()
    base[[at["omega_0"], at["balance_0"]]] = _lines(belief, base, at)
    width = math.sqrt(first.covariance[first.names.index("kd_0"), first.names.index("kd_0")])
    phases = np.linspace(-math.pi, math.pi, _PHASES, endpoint=False)
    shifts = np.linspace(-2.5, 2.5, _DISTANCES) * width
    grid = np.array([(p, s) for p in phases for s in shifts])
    values = np.tile(base, (len(grid), 1))
    values[:, at["phi_0"]] += grid[:, 0]
    values[:, at["kd_0"]] += grid[:, 1]
    cost = _scanned(belief, values) + (grid[:, 1] / width) ** 2
    kept: list[int] = []
    for i in np.argsort(cost).tolist():
        if all(
            math.hypot(math.remainder(grid[i, 0] - grid[j, 0], math.tau), grid[i, 1] - grid[j, 1])
            > _APART
            for j in kept
        ):
            kept.append(i)
        if len(kept) == _KEPT:
            break
    return [values[i] for i in kept]


def _scanned(belief: Belief[Knobs], values: _Array) -> _Array:
    """χ² of the couplings of all records, shape (k,), with room for what is not scanned."""
    law = belief.law
    assert isinstance(law, SteeredLaw)
    size = float(values[0, law.parameters.index("G")]) / (law.law.k * law.origin.distance)
    means, cost = law.columns(values, [r.setting for r in belief.records]), np.zeros(len(values))
    room = np.array([0.15 * size, 0.15 * size, 0.15 * size + 0.02 * sum(law.heating)])
    for i, record in enumerate(belief.records):
        used = [j for j, row in enumerate(record.rows) if row < len(room)]
        columns = [record.rows[j] for j in used]
        apart = record.measured[used] - means[:, i, columns]
        cost += (apart**2 / (np.diag(record.covariance)[used] + room[columns] ** 2)).sum(axis=1)
    return cost


def _lines(belief: Belief[Knobs], base: _Array, at: Mapping[str, int]) -> tuple[float, float]:
    """Frequency of the traps and what is added to the balance, from the lines alone."""
    means = belief.law.columns(base[None], [r.setting for r in belief.records])[0]
    places = {name: FORESEEN.index(name) for name in ("omega_1", "omega_2")}
    ratios = [
        [r.measured[r.rows.index(p)] / mean[p] for p in places.values()]
        for r, mean in zip(belief.records, means, strict=True)
        if all(p in r.rows for p in places.values())
    ]
    if not ratios:
        return float(base[at["omega_0"]]), float(base[at["balance_0"]])
    one, two = np.mean(ratios, axis=0)
    size = 0.5 * (one + two)
    return float(base[at["omega_0"]] * size), float((two - one) / size)
