"""What makes a trap array impossible before any physics is computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .ranges import require_range
from .sphere import Sphere

__all__ = ["check_apart", "check_beats", "measured_table", "position_array"]

# Slower beats are neither static nor averaged: Eq. (13) near twice a trap frequency.
_AVERAGED_BEAT = 5e5


def position_array(positions: ArrayLike, count: int | None = None) -> NDArray[np.float64]:
    """Positions as a finite array (n, 3), m, of ``count`` rows if given."""
    try:
        places = np.array(positions, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("positions must be numbers, shape (n, 3), in m") from None
    if places.ndim != 2 or places.shape[1] != 3 or not np.isfinite(places).all():
        raise InputError(f"positions must be finite, shape (n, 3) in m; got shape {places.shape}")
    if count is not None and len(places) != count:
        raise InputError(f"{count} positions are needed, got {len(places)}")
    return places


def measured_table(
    measured: Sequence[float | tuple[float, float, float]] | None, count: int
) -> NDArray[np.float64]:
    """Measured frequencies as a table (count, 3), rad/s, NaN where not measured.

    Raises
    ------
    InputError
        Unless there is one axial value, or one triple (x, y, z), for each particle.
    """
    table = np.full((count, 3), np.nan)
    if measured is None:
        return table
    values = np.asarray(measured, dtype=np.float64)
    if values.shape not in ((count,), (count, 3)):
        raise InputError(
            f"measured_omegas needs {count} values (axial) or {count} triples (x, y, z), "
            f"its shape is {values.shape}"
        )
    for value in values.ravel():
        require_range("measured_omegas", float(value), 1.0, 1e9, "rad/s")
    if values.ndim == 1:
        table[:, 2] = values
    else:
        table[:] = values
    return table


def check_beats(detunings: Iterable[float]) -> None:
    """Raise :class:`InputError` for beats that are neither static nor fast enough to average."""
    for low, high in itertools.pairwise(sorted(set(detunings))):
        if high - low < _AVERAGED_BEAT:
            raise InputError(
                f"tweezers differ by {high - low:g} Hz: the optical phase neither rests (0 Hz) "
                f"nor averages out (from {_AVERAGED_BEAT:g} Hz); give them one detuning, or freeze "
                "the light at a time"
            )


def check_apart(spheres: Sequence[Sphere], places: NDArray[np.float64]) -> None:
    """Raise :class:`InputError` for spheres that touch at positions (n, 3) in m."""
    radii = np.array([sphere.radius for sphere in spheres])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1) - np.add.outer(radii, radii)
    np.fill_diagonal(gaps, np.inf)
    if gaps.min() <= 0.0:
        first, second = sorted(int(j) for j in np.unravel_index(gaps.argmin(), gaps.shape))
        distance = float(np.linalg.norm(places[first] - places[second]))
        raise InputError(
            f"particles {first + 1} and {second + 1} touch: {1e9 * distance:.4g} nm apart, radii "
            f"{1e9 * radii[first]:.4g} and {1e9 * radii[second]:.4g} nm"
        )
