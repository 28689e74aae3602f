"""Figure of trajectories: samples and states with their errors, amplitudes, innovations."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..tracking import Track, Tracking
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    new_figure,
    panel_letter,
    si_prefix,
    style,
)

__all__ = ["tracking_figure"]

_COLORS = (BLUE, VERMILLION, GREEN, ORANGE)
# Periods of the first particle in the upper panels, and samples of the amplitudes.
_PERIODS, _MOST = 4.0, 20_000
_BINS = 61


def tracking_figure(tracking: Tracking) -> Figure:
    """Draw trajectories of the longest stretch: a few periods, amplitudes, innovations.

    Parameters
    ----------
    tracking : Tracking
        From :func:`optobind.track`.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure` or :func:`data_uri`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> figure = ob.tracking_figure(ob.track(record))
    """
    start, stop = tracking.ranges[int(tracking.ranges.lengths.argmax())]
    middle, half = (start + stop) // 2, min(stop - start, _MOST) // 2
    low = max(start, middle - half)
    track = tracking.read(low, min(stop, low + max(2 * half, 1)))
    count = tracking.dynamics.particles
    with style():
        figure = new_figure(7.3, 1.5 * count + 2.2)
        grid = figure.add_gridspec(count + 1, 2, width_ratios=[2.2, 1.0])
        for particle in range(count):
            axes = figure.add_subplot(grid[particle, 0])
            _states(axes, tracking, track, particle)
            panel_letter(axes, "abcdefgh"[particle])
        _amplitudes(figure.add_subplot(grid[count, 0]), track, count)
        _innovations(figure.add_subplot(grid[count, 1]), track)
        _circles(figure.add_subplot(grid[:count, 1]), track, count)
    return figure


def _unit(track: Track) -> str:
    return "" if track.unit == "quanta" else track.unit


def _states(axes: Axes, tracking: Tracking, track: Track, particle: int) -> None:
    """Samples, filtered and retrodicted position of a few periods."""
    period = 2.0 * np.pi / tracking.dynamics.model.drift[2 * particle, 2 * particle + 1]
    shown = slice(0, min(len(track), max(8, round(_PERIODS * period * track.sample_rate))))
    times = 1e6 * (track.times[shown] - track.times[0])
    output = tracking.dynamics.model.output
    seen = tracking.samples(track.first_sample, track.first_sample + len(times))
    # Samples are drawn where a channel sees its particle alone.
    column = int(np.abs(output[:, 2 * particle]).argmax())
    factor, prefix = si_prefix(track.positions[shown, particle])
    color, error = _COLORS[particle % 4], track.errors[shown, 2 * particle] / factor
    position = track.positions[shown, particle] / factor
    scale = factor * output[column, 2 * particle]
    axes.plot(times, seen[:, column] / scale, ".", color=GREY, ms=1.6, label="samples")
    filtered = track.filtered[shown, 2 * particle] / factor
    axes.plot(times, filtered, ":", color=color, lw=1.0, label="filtered")
    axes.plot(times, position, color=color, label="retrodicted ± 2σ")
    axes.fill_between(
        times, position - 2.0 * error, position + 2.0 * error, color=color, alpha=0.25, lw=0
    )
    unit = f"{prefix}{_unit(track)}"
    axes.set_ylabel(f"$z_{particle + 1}$" + (f" ({unit})" if unit else ""))
    axes.set_ylim(axes.get_ylim()[0], 1.4 * axes.get_ylim()[1])
    axes.set_xlabel("time (µs)")
    axes.legend(loc="upper right", ncols=3)


def _amplitudes(axes: Axes, track: Track, count: int) -> None:
    """Magnitudes of the amplitudes of particles, and of the normal modes."""
    times = 1e3 * (track.times - track.times[0])
    for particle in range(count):
        values = np.abs(track.amplitudes[:, particle])
        axes.plot(times, values, color=_COLORS[particle % 4], label=f"$|a_{particle + 1}|$")
    for mode in range(track.mode_amplitudes.shape[1] if count > 1 else 0):
        values = np.abs(track.mode_amplitudes[:, mode])
        line, color = ("--", BLACK) if mode % 2 == 0 else ("-.", GREY)
        axes.plot(times, values, line, color=color, lw=0.7, label=f"mode {mode + 1}")
    axes.set_ylim(0.0, 1.25 * axes.get_ylim()[1])
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("amplitude" + (f" ({_unit(track)})" if _unit(track) else ""))
    axes.legend(loc="upper right", ncols=4)


def _circles(axes: Axes, track: Track, count: int) -> None:
    """Phase space."""
    shown = slice(0, min(len(track), 4000))
    for particle in range(count):
        axes.plot(
            track.positions[shown, particle], track.momenta[shown, particle],
            color=_COLORS[particle % 4], lw=0.5, label=f"particle {particle + 1}",
        )  # fmt: skip
    axes.set_aspect("equal", "datalim")
    axes.set_xlabel("$z$" + (f" ({_unit(track)})" if _unit(track) else ""))
    axes.set_ylabel("$p$")
    axes.legend(loc="upper right")


def _innovations(axes: Axes, track: Track) -> None:
    """Distribution of the innovations beside the normal one."""
    edges = np.linspace(-4.5, 4.5, _BINS)
    for channel, values in enumerate(track.innovations.T):
        axes.hist(
            values,
            edges.tolist(),
            density=True,
            histtype="step",
            color=_COLORS[channel % 4],
            lw=0.9,
        )
    axes.plot(edges, np.exp(-0.5 * edges**2) / np.sqrt(2.0 * np.pi), color=GREY, lw=0.8)
    axes.set_xlabel("innovation (σ)")
    axes.set_ylabel("density")
