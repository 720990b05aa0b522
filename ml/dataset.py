"""From the database to what models learn from: one History, and the moments worth learning from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import BadInput, Conflict
from app.fleet.tables import Event, Machine
from app.ingest.tables import Channel, RollupState
from app.settings import Settings
from ml.columnar import STATISTICS
from ml.endings import Flags, in_use
from ml.failures import TooFewFailures, failure_modes, failures, seconds
from ml.features.happenings import HOUR, Happenings
from ml.features.history import History, Ints, Moments
from ml.labels import label
from ml.models.base import Outcomes
from ml.rollups import EVER, Rollups
from ml.thinning import MOST_MOMENTS, thinned

MACHINE_COLUMNS = ["key", "asset_class", "rated_power_kw", "rated_current_a", "installed_at", "decommissioned_at"]
EVENT_COLUMNS = ["machine", "kind", "code", "component", "started_at", "ended_at"]
# A day when the bucket is an hour: as long as the shortest count of fault codes.
RECOVERING_BUCKETS = 24


def load_history(
    session: Session,
    settings: Settings,
    *,
    machine_keys: Sequence[str] | None = None,
    until: datetime | None = None,
) -> History:
    """The machines' past as it was known at `until`: buckets that had ended, events that had begun.

    Raises BadInput when a machine is unknown, Conflict while the roll-ups have another bucket than the settings.
    """
    plant = read_plant(session, settings, machine_keys=machine_keys, until=until)
    return plant.history(read_rollups(session, settings, plant))


@dataclass(frozen=True)
class Plant:
    """All but the roll-ups as it was known at `until`: `machines` with their ids, events, channels by id."""

    bucket_seconds: int
    until: datetime
    machines: pd.DataFrame
    events: pd.DataFrame
    channels: dict[int, str]

    def only(self, ids: Sequence[int]) -> Plant:
        """The same of some machines, in the order of their ids."""
        machines = self.machines[self.machines["id"].isin(ids)].sort_values("id", ignore_index=True)
        events = self.events[self.events["machine_id"].isin(ids)].reset_index(drop=True)
        return replace(self, machines=machines, events=events)

    def places(self, machine_ids: npt.ArrayLike) -> Ints:
        """Positions of machines that are here."""
        ids = self.machines["id"].to_numpy(np.int64)
        order = np.argsort(ids)
        return np.asarray(order[np.searchsorted(ids[order], machine_ids)])

    def history(self, rollups: Rollups) -> History:
        """`rollups` are of machines here alone."""
        machine = self.places(rollups.machine_id)
        rows = np.argsort(machine, kind="stable")
        in_order = bool((np.diff(rows) == 1).all())
        statistics = rollups.statistics if in_order else rollups.statistics[:, rows]
        events = self.events.assign(machine=self.places(self.events["machine_id"]))
        by = ["machine", "started_at", "kind", "code", "component"]
        return History(
            self.bucket_seconds,
            self.machines.drop(columns="id"),
            rollups.channels,
            machine[rows],
            rollups.bucket[rows],
            events=events[EVENT_COLUMNS].sort_values(by, na_position="first", ignore_index=True),
            **dict(zip(STATISTICS, statistics, strict=True)),
        )


def read_rollups(session: Session, settings: Settings, plant: Plant) -> Rollups:
    """All of the machines of this plant."""
    since = dict.fromkeys(plant.machines["id"].tolist(), EVER)
    return Rollups.read(session, settings, since, plant.until, plant.channels)


def read_plant(
    session: Session,
    settings: Settings,
    *,
    machine_keys: Sequence[str] | None = None,
    until: datetime | None = None,
) -> Plant:
    """Raises what load_history does."""
    _refuse_other_bucket(session, settings)
    until = until or datetime.max.replace(tzinfo=UTC)
    machines = _machines(session, machine_keys, until)
    channels = {row.id: row.key for row in session.execute(select(Channel.id, Channel.key))}
    events = _events(session, machines["id"].tolist(), until)
    return Plant(settings.bucket_seconds, until, machines, events, channels)


def training_moments(
    history: History,
    until: datetime | None,
    horizons_hours: Sequence[float],
    seed: int,
    *,
    most: int = MOST_MOMENTS,
) -> tuple[Moments, Outcomes]:
    """Moments up to `until` with what became of them by then; a moment's weight is how many it stands for.

    Raises BadInput, in one sentence, where there is nothing to learn from; TooFewFailures where only those are.
    """
    _refuse_nothing(history, until)
    every = Moments(history.machine, (history.bucket + 1) * history.bucket_seconds)
    every = every.take(in_use(history, every) & (every.as_of <= seconds(until)))
    outcomes = label(history, every, horizons_hours, failure_modes(history, until), until)
    seen = np.flatnonzero(outcomes.exposure.any(axis=1))
    if not len(seen):
        raise TooFewFailures(
            f"The history is too short to see what became of any moment after {min(horizons_hours):g} h."
        )
    every, outcomes = every.take(seen), outcomes.take(seen)
    rows, weight = thinned(outcomes, _recovering(history, every, until), np.random.default_rng(seed), most)
    outcomes = outcomes.take(rows)
    outcomes.weight[:] = weight
    return every.take(rows), outcomes


def _recovering(history: History, moments: Moments, until: datetime | None) -> Flags:
    found = failures(history, until)
    last = Happenings(found["machine"].to_numpy(np.int64), found["at"].to_numpy(np.int64), moments).hours_since()
    return np.asarray(last * HOUR <= RECOVERING_BUCKETS * history.bucket_seconds)


def fingerprint(history: History) -> str:
    """SHA-256 of everything learnt from, for the experiment record: equal data, equal print."""
    digest = hashlib.sha256(repr((history.bucket_seconds, history.channels)).encode())
    for frame in (history.machines, history.events):
        digest.update(frame.to_csv(index=False).encode())
    for array in (history.machine, history.bucket, *(getattr(history, name) for name in STATISTICS)):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _refuse_other_bucket(session: Session, settings: Settings) -> None:
    made_with = session.scalar(select(RollupState.bucket_seconds))
    if made_with not in (None, settings.bucket_seconds):
        raise Conflict(
            f"The roll-ups are made of buckets of {made_with} s and WEARWATCH_BUCKET asks for"
            f" {settings.bucket_seconds} s: let the worker rebuild them first."
        )


def _machines(session: Session, keys: Sequence[str] | None, until: datetime) -> pd.DataFrame:
    query = select(Machine.id, *(getattr(Machine, name) for name in MACHINE_COLUMNS)).order_by(Machine.key)
    if keys is not None:
        query = query.where(Machine.key.in_(list(keys)))
    machines = pd.DataFrame(session.execute(query).all(), columns=["id", *MACHINE_COLUMNS])
    unknown = set(keys or ()) - set(machines["key"])
    if unknown:
        raise BadInput(f"There is no machine {min(unknown)!r}.")
    for column in ("rated_power_kw", "rated_current_a"):
        machines[column] = machines[column].astype(float)
    for column in ("installed_at", "decommissioned_at"):
        machines[column] = _times(machines[column])
    later = machines["decommissioned_at"] >= until
    machines["decommissioned_at"] = machines["decommissioned_at"].mask(later)
    return machines


def _events(session: Session, ids: Sequence[int], until: datetime) -> pd.DataFrame:
    columns = (Event.machine_id, Event.kind, Event.code, Event.component, Event.started_at, Event.ended_at)
    query = select(*columns).where(Event.machine_id.in_(ids), Event.started_at < until)
    events = pd.DataFrame(session.execute(query).all(), columns=["machine_id", *EVENT_COLUMNS[1:]])
    for column in ("started_at", "ended_at"):
        events[column] = _times(events[column])
    return events


def _times(column: pd.Series[Any]) -> pd.Series[pd.Timestamp]:
    return pd.to_datetime(column, utc=True).dt.as_unit("us")


def _refuse_nothing(history: History, until: datetime | None) -> None:
    before = f" before {until:%Y-%m-%d %H:%M} UTC" if until else ""
    if history.machines.empty:
        raise BadInput("There are no machines to learn from: import machines or post readings first.")
    if not len(history.machine):
        raise BadInput(f"There are no rolled-up readings{before}: import readings and let the worker roll them up.")
    if failures(history, until).empty:
        raise TooFewFailures(f"Risk is learnt from recorded failures: 0 found{before}.")
