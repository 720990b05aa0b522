from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.ingest.arrays import register
from app.ingest.arrival_totals import fold_arrivals
from app.ingest.arrivals import account, record
from app.ingest.merging import Outcome
from app.ingest.plausibility import Rejection
from app.ingest.refusals import count_refused

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
LATE = timedelta(minutes=15)
KEPT = timedelta(days=14)
OUTCOME_NAMES = ("accepted", "duplicates", "merged", "conflicts")


def note(connection, rows, senders=("key a", "key b"), refused=None, now_us=NOW_US):
    """Record one commit; rows are (sender's place, machine, seconds behind, outcome)."""
    register(connection.connection.driver_connection)
    columns = [np.array([row[number] for row in rows], dtype=np.int64) for number in range(4)]
    measured_us = now_us - columns[2] * 1_000_000
    outcomes = columns[3].astype(np.int8)
    accounted = account(columns[0], columns[1], measured_us, outcomes, now_us, LATE)
    record(connection, senders, accounted, now_us, refused or {})


def totals(session, query="SELECT * FROM arrival_totals ORDER BY sender, machine_id, hour"):
    return [dict(row) for row in session.execute(text(query)).mappings()]


def test_each_sender_and_machine_is_counted_by_what_became_of_its_readings(session):
    rows = [
        (0, 7, 0, Outcome.ACCEPTED),
        (0, 7, 3600, Outcome.ACCEPTED),
        (0, 7, 7200, Outcome.DUPLICATE),
        (1, 7, -60, Outcome.CONFLICT),
        (0, 9, 900, Outcome.MERGED),
        (1, 9, 10**9, Outcome.DUPLICATE),
    ]
    note(session.connection(), rows)
    assert fold_arrivals(session, NOW, KEPT) == 1
    a7, a9, b7, b9 = totals(session)
    assert (a7["sender"], a7["machine_id"], a7["accepted"], a7["duplicates"]) == ("key a", 7, 2, 1)
    assert (a7["late"], a7["least_lag_s"], a7["largest_lag_s"], a7["hour"].hour) == (1, 0, 3600, 8)
    assert (a9["merged"], a9["late"], a9["largest_lag_s"], a9["last_received_at"]) == (1, 0, 900, NOW)
    assert (b7["sender"], b7["conflicts"], b7["least_lag_s"]) == ("key b", 1, -60)
    assert (b9["duplicates"], b9["late"], b9["least_lag_s"], b9["largest_lag_s"]) == (1, 0, None, None)


def test_names_that_come_twice_in_a_commit_are_one_sender(session):
    note(
        session.connection(), [(0, 7, 0, 0), (1, 7, 0, 0), (2, 7, 0, 0)], senders=("key", "key", "key\N{SNOWMAN}'")
    )
    fold_arrivals(session, NOW, KEPT)
    assert [(row["sender"], row["accepted"]) for row in totals(session)] == [("key", 2), ("key\N{SNOWMAN}'", 1)]


def test_years_of_lag_and_an_empty_commit_are_no_trouble(session):
    note(session.connection(), [(0, 7, 90 * 365 * 86400, 0)])
    note(session.connection(), [])
    assert fold_arrivals(session, NOW, KEPT) == 1
    assert totals(session)[0]["largest_lag_s"] == 2**31 - 2


def test_refusals_are_counted_by_kind_with_or_without_a_known_machine(session):
    reasons = [
        ("temperature_c", "-300 is below -273.15 degrees Celsius; is the unit right?", "press-07"),
        ("temperature_c", "-301 is below -273.15 degrees Celsius; is the unit right?", "press-07"),
        ("measured_at", "the time lies 2 days in the future; is the clock right?", "nobody"),
    ]
    rejected = [[], [Rejection(0, field, reason, machine) for field, reason, machine in reasons]]
    note(session.connection(), [], refused=count_refused(rejected, {"press-07": 7}))
    fold_arrivals(session, NOW, KEPT)
    found = totals(session, "SELECT * FROM refusal_totals ORDER BY kind")
    assert [(row["sender"], row["machine_id"], row["kind"], row["refused"]) for row in found] == [
        ("key b", 0, "future", 1),
        ("key b", 7, "range", 2),
    ]


def test_hours_that_are_old_are_summed_up_and_none_is_lost(session):
    for days in (0, 20, 21, 30):
        then = NOW_US - days * 86_400_000_000
        note(session.connection(), [(0, 7, 0, 0)], now_us=then, refused={(0, 7, "range"): 1})
        fold_arrivals(session, NOW, KEPT)
    fold_arrivals(session, NOW, KEPT)
    for query in (
        "SELECT hour, accepted AS n FROM arrival_totals",
        "SELECT hour, refused AS n FROM refusal_totals",
    ):
        found = totals(session, f"{query} ORDER BY hour")
        assert [(row["hour"].year, row["n"]) for row in found] == [(1970, 3), (2026, 1)]


ROW = st.tuples(st.integers(0, 1), st.integers(1, 4), st.integers(-300, 100_000), st.sampled_from(list(Outcome)))


@pytest.fixture
def emptied(session):
    def empty():
        session.execute(text("DELETE FROM arrivals; DELETE FROM arrival_totals"))
        return session

    return empty


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(ROW, max_size=12), st.booleans()), max_size=6))
def test_every_row_counts_once_however_commits_and_folds_alternate(emptied, commits):
    session = emptied()
    expected = Counter()
    for rows, fold in commits:
        note(session.connection(), rows)
        expected.update(
            (f"key {'ab'[sender]}", machine, OUTCOME_NAMES[outcome]) for sender, machine, _, outcome in rows
        )
        if fold:
            fold_arrivals(session, NOW, KEPT, limit=2)
    while fold_arrivals(session, NOW, KEPT):
        pass
    found = Counter(
        {(row["sender"], row["machine_id"], name): row[name] for row in totals(session) for name in OUTCOME_NAMES}
    )
    assert +found == expected
    every = [row for rows, _ in commits for row in rows]
    new = [lag for _, _, lag, outcome in every if outcome != Outcome.DUPLICATE]
    assert sum(row["late"] for row in totals(session)) == sum(lag > LATE.total_seconds() for lag in new)
    assert max(
        (row["largest_lag_s"] for row in totals(session) if row["largest_lag_s"] is not None), default=None
    ) == (max(new, default=None))
