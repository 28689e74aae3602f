"""Calibration by thermal motion: radius, mass and volts per metre from lines at known p and T.

A particle in gas is damped at γ(p), which weighs it: γ(p) → R → m = (4/3)πR³ρ. Its thermal motion
then calibrates the detector by equipartition, ⟨z²⟩ = kT/(mω²) (physics.md §5). The line of a
spectrum in volts gives ω, γ and the diffusion D_V in V²/s, with ⟨z²⟩ = D_V/γ; recoil adds to D_V
what does not depend on the pressure. So, with c in V/m, the products

    D_V ω² = c² (γ kT/m + H),      H = (recoil force noise)/(2m²),

lie on a line over γ: its slope is c² kT/m, its intercept the heating without gas. One pressure
gives the slope alone, if recoil is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from .constants import BOLTZMANN, HBAR
from .errors import ConvergenceError, InputError
from .gas import Gas
from .ranges import require_range
from .sphere import Sphere

__all__ = ["Calibration", "Quantity", "ThermalLine", "calibrate_lines"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class ThermalLine:
    """One line of one particle at one pressure.

    Attributes
    ----------
    omega, gamma : float
        Frequency and energy damping rate, rad/s and 1/s.
    diffusion : float
        D_V, V²/s: variance ⟨z²⟩ = D_V/γ in V².
    covariance : ndarray, shape (2, 2)
        Of (γ, D_V).
    pressure : float
        Pa.
    """

    omega: float
    gamma: float
    diffusion: float
    covariance: NDArray[np.float64]
    pressure: float


@dataclass(frozen=True)
class Quantity:
    """A calibrated number with two kinds of error.

    Attributes
    ----------
    value : float
        SI.
    statistical : float
        Standard error from the spectra.
    systematic : float
        Standard error from gauge, temperature and density, common to all records.
    unit : str
        SI unit.
    """

    value: float
    statistical: float
    systematic: float
    unit: str

    @property
    def stderr(self) -> float:
        """Both errors together."""
        return math.hypot(self.statistical, self.systematic)


@dataclass(frozen=True)
class Calibration:
    """What thermal spectra say about a particle and its detector.

    Attributes
    ----------
    radius, mass, volts_per_metre : Quantity
        Of the particle, and of its channel.
    temperature : Quantity or None
        Of the motion, from a known volts per metre; None unless that was given.
    heating : Quantity or None
        Phonon heating rate D without gas at the mean line frequency, 1/s; None for one pressure.
    chi2 : float
        Of the common fit.
    dof : int
        Its degrees of freedom, 0 for one pressure.
    contributions : mapping of str to mapping of str to float
        Systematic error of each quantity by its source.
    warnings : tuple of str
        What the user should know.
    """

    radius: Quantity
    mass: Quantity
    volts_per_metre: Quantity
    temperature: Quantity | None
    heating: Quantity | None
    chi2: float
    dof: int
    contributions: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Given:
    """What is taken as known; each may be off by its error."""

    scale: float  # true pressure over the gauge's
    temperature: float
    density: float
    species: str


def calibrate_lines(
    lines: Sequence[ThermalLine],
    *,
    temperature: float,
    density: float,
    species: str = "air",
    gauge_error: float = 0.1,
    temperature_error: float = 1.0,
    density_error: float = 0.0,
    volts_per_metre: float | None = None,
) -> Calibration:
    """Fit radius and volts per metre to the lines of one particle at one or several pressures.

    Parameters
    ----------
    lines : sequence of ThermalLine
        At least one, with gas damping.
    temperature : float
        Of the gas, K.
    density : float
        Of the particle, kg/m³.
    species : str
        Gas.
    gauge_error : float
        Relative standard error of all pressures together, such as 0.1.
    temperature_error : float
        K.
    density_error : float
        kg/m³.
    volts_per_metre : float, optional
        Known from elsewhere: the temperature of the motion then follows.

    Returns
    -------
    Calibration
        With statistical and systematic errors.

    Raises
    ------
    InputError
        Without lines, for values outside their range, or a damping that no radius has.
    ConvergenceError
        If the lines of several pressures cannot be described together.
    """
    if not lines:
        raise InputError("a calibration needs at least one thermal line")
    require_range("gauge_error", gauge_error, 0.0, 1.0, "(relative)")
    require_range("temperature_error", temperature_error, 0.0, temperature, "K")
    require_range("density_error", density_error, 0.0, density, "kg/m³")
    given = _Given(1.0, temperature, density, species)
    fit = _fit(lines, given)
    jacobian = _derivative(lambda x: _quantities(x, given, fit.omega), fit.x)
    spread = np.sqrt(np.diag(jacobian @ fit.covariance @ jacobian.T))
    sources = {
        "gauge": (replace(given, scale=1.0 + 0.5 * gauge_error), 2.0),
        "temperature": (replace(given, temperature=temperature + 0.5 * temperature_error), 2.0),
        "density": (replace(given, density=density + 0.5 * density_error), 2.0),
    }
    centre = _quantities(fit.x, given, fit.omega)
    shifts = {}
    for name, (other, times) in sources.items():
        moved = _fit(lines, other)
        shifts[name] = times * (_quantities(moved.x, other, moved.omega) - centre)
    systematic = np.sqrt(np.sum(np.array(list(shifts.values())) ** 2, axis=0))
    names: tuple[str, ...] = ("radius", "mass", "volts_per_metre", "heating", "temperature")
    units = ("m", "kg", "V/m", "1/s", "K")
    if volts_per_metre is None:
        names = names[:4]
    else:  # of c² T, the temperature that c is known for
        shown = np.array([1.0, 1.0, 1.0, 1.0, volts_per_metre**-2])
        centre, spread, systematic = centre * shown, spread * shown, systematic * shown
        shifts = {name: shift * shown for name, shift in shifts.items()}
    found = {
        name: Quantity(float(centre[i]), float(spread[i]), float(systematic[i]), units[i])
        for i, name in enumerate(names)
    }
    return Calibration(
        radius=found["radius"],
        mass=found["mass"],
        volts_per_metre=found["volts_per_metre"],
        temperature=found.get("temperature"),
        heating=found["heating"] if len(lines) > 1 else None,
        chi2=fit.chi2,
        dof=fit.dof,
        contributions={
            name: {source: float(abs(shift[i])) for source, shift in shifts.items()}
            for i, name in enumerate(names)
        },
        warnings=tuple(_warnings(lines, fit)),
    )


@dataclass(frozen=True)
class _Fit:
    """ln R, slope and intercept of D_V ω² over γ, with their covariance."""

    x: _Array
    covariance: _Array
    chi2: float
    dof: int
    omega: float


def _fit(lines: Sequence[ThermalLine], given: _Given) -> _Fit:
    """Weighted fit of γ(p; R) and of the line D_V ω² = slope·γ + intercept; exact for one."""
    gases = [Gas(given.scale * line.pressure, given.temperature, given.species) for line in lines]
    first = gases[0].radius_from_damping(lines[0].gamma, given.density)
    products = np.array([line.diffusion * line.omega**2 for line in lines])
    gammas = np.array([line.gamma for line in lines])
    whitening = [_whitening(line) for line in lines]
    omega = float(np.mean([line.omega for line in lines]))
    several = len(lines) > 1

    def residual(x: _Array) -> _Array:
        radius, slope = first * math.exp(x[0]), slope_0 * math.exp(x[1])
        rest = x[2] * slope_0 if several else 0.0
        expected = np.array([gas.damping_rate(Sphere(radius, given.density)) for gas in gases])
        off = np.stack([gammas - expected, products - slope * expected - rest * gammas.min()])
        return np.concatenate([w @ off[:, i] for i, w in enumerate(whitening)])

    slope_0 = float(np.mean(products / gammas))
    size = 3 if several else 2
    found = least_squares(residual, np.zeros(size), x_scale="jac", xtol=1e-12, ftol=1e-12)
    if not found.success or not np.isfinite(found.x).all():
        raise ConvergenceError("the lines of these pressures have no common radius and calibration")
    jacobian = np.asarray(found.jac, np.float64)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    x = np.zeros(5)
    x[:size] = found.x
    x[3], x[4] = math.log(first), math.log(slope_0)
    full = np.zeros((5, 5))
    full[:size, :size] = covariance
    x[2] *= gammas.min()
    full[2] *= gammas.min()
    full[:, 2] *= gammas.min()
    return _Fit(x, full, float(2.0 * found.cost), 2 * len(lines) - size, omega)


def _whitening(line: ThermalLine) -> _Array:
    """Inverse root of the covariance of (γ, D_V ω²)."""
    scale = np.array([1.0, line.omega**2])
    return np.asarray(np.linalg.inv(np.linalg.cholesky(line.covariance * np.outer(scale, scale))))


def _quantities(x: _Array, given: _Given, omega: float) -> _Array:
    """Radius, mass, V/m, heating rate without gas, and c² T, which needs no T of the gas."""
    radius, slope = math.exp(x[0] + x[3]), math.exp(x[1] + x[4])
    mass = Sphere(radius, given.density).mass
    squared = slope * mass / (BOLTZMANN * given.temperature)  # c²
    # D_V = c² ħ/(mω) D: the heating rate of the intercept.
    heating = x[2] * math.exp(x[4]) / squared * mass / (HBAR * omega)
    product = slope * mass / BOLTZMANN
    return np.array([radius, mass, math.sqrt(squared), heating, product])


def _derivative(function: Callable[[_Array], _Array], x: _Array) -> _Array:
    """Central differences, shape (outputs, inputs)."""
    columns = []
    for i in range(len(x)):
        step = 1e-5 * max(abs(x[i]), 1.0)
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        columns.append((function(up) - function(down)) / (2.0 * step))
    return np.stack(columns, axis=1)


def _warnings(lines: Sequence[ThermalLine], fit: _Fit) -> list[str]:
    """What speaks against the result."""
    found = []
    if fit.dof > 0 and fit.chi2 > fit.dof + 4.0 * math.sqrt(2.0 * fit.dof):
        found.append(
            f"chi2 = {fit.chi2:.4g} for {fit.dof} degrees of freedom: pressures, temperature or "
            "particle are not the same in all records as assumed"
        )
    if len(lines) == 1:
        found.append(
            "one pressure: heating by recoil or noise of the laser is taken for gas; records at "
            "several pressures tell them apart"
        )
    if any(line.gamma > 0.2 * line.omega for line in lines):
        found.append("a line is damped by more than a fifth of its frequency: choose less gas")
    return found
