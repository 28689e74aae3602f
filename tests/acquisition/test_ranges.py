"""Ranges of samples: what they share and leave, against sets of samples written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optobind.acquisition.ranges import NO_END, Ranges

END = 60


@st.composite
def ranges(draw):
    """Ranges in order that may touch."""
    steps = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 8)), max_size=6))
    at, found = 0, []
    for apart, length in steps:
        found.append((at + apart, at + apart + length))
        at += apart + length
    return Ranges(found)


def samples_of(some):
    return {s for start, stop in some for s in range(start, min(stop, END * 2))}


@given(ranges(), ranges())
def test_cutting_keeps_common_samples_and_the_borders_of_both(one, two):
    common = one.cut_to(two)
    assert samples_of(common) == samples_of(one) & samples_of(two)
    assert all(one.holding(*r) is not None and two.holding(*r) is not None for r in common)
    assert list(common.stops[:-1] <= common.starts[1:]) == [True] * max(0, len(common) - 1)


@given(ranges(), ranges())
def test_what_is_cut_out_is_gone_and_all_else_is_there(one, two):
    left = one.without(two)
    assert samples_of(left) == samples_of(one) - samples_of(two)
    assert all(one.holding(*r) is not None for r in left)


@given(ranges(), st.integers(0, END), st.integers(1, 20))
def test_questions_about_one_range_are_answered_as_by_looking_at_all(some, start, length):
    stop = start + length
    holding = [i for i, (a, b) in enumerate(some) if a <= start and stop <= b]
    assert some.holding(start, stop) == (holding[0] if holding else None)
    assert some.within(start, stop) == len(samples_of(some) & set(range(start, stop)))
    assert some.overlapping(start, stop) == [(a, b) for a, b in some if a < stop and b > start]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=8))
def test_overlapping_ranges_in_any_order_are_merged(pairs):
    some = Ranges([(a, a + n) for a, n in pairs])
    merged = some.merged()
    assert samples_of(merged) == samples_of(some)
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(merged))


def test_a_range_without_end_reaches_to_the_last_sample():
    recorded = Ranges([(0, 10), (12, 30)])
    assert Ranges([(5, NO_END)]).cut_to(recorded) == [(5, 10), (12, 30)]
    assert recorded.without(Ranges([(8, NO_END)])) == [(0, 8)]


def test_ranges_read_as_a_sequence_of_pairs():
    some = Ranges([(0, 3), (3, 5), (9, 11)])
    assert (some[0], some[-1], some[1:], len(some)) == ((0, 3), (9, 11), [(3, 5), (9, 11)], 3)
    assert (some.samples, some.lengths.tolist()) == (7, [3, 2, 2])
    assert all(type(x) is int for pair in some for x in pair)
    assert some.shifted(7)[1] == (10, 12)
    assert not Ranges()
    with pytest.raises(IndexError):
        some[3]


def test_a_million_ranges_are_cut_at_once():
    starts = np.arange(1_000_000, dtype=np.int64) * 10
    many = Ranges.of(starts, starts + 8)
    left = many.without(Ranges.of(starts + 3, starts + 5))
    assert (len(left), left.samples) == (2_000_000, 6_000_000)
    assert many.cut_to(Ranges([(0, 10_000_000)])) == many
