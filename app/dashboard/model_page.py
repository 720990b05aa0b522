"""A model's page: what each card says, in tables and curves. Cards are ml.evaluation's; old ones lack parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.dashboard import words
from app.dashboard.context import Frame
from app.dashboard.record_context import Figure, FigureRow, Learnt, ModelPage, ModelRow
from app.risk.assess import STATUS_HORIZON_HOURS
from app.risk.tables import Model

# Figure -> words, and whether more of it is better.
FIGURES = {
    "pr_auc": ("PR-AUC", True),
    "roc_auc": ("ROC-AUC", True),
    "brier": ("Brier score", False),
    "ece": ("calibration error", False),
    "precision": ("precision", True),
    "recall": ("recall", True),
    "f1": ("F1", True),
}
HEADLINE = ("pr_auc", "ece")
# What a card may state besides figures, and what it is called.
CARD_FACTS = (
    ("learnt_from", "learnt from"),
    ("judged_on", "judged on"),
    ("features", "features"),
    ("gate", "gate"),
    ("search", "search"),
    ("conditions", "operating conditions"),
    ("split", "split"),
    ("refit", "last fit"),
    ("band", "interval"),
    ("seed", "seed"),
    ("data_hash", "data"),
    ("code_version", "code version"),
    ("fit_seconds", "seconds to fit"),
)
LONGEST_FACT = 400
# Differences smaller than the shown decimals are not worth a bold number.
DECIMALS = 3


@dataclass(frozen=True)
class Costs:
    """What a failure and a service cost where nothing is known of the machine."""

    failure: float
    preventive: float
    currency: str


def model_row(model: Model) -> ModelRow:
    middle = _status_horizon(_horizons(model.card))
    figures = _mapping(middle.get("model"))
    hours = _number(middle.get("hours"))
    within = f" {words.horizon(hours)}" if hours else ""
    return ModelRow(
        id=model.id,
        kind=model.kind,
        status=model.state,
        created_at=model.created_at,
        trained_until=model.trained_until,
        promoted_at=model.promoted_at,
        headline=tuple((FIGURES[name][0] + within, _number(figures.get(name))) for name in HEADLINE),
        verdict=str(model.card.get("verdict") or "Its card holds no verdict."),
    )


def model_page(frame: Frame, model: Model, costs: Costs) -> ModelPage:
    horizons = _horizons(model.card)
    return ModelPage(
        frame=frame,
        model=model_row(model),
        facts=_facts(model),
        horizons=tuple(map(_within, horizons)),
        figures=_figures(model.kind, horizons),
        warning_time=_warning_time(horizons),
        curves=_curves(horizons, costs),
        learnt=_learnt(model.card),
        proven=bool(model.card.get("beats_baselines")),
        warnings=tuple(map(str, _list(model.card.get("warnings")))),
    )


def _within(horizon: Mapping[str, Any]) -> str:
    return words.horizon(_number(horizon.get("hours")) or 0.0)


def _figures(kind: str, horizons: list[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """Each figure for the model and every baseline, along the horizons; figures the card lacks are left out."""
    baselines = list(_mapping(horizons[0].get("baselines"))) if horizons else []
    own = [_mapping(each.get("model")) for each in horizons]
    cards = {kind: own} | {
        name: [_mapping(_mapping(each.get("baselines")).get(name)) for each in horizons] for name in baselines
    }
    return tuple(
        _figure(name, cards) for name in FIGURES if any(_number(figures.get(name)) is not None for figures in own)
    )


def _figure(figure: str, cards: Mapping[str, list[Mapping[str, Any]]]) -> Figure:
    said, more_is_better = FIGURES[figure]
    values = {name: [_number(each.get(figure)) for each in along] for name, along in cards.items()}
    leaders = [_leader(column, more_is_better) for column in zip(*values.values(), strict=True)]
    own = next(iter(cards))
    rows = [
        FigureRow(
            words.model_kind(name),
            tuple(along),
            tuple(leader == place for leader in leaders),
            tuple(_interval(each, figure) for each in cards[name]) if name == own else (),
        )
        for place, (name, along) in enumerate(values.items())
    ]
    return Figure(said, tuple(rows))


def _leader(values: tuple[float | None, ...], more_is_better: bool) -> int | None:
    """Which of them leads; None where the first two read the same."""
    known = [(round(value, DECIMALS), place) for place, value in enumerate(values) if value is not None]
    if not known:
        return None
    lead = (max if more_is_better else min)(value for value, _ in known)
    leaders = [place for value, place in known if value == lead]
    return leaders[0] if len(leaders) == 1 else None


def _interval(figures: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    ends = [_number(end) for end in _list(figures.get(f"{name}_interval"))]
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] is not None and ends[1] is not None else None


def _warning_time(horizons: list[Mapping[str, Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    own = [_mapping(each.get("model")) for each in horizons]
    said = (
        ("failures caught", tuple(map(_caught, own))),
        ("median lead time", tuple(words.duration(_number(each.get("lead_time_hours_median"))) for each in own)),
        ("false alarms a machine and year", tuple(map(_false_alarms, own))),
    )
    return tuple(row for row in said if any(value != words.NOTHING for value in row[1]))


def _caught(figures: Mapping[str, Any]) -> str:
    caught, all_ = figures.get("failures_caught"), figures.get("failures")
    return f"{caught} of {all_}" if isinstance(caught, int) and isinstance(all_, int) and all_ else words.NOTHING


def _false_alarms(figures: Mapping[str, Any]) -> str:
    alarms = _number(figures.get("false_alarms_per_machine_year"))
    return words.NOTHING if alarms is None else f"{alarms:.1f}"


def _curves(horizons: list[Mapping[str, Any]], costs: Costs) -> dict[str, Any]:
    reliability, precision_recall = [], []
    for each in horizons:
        within = _within(each)
        bins = _points(each.get("reliability"), "predicted", "observed")
        if len(bins[0]) > 1:
            reliability.append({"horizon": within, "predicted": bins[0], "observed": bins[1]})
        curve = _points(each.get("pr_curve"), "recall", "precision")
        if len(curve[0]) > 1:
            prevalence = _number(each.get("base_rate"))
            precision_recall.append(
                {"horizon": within, "recall": curve[0], "precision": curve[1], "prevalence": prevalence}
            )
    marked = _within(_status_horizon(horizons)) if horizons else ""
    return {
        "reliability": reliability,
        "precision_recall": precision_recall,
        "lead": [told for each in horizons if (told := _lead_curve(each))],
        "cost": [told for each in horizons if (told := _cost_curve(each, costs))],
        "currency": costs.currency,
        "marked": marked,
    }


def _lead_curve(horizon: Mapping[str, Any]) -> dict[str, Any] | None:
    """Share of the failures that were warned of at least so many hours ahead; falls in steps."""
    failures, leads = _number(horizon.get("failures")), [_number(each) for each in _list(horizon.get("lead_times"))]
    known = sorted((each for each in leads if each is not None), reverse=True)
    if not failures or "lead_times" not in horizon:
        return None
    shares = [(place + 1) / failures for place in range(len(known))]
    # From the right: nobody is warned longer ahead than the longest, everybody caught at least a moment.
    return {
        "horizon": _within(horizon),
        "hours": [0.0, *reversed(known)],
        "share": [len(known) / failures, *reversed(shares)],
    }


def _cost_curve(horizon: Mapping[str, Any], costs: Costs) -> dict[str, Any] | None:
    """A service for every alert, a failure for every one that was missed, by threshold; a machine and year."""
    failures, years = _number(horizon.get("failures")), _number(horizon.get("machine_years"))
    points = [_mapping(each) for each in _list(horizon.get("alert_curve"))]
    if not failures or not years or not points:
        return None
    cost = [
        ((failures - each["caught"]) * costs.failure + (each["caught"] + each["false_alarms"]) * costs.preventive)
        / years
        for each in points
    ]
    return {
        "horizon": _within(horizon),
        "threshold": [each["threshold"] for each in points],
        "cost": [round(each, 2) for each in cost],
        "caught": [f"{each['caught']:.0f} of {failures:.0f}" for each in points],
        "used": _number(horizon.get("threshold")),
        "unwarned": round(failures * costs.failure / years, 2),
    }


def _points(curve: object, x: str, y: str) -> tuple[list[float], list[float]]:
    pairs = [(_number(_mapping(each).get(x)), _number(_mapping(each).get(y))) for each in _list(curve)]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return [a for a, _ in known], [b for _, b in known]


def _facts(model: Model) -> tuple[tuple[str, str | datetime], ...]:
    card = model.card
    said: list[tuple[str, str | datetime]] = [
        ("kind", words.model_kind(model.kind)),
        ("learnt until", model.trained_until),
        ("trained", model.created_at),
        ("horizons", ", ".join(map(words.horizon, model.horizons_hours))),
        ("failure modes", ", ".join(model.modes) or "not told apart"),
        ("bucket", words.duration(model.bucket_seconds / 3600)),
    ]
    return (*said, *_card_facts(card))


def _card_facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = ((words_, _fact(card.get(name))) for name, words_ in CARD_FACTS)
    return [(words_, fact) for words_, fact in said if fact]


def _fact(value: object) -> str:
    if isinstance(value, dict):
        return _fact(value["words"]) if "words" in value else _window(value)
    if isinstance(value, str):
        return value[:LONGEST_FACT]
    number = _number(value)
    return "" if number is None else words.number(number)


def _window(window: Mapping[str, Any]) -> str:
    """`41,202 rows of 60 machines with 41 failures, 2026-07-24 to 2026-11-02`."""
    rows, machines, failures = (_number(window.get(name)) for name in ("rows", "machines", "failures"))
    counts = [
        words.counted(int(rows), "row") if rows is not None else "",
        f"of {words.counted(int(machines), 'machine')}" if machines is not None else "",
        f"with {words.counted(int(failures), 'failure')}" if failures is not None else "",
    ]
    days = [str(window[end])[:10] for end in ("from", "until") if window.get(end)]
    return ", ".join(part for part in (" ".join(filter(None, counts)), " to ".join(days)) if part)


def _learnt(card: Mapping[str, Any]) -> Learnt | None:
    """Where on a line from 0 to 100 learning and judged time lie, and which failures were learnt from."""
    learnt, judged = _mapping(card.get("learnt_from")), _mapping(card.get("judged_on"))
    ends = [_time(window.get(name)) for window in (learnt, judged) for name in ("from", "until")]
    begin, *_ = ends
    if begin is None or ends[1] is None:
        return None
    last = max(end for end in ends if end is not None)
    span = max((last - begin).total_seconds(), 1.0)
    places = [None if end is None else 100 * (end - begin).total_seconds() / span for end in ends]
    modes = {str(mode): int(count) for mode, count in _mapping(learnt.get("by_mode")).items()}
    most = max(modes.values(), default=1)
    return Learnt(
        (begin, last),
        (places[0] or 0.0, places[1] or 0.0),
        None if places[2] is None or places[3] is None else (places[2], places[3]),
        tuple((mode, count, 100 * count / max(most, 1)) for mode, count in modes.items()),
    )


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _status_horizon(horizons: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The card's figures nearest to the horizon that warnings are judged at."""
    return min(
        horizons, key=lambda each: abs((_number(each.get("hours")) or 0.0) - STATUS_HORIZON_HOURS), default={}
    )


def _horizons(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [_mapping(each) for each in _list(card.get("horizons"))]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
