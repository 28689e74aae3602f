"""Settings of Keysight's and Rigol's generators that make another light of the same numbers.

Headers follow the makers' programming guides; what a model does not know it may leave unanswered.
"""

from __future__ import annotations

import re

from .expected import Expected, normal, off, zero

__all__ = ["ANGLE", "KEYSIGHT", "MEANING", "RIGOL"]

_LOAD = 50.0
_AMPLITUDES = "amplitudes (Vpp of a sine into 50 Ω) would mean something else"
_VARIES = "frequency or amplitude would change by themselves"
_FOLLOWS = "a change of one channel would change the other one"


def _is_load(answer: str) -> bool:
    """Whether an answer is 50 Ω; INF and 9.9E37 stand for high impedance."""
    try:
        return abs(float(answer) - _LOAD) <= 0.01 * _LOAD
    except ValueError:
        return False


MEANING = (
    Expected("the waveform", "SOUR{n}:FUNC?", lambda a: bool(re.fullmatch("SIN(USOID)?", a)),
             "SIN", "SOUR{n}:FUNC SIN", _AMPLITUDES),
    Expected("the unit of amplitudes", "SOUR{n}:VOLT:UNIT?", lambda a: a == "VPP",
             "VPP", "SOUR{n}:VOLT:UNIT VPP", _AMPLITUDES),
    Expected("the load", "OUTP{n}:LOAD?", _is_load, "50 Ω", "OUTP{n}:LOAD 50", _AMPLITUDES),
)  # fmt: skip
"""Asked before every change."""

ANGLE = Expected("the unit of phases", "UNIT:ANGL?", lambda a: a.upper().startswith("DEG"),
                 "DEG", "UNIT:ANGL DEG", "phases (deg) would mean something else")  # fmt: skip
"""Asked before every change, of Keysight's."""

_BOTH = (
    Expected("the polarity", "OUTP{n}:POL?", normal, "NORMAL", "OUTP{n}:POL NORM",
             "the phase of the light would be turned by π"),
    Expected("the offset", "SOUR{n}:VOLT:OFFS?", zero, "0 V", "SOUR{n}:VOLT:OFFS 0",
             "a direct voltage would reach amplifier and modulator"),
    Expected("the sweep", "SOUR{n}:SWE:STAT?", off, "OFF", "SOUR{n}:SWE:STAT OFF", _VARIES),
    Expected("the burst", "SOUR{n}:BURS:STAT?", off, "OFF", "SOUR{n}:BURS:STAT OFF",
             "the light would be interrupted"),
    Expected("tracking of the channels", "SOUR{n}:TRACK?", off, "OFF", "SOUR{n}:TRACK OFF",
             _FOLLOWS),
)  # fmt: skip

KEYSIGHT = (
    *_BOTH,
    *(
        Expected(f"{kind} modulation", f"SOUR{{n}}:{kind}:STAT?", off, "OFF",
                 f"SOUR{{n}}:{kind}:STAT OFF", _VARIES)
        for kind in ("AM", "FM", "PM", "FSK", "BPSK", "PWM", "SUM")
    ),
    Expected("the frequency mode", "SOUR{n}:FREQ:MODE?", lambda a: a in ("CW", "FIX"), "CW",
             "SOUR{n}:FREQ:MODE CW", _VARIES),
    Expected("coupling of frequencies", "SOUR{n}:FREQ:COUP?", off, "OFF", "SOUR{n}:FREQ:COUP OFF",
             _FOLLOWS),
    Expected("coupling of amplitudes", "SOUR{n}:VOLT:COUP?", off, "OFF", "SOUR{n}:VOLT:COUP OFF",
             _FOLLOWS),
    Expected("the other channel added to this one", "SOUR{n}:COMB:FEED?", lambda a: a == "NONE",
             "NONE", "SOUR{n}:COMB:FEED NONE", "the light would carry both tones"),
    Expected("the output mode", "OUTP{n}:MODE?", normal, "NORM", "OUTP{n}:MODE NORM",
             "a gate would interrupt the light"),
)  # fmt: skip
"""Asked when connecting and before a run."""

RIGOL = (
    *_BOTH,
    Expected("the modulation", "SOUR{n}:MOD:STAT?", off, "OFF", "SOUR{n}:MOD:STAT OFF", _VARIES),
    Expected("coupling of the channels", "COUP:STAT?",
             lambda a: "ON" not in re.split(r"[:,]", a.upper()) and a.strip() != "1",
             "OFF", "COUP:STAT OFF", _FOLLOWS),
    Expected("added noise", "OUTP{n}:NOIS?", off, "OFF", "OUTP{n}:NOIS OFF",
             "the light would be noisy"),
)  # fmt: skip
"""Asked when connecting and before a run."""
