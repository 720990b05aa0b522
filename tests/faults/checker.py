"""The ledger against the database: acknowledged is there once, refused is absent, unknown is whole or absent."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Engine, text

from tests.faults.batches import START, Batches, temperature_of
from tests.faults.ledger import Known

STORED = text(
    """SELECT (extract(epoch FROM measured_at) * 1000)::bigint - CAST(:start AS bigint), key, temperature_c,
        (extra ->> 'pressure_bar')::float8
    FROM readings JOIN machines ON machines.id = machine_id"""
)


class Verdict(NamedTuple):
    """Batches that break the promise; all empty when it is kept."""

    lost: set[int]
    doubled: set[int]
    half: set[int]
    stored_though_refused: set[int]
    changed: set[int]


KEPT = Verdict(set(), set(), set(), set(), set())


def verdict(engine: Engine, known: Known, batches: Batches) -> Verdict:
    found, changed = _stored(engine, batches.machines)
    counts = {batch: len(rows) for batch, rows in found.items()}
    return Verdict(
        lost={batch for batch in known.acknowledged if counts.get(batch, 0) < batches.rows},
        doubled={batch for batch, rows in found.items() if max(rows.values()) > 1},
        half={batch for batch in known.unknown if counts.get(batch, 0) not in (0, batches.rows)},
        stored_though_refused=known.refused & counts.keys(),
        changed=changed,
    )


def _stored(engine: Engine, machines: int) -> tuple[dict[int, Counter[int]], set[int]]:
    """How often each row of each batch is there, and the batches with a row that is not what was sent."""
    found: dict[int, Counter[int]] = {}
    changed = set()
    with engine.connect() as connection:
        for milliseconds, machine, temperature, pressure in connection.execute(STORED, {"start": START * 1000}):
            second, row = divmod(milliseconds, 1000)
            batch = second * machines + int(machine.removeprefix("m-"))
            found.setdefault(batch, Counter())[row] += 1
            if (temperature, pressure) != (temperature_of(row), batch):
                changed.add(batch)
    return found, changed
