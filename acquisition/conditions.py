"""What is wrong with the samples, in words: one line of the log when it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ..instruments.rig import Rig
from ..models.blocks import BlockStatus
from .slots import LogBook

__all__ = ["SIMULATION_LAGS", "ConditionWatch", "recorder_gap_text"]

SIMULATION_LAGS = "the simulation cannot keep up with real time on this computer"

_COMFORTABLE_SECONDS = 4.0  # twice a stall of 2 s, as disks have
_QUIET_SECONDS = 3.0  # without a mark; the next one is a new onset


class ConditionWatch:
    """Turns the marks of blocks into lines of the log, one at each onset.

    Parameters
    ----------
    rig : Rig
        For the simulated world, which knows the particle, and the mode.
    log : LogBook
        Receives the lines.
    sample_rate : float
        Hz.
    recording : callable
        Whether a run records the stream: only then is there a record with a gap.
    """

    def __init__(
        self,
        rig: Rig,
        log: LogBook,
        sample_rate: float,
        recording: Callable[[], bool] = lambda: True,
    ) -> None:
        self._rig, self._log, self._recording = rig, log, recording
        self._quiet = round(_QUIET_SECONDS * sample_rate)
        self._seen: dict[str, int] = {}
        self._lags = False

    def see(self, status: BlockStatus, sample: int) -> bool:
        """Take in the marks of the block that begins at ``sample``.

        Returns
        -------
        bool
            Whether the block is the first that says that a particle is lost.
        """
        doubt = str(getattr(self._rig.digitizer, "clock_doubt", ""))
        if doubt and doubt not in self._seen:
            self._seen[doubt] = sample
            self._log.add("warning", doubt)
        gone = bool(status & BlockStatus.PARTICLE_LOST) and self._note(
            "error", self._lost(), sample
        )
        if status & BlockStatus.SATURATED:
            self._note("warning", _SATURATED, sample)
        return gone

    def lost_samples(self, sample: int, lost: int) -> None:
        """Note that the digitizer lost samples before ``sample``.

        A simulation that is slower than the clock says so once a stream: no card lost anything. So
        does a digitizer that samples nothing while it hands over a buffer (``pauses``).
        """
        if self._rig.world is not None:
            if not self._lags:
                where = "each gap is marked in the record" if self._recording() else _UNRECORDED
                self._log.add(
                    "warning",
                    f"{SIMULATION_LAGS}: {lost} samples skipped before sample "
                    f"{sample}, and further ones as need be, {where}; use --set "
                    'simulation.clock="fast" or a lower sample rate, or close other programs',
                )
            self._lags = True
            return
        if getattr(self._rig.digitizer, "pauses", False):  # by nature: said once a stream
            if not self._lags:
                self._log.add(
                    "warning",
                    f"the digitizer pauses between its buffers ({lost} samples before sample "
                    f"{sample}, and so on): each gap is marked in the record",
                )
            self._lags = True
            return
        self._log.add(
            "error",
            f"the digitizer lost {lost} samples before sample {sample} of the stream: "
            f"{_MARKED if self._recording() else _UNRECORDED}; if it happens again, close other "
            "programs or lower the sample rate",
        )

    def short_ring(self, seconds: float) -> None:
        """Say what a ring that holds so few seconds of samples means, s."""
        if seconds < _COMFORTABLE_SECONDS:
            self._log.add(
                "warning",
                f"the ring between digitizer and disk holds {seconds:.2g} s of samples: a disk "
                "that stalls for longer costs samples; free shared memory (Docker: --shm-size) or "
                "lower the sample rate",
            )

    def _note(self, level: Literal["warning", "error"], text: str, sample: int) -> bool:
        """Write the line unless it goes on; return whether it was written."""
        last = self._seen.get(text)
        self._seen[text] = sample
        if last is not None and sample - last <= self._quiet:
            return False
        self._log.add(level, text.format(sample=sample))
        return True

    def _lost(self) -> str:
        """Name the particle if the world tells; the caller fills in the sample."""
        gone = () if self._rig.world is None else self._rig.world.lost
        names = [str(j) for j, lost in enumerate(gone, start=1) if lost]
        what = "a particle is lost"
        if len(names) == 1:
            what = f"particle {names[0]} is lost"
        elif names:
            what = f"particles {' and '.join(names)} are lost"
        it = "them" if len(names) > 1 else "it"
        remedy = f"reload {it}, then start the plan again"
        if self._rig.mode == "SIM":
            remedy = f"reload {it} (in the window: menu Session), then start the plan again"
        return (
            f"{what} (sample {{sample}}): {remedy}; recording goes on, what follows is marked and "
            "enters neither spectra nor curves"
        )


_MARKED = "the gap is marked in the record, spectra and releases across it are left out"
_UNRECORDED = "nothing is being recorded: only the live average begins anew"
_SATURATED = (
    "a detector is saturated (from sample {sample}): these blocks are marked and left out of the "
    "spectra; lower its gain or the motion, or check that feedback is on"
)


def recorder_gap_text(lost: int, sample: int) -> str:
    """Say that the recorder fell behind."""
    return (
        f"the recorder fell behind: {lost} samples before sample {sample} are not in the file; the "
        "gap is marked there and releases across it are left out; close other programs that use "
        "the disk, record on a local disk, or lower the sample rate"
    )
