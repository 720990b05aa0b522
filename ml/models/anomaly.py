"""How far a machine is from its own first normal operation; needs no failure. 1 is the alarm level.

Two distances of the trailing mean of all channels: the r.m.s. of robust z-scores, which sees one channel leave, and
the Mahalanobis distance under a shrunk covariance (Ledoit & Wolf 2004), which sees channels that no longer go
together. Each is taken over its own 99 % quantile in the baseline; the score is their geometric mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf

from ml.features.catalogue import COUNTER
from ml.features.history import Floats, History, Moments

# Two weeks when the bucket is an hour: long enough for shifts and weekends, short enough to be still new.
BASELINE_BUCKETS = 336
# Before that a machine has no normal of its own.
FEWEST_BUCKETS = 72
# Buckets in the mean that is judged: a condition, not a spike.
TRAILING = 30
QUANTILE = 0.99
# Multiple of the baseline's own quantile that is an alarm. A baseline is shorter than life: later normal operation
# wanders further than it did.
ALARM_AT = 2.5
# The start may hold a fault already: so much of it, the farthest from its own middle, is not learnt from.
DISTRUSTED = 0.1
MAD_PER_DEVIATION = 0.6745
# A constant channel that moves by this share of its level is one deviation away.
SMALLEST_SHARE = 1e-3
FARTHEST = 100.0

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Normal:
    """One machine's first normal operation: channels it had, their middles and widths, and what is far."""

    channels: Ints
    middle: Floats
    width: Floats
    centre: Floats
    precision: Floats
    usual_z: float
    usual_distance: float

    def scores(self, means: Floats) -> Floats:
        """[n] from trailing means [n, channels] of scaled values."""
        z, distance = _rms(means), self._distance(means)
        return np.asarray(np.sqrt(z / self.usual_z * distance / self.usual_distance) / ALARM_AT)

    def _distance(self, means: Floats) -> Floats:
        return _mahalanobis(means, self.centre, self.precision)


def anomaly_scores(history: History, moments: Moments) -> Floats:
    """[n] from the buckets that ended before each moment; NaN where the machine has no baseline yet."""
    scores = np.full(len(moments), np.nan)
    now = moments.as_of // history.bucket_seconds
    for machine in np.unique(moments.machine):
        rows = slice(*np.searchsorted(history.machine, [machine, machine + 1]))
        asked = np.flatnonzero(moments.machine == machine)
        end = np.searchsorted(history.bucket[rows], now[asked])
        scores[asked] = _machine_scores(history.channels, history.mean[rows], end)
    return scores


def _machine_scores(channels: tuple[str, ...], values: Floats, end: Ints) -> Floats:
    """[n] scores after the first `end` rows of one machine; the baseline is never longer than what was seen."""
    scores = np.full(len(end), np.nan)
    levels = np.array([name != COUNTER for name in channels], bool)
    for length in np.unique(_baseline_length(end)):
        normal = learn_normal(values[:length], levels) if length else None
        if normal is None:
            continue
        asked = _baseline_length(end) == length
        means = _trailing_means(_scaled(normal, values))
        scores[asked] = normal.scores(means[end[asked] - 1])
    return scores


def _baseline_length(end: Ints) -> Ints:
    """[n] rows of baseline after `end` rows; it grows in few steps and ends before what is judged. 0: none."""
    steps = np.array([FEWEST_BUCKETS, BASELINE_BUCKETS // 2, BASELINE_BUCKETS])
    return np.asarray(np.append(0, steps)[np.searchsorted(steps + TRAILING, end, side="right")])


def learn_normal(values: Floats, levels: npt.NDArray[np.bool_]) -> Normal | None:
    """From the first rows of a machine [rows, channels]; None where no channel is there half of the time."""
    channels = np.flatnonzero(levels & (np.isfinite(values).mean(axis=0) >= 0.5))
    if not len(channels):
        return None
    known = values[:, channels]
    middle = np.nanmedian(known, axis=0)
    width = np.nanmedian(np.abs(known - middle), axis=0) / MAD_PER_DEVIATION
    width = np.maximum.reduce([width, SMALLEST_SHARE * np.abs(middle), np.full(len(channels), 1e-9)])
    means = _trailing_means(_clipped((known - middle) / width))[TRAILING - 1 :]
    trusted = means[_rms(means) <= np.quantile(_rms(means), 1 - DISTRUSTED)]
    fitted = LedoitWolf().fit(trusted)
    centre, precision = fitted.location_, fitted.precision_
    usual_z = max(float(np.quantile(_rms(trusted), QUANTILE)), 1e-6)
    usual_distance = max(float(np.quantile(_mahalanobis(trusted, centre, precision), QUANTILE)), 1e-6)
    return Normal(channels, middle, width, centre, precision, usual_z, usual_distance)


def _scaled(normal: Normal, values: Floats) -> Floats:
    return _clipped((values[:, normal.channels] - normal.middle) / normal.width)


def _clipped(z: Floats) -> Floats:
    return np.asarray(np.clip(z, -FARTHEST, FARTHEST))


def _trailing_means(z: Floats) -> Floats:
    """[rows, channels] mean of up to TRAILING rows; a channel that is not there is in its middle."""
    known = np.isfinite(z)
    sums, counts = np.cumsum(np.where(known, z, 0), axis=0), np.cumsum(known, axis=0)
    sums[TRAILING:] -= sums[:-TRAILING].copy()
    counts[TRAILING:] -= counts[:-TRAILING].copy()
    return np.asarray(sums / np.maximum(counts, 1))


def _rms(z: Floats) -> Floats:
    return np.asarray(np.sqrt((z**2).mean(axis=1)))


def _mahalanobis(means: Floats, centre: Floats, precision: Floats) -> Floats:
    away = means - centre
    return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", away, precision, away).clip(0)))
