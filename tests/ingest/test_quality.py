"""Flags against a plain reference that sees all readings in order, whatever order they arrive in."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.fleet.tables import Machine
from app.ingest.asset_classes import load_asset_classes
from app.ingest.columns import Columns, to_microseconds
from app.ingest.rollup import roll_up_touched
from app.ingest.tables import CORE_CHANNELS
from app.ingest.writing import Batch, Writer
from app.settings import Settings

START = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAN = float("nan")
TEMPERATURE, VIBRATION, CURRENT, RUNTIME = range(4)
RULES = {
    "default": {
        "temperature_c": {"low": 0, "high": 100, "most_per_minute": 1, "least_step": 5, "stuck_hours": 4,
                          "stuck_readings": 3},
        "vibration_mm_s": {"high": 50, "stuck_hours": 0.5, "stuck_readings": 2},
        "pressure_bar": {"low": 1, "stuck_hours": 2, "stuck_readings": 2},
    },
    "furnace": {"temperature_c": {"high": 900}},
}  # fmt: skip
KEYS = itertools.count()


@pytest.fixture
def judged(tmp_path, session, connection):
    """`judged(chunks)`: readings stored and rolled up chunk by chunk -> the flags, in order."""
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(RULES))
    chosen = Settings(data_dir=tmp_path, plausible_values=path)

    def judged(chunks, limit=1000, **machine):
        key = f"machine-{next(KEYS)}"
        session.add(Machine(key=key, **machine))
        session.flush()
        for rows in chunks:
            store(connection, chosen, key, rows)
            while roll_up_touched(session, chosen, limit):
                pass
        return flags(session, key)

    return judged


def store(connection, chosen, key, rows):
    """Rows are (hours since START, temperature, vibration, current, runtime, pressure)."""
    values = np.array([[NAN if v is None else v for v in row[1:5]] for row in rows], dtype=float).reshape(-1, 4)
    times = to_microseconds([START + row[0] * HOUR for row in rows])
    extra = [{"pressure_bar": row[5]} if len(row) > 5 and row[5] is not None else None for row in rows]
    columns = Columns([key] * len(rows), times, values, extra)
    Writer(connection, chosen).write([Batch(columns, np.arange(len(rows)), [], "test", may_register=True)])


def flags(session, key):
    query = """SELECT c.key, extract(epoch FROM f.bucket_start - :start) / 3600, f.kind, f.n, f.value, f.before
        FROM reading_flags f JOIN machines m ON m.id = f.machine_id JOIN channels c ON c.id = f.channel_id
        WHERE m.key = :key ORDER BY 1, 2, 3"""
    found = session.execute(text(query), {"key": key, "start": START})
    return [(channel, int(hour), *rest) for channel, hour, *rest in found]


def test_what_no_machine_of_its_class_shows_is_stored_and_flagged(judged):
    rows = [(0.1, 61, 2, 10, 5), (0.2, 120, 2, 10, 5), (0.3, 130, 60, 10, 5)]
    found = judged([rows])
    assert ("temperature_c", 0, "outside_range", 2, 120, None) in found
    assert ("vibration_mm_s", 0, "outside_range", 1, 60, None) in found
    assert judged([[(0.1, 500, None, None, None)]], asset_class="furnace") == []
    assert [kind for _, _, kind, *_ in judged([[(0.1, 500, None, None, None)]], asset_class="unheard of")] == [
        "outside_range"
    ]


def test_a_jump_faster_than_the_class_allows_is_flagged_with_the_value_before(judged):
    assert judged([[(0.00, 20, None, None, None), (0.01, 40, None, None, None)]]) == [
        ("temperature_c", 0, "too_fast", 1, 40, 20)
    ]
    assert judged([[(0.00, 20, None, None, None), (0.90, 40, None, None, None)]]) == []


def test_a_jump_over_the_edge_of_a_bucket_is_seen_whichever_side_comes_first(judged):
    before, after = [(0.99, 20, None, None, None)], [(1.01, 40, None, None, None)]
    expected = [("temperature_c", 1, "too_fast", 1, 40, 20)]
    assert judged([before, after]) == judged([after, before]) == expected


def test_a_reading_that_comes_late_takes_a_doubt_back(judged):
    jump = [(0.1, 20, None, None, None), (5.0, 40, None, None, None), (5.01, 60, None, None, None)]
    assert judged([jump]) == [("temperature_c", 5, "too_fast", 1, 60, 40)]
    assert judged([jump[1:], [(0.1, 58, None, None, None)], [(4.995, 59, None, None, None)]]) == [
        ("temperature_c", 5, "too_fast", 2, 40, 59)
    ]


def test_a_counter_that_starts_again_is_a_reset_and_a_smaller_fall_is_named_so(judged):
    rows = [(0, None, None, None, 1000), (30, None, None, None, 0.5), (60, None, None, None, 30)]
    assert judged([rows]) == [("runtime_hours", 30, "counter_reset", 1, 0.5, 1000)]
    assert judged([[(0, None, None, None, 1000), (1, None, None, None, 900)]]) == [
        ("runtime_hours", 1, "counter_fell", 1, 900, 1000)
    ]
    assert judged([[(0, None, None, None, 1000), (1, None, None, None, 1400)]]) == [
        ("runtime_hours", 1, "too_fast", 1, 1400, 1000)
    ]


@pytest.mark.parametrize(("current", "kinds"), [(10, {"stuck"}), (0, set()), (0.1, set())])
def test_the_same_value_for_hours_is_stuck_only_while_the_machine_runs(judged, current, kinds):
    rows = [(hour + 0.5, 61, None, current + hour / 1000, None) for hour in range(12)]
    found = judged([rows])
    assert {kind for _, _, kind, *_ in found} == kinds
    assert all(hour >= 2 for _, hour, *_ in found)


def test_a_machine_at_rest_shows_zero_and_no_doubt(judged):
    rows = [(hour + part, 20 + (hour + part) / 10, 0, None, None) for hour in range(4) for part in (0.2, 0.7)]
    assert judged([rows]) == []
    assert {kind for _, _, kind, *_ in judged([[(h, t, v or 2, c, r) for h, t, v, c, r in rows]])} == {"stuck"}


def test_a_changed_bucket_width_judges_everything_anew(judged, session):
    judged([[(0, None, None, None, 1000), (1, None, None, None, 0.5)]])
    assert session.scalar(text("SELECT count(*) FROM reading_flags"))


# Few values, so that runs and jumps come up.
ROW = st.tuples(
    st.sampled_from([20, 20, 22, 60, 120, None]),
    st.sampled_from([2, 2, 60, None]),
    st.sampled_from([0, 10, 10, None]),
    st.sampled_from([100, 100.2, 99.95, 60, 1, 200, None]),
    st.sampled_from([0.5, 5, 5, None]),
)
TIMES = st.lists(
    st.sampled_from([hour + part for hour in (*range(8), 20, 21, 40) for part in (0.0, 0.01, 0.5)]), unique=True
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flags_are_those_of_arrival_in_order_whatever_the_order_of_arrival(judged, data):
    times = sorted(data.draw(TIMES))
    rows = [(time, *data.draw(ROW)) for time in times]
    rows = [row for row in rows if any(value is not None for value in row[1:])]
    expected = reference(rows)
    order = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    chunks = [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(rows)]) if b > a]
    assert judged(chunks, limit=data.draw(st.sampled_from([1, 3, 1000])), rated_current_a=12) == expected


def reference(rows):
    rules = load_asset_classes_of(RULES)
    found = []
    for place, channel in enumerate((*CORE_CHANNELS, "pressure_bar"), start=1):
        measured = [(row[0], row[place]) for row in rows if row[place] is not None]
        if rule := rules.get(channel):
            found += doubts(channel, rule, measured) + stuck(channel, rule, place, rows)
    return sorted(found)


def load_asset_classes_of(rules):
    from app.ingest.asset_classes import ANY_MACHINE, Plausible

    return {**ANY_MACHINE, **{key: Plausible(**rule) for key, rule in rules["default"].items()}}


def doubts(channel, rule, measured):
    kinds = {}
    previous = (None, None)
    for time, value in measured:
        for kind in sorted(set(doubts_of(channel, rule, previous, time, value))):
            kinds.setdefault((int(time), kind), []).append(
                (value, None if kind == "outside_range" else previous[1])
            )
        previous = (time, value)
    return [(channel, hour, kind, len(each), *each[0]) for (hour, kind), each in kinds.items()]


def doubts_of(channel, rule, previous, time, value):
    if (rule.low is not None and value < rule.low) or (rule.high is not None and value > rule.high):
        yield "outside_range"
    at, before = previous
    if before is None:
        return
    rate, step = rule.most_per_minute, abs(value - before)
    # To the microsecond, as times are stored: 2.01 h is a little less than an hour after 1.01 h.
    minutes = (time * HOUR - at * HOUR) / timedelta(minutes=1)
    if rate is not None and step >= rule.least_step and step > rate * minutes:
        yield "too_fast"
    if channel == "runtime_hours":
        if value - before > time - at + 25:
            yield "too_fast"
        if value < before / 2:
            yield "counter_reset"
        elif value < before - 0.1:
            yield "counter_fell"


def stuck(channel, rule, place, rows):
    if rule.stuck_hours is None:
        return []
    found = []
    for hour in sorted({int(row[0]) for row in rows if row[place] is not None}):
        begins = hour + 1 - max(rule.stuck_hours, 1)
        window = [row for row in rows if begins <= int(row[0]) <= hour]
        own = [row[place] for row in window if row[place] is not None]
        here = [row[place] for row in rows if int(row[0]) == hour and row[place] is not None]
        first = min(int(row[0]) for row in window if row[place] is not None)
        covered = first <= hour + 1 - 0.75 * rule.stuck_hours
        if len({*own}) == 1 and len(own) >= rule.stuck_readings and covered and runs(channel, place, window):
            found.append((channel, hour, "stuck", len(here), own[0], None))
    return found


def runs(channel, place, window):
    def of(number):
        return [row[number] for row in window if row[number] is not None]

    current = {}
    for row in window:
        if row[CURRENT + 1] is not None:
            current[int(row[0])] = max(row[CURRENT + 1], current.get(int(row[0]), 0))
    if current:
        return sum(value > 12 * 0.15 for value in current.values()) >= 0.75 * len(current)
    if channel == "runtime_hours":
        return False
    if of(RUNTIME + 1):
        return max(of(RUNTIME + 1)) > min(of(RUNTIME + 1))
    moves = [number for number in range(1, 6) if number != place and of(number)]
    return of(place)[0] != 0 and any(max(of(number)) > min(of(number)) for number in moves)


def test_the_file_of_a_plant_overrides_ours_channel_by_channel(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(RULES))
    classes = load_asset_classes(path)
    assert classes.of("furnace")["temperature_c"].high == 900
    assert classes.of("furnace")["vibration_mm_s"].high == classes.of(None)["vibration_mm_s"].high == 50
    assert classes.of("compressor")["temperature_c"].high == 250
    assert all(rule.source for channels in classes.by_class.values() for rule in channels.values())


def test_a_sensor_that_has_only_just_begun_is_not_stuck_for_hours(judged):
    """Many readings of one value within minutes say nothing about hours."""
    rows = [(minute / 60, 61, None, 10 + minute / 100, None) for minute in range(50)]
    assert judged([rows]) == []
    assert judged([[(hour + row[0], *row[1:]) for hour in range(4) for row in rows]]) != []
