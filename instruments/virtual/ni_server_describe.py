"""Calls of the virtual NI card that describe a task: its channels, clock and trigger."""

from __future__ import annotations

import re
from typing import Any

from .ni_server_card import Card
from .ni_server_generation import Generation, pulse_train
from .ni_server_stream import DaqFault
from .ni_server_tasks import FINITE, CardTask, Kind

__all__ = ["DESCRIPTIONS", "DescriptionCalls"]

_HIGH = 10192


class DescriptionCalls:
    """Channels, clocks and triggers; :class:`~.ni_server_calls.Calls` has the rest."""

    _card: Card

    def _task(self, request: Any) -> CardTask:
        """Task of a request."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _input(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        for place in _unflatten(request.physical_channel):
            column = self._card.require_input(place, request.min_val, request.max_val)
            task.add("ai", request.name_to_assign_to_channel or place, column)
        return {}

    def _output(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        for place in _unflatten(request.physical_channel):
            short = self._card.short(place)
            if short not in self._card.outputs:
                raise DaqFault(-200170, f"Physical channel specified does not exist: {place}")
            task.add("ao", request.name_to_assign_to_channel or place, short)
        return {}

    def _digital_output(self, request: Any) -> dict[str, Any]:
        return self._digital("do", request)

    def _digital_input(self, request: Any) -> dict[str, Any]:
        return self._digital("di", request)

    def _digital(self, kind: Kind, request: Any) -> dict[str, Any]:
        task = self._task(request)
        places = _unflatten(request.lines)
        lines = [self._card.short(place) for place in places]
        for line, place in zip(lines, places, strict=True):
            if line not in self._card.lines:
                raise DaqFault(-200170, f"Physical channel specified does not exist: {place}")
        if request.line_grouping_raw == 1:  # one channel for all lines
            task.add(kind, request.name_to_assign_to_lines or request.lines, lines)
        else:
            for line, place in zip(lines, places, strict=True):
                task.add(kind, request.name_to_assign_to_lines or place, [line])
        return {}

    def _clock(self, request: Any) -> dict[str, Any]:
        mode = request.sample_mode_raw or request.sample_mode
        self._task(request).time(request.rate, request.source, mode, request.samps_per_chan)
        return {}

    def _trigger(self, request: Any) -> dict[str, Any]:
        self._task(request).trigger = request.trigger_source
        return {}

    def _pulse_ticks(self, request: Any) -> dict[str, Any]:
        ticks = (request.initial_delay, request.low_ticks, request.high_ticks)
        return self._counter(request, request.source_terminal, *ticks)

    def _pulse_time(self, request: Any) -> dict[str, Any]:
        """Pulses by seconds: of the fastest clock that the counter has."""
        rates = self._card.model.timebases
        source = max(rates, key=lambda name: rates[name], default="")
        rate = rates.get(source, 0.0)
        seconds = (request.initial_delay, request.low_time, request.high_time)
        ticks = [max(2, round(value * rate)) for value in seconds]
        return self._counter(request, f"/{self._card.device}/{source}", *ticks)

    def _counter(
        self, request: Any, source: str, delay: float, low: float, high: float
    ) -> dict[str, Any]:
        task, card = self._task(request), self._card
        counter = card.short(request.counter)
        if counter not in card.model.pins:
            raise DaqFault(-200170, f"Physical channel specified does not exist: {request.counter}")
        if not source:
            raise DaqFault(-89120, "Source terminal to be routed could not be found: none is given")
        idle = (request.idle_state_raw or request.idle_state) == _HIGH
        line = card.model.pins[counter]
        task.add("co", request.name_to_assign_to_channel or request.counter, counter)
        task.generation = Generation(card, "co", [line])
        task.generation.train = pulse_train(
            card, line, source, idle=idle, delay=delay, low=low, high=high
        )
        task.mode, task.samples = FINITE, 1  # a single pulse until something else is said
        return {}

    def _implicit_clock(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        task.mode = request.sample_mode_raw or request.sample_mode
        task.samples = request.samps_per_chan
        return {}

    def _output_buffer(self, request: Any) -> dict[str, Any]:
        self._task(request).set_attribute(0x186D, request.num_samps_per_chan)
        return {}

    def _is_clocked(self, request: Any) -> dict[str, Any]:
        """Whether a line can be played on a clock (the only property of a line that is known)."""
        number = request.attribute_raw or request.attribute
        if number != 0x29A8:
            raise DaqFault(-200452, f"The virtual card has no line property 0x{number:04X}")
        line = self._card.short(request.physical_channel)
        if line not in self._card.lines:
            raise DaqFault(
                -200170, f"Physical channel specified does not exist: {request.physical_channel}"
            )
        return {"value": self._card.model.clocked(line)}


DESCRIPTIONS = {
    "CreateAIVoltageChan": "_input",
    "CreateAOVoltageChan": "_output",
    "CreateDOChan": "_digital_output",
    "CreateDIChan": "_digital_input",
    "CreateCOPulseChanTicks": "_pulse_ticks",
    "CreateCOPulseChanTime": "_pulse_time",
    "CfgSampClkTiming": "_clock",
    "CfgImplicitTiming": "_implicit_clock",
    "CfgOutputBuffer": "_output_buffer",
    "CfgDigEdgeStartTrig": "_trigger",
    "GetPhysicalChanAttributeBool": "_is_clocked",
}
"""Methods by the names of the calls."""


def _unflatten(names: str) -> list[str]:
    """Names in a list such as ``Dev1/ai0:1, Dev1/ai4``."""
    found = []
    for part in (piece.strip() for piece in names.split(",")):
        first, colon, last = part.partition(":")
        match = re.fullmatch(r"(.*?)(\d+)", first)
        end = re.fullmatch(r"(?:.*?)(\d+)", last) if colon else None
        if match is None or end is None:
            found.append(part)
            continue
        low, high = int(match[2]), int(end[1])
        step = 1 if high >= low else -1
        found += [f"{match[1]}{k}" for k in range(low, high + step, step)]
    return [name for name in found if name]
