"""What the virtual NI card plays on its inputs' clock, driven by the plain nidaqmx client."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import grpc
import nidaqmx
import numpy as np
import pytest
from nidaqmx.constants import AcquisitionType, Level, LineGrouping, RegenerationMode
from nidaqmx.errors import DaqError
from nidaqmx.stream_readers import AnalogMultiChannelReader
from nidaqmx.stream_writers import AnalogSingleChannelWriter

from .conftest import make_rig

pytestmark = pytest.mark.realtime

RATE = 1e6
CLOCK = "/Dev1/ai/SampleClock"
GATE = "Dev1/port0/line0"


@pytest.fixture
def client():
    """Makes tasks of one client; all of them are closed after the test."""
    opened, tasks = [], []

    def connect(server):
        channel = grpc.insecure_channel(
            server.address, options=[("grpc.max_receive_message_length", -1)]
        )
        opened.append(channel)
        options = nidaqmx.GrpcSessionOptions(channel, "")

        def task():
            tasks.append(nidaqmx.Task(grpc_options=options))
            return tasks[-1]

        task.options = options
        return task

    yield connect
    for task in tasks:
        with suppress(nidaqmx.errors.DaqResourceWarning):  # the test has closed it
            task.close()
    for channel in opened:
        channel.close()


def inputs(task, channels, samples, *, rate=RATE):
    """An input task of so many samples, not started, and what it has recorded."""
    record = task()
    for channel in channels:
        record.ai_channels.add_ai_voltage_chan(f"Dev1/{channel}", min_val=-1.0, max_val=1.0)
    record.timing.cfg_samp_clk_timing(rate, samps_per_chan=samples)

    def read(count=samples):
        volts = np.empty((len(channels), count))
        AnalogMultiChannelReader(record.in_stream).read_many_sample(volts, count, 20.0)
        return volts

    return record, read


def clocked_lines(task, lines, samples, *, mode=AcquisitionType.FINITE, source=CLOCK):
    lines_task = task()
    lines_task.do_channels.add_do_chan(lines, line_grouping=LineGrouping.CHAN_FOR_ALL_LINES)
    lines_task.timing.cfg_samp_clk_timing(
        RATE, source=source, sample_mode=mode, samps_per_chan=samples
    )
    return lines_task


def edges(volts, middle=2.5):
    """Samples that are the first of a new level."""
    return (np.flatnonzero(np.diff(volts > middle)) + 1).tolist()


def code(call, *arguments, **options):
    with pytest.raises(DaqError) as caught:
        call(*arguments, **options)
    return caught.value.error_code


@pytest.mark.parametrize("latency", [1, 2])
@pytest.mark.parametrize("real_time", [False, True])
def test_an_edge_of_a_buffered_line_is_seen_at_its_sample(serve, client, latency, real_time):
    rig = make_rig(monitor=True, real_time=real_time)
    server = serve(rig, edge_samples=latency, wires={"ai3": "port0/line0"})
    task = client(server)
    lines = clocked_lines(task, GATE, 3000)
    pattern = np.ones(3000, dtype=bool)
    pattern[1000:1500] = pattern[1503:1510] = False
    assert lines.write(pattern.tolist(), auto_start=False) == 3000
    assert server.card.levels["port0/line0"], "nothing switches before the clock runs"
    lines.start()
    _, read = inputs(task, ("ai2", "ai3"), 4000)
    gate, wire = read()
    expected = [sample + latency for sample in (1000, 1500, 1503, 1510)]
    assert edges(wire) == expected
    assert edges(gate, 0.25) == expected
    assert lines.is_task_done()
    assert [(sample, level) for _, sample, line, level in server.card.history] == [
        (sample, bool(k % 2)) for k, sample in enumerate(expected)
    ]


def test_words_of_a_port_are_aligned_to_it(serve, client):
    wires = {"ai2": "port0/line0", "ai3": "port0/line3"}
    server = serve(make_rig(), wires=wires)
    task = client(server)
    static = task()
    static.do_channels.add_do_chan("Dev1/port0/line3", line_grouping=LineGrouping.CHAN_PER_LINE)
    from nidaqmx.stream_writers import DigitalSingleChannelWriter

    port = DigitalSingleChannelWriter(static.out_stream, auto_start=True)
    port.write_one_sample_port_uint32(1)
    assert not server.card.levels["port0/line3"], "bit 0 is line 0, which is not in the task"
    port.write_one_sample_port_uint32(8)
    assert server.card.levels["port0/line3"]
    assert static.read() is True
    static.close()
    lines = clocked_lines(task, f"{GATE}, Dev1/port0/line3", 300)
    words = np.zeros(300, dtype=np.uint32)
    words[100:200], words[200:] = 9, 1
    writer = DigitalSingleChannelWriter(lines.out_stream, auto_start=False)
    assert writer.write_many_sample_port_uint32(words) == 300
    lines.start()
    _, read = inputs(task, ("ai2", "ai3"), 400)
    first, second = read()
    assert edges(first[2:]) == [99]
    assert edges(second[2:]) == [99, 199]


def test_a_finite_line_repeats_a_short_buffer_and_keeps_its_last_level(serve, client):
    server = serve(make_rig(), wires={"ai2": "port0/line0"})
    task = client(server)
    lines = clocked_lines(task, GATE, 1000)
    lines.out_stream.regen_mode = RegenerationMode.ALLOW_REGENERATION
    lines.out_stream.output_buf_size = 200
    lines.write([True] * 150 + [False] * 50, auto_start=False)
    lines.start()
    _, read = inputs(task, ("ai2",), 1500)
    expected = [1 + 200 * k + step for k in range(5) for step in (150, 200)][:-1]
    assert edges(read()[0]) == expected
    assert lines.is_task_done()
    lines.stop()
    assert server.card.levels["port0/line0"] is False


def test_a_line_that_is_stopped_midway_keeps_its_level(serve, client):
    rig = make_rig()
    server = serve(rig)
    task = client(server)
    lines = clocked_lines(task, GATE, 100, mode=AcquisitionType.CONTINUOUS)
    lines.write([True] * 50 + [False] * 50, auto_start=False)
    lines.start()
    record, read = inputs(task, ("ai0",), 100_000)
    read(180)
    assert rig.world.gate_closed is False
    lines.stop()
    read(100)
    assert rig.world.gate_closed is False
    record.stop()


def test_what_is_not_written_ahead_ends_the_generation(serve, client):
    server = serve(make_rig(), wires={"ai2": "port0/line0"})
    task = client(server)
    lines = clocked_lines(task, GATE, 400, mode=AcquisitionType.CONTINUOUS)
    lines.out_stream.regen_mode = RegenerationMode.DONT_ALLOW_REGENERATION
    lines.out_stream.output_buf_size = 400
    lines.write([True] * 100 + [False] * 100, auto_start=False)
    assert lines.out_stream.space_avail == 200
    lines.start()
    record, read = inputs(task, ("ai2",), 100_000)
    read(150)
    lines.write([True] * 100, auto_start=False)
    assert (lines.out_stream.curr_write_pos, lines.out_stream.total_samp_per_chan_generated) == (
        300, 150,
    )  # fmt: skip
    assert edges(read(400)[0]) == [51]
    assert code(lines.is_task_done) == -200290
    assert code(lines.write, [True] * 10, auto_start=False) == -200290
    assert server.card.levels["port0/line0"] is True
    record.stop()


def test_an_analogue_output_is_seen_sample_by_sample_and_steps_are_told(serve, client):
    steps = []
    server = serve(make_rig(), wires={"ai2": "ao0"}, steps={"ao0": steps.append})
    task = client(server)
    wave = np.repeat([0.5, -1.0, 2.0, 0.0], 100)
    outputs = task()
    outputs.ao_channels.add_ao_voltage_chan("Dev1/ao0")
    outputs.timing.cfg_samp_clk_timing(RATE, source=CLOCK, samps_per_chan=400)
    AnalogSingleChannelWriter(outputs.out_stream, auto_start=False).write_many_sample(wave)
    outputs.start()
    _, read = inputs(task, ("ai2",), 500)
    seen = read()[0]
    assert np.allclose(seen[1:401], wave, atol=4e-4)
    assert np.allclose(seen[401:], 0.0, atol=4e-4)
    assert steps == [0.5, -1.0, 2.0, 0.0]


def counter(task, *, idle=Level.HIGH, delay=1000, low=500, high=700, source=CLOCK, pulses=3):
    pulse = task()
    pulse.co_channels.add_co_pulse_chan_ticks(
        "Dev1/ctr0", source, idle_state=idle, initial_delay=delay, low_ticks=low, high_ticks=high
    )
    pulse.timing.cfg_implicit_timing(AcquisitionType.FINITE, samps_per_chan=pulses)
    return pulse


def test_a_counter_makes_its_pulses_of_the_inputs_clock(serve, client):
    rig = make_rig()
    server = serve(rig, gate_line="port2/line4", wires={"ai2": "port2/line4"})
    task = client(server)
    pulse = counter(task)
    pulse.start()
    _, read = inputs(task, ("ai2",), 6000)
    found = edges(read()[0])
    assert found == [1000 + 1200 * k + step for k in range(3) for step in (0, 500)]
    assert pulse.is_task_done()
    assert rig.world.gate_closed


def test_a_counter_of_its_own_clock_ends_its_pulse_whatever_becomes_of_the_inputs(serve, client):
    rig = make_rig()
    server = serve(rig, gate_line="port2/line4", wires={"ai2": "port2/line4"})
    task = client(server)
    pulse = counter(
        task, source="/Dev1/100MHzTimebase", delay=100_050, low=50_000, high=50_000, pulses=2
    )
    pulse.triggers.start_trigger.cfg_dig_edge_start_trig("/Dev1/ai/StartTrigger")
    pulse.start()
    record, read = inputs(task, ("ai2",), 100_000)
    assert edges(read(2200)[0]) == [1001, 1501, 2001]
    assert rig.world.gate_closed is False
    record.stop()
    assert rig.world.gate_closed


def test_a_counter_is_triggered_again_and_again_but_not_during_its_pulse(serve, client):
    server = serve(
        make_rig(), gate_line="port2/line4", wires={"ai2": "port2/line4"}, silent_triggers=["PFI1"]
    )
    task = client(server)
    pulse = counter(task, delay=2, low=100, high=2, pulses=1)
    pulse.triggers.start_trigger.cfg_dig_edge_start_trig("PFI1")
    pulse.triggers.start_trigger.retriggerable = True
    pulse.start()
    record, read = inputs(task, ("ai2",), 100_000)
    for at in (200, 50, 450):  # the second one comes while the pulse lasts
        read(at)
        server.fire("PFI1")
    read(300)
    times = [(sample, level) for _, sample, line, level in server.card.history if "port2" in line]
    assert times == [(202, False), (302, True), (702, False), (802, True)]
    record.stop()


def test_a_stopped_counter_returns_to_its_idle_level(serve, client):
    rig = make_rig()
    server = serve(rig, gate_line="port2/line4")
    task = client(server)
    pulse = counter(task, low=90_000)
    pulse.start()
    record, read = inputs(task, ("ai0",), 100_000)
    read(5000)
    assert rig.world.gate_closed is False
    pulse.stop()
    assert rig.world.gate_closed is True
    record.stop()


def test_lines_counters_and_clocks_are_reserved(serve, client):
    server = serve(make_rig())
    task = client(server)
    lines = clocked_lines(task, GATE, 100)
    lines.write([True] * 100, auto_start=False)
    static = task()
    static.do_channels.add_do_chan(GATE)
    assert code(static.write, True) == -200587
    other = clocked_lines(task, "Dev1/port0/line5", 100)
    assert code(other.write, [True] * 100, auto_start=False) == -50103
    lines.close()
    static.write(True)
    held = clocked_lines(task, GATE, 100)
    assert code(held.write, [True] * 100, auto_start=False) == -200587
    static.close()
    first, second = counter(task), counter(task)
    first.start()
    assert code(second.start) == -50103
    pin = task()
    pin.do_channels.add_do_chan("Dev1/port2/line4")
    assert code(pin.write, True) == -89137
    first.stop()
    pin.write(True)


def test_done_events_come_and_cannot_be_registered_while_a_task_runs(serve, client):
    server = serve(make_rig())
    task = client(server)
    done = threading.Event()
    statuses = []

    def on_done(_task, status, _data):
        statuses.append(status)
        done.set()
        return 0

    lines = clocked_lines(task, GATE, 100)
    lines.register_done_event(on_done)
    lines.write([True] * 100, auto_start=False)
    lines.start()
    assert code(lines.register_done_event, None) == -200986
    _, read = inputs(task, ("ai0",), 300)
    read()
    assert done.wait(60.0)
    lines.stop()
    lines.register_done_event(None)
    assert statuses == [0]
    lines.write([True] * 100, auto_start=False)
    lines.start()
    assert code(lines.register_done_event, on_done) == -200960


def test_a_done_event_tells_of_an_underflow(serve, client):
    server = serve(make_rig(real_time=True, sample_rate=2e5))
    task = client(server)
    ended, statuses = threading.Event(), []

    def on_done(_task, status, _data):
        statuses.append(status)
        ended.set()
        return 0

    lines = clocked_lines(task, GATE, 100, mode=AcquisitionType.CONTINUOUS)
    lines.register_done_event(on_done)
    lines.write([True] * 100, auto_start=False)
    lines.start()
    record, _ = inputs(task, ("ai0",), 10**7, rate=2e5)
    record.start()
    server.card.break_output(-200621)
    assert ended.wait(60.0)
    assert statuses == [-200621]
    assert code(lines.wait_until_done, 1.0) == -200621


def test_a_finite_output_needs_one_more_tick_than_it_has_samples(serve, client):
    task = client(serve(make_rig()))
    lines = clocked_lines(task, GATE, 500)
    lines.write([True] * 500, auto_start=False)
    lines.start()
    record, read = inputs(task, ("ai0",), 10_000)
    read(500)
    assert not lines.is_task_done()
    assert code(lines.wait_until_done, 0.0) == -200560
    read(1)
    lines.wait_until_done(0.0)
    record.stop()


@pytest.mark.parametrize("model", ["x-series", "m-series", "usb-6009", "no-counter"])
def test_a_card_says_what_it_can_play(serve, client, model):
    server = serve(make_rig(), model=model)
    options = client(server).options
    device = nidaqmx.system.device.Device("Dev1", grpc_options=options)
    clocked = model != "usb-6009"
    line = nidaqmx.system.physical_channel.PhysicalChannel(GATE, grpc_options=options)
    assert line.do_samp_clk_supported is clocked
    later = nidaqmx.system.physical_channel.PhysicalChannel(
        "Dev1/port1/line0", grpc_options=options
    )
    assert later.do_samp_clk_supported is False
    assert len(device.co_physical_chans.channel_names) == {"x-series": 4, "m-series": 2}.get(
        model, 0
    )
    assert ("/Dev1/ai/SampleClock" in device.terminals) is clocked
    if clocked:
        assert device.do_max_rate == 10e6
        assert device.ao_max_rate > 1e6
    else:
        assert code(lambda: device.do_max_rate) == -200197


def test_a_card_without_clocked_lines_refuses_a_clock(serve, client):
    task = client(serve(make_rig(), model="usb-6009"))
    assert code(clocked_lines, task, GATE, 100) == -200077
    other = client(serve(make_rig()))
    assert code(clocked_lines, other, "Dev1/port1/line0", 100) == -200077
    assert code(clocked_lines, other, GATE, 100, source="") == -200077


def test_a_task_without_samples_does_not_start(serve, client):
    lines = clocked_lines(client(serve(make_rig())), GATE, 100)
    assert code(lines.start) == -200462


def test_a_line_moves_no_earlier_than_its_samples_in_real_time(serve, client):
    """Half a second of 1 ms periods: every edge at its sample, whatever the server's load."""
    rig = make_rig(monitor=True, real_time=True, sample_rate=2e5)
    server = serve(rig)
    task = client(server)
    lines = clocked_lines(task, GATE, 100_000)
    lines.out_stream.output_buf_size = 200
    lines.write([True] * 100 + [False] * 99 + [True], auto_start=False)
    lines.start()
    record, read = inputs(task, ("ai2",), 150_000, rate=2e5)
    record.start()
    until = time.monotonic() + 60.0
    while not lines.is_task_done():
        assert time.monotonic() < until
        time.sleep(0.01)
    found = edges(read(100_100)[0], 0.25)
    assert found == [200 * k + step + 1 for k in range(500) for step in (100, 199)]
