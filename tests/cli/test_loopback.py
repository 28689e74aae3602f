"""``optobind instruments test`` on the simulated laboratory and on the virtual NI card."""

from __future__ import annotations

import copy
import tomllib

import pytest

from optobind.config.build import build_rig
from optobind.config.documents import to_toml
from optobind.config.load import read_rig

pytestmark = pytest.mark.realtime

MONITOR = {"channel": 2, "name": "gate", "role": "monitor"}
RATE = 2e5


def simulated(**gate):
    """Document of a simulated pair with a channel that watches the gate."""
    document = copy.deepcopy(read_rig("simulated-pair").source)
    document["detectors"].append(dict(MONITOR))
    document["devices"]["digitizer"]["sample_rate"] = f"{RATE:g} Hz"
    document["devices"]["gate"] |= gate
    return document


def real(document, server, channels, **tables):
    """The document of the rig that connects to a served card, with the columns ``channels``."""
    document = {**document, "name": "served"}
    document.pop("simulation", None)
    document["detectors"] = [d for d in document["detectors"] if d["role"] != "monitor"]
    columns = [*server.card.inputs[:2], *channels]
    document["devices"] = {
        "digitizer": {
            "driver": "ni", "channels": columns, "sample_rate": f"{RATE:g} Hz",
            "full_scale": "1 V", "grpc": server.address,
            "clock": "real-time" if server.card.info.real_time else "fast",
            **tables.get("digitizer", {}),
        },
        "gate": {"driver": "ni", "grpc": server.address, **tables.get("gate", {})},
        **({"pattern": {"driver": "ni", **tables["pattern"]}} if "pattern" in tables else {}),
    }  # fmt: skip
    return document


@pytest.fixture
def write(tmp_path):
    def write(document):
        path = tmp_path / "rig.toml"
        path.write_text(to_toml(document), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def serve(write):
    """Serves a simulated pair as an NI card of the client's own rate."""
    pytest.importorskip("nidaqmx")
    pytest.importorskip("grpc")
    from optobind.instruments.virtual.ni_server import serve_ni

    servers = []

    def start(real_time=False, document=None, **options):
        document = simulated() if document is None else document
        document["simulation"] = {"clock": "real-time" if real_time else "fast"}
        servers.append(serve_ni(build_rig(read_rig(write(document))), **options))
        return document, servers[-1]

    yield start
    for server in servers:
        server.stop(None)


def test_the_simulated_laboratory_is_measured_by_software_and_by_its_card(optobind, write):
    rig = write(simulated(switch_delay="1 ms"))
    answer = optobind("instruments", "test", rig, "--yes", "--edges", "6", "--json",
                      "--set", "devices.pattern.offset=2")  # fmt: skip
    assert answer.code == 0, answer
    found = answer.json
    assert found["channel"] == "gate"
    assert found["times"]["delay"] == pytest.approx(1e-3, abs=6e-6)
    assert found["pattern"]["offset"] == 2
    assert found["pattern"]["spread"] == 0
    pasted = tomllib.loads(found["fragment"])["devices"]
    assert pasted["pattern"] == {"offset": 2}


def test_one_setting_wires_the_shipped_rig_s_gate_to_one_more_channel(optobind):
    answer = optobind(
        "instruments", "test", "simulated-pair", "--yes", "--edges", "4", "--json",
        "--set", "devices.gate.loopback=true", "--set", "devices.gate.switch_delay=1 ms",
    )  # fmt: skip
    assert answer.code == 0, answer
    assert answer.json["channel"] == "loopback"
    assert answer.json["times"]["delay"] == pytest.approx(1e-3, abs=6e-6)


def test_without_it_the_answer_names_the_setting(optobind):
    answer = optobind("instruments", "test", "simulated-pair", "--yes")
    assert answer.code == 2
    assert "here --set devices.gate.loopback=true wires it" in answer.err


@pytest.mark.slow
def test_the_wire_is_served_too(optobind, write, serve):
    document = copy.deepcopy(read_rig("simulated-pair").source)
    document["devices"]["digitizer"]["sample_rate"] = f"{RATE:g} Hz"
    document["devices"]["gate"]["loopback"] = True
    document["simulation"] = {"clock": "fast"}
    server = serve(document=document)[1]
    rig = write(real(document, server, ["ai2"], pattern={"offset": 1}))
    answer = optobind("instruments", "test", rig, "--yes", "--edges", "4", "--json")
    assert answer.code == 0, answer
    assert answer.json["channel"] == "ai2"
    assert answer.json["pattern"]["offset"] == 1


def test_what_was_measured_is_shown_though_its_file_cannot_be_written(optobind, write, tmp_path):
    out = str(tmp_path / "nowhere" / "fragment.toml")
    answer = optobind(
        "instruments", "test", write(simulated()), "--yes", "--edges", "4", "--out", out
    )
    assert answer.code == 2
    assert "level with the gate closed" in answer.out
    assert "nowhere" in answer.err


def test_the_table_has_units_and_the_fragment_is_written(optobind, write, tmp_path):
    out = tmp_path / "fragment.toml"
    answer = optobind(
        "instruments", "test", write(simulated()), "--yes", "--edges", "4", "--out", str(out)
    )
    assert answer.code == 0, answer
    for text in ("transfer latency", "higher when closed", "offset of played edges", " samples"):
        assert text in answer.out
    assert "switch_delay" in out.read_text(encoding="utf-8")


def test_nothing_is_opened_without_leave(optobind, write):
    answer = optobind("instruments", "test", write(simulated()))
    assert answer.code == 2
    assert "trapped particles are not cooled meanwhile" in answer.err
    assert "give --yes" in answer.err
    assert len(answer.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--channel", "z9"), "'z9' is no channel of this rig; known: z1, z2, gate"),
        (("--common", "z1,zz"), "--common 'zz' is no channel"),
        (("--shows", "light"), "--shows must be one of line, feedback, got 'light'"),
        (("--edges", "1"), "--edges must be a whole number in 4 … 2000"),
        (("--dwell", "9 s"), "--dwell must lie in"),
    ],
)
def test_wrong_options_are_one_line_with_what_is_allowed(optobind, write, options, message):
    answer = optobind("instruments", "test", write(simulated()), "--yes", *options)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) == 1


def test_a_rig_without_a_channel_for_the_gate_says_what_to_wire(optobind):
    answer = optobind("instruments", "test", "simulated-pair", "--yes")
    assert answer.code == 2
    assert "to a spare input and give --channel; channels: z1, z2" in answer.err


def test_a_channel_that_sees_no_edge_is_a_problem_with_a_remedy(optobind, write):
    answer = optobind(
        "instruments", "test", write(simulated()), "--yes", "--channel", "z1", "--edges", "4",
        "--dwell", "5 ms",
    )  # fmt: skip
    assert answer.code == 4
    assert "check the cable and the channel" in answer.err


@pytest.mark.slow
def test_a_served_card_is_measured_exactly(optobind, write, serve):
    document, server = serve(wires={"ai3": "port0/line0"}, edge_samples=2, gate_delay=100e-6)
    rig = write(real(document, server, ["ai3"], pattern={}))
    answer = optobind("instruments", "test", rig, "--yes", "--edges", "8", "--dwell", "5 ms",
                      "--json")  # fmt: skip
    assert answer.code == 4, answer
    assert answer.json["problems"] == ["played edges come 2 samples late, configured are 1"]
    assert answer.json["pattern"]["offsets"] == [2] * 8
    document["devices"]["pattern"] = {"driver": "ni", "offset": 2}
    good = real(document, server, ["ai3"], pattern={"offset": 2})
    assert optobind("instruments", "test", write(good), "--yes", "--edges", "4").code == 0


@pytest.mark.slow
def test_a_delayed_gate_is_told_from_a_late_count(optobind, write, serve):
    """Counts that arrive 40 ms late, and a gate that acts 0.3 ms after its line."""
    document, server = serve(real_time=True, latency=40e-3, gate_delay=300e-6)
    shown = real(document, server, ["ai2"], pattern={"offset": 61})
    answer = optobind(
        "instruments",
        "test",
        write(shown),
        "--yes",
        "--edges",
        "8",
        "--dwell",
        "200 ms",
        "--channel",
        "ai2",
        "--shows",
        "feedback",
        "--json",
    )
    assert answer.out, answer
    found = answer.json
    assert found["pattern"]["offsets"] == [61] * 8
    times = found["times"]
    assert times["delay"] == pytest.approx(300e-6, abs=1e-5)
    assert abs(times["latency"] - 40e-3) <= times["latency_error"] + 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("said", [True, False])
def test_a_reversed_polarity_is_said_loudly(optobind, write, serve, said):
    document, server = serve(wires={"ai3": "port0/line0"}, gate_high_closes=said)
    rig = real(
        document, server, ["ai2"], pattern={}, gate={"active_high": not said},
    )  # fmt: skip
    answer = optobind("instruments", "test", write(rig), "--yes", "--edges", "4", "--dwell",
                      "5 ms", "--shows", "feedback", "--channel", "ai2", "--json")  # fmt: skip
    assert answer.code == 4
    assert "POLARITY REVERSED" in answer.err
    pasted = tomllib.loads(answer.json["fragment"])["devices"]["gate"]
    assert pasted["active_high"] is said


def test_the_skew_of_a_multiplexed_card_is_measured_and_known(optobind, write, serve):
    wires = {"ai3": "port0/line0", "ai4": "generator", "ai5": "generator"}
    document, server = serve(wires=wires, model="m-series", generator=(2e4, 0.5))
    rig = write(real(document, server, ["ai3", "ai4", "ai5"]))
    answer = optobind("instruments", "test", rig, "--yes", "--edges", "4", "--dwell", "5 ms",
                      "--channel", "ai3", "--common", "ai4,ai5", "--json")  # fmt: skip
    assert answer.code == 0, answer
    assert answer.json["skew"]["delays"] == [0.0, pytest.approx(0.8e-6, abs=5e-8)]
    assert "detectors" not in answer.json["fragment"], "the card has told of it"
    blind = optobind("instruments", "test", rig, "--yes", "--edges", "4", "--dwell", "5 ms",
                     "--channel", "ai3", "--common", "ai4,0", "--json")  # fmt: skip
    assert blind.code == 4
    assert "does not see the signal of ai4" in blind.err


def test_a_card_that_cannot_play_is_said_with_what_it_can(optobind, write, serve):
    document, server = serve(wires={"ai3": "port0/line0"}, model="usb-6009")
    rig = write(real(document, server, ["ai3"], pattern={}))
    answer = optobind("instruments", "test", rig, "--yes", "--edges", "4", "--dwell", "5 ms")
    assert answer.code == 4
    assert "the card did not play: pattern cannot play feedback, it can play nothing" in answer.err
