import math
from datetime import timedelta

import pytest
from factories import HORIZONS_HOURS, at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from app.errors import NotFound
from app.risk.curve import make_curve
from app.risk.curve_sql import probability_at
from app.risk.prediction import NewPrediction, storable
from app.risk.store import champion, store_predictions, watched
from app.risk.tables import LatestPrediction, Prediction

AS_OF = at("2026-11-21 08:00")
RISKS = [0.01, 0.03, 0.08, 0.15, 0.3]


def said_of(machine, as_of=AS_OF, **fields):
    given_ = {"horizons_hours": HORIZONS_HOURS, "probabilities": RISKS, "coverage": 1.0}
    return NewPrediction(machine_id=machine.id, as_of=as_of, **(given_ | fields))


def served(session, machine):
    return watched(session, machine.key).prediction


def test_the_champions_predictions_are_served(session, make_machine, make_model):
    machine, model = make_machine(), make_model()
    reasons = [{"words": "hot", "value": 91.5}]
    assert store_predictions(session, model.id, [said_of(machine, reasons=reasons, modes={"OHE": RISKS})]) == 1
    found = served(session, machine)
    assert (found.probabilities, found.reasons, found.modes) == (RISKS, reasons, {"OHE": RISKS})


def test_a_candidates_predictions_are_kept_but_not_served(session, make_machine, make_model):
    machine, model = make_machine(), make_model(status="candidate")
    store_predictions(session, model.id, [said_of(machine)])
    assert served(session, machine) is None
    assert session.scalar(select(Prediction.model_id)) == model.id


def test_an_older_as_of_does_not_replace_the_served_one(session, make_machine, make_model):
    machine, model = make_machine(), make_model()
    store_predictions(session, model.id, [said_of(machine)])
    store_predictions(session, model.id, [said_of(machine, AS_OF - timedelta(hours=1))])
    assert served(session, machine).as_of == AS_OF
    store_predictions(session, model.id, [said_of(machine, AS_OF + timedelta(hours=1))])
    assert served(session, machine).as_of == AS_OF + timedelta(hours=1)


def test_scoring_the_same_moment_again_replaces(session, make_machine, make_model):
    machine, model = make_machine(), make_model()
    store_predictions(session, model.id, [said_of(machine)])
    store_predictions(session, model.id, [said_of(machine, coverage=0.5)])
    assert session.scalars(select(Prediction.coverage)).all() == [0.5]
    assert served(session, machine).coverage == 0.5


def test_a_run_over_many_times_serves_the_newest(session, make_machine, make_model):
    machine, model = make_machine(), make_model()
    times = [AS_OF - timedelta(hours=hours) for hours in (3, 0, 7)]
    store_predictions(session, model.id, [said_of(machine, time) for time in times])
    assert served(session, machine).as_of == AS_OF
    assert session.scalar(select(LatestPrediction.machine_id)) == machine.id


def test_an_unknown_model_is_named(session):
    with pytest.raises(NotFound, match="no model 4711"):
        store_predictions(session, 4711, [])


def test_there_may_be_no_champion(session, make_model):
    make_model(status="candidate")
    assert champion(session) is None


@pytest.mark.parametrize(
    ("probabilities", "why"),
    [
        ([math.nan] * 5, "outside 0 to 1"),
        ([0.5, 0.4, 0.6, 0.7, 0.8], "falls"),
        ([0.1], "one probability per horizon"),
        (None, "no probability"),
    ],
)
def test_a_risk_that_is_none_is_stored_as_not_enough_data(session, make_machine, make_model, probabilities, why):
    machine, model = make_machine(), make_model()
    odd = [{"words": "a\x00b", "value": math.inf}]
    row = said_of(
        machine,
        probabilities=probabilities,
        remaining_life_median_hours=99.0,
        anomaly_score=math.nan,
        reasons=odd,
        modes={"OHE": [math.nan]},
    )
    store_predictions(session, model.id, [row])
    found = served(session, machine)
    assert found.probabilities is None
    assert found.not_enough_data.startswith("the model gave no usable risk: ")
    assert why in found.not_enough_data
    assert found.remaining_life_median_hours is None
    assert (found.anomaly_score, found.reasons) == (None, [{"words": "ab", "value": None}])


def test_numbers_of_a_numeric_library_are_stored_as_plain_ones(make_machine):
    numpy = pytest.importorskip("numpy")
    reasons = [{"words": "hot", "value": numpy.float32("nan"), "share": numpy.float64(0.5)}]
    row = said_of(make_machine(), horizons_hours=numpy.array(HORIZONS_HOURS), probabilities=numpy.array(RISKS))
    found = storable(row)
    assert found.probabilities == RISKS
    assert storable(said_of(make_machine("fan"), reasons=reasons)).reasons == [
        {"words": "hot", "value": None, "share": 0.5}
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.floats(0.01, 719.9))
def test_sql_and_python_read_the_same_curve(session, risks, hours):
    risks = sorted(risks)
    query = text(
        f"SELECT {probability_at('CAST(:hours AS double precision)')} FROM (SELECT "
        "CAST(:horizons AS double precision[]) AS horizons_hours, "
        "CAST(:risks AS double precision[]) AS probabilities) p"
    )
    found = session.scalar(query, {"hours": hours, "horizons": HORIZONS_HOURS, "risks": risks})
    assert found == pytest.approx(make_curve(HORIZONS_HOURS, risks).probability(hours), abs=1e-9)
    for horizon, risk in zip(HORIZONS_HOURS, risks, strict=True):
        at_horizon = session.scalar(query, {"hours": horizon, "horizons": HORIZONS_HOURS, "risks": risks})
        assert at_horizon == pytest.approx(risk, abs=1e-8)
    assert session.scalar(query, {"hours": 720.1, "horizons": HORIZONS_HOURS, "risks": risks}) is None
