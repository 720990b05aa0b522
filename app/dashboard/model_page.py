"""A model's page: what its card says, in large figures, curves and tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.dashboard import card, words
from app.dashboard.card import Part
from app.dashboard.context import Frame
from app.dashboard.model_curves import Costs, curves_of
from app.dashboard.model_data import learnt_data
from app.dashboard.model_judged import judged_at
from app.dashboard.record_context import Figure, FigureRow, ModelPage, ModelRow
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
DRAWN = ("reliability", "precision_recall", "lead", "cost")
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


def model_row(model: Model) -> ModelRow:
    horizons = card.horizons(model.card)
    marked = card.marked(horizons)
    middle = {} if marked is None else horizons[marked]
    figures = card.mapping(middle.get("model"))
    hours = card.number(middle.get("hours"))
    within = f" {words.horizon(hours)}" if hours else ""
    return ModelRow(
        id=model.id,
        kind=model.kind,
        status=model.state,
        created_at=model.created_at,
        trained_until=model.trained_until,
        promoted_at=model.promoted_at,
        headline=tuple((FIGURES[name][0] + within, card.number(figures.get(name))) for name in HEADLINE),
        verdict=str(model.card.get("verdict") or "Its card holds no verdict."),
    )


def model_page(frame: Frame, model: Model, costs: Costs) -> ModelPage:
    horizons = card.horizons(model.card)
    marked = card.marked(horizons)
    curves = [curves_of(each, costs, warns=place == marked) for place, each in enumerate(horizons)]
    return ModelPage(
        frame=frame,
        model=model_row(model),
        facts=_facts(model),
        horizons=tuple(judged_at(each, costs, marked=place == marked) for place, each in enumerate(horizons)),
        figures=_figures(model.kind, horizons),
        warning_time=_warning_time(horizons),
        curves={"horizons": curves, "marked": marked, "currency": costs.currency},
        drawn=frozenset(name for each in curves for name in DRAWN if each[name]),
        data=learnt_data(model.card),
        proven=bool(model.card.get("beats_baselines")),
        warnings=tuple(map(str, card.items(model.card.get("warnings")))),
    )


def _figures(kind: str, horizons: list[Part]) -> tuple[Figure, ...]:
    """Each figure for the model and every baseline, along the horizons; figures the card lacks are left out."""
    baselines = list(card.mapping(horizons[0].get("baselines"))) if horizons else []
    own = [card.mapping(each.get("model")) for each in horizons]
    cards = {kind: own} | {
        name: [card.mapping(card.mapping(each.get("baselines")).get(name)) for each in horizons]
        for name in baselines
    }
    return tuple(
        _figure(name, cards)
        for name in FIGURES
        if any(card.number(figures.get(name)) is not None for figures in own)
    )


def _figure(figure: str, cards: Mapping[str, list[Part]]) -> Figure:
    said, more_is_better = FIGURES[figure]
    values = {name: [card.number(each.get(figure)) for each in along] for name, along in cards.items()}
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


def _interval(figures: Part, name: str) -> tuple[float, float] | None:
    ends = [card.number(end) for end in card.items(figures.get(f"{name}_interval"))]
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] is not None and ends[1] is not None else None


def _warning_time(horizons: list[Part]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    own = [card.mapping(each.get("model")) for each in horizons]
    said = (
        ("failures caught", tuple(map(_caught, own))),
        (
            "median lead time",
            tuple(words.duration(card.number(each.get("lead_time_hours_median"))) for each in own),
        ),
        ("false alarms a machine and year", tuple(map(_false_alarms, own))),
    )
    return tuple(row for row in said if any(value != words.NOTHING for value in row[1]))


def _caught(figures: Part) -> str:
    caught, all_ = figures.get("failures_caught"), figures.get("failures")
    return f"{caught} of {all_}" if isinstance(caught, int) and isinstance(all_, int) and all_ else words.NOTHING


def _false_alarms(figures: Part) -> str:
    alarms = card.number(figures.get("false_alarms_per_machine_year"))
    return words.NOTHING if alarms is None else f"{alarms:.1f}"


def _facts(model: Model) -> tuple[tuple[str, str | datetime], ...]:
    said: list[tuple[str, str | datetime]] = [
        ("kind", words.model_kind(model.kind)),
        ("learnt until", model.trained_until),
        ("trained", model.created_at),
        ("horizons", ", ".join(map(words.horizon, model.horizons_hours))),
        ("failure modes", ", ".join(model.modes) or "not told apart"),
        ("bucket", words.duration(model.bucket_seconds / 3600)),
    ]
    return (*said, *_card_facts(model.card))


def _card_facts(told: Part) -> list[tuple[str, str]]:
    said = ((words_, _fact(told.get(name))) for name, words_ in CARD_FACTS)
    return [(words_, fact) for words_, fact in said if fact]


def _fact(value: object) -> str:
    if isinstance(value, dict):
        return _fact(value["words"]) if "words" in value else _window(value)
    if isinstance(value, str):
        return value[:LONGEST_FACT]
    number = card.number(value)
    return "" if number is None else words.number(number)


def _window(window: Part) -> str:
    """`41,202 rows of 60 machines with 41 failures, 2026-07-24 to 2026-11-02`."""
    rows, machines, failures = (card.number(window.get(name)) for name in ("rows", "machines", "failures"))
    counts = [
        words.counted(int(rows), "row") if rows is not None else "",
        f"of {words.counted(int(machines), 'machine')}" if machines is not None else "",
        f"with {words.counted(int(failures), 'failure')}" if failures is not None else "",
    ]
    days = [str(window[end])[:10] for end in ("from", "until") if window.get(end)]
    return ", ".join(part for part in (" ".join(filter(None, counts)), " to ".join(days)) if part)
