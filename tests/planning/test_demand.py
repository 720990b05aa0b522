"""Limits on a crew's hours where windows overlap: what keeps to them can be done, and they are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planning import demand as demand_module
from app.planning.demand import demand

spans = st.tuples(st.integers(0, 40), st.integers(1, 12)).map(lambda each: (each[0], each[0] + each[1]))


def asked_for(windows):
    return demand(*(np.array([each[side] for each in windows], np.int64) for side in (0, 1)))


def fits(windows, minutes):
    """Minute by minute the one that ends first, which is optimal for one crew."""
    left = list(minutes)
    for now in range(max(end for _, end in windows)):
        ready = [n for n, (start, end) in enumerate(windows) if start <= now < end and left[n]]
        if ready:
            left[min(ready, key=lambda n: windows[n][1])] -= 1
    return not any(left)


def kept(asked, minutes):
    return all(minutes[asked.inside(span)].sum() <= span[1] - span[0] for span in asked.spans)


def most_that_keeps(asked, draw):
    """Minutes by window, given out at random until the limits let no more be given."""
    minutes = np.zeros(len(asked.starts), np.int64)
    for window in draw.integers(0, len(minutes), 300):
        minutes[window] += 1
        minutes[window] -= not kept(asked, minutes)
    return minutes


@settings(max_examples=150, deadline=None)
@given(st.lists(spans, min_size=1, max_size=12), st.lists(st.integers(0, 6), min_size=12, max_size=12))
def test_work_keeps_to_the_limits_exactly_when_it_can_be_done(windows, minutes):
    own = np.array(minutes[: len(windows)])
    assert kept(asked_for(windows), own) == fits(windows, own)


@settings(max_examples=60, deadline=None)
@given(st.lists(spans, min_size=8, max_size=40), st.integers(0, 99))
def test_where_windows_were_shortened_all_that_keeps_to_the_limits_can_be_done(windows, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demand_module, "MOST_MOMENTS", 12)
        asked = asked_for(windows)
    assert fits(windows, most_that_keeps(asked, np.random.default_rng(seed)))


def test_windows_one_within_another_need_one_limit_each_and_are_not_shortened():
    days = [(480 * day, 480 * day + 480) for day in range(28)]
    asked = asked_for([*days, (0, 480 * 28), (480 * 7, 480 * 14)])
    assert len(asked.spans) == 30
    assert asked.ends[-1] - asked.starts[-1] == 480 * 7


@pytest.mark.parametrize(("number", "long"), [(200, 480), (200, 4800), (2000, 480), (2000, 60)])
def test_a_long_chain_of_windows_needs_few_limits_and_keeps_most_of_its_time(number, long):
    starts = np.linspace(0, 28 * 480, number).astype(np.int64)
    asked = demand(starts, starts + long)
    assert len(asked.spans) <= 8 * number
    assert sum(asked.inside(span).sum() for span in asked.spans) <= 200 * number
    assert (asked.ends - asked.starts).mean() >= long / 2
