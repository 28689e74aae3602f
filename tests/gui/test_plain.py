"""Names of users in the window are text, whatever Qt would read in them."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel

from optobind.gui.panels.rig import RigPanel
from optobind.gui.plain import PlainLabel, in_html, plain_tip

NAMES = ["<b>x</b>", "<img src='http://x/y'>", "a & b", "a\x1b[2J", "a\u202eb", "5 < 6"]


@pytest.mark.parametrize("name", NAMES)
def test_labels_and_tips_show_their_text(qtbot, name):
    label = PlainLabel(name)
    qtbot.addWidget(label)
    label.setToolTip(name)
    assert label.textFormat() is Qt.TextFormat.PlainText
    assert label.text() == name.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert "<b>" not in label.toolTip()
    assert "<img" not in label.toolTip()
    assert "\x1b" not in label.toolTip() + in_html(name)
    assert "\u202e" not in label.toolTip() + in_html(name)
    assert "<b" not in in_html(name)


def test_a_tip_keeps_its_lines():
    assert plain_tip("a\nb") == "a\nb"
    assert "pre-wrap" in plain_tip("a\n<b>")


def test_no_label_of_the_window_reads_html_but_those_that_are_written_in_it(window):
    labels = window.findChildren(QLabel)
    plain = [label for label in labels if label.textFormat() is Qt.TextFormat.PlainText]
    assert len(plain) > 20
    for label in set(labels) - set(plain):  # legends and the rig's name, escaped; names of fields
        written = label.text().startswith("<") or label.buddy() is not None
        assert written or not label.text(), label.text()


def test_the_name_of_a_rig_is_escaped(window, qtbot, monkeypatch):
    monkeypatch.setattr(window.bridge.session.rig, "name", "<i>x</i>", raising=False)
    panel = RigPanel(window.bridge, window.theme)
    qtbot.addWidget(panel)
    assert panel.rig_name.text() == "<b>&lt;i&gt;x&lt;/i&gt;</b>"
