"""The latest reading is the one measured last, whatever came last, however long ago and however it is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.database import session_scope
from app.ingest.latest import latest_readings, silent_machines
from app.ingest.packer import pack
from app.ingest.rollup import roll_up_all

from .conftest import counts, reading

NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - timedelta(days=400)


@pytest.fixture
def send(post):
    def send(at: datetime, machine: str = "press-07", **channels) -> None:
        counts(post([reading(at.isoformat(), machine, **channels)]))

    return send


@pytest.fixture
def latest(engine):
    def latest() -> list[tuple[datetime, float | None, dict[str, float]]]:
        with session_scope(engine) as session:
            found = sorted(latest_readings(session).values(), key=lambda each: each.machine_id)
            return [(each.measured_at, each.temperature_c, each.extra) for each in found]

    return latest


def test_a_machine_silent_for_years_shows_its_last_reading_packed_or_not(send, latest, engine, settings):
    send(LONG_AGO, temperature_c=20, extra={"torque": 4})
    expected = [(LONG_AGO, 20, {"torque": 4})]
    assert latest() == expected
    roll_up_all(engine, settings)
    pack(engine, NOW + timedelta(hours=2), timedelta(days=2))
    assert latest() == expected


def test_a_late_reading_never_becomes_the_latest(send, latest, engine, settings):
    send(NOW - timedelta(days=5), temperature_c=50)
    roll_up_all(engine, settings)
    send(LONG_AGO, temperature_c=10)
    assert latest() == [(NOW - timedelta(days=5), 50, {})]
    roll_up_all(engine, settings)
    assert latest() == [(NOW - timedelta(days=5), 50, {})]


def test_a_reading_is_the_latest_before_any_roll_up_saw_it(send, latest, engine, settings):
    send(LONG_AGO, temperature_c=10)
    roll_up_all(engine, settings)
    send(NOW, temperature_c=30)
    assert latest() == [(NOW, 30, {})]


def test_a_channel_filled_in_later_is_shown(send, latest, engine, settings):
    send(LONG_AGO, temperature_c=10)
    roll_up_all(engine, settings)
    send(LONG_AGO, extra={"torque": 4})
    roll_up_all(engine, settings)
    assert latest() == [(LONG_AGO, 10, {"torque": 4})]


def test_silent_machines_are_told_with_their_last_time(send, engine, settings):
    send(LONG_AGO, "old")
    send(NOW, "live")
    roll_up_all(engine, settings)
    with session_scope(engine) as session:
        assert list(silent_machines(session, NOW - timedelta(hours=1)).values()) == [LONG_AGO]
