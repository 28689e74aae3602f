"""What the spectra panel draws: curves of a range of frequencies, ready for the screen."""

from __future__ import annotations

from dataclasses import dataclass, field

from .curves import Curve

__all__ = ["SpectraView"]


@dataclass(frozen=True)
class SpectraView:
    """What the panel draws; x is log10 f, power densities are log10.

    Attributes
    ----------
    autos, fit_autos : tuple of Curve
        S_jj of the channels and of the fit.
    cross, fit_cross : Curve
        |S_12|; empty for one channel.
    coherence, phase, fit_coherence, fit_phase : Curve
        |S_12|²/(S_11 S_22) in 0 … 1 and arg S_12 in rad.
    references : tuple of tuple of Curve
        Stored spectra, per reference and channel.
    ghost : tuple of Curve
        A spectrum of the past, per channel.
    extremes : tuple of tuple of Curve
        Largest, then smallest densities, per channel; empty while they are not held.
    pulls : tuple of Curve
        (S_jj − fit)·√ν/fit of each channel in the fit's band, ν effective averages: a model that
        describes the data leaves numbers of mean 0 and width 1.
    coherence_floor : float or None
        Coherence that independent channels exceed in 5 % of the bins.
    unit : str
        Unit of the densities.
    y_range : tuple of float
        log10 range that holds the data.
    """

    autos: tuple[Curve, ...] = ()
    fit_autos: tuple[Curve, ...] = ()
    cross: Curve = field(default_factory=Curve.empty)
    fit_cross: Curve = field(default_factory=Curve.empty)
    coherence: Curve = field(default_factory=Curve.empty)
    phase: Curve = field(default_factory=Curve.empty)
    fit_coherence: Curve = field(default_factory=Curve.empty)
    fit_phase: Curve = field(default_factory=Curve.empty)
    references: tuple[tuple[Curve, ...], ...] = ()
    ghost: tuple[Curve, ...] = ()
    extremes: tuple[tuple[Curve, ...], ...] = ()
    pulls: tuple[Curve, ...] = ()
    coherence_floor: float | None = None
    unit: str = ""
    y_range: tuple[float, float] = (-3.0, 3.0)
