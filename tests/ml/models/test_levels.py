"""Levels keep the order of values, tell few values apart wholly, and are as fine where failures are."""

from __future__ import annotations

import numpy as np
import pytest

from ml.models.levels import Levels

COUNT = 63


def columns(*each):
    return np.column_stack(each).astype(np.float32)


def some(n=5000, rare=50, seed=1):
    random = np.random.default_rng(seed)
    values = columns(random.normal(size=n), random.poisson(0.05, n), np.full(n, 3.0), random.normal(size=n) * 1e30)
    values[random.random(values.shape) < 0.1] = np.nan
    is_rare = np.arange(n) < rare
    values[is_rare, 0] += 4
    return values, is_rare


def test_levels_keep_the_order_and_what_is_unknown():
    values, rare = some()
    levels = Levels.learn(values, rare, COUNT).apply(values)
    np.testing.assert_array_equal(np.isnan(levels), np.isnan(values))
    for own, level in zip(values.T, levels.T, strict=True):
        known = np.isfinite(own)
        order = np.argsort(own[known])
        assert (np.diff(level[known][order]) >= 0).all()
        assert len(np.unique(level[known])) <= COUNT


def test_few_values_are_all_told_apart():
    values, rare = some()
    levels = Levels.learn(values, rare, COUNT).apply(values)
    for column in (1, 2):
        known = np.isfinite(values[:, column])
        pairs = np.unique(np.column_stack([values[known, column], levels[known, column]]), axis=0)
        assert len(pairs) == len(np.unique(values[known, column])) == len(np.unique(levels[known, column]))


def test_rare_rows_have_as_many_levels_as_the_others():
    values, rare = some()
    levels = Levels.learn(values, rare, COUNT).apply(values)[:, 0]
    known = np.isfinite(levels)
    assert len(np.unique(levels[rare & known])) > 20
    assert len(np.unique(levels[~rare & known])) > 20


def test_rounded_values_are_told_apart_where_most_rows_are():
    """Beside them a few outliers, each another one."""
    random = np.random.default_rng(3)
    rounded = np.round(random.normal(50, 1, 5000), 1)
    rounded[::20] = random.uniform(100, 1000, 250)
    values, rare = columns(rounded), np.arange(5000) < 20
    levels = Levels.learn(values, rare, COUNT).apply(values)[:, 0]
    assert np.unique(levels[~rare], return_counts=True)[1].max() < 0.08 * len(levels)


def test_neighbours_in_24_bits_are_told_apart():
    low = np.float32(1.0)
    middle = np.nextafter(low, np.float32(2), dtype=np.float32)
    values = columns([low, middle, np.nextafter(middle, np.float32(2), dtype=np.float32)] * 3)
    assert len(np.unique(Levels.learn(values, np.zeros(9, bool), COUNT).apply(values))) == 3


@pytest.mark.parametrize("rare", [np.zeros(5, bool), np.ones(5, bool)])
def test_one_kind_of_rows_alone_is_enough(rare):
    values = columns(np.arange(5), np.full(5, np.nan))
    levels = Levels.learn(values, rare, COUNT).apply(values)
    assert len(np.unique(levels[:, 0])) == 5
    assert np.isnan(levels[:, 1]).all()


def test_no_row_and_no_column_are_no_error():
    nothing = np.zeros((0, 2), np.float32)
    assert Levels.learn(nothing, np.zeros(0, bool), COUNT).apply(nothing).shape == (0, 2)
    assert Levels.none().apply(np.zeros((3, 0), np.float32)).shape == (3, 0)


def test_bounds_of_another_model_or_that_fall_are_refused():
    values, rare = some()
    levels = Levels.learn(values, rare, COUNT)
    again = Levels.from_arrays(levels.arrays(), values.shape[1])
    np.testing.assert_array_equal(again.apply(values), levels.apply(values))
    for bounds in (levels.bounds[:-1], levels.bounds[:, ::-1], levels.bounds.astype(np.float64), np.zeros(4)):
        with pytest.raises(ValueError, match="not those of this model"):
            Levels.from_arrays({"bounds": bounds}, values.shape[1])
