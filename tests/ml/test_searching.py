"""The search takes other settings only where machines left out speak clearly for them."""

from __future__ import annotations

import numpy as np
import pytest

from ml import searching
from ml.searching import search


class Told:
    """Knows the risk as well as its setting says: 0 nothing, 1 all that the made-up fleet's features tell."""

    def __init__(self, knows=0.0):
        self.knows = knows

    def fit(self, features, outcomes, *, seed, progress=None):
        self.shape = (len(outcomes.horizons_hours), len(outcomes.modes))
        return self

    def hazards(self, features):
        vibration, temperature = features.values[:, 3], np.nan_to_num(features.values[:, 2], nan=60)
        near = self.knows * (np.maximum((vibration - 2) / 3, (temperature - 60) / 20)).clip(0, 1)
        total = 1 / (1 + np.exp(4 - 4 * near))
        return np.broadcast_to(total[:, None, None] / self.shape[1], (len(features), *self.shape)).copy()


@pytest.fixture
def tried(monkeypatch):
    def only(usual, low, high):
        def make(knows=usual):
            return Told(knows)

        def suggested(trial):
            return {"knows": trial.suggest_float("knows", low, high)}

        monkeypatch.setattr(searching, "TRIED", {"told": (make, suggested)})

    return only


def test_clearly_better_settings_are_taken(tried, small_fleet):
    tried(0.0, 0.9, 1.0)
    found = search(*small_fleet, seconds=0.0, seed=1)["told"]
    assert found.settings["knows"] > 0.9
    assert found.gained > searching.WORTH_IT
    assert found.tried == searching.FEWEST_TRIES
    assert found.words.startswith("2 settings tried: knows 0.9")


def test_chance_does_not_move_the_defaults(tried, small_fleet):
    tried(0.97, 0.96, 1.0)
    found = search(*small_fleet, seconds=0.0, seed=1)["told"]
    assert found.settings == {}
    assert found.words == "2 settings tried, none worth leaving the defaults for"


def test_the_time_given_is_used_and_told(tried, small_fleet):
    tried(0.0, 0.0, 1.0)
    told = []
    found = search(*small_fleet, seconds=2.0, seed=1, progress=lambda share, doing: told.append((share, doing)))
    assert found["told"].tried > searching.FEWEST_TRIES
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert "search told: 1 settings tried" in {doing for _, doing in told}


def test_the_real_kinds_can_be_made_with_all_that_is_tried(fleet):
    features, outcomes = fleet(machines=8, hours=240)
    found = search(features, outcomes, seconds=0.0, seed=1)
    assert set(found) == {"random_forest", "boosting"}
    assert all(each.tried == searching.FEWEST_TRIES for each in found.values())
