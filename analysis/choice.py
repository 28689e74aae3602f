"""What the analyses of spectra and of reheating share: choices that are checked, provenance."""

from __future__ import annotations

from dataclasses import replace

from ..acquisition.records.record import Record
from ..acquisition.run_digest import Progress
from ..models.errors import InputError
from ..models.inference.result import FitResult

__all__ = ["Progress", "check_band", "with_input"]


def check_band(band: tuple[float, float] | None, sample_rate: float) -> None:
    """Refuse a band before the work of averaging."""
    nyquist = 0.5 * sample_rate
    if band is not None and not 0.0 <= band[0] < band[1] <= nyquist:
        raise InputError(
            f"band {band[0]:g} … {band[1]:g} Hz must lie within 0 … {nyquist:g} Hz (Nyquist), "
            "low < high"
        )


def with_input(result: FitResult, record: Record, columns: tuple[int, ...]) -> FitResult:
    """Add file and channels to the provenance, what was noticed on import to the warnings."""
    source = {
        **record.provenance,
        "channels": list(columns),
        "channel_names": [record.names[column] for column in columns],
        "sample_rate": record.sample_rate,
        "record_unit": record.unit,
    }
    return replace(
        result,
        warnings=(*record.warnings, *result.warnings),
        input={**result.input, **source},
    )
