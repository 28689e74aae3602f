"""Fig. 3(a) of the Letter for a rig, as a picture: regimes over φ and distance, hatched, labelled.

The exact rates are computed on a coarse grid and interpolated before they are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.array_phases import array_regimes
from ...models.phases import finer_regimes

if TYPE_CHECKING:
    from ...models.array import TrapArray

__all__ = ["REGIME_NAMES", "PhaseMap", "RegionLabel", "phase_map", "picture"]

REGIME_NAMES = {
    "reciprocal": "reciprocal",
    "antireciprocal": "antireciprocal",
    "unidirectional": "unidirectional",
    "noise_correlated": "noise-correlated",
}
"""Regimes in the order in which later ones are painted over earlier ones."""

_COARSE, _FINE = 33, 193
_NONE, _NOT_HELD = 0, 9
_SMALLEST = 0.004  # share of the map that is labelled
_MOST_LABELS = 2  # of one regime
_APART = (0.3, 0.09)  # shares of the map between two labels
_HATCH = 8  # px of a pattern


@dataclass(frozen=True)
class RegionLabel:
    """Name of a region and where it stands: φ (rad), distance (m)."""

    text: str
    phi: float
    separation: float


@dataclass(frozen=True)
class PhaseMap:
    """Regimes of a rig over set phase and distance.

    Attributes
    ----------
    phi : ndarray, shape (p,)
        rad.
    separation : ndarray, shape (q,)
        m.
    regime : ndarray of uint8, shape (p, q)
        0 where none prevails, else 1 + the place in :data:`REGIME_NAMES`; 9 where no pair is held.
    grows : ndarray of bool, shape (p, q)
        Where amplitudes grow without feedback, gas included.
    labels : tuple of RegionLabel
        In the middle of each large region.
    """

    phi: NDArray[np.float64]
    separation: NDArray[np.float64]
    regime: NDArray[np.uint8]
    grows: NDArray[np.bool_]
    labels: tuple[RegionLabel, ...]


def phase_map(trap: TrapArray, low: float, high: float) -> PhaseMap:
    """Compute the map of a pair; takes some tenths of a second.

    Parameters
    ----------
    trap : TrapArray
        Particles and light; its own φ and distance do not matter.
    low, high : float
        Range of distances, m.

    Raises
    ------
    InputError
        Unless there are two particles side by side.
    """
    coarse_phi = np.linspace(-math.pi, math.pi, _COARSE)
    found = array_regimes(trap, coarse_phi, np.linspace(low, high, _COARSE))
    fine = finer_regimes(found.regimes, _FINE)
    regime = np.full(fine.g_r.shape, _NONE, np.uint8)
    for number, name in enumerate(REGIME_NAMES, start=1):
        regime[fine.flags[name]] = number
    regime[~fine.valid] = _NOT_HELD
    separation = fine.kd / trap.k
    grows = _finer(found.unstable, fine.phi.size, fine.kd.size, found.onset)
    return PhaseMap(fine.phi, separation, regime, grows, _labels(fine.phi, separation, regime))


def _finer(
    flag: NDArray[np.bool_], rows: int, columns: int, onset: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Where growth sets in, on the fine grid: the smooth measure of onset is interpolated."""
    if flag.shape == (rows, columns):
        return flag
    from scipy.interpolate import RectBivariateSpline

    x, y = np.linspace(0.0, 1.0, flag.shape[0]), np.linspace(0.0, 1.0, flag.shape[1])
    surface = RectBivariateSpline(x, y, onset)
    values = surface(np.linspace(0.0, 1.0, rows), np.linspace(0.0, 1.0, columns))
    return np.asarray(values < 0.0)


def _labels(
    phi: NDArray[np.float64], separation: NDArray[np.float64], regime: NDArray[np.uint8]
) -> tuple[RegionLabel, ...]:
    """A label in the widest place of each region that is large enough."""
    from scipy.ndimage import distance_transform_edt, label

    words = {number: text for number, text in enumerate(REGIME_NAMES.values(), start=1)}
    words[_NOT_HELD] = "not held"
    places: list[tuple[float, str, float, float]] = []
    for number, text in words.items():
        regions, count = label(regime == number)
        for index in range(1, count + 1):
            region = regions == index
            if region.mean() < _SMALLEST:
                continue
            depth: NDArray[np.float64] = np.asarray(distance_transform_edt(np.pad(region, 1)))
            depth = depth[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            places.append((float(depth.max()), text, row / phi.size, column / separation.size))
    found: list[tuple[str, float, float]] = []
    for _, text, x, y in sorted(places, reverse=True):
        apart = all(abs(x - a) > _APART[0] or abs(y - b) > _APART[1] for _, a, b in found)
        inside = 0.5 * _APART[0] < x < 1.0 - 0.5 * _APART[0]
        if apart and inside and sum(text == known for known, _, _ in found) < _MOST_LABELS:
            found.append((text, x, y))
    rows, columns = phi.size, separation.size
    return tuple(
        RegionLabel(text, float(phi[round(x * rows)]), float(separation[round(y * columns)]))
        for text, x, y in found
    )


def picture(
    found: PhaseMap, colors: dict[str, tuple[int, int, int]], line: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Paint a map: a colour and a hatch for each regime, a line where growth sets in.

    Parameters
    ----------
    found : PhaseMap
        Of :func:`phase_map`.
    colors : dict
        RGB by name of the regime.
    line : (int, int, int)
        RGB of hatches and lines.

    Returns
    -------
    ndarray of uint8, shape (p·n, q·n, 4)
        RGBA, φ along the first axis; n pixels to a point of the map.
    """
    scale = 3
    regime = np.repeat(np.repeat(found.regime, scale, 0), scale, 1)
    grows = np.repeat(np.repeat(found.grows, scale, 0), scale, 1)
    i, j = np.indices(regime.shape)
    image = np.zeros((*regime.shape, 4), np.uint8)
    hatches = {
        "reciprocal": np.zeros(regime.shape, bool),
        "antireciprocal": (i + j) % _HATCH == 0,
        "unidirectional": (i - j) % _HATCH == 0,
        "noise_correlated": (i % _HATCH < 2) & (j % _HATCH < 2),
    }
    for number, name in enumerate(REGIME_NAMES, start=1):
        here = regime == number
        image[here] = (*colors[name], 110)
        image[here & hatches[name]] = (*line, 110)
    nowhere = regime == _NOT_HELD
    image[nowhere & (((i + j) % _HATCH == 0) | ((i - j) % _HATCH == 0))] = (*line, 150)
    edge = np.zeros(regime.shape, bool)
    edge[1:] |= grows[1:] != grows[:-1]
    edge[:, 1:] |= grows[:, 1:] != grows[:, :-1]
    edge[1:] |= edge[:-1]
    image[edge & ~nowhere] = (*line, 255)
    return image
