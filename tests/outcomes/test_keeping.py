"""The ledger in the database: from served predictions to entries that are never changed, whatever is told later."""

from __future__ import annotations

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from app.fleet.actions import withdraw
from app.orders import actions as orders
from app.orders import findings
from app.orders.findings import Moments
from app.orders.schemas import CorrectIn, DoneIn, StartIn, StepIn, WorkOrderIn
from app.outcomes.reading import summary_out
from app.outcomes.store import OutcomeFilter
from app.outcomes.tables import OutcomeMark, OutcomeRevision
from app.risk.actions import promote, roll_back
from app.risk.tables import Prediction
from app.security.principal import Principal, Role
from app.settings import Settings
from ml.jobs import outcomes as job

from .conftest import BEGIN, HIGH, HOUR, LOW, NOW

PIA = Principal("person", "Pia", Role.PLANNER)


def failure(make_event, machine, hours, **columns):
    return make_event(machine, "failure", started_at=BEGIN + hours * HOUR, code="VIB", **columns)


def promoted(session, model, hours):
    promote(session, None, model.id, BEGIN + hours * HOUR, unproven=True)


def revisions(session):
    return session.scalars(select(OutcomeRevision).order_by(OutcomeRevision.id)).all()


def test_a_warning_opens_and_ends_as_a_hit(
    session, make_machine, make_event, served, champion, keep_ledger, ledger
):
    machine = make_machine(asset_class="pump", failure_cost=5000.0, preventive_cost=700.0)
    served(machine, risky=range(10, 20), until=20)
    keep_ledger(machine, 20)
    assert ledger() == [("open", "undecided", 10)]
    failure(make_event, machine, 40)
    assert keep_ledger(machine, 41) == 1
    assert ledger() == [("hit", "failed", 10)]
    first, second = revisions(session)
    assert (first.revision, second.revision, first.at) == (1, 2, second.at)
    assert (second.model_id, second.asset_class, second.lead_time_hours) == (champion.id, "pump", 30)
    assert (second.probability, second.threshold, second.horizon_hours) == (pytest.approx(0.4), 0.15, 168)
    assert (second.lost, second.saved, second.spent) == (5000, 0, 0)
    assert second.because.startswith("The machine failed on 2026-10-02 16:00 UTC (recorded on ")


def test_twice_and_again_later_adds_nothing(session, make_machine, make_event, served, keep_ledger):
    machine = make_machine()
    served(machine, risky=[*range(10), 300], until=500)
    failure(make_event, machine, 310)
    failure(make_event, machine, 490)
    assert keep_ledger(machine) == 3
    assert [keep_ledger(machine), keep_ledger(machine, 2000)] == [0, 0]
    session.execute(update(OutcomeMark).values(told="nothing"))
    assert keep_ledger(machine) == 0


def test_hour_by_hour_ends_as_all_at_once(make_machine, make_event, served, keep_ledger, ledger):
    risky = [*range(5, 9), 60, *range(230, 420), 700]
    happened = {61: ("failure", "VIB"), 410: ("failure", "OHE"), 705: ("service", "preventive")}
    step_by_step, at_once = make_machine("a"), make_machine("b")
    for hour in range(0, 912, 12):
        now = range(hour, hour + 12)
        served(step_by_step, [each for each in risky if each in now])
        for told in (each for each in happened if each in now):
            kind, code = happened[told]
            make_event(step_by_step, kind, code=code, started_at=BEGIN + told * HOUR)
        keep_ledger(step_by_step, hour + 12)
    served(at_once, risky)
    for told, (kind, code) in happened.items():
        make_event(at_once, kind, code=code, started_at=BEGIN + told * HOUR)
    keep_ledger(at_once, 912)
    expected = [("hit", 5), ("false", 230), ("hit", 243), ("false", 411), ("unknown", 700)]
    assert [(outcome, begin) for outcome, _, begin in ledger(machine="a")] == expected
    assert ledger(machine="b") == ledger(machine="a")


def test_a_second_score_of_the_same_time_does_not_undo_what_was_shown(
    session, make_machine, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, risky=[10])
    keep_ledger(machine, 10)
    said = session.scalars(select(Prediction)).one()
    said.probabilities, said.scored_at = LOW, said.as_of + HOUR / 2
    session.flush()
    keep_ledger(machine, 11)
    assert ledger() == [("open", "undecided", 10)]


def test_a_second_score_may_be_the_first_that_warns(session, make_machine, served, keep_ledger, ledger):
    machine = make_machine()
    served(machine, until=10)
    keep_ledger(machine, 10.1)
    said = session.scalars(select(Prediction).order_by(Prediction.as_of.desc())).first()
    said.probabilities, said.scored_at = HIGH, said.as_of + HOUR / 2
    session.flush()
    keep_ledger(machine, 10.6)
    assert ledger() == [("open", "undecided", 10)]


def test_a_score_after_the_failure_makes_no_hit_of_a_miss(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, until=10)
    failure(make_event, machine, 10.2)
    keep_ledger(machine, 10.3)
    said = session.scalars(select(Prediction).order_by(Prediction.as_of.desc())).first()
    said.probabilities, said.scored_at = HIGH, said.as_of + HOUR / 2
    session.flush()
    assert keep_ledger(machine, 10.6) == 0
    assert ledger() == [("missed", "not_warned", 10.2)]


def test_a_model_that_first_spoke_after_the_failure_missed_nothing(
    make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, until=0, scored_at=BEGIN + HOUR / 2)
    failure(make_event, machine, 0.2)
    keep_ledger(machine, 1)
    assert ledger() == []


def test_the_model_that_warned_first_counts_where_two_scored_the_same_hour(
    session, make_machine, make_model, served, champion, keep_ledger, ledger
):
    machine = make_machine()
    second = make_model("candidate")
    promoted(session, second, 10.3)
    served(machine, risky=[10])
    served(machine, until=10, model=second, scored_at=BEGIN + 10.4 * HOUR)
    keep_ledger(machine, 10.5)
    assert ledger(model=champion.id) == ledger() == [("open", "undecided", 10)]


def test_the_model_that_spoke_last_missed_it(
    make_machine, make_model, make_event, served, champion, session, keep_ledger
):
    machine = make_machine()
    second = make_model("candidate")
    promoted(session, second, 10.3)
    served(machine, until=10)
    served(machine, model=second, risky=[10], probabilities=LOW, scored_at=BEGIN + 10.4 * HOUR)
    failure(make_event, machine, 11)
    keep_ledger(machine, 12)
    assert [each.model_id for each in revisions(session)] == [second.id]


@pytest.fixture
def promoted_again(session, make_model, champion):
    """The champion is replaced at hour 100, scored in the shadow of the next, and promoted anew at hour 200."""
    second = make_model("candidate")
    promoted(session, second, 100)
    promoted(session, champion, 200)
    return second


@pytest.mark.parametrize(("risky", "became"), [([], ("missed", "not_warned", 80)), ([30], ("hit", "failed", 30))])
def test_a_failure_of_a_models_first_stint_told_late_is_held_to_what_it_said_then(
    make_machine, make_event, served, keep_ledger, ledger, promoted_again, risky, became
):
    machine = make_machine()
    served(machine, risky=risky, until=90)
    failure(make_event, machine, 80)
    keep_ledger(machine, 300)
    assert ledger() == [became]


def test_what_a_model_said_in_the_shadow_between_two_stints_is_not_credited(
    make_machine, make_event, served, keep_ledger, ledger, promoted_again
):
    machine, never_warned = make_machine("a"), make_machine("b")
    for each in (machine, never_warned):
        served(each, risky=[101, 150, 199])
        failure(make_event, each, 199.5)
    served(machine, until=190, model=promoted_again, risky=[102])
    keep_ledger(machine, 300)
    keep_ledger(never_warned, 300)
    assert ledger(model=promoted_again.id) == ledger() == [("hit", "failed", 102)]


def test_going_back_to_a_model_begins_a_stint_and_its_pause_is_none(
    session, make_machine, make_model, served, champion, keep_ledger, ledger
):
    machine = make_machine()
    promoted(session, make_model("candidate"), 10)
    assert roll_back(session, None, BEGIN + 20 * HOUR) is champion
    served(machine, risky=[5, *range(11, 20), 200])
    keep_ledger(machine, 201)
    assert ledger() == [("false", "horizon_over", 5), ("open", "undecided", 200)]
    session.expire_all()
    assert [(each.started_at, each.ended_at) for each in champion.stints][1:] == [(BEGIN + 20 * HOUR, None)]


def test_what_nobody_was_shown_is_no_warning(make_machine, make_model, served, keep_ledger, ledger):
    machine = make_machine(decommissioned_at=BEGIN + 50 * HOUR)
    shadow = make_model("shadow", promoted_at=None)
    retired = make_model("retired", promoted_at=BEGIN - 9 * HOUR, served_until=BEGIN)
    served(machine, risky=[1], model=shadow)
    served(machine, risky=[2], model=retired)
    served(machine, risky=[3], not_enough_data="stale")
    served(machine, risky=[4], probabilities=None)
    served(machine, risky=[5], scored_at=NOW)
    served(machine, risky=[51])
    keep_ledger(machine)
    assert ledger() == []


def test_the_threshold_is_the_plants_and_includes_itself(session, make_machine, served, ledger, tmp_path):
    machine = make_machine()
    served(machine, risky=[1], probabilities=[0.1, 0.2, 0.25, 0.5, 0.6])
    job.keep(session, Settings(data_dir=tmp_path, warn_probability=0.2501), [machine.id], BEGIN + 2 * HOUR)
    assert ledger() == []
    job.keep(session, Settings(data_dir=tmp_path, warn_probability=0.25), [machine.id], BEGIN + 2 * HOUR)
    assert ledger() == [("open", "undecided", 1)]


def test_a_model_that_looks_less_far_is_held_to_its_longest_horizon(
    session, make_machine, make_model, served, keep_ledger, ledger
):
    stint = {"promoted_at": BEGIN, "served_until": NOW}
    machine, short = make_machine(), make_model("retired", horizons_hours=[24.0, 72.0], **stint)
    served(machine, risky=[1], until=80, model=short, probabilities=None)
    session.execute(text("UPDATE predictions SET probabilities = '{0.1,0.2}'"))
    keep_ledger(machine, 90)
    assert ledger() == [("false", "horizon_over", 0)]
    assert revisions(session)[0].horizon_hours == 72


def test_a_failure_told_late_makes_a_hit_of_a_false_warning(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, risky=[0], until=400)
    keep_ledger(machine, 400)
    assert ledger() == [("false", "horizon_over", 0)]
    failure(make_event, machine, 100)
    keep_ledger(machine, 401)
    assert ledger() == [("hit", "failed", 0)]
    assert [each.outcome for each in revisions(session)] == ["false", "hit"]


def test_a_withdrawn_failure_says_who_took_it_back_and_why(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, risky=[0], until=600)
    caught, missed = failure(make_event, machine, 100), failure(make_event, machine, 500)
    keep_ledger(machine)
    assert [each[0] for each in ledger()] == ["hit", "missed"]
    withdraw(session, PIA, machine, [caught.id, missed.id], "It was another machine.")
    assert keep_ledger(machine) == 2
    assert ledger() == [("false", "horizon_over", 0)]
    assert ledger(outcomes=("withdrawn",)) == [("withdrawn", "taken_back", 500)]
    told = [each.because for each in revisions(session)[2:]]
    assert all("Pia withdrew the failure of 2026-10-" in each for each in told)
    assert all("It was another machine." in each for each in told)
    assert keep_ledger(machine) == 0


def test_a_fault_found_without_a_warning_is_counted_apart_and_goes_with_its_finding(
    session, make_machine, served, champion, keep_ledger, ledger, client
):
    machine = make_machine(failure_cost=5000.0)
    served(machine, until=30)
    when, modes = Moments(BEGIN + 30 * HOUR, BEGIN + 31 * HOUR), client.app.state.failure_modes
    order = orders.add_order(session, PIA, WorkOrderIn(machine=machine.key), when.now)[0].order
    orders.accept(session, PIA, order.id, StepIn(version=1), when.now)
    started = StartIn(version=2, started_at=BEGIN + 20 * HOUR)
    orders.start(session, PIA, order.id, started, when.now, when.latest)
    found = {"outcome": "fault_found", "mode": "VIB", "component": "radial bearing"}
    findings.finish(session, PIA, order.id, DoneIn(version=3, **found), modes, when)
    assert keep_ledger(machine, 31) == 1
    assert ledger(outcomes=("found",), model=champion.id) == ledger() == [("found", "found_unwarned", 20)]
    (kept,) = revisions(session)
    assert (kept.because, kept.lost) == (f"Work order {order.id} found a fault; no warning was in force.", 0)
    sums = summary_out(session, OutcomeFilter(), "€").whole
    assert (sums.found, sums.missed, sums.recall.of, sums.precision.of) == (1, 0, 0, 0)
    session.execute(text("DELETE FROM latest_predictions"))
    session.execute(text("DELETE FROM predictions"))
    session.execute(update(OutcomeMark).values(told="nothing"))
    assert keep_ledger(machine, 33) == 0
    corrected = CorrectIn(version=4, why="Seen again.", outcome="nothing_wrong")
    findings.correct(session, PIA, order.id, corrected, modes, when)
    assert keep_ledger(machine, 34) == 1
    assert ledger(outcomes=("withdrawn",)) == [("withdrawn", "taken_back", 20)]


def test_a_finding_decides_and_its_correction_is_another_revision(
    session, make_machine, served, keep_ledger, ledger, client
):
    machine = make_machine(preventive_cost=700.0, failure_cost=5000.0)
    served(machine, risky=[0], until=30)
    when = Moments(BEGIN + 30 * HOUR, BEGIN + 31 * HOUR)
    order = orders.add_order(session, PIA, WorkOrderIn(machine=machine.key), when.now)[0].order
    orders.accept(session, PIA, order.id, StepIn(version=1), when.now)
    started = StartIn(version=2, started_at=BEGIN + 20 * HOUR)
    orders.start(session, PIA, order.id, started, when.now, when.latest)
    modes = client.app.state.failure_modes
    findings.finish(session, PIA, order.id, DoneIn(version=3, outcome="nothing_wrong"), modes, when)
    keep_ledger(machine, 31)
    assert ledger() == [("false", "nothing_wrong", 0)]
    found = {"outcome": "fault_found", "mode": "VIB", "component": "radial bearing"}
    findings.correct(session, PIA, order.id, CorrectIn(version=4, why="Seen again.", **found), modes, when)
    keep_ledger(machine, 32)
    assert ledger() == [("hit", "fault_found", 0)]
    first, second = revisions(session)
    assert (first.spent, second.spent, second.saved) == (100, 0, 4300)
    assert (second.work_order_id, second.lead_time_hours) == (order.id, 20)
    assert second.because == f"Work order {order.id} found a fault."


def test_predictions_that_retention_dropped_change_nothing(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, risky=[0], until=400)
    failure(make_event, machine, 300)
    keep_ledger(machine)
    before = ledger()
    assert [each[0] for each in before] == ["false", "missed"]
    session.execute(text("DELETE FROM latest_predictions"))
    session.execute(text("DELETE FROM predictions"))
    make_event(machine, "service", code="inspection", started_at=BEGIN + 390 * HOUR)
    assert (keep_ledger(machine), ledger()) == (0, before)


def test_a_miss_stays_one_where_retention_spared_an_older_prediction(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine(failure_cost=8000.0)
    served(machine, until=600)
    failure(make_event, machine, 500)
    keep_ledger(machine)
    session.execute(
        text(
            "DELETE FROM predictions WHERE as_of <> :spared AND NOT EXISTS"
            " (SELECT FROM latest_predictions WHERE prediction_id = predictions.id)"
        ),
        {"spared": BEGIN + 24 * HOUR},
    )
    make_event(machine, "service", code="inspection", started_at=BEGIN + 590 * HOUR)
    assert (keep_ledger(machine), ledger()) == (0, [("missed", "not_warned", 500)])


def test_an_inspection_taken_back_no_longer_proves_that_the_machine_ran(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, risky=[0], until=20)
    keep_ledger(machine)
    inspection = make_event(machine, "service", code="inspection", started_at=BEGIN + 400 * HOUR)
    keep_ledger(machine)
    assert ledger() == [("false", "horizon_over", 0)]
    withdraw(session, PIA, machine, [inspection.id], "It was another machine.")
    assert keep_ledger(machine) == 1
    assert ledger() == [("unknown", "predictions_stopped", 0)]


def test_a_service_told_after_its_warning_was_false_is_spent_in_another_revision(
    session, make_machine, make_event, served, keep_ledger
):
    machine = make_machine(preventive_cost=700.0)
    served(machine, risky=[0], until=200)
    keep_ledger(machine)
    make_event(machine, "service", code="preventive", component="radial bearing", started_at=BEGIN + 100 * HOUR)
    assert [keep_ledger(machine), keep_ledger(machine)] == [1, 0]
    first, second = revisions(session)
    assert (first.spent, second.spent, second.outcome) == (100, 700, "false")
    assert second.because == f"{first.because} It was serviced while the warning stood."


def test_a_second_failure_in_the_downtime_of_the_first_costs_nothing_more(
    session, make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine(failure_cost=5000.0)
    served(machine, risky=[0, 51, 52], until=60)
    failure(make_event, machine, 50, ended_at=BEGIN + 56 * HOUR)
    failure(make_event, machine, 53)
    keep_ledger(machine)
    assert ledger() == [("hit", "failed", 0)]
    assert sum(each.lost for each in revisions(session)) == 5000


def test_what_was_predicted_while_a_machine_stood_is_no_word_of_its_failure(
    make_machine, make_event, served, keep_ledger, ledger
):
    machine = make_machine()
    served(machine, until=150)
    make_event(machine, "service", code="inspection", started_at=BEGIN, ended_at=BEGIN + 190 * HOUR)
    failure(make_event, machine, 191)
    keep_ledger(machine)
    assert ledger() == [("unknown", "not_predicted", 191)]


def test_a_decommissioning_still_ahead_decides_nothing(session, make_machine, served, keep_ledger, ledger):
    machine = make_machine(decommissioned_at=BEGIN + 50 * HOUR)
    served(machine, risky=[0], until=40)
    keep_ledger(machine, 40)
    assert ledger() == [("open", "undecided", 0)]
    keep_ledger(machine, 51)
    assert ledger() == [("unknown", "decommissioned", 0)]


def test_other_costs_later_do_not_rewrite_the_ledger(session, make_machine, make_event, served, keep_ledger):
    machine = make_machine(failure_cost=5000.0)
    served(machine, risky=[0], until=10)
    failure(make_event, machine, 20)
    keep_ledger(machine)
    machine.failure_cost = 9000.0
    failure(make_event, machine, 900)
    keep_ledger(machine)
    assert [each.failure_cost for each in revisions(session)] == [5000, 9000]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE outcomes SET outcome = 'hit'",
        "DELETE FROM outcomes",
        "TRUNCATE outcomes CASCADE",
        "UPDATE served_alerts SET probability = 0",
        "DELETE FROM served_alerts",
        "TRUNCATE served_alerts",
        "DELETE FROM outcome_marks",
        "TRUNCATE outcome_marks",
        "DELETE FROM serving_stints",
        "TRUNCATE serving_stints",
        "UPDATE serving_stints SET started_at = started_at - interval '1 day'",
        "UPDATE serving_stints SET ended_at = now(), started_at = started_at - interval '1 day'",
        "UPDATE serving_stints SET ended_at = now(), model_id = model_id + 1",
        "UPDATE serving_stints SET ended_at = NULL",
    ],
)
def test_the_database_refuses_to_change_or_delete_what_was_kept(
    session, make_machine, served, keep_ledger, statement
):
    machine = make_machine()
    served(machine, risky=[0])
    keep_ledger(machine)
    with pytest.raises(IntegrityError, match="never changed or deleted"), session.begin_nested():
        session.execute(text(statement))
    assert len(revisions(session)) == 1


def test_the_same_revision_cannot_be_there_twice(session, make_machine, served, keep_ledger):
    machine = make_machine()
    served(machine, risky=[0])
    keep_ledger(machine)
    copied = "INSERT INTO outcomes SELECT * FROM (SELECT * FROM outcomes) one"
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text(copied.replace("INTO outcomes", "INTO outcomes OVERRIDING SYSTEM VALUE")))


def test_a_run_killed_midway_leaves_whole_machines_and_the_next_goes_on(engine, settings, monkeypatch):
    with engine.begin() as connection:
        connection.execute(text(FLEET), {"begin": BEGIN, "high": HIGH, "hours": 3, "machines": 5})
    monkeypatch.setattr(job, "MACHINES_AT_ONCE", 2)
    kept = job.keep

    def dies(session, settings_, ids, now):
        added = kept(session, settings_, ids, now)
        if 3 in ids:
            raise KeyboardInterrupt
        return added

    monkeypatch.setattr(job, "keep", dies)
    with pytest.raises(KeyboardInterrupt):
        job.keep_outcomes(engine, settings, NOW)
    monkeypatch.setattr(job, "keep", kept)
    assert job.keep_outcomes(engine, settings, NOW) == 3
    assert job.keep_outcomes(engine, settings, NOW) == 0


def test_a_second_keeper_waits_for_the_first_and_adds_nothing(engine, settings):
    with engine.begin() as connection:
        connection.execute(text(FLEET), {"begin": BEGIN, "high": HIGH, "hours": 3, "machines": 2})
    with Session(engine) as first, Session(engine) as second:
        assert job.keep(first, settings, [1, 2], NOW) == 2
        second.execute(text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(OperationalError, match="pg_advisory_xact_lock"):
            job.keep(second, settings, [1, 2], NOW)
        first.commit()
        second.rollback()
        assert job.keep(second, settings, [1, 2], NOW) == 0


def test_a_fleet_costs_as_many_statements_as_a_machine(session, settings, make_machine, served):
    machines = [make_machine(f"m-{number}") for number in range(20)]
    for machine in machines:
        served(machine, risky=[0, 1])
    session.commit()
    counts = []
    for some in (machines[:1], machines[1:]):
        seen = []
        listener = (session.connection().engine, "before_cursor_execute", lambda *given, to=seen: to.append(given))
        event.listen(*listener)
        job.keep(session, settings, [each.id for each in some], NOW)
        event.remove(*listener)
        counts.append(len(seen))
    assert counts[0] == counts[1] > 5


FLEET = """
WITH model AS (
    INSERT INTO models (kind, status, run, trained_until, promoted_at, bucket_seconds, horizons_hours, modes, card,
        manifest)
    VALUES ('ensemble', 'champion', 'r', :begin, :begin, 3600, '{24,72,168,336,720}', '{}', '{}', '{}') RETURNING id
), stint AS (
    INSERT INTO serving_stints (model_id, started_at) SELECT id, :begin FROM model
), fleet AS (
    INSERT INTO machines (key, configured) SELECT 'm-' || i, true FROM generate_series(1, :machines) i RETURNING id
)
INSERT INTO predictions (machine_id, model_id, as_of, scored_at, horizons_hours, probabilities, modes, coverage,
    reasons)
SELECT fleet.id, model.id, :begin + hour * interval '1 hour', :begin + hour * interval '1 hour',
    '{24,72,168,336,720}', :high, '{}', 1, '[]'
FROM fleet, model, generate_series(0, :hours) hour
"""
