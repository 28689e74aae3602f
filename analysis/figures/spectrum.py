"""Figure of averaged spectra: auto spectra, cross spectrum, coherence, fit and residuals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ...models.inference.result import FitResult
from ...models.spectra import CsdEstimate
from .spectrum_view import SpectrumView, spectrum_view
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    new_figure,
    panel_letter,
    pull_panel,
    si_prefix,
    style,
)

__all__ = ["spectrum_figure"]

_PARTICLES = (BLUE, VERMILLION)
_ERRORBARS = 450  # more points than this show their scatter themselves
_VISIBLE = 3.0  # a phase is drawn where |S_12|² is this many times its noise


def spectrum_figure(csd: CsdEstimate, result: FitResult) -> Figure:
    """Draw a spectrum with its fit.

    Parameters
    ----------
    csd : CsdEstimate
        What was fitted (the band is cut out again); one or two channels.
    result : FitResult
        Of :func:`fit_single` or :func:`fit_pair`.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure` or :func:`data_uri`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_spectrum(record)
    >>> figure = ob.spectrum_figure(analysis.csd, analysis.result)
    """
    view = spectrum_view(csd, result)
    with style():
        return _pair(view) if view.csd.channels == 2 else _single(view)


def _single(view: SpectrumView) -> Figure:
    """One channel: spectrum above residuals."""
    figure = new_figure(4.6, 3.8)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1.0])
    _autos(top, view)
    pull_panel(below, view.centres / 1e3, view.pulls[0], BLUE)
    below.set_ylabel("residual (σ)")
    _frequency_axis(below, view)
    panel_letter(top, "a")
    panel_letter(below, "b")
    return figure


def _pair(view: SpectrumView) -> Figure:
    """Two channels: auto spectra on the left, the cross spectrum on the right."""
    figure = new_figure(7.3, 5.9)
    grid = figure.add_gridspec(5, 2, height_ratios=[1.7, 1.1, 1.0, 1.05, 1.05])
    autos = figure.add_subplot(grid[0:3, 0])
    left = [figure.add_subplot(grid[row, 0], sharex=autos) for row in (3, 4)]
    right = [figure.add_subplot(grid[row, 1], sharex=autos) for row in range(5)]
    _autos(autos, view)
    x = view.centres / 1e3
    for j, axes in enumerate(left):
        pull_panel(axes, x, view.pulls[j], _PARTICLES[j])
        axes.set_ylabel(f"resid. $S_{{{j + 1}{j + 1}}}$ (σ)")
    _modulus(right[0], view)
    _phase(right[1], view)
    _coherence(right[2], view)
    for axes, row, part in ((right[3], 2, "Re"), (right[4], 3, "Im")):
        pull_panel(axes, x, view.pulls[row], GREEN)
        axes.set_ylabel(f"{part} $S_{{12}}$ (σ)")
    for axes in (autos, left[0], *right[:4]):
        axes.tick_params(labelbottom=False)
    for axes in (left[1], right[4]):
        _frequency_axis(axes, view)
    for letter, axes in zip("abcdefgh", [autos, *left, *right], strict=True):
        panel_letter(axes, letter)
    figure.align_ylabels([autos, *left])
    figure.align_ylabels(right)
    return figure


def _frequency_axis(axes: Axes, view: SpectrumView) -> None:
    f = view.csd.frequencies / 1e3
    axes.set_xlim(f[0], f[-1] if f[-1] > f[0] else f[0] + 1.0)
    axes.set_xlabel("frequency (kHz)")


def _density_unit(view: SpectrumView) -> tuple[float, str]:
    """Factor and label of the spectral density."""
    unit = view.csd.unit
    if unit == "quanta":
        return 1.0, "1/Hz"
    peak = max(float(view.model[:, j, j].real.max()) for j in range(view.csd.channels))
    factor, prefix = si_prefix(peak, power=2)
    return factor, f"{prefix}{unit}²/Hz"


def _points(
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    error: NDArray[np.float64],
    color: str,
    label: str,
) -> None:
    """Data with error bars where they can be told apart."""
    if len(x) <= _ERRORBARS:
        axes.errorbar(
            x, y, error, fmt="o", ms=1.8, mew=0, elinewidth=0.5, color=color, alpha=0.55,
            label=label, zorder=1,
        )  # fmt: skip
    else:
        axes.plot(
            x, y, "o", ms=1.4, mew=0, color=color, alpha=0.5, label=label, rasterized=True,
            zorder=1,
        )  # fmt: skip


def _autos(axes: Axes, view: SpectrumView) -> None:
    f, (factor, unit) = view.csd.frequencies / 1e3, _density_unit(view)
    for j in range(view.csd.channels):
        data = view.csd.matrix[:, j, j].real / factor
        model = view.model[:, j, j].real / factor
        _points(axes, f, data, view.error * model, _PARTICLES[j], _name(view, j))
    for j in range(view.csd.channels):
        label = "fit" if j == 0 else None
        axes.plot(f, view.model[:, j, j].real / factor, color=BLACK, lw=0.9, label=label, zorder=3)
    axes.set_yscale("log")
    _headroom(axes, view.csd.matrix, view.model, factor)
    axes.set_ylabel(f"power spectral density ({unit})")
    axes.legend(loc="upper right", ncols=3, columnspacing=1.0, borderaxespad=0.0)
    axes.text(
        0.0, 0.985, _averages(view), transform=axes.transAxes, fontsize=6.5, color=GREY, va="top",
        ha="left",
    )  # fmt: skip


def _name(view: SpectrumView, channel: int) -> str:
    """Name of an auto spectrum."""
    return "$S$" if view.csd.channels == 1 else f"$S_{{{channel + 1}{channel + 1}}}$"


def _averages(view: SpectrumView) -> str:
    return f" {view.csd.averages} averages, {view.csd.bin_width:.3g} Hz/bin"


def _headroom(
    axes: Axes, matrix: NDArray[np.complex128], model: NDArray[np.complex128], factor: float
) -> None:
    """Leave room for the legend above the data of a logarithmic axis."""
    index = np.arange(matrix.shape[1])
    data = np.concatenate([matrix[:, index, index].real, model[:, index, index].real]) / factor
    positive = data[data > 0.0]
    low, high = float(positive.min()), float(positive.max())
    axes.set_ylim(0.7 * low, high * (high / low) ** 0.17)


def _modulus(axes: Axes, view: SpectrumView) -> None:
    f, (factor, unit) = view.csd.frequencies / 1e3, _density_unit(view)
    data, model = np.abs(view.csd.matrix[:, 0, 1]), np.abs(view.model[:, 0, 1])
    # |Ŝ_12| cannot fall below the scatter of a finite average.
    floor = view.error * np.sqrt((view.model[:, 0, 0] * view.model[:, 1, 1]).real)
    _points(axes, f, data / factor, floor / np.sqrt(2.0) / factor, GREEN, "$|S_{12}|$")
    axes.plot(f, model / factor, color=BLACK, lw=0.9, label="fit", zorder=3)
    axes.plot(f, floor / factor, ":", color=GREY, lw=0.9, label="scatter at $S_{12}=0$", zorder=2)
    axes.set_yscale("log")
    seen = np.concatenate([data, floor]) / factor
    low, high = float(np.quantile(seen[seen > 0.0], 0.01)), float(seen.max())
    axes.set_ylim(0.5 * low, high * (high / low) ** 0.30)
    axes.set_ylabel(f"$|S_{{12}}|$ ({unit})")
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend(loc="upper right", ncols=3, columnspacing=1.0, borderaxespad=0.0)


def _phase(axes: Axes, view: SpectrumView) -> None:
    f = view.csd.frequencies / 1e3
    cross, coherence = view.model[:, 0, 1], _squared_coherence(view.model)
    measured = np.angle(view.csd.matrix[:, 0, 1] / cross)
    expected = np.unwrap(np.angle(cross))
    expected -= 2.0 * np.pi * np.round(float(np.median(expected)) / (2.0 * np.pi))
    with np.errstate(divide="ignore"):
        error = view.error * np.sqrt(np.maximum(1.0 - coherence, 0.0) / (2.0 * coherence))
    seen = coherence > _VISIBLE * view.error**2
    turns = 1.0 / np.pi
    data = (expected + measured) * turns
    if seen.any():
        _points(axes, f[seen], data[seen], error[seen] * turns, GREEN, "")
    axes.plot(f, expected * turns, color=BLACK, lw=0.9, zorder=3)
    axes.set_ylabel("arg $S_{12}$ (π)")


def _squared_coherence(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    powers = matrix[:, 0, 0].real * matrix[:, 1, 1].real
    return np.asarray(np.abs(matrix[:, 0, 1]) ** 2 / powers)


def _coherence(axes: Axes, view: SpectrumView) -> None:
    f = view.csd.frequencies / 1e3
    data, model = _squared_coherence(view.csd.matrix), _squared_coherence(view.model)
    error = view.error * np.sqrt(2.0 * model) * (1.0 - model)
    bias = view.error**2 * (1.0 - model) ** 2
    _points(axes, f, data, error, GREEN, "")
    axes.plot(f, model + bias, color=BLACK, lw=0.9, zorder=3)
    axes.axhline(view.error**2, ls=":", color=ORANGE, lw=0.9)
    axes.set_ylim(0.0, 1.08 * float(max(data.max(), model.max())))
    axes.set_ylabel("coherence $\\gamma^2$")
    axes.yaxis.set_major_locator(MaxNLocator(3))
