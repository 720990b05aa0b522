"""Splits: outcome windows never reach into the next part, and every part has failures to teach or judge."""

from __future__ import annotations

import numpy as np
import pytest
from histories import events_of, history_of, moments_at

from ml.labels import label
from ml.split import split

HORIZONS = (24.0, 168.0)
THREE = (0.7, 0.15, 0.15)


def fleet(machines=10, hours=2000, every=6, failing=None, life=lambda machine: 10**9):
    """Each machine fails where `failing(machine)` says, in hours; by default every 400 h, one after the other."""
    failing = failing or (lambda machine: range(40 * machine + 20, hours, 400))
    rows = [
        (machine, hour, 1.0) for machine in range(machines) for hour in range(0, min(hours, life(machine)), every)
    ]
    events = events_of(*((m, "failure", hour) for m in range(machines) for hour in failing(m)))
    history = history_of(rows, events)
    moments = moments_at(*((row[0], row[1] + 1) for row in rows))
    return moments, label(history, moments, HORIZONS, ("failure",))


def run_to_failure():
    return fleet(30, 400, 6, lambda machine: [280 + 4 * machine], lambda machine: 280 + 4 * machine)


def test_the_parts_follow_each_other_in_time_in_their_shares():
    moments, outcomes = fleet()
    found = split(moments, outcomes, shares=THREE)
    train, validation, test = (moments.as_of[part] for part in found.parts)
    assert found.how == "time"
    assert train.max() < validation.min() <= validation.max() < test.min()
    assert [len(part) / len(moments) for part in found.parts] == pytest.approx([0.7, 0.15, 0.15], abs=0.01)


def test_no_outcome_window_of_a_part_reaches_into_the_next():
    moments, outcomes = fleet()
    found = split(moments, outcomes, shares=THREE)
    for part, later in zip(found.parts, found.parts[1:], strict=False):
        known = found.outcomes.take(part)
        begins = moments.as_of[later].min()
        ends = moments.as_of[part][:, None] + np.array(HORIZONS) * 3600
        assert (ends[known.exposure > 0] <= begins).all()
        assert (known.exposure.sum(axis=0) < len(part)).all()
        failed = known.failure >= 0
        assert (moments.as_of[part] + known.hours_to_failure * 3600 < begins)[failed].all()


def test_four_fifths_are_learnt_from_where_nothing_else_is_said():
    moments, outcomes = fleet()
    assert [len(part) / len(moments) for part in split(moments, outcomes).parts] == pytest.approx(
        [0.8, 0.2], abs=0.01
    )


def test_the_last_part_keeps_its_outcomes():
    moments, outcomes = fleet()
    found = split(moments, outcomes, shares=THREE)
    np.testing.assert_array_equal(found.outcomes.exposure[found.parts[-1]], outcomes.exposure[found.parts[-1]])


def test_weights_count_as_time():
    moments, outcomes = fleet()
    early = moments.as_of < np.median(moments.as_of)
    outcomes.weight[early] = 9
    found = split(moments, outcomes, shares=(0.5, 0.5))
    assert moments.as_of[found.parts[0]].max() < np.median(moments.as_of)


def test_machines_run_to_failure_from_one_start_are_kept_apart_whole():
    moments, outcomes = run_to_failure()
    found = split(moments, outcomes, shares=THREE, seed=1)
    assert found.how == "machines"
    assert "late" in found.words
    parts = [set(moments.machine[part]) for part in found.parts]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 30
    assert [len(part) for part in parts] == pytest.approx([21, 4.5, 4.5], abs=1)


def test_too_few_failures_for_a_cut_in_time_keep_machines_apart_with_failures_in_each_part():
    moments, outcomes = fleet(12, 2000, 6, lambda machine: [100 * machine + 150] if machine < 4 else [])
    found = split(moments, outcomes, shares=THREE, seed=1)
    assert found.how == "machines"
    assert all((outcomes.failure[part] >= 0).any() for part in found.parts)


def test_a_seed_repeats_and_the_order_of_machines_is_drawn():
    moments, outcomes = run_to_failure()
    first, again, other = (split(moments, outcomes, seed=seed).parts[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_one_machine_can_only_be_cut_by_time_and_the_words_say_so():
    moments, outcomes = fleet(1, 400, 6, lambda machine: [300])
    found = split(moments, outcomes, shares=THREE)
    assert found.how == "time"
    assert "too few machines" in found.words
