"""What is not learnt is not spoken of."""

from __future__ import annotations

import numpy as np
import pytest

from ml.failures import TooFewFailures
from ml.lesson import _seen_through
from ml.split import split


def cut_of(fleet, horizons):
    features, outcomes = fleet(machines=8, horizons=horizons)
    return features, outcomes, split(features.moments, outcomes)


def test_a_horizon_up_to_which_nobody_was_watched_is_left_out_in_words(fleet):
    _, outcomes, cut = cut_of(fleet, (24.0, 72.0, 9000.0, 10000.0))
    kept, shorter = _seen_through(outcomes, cut)
    assert kept.horizons_hours == shorter.outcomes.horizons_hours == (24.0, 72.0)
    assert "nothing is said of 9000 h, 10000 h" in shorter.words
    later = outcomes.interval >= 2
    assert (kept.interval[later] == 2).all()
    assert (kept.failure[later] == -1).all()
    assert np.isnan(kept.hours_to_failure[later]).all()
    assert (kept.failure[~later] == outcomes.failure[~later]).all()
    assert (~later & (outcomes.failure >= 0)).any()
    assert (later & (outcomes.failure >= 0)).any()


def test_those_that_were_watched_are_all_kept(fleet):
    _, outcomes, cut = cut_of(fleet, (24.0, 72.0, 168.0))
    kept, same = _seen_through(outcomes, cut)
    assert kept is outcomes
    assert same is cut


def test_where_all_run_to_failure_that_all_fail_is_known(fleet):
    _, outcomes, cut = cut_of(fleet, (24.0, 72.0, 9000.0))
    for told in (outcomes, cut.outcomes):
        told.interval[:] = np.minimum(told.interval, 2)
    assert _seen_through(outcomes, cut)[0].horizons_hours == (24.0, 72.0, 9000.0)


def test_too_short_a_history_teaches_nothing(fleet):
    _, outcomes, cut = cut_of(fleet, (9000.0,))
    with pytest.raises(TooFewFailures, match="no machine was watched for 9000 h"):
        _seen_through(outcomes, cut)
