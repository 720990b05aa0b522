"""The crews' diary: a service a crew and weekday morning, never two; what was ordered stays ordered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

DAY, HOUR = 86400, 3600
# The service that app.planning assumes where nobody said otherwise, a morning's work.
SERVICE_HOURS = 4
BEGINS, ENDS = 8 * HOUR, (8 + SERVICE_HOURS) * HOUR
# 1970-01-01 was a Thursday.
THURSDAY, SATURDAY = 3, 5


@dataclass(frozen=True)
class Order:
    """`day` is the epoch second at which it begins, at midnight UTC."""

    machine: int
    day: int
    crew: int


@dataclass
class Diary:
    """`ordered`: by crew and day the machine to be serviced."""

    crews: int
    ordered: dict[tuple[int, int], int] = field(default_factory=dict)

    def accept(self, order: Order) -> None:
        """Raises ValueError where the crew does not work or has another machine, or the machine has an order."""
        if not works(order.day) or not 0 <= order.crew < self.crews:
            raise ValueError("no crew works then")
        if (order.crew, order.day) in self.ordered or order.machine in self.ordered.values():
            raise ValueError("the crew or the machine has an order already")
        self.ordered[order.crew, order.day] = order.machine

    def orders(self) -> list[Order]:
        return [Order(machine, day, crew) for (crew, day), machine in self.ordered.items()]

    def take(self, day: int) -> list[int]:
        """The machines whose service is today; they have no order any more."""
        today = [place for place in self.ordered if place[1] == day]
        return [self.ordered.pop(place) for place in today]

    def first_free(self, now: int) -> Order:
        """For no machine yet: the first morning that is still ahead."""
        return next(each for each in self._mornings(now) if (each.crew, each.day) not in self.ordered)

    def _mornings(self, now: int) -> Iterator[Order]:
        day = now // DAY * DAY
        while True:
            if works(day) and day + BEGINS >= now:
                yield from (Order(-1, day, crew) for crew in range(self.crews))
            day += DAY


def works(day: int) -> bool:
    """Monday to Friday."""
    return (day // DAY + THURSDAY) % 7 < SATURDAY
