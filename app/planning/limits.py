"""Crews' hours, machines of a line down at once and parts in stock, as limits on options.

Work of one crew in windows that do not overlap fits exactly when each window's jobs add up to no more than the
crew's hours in it: whatever the order, no job has to begin or end at a certain time. Where windows overlap, what
has to be done between the start of one and the end of another must fit into the crew's hours there, for every such
pair (Horn 1974, "Some simple scheduling algorithms", Naval Research Logistics Quarterly 21); a job may then pause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.planning.choices import Flags, Ints, Limit
from app.planning.day_words import WindowWords, day, hours_words
from app.planning.problem import Problem, Span, Window


@dataclass(frozen=True)
class Places:
    """The options by position of their job, window and crew."""

    job: Ints
    window: Ints
    crew: Ints


def each_alone(problem: Problem, windows: Sequence[Window]) -> Ints:
    """By window and crew the crew itself."""
    return np.tile(np.arange(len(problem.crews)), (len(windows), 1))


def alike(problem: Problem, windows: Sequence[Window]) -> Ints:
    """By window and crew the first of the same skills, site and hours then; itself in a window that overlaps."""
    pools = each_alone(problem, windows)
    alone = {group[0].key for group in overlapping(windows) if len(group) == 1}
    for number, window in enumerate(windows):
        if window.key not in alone:
            continue
        first: dict[tuple[frozenset[str], str | None, int], int] = {}
        for crew_number, crew in enumerate(problem.crews):
            kind = crew.skills, crew.site, crew.minutes(window.span)
            pools[number, crew_number] = first.setdefault(kind, crew_number)
    return pools


def limits(problem: Problem, windows: Sequence[Window], places: Places, pools: Ints) -> list[Limit]:
    """All that could bind; the crews of a pool have their hours together."""
    words = WindowWords(windows)
    found = [
        *_crews(problem, windows, words, places, pools),
        *_lines(problem, windows, words, places),
        *_parts(problem, windows, places),
    ]
    return [each for each in found if _may_bind(each, places.job)]


def _crews(
    problem: Problem, windows: Sequence[Window], words: WindowWords, places: Places, pools: Ints
) -> Iterator[Limit]:
    minutes = np.array([each.minutes for each in problem.jobs], np.int64)
    spans = list(_demanding(windows))
    for number, crew in enumerate(problem.crews):
        own = np.flatnonzero(places.crew == number)
        for span, inside in spans:
            options = own[inside[places.window[own]]]
            members = int((pools[inside] == number).all(axis=0).sum())
            capacity = crew.minutes(span) * members
            what = f"crew {crew.key}'s {hours_words(capacity)} on {words.of_span(span)}"
            yield Limit(what, capacity, options, minutes[places.job[options]])


def _demanding(windows: Sequence[Window]) -> Iterator[tuple[Span, Flags]]:
    """From the start of a window to the end of one that overlaps with it, if by others; and what lies inside."""
    spans = {
        Span(first.span.start, last.span.end)
        for together in overlapping(windows)
        for first in together
        for last in together
        if first.span.start < last.span.end
    }
    seen: set[bytes] = set()
    for span in sorted(spans, key=lambda each: (each.end - each.start, each.start)):
        inside = np.array([each.span.within(span) for each in windows])
        if inside.any() and inside.tobytes() not in seen:
            seen.add(inside.tobytes())
            yield span, inside


def overlapping(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows in groups of which no two overlap."""
    groups: list[list[Window]] = []
    for window in sorted(windows, key=lambda each: each.span.start):
        if groups and window.span.start < max(each.span.end for each in groups[-1]):
            groups[-1].append(window)
        else:
            groups.append([window])
    return groups


def _lines(problem: Problem, windows: Sequence[Window], words: WindowWords, places: Places) -> Iterator[Limit]:
    line_of = np.array([each.line or "" for each in problem.jobs])
    moments = sorted({each.span.start for each in windows})
    down = [np.array([each.span.start <= moment < each.span.end for each in windows], bool) for moment in moments]
    for line in problem.lines:
        own = np.flatnonzero((line_of == line.key)[places.job])
        for moment, during in zip(moments, down, strict=True):
            options = own[during[places.window[own]]]
            what = f"the {line.most_down} machines of line {line.key} that may be down on {words.of_moment(moment)}"
            yield Limit(what, line.most_down, options, np.ones_like(options))


def _parts(problem: Problem, windows: Sequence[Window], places: Places) -> Iterator[Limit]:
    for part in problem.parts:
        arrival = problem.now + part.lead_time
        early = np.array([each.span.start < arrival for each in windows], bool)
        pieces = np.array([each.parts.get(part.key, 0) for each in problem.jobs], np.int64)
        options = np.flatnonzero(early[places.window] & (pieces[places.job] > 0))
        what = f"the {part.stock} pieces of {part.key} that are there before {day(arrival)}"
        yield Limit(what, part.stock, options, pieces[places.job[options]])


def _may_bind(limit: Limit, job: Ints) -> bool:
    """Whether all jobs together could take more than there is."""
    if not len(limit.options):
        return False
    starts = np.flatnonzero(np.diff(job[limit.options], prepend=-1))
    return int(np.maximum.reduceat(limit.amounts, starts).sum()) > limit.capacity
