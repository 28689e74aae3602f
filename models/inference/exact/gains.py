"""Gains of the filter along a record, frozen once they are stationary, and its observer form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .recursions import covariances, information
from .statespace import StateSpace

__all__ = ["Gains", "NoFilterError", "Observer", "gains_of"]

_Array = NDArray[np.float64]

TIGHT = 1e-11
"""Change per sample, relative to the largest value, below which a covariance is stationary."""

# O = [C; CF] worse conditioned than this is of states that two samples do not tell apart.
_MOST_CONDITION = 1e5
_FIRST_SLOTS = 1024


class NoFilterError(Exception):
    """The innovations of a model have no positive covariance."""


@dataclass(frozen=True)
class Observer:
    """The filter in terms of predicted samples; see ``kernels``.

    Attributes
    ----------
    gains : ndarray, shape (k, 4, c, c)
        A_1, A_2, and g_1, g_2 of every gain; (k, 5, c, c) with W behind.
    d_flow : ndarray, shape (2, c, c, P)
        Derivatives of A_1 and A_2.
    d_gain : ndarray, shape (k, 2, c, c, P)
        Derivatives of g_1 and g_2.
    """

    gains: _Array
    d_flow: _Array
    d_gain: _Array


@dataclass(frozen=True)
class Gains:
    """Everything about a record that does not depend on its samples.

    Attributes
    ----------
    model : StateSpace
        One step.
    runs : ndarray of int, shape (r, 3)
        Gain, first sample, sample behind the last; gain 0 is that of missing samples.
    gain : ndarray, shape (k, n, c)
        G = FK.
    weight : ndarray, shape (k, c, c)
        W, the inverse covariance of the innovations.
    log_det : ndarray, shape (k,)
        Of that covariance.
    d_gain : ndarray, shape (k, n, c, P)
        Derivatives of G.
    d_cov : ndarray, shape (k, c, c, P)
        Derivatives of the covariance of the innovations.
    """

    model: StateSpace
    runs: NDArray[np.int64]
    gain: _Array
    weight: _Array
    log_det: _Array
    d_gain: _Array
    d_cov: _Array

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Samples that every gain serves, shape (k,); missing ones count for none."""
        lengths = self.runs[:, 2] - self.runs[:, 1]
        counts = np.bincount(self.runs[:, 0], weights=lengths, minlength=len(self.gain))
        counts[0] = 0
        return counts.astype(np.int64)

    @property
    def samples(self) -> int:
        """Samples that were seen."""
        return int(self.counts.sum())

    def information(self) -> _Array:
        """Expected Fisher information of one such record, shape (P, P)."""
        m = self.model
        count = m.d_step.shape[2]
        out = np.empty((count, count))
        information(
            m.step, m.output, m.d_step, m.d_output, self.runs, self.gain, self.weight,
            self.d_gain, out,
        )  # fmt: skip
        # That of the sizes of the innovations: ½ tr(W dS W dS).
        seen = np.einsum("kij,kjlp->kilp", self.weight, self.d_cov)
        turned = seen.swapaxes(1, 2).reshape(-1, count)
        weighed = (0.5 * self.counts[:, None, None, None] * seen).reshape(-1, count)
        return np.asarray(out + np.einsum("ip,iq->pq", weighed, turned))

    @cached_property
    def observer(self) -> Observer | None:
        """The observer form; None where two samples do not tell the states apart."""
        return _observer(self)


def gains_of(model: StateSpace, valid: NDArray[np.bool_], tight: float = TIGHT) -> Gains:
    """Run the filter's covariances along a record.

    Parameters
    ----------
    model : StateSpace
        One step, with derivatives.
    valid : ndarray of bool, shape (T,)
        Samples that exist.
    tight : float
        When gains count as stationary; 0 computes every one.

    Raises
    ------
    NoFilterError
        If a covariance of innovations is not positive.
    """
    n, c, count = len(model.step), model.channels, model.d_step.shape[2]
    both = np.concatenate([model.step, model.output])
    spread, d_spread = np.zeros((n + c, n + c)), np.zeros((n + c, n + c, count))
    spread[:n, :n], spread[n:, n:] = model.spread, model.noise
    d_spread[:n, :n], d_spread[n:, n:] = model.d_spread, model.d_noise
    d_both = np.concatenate([model.d_step, model.d_output])
    length, size = len(valid), min(len(valid), _FIRST_SLOTS)
    while True:
        slots, lines = size + 1, size + 2
        runs = np.zeros((lines, 3), dtype=np.int64)
        gain, weight = np.zeros((slots, n, c)), np.zeros((slots, c, c))
        log_det = np.zeros(slots)
        d_gain, d_cov = np.zeros((slots, n, c, count)), np.zeros((slots, c, c, count))
        used, rows = covariances(
            both, spread, model.initial.copy(), d_both, d_spread, model.d_initial.copy(),
            valid, tight, runs, gain, weight, log_det, d_gain, d_cov,
        )  # fmt: skip
        if used == -2:
            raise NoFilterError
        if used > 0:
            break
        size = min(4 * size, length)
    return Gains(
        model, runs[:rows], gain[:used], weight[:used], log_det[:used], d_gain[:used], d_cov[:used]
    )


def _observer(gains: Gains) -> Observer | None:
    m = gains.model
    c, n = m.output.shape
    if n != 2 * c:
        return None
    ahead = m.output @ m.step
    seen = np.concatenate([m.output, ahead])
    scale = np.abs(seen).max()
    if not np.linalg.cond(seen / scale) < _MOST_CONDITION:
        return None
    inverse = np.linalg.inv(seen)
    both = ahead @ m.step @ inverse
    second, first = both[:, :c], both[:, c:]
    d_ahead = np.einsum("ckp,kn->cnp", m.d_output, m.step)
    d_ahead += np.einsum("ck,knp->cnp", m.output, m.d_step)
    d_seen = np.concatenate([m.d_output, d_ahead])
    d_both = np.einsum("ckp,kn->cnp", d_ahead, m.step)
    d_both += np.einsum("ck,knp->cnp", ahead, m.d_step)
    d_both -= np.einsum("cs,snp->cnp", both, d_seen)
    d_both = np.einsum("cnp,ns->csp", d_both, inverse)
    d_second, d_first = d_both[:, :c], d_both[:, c:]
    one = m.output @ gains.gain
    two = ahead @ gains.gain - first @ one
    d_one = np.einsum("cnp,knd->kcdp", m.d_output, gains.gain)
    d_one += np.einsum("cn,kndp->kcdp", m.output, gains.d_gain)
    d_two = np.einsum("cnp,knd->kcdp", d_ahead, gains.gain)
    d_two += np.einsum("cn,kndp->kcdp", ahead, gains.d_gain)
    d_two -= np.einsum("cep,ked->kcdp", d_first, one)
    d_two -= np.einsum("ce,kedp->kcdp", first, d_one)
    flow = np.broadcast_to(np.stack([first, second]), (len(one), 2, c, c))
    table = np.concatenate([flow, np.stack([one, two, gains.weight], axis=1)], axis=1)
    return Observer(table, np.stack([d_first, d_second]), np.stack([d_one, d_two], axis=1))
