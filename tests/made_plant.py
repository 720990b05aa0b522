"""Small plants to plan for, and a check of schedules that knows nothing of how they are made."""

from __future__ import annotations

import math
import os
import time
from collections import Counter, defaultdict
from datetime import timedelta

from factories import at
from hypothesis import strategies as st

from app.planning.agreed_work import Agreed, with_agreed
from app.planning.machine_costs import MachineCosts
from app.planning.problem import Crew, Job, Line, Part, Pin, Problem, Setup, Span, Window
from app.risk.curve import make_curve

NOW = at("2026-11-27 06:00")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
COSTS = MachineCosts(800, 8000, 100, 10, 0.9, {})
SKILLS = (None, "mechanical", "electrical")


def curve(*hazards):
    """Cumulated within 7, 14 and 30 days."""
    return make_curve([168.0, 336.0, 720.0], [-math.expm1(-each) for each in hazards])


def night(day, start=16, hours=8, **given):
    begin = NOW + day * DAY + (start - 6) * HOUR
    return Window(f"night {day}", Span(begin, begin + hours * HOUR), **given)


def crew(key="A", days=range(28), hours=8, skills=("mechanical",)):
    begins = [NOW + day * DAY + 10 * HOUR for day in days]
    return Crew(key, frozenset(skills), tuple(Span(begin, begin + hours * HOUR) for begin in begins))


def job(machine="press-07", hazards=(0.2, 0.6, 1.5), **given):
    usual = {"line": "L1", "minutes": 240, "costs": COSTS, "curve": curve(*hazards), "curve_from": NOW}
    return Job(machine, **(usual | given))


def plant(*jobs, **given):
    """Three nights a week apart, and one crew."""
    usual = {"windows": (night(0), night(7), night(14)), "crews": (crew(),), "until": NOW + 28 * DAY}
    return Problem(now=NOW, jobs=jobs, **(usual | given))


@st.composite
def plants(draw, most_jobs=8):
    """Few windows, some overlapping; few crews, scarce hours and parts; pins and agreed work that contradict."""
    windows = [
        night(day, draw(st.sampled_from([12, 16])), lines=draw(st.sampled_from([None, frozenset({"L1"})])),
              loss_share=draw(st.sampled_from([0.0, 1.0])))
        for day in draw(st.lists(st.integers(-1, 9), max_size=4, unique=True))
    ]  # fmt: skip
    if windows and draw(st.booleans()):
        first = windows[0]
        later = Span(first.span.start + 3 * HOUR, first.span.end + 4 * HOUR)
        windows.append(Window("overlapping", later, frozenset({"L2"}), 0.5))
    crews = [
        crew(key, range(-1, 10), draw(st.integers(0, 12)), draw(st.sets(st.sampled_from(SKILLS[1:]))))
        for key in "AB"[: draw(st.integers(0, 2))]
    ]
    jobs = [draw(jobs_named(f"m{number}")) for number in range(draw(st.integers(0, most_jobs)))]
    keys = [each.key for each in windows] + ["night 99"]
    pins = [
        Pin(f"m{number}", draw(st.sampled_from(keys)), draw(st.sampled_from([None, "A", "B"])))
        for number in draw(st.lists(st.integers(0, most_jobs), max_size=2))
    ]
    problem = Problem(
        NOW, NOW + 14 * DAY, tuple(jobs), tuple(windows), tuple(crews),
        lines=(Line("L1", draw(st.integers(0, 2))),),
        parts=(Part("bearing", draw(st.integers(0, 2)), draw(st.integers(0, 12)) * DAY),),
        setups=(Setup("crane", draw(st.sampled_from([0.0, 300.0, 3000.0]))),),
        pins=tuple(pins), moving_cost=draw(st.sampled_from([0.0, 100.0])),
    )  # fmt: skip
    return with_agreed(problem, [draw(st.none() | works_agreed_on(each.machine)) for each in jobs])


@st.composite
def works_agreed_on(draw, machine):
    start = NOW + draw(st.integers(-1, 3)) * DAY + draw(st.integers(6, 18)) * HOUR
    span = Span(start, start + draw(st.integers(1, 24)) * timedelta(minutes=30))
    return Agreed(f"work order {machine}", span, draw(st.sampled_from([None, "A", "B", "C"])), False)


@st.composite
def jobs_named(draw, machine):
    steps = draw(st.lists(st.floats(0, 1), min_size=3, max_size=3))
    risk = curve(*(sum(steps[: number + 1]) for number in range(3))) if draw(st.integers(0, 5)) else None
    return Job(
        machine, draw(st.sampled_from(["L1", "L2", None])), draw(st.integers(1, 16)) * 30,
        MachineCosts(draw(st.floats(0, 2000)), draw(st.floats(0, 20000)), draw(st.floats(0, 500)), 5, 0.5, {}),
        risk, NOW - draw(st.integers(0, 48)) * HOUR, skill=draw(st.sampled_from(SKILLS)),
        parts={"bearing": 1} if draw(st.integers(0, 2)) == 0 else {},
        setup="crane" if draw(st.integers(0, 2)) == 0 else None,
        proposed_window=draw(st.sampled_from([None, "night 1", "night 2"])),
    )  # fmt: skip


def crashes(problem, seconds):
    os.abort()


def hangs(problem, seconds=0.0):
    time.sleep(600)


def broken(problem, services):
    """What a set of services breaks, said briefly; each service is looked at as people would."""
    windows = {each.key: each for each in problem.windows}
    crews = {each.key: each for each in problem.crews}
    jobs = {each.machine: each for each in problem.jobs}
    said, work, down, used = [], defaultdict(list), [], Counter()
    for service in services:
        job, window, who = jobs[service.machine], windows[service.window], crews[service.crew]
        start = max(window.span.start, problem.now)
        agreed = window.owner == service.machine
        if not (
            problem.now < window.span.end
            and start < problem.until
            and (agreed or (window.owner is None and window.opens(job.line)))
        ):
            said.append(f"{job.machine}: window")
        if not who.can(job):
            said.append(f"{job.machine}: skill")
        work[service.crew].append((start, window.span.end, job.minutes))
        down.append((job.line, start, window.span.end))
        for part in problem.parts:
            if start < problem.now + part.lead_time:
                used[part.key] += job.parts.get(part.key, 0)
    said += [f"part {part.key}" for part in problem.parts if used[part.key] > part.stock]
    said += [f"crew {key}" for key, tasks in work.items() if not _fits(crews[key], tasks)]
    for line in problem.lines:
        for moment in {start for _, start, _ in down}:
            if sum(each == line.key and start <= moment < end for each, start, end in down) > line.most_down:
                said.append(f"line {line.key}")
    if len({each.machine for each in services}) < len(services):
        said.append("twice")
    return said


def _fits(crew, tasks):
    """Earliest due date first, half an hour by half an hour, with pauses: optimal for one worker."""
    left = [[start, end, minutes] for start, end, minutes in tasks]
    step = timedelta(minutes=30)
    for shift in sorted(crew.shifts, key=lambda each: each.start):
        now = shift.start
        while now < shift.end:
            ready = [each for each in left if each[0] <= now < each[1] and each[2] > 0]
            if ready:
                min(ready, key=lambda each: each[1])[2] -= 30
            now += step
    return all(each[2] <= 0 for each in left)
