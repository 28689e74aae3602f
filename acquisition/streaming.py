"""The digitizer of an experiment: started for a run or for the live display, read, stopped."""

from __future__ import annotations

from collections.abc import Callable

from ..instruments.rig import Rig
from ..models.blocks import BlockStatus
from ..models.errors import DeviceError, OptobindError
from .conditions import ConditionWatch
from .monitors import MonitorWatch
from .reserved import when_free
from .runner_state import StateBoard
from .slots import LogBook
from .stream import Stream

__all__ = ["Streaming"]


class Streaming:
    """Begins and ends streams, and reads while no run does; for the runner's thread.

    Parameters
    ----------
    rig : Rig
        Has the digitizer.
    log : LogBook
        Receives what happens, in words.
    board : StateBoard
        Gets the stream.
    on_stream : callable
        Called with a new Stream, and with None before a stream ends.
    on_loss : callable
        Called when a particle is lost.
    closing : callable
        Whether the session is being closed.
    block_seconds : float
        Longest block, s.
    """

    def __init__(
        self,
        rig: Rig,
        log: LogBook,
        board: StateBoard,
        on_stream: Callable[[Stream | None], None],
        on_loss: Callable[[], None],
        closing: Callable[[], bool],
        block_seconds: float,
    ) -> None:
        self._rig, self._log, self._board = rig, log, board
        self._on_stream, self._on_loss, self._closing = on_stream, on_loss, closing
        self._block_seconds = block_seconds
        self._shown = True

    @property
    def now(self) -> Stream | None:
        """The running stream."""
        return self._board.state.stream

    @property
    def present(self) -> int:
        """Index of the sample that is being taken now, 0 when nothing streams."""
        stream = self.now
        if stream is None:
            return 0
        try:
            return stream.present()
        except DeviceError:  # a card that fails must not keep the light from being changed
            return stream.position

    def begin(self, unwanted: Callable[[], bool] = lambda: False, *, shown: bool = True) -> Stream:
        """Start the digitizer as soon as it is free; the live displays follow.

        Parameters
        ----------
        unwanted : callable
            Ends a wait for a card that somebody else holds.
        shown : bool
            False for a stretch that is too short to be displayed.

        Raises
        ------
        InputError, DeviceError
            If it cannot be started.
        """
        digitizer = self._rig.digitizer
        info = digitizer.info
        watch = ConditionWatch(
            self._rig, self._log, info.sample_rate, lambda: self._board.state.run is not None
        )
        monitors = MonitorWatch(self._rig.detectors, info.scale, info.sample_rate, self._log)

        def see(status: BlockStatus, sample: int) -> None:
            if watch.see(status, sample):
                self._on_loss()

        def begin() -> Stream:
            return Stream(
                digitizer,
                self._block_seconds,
                watch.lost_samples,
                see,
                self._note_waiting,
                monitors,
            )

        stream = when_free(begin, self._log, lambda: self._closing() or unwanted())
        self._board.change(stream=stream)
        if digitizer.info.real_time:
            watch.short_ring(stream.ring_seconds)
        self._shown = shown
        if shown:
            self._on_stream(stream)
        return stream

    def _note_waiting(self, awaited: str) -> None:
        text = f"waiting for {awaited}" if awaited else "the first samples have come"
        self._log.add("info", text)

    def end(self) -> None:
        """Stop the digitizer. Safe to call at any time."""
        stream = self.now
        if stream is None:
            return
        if self._shown:
            self._on_stream(None)
        self._board.change(stream=None)
        try:
            stream.close()
        except Exception as error:  # the ring is gone in any case
            self._log.add("warning", f"the digitizer did not stop in good order: {error}")

    def resume(self) -> None:
        """Go on with the live display after a run; its outcome matters more than a failure."""
        if self._closing():
            return
        try:
            self.begin()
        except Exception as error:
            self._log.add("error", f"the live display could not go on: {error}")

    def read_idle(self) -> None:
        """Read one block for the live display, if it is on."""
        stream = self.now
        if stream is None:
            return
        try:
            stream.read(stream.block_rows, self._closing)
        except Exception as error:  # a driver's bug must not end the thread that serves commands
            text = str(error) if isinstance(error, OptobindError) else f"internal error: {error!r}"
            self._log.add("error", f"streaming stopped: {text}")
            self.end()
            return
        if stream.finished:
            self._log.add("info", "the record has been played to its end")
            self.end()
