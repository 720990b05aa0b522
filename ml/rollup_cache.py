"""Roll-ups that the worker keeps between scorings: only what was written since is read again.

Reading ten thousand machines' months takes longer than all that is computed from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.ingest.tables import KeptFrom, RollupChange
from app.settings import Settings
from ml.rollups import EVER, Rollups

# The log of changes is kept for a day; what was read longer ago than half of it is read anew.
CHANGES_KEPT = timedelta(days=1)
TRUSTED_FOR = CHANGES_KEPT / 2


@dataclass(frozen=True)
class _Known:
    """Everything of `ids` with bucket_start < until, as it was when `seen` was the newest change."""

    ids: frozenset[int]
    until: datetime
    seen: int
    read_at: datetime
    rollups: Rollups


class RollupCache:
    """By groups of machines, each under a number. What does not fit is read anew each time."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._known: dict[int, _Known] = {}

    def read(
        self,
        session: Session,
        settings: Settings,
        group: int,
        ids: Sequence[int],
        until: datetime,
        channels: Mapping[int, str],
    ) -> Rollups:
        """All roll-ups of these machines whose bucket ends by `until`, a boundary of buckets."""
        known, now = self._known.get(group), datetime.now(UTC)
        if known and (now - known.read_at > TRUSTED_FOR or until < known.until or not known.ids <= set(ids)):
            known = None
        # Asked for before anything is read: what is written meanwhile is read again next time.
        seen = session.scalar(select(func.max(RollupChange.id))) or 0
        since = dict.fromkeys(ids, EVER) if known is None else _stale(session, known, ids, until)
        read = Rollups.read(session, settings, since, until, channels)
        rollups = known.rollups.with_newer(read) if known else read
        if kept_from := session.scalar(select(KeptFrom.at).where(KeptFrom.what == "rollups")):
            rollups = rollups.since(-int(-kept_from.timestamp() // settings.bucket_seconds))
        self._keep(group, _Known(frozenset(ids), until, max(seen, known.seen if known else 0), now, rollups))
        return rollups

    def _keep(self, group: int, fresh: _Known) -> None:
        self._known.pop(group, None)
        held = sum(each.rollups.bytes for each in self._known.values())
        if held + fresh.rollups.bytes <= self.most_bytes:
            self._known[group] = fresh


def _stale(session: Session, known: _Known, ids: Sequence[int], until: datetime) -> dict[int, datetime]:
    """From when on each machine has to be read again."""
    query = (
        select(RollupChange.machine_id, func.min(RollupChange.since).label("since"))
        .where(RollupChange.id > known.seen, RollupChange.machine_id.in_(ids))
        .group_by(RollupChange.machine_id)
    )
    changed = {row.machine_id: row.since for row in session.execute(query)}
    since = {each: min(changed.get(each, known.until), known.until) for each in ids if each in known.ids}
    since |= {each: EVER for each in ids if each not in known.ids}
    return {each: time for each, time in since.items() if time < until}
