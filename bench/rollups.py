"""P11: what rolling up one hour of new readings costs with ten times the history."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.ingest.rollup import roll_up_all, roll_up_touched
from app.settings import Settings
from bench.finding import Figures, Finding, Goal
from bench.measure import out
from bench.stored import database, fill, last_hour, mark, server, server_cpu_seconds, settle

MACHINES = 50
HISTORY_HOURS = {"1 x history": 4, "10 x history": 40}
MOST_RATIO = 1.1
HOUR = timedelta(hours=1)


def measure(rounds: int) -> list[Finding]:
    """Every round rolls up the same hour and takes it back, so that neither side grows."""
    url, settings = server()
    new = last_hour() - HOUR
    found = Finding("P11", f"roll-ups of one new hour of {MACHINES} machines at 1 Hz")
    sides = {
        side: _history(database(url, f"history{hours}", MACHINES), settings, new, hours)
        for side, hours in HISTORY_HOURS.items()
    }
    for number in range(1, rounds + 1):
        out.print(f"P11: round {number} of {rounds} ...", style="dim", highlight=False)
        for side, engine in sides.items():
            found.add(side, _round(engine, settings, new))
    few, many = sides
    for figure in ("CPU s", "s"):
        found.goals.append(
            Goal(f"{many} against {few}, {figure}", found.ratios(figure, many, few), MOST_RATIO, True)
        )
    return [found]


def _history(engine: Engine, settings: Settings, new: datetime, hours: int) -> Engine:
    out.print(f"P11: filling in {hours} hours, rolling them up ...", style="dim", highlight=False)
    since = new - hours * HOUR
    fill(engine, MACHINES, since, new + HOUR)
    with Session(engine) as session, session.begin():
        mark(session, since, new)
    roll_up_all(engine, settings)
    settle(engine)
    return engine


def _round(engine: Engine, settings: Settings, new: datetime) -> Figures:
    with Session(engine) as session:
        mark(session, new, new + HOUR)
        start = time.perf_counter()
        cpu = server_cpu_seconds(session, lambda: roll_up_touched(session, settings, limit=10 * MACHINES))
        took = time.perf_counter() - start
        session.rollback()
    return {"CPU s": cpu, "s": took, "readings/s": MACHINES * 3600 / took}
