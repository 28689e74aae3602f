"""The usual drives: two tones, the parametric phase of Eq. (13), a modulated power."""

from __future__ import annotations

import math

from ...models.ranges import require_range
from .waveform import FASTEST, Ramp, Sinusoid

__all__ = ["detuned", "parametric", "power_modulation"]


def detuned(delta_nu: float, phi_0: float = 0.0) -> Ramp:
    """Two tones: φ(t) = φ_0 + 2πΔνt with Δν = ν_2 − ν_1 in Hz (e^{−iω_Lt}) and φ_0 in rad."""
    require_range("delta_nu", delta_nu, -1e12, 1e12, "Hz")
    return Ramp(phi_0, 2.0 * math.pi * delta_nu)


def parametric(omega: float, phi_0: float = 0.0) -> Ramp:
    """φ(t) = φ_0 + 2ωt of Eq. (13), for a mechanical frequency ω in rad/s."""
    require_range("omega", omega, 1e-9, 0.5 * FASTEST, "rad/s")
    return Ramp(phi_0, 2.0 * omega)


def power_modulation(depth: float, omega: float, phase: float = 0.0) -> Sinusoid:
    """Power factor 1 + depth·cos(ωt + phase); depth 0 … 1, ω in rad/s, phase in rad."""
    require_range("depth", depth, 0.0, 1.0)
    return Sinusoid(1.0, depth, omega, phase, "1")
