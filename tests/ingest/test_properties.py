"""Any readings, cut into any requests, in any order, through any process: as a dictionary would hold them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.database import session_scope
from app.main import create_app
from app.security.keys import create_key
from app.security.principal import Role

# Of today, of yesterday, of last month and of a year long past: late readings take other ways through the store.
NOW = datetime.now(UTC).replace(microsecond=0)
TIMES = [
    NOW - timedelta(**ago) for ago in ({"seconds": 1}, {"minutes": 1}, {"days": 1}, {"days": 40}, {"days": 4000})
]
CORE = ("temperature_c", "current_a")
EXTRA = ("pressure_bar", "flow")
VALUES = st.sampled_from([-0.0, 0.0, 1.0, 1.5, 0.1 + 0.2, 1e-300])

Key = tuple[int, int]
Part = tuple[Key, dict[str, float]]
KEYS = st.tuples(st.integers(0, 2), st.integers(0, len(TIMES) - 1))
PARTS = st.lists(
    st.tuples(KEYS, st.dictionaries(st.sampled_from(CORE + EXTRA), VALUES, min_size=1)), min_size=1, max_size=40
)
CUTS = st.lists(st.integers(1, 39), max_size=5)
COUNTS = ("accepted", "duplicates", "merged", "conflicts")
relaxed = hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


class Oracle:
    """The store as a dictionary: the first value of a channel stays, every other is kept apart."""

    def __init__(self) -> None:
        self.rows: dict[Key, dict[str, float]] = {}
        self.conflicts: Counter[tuple[Key, str, float]] = Counter()
        self.counts: Counter[str] = Counter()

    def take(self, key: Key, channels: dict[str, float]) -> None:
        row = self.rows.setdefault(key, {})
        new = {name for name in channels if name not in row}
        against = [name for name in channels if name in row and row[name] != channels[name]]
        outcome = "conflicts" if against else "merged" if new else "duplicates"
        self.counts["accepted" if new and not row else outcome] += 1
        self.conflicts.update((key, name, channels[name]) for name in against)
        self.rows[key] = channels | row


class Plant:
    """Two services on one database, and machines that no other example knows."""

    def __init__(self, engine: Engine, clients: list[TestClient]) -> None:
        self._engine, self._clients, self._number = engine, clients, itertools.count()

    def begin(self) -> None:
        self._prefix = f"p{next(self._number)}-"

    def post(self, parts: list[Part], process: int) -> Counter[str]:
        answer = self._clients[process].post("/api/v1/readings", content=json.dumps([self._row(p) for p in parts]))
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == []
        return Counter({name: answer.json()[name] for name in COUNTS if answer.json()[name]})

    def _row(self, part: Part) -> dict[str, object]:
        (machine, time), channels = part
        extra = {name: value for name, value in channels.items() if name in EXTRA}
        core = {name: value for name, value in channels.items() if name in CORE}
        at = TIMES[time].isoformat()
        return (
            {"machine": f"{self._prefix}{machine}", "measured_at": at} | core | ({"extra": extra} if extra else {})
        )

    def rows(self) -> dict[Key, dict[str, float]]:
        query = """SELECT m.key, r.measured_at, r.temperature_c, r.current_a, r.extra
            FROM readings r JOIN machines m ON m.id = r.machine_id WHERE starts_with(m.key, :prefix)"""
        return {
            self._key(machine, at): {n: v for n, v in zip(CORE, values, strict=True) if v is not None}
            | (extra or {})
            for machine, at, *values, extra in self._ask(query)
        }

    def conflicts(self) -> Counter[tuple[Key, str, float]]:
        query = """SELECT m.key, c.measured_at, c.channel, c.refused_value
            FROM reading_conflicts c JOIN machines m ON m.id = c.machine_id WHERE starts_with(m.key, :prefix)"""
        return Counter((self._key(machine, at), name, value) for machine, at, name, value in self._ask(query))

    def _key(self, machine: str, at: datetime) -> Key:
        return int(machine.removeprefix(self._prefix)), TIMES.index(at)

    def _ask(self, query: str):
        with self._engine.connect() as connection:
            return connection.execute(text(query), {"prefix": self._prefix}).all()


@pytest.fixture
def plant(engine: Engine, settings) -> Iterator[Plant]:
    with session_scope(engine) as session:
        key = create_key(session, "gateway", Role.SENSOR, may_register_machines=True)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with (
        TestClient(create_app(settings, engine), headers=headers) as one,
        TestClient(create_app(settings, engine), headers=headers) as other,
    ):
        yield Plant(engine, [one, other])


def requests_of(parts: list[Part], cuts: list[int]) -> list[list[Part]]:
    bounds = sorted({0, len(parts), *(cut for cut in cuts if cut < len(parts))})
    return [parts[start:end] for start, end in itertools.pairwise(bounds)]


def expect(parts: list[Part]) -> Oracle:
    oracle = Oracle()
    for key, channels in parts:
        oracle.take(key, channels)
    return oracle


def test_any_split_over_two_processes_stores_and_counts_what_a_dictionary_would(plant):
    @relaxed
    @given(PARTS, CUTS, st.lists(st.integers(0, 1), min_size=40, max_size=40))
    def check(parts: list[Part], cuts: list[int], processes: list[int]) -> None:
        plant.begin()
        told = sum(map(plant.post, requests_of(parts, cuts), processes), Counter())
        oracle = expect(parts)
        assert (told, plant.rows(), plant.conflicts()) == (oracle.counts, oracle.rows, oracle.conflicts)

    check()


def test_all_of_it_once_more_changes_nothing_and_says_so(plant):
    @relaxed
    @given(PARTS, CUTS)
    def check(parts: list[Part], cuts: list[int]) -> None:
        plant.begin()
        for request in requests_of(parts, cuts):
            plant.post(request, 0)
        rows, again = plant.rows(), plant.post(parts, 1)
        assert plant.rows() == rows
        assert again.keys() <= {"duplicates", "conflicts"}
        assert again == expect([*rows.items(), *parts]).counts - Counter(accepted=len(rows))

    check()


def test_without_contradictions_no_order_of_arrival_makes_a_difference(plant):
    @relaxed
    @given(PARTS, CUTS, st.randoms(use_true_random=False))
    def check(parts: list[Part], cuts: list[int], chance) -> None:
        plant.begin()
        truth = expect(parts).rows
        parts = [(key, {name: truth[key][name] for name in channels}) for key, channels in parts]
        chance.shuffle(parts)
        told = sum(
            (plant.post(request, number % 2) for number, request in enumerate(requests_of(parts, cuts))), Counter()
        )
        assert plant.rows() == truth
        assert (told["accepted"], told["conflicts"], told.total()) == (len(truth), 0, len(parts))

    check()


def test_requests_at_the_same_time_lose_no_value_and_count_each_row_once(plant):
    """Which value comes first is open; that each is stored or kept as a conflict, and each row counted, is not."""

    @relaxed
    @given(PARTS, CUTS)
    def check(parts: list[Part], cuts: list[int]) -> None:
        plant.begin()
        requests = requests_of(parts, cuts)
        with ThreadPoolExecutor(4) as pool:
            told = sum(pool.map(plant.post, requests, itertools.cycle([0, 1])), Counter())
        rows, kept = plant.rows(), plant.conflicts()
        sent = {(key, name, value) for key, channels in parts for name, value in channels.items()}
        stored = {(key, name, value) for key, channels in rows.items() for name, value in channels.items()}
        assert stored | kept.keys() == sent
        assert not stored & kept.keys()
        assert told.total() == len(parts)
        assert told["accepted"] == len(rows)
        assert sum(each in kept for each in all_values(parts)) == kept.total()

    check()


def all_values(parts: list[Part]) -> list[tuple[Key, str, float]]:
    return [(key, name, value) for key, channels in parts for name, value in channels.items()]
