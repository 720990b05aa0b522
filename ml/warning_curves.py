"""What warning would have meant on judged time: by the risk from which one warns, and by how long before a failure.

Counts, not money: what a failure and a service cost may change after a card was made. How sure a curve is comes
from machines drawn with replacement (Efron 1979).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.features.history import Ints
from ml.judging import Flags, Judged, alarms, by_machine_and_time, leads, peaks, years_of_machines
from ml.models.base import Floats

RESAMPLES = 200
# Two-sided 90 %.
LOW, HIGH = 5, 95
# Thresholds lie as thick as the failures' highest risks and the riskiest moments, where planners choose.
THRESHOLDS, LEADS = 40, 40


@dataclass(frozen=True)
class Drawn:
    """`machine` [failures] is the position of each one's machine among those watched.

    `counts` [RESAMPLES, machines] is how often each was drawn; of one machine alone nothing is.
    """

    machine: Ints
    counts: Ints

    @classmethod
    def of(cls, case: Judged, seed: int) -> Drawn:
        machines, place = np.unique(case.machine, return_inverse=True)
        _, first = np.unique(case.failure, return_index=True)
        failed = place[first[case.failure[first] >= 0]]
        alone = len(machines) < 2
        equal = np.full(len(machines), 1 / max(len(machines), 1))
        draw = np.random.default_rng(seed).multinomial
        none = np.zeros((0, len(machines)), np.int64)
        return cls(failed, none if alone else draw(len(machines), equal, RESAMPLES))

    def by_machine(self, weight: Floats | Flags) -> Floats:
        """[machines] sum of what each failure weighs."""
        return np.bincount(self.machine, weight, self.counts.shape[1]).astype(float)


def alert_curve(risk: Floats, case: Judged, in_use: float, drawn: Drawn) -> list[dict[str, Any]]:
    """Failures caught and false alarms by threshold, the one in use among them.

    `spread` is [variance of failures missed a machine-year, variance of services, their covariance]: enough for an
    interval of the cost at any prices; None where nobody can say.
    """
    if not len(risk):
        return []
    highest, years = peaks(risk, case), years_of_machines(case)
    levels = _levels(risk, highest, in_use)
    caught = np.array([drawn.by_machine(highest >= level) for level in levels])
    false = np.array(list(_false_alarms(risk, case, levels)))
    spread = _spread(drawn.by_machine(np.ones(len(highest))) - caught, caught + false, years, drawn.counts)
    return [
        {
            "threshold": float(level),
            "caught": int(c.sum()),
            "false_alarms": round(float(f.sum()), 2),
            "spread": s,
        }
        for level, c, f, s in zip(levels, caught, false, spread, strict=True)
    ]


def _levels(risk: Floats, highest: Floats, in_use: float) -> Floats:
    thick = np.quantile(np.concatenate([risk, highest]), 1 - np.geomspace(1e-4, 1, THRESHOLDS))
    return np.unique(np.append(thick, in_use))


def _false_alarms(risk: Floats, case: Judged, levels: Floats) -> Iterator[Floats]:
    """[machines] of each level."""
    machines, place = np.unique(case.machine, return_inverse=True)
    others = by_machine_and_time(np.flatnonzero(~case.truth), case)
    for level in levels:
        begins, weight = alarms(others[risk[others] >= level], case)
        yield np.bincount(place[begins], weight, len(machines)).astype(float)


def _spread(missed: Floats, services: Floats, years: Floats, counts: Ints) -> list[list[float] | None]:
    """[levels] from [levels, machines] each."""
    watched = counts @ years
    if not len(counts) or not (watched > 0).all():
        return [None] * len(missed)
    rates = (counts @ missed.T) / watched[:, None], (counts @ services.T) / watched[:, None]
    away = [each - each.mean(axis=0) for each in rates]
    pairs = ((0, 0), (1, 1), (0, 1))
    return list(np.stack([(away[a] * away[b]).mean(axis=0) for a, b in pairs], axis=1).round(6).tolist())


def lead_curve(alert: Flags, case: Judged, drawn: Drawn) -> list[dict[str, float | None]]:
    """Share of the failures warned of at least so many hours before, falling in steps, with its interval."""
    longest = leads(alert, case)
    if not len(longest):
        return []
    known = np.append(0.0, longest[np.isfinite(longest)])
    steps = np.unique(np.quantile(known, np.linspace(0, 1, LEADS), method="nearest"))
    told = longest >= steps[:, None]
    failed = drawn.counts @ drawn.by_machine(np.ones(len(longest)))
    shares = (drawn.counts @ np.array([drawn.by_machine(each) for each in told]).T)[failed > 0]
    shares = shares / failed[failed > 0, None]
    low, high = np.percentile(shares, [LOW, HIGH], axis=0) if len(shares) else np.full((2, len(steps)), np.nan)
    return [
        {"hours": round(float(hours), 2), "share": round(float(share), 4), "low": _said(a), "high": _said(b)}
        for hours, share, a, b in zip(steps, told.mean(axis=1), low, high, strict=True)
    ]


def _said(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
