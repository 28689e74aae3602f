"""``optobind gui RUN``: what is no record, or belongs to a rig, is refused in one line."""

import pytest

from optobind.__main__ import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.h5"], "gone.h5 does not exist"),
        (["notes.md"], "notes.md is not a table of numbers"),
        (["notes.md", "--rig", "simulated-pair"], "leave --rig and --set out"),
        (["mine.toml"], "optobind gui --rig mine.toml"),
        (["--rate", "1 MHz"], "name it as well"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(words, said, tmp_path, monkeypatch, capsys):
    pytest.importorskip("PyQt6")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    (tmp_path / "notes.md").write_text("no table\nof anything\n")
    assert main(["gui", *words]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert said in errors[0]
