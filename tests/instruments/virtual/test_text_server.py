from __future__ import annotations

import math
import random
import socket
import sys
import threading

import pytest

from optobind.instruments.fakes import FakeGauge, FakeRFSource, Fault
from optobind.instruments.protocols import DeviceState, GaugeReading, RFTone
from optobind.instruments.virtual.conversation import LineConversation
from optobind.instruments.virtual.serial_server import SerialServer
from optobind.instruments.virtual.text_server import (
    DIALECTS,
    TextServer,
    make_instrument,
    serve_text,
)
from optobind.models.errors import DeviceError, InputError

pytestmark = pytest.mark.realtime

TONES = [RFTone(40e6, 0.4), RFTone(41e6, 0.45)]


def talk(dialect: str, *lines: bytes, device=None, **options) -> bytes:
    """What an instrument answers to lines, from one client."""
    if device is None:
        device = FakeRFSource(TONES)
    conversation = make_instrument(dialect, device, **options).converse()
    return b"".join(conversation.receive(line) for line in lines)


def client(server: TextServer) -> socket.socket:
    connection = socket.create_connection(server.address, timeout=5.0)
    connection.settimeout(5.0)
    return connection


def ask(connection: socket.socket, line: bytes, end: bytes = b"\n") -> bytes:
    connection.sendall(line + end)
    answer = b""
    while not answer.endswith(end):
        part = connection.recv(4096)
        if not part:
            raise ConnectionError("closed")
        answer += part
    return answer[: -len(end)]


def test_clients_share_one_instrument():
    device = FakeRFSource(TONES)
    with serve_text("keysight", device) as server:
        assert server.visa_address == f"TCPIP0::127.0.0.1::{server.address[1]}::SOCKET"
        with client(server) as a, client(server) as b:
            assert ask(a, b"SOUR1:FREQ 42E6;:SOUR1:FREQ?") == b"+4.200000000000000E+07"
            assert ask(b, b"FREQ?") == b"+4.200000000000000E+07"
            assert ask(a, b"NONSENSE\nSYST:ERR?") == b'-113,"Undefined header"'
            assert ask(b, b"SYST:ERR?") == b'+0,"No error"'
    assert device.read_tone(0).frequency == 42e6


def test_many_clients_at_once_lose_nothing():
    with serve_text("keysight", FakeRFSource(TONES)) as server:
        failures: list[object] = []

        def work(channel: int) -> None:
            with client(server) as connection:
                for i in range(100):
                    value = 1000 * i + 41_000_000
                    line = b"SOUR%d:FREQ %d;:SOUR%d:FREQ?" % (channel, value, channel)
                    if float(ask(connection, line)) != value:
                        failures.append(value)

        threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)
        assert failures == []
        assert not any(thread.is_alive() for thread in threads)


def test_server_stops_with_clients_connected_and_frees_its_port():
    server = serve_text("keysight", FakeRFSource(TONES))
    with client(server) as connection:
        ask(connection, b"*IDN?")
        server.stop()
        server.stop()
        assert connection.recv(10) == b""
    assert not server._thread.is_alive()
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(server.address, timeout=1.0)
    with serve_text("siglent", FakeRFSource(TONES), port=server.address[1]) as again:
        assert again.address == server.address


def test_taken_port_is_an_error_with_a_remedy():
    with (
        serve_text("keysight", FakeRFSource(TONES)) as server,
        pytest.raises(DeviceError, match=r"cannot listen on 127.0.0.1:\d+.*choose another port"),
    ):
        serve_text("keysight", FakeRFSource(TONES), port=server.address[1])


def test_serving_connects_the_device_and_checks_the_options():
    device = FakeRFSource(TONES)
    make_instrument("keysight", device)
    assert device.state is DeviceState.READY
    with pytest.raises(InputError, match=r"unknown dialect 'gpib'; known: aa-mdsnc"):
        make_instrument("gpib", device)
    with pytest.raises(InputError, match=r"instrument 'keysight'.*colour"):
        make_instrument("keysight", device, colour="red")
    with pytest.raises(InputError, match=r"unknown model '1234A'; known: 33509B"):
        make_instrument("keysight", device, model="1234A")
    with pytest.raises(InputError, match=r"unknown model 'SDG1'"):
        make_instrument("siglent", device, model="SDG1")
    with pytest.raises(InputError, match=r"unknown sensor 'nose'"):
        make_instrument("mks-937b", FakeGauge([GaugeReading(1.0)]), sensor="nose")
    assert len(DIALECTS) == 10


def test_instrument_may_hang_up():
    class Rude:
        greeting = b"hello\n"

        def receive(self, data: bytes) -> bytes:
            raise ConnectionResetError

        def converse(self) -> Rude:
            return self

    with TextServer(Rude()) as server, client(server) as connection:
        assert connection.recv(100) == b"hello\n"
        connection.sendall(b"x")
        assert connection.recv(100) == b""


def test_lines_arrive_in_pieces_and_endless_ones_are_thrown_away():
    conversation = LineConversation(lambda line: line.upper(), end=b"\r", answer_end=b"\r")
    assert conversation.receive(b"ab") == b""
    assert conversation.receive(b"c\rd\re") == b"ABC\rD\r"
    assert conversation.receive(b"x" * 5000) == b""
    assert conversation.receive(b"f\r") == b"F\r"


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (b"SOUR1:FREQ 500E6", b"-222,"),
        (b"SOUR1:VOLT 99", b"-222,"),
        (b"SOUR1:PHAS 361", b"-222,"),
        (b"SOUR1:FREQ", b"-109,"),
        (b"SOUR1:FREQ ten", b"-104,"),
        (b"SOUR3:FREQ 4E7", b"-114,"),
        (b"OUTP1 MAYBE", b"-224,"),
        (b"SOUR1:VOLT:UNIT FURLONG", b"-224,"),
        (b"OUTP1:LOAD 0.1", b"-222,"),
        (b"SOUR1:BOGUS 1", b"-113,"),
        (b"SYST:ERR", b"-113,"),
        (b"PHAS:SYNC?", b"-113,"),
    ],
)
def test_scpi_mistakes_go_to_the_error_queue_and_change_nothing(line: bytes, entry: bytes):
    device = FakeRFSource(TONES)
    answers = talk("keysight", line + b"\nSYST:ERR?\nSYST:ERR?\n", device=device).split(b"\n")
    assert answers[0].startswith(entry)
    assert answers[1] == b'+0,"No error"'
    assert [device.read_tone(n) for n in range(2)] == TONES


def test_scpi_headers_are_understood_in_long_and_short_form():
    lines = b":SOURce2:FREQuency 42.5 MHZ\nsour2:freq?\n:SOURCE2:VOLTAGE 0.2VPP\n:SOUR2:VOLT?\n"
    assert talk("rigol-dg4000", lines) == b"4.250000E+07\n2.000000E-01\n"
    assert talk("keysight", b"BOGUS\n" * 30 + b"*CLS\nSYST:ERR?\n") == b'+0,"No error"\n'
    queue = talk("keysight", b"BOGUS\n" * 30 + b"SYST:ERR?\n" * 20).split(b"\n")
    assert queue[19] == b'-350,"Queue overflow"'


def test_scpi_units_and_load_change_what_a_number_means():
    device = FakeRFSource(TONES)
    answers = talk(
        "keysight",
        b"VOLT?\nVOLT:UNIT VRMS\nVOLT?\nVOLT:UNIT DBM\nVOLT?\nVOLT 10\nVOLT:UNIT VPP\nVOLT?\n",
        b"OUTP1:LOAD INF\nVOLT?\nOUTP1:LOAD?\nUNIT:ANGL RAD\nUNIT:ANGL?\nFUNC SQU\nFUNC?\n",
        device=device,
    ).split(b"\n")
    expected = [0.8, 0.4 / math.sqrt(2.0), 2.04120, 2.0, 4.0, 9.9e37]
    assert [float(a) for a in answers[:6]] == pytest.approx(expected, rel=1e-5)
    assert answers[6:8] == [b"RAD", b"SQU"]
    assert device.read_tone(0).amplitude == pytest.approx(1.0)


def test_device_that_fails_is_a_hardware_error():
    device = FakeRFSource(TONES, faults={"set_tone": {0: Fault("timeout")}})
    assert talk("keysight", b"FREQ 42E6\nSYST:ERR?\n", device=device).startswith(b"-240,")


def test_siglent_passes_over_what_it_does_not_understand():
    device = FakeRFSource(TONES)
    lines = b"BOGUS\nC1:BSWV FRQ,9E9\nC1:BSWV FRQ,x\nC9:BSWV FRQ,4E7\nC1:BSWV AMP\nFREQ?\n*IDN?\n"
    assert talk("siglent", lines, device=device).startswith(b"Siglent Technologies,SDG6052X,")
    assert device.read_tone(0) == TONES[0]
    answer = talk(
        "siglent", b"C1:OUTP LOAD,HZ\nC1:OUTP?\nC1:BSWV?\nC1:BSWV WVTP,SQUARE\nC1:BSWV?\n"
    )
    assert answer.startswith(b"C1:OUTP ON,LOAD,HZ,PLRT,NOR\nC1:BSWV WVTP,SINE,FRQ,40000000HZ,")
    assert b"AMP,1.6V" in answer
    assert b"WVTP,SQUARE" in answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"FREQ,1,80MHz", b"OK: CH1 freq now 80.00000007 MHz (0x147AE148)"),
        (b"FREQ,1,1000MHz", b"ERR: Frequency 1000.00 MHz out of range"),
        (b"POW,1,40", b"ERR: Power 40.00 dBm exceeds limit"),
        (b"POW,1,2 dBm", b"OK: CH1 power now +2.000 dBm"),
        (b"POW,2", b"+3.064 dBm"),
        (b"PHASE,1,450", b"OK: CH1 phase now 90.0000 deg (0x4000)"),
        (b"PHASE,1,right", b"ERR: Invalid value right"),
        (b"FREQ,5", b"ERR: Invalid channel 5"),
        (b"FREQ", b"ERR: Channel missing"),
        (b"MODE,1,XYZ", b"ERR: Invalid mode XYZ"),
        (b"OFF,1,LIGHT", b"ERR: Invalid output LIGHT"),
        (b"STATUS,1", b"CH1 SIG: ON, POW: ON, MODE: NSB"),
        (b"ALIGNPH,1,2", b"OK: phases aligned"),
        (b"ALIGNPH,1,7", b"ERR: Invalid channel 7"),
        (b"DANCE", b"ERR: Unrecognised command DANCE"),
    ],
)
def test_moglabs_answers_every_line(line: bytes, answer: bytes):
    assert talk("moglabs", line + b"\r\n") == answer + b"\r\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"F0 40.5000000", b"OK"),
        (b"F0 200.0", b"?1"),
        (b"P1 16384", b"?4"),
        (b"V1 1024", b"?7"),
        (b"M x", b"?6"),
        (b"I x", b"?0"),
        (b"F9 40.0", b"?0"),
        (b"HELLO", b"?0"),
        (b"E d", b"OK"),
    ],
)
def test_novatech_answers_ok_or_its_code(line: bytes, answer: bytes):
    assert talk("novatech-409b", line + b"\r\n", echo=False) == answer + b"\r\n"


def test_novatech_lets_values_wait_and_lists_its_words():
    device = FakeRFSource(TONES)
    lines = [b"I m\r\n", b"F0 40.5\r\n", b"V0 1023\r\n", b"P0 8192\r\n"]
    conversation = make_instrument("novatech-409b", device, echo=False).converse()
    for line in lines:
        assert conversation.receive(line) == b"OK\r\n"
    assert device.read_tone(0) == TONES[0]
    status = conversation.receive(b"QUE\r\n").split(b"\r\n")
    assert status[0] == b"1823CF40 2000 03FF 0000 00000000 00000000 000301"
    assert status[2] == b"00000000 0000 0000 0000 00000000 00000000 000301"
    assert len(status) == 6
    assert conversation.receive(b"I p\r\n") == b"OK\r\n"
    assert device.read_tone(0).frequency == 40.5e6
    assert conversation.receive(b"M a\r\n" + b"I p\r\n") == b"OK\r\n" * 2
    assert device.calls["align"] == 1


def test_aa_lists_its_lines_and_passes_over_what_is_out_of_range():
    device = FakeRFSource(TONES)
    answer = talk("aa-mdsnc", b"S\r", device=device, shows_mode=False)
    assert answer == b"\n\rL1 F=40.000 P=2.04 ON\n\rL2 F=41.000 P=3.06 ON\n\r?"
    talk("aa-mdsnc", b"L1F999.0\rL1D40.0\rL7F40.0\rXYZ\rL1O7\r", device=device)
    assert device.read_tone(0) == TONES[0]
    talk("aa-mdsnc", b"L2F42.5P0512O0E\r", device=device)
    assert device.read_tone(1) == RFTone(42.5e6, pytest.approx(512 / 1023), 0.0, False)
    assert b" EXT" in talk("aa-mdsnc", b"I1\rS\r")
    assert b" INT" in talk("aa-mdsnc", b"I0\rS\r", external=True)


GAUGE = GaugeReading(2.5e-5)


def gauge_talk(dialect: str, *data: bytes, reading: GaugeReading = GAUGE, **options) -> bytes:
    return talk(dialect, *data, device=FakeGauge([reading]), **options)


def test_pfeiffer_acknowledges_and_answers_on_enquiry():
    assert gauge_talk("pfeiffer-tpg", b"PR1\r\n") == b"\x06\r\n"
    assert gauge_talk("pfeiffer-tpg", b"PR1\r", b"\x05") == b"\x06\r\n0,+2.5000E-07\r\n"
    assert gauge_talk("pfeiffer-tpg", b"UNI,2\r\x05PR1\r\x05").endswith(b"0,+2.5000E-05\r\n")
    assert gauge_talk("pfeiffer-tpg", b"XYZ\r\x05") == b"\x15\r\n0001\r\n"
    assert gauge_talk("pfeiffer-tpg", b"UNI,9\r") == b"\x15\r\n"
    assert gauge_talk("pfeiffer-tpg", b"XY\x03PNR\r\x05") == b"\x06\r\n302-510-A\r\n"
    assert gauge_talk("pfeiffer-tpg", b"PR2\r\x05").endswith(b"5,+2.0000E-02\r\n")
    assert (
        gauge_talk("pfeiffer-tpg", b"CAL,0.800\r\x05CAL,x\r") == b"\x06\r\n0.800,1.000\r\n\x15\r\n"
    )
    under = GaugeReading(None, status="under range")
    assert gauge_talk("pfeiffer-tpg", b"PR1\r\x05", reading=under).endswith(b"1,+0.0000E+00\r\n")
    instrument = make_instrument("pfeiffer-tpg", FakeGauge([GAUGE]))
    assert instrument.converse().greeting == b"0,+2.5000E-07\r\n"


def test_mks_answers_to_its_address_only():
    assert gauge_talk("mks-937b", b"@253PR1?;FF") == b"@253ACK1.875E-7;FF"
    assert gauge_talk("mks-937b", b"@003PR1?;FF") == b""
    assert gauge_talk("mks-937b", b"@003PR1?;FF", unit_address=3) == b"@003ACK1.875E-7;FF"
    assert gauge_talk("mks-937b", b"@253U!PASCAL;FF@253PR1?;FF").endswith(b"ACK2.500E-5;FF")
    assert gauge_talk("mks-937b", b"@253U!FURLONG;FF") == b"@253NAK169;FF"
    assert gauge_talk("mks-937b", b"@253XX?;FF") == b"@253NAK160;FF"
    assert gauge_talk("mks-937b", b"@253SN!1;FF") == b"@253NAK160;FF"
    assert gauge_talk("mks-937b", b"@253PR2?;FF") == b"@253NAK151;FF"
    assert gauge_talk("mks-937b", b"@253GT1!ARGON;FF@253GT1?;FF").endswith(b"ACKARGON;FF")
    off = GaugeReading(None, status="off")
    assert gauge_talk("mks-937b", b"@253PR1?;FF", reading=off) == b"@253ACKOFF;FF"


def test_xgs_answers_and_refuses():
    assert gauge_talk("agilent-xgs600", b"#000F\r") == b">1.875E-07,OPEN\r"
    assert gauge_talk("agilent-xgs600", b"#0012\r#0013\r#000F\r") == b">\r>02\r>2.500E-05,OPEN\r"
    assert gauge_talk("agilent-xgs600", b"#0099\r") == b"?FF\r"
    assert gauge_talk("agilent-xgs600", b"hello\r") == b""
    assert gauge_talk("agilent-xgs600", b"#004FT11\r#004ET1\r") == b">\r>1\r"
    off = GaugeReading(None, status="off")
    assert gauge_talk("agilent-xgs600", b"#000F\r", reading=off) == b">OFF,OPEN\r"


def test_gauge_shows_the_air_equivalent_of_another_gas():
    helium = GaugeReading(5.9e-6, "He")
    answer = gauge_talk("agilent-xgs600", b"#0012\r#000F\r", reading=helium, sensor="cold-cathode")
    assert answer.endswith(b">1.000E-06,OPEN\r")


def test_gauge_that_fails_is_a_sensor_error():
    device = FakeGauge([GAUGE], faults={"read": {1: Fault("timeout")}})
    conversation = make_instrument("pfeiffer-tpg", device).converse()
    assert conversation.receive(b"PR1\r\x05") == b"\x06\r\n3,+0.0000E+00\r\n"


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_no_bytes_bring_an_instrument_down(dialect: str):
    rng = random.Random(dialect)
    words = [
        *(b"SOUR1:FREQ VOLT PHAS C1:BSWV C1:OUTP FREQ,1, POW F0 V1 I L1F D O1 S @253 PR1".split()),
        *(b"U! ? ;FF #00 0F 13 UNI CAL , 1e999 1e5 -1 0 nan 4E7 HZ DBM ON OFF :UNIT LOAD".split()),
        *(b" ", b"\r", b"\n", b"\r\n", b"\x03", b"\x05", b"\x06", b"\xff", b"INF"),
    ]
    device = FakeGauge([GAUGE]) if dialect in list(DIALECTS)[7:] else FakeRFSource(TONES)
    conversation = make_instrument(dialect, device).converse()
    for _ in range(2000):
        data = b"".join(rng.choice(words) for _ in range(rng.randint(1, 6)))
        assert isinstance(conversation.receive(data), bytes)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_serial_server_stops_and_shares_the_instrument():
    import os

    instrument = make_instrument("agilent-xgs600", FakeGauge([GAUGE]))
    with SerialServer(instrument) as server, TextServer(instrument) as other:
        assert server.visa_address == f"ASRL{server.address}::INSTR"
        handle = os.open(server.address, os.O_RDWR | os.O_NOCTTY)
        try:
            with client(other) as connection:
                assert ask(connection, b"#0012", b"\r") == b">"
            os.write(handle, b"#0013\r")
            assert os.read(handle, 100) == b">02\r"
        finally:
            os.close(handle)
    server.stop()
    assert not server._thread.is_alive()


def test_serial_server_names_the_remedy_on_windows(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(DeviceError, match=r"over TCP instead"):
        SerialServer(make_instrument("agilent-xgs600", FakeGauge([GAUGE])))
