"""How an estimate is written: value and error end at the same digit, two digits of the error."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["as_precise", "in_hertz", "measured"]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL, _LARGE = 1e-3, 1e7


def measured(value: float, stderr: float | None) -> str:
    """Write value ± standard error; a number without error to six digits.

    Examples
    --------
    >>> measured(75.31234, 0.0239)
    '75.312 ± 0.024'
    >>> measured(-2.26e-6, 5.6e-8)
    '(−2.260 ± 0.056)·10⁻⁶'
    """
    return _written(value, stderr, lambda v, e, d: f"{_fixed(v, d)} ± {_fixed(e, d)}", "({})")


def as_precise(value: float, stderr: float | None) -> str:
    """Write a number without error, a truth or a prediction, as precisely as its estimate.

    Examples
    --------
    >>> as_precise(75.3, 0.0239)
    '75.300'
    """
    return _written(value, stderr, lambda v, _, d: _fixed(v, d), "{}")


def _written(
    value: float, stderr: float | None, form: Callable[[float, float, int], str], bracket: str
) -> str:
    """Write with the decimals of an error; very large and small numbers with a power of ten.

    ``form`` takes value, error and decimals; ``bracket`` holds what stands before the power.
    """
    if not math.isfinite(value):
        return "–"
    if not _counts(stderr):
        return _plain(value)
    assert stderr is not None
    size = max(abs(value), stderr)
    if _SMALL <= size < _LARGE:
        return form(value, stderr, _decimals(stderr))
    exponent = math.floor(math.log10(size))
    scale = 10.0**exponent
    inner = form(value / scale, stderr / scale, _decimals(stderr / scale))
    return f"{bracket.format(inner)}·10{str(exponent).translate(_SUPERSCRIPT)}"


def in_hertz(value: float | None, unit: str) -> tuple[float | None, str]:
    """Divide rates by 2π for the reader; other units stay.

    Examples
    --------
    >>> in_hertz(628.3185307179587, "rad/s")
    (100.0, 'Hz')
    """
    if unit != "rad/s":
        return value, unit
    return (None if value is None else value / math.tau), "Hz"


def _counts(stderr: float | None) -> bool:
    return stderr is not None and math.isfinite(stderr) and stderr > 0.0


def _decimals(stderr: float) -> int:
    """Decimals that show two digits of an error; negative for errors of 100 and more."""
    decimals = 1 - math.floor(math.log10(stderr))
    # 0.0996 becomes 0.10, not 0.100.
    return decimals - 1 if round(stderr, decimals) >= 10.0 ** (2 - decimals) else decimals


def _fixed(value: float, decimals: int) -> str:
    text = f"{round(value, decimals):.{max(0, decimals)}f}"
    return text.replace("-", "−")


def _plain(value: float) -> str:
    """Six digits, with no zeros behind them."""
    size = math.floor(math.log10(abs(value))) if value else 0
    if -4 <= size < 7:
        text = f"{value:.{max(0, 5 - size)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:.6g}"
    return text.replace("-", "−")
