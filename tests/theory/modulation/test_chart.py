import math
import time

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.theory.modulation.chart import stability_chart
from optobind.theory.modulation.drives import detuned, power_modulation
from optobind.theory.modulation.floquet import floquet
from optobind.theory.modulation.pair_model import single_model
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Sinusoid

OMEGA = 2 * math.pi * 50e3


def test_every_cell_is_a_floquet_analysis(far_pair):
    models = [
        far_pair(detuned(1.0, 0.4), coupling=g, kd=17.3, damping=0.2) for g in (0.01, 0.05)
    ] + [far_pair(Sinusoid(0.7, 1.8, 2 * math.pi), coupling=0.05, kd=17.3)]
    frequencies = np.array([31e3, 50e3, 99.9e3, 100e3, 140e3])
    chart = stability_chart(models, frequencies)
    assert chart.multipliers.shape == (3, 5, 4)
    for row, model in enumerate(models):
        for column, f in enumerate(frequencies):
            analysis = floquet(model.played_at(f))
            sizes = np.sort(np.abs(chart.multipliers[row, column]))
            assert sizes == pytest.approx(np.sort(np.abs(analysis.multipliers)), abs=1e-5)
            assert chart.growth[row, column] == pytest.approx(analysis.growth_rate, abs=0.3)
            assert chart.damping_needed[row, column] == pytest.approx(
                analysis.damping_needed, abs=0.6
            )


def test_the_error_of_a_chart_is_told(far_pair):
    models = [far_pair(detuned(1.0), coupling=0.05, kd=17.3)]
    frequencies = np.linspace(80e3, 120e3, 30)
    coarse = stability_chart(models, frequencies, steps=24)
    fine = stability_chart(models, frequencies, steps=96)
    assert fine.error < 1e-2 * coarse.error
    true = coarse.multipliers.sum(axis=-1) - fine.multipliers.sum(axis=-1)
    assert 0.5 * coarse.error < np.abs(true).max() < 2 * coarse.error


def test_tongue_of_a_detuned_pair_opens_in_proportion_to_the_coupling(far_pair):
    couplings = np.array([0.005, 0.01, 0.02])
    models = [far_pair(detuned(1.0), coupling=g) for g in couplings]
    frequencies = np.linspace(92e3, 108e3, 401)
    unstable = ~stability_chart(models, frequencies).stable()
    width = unstable.sum(axis=1) * (frequencies[1] - frequencies[0])
    # Growth √(g² − Δ²/4) with Δ = 2πΔν − 2ω: unstable for |Δ| < 2g.
    assert width == pytest.approx(4 * couplings * OMEGA / (2 * math.pi), rel=0.02)


@pytest.mark.slow
def test_a_chart_of_200_by_200_takes_a_few_seconds(far_pair):
    models = [far_pair(detuned(1.0), coupling=g) for g in np.linspace(1e-4, 0.1, 200)]
    begin = time.process_time()
    chart = stability_chart(models, np.linspace(20e3, 150e3, 200))
    assert time.process_time() - begin < 8.0
    assert chart.growth.shape == (200, 200)


def test_charts_that_cannot_be_are_refused(far_pair):
    model = far_pair(detuned(1.0))
    single = single_model(omega=OMEGA, D=1.0, power=power_modulation(0.1, 1.0))
    steps = Sampled([0.0, 0.5, 1.0], [0.0, 1.0, 1.0], kind="steps", outside="repeat")
    for models, frequencies, text in (
        ([], [1e4], "a chart needs models of one number of states"),
        ([model, single], [1e4], "a chart needs models of one number of states"),
        ([model], [0.0], "frequencies must be positive"),
        ([far_pair(steps)], [1e4], "a chart needs light without jumps"),
        ([far_pair(0.1)], [1e4], "the light rests"),
    ):
        with pytest.raises(InputError, match=text):
            stability_chart(models, frequencies)
