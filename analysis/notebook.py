"""A notebook that does again what a window shows of a record: for whoever goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..acquisition.release_setting import Setting
from ..models.errors import FileError
from .recorded.tasks import StretchTask

__all__ = ["notebook_text", "write_notebook"]

_FORMAT = {"nbformat": 4, "nbformat_minor": 5}


def notebook_text(
    task: StretchTask, *, whole: bool, steady: bool, settings: Sequence[Setting] | None
) -> str:
    """Return a notebook (nbformat 4.5) that opens, fits and draws a stretch of a record.

    Parameters
    ----------
    task : StretchTask
        File, how it is read, stretch, model, band and what is left out.
    whole : bool
        Whether the stretch is the whole record.
    steady : bool
        Whether it holds something whose spectrum can be fitted.
    settings : sequence of Setting or None
        Light of its releases, which are fitted, too; None without releases.
    """
    cells = [
        _cell(number, *cell) for number, cell in enumerate(_cells(task, whole, steady, settings))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {"cells": cells, "metadata": {"kernelspec": kernel}, **_FORMAT}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def write_notebook(
    path: Path, task: StretchTask, *, whole: bool, steady: bool, settings: Sequence[Setting] | None
) -> Path:
    """Write :func:`notebook_text` into a file.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    try:
        path.write_text(
            notebook_text(task, whole=whole, steady=steady, settings=settings), encoding="utf-8"
        )
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def _cells(
    task: StretchTask, whole: bool, steady: bool, settings: Sequence[Setting] | None
) -> Iterator[tuple[str, list[str]]]:
    """Kind and lines of every cell."""
    yield "markdown", [f"# {task.path.name}", "", "As the window of optobind showed it."]
    given = _arguments((name, value) for name, value in task.options.items() if value is not None)
    opening = [
        "import optobind as ob",
        "",
        f"record = ob.open_record({_call(repr(str(task.path)), given)})",
    ]
    if not whole:
        opening.append(f"record = ob.stretch_of(record, {task.start}, {task.stop})  # samples")
    yield "code", [*opening, "record"]
    if steady:
        yield "code", [*_spectrum(task), "analysis.plot();"]
        yield "code", ["analysis.result"]
    if settings is not None:
        yield "code", [*_chosen_light(task, settings), *_released(task)]
        yield "code", ["reheating.result"]


def _plain(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    """Limits as Python's own numbers, whose text is code."""
    return None if limits is None else (float(limits[0]), float(limits[1]))


def _spectrum(task: StretchTask) -> list[str]:
    left_out = [_plain(limits) for limits in task.exclude]
    fitted = {"model": task.model, "band": _plain(task.band), "exclude": left_out or None}
    chosen = _arguments((name, value) for name, value in fitted.items() if value is not None)
    return [f"analysis = ob.analyse_spectrum({_call('record', chosen)})"]


def _released(task: StretchTask) -> list[str]:
    band = [] if task.band is None else [f"band={_plain(task.band)!r}"]
    return [f"reheating = ob.analyse_reheating({_call('released', band)})", "reheating.plot();"]


def _chosen_light(task: StretchTask, settings: Sequence[Setting]) -> list[str]:
    """Lines that choose the light of the releases, where there are several."""
    lines = ["released = record"]
    if task.without:
        lines = [f"released = ob.without_releases(record, {list(task.without)!r})"]
    if len(settings) < 2:
        return lines
    chosen = settings[task.setting]
    lines.append(f"released = released.at_phase({'reversed' if chosen.phase else 'as-set'!r})")
    if len({one.power for one in settings}) > 1:
        lines.append(f"released = released.at_power({chosen.power!r})  # of what was set")
    return lines


def _arguments(values: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{name}={value!r}" for name, value in values]


def _call(first: str, more: list[str]) -> str:
    return ", ".join([first, *more])


def _cell(number: int, kind: str, lines: list[str]) -> dict[str, Any]:
    source = [line + "\n" for line in lines[:-1]] + lines[-1:]
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return {**cell, "source": source}
