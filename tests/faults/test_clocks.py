"""R7: wrong clocks, and times in every notation: stored at exactly that moment, or refused with a reason."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from tests.faults.form import many
from tests.faults.wire import Wire

TIMES = many("CLOCKS", 2_000, 20_000)
ROWS = 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = [timezone(timedelta(minutes=minutes)) for minutes in (-12 * 60, -210, 0, 60, 330, 345, 14 * 60)]
FAR = [datetime(year, 1, 2, tzinfo=UTC) for year in (1, 1582, 1899, 1969, 1970, 1980, 1989, 2038, 2262, 3000, 9999)]
# What no clock should write, and some do.
ODD = [
    "", " ", "now", "null", "NaN", "-1", "0", "1e18", "infinity", "0000-00-00T00:00:00Z", "2026-02-30T08:00:00Z",
    "2026-11-20T23:59:60Z", "2026-12-31T23:59:60+00:00", "2026-11-20T24:00:00Z", "2026-11-20T25:00:00Z",
    "2026-11-20T08:00:00", "2026-11-20", "2026-W47-5T08:00:00Z", "20261120T080000Z", "20/11/2026 08:00",
    "2026-11-20T08:00:00+99:00", "2026-11-20T08:00:00-00:00", "2026-11-20T08:00:00.123456789Z",
    "2026-11-20T08:00:00[Europe/Berlin]", "2026-11-20T08:00:00 CET", "９９９９-11-20T08:00:00Z",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    "10000-01-01T00:00:00Z", "-2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z\u0000", "2026-11-20T08:00:00Z" * 1000,
    0, -1, 1.5, 1e18, -1e300, 10**30, 10**400, True, None, [], ["2026-11-20T08:00:00Z"], {"$date": 0},
]  # fmt: skip
Written = tuple[object, datetime | None]


def iso(moment: datetime) -> str:
    return moment.isoformat()


def with_z(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


# Half of all in a notation of ours, half as a number of seconds, milliseconds, micro- or nanoseconds.
NOTATIONS: list[Callable[[datetime], object]] = [iso, with_z] * 6
for per_second, written in itertools.product((1, 10**3, 10**6, 10**9), (int, float, str)):
    NOTATIONS.append(
        lambda moment, n=per_second, w=written: w((moment - EPOCH) // timedelta(microseconds=1) * n // 10**6)
    )


def moments(now: datetime, chance: random.Random) -> Iterator[datetime]:
    """Right, wrong by minutes, by a day, by a lifetime."""
    yield from FAR
    while True:
        off = chance.choice([timedelta(minutes=10), timedelta(days=1), timedelta(days=365 * 30)])
        yield (now + off * chance.uniform(-1, 1)).astimezone(chance.choice(ZONES))


def readings(now: datetime, chance: random.Random) -> list[Written]:
    """As written, and the moment that is meant, where one is."""
    meant = ((chance.choice(NOTATIONS), moment) for moment in moments(now, chance))
    return [*((odd, None) for odd in ODD), *((w(m), m) for w, m in itertools.islice(meant, TIMES))]


@pytest.mark.timeout(300)
def test_every_time_is_stored_exactly_or_refused_with_a_reason(engine, key, serve, figures):
    service, now = serve(engine), datetime.now(UTC)
    sent = readings(now, random.Random(7))
    refused: dict[int, str] = {}

    async def send() -> None:
        async with Wire(service.port, key) as wire:
            for start in range(0, len(sent), ROWS):
                rows = [
                    row(number, written) for number, (written, _) in enumerate(sent[start : start + ROWS], start)
                ]
                answer = await wire.post(json.dumps(rows).encode())
                report = json.loads(answer.body)
                assert answer.status in (200, 422), answer.body
                refused.update({start + each["index"]: each["reason"] for each in report["rejected"]})
                assert len(report["rejected"]) + report.get("accepted", 0) == len(rows)

    asyncio.run(send())
    stored = stored_moments(engine)
    figures("R7", f"{len(sent)} times", stored=len(stored), refused=len(refused))
    assert stored.keys() | refused.keys() == set(range(len(sent)))
    assert not stored.keys() & refused.keys()
    assert all(refused.values())
    for number, (written, moment) in enumerate(sent):
        if moment is None:
            continue
        if number in stored:
            assert stored[number] == exact(moment, written)
            assert moment < datetime.now(UTC) + timedelta(minutes=5)
        elif isinstance(written, str) and "T" in written:
            assert moment > now + timedelta(minutes=5) or moment.year < 1990, (written, refused[number])
            assert "in the future" in refused[number] or "year" in refused[number]


def row(number: int, written: object) -> dict[str, object]:
    return {"machine": f"m-{number}", "measured_at": written, "temperature_c": 1}


def exact(moment: datetime, written: object) -> datetime:
    return moment if isinstance(written, str) and "T" in written else moment.replace(microsecond=0)


def stored_moments(engine) -> dict[int, datetime]:
    query = (
        "SELECT split_part(key, '-', 2)::int, measured_at FROM readings JOIN machines ON machines.id = machine_id"
    )
    with engine.connect() as connection:
        return dict(map(tuple, connection.execute(text(query))))
