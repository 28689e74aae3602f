"""Exact second moments of the demodulated amplitudes after a release.

With y_b = (Re â_1, Im â_1, Re â_2, Im â_2) of window b, the model gives K_bc = ⟨y_b y_cᵀ⟩ for all
pairs of windows: initial state, force noise between and *within* windows, imprecision. The running
sums of a window are carried as states of an augmented linear recursion, whose L-sample step follows
by repeated doubling (Van Loan's step of the pair inside). No stability and no rotating wave
approximation is assumed, nor D ≪ ω.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...linear import LinearModel
from ..matrices import model_pair
from .bins import BinLayout

__all__ = [
    "AmplitudeMoments",
    "amplitude_moments",
    "initial_covariance",
    "reheating_model",
]

_Array = NDArray[np.float64]
_QUIET = {"gamma_1": 0.0, "gamma_2": 0.0, "noise_1": 0.0, "noise_2": 0.0}


def reheating_model(values: Mapping[str, float]) -> LinearModel:
    """Return the pair that evolves after a release; that of :func:`~..matrices.model_pair`.

    Parameters
    ----------
    values : mapping
        ``omega_1, omega_2, g_r, g_a, D11, D22, re_D12``; ``gamma_1, gamma_2`` and ``noise_1,
        noise_2`` are 0 unless given.

    Returns
    -------
    LinearModel
        State (z_1, p_1, z_2, p_2).
    """
    return model_pair({**_QUIET, **values})


def initial_covariance(values: Mapping[str, float], vacuum: float = 0.5) -> _Array:
    """Return V(0) from n_1(0), n_2(0) and C(0), without anomalous part.

    Each particle starts on circular orbits of its own trap: with r = ω̃_j/ω and the amplitude
    b_j = (√r z + ip/√r)/√2, ⟨b_j b_l⟩ = 0. For ω̃_1 = ω̃_2 this is V_zz = V_pp. n_j(0) and C(0) stay
    the moments of a_j = (z_j + ip_j)/√2: ⟨|a_j|²⟩ = n_j + vacuum, ⟨a_1* a_2⟩ = C.

    Parameters
    ----------
    values : mapping
        ``n1_0, n2_0, re_C0, im_C0, omega_1, omega_2``.
    vacuum : float
        ½ for a record in quanta, 0 in other units.

    Returns
    -------
    ndarray, shape (4, 4)
        Covariance of (z_1, p_1, z_2, p_2) at the release.
    """
    omega = 0.5 * (values["omega_1"] + values["omega_2"])
    r1, r2 = values["omega_1"] / omega, values["omega_2"] / omega
    covariance = np.zeros((4, 4))
    for row, n, r in ((0, values["n1_0"], r1), (2, values["n2_0"], r2)):
        covariance[row, row] = 2.0 * (n + vacuum) / (1.0 + r * r)
        covariance[row + 1, row + 1] = r * r * covariance[row, row]
    # a = c b + s b*, hence C = c_1c_2 X + s_1s_2 X* for X = ⟨b_1* b_2⟩.
    root = math.sqrt(r1 * r2)
    cc = 0.25 * (1.0 + r1) * (1.0 + r2) / root
    ss = 0.25 * (1.0 - r1) * (1.0 - r2) / root
    real, imag = values["re_C0"] / (cc + ss), values["im_C0"] / (cc - ss)
    # With q = √r z, k = p/√r: ⟨q_1q_2⟩ = ⟨k_1k_2⟩ = Re X, ⟨q_1k_2⟩ = −⟨k_1q_2⟩ = Im X.
    covariance[0, 2] = covariance[2, 0] = real / root
    covariance[1, 3] = covariance[3, 1] = real * root
    covariance[0, 3] = covariance[3, 0] = imag * math.sqrt(r2 / r1)
    covariance[1, 2] = covariance[2, 1] = -imag * math.sqrt(r1 / r2)
    return covariance


@dataclass(frozen=True)
class AmplitudeMoments:
    """Moments of the amplitudes of all windows.

    Attributes
    ----------
    equal : ndarray, shape (t, 4, 4)
        K_bb of y = (Re â_1, Im â_1, Re â_2, Im â_2).
    lagged : ndarray, shape (t−1, 4, 4)
        ⟨y_b y_{b+1}ᵀ⟩.
    full : ndarray, shape (t, t, 4, 4), or None
        K_bc for all pairs, when asked for.
    """

    equal: _Array
    lagged: _Array
    full: _Array | None


def _power(step: _Array, noise: _Array, count: int) -> tuple[_Array, _Array]:
    """F and Q of ``count`` equal steps by binary powers; two in a row give Q = F₂Q₁F₂ᵀ + Q₂."""
    done_f, done_q = np.eye(len(step)), np.zeros_like(noise)
    while count:
        if count & 1:
            done_f, done_q = step @ done_f, step @ done_q @ step.T + noise
        count >>= 1
        if count:
            noise = noise + step @ noise @ step.T
            step = step @ step
    return done_f, done_q


def _windowed(step: _Array, noise: _Array, layout: BinLayout) -> tuple[_Array, _Array]:
    """F and Q over one window of (z_1, p_1, z_2, p_2, sums of channel 1, sums of channel 2).

    The sums are s ← e^{−iω_ref dt} s + z (two real states) and s_0 ← s_0 + z, with the z of the
    sample before the step.
    """
    angle = layout.omega_ref / layout.sample_rate
    cos, sin = math.cos(angle), math.sin(angle)
    augmented, spread = np.zeros((10, 10)), np.zeros((10, 10))
    augmented[:4, :4], spread[:4, :4] = step, noise
    for at, state in ((4, 0), (7, 2)):
        augmented[at : at + 2, at : at + 2] = [[cos, sin], [-sin, cos]]
        augmented[at + 2, at + 2] = 1.0
        augmented[at, state] = augmented[at + 2, state] = 1.0
    return _power(augmented, spread, layout.length)


def _readout(layout: BinLayout) -> _Array:
    """Matrix from the six sums of a window to y in window time, shape (4, 6)."""
    # s = e^{−iω(L−1)dt} Σ e^{iωk dt} z_k, and Xᵀz = (√2 Re Σ, √2 Im Σ, Σ z).
    angle = layout.omega_ref / layout.sample_rate * (layout.length - 1)
    cos, sin = math.cos(angle), math.sin(angle)
    root = math.sqrt(2.0)
    unwind = np.array([[root * cos, -root * sin, 0.0], [root * sin, root * cos, 0.0], [0, 0, 1.0]])
    one = (layout.normal_inverse @ unwind)[:2]
    readout = np.zeros((4, 6))
    readout[:2, :3] = readout[2:, 3:] = one
    return readout


def amplitude_moments(
    layout: BinLayout,
    values: Mapping[str, float],
    *,
    vacuum: float = 0.5,
    initial: _Array | None = None,
    full: bool = False,
) -> AmplitudeMoments:
    """Return the exact moments of â for a model and a layout of windows.

    Parameters
    ----------
    layout : BinLayout
        Windows and reference frequency.
    values : mapping
        Parameters of :func:`reheating_model` and :func:`initial_covariance`, and ``noise_1``,
        ``noise_2`` (one-sided imprecision, unit²/Hz).
    vacuum : float
        ½ for quanta, 0 in other units.
    initial : ndarray, shape (4, 4), optional
        V(0) in place of :func:`initial_covariance`.
    full : bool
        Whether the moments between all pairs of windows are wanted.

    Raises
    ------
    InputError
        If the model grows beyond what numbers can hold.
    """
    step, noise = reheating_model(values).discretise(1.0 / layout.sample_rate)
    window_f, window_q = _windowed(step, noise, layout)
    readout = _readout(layout)
    through, inside = window_f[:4, :4], window_q[:4, :4]
    view = readout @ window_f[4:, :4]
    within = readout @ window_q[4:, 4:] @ readout.T
    for channel in (0, 1):
        block = slice(2 * channel, 2 * channel + 2)
        variance = 0.5 * layout.sample_rate * values[f"noise_{channel + 1}"]
        within[block, block] += variance * layout.normal_inverse[:2, :2]
    carried = window_q[:4, 4:] @ readout.T
    waits = np.diff(layout.starts, append=layout.starts[-1] + layout.length) - layout.length
    pauses = {int(w): _power(step, noise, int(w)) for w in np.unique(waits)}
    if initial is None:
        initial = initial_covariance(values, vacuum)
    if layout.starts[0]:
        lead_f, lead_q = _power(step, noise, int(layout.starts[0]))
        initial = lead_f @ initial @ lead_f.T + lead_q
    states = np.empty((len(layout), 4, 4))
    hops = np.empty((len(layout), 4, 4))
    for b, wait in enumerate(waits):
        states[b] = initial
        wait_f, wait_q = pauses[int(wait)]
        hops[b] = wait_f @ through
        initial = hops[b] @ initial @ hops[b].T + wait_f @ inside @ wait_f.T + wait_q
    if not np.isfinite(states).all():
        raise InputError("the model grows beyond all numbers within the release")
    equal = view @ states @ view.T + within
    # Correlation of the state at the next window's start with y of this window.
    ahead = hops @ states @ view.T
    for wait, (wait_f, _) in pauses.items():
        ahead[waits == wait] += wait_f @ carried
    rotation = np.zeros((len(layout), 4, 4))
    rotation[:, :2, :2] = rotation[:, 2:, 2:] = layout.rotations()
    equal = rotation @ equal @ rotation.swapaxes(1, 2)
    lagged = np.swapaxes(rotation[1:] @ (view @ ahead[:-1]) @ rotation[:-1].swapaxes(1, 2), 1, 2)
    if not full:
        return AmplitudeMoments(equal, lagged, None)
    everything = np.zeros((len(layout), len(layout), 4, 4))
    for c in range(1, len(layout)):
        # ahead[:c] holds ⟨x(start of c) y_bᵀ⟩ of all earlier windows b.
        later = rotation[c] @ (view @ ahead[:c]) @ rotation[:c].swapaxes(1, 2)
        everything[c, :c] = later
        everything[:c, c] = later.swapaxes(1, 2)
        ahead[:c] = hops[c] @ ahead[:c]
    everything[np.arange(len(layout)), np.arange(len(layout))] = equal
    return AmplitudeMoments(equal, lagged, everything)
