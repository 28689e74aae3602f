"""From the steady stretches of a record to averaged spectra and their fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..acquisition.records.record import Record
from ..models.errors import InputError
from ..models.inference.convention import in_quanta, own_scale
from ..models.inference.result import FitResult
from ..models.inference.spectral.choose import choose_band
from ..models.inference.spectral.fits import fit_pair, fit_single
from ..models.soundness import same_signal
from ..models.spectra import CsdEstimate
from .averaging import sound_csd
from .choice import Progress, check_band, with_input
from .detection import Ranges, corrected, delay_warning, tone_warning, without_ranges
from .gas_prior import fitted_with_gas, gas_prior
from .quanta import csd_in_quanta
from .rig_check import overdamped
from .steady import exact_spectrum, is_narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SpectrumAnalysis", "SpectrumEstimator", "analyse_spectrum"]

SpectrumEstimator = Literal["wishart", "exact"]

# One segment alone is fitted when a line is narrower than its bins, as in high vacuum; of a record
# shorter than this it says nothing that is worth an error bar.
_SHORTEST_ALONE = 4096


@dataclass(frozen=True)
class SpectrumAnalysis:
    """A fitted spectrum: the whole estimate in the unit of the result, and the result.

    Attributes
    ----------
    csd : CsdEstimate
        Of all steady stretches.
    result : FitResult
        Of :func:`fit_single` or :func:`fit_pair`, in quanta where masses are known.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> ob.analyse_spectrum(record).csd.unit
    'quanta'
    """

    csd: CsdEstimate
    result: FitResult

    def __repr__(self) -> str:
        """Averages and result in one line."""
        return f"<SpectrumAnalysis of {self.csd.averages} averages: {self.result!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.result._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the result."""
        return self.result.to_dict()

    def plot(self) -> list[Axes]:
        """Draw spectrum and fit, :func:`optobind.spectrum_figure`; returns its axes."""
        from .figures.spectrum import spectrum_figure

        return spectrum_figure(self.csd, self.result).axes


def analyse_spectrum(
    record: Record,
    *,
    model: Literal["single", "pair"] | None = None,
    band: tuple[float, float] | None = None,
    channels: Sequence[int] | None = None,
    segment: int | None = None,
    exclude: Ranges = (),
    delay: float | None = None,
    mixing: tuple[float, float] | None = None,
    estimator: SpectrumEstimator | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    gamma_prior: bool = True,
    progress: Progress | None = None,
    fit_progress: Progress | None = None,
) -> SpectrumAnalysis:
    """Estimate and fit the spectra of a record's steady stretches, in bounded memory.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    model : {"single", "pair"}, optional
        "pair" if two or more channels are chosen, else "single".
    band : (float, float), optional
        Hz; around the lines by default.
    channels : sequence of int, optional
        Columns, particle 1 first; out-of-loop detectors by default.
    segment : int, optional
        Samples per segment; so that the lines are resolved by default.
    exclude : sequence of (float, float)
        Ranges that are left out, Hz, such as that of a tone.
    delay : float, optional
        By how much the second channel was sampled later than the first, s; by default what the
        record tells of its channels.
    mixing : (float, float), optional
        Known cross-talk of two detectors, T_12 and T_21 of y = Tz.
    estimator : {"wishart", "exact"}, optional
        "wishart" fits averaged spectra, "exact" the Fourier coefficients of whole stretches, ends
        included: errors hold for lines of any width, and a line narrower than a bin costs nothing.
        By default the exact one where a line is narrower than 1.5 bins of the longest segment.
    priors : mapping of str to (float, float), optional
        What is known from elsewhere: name to (value, standard error).
    gamma_prior : bool
        Whether damping by the gas is taken for known, within its errors, where a run without
        feedback knows its pressure; where the data contradict it by three standard errors it is
        left out, and said.
    progress : callable, optional
        Called with the share of the samples that were averaged, 0 … 1.
    fit_progress : callable, optional
        Called with the share of an exact fit that is done, where there is one.

    Returns
    -------
    SpectrumAnalysis
        In quanta where the record is calibrated and the masses are known (on the fit's own scale
        ω), otherwise in the record's unit.

    Raises
    ------
    InputError
        For channels that do not suit the model, a band outside 0 … Nyquist or without bins, too few
        samples or averages, or no line.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_spectrum(record)
    >>> print(ob.fit_report(analysis.result).splitlines()[0])
    pair fit
    >>> figure = ob.spectrum_figure(analysis.csd, analysis.result)
    """
    if estimator not in (None, "wishart", "exact"):
        raise InputError(f"unknown estimator {estimator!r}; known: wishart, exact")
    chosen, model = _choose(record, channels, model)
    check_band(band, record.sample_rate)
    csd, record, found = sound_csd(record, chosen, segment, band, exclude, progress)
    _require_spectrum(csd, record, segment)
    csd = without_ranges(corrected(csd, record, chosen, delay, mixing), exclude)
    used = choose_band(csd) if band is None else band
    masses = record.masses_of(chosen) if record.unit == "m" else None
    known = _Known(exclude, delay, mixing)
    task = _Fit(csd, record, chosen, model, used, masses, known, estimator, segment, fit_progress)
    gas = gas_prior(record, chosen, "spectrum") if gamma_prior else None
    result = fitted_with_gas(gas, priors, task.fit)
    said = tone_warning(result, record.steady().samples / record.sample_rate)
    said += overdamped(result)
    if masses is not None:
        result = in_quanta(result, masses)
        csd = csd_in_quanta(csd, masses, own_scale(result))
    result = replace(
        result,
        warnings=(*found, *said, *result.warnings),
        input={**result.input, **known.provenance()},
    )
    if channels is None:
        result = _with_choice(result, record, chosen)
    return SpectrumAnalysis(csd, with_input(result, record, chosen))


def _require_spectrum(csd: CsdEstimate, record: Record, segment: int | None) -> None:
    """Refuse one signal in both channels, and too few averages."""
    if csd.channels == 2 and same_signal(csd):
        raise InputError(
            f"both channels of {record.path} hold the same signal (coherence 1): choose the two "
            "detectors, or fit one of them, --model single --channels 0"
        )
    if segment is not None and csd.averages < 2:
        raise InputError(
            f"too few averages: {csd.averages} segment of {segment} samples, at least 2 are "
            "needed; choose a shorter segment"
        )
    if csd.averages < 2 and record.longest() < _SHORTEST_ALONE:
        raise InputError(
            f"too few averages: {record.path} holds {record.longest()} samples, which give 1 "
            f"segment; at least {_SHORTEST_ALONE} samples are needed, or a shorter --segment"
        )


def _is_coarse(csd: CsdEstimate, result: FitResult) -> bool:
    """Whether nothing was averaged, or a line is narrower than 1.5 bins."""
    return csd.averages < 2 or is_narrow(result, csd.bin_width)


@dataclass(frozen=True)
class _Known:
    """What is taken off the data."""

    exclude: Ranges
    delay: float | None
    mixing: tuple[float, float] | None

    def provenance(self) -> dict[str, Any]:
        """For the result's input; nothing where nothing was taken off."""
        known: dict[str, Any] = {}
        if self.exclude:
            known["exclude"] = [list(pair) for pair in self.exclude]
        if self.delay is not None:
            known["delay"] = self.delay
        if self.mixing is not None:
            known["mixing"] = list(self.mixing)
        return known


@dataclass(frozen=True)
class _Fit:
    """The fit of averaged spectra, and the exact one where it is asked for or needed."""

    csd: CsdEstimate
    record: Record
    columns: tuple[int, ...]
    model: Literal["single", "pair"]
    band: tuple[float, float]
    masses: tuple[float, ...] | None
    known: _Known
    estimator: SpectrumEstimator | None
    segment: int | None
    progress: Progress | None

    def fit(self, priors: Mapping[str, tuple[float, float]] | None) -> FitResult:
        """Fit with what is known of parameters."""
        csd = self.csd
        said: tuple[str, ...] = ()
        if self.model == "pair":
            masses = None if self.masses is None else (self.masses[0], self.masses[1])
            result = fit_pair(csd, band=self.band, masses=masses, priors=priors)
            said = delay_warning(csd, self.band, result, masses)
        else:
            result = fit_single(csd, band=self.band, priors=priors)
        unasked = self.estimator is None and self.segment is None
        if self.estimator == "exact" or (unasked and _is_coarse(csd, result)):
            result, more = self._exact(result, priors)
            said += more
        return replace(result, warnings=(*said, *result.warnings))

    def _exact(
        self, start: FitResult, priors: Mapping[str, tuple[float, float]] | None
    ) -> tuple[FitResult, tuple[str, ...]]:
        """The exact fit; where it was not asked for and cannot be made, the start and why."""
        known = self.known
        try:
            found = exact_spectrum(
                self.record, self.columns, self.band, start, exclude=known.exclude,
                delay=known.delay, mixing=known.mixing, masses=self.masses, priors=priors,
                progress=self.progress,
            )  # fmt: skip
        except InputError as error:
            if self.estimator == "exact":
                raise
            return start, (f"no exact fit of a line narrower than its bins: {error}",)
        return found, ()


def _choose(
    record: Record, channels: Sequence[int] | None, model: Literal["single", "pair"] | None
) -> tuple[tuple[int, ...], Literal["single", "pair"]]:
    """Settle channels and model, each from the other where it is not given."""
    columns = record.usual if channels is None else channels
    chosen = record.check_columns(columns)
    if model is None:
        model = "pair" if len(chosen) >= 2 else "single"
    wanted = 2 if model == "pair" else 1
    if channels is None and len(chosen) > wanted:
        chosen = chosen[:wanted]
    if len(chosen) != wanted:
        raise InputError(
            f"a {model} fit needs {wanted} channel{'s' if wanted > 1 else ''}, {len(chosen)} "
            f"{'is' if len(chosen) == 1 else 'are'} chosen of {record.path} "
            f"({', '.join(record.names)})"
        )
    return chosen, model


def _with_choice(result: FitResult, record: Record, columns: tuple[int, ...]) -> FitResult:
    """Warn of columns that were left out without having been asked for."""
    if len(columns) == len(record.usual):
        return result
    taken = ", ".join(f"{column} ({record.names[column]})" for column in columns)
    text = f"{len(record.usual)} channels, fitted: {taken}; choose others with --channels"
    return replace(result, warnings=(*result.warnings, text))
