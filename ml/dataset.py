"""From the database to what models learn from: one History, and the moments worth learning from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import BadInput, Conflict
from app.fleet.tables import Event, Machine
from app.ingest.tables import Channel, RollupState
from app.settings import Settings
from ml.columnar import STATISTICS, Packed, packed_rollups
from ml.endings import Flags, in_use
from ml.failures import TooFewFailures, failure_modes, failures, seconds
from ml.features.happenings import HOUR, Happenings
from ml.features.history import History, Ints, Moments
from ml.labels import label
from ml.models.base import Outcomes
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
    _refuse_other_bucket(session, settings)
    until = until or datetime.max.replace(tzinfo=UTC)
    machines = _machines(session, machine_keys, until)
    ids = machines.pop("id").to_numpy(dtype=np.int64)
    packed = list(packed_rollups(session, ids.tolist(), until - settings.bucket)) if len(ids) else []
    channels = {row.id: row.key for row in session.execute(select(Channel.id, Channel.key))}
    return _assembled(settings.bucket_seconds, machines, ids, channels, packed, _events(session, ids, until))


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
    seen = np.flatnonzero(outcomes.observed.any(axis=1))
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


def _events(session: Session, ids: Ints, until: datetime) -> pd.DataFrame:
    columns = (Event.machine_id, Event.kind, Event.code, Event.component, Event.started_at, Event.ended_at)
    query = select(*columns).where(Event.machine_id.in_(ids.tolist()), Event.started_at < until)
    events = pd.DataFrame(session.execute(query).all(), columns=EVENT_COLUMNS)
    events["machine"] = events["machine"].map({each: number for number, each in enumerate(ids)}).astype(np.int64)
    for column in ("started_at", "ended_at"):
        events[column] = _times(events[column])
    order = ["machine", "started_at", "kind", "code", "component"]
    return events.sort_values(order, na_position="first").reset_index(drop=True)


def _times(column: pd.Series[Any]) -> pd.Series[pd.Timestamp]:
    return pd.to_datetime(column, utc=True).dt.as_unit("us")


def _assembled(
    bucket_seconds: int,
    machines: pd.DataFrame,
    ids: Ints,
    names: dict[int, str],
    packed: Sequence[Packed],
    events: pd.DataFrame,
) -> History:
    channels = sorted({names[part.channel_id] for part in packed})
    position = {each: number for number, each in enumerate(ids.tolist())}
    bucket = [part.start // bucket_seconds for part in packed]
    base = min((int(each.min()) for each in bucket), default=0)
    span = max((int(each.max()) for each in bucket), default=0) - base + 1
    keys = [position[part.machine_id] * span + each - base for part, each in zip(packed, bucket, strict=True)]
    key = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *keys]))
    tables = np.full((len(STATISTICS), len(key), len(channels)), np.nan)
    tables[STATISTICS.index("n")] = 0
    for part, own in zip(packed, keys, strict=True):
        tables[:, np.searchsorted(key, own), channels.index(names[part.channel_id])] = part.statistics
    statistics = dict(zip(STATISTICS, tables, strict=True))
    return History(
        bucket_seconds, machines, tuple(channels), key // span, key % span + base, events=events, **statistics
    )


def _refuse_nothing(history: History, until: datetime | None) -> None:
    before = f" before {until:%Y-%m-%d %H:%M} UTC" if until else ""
    if history.machines.empty:
        raise BadInput("There are no machines to learn from: import machines or post readings first.")
    if not len(history.machine):
        raise BadInput(f"There are no rolled-up readings{before}: import readings and let the worker roll them up.")
    if failures(history, until).empty:
        raise TooFewFailures(f"Risk is learnt from recorded failures: 0 found{before}.")
