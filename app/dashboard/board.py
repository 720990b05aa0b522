"""The board: what is proposed and what is agreed, by week, crew and the day on the crew's own wall calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.dashboard.context import ProposedService
from app.dashboard.plan_context import CrewWeek, Placed, Week, WeekLink
from app.orders.schemas import WorkOrderOut
from app.orders.states import words

WEEK = timedelta(days=7)
NOBODY = "no crew named"
PROPOSED = "proposed"
WEEKS_TO_DEFER = 8


def placed(services: Iterable[ProposedService], orders: Iterable[WorkOrderOut]) -> list[Placed]:
    """By time; an order stands where it was agreed on, whatever the plan says of its machine."""
    planned = {each.key: each for each in services}
    agreed = [each for order in orders if (each := _agreed(order, planned.get(order.machine)))]
    taken = {each.service.key for each in agreed}
    proposals = [_proposed(each) for key, each in planned.items() if key not in taken]
    return sorted([*agreed, *proposals], key=lambda each: (each.service.service_by, each.service.key))


def _agreed(order: WorkOrderOut, planned: ProposedService | None) -> Placed | None:
    """Without hours it stands where the plan would have it, if anywhere."""
    if order.scheduled_start is None:
        service = planned
    else:
        known = planned or ProposedService(
            order.machine, order.name, order.line, order.scheduled_start, None, None, None, None, None, ""
        )
        service = replace(
            known, service_by=order.scheduled_start, ends_at=order.scheduled_end, crew=order.crew or known.crew
        )
    if service is None:
        return None
    return Placed(service, service.crew or NOBODY, words(order.state), order.id, order.version)


def _proposed(service: ProposedService) -> Placed:
    return Placed(service, service.crew or NOBODY, PROPOSED, mondays=_mondays(service.service_by))


def _mondays(after: datetime) -> tuple[datetime, ...]:
    """Until when a service may be put off: the weeks that come."""
    first = datetime.combine(monday(after.date()), time(), UTC)
    return tuple(first + number * WEEK for number in range(1, WEEKS_TO_DEFER + 1))


def begins_on(work: Placed, zones: Mapping[str, ZoneInfo]) -> date:
    return work.service.service_by.astimezone(zones.get(work.by, ZoneInfo("UTC"))).date()


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def week_of(works: Sequence[Placed], crews: Sequence[str], zones: Mapping[str, ZoneInfo], first: date) -> Week:
    """The seven days from `first`; described crews have a line even when they have nothing to do."""
    days = tuple(first + timedelta(days=number) for number in range(7))
    on_day = [(begins_on(each, zones), each) for each in works]
    within = [each for day, each in on_day if first <= day < first + WEEK]
    priced = [each for each in within if each.service.cost_now is not None]
    names = [*crews, *sorted({each.by for each in within} - {*crews})]
    return Week(
        days=days,
        crews=tuple(CrewWeek(crew, tuple(_begun(on_day, crew, day) for day in days)) for crew in names),
        services=len(within),
        cost=_sum(each.service.cost_now for each in priced),
        cost_if_waiting=_sum(each.service.cost_if_waiting for each in priced),
        failures=_sum(each.service.probability_by_then for each in priced),
        unpriced=len(within) - len(priced),
    )


def _begun(on_day: Iterable[tuple[date, Placed]], crew: str, day: date) -> tuple[Placed, ...]:
    return tuple(each for on, each in on_day if on == day and each.by == crew)


def weeks_of(works: Sequence[Placed], zones: Mapping[str, ZoneInfo], first: date, last: date) -> list[WeekLink]:
    """From one day's week to another's, and wherever else there is work."""
    begun = [monday(begins_on(each, zones)) for each in works]
    start, end = min([monday(first), *begun]), max([monday(last), *begun])
    firsts = [start + number * WEEK for number in range((end - start) // WEEK + 1)]
    return [WeekLink(each, begun.count(each)) for each in firsts if each in begun or monday(first) <= each <= last]


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
