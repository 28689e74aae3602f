"""Errors that a user can cause or meet; each class fixes the exit code of the command line."""

from __future__ import annotations

__all__ = [
    "ConvergenceError",
    "DeviceError",
    "FileError",
    "InputError",
    "LightUnknownError",
    "NotTrappedError",
    "OptobindError",
    "UnstableModelError",
]


class OptobindError(Exception):
    """Base of every error that is not a bug; its text is one line that says what to do."""

    exit_code = 2


class InputError(OptobindError, ValueError):
    """A value, file or option that cannot be used (exit code 2)."""


class FileError(InputError):
    """A file that is missing, truncated, foreign, unreadable or unwritable (exit code 2)."""


class NotTrappedError(InputError):
    """No stable equilibrium holds a particle (exit code 2)."""


class UnstableModelError(InputError):
    """A steady state was asked of a model that grows (exit code 2).

    Parameters
    ----------
    growth_rate : float
        Largest real part of the drift's eigenvalues, 1/s.
    """

    def __init__(self, growth_rate: float, advice: str = "") -> None:
        self.growth_rate = growth_rate
        text = f"the model is unstable: amplitudes grow at {growth_rate:.4g} 1/s"
        super().__init__(f"{text}; {advice}" if advice else text)


class ConvergenceError(OptobindError):
    """A fit or an iteration that did not converge (exit code 3)."""

    exit_code = 3


class DeviceError(OptobindError):
    """A device, driver or its link that failed (exit code 4).

    Attributes
    ----------
    failures : tuple of str
        What to say of each device where several failed; empty for one.
    """

    exit_code = 4
    failures: tuple[str, ...] = ()


class LightUnknownError(DeviceError):
    """Devices that answer, but whose light is not known until it is set (exit code 4)."""
