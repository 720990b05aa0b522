"""Accepted work: where it stays, and what it contradicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.planning.day_words import WindowWords, hours_words
from app.planning.problem import Crew, Job, Pin, Problem, Window


def lacking_crew(job: Job) -> str:
    """Where no crew can do it."""
    there = f" in {job.site}" if job.site is not None else ""
    return f"no crew works{there}" if job.skill is None else f"no crew has the skill {job.skill}{there}"


class PinnedWork:
    """Pins settled one after the other; one without a crew goes to the able crew with most room.

    `places`: (window, crew) by position of the job. `lost`: why a job's pin leads nowhere; it is not planned
    elsewhere, since somebody accepted it. `said`: all contradictions. Work that contradicts something stays pinned
    all the same. `crews`: the problem's, with the hours that work in windows of its own leaves them.
    """

    def __init__(self, problem: Problem, windows: Sequence[Window]) -> None:
        self._problem, self._windows, self._words = problem, windows, WindowWords(windows, problem.zone)
        self._job = {each.machine: number for number, each in enumerate(problem.jobs)}
        self._window = {each.key: number for number, each in enumerate(windows)}
        self._crew = {each.key: number for number, each in enumerate(problem.crews)}
        self._taken: Counter[tuple[int, int]] = Counter()
        self.crews = list(problem.crews)
        self.places: dict[int, tuple[int, int]] = {}
        self.lost: dict[int, str] = {}
        self.said: list[str] = []
        for pin in sorted(problem.pins, key=self._owners_and_longest_first):
            self._settle(pin)

    def _owners_and_longest_first(self, pin: Pin) -> tuple[bool, bool, int]:
        number, window = self._job.get(pin.machine), self._window_of(pin)
        shared = window is None or self._windows[window].owner is None
        return shared, pin.crew is None, 0 if number is None else -self._problem.jobs[number].minutes

    def _window_of(self, pin: Pin) -> int | None:
        window = self._window.get(pin.window)
        foreign = window is not None and self._windows[window].owner not in (None, pin.machine)
        return None if foreign else window

    def _settle(self, pin: Pin) -> None:
        number = self._job.get(pin.machine)
        if number is None:
            self.said.append(f"{pin.machine} is pinned to the window {pin.window}, and there is no such machine.")
            return
        if number in self.places or number in self.lost:
            self._settled_before(pin, number)
            return
        job, window, crew = self._problem.jobs[number], self._window_of(pin), None
        if window is not None:
            crew = self._crew_for(pin, job, window)
        if window is None or crew is None:
            self.lost[number] = self._why_lost(pin, job, window)
            self.said.append(f"{pin.machine} is {self.lost[number]}.")
            return
        self.places[number] = window, crew
        self._taken[crew, window] += job.minutes
        if pin.begun:
            self.crews[crew] = self.crews[crew].busy(self._windows[window].span)
        elif self._windows[window].owner is None:
            self._object(job, self._windows[window], self.crews[crew])
        else:
            self._object(job, self._windows[window], self._problem.crews[crew])
            self._keep_free(self._windows[window], crew)

    def _settled_before(self, pin: Pin, number: int) -> None:
        window = self.places.get(number, (None, None))[0]
        if window is None or self._windows[window].key != pin.window:
            self.said.append(f"{pin.machine} is pinned to two windows; {pin.window} is not heeded.")

    def _crew_for(self, pin: Pin, job: Job, window: int) -> int | None:
        if pin.crew is not None:
            return self._crew.get(pin.crew)
        room = {
            number: crew.minutes(self._windows[window].span) - self._taken[number, window]
            for number, crew in enumerate(self.crews)
            if crew.can(job)
        }
        return max(room, key=lambda number: room[number], default=None)

    def _why_lost(self, pin: Pin, job: Job, window: int | None) -> str:
        if window is None:
            return f"pinned to the window {pin.window}, which is over or not among those of the plan"
        when = self._words.of(self._windows[window])
        lacking = lacking_crew(job) if pin.crew is None else f"there is no crew {pin.crew}"
        return f"pinned to {when}, and {lacking}"

    def _object(self, job: Job, window: Window, crew: Crew) -> None:
        pinned, minutes = f"{job.machine} is pinned to {self._words.of(window)}", crew.minutes(window.span)
        if not crew.can(job):
            lacks = f"lacks the skill {job.skill}" if crew.site in (None, job.site) else f"works in {crew.site}"
            self.said.append(f"{pinned} and crew {crew.key}, which {lacks}.")
        if window.owner is None and not window.opens(job.line):
            self.said.append(f"{pinned}, which is no window of line {job.line}.")
        if minutes < job.minutes:
            needs, has = hours_words(job.minutes), hours_words(minutes)
            self.said.append(f"{pinned} for {needs}, and crew {crew.key} has {has} then.")

    def _keep_free(self, window: Window, number: int) -> None:
        """The crew does nothing but the owner's work then."""
        crew, hours = self.crews[number], self._problem.crews[number].minutes(window.span)
        if crew.minutes(window.span) < hours:
            when = self._words.of(window)
            self.said.append(f"Accepted work takes more than crew {crew.key}'s {hours_words(hours)} on {when}.")
        self.crews[number] = crew.busy(window.span)
