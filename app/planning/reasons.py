"""Why a machine is serviced when it is, or not at all, in words and money."""

from __future__ import annotations

import numpy as np

from app.planning.choices import NONE, Ints
from app.planning.day_words import WindowWords, day
from app.planning.framing import Framed
from app.planning.ledger import Ledger
from app.planning.machine_costs import CLASS, DEFAULT, RECORDED, MachineCosts
from app.planning.pinned import lacking_crew
from app.planning.pricing import CENTS
from app.planning.problem import Deferral, Job
from app.planning.words import money, number, percent

FIGURES = {
    "preventive": "the cost of a service",
    "failure": "the cost of a failure",
    "downtime_per_hour": "the cost of an hour down",
    "repair_hours": "the hours of a repair",
}
WHENCE = {CLASS: "its class", RECORDED: "recorded failures", DEFAULT: "the plant's defaults"}
# More of what is in the way would not make a reason clearer.
MOST_NAMED = 2


class Reasons:
    """Of one plan; `chosen` is an option or NONE by job."""

    def __init__(self, framed: Framed, chosen: Ints) -> None:
        self._framed, self._choices = framed, framed.choices
        self._ledger = Ledger(framed.choices, chosen)
        self._starts = np.array([each.span.start for each in framed.windows], object)
        self._windows = WindowWords(framed.windows, framed.problem.zone)
        self._end = day(framed.problem.until, framed.problem.zone)

    def planned(self, job: int, option: int) -> str:
        asked = self._framed.problem.jobs[job]
        kept = [self._why_pinned(option)] if self._choices.pinned[option] else []
        if asked.curve is None:
            return " ".join([*kept, f"Its cost is not known: {asked.unknown}."])
        waiting = self._if_waiting(job, int(self._choices.window[option]))
        elsewhere = [] if kept else self._better_elsewhere(job, option)
        deferred = [f"{self._deferred(asked.deferral)}."] if asked.deferral is not None else []
        return " ".join([*kept, *deferred, waiting, *elsewhere, self._costs(asked.costs)])

    def _why_pinned(self, option: int) -> str:
        own = self._framed.windows[int(self._choices.window[option])].owner is not None
        return "Accepted work, kept where it is." if own else "Put here, as it was asked for."

    def left_out(self, job: int) -> str:
        asked = self._framed.problem.jobs[job]
        if job in self._framed.lost:
            return f"Not planned anew, since it is accepted work {self._framed.lost[job]}."
        if asked.curve is None:
            return f"Not planned, {asked.unknown}."
        risk = f"{percent(float(self._framed.prices.left_risk[job]))} until {self._end}"
        if not self._framed.doable[job].any():
            return f"{risk}: {self._why_never(asked)}. {self._costs(asked.costs)}"
        return f"{risk}: {self._why_not(job)} {self._costs(asked.costs)}"

    def cost_if_waiting(self, job: int, window: int) -> int:
        """Cents in the next window in which the job could be done and costs more, or without one."""
        later, prices = self._next_window(job, window), self._framed.prices
        return int(prices.left[job] if later is None else prices.service[job, later])

    def _next_window(self, job: int, window: int) -> int | None:
        """None where waiting for it would cost less than now: then the alternative is none at all."""
        service = self._framed.prices.service
        over = self._starts >= self._framed.windows[window].span.end
        later = np.flatnonzero(self._framed.doable[job].any(axis=1) & over)
        return int(later[0]) if len(later) and service[job, later[0]] >= service[job, window] else None

    def _if_waiting(self, job: int, window: int) -> str:
        """Against the next window in which the job could be done, or against none."""
        prices, later = self._framed.prices, self._next_window(job, window)
        if later is None:
            risk, what = float(prices.left_risk[job]), f"Without a service until {self._end}"
        else:
            risk = float(prices.risk[job, later])
            what = f"If you wait for the window of {self._windows.of(self._framed.windows[later])}"
        now, cost = float(prices.risk[job, window]), int(prices.service[job, window])
        change, extra = f"risk {number(now)} → {percent(risk)}", self.cost_if_waiting(job, window) - cost
        if extra < 0:
            return f"{what}: {change}, and {self._money(-extra)} less expected cost."
        return f"{what}: {change}, expected extra cost {self._money(extra)}."

    def _better_elsewhere(self, job: int, option: int) -> list[str]:
        """Why not in the window that would be cheaper for this machine alone."""
        options = self._choices.options_of(job)
        cheapest = options.start + int(np.argmin(self._choices.cost[options]))
        saved = int(self._choices.cost[option] - self._choices.cost[cheapest])
        if saved <= 0:
            return []
        self._ledger.release(option)
        why = self._in_the_way(job, cheapest)
        self._ledger.take(option)
        when = self._windows.of(self._framed.windows[int(self._choices.window[cheapest])])
        return [f"{when} would cost {self._money(saved)} less, but {why}."]

    def _why_not(self, job: int) -> str:
        """It could be done, and is not: it does not pay, or others need more what it would take."""
        options = self._choices.options_of(job)
        if options.start == options.stop:
            return self._too_dear(job)
        cheapest = options.start + int(np.argmin(self._choices.cost[options]))
        saved = int(self._choices.left[job] - self._choices.cost[cheapest])
        when = self._windows.of(self._framed.windows[int(self._choices.window[cheapest])])
        return f"a service on {when} would save {self._money(saved)}, but {self._in_the_way(job, cheapest)}."

    def _too_dear(self, job: int) -> str:
        service, possible = self._framed.prices.service[job], self._framed.doable[job].any(axis=1)
        best = int(np.argmin(np.where(possible, service, np.iinfo(np.int64).max)))
        more = int(service[best] - self._framed.prices.left[job])
        when = self._windows.of(self._framed.windows[best])
        return f"even the best window, {when}, would cost {self._money(max(more, 0))} more than it saves."

    def _in_the_way(self, job: int, option: int) -> str:
        """Of all places for the job in that window."""
        options = self._choices.options_of(job)
        same = options.start + np.flatnonzero(self._choices.window[options] == self._choices.window[option])
        full = [self._ledger.in_the_way(int(each)) for each in same]
        setup = self._framed.problem.jobs[job].setup
        if not all(full):
            unpaid = self._choices.shared[option] != NONE and setup is not None
            return f"the set-up {setup} would be paid for it alone" if unpaid else "that would cost more in all"
        limits = dict.fromkeys(each for rows in full for each in rows)
        what = [self._choices.limits[each].what for each in limits]
        more = f" and {len(what) - MOST_NAMED} more" if len(what) > MOST_NAMED else ""
        return f"{' and '.join(what[:MOST_NAMED])}{more} are taken by work that saves more"

    def _why_never(self, job: Job) -> str:
        problem, windows = self._framed.problem, self._framed.windows
        if job.barred:
            return job.barred
        ahead = [each for each in windows if job.deferral is None or each.span.start >= job.deferral.until]
        if job.deferral is not None and not ahead:
            return self._deferred(job.deferral)
        opened = [each for each in ahead if each.opens(job.line)]
        able = [each for each in problem.crews if each.can(job)]
        if not opened:
            return f"no window of line {job.line} is ahead"
        if not able:
            return lacking_crew(job)
        if not any(crew.minutes(window.span) >= job.minutes for crew in able for window in opened):
            return f"no crew that could do it has {job.minutes / 60:g} h free in a window of its line"
        return f"{' or '.join(job.parts)} is not there in time for any window"

    def _deferred(self, deferral: Deferral) -> str:
        return f"Deferred until {day(deferral.until, self._framed.problem.zone)} by {deferral.by}: {deferral.why}"

    def _costs(self, costs: MachineCosts) -> str:
        failure, service = (self._in_words(each) for each in (costs.whole_failure, costs.preventive))
        said = [f"A failure costs {failure}, a service {service}."]
        for whence, words in WHENCE.items():
            taken = [FIGURES[name] for name, each in costs.whence.items() if each == whence]
            if taken:
                said.append(f"Taken from {words}: {', '.join(taken)}.")
        return " ".join(said)

    def _money(self, cents: int) -> str:
        return self._in_words(cents / CENTS)

    def _in_words(self, amount: float) -> str:
        return money(self._framed.problem.currency, amount)
