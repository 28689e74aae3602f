"""What the drivers of RF sources share: limits, checks before sending, read-back after.

A tone that a device refuses or takes differently than asked is taken back: the channel gets its old
tone again and the caller an error. When the link breaks nothing more is sent: the outputs stay as
the device has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..driver import Driver
from ..links.base import LinkError, TextLink
from ..links.visa import LinkOptions, make_link
from ..protocols import RFCapabilities, RFTone
from ..setpoints import wrapped_phase

__all__ = ["RFDriver", "TextRFOptions", "TextRFSource", "dbm_of", "volts_of"]


def dbm_of(amplitude: float) -> float:
    """Power into 50 Ω, dBm, of an amplitude in V peak."""
    return 10.0 * math.log10(10.0 * amplitude * amplitude)  # V²/(2·50 Ω) in mW is 10 V²


def volts_of(dbm: float) -> float:
    """Amplitude, V peak into 50 Ω, of a power in dBm."""
    return math.sqrt(0.1 * math.pow(10.0, 0.1 * min(dbm, 1000.0)))  # beyond it is no power


def _range_option(
    name: str, value: Sequence[float] | None, unit: str
) -> tuple[float, float] | None:
    """Check an option that narrows a range."""
    if value is None:
        return None
    if len(value) != 2 or not 0.0 <= value[0] <= value[1] < math.inf:
        raise InputError(f"{name} must be two rising values in {unit}, got {value!r}")
    return (float(value[0]), float(value[1]))


class RFDriver(Driver):
    """Checks and read-back around what a family of sources does its own way.

    Subclasses give ``_open``, ``_read_tone``, ``_write_tone``, ``_tolerance`` and ``_align``.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    widest : RFCapabilities
        What the largest model of the family can do.
    channels : int
        Channels in use, counted from the first.
    frequency_range, amplitude_range : sequence of two floats, optional
        Narrower limits than the model's, Hz and V peak into 50 Ω.
    """

    def __init__(
        self,
        name: str,
        widest: RFCapabilities,
        *,
        channels: int = 2,
        frequency_range: Sequence[float] | None = None,
        amplitude_range: Sequence[float] | None = None,
    ) -> None:
        super().__init__(name)
        self._channels = int(require_range("channels", channels, 1, widest.channels))
        self._own_frequencies = _range_option("frequency_range", frequency_range, "Hz")
        self._own_amplitudes = _range_option("amplitude_range", amplitude_range, "V")
        self._widest, self._model = widest, widest
        self._remarks: list[str] = []
        # Frequencies as they were asked for: devices report them with fewer digits or in steps of
        # their own, but two channels at one frequency must compare as equal.
        self._asked: dict[int, float] = {}

    @property
    def capabilities(self) -> RFCapabilities:
        """Limits; those of the model once connected."""
        model = self._model
        return replace(
            model,
            channels=self._channels,
            frequency_range=_both(model.frequency_range, self._own_frequencies),
            amplitude_range=_both(model.amplitude_range, self._own_amplitudes),
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was found on the device that its user should know; newest look."""
        return tuple(self._remarks)

    def check_setup(self) -> tuple[str, ...]:
        """Look whether the device still is as it has to be; writes no setting.

        Returns
        -------
        tuple of str
            What its user should know.

        Raises
        ------
        DeviceError
            If a setting makes something else of the light than the rig says; names the setting,
            its value, the wanted one, and the remedy.
        LinkError
            If the link breaks.
        """
        self._require_link()
        with self._talking():
            self._look()
            for channel in range(self._channels):
                self._remark_off(channel, self._sound_tone(channel))
        return self.remarks

    def set_tone(self, channel: int, tone: RFTone) -> None:
        """Set one channel (counted from 0) and read it back.

        Raises
        ------
        InputError
            For a value out of range; nothing has been sent then.
        DeviceError
            If the device refuses the tone or has another one afterwards; the old tone is set again.
        LinkError
            If the link breaks; nothing more is sent then.
        """
        self._require_link()
        self._require_channel(channel)
        if tone.enabled:
            self._check(tone)
        with self._talking():
            self._prepare(channel)
            before = self._sound_tone(channel)
            if not tone.enabled:
                self._check(tone, before)  # switching off must not fail for a value that stays
            self._check_phase(tone, before)
            self._check_range(tone, before)
            try:
                self._write_tone(channel, tone, before)
                self._compare(channel, tone, self._sound_tone(channel))
            except LinkError:
                raise
            except DeviceError as error:
                raise self._taken_back(channel, before, error) from error
            self._asked[channel] = tone.frequency

    def step_tone(self, channel: int, tone: RFTone, before: RFTone | None) -> None:
        """Send what differs from ``before``; neither reads before nor after.

        Raises
        ------
        InputError
            For a value out of range; nothing has been sent then.
        DeviceError
            If the device refuses the tone in its answer.
        """
        self._require_link()
        self._require_channel(channel)
        if tone.enabled:
            self._check(tone, before)
        with self._talking():
            if before is not None:
                self._check_range(tone, before)
            self._write_tone(channel, tone, before)
        self._asked[channel] = tone.frequency

    def align(self) -> None:
        """Align the phases of all channels; needed after every change of frequency."""
        self._require_link()
        with self._talking():
            self._align()

    def read_tone(self, channel: int) -> RFTone:
        """Read one channel back.

        The frequency is given as it was asked for if the device reports it within its digits.
        """
        self._require_link()
        self._require_channel(channel)
        with self._talking():
            tone = self._sound_tone(channel)
        asked = self._asked.get(channel)
        if asked is not None and abs(tone.frequency - asked) <= self._tolerance(tone)[0]:
            return replace(tone, frequency=asked)
        return tone

    # -- given by the families --------------------------------------------------------------------

    def _prepare(self, channel: int) -> None:
        """Check before a change that the device still means what its numbers say."""

    def _look(self) -> None:
        """Renew the remarks; raise DeviceError for a state that falsifies the light."""
        self._remarks = []

    def _check_range(self, tone: RFTone, now: RFTone) -> None:
        """Refuse a change that would interrupt the light."""

    def _read_tone(self, channel: int) -> RFTone:
        raise AttributeError(f"{type(self).__name__} lacks _read_tone")

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        """Send a tone; ``now`` is what the device has, None if that is not known."""
        raise AttributeError(f"{type(self).__name__} lacks _write_tone")

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        """Allowed differences of the read-back: Hz, V, rad."""
        raise AttributeError(f"{type(self).__name__} lacks _tolerance")

    def _align(self) -> None:
        raise AttributeError(f"{type(self).__name__} lacks _align")

    # -- shared -----------------------------------------------------------------------------------

    def _set_model(self, model: RFCapabilities) -> None:
        """Take over the limits of the connected model; forget what was asked before."""
        if model.channels < self._channels:
            raise DeviceError(
                f"this model has {model.channels} channel(s), {self._channels} are configured: "
                "set channels in the rig file"
            )
        self._model, self._asked = model, {}
        for what, (low, high), unit in (
            ("frequencies", self.capabilities.frequency_range, "Hz"),
            ("amplitudes", self.capabilities.amplitude_range, "V"),
        ):
            if low > high:
                raise DeviceError(
                    f"this model has no {what} within the configured limits "
                    f"({low:g} … {high:g} {unit}): correct the rig file or use another source"
                )

    def _require_channel(self, channel: int) -> None:
        if not 0 <= channel < self._channels:
            raise InputError(f"{self._name} has channels 0 … {self._channels - 1}, got {channel}")

    def _sound_tone(self, channel: int) -> RFTone:
        """Read a tone; one that no such device can have means that answers were mixed up."""
        tone, widest = self._read_tone(channel), self._widest
        if not (
            0.0 <= tone.frequency <= 1.01 * widest.frequency_range[1]
            and 0.0 <= tone.amplitude <= 1.01 * widest.amplitude_range[1]
        ):
            raise LinkError(
                f"channel {channel} reads {tone.frequency:g} Hz, {tone.amplitude:g} V, which no "
                "such device can have: check that nothing else talks to it"
            )
        return tone

    def _remark_off(self, channel: int, tone: RFTone) -> None:
        """Say that a channel in use is switched off."""
        if not tone.enabled:
            self._remarks.append(
                f"{self._name} channel {channel + 1}: its output is off, so its beam is dark: set "
                "the light, or switch the output on at the device"
            )

    def _check(self, tone: RFTone, now: RFTone | None = None) -> None:
        """Refuse values out of range, except those that stay as they are."""
        limits = self.capabilities
        if now is None or tone.frequency != now.frequency:
            require_range("frequency", tone.frequency, *limits.frequency_range, "Hz")
        if now is None or tone.amplitude != now.amplitude:
            require_range("amplitude", tone.amplitude, *limits.amplitude_range, "V")
        require_range("phase", tone.phase, -1e6, 1e6, "rad")

    def _check_phase(self, tone: RFTone, now: RFTone) -> None:
        """Refuse to change a phase that cannot be set."""
        if self._model.phase == "absent" and abs(wrapped_phase(tone.phase - now.phase)) > 1e-9:
            raise InputError(
                f"phase cannot be set on {self._name}, got {tone.phase:g} rad: "
                "it has no phase command"
            )

    def _compare(self, channel: int, tone: RFTone, found: RFTone) -> None:
        """Raise DeviceError unless the device has the tone within its steps."""
        hertz, volts, radians = self._tolerance(tone)
        wrong = []
        if not abs(found.frequency - tone.frequency) <= hertz:
            wrong.append(f"{found.frequency:.12g} Hz instead of {tone.frequency:.12g} Hz")
        if not abs(found.amplitude - tone.amplitude) <= volts:
            wrong.append(f"{found.amplitude:.6g} V instead of {tone.amplitude:.6g} V")
        if not abs(wrapped_phase(found.phase - tone.phase)) <= radians:
            wrong.append(f"{found.phase:.5g} rad instead of {tone.phase:.5g} rad")
        if found.enabled != tone.enabled:
            wrong.append(f"output {'on' if found.enabled else 'off'}")
        if wrong:
            raise DeviceError(f"{self._name} channel {channel} reads back {', '.join(wrong)}")

    def _taken_back(self, channel: int, before: RFTone, error: DeviceError) -> DeviceError:
        """Set the old tone again and return the error to raise."""
        text = str(error)
        if not text.startswith(self._name):
            text = f"{self._name}: {text}"
        try:
            self._write_tone(channel, before, None)
            self._compare(channel, before, self._sound_tone(channel))
        except LinkError as broken:
            what = text.removeprefix(self._name).lstrip(": ")  # the name is put before it again
            raise LinkError(f"{what}; setting the old tone again failed: {broken}") from error
        except DeviceError as second:
            return DeviceError(f"{text}; the old tone could not be set again: {second}")
        return DeviceError(f"{text}; channel {channel} has its old tone again")


def _both(model: tuple[float, float], own: tuple[float, float] | None) -> tuple[float, float]:
    """Return the common part of two ranges; low > high if there is none."""
    return model if own is None else (max(model[0], own[0]), min(model[1], own[1]))


class TextRFOptions(LinkOptions, total=False):
    """Options of :class:`TextRFSource`, for drivers that add their own."""

    channels: int
    frequency_range: Sequence[float] | None
    amplitude_range: Sequence[float] | None


class TextRFSource(RFDriver):
    """An RF source on a text link.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    address : str, optional
        VISA resource name: ``TCPIP0::192.168.0.5::5025::SOCKET``, ``ASRL3::INSTR``.
    timeout : float
        Longest wait for an answer, s; 0.01 … 60.
    channels : int
        Channels in use, counted from the first.
    frequency_range, amplitude_range : sequence of two floats, optional
        Narrower limits than the model's, Hz and V peak into 50 Ω.
    baud_rate : int, optional
        Of a serial line, if not the device's usual one.
    backend : str
        pyvisa library: "@py" for pyvisa-py, "" for the installed vendor VISA.
    link : TextLink, optional
        In place of ``address``, for tests.

    Raises
    ------
    InputError
        For an option out of range, or without an address.
    """

    widest: ClassVar[RFCapabilities]
    ends: ClassVar[tuple[str, str]] = ("\n", "\n")
    baud: ClassVar[int] = 9600

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        timeout: float = 2.0,
        channels: int = 2,
        frequency_range: Sequence[float] | None = None,
        amplitude_range: Sequence[float] | None = None,
        baud_rate: int | None = None,
        backend: str = "@py",
        link: TextLink | None = None,
    ) -> None:
        super().__init__(
            name,
            self.widest,
            channels=channels,
            frequency_range=frequency_range,
            amplitude_range=amplitude_range,
        )
        self._link = make_link(
            name,
            address,
            link,
            ends=self.ends,
            timeout=timeout,
            baud_rate=self.baud if baud_rate is None else baud_rate,
            backend=backend,
        )

    def _close(self) -> None:
        self._link.close()

    def _other_device(self, identity: str, wanted: str) -> DeviceError:
        """Return the error to raise for a device that is not the wanted one."""
        return DeviceError(
            f"{self._link.address} is {identity[:60]!r}, not {wanted}: correct address or driver "
            "in the rig file"
        )
