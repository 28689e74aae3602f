import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.models.phases import area_shares, ideal_regimes
from optobind.models.ranges import require_count, require_finite, require_finite_array
from optobind.models.regimes import exceptional_detunings
from optobind.models.sphere import Sphere
from optobind.theory.collective import chains, demodulation, modes, network, response, skin
from optobind.theory.modulation import demodulated, rotating
from optobind.theory.nonlinear.limit_cycle import bessel_argument
from optobind.theory.quantum.entanglement import log_negativity
from optobind.theory.quantum.free_space import free_space_pair
from optobind.theory.quantum.modulated import differential_variance, modulated_pair

NAN, LIST = math.nan, [1.0, 2.0, 3.0]
BALL = Sphere(70e-9)


def _pair(**change):
    values = {"omega": 1e5, "delta_omega": 0.0, "g_r": 10.0, "g_a": 5.0, "D11": 1e2, "D22": 1e2}
    return PairConstants(**{**values, "re_D12": 0.0, **change})


def _chain(**change):
    return network.CouplingNetwork.chain(
        **{"count": 3, "omega": 1e5, "kd": 16.0, "G": 1.0, **change}
    )


@pytest.mark.parametrize("bad", [NAN, math.inf, "abc", LIST, None])
def test_one_finite_number_is_required(bad):
    with pytest.raises(InputError, match="depth must be"):
        require_finite("depth", bad, "m")


@pytest.mark.parametrize("bad", [NAN, 1.5, "abc", LIST, True, 0, 9])
def test_a_whole_number_is_required(bad):
    with pytest.raises(InputError, match="size must be a whole number"):
        require_count("size", bad, 1, 8)


def test_what_is_fine_is_returned():
    assert require_finite("depth", np.float64(2.0)) == 2.0
    assert require_count("size", np.int64(3), 1) == 3
    assert require_finite_array("times", [[1, 2]]).shape == (1, 2)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda bad: _pair(g_r=bad), "g_r"),
        (lambda bad: _pair(delta_omega=bad), "delta_omega"),
        (lambda bad: _pair(shift_1=bad), "shift_1"),
        (lambda bad: _pair(gamma=(bad, 0.0)), "gamma"),
        (lambda bad: _chain(n_thermal=bad), "n_thermal"),
        (lambda bad: _chain(kd=bad), "kd"),
        (lambda bad: _chain().within(bad), "reach"),
        (lambda bad: _chain().damped([bad, bad]), "gamma"),
        (lambda bad: chains.linear_chain(BALL, 3, bad), "spacing"),
        (lambda bad: chains.grid(BALL, (2, 2), 3e-6, phase_steps=(bad, bad, bad)), "phase_steps"),
        (lambda bad: demodulation.demodulated_moments(np.eye(4), 0.0, bad), "reference"),
        (lambda bad: modes.normal_modes(_pair().to_linear(), tolerance=bad), "tolerance"),
        (
            lambda bad: response.transfer_function(
                _pair().to_linear(), [1e4, bad], target=0, source=1
            ),
            "frequencies",
        ),
        (lambda bad: skin.growth_per_site(bad, 1.0), "forward"),
        (lambda bad: skin.hatano_nelson_vectors(4, 1.0, bad), "backward"),
        (lambda bad: skin.amplification_per_site(1.0, 1.0, bad), "gamma"),
        (lambda bad: skin.winding_number([1.0], [2.0], bad), "reference"),
        (lambda bad: skin.bloch_band([bad], [1.0], [1.0]), "q"),
        (lambda bad: demodulated.lock_in_response([bad], 1.0), "frequencies"),
        (lambda bad: rotating.jacobi_anger(bad, 1.0, 2), "phi_0"),
        (lambda bad: bessel_argument(bad), "gain"),
        (lambda bad: ideal_regimes([0.0], [16.0], bad), "G"),
        (lambda bad: exceptional_detunings([2.0], bad), "g_r"),
        (lambda bad: area_shares(bad), "cells"),
        (lambda bad: log_negativity(0.5 * np.eye(4), bad), "modes"),
        (lambda bad: free_space_pair(omega=1e5, kd=16.0, phi=bad, D=1.0), "phi"),
        (lambda bad: modulated_pair(omega=1e5, g=bad, D=1.0), "g"),
        (lambda bad: differential_variance(1.0, 2.0, [bad]), "times"),
    ],
)
@pytest.mark.parametrize("bad", [NAN, "abc"])
def test_what_is_no_number_is_named(call, name, bad):
    with pytest.raises(InputError, match=name):
        call(bad)
