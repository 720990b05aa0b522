"""The champion's shadow: scored with it, never served, never in its way, and ready at once when it is promoted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from app.database import session_scope
from app.risk import model_store
from app.risk.actions import promote, roll_back
from app.risk.store import champion
from app.risk.tables import LatestPrediction, ModelArtefact, Prediction
from app.security.tables import AuditEntry
from ml import manifest
from ml.jobs.score import score
from ml.jobs.train import train

from .conftest import UNLABELLED_UNTIL, UNTIL

HOUR = timedelta(hours=1)


def trained(engine, settings, **more):
    return train(engine, settings, until=UNLABELLED_UNTIL, horizons=None, seed=0, **more)


@pytest.fixture
def shadowed(unlabelled, settings):
    """A plant with a champion, and a later model that waits in its shadow for a person: engine, settings, both."""
    by_person = settings.model_copy(update={"promote": "person"})
    serving = trained(unlabelled, by_person, promote=True).rows[0][0]
    waiting = trained(unlabelled, by_person, promote=False)
    assert "is scored in the shadow and waits for a person" in waiting.verdict
    return unlabelled, by_person, serving, waiting.rows[0][0]


def served(engine):
    with session_scope(engine) as session:
        joined = select(Prediction.model_id, Prediction.as_of).join(LatestPrediction).distinct()
        return [tuple(row) for row in session.execute(joined)]


def scored_by(engine):
    with session_scope(engine) as session:
        return {tuple(row) for row in session.execute(select(Prediction.model_id, Prediction.as_of))}


def test_the_shadow_scores_the_same_moment_and_is_not_served(shadowed):
    engine, settings, serving, waiting = shadowed
    assert score(engine, settings, UNTIL) == 2
    assert scored_by(engine) == {(serving, UNTIL), (waiting, UNTIL)}
    assert served(engine) == [(serving, UNTIL)]


def test_a_promoted_shadow_serves_what_it_said_at_once_and_one_call_goes_back(shadowed):
    engine, settings, serving, waiting = shadowed
    score(engine, settings, UNTIL)
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        promote(session, None, waiting, now, unproven=True)
        assert model_store.shadow(session) is None
    assert served(engine) == [(waiting, UNTIL)]
    with session_scope(engine) as session:
        assert roll_back(session, None, now).id == serving
    assert served(engine) == [(serving, UNTIL)]


@pytest.mark.parametrize("trouble", ["untrusted", "outdated", "bucket", "anything"])
def test_whatever_is_wrong_with_the_shadow_the_champion_scores_and_the_log_says_what(
    shadowed, monkeypatch, trouble
):
    engine, settings, serving, waiting = shadowed
    with session_scope(engine) as session:
        if trouble == "untrusted":
            session.execute(update(ModelArtefact).where(ModelArtefact.model_id == waiting).values(content=b"{}"))
        if trouble == "bucket":
            model_store.model_by_id(session, waiting).bucket_seconds = 60
    if trouble == "outdated":
        only_then(monkeypatch, "ml.jobs.score.load_speaking", waiting, lambda: outdated_here(monkeypatch))
    if trouble == "anything":
        only_then(monkeypatch, "ml.jobs.score.load_speaking", waiting, lambda: 1 / 0)
    with capture_logs() as told:
        assert score(engine, settings, UNTIL) == 2
    assert scored_by(engine) == {(serving, UNTIL)}
    assert served(engine) == [(serving, UNTIL)]
    [warning] = [each for each in told if each["event"] == "the shadow was skipped"]
    named = {"untrusted": "changed after it was signed", "outdated": "99.1.0 is installed", "bucket": "its row"}
    assert named.get(trouble, "division by zero") in warning["reason"]


def only_then(monkeypatch, place, model_id, happens):
    """`place` as it is, but when it is asked for this model, after something happened."""
    from ml.jobs.champion import load_speaking

    def asked(session, settings, number, known=None):
        if number == model_id:
            happens()
        return load_speaking(session, settings, number, known)

    monkeypatch.setattr(place, asked)


def outdated_here(monkeypatch):
    here = manifest.library_versions() | {"numpy": "99.1.0"}
    monkeypatch.setattr(manifest, "library_versions", lambda: here)


def test_a_later_model_takes_the_shadows_place_and_the_audit_log_says_so(shadowed):
    engine, settings, serving, waiting = shadowed
    later = trained(engine, settings, promote=False).rows[0][0]
    with session_scope(engine) as session:
        assert model_store.shadow(session).id == later
        assert model_store.model_by_id(session, waiting).status == "candidate"
        assert champion(session).id == serving
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "shadow model").order_by(AuditEntry.id)
        )
        assert [(each.subject, each.detail["shadow_before"]) for each in entries] == [
            (f"model {waiting}", None),
            (f"model {later}", waiting),
        ]


def test_under_the_gate_a_model_that_is_not_to_be_promoted_stays_a_candidate(unlabelled, settings):
    assert "as asked" in trained(unlabelled, settings, promote=False).verdict
    with session_scope(unlabelled) as session:
        assert model_store.shadow(session) is None
