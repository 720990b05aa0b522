"""The fleet page: what is abnormal, what it may cost, what changed; one ranking read gives all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from app.dashboard import words
from app.dashboard.charts import life_bar, sparkline
from app.dashboard.context import (
    Change,
    Filters,
    FleetPage,
    Frame,
    Kpis,
    LineOfTiles,
    RankedRow,
    SilentMachine,
    Tile,
)

ROWS_PER_PAGE = 50
# More tiles than this with a line and words each are no overview any more.
MOST_FULL_TILES = 150
MOST_CHANGES = 12
ABNORMAL = frozenset({"warning", "alarm"})
UNKNOWN = frozenset({"no_data", "not_enough_data"})
# Below this a reason would explain a risk that nobody acts on.
ORDINARY_PROBABILITY = 0.03
# The anomaly score's alarm level, by its definition.
ANOMALY_ALARM = 1.0
NO_LINE = "Without a line"


@dataclass(frozen=True)
class FleetFacts:
    """Everything the page is made of.

    `ranked`: rows of app.risk.ranking_store, highest expected loss first, with `reason` why a status is unknown.
    """

    ranked: Sequence[Mapping[str, Any]]
    sparks: Mapping[int, Sequence[float | None]]
    services: Mapping[str, datetime]
    events: Sequence[Mapping[str, Any]]
    sites: tuple[str, ...]
    lines: tuple[str, ...]
    horizon_hours: float
    warn_probability: float
    model: str | None


@dataclass(frozen=True)
class Asked:
    site: str = ""
    line: str = ""
    search: str = ""
    page: int = 1


def fleet_page(frame: Frame, facts: FleetFacts, asked: Asked) -> FleetPage:
    filters = _filters(facts, asked)
    start = (filters.page - 1) * ROWS_PER_PAGE
    scale = _life_scale(facts.ranked)
    silent = silent_machines(facts.ranked, frame.now)
    as_of = [row["as_of"] for row in facts.ranked if row["as_of"] is not None]
    return FleetPage(
        frame=frame,
        filters=filters,
        kpis=_kpis(facts),
        lines=_lines(facts, frame.now),
        compact=len(facts.ranked) > MOST_FULL_TILES,
        rows=tuple(_row(row, facts, scale) for row in facts.ranked[start : start + ROWS_PER_PAGE]),
        life_scale=words.duration(scale),
        changes=_changes(facts),
        silent=silent,
        horizon=words.duration(facts.horizon_hours),
        model=facts.model,
        as_of=max(as_of, default=None),
    )


def _filters(facts: FleetFacts, asked: Asked) -> Filters:
    total = len(facts.ranked)
    pages = max(1, -(-total // ROWS_PER_PAGE))
    page = min(max(1, asked.page), pages)
    shown = min(ROWS_PER_PAGE, total - (page - 1) * ROWS_PER_PAGE)
    return Filters(asked.site, asked.line, asked.search, page, pages, shown, total, facts.sites, facts.lines)


def _kpis(facts: FleetFacts) -> Kpis:
    abnormal = [row for row in facts.ranked if row["status"] in ABNORMAL]
    usable = [row["expected_loss"] for row in facts.ranked if row["usable"]]
    due = sorted((at, key) for key, at in facts.services.items())
    return Kpis(
        machines=len(facts.ranked),
        scored=sum(row["status"] not in UNKNOWN for row in facts.ranked),
        warnings=len(abnormal),
        warn_probability=facts.warn_probability,
        new_since_yesterday=tuple(row["key"] for row in abnormal if _is_new(row, facts.warn_probability)),
        silent=sum(row["status"] == "no_data" for row in facts.ranked),
        unscored=sum(row["status"] == "not_enough_data" for row in facts.ranked),
        expected_loss=sum(usable) if usable else None,
        proposed=len(due),
        next_service=(due[0][1], due[0][0]) if due else None,
    )


def _is_new(row: Mapping[str, Any], warn_probability: float) -> bool:
    before = row["probability_before"]
    return before is not None and before < warn_probability


def _lines(facts: FleetFacts, now: datetime) -> tuple[LineOfTiles, ...]:
    by_line: dict[str, list[Tile]] = {}
    for row in sorted(facts.ranked, key=lambda row: row["key"]):
        name = row["line"] or NO_LINE
        if len(facts.sites) > 1 and row["site"]:
            name = f"{row['site']} · {name}"
        by_line.setdefault(name, []).append(_tile(row, facts, now))
    return tuple(
        LineOfTiles(name, tuple(tiles), sum(tile.status in ABNORMAL for tile in tiles))
        for name, tiles in sorted(by_line.items(), key=lambda line: (line[0].endswith(NO_LINE), line[0]))
    )


def _tile(row: Mapping[str, Any], facts: FleetFacts, now: datetime) -> Tile:
    said = _tile_words(row, facts.horizon_hours, now)
    values = facts.sparks.get(row["machine_id"], ())
    return Tile(row["key"], row["status"], said, sparkline(values, f"{row['key']}, last days"))


def _tile_words(row: Mapping[str, Any], horizon_hours: float, now: datetime) -> str:
    if row["status"] == "no_data":
        last = row["last_reading_at"]
        return f"no data {_silence(last, now)}" if last else "never a reading"
    if row["status"] == "not_enough_data":
        return "unlike itself, risk unknown" if _unlike_itself(row) else "not enough data"
    return f"{words.percent(row['probability'])} in {words.horizon(horizon_hours)}"


def _silence(last: datetime, now: datetime) -> str:
    return words.duration(max(0.0, (now - last).total_seconds() / 3600))


def _row(row: Mapping[str, Any], facts: FleetFacts, scale: float) -> RankedRow:
    known = row["status"] not in UNKNOWN
    before = row["probability_before"]
    life, life_words = _life(row, scale) if known else (Markup(""), "")
    return RankedRow(
        key=row["key"],
        name=row["name"],
        line=row["line"],
        status=row["status"],
        probability=row["probability"] if known else None,
        since_yesterday=row["probability"] - before if known and before is not None else None,
        expected_loss=row["expected_loss"] if known else None,
        life=life,
        life_words=life_words,
        why=_why(row),
        service_by=facts.services.get(row["key"]),
    )


def _why(row: Mapping[str, Any]) -> str:
    """What a planner reads first. A machine nobody knows enough about says so instead of a reason."""
    if row["status"] == "no_data":
        return "silent: nothing can be said" if row["last_reading_at"] else "no reading has arrived yet"
    if row["status"] == "not_enough_data":
        said = f"not enough data: {row['reason']}"
        return f"{row['first_reason']}; {said}" if _unlike_itself(row) and row["first_reason"] else said
    if row["status"] == "normal" and row["probability"] < ORDINARY_PROBABILITY:
        return "unlike its own first normal operation" if _unlike_itself(row) else "nothing unusual"
    return row["first_reason"] or "no single reason stands out"


def _unlike_itself(row: Mapping[str, Any]) -> bool:
    return (row.get("anomaly") or 0.0) >= ANOMALY_ALARM


def _life(row: Mapping[str, Any], scale: float) -> tuple[Markup, str]:
    low, median, high = (row[f"remaining_life_{each}_hours"] for each in ("low", "median", "high"))
    if low is None:
        return Markup(""), ""
    said = life_words(low, median, high, row["horizons_hours"][-1])
    if low >= row["horizons_hours"][-1]:
        return Markup(""), said
    return life_bar(low, _within(median, scale), _within(high, scale), scale, said), said


def _within(hours: float | None, longest: float) -> float | None:
    """A quantile at the longest horizon was cut there; it lies somewhere beyond."""
    return hours if hours is not None and hours < longest else None


def life_words(low: float, median: float | None, high: float | None, longest: float) -> str:
    """`9 days, between 3 days and 16 days`; nothing beyond the longest horizon is pretended."""
    if low >= longest:
        return f"more than {words.duration(longest)}"
    until = _within(high, longest)
    between = f"between {words.duration(low)} and " + (words.duration(until) if until else "beyond the horizon")
    middle = _within(median, longest)
    return f"{words.duration(middle)}, {between}" if middle else f"more than {words.duration(longest)}, {between}"


def _life_scale(ranked: Sequence[Mapping[str, Any]]) -> float:
    return max((row["horizons_hours"][-1] for row in ranked if row["horizons_hours"]), default=720.0)


def silent_machines(ranked: Sequence[Mapping[str, Any]], now: datetime) -> tuple[SilentMachine, ...]:
    """Those that fell silent last come first: they are the news."""
    rows = [row for row in ranked if row["status"] == "no_data"]
    oldest = datetime.min.replace(tzinfo=now.tzinfo)
    rows.sort(key=lambda row: row["last_reading_at"] or oldest, reverse=True)
    return tuple(
        SilentMachine(
            row["key"],
            row["line"],
            row["last_reading_at"],
            f"for {_silence(row['last_reading_at'], now)}"
            if row["last_reading_at"]
            else "has never sent a reading",
        )
        for row in rows
    )


def _changes(facts: FleetFacts) -> tuple[Change, ...]:
    crossed = [
        Change(
            row["key"],
            row["status"],
            _moved("rose", row),
            None,
        )
        for row in facts.ranked
        if row["status"] in ABNORMAL and _is_new(row, facts.warn_probability)
    ]
    fell = [
        Change(
            row["key"],
            row["status"],
            _moved("fell", row),
            None,
        )
        for row in facts.ranked
        if row["status"] == "normal" and (row["probability_before"] or 0.0) >= facts.warn_probability
    ]
    happened = [Change(event["key"], "", _event_words(event), event["started_at"]) for event in facts.events]
    return tuple((crossed + fell + happened)[:MOST_CHANGES])


def _moved(how: str, row: Mapping[str, Any]) -> str:
    """With a decimal where whole percents would read the same."""
    then, now = row["probability_before"], row["probability"]
    if words.percent(then) != words.percent(now):
        return f"{how} from {words.percent(then)} to {words.percent(now)}"
    return f"{how} from {then * 100:.1f} % to {now * 100:.1f} %"


def _event_words(event: Mapping[str, Any]) -> str:
    parts = [words.event_kind(event["kind"]).lower(), event["code"], event["component"]]
    return ": ".join([parts[0] or "", ", ".join(each for each in parts[1:] if each)]).rstrip(": ")
