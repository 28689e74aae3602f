from __future__ import annotations

import pytest

from optobind.instruments.hologram.feedback import make_hologram
from optobind.instruments.hologram.spots import SpotTargets, check_pattern
from optobind.instruments.protocols import SpotPattern
from optobind.models.errors import InputError

from .optics import DUMP, make_optics

A, B = (1e-6, 0.0, 0.0), (-1e-6, 0.0, 0.0)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (SpotPattern((), (), ()), "slm shows 1 … 1024 spots, got 0"),
        (SpotPattern((A, B), (0.5,), (0.0, 0.0)), "2 positions, 1 weights and 2 phases"),
        (SpotPattern((A,), (1.0,), (float("nan"),)), "spot phase must lie in"),
        (SpotPattern((A,), (-0.1,), (0.0,)), "spot weight must lie in 0"),
        (SpotPattern((A, B), (0.7, 0.5), (0.0, 0.0)), "add up to 1.2, at most 1"),
        (SpotPattern((A, A), (0.5, 0.5), (0.0, 0.0)), "two spots stand at the same place"),
        (SpotPattern(((0.0, 6e-5, 0.0),), (1.0,), (0.0,)), r"spot y must lie in -5e-05 … 5e-05 m"),
        (SpotPattern(((0.0, 0.0, -6e-5),), (1.0,), (0.0,)), r"spot z must lie in -5e-05 … 5e-05 m"),
    ],
)
def test_patterns_that_cannot_be_shown_are_refused(pattern, complaint):
    with pytest.raises(InputError, match=complaint):
        check_pattern(pattern, 1e-4, "slm")


def test_a_pattern_that_was_read_back_can_be_shown_again():
    check_pattern(SpotPattern((A, B), (0.5013, 0.5012), (0.0, 0.0)), 1e-4, "slm")


def test_what_the_weights_leave_goes_to_the_dump():
    targets = SpotTargets.of(SpotPattern((A, B), (0.3, 0.0), (0.1, 0.2)), DUMP)
    assert targets.positions == (A, B, DUMP)
    assert targets.powers == pytest.approx([0.3, 0.0, 0.7])
    assert targets.lit.tolist() == [0]
    full = SpotTargets.of(SpotPattern((A, B), (0.4, 0.6), (0.1, 0.2)), DUMP)
    assert full.positions == (A, B)


def test_a_lens_too_strong_for_the_pixels_is_refused():
    pattern = SpotPattern(((0.0, 0.0, 4e-4),), (1.0,), (0.0,))
    with pytest.raises(InputError, match=r"phase slope of .* rad per pixel where light is"):
        make_hologram(make_optics(waist=None), pattern, dump=DUMP)
