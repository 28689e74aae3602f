"""What the suite asks of the light: a TweezerState becomes masks and tones, and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..models.light import TweezerState
from .capabilities import LightCapabilities

__all__ = ["AppliedLight", "TweezerControl"]


@dataclass(frozen=True)
class AppliedLight:
    """What a TweezerControl actually set.

    Attributes
    ----------
    state : TweezerState
        Read back from the devices.
    phase_error : float
        Predicted error of φ by quantisation, rad.
    settling_time : float
        Time after which the light is as stated, s.
    """

    state: TweezerState
    phase_error: float = 0.0
    settling_time: float = 0.0

    @property
    def beat(self) -> float:
        """ν_2 − ν_1 of the first two sites, Hz.

        With a beat φ does not rest: φ(t) = φ + 2π·beat·t from the moment the light was set.
        """
        sites = self.state.sites
        return sites[1].detuning - sites[0].detuning if len(sites) > 1 else 0.0


class TweezerControl(Protocol):
    """Turns a TweezerState into masks and tones, and back."""

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set, and within which ranges."""
        ...

    def check(self, state: TweezerState) -> None:
        """Refuse what :meth:`apply` would refuse; may read devices, writes nothing.

        Raises
        ------
        InputError
            For a value that is out of range, no number or cannot be set here.
        """
        ...

    def apply(self, state: TweezerState) -> AppliedLight:
        """Set the light.

        Raises
        ------
        InputError
            If a value is out of range or cannot be set here; nothing has been changed then.
        DeviceError
            If a device fails; the last good set-point stays, except that no power that had been
            raised is lowered again.
        """
        ...

    def step(self, state: TweezerState) -> None:
        """Make one step of a ramp towards a state that was checked; ``read`` comes before it.

        Only what has changed since the last ``read`` or ``step`` is sent, and nothing read back.
        Powers below the allowed range are set: a ramp may begin in the dark.

        Raises
        ------
        InputError, DeviceError
            As :meth:`apply`; the light stays at the step before.
        """
        ...

    def confirm(self, state: TweezerState) -> AppliedLight:
        """Read the light back after steps that ended at ``state``; phase error and settling."""
        ...

    def read(self) -> AppliedLight:
        """Read the light back from the devices.

        Raises
        ------
        LightUnknownError
            If the devices answer but do not know what they show.
        DeviceError
            If a device fails.
        """
        ...

    def release(self) -> None:
        """Switch all trap light off: the particles are lost. No fault ever lowers it.

        Raises
        ------
        DeviceError
            If a device fails; what could be switched off is off.
        """
        ...
