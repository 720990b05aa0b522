"""What is known of one machine when its warnings are judged, and what ends them; plain values, no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.orders.finding_rule import Outcome as Found


class Reason(StrEnum):
    UNDECIDED = "undecided"
    FAILED = "failed"
    FAULT_FOUND = "fault_found"
    NOTHING_WRONG = "nothing_wrong"
    SENSOR_FAULT = "sensor_fault"
    HORIZON_OVER = "horizon_over"
    NOT_WARNED = "not_warned"
    FOUND_UNWARNED = "found_unwarned"
    SERVICED = "serviced"
    DECOMMISSIONED = "decommissioned"
    STOPPED = "predictions_stopped"
    NOT_PREDICTED = "not_predicted"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True)
class Alert:
    """A served prediction at or above the threshold, as it was first seen: of `as_of`, from `scored_at` on."""

    as_of: datetime
    horizon: timedelta
    model_id: int
    probability: float
    threshold: float
    scored_at: datetime

    @property
    def until(self) -> datetime:
        return self.as_of + self.horizon


@dataclass(frozen=True)
class Event:
    """A failure, or a service: one that `renews` makes another machine of it, one that `looks` changes nothing."""

    id: int
    at: datetime
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    renews: bool = False
    looks: bool = False


@dataclass(frozen=True)
class Look:
    """The newest finding of a work order; `at` is when its work began, or when the machine had failed."""

    at: datetime
    found: Found
    work_order_id: int


@dataclass(frozen=True)
class Said:
    """The last usable prediction that was served before a failure, or before a fault was found."""

    as_of: datetime
    model_id: int
    horizon: timedelta


@dataclass(frozen=True)
class Life:
    """Each list by time. `said` is by the time of a failure or a fault found; `predicted_until` is the last usable
    prediction's."""

    alerts: Sequence[Alert] = ()
    failures: Sequence[Event] = ()
    services: Sequence[Event] = ()
    looks: Sequence[Look] = ()
    said: Mapping[datetime, Said] = field(default_factory=dict)
    predicted_until: datetime | None = None
    decommissioned_at: datetime | None = None

    @property
    def seen_until(self) -> datetime | None:
        """The last sign of life."""
        signs = [each.at for each in (*self.failures, *self.services)]
        return max((*signs, *((self.predicted_until,) if self.predicted_until else ())), default=None)


@dataclass(frozen=True)
class Ending:
    """What no warning outlasts."""

    at: datetime
    reason: Reason
    event: Event | None = None
    work_order_id: int | None = None

    @property
    def catches(self) -> bool:
        """Whether it is what warnings are for."""
        return self.reason in (Reason.FAILED, Reason.FAULT_FOUND)


# Of several at one time the first counts: a service at the time of a failure is its repair.
ORDER = (Reason.FAILED, Reason.FAULT_FOUND, Reason.SERVICED, Reason.DECOMMISSIONED)


def endings(life: Life) -> list[Ending]:
    """By time, one a time, none after the decommissioning."""
    orders = {look.at: look.work_order_id for look in life.looks}
    found = [Ending(each.at, Reason.FAILED, each, orders.get(each.at)) for each in _while_running(life.failures)]
    found += [
        Ending(each.at, Reason.FAULT_FOUND, work_order_id=each.work_order_id)
        for each in life.looks
        if each.found is Found.FAULT_FOUND
    ]
    found += [Ending(each.at, Reason.SERVICED, each, orders.get(each.at)) for each in life.services if each.renews]
    if life.decommissioned_at is not None:
        found.append(Ending(life.decommissioned_at, Reason.DECOMMISSIONED))
    by_time: dict[datetime, Ending] = {}
    for each in sorted(found, key=lambda ending: (ending.at, ORDER.index(ending.reason))):
        if life.decommissioned_at is None or each.at <= life.decommissioned_at:
            by_time.setdefault(each.at, each)
    return list(by_time.values())


def _while_running(failures: Sequence[Event]) -> Iterator[Event]:
    """What fails while the machine stands with a failure is the same one, told twice or of another component."""
    until = None
    for each in failures:
        if until is None or each.at >= until:
            yield each
        if each.ended_at is not None:
            until = each.ended_at if until is None else max(until, each.ended_at)


def running(life: Life) -> Iterator[Alert]:
    """Alerts while it ran: nothing said while a machine stands, or is gone, is a warning (`ml.endings.in_use`)."""
    visits = (*life.failures, *life.services)
    stands = sorted((each.at, each.ended_at) for each in visits if each.ended_at is not None)
    place, until = 0, None
    for alert in life.alerts:
        while place < len(stands) and stands[place][0] < alert.as_of:
            until = stands[place][1] if until is None else max(until, stands[place][1])
            place += 1
        gone = life.decommissioned_at is not None and alert.as_of >= life.decommissioned_at
        if not gone and (until is None or alert.as_of >= until):
            yield alert


def chains(alerts: Sequence[Alert]) -> Iterator[list[Alert]]:
    """Those closer together than the horizon are one warning."""
    chain: list[Alert] = []
    for alert in alerts:
        if chain and alert.as_of > chain[-1].until:
            yield chain
            chain = []
        chain.append(alert)
    if chain:
        yield chain
