"""Work for tests of batches, importable in every process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from optobind.models.errors import InputError


def square(*, number: int, log: str) -> dict[str, object]:
    """A number's square; writes down that it was asked."""
    with Path(log).open("a") as file:
        file.write(f"{number}\n")
    if number == 13:
        raise InputError("13 is refused")
    if number == 7:
        raise ValueError("a bug")
    return {"square [1]": number**2, "root [1]": float(np.sqrt(number))}


def deadly(*, number: int, always: int) -> dict[str, object]:
    """Kills its worker for one number."""
    if number == always:
        os._exit(9)
    time.sleep(0.01)
    return {"square": number**2}


def slow(*, number: int, folder: str) -> dict[str, object]:
    """Takes a while, and tells who does it."""
    Path(folder, f"{number}.{os.getpid()}").touch()
    time.sleep(0.3)
    return {"square": number**2}


def interrupting(*, number: int) -> dict[str, object]:
    """Work in this process that the user interrupts."""
    if number == 3:
        raise KeyboardInterrupt
    return {"square": number**2}
