"""The jobs against a real database: what is trained, scored and tried out again is one and the same story."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, func, select
from structlog.testing import capture_logs

from app.database import session_scope
from app.errors import BadInput, NotFound
from app.fleet.tables import Event, Machine
from app.ingest.rollup import roll_up_touched
from app.ingest.tables import TouchedBucket
from app.risk.store import champion
from app.risk.tables import LatestPrediction, Model, ModelArtefact, Prediction
from ml.jobs.backtest import COLUMNS, backtest
from ml.jobs.champion import load_speaking
from ml.jobs.due import note_scored, scoring_due, there_is
from ml.jobs.evaluate import evaluate
from ml.jobs.memory import Memory
from ml.jobs.moment import fleet_at, floor_to_bucket
from ml.jobs.refresh import refresh
from ml.jobs.score import score
from ml.jobs.train import table, train
from ml.models.registry import BASELINES, DEFAULT_KINDS

from .conftest import HORIZONS, MACHINES, SILENT, TRAINED_UNTIL, UNTIL

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def scored(plant):
    """Machine -> what was stored of it at the end of its data."""
    assert score(plant.engine, plant.settings, UNTIL + timedelta(minutes=59)) == MACHINES
    with session_scope(plant.engine) as session:
        stored = session.execute(select(Machine.key, Prediction).join(Prediction).where(Prediction.as_of == UNTIL))
        found = dict(stored.all())
        session.expunge_all()
    return found


def tried_out(plant, folder, start, end, every=HOUR):
    """(machine, as_of, horizon) -> row of the backtest's file."""
    out = folder / "backtest.csv"
    written = backtest(plant.engine, plant.settings, start, end, every, None, out)
    with out.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = {(row["machine"], row["as_of"], float(row["horizon_hours"])): row for row in reader}
        assert reader.fieldnames == COLUMNS
    assert len(rows) == written
    return rows


def test_a_run_keeps_a_candidate_of_every_kind_with_its_card_and_parts(plant):
    assert [kind for _, kind, _ in plant.trained.rows] == [*BASELINES, *DEFAULT_KINDS]
    with session_scope(plant.engine) as session:
        models = session.scalars(select(Model).order_by(Model.id)).all()
        assert {model.status for model in models if model.id != plant.serving} == {"candidate"}
        assert len({model.run for model in models}) == 1
        assert all(model.trained_until == TRAINED_UNTIL for model in models)
        assert all(model.card["data_hash"] and model.card["horizons"] for model in models)
        with_parts = session.scalars(select(ModelArtefact.model_id).distinct()).all()
        assert set(with_parts) == {model.id for model in models}
    assert "Nothing is promoted, as asked." in plant.trained.verdict
    assert table(plant.trained).row_count == len(HORIZONS) * len(models)


def test_training_before_the_first_failure_says_so_and_replaces_nobody(plant):
    with session_scope(plant.engine) as session:
        first = session.scalar(select(func.min(Event.started_at)).where(Event.kind == "failure"))
    trained = train(plant.engine, plant.settings, until=first, horizons=HORIZONS, seed=0, promote=True)
    assert trained.verdict.startswith("No model is promoted. Risk is learnt from recorded failures: 0 found before")
    with session_scope(plant.engine) as session:
        assert champion(session).id == plant.serving
        session.execute(delete(Model).where(Model.id.in_([number for number, _, _ in trained.rows])))


def test_training_on_an_empty_database_is_one_sentence(engine, settings):
    with pytest.raises(BadInput, match="There are no machines to learn from"):
        train(engine, settings, until=None, horizons=None, seed=0, promote=True)


def test_a_score_is_a_rising_curve_within_its_band_and_with_reasons(plant, scored):
    assert set(scored) == set(plant.machines)
    sure = [each for each in scored.values() if each.not_enough_data is None]
    assert len(sure) >= MACHINES // 2
    for each in scored.values():
        low, risk, high = (each.probabilities_low, each.probabilities, each.probabilities_high)
        assert risk == sorted(risk)
        assert all(0 <= a <= b <= c <= 1 for a, b, c in zip(low, risk, high, strict=True))
        assert np.sum(list(each.modes.values()), axis=0) == pytest.approx(risk)
        assert each.remaining_life_low_hours <= each.remaining_life_median_hours
    reasons = [reason for each in sure for reason in each.reasons]
    assert reasons
    assert all(reason["words"] for reason in reasons)
    assert all(0 < reason["share"] <= 1 for reason in reasons if reason["share"] is not None)


def test_a_machine_is_told_to_be_like_failures_before_the_time_it_is_scored_for_alone(plant):
    memory = Memory.empty(plant.settings)
    with session_scope(plant.engine) as session:
        saved = load_speaking(session, plant.settings, plant.serving)
    past = saved.fitted.past_failures
    anything = replace(past, limit=np.full_like(past.limit, np.inf), least=np.zeros(()))
    memory.keep(replace(saved, fitted=replace(saved.fitted, past_failures=anything)))
    as_of = datetime.fromtimestamp(int(np.median(past.at)), UTC)
    score(plant.engine, plant.settings, as_of, memory=memory)
    with session_scope(plant.engine) as session:
        stored = session.scalars(
            select(Prediction).where(Prediction.as_of == floor_to_bucket(as_of, plant.settings))
        )
        named = [reason["like"] for each in stored for reason in each.reasons if "like" in reason]
    assert named
    assert all(datetime.fromisoformat(each["failed_at"]) < as_of for each in named)
    assert {each["machine"] for each in named} <= set(plant.machines)
    assert max(past.at) > as_of.timestamp()


def test_a_silent_machine_gets_not_enough_data_and_keeps_its_last_curve(plant, scored):
    silent = scored[plant.machines[SILENT]]
    assert silent.not_enough_data == "silent for 31h"
    assert silent.coverage == 0
    assert silent.probabilities is not None


def test_the_champions_scores_are_served(scored, session_of_plant):
    served = session_of_plant.scalars(select(LatestPrediction.prediction_id)).all()
    assert set(served) == {each.id for each in scored.values()}


def test_the_backtest_says_what_scoring_stored(plant, scored, tmp_path):
    rows = tried_out(plant, tmp_path, UNTIL - 2 * HOUR, UNTIL)
    assert len(rows) == 3 * MACHINES * len(HORIZONS)
    for key, each in scored.items():
        for hours, risk in zip(each.horizons_hours, each.probabilities, strict=True):
            row = rows[key, f"{UNTIL:%Y-%m-%dT%H:%M:%SZ}", hours]
            assert float(row["probability"]) == pytest.approx(risk, abs=1e-6)
            assert float(row["anomaly_score"] or "nan") == pytest.approx(
                math.nan if each.anomaly_score is None else each.anomaly_score, abs=1e-4, nan_ok=True
            )


def test_later_readings_and_events_change_nothing_in_a_backtest(plant, tmp_path):
    at = UNTIL - timedelta(days=20)
    assert tried_out(plant, tmp_path, at, at) == {
        place: row
        for place, row in tried_out(plant, tmp_path, at, UNTIL, timedelta(days=20)).items()
        if place[1] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    }


def test_a_backtest_from_long_before_the_first_reading_begins_with_it(plant, tmp_path):
    began = UNTIL - timedelta(days=60)
    rows = tried_out(plant, tmp_path, datetime(1, 1, 2, tzinfo=UTC), began + 3 * HOUR)
    times = {as_of for _, as_of, _ in rows}
    assert times <= {f"{began + hours * HOUR:%Y-%m-%dT%H:%M:%SZ}" for hours in (1, 2, 3)}
    assert rows


def test_a_backtest_before_all_readings_is_a_file_without_rows(plant, tmp_path):
    before = UNTIL - timedelta(days=900)
    assert tried_out(plant, tmp_path, before, before + 5 * HOUR) == {}


@pytest.mark.parametrize(
    ("start", "end", "every", "said"),
    [
        (UNTIL, UNTIL, timedelta(minutes=90), "multiple of the bucket"),
        (UNTIL, UNTIL, timedelta(seconds=0.5), "multiple of the bucket"),
        (UNTIL, UNTIL - HOUR, HOUR, "--to lies before --from"),
    ],
)
def test_a_backtest_that_cannot_be_is_refused_before_a_file_is_made(plant, tmp_path, start, end, every, said):
    with pytest.raises(BadInput, match=said):
        backtest(plant.engine, plant.settings, start, end, every, None, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_model_of_another_bucket_is_refused(plant, session_of_plant):
    other = plant.settings.model_copy(update={"bucket": timedelta(minutes=30)})
    with pytest.raises(BadInput, match="trained on buckets of 3600 s, but WEARWATCH_BUCKET is 1800 s"):
        load_speaking(session_of_plant, other, plant.serving)


def test_a_model_that_is_not_there_is_named(plant, tmp_path):
    with pytest.raises(NotFound, match="no model 999"):
        backtest(plant.engine, plant.settings, UNTIL, UNTIL, HOUR, 999, tmp_path / "out.csv")


def test_evaluation_judges_what_happened_since_training(plant):
    shown = evaluate(plant.engine, plant.settings, plant.serving)
    figures, words = shown.renderables
    assert "on all that happened since 2025-05-20 00:00 UTC" in words
    assert figures.row_count == len(HORIZONS)


def test_nothing_is_scored_or_tried_out_without_a_model(engine, settings, tmp_path):
    with pytest.raises(NotFound, match="wearwatch train"):
        score(engine, settings, None)
    assert backtest(engine, settings, UNTIL, UNTIL, HOUR, None, tmp_path / "out.csv") == 0
    with pytest.raises(NotFound, match="no model 7"):
        backtest(engine, settings, UNTIL, UNTIL, HOUR, 7, tmp_path / "out.csv")
    refresh(engine, settings)


def stored_scores(plant):
    with session_scope(plant.engine) as session:
        return dict(session.execute(select(Prediction.id, Prediction.scored_at)).all())


def test_a_second_refresh_at_the_same_time_scores_nothing_new(plant):
    refresh(plant.engine, plant.settings)
    first = stored_scores(plant)
    refresh(plant.engine, plant.settings)
    again = stored_scores(plant)
    assert {number: again[number] for number in first} == first
    # Nothing but a new hour that began between the two may have been added.
    assert len(again) in (len(first), len(first) + MACHINES)


def test_nothing_is_said_of_the_future(plant):
    before = stored_scores(plant)
    with pytest.raises(BadInput, match=r"by the database's clock: 2099-01-01 00:00 is ahead"):
        score(plant.engine, plant.settings, datetime(2099, 1, 1, tzinfo=UTC))
    with pytest.raises(BadInput, match="is ahead"):
        train(
            plant.engine,
            plant.settings,
            until=datetime(2099, 1, 1, tzinfo=UTC),
            horizons=None,
            seed=0,
            promote=False,
        )
    assert stored_scores(plant) == before


def test_a_backtest_that_cannot_be_written_says_so(plant, tmp_path):
    with pytest.raises(BadInput, match=r"nowhere/out.csv cannot be written: No such file"):
        backtest(plant.engine, plant.settings, UNTIL, UNTIL, HOUR, None, tmp_path / "nowhere" / "out.csv")


def test_horizons_are_taken_in_order_and_each_once_and_none_is_shorter_than_a_bucket(plant, monkeypatch):
    asked = []
    monkeypatch.setattr("ml.jobs.train.learn_risk", lambda *given: asked.append(given[2]) or 1 / 0)
    how = {"until": UNTIL, "seed": 0, "promote": False}
    with pytest.raises(ZeroDivisionError):
        train(plant.engine, plant.settings, horizons=[7 * 24 * HOUR, 24 * HOUR, 24 * HOUR], **how)
    assert asked == [[24.0, 168.0]]
    with pytest.raises(BadInput, match="shorter than a bucket"):
        train(plant.engine, plant.settings, horizons=[HOUR / 2, HOUR], **how)


def test_a_model_that_cannot_be_asked_any_more_is_told_of_once(plant, monkeypatch):
    monkeypatch.setattr("ml.manifest.FORMAT", 0)
    monkeypatch.setattr("ml.jobs.refresh.scoring_due", lambda *_: True)
    memory = Memory.empty(plant.settings)
    with capture_logs() as told:
        assert refresh(plant.engine, plant.settings, memory) == ()
        refresh(plant.engine, plant.settings, memory)
    assert [each["event"] for each in told] == ["not scored"]
    assert "another version of Wearwatch" in told[0]["why"]


def test_scoring_is_due_once_an_hour_has_ended(plant, scored, session_of_plant):
    assert not scoring_due(session_of_plant, UNTIL)
    later = datetime.now(UTC) + 2 * HOUR
    assert scoring_due(session_of_plant, later)


def test_scoring_is_due_when_a_finished_bucket_was_rolled_up_anew(plant, scored, session_of_plant):
    machine = session_of_plant.scalar(select(func.min(Machine.id)))
    open_bucket = floor_to_bucket(datetime.now(UTC), plant.settings) + HOUR
    session_of_plant.add(TouchedBucket(machine_id=machine, bucket_start=open_bucket))
    session_of_plant.flush()
    assert roll_up_touched(session_of_plant, plant.settings, 10) == 1
    assert not scoring_due(session_of_plant, UNTIL)
    session_of_plant.add(TouchedBucket(machine_id=machine, bucket_start=UNTIL - HOUR))
    session_of_plant.flush()
    assert roll_up_touched(session_of_plant, plant.settings, 10) == 1
    assert scoring_due(session_of_plant, UNTIL)


def test_what_comes_while_a_score_is_under_way_is_scored_next(plant, scored, monkeypatch):
    """Committed after the score read its history, rolled up by somebody else meanwhile."""

    def meanwhile(*given):
        with session_scope(plant.engine) as session:
            session.add(TouchedBucket(machine_id=1, bucket_start=UNTIL - HOUR))
            session.flush()
            roll_up_touched(session, plant.settings, 10)
        return fleet_at(*given)

    now = floor_to_bucket(datetime.now(UTC), plant.settings)
    monkeypatch.setattr("ml.jobs.score.fleet_at", meanwhile)
    score(plant.engine, plant.settings, now)
    with session_scope(plant.engine) as session:
        assert scoring_due(session, now)
    monkeypatch.undo()
    score(plant.engine, plant.settings, now)
    with session_scope(plant.engine) as session:
        assert not scoring_due(session, now)


def test_a_score_of_an_earlier_time_leaves_the_newest_due(plant, scored, session_of_plant):
    session_of_plant.add(TouchedBucket(machine_id=1, bucket_start=UNTIL - HOUR))
    session_of_plant.flush()
    roll_up_touched(session_of_plant, plant.settings, 10)
    note_scored(session_of_plant, there_is(session_of_plant), plant.serving, UNTIL - HOUR)
    assert scoring_due(session_of_plant, UNTIL)


@pytest.mark.parametrize("change", ["event", "its end"])
def test_scoring_is_due_when_an_event_was_told(plant, scored, session_of_plant, change):
    if change == "event":
        session_of_plant.add(Event(machine_id=1, kind="fault_code", code="E9", started_at=UNTIL - HOUR))
    else:
        event = session_of_plant.scalar(select(Event).where(Event.ended_at.is_(None)).limit(1))
        event.ended_at = event.started_at
    session_of_plant.flush()
    assert scoring_due(session_of_plant, UNTIL)
