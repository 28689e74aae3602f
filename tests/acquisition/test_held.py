"""Held parameters keep the values that they had when the user held them."""

from optobind.acquisition.held import HeldValues


def test_a_held_value_stays_through_other_fits_and_other_models():
    held = HeldValues()
    held.note("pair", {"g_r": 1.0, "g_a": 2.0})
    assert held.choose("pair", {"g_r": False}) == {"g_r": 1.0}
    held.note("pair", {"g_r": 5.0, "g_a": 7.0})  # another light
    assert held.choose("single", {}) == {}
    assert held.choose("pair", {"g_r": False, "g_a": False}) == {"g_r": 1.0, "g_a": 7.0}


def test_a_value_that_is_let_go_and_held_again_is_the_newest():
    held = HeldValues()
    held.note("pair", {"g_r": 1.0})
    held.choose("pair", {"g_r": False})
    held.note("pair", {"g_r": 5.0})
    assert held.choose("pair", {"g_r": True}) == {}
    assert held.choose("pair", {"g_r": False}) == {"g_r": 5.0}


def test_what_was_never_fitted_has_no_value():
    assert HeldValues().choose("pair", {"g_r": False}) == {}
