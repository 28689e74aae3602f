"""Command palette, keys, help, About, colours of the system, copies of tables."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QTableWidgetItem

from optobind.gui import layout
from optobind.gui.palette import HelpDialog, Palette, about_text, commands_of
from optobind.gui.theme import system_theme, theme_named
from optobind.gui.viewmodels.palette import KEYS, Command, matching
from optobind.gui.widgets.table import copy_table, plain_table
from optobind.models.errors import DeviceError


def test_commands_are_found_by_words_in_any_order():
    commands = [Command("View › Reheating"), Command("Session › Start"), Command("View › Rig")]
    assert matching(commands, "view re") == [0]
    assert matching(commands, "start session") == [1]
    assert matching(commands, "r") == [0, 2, 1]
    assert matching(commands, "") == [0, 1, 2]
    assert matching(commands, "nothing like it") == []


def test_the_palette_offers_every_entry_of_the_menus(window):
    names = [command.name for command, _ in commands_of(window)]
    for wanted in ("File › Open run …", "View › Phase diagram", "View › Layout › Analysis"):
        assert wanted in names
    assert "Help › Commands …" in names


def test_the_palette_does_what_is_chosen(window, qtbot):
    palette = Palette(window)
    qtbot.addWidget(palette)
    QTest.keyClicks(palette.field, "layout analysis")
    assert palette.list.count() == 1
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert window.preset == "Analysis"


def test_what_does_not_act_now_is_not_done(window, session, qtbot):
    palette = Palette(window)
    qtbot.addWidget(palette)
    QTest.keyClicks(palette.field, "abort")
    before = list(session.calls)
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert session.calls == before


def test_help_names_every_key(window, qtbot):
    dialog = HelpDialog(window)
    qtbot.addWidget(dialog)
    shown = {dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())}
    assert {keys for keys, _ in KEYS} <= shown
    assert {"F5", "Ctrl+K", "F1", "Ctrl+Space"} <= shown


def test_letters_act_wherever_no_text_is_typed(window, session, qtbot):
    window.docks["log"].setFocus()
    QTest.keyClick(window, Qt.Key.Key_C)
    assert window.spectra.cursor_button.isChecked()
    QTest.keyClick(window, Qt.Key.Key_L)
    assert window.spectra.plots.linear
    QTest.keyClick(window, Qt.Key.Key_M)
    window.bridge.tick()
    assert window.log.lines[-1].text == "marked"
    assert ("note", "marked") in session.calls  # goes into the file of the run under way
    assert len(window.panels["strips"].marks) == 1


def test_a_mark_that_cannot_be_noted_is_said_and_stays_over_time(window, session, qtbot):
    session.note_error = DeviceError("the session has been closed")
    QTest.keyClick(window, Qt.Key.Key_M)
    assert "mark: the session has been closed" in window.log.lines[-1].text
    assert len(window.panels["strips"].marks) == 1


def test_letters_that_are_typed_into_a_field_stay_there(window, qtbot):
    field = window.panels["log"].filter
    QTest.keyClicks(field, "fall")
    assert field.text() == "fall"
    assert not window.spectra.plots.linear


def test_about_names_the_versions():
    assert about_text().startswith("optobind ")
    assert "Qt 6" in about_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dark", "light"])
def test_colours_that_were_chosen_are_kept(window, settings, name):
    if window.theme.name == name:
        window.toggle_theme()
    window.toggle_theme()
    layout.save_layout(window, settings)
    assert settings.value("layout/theme") == name
    assert theme_named(name).name == name


@pytest.mark.slow
def test_colours_of_the_system_are_the_default(window, settings):
    assert window.colours == "system"
    assert theme_named("system") is system_theme()
    window.toggle_theme()
    window.follow_system()
    layout.save_layout(window, settings)
    assert settings.value("layout/theme") == "system"


def test_a_table_is_copied_as_it_is_shown(qtbot):
    table = plain_table("", "A", "B")
    qtbot.addWidget(table)
    table.setRowCount(1)
    for column, text in enumerate(("gᵣ", "1 ± 2 Hz", "3 Hz")):
        table.setItem(0, column, QTableWidgetItem(text))
    table.setColumnHidden(1, True)
    copy_table(table)
    assert QGuiApplication.clipboard().text() == "\tB\ngᵣ\t3 Hz\n"
