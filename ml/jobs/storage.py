"""What keeps the database in shape: partitions ahead of time, old readings packed, what nobody needs dropped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import structlog
from sqlalchemy import Engine

from app.database import session_scope
from app.ingest.packer import pack
from app.ingest.partitions import make_ahead
from app.ingest.retention import retire
from app.ingest.rollup import forget_changes
from app.risk.pruning import prune
from app.settings import Settings
from app.webhooks import store as webhooks
from ml.rollup_cache import CHANGES_KEPT

log = structlog.get_logger()

ACTOR = "worker"


def keep_storage(engine: Engine, settings: Settings, stop: Callable[[], bool] = lambda: False) -> None:
    """One round; whatever ends it halfway, the next one goes on where it stopped."""
    now = datetime.now(UTC)
    make_ahead(engine, now)
    with session_scope(engine) as session:
        forget_changes(session, now - CHANGES_KEPT)
        webhooks.forget_messages(session, now - webhooks.KEPT)
    for gone in retire(engine, settings, now, ACTOR):
        name = gone.partition.name if gone.partition else gone.table
        log.info("retention dropped", what=gone.what, table=name, before=gone.before.isoformat(), rows=gone.rows)
    with session_scope(engine) as session:
        pruned = prune(session, settings.keep_model_runs, now, ACTOR)
    for model in pruned:
        log.info("model parts dropped", **model._asdict())
    if settings.pack_after is not None:
        packed = pack(engine, now, settings.pack_after, _tell, stop)
        if packed.readings or packed.skipped:
            log.info("packed", **packed._asdict())


def _tell(day: date, readings: int) -> None:
    log.info("packing", day=day.isoformat(), readings=readings)
