"""A small made-up fleet as ready features and outcomes: two failure modes, censoring, gaps, known cause."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ml.features.history import Features, Moments
from ml.models.base import Outcomes

STEPS = 6
NAMES = ("age", "since_first", "temperature_c.mean.1", "vibration_mm_s.mean.1", "vibration_mm_s.slope.24")
CHANNELS = ("temperature_c", "vibration_mm_s")
FleetMaker = Callable[..., tuple[Features, Outcomes]]


def made_up_fleet(
    machines: int = 24,
    hours: int = 480,
    every: int = 6,
    horizons: tuple[float, ...] = (24.0, 72.0, 168.0),
    seed: int = 1,
) -> tuple[Features, Outcomes]:
    """Vibration rises in the last week before a failure by wear, temperature before one by heat."""
    random = np.random.default_rng(seed)
    hour = np.tile(np.arange(0, hours, every), machines)
    machine = np.repeat(np.arange(machines), hours // every)
    end = random.uniform(0.4 * hours, 1.6 * hours, machines)[machine]
    mode = random.integers(0, 2, machines)[machine]
    alive = hour < end
    hour, machine, end, mode = (each[alive] for each in (hour, machine, end, mode))
    left = end - hour
    near = np.clip(1 - left / 168, 0, 1)
    noise = random.normal(size=(2, len(hour)))
    vibration = 2 + 3 * near * (mode == 1) + 0.4 * noise[0]
    temperature = 60 + 20 * near * (mode == 0) + 3 * noise[1]
    values = np.stack(
        [hour + 100.0, hour * 1.0, temperature, vibration, near * (mode == 1) + 0.1 * noise[0]], axis=1
    )
    values[random.random(len(hour)) < 0.05, 2] = np.nan
    blocks = np.stack([np.stack([temperature, vibration], axis=1)] * STEPS, axis=1)
    moments = Moments(machine, hour * 3600 + 1_700_000_000)
    features = Features(moments, NAMES, values.astype(np.float32), CHANNELS, blocks.astype(np.float32))
    return features, _outcomes(
        np.asarray(horizons), left, np.where(end < hours, left, np.nan), hours - hour, machine, mode
    )


def _outcomes(horizons, left, to_failure, seen, machine, mode):
    failed = ~np.isnan(to_failure) & (left < horizons[-1])
    interval = np.where(failed, np.searchsorted(horizons, left, side="right"), len(horizons))
    k = np.arange(len(horizons))
    observed = np.where(
        failed[:, None], k <= interval[:, None], horizons <= np.where(np.isnan(to_failure), seen, left)[:, None]
    )
    return Outcomes(
        tuple(horizons.tolist()),
        ("OHE", "VIB"),
        interval.astype(np.int64),
        observed,
        np.where(failed, mode, -1).astype(np.int64),
        np.where(failed, machine, -1).astype(np.int64),
        to_failure,
        np.minimum(seen, left).astype(float),
        np.where(failed, 1.0, 2.0),
    )


@pytest.fixture
def fleet() -> FleetMaker:
    return made_up_fleet


@pytest.fixture(scope="session")
def small_fleet() -> tuple[Features, Outcomes]:
    return made_up_fleet()
