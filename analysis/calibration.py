"""Calibration of detectors and particles by thermal spectra of records at known pressure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Record
from ..models.constants import BOLTZMANN
from ..models.errors import InputError
from ..models.inference.result import FitResult
from ..models.spectra import CsdEstimate
from ..models.thermal import Calibration, ThermalLine, calibrate_lines
from .choice import Progress
from .spectrum import SpectrumAnalysis, analyse_spectrum

__all__ = ["ChannelCalibration", "CrossTalk", "calibrate", "cross_talk", "in_volts"]

# Thermal amplitude over the length of the trap above which the line is no parabola's.
_ANHARMONIC = 0.02


@dataclass(frozen=True)
class ChannelCalibration:
    """Calibration of one channel with the fits that it rests on.

    Attributes
    ----------
    name : str
        Of the channel.
    calibration : Calibration
        Radius, mass, V/m.
    fits : tuple of FitResult
        Of the spectra in volts, one a record.
    pressures : tuple of float
        Pa, one a record.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> found = ob.calibrate([record], pressures=[100.0], density=1850.0, temperature=293.0)
    >>> [channel.name for channel in found]
    ['z1', 'z2']
    """

    name: str
    calibration: Calibration
    fits: tuple[FitResult, ...] = field(repr=False)
    pressures: tuple[float, ...]


@dataclass(frozen=True)
class CrossTalk:
    """How much of one particle's motion the other's detector shows.

    Attributes
    ----------
    share : float
        ε in y_seen_by = … + ε y_of, real part of the ratio of spectra at the line.
    stderr : float
        Its standard error.
    phase : float
        Phase of that ratio, rad; far from 0 or π it is no cross-talk but coupling or a delay.
    """

    share: float
    stderr: float
    phase: float


def calibrate(
    records: Sequence[Record],
    *,
    pressures: Sequence[float],
    density: float | Sequence[float],
    temperature: float,
    species: str = "air",
    gauge_error: float = 0.1,
    temperature_error: float = 1.0,
    density_error: float = 0.0,
    channels: Sequence[int] | None = None,
    band: tuple[float, float] | None = None,
    trap_length: float | None = None,
    progress: Progress | None = None,
) -> tuple[ChannelCalibration, ...]:
    """Calibrate each particle's channel from thermal spectra, several pressures together.

    Parameters
    ----------
    records : sequence of Record
        Of uncoupled particles without feedback; any calibration that they have is not used, but
        gives the temperature of the motion.
    pressures : sequence of float
        Pa, one a record.
    density : float or sequence of float
        kg/m³, of all particles or of each.
    temperature : float
        Of the gas, K.
    species : str
        Gas.
    gauge_error : float
        Relative standard error common to all pressures.
    temperature_error, density_error : float
        Standard errors, K and kg/m³.
    channels : sequence of int, optional
        Columns; out-of-loop detectors by default.
    band : (float, float), optional
        Hz; around each line by default.
    trap_length : float, optional
        Length over which the trap is no parabola (axially the Rayleigh length), m, for a warning.
    progress : callable, optional
        Called with the share that is done.

    Returns
    -------
    tuple of ChannelCalibration
        One a channel.

    Raises
    ------
    InputError
        If records and pressures do not match, or a record cannot be fitted.
    ConvergenceError
        If the pressures have no common calibration.

    References
    ----------
    physics.md §5; Hebestreit et al., Rev. Sci. Instrum. 89, 033111 (2018).

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> first = ob.calibrate([record], pressures=[100.0], density=1850.0, temperature=293.0)[0]
    >>> first.calibration.volts_per_metre.unit
    'V/m'
    """
    if not records or len(records) != len(pressures):
        raise InputError(f"{len(records)} records need one pressure each, got {len(pressures)}")
    columns = tuple(records[0].usual if channels is None else channels)
    densities = [density] * len(columns) if isinstance(density, int | float) else list(density)
    if len(densities) != len(columns):
        raise InputError(f"{len(columns)} channels need one density each, got {len(densities)}")
    found, work = [], len(columns) * len(records)
    for place, (column, rho) in enumerate(zip(columns, densities, strict=True)):
        fits, lines = [], []
        for number, (record, pressure) in enumerate(zip(records, pressures, strict=True)):
            result = _fitted(record, column, band).result
            fits.append(result)
            lines.append(_line(result, pressure))
            if progress is not None:
                progress((place * len(records) + number + 1) / work)
        calibration = calibrate_lines(
            lines,
            temperature=temperature,
            density=rho,
            species=species,
            gauge_error=gauge_error,
            temperature_error=temperature_error,
            density_error=density_error,
            volts_per_metre=_believed(records[0], column),
        )
        warnings = [*calibration.warnings, *_about_fits(fits)]
        warnings += _about_trap(calibration, lines, temperature, trap_length)
        found.append(
            ChannelCalibration(
                records[0].names[column],
                replace(calibration, warnings=tuple(dict.fromkeys(warnings))),
                tuple(fits),
                tuple(pressures),
            )
        )
    return tuple(found)


def in_volts(record: Record) -> Record:
    """Return a record as the detectors show it, whatever calibration it has.

    Raises
    ------
    InputError
        If it was not stored in volts.
    """
    if record.stored_unit != "V":
        raise InputError(f"{record.path} is in {record.stored_unit}: only volts can be calibrated")
    return replace(
        record,
        unit="V",
        scale=np.abs(record.stored_scale),
        masses=(None,) * len(record.names),
    )


def _fitted(record: Record, column: int, band: tuple[float, float] | None) -> SpectrumAnalysis:
    """Fit one channel as the detector shows it."""
    plain = in_volts(record)
    analysis = analyse_spectrum(plain, model="single", channels=(column,), band=band)
    if not analysis.result.converged:
        raise InputError(f"the line of {record.names[column]} in {record.path} cannot be fitted")
    return analysis


def _line(result: FitResult, pressure: float) -> ThermalLine:
    at = [result.varying.index(name) for name in ("gamma", "D")]
    covariance = np.asarray(result.covariance[np.ix_(at, at)])
    return ThermalLine(
        result.value("omega"), result.value("gamma"), result.value("D"), covariance, pressure
    )


def _believed(record: Record, column: int) -> float | None:
    """Volts per metre that the record's rig states; None if it states none."""
    if record.unit != "m":
        return None
    return float(abs(record.stored_scale[column] / record.scale[column]))


def _about_fits(fits: Sequence[FitResult]) -> list[str]:
    return [text for fit in fits for text in fit.warnings if "not calibrated" not in text]


def _about_trap(
    calibration: Calibration,
    lines: Sequence[ThermalLine],
    temperature: float,
    length: float | None,
) -> list[str]:
    """Whether the thermal amplitude is small against the trap."""
    if length is None:
        return []
    omega = float(np.mean([line.omega for line in lines]))
    amplitude = math.sqrt(BOLTZMANN * temperature / calibration.mass.value) / omega
    if amplitude < _ANHARMONIC * length:
        return []
    return [
        f"thermal amplitude {1e9 * amplitude:.3g} nm in a trap of {1e6 * length:.3g} µm: the trap "
        "is anharmonic there, lines are broadened and V/m is too small; calibrate colder or along "
        "a stiffer axis"
    ]


def cross_talk(csd: CsdEstimate, line: float, width: float) -> CrossTalk:
    """Share of the first channel's motion that the second one shows, for uncoupled particles.

    Around the line of the first particle the second channel shows ε times the first: the ratio
    S_21/S_11 of sums over the line is ε. It holds only for particles that are not coupled, far
    apart or at φ = π/2 with sin kd = 0, since a coupling looks the same at one light setting
    (physics.md §10).

    Parameters
    ----------
    csd : CsdEstimate
        Two channels, the one whose particle moves at this line first.
    line, width : float
        Frequency and full width of the line, Hz.

    Returns
    -------
    CrossTalk
        ε with its error.

    Raises
    ------
    InputError
        Unless there are two channels and a bin on the line.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> abs(ob.cross_talk(csd, 54.5e3, 1e3).share) < 1.0
    True
    """
    if csd.channels != 2:
        raise InputError(f"cross-talk needs two channels, the spectrum has {csd.channels}")
    near = np.abs(csd.frequencies - line) <= max(width, 1.5 * csd.bin_width)
    if not near.any():
        raise InputError(f"no bin lies on the line at {line:g} Hz")
    matrix: NDArray[np.complex128] = csd.matrix[near].sum(axis=0)
    power = float(matrix[0, 0].real)
    ratio = complex(matrix[1, 0]) / power
    rest = max(float(matrix[1, 1].real) - abs(matrix[1, 0]) ** 2 / power, 0.0)
    count = max(float(csd.averages) * float(near.sum()) / 2.0, 1.0)
    return CrossTalk(
        ratio.real, math.sqrt(rest / power / (2.0 * count)), math.atan2(ratio.imag, ratio.real)
    )
