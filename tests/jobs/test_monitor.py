"""The monitor's report: what was said is held against what came true, and moved inputs ask for a training."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update

from app.database import session_scope
from app.planning.tables import PlanItem
from app.risk.tables import LatestPrediction, ModelReport, Prediction
from ml import drift
from ml.fitted import FittedModel
from ml.jobs import monitor as job
from ml.jobs.monitor import monitor
from ml.jobs.score import score

from .conftest import TRAINED_UNTIL, UNTIL

MOVE = text(
    """UPDATE rollups SET mean = mean * :by FROM channels
    WHERE channels.id = channel_id AND key = 'vibration_mm_s' AND bucket_start >= :since"""
)


@pytest.fixture
def scored(plant):
    """Predictions of ten days, and no others; none is left for who comes after."""
    forget(plant)
    for days in range(11, 1, -1):
        score(plant.engine, plant.settings, UNTIL - timedelta(days=days))
    yield plant
    forget(plant)


def forget(plant):
    with session_scope(plant.engine) as session:
        for table in (ModelReport, PlanItem, LatestPrediction, Prediction):
            session.execute(delete(table))


def move(plant, by):
    with session_scope(plant.engine) as session:
        session.execute(MOVE, {"by": by, "since": UNTIL - timedelta(days=9)})


def test_the_report_is_stored_and_counts_what_was_said(scored):
    report = monitor(scored.engine, scored.settings, as_of=UNTIL)
    with session_scope(scored.engine) as session:
        stored = session.scalars(select(ModelReport)).one()
        assert (stored.model_id, stored.as_of) == (scored.serving, UNTIL)
        assert stored.body == json.loads(json.dumps(report.body))
    realised = report.body["realised"]
    assert realised["predictions"] == 10 * len(scored.machines)
    assert [each["hours"] for each in realised["horizons"]] == [24.0, 72.0, 168.0]
    # Of the last horizon only what was said a week before the end has come to its end.
    rows = [each["rows"] for each in realised["horizons"]]
    assert rows[0] > rows[1] > rows[2] > 0


def test_only_what_could_be_believed_and_was_said_of_later_times_can_come_true(scored):
    before = monitor(scored.engine, scored.settings, as_of=UNTIL).body["realised"]
    of_a_day = Prediction.as_of == UNTIL - timedelta(days=11), Prediction.not_enough_data.is_(None)
    with session_scope(scored.engine) as session:
        silent = session.execute(
            update(Prediction).where(*of_a_day).values(not_enough_data="silent for 2d")
        ).rowcount
    score(scored.engine, scored.settings, TRAINED_UNTIL - timedelta(days=3))
    after = monitor(scored.engine, scored.settings, as_of=UNTIL).body["realised"]
    assert silent > 0
    assert after["predictions"] == before["predictions"]
    assert after["without_risk"] == before["without_risk"] + silent
    assert after["horizons"][0]["rows"] == before["horizons"][0]["rows"] - silent


def test_few_failures_are_not_judged(scored):
    report = monitor(scored.engine, scored.settings, as_of=UNTIL)
    most = max(each["failures"] for each in report.body["realised"]["horizons"])
    assert most < job.FEWEST_FAILURES
    assert f"{most} failures since it serves: at least {job.FEWEST_FAILURES} are needed" in report.body["verdict"]


def test_moved_inputs_ask_for_a_training_and_start_none(scored, monkeypatch):
    monkeypatch.setattr(drift, "FEWEST_MACHINES", 5)
    before = monitor(scored.engine, scored.settings, as_of=UNTIL)
    assert "vibration_mm_s" not in before.body["moved"]
    move(scored, 25.4)
    try:
        after = monitor(scored.engine, scored.settings, as_of=UNTIL)
    finally:
        move(scored, 1 / 25.4)
    assert after.asks_for_training
    assert "vibration_mm_s" in after.body["moved"]
    assert after.body["verdict"].startswith("Training again is advised: ")
    assert "vibration is " in after.body["verdict"]
    job.table(after)


def test_risks_that_moved_alone_are_told_and_ask_for_nothing(scored, monkeypatch):
    monkeypatch.setattr(drift, "FEWEST_MACHINES", 5)
    held = job.compare

    def compare_with_higher_risks(*given):
        found = held(*given)
        still = {name: replace(each, moved=False, gone=False, outside=0.0) for name, each in found.channels.items()}
        return replace(found, channels=still, risks=tuple(replace(r, moved=True, ratio=1.7) for r in found.risks))

    monkeypatch.setattr(job, "compare", compare_with_higher_risks)
    report = monitor(scored.engine, scored.settings, as_of=UNTIL)
    assert not report.asks_for_training
    assert "are 1.7 times those in learning, but no channel has moved" in report.body["verdict"]


def test_a_model_without_a_risk_is_told_so_and_not_to_train_again(scored, monkeypatch):
    monkeypatch.setattr(job, "_drift", lambda *_: None)
    monkeypatch.setattr(FittedModel, "says_nothing", "no failure is recorded yet")
    report = monitor(scored.engine, scored.settings, as_of=UNTIL)
    assert (
        "serves no risk that could be held against anything: no failure is recorded yet" in report.body["verdict"]
    )


def test_failures_that_were_said_and_never_came_ask_for_a_training(scored, monkeypatch):
    realised = job._realised

    def none_came(*given):
        found = realised(*given)
        point = {"predicted": 0.5, "observed": 0.0, "weight": 100.0}
        never = [each | {"failures": 0, "machine_years": 2.0, "reliability": [point]} for each in found["horizons"]]
        return found | {"horizons": never}

    monkeypatch.setattr(job, "_realised", none_came)
    report = monitor(scored.engine, scored.settings, as_of=UNTIL)
    assert report.asks_for_training
    assert "none failed where about" in report.body["verdict"]


def test_a_level_that_reads_the_same_is_not_told_as_one_that_moved():
    found = drift.Comparison((1, 101, 200), (1, 101, 200), 60, 1.0, 0.9, True, 0.0, False, 0.0)
    assert "was 101" not in job._moved_words("vibration_mm_s", found)
    assert "was 101" in job._moved_words("vibration_mm_s", replace(found, now=(1, 150, 200)))


def test_a_machine_that_sent_nothing_for_a_week_is_not_looked_at(scored):
    report = monitor(scored.engine, scored.settings, as_of=UNTIL + timedelta(days=6, hours=12))
    machines = {name: each["machines"] for name, each in report.body["channels"].items()}
    assert set(machines.values()) == {len(scored.machines) - 1}
    assert "Too few machines that it learnt from to tell: 9, 10 are needed." in report.body["verdict"]


def test_a_plant_that_sent_nothing_for_a_week_is_no_error(scored):
    report = monitor(scored.engine, scored.settings, as_of=UNTIL + timedelta(days=30))
    assert {each["now"] for each in report.body["channels"].values()} == {None}
    assert report.body["moved"] == []


def test_of_very_many_predictions_some_are_judged(scored, monkeypatch):
    monkeypatch.setattr(job, "MOST_JUDGED", 20)
    realised = monitor(scored.engine, scored.settings, as_of=UNTIL).body["realised"]
    assert realised["one_in"] > 1
    assert realised["horizons"] == [] or realised["horizons"][0]["rows"] < 10 * len(scored.machines)


def test_a_model_without_a_reference_says_so(scored, monkeypatch):
    monkeypatch.setattr(job, "_drift", lambda *_: None)
    report = monitor(scored.engine, scored.settings, as_of=UNTIL)
    assert "kept without a sample of what it learnt from" in report.body["verdict"]
    assert report.body["channels"] == {}
