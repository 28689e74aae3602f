"""Calls of the virtual NI card that move samples and levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ni_server_card import Card
from .ni_server_stream import DaqFault
from .ni_server_tasks import CardTask

__all__ = ["SampleCalls"]

_BY_CHANNEL = 0  # fill modes: by channel, or interleaved by scan
_LARGEST = 10.0  # V


class SampleCalls:
    """Reads and writes; :class:`~.ni_server_calls.Calls` adds tasks, settings and events."""

    _card: Card

    def _task(self, request: Any) -> CardTask:
        """Task of a request."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _start(self, request: Any) -> dict[str, Any]:
        """Start the task of a request."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _reserve(self, task: CardTask) -> None:
        """Refuse what another task holds."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _block(self, request: Any) -> tuple[NDArray[np.int16], int, list[int]]:
        """Samples (rows, channels) of a read, its status, and the columns."""
        task = self._task(request)
        if task.kind != "ai":
            raise DaqFault(-200525, "Read cannot be performed: the task has no analogue input")
        if task.acquisition is None:
            self._start(request)
        acquisition = task.require_acquisition()
        rows = request.num_samps_per_chan if hasattr(request, "num_samps_per_chan") else 1
        if rows < 0:
            rows = task.attribute(0x31E8)
        try:
            return acquisition.read(rows, request.timeout, task.places), 0, task.places
        except DaqFault as fault:
            if fault.samples is None:
                raise
            return fault.samples, fault.code, task.places

    def _read_raw(self, request: Any) -> dict[str, Any]:
        block, status, columns = self._block(request)
        return {
            "read_array": block.tobytes(),
            "samps_read": len(block),
            "num_bytes_per_samp": 2 * len(columns),
            "status": status,
        }

    def _read_i16(self, request: Any) -> dict[str, Any]:
        block, status, _ = self._block(request)
        flat = _laid_out(block, request)
        return {"read_array": flat.tolist(), "samps_per_chan_read": len(block), "status": status}

    def _read_f64(self, request: Any) -> dict[str, Any]:
        block, status, columns = self._block(request)
        volts = block * np.array([self._card.scales[column] for column in columns])
        flat = _laid_out(volts, request)
        return {"read_array": flat.tolist(), "samps_per_chan_read": len(block), "status": status}

    def _read_scalar(self, request: Any) -> dict[str, Any]:
        block, status, columns = self._block(request)
        if status:
            raise DaqFault(status, "Some or all of the samples have not yet been acquired")
        return {"value": float(block[0, 0]) * self._card.scales[columns[0]]}

    def _write_f64(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        if task.kind != "ao":
            raise DaqFault(-200524, "Write cannot be performed: the task has no analogue output")
        count, rows = len(task.places), request.num_samps_per_chan
        flat = np.asarray(request.write_array, dtype=np.float64)
        if flat.size != count * rows or rows < 1:
            raise DaqFault(-200524, "Number of channels or samples does not match the data")
        volts = _rows(flat, count, request)
        if not np.abs(volts).max() <= _LARGEST:
            raise DaqFault(-200561, "Attempted writing analog data that is too large or too small")
        if task.generation is not None:
            return self._write_clocked(task, request, volts)
        task.volts = volts
        if request.auto_start:
            self._start(request)
        return {"samps_per_chan_written": rows}

    def _write_clocked(
        self, task: CardTask, request: Any, rows: NDArray[np.float64]
    ) -> dict[str, Any]:
        """Put rows (samples, columns) into the buffer of a clocked output."""
        if not task.holds:
            self._reserve(task)
        task.write(rows, request.timeout)
        if request.auto_start:
            self._start(request)
        return {"samps_per_chan_written": len(rows)}

    def _write_scalar(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        task.volts = np.full((1, len(task.places)), request.value)
        self._start(request)
        return {}

    def _write_lines(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        count, rows = len(task.lines), max(1, request.num_samps_per_chan)
        if task.kind != "do" or len(request.write_array) != rows * count:
            raise DaqFault(-200524, "Write cannot be performed: number of lines does not match")
        levels = np.frombuffer(request.write_array, dtype=np.uint8)
        return self._write_levels(task, request, _rows(levels, count, request))

    def _write_ports(self, request: Any) -> dict[str, Any]:
        """Words, one for each channel and sample; bit k is line k of the channel's port."""
        task = self._task(request)
        count, rows = len(task.places), request.num_samps_per_chan
        words = np.asarray(request.write_array, dtype=np.int64)
        if task.kind != "do" or rows < 1 or words.size != rows * count:
            raise DaqFault(-200524, "Write cannot be performed: number of words does not match")
        return self._write_levels(task, request, _levels_of(task, _rows(words, count, request)))

    def _write_port(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        words = np.full((1, len(task.places)), request.value, dtype=np.int64)
        self._write_levels(task, request, _levels_of(task, words))
        return {}

    def _write_levels(self, task: CardTask, request: Any, levels: NDArray[Any]) -> dict[str, Any]:
        """Levels (samples, lines): into the buffer of a clocked task, or on the lines at once."""
        if task.generation is not None:
            return self._write_clocked(task, request, levels.astype(np.float64))
        if not task.running and not request.auto_start:
            raise DaqFault(-200846, "Write cannot be performed: the task is not started")
        self._start(request)
        self._card.require_unlocked(task.lines)
        last = zip(task.lines, levels[-1].tolist(), strict=True)
        self._card.set_lines({line: bool(level) for line, level in last})
        return {"samps_per_chan_written": len(levels)}

    def _read_lines(self, request: Any) -> dict[str, Any]:
        lines = self._shown(request)
        levels = bytes(int(self._card.levels[line]) for line in lines)
        return {"read_array": levels, "samps_per_chan_read": 1, "num_bytes_per_samp": 1}

    def _read_port(self, request: Any) -> dict[str, Any]:
        self._shown(request)
        return {"value": self._words(self._task(request))[0]}

    def _read_ports(self, request: Any) -> dict[str, Any]:
        self._shown(request)
        return {"read_array": self._words(self._task(request)), "samps_per_chan_read": 1}

    def _shown(self, request: Any) -> list[str]:
        """Lines whose levels are read now.

        Raises
        ------
        DaqFault
            -200452 for a clocked output: what it plays cannot be read.
        """
        task = self._task(request)
        if task.generation is not None:
            raise DaqFault(-200452, "Read cannot be performed on a clocked output")
        self._start(request)
        return task.lines

    def _words(self, task: CardTask) -> list[int]:
        levels = self._card.levels
        return [sum(int(levels[n]) << _bit(n) for n in place) for place in task.places]


def _bit(line: str) -> int:
    """Number of a line in its port."""
    return int(line.rpartition("line")[2])


def _levels_of(task: CardTask, words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Levels (samples, lines) of words (samples, channels)."""
    columns = [
        words[:, channel] >> _bit(line) & 1
        for channel, lines in enumerate(task.places)
        for line in lines
    ]
    return np.stack(columns, axis=1)


def _rows(flat: NDArray[Any], count: int, request: Any) -> NDArray[Any]:
    """Samples (rows, columns) of a write."""
    by_channel = (request.data_layout_raw or request.data_layout) == _BY_CHANNEL
    return flat.reshape(count, -1).T if by_channel else flat.reshape(-1, count)


def _laid_out(block: NDArray[Any], request: Any) -> NDArray[Any]:
    """Samples in the order asked for."""
    by_channel = (request.fill_mode_raw or request.fill_mode) == _BY_CHANNEL
    return block.T.ravel() if by_channel else block.ravel()
