"""optobind: runs optical-binding experiments with levitated nanoparticles and explains their data.

The names below are the public API; they are loaded on first use, so that ``import optobind`` is
quick and works without Qt, nidaqmx or any vendor package.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "Block": "models.blocks",
    "CouplingNetwork": "models.collective.network",
    "CsdEstimate": "models.spectra",
    "FitResult": "models.inference.result",
    "Gas": "models.gas",
    "LightProgram": "models.modulation.program",
    "LinearModel": "models.linear",
    "PairConstants": "models.pair",
    "QuantumStateError": "models.quantum.states",
    "ReheatingEstimate": "models.inference.reheating.estimate",
    "RunFile": "acquisition.runfile",
    "ScatteringCavity": "models.quantum.cavity",
    "Site": "models.light",
    "Sphere": "models.sphere",
    "TrajectorySettings": "models.nonlinear.settings",
    "TrapArray": "models.array",
    "Tweezer": "models.tweezer",
    "TweezerState": "models.light",
    "analyse_reheating": "analysis.reheating",
    "analyse_spectrum": "analysis.spectrum",
    "array_model": "models.modulation.array_model",
    "choose_band": "models.inference.spectral.choose",
    "choose_segment": "models.inference.spectral.choose",
    "conditional_evolution": "models.quantum.conditional",
    "conditional_steady_state": "models.quantum.conditional",
    "critical_damping": "models.collective.response",
    "demodulated_csd": "models.modulation.demodulated",
    "demodulated_moments": "models.collective.demodulation",
    "end_to_end": "models.collective.response",
    "entanglement_window": "models.quantum.modulated",
    "estimate_csd": "acquisition.csd",
    "estimate_reheating": "models.inference.reheating.estimate",
    "evolve": "models.quantum.evolution",
    "expected_csd": "models.inference.spectral.fits",
    "far_field_model": "models.modulation.pair_model",
    "find_working_point": "models.modulation.working_points",
    "fit_pair": "models.inference.spectral.fits",
    "fit_reheating": "models.inference.reheating.fits",
    "fit_report": "models.inference.report",
    "fit_single": "models.inference.spectral.fits",
    "floquet": "models.modulation.floquet",
    "free_space_pair": "models.quantum.free_space",
    "grid": "models.collective.chains",
    "ideal_regimes": "models.phases",
    "ideal_symmetry": "models.phases",
    "in_quanta": "models.inference.convention",
    "joint_detection": "models.quantum.homodyne",
    "limit_cycle": "models.nonlinear.limit_cycle",
    "linear_chain": "models.collective.chains",
    "linear_validity": "models.nonlinear.validity",
    "local_detection": "models.quantum.homodyne",
    "locc_channel": "models.quantum.locc",
    "log_negativity": "models.quantum.entanglement",
    "mie_corrections": "models.mie",
    "modulation_thresholds": "models.quantum.modulated",
    "normal_modes": "models.collective.modes",
    "open_record": "acquisition.records.opening",
    "periodic_orbit": "models.nonlinear.orbit",
    "periodic_steady_state": "models.modulation.floquet",
    "predict_reheating": "models.inference.reheating.fits",
    "product_state": "models.quantum.states",
    "recoil_rule": "models.quantum.recoil_rule",
    "require_physical": "models.quantum.states",
    "rig_regimes": "models.rig_phases",
    "rig_symmetry": "models.rig_phases",
    "rig_working_point": "models.modulation.rig_points",
    "ring": "models.collective.chains",
    "separability": "models.quantum.separability",
    "skin_effect": "models.collective.skin",
    "squeezed_recoil": "models.quantum.squeezed_light",
    "squeezed_state": "models.quantum.states",
    "stability_chart": "models.modulation.chart",
    "stability_map": "models.collective.maps",
    "thermal_start": "models.nonlinear.starts",
    "transfer_function": "models.collective.response",
    "vacuum_state": "models.quantum.states",
}

__all__ = ["__version__", *sorted(_EXPORTS)]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
