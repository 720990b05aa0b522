"""What the fleet page says of a machine in one line."""

from __future__ import annotations

import pytest

from app.dashboard.fleet_page import _moved, _why


def row(**more):
    said = {"status": "normal", "probability": 0.01, "reason": None, "first_reason": None, "anomaly": 0.2}
    return said | {"last_reading_at": None} | more


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nothing unusual"),
        ({"anomaly": None}, "nothing unusual"),
        ({"anomaly": 1.2}, "unlike its own first normal operation"),
        ({"status": "alarm", "probability": 0.8, "first_reason": "vibration 4 mm/s"}, "vibration 4 mm/s"),
        ({"status": "alarm", "probability": 0.8}, "no single reason stands out"),
        ({"status": "not_enough_data", "reason": "no risk yet"}, "not enough data: no risk yet"),
        (
            {"status": "not_enough_data", "reason": "none yet", "anomaly": 2.0, "first_reason": "unlike it"},
            "unlike it; not enough data: none yet",
        ),
        ({"status": "no_data", "anomaly": 2.0}, "no reading has arrived yet"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_known(given, said):
    assert _why(row(**given)) == said


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [(0.21, 0.09, "fell from 21 % to 9 %"), (0.154, 0.148, "fell from 15.4 % to 14.8 %")],
)
def test_a_risk_that_moved_never_reads_as_if_it_had_not(before, now, said):
    assert _moved("fell", {"probability_before": before, "probability": now}) == said
