"""What a source must be set to for its numbers to mean what the rig says.

Generators keep what somebody else left: an inverted output turns the light's phase by π, an offset
or a modulation makes another power of it, a coupled channel follows the other one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...models.errors import DeviceError
from ..links.base import LinkError, TextLink

__all__ = ["Expected", "ask_if_known", "normal", "off", "wrong_state", "zero"]

_LEAST_OFFSET = 1e-3  # V; devices round what they report


@dataclass(frozen=True)
class Expected:
    """One setting of a channel, and how it has to be.

    Attributes
    ----------
    what : str
        The setting in words.
    query : str
        Asks for it; ``{n}`` is the number of the channel, from 1.
    good : callable
        Whether an answer is as it has to be.
    wanted : str
        What it has to be, in words.
    remedy : str
        Command that sets it so.
    means : str
        What another value makes of the light.
    """

    what: str
    query: str
    good: Callable[[str], bool]
    wanted: str
    remedy: str
    means: str

    def refusal(self, name: str, channel: int, answer: str, lead: str = "") -> DeviceError:
        """Return the error to raise for another answer on a channel, from 0.

        ``lead`` is put before query and remedy.
        """
        n = channel + 1
        asked = lead + self.query.format(n=n)
        return wrong_state(
            f"{name} channel {n}", self.what, f"{answer} ({asked})", self.wanted,
            lead + self.remedy.format(n=n), self.means,
        )  # fmt: skip


def wrong_state(
    where: str, what: str, value: str, wanted: str, remedy: str, means: str
) -> DeviceError:
    """Return the error to raise for a device in another state than the rig takes for granted.

    Parameters
    ----------
    where : str
        Device and channel.
    what, value, wanted : str
        The setting, what it is, what it has to be.
    remedy : str
        Command that mends it.
    means : str
        What the value makes of the light.
    """
    return DeviceError(
        f"{where}: {what} is {value}, not {wanted}: {means}; set it at the front panel or send "
        f"{remedy}, then try again"
    )


def ask_if_known(
    link: TextLink, query: str, unknown: set[str], alive: Callable[[], object]
) -> str | None:
    """Ask what not every model of a family knows.

    Parameters
    ----------
    link : TextLink
        The line.
    query : str
        What is asked.
    unknown : set of str
        Questions that this device has not answered before; they are not asked again.
    alive : callable
        Raises LinkError unless the device answers what it must know.

    Returns
    -------
    str or None
        None if the device is silent about this question, and only about this one.

    Raises
    ------
    LinkError
        If the link is broken.
    """
    if query in unknown:
        return None
    try:
        return link.query(query).strip()
    except LinkError:
        link.flush()
        alive()
        unknown.add(query)
        return None


def normal(answer: str) -> bool:
    """Whether an answer says NORMAL, however long it is written."""
    return answer.strip().upper().startswith("NOR")


def off(answer: str) -> bool:
    """Whether an answer says that something is off."""
    return answer.strip().upper() in ("0", "OFF")


def zero(answer: str) -> bool:
    """Whether an answer is no voltage to speak of."""
    try:
        return abs(float(answer)) < _LEAST_OFFSET
    except ValueError:
        return False
