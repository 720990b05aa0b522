"""Models are found by their records; a question that makes no sense is answered with one sentence."""

from __future__ import annotations

import pytest
from factories import at

from app.security.policy import Role

HASH = "9f86d081884c7d659a2feaa0c55ad015"


def card(pr_auc, week=None, **record):
    """Figures at 24 h and, where given, at 7 d."""
    figures = [{"hours": 24.0, "model": {"pr_auc": pr_auc, "ece": 0.02}}]
    figures += [{"hours": 168.0, "model": {"pr_auc": week}}] if week is not None else []
    return {"horizons": figures, "seed": 0, **record}


@pytest.fixture
def models(make_model):
    """By the letter that the tests call them: two runs, and a record of a version before there was a card."""
    return {
        make_model("retired", kind="random_forest", run="r1", card={}).id: "old",
        make_model("candidate", kind="lstm", run="r2", card=card(None, seed=7)).id: "unjudged",
        make_model("candidate", run="r2", card=card(0.31, 0.5, data_hash=HASH, seconds=9.0)).id: "good",
        make_model(
            run="r3",
            trained_until=at("2026-11-20 00:00"),
            card=card(0.4, 0.2, code_version="0.1.0+95167bd8ffff", seconds=30.5),
        ).id: "serving",
    }


@pytest.fixture
def ask(client, key_for, models):
    """`ask("kind=lstm")` -> status and the letters of the models found, or what is wrong with it."""
    headers = key_for(Role.OPERATOR)

    def get(query):
        answer = client.get(f"/api/v1/models?{query}", headers=headers)
        body = answer.json()
        return [models[each["id"]] for each in body["models"]] if answer.status_code == 200 else body["detail"]

    return get


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["serving", "good", "unjudged", "old"]),
        ("kind=lstm", ["unjudged"]),
        ("status=candidate", ["good", "unjudged"]),
        ("run=r2", ["good", "unjudged"]),
        ("from=2026-11-20T00:00:00Z", ["serving"]),
        ("to=2026-11-20T00:00:00Z", ["good", "unjudged", "old"]),
        (f"data_hash={HASH[:8]}", ["good"]),
        ("data_hash=%25", []),
        ("seed=7", ["unjudged"]),
        ("code_version=0.1.0%2B95167", ["serving"]),
        ("horizon=24h&metric=pr_auc&at_least=0.31", ["serving", "good"]),
        ("horizon=24h&metric=pr_auc&at_most=0.31", ["good"]),
        ("metric=pr_auc&at_least=0.3", ["good"]),
        ("horizon=24h&sort=pr_auc", ["good", "serving", "unjudged", "old"]),
        ("horizon=24h&sort=-pr_auc&limit=2&offset=1", ["good", "unjudged"]),
        ("horizon=1d&metric=pr_auc&sort=-pr_auc", ["serving", "good"]),
        ("sort=-seconds", ["serving", "good", "unjudged", "old"]),
        ("sort=standing", ["serving", "good", "unjudged", "old"]),
        ("sort=id", ["old", "unjudged", "good", "serving"]),
        ("kind=nobody", []),
    ],
)
def test_models_are_found_and_sorted_by_their_records(ask, query, found):
    assert ask(query) == found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("metric=auc", "query.metric: Input should be 'pr_auc', 'roc_auc', 'brier'"),
        ("sort=-beauty", "query.sort: must be one of id, standing, kind"),
        ("horizon=5h&metric=pr_auc", "horizon: no model looks 5h ahead; they look 1d, 3d, 7d, 14d, 30d."),
        ("horizon=5h&sort=pr_auc", "horizon: no model looks 5h ahead"),
        ("horizon=soon&metric=pr_auc", "'soon' is not a duration"),
        ("at_least=0.3", "metric: name the figure that at_least and at_most are bounds of."),
        ("metric=pr_auc&at_least=nan", "query.at_least: Input should be a finite number"),
        ("from=2026-11-20T00:00:00Z&to=2026-11-19T00:00:00Z", "to: must lie after from."),
        ("status=great", "query.status: Input should be"),
        ("kind=%00", "query.kind: holds the control character"),
        ("seed=99999999999999999999", "query.seed:"),
        ("limit=0", "query.limit:"),
        ("color=red", "query.color: Extra inputs are not permitted"),
    ],
)
def test_a_question_that_makes_no_sense_is_one_sentence(ask, query, said):
    assert ask(query).startswith(said)


def test_a_list_shows_what_it_was_searched_by(client, key_for, models):
    [good] = client.get(f"/api/v1/models?data_hash={HASH}", headers=key_for(Role.OPERATOR)).json()["models"]
    assert (good["seed"], good["data_hash"], good["seconds"]) == (0, HASH, 9.0)
    assert {horizon: each["pr_auc"] for horizon, each in good["metrics"].items()} == {"1d": 0.31, "7d": 0.5}
    assert good["metrics"]["7d"]["ece"] is None
