from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from optobind.instruments.control.slm_only import SlmControl
from optobind.instruments.protocols import DeviceState, SpotPattern
from optobind.instruments.slm.options import SlmOptions
from optobind.models.errors import DeviceError, InputError
from optobind.models.light import Site, TweezerState

from .panels import (
    FOCAL_LENGTH,
    OPTICS,
    PATTERN,
    PITCH,
    WAVELENGTH,
    KeepingPanel,
    broken_link,
    make_slm,
    refusal,
)


def test_connect_shows_nothing_and_knows_nothing():
    panel = KeepingPanel()
    slm = make_slm(panel)
    assert slm.connect() == "keeping panel"
    assert slm.state is DeviceState.READY
    assert slm.read() == SpotPattern((), (), ())
    assert slm.report is None
    slm.disconnect()
    assert slm.state is DeviceState.DISCONNECTED
    assert panel.images == []


def test_what_is_shown_is_returned_with_what_quantisation_made_of_it():
    panel = KeepingPanel()
    slm = make_slm(panel)
    with pytest.raises(DeviceError, match="slm is disconnected: connect it first"):
        slm.show(PATTERN)
    slm.connect()
    shown = slm.show(PATTERN)
    assert slm.read() == shown
    assert shown.positions == PATTERN.positions
    assert shown.phases != PATTERN.phases
    assert shown.phases == pytest.approx(PATTERN.phases, abs=0.01)
    assert shown.weights == pytest.approx(PATTERN.weights, rel=0.005)
    phase = (shown.phases[0] - shown.phases[1]) - (PATTERN.phases[0] - PATTERN.phases[1])
    assert slm.report is not None
    assert slm.report.phase_error == pytest.approx(abs(phase), abs=1e-9)
    assert len(panel.images) == 1
    assert panel.images[0].shape == (180, 240)
    assert panel.images[0].dtype == np.uint8


def test_showing_what_is_on_show_sends_the_same_bytes_again():
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    shown = slm.show(PATTERN)
    assert slm.show(shown) == shown
    assert np.array_equal(panel.images[0], panel.images[1])


def test_a_prediction_shows_nothing():
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    hologram = slm.predict(PATTERN)
    assert hologram.report.converged
    assert panel.images == []
    assert slm.read().positions == ()


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (replace(PATTERN, positions=((2e-4, 0, 0), (0, 0, 0))), "spot x must lie in"),
        (replace(PATTERN, weights=(0.8, 0.5)), "add up to 1.3"),
        (replace(PATTERN, phases=(math.inf, 0.0)), "spot phase must lie in"),
        (SpotPattern((), (), ()), "slm shows 1 … 1024 spots, got 0"),
        # Closer than the light can tell apart.
        (
            replace(PATTERN, positions=((1e-7, 0, 0), (-1e-7, 0, 0)), phases=(3.0, 0.0)),
            "cannot show these spots well enough",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_and_nothing_changes(pattern, complaint):
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    shown = slm.show(PATTERN)
    with pytest.raises(InputError, match=complaint):
        slm.show(pattern)
    assert len(panel.images) == 1
    assert slm.read() == shown
    assert slm.state is DeviceState.READY


def test_a_broken_link_faults_and_nothing_is_shown_again_on_reconnect():
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    shown = slm.show(PATTERN)
    panel.failure = broken_link()
    with pytest.raises(DeviceError, match="slm: the cable is out"):
        slm.show(replace(PATTERN, phases=(0.9, 0.0)))
    assert slm.state is DeviceState.FAULTED
    with pytest.raises(DeviceError, match="slm is faulted"):
        slm.read()
    with pytest.raises(DeviceError, match="slm: the cable is out"):
        slm.connect()
    panel.failure = None
    slm.connect()
    assert len(panel.images) == 1
    assert slm.read() == shown  # the panel still holds it


def test_a_reconnected_panel_that_lost_its_image_is_known_to_show_nothing_known():
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    slm.show(PATTERN)
    slm.disconnect()
    panel.note = None
    slm.connect()
    assert slm.read() == SpotPattern((), (), ())
    assert slm.report is None


def test_a_refusal_leaves_the_device_ready_with_its_last_pattern():
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    shown = slm.show(PATTERN)
    panel.failure = refusal()
    with pytest.raises(DeviceError, match="the panel says no"):
        slm.show(replace(PATTERN, phases=(0.9, 0.0)))
    assert slm.state is DeviceState.READY
    assert slm.read() == shown


def test_a_check_shows_nothing_and_what_it_computed_is_shown(monkeypatch):
    panel = KeepingPanel()
    slm = make_slm(panel)
    slm.connect()
    computed = []
    original = slm.predict
    monkeypatch.setattr(slm, "predict", lambda p: (computed.append(p), original(p))[1])
    slm.check_pattern(PATTERN)
    assert slm.read().positions == ()
    assert slm.show(PATTERN).positions == PATTERN.positions
    assert computed == [PATTERN]


def test_another_program_learns_what_the_panel_holds_and_shows_nothing_to_know_it():
    panel = KeepingPanel()
    first = make_slm(panel)
    first.connect()
    shown = first.show(PATTERN)
    first.disconnect()
    second = make_slm(panel)
    second.connect()
    assert second.read() == shown
    assert second.show(shown) == shown
    assert len(panel.images) == 1


@pytest.mark.parametrize("note", [{"pattern": {"positions": [[1, 2]]}}, {"other": 1}, {}])
def test_a_note_that_is_no_pattern_says_nothing(note):
    slm = make_slm(KeepingPanel(note=note))
    slm.connect()
    assert slm.read() == SpotPattern((), (), ())


def test_capabilities_state_field_levels_and_settling():
    panel = KeepingPanel()
    slm = make_slm(panel, two_pi_level=200.0, settling_time=0.03)
    assert slm.capabilities.field_of_view == pytest.approx(0.5 * WAVELENGTH * FOCAL_LENGTH / PITCH)
    slm.connect()
    found = slm.capabilities
    assert found.phase_levels == 200
    assert found.settling_time == pytest.approx(0.03 + 1.0 / 60.0)
    assert found.frame_rate == 60.0
    assert found.pixels == (240, 180)
    assert found.phase_per_spot


def test_wavefront_and_lut_reach_the_image(tmp_path):
    plain, dressed = KeepingPanel(), KeepingPanel()
    slm = make_slm(plain)
    slm.connect()
    slm.show(PATTERN)
    rng = np.random.default_rng(1)
    tilt = rng.integers(0, 256, (180, 240)).astype(np.uint8)
    Image.fromarray(tilt).save(tmp_path / "flat.png")
    slm = make_slm(dressed, wavefront=tmp_path / "flat.png")
    slm.connect()
    slm.show(PATTERN)
    # (phase + correction) mod 256: the level may round either way.
    difference = dressed.images[0].astype(int) - plain.images[0] - tilt
    difference = (difference + 128) % 256 - 128
    assert np.count_nonzero(np.abs(difference) > 1) < 50

    slm = make_slm(dressed, two_pi_level=128.0)
    slm.connect()
    slm.show(PATTERN)
    assert dressed.images[1].max() == 127


def test_files_that_do_not_fit_fail_the_connection_and_are_named(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros((10, 10)))
    slm = make_slm(wavefront=tmp_path / "flat.npy")
    with pytest.raises(DeviceError, match=r"slm: .*flat.npy is \(10, 10\).*has \(180, 240\)"):
        slm.connect()
    assert slm.state is DeviceState.FAULTED


def test_a_ten_bit_panel_gets_ten_bits():
    panel = KeepingPanel(bits=10)
    slm = make_slm(panel)
    slm.connect()
    slm.show(PATTERN)
    assert panel.images[0].dtype == np.uint16
    assert panel.images[0].max() > 900


def test_a_light_control_sets_powers_and_phase_through_it():
    slm = make_slm(KeepingPanel(), efficiency=0.7)
    slm.connect()
    control = SlmControl(slm, 0.6)
    state = TweezerState((Site((3e-6, 0.0, 0.0), 0.25, 1.1), Site((-3e-6, 0.0, 0.0), 0.2, 0.2)))
    applied = control.apply(state)
    assert applied.phase_error < math.radians(0.1)
    assert [s.power for s in applied.state.sites] == pytest.approx([0.25, 0.2], rel=0.005)
    assert applied.settling_time > 0.05
    control.release()
    assert sum(s.power for s in control.read().state.sites) < 1e-3


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"wavelength": 1064.0}, "wavelength must lie in 1e-07 … 2e-05 m"),
        ({"phase_sign": 2}, "phase_sign must be 1 or -1, got 2"),
        ({"offset": (0.0, 1e-6)}, "offset must be three numbers"),
        ({"matrix": ((1.0, 2.0),)}, "matrix must be 2 × 2 numbers"),
        ({"zernike": {4: 0.1}}, "zernike terms need zernike_radius"),
        ({"lut": "a.txt", "two_pi_level": 200.0}, "lut or two_pi_level, not both"),
        ({"beam": "a.png", "beam_waist": 1e-3}, "beam or beam_waist, not both"),
        ({"dump": (1.0,)}, "dump must be two or three numbers"),
        ({"efficiency": 1.5}, "efficiency must lie in 0.01 … 1"),
        ({"offset": (1e-3, 0.0, 0.0)}, "origin is out of reach"),
    ],
)
def test_options_out_of_range_are_refused(options, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)):
        make_slm(**options)


def test_a_measured_beam_and_zernike_terms_are_part_of_the_optics(tmp_path):
    rng = np.random.default_rng(1)
    beam = rng.integers(1, 256, (180, 240)).astype(np.uint8)
    Image.fromarray(beam).save(tmp_path / "beam.png")
    options = SlmOptions(
        **OPTICS, beam=tmp_path / "beam.png", zernike={"defocus": 0.5}, zernike_radius=7e-4,
        lut_wavelength=1000e-9, two_pi_level=230.0, optical_axis=(100.0, 90.0),
    )  # fmt: skip
    optics = options.optics((240, 180), (PITCH, PITCH))
    assert optics.illumination.pattern is not None
    assert np.allclose(optics.illumination.pattern**2, beam / beam.max(), atol=1e-6)
    assert optics.correction is not None
    assert optics.correction[90, 100] == pytest.approx(-0.5 * math.sqrt(3.0))
    assert optics.lut.phases[230] == pytest.approx(2.0 * math.pi * 1000 / 1064)
