from datetime import timedelta

import pytest
from factories import at

from app.risk.assess import Known, Limits, Status, assess, expected_loss, stale_after

NOW = at("2026-11-21 08:00")
LIMITS = Limits(0.15, 0.35, timedelta(hours=3), timedelta(hours=3))
FRESH = {"last_reading_at": at("2026-11-21 07:59"), "as_of": at("2026-11-21 08:00"), "not_enough_data": None}


def status_of(**known):
    return assess(Known(**(FRESH | {"probability": 0.05} | known)), LIMITS, NOW)


@pytest.mark.parametrize(
    ("probability", "status"),
    [(0, "normal"), (0.149, "normal"), (0.15, "warning"), (0.349, "warning"), (0.35, "alarm"), (1, "alarm")],
)
def test_a_fresh_prediction_is_judged_by_its_probability(probability, status):
    found = status_of(probability=probability)
    assert (found.status, found.reason) == (status, None)


def test_silence_outranks_every_prediction():
    found = status_of(probability=0.9, last_reading_at=at("2026-11-21 04:59"))
    assert found.status is Status.NO_DATA
    assert found.reason == "silent: no reading since 2026-11-21 04:59 UTC"


def test_silence_begins_after_its_limit_not_at_it():
    assert status_of(last_reading_at=at("2026-11-21 05:00")).status is Status.NORMAL


def test_a_machine_that_never_sent_a_reading_says_so():
    found = status_of(last_reading_at=None, as_of=None, probability=None)
    assert found.status is Status.NO_DATA
    assert found.reason == "no prediction yet: no reading has arrived"


def test_a_machine_that_was_not_scored_has_not_enough_data():
    found = status_of(as_of=None, probability=None)
    assert (found.status, found.reason) == (Status.NOT_ENOUGH_DATA, "no prediction yet: not scored so far")


def test_the_models_own_doubt_is_passed_on():
    found = status_of(not_enough_data="only 3 of 168 buckets hold data", probability=0.9)
    assert (found.status, found.reason) == (Status.NOT_ENOUGH_DATA, "only 3 of 168 buckets hold data")


def test_an_old_prediction_is_stale_instead_of_normal():
    found = status_of(as_of=at("2026-11-21 04:59"))
    assert found.status is Status.NOT_ENOUGH_DATA
    assert found.reason == "stale: the newest prediction is from 2026-11-21 04:59 UTC"
    assert status_of(as_of=at("2026-11-21 05:00")).status is Status.NORMAL


def test_a_decommissioned_machine_is_not_judged():
    assert status_of(decommissioned_at=NOW).status is Status.NO_DATA
    assert status_of(decommissioned_at=NOW + timedelta(days=1)).status is Status.NORMAL


def test_a_missing_probability_is_never_normal():
    assert status_of(probability=None).status is Status.NOT_ENOUGH_DATA


def test_staleness_grows_with_bucket_and_scoring_interval():
    assert stale_after(timedelta(hours=1), timedelta(minutes=1)) == timedelta(hours=3, minutes=3)
    assert stale_after(timedelta(seconds=1), timedelta(minutes=1)) == timedelta(minutes=3, seconds=3)


def test_expected_loss_is_probability_times_consequence():
    assert expected_loss(0.25, 8000) == 2000
