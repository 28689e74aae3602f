from __future__ import annotations

import gc
import importlib.util
import threading
import time

import numpy as np
import pytest

from optobind.instruments.catalogue import make_device
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState, SpotPattern
from optobind.instruments.slm.vendor import MODELS, SlmsuiteSLM
from optobind.instruments.slm.worker import Worker
from optobind.models.errors import DeviceError, InputError

from . import fake_slmsuite
from .panels import OPTICS, PATTERN


@pytest.fixture
def slmsuite(monkeypatch: pytest.MonkeyPatch):
    fake_slmsuite.install(monkeypatch)
    yield fake_slmsuite
    fake_slmsuite.SLM.hung.set()


def make(model: str = "meadowlark", settings=None, **options) -> SlmsuiteSLM:
    return SlmsuiteSLM("slm", model=model, settings=settings, **{**OPTICS, **options})


def test_connecting_sends_no_image_though_the_constructor_blanks(slmsuite):
    slm = make(settings={"slm_number": 2})
    assert slm.connect() == "slmsuite meadowlark 'serial 2' 240 × 180, 8 bits"
    vendor = slm._vendor._slm
    assert isinstance(vendor, slmsuite.Meadowlark)
    assert vendor.sent == []
    assert vendor.wav_um == pytest.approx(1.064)
    assert slm.read() == SpotPattern((), (), ())
    assert slm.capabilities.pixels == (240, 180)
    expected = 0.5 * OPTICS["wavelength"] * OPTICS["focal_length"] / 9.2e-6
    assert slm.capabilities.field_of_view == pytest.approx(expected)


def test_grey_levels_arrive_as_they_were_computed(slmsuite):
    slm = make()
    slm.connect()
    shown = slm.show(PATTERN)
    vendor = slm._vendor._slm
    assert len(vendor.sent) == 1
    assert np.array_equal(vendor.sent[0], slm._hologram.image)
    assert slm.read() == shown
    assert slm.show(shown) == shown


def test_disconnect_and_the_end_leave_the_slm_as_it_is(slmsuite):
    slm = make()
    slm.connect()
    shown = slm.show(PATTERN)
    vendor = slm._vendor._slm
    slm.disconnect()
    assert not vendor.closed
    slm.connect()
    assert slm._vendor._slm is vendor
    assert slm.read() == shown
    assert len(vendor.sent) == 1
    sent, closed = vendor.sent, []
    vendor.close = lambda: closed.append(True)
    slm._vendor._slm = None
    del vendor, slm
    gc.collect()
    assert closed == []
    assert len(sent) == 1


def test_shutting_down_closes_the_library(slmsuite):
    slm = make()
    slm.connect()
    vendor = slm._vendor._slm
    slm.shut_down()
    assert vendor.closed
    assert slm.state is DeviceState.DISCONNECTED
    slm.connect()
    assert slm._vendor._slm is not vendor
    assert slm.read() == SpotPattern((), (), ())


def test_uneven_levels_of_the_device_are_used(slmsuite):
    slm = make("texasinstruments", {"model_name": "p47"})
    slm.connect()
    slm.show(PATTERN)
    image = slm._vendor._slm.sent[0]
    assert image.max() == 15
    assert slm.capabilities.phase_levels == 16
    turns = np.linspace(0.0, 0.94, 16) ** 1.2
    assert slm._optics.lut.phases == pytest.approx(2.0 * np.pi * turns)
    mirrored = make("texasinstruments", {"model_name": "p47"}, phase_sign=-1)
    mirrored.connect()
    assert mirrored._optics.lut.phases == pytest.approx(-2.0 * np.pi * turns)


def test_another_wavelength_uses_the_part_of_the_range_that_the_device_states(slmsuite):
    slm = make(settings={"wav_design_um": 1.33})
    slm.connect()
    assert slm._optics.lut.phases[200] == pytest.approx(2.0 * np.pi * 200 / 256 * 1.33 / 1.064)


def test_a_vendor_that_raises_faults_the_device(slmsuite, monkeypatch):
    slm = make()
    slm.connect()
    slm.show(PATTERN)
    monkeypatch.setattr(
        slmsuite.SLM, "set_phase", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("code 17"))
    )
    with pytest.raises(LinkError, match="slm: slmsuite meadowlark refused an image: code 17"):
        slm.show(PATTERN)
    assert slm.state is DeviceState.FAULTED
    monkeypatch.undo()
    slm.connect()
    assert slm.read() == SpotPattern((), (), ())  # whether the image arrived is not known


def shown_at_last(slm):
    """Show, once the call that hung has ended, which may take a moment."""
    until = time.monotonic() + 60.0
    while True:
        slm.connect()
        try:
            return slm.show(PATTERN)
        except LinkError:
            assert time.monotonic() < until


def test_a_vendor_that_hangs_is_given_up_in_time(slmsuite):
    slm = make(timeout=0.1)
    slm.connect()
    slmsuite.SLM.hung.clear()
    with pytest.raises(LinkError, match=r"did not answer within 0\.1 s"):
        slm.show(PATTERN)
    slm.connect()
    with pytest.raises(LinkError, match="still hangs in an earlier call"):
        slm.show(PATTERN)
    slmsuite.SLM.hung.set()
    assert shown_at_last(slm).positions == PATTERN.positions
    slow = make(settings={"sdk_path": "hangs"}, start_timeout=0.2)
    with pytest.raises(LinkError, match=r"did not answer within 0\.2 s"):
        slow.connect()


@pytest.mark.parametrize(
    ("model", "settings", "complaint"),
    [
        ("holoeye", {}, "SDK HEDS not installed.*HOLOEYE SLM Display SDK 4.0"),
        ("meadowlark", {"sdk_path": "missing"}, "Could not find SDK.*needs: Meadowlark Blink"),
        ("meadowlark", {"slm_numbre": 1}, "unexpected keyword argument.*check its settings"),
        ("hamamatsu", {}, "cannot be imported here .*needs: Hamamatsu LCOS-SLM DLLs"),
    ],
)
def test_what_a_vendor_lacks_is_named_with_its_remedy(slmsuite, model, settings, complaint):
    slm = make(model, settings)
    with pytest.raises(DeviceError, match=complaint):
        slm.connect()
    assert slm.state is DeviceState.FAULTED


@pytest.mark.skipif(importlib.util.find_spec("slmsuite") is not None, reason="slmsuite is here")
def test_a_missing_slmsuite_is_named_with_its_remedy():
    slm = make()
    with pytest.raises(DeviceError, match=r"slmsuite is not installed: .*optobind\[slm\]"):
        slm.connect()


def test_models_and_options_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="unknown slmsuite model 'holoey'; known: holoeye, "):
        make("holoey")
    with pytest.raises(InputError, match="unexpected keyword argument 'wave_length'"):
        make_device("slm", "slmsuite", "slm", model="santec", wave_length=1e-6, **OPTICS)
    with pytest.raises(InputError, match="unexpected keyword argument 'wave_length'"):
        make_device("slm", "display", "slm", pitch=8e-6, wave_length=1e-6, **OPTICS)
    slm = make()
    with pytest.raises(DeviceError, match="its pixel pitch is not known: connect it, or set it"):
        _ = slm.capabilities


@pytest.mark.skipif(importlib.util.find_spec("slmsuite") is None, reason="needs slmsuite")
def test_the_real_slmsuite_takes_what_this_driver_sends():
    slm = make("simulated", {"resolution": (240, 180), "pitch_um": (8, 8)})
    slm.connect()
    slm.show(PATTERN)
    assert np.array_equal(slm._vendor._slm.display, slm._hologram.image)
    assert set(MODELS) >= {"holoeye", "meadowlark", "hamamatsu", "santec", "texasinstruments"}


def test_a_worker_returns_raises_and_ends():
    worker = Worker("the library")
    assert worker.call(lambda: threading.current_thread().name, 1.0) == "worker of the library"
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 / 0, 1.0)
    assert worker.call(lambda: 7, 1.0) == 7
    threads = threading.active_count()
    worker.stop()
    deadline = time.monotonic() + 60.0
    while threading.active_count() >= threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() < threads
