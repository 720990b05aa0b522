"""Small drawings made on the server: plain values in, SVG out that takes its colours from the page by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

SPARK_WIDTH, SPARK_HEIGHT = 100, 20
LIFE_WIDTH, LIFE_HEIGHT = 140, 16
LANE_HEIGHT, LEAST_LANE = 10, 0.5
MONTHS_HEIGHT, COLUMN = 72, 0.7
MARGIN = 3
# Below this share of the level a wiggle is noise; drawing it over the full height would look like an event.
LEAST_SPREAD = 0.05


def sparkline(values: Sequence[float | None], words: str) -> Markup:
    """A line without axes; gaps stay gaps. `words` say the same to those who cannot see it."""
    seen = [v for v in values if v is not None and math.isfinite(v)]
    if not seen:
        return Markup("")
    low, high = _spread(seen)
    step = (SPARK_WIDTH - 2) / max(1, len(values) - 1)
    points = [
        None
        if v is None or not math.isfinite(v)
        else (1 + i * step, SPARK_HEIGHT - MARGIN - (v - low) / (high - low) * (SPARK_HEIGHT - 2 * MARGIN))
        for i, v in enumerate(values)
    ]
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{words}">'
        "{lines}</svg>"
    ).format(w=SPARK_WIDTH, h=SPARK_HEIGHT, words=words, lines=Markup("").join(map(_line, _runs(points))))


def _spread(seen: Sequence[float]) -> tuple[float, float]:
    low, high = min(seen), max(seen)
    least = max(LEAST_SPREAD * max(abs(low), abs(high)), 1e-9)
    middle = (low + high) / 2
    return (low, high) if high - low >= least else (middle - least / 2, middle + least / 2)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs = ([p for p in run if p] for there, run in groupby(points, key=bool) if there)
    return list(runs)


def _line(run: Sequence[tuple[float, float]]) -> Markup:
    # A lone point would be an invisible line: stretch it to a dot's width.
    run = run if len(run) > 1 else [(run[0][0] - 1, run[0][1]), (run[0][0] + 1, run[0][1])]
    return Markup('<polyline points="{}"/>').format(" ".join(f"{x:.1f},{y:.1f}" for x, y in run))


def life_bar(
    low_hours: float | None, median_hours: float | None, high_hours: float | None, scale_hours: float, words: str
) -> Markup:
    """Remaining life on a shared scale: a bar from low to high, a dot at the median, an arrow where it runs on."""
    if low_hours is None or scale_hours <= 0 or not math.isfinite(low_hours):
        return Markup("")
    end = _finite(high_hours, scale_hours)
    x_low, x_high = _life_x(low_hours, scale_hours), _life_x(end, scale_hours)
    parts = [
        Markup('<line class="life" x1="{:.1f}" x2="{:.1f}" y1="8" y2="8"/>').format(x_low, max(x_high, x_low + 1))
    ]
    if median_hours is not None and median_hours <= scale_hours:
        parts.append(Markup('<circle cx="{:.1f}" cy="8" r="4"/>').format(_life_x(median_hours, scale_hours)))
    if high_hours is None or high_hours > scale_hours or not math.isfinite(high_hours):
        parts.append(Markup('<path class="on" d="M{0} 4 L{1} 8 L{0} 12"/>').format(LIFE_WIDTH - 9, LIFE_WIDTH - 4))
    return Markup(
        '<svg class="lifebar" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-label="{words}">'
        "{parts}</svg>"
    ).format(w=LIFE_WIDTH, h=LIFE_HEIGHT, words=words, parts=Markup("").join(parts))


def _finite(hours: float | None, otherwise: float) -> float:
    return hours if hours is not None and math.isfinite(hours) else otherwise


def _life_x(hours: float, scale_hours: float) -> float:
    return 6 + min(1.0, max(0.0, hours / scale_hours)) * (LIFE_WIDTH - 16)


def share_bar(share: float | None) -> Markup:
    """A bar from the left for a share of the whole; the number stands beside it in words."""
    width = 0.0 if share is None or not math.isfinite(share) else min(1.0, max(0.0, share)) * 100
    return Markup(
        '<svg class="share" width="100%" height="5" aria-hidden="true"><rect width="{:.1f}%" height="5"/></svg>'
    ).format(width)


def time_lanes(lanes: Sequence[tuple[float, float]], words: str) -> Markup:
    """Stretches of time on a shared scale, one below the other; the last is the strong one."""
    begin, end = min(start for start, _ in lanes), max(stop for _, stop in lanes)
    span = max(end - begin, 1.0)
    bars = [
        Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" y="{}" height="{}"/>').format(
            "then" if place == 0 else "now",
            100 * (start - begin) / span,
            max(100 * (stop - start) / span, LEAST_LANE),
            place * (LANE_HEIGHT + 2),
            LANE_HEIGHT,
        )
        for place, (start, stop) in enumerate(lanes)
    ]
    return Markup('<svg class="lanes" width="100%" height="{}" role="img" aria-label="{}">{}</svg>').format(
        len(lanes) * (LANE_HEIGHT + 2), words, Markup("").join(bars)
    )


def month_bars(months: Sequence[tuple[str, int, int]], words: str) -> Markup:
    """A column a month of two counts, the second, strong one on top; pointing at it tells the numbers."""
    if not months:
        return Markup("")
    scale, width = MONTHS_HEIGHT / max(first + second for _, first, second in months), 100 / len(months)
    columns = [
        Markup(
            "<g><title>{}: {} learnt from, {} judged on</title>"
            '<rect class="then" x="{x:.2f}%" width="{w:.2f}%" y="{:.1f}" height="{:.1f}"/>'
            '<rect class="now" x="{x:.2f}%" width="{w:.2f}%" y="{:.1f}" height="{:.1f}"/></g>'
        ).format(
            month,
            first,
            second,
            MONTHS_HEIGHT - first * scale,
            first * scale,
            MONTHS_HEIGHT - (first + second) * scale,
            second * scale,
            x=place * width + width * (1 - COLUMN) / 2,
            w=width * COLUMN,
        )
        for place, (month, first, second) in enumerate(months)
    ]
    return Markup('<svg class="months" width="100%" height="{}" role="img" aria-label="{}">{}</svg>').format(
        MONTHS_HEIGHT, words, Markup("").join(columns)
    )
