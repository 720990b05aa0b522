"""How far a machine is from its own first normal operation; needs no failure. 1 is the alarm level.

What is judged is the trailing mean of all channels, in its own usual widths. Two distances: the r.m.s. over
channels, which sees one channel leave, and the Mahalanobis distance under a shrunk covariance (Ledoit and Wolf
2004), which sees channels that no longer go together. Each is taken over its own 99 % quantile in the baseline;
the score is their geometric mean over ALARM_AT. docs/decisions/anomaly.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from app.fleet.event_rule import REPLACEMENT
from ml.features.catalogue import COUNTER
from ml.features.happenings import NEVER, Happenings, choose, epoch_seconds
from ml.features.history import Floats, History, Ints, Moments
from ml.features.rows import Rows
from ml.models.normal import Batch, Normals, learn_normals

# Three weeks when the bucket is an hour: shifts and weekends are met three times, and wear has hardly begun.
BASELINE_BUCKETS = 504
# Before that a machine has no normal of its own.
FEWEST_BUCKETS = 72
# A young machine's baseline grows in steps of a fifth, so that few are learnt for many moments.
STEP = 1.2
# Buckets in the mean that is judged: a condition, not a spike.
TRAILING = 30
# Multiple of the baseline's own quantile that is an alarm. A baseline is shorter than life: later normal operation
# wanders further than it did.
ALARM_AT = 2.5
# Values gathered at a time, machines or moments: what stays in the processor's cache takes half the time.
AT_ONCE = 250_000

Learn = Callable[[Batch, int], Normals]


@dataclass(frozen=True)
class Anomalies:
    """[n] `score`, NaN where the machine has no baseline yet. [n, channels] `now`: what is judged, the trailing
    mean; `usual`: what it was in the baseline; `away`: the difference in usual widths; NaN for channels it lacked.
    """

    channels: tuple[str, ...]
    score: Floats
    now: Floats
    usual: Floats
    away: Floats


def anomalies(
    history: History, moments: Moments, learnt_until: int = NEVER, learn: Learn = learn_normals
) -> Anomalies:
    """From the buckets that ended before each moment.

    A machine that was replaced is another one as soon as that has run long enough to tell. What ends
    after `learnt_until` (epoch seconds) is normal for nobody who had a baseline by then: a trained model does not
    learn while it judges. `learn` may be a KnownNormals.
    """
    channels = tuple(name for name in history.channels if name != COUNTER)
    values = history.mean[:, [history.channels.index(name) for name in channels]]
    now, usual, away = (np.full((len(moments), len(channels)), np.nan) for _ in range(3))
    found = Anomalies(channels, np.full(len(moments), np.nan), now, usual, away)
    if not channels or not len(values):
        return found
    rows = Rows(history.machine, history.bucket)
    end = rows.locate(moments.machine, moments.as_of // history.bucket_seconds)
    first, new = rows.starts(len(history.machines))[moments.machine], rows.locate(*_replaced(history, moments))
    start = np.where(end - new >= FEWEST_BUCKETS + TRAILING, new, first)
    by_then = rows.locate(moments.machine, np.full(len(moments), learnt_until // history.bucket_seconds))
    length = _baseline_length(end - start, by_then - start)
    for width in np.unique(length[length > 0]):
        _judge(found, values, start, end, np.flatnonzero(length == width), int(width), learn)
    return found


def _replaced(history: History, moments: Moments) -> tuple[Ints, Ints]:
    """(machine, first bucket after it was last replaced before each moment; NEVER where it never was).

    A repair is not enough: what a short stop leaves as it was would become normal, and the fault with it.
    """
    services = choose(history.events, "service", None)
    new = services[(services["code"] == REPLACEMENT) & services["component"].isna()]
    ended = epoch_seconds(new["ended_at"].fillna(new["started_at"]))
    at, found = Happenings(new["machine"].to_numpy(np.int64), ended, moments).last()
    return moments.machine, np.where(found, -(-at // history.bucket_seconds), NEVER)


def _judge(
    found: Anomalies, values: Floats, start: Ints, end: Ints, asked: Ints, length: int, learn: Learn
) -> None:
    """The moments whose baseline is so long, a few machines at a time."""
    for some in _by_machine(start[asked], max(AT_ONCE // (length * values.shape[1]), 1)):
        of = asked[some]
        first, place = np.unique(start[of], return_inverse=True)
        normals = learn(values[first[:, None] + np.arange(length)], TRAILING)
        for part in np.array_split(np.arange(len(of)), len(of) * TRAILING * values.shape[1] // AT_ONCE + 1):
            means = _trailing(values, start[of[part]], end[of[part]], normals, place[part])
            z, distance = normals.distances(means, place[part])
            found.score[of[part]] = np.sqrt(z * distance) / ALARM_AT
            found.away[of[part]] = means
            found.now[of[part]], found.usual[of[part]] = normals.levels(means, place[part])


def _by_machine(start: Ints, most: int) -> Iterator[Ints]:
    """Positions of the moments, whole machines together, at most so many machines at a time."""
    machine = np.unique(start, return_inverse=True)[1] // most
    for number in range(int(machine.max()) + 1):
        yield np.flatnonzero(machine == number)


def _trailing(values: Floats, start: Ints, end: Ints, normals: Normals, place: Ints) -> Floats:
    """[n, channels] mean of the last TRAILING rows before each moment, in the machine's usual widths."""
    back = end[:, None] - TRAILING + np.arange(TRAILING)
    window: Batch = values[np.maximum(back, start[:, None])]
    window[back < start[:, None]] = np.nan
    return normals.means(window, place)


def _baseline_length(seen: Ints, by_then: Ints) -> Ints:
    """[n] rows of baseline after `seen` rows, of which `by_then` may be learnt from; 0 for none.

    The baseline ends before what is judged.
    """
    steps = np.append(0, _steps())
    growing = steps[np.searchsorted(steps, np.maximum(seen - TRAILING, 0), side="right") - 1]
    taught = np.minimum(by_then, BASELINE_BUCKETS)
    return np.asarray(np.where((by_then >= FEWEST_BUCKETS) & (seen - TRAILING >= taught), taught, growing))


def _steps() -> Ints:
    """From the shortest baseline to the longest."""
    count = int(np.log(BASELINE_BUCKETS / FEWEST_BUCKETS) / np.log(STEP))
    return np.append(np.round(FEWEST_BUCKETS * STEP ** np.arange(count + 1)).astype(np.int64), BASELINE_BUCKETS)
