"""The board: what is proposed and what is agreed, by week, crew and the day on the crew's own wall calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.dashboard.context import ProposedService
from app.dashboard.plan_context import CrewWeek, Placed, Week, WeekLink
from app.orders.schemas import WorkOrderOut
from app.orders.states import words

WEEK = timedelta(days=7)
NOBODY = "no crew named"
PROPOSED = "proposed"
WEEKS_TO_DEFER = 8
UTC = ZoneInfo("UTC")
INSTANT = timedelta(microseconds=1)

# By crew the zone of its wall calendar.
Zones = Mapping[str, ZoneInfo]


def placed(services: Iterable[ProposedService], orders: Iterable[WorkOrderOut], zones: Zones) -> list[Placed]:
    """By time; an order stands where it was agreed on, whatever the plan says of its machine."""
    planned = {each.key: each for each in services}
    agreed = [each for order in orders if (each := _agreed(order, planned.get(order.machine)))]
    taken = {each.service.key for each in agreed}
    proposals = [_proposed(each, zones) for key, each in planned.items() if key not in taken]
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


def _proposed(service: ProposedService, zones: Zones) -> Placed:
    work = Placed(service, service.crew or NOBODY, PROPOSED)
    zone, first = _zone(work, zones), monday(begins_on(work, zones))
    starts = (datetime.combine(first + number * WEEK, time(), zone) for number in range(1, WEEKS_TO_DEFER + 1))
    return replace(work, mondays=tuple(starts))


def _zone(work: Placed, zones: Zones) -> ZoneInfo:
    return zones.get(work.by, UTC)


def begins_on(work: Placed, zones: Zones) -> date:
    return work.service.service_by.astimezone(_zone(work, zones)).date()


def ends_on(work: Placed, zones: Zones) -> date:
    """What ends at midnight is not done on the day that then begins."""
    ends_at = work.service.ends_at
    if ends_at is None or ends_at <= work.service.service_by:
        return begins_on(work, zones)
    return (ends_at - INSTANT).astimezone(_zone(work, zones)).date()


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def week_of(works: Sequence[Placed], crews: Sequence[str], zones: Zones, first: date) -> Week:
    """The seven days from `first`; described crews have a line even when they have nothing to do.

    What began in an earlier week stands on its days and counts there.
    """
    days = tuple(first + timedelta(days=number) for number in range(7))
    lasting = [(begins_on(each, zones), ends_on(each, zones), each) for each in works]
    within = [each for begin, _, each in lasting if first <= begin < first + WEEK]
    shown = {each.by for begin, end, each in lasting if begin < first + WEEK and end >= first}
    priced = [each for each in within if each.service.cost_now is not None]
    names = [*crews, *sorted(shown - {*crews})]
    return Week(
        days=days,
        crews=tuple(CrewWeek(crew, tuple(_on(lasting, crew, day) for day in days)) for crew in names),
        services=len(within),
        cost=_sum(each.service.cost_now for each in priced),
        cost_if_waiting=_sum(each.service.cost_if_waiting for each in priced),
        failures=_sum(each.service.probability_by_then for each in priced),
        unpriced=len(within) - len(priced),
    )


def _on(lasting: Iterable[tuple[date, date, Placed]], crew: str, day: date) -> tuple[Placed, ...]:
    return tuple(
        replace(each, goes_on=begin < day, one_day=begin == end)
        for begin, end, each in lasting
        if each.by == crew and begin <= day <= end
    )


def weeks_of(works: Sequence[Placed], zones: Zones, first: date, last: date) -> list[WeekLink]:
    """From one day's week to another's, and wherever else there is work."""
    begun = [monday(begins_on(each, zones)) for each in works]
    start, end = min([monday(first), *begun]), max([monday(last), *begun])
    firsts = [start + number * WEEK for number in range((end - start) // WEEK + 1)]
    return [WeekLink(each, begun.count(each)) for each in firsts if each in begun or monday(first) <= each <= last]


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
