from concurrent.futures import ThreadPoolExecutor

from factories import HORIZONS_HOURS, at
from sqlalchemy import select

from app.database import session_scope
from app.risk.actions import promote
from app.risk.tables import Model

NOW = at("2026-11-21 08:30")


def candidate():
    return Model(
        kind="ensemble",
        run="20261120",
        trained_until=at("2026-11-01 00:00"),
        bucket_seconds=3600,
        horizons_hours=HORIZONS_HOURS,
        modes=[],
        card={"beats_baselines": True},
        manifest={},
    )


def test_promotions_at_the_same_time_leave_one_champion(engine):
    with session_scope(engine) as session:
        models = [candidate() for _ in range(6)]
        session.add_all(models)
        session.flush()
        ids = [model.id for model in models]

    def promote_one(model_id):
        with session_scope(engine) as session:
            return promote(session, None, model_id, NOW).id

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(promote_one, ids)) == sorted(ids)
    with session_scope(engine) as session:
        statuses = session.scalars(select(Model.status)).all()
    assert sorted(statuses) == ["champion"] + ["retired"] * 5
