"""The NI driver and the plain nidaqmx client against the virtual NI card, over loopback gRPC."""

from __future__ import annotations

import threading
import time

import grpc
import nidaqmx
import numpy as np
import pytest
from nidaqmx.constants import AcquisitionType
from nidaqmx.stream_readers import AnalogMultiChannelReader, AnalogUnscaledReader

from optobind.instruments.capabilities import DigitizerCapabilities
from optobind.instruments.contracts import check_trigger
from optobind.instruments.digitizers import daqmx
from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_capabilities import input_doubts
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState
from optobind.instruments.virtual import ni_server_calls
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError, InputError

from .conftest import make_rig

pytestmark = pytest.mark.realtime

ROWS = 5000


def in_process(blocks: int, **changes) -> np.ndarray:
    digitizer = make_rig(**changes).digitizer
    digitizer.connect()
    digitizer.start()
    samples = np.empty((blocks * ROWS, len(digitizer.info.channels)), np.int16)
    digitizer.read_into(samples)
    return samples


def read(digitizer, blocks: int, dtype=np.int16) -> np.ndarray:
    samples = np.empty((blocks * ROWS, len(digitizer.info.channels)), dtype)
    for k in range(blocks):
        result = digitizer.read_into(samples[k * ROWS : (k + 1) * ROWS])
        assert (result.samples, result.first_sample) == (ROWS, k * ROWS)
    return samples


@pytest.fixture
def channel(request):
    """A client's own channel, as any measurement program would open it."""
    opened = []

    def dial(address: str):
        unlimited = [("grpc.max_receive_message_length", -1)]
        opened.append(grpc.insecure_channel(address, options=unlimited))
        return nidaqmx.GrpcSessionOptions(opened[-1], "")

    yield dial
    for one in opened:
        one.close()


def test_the_server_says_with_which_options_to_connect(serve):
    server = serve(make_rig())
    digitizer = NiDigitizer("daq", **server.digitizer_options)
    digitizer.connect()
    assert digitizer.info.channels == ("z1", "z2")
    assert not digitizer.info.real_time
    digitizer.start()
    assert np.array_equal(read(digitizer, 1), in_process(1))
    digitizer.disconnect()


@pytest.mark.parametrize("transfer", ["bytes", "binary"])
def test_samples_are_those_of_the_in_process_digitizer(serve, digitizers, transfer):
    digitizer = digitizers(serve(make_rig()), transfer=transfer)
    assert "PCIe-6374" in digitizer.connect()
    info = digitizer.info
    assert (info.sample_rate, info.dtype, info.mode) == (1e6, "int16", "SIM")
    assert info.scale == pytest.approx((1.0 / 32768.0,) * 2)
    digitizer.start()
    assert digitizer.state is DeviceState.RUNNING
    assert np.array_equal(read(digitizer, 3), in_process(3))
    digitizer.stop()
    assert digitizer.state is DeviceState.READY


def test_scaled_samples_are_counts_times_scale(serve, digitizers):
    digitizer = digitizers(serve(make_rig()), raw=False)
    digitizer.connect()
    assert digitizer.info.dtype == "float32"
    assert digitizer.info.scale == (1.0, 1.0)
    digitizer.start()
    assert np.allclose(read(digitizer, 2, np.float32), in_process(2) / 32768.0, atol=1e-7)


def test_channels_come_in_the_order_asked_for(serve, digitizers):
    digitizer = digitizers(serve(make_rig()), channels=("ai1",), names=("second",))
    digitizer.connect()
    assert digitizer.info.channels == ("second",)
    digitizer.start()
    assert np.array_equal(read(digitizer, 2)[:, 0], in_process(2)[:, 1])


def test_finite_acquisition_ends(serve, digitizers):
    digitizer = digitizers(serve(make_rig()), samples=ROWS + 100)
    digitizer.connect()
    digitizer.start()
    buffer = np.zeros((ROWS, 2), np.int16)
    assert digitizer.read_into(buffer).samples == ROWS
    last = digitizer.read_into(buffer)
    assert (last.samples, last.first_sample, last.finished) == (100, ROWS, True)
    assert digitizer.read_into(buffer).samples == 0
    digitizer.stop()
    digitizer.start()
    assert digitizer.read_into(buffer).first_sample == 0


def test_connect_starts_nothing_and_changes_nothing(serve, digitizers):
    rig = make_rig()
    server = serve(rig)
    digitizer = digitizers(server)
    digitizer.connect()
    assert rig.digitizer.state is DeviceState.READY
    assert rig.world.position == 0
    assert server.card.acquisition is None
    digitizer.disconnect()
    assert digitizer.state is DeviceState.DISCONNECTED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ("ai0", "ai7")}, r"no analogue input 'ai7'; known: ai0, ai1"),
        ({"full_scale": 10.0}, r"input ranges ±1 V, got ±10 V"),
        ({"sample_rate": 2e6}, r"sample_rate of 2 channels must lie in 1e\+06 … 1e\+06 Hz"),
    ],
)
def test_impossible_settings_are_refused_with_what_there_is(serve, digitizers, options, message):
    digitizer = digitizers(serve(make_rig()), **options)
    with pytest.raises(InputError, match=message):
        digitizer.connect()
    assert digitizer.state is DeviceState.FAULTED


@pytest.mark.parametrize(
    "options",
    [
        {"terminal": "floating"},
        {"channels": ()},
        {"channels": ("ai0", "ai0")},
        {"names": ("one",)},
        {"buffer_seconds": 0.1},
        {"grpc": "nowhere"},
        {"trigger_edge": "both"},
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(options):
    with pytest.raises(InputError):
        NiDigitizer("daq", **options)


def test_unknown_device_is_named_with_the_remedy(serve, digitizers):
    digitizer = digitizers(serve(make_rig()), device="Dev9")
    with pytest.raises(DeviceError, match=r"^daq: DAQmx error -200220: .*Dev9.*check the device"):
        digitizer.connect()


def test_missing_driver_and_missing_server_name_the_remedy():
    with pytest.raises(DeviceError, match=r"^daq: .*(driver is not installed|does not run)"):
        NiDigitizer("daq").connect()
    remote = NiDigitizer("daq", grpc="127.0.0.1:1", timeout=0.2)
    with pytest.raises(LinkError, match=r"^daq: no NI gRPC device server answers"):
        remote.connect()
    assert remote.state is DeviceState.FAULTED


def test_reading_needs_a_start_and_a_buffer_that_fits(serve, digitizers):
    digitizer = digitizers(serve(make_rig()))
    buffer = np.zeros((10, 2), np.int16)
    with pytest.raises(DeviceError, match="connect it first"):
        digitizer.start()
    digitizer.connect()
    with pytest.raises(DeviceError, match="not running"):
        digitizer.read_into(buffer)
    digitizer.start()
    with pytest.raises(DeviceError, match="running already"):
        digitizer.start()
    for wrong in (np.zeros((10, 3), np.int16), np.zeros((10, 2), np.float32), buffer[:, ::-1]):
        with pytest.raises(DeviceError, match="fills int16 buffers of 2 columns"):
            digitizer.read_into(wrong)


@pytest.mark.parametrize("real_time", [False, True])
def test_waiting_for_a_trigger_can_be_interrupted(serve, digitizers, real_time):
    # Longer than its timeout: a trigger that has not come is no failure of the card.
    server = serve(make_rig(real_time=real_time), silent_triggers=("PFI0",))
    digitizer = digitizers(server, start_trigger="PFI0", timeout=0.2, real_time=real_time)
    check_trigger(lambda: digitizer, lambda: server.fire("PFI0"))


def test_after_a_trigger_every_sample_is_there(serve, digitizers):
    server = serve(make_rig(), silent_triggers=("PFI0",))
    digitizer = digitizers(server, start_trigger="PFI0", timeout=0.2, real_time=False)
    digitizer.connect()
    digitizer.start()
    buffer = np.zeros((ROWS, 2), np.int16)
    waiting = digitizer.read_into(buffer)
    assert (waiting.samples, waiting.waiting) == (0, "the start trigger at PFI0")
    server.fire("PFI0")
    assert digitizer.read_into(buffer).first_sample == 0
    assert np.array_equal(buffer, in_process(1))


def test_samples_that_are_late_are_given_back_in_parts_and_none_is_lost(serve, digitizers):
    rate = 1e5
    server = serve(make_rig(real_time=True, sample_rate=rate, driver_buffer=60.0))
    digitizer = digitizers(server, sample_rate=rate, timeout=5.0)
    digitizer.connect()
    digitizer.start()
    server.card.acquisition._rate = 1e4  # a clock that is ten times too slow
    parts, done = [], 0
    while done < 8000:
        buffer = np.empty((100_000, 2), np.int16)
        result = digitizer.read_into(buffer)
        assert result.first_sample == done
        assert result.samples < 100_000
        done += result.samples
        parts.append(buffer[: result.samples])
    twin = make_rig(sample_rate=rate).digitizer
    twin.connect()
    twin.start()
    whole = np.empty((done, 2), np.int16)
    twin.read_into(whole)
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_card_that_ran_and_falls_silent_is_an_error_after_its_timeout(serve, digitizers):
    server = serve(make_rig(real_time=True))
    digitizer = digitizers(server, timeout=0.6)
    digitizer.connect()
    digitizer.start()
    buffer = np.zeros((ROWS, 2), np.int16)
    digitizer.read_into(buffer)
    server.card.acquisition._rate = 1.0  # its clock has stopped
    reads: list[int] = []

    def listen() -> None:
        while len(reads) < 100:
            reads.append(digitizer.read_into(buffer).samples)

    with pytest.raises(DeviceError, match=r"^daq: DAQmx error -200284.*check start trigger"):
        listen()
    assert len(reads) >= 2, "each read returned before the timeout was over"
    assert digitizer.state is DeviceState.RUNNING


def test_a_device_behind_the_card_that_fails_is_named(serve, digitizers):
    rig = make_rig()
    digitizer = digitizers(serve(rig))
    digitizer.connect()
    rig.digitizer.start()  # somebody else has it
    with pytest.raises(LinkError, match=r"-50405: the device behind .* is running already"):
        digitizer.start()
    rig.digitizer.stop()
    digitizer.connect()
    digitizer.start()
    assert digitizer.read_into(np.empty((100, 2), np.int16)).samples == 100


def test_an_overrun_is_a_gap_of_exactly_known_length(serve, digitizers):
    rate = 2e5
    rig = make_rig(real_time=True, sample_rate=rate, driver_buffer=60.0)
    digitizer = digitizers(serve(rig), sample_rate=rate, buffer_seconds=2.0)
    digitizer.connect()
    digitizer.start()
    buffer = np.empty((ROWS, 2), np.int16)
    assert digitizer.read_into(buffer).first_sample == 0
    time.sleep(2.6)
    late = digitizer.read_into(buffer)
    assert late.status & BlockStatus.GAP_BEFORE
    assert 0.2 * rate < late.first_sample - ROWS
    again = np.empty((ROWS, 2), np.int16)
    after = digitizer.read_into(again)
    assert after.first_sample == late.first_sample + ROWS
    assert not after.status & BlockStatus.GAP_BEFORE
    # The same seed without a gap: the samples are those of the indices that are claimed.
    whole = np.empty((after.first_sample + ROWS, 2), np.int16)
    twin = make_rig(sample_rate=rate).digitizer
    twin.connect()
    twin.start()
    twin.read_into(whole)
    assert np.array_equal(buffer, whole[late.first_sample :][:ROWS])
    assert np.array_equal(again, whole[after.first_sample :])


@pytest.mark.parametrize("when", ["waiting", "between reads"])
def test_a_server_that_dies_faults_the_digitizer_without_a_hang(serve, digitizers, when):
    server = serve(make_rig(real_time=True))
    digitizer = digitizers(server, timeout=1.0)
    digitizer.connect()
    digitizer.start()
    buffer = np.empty((ROWS, 2), np.int16)
    digitizer.read_into(buffer)
    if when == "waiting":
        killer = threading.Timer(0.2, server.stop, (None,))
        killer.start()
        buffer = np.empty((400_000, 2), np.int16)
    else:
        server.stop(None)
    begin = time.monotonic()
    with pytest.raises(LinkError, match=r"^daq: gRPC server .* failed"):
        digitizer.read_into(buffer)
    assert time.monotonic() - begin < 60.0
    assert digitizer.state is DeviceState.FAULTED
    with pytest.raises(DeviceError, match=r"is faulted .*gRPC server"):
        digitizer.read_into(buffer)
    digitizer.stop()
    if when == "waiting":
        killer.join()


def test_a_server_that_hangs_faults_the_digitizer_by_the_deadline(serve, digitizers, monkeypatch):
    server = serve(make_rig())
    digitizer = digitizers(server, timeout=0.2)
    digitizer.connect()
    digitizer.start()
    wake = threading.Event()
    monkeypatch.setattr(daqmx, "_CALL_SECONDS", 1.5)
    monkeypatch.setattr(server.card.acquisition, "read", lambda *_: wake.wait(120.0))
    begin = time.monotonic()
    with pytest.raises(LinkError, match="DEADLINE_EXCEEDED"):
        digitizer.read_into(np.empty((100, 2), np.int16))
    assert time.monotonic() - begin < 60.0
    assert digitizer.state is DeviceState.FAULTED
    wake.set()
    monkeypatch.undo()
    digitizer.connect()
    digitizer.start()
    assert digitizer.read_into(np.empty((100, 2), np.int16)).first_sample == 0


def test_inputs_of_a_client_that_is_gone_can_be_taken_over(serve, digitizers, monkeypatch):
    server = serve(make_rig())
    gone, next_one = digitizers(server), digitizers(server)
    gone.connect()
    gone.start()
    gone._system.close()  # as when its process is killed: the task is never cleared
    next_one.connect()
    with pytest.raises(DeviceError, match="-50103"):
        next_one.start()
    monkeypatch.setattr(ni_server_calls, "_ABANDONED", 0.05)
    time.sleep(0.1)
    next_one.start()
    assert next_one.read_into(np.empty((100, 2), np.int16)).first_sample == 0


def test_a_refused_start_leaves_no_task_behind(serve, digitizers, monkeypatch):
    server = serve(make_rig())
    digitizer = digitizers(server)
    digitizer.connect()
    monkeypatch.setattr(server.card, "sample_rate", 5e5)
    with pytest.raises(DeviceError, match=r"^daq: DAQmx error -200077"):
        digitizer.start()
    assert digitizer.state is DeviceState.READY
    monkeypatch.undo()
    digitizer.start()
    assert digitizer.present_sample() == 0
    digitizer.read_into(np.empty((100, 2), np.int16))
    assert digitizer.present_sample() == 100


def test_the_latency_of_the_rig_file_is_part_of_the_set_up(serve, digitizers):
    digitizer = digitizers(serve(make_rig()), latency=2e-3)
    digitizer.connect()
    assert digitizer.info.latency == 2e-3
    with pytest.raises(InputError, match=r"latency must lie in 0 … 1 s, got 2 s"):
        NiDigitizer("daq", latency=2.0)


def test_doubts_name_what_raw_samples_do_not_show():
    card = DigitizerCapabilities(16, (1.0, 1e6), (10.0,), simultaneous=False)
    straight = ((0.0, 1e-3, 0.0, 0.0),)
    assert input_doubts(card, 1e5, 1e5, 0.0, straight) == ()
    rounded, delayed = input_doubts(card, 1e5, 99_999.0, 1e-6, straight)
    assert "samples at 99999 Hz, asked for 100000 Hz" in rounded
    assert "1000 ns after the one before, a phase of 36° " in delayed
    offset, bent = input_doubts(card, 1e5, 1e5, 0.0, ((2e-3, 1e-3, 1e-10, 0.0),))
    assert "column 0: an offset of 0.002 V" in offset
    assert "bent by up to 0.3% of full" in bent


def test_a_second_client_is_refused_while_the_first_samples(serve, digitizers):
    server = serve(make_rig())
    first, second = digitizers(server), digitizers(server)
    for digitizer in (first, second):
        digitizer.connect()
    first.start()
    with pytest.raises(DeviceError, match=r"-50103: .*another task or program"):
        second.start()
    assert second.state is DeviceState.READY
    first.stop()
    second.start()
    assert second.read_into(np.empty((10, 2), np.int16)).first_sample == 0


def test_saturated_blocks_are_marked(serve, digitizers):
    digitizer = digitizers(serve(make_rig(adc_range=1e-3)), full_scale=1e-3)
    digitizer.connect()
    digitizer.start()
    buffer = np.empty((ROWS, 2), np.int16)
    assert digitizer.read_into(buffer).status & BlockStatus.SATURATED


# -- the client as any program uses it -------------------------------------------------------------


def task_of(options, *, rate=1e6, buffer=0, mode=AcquisitionType.CONTINUOUS, samples=100_000):
    task = nidaqmx.Task(grpc_options=options)
    task.ai_channels.add_ai_voltage_chan("Dev1/ai0:1", min_val=-1.0, max_val=1.0)
    task.timing.cfg_samp_clk_timing(rate, sample_mode=mode, samps_per_chan=samples)
    if buffer:
        task.in_stream.input_buf_size = buffer
    return task


def test_plain_client_reads_volts_and_counts(serve, channel):
    server = serve(make_rig())
    wanted = in_process(1)
    with task_of(channel(server.address)) as task:
        assert task.channel_names == ["Dev1/ai0", "Dev1/ai1"]
        task.start()
        assert np.allclose(task.read(100), wanted[:100].T / 32768.0, atol=1e-9)
        counts = np.empty((2, 100), np.int16)
        assert AnalogUnscaledReader(task.in_stream).read_int16(counts, 100) == 100
        assert np.array_equal(counts, wanted[100:200].T)
        volts = np.empty((2, 100))
        AnalogMultiChannelReader(task.in_stream).read_many_sample(volts, 100)
        assert np.allclose(volts, wanted[200:300].T / 32768.0, atol=1e-9)
        raw = np.asarray(task.in_stream.read(100)).reshape(-1, 2)
        assert np.array_equal(raw, wanted[300:400])
        assert task.in_stream.curr_read_pos == 400


def test_plain_client_that_is_slow_gets_the_overrun_error(serve, channel):
    server = serve(make_rig(real_time=True, sample_rate=2e5, driver_buffer=60.0))
    with task_of(channel(server.address), rate=2e5, buffer=10_000) as task:
        task.start()
        time.sleep(0.2)
        with pytest.raises(nidaqmx.errors.DaqReadError) as caught:
            task.read(1000)
        assert caught.value.error_code == -200279


def test_every_n_samples_events_arrive(serve, channel):
    server = serve(make_rig(real_time=True, sample_rate=2e5))
    arrived = threading.Semaphore(0)

    def on_event(_task, _kind, samples, _data):
        assert samples == 4000
        arrived.release()
        return 0

    with task_of(channel(server.address), rate=2e5) as task:
        task.register_every_n_samples_acquired_into_buffer_event(4000, on_event)
        task.start()
        for _ in range(3):
            assert arrived.acquire(timeout=60.0)
        with pytest.raises(nidaqmx.errors.DaqError) as caught:
            task.register_every_n_samples_acquired_into_buffer_event(4000, None)
        assert caught.value.error_code == -200986
        task.stop()
        task.register_every_n_samples_acquired_into_buffer_event(4000, None)


def test_errors_carry_the_codes_of_the_driver(serve, channel):
    options = channel(serve(make_rig()).address)
    with nidaqmx.Task(grpc_options=options) as task:
        for physical, code in (("Dev7/ai0", -200220), ("Dev1/ai9", -200170)):
            with pytest.raises(nidaqmx.errors.DaqError) as caught:
                task.ai_channels.add_ai_voltage_chan(physical, min_val=-1.0, max_val=1.0)
            assert caught.value.error_code == code
        with pytest.raises(nidaqmx.errors.DaqError) as caught:
            task.ai_channels.add_ai_voltage_chan("Dev1/ai0", min_val=-30.0, max_val=30.0)
        assert caught.value.error_code == -200077
        with pytest.raises(nidaqmx.errors.RpcError):
            task.ci_channels.add_ci_count_edges_chan("Dev1/ctr0")
