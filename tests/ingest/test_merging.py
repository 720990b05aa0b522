import random
from itertools import pairwise

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.ingest.rollup import roll_up_all
from tests.ingest.conftest import counts, reading


def test_the_same_again_is_a_duplicate(post, stored):
    post(reading(temperature_c=1, extra={"a": 1}))
    before = stored()
    assert counts(post(reading(temperature_c=1, extra={"a": 1}))) == {"duplicates": 1}
    assert counts(post(reading(temperature_c=1))) == {"duplicates": 1}
    assert stored() == before


def test_a_missing_channel_is_filled_in_later(post, stored):
    post(reading(temperature_c=1))
    assert counts(post(reading(current_a=2, extra={"a": 3}))) == {"merged": 1}
    assert counts(post(reading(extra={"b": 4}))) == {"merged": 1}
    assert stored()[0][2] == {"temperature_c": 1, "current_a": 2, "a": 3, "b": 4}


def test_another_value_is_kept_apart_and_the_first_stays(post, stored, client):
    post(reading(temperature_c=1, extra={"a": 1}))
    answer = post(reading(temperature_c=2, extra={"a": 3, "b": 4}))
    assert counts(answer) == {"conflicts": 1}
    assert answer.json()["conflicting"] == [
        {"index": 0, "channel": "temperature_c", "stored": 1, "refused": 2},
        {"index": 0, "channel": "a", "stored": 1, "refused": 3},
    ]
    assert stored()[0][2] == {"temperature_c": 1, "a": 1, "b": 4}
    kept = client.get("/api/v1/readings/conflicts", params={"machine": "press-07"}).json()["items"]
    assert {(row["channel"], row["stored_value"], row["refused_value"], row["sender"]) for row in kept} == {
        ("temperature_c", 1, 2, "key admin"),
        ("a", 1, 3, "key admin"),
    }


def test_rows_of_one_request_meet_each_other_in_their_order(post, stored):
    answer = post(
        [
            reading(temperature_c=1),
            reading(temperature_c=1),
            reading(current_a=2),
            reading(current_a=2),
            reading(current_a=3),
            reading("2026-11-20T09:00:00Z", temperature_c=5),
        ]
    )
    assert counts(answer) == {"accepted": 2, "duplicates": 2, "merged": 1, "conflicts": 1}
    assert answer.json()["conflicting"] == [{"index": 4, "channel": "current_a", "stored": 2, "refused": 3}]
    assert stored()[0][2] == {"temperature_c": 1, "current_a": 2}


CHANNELS = ("temperature_c", "vibration_mm_s", "a", "b")
PARTS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(CHANNELS), st.integers(0, 3)), min_size=1, max_size=30
)


def as_reading(part, machine):
    minute, channel, value = part
    named = {channel: value} if "_" in channel else {"extra": {channel: value}}
    return reading(f"2026-11-20T0{minute // 2}:{30 * (minute % 2):02}:00Z", machine, **named)


def reference(parts):
    """What must be stored, said as plainly as possible: the first value of a channel stays."""
    state: dict[int, dict[str, float]] = {}
    outcomes = {"accepted": 0, "duplicates": 0, "merged": 0, "conflicts": 0}
    for minute, channel, value in parts:
        known = state.get(minute)
        if known is None:
            outcomes["accepted"] += 1
        elif channel not in known:
            outcomes["merged"] += 1
        else:
            outcomes["duplicates" if known[channel] == value else "conflicts"] += 1
        state.setdefault(minute, {}).setdefault(channel, value)
    return list(dict(sorted(state.items())).values()), {name: n for name, n in outcomes.items() if n}


def test_any_split_into_requests_stores_the_same_and_counts_the_same(post, stored):
    number = iter(range(10**6))

    @hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(PARTS, st.lists(st.integers(0, 30), max_size=4))
    def check(parts, cuts):
        machine = f"m{next(number)}"
        cuts = sorted({0, len(parts), *(cut for cut in cuts if cut < len(parts))})
        total: dict[str, int] = {}
        for start, end in pairwise(cuts):
            for name, n in counts(post([as_reading(part, machine) for part in parts[start:end]])).items():
                total[name] = total.get(name, 0) + n
        rows, outcomes = reference(parts)
        assert total == outcomes
        assert [channels for key, _, channels in stored() if key == machine] == rows

    check()


def rollups(engine, machine):
    query = """SELECT c.key, r.bucket_start, r.n, r.mean, r.min, r.max, r.std, r.last FROM rollups r
        JOIN machines m ON m.id = r.machine_id JOIN channels c ON c.id = r.channel_id
        WHERE m.key = :machine ORDER BY 1, 2"""
    with engine.connect() as connection:
        return connection.execute(text(query), {"machine": machine}).all()


def test_any_order_of_arrival_gives_identical_roll_ups(post, engine, settings):
    number = iter(range(10**6))
    values = st.lists(st.floats(-200, 1999, width=32), min_size=1, max_size=25)

    @hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values, st.integers(0, 2**32))
    def check(values, seed):
        name = next(number)
        rows = [
            (f"2026-11-20T{i // 10:02}:{i % 10:02}:00Z", {"temperature_c": value, "extra": {"a": value * 1e3}})
            for i, value in enumerate(values)
        ]
        post([reading(at, f"in-order-{name}", **channels) for at, channels in rows])
        roll_up_all(engine, settings)
        dice = random.Random(seed)
        late = [(at, {key: value}) for at, channels in rows for key, value in channels.items()]
        dice.shuffle(late)
        for start in range(0, len(late), 7):
            post([reading(at, f"late-{name}", **part) for at, part in late[start : start + 7]])
            if dice.random() < 0.5:
                roll_up_all(engine, settings)
        roll_up_all(engine, settings)
        assert rollups(engine, f"late-{name}") == rollups(engine, f"in-order-{name}")
        assert rollups(engine, f"late-{name}") != []

    check()
