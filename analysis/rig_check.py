"""What a fit says against the rig: channels exchanged, a polarity reversed, damping not the gas's.

Only signs and orders of magnitude are compared: no alignment spoils these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..models.inference.result import FitResult

__all__ = ["against_rig", "overdamped"]

_SURE = 5.0  # standard errors from which a sign is known
_APART = 2e-3  # relative distance of two lines that the rig foresees, from which their order counts
_SMALL = 0.1  # of the largest coupling: smaller ones may have either sign in a real laboratory
_OTHER_GAS = 3.0  # damping over that of the gas, which gauges and radii do not explain
_COUPLINGS = ("g_r", "g_a")


def against_rig(result: FitResult, expected: Mapping[str, float]) -> tuple[str, ...]:
    """Compare a fit with what the rig predicts, as far as signs and orders of magnitude go.

    Parameters
    ----------
    result : FitResult
        Of a pair, or of one particle for its damping.
    expected : mapping of str to float
        Such as ``ob.predictions(trap)["exact"]``, rad/s. Leave out ``gamma…`` where feedback acts;
        ``pressure`` (Pa) is named in the message.

    Returns
    -------
    tuple of str
        One sentence for each contradiction.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.analyse_spectrum(record).result
    >>> expected = dict(ob.predictions(ob.load_trap("simulated-pair"))["exact"])
    >>> for name in ("gamma_1", "gamma_2"):  # of feedback, in this record
    ...     del expected[name]
    >>> ob.against_rig(result, expected)
    ()
    >>> expected["g_r"], expected["g_a"] = -expected["g_r"], -expected["g_a"]
    >>> "polarity" in ob.against_rig(result, expected)[0]
    True
    """
    return (*_order(result, expected), *_signs(result, expected), *_damping(result, expected))


def _order(result: FitResult, expected: Mapping[str, float]) -> tuple[str, ...]:
    """Channels that are exchanged, by the order of the lines."""
    names = ("omega_1", "omega_2")
    if not all(name in result.parameters and name in expected for name in names):
        return ()
    first, second = (result.value(name) for name in names)
    error = math.hypot(*(result.stderr(name) or 0.0 for name in names))
    apart = expected["omega_1"] - expected["omega_2"]
    if abs(apart) < _APART * expected["omega_1"] or (first - second) * apart > 0.0:
        return ()
    if abs(first - second) < _SURE * error or abs(first - second) < 0.2 * abs(apart):
        return ()
    hertz = (0.5 * v / math.pi for v in (first, second, expected["omega_1"], expected["omega_2"]))
    found = "lines at {:.6g} and {:.6g} Hz, the rig says {:.6g} and {:.6g} Hz".format(*hertz)
    return (f"{found}: the channels are exchanged, or the light is not the rig's",)


def _signs(result: FitResult, expected: Mapping[str, float]) -> tuple[str, ...]:
    """A detector whose polarity is reversed, by the signs of all couplings."""
    known = {name: expected[name] for name in _COUPLINGS if name in expected}
    largest = max(map(abs, known.values()), default=0.0)
    agree: list[str] = []
    against: list[str] = []
    for name, value in known.items():
        if name not in result.parameters or abs(value) < _SMALL * largest:
            continue
        found, error = result.value(name), result.stderr(name)
        if error and abs(found) > _SURE * error and abs(found) > _SMALL * largest:
            (agree if found * value > 0.0 else against).append(name)
    if against and not agree:
        return (
            f"{' and '.join(against)} ha{'ve' if len(against) > 1 else 's'} the opposite sign of "
            "what the rig says: the polarity of a detector is reversed, or φ is off by π",
        )
    if "g_a" in against:
        return (
            "g_a has the opposite sign of what the rig says, g_r has not: the channels are "
            "exchanged, or φ is not the rig's",
        )
    return ()


def _damping(result: FitResult, expected: Mapping[str, float]) -> tuple[str, ...]:
    """Damping that the gas does not explain."""
    said = []
    for name in ("gamma", "gamma_1", "gamma_2"):
        if name not in result.parameters or name not in expected:
            continue
        found, error, gas = result.value(name), result.stderr(name), expected[name]
        if error and found - _OTHER_GAS * gas > _SURE * error:
            pressure = expected.get("pressure")
            at = "" if pressure is None else f" at {pressure:.3g} Pa"
            said.append(
                f"{name}/2π = {0.5 * found / math.pi:.3g} Hz is not the damping of the gas"
                f"{at}, {0.5 * gas / math.pi:.2g} Hz: feedback acts, a line drifts, or the "
                "pressure is another"
            )
    return tuple(said)


def overdamped(result: FitResult) -> tuple[str, ...]:
    """Name motion that does not oscillate, γ > 2ω, or hardly: no line says its frequency."""
    said = []
    for number in ("", "_1", "_2"):
        if f"gamma{number}" not in result.parameters or f"omega{number}" not in result.parameters:
            continue
        gamma, omega = result.value(f"gamma{number}"), result.value(f"omega{number}")
        if gamma > omega:
            how = "overdamped" if gamma > 2.0 * omega else "nearly overdamped"
            particle = f" of particle {number[1]}" if number else ""
            said.append(
                f"the motion{particle} is {how} (gamma/2π = {0.5 * gamma / math.pi:.3g} Hz, "
                f"omega/2π = {0.5 * omega / math.pi:.3g} Hz): there is no line, and omega²/gamma "
                "is known better than either; give a --band up to the noise floor"
            )
    return tuple(said)
