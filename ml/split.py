"""What is learnt from and what is judged on: by time, or by whole machines where time cannot be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ml.endings import Flags
from ml.features.history import Floats, History, Ints, Moments
from ml.labels import seen_until
from ml.models.base import Outcomes

# Learnt from and judged on. Calibration needs no third part: it learns from predictions of machines left out.
SHARES = (0.80, 0.20)
# Distinct failures without which a part can neither teach nor judge.
FEWEST_IN_A_PART = 3
# Of the failures its share of time should hold. Machines run to failure from one start all fail late: their
# early time holds next to no failures, and their late time survivors only.
LEAST_OF_ITS_SHARE = 0.5


@dataclass(frozen=True)
class Split:
    """Parts in order (training first, the last one judges) as sorted row numbers; rows may be in none.

    outcomes: of all moments, each as it was known at the end of its own part. No outcome window reaches into the
        next part: an interval that does is left out, which serves as the gap and costs the short horizons nothing.
    how: "time" or "machines"; words: the cut and its reason, for the model card.
    """

    parts: tuple[Ints, ...]
    outcomes: Outcomes
    how: str
    words: str

    @property
    def learning(self) -> Ints:
        """The rows of all parts but the last, sorted."""
        return np.sort(np.concatenate(self.parts[:-1]))

    @property
    def judging(self) -> Ints:
        return self.parts[-1]


def split(moments: Moments, outcomes: Outcomes, *, shares: Sequence[float] = SHARES, seed: int = 0) -> Split:
    """In time order where every part then has its failures; else whole machines apart. There must be moments."""
    by_time = _by_time(moments, outcomes, shares)
    failures = [_distinct_failures(by_time.outcomes.take(part)) for part in by_time.parts]
    if failures[0] < LEAST_OF_ITS_SHARE * shares[0] / sum(shares) * _distinct_failures(outcomes):
        reason = f"nearly all failures come late and the first part of the time holds {failures[0]}"
    elif min(failures) < FEWEST_IN_A_PART:
        reason = f"cut by time, a part would have {min(failures)} failures"
    else:
        return by_time
    if len(np.unique(moments.machine)) < len(shares):
        return Split(
            by_time.parts, by_time.outcomes, "time", f"{by_time.words}, although {reason}: too few machines"
        )
    return _by_machines(moments, outcomes, shares, seed, reason)


def rows_learnt_from(history: History, moments: Moments, cut: Split) -> Flags:
    """[rows of the history] what the learning parts could see: whatever is fitted on rows is fitted on these."""
    learning = moments.take(cut.learning)
    as_of = (history.bucket + 1) * history.bucket_seconds
    return np.asarray(np.isin(history.machine, learning.machine) & (as_of <= learning.as_of.max(initial=0)))


def _by_time(moments: Moments, outcomes: Outcomes, shares: Sequence[float]) -> Split:
    cuts = _cuts(moments.as_of, outcomes.weight, shares)
    part = np.searchsorted(cuts, moments.as_of, side="right")
    ends = np.append(cuts, np.iinfo(np.int64).max // 4)
    words = " and ".join(f"{datetime.fromtimestamp(cut, UTC):%Y-%m-%d %H:%M}" for cut in cuts.tolist())
    known = seen_until(outcomes, moments, ends[part])
    return Split(_numbered(part, len(shares)), known, "time", f"cut by time at {words} UTC")


def _cuts(as_of: Ints, weight: Floats, shares: Sequence[float]) -> Ints:
    """The times before which these shares of all machine time lie."""
    order = np.argsort(as_of, kind="stable")
    passed = np.cumsum(weight[order])
    wanted = np.cumsum(shares)[:-1] / np.sum(shares) * passed[-1]
    cuts: Ints = as_of[order][np.searchsorted(passed, wanted).clip(0, len(order) - 1)]
    return cuts


def _by_machines(moments: Moments, outcomes: Outcomes, shares: Sequence[float], seed: int, reason: str) -> Split:
    """Machines are dealt, those with most failures first, each to the part that is furthest behind its share."""
    machines, place = np.unique(moments.machine, return_inverse=True)
    failed = np.unique(np.stack([place, outcomes.failure], axis=1)[outcomes.failure >= 0], axis=0)
    failures = np.bincount(failed[:, 0], minlength=len(machines))
    order = np.lexsort((np.random.default_rng(seed).random(len(machines)), -failures))
    part = np.zeros(len(machines), dtype=np.int64)
    for alike in (order[failures[order] > 0], order[failures[order] == 0]):
        part[alike] = _dealt(len(alike), np.asarray(shares) / np.sum(shares))
    words = f"whole machines apart, since {reason}"
    return Split(_numbered(part[place], len(shares)), outcomes, "machines", words)


def _dealt(count: int, shares: Floats) -> Ints:
    """One to each part, then always to the part that is furthest behind its share."""
    given = np.zeros(count, dtype=np.int64)
    for number in range(count):
        behind = shares * (number + 1) - np.bincount(given[:number], minlength=len(shares))
        given[number] = number if number < len(shares) else behind.argmax()
    return given


def _numbered(part: Ints, parts: int) -> tuple[Ints, ...]:
    return tuple(np.flatnonzero(part == number) for number in range(parts))


def _distinct_failures(outcomes: Outcomes) -> int:
    """Those somebody can learn from."""
    seen = np.append(outcomes.exposure > 0, np.zeros((len(outcomes), 1), dtype=bool), axis=1)
    return len(np.unique(outcomes.failure[seen[np.arange(len(outcomes)), outcomes.interval]]))
