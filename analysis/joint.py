"""Many records of one pair, taken at different light, explained together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..acquisition.records.opening import open_record
from ..acquisition.records.pieces import Piece, optics_of, pieces_of
from ..acquisition.records.record import Record
from ..models.errors import ConvergenceError, InputError
from ..models.inference.joint.belief import Belief
from ..models.inference.joint.fits import JointFit, JointOptions, fit_joint
from ..models.inference.joint.law import PairLaw, PairSetting
from ..models.inference.joint.likelihood import SHARED
from ..models.inference.joint.parts import Measured
from ..models.inference.joint.points import LightPoint, light_points
from ..models.inference.joint.pressure import Extrapolation, zero_pressure
from ..models.inference.joint.reversal import HalfDifference, half_differences
from ..models.inference.result import FitResult
from .choice import Progress
from .reheating import analyse_reheating
from .spectrum import analyse_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GlobalAnalysis", "fit_global", "measured_pieces"]

_FLIPPED = ("g_r", "g_a", "re_D12")
_STEP = 1e-4  # rad
# The fits of single records are half of the work, or nearly all where likelihoods are summed.
_SINGLE = 0.9


@dataclass(frozen=True)
class GlobalAnalysis:
    """A global fit and what follows from it.

    Attributes
    ----------
    fit : JointFit
        Shared parameters with the likelihood behind them.
    points : tuple of LightPoint
        Every light: couplings, avoided crossing, exceptional points.
    reversals : tuple of HalfDifference
        Half differences of lights at φ and φ + π: the cross-check that needs no model.
    pressure : tuple of Extrapolation
        Heating and damping at zero pressure, where several were measured.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.fit_global([record])
    >>> [point.kind for point in analysis.points]
    ['exceptional points']
    """

    fit: JointFit
    points: tuple[LightPoint, ...]
    reversals: tuple[HalfDifference, ...]
    pressure: tuple[Extrapolation, ...]

    @property
    def result(self) -> FitResult:
        """Shared parameters."""
        return self.fit.result

    def belief(self) -> Belief[PairSetting]:
        """What is known of the rig now, for planning the next light."""
        return Belief.of(self.fit)

    def __repr__(self) -> str:
        """Numbers of records and lights, and the result, in a line."""
        records, lights = len(self.fit.measured), len(self.points)
        return f"<GlobalAnalysis of {records} records at {lights} lights: {self.result!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the shared parameters."""
        return self.result._repr_html_()

    def plot(self) -> list[Axes]:
        """Draw couplings over the light, :func:`optobind.global_figure`; returns its axes."""
        from .figures.joint import global_figure

        return global_figure(self).axes

    def to_dict(self) -> dict[str, Any]:
        """JSON values: the result, every light, reversals, zero pressure, the records."""
        return {
            **self.result.to_dict(),
            "lights": [point.to_dict() for point in self.points],
            "half_differences": [_reversal(one) for one in self.reversals],
            "zero_pressure": {one.name: one.to_dict() for one in self.pressure},
            "records": [_record(m) for m in self.fit.measured],
        }


def _reversal(one: HalfDifference) -> dict[str, Any]:
    s = one.setting
    return {
        "phi": s.phi,
        "distance": s.distance,
        "records": list(one.records),
        **{
            name: {"value": float(value), "stderr": float(error), "half_sum": float(even)}
            for name, value, error, even in zip(
                _FLIPPED, one.values, one.stderr, one.even, strict=True
            )
        },
        "cross_talk": {"value": one.cross_talk, "stderr": one.cross_talk_stderr},
    }


def _record(measured: Measured) -> dict[str, Any]:
    s, result = measured.setting, measured.result
    return {
        "name": measured.name,
        "model": result.model,
        "estimator": result.statistics.get("estimator", "spectrum"),
        "phi": s.phi,
        "distance": s.distance,
        "powers": list(s.powers),
        "pressure": s.pressure,
        **{n: {"value": result.value(n), "stderr": result.stderr(n)} for n in _FLIPPED},
    }


def fit_global(
    records: Sequence[Record | str | Path | Measured],
    *,
    settings: Sequence[PairSetting | None] | None = None,
    law: PairLaw | None = None,
    share: Sequence[str] | None = None,
    block: int | None = None,
    delay: float | None = None,
    summed: bool = False,
    distance_error: float = 1e-7,
    phase_drift: float = 0.0,
    gain_error: float | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    keep_doubtful: bool = False,
    progress: Progress | None = None,
) -> GlobalAnalysis:
    """Fit records of one pair that were taken at different light, with shared constants.

    G, kd, the offset of the phase, the shift of the equilibria, the lines and the mixing of the
    detectors are shared by all records; heating, noises and drifts belong to each. What the law of
    the pair lacks (0.8 % of G/kd in the couplings, 8 % in the lines) and how far φ drifts are part
    of the model. Phases φ and φ + π together tell correlated recoil from cross-talk.

    Parameters
    ----------
    records : sequence of Record, path or Measured
        Run files, which know their light; each is cut where its light or φ changes. Other records
        need their ``settings``. Results of single fits come as :class:`Measured`.
    settings : sequence of PairSetting or None, optional
        Light of each record, instead of what the file tells; one for each of ``records``.
    law : PairLaw, optional
        Wavelength and optics; those of the first run file's rig by default.
    share : sequence of str, optional
        What is shared and fitted besides G: "kd", "phase", "equilibria", "lines", "mixing",
        "gains", "delay", "common", "power". By default what the records can tell.
    block : int, optional
        Repetitions of a block of releases with a drift of φ of its own.
    delay : float, optional
        By how much channel 2 is sampled later than channel 1, s; what the files know by default.
        NaN fits it.
    summed : bool
        Sum the likelihoods of the records instead of their results with covariance.
    distance_error : float
        Standard error of the set distance, m.
    phase_drift : float
        Standard deviation of φ from block to block, rad.
    gain_error : float, optional
        Relative error of each detector's calibration.
    priors : mapping, optional
        Shared parameter to value and standard error.
    keep_doubtful : bool
        Use records that their own fits do not describe (p < 1e-6) all the same. By default they
        are left out, which a warning says: their errors are too small, and one of them decides.
    progress : callable, optional
        Called with the share of the work that is done.

    Returns
    -------
    GlobalAnalysis
        Shared parameters, every light, reversals, zero pressure.

    Raises
    ------
    InputError
        For no records, records without light or calibration, or values out of range.
    ConvergenceError
        If the fit of a single record does not converge.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.fit_global([record]).result
    >>> result.parameters["G"].unit, result.stderr("G") > 0.0
    ('rad/s', True)
    """
    options = JointOptions(
        None if share is None else tuple(share),
        summed,
        distance_error,
        phase_drift,
        gain_error,
        priors,
        keep_doubtful,
    )
    if not records:
        raise InputError("a global fit needs records, got none")
    if settings is not None and len(settings) != len(records):
        raise InputError(f"{len(records)} records need as many settings, got {len(settings)}")
    opened = [open_record(r) if isinstance(r, str | Path) else r for r in records]
    measured: list[Measured] = []
    for number, record in enumerate(opened):
        setting = None if settings is None else settings[number]
        if isinstance(record, Measured):
            measured.append(record)
            continue

        def done(share: float, number: int = number) -> None:
            if progress is not None:
                progress(_SINGLE * (number + share) / len(opened))

        measured += measured_pieces(record, setting, block, delay, done)
    known = law or _law(opened, measured)
    fit = fit_joint(measured, known, options)
    if progress is not None:
        progress(1.0)
    return GlobalAnalysis(
        fit, tuple(light_points(fit)), tuple(_reversals(fit)), tuple(zero_pressure(fit.measured))
    )


def _law(records: Sequence[Record | Measured], measured: Sequence[Measured]) -> PairLaw:
    """Optics of the first run file's rig."""
    for record in records:
        if isinstance(record, Record) and record.kind == "run":
            optics = optics_of(record)
            return PairLaw.gaussian(optics.wavelength, optics.waists, optics.powers)
    raise InputError(
        "no record tells the wavelength: give law=PairLaw(wavelength), or the rig (--rig)"
    )


def measured_pieces(
    record: Record,
    setting: PairSetting | None = None,
    block: int | None = None,
    delay: float | None = None,
    progress: Progress | None = None,
) -> list[Measured]:
    """Fit every piece of a record on its own.

    Parameters
    ----------
    record : Record
        A run file, or any record whose light is given.
    setting : PairSetting, optional
        Its light, instead of what the file tells; φ + π for the reversed releases of a run.
    block, delay
        As for :func:`fit_global`.
    progress : callable, optional
        Called with the share that is done.

    Returns
    -------
    list of Measured
        A fit with its light for each piece: steady stretches and releases, each light by itself.

    Raises
    ------
    InputError
        If the light is not known, or nothing can be fitted.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> len(ob.measured_pieces(record))
    2
    """
    if record.kind == "run":
        pieces = pieces_of(record, block)
        if not pieces:
            raise InputError(f"{record.path} holds nothing that can be fitted")
    else:
        if setting is None:
            raise InputError(
                f"{record.path} is no run file: its light is not known, say what it was"
            )
        pieces = []
    found = []
    for number, piece in enumerate(pieces):

        def done(share: float, number: int = number) -> None:
            if progress is not None:
                progress((number + share) / len(pieces))

        found.append(_measured(piece, setting, delay, done))
    if not pieces:
        assert setting is not None
        released = _is_released(record)
        result = _fitted(record, released, delay, progress)
        raw = record.unit == "quanta"
        found.append(Measured(setting, result, record.path.name, raw=raw))
    return found


def _is_released(record: Record) -> bool:
    """Whether a foreign record holds repetitions of releases."""
    try:
        record.steady()
    except InputError:
        return True
    return False


def _measured(
    piece: Piece, setting: PairSetting | None, delay: float | None, progress: Progress
) -> Measured:
    light = PairSetting.of(piece.state, piece.pressure)
    if setting is not None:
        # What a reversal added within the run stays added.
        turned = piece.name.endswith(", reversed")
        light = PairSetting(
            setting.phi + (math.pi if turned else 0.0),
            setting.distance,
            setting.powers,
            piece.pressure if setting.pressure is None else setting.pressure,
        )
    result = _fitted(piece.record, piece.kind == "released", delay, progress)
    return Measured(light, result, piece.name, piece.group, piece.record.unit == "quanta")


def _fitted(
    record: Record, released: bool, delay: float | None, progress: Progress | None
) -> FitResult:
    """Fit one piece: raw releases by the exact likelihood, steady records by their spectra.

    Damping by the gas is no prior of a piece: all pieces share the error of one gauge.
    """
    if released:
        result = analyse_reheating(
            record, detection={"noise_12": None, **_delay(record, delay)}, gamma_prior=False,
            progress=progress,
        ).result  # fmt: skip
    else:
        late = None if delay is None or math.isnan(delay) else delay
        result = analyse_spectrum(
            record, model="pair", delay=late, gamma_prior=False, progress=progress
        ).result
    if not result.converged:
        raise ConvergenceError(f"the fit of {record.path} did not converge")
    return result


def _delay(record: Record, delay: float | None) -> dict[str, float | None]:
    """Delay of channel 2 as the exact likelihood has it: how much later it shows the motion."""
    if delay is not None:
        return {"delay_12": None if math.isnan(delay) else -delay}
    if not record.delays:
        return {}
    one, two = (record.delays[column] for column in record.usual[:2])
    return {"delay_12": one - two} if one != two else {}


def _reversals(fit: JointFit) -> list[HalfDifference]:
    """Half differences of the records, with the drifts of φ that the fit allows."""
    measured, frame = fit.measured, fit.likelihood.frame
    estimates, covariances = [], []
    for one in measured:
        rows = [one.result.varying.index(n) for n in _FLIPPED]
        estimates.append(np.array([one.result.value(n) for n in _FLIPPED]))
        covariances.append(one.result.covariance[np.ix_(rows, rows)])
    named = dict(zip(SHARED, fit.values.tolist(), strict=True))
    settings = [m.setting for m in measured]
    up, down = (fit.law.foresee(named, settings, sign * _STEP) for sign in (1.0, -1.0))
    slopes = np.stack(
        [(getattr(up, n) - getattr(down, n)) / (2.0 * _STEP) for n in _FLIPPED], axis=1
    )
    groups = [f"\0{i}" if m.group is None else m.group for i, m in enumerate(measured)]
    numbers = [list(dict.fromkeys(groups)).index(g) for g in groups]
    heating = [m.result.value("D11") + m.result.value("D22") for m in measured]
    return half_differences(
        settings, estimates, covariances, heating, numbers, list(slopes), frame.tolerances.phase
    )
