"""What is fitted to a spectrum and where a fit starts: problem, lines, parameters with bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import lmfit
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...spectra import CsdEstimate
from ..matrices import NAMES
from ..parameters import PARAMETERS
from ..priors import checked_priors
from .lines import Line
from .periodogram import BinGrid
from .starts import channel_lines, pair_starts
from .windows import information_of
from .wishart import SpectralProblem, matrix_entries

__all__ = [
    "bounded",
    "checked_ratio",
    "lines_of",
    "pair_candidates",
    "pair_parameters",
    "prepared",
    "require_information",
    "single_parameters",
    "single_start",
]


def single_parameters(
    csd: CsdEstimate, band: tuple[float, float] | None = None
) -> lmfit.Parameters:
    """Parameters of a single fit with start values from the data and bounds.

    Parameters
    ----------
    csd : CsdEstimate
        One channel.
    band : (float, float), optional
        Hz.

    Returns
    -------
    lmfit.Parameters
        omega, gamma, D, noise.

    Raises
    ------
    InputError
        If the data cannot be used or no line stands out.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> list(ob.single_parameters(csd.select((0,)), (48e3, 60e3)))
    ['omega', 'gamma', 'D', 'noise']
    """
    problem, cut = prepared("single", csd, band, 1.0)
    return bounded("single", cut, single_start(lines_of(cut, problem.weight, 1)[0][0]))


def pair_parameters(
    csd: CsdEstimate,
    band: tuple[float, float] | None = None,
    *,
    masses: tuple[float, float] | None = None,
) -> lmfit.Parameters:
    """Parameters of a pair fit with start values from the data and bounds.

    Parameters
    ----------
    csd : CsdEstimate
        Two channels.
    band : (float, float), optional
        Hz.
    masses : (float, float), optional
        Masses in kg (only their ratio counts), for records in m.

    Returns
    -------
    lmfit.Parameters
        The eleven parameters of a pair fit.

    Raises
    ------
    InputError
        If the data cannot be used or a channel shows no line.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> params = ob.pair_parameters(csd)
    >>> params["re_D12"].set(value=0.0, vary=False)  # is the noise correlated?
    >>> without = ob.fit_pair(csd, params=params)
    """
    ratio = checked_ratio(masses)
    problem, cut = prepared("pair", csd, band, ratio)
    starts = pair_candidates(problem, cut)
    likelihoods = [problem.evaluate(s).log_likelihood for s in starts]
    return bounded("pair", cut, starts[int(np.argmax(likelihoods))])


def checked_ratio(masses: tuple[float, float] | None) -> float | None:
    """m_2/m_1, None when not given."""
    if masses is None:
        return None
    if len(masses) != 2 or not all(math.isfinite(m) and m > 0.0 for m in masses):
        raise InputError(f"masses must be two positive numbers in kg, got {masses!r}")
    return masses[1] / masses[0]


def prepared(
    model: str,
    csd: CsdEstimate,
    band: tuple[float, float] | None,
    mass_ratio: float | None,
    priors: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[SpectralProblem, CsdEstimate]:
    """Check the estimate, cut the band, drop DC and Nyquist, and weigh the bins."""
    wanted = 1 if model == "single" else 2
    if csd.channels != wanted:
        raise InputError(
            f"a {model} fit needs {wanted} channel{'s' if wanted > 1 else ''}, "
            f"the spectrum has {csd.channels}"
        )
    cut = csd if band is None else csd.band(*band)
    # Both are real-valued transforms with half the degrees of freedom.
    bins = np.rint(cut.frequencies / cut.bin_width)
    keep = (bins > 0) & (2 * bins < cut.segment)
    cut = replace(cut, frequencies=cut.frequencies[keep], matrix=cut.matrix[keep])
    if not keep.any():
        raise InputError("the band holds no bin besides DC and Nyquist")
    if not np.isfinite(cut.matrix).all():
        raise InputError("the spectrum holds a value that is not finite")
    for j in range(wanted):
        auto = cut.matrix[:, j, j].real
        if auto.min() < 0.0 or not auto.any():
            raise InputError(f"channel {j} holds no signal: its auto spectrum is zero or negative")
    problem = SpectralProblem(
        model, BinGrid.of(cut), matrix_entries(cut.matrix), information_of(cut), mass_ratio,
        checked_priors(priors, NAMES[model]),
    )  # fmt: skip
    return problem, cut


def require_information(problem: SpectralProblem, params: lmfit.Parameters | None) -> None:
    """Refuse data that cannot tell the parameters apart at all."""
    count = len(problem.names) if params is None else sum(p.vary for p in params.values())
    entries, bins = problem.data.shape
    if entries * bins * problem.weight < 3.0 * count:
        raise InputError(
            f"too few averages: {bins} bins worth {problem.weight:.3g} independent averages each "
            f"cannot determine {count} parameters; average more segments or widen the band"
        )


def lines_of(cut: CsdEstimate, weight: float, count: int) -> list[list[Line]]:
    """Lines of every channel, at least one each."""
    lines = channel_lines(cut, weight, count)
    for j, found in enumerate(lines):
        if not found:
            low, high = cut.frequencies[[0, -1]]
            raise InputError(
                f"no line stands out of the noise of channel {j} between {low:.6g} and "
                f"{high:.6g} Hz; choose the band or average more segments"
            )
    return lines


def single_start(line: Line, ratio: float = 1.0) -> NDArray[np.float64]:
    """Start of a single fit; ``ratio`` narrows the line at constant variance."""
    gamma = 2.0 * math.pi * line.width * ratio
    return np.array([2.0 * math.pi * line.frequency, gamma, line.area * gamma, line.floor])


def pair_candidates(problem: SpectralProblem, cut: CsdEstimate) -> list[NDArray[np.float64]]:
    """Starts of a pair fit from the data."""
    first, second = lines_of(cut, problem.weight, 2)
    return pair_starts(cut, problem.weight, (first, second), problem.mass_ratio)


def bounded(model: str, cut: CsdEstimate, values: NDArray[np.float64]) -> lmfit.Parameters:
    """Parameters at start values within the default bounds."""
    low, high = 2.0 * math.pi * cut.frequencies[[0, -1]]
    margin = 0.25 * (high - low) + 2.0 * math.pi * cut.bin_width
    params = lmfit.Parameters()
    for name, value in zip(NAMES[model], values, strict=True):
        least, most = -math.inf, math.inf
        kind = PARAMETERS[name].kind
        if kind == "frequency":
            least, most = max(low - margin, 0.5 * low), high + margin
        elif kind == "damping":
            # A thousandth of a bin is as good as none; 2ω is the overdamped limit.
            least, most = 2.0 * math.pi * 1e-3 * cut.bin_width, 4.0 * high
        elif PARAMETERS[name].positive:
            least = 0.0
        elif kind == "coupling":
            least, most = -0.5 * high, 0.5 * high
        params.add(name, value=float(np.clip(value, least, most)), min=least, max=most)
    return params
