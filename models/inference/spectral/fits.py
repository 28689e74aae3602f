"""Fits of one-sided CSD estimates: one particle ("single") or two coupled ones ("pair").

Complex Wishart likelihood of the *expected* periodogram (physics.md §6), Fisher scoring with
analytic derivatives beneath, lmfit parameters at the surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import lmfit
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...spectra import CsdEstimate
from ..matrices import values_of
from ..optimiser import Optimum, maximise
from ..result import FitResult
from ..space import Space
from .outcome import GUARD, result_of
from .periodogram import BinGrid
from .problem import (
    bounded,
    checked_ratio,
    lines_of,
    pair_candidates,
    prepared,
    require_information,
    single_start,
)
from .starts import mirrored_starts
from .windows import information_of
from .wishart import Evaluation, SpectralProblem, matrix_entries

__all__ = ["expected_csd", "fit_pair", "fit_single"]

# Starts are compared on at most this many bins around the lines; the winner climbs on all.
_START_BINS = 3000
# A start in the right valley is down after ten steps; wrong valleys are long and flat.
_START_ITERATIONS = 30


def fit_single(
    csd: CsdEstimate,
    *,
    band: tuple[float, float] | None = None,
    params: lmfit.Parameters | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
) -> FitResult:
    """Fit one particle: omega, gamma, D, noise.

    Parameters
    ----------
    csd : CsdEstimate
        One channel (use ``csd.select``).
    band : (float, float), optional
        Hz; everything but DC and Nyquist by default.
    params : lmfit.Parameters, optional
        Start values, bounds, fixed values and ties; see :func:`single_parameters`.
    priors : mapping of str to (float, float), optional
        What is known from elsewhere, such as damping by the gas: name to (value, standard error).

    Returns
    -------
    FitResult
        ``model="single"``.

    Raises
    ------
    InputError
        If the data cannot be used, the band is empty, or no line stands out.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> result = ob.fit_single(csd.select((0,)), band=(48e3, 60e3))
    >>> result.varying
    ('omega', 'gamma', 'D', 'noise')
    """
    problem, cut = prepared("single", csd, band, 1.0, priors)
    require_information(problem, params)
    if params is None:
        line = lines_of(cut, problem.weight, 1)[0][0]
        starts = [single_start(line, ratio) for ratio in (1.0, 0.2)]
        optimum = _best(problem, [bounded("single", cut, s) for s in starts])
        if not optimum.converged:
            optimum = _climbed(problem, bounded("single", cut, optimum.values), 200)
    else:
        optimum = _climbed(problem, params)
    return result_of(problem, cut, optimum)


def fit_pair(
    csd: CsdEstimate,
    *,
    band: tuple[float, float] | None = None,
    params: lmfit.Parameters | None = None,
    start: FitResult | Mapping[str, float] | None = None,
    masses: tuple[float, float] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
) -> FitResult:
    """Fit two coupled particles; the eleven parameters of ``NAMES["pair"]``.

    Several starts from the data, and mirrored ones from the best of them, guard against a local
    maximum.

    Parameters
    ----------
    csd : CsdEstimate
        Two channels, particle 1 first.
    band : (float, float), optional
        Hz; everything but DC and Nyquist by default.
    params : lmfit.Parameters, optional
        Start values, bounds, fixed values and ties; see :func:`pair_parameters`.
    start : FitResult or mapping, optional
        Climb from here only (a live fit: from the last result).
    masses : (float, float), optional
        Masses of the particles in kg for records in m: g_r and g_a are then those of the
        symmetrised equations also for unequal particles.
    priors : mapping of str to (float, float), optional
        What is known from elsewhere, such as damping by the gas: name to (value, standard error).

    Returns
    -------
    FitResult
        ``model="pair"``; rates in rad/s, D in unit²/s when the record is not in quanta.

    Raises
    ------
    InputError
        If the estimate has not two channels, the data cannot be used, the band is empty, a channel
        shows no line, or there are too few averages and bins for the parameters.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> result = ob.fit_pair(csd, band=ob.choose_band(csd))
    >>> result.converged, result.parameters["g_a"].unit
    (True, 'rad/s')
    """
    problem, cut = prepared("pair", csd, band, checked_ratio(masses), priors)
    require_information(problem, params)
    if start is not None:
        given = start.parameters if isinstance(start, FitResult) else start
        values = values_of("pair", given)
        optimum = _climbed(problem, _seeded(params, bounded("pair", cut, values), values))
        return result_of(problem, cut, optimum)
    core, inner = _around_lines(problem, cut)
    candidates = pair_candidates(core, inner)
    own = [] if params is None else [params]
    tried = [_seeded(params, bounded("pair", cut, s), s) for s in candidates]
    best = _best(core, own + tried)
    mirrors = mirrored_starts(best.values, problem.mass_ratio)
    again = [_seeded(params, bounded("pair", cut, s), s) for s in mirrors]
    best = _best(core, again, best)
    if len(core.grid.bins) < len(problem.grid.bins) or not best.converged:
        last = _seeded(params, bounded("pair", cut, best.values), best.values)
        best = _climbed(problem, last, 200)
    return result_of(problem, cut, best)


def expected_csd(
    csd: CsdEstimate,
    params: FitResult | Mapping[str, Any],
    *,
    masses: tuple[float, float] | None = None,
) -> NDArray[np.complex128]:
    """Expected periodogram of parameters with the window and bins of an estimate.

    Parameters
    ----------
    csd : CsdEstimate
        Its frequencies, window and sample rate count, its values do not.
    params : FitResult or mapping
        Parameters of "single" (one has ``omega``) or "pair".
    masses : (float, float), optional
        As given to :func:`fit_pair`.

    Returns
    -------
    ndarray, shape (n_freq, c, c)
        unit²/Hz, one-sided; draw it over the data.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> result = ob.fit_pair(csd, band=ob.choose_band(csd))
    >>> ob.expected_csd(csd, result).shape == csd.matrix.shape
    True
    """
    given = params.parameters if isinstance(params, FitResult) else params
    model = "single" if "omega" in given else "pair"
    ratio = checked_ratio(masses)
    if masses is None and isinstance(params, FitResult):
        ratio = float(params.input.get("mass_ratio", 1.0))
    problem = SpectralProblem(model, BinGrid.of(csd), np.zeros((1, 0)), information_of(csd), ratio)
    entries = problem.expected(values_of(model, given))[0]
    # One-sided estimates do not double what has no negative frequency.
    entries[:, (problem.grid.bins == 0) | (2 * problem.grid.bins == csd.segment)] *= 0.5
    if model == "single":
        return np.asarray(entries[0][:, None, None].astype(np.complex128))
    cross = entries[2] + 1j * entries[3]
    matrix = np.empty((entries.shape[1], 2, 2), dtype=np.complex128)
    matrix[:, 0, 0], matrix[:, 1, 1] = entries[0], entries[1]
    matrix[:, 0, 1], matrix[:, 1, 0] = cross, cross.conj()
    return matrix


def _around_lines(
    problem: SpectralProblem, cut: CsdEstimate
) -> tuple[SpectralProblem, CsdEstimate]:
    """The same problem on fewer bins around the lines, for comparing starts."""
    if len(cut.frequencies) <= _START_BINS:
        return problem, cut
    lines = [line for found in lines_of(cut, problem.weight, 2) for line in found]
    width = max(*(line.width for line in lines), 5.0 * cut.bin_width)
    low = min(line.frequency for line in lines) - 30.0 * width
    high = max(line.frequency for line in lines) + 30.0 * width
    keep = (cut.frequencies >= low) & (cut.frequencies <= high)
    if keep.sum() < 30:
        return problem, cut
    inner = replace(cut, frequencies=cut.frequencies[keep], matrix=cut.matrix[keep])
    return replace(problem, grid=BinGrid.of(inner), data=matrix_entries(inner.matrix)), inner


def _seeded(
    params: lmfit.Parameters | None, default: lmfit.Parameters, values: NDArray[np.float64]
) -> lmfit.Parameters:
    """The user's parameters (bounds, ties, fixed values) started at other values."""
    if params is None:
        return default
    seeded = params.copy()
    for name, value in zip(default, values, strict=True):
        if name in seeded and seeded[name].vary and not seeded[name].expr:
            seeded[name].value = float(np.clip(value, seeded[name].min, seeded[name].max))
    seeded.update_constraints()
    return seeded


def _climbed(
    problem: SpectralProblem, params: lmfit.Parameters, max_iterations: int = 100
) -> Optimum[Evaluation]:
    """Climb from the parameters' values; the noise correlation stays physical."""
    space = Space(problem.names, params, problem.model)
    return maximise(problem, space, guard=GUARD, max_iterations=max_iterations)


def _best(
    problem: SpectralProblem,
    starts: list[lmfit.Parameters],
    best: Optimum[Evaluation] | None = None,
) -> Optimum[Evaluation]:
    """Highest maximum over the starts, or the first that two starts agree on.

    Starts that are no model are passed over.
    """
    failure: InputError | None = None
    for params in starts:
        try:
            optimum = _climbed(problem, params, _START_ITERATIONS)
        except InputError as error:
            failure = error
            continue
        if best is None:
            best = optimum
            continue
        rise = optimum.point.log_likelihood - best.point.log_likelihood
        agreed = abs(rise) < 1e-4 and optimum.converged and best.converged
        best = optimum if rise > 1e-6 else best
        if agreed:
            break
    if best is None:
        raise failure or InputError("no start of the fit is an admissible model")
    return best
