"""The normal operation of many machines at once: what their channels' trailing means are, and how far they go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.features.history import Floats, Ints

QUANTILE = 0.99
# Values beyond these of the baseline do not widen it.
LOW, HIGH = 5, 95
# A channel moves where it moves by this share of its level, however still it stood in the baseline.
SMALLEST_SHARE = 0.01
# One broken value counts as "very far", no more.
FARTHEST = 100.0
# The start may hold a fault already: rows so many middle distances away, and all that share a reading with them,
# are not learnt from. The fewer channels go their own ways, the longer the tail of the distance: the ratio of its
# upper quartile to its middle, to this power, is passed by next to nothing of normal operation, of one channel or
# of eight.
DISTRUSTED_AT, TAIL_POWER = 3.0, 4.0
# Beyond this the machine changes too much for "fault" to mean anything; the nearest are learnt from.
MOST_DISTRUSTED = 1 / 3
# Share of the rows that must hold a channel.
FEWEST_KNOWN = 0.5
# A counter counts in so many of its buckets, and never back.
FEWEST_RISES = 0.3
MAD_PER_DEVIATION = 0.6745
TINY = 1e-9
# Batches of some 150 machines, a few hundred kilobytes each.
MOST_KNOWN = 500

# [machines, rows, channels]
Batch = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Normals:
    """Of some machines: `used` [m, c] channels they had; `middle`, `width` of values and `centre`, `spread` of
    their trailing means [m, c]; `location` [m, c] and `precision` [m, c, c] of those; the usual distances [m].
    """

    used: Flags
    middle: Floats
    width: Floats
    centre: Floats
    spread: Floats
    location: Floats
    precision: Batch
    usual_z: Floats
    usual_distance: Floats

    def means(self, window: Batch, place: Ints) -> Floats:
        """[n, c] from windows [n, rows, c] of the machines at `place`, in usual widths; NaN where unknown."""
        scaled = _scaled(window, self.middle[place, None], self.width[place, None])
        known = np.isfinite(scaled)
        mean = np.where(known, scaled, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        told = self.used[place] & known.any(axis=1)
        return np.where(told, (mean - self.centre[place]) / self.spread[place], np.nan)

    def levels(self, means: Floats, place: Ints) -> tuple[Floats, Floats]:
        """[n, c] trailing means in the channels' own units, and what they usually were."""
        usual = self.middle[place] + self.centre[place] * self.width[place]
        now = usual + means * self.spread[place] * self.width[place]
        return now, np.where(self.used[place], usual, np.nan)

    def distances(self, means: Floats, place: Ints) -> tuple[Floats, Floats]:
        """[n] the r.m.s. and the Mahalanobis distance over what is usual; NaN without any channel."""
        away = np.nan_to_num(means, nan=0.0)
        count = self.used[place].sum(axis=1)
        nothing = np.where(count > 0, 1.0, np.nan)
        z = np.sqrt((away**2).sum(axis=1) / np.maximum(count, 1))
        distance = _mahalanobis(away[:, None], self.location[place], self.precision[place])[:, 0]
        return z / self.usual_z[place] * nothing, distance / self.usual_distance[place] * nothing


def learn_normals(values: Batch, trailing: int) -> Normals:
    """From the first rows of machines; all of them have as many."""
    used = (np.isfinite(values).mean(axis=1) >= FEWEST_KNOWN) & ~_counts(values)
    values = np.where(used[:, None], values, np.nan)
    low, middle, high = _quantiles(values, (LOW, 50, HIGH))
    width = _deviation(values, low, high)
    # What stood at zero has no width to measure a step by: a spare phase, the flow of a standby pump.
    used &= (width > 0) | (middle != 0)
    width = np.maximum.reduce([width, SMALLEST_SHARE * np.abs(middle), np.full(middle.shape, TINY)])
    means = _trailing_means(_scaled(values, middle[:, None], width[:, None]), trailing)
    centre = np.median(means, axis=1)
    spread = np.median(np.abs(means - centre[:, None]), axis=1) / MAD_PER_DEVIATION
    # Means of unordered values are no narrower than this; a smaller width is chance.
    spread = np.maximum(spread, 1 / np.sqrt(trailing))
    away = np.where(used[:, None], (means - centre[:, None]) / spread[:, None], 0.0)
    z = np.sqrt((away**2).sum(axis=2) / np.maximum(used.sum(axis=1), 1)[:, None])
    trusted = _trusted(z, trailing)
    location, precision = _ledoit_wolf(away, trusted, used)
    distance = _mahalanobis(away, location, precision)
    usual = (_trusted_quantile(each, trusted) for each in (z, distance))
    return Normals(used, middle, width, centre, spread, location, precision, *usual)


class KnownNormals:
    """learn_normals for who asks again and again: the first rows of a machine hardly ever change."""

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self.most = most
        self._known: dict[bytes, Normals] = {}

    def __call__(self, values: Batch, trailing: int) -> Normals:
        content = hashlib.blake2b(repr((values.shape, trailing)).encode(), digest_size=16)
        content.update(np.ascontiguousarray(values).data)
        key = content.digest()
        # The last asked for stays longest.
        self._known[key] = self._known.pop(key) if key in self._known else learn_normals(values, trailing)
        if len(self._known) > self.most:
            del self._known[next(iter(self._known))]
        return self._known[key]


def _counts(values: Batch) -> Flags:
    """[m, c] it only ever rises: a counter, whose level says nothing."""
    known = np.isfinite(values)
    place = np.maximum.accumulate(np.where(known, np.arange(values.shape[1])[None, :, None], 0), axis=1)
    steps = np.diff(np.nan_to_num(np.take_along_axis(values, place, axis=1), nan=0.0), axis=1)
    return np.asarray((steps >= 0).all(axis=1) & ((steps > 0).mean(axis=1) > FEWEST_RISES))


def _scaled(values: Batch, middle: Floats, width: Floats) -> Batch:
    return np.asarray(np.clip((values - middle) / width, -FARTHEST, FARTHEST))


def _quantiles(values: Batch, percents: tuple[int, ...]) -> tuple[Floats, ...]:
    """Each [m, c] over the known rows; 0 where there is none."""
    ranked, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    places = (np.round(np.maximum(count - 1, 0) * percent / 100).astype(np.int64) for percent in percents)
    return tuple(np.nan_to_num(np.take_along_axis(ranked, each[:, None], axis=1)[:, 0]) for each in places)


def _deviation(values: Batch, low: Floats, high: Floats) -> Floats:
    """[m, c] of what is clipped to [low, high], in units of that range meanwhile: its square may be no number."""
    span = high / 2 - low / 2
    part = np.clip((values / 2 - low[:, None] / 2) / np.where(span > 0, span, 1.0)[:, None], 0, 1)
    known = np.isfinite(part)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, part, 0).sum(axis=1) / count
    squares = np.where(known, part - mean[:, None], 0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=1) / count) * span * 2)


def _trailing_means(z: Batch, trailing: int) -> Batch:
    """[m, rows - trailing + 1, c]; a channel that is not there is in its middle."""
    known = np.isfinite(z)
    sums, counts = (np.cumsum(part, axis=1) for part in (np.where(known, z, 0), known.astype(np.float64)))
    for each in (sums, counts):
        each[:, trailing:] -= each[:, :-trailing].copy()
    return np.asarray(sums[:, trailing - 1 :] / np.maximum(counts[:, trailing - 1 :], 1))


def _trusted(z: Floats, trailing: int) -> Flags:
    """[m, rows] what is learnt from."""
    middle, upper = (each[:, None] for each in np.quantile(z, [0.5, 0.75], axis=1))
    tail = (upper / np.maximum(middle, TINY)) ** TAIL_POWER
    far = np.cumsum(
        np.pad(z > middle * np.maximum(tail, DISTRUSTED_AT), ((0, 0), (trailing, trailing - 1))), axis=1
    )
    near_far = np.asarray(far[:, 2 * trailing - 1 :] > far[:, : -2 * trailing + 1])
    too_many = near_far.mean(axis=1)[:, None] > MOST_DISTRUSTED
    nearest = z <= np.quantile(z, 1 - MOST_DISTRUSTED, axis=1)[:, None]
    return np.asarray(np.where(too_many, nearest, ~near_far))


def _ledoit_wolf(away: Batch, trusted: Flags, used: Flags) -> tuple[Floats, Batch]:
    """(location [m, c], precision [m, c, c]) with the covariance drawn to a multiple of the identity."""
    n, p = trusted.sum(axis=1)[:, None], np.maximum(used.sum(axis=1), 1)
    location = (away * trusted[:, :, None]).sum(axis=1) / n
    x = (away - location[:, None]) * trusted[:, :, None]
    n = n[:, 0]
    covariance = x.transpose(0, 2, 1) @ x / n[:, None, None]
    mu = np.trace(covariance, axis1=1, axis2=2) / p
    squares = (covariance**2).sum(axis=(1, 2))
    noise = ((x**2).sum(axis=2) ** 2).sum(axis=1) / n - squares
    distance = squares - p * mu**2
    shrinkage = np.clip(noise / n / np.maximum(distance, TINY**2), 0, 1)
    # What a machine did not have is 0 throughout and adds nothing; the diagonal keeps the matrix invertible.
    diagonal = np.where(used, np.maximum(shrinkage * mu, TINY)[:, None], 1.0)
    shrunk = (1 - shrinkage)[:, None, None] * covariance + diagonal[:, :, None] * np.eye(used.shape[1])
    return location, np.linalg.inv(shrunk)


def _mahalanobis(away: Batch, location: Floats, precision: Batch) -> Floats:
    """[m, rows]."""
    x = away - location[:, None]
    return np.asarray(np.sqrt(((x @ precision) * x).sum(axis=2).clip(0)))


def _trusted_quantile(distance: Floats, trusted: Flags) -> Floats:
    ranked = np.sort(np.where(trusted, distance, np.inf), axis=1)
    place = np.round(QUANTILE * (trusted.sum(axis=1) - 1)).astype(np.int64)
    return np.asarray(np.maximum(np.take_along_axis(ranked, place[:, None], axis=1)[:, 0], TINY))
