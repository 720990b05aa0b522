"""A new model is held against the one that serves; one that cannot be asked any more is left out, in words."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select, update

from app.risk.tables import Model, ModelArtefact
from ml import manifest
from ml.artefacts import artefact_key, load_model
from ml.dataset import load_history
from ml.jobs.choosing import choose
from ml.jobs.moment import fleet_at
from ml.labels import label
from ml.learning import Learnt
from ml.lesson import Lesson, know_normal

from .conftest import TRAINED_UNTIL, UNTIL

PROVEN = {"beats_baselines": True, "verdict": "Beats the baselines.", "horizons": []}


@pytest.fixture
def chosen(plant, session_of_plant):
    """`chosen(settings)` -> what is said of the plant's forest as a new model, and its card."""
    session, (number, _, _) = session_of_plant, plant.trained.rows[2]
    forest = load_model(session, number, key=artefact_key(plant.settings.data_dir))
    history = load_history(session, plant.settings)
    judged = fleet_at(history, TRAINED_UNTIL + timedelta(days=2))
    became = label(history, judged, forest.horizons_hours, forest.modes, UNTIL)

    def choose_with(settings):
        risk = np.full((len(judged), len(forest.horizons_hours)), 0.1)
        learnt = Learnt(forest.fitted, dict(PROVEN), left_out_risk=risk[:0], judged_risk=risk)
        lesson = Lesson([learnt], forest.features, forest.horizons_hours, forest.modes, judged, became)
        return *choose(session, settings, lesson, history), learnt.card["gate"]

    return choose_with


def test_a_serving_model_that_can_be_asked_is_compared_with(plant, chosen):
    kind, words, card = chosen(plant.settings)
    assert kind == "random_forest"
    assert f"Model {plant.serving} could not be compared with: " in words
    assert card == {"passed": True, "words": words}


def test_one_of_another_bucket_counts_as_absent_in_words(plant, chosen):
    kind, words, card = chosen(plant.settings.model_copy(update={"bucket": timedelta(minutes=30)}))
    assert kind == "random_forest"
    assert words == (
        f"Beats the baselines. Not compared with the model that serves. Model {plant.serving} was trained on"
        " buckets of 3600 s, but WEARWATCH_BUCKET is 1800 s. Train again, or set it back."
    )
    assert card["words"] == words


def test_one_of_another_library_counts_as_absent_in_words(plant, chosen, monkeypatch):
    here = manifest.library_versions() | {"scikit-learn": "99.1.0"}
    monkeypatch.setattr(manifest, "library_versions", lambda: here)
    kind, words, _ = chosen(plant.settings)
    assert kind == "random_forest"
    assert f"Not compared with the model that serves. Model {plant.serving} was saved with scikit-learn" in words


def test_one_whose_parts_were_changed_counts_as_absent_in_words(plant, chosen, session_of_plant):
    own = ModelArtefact.model_id == plant.serving
    session_of_plant.execute(update(ModelArtefact).where(own).values(content=b"{}"))
    kind, words, _ = chosen(plant.settings)
    assert kind == "random_forest"
    assert "was changed after it was signed" in words
    assert session_of_plant.scalar(select(Model.id).where(Model.status == "champion")) == plant.serving


def test_one_that_knows_no_risk_takes_the_place_of_one_that_does_only_where_that_cannot_be_asked(
    plant, session_of_plant, monkeypatch
):
    history = load_history(session_of_plant, plant.settings)
    lesson = know_normal(history, np.ones(len(history.machine), bool), [24.0], 0, "Too few failures.")
    assert choose(session_of_plant, plant.settings, lesson, history)[0] is None
    monkeypatch.setattr(manifest, "FORMAT", 0)
    assert choose(session_of_plant, plant.settings, lesson, history)[0] == "anomaly"
