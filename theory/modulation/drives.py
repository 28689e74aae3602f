"""The usual drives: two tones, the parametric phase of Eq. (13), a modulated power."""

from __future__ import annotations

import math

from ...models.ranges import require_range
from .waveform import FASTEST, Ramp, Sinusoid

__all__ = ["detuned", "parametric", "power_modulation"]


def detuned(delta_nu: float, phi_0: float = 0.0) -> Ramp:
    """Two tones: φ(t) = φ_0 + 2πΔνt with Δν = ν_2 − ν_1 in Hz (e^{−iω_Lt}) and φ_0 in rad.

    Parameters
    ----------
    delta_nu : float
        Δν = ν_2 − ν_1, Hz (time factor e^{−iω_Lt}).
    phi_0 : float
        φ at t = 0, rad.

    Returns
    -------
    Ramp
        φ(t), rad.

    Examples
    --------
    >>> import math
    >>> import optobind as ob
    >>> round(float(ob.theory.detuned(1e3, 0.5)([1e-3])[0]) - 2.0 * math.pi, 9)
    0.5
    """
    require_range("delta_nu", delta_nu, -1e12, 1e12, "Hz")
    return Ramp(phi_0, 2.0 * math.pi * delta_nu)


def parametric(omega: float, phi_0: float = 0.0) -> Ramp:
    """φ(t) = φ_0 + 2ωt of Eq. (13), for a mechanical frequency ω in rad/s.

    Parameters
    ----------
    omega : float
        Mechanical frequency ω, rad/s.
    phi_0 : float
        φ at t = 0, rad.

    Returns
    -------
    Ramp
        φ(t), rad.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    In one mechanical period φ turns twice.

    >>> import math
    >>> import optobind as ob
    >>> wave = ob.theory.parametric(3e5)
    >>> round(2.0 * math.pi / 3e5 / wave.period, 9)
    2.0
    """
    require_range("omega", omega, 1e-9, 0.5 * FASTEST, "rad/s")
    return Ramp(phi_0, 2.0 * omega)


def power_modulation(depth: float, omega: float, phase: float = 0.0) -> Sinusoid:
    """Power factor 1 + depth·cos(ωt + phase); depth 0 … 1, ω in rad/s, phase in rad.

    Parameters
    ----------
    depth : float
        0 … 1.
    omega : float
        Of the modulation, rad/s.
    phase : float
        Of the cosine at t = 0, rad.

    Returns
    -------
    Sinusoid
        Power factor, unit "1".

    Examples
    --------
    >>> import optobind as ob
    >>> ob.theory.power_modulation(0.25, 6e5)([0.0]).tolist()
    [1.25]
    """
    require_range("depth", depth, 0.0, 1.0)
    return Sinusoid(1.0, depth, omega, phase, "1")
