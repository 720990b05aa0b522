"""The page of the ledger: what became of warnings, summed up by model and class, then one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.dashboard import card, words
from app.dashboard.context import Frame
from app.dashboard.model_curves import nearest
from app.dashboard.outcome_context import OutcomeFilters, OutcomeRow, OutcomesPage, SumRow
from app.outcomes import reading, store
from app.outcomes.judging import Outcome
from app.outcomes.life import Reason
from app.outcomes.schemas import OutcomeOut, OutcomeSumsOut, RevisionOut, ShareOut
from app.outcomes.shares import FEWEST_FOR_A_RATE
from app.outcomes.store import OutcomeFilter
from app.risk import model_store
from app.risk.tables import Model

OUTCOMES_PER_PAGE = 50
MOST_PROMISED = 3
OUTCOME_WORDS = {
    Outcome.HIT: "hit",
    Outcome.FALSE: "false warning",
    Outcome.MISSED: "missed failure",
    Outcome.FOUND: "fault without a warning",
    Outcome.UNKNOWN: "unknown",
    Outcome.OPEN: "open",
    Outcome.WITHDRAWN: "withdrawn",
}
REASON_WORDS = {
    Reason.UNDECIDED: "the horizon is not over",
    Reason.FAILED: "it failed, as warned",
    Reason.FAULT_FOUND: "a fault was found in time",
    Reason.NOTHING_WRONG: "nothing was wrong",
    Reason.SENSOR_FAULT: "a sensor was at fault",
    Reason.HORIZON_OVER: "no failure within the horizon",
    Reason.NOT_WARNED: "it failed without a warning",
    Reason.FOUND_UNWARNED: "a fault was found without a warning",
    Reason.SERVICED: "serviced before anybody could know",
    Reason.DECOMMISSIONED: "decommissioned before anybody could know",
    Reason.STOPPED: "predictions stopped",
    Reason.NOT_PREDICTED: "it failed, and nothing usable was predicted",
    Reason.TAKEN_BACK: "taken back",
}


@dataclass(frozen=True)
class OutcomesAsked:
    outcome: Outcome | None = None
    model: int | None = None
    asset_class: str | None = None
    machine: str | None = None
    page: int = 1

    @property
    def filter(self) -> OutcomeFilter:
        outcomes = (self.outcome,) if self.outcome else ()
        return OutcomeFilter(outcomes, self.machine, asset_class=self.asset_class, model=self.model)


def outcomes_page(session: Session, frame: Frame, asked: OutcomesAsked, warns_from: float) -> OutcomesPage:
    wanted = asked.filter
    choices = store.choices(session)
    # Shares of one outcome alone would say nothing.
    summary = reading.summary_out(session, replace(wanted, outcomes=()), frame.currency)
    listed = reading.outcomes_out(session, wanted, OUTCOMES_PER_PAGE, (asked.page - 1) * OUTCOMES_PER_PAGE)
    histories = reading.histories_out(session, [each.id for each in listed.outcomes])
    models = {each.model_id: each.kind for each in choices if each.model_id is not None}
    classes = sorted({each.asset_class for each in choices if each.asset_class is not None})
    shown = dict.fromkeys(each.model_id for each in summary.groups if each.model_id is not None)
    cards = model_store.models_by_id(session, [*shown][:MOST_PROMISED])
    return OutcomesPage(
        frame=frame,
        filters=OutcomeFilters(
            outcome=asked.outcome,
            model=asked.model,
            asset_class=asked.asset_class or "",
            machine=asked.machine or "",
            page=asked.page,
            pages=max(1, -(-listed.total // OUTCOMES_PER_PAGE)),
            total=listed.total,
            outcomes=tuple(OUTCOME_WORDS.items()),
            models=tuple(models.items()),
            classes=tuple(classes),
        ),
        whole=_sums(summary.whole),
        groups=tuple(_sums(each, each.model_id, each.model_kind, each.asset_class) for each in summary.groups),
        promised=tuple(said for each in cards if (said := _promised(each, warns_from))),
        rows=tuple(_row(each, histories[each.id]) for each in listed.outcomes),
        warns_from=warns_from,
    )


def _sums(
    sums: OutcomeSumsOut, model_id: int | None = None, kind: str | None = None, asset_class: str | None = None
) -> SumRow:
    return SumRow(
        model_id=model_id,
        kind=kind,
        asset_class=asset_class,
        counted=sums,
        precision=_share(sums.precision),
        recall=_share(sums.recall),
    )


def _share(share: ShareOut) -> str:
    """`3 of 4`; with enough of them `70 % (52 to 83)`."""
    if share.rate is None or share.low is None or share.high is None:
        return f"{share.count} of {share.of}" if share.of else words.NOTHING
    return f"{words.percent(share.rate)} ({share.low * 100:.0f} to {share.high * 100:.0f})"


def _row(outcome: OutcomeOut, history: Sequence[RevisionOut]) -> OutcomeRow:
    money = outcome.saved - outcome.spent - outcome.lost
    revisions = tuple((OUTCOME_WORDS[each.outcome], each) for each in history)
    return OutcomeRow(outcome, OUTCOME_WORDS[outcome.outcome], REASON_WORDS[outcome.reason], money, revisions)


def _promised(model: Model, warns_from: float) -> str:
    """What its card says of warning from the plant's threshold on, or near it; empty where it is silent."""
    along = card.horizons(model.card)
    place = card.marked(along)
    horizon = along[place] if place is not None else {}
    curve = card.points(horizon.get("alert_curve"), "threshold", "caught", "false_alarms")
    failures = card.number(horizon.get("failures"))
    if not curve or not failures:
        return ""
    here = nearest(curve[0], warns_from)
    level, caught, false = (column[here] for column in curve)
    enough = caught + false >= FEWEST_FOR_A_RATE
    precision = f", {words.percent(caught / (caught + false))} of its warnings right" if enough else ""
    return (
        f"the card of {words.model_kind(model.kind)} {model.id}, warning from {words.percent(level)} on:"
        f" {caught:.0f} of {failures:.0f} failures caught{precision}"
    )
