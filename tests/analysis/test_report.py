"""Reports: one page that needs nothing else and lets no text of a file become markup."""

import re

import html5lib
import numpy as np
import pytest

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile_format import Manifest
from optobind.analysis.comparison import compare, predictions
from optobind.analysis.report.html import definition, page, section, table
from optobind.analysis.report.page import ReportContent, render_report, write_report
from optobind.config.build import build_trap
from optobind.config.load import read_rig
from optobind.models.blocks import Block
from optobind.models.errors import FileError
from optobind.models.inference.convention import fit_convention
from optobind.models.inference.digits import measured
from optobind.models.inference.result import FitResult, FittedParameter

EVIL = '<script>alert("1")</script>&'


def check_page(text):
    """Parse as a browser does, strictly: what it would have to repair is an error."""
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    assert not list(tree.iter("script"))
    loads = [e.get(name) for e in tree.iter() for name in ("src", "href", "srcset") if e.get(name)]
    assert all(address.startswith("data:image/") for address in loads)
    assert not re.search(r"url\(|@import|https?://", text)


@pytest.fixture
def run_path(tmp_path):
    path = tmp_path / "run.h5"
    manifest = Manifest(
        sample_rate=1e3,
        channels=("z1", EVIL),
        scale=(1e-3, 1e-3),
        mode="SIM",
        config={"name": EVIL, "rig": {"name": EVIL, "gas": {EVIL: EVIL}, "particles": [{}]}},
        plan={"kind": "monitor", "duration": 0.1},
        seed=7,
    )
    with Recorder(path, manifest) as recorder:
        recorder.event(Event(0, EventKind.RUN_START, {"rig": EVIL}))
        site = {"position": [2.45e-6, 0, 0], "power": 0.19, "phase": 0.4, "detuning": 0.0}
        recorder.event(Event(0, EventKind.LIGHT, {"sites": [site]}))
        counts = np.zeros((60, 2), np.int16)
        recorder.write(Block(0, counts, np.full(2, 1e-3)))
        recorder.write(Block(100, counts, np.full(2, 1e-3)))
        for number in range(100):
            recorder.event(Event(101 + number, EventKind.NOTE, {"text": f"note {number}"}))
        recorder.slow(3, "pressure", 1e-6, "Pa")
    return path


def test_a_bare_run_has_a_report(run_path, tmp_path):
    path = write_report(run_path, ReportContent(), tmp_path / "report.html")
    text = path.read_text(encoding="utf-8")
    check_page(text)
    assert "1 (40 samples lost)" in text
    assert "site 1 at (2450.0, 0.0, 0.0) nm, 190.000 mW, 0.4000 rad" in text
    assert "1 kHz" in text
    assert "<td>seed</td><td>7</td>" in text
    assert "further events are in the run file" in text


def test_text_from_files_stays_text(run_path):
    text = render_report(run_path, ReportContent())
    check_page(text)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") >= 4


def test_an_unwritable_report_is_named(run_path, tmp_path):
    with pytest.raises(FileError, match=r"cannot write .*report\.html"):
        write_report(run_path, ReportContent(), tmp_path / "nowhere" / "report.html")


def test_pieces_escape_everything_and_vanish_when_empty():
    text = page(EVIL, EVIL, [section(EVIL, definition([(EVIL, EVIL)], caption=EVIL))])
    check_page(text)
    assert table(("a",), []) == ""
    assert section("empty", "") == ""


def test_numbers_carry_a_true_minus_but_dates_do_not():
    text = table(("a",), [("-3.5 ± 0.1",), ("2026-01-02",), ("(-1, -2)",), ("1e-8 mbar",)])
    assert "−3.5 ± 0.1" in text
    assert "2026-01-02" in text
    assert "(−1, −2)" in text
    assert "1e-8 mbar" in text


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (1234.56, 7.81, "1234.6 ± 7.8"),
        (-50588.4, 230.0, "−50590 ± 230"),
        (2.26e-6, 5.6e-8, "(2.260 ± 0.056)·10⁻⁶"),
        (0.0, 0.02, "0.000 ± 0.020"),
        (3.0e7, None, "3e+07"),
        (12.0, 0.0, "12"),
    ],
)
def test_values_are_written_to_two_digits_of_their_error(value, stderr, text):
    assert measured(value, stderr) == text


def test_predictions_are_in_the_convention_of_the_fits():
    trap = build_trap(read_rig("simulated-pair").config)
    exact = trap.pair_constants().constants
    predicted = predictions(trap)
    assert predicted["exact"] == fit_convention(exact, "m")
    lines = exact.line_frequencies
    q = exact.omega / (0.5 * sum(lines))
    far = trap.far_field()
    assert predicted["far_field"]["g_a"] == pytest.approx(q * far.g_a)
    assert predicted["far_field"]["re_D12"] == pytest.approx(q * far.D[0, 1].real)
    assert predicted["far_field"]["omega_1"] == pytest.approx(lines[0])


def fit(**values):
    parameters = {name: FittedParameter(v, 0.1, "rad/s") for name, v in values.items()}
    names = tuple(values)
    return FitResult("pair", parameters, names, np.eye(len(names)) * 0.01, {}, {}, True)


def test_each_fit_is_compared_with_its_own_truth():
    truth = {"D11": 5.0, "g_r": 1.0, "reheating": {"D11": 4.0, "g_r": 1.0}}
    fits = {"spectrum": fit(D11=5.1, g_r=1.0), "reheating": fit(D11=4.1, g_r=0.8)}
    values = compare(fits, truth, {"exact": {"D11": 4.0, "g_r": 1.1}, "far_field": None})
    pulls = {(v.name, v.source): v.pull for v in values}
    assert pulls["D11", "spectrum"] == pytest.approx(1.0)
    assert pulls["D11", "reheating"] == pytest.approx(1.0)
    assert pulls["g_r", "reheating"] == pytest.approx(-2.0)
    exact = {(v.name, v.source): v.exact for v in values}
    # Feedback noise is part of a spectrum's D and of no prediction.
    assert exact["D11", "spectrum"] is None
    assert exact["D11", "reheating"] == 4.0
    assert exact["g_r", "spectrum"] == 1.1


def test_fixed_parameters_are_not_compared():
    result = fit(g_r=1.0)
    fixed = FitResult(
        "pair", {"g_r": FittedParameter(0.0, None, "rad/s", False)}, (), np.zeros((0, 0)), {}, {},
        True,
    )  # fmt: skip
    assert len(compare({"spectrum": result, "reheating": fixed}, None, None)) == 1


def test_the_checker_sees_what_a_browser_would_have_to_repair():
    nested = table(("a",), [("1",)])
    nested = nested.replace("<thead>", "<thead><tr><thead>").replace(
        "</thead>", "</thead></tr></thead>"
    )
    with pytest.raises(html5lib.html5parser.ParseError):
        check_page(page("t", "l", [nested]))
