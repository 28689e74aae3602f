"""Between the pair model's symbols and what a fit can know.

A spectrum determines the lines ω̃_j only, so a fit takes ω̃_j for omega_j and (ω̃_1+ω̃_2)/2 for the
scale ω of g, D and quanta. Predictions and truths are converted before they are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..constants import HBAR
from ..errors import InputError
from ..pair import PairConstants
from .parameters import PARAMETERS, unit_of
from .result import FitResult, FittedParameter

__all__ = ["OF_EQUAL_PARTICLES", "fit_convention", "in_quanta", "on_own_scale", "own_scale"]

OF_EQUAL_PARTICLES = "g_r and g_a are those of equal"
"""How a fit without masses begins its warning, which a conversion by masses takes back."""


def fit_convention(constants: PairConstants, unit: str = "quanta") -> dict[str, float]:
    """Parameters that a pair fit of a record of these constants should find.

    With q = ω/[(ω̃_1+ω̃_2)/2]: omega_j = ω̃_j, g → qg. A record in "quanta" is fitted as it stands:
    D → q²D; a record in "m" is converted with the fit's own scale (:func:`in_quanta`): D → qD.
    D_jj is the total diffusion, gas included.

    Parameters
    ----------
    constants : PairConstants
        Truth or prediction, scale ω.
    unit : str
        "quanta" or "m", the unit of the record that is fitted.

    Returns
    -------
    dict
        omega_1, omega_2, gamma_1, gamma_2, g_r, g_a, D11, D22, re_D12 in rad/s.

    Raises
    ------
    InputError
        For a unit without a scale of quanta.

    Examples
    --------
    >>> import optobind as ob
    >>> pair = ob.load_trap("simulated-pair").pair_constants().constants
    >>> ob.fit_convention(pair, "m")["omega_1"] == pair.line_frequencies[0]
    True
    """
    if unit not in {"quanta", "m"}:
        raise InputError(f"unit {unit!r} has no scale of quanta; known: quanta, m")
    first, second = constants.line_frequencies
    q = constants.omega / (0.5 * (first + second))
    d = q * q if unit == "quanta" else q
    total = constants.total_diffusion
    return {
        "omega_1": first,
        "omega_2": second,
        "gamma_1": constants.gamma[0],
        "gamma_2": constants.gamma[1],
        "g_r": q * constants.g_r,
        "g_a": q * constants.g_a,
        "D11": d * total[0],
        "D22": d * total[1],
        "re_D12": d * constants.re_D12,
    }


def in_quanta(result: FitResult, masses: tuple[float, ...]) -> FitResult:
    """Convert a fit of a record in m to quanta of the fit's own ω, errors included.

    Every quadratic parameter of particles j and l takes √(m_jm_l) ω/ħ: D_jl in m²/s, noise_j in
    m²/Hz, ⟨|a_j(0)|²⟩ = n_j(0) + ½ and C(0) in m². A pair that was fitted without its masses gets
    g_r ± g_a of the symmetrised equations: z_1 in metres feels 2ω(g_r+g_a) √(m_2/m_1) z_2. Errors
    follow from the covariance, that of ω included. Parameters are known by their names.

    Parameters
    ----------
    result : FitResult
        A "single", "pair" or "reheating" fit with unit "m".
    masses : tuple of float
        kg, one for each particle.

    Returns
    -------
    FitResult
        In quanta.

    Raises
    ------
    InputError
        If the fit is not in m, or masses are missing or not positive.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")
    >>> start, stop = record.steady()[0]
    >>> csd = ob.estimate_csd(record.read(start, stop), record.sample_rate, 8192, unit=record.unit)
    >>> masses = record.masses_of((0, 1))
    >>> result = ob.in_quanta(ob.fit_pair(csd, band=(30e3, 90e3), masses=masses), masses)
    >>> result.parameters["D11"].unit
    'rad/s'
    """
    unit = result.input.get("unit")
    if unit != "m":
        raise InputError(f"only a fit of a record in m converts to quanta, this one is in {unit!r}")
    wanted = 1 if result.model == "single" else 2
    if len(masses) != wanted or not all(math.isfinite(m) and m > 0.0 for m in masses):
        raise InputError(f"a {result.model} fit needs {wanted} positive masses in kg, got {masses}")
    ratio = masses[1] / masses[0] if wanted == 2 else 1.0
    names = list(result.parameters)
    converted = _converted(result, names, _to_quanta(names, masses, _fitted_ratio(result)))
    return replace(
        converted,
        input={**result.input, "unit": "quanta", "masses": list(masses), "mass_ratio": ratio},
        warnings=tuple(w for w in result.warnings if not w.startswith(OF_EQUAL_PARTICLES)),
    )


def on_own_scale(result: FitResult, omega: float) -> FitResult:
    """Count the quanta of a fit on its own ω instead of a given one, errors included.

    A record in metres may be turned into quanta of a known ω before the fit. D, C, noise and n + ½
    are proportional to that ω, g and ω̃ are not; the ω of the fit itself has an error, which the
    errors of the others then hold.

    Parameters
    ----------
    result : FitResult
        A fit of a record in quanta.
    omega : float
        What the record was counted on, rad/s.

    Raises
    ------
    InputError
        If the fit is not in quanta.
    """
    unit = result.input.get("unit")
    if unit != "quanta":
        raise InputError(f"only a fit in quanta has a scale of quanta, this one is in {unit!r}")
    names = list(result.parameters)

    def convert(values: NDArray[np.float64]) -> NDArray[np.float64]:
        v = dict(zip(names, values.tolist(), strict=True))
        ratio = own_scale(v) / omega
        for name in names:
            known = PARAMETERS.get(name)
            if known is not None and known.particles:
                half = 0.5 if known.kind == "occupation" else 0.0
                v[name] = (v[name] + half) * ratio - half
        return np.array([v[name] for name in names])

    return _converted(result, names, convert)


def own_scale(fit: FitResult | Mapping[str, float]) -> float:
    """ω that quanta of a fit are counted on: its line, or the mean of its two, rad/s."""
    if isinstance(fit, FitResult):
        return own_scale({name: p.value for name, p in fit.parameters.items()})
    parameters = fit
    if "omega" in parameters:
        return parameters["omega"]
    return 0.5 * (parameters["omega_1"] + parameters["omega_2"])


def _fitted_ratio(result: FitResult) -> float:
    """m_2/m_1 that the fit assumed."""
    return float(result.input.get("mass_ratio", 1.0))


def _full_covariance(result: FitResult, names: list[str]) -> NDArray[np.float64]:
    """Covariance over all parameters; fixed ones have none, tied ones their own variance only."""
    covariance = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        covariance[i, i] = (result.parameters[name].stderr or 0.0) ** 2
    known = [name for name in result.varying if name in names]
    index = [names.index(name) for name in known]
    source = [result.varying.index(name) for name in known]
    covariance[np.ix_(index, index)] = result.covariance[np.ix_(source, source)]
    return covariance


_Conversion = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _converted(result: FitResult, names: list[str], convert: _Conversion) -> FitResult:
    """Result in quanta with values, errors and covariance sent through a conversion."""
    values = np.array([result.parameters[name].value for name in names])
    converted = convert(values)
    jacobian = _derivative(convert, values)
    covariance = jacobian @ _full_covariance(result, names) @ jacobian.T
    rows = [names.index(name) for name in result.varying]
    parameters = {
        name: FittedParameter(
            float(converted[i]),
            None if p.stderr is None else math.sqrt(max(float(covariance[i, i]), 0.0)),
            unit_of(name, "quanta"),
            p.vary,
        )
        for i, (name, p) in enumerate(result.parameters.items())
    }
    fitted = result.fitted
    if fitted is not None:
        # Fits name helpers of ties besides; the likelihood knows the parameters of its model only.
        own = [names.index(name) for name in fitted.space.names]

        def shown(model: NDArray[np.float64]) -> NDArray[np.float64]:
            every = values.copy()
            every[own] = model
            return convert(every)[own]

        fitted = fitted.converted(shown)
    return replace(
        result, parameters=parameters, covariance=covariance[np.ix_(rows, rows)], fitted=fitted
    )


def _to_quanta(names: list[str], masses: tuple[float, ...], fitted_ratio: float) -> _Conversion:
    """Values in the order of names from m to quanta, g_r ± g_a for the true mass ratio."""
    correction = math.sqrt(fitted_ratio * masses[0] / masses[-1])

    def convert(values: NDArray[np.float64]) -> NDArray[np.float64]:
        v = dict(zip(names, values.tolist(), strict=True))
        omega = own_scale(v)
        if "g_r" in v:
            plus, minus = correction * (v["g_r"] + v["g_a"]), (v["g_r"] - v["g_a"]) / correction
            v["g_r"], v["g_a"] = 0.5 * (plus + minus), 0.5 * (plus - minus)
        for name in names:
            known = PARAMETERS.get(name)
            if known is not None and known.particles:
                one, two = (masses[j] for j in known.particles)
                v[name] *= math.sqrt(one * two) * omega / HBAR
                # In m the fit counts ⟨|a|²⟩ from zero, in quanta from the vacuum's ½.
                v[name] -= 0.5 if known.kind == "occupation" else 0.0
        return np.array([v[name] for name in names])

    return convert


def _derivative(convert: _Conversion, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central differences; every conversion is bilinear, so they are exact to rounding."""
    jacobian = np.zeros((len(values), len(values)))
    for j, value in enumerate(values):
        step = 1e-4 * (abs(value) or 1.0)
        up, down = values.copy(), values.copy()
        up[j] += step
        down[j] -= step
        jacobian[:, j] = (convert(up) - convert(down)) / (2.0 * step)
    return jacobian
