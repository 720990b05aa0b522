"""What the lags of a sender's readings say about its clock. Pure.

A reading's lag is the time from measuring to receiving; the least lag of an hour is what clock and transport always
cost, since some reading of an hour is sent at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

# Networks and rounding to whole seconds explain this much.
TOLERANCE_S = 2
# Less than this may be a sender that gathers readings before it sends them.
LEAST_BEHIND_S = 15 * 60
FEWEST_HOURS = 3
# A constant lag varies less than this over the hours; a back-fill's shrinks.
STEADY_S, STEADY_SHARE = 60, 0.02
HALF_HOUR_S = 1800


def clock_doubt(least_lags_s: Sequence[int], from_the_future: int) -> str | None:
    """The doubt in words, or None. least_lags_s: of hours in order; from_the_future: readings refused for that."""
    if from_the_future:
        return (
            f"{from_the_future} reading{'s' * (from_the_future > 1)} lay in the future and "
            f"{'were' if from_the_future > 1 else 'was'} refused: the clock runs ahead, or its zone is wrong"
        )
    if not least_lags_s:
        return None
    if least_lags_s[-1] < -TOLERANCE_S:
        return _ahead(least_lags_s)
    return _behind(least_lags_s) if len(least_lags_s) >= FEWEST_HOURS else None


def _ahead(least_lags_s: Sequence[int]) -> str:
    fallen_s = least_lags_s[0] - least_lags_s[-1]
    said = f"the clock runs {_span(-least_lags_s[-1])} ahead"
    drifts = all(later <= earlier for earlier, later in pairwise(least_lags_s)) and fallen_s > TOLERANCE_S
    if len(least_lags_s) < FEWEST_HOURS or not drifts:
        return said
    return f"{said} and gains {_span(fallen_s)} in {len(least_lags_s)} hours"


def _behind(least_lags_s: Sequence[int]) -> str | None:
    least, most = min(least_lags_s), max(least_lags_s)
    if least < LEAST_BEHIND_S or most - least > max(STEADY_S, STEADY_SHARE * least):
        return None
    off_zone_s = abs(least - round(least / HALF_HOUR_S) * HALF_HOUR_S)
    wrong_zone, behind = "its zone seems wrong", "the clock is behind, or readings wait before they leave"
    why = wrong_zone if off_zone_s <= STEADY_S else behind
    return f"every reading comes {_span(least)} late: {why}"


def _span(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days"
