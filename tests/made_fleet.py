"""A fleet that looks real, written straight into a database: for pages, charts and screenshots."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from app.database import make_engine, session_scope
from app.fleet.tables import Event, Machine
from app.ingest.arrival_tables import ArrivalTotal, RefusalTotal
from app.ingest.partitions import ensure_partitions
from app.ingest.quality_tables import ReadingFlag
from app.ingest.tables import CORE_CHANNELS, Channel, ReadingConflict, RejectedReading
from app.orders import actions
from app.orders.schemas import ScheduleIn, StartIn, StepIn, WorkOrderIn
from app.orders.tables import WorkOrder
from app.outcomes.tables import OutcomeRevision
from app.planning.tables import Plan, PlanItem
from app.risk.tables import LatestPrediction, Model, ModelReport, Prediction, ServingStint
from app.security.principal import Principal, Role

HORIZONS = [24.0, 72.0, 168.0, 336.0, 720.0]
LINES = {
    "Press line 1": ("press", 12, 45.0),
    "Press line 2": ("press", 8, 55.0),
    "Conveyors": ("conv", 20, 7.5),
    "Cooling": ("pump", 12, 22.0),
    "Ventilation": ("fan", 8, 18.5),
}
SCHEDULED, IN_PROGRESS = "conv-03", "press-05"
ALARM, WARNINGS, SILENT, NEW = "press-03", {"conv-07": 0.24, "pump-05": 0.18}, {"pump-02", "fan-06"}, "fan-08"


def _risk(key: str, dice: random.Random) -> float:
    return 0.52 if key == ALARM else WARNINGS.get(key, dice.uniform(0.001, 0.07))


def _curve(week: float) -> list[float]:
    hazard = -math.log1p(-week) / 168
    return [1 - math.exp(-hazard * hours) for hours in HORIZONS]


def _card(dice: random.Random, skill: float) -> dict[str, object]:
    def figures(pr: float) -> dict[str, object]:
        return {
            "pr_auc": pr,
            "roc_auc": 0.5 + pr / 2.1,
            "brier": 0.03 + (1 - pr) * 0.02,
            "ece": 0.02 + (1 - pr) / 50,
            "precision": pr * 0.9,
            "recall": pr * 0.95,
            "f1": pr * 0.92,
            "failures": 41,
            "failures_caught": int(41 * pr),
            "lead_time_hours_median": 130 * pr,
            "false_alarms_per_machine_year": 1.234 * (1 - pr),
            "pr_auc_interval": [pr - 0.05, pr + 0.05],
        }

    def horizon(hours: float) -> dict[str, object]:
        pr = skill - hours / 6000
        bins = [
            {
                "predicted": x / 10 + 0.05,
                "observed": min(1, max(0, x / 10 + 0.05 + dice.gauss(0, 0.03))),
                "weight": 100.0,
            }
            for x in range(10)
        ]
        curve = [
            {"recall": r / 30, "precision": max(0.06, min(1, 1.02 - (r / 30) ** 3 * (1.3 - pr))), "threshold": 0.5}
            for r in range(1, 31)
        ]
        return {
            "hours": hours,
            "rows": 4210,
            "failures": 41,
            "base_rate": 0.03 + hours / 8000,
            "threshold": 0.3,
            "model": figures(pr),
            "baselines": {"weibull": figures(0.12), "logistic": figures(0.31)},
            "reliability": bins,
            "pr_curve": curve,
            "machine_years": 20.0,
            "lead_curve": [
                {
                    "hours": hours * step / 20,
                    "share": share,
                    "low": max(share - 0.1, 0),
                    "high": min(share + 0.1, 1),
                }
                for step in range(20)
                for share in [pr * (1 - (step / 20) ** 2)]
            ],
            "alert_curve": [
                {
                    "threshold": 0.001 * 2**step,
                    "caught": 41 - 4 * step,
                    "false_alarms": round(400 / 3**step * 168 / hours, 1),
                    "spread": [0.02 * step, 3.0 / 2**step, 0.0],
                }
                for step in range(10)
            ],
        }

    return {
        "horizons": [horizon(hours) for hours in HORIZONS],
        "beats_baselines": skill > 0.4,
        "verdict": "Beats the baselines: PR-AUC 0.61 against 0.31 of the best baseline (logistic), "
        "mean over horizons."
        if skill > 0.4
        else "Does not beat the baselines: PR-AUC 0.28 against 0.31 of the best baseline (logistic).",
        "features": 412,
        "seed": 0,
        "fit_seconds": 12.3,
        "split": "in time: the first 85 % to learn from, the rest to judge, 30 d apart",
        "learnt_from": {
            "rows": 41202,
            "machines": 60,
            "failures": 41,
            "by_mode": {"VIB": 29, "OHE": 12},
            "by_month": {"2026-07": 4, "2026-09": 21, "2026-10": 16},
            "from": "2026-07-24T00:00:00+00:00",
            "until": "2026-10-20T00:00:00+00:00",
        },
        "judged_on": {
            "rows": 9202,
            "machines": 60,
            "failures": 41,
            "by_month": {"2026-10": 6, "2026-11": 35},
            "from": "2026-10-27T00:00:00+00:00",
            "until": "2026-11-19T00:00:00+00:00",
        },
    }


def make_models(session: Session, now: datetime, dice: random.Random) -> list[Model]:
    served_since = now - timedelta(days=40)
    models = [
        Model(
            kind=kind,
            status=status,
            run="r1",
            trained_until=now - timedelta(days=2),
            bucket_seconds=3600,
            promoted_at=served_since if status == "champion" else None,
            stints=[ServingStint(started_at=served_since)] if status == "champion" else [],
            horizons_hours=HORIZONS,
            modes=["VIB", "OHE"],
            card=_card(dice, skill),
            manifest={},
        )
        for kind, status, skill in (
            ("random_forest", "candidate", 0.62),
            ("lstm", "candidate", 0.3),
            ("ensemble", "champion", 0.66),
        )
    ]
    session.add_all(models)
    session.flush()
    session.add(ModelReport(model_id=models[-1].id, as_of=now, asks_for_training=True, body=report_body()))
    session.flush()
    return models


def report_body() -> dict[str, object]:
    """As ml.jobs.monitor writes it: vibration moved, the current is gone, one horizon can be judged."""
    same = {
        "machines": 60,
        "ratio": 1.0,
        "psi": 0.04,
        "moved": False,
        "unknown": 0.0,
        "gone": False,
        "outside": 0.0,
    }
    vibration = same | {"then": [1.1, 2.2, 3.4], "now": [1.9, 3.1, 4.4], "psi": 0.61, "moved": True}
    current = same | {
        "then": [9.0, 14.0, 22.0],
        "now": None,
        "machines": 0,
        "psi": None,
        "unknown": 1.0,
        "gone": True,
    }
    judged = {"failures_caught": 5, "failures": 6, "brier": 0.031, "false_alarms_per_machine_year": 2.5}
    points = [
        {"predicted": 0.05, "observed": 0.04, "weight": 900.0},
        {"predicted": 0.6, "observed": 0.7, "weight": 50.0},
    ]
    return {
        "verdict": "Training again is advised: vibration is 3.1 mm/s in the middle of 60 machines and was 2.2.",
        "machines": 60,
        "fewest_failures": 5,
        "many": 0.2,
        "moved": ["vibration_mm_s", "current_a"],
        "channels": {
            "vibration_mm_s": vibration | {"words": "vibration", "unit": "mm/s"},
            "current_a": current | {"words": "current", "unit": "A"},
        },
        "risks": [same | {"hours": 168.0, "then": [0.01, 0.03, 0.2], "now": [0.01, 0.04, 0.22]}],
        "realised": {
            "predictions": 12_000,
            "without_risk": 40,
            "one_in": 1,
            "horizons": [
                {"hours": 24.0, "failures": 2, "reliability": [], "model": {}, "card": {}},
                {
                    "hours": 168.0,
                    "failures": 6,
                    "reliability": points,
                    "said": 75 / 950,
                    "came_true": 71 / 950,
                    "model": judged,
                    "card": {"brier": 0.03},
                },
            ],
        },
    }


def make_machines(session: Session) -> list[Machine]:
    machines, seen = [], {}
    for line, (name, count, kw) in LINES.items():
        for _ in range(count):
            seen[name] = seen.get(name, 0) + 1
            machines.append(
                Machine(
                    key=f"{name}-{seen[name]:02d}",
                    site="North",
                    line=line,
                    rated_power_kw=kw,
                    rated_current_a=round(kw * 1.8, 1),
                    support="rigid",
                    asset_class="motor",
                    failure_cost=9000.0,
                    preventive_cost=900.0,
                )
            )
    session.add_all(machines)
    session.flush()
    return machines


def prediction(machine: Machine, model: Model, as_of: datetime, week: float) -> Prediction:
    curve = _curve(week)
    median = -math.log(0.5) / (-math.log1p(-week) / 168)
    return Prediction(
        machine_id=machine.id,
        model_id=model.id,
        as_of=as_of,
        horizons_hours=HORIZONS,
        probabilities=curve,
        probabilities_low=[p * 0.7 for p in curve],
        probabilities_high=[min(1.0, p * 1.35) for p in curve],
        modes={"VIB": [p * 0.81 for p in curve], "OHE": [p * 0.19 for p in curve]},
        coverage=0.98,
        anomaly_score=0.62,
        remaining_life_low_hours=min(720.0, median * 0.15),
        remaining_life_median_hours=min(720.0, median),
        remaining_life_high_hours=min(720.0, median * 3.3),
        reasons=[
            {"words": "vibration 5.2 mm/s over 24 h, usually 2.1", "share": 0.62},
            {"words": "temperature 68 °C over 24 h, usually 59", "share": 0.21},
            {"words": "fault code F07 once in 14 d", "share": 0.09},
            {"words": "46 days since the last service", "share": 0.04},
            {
                "words": "like press-12 3 days before its bearing failure on 3 Nov 2026, down for 9 h",
                "share": None,
                "like": {
                    "machine": "press-12",
                    "failed_at": "2026-11-03T09:00:00+00:00",
                    "mode": "VIB",
                    "component": "bearing",
                    "down_hours": 9.0,
                    "hours_before": 70.0,
                },
            },
        ]
        if week > 0.1
        else [{"words": "412 days since the last service", "share": 0.4}],
    )


def make_predictions(
    session: Session, machines: list[Machine], model: Model, now: datetime, dice: random.Random
) -> None:
    as_of = now.replace(minute=0, second=0, microsecond=0)
    for machine in machines:
        if machine.key == NEW:
            continue
        week = _risk(machine.key, dice)
        rises = machine.key == ALARM or machine.key in WARNINGS
        for day in range(30, 0, -1):
            before = (
                week * (max(0.04, 0.6 - day / 3) if machine.key == ALARM else max(0.04, 1 - day / 9))
                if rises
                else week * dice.uniform(0.7, 1.3)
            )
            session.add(prediction(machine, model, as_of - timedelta(days=day), before))
        latest = prediction(machine, model, as_of, week)
        session.add(latest)
        session.flush()
        session.add(LatestPrediction(machine_id=machine.id, prediction_id=latest.id))


def make_rollups(
    session: Session, machines: list[Machine], now: datetime, dice: random.Random, days: int = 35
) -> None:
    """Hourly means that wander, with a rise at the end for the machines at risk and a gap for the silent ones."""
    ids = {row.key: row.id for row in session.execute(text("SELECT key, id FROM channels"))}
    last = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    cursor = session.connection().connection.cursor()
    levels = {"temperature_c": (58, 4), "vibration_mm_s": (2.1, 0.15), "current_a": (14.2, 0.5)}
    with cursor.copy(
        "COPY rollups (machine_id, channel_id, bucket_start, n, mean, min, max, std, last) FROM STDIN"
    ) as copy:
        for machine in machines:
            if machine.key == NEW:
                continue
            hours = days * 24 - (9 if machine.key in SILENT else 0)
            rises = machine.key == ALARM or machine.key in WARNINGS
            for hour in range(hours):
                at = last - timedelta(hours=days * 24 - 1 - hour)
                late = max(0.0, (hour - days * 18) / (days * 6)) if rises else 0.0
                for key, (level, swing) in levels.items():
                    mean = (
                        level
                        + swing * math.sin(hour / 12)
                        + dice.gauss(0, swing / 3)
                        + level * 0.9 * late**2 * (1 if key == "vibration_mm_s" else 0.1)
                    )
                    spread = abs(dice.gauss(0, swing / 2))
                    copy.write_row(
                        (machine.id, ids[key], at, 60, mean, mean - spread, mean + spread, spread / 2, mean)
                    )
                if hour == hours - 1:
                    copy.write_row(
                        (machine.id, ids["runtime_hours"], at, 60, 18402.0, 18401, 18402.4, 0.3, 18402.4)
                    )


def make_readings(session: Session, machines: list[Machine], now: datetime) -> None:
    """The mean of every bucket as a reading in its middle, and one just now from those that are not silent."""
    session.execute(
        text("""INSERT INTO readings (machine_id, measured_at, temperature_c, vibration_mm_s, current_a)
            SELECT machine_id, bucket_start + interval '30 minutes',
                max(mean) FILTER (WHERE key = 'temperature_c'), max(mean) FILTER (WHERE key = 'vibration_mm_s'),
                max(mean) FILTER (WHERE key = 'current_a')
            FROM rollups JOIN channels ON channels.id = channel_id GROUP BY 1, 2""")
    )
    session.execute(
        text("""INSERT INTO readings (machine_id, measured_at, temperature_c, vibration_mm_s, current_a)
            SELECT id, :at, 58.1, 2.1, 14.2 FROM machines WHERE NOT key = ANY(:silent)"""),
        {"at": now - timedelta(seconds=20), "silent": [*SILENT, NEW]},
    )


def make_plan(session: Session, machines: list[Machine], now: datetime) -> None:
    plan = Plan(
        as_of=now,
        ends_at=now + timedelta(days=28),
        cost=18_400.0,
        bound=18_290.0,
        assumptions=["What a service needs is not said of 60 of 60 machines: 4 h are assumed."],
    )
    session.add(plan)
    session.flush()
    due = {ALARM: 1, "conv-07": 3, "pump-05": 3}
    for machine in machines:
        found = session.get(LatestPrediction, machine.id)
        if found is None:
            continue
        days = due.get(machine.key)
        start = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=days) if days else None
        session.add(
            PlanItem(
                plan_id=plan.id,
                machine_id=machine.id,
                prediction_id=found.prediction_id,
                service_by=start,
                ends_at=start + timedelta(hours=4) if start else None,
                crew="early shift" if days else None,
                planned_window=f"day {start.date()}" if start else None,
                probability_by_then=0.12 if days else None,
                cost_now=900.0 if days else None,
                cost_if_waiting=4680.0 if days else None,
                currency="€",
                reason="risk passes 12 % then; a service costs € 900, waiting € 4,680 in expectation"
                if days
                else "risk stays below 15 % in 7 days",
            )
        )


def make_events(session: Session, machines: list[Machine], now: datetime) -> None:
    by_key = {machine.key: machine for machine in machines}
    alarm = by_key[ALARM].id
    session.add_all(
        [
            Event(
                machine_id=alarm,
                kind="service",
                code="preventive",
                component="bearing",
                note="bearing greased",
                started_at=now - timedelta(days=20),
                ended_at=now - timedelta(days=20) + timedelta(hours=2),
            ),
            Event(machine_id=alarm, kind="fault_code", code="F07", started_at=now - timedelta(days=7)),
            Event(
                machine_id=alarm,
                kind="failure",
                code="VIB",
                component="bearing",
                note="seized, replaced",
                started_at=now - timedelta(days=31),
                ended_at=now - timedelta(days=31) + timedelta(hours=6),
            ),
            Event(
                machine_id=by_key["conv-11"].id,
                kind="service",
                code="inspection",
                started_at=now - timedelta(hours=5),
            ),
        ]
    )


def make_trouble(session: Session, machines: list[Machine], now: datetime) -> None:
    session.add(
        RejectedReading(
            machine="press-44",
            field="temperature_c",
            reason="is not a finite number",
            payload='{"machine": "press-44", "temperature_c": NaN}',
            sender="key gateway-1",
            received_at=now - timedelta(minutes=12),
        )
    )
    session.add(
        ReadingConflict(
            machine_id=machines[0].id,
            measured_at=now - timedelta(hours=3),
            channel="vibration_mm_s",
            stored_value=2.1345678,
            refused_value=21.3,
            sender="key gateway-2",
            received_at=now - timedelta(hours=2),
        )
    )
    hour = (now - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    counts = {"duplicates": 3, "merged": 0, "conflicts": 1, "last_received_at": now - timedelta(minutes=12)}
    session.add_all(
        [
            ArrivalTotal(sender=f"key gateway-{number}", machine_id=machine.id, hour=hour, accepted=1000 * number,
                         late=7, least_lag_s=0, largest_lag_s=5 * 3600, **counts)
            for number, machine in enumerate(machines[:3])
        ]
    )  # fmt: skip
    session.add(
        RefusalTotal(
            sender="key gateway-1",
            machine_id=0,
            kind="future",
            hour=hour,
            refused=12,
            last_received_at=now - timedelta(minutes=12),
        )
    )
    session.add(
        ReadingFlag(
            machine_id=machines[0].id,
            bucket_start=hour,
            channel_id=4,
            kind="counter_reset",
            n=1,
            first_at=hour,
            value=0.5,
            before=10234.5,
        )
    )


def _month(moment: datetime) -> int:
    return (moment.year - 1970) * 12 + moment.month - 1


def make_orders(session: Session, now: datetime) -> None:
    planner, tomorrow = Principal("person", "Pia", Role.PLANNER), now + timedelta(days=1)
    for key in (SCHEDULED, IN_PROGRESS):
        made = actions.add_order(session, planner, WorkOrderIn(machine=key, work="Grease both bearings."), now)[0]
        actions.accept(session, planner, made.order.id, StepIn(version=1), now)
        if key == IN_PROGRESS:
            actions.start(session, planner, made.order.id, StartIn(version=2), now, now)
            continue
        dates = ScheduleIn(version=2, start=tomorrow, end=tomorrow + timedelta(hours=2), crew="night shift")
        actions.schedule(session, planner, made.order.id, dates, now)


def make_outcomes(session: Session, machines: list[Machine], models: list[Model], now: datetime) -> None:
    """A year of warnings of two models; the newest is open, failures were missed, one entry was taken back."""
    said = [
        ("hit", "fault_found", 8100.0, 0.0, 0.0),
        ("false", "horizon_over", 0.0, 100.0, 0.0),
        ("hit", "failed", 0.0, 0.0, 9000.0),
        ("unknown", "serviced", 0.0, 0.0, 0.0),
        ("hit", "fault_found", 8100.0, 0.0, 0.0),
        ("false", "sensor_fault", 0.0, 100.0, 0.0),
        ("missed", "not_warned", 0.0, 0.0, 9000.0),
    ]
    order = session.scalars(select(WorkOrder.id).order_by(WorkOrder.id)).first()
    for number in range(60):
        outcome, reason, saved, spent, lost = said[number % len(said)] if number else ("open", "undecided", 0, 0, 0)
        begin, hit = now - timedelta(days=1 + 6 * number), outcome == "hit"
        session.add(
            OutcomeRevision(
                machine_id=machines[(7 * number) % len(machines)].id,
                subject="failure" if outcome == "missed" else "warning",
                at=begin,
                revision=1,
                outcome="withdrawn" if number == 57 else outcome,
                reason="taken_back" if number == 57 else reason,
                because="Pia withdrew the failure: it was another machine.",
                decided_at=begin + timedelta(hours=20 + number) if number else None,
                lead_time_hours=20.0 + number if hit else None,
                model_id=(models[-1] if number < 50 else models[0]).id,
                asset_class="motor" if number % 4 else None,
                probability=0.31,
                threshold=0.15,
                horizon_hours=168.0,
                work_order_id=order if reason == "fault_found" else None,
                preventive_cost=900.0,
                failure_cost=9000.0,
                saved=saved,
                spent=spent,
                lost=lost,
                currency="€",
            )
        )


def make_fleet(bind: Engine, now: datetime | None = None, seed: int = 4) -> None:
    now, dice = now or datetime.now(UTC), random.Random(seed)
    ensure_partitions(bind, {_month(now - timedelta(days=days)) for days in (0, 1, 20, 36)})
    with session_scope(bind) as session:
        assert set(session.scalars(text("SELECT key FROM channels"))) >= set(CORE_CHANNELS), Channel
        machines = make_machines(session)
        models = make_models(session, now, dice)
        make_predictions(session, machines, models[-1], now, dice)
        make_rollups(session, machines, now, dice)
        make_readings(session, machines, now)
        make_plan(session, machines, now)
        make_events(session, machines, now)
        make_trouble(session, machines, now)
        make_orders(session, now)
        make_outcomes(session, machines, models, now)


@contextmanager
def database_of_its_own(server: Engine, template: str) -> Iterator[Engine]:
    """A copy of the migrated, empty database, for tests that share one fleet."""
    name = f"wearwatch_test_{uuid.uuid4().hex[:8]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine = make_engine(server.url.set(database=name))
    try:
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
