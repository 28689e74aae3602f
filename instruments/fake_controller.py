"""A scripted controller for tests: it keeps what it is told, fails on cue, and can be rude."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .controller_protocol import (
    ControllerCapabilities,
    LoopSetting,
    require_loop,
    require_setting,
)
from .fakes import Fault, ScriptedDevice

__all__ = ["FakeController"]


class FakeController(ScriptedDevice):
    """Keeps the settings of its loops.

    Parameters
    ----------
    settings : sequence of LoopSetting
        One for each loop.
    faults : mapping, optional
        Faults by method ("connect", "set", "read", "enabled") and number of the call.
    capabilities : ControllerCapabilities, optional
        Limits.
    takes : callable, optional
        What the device makes of what it is told: rounds, ignores, …
    """

    def __init__(
        self,
        settings: Sequence[LoopSetting],
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        capabilities: ControllerCapabilities | None = None,
        takes: Callable[[LoopSetting], LoopSetting] = lambda setting: setting,
        name: str = "controller",
    ) -> None:
        super().__init__(name, faults)
        self._settings, self._takes = list(settings), takes
        self._capabilities = capabilities or ControllerCapabilities(
            loops=len(settings), gain_range=(0.0, 1e6), follows=True
        )
        self.history: list[tuple[int, LoopSetting]] = []

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Limits."""
        return self._capabilities

    def check(self, loop: int, setting: LoopSetting) -> None:
        """Raise InputError for a setting out of range."""
        require_setting(self.name, loop, setting, self._capabilities)

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Take a setting over, or what the script makes of it."""
        self._next("set", linked=True)
        self.check(loop, setting)
        self.history.append((loop, setting))
        self._settings[loop] = self._takes(setting)
        return self._settings[loop]

    def read(self, loop: int) -> LoopSetting:
        """Return the setting taken last."""
        self._next("read", linked=True)
        require_loop(self.name, loop, self._capabilities)
        return self._settings[loop]

    def enabled(self, loop: int) -> bool:
        """Whether the output is on."""
        self._next("enabled", linked=True)
        require_loop(self.name, loop, self._capabilities)
        return True
