"""The data a model learnt from and was judged on: machines, times, failures by mode and month."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from app.dashboard import card, words
from app.dashboard.card import Part
from app.dashboard.charts import month_bars, time_lanes
from app.dashboard.record_context import LearntData, Window

MONTH = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")


def learnt_data(said: Part) -> LearntData | None:
    """None where the card does not tell from when to when."""
    learnt, judged = (_window(card.mapping(said.get(name))) for name in ("learnt_from", "judged_on"))
    if learnt is None:
        return None
    windows = [each for each in (learnt, judged) if each]
    lanes = [(each.begin.timestamp(), each.end.timestamp()) for each in windows]
    drawn = time_lanes(lanes, "learning time above, judged time below")
    months = _months(card.mapping(said.get("learnt_from")), card.mapping(said.get("judged_on")))
    return LearntData(
        learnt=learnt,
        judged=judged,
        gap=_gap(learnt, judged),
        lanes=drawn,
        modes=_modes(card.mapping(said.get("learnt_from"))),
        months=month_bars(months, "failures a month: learnt from, and on top of it judged on"),
        first_month=months[0][0] if months else "",
        last_month=months[-1][0] if months else "",
        most_in_a_month=max((a + b for _, a, b in months), default=0),
    )


def _window(said: Part) -> Window | None:
    begin, end = card.moment(said.get("from")), card.moment(said.get("until"))
    if begin is None or end is None:
        return None
    machines, failures = (int(card.number(said.get(name)) or 0) for name in ("machines", "failures"))
    return Window(begin, end, words.counted(machines, "machine"), words.counted(failures, "failure"))


def _gap(learnt: Window, judged: Window | None) -> str:
    """Between the two; empty where the judged time does not come after."""
    apart = judged.begin - learnt.end if judged else timedelta(0)
    return words.span(apart) if apart > timedelta(0) else ""


def _modes(learnt: Part) -> tuple[tuple[str, int, float], ...]:
    """Mode, its failures, and their share of the most frequent one's."""
    counts = {mode: int(card.number(each) or 0) for mode, each in card.mapping(learnt.get("by_mode")).items()}
    most = max(counts.values(), default=0) or 1
    return tuple((mode, count, count / most) for mode, count in sorted(counts.items(), key=lambda each: -each[1]))


def _months(learnt: Part, judged: Part) -> list[tuple[str, int, int]]:
    """Every month from the first to the last with a failure: its name, failures learnt from and judged on."""
    theirs = [card.mapping(each.get("by_month")) for each in (learnt, judged)]
    known = sorted(each for each in {*theirs[0], *theirs[1]} if MONTH.fullmatch(each))
    if not known:
        return []
    at, last, months = _first_day(known[0]), _first_day(known[-1]), []
    while at <= last:
        counts = [int(card.number(each.get(f"{at:%Y-%m}")) or 0) for each in theirs]
        months.append((f"{at:%b %Y}", counts[0], counts[1]))
        at = (at + timedelta(days=32)).replace(day=1)
    return months


def _first_day(month: str) -> datetime:
    return datetime.strptime(f"{month}-01", "%Y-%m-%d").replace(tzinfo=UTC)
