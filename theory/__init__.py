"""What the Letter derives beyond the linear pair: quantum states, moving light, many particles.

``optobind.theory`` is its public face: the names below are loaded on first use. It builds on
:mod:`optobind.models`; nothing of the laboratory depends on it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # isort: off
    from .collective.chains import (
        grid as grid,
        level_lines as level_lines,
        linear_chain as linear_chain,
        ring as ring,
    )
    from .collective.demodulation import demodulated_moments as demodulated_moments
    from .collective.maps import growth_map as growth_map, stability_map as stability_map
    from .collective.modes import NormalModes as NormalModes, normal_modes as normal_modes
    from .collective.network import CouplingNetwork as CouplingNetwork
    from .collective.response import (
        critical_damping as critical_damping,
        end_to_end as end_to_end,
        transfer_function as transfer_function,
    )
    from .collective.skin import (
        amplification_per_site as amplification_per_site,
        bloch_band as bloch_band,
        bulk_hops as bulk_hops,
        growth_per_site as growth_per_site,
        hatano_nelson_frequencies as hatano_nelson_frequencies,
        skin_effect as skin_effect,
    )
    from .modulation.array_model import array_model as array_model
    from .modulation.chart import stability_chart as stability_chart
    from .modulation.demodulated import demodulated_csd as demodulated_csd
    from .modulation.drift import ModulatedModel as ModulatedModel
    from .modulation.drives import (
        detuned as detuned,
        parametric as parametric,
        power_modulation as power_modulation,
    )
    from .modulation.floquet import (
        driven_mean as driven_mean,
        floquet as floquet,
        periodic_steady_state as periodic_steady_state,
    )
    from .modulation.pair_model import (
        far_field_model as far_field_model,
        single_model as single_model,
    )
    from .modulation.program import LightProgram as LightProgram
    from .modulation.propagation import propagate as propagate
    from .modulation.array_points import array_working_point as array_working_point
    from .modulation.rotating import rotating_model as rotating_model
    from .modulation.sampled import Sampled as Sampled
    from .modulation.waveform import Constant as Constant, Ramp as Ramp, Sinusoid as Sinusoid
    from .modulation.working_points import (
        WorkingPoint as WorkingPoint,
        find_working_point as find_working_point,
    )
    from .nonlinear.limit_cycle import (
        LimitCycle as LimitCycle,
        bessel_gain as bessel_gain,
        limit_cycle as limit_cycle,
    )
    from .nonlinear.orbit import periodic_orbit as periodic_orbit
    from .nonlinear.reduced import (
        FarFieldPair as FarFieldPair,
        simulate_far_field as simulate_far_field,
    )
    from .nonlinear.settings import TrajectorySettings as TrajectorySettings
    from .nonlinear.simulate import simulate as simulate
    from .nonlinear.starts import thermal_start as thermal_start
    from .nonlinear.trajectory import Trajectory as Trajectory
    from .nonlinear.validity import linear_validity as linear_validity
    from .quantum.cavity import ScatteringCavity as ScatteringCavity
    from .quantum.conditional import (
        conditional_evolution as conditional_evolution,
        conditional_steady_state as conditional_steady_state,
    )
    from .quantum.entanglement import (
        log_negativity as log_negativity,
        minimum_variance as minimum_variance,
        occupation as occupation,
        purity as purity,
    )
    from .quantum.evolution import evolve as evolve
    from .quantum.free_space import (
        coupling_to_recoil as coupling_to_recoil,
        free_space_pair as free_space_pair,
    )
    from .quantum.homodyne import (
        HomodyneDetection as HomodyneDetection,
        joint_detection as joint_detection,
        local_detection as local_detection,
    )
    from .quantum.locc import LoccChannel as LoccChannel, locc_channel as locc_channel
    from .quantum.modulated import (
        conditional_differential_variance as conditional_differential_variance,
        differential_variance as differential_variance,
        entanglement_window as entanglement_window,
        modulated_log_negativity as modulated_log_negativity,
        modulated_pair as modulated_pair,
        modulation_thresholds as modulation_thresholds,
    )
    from .quantum.occupation import (
        damped_mode_occupation as damped_mode_occupation,
        far_field_saturation as far_field_saturation,
        growing_mode as growing_mode,
        rotating_wave_occupation as rotating_wave_occupation,
    )
    from .quantum.recoil_rule import (
        efficiency_needed as efficiency_needed,
        recoil_rule as recoil_rule,
    )
    from .quantum.separability import (
        locc_sufficient as locc_sufficient,
        separability as separability,
    )
    from .quantum.squeezed_light import (
        squeezed_recoil as squeezed_recoil,
        squeezing_needed as squeezing_needed,
    )
    from .quantum.states import (
        QuantumStateError as QuantumStateError,
        product_state as product_state,
        require_physical as require_physical,
        squeezed_state as squeezed_state,
        thermal_state as thermal_state,
        vacuum_state as vacuum_state,
    )
    # isort: on

_EXPORTS = {
    "Constant": "modulation.waveform",
    "CouplingNetwork": "collective.network",
    "FarFieldPair": "nonlinear.reduced",
    "HomodyneDetection": "quantum.homodyne",
    "LightProgram": "modulation.program",
    "LimitCycle": "nonlinear.limit_cycle",
    "LoccChannel": "quantum.locc",
    "ModulatedModel": "modulation.drift",
    "NormalModes": "collective.modes",
    "QuantumStateError": "quantum.states",
    "Ramp": "modulation.waveform",
    "Sampled": "modulation.sampled",
    "ScatteringCavity": "quantum.cavity",
    "Sinusoid": "modulation.waveform",
    "Trajectory": "nonlinear.trajectory",
    "TrajectorySettings": "nonlinear.settings",
    "WorkingPoint": "modulation.working_points",
    "amplification_per_site": "collective.skin",
    "array_model": "modulation.array_model",
    "array_working_point": "modulation.array_points",
    "bessel_gain": "nonlinear.limit_cycle",
    "bloch_band": "collective.skin",
    "bulk_hops": "collective.skin",
    "conditional_differential_variance": "quantum.modulated",
    "conditional_evolution": "quantum.conditional",
    "conditional_steady_state": "quantum.conditional",
    "coupling_to_recoil": "quantum.free_space",
    "critical_damping": "collective.response",
    "damped_mode_occupation": "quantum.occupation",
    "demodulated_csd": "modulation.demodulated",
    "demodulated_moments": "collective.demodulation",
    "detuned": "modulation.drives",
    "differential_variance": "quantum.modulated",
    "driven_mean": "modulation.floquet",
    "efficiency_needed": "quantum.recoil_rule",
    "end_to_end": "collective.response",
    "entanglement_window": "quantum.modulated",
    "evolve": "quantum.evolution",
    "far_field_model": "modulation.pair_model",
    "far_field_saturation": "quantum.occupation",
    "find_working_point": "modulation.working_points",
    "floquet": "modulation.floquet",
    "free_space_pair": "quantum.free_space",
    "grid": "collective.chains",
    "growing_mode": "quantum.occupation",
    "growth_map": "collective.maps",
    "growth_per_site": "collective.skin",
    "hatano_nelson_frequencies": "collective.skin",
    "joint_detection": "quantum.homodyne",
    "level_lines": "collective.chains",
    "limit_cycle": "nonlinear.limit_cycle",
    "linear_chain": "collective.chains",
    "linear_validity": "nonlinear.validity",
    "local_detection": "quantum.homodyne",
    "locc_channel": "quantum.locc",
    "locc_sufficient": "quantum.separability",
    "log_negativity": "quantum.entanglement",
    "minimum_variance": "quantum.entanglement",
    "modulated_log_negativity": "quantum.modulated",
    "modulated_pair": "quantum.modulated",
    "modulation_thresholds": "quantum.modulated",
    "normal_modes": "collective.modes",
    "occupation": "quantum.entanglement",
    "parametric": "modulation.drives",
    "periodic_orbit": "nonlinear.orbit",
    "periodic_steady_state": "modulation.floquet",
    "power_modulation": "modulation.drives",
    "product_state": "quantum.states",
    "propagate": "modulation.propagation",
    "purity": "quantum.entanglement",
    "recoil_rule": "quantum.recoil_rule",
    "require_physical": "quantum.states",
    "ring": "collective.chains",
    "rotating_model": "modulation.rotating",
    "rotating_wave_occupation": "quantum.occupation",
    "separability": "quantum.separability",
    "simulate": "nonlinear.simulate",
    "simulate_far_field": "nonlinear.reduced",
    "single_model": "modulation.pair_model",
    "skin_effect": "collective.skin",
    "squeezed_recoil": "quantum.squeezed_light",
    "squeezed_state": "quantum.states",
    "squeezing_needed": "quantum.squeezed_light",
    "stability_chart": "modulation.chart",
    "stability_map": "collective.maps",
    "thermal_start": "nonlinear.starts",
    "thermal_state": "quantum.states",
    "transfer_function": "collective.response",
    "vacuum_state": "quantum.states",
}

__all__ = sorted(_EXPORTS)

if not TYPE_CHECKING:  # a checker sees the imports above, and refuses a name that is not there

    def __getattr__(name: str) -> object:
        if name not in _EXPORTS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
