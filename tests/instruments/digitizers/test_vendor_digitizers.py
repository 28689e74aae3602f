"""PicoScope, Spectrum and Zurich drivers on scripted stand-ins for the vendors' packages.

The stand-ins have the functions, argument orders and constants that the drivers use, taken from the
vendors' published wrappers; no instrument has been near them.
"""

from __future__ import annotations

import ctypes
import sys
import types
from typing import ClassVar

import numpy as np
import pytest

from optobind.instruments.contracts import check_trigger
from optobind.instruments.digitizers.picoscope import PicoScopeDigitizer
from optobind.instruments.digitizers.spectrum import SpectrumDigitizer
from optobind.instruments.digitizers.zurich import ZurichDigitizer
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError, InputError


def install(monkeypatch, **modules) -> None:
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name.replace("__", "."), module)


# -- PicoScope -------------------------------------------------------------------------------------


class FakePico:
    """picosdk.ps5000a.ps5000a: streams a ramp in pieces."""

    PS5000A_DEVICE_RESOLUTION: ClassVar = {
        f"PS5000A_DR_{b}BIT": i for i, b in enumerate((8, 12, 14, 15, 16))
    }
    PS5000A_CHANNEL: ClassVar = {f"PS5000A_CHANNEL_{c}": i for i, c in enumerate("ABCD")}
    PS5000A_COUPLING: ClassVar = {"PS5000A_AC": 0, "PS5000A_DC": 1}
    PS5000A_RANGE: ClassVar = {"PS5000A_1V": 6, "PS5000A_2V": 7}
    PS5000A_RATIO_MODE: ClassVar = {"PS5000A_RATIO_MODE_NONE": 0}
    PS5000A_TIME_UNITS: ClassVar = {"PS5000A_NS": 2}

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.open_status = 282
        self.stream_status = 0
        self.interval: int | None = None
        self.overflow = 0
        self.buffers: dict[int, np.ndarray] = {}
        self.sent = 0
        self.place = 0

    def StreamingReadyType(self, function):
        return function

    def ps5000aOpenUnit(self, handle, serial, resolution):
        self.calls.append(("open", serial, resolution))
        handle._obj.value = 7
        return self.open_status

    def ps5000aChangePowerSource(self, handle, status):
        self.calls.append(("power", handle.value, status))
        return 0

    def ps5000aMaximumValue(self, handle, value):
        value._obj.value = 32512
        return 0

    def ps5000aSetChannel(self, handle, channel, enabled, coupling, span, offset):
        self.calls.append(("channel", channel, enabled, coupling, span, offset))
        return 0

    def ps5000aSetDataBuffers(self, handle, channel, largest, smallest, size, segment, mode):
        array = np.ctypeslib.as_array(largest, shape=(size,))
        self.buffers[channel] = array
        return 0

    def ps5000aRunStreaming(self, handle, interval, units, before, after, stop, ratio, mode, size):
        self.calls.append(("run", interval._obj.value, units, before, after, stop, ratio, mode))
        if self.interval is not None:
            interval._obj.value = self.interval
        return 0

    def ps5000aGetStreamingLatestValues(self, handle, ready, parameter):
        if self.stream_status == 0:
            size = len(next(iter(self.buffers.values())))
            start = self.place % size
            count = min(700, size - start)
            ramp = np.arange(self.sent, self.sent + count) % 30000
            for channel, buffer in self.buffers.items():
                buffer[start : start + count] = ramp + channel
            ready(7, count, start, self.overflow, 0, 0, 0, None)
            self.skip(count)
        return self.stream_status

    def skip(self, samples: int) -> None:
        """Fill places of the buffer, whether they are handed over or not."""
        self.sent, self.place = self.sent + samples, self.place + samples

    def ps5000aStop(self, handle):
        self.calls.append(("stop",))
        return 0

    def ps5000aCloseUnit(self, handle):
        self.calls.append(("close",))
        return 0


@pytest.fixture
def pico(monkeypatch):
    fake = FakePico()
    package, module = types.ModuleType("picosdk"), types.ModuleType("picosdk.ps5000a")
    module.ps5000a = fake
    install(monkeypatch, picosdk=package, picosdk__ps5000a=module)
    return fake


def test_picoscope_streams_without_a_seam(pico):
    digitizer = PicoScopeDigitizer("pico", channels=("A", "C"), timeout=0.2)
    digitizer.connect()
    assert ("power", 7, 282) in pico.calls
    assert not [call for call in pico.calls if call[0] in ("channel", "run")], (
        "connect sets nothing"
    )
    assert digitizer.info.scale == pytest.approx((1.0 / 32512,) * 2)
    digitizer.start()
    channels = [call for call in pico.calls if call[0] == "channel"]
    assert channels == [("channel", c, int(c in (0, 2)), 1, 6, 0.0) for c in range(4)]
    assert ("run", 1000, 2, 0, 250_000, 0, 1, 0) in pico.calls
    samples = np.zeros((3000, 2), np.int16)
    for k in range(6):
        result = digitizer.read_into(samples[500 * k : 500 * k + 500])
        assert (result.samples, result.first_sample) == (500, 500 * k)
    assert np.array_equal(samples, np.arange(3000)[:, None] + np.array([0, 2]))
    pico.overflow = 1
    for _ in range(2):
        status = digitizer.read_into(samples[:700]).status
    assert status & BlockStatus.SATURATED
    digitizer.stop()
    assert pico.calls[-1] == ("stop",)
    digitizer.disconnect()
    assert pico.calls[-1] == ("close",)


@pytest.mark.parametrize("lost", [1, 5000, 40_000])
def test_picoscope_samples_lost_inside_its_driver_are_a_gap(pico, lost: int):
    digitizer = PicoScopeDigitizer("pico", channels=("A", "B"), timeout=60.0)
    assert digitizer.connect()
    assert "lost inside the PicoScope's driver" in digitizer.remarks[0]
    digitizer.start()
    size, buffer = 250_000, np.zeros((700, 2), np.int16)
    expected = 0
    while pico.place < size + 700:  # through the end of the driver's buffer: that is no gap
        result = digitizer.read_into(buffer)
        assert (result.first_sample, result.status) == (expected, BlockStatus.OK)
        expected += result.samples
    before = pico.sent
    pico.skip(lost)
    while not result.status & BlockStatus.GAP_BEFORE:
        assert result.first_sample < before
        result = digitizer.read_into(buffer)
    assert result.first_sample == before + lost
    assert buffer[0, 0] == (before + lost) % 30000


def test_picoscope_whole_turns_of_its_buffer_that_were_overwritten_are_counted(pico, monkeypatch):
    clock = [100.0]
    module = sys.modules["optobind.instruments.digitizers.picoscope"]
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    digitizer = PicoScopeDigitizer("pico", channels=("A", "B"), timeout=60.0)
    digitizer.connect()
    digitizer.start()
    buffer = np.zeros((700, 2), np.int16)
    digitizer.read_into(buffer)
    pico.skip(2 * 250_000 + 11)  # a reader that was held up for half a second, at 1 MHz
    clock[0] += 0.5007
    result = digitizer.read_into(buffer)
    assert result.first_sample == 700 + 2 * 250_000 + 11


def test_picoscope_errors_carry_their_number(pico):
    digitizer = PicoScopeDigitizer("pico", timeout=0.1)
    pico.open_status = 3
    with pytest.raises(LinkError, match=r"^pico: PicoScope error 3 \(open\)"):
        digitizer.connect()
    pico.open_status = 0
    digitizer.connect()
    pico.interval = 1024
    with pytest.raises(DeviceError, match="samples every 1024 ns, not every 1000 ns"):
        digitizer.start()
    pico.interval = None
    digitizer.start()
    pico.stream_status = 39
    with pytest.raises(DeviceError, match="0 of 100 samples came within"):
        digitizer.read_into(np.zeros((100, 2), np.int16))
    pico.stream_status = 61
    with pytest.raises(DeviceError, match="error 61"):
        digitizer.read_into(np.zeros((100, 2), np.int16))
    assert digitizer.state is DeviceState.READY
    digitizer.start()
    pico.stream_status = 7
    with pytest.raises(LinkError, match="error 7"):
        digitizer.read_into(np.zeros((100, 2), np.int16))
    assert digitizer.state is DeviceState.FAULTED


# -- Spectrum --------------------------------------------------------------------------------------


class SpcmError(Exception):
    """Stands in for spcm.SpcmException."""


class SpcmTimeout(Exception):
    """Stands in for spcm.SpcmTimeout."""


class FakeSpcm(types.ModuleType):
    """spcm: a two-channel card whose DMA buffer is filled by a ramp."""

    SPCM_TYPE_AI, SPC_REC_FIFO_SINGLE, SPC_PCISAMPLERATE, SPC_SAMPLERATE = 1, 2, 2100, 20000
    SPC_TMASK_NONE, SPC_TMASK_SOFTWARE, SPC_TMASK_EXT0, SPC_CM_INTPLL = 0, 1, 2, 1
    M2CMD_DATA_STARTDMA, M2CMD_CARD_ENABLETRIGGER = 0x10000, 8
    CHANNEL0, CHANNEL1 = 1, 2
    SpcmException, SpcmTimeout = SpcmError, SpcmTimeout

    def __init__(self) -> None:
        super().__init__("spcm")
        self.calls: list[tuple] = []
        self.rate, self.failure = 0, None
        fake = self

        class Card:
            def __init__(self, address: str) -> None:
                fake.calls.append(("card", address))

            def __enter__(self):
                if fake.failure is not None:
                    raise fake.failure
                return self

            def __exit__(self, *_):
                fake.calls.append(("exit",))

            def get_i(self, register):
                return fake.rate if register == fake.SPC_SAMPLERATE else 40_000_000

            def start(self, *flags):
                fake.calls.append(("start", *flags))

            def stop(self, *flags):
                fake.calls.append(("stop",))

        for method, value in {
            "function_type": 1, "product_name": "M2p.5962-x4", "sn": 123, "num_channels": 2,
            "max_sample_value": 32768, "bits_per_sample": 16,
        }.items():  # fmt: skip
            setattr(Card, method, lambda _self, value=value: value)
        for method in ("card_mode", "timeout"):
            setattr(Card, method, self._noting(method))
        self.Card = Card
        self.Channels = self._made("channels", "amp", "termination")
        self.Trigger = self._made("trigger", "or_mask", "and_mask")
        self.Clock = self._made("clock", "mode", "sample_rate")
        self.DataTransfer = self._transfer()

    def _noting(self, name):
        def method(_self, *arguments, **options):
            self.calls.append((name, *arguments, *options.values()))
            if name == "clock.sample_rate":
                self.rate = self.rate or arguments[0]

        return method

    def _made(self, name, *methods):
        body = {m: self._noting(f"{name}.{m}") for m in methods}
        body["__init__"] = self._noting(name)
        return type(name, (), body)

    def _transfer(self):
        fake = self

        class DataTransfer:
            def __init__(self, card) -> None:
                self.position = self.sent = 0

            def notify_samples(self, count) -> None:
                self.count = count

            def allocate_buffer(self, size) -> None:
                self.buffer = np.zeros((2, size), np.int16)

            def pre_trigger(self, count) -> None:
                pass

            def start_buffer_transfer(self, *flags) -> None:
                fake.calls.append(("transfer", *flags))

            def wait_dma(self) -> None:
                if fake.failure is not None:
                    raise fake.failure
                ramp = np.arange(self.sent, self.sent + self.count) % 30000
                self.buffer[:, self.position : self.position + self.count] = ramp, -ramp

            def avail_user_pos(self) -> int:
                return self.position

            def avail_card_len(self, count) -> None:
                self.sent += count
                self.position = (self.position + count) % self.buffer.shape[1]

        return DataTransfer


@pytest.fixture
def spcm(monkeypatch):
    fake = FakeSpcm()
    install(monkeypatch, spcm=fake)
    return fake


def test_spectrum_streams_through_the_end_of_its_buffer(spcm):
    digitizer = SpectrumDigitizer("spc", sample_rate=2e3, timeout=0.2)
    assert "M2p.5962-x4, serial 123" in digitizer.connect()
    assert spcm.calls == [("card", "/dev/spcm0")], "connect sets nothing"
    digitizer.start()
    for call in [
        ("channels.amp", 1000), ("channels.termination", 0), ("trigger.or_mask", 1),
        ("clock.sample_rate", 2000), ("transfer", 0x10000), ("start", 8), ("card_mode", 2),
    ]:  # fmt: skip
        assert call in spcm.calls
    samples = np.zeros((28_000, 2), np.int16)
    for k in range(28):
        result = digitizer.read_into(samples[1000 * k : 1000 * k + 1000])
        assert (result.samples, result.first_sample) == (1000, 1000 * k)
    assert np.array_equal(samples[:, 0], np.arange(28_000))
    assert np.array_equal(samples[:, 1], -np.arange(28_000))
    digitizer.disconnect()
    assert spcm.calls[-1] == ("exit",)


def test_spectrum_errors(spcm):
    spcm.failure = SpcmError("No card found")
    digitizer = SpectrumDigitizer("spc", timeout=0.1)
    with pytest.raises(DeviceError, match=r"^spc: Spectrum driver: No card found"):
        digitizer.connect()
    spcm.failure = None
    digitizer.connect()
    spcm.rate = 999_000
    with pytest.raises(DeviceError, match="samples at 999000 Hz"):
        digitizer.start()
    spcm.rate = 0
    digitizer.start()
    buffer = np.zeros((100, 2), np.int16)
    spcm.failure = SpcmTimeout()
    with pytest.raises(DeviceError, match="0 of 100 samples came"):
        [digitizer.read_into(buffer) for _ in range(100)]
    spcm.failure = SpcmError("ERR_FIFOHWOVERRUN")
    with pytest.raises(DeviceError, match="ERR_FIFOHWOVERRUN"):
        digitizer.read_into(buffer)
    assert digitizer.state is DeviceState.READY
    spcm.failure = None
    too_many = SpectrumDigitizer("spc", channels=(0, 2))
    with pytest.raises(InputError, match="channels 0 … 1"):
        too_many.connect()


def test_spectrum_waits_for_its_external_trigger_without_a_timeout(spcm):
    digitizer = SpectrumDigitizer("spc", external_trigger=True, timeout=0.1)

    def tick() -> None:
        spcm.failure = SpcmTimeout()  # the driver waits for its 50 ms, and nothing has come

    tick()
    # Connecting fails while the stand-in fails: the trigger is awaited once it has been started.
    spcm.failure = None
    begin = digitizer.start

    def start() -> None:
        begin()
        tick()

    digitizer.start = start
    check_trigger(lambda: digitizer, lambda: setattr(spcm, "failure", None))


@pytest.mark.parametrize("timeout", [0.1, 1.0])
def test_a_device_that_runs_and_is_silent_fails_after_its_own_timeout_in_short_reads(pico, timeout):
    digitizer = PicoScopeDigitizer("pico", timeout=timeout)
    digitizer.connect()
    digitizer.start()
    buffer = np.zeros((100, 2), np.int16)
    assert digitizer.read_into(buffer).samples == 100
    digitizer._queue.take(np.zeros((digitizer._queue.contiguous()[0], 2), np.int16))
    pico.stream_status = 39  # busy for ever
    empty: list[int] = []

    def listen() -> None:
        while len(empty) < 100:
            result = digitizer.read_into(buffer)
            assert (result.samples, result.finished, result.waiting) == (0, False, "")
            empty.append(result.first_sample)

    with pytest.raises(DeviceError, match="0 of 100 samples came within"):
        listen()
    assert len(empty) >= (2 if timeout > 0.5 else 0)
    assert len(set(empty)) <= 1, "a read without samples leaves the index alone"


# -- Zurich ----------------------------------------------------------------------------------------


class FakeServer:
    """zhinst.core.ziDAQServer: demodulator samples with time stamps."""

    clock, rate = 60_000_000, 60e6 / 128

    def __init__(self, host, port, api_level) -> None:
        self.calls: list[tuple] = [("server", host, port, api_level)]
        self.enabled = 1
        self.skip = self.next = 0
        self.apart = 0
        self.failure: Exception | None = None
        type(self).last = self

    def connectDevice(self, device, interface):
        self.calls.append(("connect", device, interface))

    def getInt(self, path):
        return self.clock if path.endswith("clockbase") else self.enabled

    def getDouble(self, path):
        return self.rate

    def subscribe(self, path) -> None:
        self.calls.append(("subscribe", path))

    def unsubscribe(self, path) -> None:
        self.calls.append(("unsubscribe", path))

    def sync(self) -> None:
        self.calls.append(("sync",))

    def disconnect(self) -> None:
        self.calls.append(("disconnect",))

    def poll(self, seconds, timeout, flags, flat):
        assert (flags, flat) == (0, True)
        if self.failure is not None:
            raise self.failure
        index = np.arange(self.next, self.next + 300) + self.skip
        self.next += 300
        data = {}
        for demod, extra in ((0, 0), (1, 1)):
            # The second demodulator's samples arrive later by one poll's half.
            mine = index if not extra else index - 150
            mine = mine[mine >= 0]
            data[f"/dev1/demods/{demod}/sample"] = {
                "timestamp": 1000 + extra * self.apart + 128 * mine.astype(np.uint64),
                "x": mine + 0.25 * demod,
                "y": -mine - 0.25 * demod,
            }
        return data


@pytest.fixture
def zurich(monkeypatch):
    package, core = types.ModuleType("zhinst"), types.ModuleType("zhinst.core")
    core.ziDAQServer = FakeServer
    install(monkeypatch, zhinst=package, zhinst__core=core)
    return FakeServer


def test_zurich_joins_demodulators_by_their_time_stamps(zurich):
    digitizer = ZurichDigitizer("zi", device="DEV1", channels=("0.x", "1.y"), timeout=0.2)
    assert "dev1" in digitizer.connect()
    server = zurich.last
    assert server.calls == [("server", "localhost", 8004, 6), ("connect", "dev1", "1GbE")]
    assert digitizer.info.sample_rate == 60e6 / 128
    assert digitizer.info.dtype == "float32"
    digitizer.start()
    assert ("subscribe", "/dev1/demods/1/sample") in server.calls
    samples = np.zeros((800, 2), np.float32)
    for k in range(4):
        result = digitizer.read_into(samples[200 * k : 200 * k + 200])
        assert (result.samples, result.first_sample) == (200, 200 * k)
    assert np.array_equal(samples[:, 0], np.arange(800))
    assert np.array_equal(samples[:, 1], -np.arange(800) - 0.25)
    digitizer.stop()
    digitizer.disconnect()
    assert server.calls[-1] == ("disconnect",)


@pytest.mark.parametrize("apart", [1, 63, -40])
def test_zurich_demodulators_that_tick_at_other_moments_are_joined_to_the_nearest(zurich, apart):
    digitizer = ZurichDigitizer("zi", device="dev1", channels=("0.x", "1.x"), timeout=60.0)
    digitizer.connect()
    assert "joined to the nearest one in time" in digitizer.remarks[0]
    zurich.last.apart = apart
    digitizer.start()
    samples = np.zeros((800, 2), np.float32)
    for k in range(4):
        result = digitizer.read_into(samples[200 * k : 200 * k + 200])
        assert (result.samples, result.first_sample, result.status) == (200, 200 * k, 0)
    assert np.array_equal(samples[:, 1], samples[:, 0] + 0.25)
    zurich.last.apart += 3  # it has left its grid
    with pytest.raises(DeviceError, match="rate of the demodulators has changed"):
        digitizer.read_into(np.zeros((3000, 2), np.float32))


def test_zurich_samples_that_the_server_drops_are_a_gap_of_known_length(zurich):
    digitizer = ZurichDigitizer("zi", device="dev1", channels=("0.x",), timeout=0.2)
    digitizer.connect()
    digitizer.start()
    buffer = np.zeros((250, 1), np.float32)
    assert digitizer.read_into(buffer).samples == 250
    zurich.last.skip = 1000
    short = digitizer.read_into(buffer)
    assert (short.samples, short.first_sample) == (50, 250)
    late = digitizer.read_into(buffer)
    assert (late.samples, late.first_sample) == (250, 1300)
    assert late.status & BlockStatus.GAP_BEFORE
    assert buffer[0, 0] == 1300.0


def test_zurich_errors(zurich, monkeypatch):
    digitizer = ZurichDigitizer("zi", device="dev1", timeout=0.1)
    monkeypatch.setattr(FakeServer, "rate", 0.0)
    with pytest.raises(DeviceError, match="set one rate"):
        digitizer.connect()
    monkeypatch.undo()


def test_zurich_server_that_fails_is_a_broken_link(zurich):
    digitizer = ZurichDigitizer("zi", device="dev1", timeout=0.1)
    digitizer.connect()
    digitizer.start()
    zurich.last.failure = RuntimeError("connection lost")
    with pytest.raises(LinkError, match=r"^zi: polling failed \(connection lost\)"):
        digitizer.read_into(np.zeros((10, 2), np.float32))
    assert digitizer.state is DeviceState.FAULTED
    for channels in ((), ("0.r",), ("x",), ("0.x", "0.x")):
        with pytest.raises(InputError):
            ZurichDigitizer("zi", device="dev1", channels=channels)


# -- without the packages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "module", "remedy"),
    [
        (lambda: PicoScopeDigitizer("d"), "picosdk.ps5000a", r"optobind\[picoscope\]"),
        (lambda: SpectrumDigitizer("d"), "spcm", r"optobind\[spectrum\]"),
        (lambda: ZurichDigitizer("d", device="dev1"), "zhinst.core", r"optobind\[zurich\]"),
    ],
)
def test_missing_packages_name_the_remedy(monkeypatch, make, module, remedy):
    monkeypatch.setitem(sys.modules, module, None)
    digitizer = make()
    with pytest.raises(DeviceError, match=remedy):
        digitizer.connect()
    assert digitizer.state is DeviceState.FAULTED
    with pytest.raises(DeviceError):
        digitizer.start()


def test_ctypes_is_what_the_pico_stand_in_expects():
    value = ctypes.c_int16(3)
    ctypes.byref(value)._obj.value = 5
    assert value.value == 5
