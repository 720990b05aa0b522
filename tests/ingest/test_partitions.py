"""Partitions are there before they are needed, few however strange the months, and gone when they are empty."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ingest.partitions import drop, ensure_partitions, give_back, make_ahead, month_of, partitions

THIS_YEAR = datetime.now(UTC).year


@pytest.fixture
def names(engine):
    def names(table: str = "readings") -> list[str]:
        with Session(engine) as session:
            return [each.name for each in partitions(session, table)]

    return names


def test_the_worker_makes_this_month_and_the_next(engine, names):
    make_ahead(engine, datetime(THIS_YEAR, 12, 31, tzinfo=UTC))
    assert names() == [f"readings_{THIS_YEAR}_12", f"readings_{THIS_YEAR + 1}_01"]


def test_decades_with_a_reading_a_month_make_a_partition_a_year(engine, names):
    ensure_partitions(engine, range(month_of(date(1990, 1, 1)), month_of(date(THIS_YEAR, 1, 1)) + 1))
    assert len(names()) == (THIS_YEAR - 1 - 1990) + 12 + 1
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO machines (key, configured) VALUES ('old', true)"))
        connection.execute(
            text(
                """INSERT INTO readings (machine_id, measured_at)
                SELECT 1, generate_series(timestamptz '1990-01-31 23:59:59Z', :end, interval '1 month')"""
            ),
            {"end": datetime(THIS_YEAR, 1, 31, tzinfo=UTC)},
        )
        assert connection.scalar(text("SELECT count(*) FROM readings_1990")) == 12


def test_a_year_that_has_months_already_goes_on_with_months(engine, names):
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE readings_2001_05 PARTITION OF readings "
                "FOR VALUES FROM ('2001-05-01Z') TO ('2001-06-01Z')"
            )
        )
    ensure_partitions(engine, [month_of(date(2001, month, 1)) for month in (4, 5, 6)])
    assert names() == ["readings_2001_04", "readings_2001_05", "readings_2001_06"]


def test_blocks_have_partitions_of_their_own_which_analyze_does_not_unpack(engine, names):
    ensure_partitions(engine, [month_of(date(1999, 5, 1))], "reading_blocks")
    assert names("reading_blocks") == ["reading_blocks_1999"]
    query = "SELECT bool_and(attstattarget = 0) FROM pg_attribute WHERE attrelid = 'reading_blocks_1999'::regclass"
    with engine.connect() as connection:
        assert connection.scalar(text(f"{query} AND attname IN ('measured_at', 'extra', 'current_a')"))


def test_a_partition_in_use_is_left_for_the_next_time(engine, names):
    ensure_partitions(engine, [month_of(date(1999, 5, 1))])
    with Session(engine) as session:
        [partition] = partitions(session, "readings")
    with engine.begin() as reader:
        reader.execute(text("SELECT count(*) FROM readings"))
        assert not drop(engine, "readings", partition, only_empty=True)
    assert drop(engine, "readings", partition, only_empty=True)
    assert names() == []


def test_a_partition_that_holds_a_reading_is_not_taken_for_empty(engine, names):
    ensure_partitions(engine, [month_of(date(1999, 5, 1))])
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO readings (machine_id, measured_at) VALUES (1, '1999-05-05Z')"))
    with Session(engine) as session:
        [partition] = partitions(session, "readings")
    assert not drop(engine, "readings", partition, only_empty=True)
    assert names() == ["readings_1999"]


def test_a_default_partition_of_an_administrator_is_left_alone(engine, names):
    ensure_partitions(engine, [month_of(date(1999, 5, 1))])
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE readings_rest PARTITION OF readings DEFAULT"))
    assert names() == ["readings_1999"]
    assert give_back(engine, datetime.now(UTC)) == ["readings_1999"]
