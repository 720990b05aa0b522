"""Windows and hours as people say them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo

from app.planning.problem import Span, Window


class WindowWords:
    """`Fri 4 Dec`, with the time of day where several windows start on one day; on the clock of `zone`."""

    def __init__(self, windows: Sequence[Window], zone: tzinfo) -> None:
        self._zone = zone
        days = Counter(start.astimezone(zone).date() for start in {each.span.start for each in windows})
        self._many = {date for date, number in days.items() if number > 1}

    def of(self, window: Window) -> str:
        return self.of_moment(window.span.start)

    def of_moment(self, start: datetime) -> str:
        local = start.astimezone(self._zone)
        return f"{day(start, self._zone)} {local:%H:%M}" if local.date() in self._many else day(start, self._zone)

    def of_span(self, span: Span) -> str:
        return self.of_moment(span.start)


def day(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}"


def hours_words(minutes: int) -> str:
    """270 -> `4.5 h`."""
    return f"{round(minutes / 60, 1):g} h"
