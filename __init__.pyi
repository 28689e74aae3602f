"""The public names of the laboratory, declared once: for checkers and, lazily, for Python."""

# ruff: isort: off

from . import theory as theory

# particles and light
from .models.sphere import Sphere as Sphere
from .models.tweezer import Tweezer as Tweezer
from .models.gas import Gas as Gas
from .models.array import TrapArray as TrapArray
from .models.light import Site as Site, TweezerState as TweezerState
from .models.objective import (
    AplanaticObjective as AplanaticObjective,
    aplanatic_factor as aplanatic_factor,
)
from .models.mie import dipole_radius as dipole_radius, mie_corrections as mie_corrections

# couplings, forces and regimes
from .models.pair import PairConstants as PairConstants
from .models.linear import LinearModel as LinearModel
from .models.families import pair_family as pair_family
from .models.farfield import noise_kernel as noise_kernel
from .models.forces import binding_force as binding_force, pair_green as pair_green
from .models.phases import ideal_regimes as ideal_regimes, ideal_symmetry as ideal_symmetry
from .models.array_phases import array_regimes as array_regimes, array_symmetry as array_symmetry
from .analysis.phases import ideal_phases as ideal_phases, pair_phases as pair_phases
from .analysis.comparison import predictions as predictions

# experiments
from .config.notebook import (
    load_plan as load_plan,
    load_rig as load_rig,
    load_trap as load_trap,
    simulate as simulate,
)
from .instruments.rig import Rig as Rig
from .acquisition.session import Session as Session
from .acquisition.remote.client import RemoteSession as RemoteSession, connect as connect
from .acquisition.remote.server import RemoteServer as RemoteServer, serve as serve
from .acquisition.plans import (
    MonitorPlan as MonitorPlan,
    ReheatingPlan as ReheatingPlan,
    SequencePlan as SequencePlan,
)
from .acquisition.sweeps.plan import Axis as Axis, SweepPlan as SweepPlan
from .acquisition.sweeps.seek_plan import SeekPlan as SeekPlan
from .acquisition.sweeps.programs import steps as steps
from .acquisition.suspenders import SuspendRules as SuspendRules

# records and their analysis
from .acquisition.records.opening import open_record as open_record
from .acquisition.records.selected import stretch_of as stretch_of
from .acquisition.records.selected import without_releases as without_releases
from .acquisition.records.record import Record as Record
from .acquisition.runfile import RunFile as RunFile
from .analysis.spectrum import (
    SpectrumAnalysis as SpectrumAnalysis,
    analyse_spectrum as analyse_spectrum,
)
from .analysis.reheating import (
    ReheatingAnalysis as ReheatingAnalysis,
    analyse_reheating as analyse_reheating,
)
from .analysis.block_series import (
    BlockSeries as BlockSeries,
    follow_releases as follow_releases,
    follow_spectrum as follow_spectrum,
)
from .models.inference.allan import (
    AllanDeviation as AllanDeviation,
    allan_deviation as allan_deviation,
)
from .analysis.calibration import (
    ChannelCalibration as ChannelCalibration,
    calibrate as calibrate,
    cross_talk as cross_talk,
)
from .analysis.track import track as track
from .analysis.tracking import Track as Track, Tracking as Tracking
from .analysis.joint import (
    GlobalAnalysis as GlobalAnalysis,
    fit_global as fit_global,
    measured_pieces as measured_pieces,
)
from .analysis.planning import Forecast as Forecast, forecast_reheating as forecast_reheating
from .analysis.spectrum_planning import forecast_spectrum as forecast_spectrum
from .analysis.figures.comparison import comparison_figure as comparison_figure
from .analysis.figures.joint import global_figure as global_figure
from .analysis.figures.reheating import reheating_figure as reheating_figure
from .analysis.figures.spectrum import spectrum_figure as spectrum_figure
from .analysis.figures.tracking import tracking_figure as tracking_figure
from .analysis.figures.style import save_figure as save_figure
from .analysis.comparison import compare as compare
from .analysis.export.writing import export as export
from .analysis.rig_check import against_rig as against_rig

# estimates and fits, step by step
from .models.spectra import CsdEstimate as CsdEstimate
from .acquisition.csd import estimate_csd as estimate_csd
from .models.inference.spectral.choose import (
    choose_band as choose_band,
    choose_segment as choose_segment,
)
from .models.inference.spectral.fits import (
    expected_csd as expected_csd,
    fit_pair as fit_pair,
    fit_single as fit_single,
)
from .models.inference.spectral.problem import (
    pair_parameters as pair_parameters,
    single_parameters as single_parameters,
)
from .models.inference.exact.releases import fit_releases_exact as fit_releases_exact
from .models.inference.reheating.estimate import (
    ReheatingEstimate as ReheatingEstimate,
    estimate_reheating as estimate_reheating,
)
from .models.inference.reheating.fits import (
    fit_reheating as fit_reheating,
    predict_reheating as predict_reheating,
)
from .models.inference.reheating.surface import reheating_parameters as reheating_parameters
from .models.inference.identifiability import (
    Identifiability as Identifiability,
    identifiability as identifiability,
)
from .models.inference.joint.law import PairLaw as PairLaw, PairSetting as PairSetting
from .models.inference.joint.parts import Measured as Measured
from .models.inference.result import FitResult as FitResult
from .models.inference.convention import fit_convention as fit_convention, in_quanta as in_quanta
from .models.inference.evidence import Evidence as Evidence, evidence as evidence
from .models.inference.profiles import (
    Profile as Profile,
    profile as profile,
    signed_root as signed_root,
    with_intervals as with_intervals,
)
from .models.inference.sampling import (
    Posterior as Posterior,
    sample_posterior as sample_posterior,
)
from .models.inference.report import fit_report as fit_report, to_lmfit as to_lmfit

# errors
from .models.errors import (
    ConvergenceError as ConvergenceError,
    DeviceError as DeviceError,
    FileError as FileError,
    InputError as InputError,
    OptobindError as OptobindError,
)

__version__: str
