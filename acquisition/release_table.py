"""The releases of a run, a million in a night: put together from its events, kept in columns."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .events import Event, EventKind
from .ranges import Ranges
from .release_setting import AS_SET, Setting
from .releases import Evidence, LeftOut, Release, ReleaseCount, counted_releases, judge

__all__ = ["ReleaseCollector", "ReleaseTable"]

_Key = tuple[int, int]
_NONE = -1  # no repeat of another
_WHY: tuple[LeftOut | None, ...] = (None, *LeftOut)
_CODES = {why: code for code, why in enumerate(_WHY)}


class ReleaseTable:
    """Releases by (step, repetition), in the order in which they were made.

    One takes 64 bytes, an eighth of what an object takes.
    """

    def __init__(self) -> None:
        self._steps, self._repetitions = array("q"), array("q")
        self._firsts, self._samples, self._repeats = array("q"), array("q"), array("q")
        self._why, self._words = array("q"), array("q")
        self._lights = array("q")
        self._settings: list[Setting] = [AS_SET]
        self._texts: list[str | None] = [None]
        self._text_numbers: dict[str | None, int] = {None: 0}
        self._begins: dict[int, int] = {}  # row of the first release of each step
        self._highest: dict[int, int] = {}  # repetition of each step

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Release]:
        return (self._at(row) for row in range(len(self)))

    def __contains__(self, key: _Key) -> bool:
        return self._row(key) is not None

    def __getitem__(self, key: _Key) -> Release:
        row = self._row(key)
        if row is None:
            raise KeyError(key)
        return self._at(row)

    def put(self, release: Release) -> None:
        """Add a release, or replace what is known of it."""
        step, repetition = release.step, release.repetition
        row = self._row((step, repetition))
        if row is not None:
            self._set(row, release)
            return
        row = len(self)
        self._begins.setdefault(step, row)
        self._highest[step] = max(repetition, self._highest.get(step, repetition))
        self._steps.append(step)
        self._repetitions.append(repetition)
        for column in (
            self._firsts, self._samples, self._repeats, self._why, self._words, self._lights
        ):  # fmt: skip
            column.append(0)
        self._set(row, release)

    def judge(self, evidence: Evidence) -> None:
        """Judge all of them."""
        for row in range(len(self)):
            release = self._at(row)
            judged = judge(release, evidence)
            if judged is not release:
                self._set(row, judged)

    def settings(self) -> tuple[Setting, ...]:
        """Light of the usable ones, each once, by phase and power."""
        kept = _column(self._why) == _CODES[None]
        found = np.unique(_column(self._lights)[kept]).tolist()
        return tuple(sorted(self._settings[code] for code in found))

    def usable(self, setting: Setting | None = None) -> Ranges:
        """Return the samples of the usable ones, in the order in which they were made.

        Only of those with this light where one is given.
        """
        kept = _column(self._why) == _CODES[None]
        if setting is not None:
            kept &= _column(self._lights) == self._settings.index(setting)
        first = _column(self._firsts)[kept]
        return Ranges(np.stack([first, first + _column(self._samples)[kept]], axis=1))

    def count(self, step: int, planned: int | None = None) -> ReleaseCount:
        """Count the releases of one step; arguments as of :func:`~.releases.count_releases`."""
        own = _column(self._steps) == step
        found = np.bincount(_column(self._why)[own], minlength=len(_WHY)).tolist()
        repeated = int((_column(self._repeats)[own] != _NONE).sum())
        return counted_releases(Counter(dict(zip(_WHY, found, strict=True))), repeated, planned)

    # -- rows ------------------------------------------------------------------------------------

    def _row(self, key: _Key) -> int | None:
        """Row of a release; None for one that is not known."""
        step, repetition = key
        if repetition > self._highest.get(step, repetition - 1):
            return None
        # Nearly always the newest, and nearly always numbered one by one.
        for row in (len(self) - 1, self._begins[step] + repetition):
            if 0 <= row < len(self) and (self._steps[row], self._repetitions[row]) == key:
                return row
        same = (_column(self._steps) == step) & (_column(self._repetitions) == repetition)
        found = np.flatnonzero(same)
        return int(found[0]) if len(found) else None

    def _at(self, row: int) -> Release:
        """Make the release of a row."""
        repeats = self._repeats[row]
        return Release(
            self._repetitions[row],
            self._firsts[row],
            self._samples[row],
            self._steps[row],
            self._texts[self._words[row]],
            _WHY[self._why[row]],
            None if repeats == _NONE else repeats,
            self._settings[self._lights[row]],
        )

    def _set(self, row: int, release: Release) -> None:
        """Keep a release in a row."""
        text = release.excluded
        number = self._text_numbers.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        self._firsts[row], self._samples[row] = release.first_sample, release.samples
        self._repeats[row] = _NONE if release.repeats is None else release.repeats
        self._why[row], self._words[row] = _CODES[release.why], number
        if release.setting not in self._settings:
            self._settings.append(release.setting)
        self._lights[row] = self._settings.index(release.setting)


def _column(values: array[int]) -> NDArray[np.int64]:
    """Copy of a column: the original may grow on."""
    return np.array(values, np.int64)


class ReleaseCollector:
    """Puts releases together from the events of a run, in the order of their samples."""

    def __init__(self) -> None:
        self.found = ReleaseTable()
        self._step = 0

    def take(self, event: Event) -> None:
        """Take an event in; those that concern no release change nothing."""
        payload, kind = event.payload, event.kind
        if kind is EventKind.STEP_START:
            self._step = int(payload.get("index", self._step))
            return
        if kind not in (EventKind.RELEASE, EventKind.EXCLUDED, EventKind.RECAPTURE):
            return
        own_step = int(payload.get("step", self._step))  # an exclusion may come a step later
        key = (own_step, int(payload.get("repetition", -1)))
        if kind is EventKind.RELEASE:
            of = payload.get("repeats")
            self.found.put(
                Release(
                    key[1],
                    event.sample,
                    int(payload.get("samples", 0)),
                    own_step,
                    repeats=None if of is None else int(of),
                    setting=Setting.of(payload),
                )
            )
        elif key not in self.found:
            return
        elif kind is EventKind.EXCLUDED:
            known, reason = self.found[key], str(payload.get("reason", "excluded"))
            if payload.get("undone"):
                self.found.put(known.taken_back())
                return
            why = LeftOut.GATE if payload.get("cause") == "gate" else LeftOut.EXCLUDED
            if known.why in (None, LeftOut.EXCLUDED):
                self.found.put(known.left_out(why, reason))
        else:
            known = self.found[key]
            recaptured = _recaptured(known, event.sample)
            if recaptured is not known:
                self.found.put(recaptured)


def _recaptured(release: Release, sample: int) -> Release:
    """Compare the planned end with the actual one."""
    if release.samples == 0:
        return replace(release, samples=sample - release.first_sample)
    if sample < release.end_sample:
        return release.left_out(LeftOut.CUT_SHORT, "feedback came back before the planned end")
    return release
