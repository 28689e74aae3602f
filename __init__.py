"""optobind: runs optical-binding experiments with levitated nanoparticles and explains their data.

The names below are the public API; they are loaded on first use, so that ``import optobind`` is
quick and works without Qt, nidaqmx or any vendor package. What the Letter derives beyond the
measured pair has a namespace of its own, :mod:`optobind.theory`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import theory as theory

__version__ = "0.1.0"

_EXPORTS = {
    "AplanaticObjective": "models.objective",
    "Block": "models.blocks",
    "CsdEstimate": "models.spectra",
    "FitResult": "models.inference.result",
    "Gas": "models.gas",
    "LinearModel": "models.linear",
    "PairConstants": "models.pair",
    "ReheatingEstimate": "models.inference.reheating.estimate",
    "RunFile": "acquisition.runfile",
    "Site": "models.light",
    "Sphere": "models.sphere",
    "TrapArray": "models.array",
    "Tweezer": "models.tweezer",
    "TweezerState": "models.light",
    "analyse_reheating": "analysis.reheating",
    "analyse_spectrum": "analysis.spectrum",
    "aplanatic_factor": "models.objective",
    "array_regimes": "models.array_phases",
    "array_symmetry": "models.array_phases",
    "binding_force": "models.forces",
    "build_trap": "config.build",
    "choose_band": "models.inference.spectral.choose",
    "choose_segment": "models.inference.spectral.choose",
    "dipole_radius": "models.mie",
    "estimate_csd": "acquisition.csd",
    "estimate_reheating": "models.inference.reheating.estimate",
    "expected_csd": "models.inference.spectral.fits",
    "fit_pair": "models.inference.spectral.fits",
    "fit_reheating": "models.inference.reheating.fits",
    "fit_report": "models.inference.report",
    "fit_single": "models.inference.spectral.fits",
    "ideal_phases": "cli.phases_results",
    "ideal_regimes": "models.phases",
    "ideal_symmetry": "models.phases",
    "in_quanta": "models.inference.convention",
    "load_rig": "config.load",
    "mie_corrections": "models.mie",
    "noise_kernel": "models.farfield",
    "open_record": "acquisition.records.opening",
    "pair_family": "models.families",
    "pair_green": "models.forces",
    "predict_reheating": "models.inference.reheating.fits",
}

__all__ = ["__version__", "theory", *sorted(_EXPORTS)]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
