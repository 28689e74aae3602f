"""Moments of demodulated amplitudes: energies, coherences, common and differential motion.

a_j = (z_j + ip_j)e^{iω_ref t}/√2 with one ω_ref for all particles. E_j = ⟨|a_j|²⟩ = n_j + ½ and
C_jl = ⟨a_j* a_l⟩ do not depend on ω_ref: C_12 turns as e^{+i(ω̃_1−ω̃_2)t}. What does is ⟨a_j a_l⟩,
the squeezing. E_± = (E_1 + E_2)/2 ± Re C are the energies of a_± = (a_1 ± a_2)/√2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.ranges import require_finite, require_finite_array
from ...models.reprs import short_repr

__all__ = ["DemodulatedMoments", "demodulated_moments"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class DemodulatedMoments:
    """Second moments of n amplitudes; leading dimensions are those of the covariances.

    Attributes
    ----------
    normal : ndarray, shape (..., n, n)
        ⟨a_j* a_l⟩, symmetrised, hermitian.
    anomalous : ndarray, shape (..., n, n)
        ⟨a_j a_l⟩ in the frame at ω_ref, symmetric.
    """

    normal: Complex
    anomalous: Complex

    __repr__ = short_repr

    @property
    def energies(self) -> Array:
        """E_j = n_j + ½, shape (..., n)."""
        return np.asarray(np.diagonal(self.normal, axis1=-2, axis2=-1).real)

    def coherence(self, first: int = 0, second: int = 1) -> Complex:
        """C = ⟨a_1* a_2⟩ of two particles, shape (...)."""
        self._check(first, second)
        return np.asarray(self.normal[..., first, second])

    def common_and_differential(self, first: int = 0, second: int = 1) -> tuple[Array, Array]:
        """(E_+, E_−) of two particles, each of shape (...)."""
        mean = 0.5 * (self.energies[..., first] + self.energies[..., second])
        cross = self.coherence(first, second).real
        return np.asarray(mean + cross), np.asarray(mean - cross)

    def _check(self, first: int, second: int) -> None:
        count = self.normal.shape[-1]
        if first == second or not all(0 <= index < count for index in (first, second)):
            raise InputError(f"needs two of the particles 0 … {count - 1}, got {first}, {second}")


def demodulated_moments(
    covariance: ArrayLike, times: ArrayLike = 0.0, reference: float = 0.0
) -> DemodulatedMoments:
    """Moments in the demodulated frame from covariances of quadratures.

    Parameters
    ----------
    covariance : array_like, shape (..., 2n, 2n)
        Of (z_1, p_1, z_2, p_2, …), for example of :meth:`LinearModel.propagate`.
    times : array_like, shape (...)
        When, s; broadcasts against the leading dimensions.
    reference : float
        ω_ref, rad/s.

    Returns
    -------
    DemodulatedMoments
        Complex moments, shape (..., n, n), quanta.

    Raises
    ------
    InputError
        For a covariance that is not square with an even number of rows.

    Examples
    --------
    >>> import optobind as ob
    >>> moments = ob.theory.demodulated_moments(ob.theory.thermal_state(1.0, 3.0))
    >>> moments.energies.tolist(), round(float(abs(moments.coherence())), 6)
    ([1.5, 3.5], 0.0)
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.shape[-1] % 2:
        raise InputError(f"covariance must have shape (..., 2n, 2n), got {matrix.shape}")
    zz, zp = matrix[..., 0::2, 0::2], matrix[..., 0::2, 1::2]
    pz, pp = matrix[..., 1::2, 0::2], matrix[..., 1::2, 1::2]
    phase = require_finite("reference", reference, "rad/s") * require_finite_array("times", times)
    turn = np.exp(2j * phase)[..., None, None]
    return DemodulatedMoments(
        normal=np.asarray(0.5 * (zz + pp + 1j * (zp - pz)), dtype=np.complex128),
        anomalous=np.asarray(0.5 * turn * (zz - pp + 1j * (zp + pz)), dtype=np.complex128),
    )
