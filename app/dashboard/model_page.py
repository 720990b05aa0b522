"""The models' pages: what each card says, in tables and curves. Cards are ml.evaluation's; old ones lack parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.dashboard import words
from app.dashboard.context import Frame
from app.dashboard.record_context import Figure, FigureRow, ModelPage, ModelRow, ModelsPage
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
    ("conditions", "operating conditions"),
    ("split", "split"),
    ("refit", "last fit"),
    ("band", "interval"),
    ("seed", "seed"),
    ("fit_seconds", "seconds to fit"),
)
LONGEST_FACT = 400
# Differences smaller than the shown decimals are not worth a bold number.
DECIMALS = 3


def models_page(frame: Frame, models: Sequence[Model]) -> ModelsPage:
    order = {"champion": 0, "candidate": 1, "retired": 2}
    return ModelsPage(frame, tuple(map(model_row, sorted(models, key=lambda m: (order[m.status], -m.id)))))


def model_row(model: Model) -> ModelRow:
    middle = _status_horizon(_horizons(model.card))
    figures = _mapping(middle.get("model"))
    hours = _number(middle.get("hours"))
    within = f" {words.horizon(hours)}" if hours else ""
    return ModelRow(
        id=model.id,
        kind=model.kind,
        status=model.status,
        created_at=model.created_at,
        trained_until=model.trained_until,
        promoted_at=model.promoted_at,
        headline=tuple((FIGURES[name][0] + within, _number(figures.get(name))) for name in HEADLINE),
        verdict=str(model.card.get("verdict") or "Its card holds no verdict."),
    )


def model_page(frame: Frame, model: Model) -> ModelPage:
    horizons = _horizons(model.card)
    return ModelPage(
        frame=frame,
        model=model_row(model),
        facts=_facts(model),
        horizons=tuple(map(_within, horizons)),
        figures=_figures(model.kind, horizons),
        warning_time=_warning_time(horizons),
        curves=_curves(horizons),
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


def _curves(horizons: list[Mapping[str, Any]]) -> dict[str, Any]:
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
    return {"reliability": reliability, "precision_recall": precision_recall, "marked": marked}


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
