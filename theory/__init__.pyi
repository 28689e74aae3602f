"""The public names of the theory, declared once: for checkers and, lazily, for Python."""

from .collective.chains import (
    grid as grid,
)
from .collective.chains import (
    level_lines as level_lines,
)
from .collective.chains import (
    linear_chain as linear_chain,
)
from .collective.chains import (
    ring as ring,
)
from .collective.demodulation import demodulated_moments as demodulated_moments
from .collective.maps import growth_map as growth_map
from .collective.maps import stability_map as stability_map
from .collective.modes import NormalModes as NormalModes
from .collective.modes import normal_modes as normal_modes
from .collective.network import CouplingNetwork as CouplingNetwork
from .collective.response import (
    critical_damping as critical_damping,
)
from .collective.response import (
    end_to_end as end_to_end,
)
from .collective.response import (
    transfer_function as transfer_function,
)
from .collective.skin import (
    amplification_per_site as amplification_per_site,
)
from .collective.skin import (
    bloch_band as bloch_band,
)
from .collective.skin import (
    bulk_hops as bulk_hops,
)
from .collective.skin import (
    growth_per_site as growth_per_site,
)
from .collective.skin import (
    hatano_nelson_frequencies as hatano_nelson_frequencies,
)
from .collective.skin import (
    skin_effect as skin_effect,
)
from .modulation.array_model import array_model as array_model
from .modulation.array_points import array_working_point as array_working_point
from .modulation.chart import stability_chart as stability_chart
from .modulation.demodulated import demodulated_csd as demodulated_csd
from .modulation.drift import ModulatedModel as ModulatedModel
from .modulation.drives import (
    detuned as detuned,
)
from .modulation.drives import (
    parametric as parametric,
)
from .modulation.drives import (
    power_modulation as power_modulation,
)
from .modulation.floquet import (
    driven_mean as driven_mean,
)
from .modulation.floquet import (
    floquet as floquet,
)
from .modulation.floquet import (
    periodic_steady_state as periodic_steady_state,
)
from .modulation.pair_model import (
    far_field_model as far_field_model,
)
from .modulation.pair_model import (
    single_model as single_model,
)
from .modulation.program import LightProgram as LightProgram
from .modulation.propagation import propagate as propagate
from .modulation.rotating import rotating_model as rotating_model
from .modulation.sampled import Sampled as Sampled
from .modulation.waveform import Constant as Constant
from .modulation.waveform import Ramp as Ramp
from .modulation.waveform import Sinusoid as Sinusoid
from .modulation.working_points import (
    WorkingPoint as WorkingPoint,
)
from .modulation.working_points import (
    find_working_point as find_working_point,
)
from .nonlinear.limit_cycle import (
    LimitCycle as LimitCycle,
)
from .nonlinear.limit_cycle import (
    bessel_gain as bessel_gain,
)
from .nonlinear.limit_cycle import (
    limit_cycle as limit_cycle,
)
from .nonlinear.orbit import periodic_orbit as periodic_orbit
from .nonlinear.reduced import (
    FarFieldPair as FarFieldPair,
)
from .nonlinear.reduced import (
    simulate_far_field as simulate_far_field,
)
from .nonlinear.settings import TrajectorySettings as TrajectorySettings
from .nonlinear.simulate import simulate_full_field as simulate_full_field
from .nonlinear.starts import thermal_start as thermal_start
from .nonlinear.trajectory import Trajectory as Trajectory
from .nonlinear.validity import linear_validity as linear_validity
from .quantum.cavity import ScatteringCavity as ScatteringCavity
from .quantum.conditional import (
    conditional_evolution as conditional_evolution,
)
from .quantum.conditional import (
    conditional_steady_state as conditional_steady_state,
)
from .quantum.entanglement import (
    log_negativity as log_negativity,
)
from .quantum.entanglement import (
    minimum_variance as minimum_variance,
)
from .quantum.entanglement import (
    occupation as occupation,
)
from .quantum.entanglement import (
    purity as purity,
)
from .quantum.evolution import evolve as evolve
from .quantum.free_space import (
    coupling_to_recoil as coupling_to_recoil,
)
from .quantum.free_space import (
    free_space_pair as free_space_pair,
)
from .quantum.homodyne import (
    HomodyneDetection as HomodyneDetection,
)
from .quantum.homodyne import (
    joint_detection as joint_detection,
)
from .quantum.homodyne import (
    local_detection as local_detection,
)
from .quantum.locc import LoccChannel as LoccChannel
from .quantum.locc import locc_channel as locc_channel
from .quantum.modulated import (
    conditional_differential_variance as conditional_differential_variance,
)
from .quantum.modulated import (
    differential_variance as differential_variance,
)
from .quantum.modulated import (
    entanglement_window as entanglement_window,
)
from .quantum.modulated import (
    modulated_log_negativity as modulated_log_negativity,
)
from .quantum.modulated import (
    modulated_pair as modulated_pair,
)
from .quantum.modulated import (
    modulation_thresholds as modulation_thresholds,
)
from .quantum.occupation import (
    damped_mode_occupation as damped_mode_occupation,
)
from .quantum.occupation import (
    far_field_saturation as far_field_saturation,
)
from .quantum.occupation import (
    growing_mode as growing_mode,
)
from .quantum.occupation import (
    rotating_wave_occupation as rotating_wave_occupation,
)
from .quantum.recoil_rule import (
    efficiency_needed as efficiency_needed,
)
from .quantum.recoil_rule import (
    recoil_rule as recoil_rule,
)
from .quantum.separability import (
    locc_sufficient as locc_sufficient,
)
from .quantum.separability import (
    separability as separability,
)
from .quantum.squeezed_light import (
    squeezed_recoil as squeezed_recoil,
)
from .quantum.squeezed_light import (
    squeezing_needed as squeezing_needed,
)
from .quantum.states import (
    QuantumStateError as QuantumStateError,
)
from .quantum.states import (
    product_state as product_state,
)
from .quantum.states import (
    require_physical as require_physical,
)
from .quantum.states import (
    squeezed_state as squeezed_state,
)
from .quantum.states import (
    thermal_state as thermal_state,
)
from .quantum.states import (
    vacuum_state as vacuum_state,
)
