"""What drivers of controllers share: ranges before anything is sent, read-back, taking back."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod

from ...models.errors import DeviceError
from ..controller_protocol import (
    ControllerCapabilities,
    LoopSetting,
    differences,
    require_loop,
    require_setting,
)
from ..driver import Driver

__all__ = ["CheckedController"]


class CheckedController(Driver, ABC):
    """A controller whose settings are checked, read back, and taken back where they went wrong.

    Subclasses give ``_open``, ``_close``, ``_read``, ``_write`` and ``enabled``, and set
    ``_limits``, in ``_open`` at the latest.
    """

    _limits: ControllerCapabilities

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Limits."""
        return self._limits

    def check(self, loop: int, setting: LoopSetting) -> None:
        """Raise InputError for a setting that ``set`` would refuse; sends nothing."""
        require_setting(self._name, loop, setting, self._limits)

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Set one loop and return what is read back.

        Raises
        ------
        InputError
            For a setting out of range; nothing was sent.
        DeviceError
            If the device refuses, or holds something else; what was before is set again then.
        """
        self.check(loop, setting)
        with self._talking():
            before = self._read(loop)
            try:
                self._write(loop, setting, before)
                found = self._read(loop)
                wrong = ", ".join(differences(setting, found, self._limits))
                if wrong:
                    raise DeviceError(f"{self._name}: loop {loop} holds {wrong}")
            except BaseException:
                # On a broken link this fails as well: whoever asked reads back.
                with contextlib.suppress(Exception):
                    self._write(loop, before, None)
                raise
        return found

    def read(self, loop: int) -> LoopSetting:
        """Read one loop back from the device."""
        self._require_link()
        require_loop(self._name, loop, self._limits)
        with self._talking():
            return self._read(loop)

    @abstractmethod
    def _open(self) -> str: ...

    @abstractmethod
    def _read(self, loop: int) -> LoopSetting:
        """Ask for a loop."""

    @abstractmethod
    def _write(self, loop: int, setting: LoopSetting, now: LoopSetting | None) -> None:
        """Set a loop; ``now`` is what it has, None if that is not known."""

    @abstractmethod
    def enabled(self, loop: int) -> bool:
        """Whether the loop's output is on."""
