"""How a drive travels through an array: transfer functions, amplification, stability margins.

Responses are found through a Schur form: one decomposition, then back substitution for all
frequencies at once. Unlike a sum over modes this stays accurate where modes nearly coincide, as
they do in every chain that amplifies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.ranges import require_finite_array
from ...models.reprs import short_repr

__all__ = ["EndToEnd", "critical_damping", "end_to_end", "stability_margin", "transfer_function"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class EndToEnd:
    """Response of the last particle to a drive of the first, and back.

    Attributes
    ----------
    frequencies : ndarray, shape (n_freq,)
        Hz.
    forward, backward : ndarray, shape (n_freq,)
        z_last/f_first and z_first/f_last in common quanta, s.
    alone : tuple of float
        Response of the first and of the last particle, were it alone and driven at resonance, s.
    """

    frequencies: Array
    forward: Complex
    backward: Complex
    alone: tuple[float, float]

    __repr__ = short_repr

    @property
    def forward_db(self) -> Array:
        """Amplification from the first to the last, (n_freq,), dB.

        20 log10 of |z_last| over what the driven particle would do alone at resonance.
        """
        return _decibel(np.abs(self.forward) / self.alone[0])

    @property
    def backward_db(self) -> Array:
        """Amplification from the last to the first, (n_freq,), dB."""
        return _decibel(np.abs(self.backward) / self.alone[1])

    @property
    def direction_db(self) -> Array:
        """Direction ratio, 20 log10 |forward/backward|, (n_freq,), dB."""
        return _decibel(np.abs(self.forward)) - _decibel(np.abs(self.backward))

    @property
    def peak(self) -> tuple[float, float]:
        """Frequency (Hz) of the largest forward amplification, and its value (dB)."""
        best = int(np.argmax(self.forward_db))
        return float(self.frequencies[best]), float(self.forward_db[best])


def _decibel(ratio: Array) -> Array:
    """20 log10, with a floor where nothing arrives."""
    return np.asarray(20.0 * np.log10(np.maximum(ratio, 1e-300)))


def transfer_function(
    model: LinearModel,
    frequencies: ArrayLike,
    *,
    target: int,
    source: int,
    axes: str = "z",
    axis: str = "z",
) -> Complex:
    """Response of one particle to a force on another, q_target/f_source with ṗ_source = … + f.

    Parameters
    ----------
    model : LinearModel
        States (q, p) per particle and axis.
    frequencies : array_like, shape (n_freq,)
        Hz.
    target, source : int
        Particles, from 0.
    axes : str
        Axes of each particle in the model.
    axis : str
        The axis that is driven and read.

    Returns
    -------
    ndarray, shape (n_freq,)
        In common quanta, s. Of a growing model the formal response, which a record never shows.

    Raises
    ------
    InputError
        For a particle or an axis that is not in the model.

    Examples
    --------
    A single damped oscillator driven at resonance moves by 1/γ.

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e5, 0.0, 0.0, 0.0, 1e3, 1e3, 0.0, gamma=(1e2, 1e2))
    >>> moved = ob.theory.transfer_function(
    ...     pair.to_linear(), [3e5 / (2.0 * math.pi)], target=0, source=0
    ... )
    >>> round(float(abs(moved[0])), 6)
    0.01
    """
    state = {name: _state(model, index, axes, axis) for name, index in
             (("target", target), ("source", source))}  # fmt: skip
    return np.asarray(_driven(model, frequencies, state["source"] + 1)[state["target"]])


def _state(model: LinearModel, particle: int, axes: str, axis: str) -> int:
    """Index of the state q of a particle along an axis."""
    width = 2 * len(axes)
    if not axes or model.states % width:
        raise InputError(f"{model.states} states are no (q, p) for each of the axes {axes!r}")
    if axis not in axes or len(axis) != 1:
        raise InputError(f"axis must be one of {axes!r}, got {axis!r}")
    count = model.states // width
    if isinstance(particle, bool) or particle not in range(count):
        raise InputError(f"the model has the particles 0 … {count - 1}, got {particle}")
    return particle * width + 2 * "".join(sorted(axes)).index(axis)


def _driven(model: LinearModel, frequencies: ArrayLike, state: int) -> Complex:
    """(2πif − A)⁻¹ on one state, shape (s, n_freq)."""
    f = np.ravel(require_finite_array("frequencies", frequencies, "Hz"))
    triangle, turn = linalg.schur(model.drift, output="complex")
    right = turn.conj().T[:, state]
    solution = np.empty((model.states, f.size), dtype=np.complex128)
    for row in range(model.states - 1, -1, -1):
        known = right[row] + triangle[row, row + 1 :] @ solution[row + 1 :]
        solution[row] = known / (2j * math.pi * f - triangle[row, row])
    return np.asarray(turn @ solution)


def end_to_end(
    model: LinearModel, frequencies: ArrayLike, *, axes: str = "z", axis: str = "z"
) -> EndToEnd:
    """Compare both directions through an array, from its first to its last particle.

    Parameters
    ----------
    model : LinearModel
        States (q, p) per particle and axis; every particle damped.
    frequencies : array_like, shape (n_freq,)
        Hz.
    axes, axis : str
        As for :func:`transfer_function`.

    Returns
    -------
    EndToEnd
        Responses both ways, s, and amplifications, dB.

    Raises
    ------
    InputError
        If nothing damps the ends: alone they would have no finite response.

    Examples
    --------
    A reciprocal pair answers both ways alike.

    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e5, 0.0, 1e2, 0.0, 1e3, 1e3, 0.0, gamma=(1e2, 1e2))
    >>> both = ob.theory.end_to_end(pair.to_linear(), [4.7e4, 4.8e4])
    >>> bool(abs(both.direction_db).max() < 1e-6)
    True
    """
    last = model.states // (2 * max(1, len(axes))) - 1
    f = np.ravel(require_finite_array("frequencies", frequencies, "Hz"))
    options = {"axes": axes, "axis": axis}
    return EndToEnd(
        frequencies=f,
        forward=transfer_function(model, f, target=last, source=0, **options),
        backward=transfer_function(model, f, target=0, source=last, **options),
        alone=(
            _resonance(model, _state(model, 0, axes, axis)),
            _resonance(model, _state(model, last, axes, axis)),
        ),
    )


def _resonance(model: LinearModel, q: int) -> float:
    """Largest response of one oscillator on its own, s."""
    forth, back = float(model.drift[q, q + 1]), -float(model.drift[q + 1, q])
    gamma = -float(model.drift[q + 1, q + 1])
    under = forth * back - 0.25 * gamma**2
    if gamma <= 0.0 or under <= 0.0:
        raise InputError(
            "amplification needs a damped, oscillating end: give the array a gas, got "
            f"gamma = {gamma:g} 1/s"
        )
    return forth / (gamma * math.sqrt(under))


def stability_margin(model: LinearModel) -> float:
    """Slowest decay rate of an amplitude, 1/s; negative for a model that grows."""
    return -model.growth_rate


def critical_damping(model: LinearModel) -> float:
    """Equal energy damping γ of all oscillators at which an undamped model just stops growing.

    With q̈ = −Mq − γq̇ an eigenvalue μ of M is stable iff γ > |Im μ|/√(Re μ); existing damping is
    left out. The rotating wave's condition is γ > 2 max Im Ω.

    Parameters
    ----------
    model : LinearModel
        States (q, p) in pairs.

    Returns
    -------
    float
        1/s; 0 for a model that does not grow without damping, infinite where a static force
        pushes away.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (12).

    Examples
    --------
    At g_r = 0 and δω = 2g_a one mode grows at |g_a|: damping of 2|g_a| stops it.

    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e6, 1e3, 0.0, 5e2, 1e3, 1e3, 0.0)
    >>> round(ob.theory.critical_damping(pair.to_linear()))
    1000
    """
    if model.states % 2:
        raise InputError(f"states must come in pairs (q, p), the model has {model.states}")
    matrix = -model.drift[0::2, 1::2] @ model.drift[1::2, 0::2]
    values = linalg.eigvals(matrix)
    if values.real.min() <= 0.0:
        return math.inf
    # Rounding gives real eigenvalues no imaginary part, and degenerate ones a tiny one.
    twist = np.abs(values.imag) / np.sqrt(values.real)
    return float(twist.max(initial=0.0))
