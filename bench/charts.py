"""P10: the chart of one machine at 1 Hz over a day and over 30 days, against reading all rows and thinning them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine, text

from app.database import session_scope
from app.ingest.chart import machine_readings, window
from app.ingest.envelope import Grid, Points, as_json, thinned
from app.ingest.rollup import roll_up_all
from app.ingest.tables import CORE_CHANNELS
from app.settings import Settings
from bench.finding import Finding, Goal
from bench.measure import out
from bench.stored import database, fill, last_hour, mark, server, settle

LEAST_RATIO, MOST_POINTS = 20.0, 2000
DAYS = (1, 30)
# Drawn in milliseconds; the peer takes long enough once.
CHARTS_A_ROUND = 10
# One second's reading in the middle, far above the others: the chart that loses it is wrong.
SPIKE = 777.0
ROWS = text(
    f"""SELECT measured_at, {", ".join(CORE_CHANNELS)} FROM readings
    WHERE machine_id = 1 AND measured_at >= :since AND measured_at < :until ORDER BY measured_at"""
)


def measure(rounds: int) -> list[Finding]:
    url, settings = server()
    engine = database(url, "charts", machines=1)
    until = last_hour()
    since = until - timedelta(days=max(DAYS))
    out.print("P10: filling in 30 days at 1 Hz, rolling them up ...", style="dim", highlight=False)
    fill(engine, 1, since, until)
    with session_scope(engine) as session:
        spike = {"at": until - timedelta(hours=7, seconds=1), "value": SPIKE}
        session.execute(text("UPDATE readings SET temperature_c = :value WHERE measured_at = :at"), spike)
        mark(session, since, until)
    roll_up_all(engine, settings)
    settle(engine)
    return [_compare(engine, settings, until - timedelta(days=days), until, rounds) for days in DAYS]


def _compare(engine: Engine, settings: Settings, since: datetime, until: datetime, rounds: int) -> Finding:
    days = (until - since).days
    found = Finding(f"P10-{days}d", f"chart of one machine, {days} days at 1 Hz, {len(CORE_CHANNELS)} channels")
    sides: dict[str, Callable[[], bytes]] = {
        "chart": lambda: _chart(engine, settings, since, until),
        "all rows": lambda: _all_rows(engine, since, until),
    }
    for number in range(1, rounds + 1):
        out.print(f"{found.name}: round {number} of {rounds} ...", style="dim", highlight=False)
        for side, draw in sides.items():
            found.add(side, _figures(draw, CHARTS_A_ROUND if side == "chart" else 1))
    found.goals.append(Goal("times as fast as all rows", found.ratios("ms", "all rows", "chart"), LEAST_RATIO))
    found.goals.append(Goal("points a channel", found.values("chart", "points"), MOST_POINTS, at_most=True))
    found.goals.append(Goal("highest value shown", found.values("chart", "highest"), SPIKE))
    return found


def _figures(draw: Callable[[], bytes], times: int) -> dict[str, float]:
    start = time.perf_counter()
    answer = [draw() for _ in range(times)][-1]
    took = (time.perf_counter() - start) / times
    channels: dict[str, Any] = json.loads(answer)["channels"]
    return {
        "ms": took * 1000,
        "points": max(len(series["t"]) for series in channels.values()),
        "highest": max(channels["temperature_c"]["max"]),
        "KiB": len(answer) / 1024,
    }


def _chart(engine: Engine, settings: Settings, since: datetime, until: datetime) -> bytes:
    with session_scope(engine) as session:
        return machine_readings(session, settings, "m1", window(session, "m1", since, until), MOST_POINTS)


def _all_rows(engine: Engine, since: datetime, until: datetime) -> bytes:
    """A day at a time, which spares the peer a gigabyte of objects."""
    times, values = [], []
    with session_scope(engine) as session:
        for day in range((until - since).days):
            begin = since + timedelta(days=day)
            rows = session.execute(ROWS, {"since": begin, "until": begin + timedelta(days=1)}).all()
            times.append(np.array([row[0].timestamp() * 1e6 for row in rows]).astype(np.int64))
            values.append(np.array([row[1:] for row in rows], dtype=np.float64))
    t_us, columns = np.concatenate(times), np.concatenate(values).T
    start_us, end_us = int(since.timestamp()) * 1_000_000, int(until.timestamp()) * 1_000_000
    grid = Grid(start_us, (end_us - start_us) // MOST_POINTS)
    one = np.ones(len(t_us))
    series = {
        channel: thinned(Points(t_us, one, column, column, column), grid)
        for channel, column in zip(CORE_CHANNELS, columns, strict=True)
    }
    return as_json("m1", start_us, end_us, "raw", series)
