"""R8: hostile values in every field of every endpoint: no server error, no cut line, nothing that is no number."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.main import create_app
from app.security.principal import Role
from tests.faults.cases import Case, cases, pairs
from tests.faults.conftest import make_key
from tests.faults.form import many
from tests.faults.wire import Wire

CASES = many("HOSTILE_CASES", 1_500, 12_000)
CONNECTIONS = 8


@pytest.fixture
def chosen(settings, engine) -> list[Case]:
    document = create_app(settings, engine).openapi()
    single = cases(document)
    if len(single) > CASES:
        return random.Random(CASES).sample(single, CASES)
    return [*single, *pairs(document, CASES - len(single))]


@pytest.mark.timeout(120 + CASES // 20)
def test_no_value_in_any_field_is_a_server_error(engine, serve, chosen, figures):
    service, key = serve(engine), make_key(engine, Role.ADMIN)
    statuses: Counter[int] = Counter()
    faults: list[str | None] = []

    async def send(waiting: Iterator[Case]) -> None:
        async with Wire(service.port, key) as wire:
            faults.extend([await fault_of(wire, case, statuses) for case in waiting])

    async def send_all() -> None:
        waiting = iter(chosen)
        await asyncio.gather(*(send(waiting) for _ in range(CONNECTIONS)))

    asyncio.run(send_all())
    figures("R8", f"{len(chosen)} hostile requests", statuses=dict(sorted(statuses.items())))
    assert [fault for fault in faults if fault] == []
    assert not_finite(engine) == []


async def fault_of(wire: Wire, case: Case, statuses: Counter[int]) -> str | None:
    try:
        answer = await asyncio.wait_for(wire.send(case.method, case.path, case.content_type, case.body), 30)
    except (OSError, EOFError, TimeoutError) as error:
        return f"{case.what}: no answer ({type(error).__name__})"
    statuses[answer.status] += 1
    if answer.status >= 500:
        return f"{case.what}: {answer.status} {answer.body[:200]!r}"
    if answer.body and "json" in answer.headers.get("content-type", ""):
        try:
            json.loads(answer.body.decode("utf-8"), parse_constant=int)
        except ValueError as error:
            return f"{case.what}: answered with what is no JSON: {error}"
    return None


def not_finite(engine: Engine) -> list[str]:
    """Columns of any table that hold NaN or infinity."""
    query = """SELECT c.table_name, c.column_name FROM information_schema.columns c
        JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
        AND c.data_type IN ('double precision', 'real', 'numeric')"""
    with engine.connect() as connection:
        return [
            f"{table}.{column}"
            for table, column in connection.execute(text(query)).all()
            if connection.scalar(
                text(
                    f"SELECT count(*) FROM \"{table}\" WHERE \"{column}\"::text IN ('NaN', 'Infinity', '-Infinity')"
                )
            )
        ]
