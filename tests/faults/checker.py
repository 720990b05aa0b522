"""The ledger against the database: acknowledged is there once, refused is absent, unknown is whole or absent."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Engine, text

from tests.faults.batches import MACHINES, START, Batches, value_of
from tests.faults.ledger import Known

STORED = text(
    """SELECT extract(epoch FROM measured_at)::bigint - :start, key, temperature_c,
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
    found, changed = _stored(engine, batches)
    counts = {batch: len(rows) for batch, rows in found.items()}
    return Verdict(
        lost={batch for batch in known.acknowledged if counts.get(batch, 0) < batches.rows},
        doubled={batch for batch, rows in found.items() if max(rows.values()) > 1},
        half={batch for batch in known.unknown if counts.get(batch, 0) not in (0, batches.rows)},
        stored_though_refused=known.refused & counts.keys(),
        changed=changed,
    )


def _stored(engine: Engine, batches: Batches) -> tuple[dict[int, Counter[int]], set[int]]:
    """How often each row of each batch is there, and the batches with a row that is not what was sent."""
    found: dict[int, Counter[int]] = {}
    changed = set()
    with engine.connect() as connection:
        for number, machine, value, extra in connection.execute(STORED, {"start": START}):
            batch = number // batches.rows
            found.setdefault(batch, Counter())[number] += 1
            if (machine, value, extra) != (f"m-{batch % MACHINES}", value_of(number), value_of(number + 1)):
                changed.add(batch)
    return found, changed
