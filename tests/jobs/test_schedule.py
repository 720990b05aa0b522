"""The worker trains when there is something new to learn, and never when a plant trains by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from app.fleet.tables import Event, Machine
from app.ingest.tables import Channel, Rollup
from app.risk.tables import Model
from app.settings import Settings
from ml.artefacts import KEY_FILE, artefact_key
from ml.jobs.schedule import training_due
from ml.manifest import FORMAT, library_versions, signature

READABLE = {"format": FORMAT, "libraries": library_versions(), "parts": {}}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def machine(session):
    machine = Machine(key="press-01")
    session.add(machine)
    session.flush()
    return machine


def with_data(session, machine, hours):
    channel = session.query(Channel).first() or Channel(key="vibration_mm_s")
    session.add(channel)
    session.flush()
    at = NOW - timedelta(hours=hours)
    session.add(
        Rollup(
            machine_id=machine.id, channel_id=channel.id, bucket_start=at, n=1, mean=1, min=1, max=1, std=0, last=1
        )
    )
    session.flush()


@pytest.fixture
def with_model(session, settings):
    """Signed by this plant."""

    def make(kind, age, status="champion", manifest=None):
        manifest = manifest or READABLE | {"kind": kind}
        manifest = manifest | {"signature": signature(manifest, artefact_key(settings.data_dir))}
        session.add(
            Model(kind=kind, status=status, run="r", trained_until=NOW - age, created_at=NOW - age,
                  bucket_seconds=3600, horizons_hours=[24.0], modes=["failure"], card={}, manifest=manifest)
        )  # fmt: skip
        session.flush()

    return make


def with_failures(session, machine, count, since=0, told=0):
    """`since` and `told` are the hours ago of the last failure and of its record."""
    session.add_all(
        Event(machine_id=machine.id, kind="failure", code="VIB", started_at=NOW - timedelta(hours=since + n + 1),
              recorded_at=NOW - timedelta(hours=told))
        for n in range(count)
    )  # fmt: skip
    session.flush()


def test_a_new_plant_is_learnt_from_once_it_has_a_few_days(session, settings, machine):
    assert training_due(session, settings, NOW, NOW) is None
    with_data(session, machine, 10)
    assert training_due(session, settings, NOW, NOW) is None
    with_data(session, machine, 80)
    assert training_due(session, settings, NOW, NOW) == "there is data and no model yet"


def test_a_model_of_last_week_is_followed_by_another(session, settings, with_model):
    with_model("ensemble", timedelta(days=6))
    assert training_due(session, settings, NOW, NOW) is None
    session.execute(delete(Model))
    with_model("ensemble", timedelta(days=8))
    assert training_due(session, settings, NOW, NOW) == "the newest model is of 2026-11-12"


def test_the_first_failures_of_a_plant_without_labels_are_not_kept_waiting(session, settings, machine, with_model):
    with_model("anomaly", timedelta(days=2))
    with_failures(session, machine, 2)
    assert training_due(session, settings, NOW, NOW) is None
    with_failures(session, machine, 2, since=10)
    assert "no risk is served" in training_due(session, settings, NOW, NOW)


def test_failures_too_few_to_learn_from_are_not_tried_again_every_day(session, settings, machine, with_model):
    with_failures(session, machine, 3, told=72)
    with_model("anomaly", timedelta(days=2))
    assert training_due(session, settings, NOW, NOW) is None
    with_failures(session, machine, 1, since=10)
    assert training_due(session, settings, NOW, NOW) == "4 failures are recorded and no risk is served"


def test_a_model_that_this_plant_did_not_sign_is_learnt_anew_at_once(session, settings, with_model):
    with_model("ensemble", timedelta(hours=2))
    assert training_due(session, settings, NOW, NOW) is None
    (settings.data_dir / KEY_FILE).unlink()
    assert "was not signed by this plant" in training_due(session, settings, NOW, NOW)


def test_but_are_not_asked_for_more_often_than_daily(session, settings, machine, with_model):
    with_failures(session, machine, 5)
    with_model("anomaly", timedelta(hours=3))
    assert training_due(session, settings, NOW, NOW) is None


@pytest.mark.parametrize("changed", [{"format": FORMAT - 1}, {"libraries": {"scikit-learn": "0.1"}}])
def test_after_an_upgrade_that_the_serving_model_did_not_survive_a_training_is_due(
    session, settings, changed, with_model
):
    other = READABLE | {"kind": "random_forest"} | changed
    with_model("random_forest", timedelta(days=2), manifest=other)
    assert "Train again" in training_due(session, settings, NOW, NOW)
    with_model("lstm", timedelta(hours=2), status="candidate", manifest=other)
    assert "Train again" in training_due(session, settings, NOW, NOW), "it does not wait for a day without a risk"
    with_model("lstm", timedelta(hours=1), status="candidate")
    assert training_due(session, settings, NOW, NOW) is None


def test_two_versions_side_by_side_do_not_train_in_turn_without_end(session, settings, with_model):
    other = READABLE | {"kind": "ensemble", "format": FORMAT - 1}
    with_model("ensemble", timedelta(hours=2), manifest=other)
    assert training_due(session, settings, NOW, NOW - timedelta(hours=3)) is None
    assert training_due(session, settings, NOW, NOW - timedelta(hours=1)) is not None


def test_a_network_that_an_upgrade_left_behind_is_not_hidden_by_the_baselines_of_its_run(
    session, settings, with_model
):
    other = READABLE | {"kind": "ensemble", "format": FORMAT - 1}
    with_model("ensemble", timedelta(hours=2), manifest=other)
    with_model("weibull", timedelta(hours=2), status="candidate")
    assert training_due(session, settings, NOW, NOW) is not None


def test_other_buckets_are_learnt_from_at_once(session, settings, with_model):
    with_model("ensemble", timedelta(hours=2))
    session.query(Model).update({"bucket_seconds": 60})
    assert "buckets of 60 s" in training_due(session, settings, NOW, NOW)


def test_a_plant_that_trains_by_hand_is_left_alone(session, tmp_path, with_model):
    by_hand = Settings(data_dir=tmp_path, train_every="0")
    with_model("ensemble", timedelta(days=800))
    assert training_due(session, by_hand, NOW, NOW) is None
