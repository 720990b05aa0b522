"""The policies that need no model: run to failure, a fixed interval, a limit of vibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.risk.vibration_zones import zones
from bench.loop.diary import DAY, Diary, Order
from bench.loop.seen import Seen
from ml.features.history import Ints
from ml.simulate.wear import COMPONENTS

# ISO 10816-1 class I, for machines that ISO 20816-3 leaves out: B/C and C/D.
UP_TO_15_KW = {"B/C": 1.8, "C/D": 4.5}
# Of the last day above the limit, so that a spike is no alarm.
ALARM_HOURS, LOOK_BACK_HOURS = 6, 24


class RunToFailure:
    def orders(self, seen: Seen, diary: Diary) -> list[Order]:
        return []


@dataclass(frozen=True)
class FixedInterval:
    """So many days after its oldest part was renewed; with `since_any` after the newest one was, by repair too."""

    days: float
    since_any: bool = False

    def orders(self, seen: Seen, diary: Diary) -> list[Order]:
        renewed = renewed_at(seen)
        overdue = seen.now - (renewed.max(axis=1) if self.since_any else renewed.min(axis=1)) - self.days * DAY
        due = np.argsort(-overdue, kind="stable")
        return in_turn([int(each) for each in due if overdue[each] >= 0], seen, diary)


@dataclass(frozen=True)
class VibrationLimit:
    """`zone_end` as ISO 20816-3 names it: B/C or C/D."""

    zone_end: str

    def orders(self, seen: Seen, diary: Diary) -> list[Order]:
        recent = seen.last("vibration_mm_s", LOOK_BACK_HOURS)
        limits = np.array([self._limit(each) for each in seen.machines.itertuples()])
        above = (recent > limits).sum(axis=0)
        alarmed = np.argsort(-(np.nan_to_num(recent).max(axis=0) / limits), kind="stable")
        return in_turn([int(each) for each in alarmed if above[each] >= ALARM_HOURS], seen, diary)

    def _limit(self, machine: object) -> float:
        found = zones(machine.rated_power_kw, machine.support)
        if isinstance(found, str):
            return UP_TO_15_KW[self.zone_end]
        return found.bc_mm_s if self.zone_end == "B/C" else found.cd_mm_s


def in_turn(machines: list[int], seen: Seen, diary: Diary) -> list[Order]:
    """The first that is not ordered yet gets the first free morning, and so on."""
    booked = Diary(diary.crews, dict(diary.ordered))
    orders = []
    for machine in machines:
        if machine not in booked.ordered.values():
            free = booked.first_free(seen.now)
            orders.append(Order(machine, free.day, free.crew))
            booked.accept(orders[-1])
    return orders


def renewed_at(seen: Seen) -> Ints:
    """[machines, components] epoch seconds, by what was told."""
    renewed = np.zeros((len(seen.machines), len(COMPONENTS)), np.int64)
    for event in seen.events():
        if event.kind == "service" and event.component in COMPONENTS:
            place = event.machine, COMPONENTS.index(event.component)
            renewed[place] = max(renewed[place], event.started_at)
    return renewed
