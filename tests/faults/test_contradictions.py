"""R6: the same key with another value, thousands of times at once: the first stays, all others are kept."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from sqlalchemy import text

from app.security.principal import Role
from tests.faults.conftest import make_key
from tests.faults.form import many
from tests.faults.wire import Wire

CONTRADICTIONS = many("CONTRADICTIONS", 10_000, 10_000)
ROWS = 40
SENDERS = 8
AT = "2026-11-20T08:00:00Z"


def contradiction(number: int) -> dict[str, object]:
    """Half of them in a named channel, half in an extra one."""
    value = {"temperature_c": number / 8} if number % 2 else {"extra": {"pressure_bar": number / 8}}
    return {"machine": "press-07", "measured_at": AT, **value}


@pytest.mark.timeout(300)
def test_every_contradiction_is_counted_and_kept(engine, key, serve, figures):
    services = [serve(engine) for _ in range(2)]
    numbers = iter(range(1, CONTRADICTIONS + 1, ROWS))
    told: Counter[str] = Counter()
    first = contradiction(0) | {"temperature_c": 0, "extra": {"pressure_bar": 0}}

    async def send(wire: Wire) -> None:
        async with wire:
            for start in numbers:
                answer = await wire.post(json.dumps([contradiction(start + row) for row in range(ROWS)]).encode())
                assert answer.status == 200, answer.body
                told.update({name: n for name, n in json.loads(answer.body).items() if isinstance(n, int)})

    async def send_all() -> None:
        async with Wire(services[0].port, key) as wire:
            assert (await wire.post(json.dumps(first).encode())).status == 200
        await asyncio.gather(*(send(Wire(services[n % 2].port, key)) for n in range(SENDERS)))

    asyncio.run(send_all())
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT channel, stored_value, refused_value FROM reading_conflicts")).all()
        stored = connection.execute(text("SELECT temperature_c, extra ->> 'pressure_bar' FROM readings")).all()
    figures("R6", f"{CONTRADICTIONS} contradictions", told=dict(told), kept=len(kept))
    expected = {("temperature_c" if n % 2 else "pressure_bar", 0.0, n / 8) for n in range(1, CONTRADICTIONS + 1)}
    assert [(value, float(extra)) for value, extra in stored] == [(0.0, 0.0)]
    assert told["conflicts"] == CONTRADICTIONS
    assert (len(kept), set(map(tuple, kept))) == (CONTRADICTIONS, expected)
    assert asyncio.run(listed(services[0].port, make_key(engine, Role.OPERATOR))) == CONTRADICTIONS


async def listed(port: int, key: str) -> int:
    """How many the ledger's pages show, from the newest to the oldest."""
    seen: set[int] = set()
    async with Wire(port, key) as wire:
        before = ""
        while True:
            page = json.loads((await wire.get(f"/api/v1/readings/conflicts?limit=1000{before}")).body)
            if not page["items"]:
                return len(seen)
            seen |= {item["id"] for item in page["items"]}
            before = f"&before={min(seen)}"
