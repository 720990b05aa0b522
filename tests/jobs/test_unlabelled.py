"""A plant without one recorded failure: nobody claims to know a risk, and a machine unlike itself is told of."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from app.database import session_scope
from app.fleet.tables import Machine
from app.risk.store import champion
from app.risk.tables import Prediction
from ml.jobs.backtest import backtest
from ml.jobs.evaluate import evaluate
from ml.jobs.score import score
from ml.jobs.train import train
from ml.lesson import know_normal

from .conftest import UNLABELLED_UNTIL, UNTIL

HOUR = timedelta(hours=1)


def trained(engine, settings, **more):
    return train(engine, settings, until=UNLABELLED_UNTIL, horizons=None, seed=0, **{"promote": True, **more})


def test_training_says_what_is_missing_and_the_anomaly_score_serves(unlabelled, settings):
    found = trained(unlabelled, settings)
    assert [kind for _, kind, _ in found.rows] == ["anomaly"]
    assert "serves now" in found.verdict
    assert "0 found before" in found.verdict
    with session_scope(unlabelled) as session:
        assert champion(session).kind == "anomaly"


def test_its_scores_hold_no_probability_but_the_reason_and_what_is_unusual(unlabelled, settings):
    trained(unlabelled, settings)
    assert score(unlabelled, settings, UNTIL) == 2
    with session_scope(unlabelled) as session:
        said = dict(session.execute(select(Machine.key, Prediction).join(Prediction)).all())
        for each in said.values():
            assert each.probabilities is None
            assert each.horizons_hours
            assert each.not_enough_data.startswith("no risk yet: risk is learnt from recorded failures: 0 found")
        assert said["calm"].anomaly_score < 1 < said["wild"].anomaly_score
        assert said["calm"].reasons == []
        [reason] = said["wild"].reasons
    assert reason["words"].startswith("unlike its own first normal operation: vibration 3.97 mm/s, then 2")
    assert reason["channel"] == "vibration_mm_s"
    assert reason["usual"] == pytest.approx(2, abs=0.2)


def test_there_is_nothing_to_evaluate_and_it_says_so(unlabelled, settings):
    trained(unlabelled, settings)
    [words] = evaluate(unlabelled, settings, None).renderables
    assert "says no probability that could be judged: no risk yet" in words


def test_a_backtest_needs_no_training_at_all(unlabelled, settings, tmp_path):
    out = tmp_path / "backtest.csv"
    backtest(unlabelled, settings, UNLABELLED_UNTIL, UNTIL, HOUR, None, out)
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row["probability"] == "" for row in rows)
    alarms = {
        key: np.mean([float(row["anomaly_score"]) >= 1 for row in rows if row["machine"] == key])
        for key in ("calm", "wild")
    }
    assert alarms["calm"] < 0.05
    assert alarms["wild"] > 0.6


def test_where_nothing_passes_the_gate_and_nobody_can_be_asked_it_serves_too(unlabelled, settings, monkeypatch):
    def learnt(history, until, hours, *_):
        normal = know_normal(history, np.ones(len(history.machine), bool), hours, 0, "None.")
        return replace(normal, learnt=[])

    monkeypatch.setattr("ml.jobs.train.learn_risk", learnt)
    monkeypatch.setattr("ml.jobs.train.choose", lambda *_: (None, "It does not beat the baselines."))
    found = trained(unlabelled, settings)
    assert [kind for _, kind, _ in found.rows] == ["anomaly"]
    assert "serves now" in found.verdict
    score(unlabelled, settings, UNTIL)
    with session_scope(unlabelled) as session:
        words = set(session.scalars(select(Prediction.not_enough_data)))
    assert words == {"no risk yet: it does not beat the baselines"}
    assert trained(unlabelled, settings).verdict.startswith("No model is promoted."), "that one can be asked"
    with session_scope(unlabelled) as session:
        assert champion(session).id == found.rows[0][0]
