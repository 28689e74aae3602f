"""Simulated records with one fault each, and clean ones: what must be named, and what must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import signal

RATE = 500e3


@dataclass(frozen=True)
class Line:
    """A thermal line in units of its rms."""

    frequency: float
    width: float
    noise: float
    samples: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, narrow: bool = True) -> Line:
        """Any line that a laboratory may have, and how long it was recorded."""
        samples = int(rng.choice([1 << 17, 1 << 18]))
        frequency = RATE * np.exp(rng.uniform(np.log(0.02), np.log(0.35)))
        least = 20.0 if narrow else 400.0  # correlation times
        most = min(0.06 * frequency, 0.01 * RATE)
        width = np.exp(rng.uniform(np.log(least * RATE / samples / 6.28), np.log(most)))
        return cls(frequency, width, 10 ** rng.uniform(-2.0, 0.3), samples)

    def amplitude(self, rng: np.random.Generator, samples: int | None = None) -> np.ndarray:
        """Slow complex amplitude, variance 1 of its real part."""
        n = self.samples if samples is None else samples
        pole = np.exp(-np.pi * self.width / RATE)
        drive = rng.standard_normal((2, n)) * np.sqrt(1.0 - pole**2)
        begin = pole * complex(*rng.standard_normal(2))
        return signal.lfilter([1.0], [1.0, -pole], drive[0] + 1j * drive[1], zi=[begin])[0]

    def carried(self, amplitude: np.ndarray, frequency: float | np.ndarray | None = None):
        """Real signal of an amplitude at the line, or at a frequency that moves."""
        f = self.frequency if frequency is None else frequency
        turns = np.cumsum(np.broadcast_to(np.asarray(f) / RATE, len(amplitude)))
        return (amplitude * np.exp(2j * np.pi * turns)).real

    def white(self, rng: np.random.Generator) -> np.ndarray:
        return self.noise * rng.standard_normal(self.samples)

    def record(self, rng: np.random.Generator) -> np.ndarray:
        """Line and noise, (n,)."""
        return self.carried(self.amplitude(rng)) + self.white(rng)


def stored(x: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """As a file has it: floats, or counts of a converter."""
    if kind == "float":
        return x
    counts = {"16 bits": 5e3, "8 bits": 30.0, "few counts": rng.uniform(2.0, 5.0)}[kind]
    return np.rint(counts * x / x.std() + rng.uniform(-0.5, 0.5)).astype(np.int16)


KINDS = ("float", "16 bits", "8 bits", "few counts")


def stretch(samples: int, rng: np.random.Generator, least: float, most: float) -> slice:
    """Some stretch of a record, by its share."""
    length = int(samples * rng.uniform(least, most))
    start = int(rng.uniform(0, samples - length))
    return slice(start, start + length)


def clean(rng: np.random.Generator, kind: str) -> np.ndarray:
    return stored(Line.drawn(rng).record(rng), kind, rng)


def dead(rng: np.random.Generator, kind: str) -> np.ndarray:
    x = clean(rng, kind)
    x[stretch(len(x), rng, 0.02, 0.5)] = 0
    return x


def held(rng: np.random.Generator, kind: str) -> np.ndarray:
    x = clean(rng, kind)
    part = stretch(len(x), rng, 0.02, 0.5)
    x[part] = x[part.start]
    return x


def copied(rng: np.random.Generator, kind: str) -> np.ndarray:
    x = clean(rng, kind)
    length = len(x) // 8
    at = int(rng.integers(1, 8)) * length
    x[at : at + length] = x[at - length : at]
    return x


def clipped(rng: np.random.Generator, kind: str) -> np.ndarray:
    x = Line.drawn(rng).record(rng)
    x /= x.std()
    level = rng.uniform(1.2, 2.2)
    x = stored(x, kind, rng)
    rail = level * x.std()
    if kind != "float":
        rail = max(1, round(rail))
    both = rng.random() < 0.7
    return np.clip(x, -rail if both else None, rail)


def lost(rng: np.random.Generator, kind: str) -> np.ndarray:
    line = Line.drawn(rng, narrow=False)
    amplitude = line.amplitude(rng)
    part = stretch(line.samples, rng, 0.1, 0.7)
    if rng.random() < 0.5:
        part = slice(part.start, line.samples)
        part = slice(min(part.start, int(0.9 * line.samples)), line.samples)
    amplitude[part] = 0.0
    line = Line(line.frequency, line.width, min(line.noise, 1.0), line.samples)
    return stored(line.carried(amplitude) + line.white(rng), kind, rng)


def feedback_switched(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Hot, then cooled to 1 … 20 % with a line as much broader, or the other way round."""
    line = Line.drawn(rng, narrow=False)
    factor = np.exp(rng.uniform(np.log(5.0), np.log(100.0)))
    cold = Line(line.frequency, min(line.width * factor, 0.06 * line.frequency), 0.0, line.samples)
    at = int(line.samples * rng.uniform(0.2, 0.8))
    parts = [line.amplitude(rng, at), cold.amplitude(rng, line.samples - at) / np.sqrt(factor)]
    amplitude = np.concatenate(parts if rng.random() < 0.5 else parts[::-1])
    line = Line(line.frequency, line.width, min(line.noise, 0.1), line.samples)
    return stored(line.carried(amplitude) + line.white(rng), kind, rng)


def power_drift(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Power down or up by a factor 2 … 4 along the record."""
    line = Line.drawn(rng, narrow=False)
    gain = np.sqrt(np.linspace(1.0, rng.uniform(2.0, 4.0), line.samples))
    amplitude = line.amplitude(rng) * (gain if rng.random() < 0.5 else gain[::-1])
    return stored(line.carried(amplitude) + line.white(rng), kind, rng)


def frequency_drift(rng: np.random.Generator, kind: str) -> np.ndarray:
    """By one to ten linewidths, straight or to and fro."""
    line = Line.drawn(rng, narrow=False)
    line = Line(line.frequency, line.width, min(line.noise, 1.0), line.samples)
    span = line.width * rng.uniform(1.0, 10.0)
    span = min(span, 0.1 * line.frequency)
    t = np.linspace(0.0, 1.0, line.samples)
    way = t if rng.random() < 0.5 else 0.5 * (1.0 - np.cos(2 * np.pi * t))
    return stored(
        line.carried(line.amplitude(rng), line.frequency + span * (way - 0.5))
        + line.white(rng), kind, rng,
    )  # fmt: skip


def tone_beside(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A tone of a drive that makes D wrong by seven standard errors or more."""
    line = Line.drawn(rng, narrow=False)
    line = Line(line.frequency, line.width, min(line.noise, 1.0), line.samples)
    offset = line.width * rng.uniform(-5.0, 5.0)
    memory = 2 * np.pi * line.width * line.samples / RATE
    share = min(10.0, 10.0 / np.sqrt(memory) * rng.uniform(1.0, 10.0))
    tone = np.sqrt(2.0 * share)
    wave = tone * np.cos(
        2 * np.pi * (line.frequency + offset) / RATE * np.arange(line.samples) + rng.uniform(0, 6)
    )
    return stored(line.record(rng) + wave, kind, rng)


STEADY: dict[str, tuple[Callable[[np.random.Generator, str], np.ndarray], str]] = {
    "dead": (dead, "dead or held"),
    "held": (held, "dead or held"),
    "copied": (copied, "copies of others"),
    "clipped": (clipped, "clipped"),
    "particle lost": (lost, "is gone"),
    "feedback switched": (feedback_switched, "feedback was o"),
    "drift of power": (power_drift, "power of the line"),
    "drift of frequency": (frequency_drift, "frequency of the line"),
    "tone beside the line": (tone_beside, "a tone at"),
}
"""Faults of steady records of one channel: who makes them, and what must be said."""


# -- repetitions of releases, (m, n, 2) ----------------------------------------------------------

RELEASE = 128  # sample at which feedback goes off
LENGTH = 512


@dataclass(frozen=True)
class Heating:
    """Two lines that are cooled, then released: energies n0 + Dt of each."""

    frequencies: tuple[float, float]
    start: float
    noise: float
    repetitions: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Heating:
        f = RATE * rng.uniform(0.05, 0.3)
        start, noise = np.exp(rng.uniform(np.log(0.02), np.log(0.5))), rng.uniform(0.02, 0.5)
        return cls((f, f * rng.uniform(1.01, 1.1)), start, noise, int(rng.choice([200, 500])))

    def record(
        self,
        rng: np.random.Generator,
        kind: str,
        release: int | None = RELEASE,
        change: Callable[[np.ndarray], None] = lambda amplitude: None,
    ) -> np.ndarray:
        """Energies 1 at the end; cooled all along if ``release`` is None."""
        m, out = self.repetitions, []
        for frequency in self.frequencies:
            begin = np.sqrt(self.start) * _normals(rng, (m,))
            off = LENGTH if release is None else release
            rate = 1.0 / (LENGTH - RELEASE)
            damping = rate / self.start  # so that cooled energies are stationary
            decay = np.exp(-0.5 * damping)
            kicks = np.sqrt(rate) * _normals(rng, (m, LENGTH))
            amplitude = np.empty((m, LENGTH), complex)
            z = begin
            for n in range(LENGTH):
                amplitude[:, n] = z
                z = (decay * z if n < off else z) + kicks[:, n]
            out.append((amplitude, frequency))
        both = np.stack([a for a, _ in out], axis=2)
        change(both)
        turns = 2 * np.pi * np.arange(LENGTH)[:, None] * np.array(self.frequencies) / RATE
        x = (both * np.exp(1j * turns)).real
        x += self.noise * rng.standard_normal(x.shape)
        return stored(x, kind, rng).astype(np.float64)


def _normals(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2.0)


def clean_releases(rng: np.random.Generator, kind: str) -> np.ndarray:
    return Heating.drawn(rng).record(rng, kind)


def feedback_on(rng: np.random.Generator, kind: str) -> np.ndarray:
    return Heating.drawn(rng).record(rng, kind, None)


def feedback_off(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Never cooled: the energy rises before the release, too."""
    return Heating.drawn(rng).record(rng, kind, 0)


def wrong_index(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Released 60 to 120 samples before or after the stated sample."""
    off = int(rng.uniform(60, 120)) * int(rng.choice([-1, 1]))
    return Heating.drawn(rng).record(rng, kind, RELEASE + off)


def outlier_energy(rng: np.random.Generator, kind: str) -> np.ndarray:
    """One to five repetitions of 40 to 400 times the energy."""
    heating = Heating.drawn(rng)
    rows = rng.choice(heating.repetitions, int(rng.integers(1, 6)), replace=False)

    def change(amplitude: np.ndarray) -> None:
        amplitude[rows] += np.sqrt(rng.uniform(40.0, 400.0)) * np.exp(2j * np.pi * rng.random())

    return heating.record(rng, kind, change=change)


def outlier_likelihood(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Repetitions of usual energy with another frequency: the light was another."""
    heating = Heating.drawn(rng)
    rows = rng.choice(heating.repetitions, heating.repetitions // 20, replace=False)
    turn = rng.uniform(10.0, 30.0) * rng.choice([-1.0, 1.0]) / LENGTH

    def change(amplitude: np.ndarray) -> None:
        amplitude[rows] *= np.exp(1j * turn * np.arange(LENGTH))[:, None]

    return heating.record(rng, kind, change=change)


def lost_releases(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A particle is lost for 15 to 45 % of the repetitions."""
    heating = Heating.drawn(rng)
    heating = Heating(
        heating.frequencies, heating.start, min(heating.noise, 0.2), heating.repetitions
    )
    part = stretch(heating.repetitions, rng, 0.15, 0.45)

    def change(amplitude: np.ndarray) -> None:
        amplitude[part, :, int(rng.integers(0, 2))] = 0.0

    return heating.record(rng, kind, change=change)


def copied_releases(rng: np.random.Generator, kind: str) -> np.ndarray:
    x = Heating.drawn(rng).record(rng, kind)
    part = stretch(len(x) // 2, rng, 0.1, 0.5)
    x[part.start + len(x) // 2 : part.stop + len(x) // 2] = x[part]
    return x


RELEASES: dict[str, tuple[Callable[[np.random.Generator, str], np.ndarray], str]] = {
    "feedback left on": (feedback_on, "does not rise"),
    "feedback left off": (feedback_off, "rises before the release"),
    "wrong release index": (wrong_index, "release index is wrong"),
    "outliers by energy": (outlier_energy, "outliers"),
    "outliers by likelihood": (outlier_likelihood, "outliers"),
    "particle lost in some": (lost_releases, "is gone"),
    "copied repetitions": (copied_releases, "copies of others"),
}
"""Faults of releases."""


def named_in_steady(x: np.ndarray) -> str:
    """What the survey of a steady record says, all in one text."""
    from pathlib import Path

    from optobind.acquisition.records.array_source import array_record
    from optobind.analysis.averaging import sound_csd
    from optobind.models.errors import InputError

    data = x[:, None] if x.dtype.kind == "i" else x[:, None].astype(np.float32)
    record = array_record("npz", Path("a.npz"), RATE, ("z1",), "V", np.ones(1), data)
    try:
        return "; ".join(sound_csd(record, (0,), None, None, (), None)[2])
    except InputError as error:
        return str(error)


def named_in_releases(x: np.ndarray, release: int = RELEASE) -> str:
    """What the survey of releases says."""
    from pathlib import Path

    from optobind.acquisition.records.array_source import array_record
    from optobind.analysis.release_survey import sound_releases
    from optobind.models.errors import InputError

    record = array_record("npz", Path("a.npz"), RATE, ("z1", "z2"), "V", np.ones(2), x, release)
    try:
        return "; ".join(sound_releases(record, record.releases(), (0, 1), None)[1])
    except InputError as error:
        return str(error)
