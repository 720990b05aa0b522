"""The worker's round over the storage: partitions ahead, what expired dropped, old readings packed, all told of."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import text
from structlog.testing import capture_logs

from app.database import session_scope
from app.ingest.columns import Columns, to_microseconds
from app.ingest.group import Batch
from app.ingest.rollup import roll_up_all
from app.ingest.writing import Writer
from app.risk.tables import Model, ModelArtefact
from app.settings import Settings
from ml.jobs.storage import keep_storage


def test_a_round_makes_partitions_drops_what_expired_and_packs_what_is_old(engine, tmp_path):
    settings = Settings(data_dir=tmp_path, keep_readings=timedelta(days=200), pack_after=timedelta(days=2))
    now = datetime.now(UTC)
    times = [now - timedelta(days=days) for days in (300, 100, 50, 0)]
    columns = Columns(["press-07"] * 4, to_microseconds(times), np.ones((4, 4)), [None] * 4)
    with closing(Writer(engine, settings.model_copy(update={"keep_readings": None}))) as writer:
        writer.write([Batch(columns, np.arange(4), [], "test", True)])
    roll_up_all(engine, settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE readings SET received_at = measured_at"))
    with capture_logs() as told:
        keep_storage(engine, settings)
    events = [each["event"] for each in told]
    assert events == ["retention dropped", "packing", "packing", "packed"]
    assert told[-1]["readings"] == 2
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM every_reading")) == 3
        assert connection.scalar(text("SELECT count(*) FROM readings")) == 1
        following = (now.replace(day=1) + timedelta(days=32)).strftime("readings_%Y_%m")
        assert connection.scalar(text("SELECT to_regclass(:name)"), {"name": following}) == following


def test_a_round_tells_which_old_models_lost_their_parts(engine, tmp_path):
    with session_scope(engine) as session:
        for number in (1, 2, 3):
            model = Model(
                kind="lstm",
                run=f"r{number}",
                trained_until=datetime.now(UTC),
                bucket_seconds=3600,
                horizons_hours=[24.0],
                modes=[],
                card={},
                manifest={},
            )
            session.add(model)
            session.flush()
            session.add(ModelArtefact(model_id=model.id, part="network.keras", content=b"heavy"))
    with capture_logs() as told:
        keep_storage(engine, Settings(data_dir=tmp_path, keep_model_runs=2))
    [said] = told
    assert (said["event"], said["run"], said["bytes"]) == ("model parts dropped", "r1", 5)


def test_packing_can_be_turned_off(engine, tmp_path):
    settings = Settings(data_dir=tmp_path, pack_after="0")
    with capture_logs() as told:
        keep_storage(engine, settings)
    assert told == []
