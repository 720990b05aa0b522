from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from app.dashboard.charts import LIFE_WIDTH, SPARK_HEIGHT, SPARK_WIDTH, life_bar, share_bar, sparkline


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'points="([^"]*)"', svg)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines]


def test_a_sparkline_stays_inside_its_box_and_rises_when_values_rise():
    (line,) = points(sparkline([1, 2, 5, 9], "x"))
    assert [y for _, y in line] == sorted((y for _, y in line), reverse=True)
    assert all(0 <= x <= SPARK_WIDTH and 0 <= y <= SPARK_HEIGHT for x, y in line)


def test_a_gap_stays_a_gap():
    assert len(points(sparkline([1, 2, None, None, 3, 4], "x"))) == 2


@pytest.mark.parametrize("values", [[], [None, None], [math.nan, math.inf]])
def test_nothing_measured_draws_nothing(values):
    assert sparkline(values, "x") == ""


def test_a_tiny_wiggle_does_not_fill_the_height():
    (line,) = points(sparkline([100.0, 100.1, 100.0, 100.1], "x"))
    heights = [y for _, y in line]
    assert max(heights) - min(heights) < SPARK_HEIGHT / 10


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [1e308, -1e308], [None, 7.0, None]])
def test_odd_values_still_give_well_formed_markup(values):
    ElementTree.fromstring(sparkline(values, "x"))


def test_words_in_a_chart_are_escaped():
    svg = sparkline([1, 2], '"><script>alert(1)</script>')
    assert "<script" not in svg
    ElementTree.fromstring(svg)


def test_a_life_bar_runs_from_low_to_high_with_its_median_between():
    root = ElementTree.fromstring(life_bar(72, 216, 384, 720, "9 days"))
    low, high = (float(root.find("line").get(end)) for end in ("x1", "x2"))
    middle = float(root.find("circle").get("cx"))
    assert 0 < low < middle < high < LIFE_WIDTH
    assert root.find("path") is None


def test_a_life_bar_that_runs_beyond_the_horizon_says_so_by_an_arrow_and_invents_no_median():
    root = ElementTree.fromstring(life_bar(500, None, None, 720, "more than 30 days"))
    assert root.find("path") is not None
    assert root.find("circle") is None


def test_without_a_life_there_is_no_bar():
    assert life_bar(None, None, None, 720, "") == ""


@pytest.mark.parametrize(
    ("share", "width"), [(0.62, "62.0%"), (7.0, "100.0%"), (-1.0, "0.0%"), (math.nan, "0.0%"), (None, "0.0%")]
)
def test_a_share_bar_is_never_longer_than_the_whole(share, width):
    assert ElementTree.fromstring(share_bar(share)).find("rect").get("width") == width
