"""The driver against a scripted stand-in of ``spcm``; no card was ever driven by it."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rf.spectrum import SpectrumDdsSource
from optobind.models.errors import DeviceError, InputError

DDS_MODE, SINGLE_MODE, TRIGGER = 0x400000, 0x100, 8
TONE = RFTone(80e6, 0.25, math.pi / 2.0)


class Core:
    def __init__(self, log: list[str], index: int) -> None:
        self.log, self.index = log, index
        self.values = {"freq": 0.0, "amp": 0.0, "phase": 0.0}

    def freq(self, value: float) -> None:
        self._set("freq", value)

    def amp(self, value: float) -> None:
        self._set("amp", value)

    def phase(self, value: float) -> None:
        self._set("phase", value)

    def _set(self, name: str, value: float) -> None:
        self.log.append(f"core {self.index} {name} {value:g}")
        self.values[name] = value

    def get_freq(self) -> float:
        return self.values["freq"]

    def get_amp(self) -> float:
        return self.values["amp"]

    def get_phase(self) -> float:
        return self.values["phase"]


@pytest.fixture
def spcm(monkeypatch):
    """A module that looks like spcm 1.13 as far as the driver uses it."""
    module = ModuleType("spcm")
    module.log, module.mode, module.fail = [], SINGLE_MODE, None
    module.cores = [Core(module.log, i) for i in range(20)]

    class Card:
        def __init__(self, address: str) -> None:
            self.address, self.handle = address, None

        def __bool__(self) -> bool:
            return self.handle is not None

        def open(self) -> Card:
            if module.fail:
                raise RuntimeError(module.fail)
            self.handle = 1
            return self

        def close(self) -> None:
            module.log.append("stop")  # as spcm does
            self.close_handle()

        def close_handle(self) -> None:
            self.handle = None
            module.log.append("close")

        def product_name(self) -> str:
            return "M4i.6631-x8"

        def sn(self) -> int:
            return 12345

        def card_mode(self, mode: int | None = None) -> int:
            if mode is not None:
                module.log.append(f"mode {mode}")
                module.mode = mode
            return module.mode

        def write_setup(self) -> None:
            module.log.append("setup")

        def start(self, *flags: int) -> None:
            module.log.append(f"start {flags}")

    class Channels:
        def __init__(self, card: Card, card_enable: int) -> None:
            module.log.append(f"channels {card_enable}")

        def enable(self, on: bool) -> None:
            module.log.append(f"enable {on}")

        def amp(self, millivolts: int) -> None:
            module.log.append(f"amp {millivolts}")

    class DDS:
        def __init__(self, card: Card, no_units: bool) -> None:
            assert no_units

        def __len__(self) -> int:
            return len(module.cores)

        def __getitem__(self, index: int) -> Core:
            return module.cores[index]

        def reset(self) -> None:
            module.log.append("reset")

        def cores_on_channel(self, channel: int, *masks: int) -> None:
            module.log.append(f"cores {channel} {masks}")

        def exec_now(self) -> None:
            module.log.append("exec_now")

        def write_to_card(self) -> None:
            if module.fail:
                raise RuntimeError(module.fail)
            module.log.append("write_to_card")

        def avail_freq_min(self) -> float:
            return -200e6

        def avail_freq_max(self) -> float:
            return 200e6

        def avail_freq_step(self) -> float:
            return 0.29

        def avail_amp_max(self) -> float:
            return 1.0

        def avail_amp_step(self) -> float:
            return 2**-15

        def avail_phase_step(self) -> float:
            return 360.0 / 2**12

    for name, value in {
        "Card": Card, "Channels": Channels, "DDS": DDS, "SPC_REP_STD_DDS": DDS_MODE,
        "M2CMD_CARD_ENABLETRIGGER": TRIGGER,
    }.items():  # fmt: skip
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "spcm", module)
    return module


def test_connecting_changes_nothing_and_limits_come_from_the_card(spcm):
    source = SpectrumDdsSource("rf", full_scale=0.5)
    assert source.connect() == "M4i.6631-x8 sn 12345"
    assert spcm.log == []
    assert source.capabilities.frequency_range == (0.0, 200e6)
    assert source.capabilities.amplitude_range == (0.0, 0.5)


def test_first_tone_brings_a_silent_card_into_dds_mode(spcm):
    source = SpectrumDdsSource("rf", full_scale=0.5)
    source.connect()
    source.set_tone(1, TONE)
    assert spcm.log == [
        f"mode {DDS_MODE}",
        "channels 3",
        "enable True",
        "amp 500",
        "setup",
        "reset",
        "cores 1 (256,)",
        "exec_now",
        "write_to_card",
        f"start ({TRIGGER},)",
        "core 8 freq 8e+07",
        "core 8 amp 0.5",
        "core 8 phase 90",
        "exec_now",
        "write_to_card",
    ]
    assert source.read_tone(1) == TONE
    spcm.log.clear()
    source.set_tone(1, replace(TONE, enabled=False))
    assert spcm.log[1] == "core 8 amp 0"
    assert source.read_tone(1).enabled is False


def test_align_sets_all_phases_in_one_step(spcm):
    spcm.mode = DDS_MODE
    source = SpectrumDdsSource("rf")
    source.connect()
    source.set_tone(1, TONE)
    spcm.log.clear()
    source.align()
    assert spcm.log == ["core 0 phase 0", "core 8 phase 90", "exec_now", "write_to_card"]


def test_disconnecting_does_not_stop_the_card(spcm):
    source = SpectrumDdsSource("rf")
    source.connect()
    source.disconnect()
    assert spcm.log == ["close"]


def test_failing_library_faults_the_device(spcm):
    source = SpectrumDdsSource("rf")
    source.connect()
    spcm.fail = "ERR_FIFOHWOVERRUN"
    with pytest.raises(LinkError, match=r"rf: .*ERR_FIFOHWOVERRUN"):
        source.set_tone(0, TONE)
    assert source.state is DeviceState.FAULTED
    with pytest.raises(LinkError, match=r"rf: .*ERR_FIFOHWOVERRUN"):
        source.connect()


def test_number_that_is_none_is_refused(spcm):
    source = SpectrumDdsSource("rf")
    source.connect()
    spcm.cores[0].values["freq"] = math.nan
    with pytest.raises(LinkError, match=r"no finite numbers"):
        source.read_tone(0)


def test_missing_driver_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "spcm", None)
    source = SpectrumDdsSource("rf")
    with pytest.raises(DeviceError, match=r"pip install optobind\[spectrum\] and the driver"):
        source.connect()
    assert source.state is DeviceState.FAULTED


def test_options_are_checked(spcm):
    with pytest.raises(InputError, match=r"as many different cores"):
        SpectrumDdsSource("rf", cores=(1, 1))
    with pytest.raises(InputError, match=r"full_scale"):
        SpectrumDdsSource("rf", full_scale=9.0)
    source = SpectrumDdsSource("rf", cores=(0, 40))
    with pytest.raises(DeviceError, match=r"20 DDS cores"):
        source.connect()
