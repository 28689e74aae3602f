"""Hatano–Nelson physics of chains: growth per site, skin effect, winding, amplification.

Neighbours that drive forward at g_f and backward at g_b are reciprocal in a stretched space:
ψ_j → e^{κj}ψ_j with κ = ln√(g_f/g_b). Under open boundaries every right vector therefore leans on
the same end; a ring, which cannot be stretched, shows nothing of it, but its spectrum encircles an
area. Where the spectrum of the ring winds around the frequency of a drive, the open chain
amplifies it exponentially in one direction (rotating wave, frequencies relative to the line).
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.ranges import require_count, require_finite, require_finite_array
from ...models.reprs import short_repr
from .modes import NormalModes
from .network import CouplingNetwork

__all__ = [
    "SkinEffect",
    "amplification_per_site",
    "bloch_band",
    "bulk_hops",
    "growth_per_site",
    "hatano_nelson_frequencies",
    "hatano_nelson_vectors",
    "skin_effect",
    "winding_number",
]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_LEANING = 0.2  # imbalance beyond which modes are said to sit at an end


def _check_hops(forward: float, backward: float) -> None:
    require_finite("forward", forward, "rad/s")
    require_finite("backward", backward, "rad/s")


def growth_per_site(forward: float, backward: float) -> float:
    """κ = ln√|g_f/g_b|: right vectors grow as e^{κj} along the chain; infinite if one-way.

    Parameters
    ----------
    forward, backward : float
        Couplings g_{j+1,j} and g_{j,j+1} of neighbours, rad/s.

    Returns
    -------
    float
        κ, e-foldings of an amplitude per site.

    References
    ----------
    N. Hatano and D. R. Nelson, PRL 77, 570 (1996).

    Examples
    --------
    >>> import optobind as ob
    >>> round(ob.theory.growth_per_site(4e3, 1e3), 6), ob.theory.growth_per_site(1e3, 1e3)
    (0.693147, 0.0)
    """
    _check_hops(forward, backward)
    if forward == 0.0 and backward == 0.0:
        return 0.0
    if forward == 0.0 or backward == 0.0:
        return math.copysign(math.inf, abs(forward) - abs(backward))
    return 0.5 * math.log(abs(forward / backward))


def hatano_nelson_frequencies(
    count: int, forward: float, backward: float, *, ring: bool = False
) -> Complex:
    """Frequencies of a uniform nearest-neighbour chain relative to its line, (count,), rad/s.

    Open: −2√(g_fg_b) cos(πm/(n+1)); ring: −g_f e^{−iq} − g_b e^{iq}.

    Parameters
    ----------
    count : int
        Number of particles.
    forward, backward : float
        Couplings g_{j+1,j} and g_{j,j+1} of neighbours, rad/s.
    ring : bool
        Whether the last particle is the first one's neighbour.

    Returns
    -------
    ndarray, shape (count,)
        Complex, rad/s.

    References
    ----------
    N. Hatano and D. R. Nelson, PRL 77, 570 (1996).

    Examples
    --------
    The open chain is stable; closed to a ring the same couplings grow.

    >>> import optobind as ob
    >>> chain = ob.theory.hatano_nelson_frequencies(8, 4e3, 1e3)
    >>> ring = ob.theory.hatano_nelson_frequencies(8, 4e3, 1e3, ring=True)
    >>> round(float(abs(chain.imag).max()), 6), round(float(ring.imag.max()), 6)
    (0.0, 3000.0)
    """
    _check_hops(forward, backward)
    require_count("count", count, 1)
    if ring:
        q = 2.0 * math.pi / count * np.arange(count)
        return bloch_band(q, [forward], [backward])
    m = np.arange(1, count + 1)
    return np.asarray(-2.0 * cmath.sqrt(forward * backward) * np.cos(math.pi * m / (count + 1)))


def hatano_nelson_vectors(count: int, forward: float, backward: float) -> Complex:
    """Right vectors of the open chain, (count, count), one column per frequency, norm 1."""
    _check_hops(forward, backward)
    require_count("count", count, 1)
    if forward == 0.0 or backward == 0.0:
        raise InputError("a one-way chain has one vector only: it is an exceptional point")
    j = np.arange(1, count + 1)
    # (g_f/g_b)^{j/2} with the branch of √(g_f g_b)/g_b that belongs to the frequencies.
    ratio = cmath.sqrt(forward * backward) / backward
    vectors = ratio ** j[:, None] * np.sin(math.pi * np.outer(j, j) / (count + 1))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=0))


def bulk_hops(network: CouplingNetwork, reach: int) -> tuple[Array, Array]:
    """Mean couplings to the n-th neighbour, forward g_{j+n,j} and backward g_{j,j+n}, (reach,).

    Parameters
    ----------
    network : CouplingNetwork
        A chain in its order.
    reach : int
        Most distant neighbour that counts, at least 1.

    Returns
    -------
    forward, backward : ndarray, shape (reach,)
        rad/s.

    Examples
    --------
    A step of the phase makes a chain of equal particles one-way.

    >>> import math
    >>> import optobind as ob
    >>> sphere = ob.load_trap("simulated-pair").spheres[0]
    >>> chain = ob.theory.linear_chain(sphere, 4, 2.8e-6, phase_step=0.25 * math.pi)
    >>> forward, backward = ob.theory.bulk_hops(ob.theory.CouplingNetwork.exact(chain), 2)
    >>> forward.shape, bool(abs(forward[0]) > 10.0 * abs(backward[0]))
    ((2,), True)
    """
    require_count("reach", reach, 1, network.count - 1)
    steps = range(1, reach + 1)
    return (
        np.array([np.diag(network.g, -n).mean() for n in steps]),
        np.array([np.diag(network.g, n).mean() for n in steps]),
    )


def bloch_band(q: ArrayLike, forward: ArrayLike, backward: ArrayLike) -> Complex:
    """Frequencies of waves e^{iqj} on an endless chain, relative to the line, rad/s.

    Parameters
    ----------
    q : array_like
        Phase per site, rad.
    forward, backward : array_like, shape (reach,)
        Couplings to the n-th neighbour, g_{j+n,j} and g_{j,j+n}, rad/s.

    Returns
    -------
    ndarray, shape of q
        Complex, rad/s; positive imaginary parts grow.

    References
    ----------
    N. Hatano and D. R. Nelson, PRL 77, 570 (1996).

    Examples
    --------
    Equal couplings make a real band, −2g cos q.

    >>> import optobind as ob
    >>> band = ob.theory.bloch_band([0.0, 1.0], [1e3], [1e3])
    >>> round(float(band[0].real), 6), round(float(abs(band.imag).max()), 6)
    (-2000.0, 0.0)
    """
    phase = require_finite_array("q", q, "rad")
    ahead = np.atleast_1d(require_finite_array("forward", forward, "rad/s"))
    back = np.atleast_1d(require_finite_array("backward", backward, "rad/s"))
    if ahead.shape != back.shape or ahead.ndim != 1:
        raise InputError(f"forward and backward differ in shape: {ahead.shape} and {back.shape}")
    turn = np.exp(-1j * phase[..., None] * np.arange(1, ahead.size + 1))
    return np.asarray(-(turn @ ahead + turn.conj() @ back))


def winding_number(
    forward: ArrayLike, backward: ArrayLike, reference: complex = 0.0, *, samples: int = 4096
) -> int:
    """How often the spectrum of the ring encircles a frequency; positive leans on the last end.

    Parameters
    ----------
    forward, backward : array_like, shape (reach,)
        As for :func:`bloch_band`.
    reference : complex
        Frequency relative to the line, rad/s. For a drive at real detuning δ of particles damped
        at γ it is δ + iγ/2: then a winding is topological amplification.
    samples : int
        Points of the band.

    Raises
    ------
    InputError
        If the band passes through the reference, where the winding is not defined.
    """
    require_count("samples", samples, 8)
    for part in ("real", "imag"):
        require_finite("reference", getattr(reference, part, math.nan), "rad/s")
    q = 2.0 * math.pi / samples * np.arange(samples + 1)
    offset = bloch_band(q, forward, backward) - complex(reference)
    steps = offset[1:] * offset[:-1].conj()
    if np.abs(offset).min() == 0.0 or np.abs(np.angle(steps)).max() > 0.5 * math.pi:
        raise InputError("the band passes through the reference: its winding is not defined")
    return -round(float(np.angle(steps).sum()) / (2.0 * math.pi))


def amplification_per_site(
    forward: float, backward: float, gamma: float, detuning: float = 0.0
) -> float:
    """Factor by which a driven amplitude grows from site to site deep inside an open chain.

    g_f/|x_+| with x_± = [E ± √(E² − 4g_fg_b)]/2, |x_+| ≥ |x_−|, E = detuning + iγ/2 (nearest
    neighbours, rotating wave, a chain that is stable). At resonance, with g_f and g_b of one sign,
    it exceeds 1 iff |g_f| − |g_b| > γ/2, which is where the band winds around E.

    Parameters
    ----------
    forward, backward : float
        Nearest-neighbour couplings, rad/s.
    gamma : float
        Energy damping rate of each particle, 1/s.
    detuning : float
        Drive minus line, rad/s.

    Returns
    -------
    float
        Ratio of the amplitudes of neighbours.

    Raises
    ------
    InputError
        For an undamped one-way chain at resonance.

    Examples
    --------
    A one-way chain amplifies beyond g = γ/2.

    >>> import optobind as ob
    >>> [round(ob.theory.amplification_per_site(g, 0.0, 2e3), 6) for g in (5e2, 1e3, 2e3)]
    [0.5, 1.0, 2.0]
    """
    _check_hops(forward, backward)
    energy = complex(
        require_finite("detuning", detuning, "rad/s"), 0.5 * require_finite("gamma", gamma, "1/s")
    )
    root = cmath.sqrt(energy**2 - 4.0 * forward * backward)
    largest = max(abs(energy + root), abs(energy - root)) / 2.0
    if largest == 0.0:
        raise InputError("an undamped one-way chain at resonance has no finite response")
    return abs(forward) / largest


@dataclass(frozen=True)
class SkinEffect:
    """Where the modes of a chain sit.

    Attributes
    ----------
    profile, left_profile : ndarray, shape (n,)
        Share of each particle in the motion of all modes, and in what excites them; sum 1.
    growth : float
        κ per site: half the slope of ln|R_kj/L_kj| along the chain, averaged over modes;
        ln√(g_f/g_b) for nearest neighbours, 0 for a reciprocal chain and for a uniform ring.
    imbalance : float
        Share of the second half of the chain minus that of the first, −1 … 1.
    """

    profile: Array
    left_profile: Array
    growth: float
    imbalance: float

    __repr__ = short_repr

    @property
    def end(self) -> Literal["first", "last", "none"]:
        """At which end right vectors sit."""
        if abs(self.imbalance) < _LEANING:
            return "none"
        return "last" if self.imbalance > 0.0 else "first"


def skin_effect(modes: NormalModes, axis: str = "z") -> SkinEffect:
    """Measure the skin effect of the modes along the order of the particles.

    Parameters
    ----------
    modes : NormalModes
        Of two particles or more; modes that move mostly along other axes are left out.
    axis : str
        The axis to look at.

    Returns
    -------
    SkinEffect
        Profiles, growth per site and the end at which the modes sit.

    Raises
    ------
    InputError
        For one particle, an axis that is not there, or no mode along it.

    References
    ----------
    N. Hatano and D. R. Nelson, PRL 77, 570 (1996).

    Examples
    --------
    A step of the phase along the chain drives every mode to its last particle.

    >>> import math
    >>> import optobind as ob
    >>> sphere = ob.load_trap("simulated-pair").spheres[0]
    >>> chain = ob.theory.linear_chain(sphere, 6, 2.8e-6, phase_step=0.25 * math.pi)
    >>> modes = ob.theory.normal_modes(ob.theory.level_lines(chain))
    >>> ob.theory.skin_effect(modes).end
    'last'
    """
    names = "".join(sorted(modes.axes))
    if not isinstance(axis, str) or axis not in names or len(axis) != 1:
        raise InputError(f"axis must be one of {names!r}, got {axis!r}")
    if modes.particles < 2:
        raise InputError("a skin effect needs two particles, the model has 1")
    number = names.index(axis)
    along = modes.participation[:, :, number].sum(axis=1) > 0.5
    if not along.any():
        raise InputError(f"no mode moves mostly along {axis}")
    right = modes.participation[along, :, number]
    left = modes.left_participation[along, :, number]
    profile, mirrored = right.mean(axis=0), left.mean(axis=0)
    half = modes.particles // 2
    return SkinEffect(
        profile=profile / profile.sum(),
        left_profile=mirrored / mirrored.sum(),
        growth=float(np.mean([_slope(r, ell) for r, ell in zip(right, left, strict=True)])),
        imbalance=float((profile[-half:].sum() - profile[:half].sum()) / profile.sum()),
    )


def _slope(right: Array, left: Array) -> float:
    """Slope of ¼ ln(|R_j|²/|L_j|²), weighted by |R_jL_j| so that nodes do not count."""
    floor = 1e-300
    j = np.arange(len(right), dtype=np.float64)
    weight = np.sqrt(right * left)
    value = 0.25 * np.log(np.maximum(right, floor) / np.maximum(left, floor))
    if not weight.any():
        return 0.0
    mean = (weight @ j) / weight.sum()
    spread = weight @ (j - mean) ** 2
    return float(weight @ ((j - mean) * value) / spread) if spread > 0.0 else 0.0
