"""Good values of what only a laboratory knows of its devices; a new rig file begins with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["YOURS"]

_EFFICIENCY = {"full_amplitude": "0.6 V"}
_AOM = {"carrier": "80 MHz", "site_power": "0.5 W", **_EFFICIENCY}
_SLEW = {"power_slew": "1 W/s", "position_slew": "20 um/s"}
_SOCKET = {"address": "TCPIP0::192.168.0.5::5555::SOCKET"}
_SERIAL = {"address": "ASRL3::INSTR"}
_ANALOGUE = {"channels": ["ai0"], "sample_rate": "1 MHz"}

YOURS: Mapping[str, Mapping[str, Any]] = {
    "digitizer.replay": {"path": "run.h5"},
    "digitizer.ni": {"device": "Dev1", **_ANALOGUE, "full_scale": "1 V", "terminal": "Diff"},
    "digitizer.redpitaya": {"host": "192.168.0.6", "channels": [1], "sample_rate": "1 MHz"},
    "digitizer.picoscope": {"channels": ["A"], "sample_rate": "1 MHz"},
    "digitizer.spectrum": {"channels": [0], "sample_rate": "1 MHz"},
    "controller.zurich": {"device": "dev1234"},
    "digitizer.zurich": {"device": "dev1234", "channels": ["demod0"]},
    "gate.ni": {"device": "Dev1", "line": "port0/line0", "active_high": True, "delay": "0 us"},
    "pattern.ni": {"device": "Dev1", "feedback_line": "port0/line0"},
    "slm": {"focal_length": "4 mm", "beam_waist": "4 mm"},
    "slm.display": {"pitch": "8 um", "screen": 1, "two_pi_level": 217.0},
    "slm.slmsuite": {"model": "meadowlark.Meadowlark"},
    "rf": {"amplitude_range": ["0 V", "0.6 V"]},
    "rf.siglent": _SOCKET,
    "rf.moglabs": _SOCKET,
    "rf.keysight": _SOCKET,
    "rf.rigol-dg1000z": _SOCKET,
    "rf.rigol-dg4000": _SOCKET,
    "rf.novatech-409b": _SERIAL,
    "rf.aa-mdsnc": _SERIAL,
    "gauge": {"sensor": "full-range"},
    "gauge.pfeiffer-tpg": _SERIAL,
    "gauge.mks-937b": _SERIAL,
    "gauge.agilent-xgs600": _SERIAL,
    "light.slm": {"total_power": "0.5 W", **_SLEW},
    "light.slm+rf": {**_AOM, **_SLEW},
    "light.aom": {**_AOM, "power_slew": "1 W/s"},
    "light.aod": {
        "site_power": "0.5 W",
        **_EFFICIENCY,
        "axes": [{"axis": "x", "centre": "80 MHz", "scale": "2.5 um/MHz"}],
        **_SLEW,
    },
}
"""By family, and by family and driver."""
