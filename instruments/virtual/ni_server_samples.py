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
        by_channel = (request.data_layout_raw or request.data_layout) == _BY_CHANNEL
        task.volts = flat.reshape(count, rows).T if by_channel else flat.reshape(rows, count)
        if np.abs(task.volts).max() > _LARGEST:
            task.volts = None
            raise DaqFault(-200561, "Attempted writing analog data that is too large or too small")
        if request.auto_start:
            self._start(request)
        return {"samps_per_chan_written": rows}

    def _write_scalar(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        task.volts = np.full((1, len(task.places)), request.value)
        self._start(request)
        return {}

    def _write_lines(self, request: Any) -> dict[str, Any]:
        task = self._task(request)
        lines = task.lines
        rows = max(1, request.num_samps_per_chan)
        if task.kind != "do" or len(request.write_array) != rows * len(lines):
            raise DaqFault(-200524, "Write cannot be performed: number of lines does not match")
        levels = np.frombuffer(request.write_array, dtype=np.uint8)
        if (request.data_layout_raw or request.data_layout) == _BY_CHANNEL:
            last = levels.reshape(len(lines), rows)[:, -1]
        else:
            last = levels.reshape(rows, len(lines))[-1]
        self._start(request)
        self._card.require_unlocked(lines)
        self._card.set_lines({n: bool(v) for n, v in zip(lines, last, strict=True)})
        return {"samps_per_chan_written": rows}

    def _write_port(self, request: Any) -> dict[str, Any]:
        lines = self._task(request).lines
        self._start(request)
        self._card.require_unlocked(lines)
        value = request.value if hasattr(request, "value") else request.write_array[-1]
        self._card.set_lines({n: bool(value >> bit & 1) for bit, n in enumerate(lines)})
        return {} if hasattr(request, "value") else {"samps_per_chan_written": 1}

    def _read_lines(self, request: Any) -> dict[str, Any]:
        lines = self._task(request).lines
        self._start(request)
        levels = bytes(int(self._card.levels[line]) for line in lines)
        return {"read_array": levels, "samps_per_chan_read": 1, "num_bytes_per_samp": 1}

    def _read_port(self, request: Any) -> dict[str, Any]:
        lines = self._task(request).lines
        self._start(request)
        value = sum(int(self._card.levels[line]) << bit for bit, line in enumerate(lines))
        if hasattr(request, "num_samps_per_chan"):
            return {"read_array": [value], "samps_per_chan_read": 1}
        return {"value": value}


def _laid_out(block: NDArray[Any], request: Any) -> NDArray[Any]:
    """Samples in the order asked for."""
    by_channel = (request.fill_mode_raw or request.fill_mode) == _BY_CHANNEL
    return block.T.ravel() if by_channel else block.ravel()
