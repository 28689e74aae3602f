import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.models.phases import area_shares, ideal_regimes
from optobind.models.ranges import require_count, require_finite, require_finite_array
from optobind.models.regimes import exceptional_detunings

NAN, LIST = math.nan, [1.0, 2.0, 3.0]


def _pair(**change):
    values = {"omega": 1e5, "delta_omega": 0.0, "g_r": 10.0, "g_a": 5.0, "D11": 1e2, "D22": 1e2}
    return PairConstants(**{**values, "re_D12": 0.0, **change})


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
        (lambda bad: ideal_regimes([0.0], [16.0], bad), "G"),
        (lambda bad: exceptional_detunings([2.0], bad), "g_r"),
        (lambda bad: area_shares(bad), "cells"),
    ],
)
@pytest.mark.parametrize("bad", [NAN, "abc"])
def test_what_is_no_number_is_named(call, name, bad):
    with pytest.raises(InputError, match=name):
        call(bad)
