"""For which spans of a crew's hours a limit is needed, so that whatever keeps to them can be done.

Work fits exactly when what has to be done between the start of one window and the end of another is no more than
the crew's hours there, for every such pair (Horn 1974, "Some simple scheduling algorithms", Naval Research
Logistics Quarterly 21); a job may then pause. Windows stand here in minutes of the crew's own work, so those that
overlap only while it rests do not overlap. A span with a moment that no window within it lies across needs no
limit: its two halves have theirs. Where a long chain of windows still needs too many, some are shortened: safe,
and no longer exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.planning.choices import Flags, Ints

# So many moments are looked at together, and so many of their spans kept: an option is in a third of them at most.
MOST_MOMENTS, MOST_SPANS = 64, 100
# A chain that needs more is cut into so many parts, each looked at by itself.
PARTS = 8


@dataclass(frozen=True)
class Demand:
    """`starts` and `ends` of windows, some shortened; what lies inside one of the `spans` has no more than that."""

    starts: Ints
    ends: Ints
    spans: tuple[tuple[int, int], ...]

    def inside(self, span: tuple[int, int]) -> Flags:
        return (self.starts >= span[0]) & (self.ends <= span[1]) & (self.starts < self.ends)


def demand(starts: Ints, ends: Ints) -> Demand:
    starts, ends = starts.copy(), ends.copy()
    spans: list[tuple[int, int]] = []
    waiting = chains(starts, ends, np.flatnonzero(starts < ends))
    while waiting:
        chain = waiting.pop()
        needed = _needed(starts[chain], ends[chain]) if len(_moments(starts, ends, chain)) <= MOST_MOMENTS else None
        if needed is None or len(needed) > MOST_SPANS:
            across = _shorten(starts, ends, chain)
            needed = _needed(starts[chain[across]], ends[chain[across]])
            waiting += chains(starts, ends, chain[~across])
        spans += needed
    return Demand(starts, ends, tuple(sorted(spans)))


def chains(starts: Ints, ends: Ints, own: Ints) -> list[Ints]:
    """The `own` windows in groups of which no two overlap."""
    if not len(own):
        return []
    own = own[np.argsort(starts[own], kind="stable")]
    latest = np.maximum.accumulate(ends[own])
    return np.split(own, np.flatnonzero(starts[own][1:] >= latest[:-1]) + 1)


def _moments(starts: Ints, ends: Ints, chain: Ints) -> Ints:
    """At which windows of the chain start or end."""
    return np.unique(np.concatenate((starts[chain], ends[chain])))


def _needed(starts: Ints, ends: Ints) -> list[tuple[int, int]]:
    """Spans from a start to an end across each of whose moments a window within them lies."""
    moments, place = np.unique(np.concatenate((starts, ends)), return_inverse=True)
    number = len(moments)
    # By i and j how many windows start before moment i and end before moment j.
    before = np.zeros((number + 1, number + 1), np.int64)
    np.add.at(before, (place[: len(starts)] + 1, place[len(starts) :] + 1), 1)
    before = before.cumsum(axis=0).cumsum(axis=1)
    first, between, last = np.ogrid[:number, :number, :number]
    across = before[between, last + 1] - before[first, last + 1]
    across = across - before[between, between + 1] + before[first, between + 1]
    whole = np.all((across > 0) | (between <= first) | (between >= last), axis=1)
    first, last = np.ogrid[:number, :number]
    begun = before[first + 1, last + 1] - before[first, last + 1]
    return [(int(moments[i]), int(moments[j])) for i, j in np.argwhere(whole & (begun > 0) & (first < last))]


def _shorten(starts: Ints, ends: Ints, chain: Ints) -> Flags:
    """Cuts the chain into parts, and says which of it then lies in several.

    A window across a cut keeps the longest of what is between cuts, before the first and behind the last.
    """
    moments = _moments(starts, ends, chain)
    cuts = np.append(moments[:: -(-len(moments) // PARTS)], moments[-1])
    start, end = starts[chain], ends[chain]
    first = cuts[np.searchsorted(cuts, start)]
    last = cuts[np.searchsorted(cuts, end, side="right") - 1]
    whole = first >= end
    lengths = np.stack((last - first, first - start, end - last))
    kept = np.where(whole, -1, lengths.argmax(axis=0))
    starts[chain] = np.select([kept == 0, kept == 2], [first, last], start)
    ends[chain] = np.select([kept == 0, kept == 1], [last, first], end)
    several: Flags = (kept == 0) & (np.searchsorted(cuts, last) - np.searchsorted(cuts, first) > 1)
    return several
