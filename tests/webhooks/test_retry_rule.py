"""A message is tried ten times over three days, later where the receiver asks for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.webhooks.retry_rule import Answer, answer_of, wait_after

BROKEN = answer_of(500, None)


def waits(answer=BROKEN, spread=0.0):
    return [wait_after(attempts, answer, spread) for attempts in range(1, 12)]


def test_waits_grow_and_end_after_three_days():
    tried = [wait for wait in waits() if wait is not None]
    assert waits()[9:] == [None, None]
    assert tried == sorted(set(tried))
    assert tried[0] <= timedelta(seconds=10)
    assert timedelta(days=3) <= sum(tried, timedelta()) <= timedelta(days=4)


def test_messages_that_failed_together_do_not_return_together():
    apart = [late - early for early, late in zip(waits()[:9], waits(spread=1.0)[:9], strict=True)]
    assert all(timedelta() < gap <= 0.2 * wait for gap, wait in zip(apart, waits(), strict=False))


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("1", timedelta(seconds=5)),
        ("9" * 9, timedelta(days=1)),
        ("9" * 10, timedelta(seconds=5)),
        ("9" * 5000, timedelta(seconds=5)),
        ("-5", timedelta(seconds=5)),
        ("Wed, 21 Oct 2026 07:28:00 GMT", timedelta(seconds=5)),
        ("٣٠", timedelta(seconds=5)),
        ("", timedelta(seconds=5)),
    ],
)
def test_a_receiver_may_ask_for_more_time_within_reason(asked, wait):
    assert wait_after(1, answer_of(503, asked), 0.0) == wait


@pytest.mark.parametrize(("status", "taken"), [(200, True), (204, True), (299, True), (199, False), (304, False)])
def test_only_2xx_is_taken(status, taken):
    assert (answer_of(status, None).fault is None) is taken


def test_nobody_answered_is_tried_again_too():
    assert wait_after(1, Answer(fault="It refuses connections."), 0.0) == timedelta(seconds=5)
