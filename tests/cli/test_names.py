"""Names and texts of users and files are shown; neither markup nor escape sequences act."""

import re
import sys
from importlib.resources import files

import numpy as np
import pytest

from optobind.analysis.report.html import paragraph, table
from optobind.cli.output import print_result, warn
from optobind.cli.streams import forgiving_streams
from optobind.models.shown import one_line, shown

ESC, RIGHT_TO_LEFT = "\x1b", "\u202e"
# Tags of rich that mean something, that close nothing, emoji codes, sequences of terminals.
NAMES = [
    "b[/c]",
    "[red]x[/red]",
    "[link=http://x]y",
    "[/]",
    ":smile:",
    f"a{ESC}[2Jb",
    f"a{ESC}]0;title\x07b",
    "a\x9b31mb",
    f"a{RIGHT_TO_LEFT}5h.b",
    "\x08\x08\x00".replace("\x00", "\x7f"),
]
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def assert_shown(name, text):
    assert not FORBIDDEN.search(text.replace("\r\n", "\n")), ascii(text)
    assert shown(name) in " ".join(text.split()), (name, text)


def write_npz(path, names):
    samples = np.random.default_rng(0).normal(size=(4000, len(names)))
    np.savez(path, samples=samples, sample_rate=1e6, channels=np.array(names))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_names_in_files_are_shown_by_info(optobind, tmp_path, name):
    answer = optobind("info", write_npz(tmp_path / "a.npz", [name, "other"]))
    assert answer.code == 0
    assert_shown(name, answer.out)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize("name", [n.replace("/", "⁄") for n in NAMES])
def test_names_of_files_are_shown_by_info_and_by_errors(optobind, tmp_path, name):
    answer = optobind("info", write_npz(tmp_path / f"{name}.npz", ["a"]))
    assert answer.code == 0
    assert not FORBIDDEN.search(answer.out)
    answer = optobind("info", tmp_path / f"{name}.csv")
    assert answer.is_one_line_error(2)
    assert_shown(name, answer.err)


@pytest.mark.parametrize("name", ["a[red]b", "[/c]", "a\\u001b[2Jb", "a\\u202Eb", ":smile:"])
@pytest.mark.parametrize("command", ["couplings", "predict", "check", "instruments"])
def test_names_of_rigs_are_shown_by_every_command(optobind, tmp_path, name, command):
    file = tmp_path / "rig.toml"
    text = files("optobind.config").joinpath("rigs/simulated-pair.toml").read_text("utf-8")
    line = f'name = "{name}"'
    file.write_text(re.sub(r"(?m)^name = .*$", lambda _: line, text, count=1), "utf-8")
    words = {
        "couplings": ["couplings", "--rig", file],
        "predict": ["predict", "--rig", file],
        "check": ["config", "check", file],
        "instruments": ["instruments", "check", file],
    }[command]
    answer = optobind(*words)
    assert not FORBIDDEN.search(answer.out + answer.err)
    assert "MarkupError" not in answer.err
    assert answer.code in (0, 2)
    if answer.code == 0 and command != "instruments":
        decoded = name.replace("\\u001b", ESC).replace("\\u202E", RIGHT_TO_LEFT)
        assert_shown(decoded, answer.out)


@pytest.mark.parametrize("folder", ["b[/c]", "[red]", "a[/]b"])
def test_a_folder_with_markup_in_its_name_is_recorded_to_and_named(optobind, tmp_path, folder):
    out = tmp_path / folder
    answer = optobind(
        "run", "monitor", "--rig", "simulated-pair", "--out", out, "--set", "plan.duration=10 ms"
    )
    assert answer.code == 0, answer.err
    assert str(out / "run.h5") in answer.out
    for words in (["info"], ["info", "--verify"]):
        answer = optobind(*words, out / "run.h5")
        assert answer.code == 0
        assert str(out) in "".join(answer.out.split("\n"))


def test_what_is_written_to_the_streams_is_spelled_out(capsys):
    with forgiving_streams():
        sys.stdout.write(f"a{ESC}[31mb\n\tc\n")
        warn([f"x{ESC}[2J\ny{RIGHT_TO_LEFT}"])
        print_result(f"[b]z{ESC}[0m[/b]")
    captured = capsys.readouterr()
    assert captured.out == "a\\x1b[31mb\n\tc\n[b]z\\x1b[0m[/b]\n"
    assert captured.err == "warning: x\\x1b[2J y\\u202e\n"


def test_colours_of_tables_reach_a_terminal_and_those_of_names_do_not(monkeypatch):
    from rich.text import Text

    written = []

    class Terminal:
        encoding = "utf-8"

        def write(self, text):
            written.append(text)

        def flush(self):
            pass

        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    with forgiving_streams():
        print_result(Text("green", style="green"), f"name{ESC}[31m")
    text = "".join(written)
    assert f"{ESC}[32mgreen" in text
    assert f"{ESC}[31m" not in text
    assert "name\\x1b[31m" in text


def test_pages_hold_no_markup_and_no_controls_of_users():
    name = f"<script>x</script>{ESC}[2J{RIGHT_TO_LEFT}"
    page = paragraph(name) + table(["a"], [[name]])
    assert "<script>" not in page
    assert not FORBIDDEN.search(page)
    assert "&lt;script&gt;x&lt;/script&gt;\\x1b[2J\\u202e" in page


def test_one_line_is_one_line_for_every_separator():
    assert one_line("a\x0bb\x1cc\x85d\u2028e\u2029f\r\n g") == "a b c d e f g"
