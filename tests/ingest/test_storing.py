"""How rows reach the database: in statements of bounded size, few however many rows contradict."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event, text

from app.ingest import incoming
from app.ingest.columns import Columns, to_microseconds
from app.ingest.group import Batch
from app.ingest.merging import Outcome
from app.ingest.packer import QUIET, pack
from app.ingest.writing import Writer

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
LONG_AGO = datetime.now(UTC) - timedelta(days=40)
N = 40


def batch(extra, start=HOUR_AGO) -> Batch:
    times = to_microseconds([start + timedelta(seconds=n) for n in range(len(extra))])
    columns = Columns(["press-07"] * len(extra), times, np.full((len(extra), 4), np.nan), extra)
    return Batch(columns, np.arange(len(extra)), [], "test", True)


@pytest.fixture
def statements(engine):
    """What is executed: the statement, its parameters, and whether it is run once for each of many."""
    seen = []

    @event.listens_for(engine, "before_cursor_execute")
    def _(connection, cursor, statement, parameters, context, executemany):
        seen.append((statement, parameters, executemany))

    return seen


@pytest.fixture
def write(engine, settings):
    with closing(Writer(engine, settings)) as writer:
        yield lambda *args: writer.write([batch(*args)])[0]


@pytest.mark.parametrize("start", [HOUR_AGO, LONG_AGO])
def test_further_channels_travel_in_slices_and_mean_the_same(write, statements, engine, monkeypatch, start):
    monkeypatch.setattr(incoming, "MOST_EXTRA_BYTES", 200)
    write([{"channel_a": float(n), "channel_b": 1.0} for n in range(N)], start)
    if start == LONG_AGO:
        pack(engine, datetime.now(UTC) + 2 * QUIET, timedelta(days=2))
    del statements[:]
    again = [{"channel_a": 7.0} | ({"channel_c": 3.0} if n % 2 else {}) for n in range(N)]
    report = write(again, start)
    assert (report.counts[Outcome.MERGED], report.counts[Outcome.CONFLICT], sum(report.counts)) == (1, N - 1, N)
    assert {each.row for each in report.contradictions} == set(range(N)) - {7}
    sent = [parameters["extra"] for _, parameters, _ in statements if "extra" in (parameters or {})]
    assert len(sent) > 6
    assert max(map(len, sent)) < 300
    with engine.connect() as connection:
        query = "SELECT count(*), sum((extra->'channel_a')::float8), count(extra->'channel_c') FROM every_reading"
        assert connection.execute(text(query)).all() == [(N, N * (N - 1) / 2, N // 2)]


def test_contradictions_are_kept_by_one_statement(write, statements, engine):
    write([{f"channel_{c}": 1.0 for c in range(10)} for _ in range(N)])
    del statements[:]
    write([{f"channel_{c}": float(c) for c in range(10)} for _ in range(N)])
    [(_, _, many)] = [each for each in statements if "INTO reading_conflicts" in each[0]]
    assert not many
    with engine.connect() as connection:
        query = """SELECT count(*), count(DISTINCT (measured_at, channel)), min(stored_value), max(refused_value),
            min(sender), bool_and(channel = 'channel_' || refused_value) FROM reading_conflicts"""
        assert connection.execute(text(query)).all() == [(9 * N, 9 * N, 1, 9, "test", True)]
