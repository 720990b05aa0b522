"""What expires goes as the settings say and is told of; what is kept stays whole, whatever comes late."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from alembic import command
from sqlalchemy import text

from app.database import session_scope
from app.errors import Conflict
from app.ingest import retention
from app.ingest.columns import Columns, to_microseconds
from app.ingest.group import Batch
from app.ingest.packer import pack
from app.ingest.partitions import drop
from app.ingest.retention import expired, retire
from app.ingest.rollup import ensure_bucket_width, roll_up_all
from app.ingest.writing import Writer
from app.migrate import alembic_config
from app.settings import Settings

from .conftest import counts, reading

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=100)
RECENT = NOW - timedelta(days=3)


@pytest.fixture
def keeping(tmp_path):
    return lambda **keep: Settings(data_dir=tmp_path / "data", **keep)


def send(post, *times, **channels):
    return counts(post([reading(time.isoformat(), **channels) for time in times]))


def told(engine, settings):
    with session_scope(engine) as session:
        return {each.partition.name if each.partition else each.table for each in expired(session, settings, NOW)}


def test_without_a_setting_no_reading_ever_goes(post, engine, settings):
    send(post, OLD, RECENT)
    roll_up_all(engine, settings)
    assert told(engine, settings) == set()
    assert list(retire(engine, settings, NOW, "test")) == []


@pytest.mark.parametrize("packed", [False, True])
def test_old_readings_go_by_the_partition_are_told_of_and_leave_their_rollups(post, engine, keeping, ask, packed):
    settings = keeping(keep_readings=timedelta(days=30))
    send(post, OLD, OLD + timedelta(seconds=1), RECENT)
    roll_up_all(engine, settings)
    rollups = ask("SELECT * FROM rollups ORDER BY bucket_start")
    if packed:
        pack(engine, NOW + timedelta(hours=2), timedelta(days=2))
    table = f"reading_blocks_{OLD:%Y_%m}" if packed else f"readings_{OLD:%Y_%m}"
    assert told(engine, settings) == {table}
    assert ask("SELECT count(*) FROM every_reading") == [(3,)]
    assert [(each.what, each.rows) for each in retire(engine, settings, NOW, "test")] == [("readings", 2)]
    assert ask("SELECT count(*) FROM every_reading") == [(1,)]
    assert ask("SELECT * FROM rollups ORDER BY bucket_start") == rollups
    assert ask("SELECT actor, action, subject, detail->'rows' FROM audit_log WHERE action = 'retention'") == [
        ("test", "retention", table, 2)
    ]
    assert list(retire(engine, settings, NOW, "test")) == []


def test_readings_that_no_rollup_has_seen_wait(post, engine, keeping, ask):
    settings = keeping(keep_readings=timedelta(days=30))
    send(post, OLD)
    assert list(retire(engine, settings, NOW, "test")) == []
    roll_up_all(engine, settings)
    assert len(list(retire(engine, settings, NOW, "test"))) == 1


def test_a_reading_stored_just_before_the_drop_still_waits_for_its_rollup(
    post, engine, keeping, settings, ask, monkeypatch
):
    send(post, OLD)
    roll_up_all(engine, settings)

    def late(*args, **kwargs):
        send(post, OLD + timedelta(seconds=1))
        return drop(*args, **kwargs)

    monkeypatch.setattr(retention, "drop", late)
    assert list(retire(engine, keeping(keep_readings=timedelta(days=30)), NOW, "test")) == []
    assert ask("SELECT count(*) FROM every_reading") == [(2,)]


def test_the_version_before_does_not_get_a_database_whose_readings_were_dropped(post, engine, keeping, ask):
    send(post, OLD)
    roll_up_all(engine, keeping())
    assert list(retire(engine, keeping(keep_readings=timedelta(days=30)), NOW, "test"))
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match=r"Retention dropped readings before .*Stay on this version"):
            command.downgrade(config, "20261121_01")
    assert ask("SELECT count(*) FROM kept_from") == [(1,)]


@pytest.mark.parametrize("table", ["rollups", "rollup_minutes", "reading_flags", "reading_conflicts"])
def test_what_expired_is_found_without_reading_the_whole_table(engine, table):
    column = "received_at" if table == "reading_conflicts" else "bucket_start"
    with engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        query = f"EXPLAIN SELECT count(*) FROM {table} AS old WHERE {column} < now()"
        plan = "\n".join(connection.scalars(text(query)))
    assert "Seq Scan" not in plan
    assert "Index Cond" in plan


def test_what_comes_too_late_for_retention_is_refused_with_the_reason(engine, keeping, ask):
    columns = Columns(["a", "a"], to_microseconds([OLD, RECENT]), np.ones((2, 4)), [None, None])
    with closing(Writer(engine, keeping(keep_readings=timedelta(days=30)))) as writer:
        [report] = writer.write([Batch(columns, np.arange(2), [], "test", True)])
    assert sum(report.counts) == 1
    assert [(each.index, each.field) for each in report.rejected] == [(0, "measured_at")]
    assert "readings are kept for 30d" in report.rejected[0].reason
    assert ask("SELECT count(*) FROM rejected_readings") == [(1,)]


def test_a_late_reading_never_stands_for_those_that_were_dropped(post, engine, keeping, settings, ask):
    send(post, *[OLD + timedelta(seconds=n) for n in range(5)], temperature_c=20)
    roll_up_all(engine, settings)
    rollups = ask("SELECT * FROM rollups")
    assert list(retire(engine, keeping(keep_readings=timedelta(days=30)), NOW, "test"))
    send(post, OLD + timedelta(seconds=9), temperature_c=90)
    send(post, OLD - timedelta(days=1), temperature_c=90)
    roll_up_all(engine, settings)
    assert ask(f"SELECT * FROM rollups WHERE bucket_start >= '{OLD - timedelta(hours=2)}'") == rollups
    assert ask("SELECT count(*) FROM rollups") == [(2,)]


def test_another_bucket_width_is_refused_where_rollups_could_not_be_made_again(
    post, engine, keeping, settings, ask
):
    send(post, OLD, RECENT)
    roll_up_all(engine, settings)
    assert list(retire(engine, keeping(keep_readings=timedelta(days=30)), NOW, "test"))
    before = ask("SELECT * FROM rollups ORDER BY bucket_start")
    refusal = r"1h wide and cannot become 30m wide.*WEARWATCH_BUCKET=1h"
    with pytest.raises(Conflict, match=refusal), session_scope(engine) as session:
        ensure_bucket_width(session, keeping(bucket=timedelta(minutes=30)))
    assert ask("SELECT * FROM rollups ORDER BY bucket_start") == before


def test_rollups_refusals_and_conflicts_have_limits_of_their_own(post, engine, keeping, ask):
    settings = keeping(keep_rollups=timedelta(days=30))
    send(post, OLD, RECENT)
    send(post, RECENT, temperature_c=99)
    assert post([reading(RECENT.isoformat(), temperature_c="hot")]).status_code == 422
    roll_up_all(engine, settings)
    assert told(engine, settings) == {"rollups"}
    with engine.begin() as connection:
        connection.execute(text("UPDATE rejected_readings SET received_at = now() - interval '91 days'"))
        connection.execute(text("UPDATE reading_conflicts SET received_at = now() - interval '366 days'"))
    assert {each.table: each.rows for each in retire(engine, settings, NOW, "test")} == {
        "rollups": 1,
        "rejected_readings": 1,
        "reading_conflicts": 1,
    }
    assert ask("SELECT count(*) FROM every_reading") == [(2,)]
    assert ask("SELECT (SELECT count(*) FROM rejected_readings), (SELECT count(*) FROM reading_conflicts)") == [
        (0, 0)
    ]
    assert ask("SELECT count(*) FROM rollups") == [(1,)]


def test_predictions_go_but_not_the_served_one(session, keeping, make_machine, make_model, make_prediction):
    settings = keeping(keep_predictions=timedelta(days=30))
    machine, model = make_machine(), make_model()
    make_prediction(machine, model, as_of=OLD - timedelta(days=1))
    make_prediction(machine, model, as_of=OLD)
    assert [(each.table, each.rows) for each in expired(session, settings, NOW)] == [("predictions", 1)]
