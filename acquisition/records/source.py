"""Where the samples of a record come from: what each format must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..ranges import Ranges
from ..release_setting import Setting

__all__ = ["SampleSource"]


class SampleSource(Protocol):
    """Where the samples of a record lie: a run file that is read on demand, or an array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        ...

    @property
    def jumps(self) -> bool:
        """Whether the indices between two ranges are of samples that are missing."""
        ...

    @property
    def release_index(self) -> int | None:
        """First sample of each repetition with feedback off, where the file states it."""
        ...

    def recorded(self) -> Ranges:
        """Everything recorded, in order."""
        ...

    def steady(self) -> Ranges:
        """What may be read as a steady record; raises InputError if there is none."""
        ...

    def releases(self, release_index: int | None) -> Ranges:
        """Usable stretches with feedback off; raises InputError if there are none."""
        ...

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Light of the usable releases, each once; empty where it is not told."""
        ...

    def released_in(self, light: Callable[[Setting], bool], words: str) -> SampleSource:
        """Return the same with the releases in some light alone; InputError if it is not told."""
        ...

    def counts(self, start: int, stop: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Stored values of a range within one stretch, shape (stop − start, columns)."""
        ...

    def held(self) -> AbstractContextManager[object]:
        """Keep the file open meanwhile."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
