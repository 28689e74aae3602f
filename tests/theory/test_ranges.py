import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.theory.collective import chains, demodulation, modes, network, response, skin
from optobind.theory.modulation import demodulated, rotating
from optobind.theory.nonlinear.limit_cycle import bessel_argument
from optobind.theory.quantum.entanglement import log_negativity
from optobind.theory.quantum.free_space import free_space_pair
from optobind.theory.quantum.modulated import differential_variance, modulated_pair

NAN = math.nan
BALL = Sphere(70e-9)


def _model():
    return PairConstants(1e5, 0.0, 10.0, 5.0, 1e2, 1e2, 0.0).to_linear()


def _chain(**change):
    return network.CouplingNetwork.chain(
        **{"count": 3, "omega": 1e5, "kd": 16.0, "G": 1.0, **change}
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda bad: _chain(n_thermal=bad), "n_thermal"),
        (lambda bad: _chain(kd=bad), "kd"),
        (lambda bad: _chain().within(bad), "reach"),
        (lambda bad: _chain().damped([bad, bad]), "gamma"),
        (lambda bad: chains.linear_chain(BALL, 3, bad), "spacing"),
        (lambda bad: chains.grid(BALL, (2, 2), 3e-6, phase_steps=(bad, bad, bad)), "phase_steps"),
        (lambda bad: demodulation.demodulated_moments(np.eye(4), 0.0, bad), "reference"),
        (lambda bad: modes.normal_modes(_model(), tolerance=bad), "tolerance"),
        (
            lambda bad: response.transfer_function(_model(), [1e4, bad], target=0, source=1),
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
