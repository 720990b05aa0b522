"""Crews' hours of the week as spans of real time, and the days on which somebody works."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.planning.problem import Crew, Span

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
DAY = timedelta(days=1)

# By weekday the hours of work, each like `07:00-15:00`.
Week = Mapping[str, Sequence[str]]


def hours_of(text: str) -> tuple[timedelta, timedelta]:
    """`22:00-06:00` -> from 22 h until 30 h after midnight. Raises ValueError where it is not written so."""
    found = HOURS.fullmatch(text.strip())
    if found is None:
        raise ValueError("must be hours of a day like 07:00-15:00, or 22:00-06:00 over midnight")
    hour, minute, end_hour, end_minute = (int(each) for each in found.groups() if each is not None)
    start, end = timedelta(hours=hour, minutes=minute), timedelta(hours=end_hour, minutes=end_minute)
    if start == end:
        raise ValueError("must not begin and end at the same time; a whole day is 00:00-24:00")
    return start, end if end > start else end + DAY


def shifts(week: Week, zone: str, since: datetime, until: datetime) -> tuple[Span, ...]:
    """By the clock on the crew's wall, in UTC; of hours that overlap the later shift has the rest."""
    found: list[Span] = []
    for span in sorted(_each(week, ZoneInfo(zone), since, until), key=lambda each: (each.start, each.end)):
        start = max(span.start, found[-1].end) if found else span.start
        if start < span.end:
            found.append(Span(start, span.end))
    return tuple(each for each in found if each.end > since and each.start < until)


def _each(week: Week, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[Span]:
    first, last = since.astimezone(zone).date() - DAY, until.astimezone(zone).date()
    for number in range((last - first).days + 1):
        day = first + number * DAY
        for text in week.get(WEEKDAYS[day.weekday()], ()):
            start, end = hours_of(text)
            yield Span(_at(day, start, zone), _at(day, end, zone))


def _at(day: date, since_midnight: timedelta, zone: ZoneInfo) -> datetime:
    return (datetime.combine(day, time()) + since_midnight).replace(tzinfo=zone).astimezone(UTC)


def working_days(crews: Sequence[Crew], zone: str) -> Iterator[tuple[date, Span]]:
    """Each day on which a shift begins, from the first crew's beginning to the last one's end."""
    days: dict[date, list[Span]] = {}
    for shift in (each for crew in crews for each in crew.shifts):
        days.setdefault(shift.start.astimezone(ZoneInfo(zone)).date(), []).append(shift)
    for day, of_day in sorted(days.items()):
        yield day, Span(min(each.start for each in of_day), max(each.end for each in of_day))
