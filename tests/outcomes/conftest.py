"""A machine whose served risk is written hour by hour, and the ledger kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from factories import at

from app.outcomes.actions import keep
from app.outcomes.store import OutcomeFilter, list_outcomes

BEGIN = at("2026-10-01 00:00")
HOUR = timedelta(hours=1)
NOW = BEGIN + 40 * 24 * HOUR
HIGH, LOW = [0.1, 0.2, 0.4, 0.5, 0.6], [0.001, 0.003, 0.01, 0.02, 0.04]


@pytest.fixture
def champion(make_model):
    return make_model(promoted_at=BEGIN - timedelta(days=30))


@pytest.fixture
def served(make_prediction, champion) -> Callable[..., None]:
    """`served(machine, risky=range(10), until=200)`: above the threshold in those hours, below it daily."""

    def make(machine, risky: Iterable[int] = (), until: int = -1, model=None, **columns):
        risky = set(risky)
        for hour in sorted({*risky, *range(0, until + 1, 24), *([until] if until >= 0 else [])}):
            as_of = BEGIN + hour * HOUR
            given = {"scored_at": as_of + HOUR / 60, "probabilities": HIGH if hour in risky else LOW} | columns
            make_prediction(machine, model or champion, as_of, **given)

    return make


@pytest.fixture
def keep_ledger(session, settings):
    """Until an hour, by default long afterwards; how many revisions that added."""

    def kept(machine, hours: float | None = None) -> int:
        return keep(session, settings, [machine.id], NOW if hours is None else BEGIN + hours * HOUR)

    return kept


@pytest.fixture
def ledger(session):
    """What counts now: outcome, reason and the hour of its begin."""

    def listed(**wanted):
        kept, _ = list_outcomes(session, OutcomeFilter(**wanted), 1000, 0)
        return [(row.outcome, row.reason, (row.at - BEGIN) / HOUR) for row, _, _ in reversed(kept)]

    return listed
