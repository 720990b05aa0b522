"""The first places that some machines could be serviced in, one machine after the other, beside accepted work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from app.errors import BadInput
from app.planning.pinned import PinnedWork
from app.planning.problem import Crew, Job, Pin, Problem, Span, Window


def soonest(problem: Problem, machines: Iterable[str]) -> list[Pin]:
    """Each with its window and crew. Raises BadInput where a machine can be serviced in none."""
    places, jobs = _Places(problem), {each.machine: each for each in problem.jobs}
    return [places.take(jobs[machine]) for machine in machines]


class _Places:
    """What accepted work and the machines so far leave of crews, lines and parts."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        ahead = [each for each in problem.windows if each.span.end > problem.now]
        self._windows = sorted((each for each in ahead if each.owner is None), key=lambda each: each.span.start)
        settled = PinnedWork(problem, ahead)
        self._crews = settled.crews
        self._minutes: Counter[tuple[str, str]] = Counter()
        self._down: list[tuple[str | None, Span]] = []
        self._stock = {each.key: each.stock for each in problem.parts}
        for number, (window, _) in settled.places.items():
            self._use(problem.jobs[number], ahead[window])

    def take(self, job: Job) -> Pin:
        for window in self._windows:
            if window.opens(job.line) and self._may_be_down(job, window) and self._parts_there(job, window):
                for crew in self._crews:
                    if crew.can(job) and self._minutes_left(crew, window) >= job.minutes:
                        self._minutes[window.key, crew.key] += job.minutes
                        self._use(job, window)
                        return Pin(job.machine, window.key, crew.key)
        raise BadInput(
            f"{job.machine} cannot be serviced: no window has {job.minutes / 60:g} h left of a crew that could do"
            " it, room on its line and its parts."
        )

    def _use(self, job: Job, window: Window) -> None:
        self._down.append((job.line, window.span))
        for part, pieces in job.parts.items():
            self._stock[part] = self._stock.get(part, 0) - pieces

    def _minutes_left(self, crew: Crew, window: Window) -> int:
        ahead = Span(max(window.span.start, self._problem.now), window.span.end)
        return crew.minutes(ahead) - self._minutes[window.key, crew.key]

    def _may_be_down(self, job: Job, window: Window) -> bool:
        most = min((each.most_down for each in self._problem.lines if each.key == job.line), default=None)
        down = sum(line == job.line and span.shared_minutes(window.span) > 0 for line, span in self._down)
        return most is None or down < most

    def _parts_there(self, job: Job, window: Window) -> bool:
        return all(pieces <= self._stock.get(part, 0) for part, pieces in self._missing_at(job, window))

    def _missing_at(self, job: Job, window: Window) -> Iterator[tuple[str, int]]:
        """The parts that would not have come by then if they were ordered now."""
        lead_times = {each.key: each.lead_time for each in self._problem.parts}
        for part, pieces in job.parts.items():
            lead_time = lead_times.get(part)
            if lead_time is None or window.span.start < self._problem.now + lead_time:
                yield part, pieces
