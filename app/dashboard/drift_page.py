"""The page that tells whether a model still fits its plant; reports are ml.jobs.monitor's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.dashboard import words
from app.dashboard.context import Frame
from app.dashboard.model_page import model_row
from app.dashboard.record_context import DriftPage, RealisedRow, Span, ValueRow
from app.risk.tables import Model, ModelReport

AS_BEFORE, MOVED, GONE, OUTSIDE = (
    "as before",
    "moved",
    "gone from many machines",
    "outside all that was learnt from",
)


def drift_page(frame: Frame, model: Model, report: ModelReport | None) -> DriftPage:
    row = model_row(model)
    if report is None:
        return DriftPage(frame, row, None, None, False, (), (), "")
    body: Mapping[str, Any] = report.body
    many: float = body["many"]
    return DriftPage(
        frame,
        row,
        report.as_of,
        str(body["verdict"]),
        report.asks_for_training,
        (
            *(_value(each["words"], each["unit"], each, many) for each in body["channels"].values()),
            *(_value(f"risk within {words.horizon(each['hours'])}", "", each, many) for each in body["risks"]),
        ),
        tuple(_realised(each, body["fewest_failures"]) for each in body["realised"]["horizons"]),
        _counted(body["realised"]),
    )


def _value(said: str, unit: str, each: Mapping[str, Any], many: float) -> ValueRow:
    then, now = each["then"], each["now"]
    ends = [value for span in (then, now) if span for value in (span[0], span[2])]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    state = _state(each, many)
    return ValueRow(
        said,
        unit,
        _span(then, low, high),
        _span(now, low, high),
        each["machines"],
        each["psi"],
        state in (GONE, MOVED, OUTSIDE),
        state,
    )


def _state(each: Mapping[str, Any], many: float) -> str:
    """`many` is the share of the machines from where on one speaks of it."""
    if each["gone"]:
        return GONE
    if each["then"] is None or each["now"] is None:
        return "nothing to compare"
    if each["moved"]:
        return MOVED
    return OUTSIDE if each["outside"] > many else AS_BEFORE


def _span(values: Sequence[float] | None, low: float, high: float) -> Span | None:
    if values is None:
        return None
    places = [100 * (value - low) / (high - low) if high > low else 50.0 for value in values]
    first, middle, last = map(words.number, values)
    return Span(first, middle, last, (places[0], places[1], places[2]))


def _realised(each: Mapping[str, Any], fewest: int) -> RealisedRow:
    within, failures = words.horizon(each["hours"]), each["failures"]
    if failures < fewest:
        few = f"{words.counted(failures, 'failure')} so far, {fewest} needed"
        return RealisedRow(within, failures, None, None, words.NOTHING, words.NOTHING, None, None, few)
    own, alarms = each["model"], each["model"]["false_alarms_per_machine_year"]
    return RealisedRow(
        within,
        failures,
        each["said"],
        each["came_true"],
        f"{own['failures_caught']} of {own['failures']}",
        words.NOTHING if alarms is None else f"{alarms:.1f}",
        own["brier"],
        each["card"].get("brier"),
        "",
    )


def _counted(realised: Mapping[str, Any]) -> str:
    said = words.counted(realised["predictions"], "prediction")
    text = f"{said} stored, {realised['without_risk']:,} of them without a risk, for want of data."
    return text if realised["one_in"] == 1 else f"{text} One in {realised['one_in']} is judged."
