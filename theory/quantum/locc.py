"""Optical binding as local measurements, classical messages and local forces (LOCC).

Let each particle be measured locally, L_j = √(2κ_j) e^{iθ_j} z_j with a perfect homodyne detector,
and let the record drive the *other* particle. Measuring particle 1 gives
dr_1 = 2√(2κ_1) cos θ_1 ⟨z_1⟩ dt + dW_1, and H_fb = −μ_2 (dr_1/dt) z_2 pushes particle 2. For
Markovian feedback F = −μ_2z_2 of a record of c = L_1 the ensemble average obeys (Wiseman, PRA 49,
2133 (1994))

    ρ̇ = −i[½(c†F + Fc), ρ] + 𝓓[c − iF]ρ.

All operators here are functions of z_1 and z_2, so this has the form of Eq. (7). With
X = μ_2√(2κ_1)e^{iθ_1} for the path 1 → 2 and Y = μ_1√(2κ_2)e^{iθ_2} for 2 → 1 one reads off

    Re X = g_r − g_a,   Re Y = g_r + g_a,   Im X + Im Y = 2 Re D_12,
    2κ_1 + μ_1² ≤ 2D_11,   2κ_2 + μ_2² ≤ 2D_22,

the rest of D_jj being local heating. The two inequalities can be met if and only if
|X| + |Y| ≤ 2√(D_11D_22) (Cauchy and Schwarz for (√2κ_1, μ_1) and (μ_2, √2κ_2), with equality where
they are parallel). The least |X| + |Y| is the triangle's: with m = max(|g_r|, |g_a|), so that
|Re X| + |Re Y| = 2m, put Im X : Im Y = |Re X| : |Re Y| and

    min(|X| + |Y|) = √[(2m)² + (2 Re D_12)²] = 2√[m² + (Re D_12)²].

Since any D of Eq. (7) has D_11D_22 ≥ g_a² + (Re D_12)², a construction exists exactly if
D_11D_22 ≥ g_r² + (Re D_12)²: the same condition as that of the partial transpose
(:mod:`.separability`), so neither can be improved. D_jj ≥ |Re D_12| + m is the weaker form in which
the correlation is made with shared classical noise instead of tilted homodyne angles.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.pair import PairConstants
from .separability import separability

__all__ = ["LoccChannel", "locc_channel"]


@dataclass(frozen=True)
class LoccChannel:
    """Local measurements and feed-forward whose ensemble average is Eq. (7).

    Attributes
    ----------
    rates : tuple of float
        κ_j, the share of D_jj spent on measuring particle j, 1/s.
    angles : tuple of float
        θ_j, homodyne angles, rad.
    gains : tuple of float
        (μ_1, μ_2): the force on particle j is μ_j dr/dt of the *other* record, √(1/s).
    local_diffusion : tuple of float
        What is left of D_jj as local heating, 1/s.

    References
    ----------
    H. M. Wiseman, PRA 49, 2133 (1994).

    Examples
    --------
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3)
    >>> channel = ob.theory.locc_channel(pair)
    >>> round(channel.reciprocal_coupling, 6) == round(pair.g_r, 6)
    True
    """

    rates: tuple[float, float]
    angles: tuple[float, float]
    gains: tuple[float, float]
    local_diffusion: tuple[float, float]

    @property
    def measured(self) -> NDArray[np.complex128]:
        """Amplitudes √(2κ_j) e^{iθ_j} of the measured z_j, shape (2,)."""
        return np.sqrt(2.0 * np.array(self.rates)) * np.exp(1j * np.array(self.angles))

    @property
    def lindblad(self) -> NDArray[np.complex128]:
        """Columns c (2, 4) of the averaged channel, L_m = Σ_j c_jm z_j, with 2D = cc†."""
        first, second = (complex(value) for value in self.measured)
        left = np.sqrt(2.0 * np.array(self.local_diffusion))
        # c − iF with F = −μz of the other particle.
        return np.array(
            [
                [first, 1j * self.gains[0], left[0], 0.0],
                [1j * self.gains[1], second, 0.0, left[1]],
            ]
        )

    @property
    def diffusion(self) -> NDArray[np.complex128]:
        """D of the average, shape (2, 2), hermitian, 1/s."""
        c = self.lindblad
        return np.asarray(0.5 * c @ c.conj().T)

    @property
    def reciprocal_coupling(self) -> float:
        """g_r of the average, from −2g_r z_1z_2 = Σ ½(c†F + Fc), rad/s."""
        first, second = self.measured.real
        return float(0.5 * (first * self.gains[1] + second * self.gains[0]))

    def drift_and_noise(
        self, pair: PairConstants
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A and N of the average by following records and forces, shape (4, 4) each.

        The route through Langevin equations: dr_j = 2 Re(c_j) z_j dt + dW_j pushes the other
        particle; its noise is correlated with the back-action of the measurement,
        ⟨dW_j f_j⟩ = Im c_j dt. Compare with ``pair.to_linear()``.

        Parameters
        ----------
        pair : PairConstants
            Supplies what is local: frequencies, shifts and gas.
        """
        local = pair.to_linear()
        drift, noise = local.drift.copy(), local.noise.copy()
        drift[1, 2] = drift[3, 0] = noise[1, 3] = noise[3, 1] = 0.0
        for row, (total, left) in enumerate(
            zip(pair.total_diffusion, self.local_diffusion, strict=True)
        ):
            noise[2 * row + 1, 2 * row + 1] += 2.0 * (left - total)
        for source, target in ((0, 1), (1, 0)):
            c, gain = complex(self.measured[source]), self.gains[target]
            momentum, pushed = 2 * source + 1, 2 * target + 1
            noise[momentum, momentum] += abs(c) ** 2
            noise[pushed, pushed] += gain**2
            noise[momentum, pushed] += gain * c.imag
            noise[pushed, momentum] += gain * c.imag
            drift[pushed, 2 * source] += 2.0 * gain * c.real
        return drift, noise


def locc_channel(pair: PairConstants) -> LoccChannel:
    """Write the binding of a pair as local operations and classical communication.

    Parameters
    ----------
    pair : PairConstants
        Eq. (7); with a φ(t), the constants of one instant. Gas counts as local heating, part of
        the D_jj.

    Returns
    -------
    LoccChannel
        Both particles keep the same fraction of their D_jj as local heating, the largest one
        that is possible.

    Raises
    ------
    InputError
        If D_11D_22 < g_r² + (Re D_12)²: then no such description exists.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (7); H. M. Wiseman, PRA 49, 2133 (1994).

    Examples
    --------
    Its average has the recoil of the pair, g_a = Im D_12 included.

    >>> import numpy as np
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3)
    >>> bool(np.allclose(ob.theory.locc_channel(pair).diffusion, pair.diffusion))
    True
    """
    result = separability(pair)
    if not result.separable:
        raise InputError(
            f"no LOCC description: √(D11·D22) = {result.heating:.6g} 1/s is smaller than "
            f"√(g_r² + Re D12²) = {result.coupling:.6g} 1/s"
        )
    forward, backward = pair.g_r - pair.g_a, pair.g_r + pair.g_a
    reach = abs(forward) + abs(backward)
    # Im X : Im Y as |Re X| : |Re Y|; without any drift the split does not matter.
    share = 0.5 if reach == 0.0 else abs(forward) / reach
    x = complex(forward, 2.0 * pair.re_D12 * share)
    y = complex(backward, 2.0 * pair.re_D12 * (1.0 - share))
    used = abs(x) + abs(y)
    first, second = pair.total_diffusion
    if used == 0.0:
        return LoccChannel((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (first, second))
    # (√2κ_1, μ_1) = t (μ_2, √2κ_2): equality in Cauchy–Schwarz, with t² = D_11/D_22.
    t = math.sqrt(first / second)
    left = max(0.0, 1.0 - 0.5 * used / result.heating)
    return LoccChannel(
        rates=(0.5 * t * abs(x), 0.5 * abs(y) / t),
        angles=(cmath.phase(x), cmath.phase(y)),
        gains=(math.sqrt(t * abs(y)), math.sqrt(abs(x) / t)),
        local_diffusion=(left * first, left * second),
    )
