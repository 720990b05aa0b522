"""Work that people agreed on, put into a problem: it stays when it is and with whom it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from app.planning.day_words import day
from app.planning.problem import MINUTE, Crew, Job, Pin, Problem, Span, Window


@dataclass(frozen=True)
class Agreed:
    """`name` is the order's, as people read it; only one that was begun may be without a `span`."""

    name: str
    span: Span | None
    crew: str | None
    begun: bool

    def ahead(self, job: Job, now: datetime) -> Agreed:
        """Work that was begun goes on now: for what is left of its time, or as long as such a service takes."""
        if not self.begun:
            return self
        within = self.span is not None and self.span.start <= now and self.span.end - now >= MINUTE
        ends_at = self.span.end if self.span is not None and within else now + job.minutes * MINUTE
        return replace(self, span=Span(now, ends_at))

    def barred(self, now: datetime, until: datetime, zone: tzinfo) -> str:
        """Why the machine gets no service within the plan; nothing where the order gives it one."""
        if self.span is not None and self.span.start >= until:
            return f"{self.name} is agreed on for {day(self.span.start, zone)}, after the plan's end"
        if self.span is not None and self.span.end - now >= MINUTE:
            return ""
        return f"the time of {self.name} is over and nobody began it; schedule it anew or cancel it"


def with_agreed(problem: Problem, agreed: Sequence[Agreed | None]) -> Problem:
    """By job what was agreed of it: each in a window of its own, as long as it was agreed.

    A crew that the plant does not describe works then and costs no other crew its hours.
    """
    decided = [
        (job, each.ahead(job, problem.now))
        for job, each in zip(problem.jobs, agreed, strict=True)
        if each is not None
    ]
    barred = {job.machine: each.barred(problem.now, problem.until, problem.zone) for job, each in decided}
    kept = [(job, each, each.span) for job, each in decided if each.span is not None and not barred[job.machine]]
    crews = (*problem.crews, *_others(problem, kept))
    hours = {each.key: each for each in crews}
    own = {job.machine: _job(job, each, span, problem, hours) for job, each, span in kept}
    return replace(
        problem,
        jobs=tuple(own.get(job.machine) or _bar(job, barred.get(job.machine, "")) for job in problem.jobs),
        windows=(*problem.windows, *(_window(job, each, span, problem) for job, each, span in kept)),
        crews=crews,
        pins=(*problem.pins, *(Pin(job.machine, each.name, each.crew, each.begun) for job, each, _ in kept)),
    )


def _bar(job: Job, why: str) -> Job:
    return replace(job, barred=job.barred or why)


def _job(job: Job, agreed: Agreed, span: Span, problem: Problem, crews: dict[str, Crew]) -> Job:
    """Breaks within the time that was agreed are no contradiction."""
    ahead = Span(max(span.start, problem.now), span.end)
    worked = crews[agreed.crew].minutes(ahead) if agreed.crew is not None else 0
    return replace(job, minutes=worked or ahead.shared_minutes(ahead), proposed_window=None)


def _window(job: Job, agreed: Agreed, span: Span, problem: Problem) -> Window:
    """At the loss of the cheapest window that it lies in."""
    around = [each.loss_share for each in problem.windows if each.opens(job.line) and span.within(each.span)]
    return Window(agreed.name, span, loss_share=min(around, default=1.0), owner=job.machine)


def _others(problem: Problem, kept: Sequence[tuple[Job, Agreed, Span]]) -> tuple[Crew, ...]:
    known = {each.key for each in problem.crews}
    names = sorted({each.crew for _, each, _ in kept if each.crew is not None} - known)
    return tuple(_other(name, [(job, span) for job, each, span in kept if each.crew == name]) for name in names)


def _other(name: str, works: Sequence[tuple[Job, Span]]) -> Crew:
    skills = frozenset(job.skill for job, _ in works if job.skill is not None)
    return Crew(name, skills, _joined([span for _, span in works]))


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)
