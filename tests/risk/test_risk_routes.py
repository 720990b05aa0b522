from datetime import timedelta

import pytest
from factories import at
from made_fleet import report_body
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from app.clock import utc_now
from app.risk.tables import LatestPrediction, ModelReport, Prediction
from app.security.policy import Role
from app.security.tables import AuditEntry

NOW = at("2026-11-21 08:30")
AS_OF = at("2026-11-21 08:00")


@pytest.fixture
def ask(client, key_for):
    """`ask("/risk?limit=1")` as an operator at NOW -> status and body."""
    client.app.dependency_overrides[utc_now] = lambda: NOW
    headers = key_for(Role.OPERATOR)

    def get(path):
        answer = client.get(f"/api/v1{path}", headers=headers)
        return answer.status_code, answer.json()

    return get


@pytest.fixture
def make_scored(make_machine, make_reading, make_prediction):
    """A machine with a fresh reading and a served prediction whose 7-day probability is given."""

    def make(key, model, probability, read_at=NOW, as_of=AS_OF, **columns):
        machine = make_machine(key, **columns)
        if read_at is not None:
            make_reading(machine, read_at, temperature_c=60)
        if probability is not None:
            risks = [probability * share for share in (0.1, 0.5, 1, 1, 1)]
            make_prediction(machine, model, as_of, probabilities=risks)
        return machine

    return make


def keys(body):
    return [each["machine"] for each in body["machines"]]


def test_one_machines_risk_says_all_that_was_predicted(
    ask, make_machine, make_model, make_reading, make_prediction
):
    machine, model = make_machine("press-07"), make_model()
    make_reading(machine, NOW, vibration_mm_s=3.2)
    reason = {"words": "vibration is 3.2 mm/s", "channel": "vibration_mm_s", "value": 3.2, "usual": 2.1, "new": 1}
    like = {"machine": "press-12", "failed_at": "2026-11-03T09:00:00Z", "mode": "VIB", "component": "bearing"}
    like |= {"down_hours": None, "hours_before": 70.5}
    alike = {"words": "like press-12 3 days before its bearing failure on 3 Nov 2026", "share": None, "like": like}
    make_prediction(
        machine,
        model,
        AS_OF,
        probabilities=[0.02, 0.1, 0.2, 0.4, 0.6],
        probabilities_low=[0.01, 0.05, 0.1, 0.2, 0.3],
        probabilities_high=[0.05, 0.2, 0.4, 0.6, 0.8],
        modes={"OHE": [0.01, 0.05, 0.1, 0.2, 0.3]},
        remaining_life_low_hours=72.0,
        remaining_life_median_hours=500.0,
        remaining_life_high_hours=720.0,
        reasons=[reason, alike],
    )
    status, body = ask("/machines/press-07/risk")
    assert status == 200
    assert (body["status"], body["not_enough_data"]) == ("warning", None)
    week = {"horizon": "7d", "horizon_hours": 168.0, "probability": 0.2, "low": 0.1, "high": 0.4}
    week["judged_failures"] = None
    assert body["probabilities"][2] == week
    assert body["by_mode"]["OHE"][2]["probability"] == 0.1
    life = {"low": 72.0, "median": 500.0, "high": 720.0, "beyond_longest_horizon": False}
    assert body["remaining_life_hours"] == life
    assert body["model"] == {"id": model.id, "kind": "ensemble", "trained_until": "2026-11-01T00:00:00Z"}
    assert body["reasons"][0]["usual"] == 2.1
    assert (body["reasons"][0]["like"], body["reasons"][1]["like"]) == (None, like)
    assert (body["as_of"], body["coverage"]) == ("2026-11-21T08:00:00Z", 1.0)


def test_each_risk_says_by_how_many_failures_its_horizon_was_judged(ask, make_model, make_scored):
    card = {"horizons": [{"hours": 168.0, "failures": 12}, {"hours": 720.0, "failures": 0}]}
    make_scored("fan", make_model(card=card), 0.3)
    _, body = ask("/machines/fan/risk")
    judged = {each["horizon"]: each["judged_failures"] for each in body["probabilities"]}
    assert judged == {"1d": None, "3d": None, "7d": 12, "14d": None, "30d": 0}


def test_a_machine_without_prediction_says_why(ask, make_machine, make_reading):
    machine = make_machine("press-07")
    status, body = ask("/machines/press-07/risk")
    assert (status, body["status"]) == (200, "no_data")
    assert body["not_enough_data"] == "no prediction yet: no reading has arrived"
    make_reading(machine, NOW, temperature_c=60)
    _, body = ask("/machines/press-07/risk")
    assert body["status"] == "not_enough_data"
    assert body["not_enough_data"] == "no prediction yet: not scored so far"


@pytest.mark.parametrize("path", ["/machines/nobody/risk", "/machines/nobody/risk/history"])
def test_an_unknown_machine_is_not_found(ask, path):
    status, body = ask(path)
    assert (status, body["title"]) == (404, "Not found")


def test_the_fleet_is_ranked_by_expected_loss_or_probability(ask, make_model, make_scored):
    model = make_model()
    make_scored("cheap", model, 0.4, failure_cost=1000)
    make_scored("dear", model, 0.2, failure_cost=50000)
    make_scored("usual", model, 0.1)
    _, body = ask("/risk")
    assert keys(body) == ["dear", "usual", "cheap"]
    assert body["machines"][0]["expected_loss"] == pytest.approx(10000)
    assert body["machines"][1]["expected_loss"] == pytest.approx(800)
    assert [each["failure_cost_is_default"] for each in body["machines"]] == [False, True, False]
    _, body = ask("/risk?order=probability")
    assert keys(body) == ["cheap", "dear", "usual"]
    assert [each["status"] for each in body["machines"]] == ["alarm", "warning", "normal"]


def test_machines_without_a_usable_risk_come_last_and_are_never_dropped(
    ask, make_machine, make_model, make_scored, make_prediction
):
    model = make_model()
    make_scored("low", model, 0.01)
    make_scored("silent", model, 0.9, read_at=NOW - timedelta(hours=4))
    make_scored("stale", model, 0.9, as_of=AS_OF - timedelta(hours=5))
    make_machine("never")
    doubtful = make_scored("doubtful", model, None)
    make_prediction(doubtful, model, AS_OF, probabilities=None, not_enough_data="two failures are too few")
    make_scored("gone", model, 0.9, decommissioned_at=NOW - timedelta(days=1))
    _, body = ask("/risk")
    assert body["total"] == 5
    assert keys(body)[0] == "low"
    rest = {each["machine"]: each["status"] for each in body["machines"][1:]}
    assert rest == {
        "silent": "no_data",
        "stale": "not_enough_data",
        "never": "no_data",
        "doubtful": "not_enough_data",
    }
    numbers = ("probability", "expected_loss", "change_since_day_before", "remaining_life_median_hours")
    for each in body["machines"][1:]:
        assert each["not_enough_data"]
        assert [each[name] for name in numbers] == [None] * 4, each
    _, body = ask("/risk?min_probability=0")
    assert keys(body) == ["low"]


REASONS = [
    {"words": "vibration 4.1 mm/s, usually 2.2", "share": 0.8},
    {"words": "unlike its own first normal operation", "value": 3.1},
]


@pytest.mark.parametrize(
    ("changed", "status", "anomaly", "reasons"),
    [
        ({}, "alarm", 3.1, 2),
        ({"read_at": NOW - timedelta(hours=4)}, "no_data", None, 0),
        ({"as_of": AS_OF - timedelta(hours=5)}, "not_enough_data", None, 0),
        ({"not_enough_data": "no current in the last 2 days"}, "not_enough_data", 3.1, 1),
    ],
)
def test_a_reason_stands_instead_of_a_number_everywhere(
    ask, session, make_model, make_scored, changed, status, anomaly, reasons
):
    why = {"not_enough_data": changed.pop("not_enough_data", None)}
    machine = make_scored("fan", make_model(), 0.9, **changed)
    said = {"modes": {"OHE": [0.5] * 5}, "anomaly_score": anomaly or 3.1, "reasons": REASONS}
    life = {f"remaining_life_{each}_hours": 72.0 for each in ("low", "median", "high")}
    session.execute(update(Prediction).where(Prediction.machine_id == machine.id).values(said | life | why))
    _, body = ask("/machines/fan/risk")
    known = status == "alarm"
    assert (body["status"], body["anomaly_score"], len(body["reasons"])) == (status, anomaly, reasons)
    assert bool(body["not_enough_data"]) is not known
    assert [bool(body[name]) for name in ("probabilities", "by_mode", "remaining_life_hours")] == [known] * 3
    _, ranking = ask("/risk")
    [row] = ranking["machines"]
    numbers = (row["probability"], row["expected_loss"], row["remaining_life_median_hours"])
    assert [each is not None for each in numbers] == [known] * 3
    assert row["anomaly_score"] == anomaly
    _, past = ask("/machines/fan/risk/history?horizon=7d")
    assert [each["probability"] is None for each in past["points"]] == [why["not_enough_data"] is not None]


def test_of_those_whose_risk_nobody_knows_the_ones_unlike_themselves_come_first(
    ask, make_model, make_scored, make_prediction
):
    model = make_model()
    for key, anomaly in (("calm", 0.4), ("odd", 3.1), ("quiet", 0.2), ("new", None)):
        machine = make_scored(key, model, None)
        make_prediction(
            machine, model, AS_OF, probabilities=None, not_enough_data="no failure yet", anomaly_score=anomaly
        )
    make_scored("long ago", model, 0.9, as_of=AS_OF - timedelta(hours=5))
    make_scored("silent", model, 0.9, read_at=NOW - timedelta(hours=4))
    _, body = ask("/risk")
    assert keys(body) == ["odd", "calm", "quiet", "long ago", "new", "silent"]


def test_pages_put_together_are_the_whole_ranking(ask, make_machine, make_model, make_scored):
    model = make_model()
    for number in range(7):
        read_at = NOW - timedelta(hours=9) if number % 3 == 0 else NOW
        make_scored(f"fan-{number}", model, 0.1 * number, read_at=read_at)
    make_machine("never")
    _, whole = ask("/risk?limit=100")
    assert keys(whole)[:4] == ["fan-5", "fan-4", "fan-2", "fan-1"]
    for size in (1, 2, 3, 4):
        pages = [ask(f"/risk?limit={size}&offset={offset}")[1] for offset in range(0, 8, size)]
        assert [line for page in pages for line in page["machines"]] == whole["machines"]
        assert {page["total"] for page in pages} == {8}


def test_filters_and_pages_count_what_they_let_through(ask, make_model, make_scored):
    model = make_model()
    for number in range(5):
        make_scored(f"fan-{number}", model, 0.1 * number, site="north" if number % 2 else "south", line="l1")
    make_scored("press", model, 0.3, name="Fan of the press")
    _, body = ask("/risk?site=south")
    assert (body["total"], keys(body)) == (3, ["fan-4", "fan-2", "fan-0"])
    _, body = ask("/risk?line=l1&limit=2&offset=2")
    assert (body["total"], keys(body)) == (5, ["fan-2", "fan-1"])
    _, body = ask("/risk?q=FAN&limit=1&offset=99")
    assert (body["total"], keys(body)) == (6, [])
    _, body = ask("/risk?min_probability=0.25")
    assert keys(body) == ["fan-4", "fan-3", "press"]


@pytest.mark.parametrize("status", ["alarm", "warning", "normal", "no_data", "not_enough_data"])
def test_the_status_filter_agrees_with_the_status_shown(ask, make_model, make_scored, status):
    model = make_model()
    for probability in (0.0, 0.149, 0.15, 0.349, 0.35, 0.99):
        make_scored(f"p{probability}", model, probability)
    make_scored("silent", model, 0.9, read_at=NOW - timedelta(hours=4))
    make_scored("quiet", model, 0.9, read_at=NOW - timedelta(hours=3))
    make_scored("stale", model, 0.9, as_of=AS_OF - timedelta(hours=5))
    make_scored("unread", model, 0.9, read_at=None)
    make_scored("unscored", model, None)
    _, everything = ask("/risk?horizon=30d")
    expected = {each["machine"] for each in everything["machines"] if each["status"] == status}
    _, body = ask(f"/risk?status={status}&horizon=30d")
    assert set(keys(body)) == expected
    assert expected


def test_the_change_since_a_day_before_is_the_same_models(ask, make_model, make_scored, make_prediction):
    old, model = make_model(status="retired"), make_model()
    machine = make_scored("press", model, 0.3)
    make_prediction(machine, model, AS_OF - timedelta(hours=24), latest=False, probabilities=[0.1] * 5)
    make_prediction(machine, model, AS_OF - timedelta(hours=23), latest=False, probabilities=[0.25] * 5)
    make_prediction(machine, old, AS_OF - timedelta(hours=24), latest=False, probabilities=[0.0] * 5)
    _, body = ask("/risk")
    assert body["machines"][0]["change_since_day_before"] == pytest.approx(0.2)


def test_any_horizon_in_reach_can_be_asked(ask, make_model, make_scored):
    make_scored("press", make_model(), 0.4)
    _, body = ask("/risk?horizon=5d")
    assert 0.2 < body["machines"][0]["probability"] < 0.4
    status, body = ask("/risk?horizon=31d")
    assert status == 422
    assert "31d is further than the model looks, which is 30d" in body["detail"]


def test_a_model_that_looks_less_far_is_asked_at_its_longest_horizon(ask, make_model, make_scored, make_prediction):
    model = make_model(horizons_hours=[5.0, 125.0])
    machine = make_scored("engine", model, None)
    make_prediction(machine, model, AS_OF, probabilities=[0.1, 0.5])
    _, body = ask("/risk")
    assert (body["horizon_hours"], body["machines"][0]["probability"]) == (125.0, pytest.approx(0.5))
    assert body["machines"][0]["status"] == "alarm"


@pytest.mark.parametrize(
    "query",
    [
        "horizon=soon",
        "horizon=",
        "horizon=0d",
        "horizon=1e9d",
        "horizon=%00",
        "horizon=99999999999999999999d",
        "min_probability=nan",
        "min_probability=inf",
        "min_probability=1e308",
        "min_probability=-1",
        "site=%00",
        "line=a%0Ab",
        "q=%ED%A0%80%00",
        "q=" + "x" * 5000,
        "status=fine",
        "order=key",
        "limit=0",
        "limit=99999999999999999999",
        "limit=true",
        "offset=-1",
        "offset=99999999999999999999",
    ],
)
def test_a_question_that_cannot_be_is_refused_in_words(ask, query):
    status, body = ask(f"/risk?{query}")
    assert status == 422
    assert body["detail"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from=2026-11-20", 422),
        ("from=9999-12-31T23:59:59-14:00", 422),
        ("from=0001-01-01T00:00:00%2B14:00", 422),
        ("from=2026-11-20T00:00:00Z&to=2026-11-19T00:00:00Z", 422),
        ("from=%00", 422),
        ("horizon=99d", 422),
        ("from=2026-11-20T00:00:00Z", 200),
    ],
)
def test_a_histories_range_is_checked(ask, make_machine, make_model, query, expected):
    make_machine("press")
    make_model()
    assert ask(f"/machines/press/risk/history?{query}")[0] == expected


@pytest.mark.parametrize("key", ["%00", "a%0Ab", "x" * 3000, "%F0%9F%92%A3", "%ED%A0%80", "..%2F.."])
def test_a_key_no_machine_can_have_is_refused(ask, key):
    assert ask(f"/machines/{key}/risk")[0] in (404, 422)


def test_history_is_what_serving_models_said_and_shows_gaps(ask, make_machine, make_model, make_prediction):
    machine = make_machine("press")
    never = make_model(status="candidate")
    before = make_model(status="retired", promoted_at=at("2026-10-01 00:00"))
    model = make_model()
    for hours, by, risk in ((3, before, 0.1), (2, before, 0.2), (2, model, 0.3), (1, never, 0.9), (1, model, None)):
        risks = None if risk is None else [risk] * 5
        make_prediction(machine, by, AS_OF - timedelta(hours=hours), probabilities=risks, latest=False)
    _, body = ask("/machines/press/risk/history?horizon=7d")
    said = [(each["model_id"], each["probability"]) for each in body["points"]]
    assert said == [(before.id, pytest.approx(0.1)), (model.id, pytest.approx(0.3)), (model.id, None)]
    _, body = ask("/machines/press/risk/history?from=2026-11-21T06:00:00Z&to=2026-11-21T07:00:00Z")
    assert [each["as_of"] for each in body["points"]] == ["2026-11-21T06:00:00Z"]


def test_a_long_history_is_thinned_and_keeps_its_peak(ask, session, make_machine, make_model, make_prediction):
    machine, model = make_machine("press"), make_model()
    for hours in range(2500):
        risks = [0.9 if hours == 1234 else 0.1] * 5
        make_prediction(machine, model, AS_OF - timedelta(hours=hours), probabilities=risks, latest=False)
    _, body = ask("/machines/press/risk/history")
    assert len(body["points"]) == 2000
    assert max(each["probability"] for each in body["points"]) == pytest.approx(0.9)
    assert body["points"] == sorted(body["points"], key=lambda each: each["as_of"])


def test_models_are_listed_newest_first_and_show_their_card(ask, make_model):
    old, new = make_model(status="retired"), make_model(card={"verdict": "Beats the baselines."})
    _, body = ask("/models")
    assert [each["id"] for each in body["models"]] == [new.id, old.id]
    _, body = ask(f"/models/{new.id}")
    assert (body["card"], body["status"]) == ({"verdict": "Beats the baselines."}, "champion")
    assert ask("/models/2147483647")[0] == 404
    assert ask("/models/99999999999999999999")[0] == 422


@pytest.fixture
def order(client, key_for):
    client.app.dependency_overrides[utc_now] = lambda: NOW

    def post(path, role=Role.ADMIN):
        return client.post(f"/api/v1{path}", headers=key_for(role))

    return post


def test_promotion_serves_the_new_models_predictions_at_once(
    order, session, make_machine, make_model, make_prediction
):
    fresh, lagging = make_machine("fresh"), make_machine("lagging")
    old, new = make_model(), make_model(status="candidate", card={"beats_baselines": True})
    for machine in (fresh, lagging):
        make_prediction(machine, old, AS_OF)
    replacing = make_prediction(fresh, new, AS_OF, latest=False)
    make_prediction(lagging, new, AS_OF - timedelta(hours=1), latest=False)
    answer = order(f"/models/{new.id}/promote")
    assert (answer.status_code, answer.json()["status"]) == (200, "champion")
    session.expire_all()
    assert (old.status, new.status, new.promoted_at) == ("retired", "champion", NOW)
    assert session.get(LatestPrediction, fresh.id).prediction_id == replacing.id
    assert session.get(LatestPrediction, lagging.id).prediction_id != replacing.id
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "promote model")).one()
    assert (entry.subject, entry.detail) == (f"model {new.id}", {"served_before": old.id})


def test_a_model_that_beats_no_baseline_is_promoted_only_on_insistence(order, make_model):
    model = make_model(status="candidate", card={"beats_baselines": False, "verdict": "Does not beat them."})
    refused = order(f"/models/{model.id}/promote")
    assert refused.status_code == 409
    assert "Does not beat them." in refused.json()["detail"]
    assert order(f"/models/{model.id}/promote?unproven=true").status_code == 200


def test_rolling_back_twice_goes_back_two_models(order, make_model):
    first = make_model(status="retired", promoted_at=at("2026-09-01 00:00"))
    second = make_model(status="retired", promoted_at=at("2026-10-01 00:00"))
    make_model()
    assert order("/models/rollback").json()["id"] == second.id
    assert order("/models/rollback").json()["id"] == first.id
    last = order("/models/rollback")
    assert (last.status_code, last.json()["detail"]) == (409, "There is no earlier model to go back to.")


def test_what_was_gone_back_from_is_not_gone_back_to(order, make_model, session):
    first, second, rejected, last = (
        make_model(status="retired", promoted_at=at("2026-09-01 00:00")),
        make_model(status="retired", promoted_at=at("2026-10-01 00:00")),
        make_model(),
        make_model(status="candidate"),
    )
    assert order("/models/rollback").json()["id"] == second.id
    assert order(f"/models/{last.id}/promote?unproven=true").status_code == 200
    assert order("/models/rollback").json()["id"] == second.id, f"not {rejected.id}"
    assert order("/models/rollback").json()["id"] == first.id


def test_another_model_that_serves_is_asked_for_its_score_anew(order, make_model, session):
    make_model()
    session.execute(text("INSERT INTO rollup_state (id, bucket_seconds, scored_changes) VALUES (1, 3600, 7)"))
    assert order(f"/models/{make_model(status='candidate').id}/promote?unproven=true").status_code == 200
    assert session.scalar(text("SELECT scored_changes FROM rollup_state")) is None


def test_a_model_promoted_twice_tells_both_times_in_which_it_served(order, ask, make_model, session):
    first, second = make_model(), make_model(status="candidate")
    for model in (second, first):
        assert order(f"/models/{model.id}/promote?unproven=true").status_code == 200
    session.expire_all()
    _, body = ask(f"/models/{first.id}")
    now, began = "2026-11-21T08:30:00Z", "2026-11-02T00:00:00Z"
    assert body["stints"] == [{"started_at": began, "ended_at": now}, {"started_at": now, "ended_at": None}]
    _, body = ask("/models")
    assert [len(model["stints"]) for model in body["models"]] == [1, 2]


def test_a_stint_ends_once_and_two_never_go_on_at_once(make_model, session):
    make_model()
    end = "UPDATE serving_stints SET ended_at = started_at + interval '1 day'"
    session.execute(text(end))
    with pytest.raises(IntegrityError, match="never changed"), session.begin_nested():
        session.execute(text(end))
    go_on = "INSERT INTO serving_stints (model_id, started_at) SELECT model_id, ended_at FROM serving_stints"
    session.execute(text(go_on))
    with pytest.raises(IntegrityError, match="uq_serving_stints_open"), session.begin_nested():
        session.execute(text(f"{go_on} WHERE ended_at IS NOT NULL"))


def test_a_promotion_by_a_clock_that_is_behind_ends_the_stint_where_it_began(order, make_model, session):
    serving = make_model(promoted_at=NOW + timedelta(minutes=1))
    assert order(f"/models/{make_model(status='candidate').id}/promote?unproven=true").status_code == 200
    session.expire_all()
    assert [each.ended_at for each in serving.stints] == [NOW + timedelta(minutes=1)]


def test_one_model_at_most_is_the_shadow_and_then_what_it_was_before(order, client, key_for, session, make_model):
    serving = make_model()
    tried, old = make_model(status="candidate"), make_model(status="retired", promoted_at=at("2026-10-01 00:00"))
    assert order(f"/models/{tried.id}/shadow").json()["status"] == "shadow"
    assert order(f"/models/{old.id}/shadow").json()["status"] == "shadow"
    session.expire_all()
    assert tried.status == "candidate"
    refused = order(f"/models/{serving.id}/shadow")
    assert (refused.status_code, "serves already" in refused.json()["detail"]) == (409, True)
    assert client.delete("/api/v1/models/shadow", headers=key_for(Role.ADMIN)).status_code == 204
    session.expire_all()
    assert (old.status, serving.status) == ("retired", "champion")
    subjects = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "shadow model")).all()
    assert subjects == [f"model {tried.id}", f"model {old.id}", "no model"]


def test_what_a_shadow_said_is_not_told_as_history(ask, session, make_machine, make_model, make_prediction):
    machine, serving = make_machine("press"), make_model(promoted_at=at("2026-10-01 00:00"))
    promoted = make_model(status="retired", promoted_at=NOW, served_until=NOW + timedelta(hours=2))
    for model, risk, scored_at in (
        (serving, 0.1, AS_OF),
        (promoted, 0.9, AS_OF),
        (serving, 0.2, NOW + timedelta(hours=1)),
        (promoted, 0.3, NOW + timedelta(hours=1)),
        (serving, 0.4, NOW + timedelta(hours=3)),
        (promoted, 0.8, NOW + timedelta(hours=3)),
    ):
        make_prediction(machine, model, scored_at, latest=False, probabilities=[risk] * 5, scored_at=scored_at)
    _, body = ask("/machines/press/risk/history")
    assert [each["probability"] for each in body["points"]] == pytest.approx([0.1, 0.3, 0.4])


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.PLANNER, Role.SENSOR])
def test_only_an_administrator_promotes(order, make_model, role):
    model = make_model(status="candidate", card={"beats_baselines": True})
    assert order(f"/models/{model.id}/promote", role).status_code == 403
    assert order(f"/models/{model.id}/shadow", role).status_code == 403
    assert order("/models/rollback", role).status_code == 403
    assert model.status == "candidate"


def test_how_a_model_stands_is_told_or_that_nobody_looked(ask, make_model, session):
    model = make_model()
    status, body = ask(f"/models/{model.id}/drift")
    assert status == 404
    assert "was not looked at yet" in body["detail"]
    session.add(ModelReport(model_id=model.id, as_of=AS_OF, asks_for_training=True, body=report_body()))
    session.flush()
    status, body = ask(f"/models/{model.id}/drift")
    assert status == 200
    assert body["asks_for_training"]
    assert body["channels"]["vibration_mm_s"]["now"] == [1.9, 3.1, 4.4]
    assert body["realised"]["horizons"][1]["failures"] == 6
