"""An external sample clock off its rate is said, however late the counts of samples come."""

from __future__ import annotations

import random

import pytest

from optobind.instruments.digitizers.clock_watch import ClockWatch

pytestmark = pytest.mark.realtime

RATE = 1e6


def watched(ppm, seconds, *, lateness=2e-3, seed=1):
    """What a watch says of a clock that is off, after so many seconds of late counts."""
    rng, now = random.Random(seed), [0.0]
    watch = ClockWatch("PFI1", RATE, clock=lambda: now[0])
    while now[0] < seconds and not watch.doubt:
        now[0] += 0.05
        taken = now[0] - rng.expovariate(1.0 / lateness)
        watch.see(max(0, int(taken * RATE * (1.0 + 1e-6 * ppm))))
    return watch.doubt


@pytest.mark.parametrize("ppm", [-1000, -150, 150, 1000])
def test_a_clock_off_its_rate_is_said_with_both_rates(ppm):
    doubt = watched(ppm, 120.0)
    assert "sample clock at PFI1" in doubt
    assert f"{ppm:+d}"[0] in doubt
    assert "1000000 Hz" in doubt


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("ppm", [-50, 0, 50])
def test_a_good_clock_is_not_suspected_however_late_its_counts_are(ppm, seed):
    assert watched(ppm, 120.0, lateness=5e-3, seed=seed) == ""


def test_nothing_is_said_before_ten_seconds():
    assert watched(5000, 9.0) == ""


def test_a_run_says_once_that_the_clock_is_off():
    from types import SimpleNamespace

    from optobind.acquisition.conditions import ConditionWatch
    from optobind.acquisition.slots import LogBook
    from optobind.models.blocks import BlockStatus

    digitizer = SimpleNamespace(clock_doubt="")
    log = LogBook()
    watch = ConditionWatch(SimpleNamespace(digitizer=digitizer, world=None), log, RATE)
    watch.see(BlockStatus.OK, 0)
    digitizer.clock_doubt = "the sample clock at PFI1 runs at 999000 Hz"
    for sample in range(5):
        watch.see(BlockStatus.OK, 10**7 * sample)
    assert [entry.text for entry in log.take()] == [digitizer.clock_doubt]
