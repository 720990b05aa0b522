"""A training is told to MLflow in its terms; a server that is away, slow or not installed costs one warning."""

from __future__ import annotations

import importlib.util
import json
import socket
import warnings

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.database import session_scope
from app.risk.tables import Model
from app.settings import Settings
from ml.jobs import mlflow_export
from ml.jobs.mlflow_export import record_of, tell_mlflow
from ml.jobs.train import train

from .conftest import UNLABELLED_UNTIL

INSTALLED = importlib.util.find_spec("mlflow") is not None
needs_mlflow = pytest.mark.skipif(not INSTALLED, reason="MLflow is not installed: pip install wearwatch[mlflow]")


def telling(settings, uri):
    return settings.model_copy(update=Settings(MLFLOW_TRACKING_URI=uri).model_dump(include={"mlflow_tracking_uri"}))


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """`pretend(code)`: what happens in the place of the real package when it is imported."""

    def make(code):
        (tmp_path / "mlflow.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return make


def warned(settings, records=()):
    with capture_logs() as told:
        tell_mlflow(settings, list(records))
    [warning] = told
    assert (warning["event"], warning["log_level"]) == ("MLflow was not told", "warning")
    return warning["reason"]


def test_a_record_in_the_terms_of_mlflow(plant):
    with session_scope(plant.engine) as session:
        model = session.get_one(Model, plant.serving)
        record, card = record_of(model), model.card
    [day] = [each for each in card["horizons"] if each["hours"] == 24]
    assert record["name"] == f"ensemble {plant.serving}"
    assert record["metrics"]["brier_24h"] == day["model"]["brier"]
    assert record["metrics"]["seconds"] == card["seconds"]
    assert (record["ended_ms"] - record["started_ms"]) / 1000 == pytest.approx(card["seconds"], abs=0.01)
    assert record["params"]["random_forest.trees_in_all"] == "8"
    assert record["params"]["horizons"] == "24h, 72h, 168h"
    assert record["tags"]["data_hash"] == card["data_hash"]
    assert record["tags"].keys() >= {"run", "code_version", "status", "library.numpy"}
    assert all(isinstance(value, float) for value in record["metrics"].values())
    assert json.loads(json.dumps(record)) == record


def test_without_a_server_nothing_is_told(settings, monkeypatch):
    monkeypatch.setattr(mlflow_export, "CHILD", "nobody may run this")
    for none in (settings, telling(settings, "")):
        with capture_logs() as told:
            tell_mlflow(none, [])
        assert told == []


@needs_mlflow
def test_a_training_stands_in_mlflow_afterwards(unlabelled, settings, tmp_path, monkeypatch):
    # Beside a database of its own, MLflow keeps artefacts where it runs.
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    own = telling(settings, uri)
    [(number, kind, _)] = train(unlabelled, own, until=UNLABELLED_UNTIL, horizons=None, seed=5, promote=True).rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(uri)
        [run] = client.search_runs([client.get_experiment_by_name("wearwatch").experiment_id])
        assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["card.json"]
    assert (run.info.run_name, run.info.status) == (f"{kind} {number}", "FINISHED")
    assert run.data.params["seed"] == "5"
    assert run.data.tags["status"] == "champion"
    assert run.data.metrics["seconds"] > 0


@needs_mlflow
def test_a_server_that_is_away_costs_seconds_and_shows_no_password(settings):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        reason = warned(telling(settings, f"http://maria:hush@127.0.0.1:{nobody.getsockname()[1]}"))
    assert "failed with exception" in reason
    assert "hush" not in reason


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "raise ModuleNotFoundError(\"No module named 'mlflow'\")",
            "ModuleNotFoundError: No module named 'mlflow'",
        ),
        ("raise OSError('http://maria:h@sh@host/api is\\nbroken')", "OSError: http://host/api is broken"),
        ("import os; os._exit(9)", "it ended with 9"),
        ("import time; time.sleep(60)", "no answer within 1 s"),
    ],
)
def test_what_goes_wrong_is_one_warning(settings, pretend, monkeypatch, code, said):
    pretend(code)
    if "sleep" in code:
        monkeypatch.setattr(mlflow_export, "WITHIN_SECONDS", 1.0)
    assert warned(telling(settings, "http://127.0.0.1:1")) == said


def test_and_the_training_is_kept(unlabelled, settings, pretend):
    pretend("raise ValueError('no')")
    with capture_logs() as told:
        train(
            unlabelled,
            telling(settings, "http://127.0.0.1:1"),
            until=UNLABELLED_UNTIL,
            horizons=None,
            seed=0,
            promote=True,
        )
    assert [each["event"] for each in told] == ["MLflow was not told"]
    with session_scope(unlabelled) as session:
        assert session.scalars(select(Model.status)).all() == ["champion"]
