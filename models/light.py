"""The state of the light: the one language of plans, devices, window and models."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Site", "TweezerState"]


@dataclass(frozen=True)
class Site:
    """One tweezer as it is set.

    Attributes
    ----------
    position : tuple of float
        Focus (x, y, z), m.
    power : float
        Optical power at the focus, W.
    phase : float
        Optical phase at the focus, rad: E ∝ exp(iφ) with the time factor exp(−iω_L t).
    detuning : float
        Optical frequency relative to the common one, Hz.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.Site((0.0, 0.0, 0.0), power=0.3).phase
    0.0
    """

    position: tuple[float, float, float]
    power: float
    phase: float = 0.0
    detuning: float = 0.0


@dataclass(frozen=True)
class TweezerState:
    """All tweezers as they are set; sites in the order of the particles.

    Examples
    --------
    >>> import optobind as ob
    >>> state = ob.TweezerState((ob.Site((0.0, 0.0, 0.0), 0.3), ob.Site((2.5e-6, 0.0, 0.0), 0.3)))
    >>> state.with_site(0, phase=0.4).sites[0].phase
    0.4
    """

    sites: tuple[Site, ...]

    def with_site(self, index: int, **changes: object) -> TweezerState:
        """Return a copy in which the fields of one site are changed."""
        sites = list(self.sites)
        sites[index] = replace(sites[index], **changes)  # type: ignore[arg-type]
        return TweezerState(tuple(sites))

    @property
    def relative_phase(self) -> float:
        """Set phase φ = φ_1 − φ_2 of the first two sites, rad."""
        return self.sites[0].phase - self.sites[1].phase

    @property
    def separation(self) -> float:
        """Distance of the first two foci, m."""
        a, b = self.sites[0].position, self.sites[1].position
        return float(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5)

    @property
    def balance(self) -> float:
        """Power balance (P_2 − P_1)/(P_1 + P_2) of the first two sites."""
        p, q = self.sites[0].power, self.sites[1].power
        return (q - p) / (p + q) if p + q > 0.0 else 0.0

    def with_pair(
        self,
        *,
        phi: float | None = None,
        separation: float | None = None,
        total_power: float | None = None,
        balance: float | None = None,
    ) -> TweezerState:
        """Return a copy with the pair's φ (rad), distance along x (m), total power (W) or balance.

        The second site keeps its phase, the pair keeps its centre.
        """
        first, second = self.sites[:2]
        if phi is not None:
            first = replace(first, phase=second.phase + phi)
        if separation is not None:
            centre = 0.5 * (first.position[0] + second.position[0])
            sign = 1.0 if first.position[0] > second.position[0] else -1.0
            x1, x2 = centre + 0.5 * sign * separation, centre - 0.5 * sign * separation
            first = replace(first, position=(x1, *first.position[1:]))
            second = replace(second, position=(x2, *second.position[1:]))
        total = self.sites[0].power + self.sites[1].power if total_power is None else total_power
        share = self.balance if balance is None else balance
        if total_power is not None or balance is not None:
            first = replace(first, power=0.5 * total * (1.0 - share))
            second = replace(second, power=0.5 * total * (1.0 + share))
        return TweezerState((first, second, *self.sites[2:]))
