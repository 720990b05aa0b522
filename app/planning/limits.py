"""Crews' hours, machines of a line down at once and parts in stock, as limits on options.

Work of one crew in windows that do not overlap fits exactly when each window's jobs add up to no more than the
crew's hours in it: whatever the order, no job has to begin or end at a certain time. Where windows overlap, see
demand. Windows of accepted work need no such limit: their hours are none of the crew's any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from app.planning.choices import Ints, Limit
from app.planning.day_words import WindowWords, day, hours_words
from app.planning.demand import chains, demand
from app.planning.problem import MINUTE, Crew, Problem, Span, Window

MICROSECOND = timedelta(microseconds=1)


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
    starts, ends = _times(problem, windows)
    for number in (int(group[0]) for group in chains(starts, ends, _shared(windows)) if len(group) == 1):
        first: dict[tuple[frozenset[str], str | None, int], int] = {}
        for crew_number, crew in enumerate(problem.crews):
            kind = crew.skills, crew.site, crew.minutes(windows[number].span)
            pools[number, crew_number] = first.setdefault(kind, crew_number)
    return pools


def limits(problem: Problem, windows: Sequence[Window], places: Places, pools: Ints) -> list[Limit]:
    """All that could bind; the crews of a pool have their hours together."""
    words = WindowWords(windows, problem.zone)
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
    shared = np.isin(places.window, _shared(windows))
    for number, crew in enumerate(problem.crews):
        own = np.flatnonzero((places.crew == number) & shared)
        used, window = np.unique(places.window[own], return_inverse=True)
        asked = demand(*_worked(problem, crew, [windows[each] for each in used]))
        for span in asked.spans:
            inside = asked.inside(span)
            options = own[inside[window]]
            members = int((pools[used[inside]] == number).all(axis=0).sum())
            whole = _around([windows[each] for each in used[inside]])
            what = f"crew {crew.key}'s {hours_words(crew.minutes(whole) * members)} on {words.of_span(whole)}"
            yield Limit(what, (span[1] - span[0]) * members, options, minutes[places.job[options]])


def _shared(windows: Sequence[Window]) -> Ints:
    """Those that nobody owns."""
    return np.flatnonzero([each.owner is None for each in windows])


def _around(windows: Sequence[Window]) -> Span:
    return Span(min(each.span.start for each in windows), max(each.span.end for each in windows))


def _times(problem: Problem, windows: Sequence[Window]) -> tuple[Ints, Ints]:
    """When they start and end, in microseconds from now."""
    return (
        np.array([(each.span.start - problem.now) // MICROSECOND for each in windows], np.int64),
        np.array([(each.span.end - problem.now) // MICROSECOND for each in windows], np.int64),
    )


def _worked(problem: Problem, crew: Crew, windows: Sequence[Window]) -> tuple[Ints, Ints]:
    """How many whole minutes the crew will have worked when each of them starts and ends."""
    shifts = sorted(crew.shifts, key=lambda each: each.start) or [Span(problem.now, problem.now)]
    since = [[(moment - problem.now) // MICROSECOND for moment in (each.start, each.end)] for each in shifts]
    times = np.array(since, np.int64)
    lengths = times[:, 1] - times[:, 0]
    done = lengths.cumsum()
    worked = np.column_stack((done - lengths, done))
    starts, ends = (np.interp(each, times.ravel(), worked.ravel()) for each in _times(problem, windows))
    minute = MINUTE / MICROSECOND
    return (starts // minute).astype(np.int64), (ends // minute).astype(np.int64)


def _lines(problem: Problem, windows: Sequence[Window], words: WindowWords, places: Places) -> Iterator[Limit]:
    line_of = np.array([each.line or "" for each in problem.jobs])
    starts, ends = _times(problem, windows)
    for line in problem.lines:
        own = np.flatnonzero((line_of == line.key)[places.job])
        window = places.window[own]
        for moment in _fullest(starts[window], ends[window]):
            options = own[(starts[window] <= moment) & (moment < ends[window])]
            when = words.of_moment(problem.now + int(moment) * MICROSECOND)
            what = f"the {line.most_down} machines of line {line.key} that may be down on {when}"
            yield Limit(what, line.most_down, options, np.ones_like(options))


def _fullest(starts: Ints, ends: Ints) -> Ints:
    """Starts at which more is open than at the next one's, since something ends before that."""
    moments, ended = np.unique(starts), np.sort(ends)
    by_then = np.searchsorted(ended, moments, side="right")
    return moments[np.diff(by_then, append=len(ended)) > 0]


def _parts(problem: Problem, windows: Sequence[Window], places: Places) -> Iterator[Limit]:
    for part in problem.parts:
        arrival = problem.now + part.lead_time
        early = np.array([each.span.start < arrival for each in windows], bool)
        pieces = np.array([each.parts.get(part.key, 0) for each in problem.jobs], np.int64)
        options = np.flatnonzero(early[places.window] & (pieces[places.job] > 0))
        what = f"the {part.stock} pieces of {part.key} that are there before {day(arrival, problem.zone)}"
        yield Limit(what, part.stock, options, pieces[places.job[options]])


def _may_bind(limit: Limit, job: Ints) -> bool:
    """Whether all jobs together could take more than there is."""
    if not len(limit.options):
        return False
    starts = np.flatnonzero(np.diff(job[limit.options], prepend=-1))
    return int(np.maximum.reduceat(limit.amounts, starts).sum()) > limit.capacity
