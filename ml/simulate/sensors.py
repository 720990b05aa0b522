"""What the sensors make of the signals: gaps, stuck and drifting channels, spikes; none of them is a failure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.features.history import Floats, Ints

CHANNELS = ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")
MEASURED = 3  # the hour counter is a counter: it does not stick, drift or spike
DECIMALS = (2, 3, 2, 2)
GAPS_PER_HOUR = 1 / (24 * 15)
STUCK_PER_HOUR = 1 / (24 * 450)
DRIFTS_PER_HOUR = 1 / (24 * 500)
SPIKES_PER_HOUR = 1 / (24 * 60)
LOST_SHARE = 0.004
DRIFT_PER_HOUR = np.array([0.06, 0.003, 0.01])


@dataclass
class Sensors:
    """[machines] or [machines, 3]: until when a sensor is mute, stuck (at what value) or drifting (by how much)."""

    mute_until: Ints
    stuck_until: Ints
    stuck_value: Floats
    drift_until: Ints
    drift_rate: Floats
    drift: Floats

    @classmethod
    def healthy(cls, machines: int) -> Sensors:
        shape = (machines, MEASURED)
        return cls(
            np.zeros(machines, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape),
            np.zeros(shape),
        )

    def read(self, rng: np.random.Generator, signals: Floats, at: Ints, hours: float) -> Floats:
        """[machines, 4] as sent; NaN where a channel, or the whole machine, sends nothing."""
        self._begin_gaps(rng, at, hours)
        shown = signals.copy()
        measured = self._drifted(rng, signals[:, :MEASURED], at, hours)
        measured = np.where(_happens(rng, SPIKES_PER_HOUR, hours, measured.shape), measured * 2, measured)
        shown[:, :MEASURED] = np.maximum(self._stuck(rng, measured, at, hours), 0)
        shown[:, :MEASURED][rng.random(measured.shape) < LOST_SHARE] = np.nan
        shown[at < self.mute_until] = np.nan
        return np.column_stack([np.round(shown[:, i], digits) for i, digits in enumerate(DECIMALS)])

    def _begin_gaps(self, rng: np.random.Generator, at: Ints, hours: float) -> None:
        begins = _happens(rng, GAPS_PER_HOUR, hours, at.shape)
        until = at + (3600 * np.exp(rng.normal(1.0, 0.9, at.shape))).astype(np.int64)
        self.mute_until = np.where(begins, np.maximum(until, self.mute_until), self.mute_until)

    def _drifted(self, rng: np.random.Generator, measured: Floats, at: Ints, hours: float) -> Floats:
        """A slow offset until somebody calibrates."""
        begins = _happens(rng, DRIFTS_PER_HOUR, hours, measured.shape) & (self.drift_until < at[:, None])
        until = at[:, None] + rng.integers(5 * 86400, 25 * 86400, measured.shape)
        rate = rng.choice([-1.0, 1.0], measured.shape) * DRIFT_PER_HOUR
        self.drift_until = np.where(begins, until, self.drift_until)
        self.drift_rate = np.where(begins, rate, self.drift_rate)
        active = at[:, None] < self.drift_until
        self.drift = np.where(active, self.drift + self.drift_rate * hours, 0.0)
        return measured + self.drift

    def _stuck(self, rng: np.random.Generator, measured: Floats, at: Ints, hours: float) -> Floats:
        begins = _happens(rng, STUCK_PER_HOUR, hours, measured.shape) & (self.stuck_until < at[:, None])
        until = at[:, None] + rng.integers(12 * 3600, 96 * 3600, measured.shape)
        self.stuck_until = np.where(begins, until, self.stuck_until)
        stuck = at[:, None] < self.stuck_until
        self.stuck_value = np.where(begins | ~stuck, measured, self.stuck_value)
        return np.where(stuck, self.stuck_value, measured)


def _happens(
    rng: np.random.Generator, per_hour: float, hours: float, shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    return np.asarray(rng.random(shape) < -np.expm1(-per_hour * hours))
