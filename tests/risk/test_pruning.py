"""Old models lose their parts and never their records; whatever serves, or may serve again, is left whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from factories import at
from sqlalchemy import select

from app.errors import Conflict
from app.risk.actions import promote, roll_back, shadow
from app.risk.pruning import Pruned, prune
from app.risk.tables import Model, ModelArtefact
from app.security.tables import AuditEntry
from ml.artefacts import load_model

NOW = at("2026-11-21 08:30")
DAY = timedelta(days=1)


@pytest.fixture
def make_whole(session, make_model):
    """A model with ten bytes of parts; of a run of its own unless one is named."""

    def make(run, status="candidate", **columns):
        model = make_model(status, run=run, **columns)
        session.add_all(ModelArtefact(model_id=model.id, part=part, content=b"12345") for part in ("a", "b"))
        session.flush()
        return model

    return make


def whole(session):
    return set(session.scalars(select(ModelArtefact.model_id).distinct()))


def test_candidates_of_older_runs_lose_their_parts_and_keep_their_cards(session, make_whole):
    old = [make_whole("r1", kind=kind, card={"verdict": "Good."}) for kind in ("lstm", "ensemble")]
    kept = [make_whole("r2"), make_whole("r3")]
    dropped = [Pruned(old[0].id, "lstm", "r1", 10), Pruned(old[1].id, "ensemble", "r1", 10)]
    assert prune(session, 2, NOW, "worker") == dropped
    assert whole(session) == {model.id for model in kept}
    session.expire_all()
    assert [(model.card["verdict"], model.state, model.pruned_at) for model in old] == [
        ("Good.", "record only", NOW)
    ] * 2
    said = session.execute(select(AuditEntry.actor, AuditEntry.subject, AuditEntry.detail)).all()
    assert [tuple(row) for row in said] == [("worker", f"model {model.id}", {"bytes": 10}) for model in old]
    assert prune(session, 2, NOW, "worker") == []


def test_who_serves_or_may_again_is_left_whole_however_old(session, make_whole):
    long_ago = {"promoted_at": NOW - 900 * DAY, "served_until": NOW - 366 * DAY}
    gone = make_whole("r0", "retired", **long_ago | {"promoted_at": NOW - 901 * DAY})
    to_go_back_to = make_whole("r1", "retired", **long_ago)
    lately = make_whole("r2", "retired", promoted_at=NOW - 950 * DAY, served_until=NOW - 364 * DAY)
    serving = make_whole("r3", "champion", promoted_at=NOW - 366 * DAY)
    waiting = make_whole("r4", "shadow", promoted_at=None)
    newest = make_whole("r5")
    assert [each.model for each in prune(session, 1, NOW, "worker")] == [gone.id]
    assert whole(session) == {model.id for model in (to_go_back_to, lately, serving, waiting, newest)}
    assert roll_back(session, None, NOW).id == to_go_back_to.id


def test_a_mere_record_is_neither_promoted_nor_shadowed_nor_asked_nor_gone_back_to(session, make_whole):
    record = make_whole("r1", "retired", promoted_at=NOW - 9 * DAY, card={"beats_baselines": True}, pruned_at=NOW)
    serving = make_whole("r2", "champion")
    for refused in (
        lambda: promote(session, None, record.id, NOW),
        lambda: promote(session, None, record.id, NOW, unproven=True),
        lambda: shadow(session, None, record.id),
        lambda: load_model(session, record.id, key=b"k" * 32),
    ):
        with pytest.raises(
            Conflict, match=f"Model {record.id} is a record only: its parts were dropped on 2026-11-21"
        ):
            refused()
    serving.promoted_at = NOW
    session.flush()
    with pytest.raises(Conflict, match="no earlier model"):
        roll_back(session, None, NOW)
    assert session.scalar(select(Model.id).where(Model.status == "champion")) == serving.id
