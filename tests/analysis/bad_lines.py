"""Lines that change along a record, and tones by them, from exact steps of the equations of motion.

One particle or two, of any linewidth, rate, length and noise; each fault as weak as it can be told:
strengths are in standard errors of what the fault moves, so that they mean the same for a line
that lives a hundred times in a record and for one that lives ten thousand times. Shares no code
with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy.linalg import expm, solve_continuous_lyapunov

TAU = 2.0 * np.pi
PIECES = 200  # of a drift, constant in each


@njit(cache=True)
def _walk(step, root, state, normals, out):
    size = len(state)
    for n in range(len(normals)):
        out[n] = state
        after = np.zeros(size)
        for i in range(size):
            for j in range(size):
                after[i] += step[i, j] * state[j] + root[i, j] * normals[n, j]
        state = after
    return state


@dataclass(frozen=True)
class Motion:
    """One particle or two: rates in rad/s, z in units of the rms of the first one alone.

    ``couplings`` are g_r + g_a and g_r − g_a; ``noise`` is the rms of white noise in a channel.
    """

    rate: float
    samples: int
    omegas: tuple[float, ...]
    gamma: float
    noise: float
    couplings: tuple[float, float] = (0.0, 0.0)
    heat: float = 1.0  # D over that which gives an rms of 1

    @property
    def time(self) -> float:
        return self.samples / self.rate

    @property
    def memory(self) -> float:
        """Correlation times 1/γ in the record."""
        return self.gamma * self.time

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Drift and diffusion of (z_1, p_1, …), the frequency of the first one as the scale."""
        scale, count = self.omegas[0], len(self.omegas)
        a, n = np.zeros((2 * count, 2 * count)), np.zeros((2 * count, 2 * count))
        for j, omega in enumerate(self.omegas):
            a[2 * j, 2 * j + 1] = scale
            a[2 * j + 1, 2 * j] = -(omega**2) / scale
            a[2 * j + 1, 2 * j + 1] = -self.gamma
            n[2 * j + 1, 2 * j + 1] = 2.0 * self.gamma * self.heat
        if count == 2:
            a[1, 2], a[3, 0] = 2.0 * self.couplings[0], 2.0 * self.couplings[1]
        return a, n

    def run(self, rng: np.random.Generator, state: np.ndarray | None = None):
        """Positions (n, particles) without noise, and the last state."""
        a, n = self.matrices()
        size, dt = len(a), 1.0 / self.rate
        block = expm(np.block([[-a, n], [np.zeros_like(a), a.T]]) * dt)
        step = block[size:, size:].T
        spread = step @ block[:size, size:]
        if state is None:
            state = _root(solve_continuous_lyapunov(a, -n)) @ rng.standard_normal(size)
        out = np.empty((self.samples, size))
        state = _walk(
            np.ascontiguousarray(step), _root(spread), state,
            rng.standard_normal((self.samples, size)), out,
        )  # fmt: skip
        return out[:, ::2], state

    def white(self, rng: np.random.Generator) -> np.ndarray:
        return self.noise * rng.standard_normal((self.samples, len(self.omegas)))


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return np.ascontiguousarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def joined(parts: list[Motion], rng: np.random.Generator) -> np.ndarray:
    """One record of motions that follow each other, noise of the first one."""
    state, found = None, []
    for part in parts:
        z, state = part.run(rng, state)
        found.append(z)
    return np.concatenate(found) + parts[0].noise * rng.standard_normal(
        (sum(part.samples for part in parts), len(parts[0].omegas))
    )


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(max(high, low)))))


def drawn(
    rng: np.random.Generator, memory: tuple[float, float] = (100.0, 3e4), damped: float = 0.2
) -> Motion:
    """Any line; its correlation times within limits, its linewidth over frequency below one."""
    rate = log_uniform(rng, 1e4, 5e5)
    samples = round(log_uniform(rng, 4e4, 2.5e5))
    omega = TAU * rate * log_uniform(rng, 0.02, 0.35)
    time = samples / rate
    gamma = log_uniform(rng, memory[0], min(memory[1], damped * omega * time)) / time
    omegas = (omega,) if rng.random() < 0.5 else (omega, omega * rng.uniform(0.9, 1.1))
    return Motion(rate, samples, omegas, gamma, 10 ** rng.uniform(-2.0, 0.0))


def pieces(motion: Motion, change: Callable[[Motion, float], Motion]) -> list[Motion]:
    """Motion whose constants follow the time, 0 … 1."""
    part = replace(motion, samples=motion.samples // PIECES)
    return [change(part, (k + 0.5) / PIECES) for k in range(PIECES)]


# -- clean records -------------------------------------------------------------------------------


def clean_line(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    motion = drawn(rng)
    return joined([motion], rng), motion.rate


def clean_narrow(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Far narrower than a bin of usual segments: a handful of correlation times in all."""
    motion = drawn(rng, (0.5, 30.0))
    return joined([motion], rng), motion.rate


def clean_damped(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Linewidths of a tenth to a third of the frequency, in the end no line any more."""
    motion = drawn(rng)
    omega = min(motion.omegas[0], 0.15 * TAU * motion.rate)
    motion = replace(motion, omegas=(omega,), gamma=omega * rng.uniform(0.1, 0.35))
    return joined([motion], rng), motion.rate


def clean_few_cycles(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Some hundreds of periods."""
    motion = drawn(rng)
    omega = TAU * rng.uniform(60.0, 600.0) / motion.time
    gamma = omega * log_uniform(rng, 0.005, 0.2)
    motion = replace(motion, omegas=(omega,), gamma=gamma)
    return joined([motion], rng), motion.rate


def clean_pair(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Two particles that exchange their energy far faster than they lose it."""
    motion = drawn(rng, (30.0, 1e4), damped=0.02)
    g = motion.gamma * log_uniform(rng, 0.5, 10.0)
    apart = g * rng.uniform(-3.0, 3.0)
    one = motion.omegas[0]
    motion = replace(motion, omegas=(one, one + apart), couplings=(g, g * rng.uniform(0.3, 1.0)))
    return joined([motion], rng), motion.rate


def clean_exceptional(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Antireciprocal pairs at an exceptional point, up to four fifths of the way to growth."""
    motion = drawn(rng, (30.0, 1e4), damped=0.02)
    g = motion.gamma * log_uniform(rng, 0.3, 10.0)
    growth = 0.5 * motion.gamma * rng.uniform(0.0, 0.8)
    apart = 2.0 * np.sqrt(max(g**2 - growth**2, 0.0))
    one = motion.omegas[0]
    motion = replace(motion, omegas=(one, one + apart), couplings=(g, -g))
    return joined([motion], rng), motion.rate


# -- faults --------------------------------------------------------------------------------------


def feedback_switched(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Damping by feedback for a part: powers differ by nine standard errors or more.

    The cooled line stands out of the noise: twice to a thousand times.
    """
    while True:
        motion = drawn(rng)
        at, factor = rng.uniform(0.2, 0.8), log_uniform(rng, 1.2, 100.0)
        if motion.gamma * factor > 0.2 * motion.omegas[0]:
            continue
        parts = np.array([at, (1.0 - at) * factor]) * motion.memory
        if parts.min() > 80.0 and np.log(factor) > 9.0 * np.sqrt((2.0 / parts).sum()):
            break
    peak = 4.0 / motion.gamma / factor**2
    noise = np.sqrt(peak / log_uniform(rng, 2.0, 1e3) * 0.5 * motion.rate)
    hot = replace(motion, noise=float(noise), samples=int(at * motion.samples))
    cold = replace(
        hot, gamma=hot.gamma * factor, heat=1.0 / factor, samples=motion.samples - hot.samples
    )
    order = [hot, cold] if rng.random() < 0.5 else [cold, hot]
    return joined(order, rng), motion.rate


def power_drift(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Heating, or the gain of the detector, up or down by eight standard errors of such a drift."""
    while True:
        motion = drawn(rng)
        drift = log_uniform(rng, 8.0, 80.0) * np.sqrt(24.0 / motion.memory)
        if 0.05 < drift < np.log(20.0):
            break
    drift *= rng.choice([-1.0, 1.0])
    if rng.random() < 0.5:
        parts = pieces(motion, lambda m, t: replace(m, heat=float(np.exp(drift * (t - 0.5)))))
        return joined(parts, rng), motion.rate
    z, _ = motion.run(rng)
    gain = np.exp(0.5 * drift * (np.linspace(0.0, 1.0, len(z)) - 0.5))
    return z * gain[:, None] + motion.white(rng), motion.rate


def frequency_drift(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Straight, or to and fro, by six standard errors of such a drift up to ten linewidths."""
    while True:
        motion = drawn(rng)
        span = log_uniform(rng, 6.0, 100.0) * np.sqrt(6.0 * motion.gamma / motion.time)
        if 0.06 * motion.gamma < span < min(10.0 * motion.gamma, 0.1 * motion.omegas[0]):
            break
    there = rng.random() < 0.5

    def change(m: Motion, t: float) -> Motion:
        way = t if there else 0.5 * (1.0 - np.cos(TAU * t))
        return replace(m, omegas=tuple(w + span * (way - 0.5) for w in m.omegas))

    return joined(pieces(motion, change), rng), motion.rate


def tone(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Within five linewidths: fifty times what a bin of the record holds there, up to 10⁴ times."""
    motion = drawn(rng, (250.0, 3e4))
    z, _ = motion.run(rng)
    offset = motion.gamma * rng.uniform(-5.0, 5.0)
    line = 4.0 / motion.gamma / (1.0 + (2.0 * offset / motion.gamma) ** 2)
    level = line + 2.0 * motion.noise**2 / motion.rate
    amplitude = np.sqrt(2.0 * log_uniform(rng, 50.0, 1e4) * level / motion.time)
    t = np.arange(motion.samples) / motion.rate
    column = int(rng.integers(0, len(motion.omegas)))
    at = motion.omegas[column] + offset
    x = z + motion.white(rng)
    x[:, column] += amplitude * np.cos(at * t + rng.uniform(0.0, TAU))
    return x, motion.rate


CLEAN = {
    "clean": clean_line,
    "clean, narrow": clean_narrow,
    "clean, damped": clean_damped,
    "clean, few cycles": clean_few_cycles,
    "clean, coupled pair": clean_pair,
    "clean, exceptional point": clean_exceptional,
}
CHANGING: dict[str, tuple[Callable[[np.random.Generator], tuple[np.ndarray, float]], str]] = {
    "feedback switched": (feedback_switched, "feedback was o"),
    "drift of power": (power_drift, "the power of the line"),
    "drift of frequency": (frequency_drift, "the frequency of the line"),
    "tone by the line": (tone, "a tone at"),
}
"""Who makes them, and what must be said."""


def stored(x: np.ndarray, kind: str) -> np.ndarray:
    """As a file has it: floats, or counts of a converter."""
    if kind == "float":
        return x.astype(np.float32)
    counts = {"16 bits": 3e3, "8 bits": 30.0}[kind]
    return np.rint(counts * x / x.std(axis=0)).astype(np.int16)


STORED = ("float", "16 bits", "8 bits")


def said_of(make: Callable, seed: int) -> str:
    """What the survey says of a case, all in one text."""
    from pathlib import Path

    from optobind.acquisition.records.array_source import array_record
    from optobind.analysis.averaging import sound_csd
    from optobind.models.errors import InputError

    x, rate = make(np.random.default_rng([seed, 79]))
    data = stored(x, STORED[seed % len(STORED)])
    columns = tuple(range(data.shape[1]))
    names, scale = tuple(f"z{c + 1}" for c in columns), np.ones(len(columns))
    record = array_record("npz", Path("a.npz"), rate, names, "V", scale, data)
    try:
        return "; ".join(sound_csd(record, columns, None, None, (), None)[2])
    except InputError as error:
        return str(error)
