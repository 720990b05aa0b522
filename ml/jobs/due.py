"""Whether scoring is due, by what it has seen and what there is now; no change can slip in between the two.

Counts instead of times: what was committed while a score was under way had begun before it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.fleet.tables import Event, WithdrawnEvent
from app.ingest.tables import RollupState
from app.risk.store import champion
from app.risk.tables import Prediction

NOTE = text(
    """
    UPDATE rollup_state SET scored_changes = :changes, scored_events = :events
    WHERE NOT EXISTS (SELECT FROM predictions WHERE model_id = :model_id AND as_of > :as_of)
    """
)


# An event withdrawn takes away one event and at most one end; with this it still counts as something told.
WITHDRAWAL = 3


class Seen(NamedTuple):
    """How often roll-ups of finished buckets changed; how many events, ends of events and withdrawals were told."""

    changes: int
    events: int


def there_is(session: Session) -> Seen:
    changes = session.scalar(select(RollupState.changes)) or 0
    told = session.scalar(select(func.count() + func.count(Event.ended_at)).select_from(Event)) or 0
    withdrawn = session.scalar(select(func.count()).select_from(WithdrawnEvent)) or 0
    return Seen(changes, told + WITHDRAWAL * withdrawn)


def note_scored(session: Session, seen: Seen, model_id: int, as_of: datetime) -> None:
    """Remember what the newest score has seen; `seen` is asked for before its history is read."""
    session.execute(NOTE, {**seen._asdict(), "model_id": model_id, "as_of": as_of})


def scoring_due(session: Session, as_of: datetime) -> bool:
    """Whether a served prediction could differ now: time went on, a finished bucket or the events changed."""
    serving = champion(session)
    if serving is None:
        return False
    scored_as_of = session.scalar(
        select(func.max(Prediction.as_of))
        .where(Prediction.model_id == serving.id)
        .where(Prediction.as_of >= as_of - timedelta(days=1))
    )
    if scored_as_of is None or scored_as_of < as_of:
        return True
    scored = session.execute(select(RollupState.scored_changes, RollupState.scored_events)).one_or_none()
    return scored is None or tuple(scored) != there_is(session)
