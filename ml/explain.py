"""Why a machine is at risk, in words: what its risk would be if one thing were as usual for it (occlusion).

Works for every model: features that tell of the same thing are put back together to the machine's own usual, and
the fall of the risk is that thing's part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.features.catalogue import Feature
from ml.features.history import Features, Floats, Moments
from ml.models.base import cumulative_risk
from ml.reason_words import reason_of
from ml.usual import Usual

MOST_REASONS = 4
# Parts smaller than this are no reason to do anything.
SMALLEST_SHARE = 0.05
# Rows put to the model in one go.
AT_ONCE = 20_000

Hazards = Callable[[Features], Floats]


@dataclass(frozen=True)
class Group:
    """Features that tell of one thing, by position; `channel` also names its place in the blocks."""

    subject: str
    features: tuple[int, ...]
    channel: str | None = None


# Kinds that are about one thing although no channel says so.
SUBJECTS = {
    "fault_count": "fault codes",
    "since_fault": "fault codes",
    "since_service": "services",
    "since_failure": "failures",
    "age": "age",
    "since_first": "age",
    "missing": "missing data",
}


def groups_of(features: Sequence[Feature]) -> tuple[Group, ...]:
    """One per channel, one per other thing; a kind unknown here is a thing of its own."""
    found: dict[tuple[str, str | None], list[int]] = {}
    for place, feature in enumerate(features):
        subject = feature.channel or SUBJECTS.get(feature.kind, feature.kind)
        found.setdefault((subject, feature.channel), []).append(place)
    return tuple(Group(subject, tuple(places), channel) for (subject, channel), places in found.items())


def explain(
    hazards: Hazards,
    catalogue: Sequence[Feature],
    now: Features,
    usual: Usual,
    horizon: int,
    bucket_seconds: int,
) -> list[list[dict[str, Any]]]:
    """For each moment its reasons, the weightiest first: words, share of the explained risk, value and usual value.

    `now` and `usual` were built from `catalogue`; `horizon` is the number of the horizon whose risk is explained.
    """
    groups = groups_of(catalogue)
    falls = risk_falls(hazards, groups, now, usual, horizon)
    total = falls.clip(0).sum(axis=1)
    told = []
    for row in range(len(now)):
        shares = falls[row] / total[row] if total[row] > 0 else np.zeros(len(groups))
        best = [
            place for place in np.argsort(-shares, kind="stable")[:MOST_REASONS] if shares[place] >= SMALLEST_SHARE
        ]
        reasons = [
            (reason_of(catalogue, groups[place].features, now, usual, row, bucket_seconds), shares[place])
            for place in best
        ]
        told.append([reason | {"share": round(float(share), 3)} for reason, share in reasons if reason])
    return told


def risk_falls(hazards: Hazards, groups: Sequence[Group], now: Features, usual: Usual, horizon: int) -> Floats:
    """[n, groups] how far the risk within the horizon falls when a group is as usual."""
    falls = np.zeros((len(now), len(groups)))
    step = max(1, AT_ONCE // (len(groups) + 1))
    for start in range(0, len(now), step):
        rows = np.arange(start, min(start + step, len(now)))
        part, middle = now.take(rows), usual.middle.take(rows)
        risk = _risk_within(hazards, _stacked([part, *(_as_usual(part, middle, each) for each in groups)]), horizon)
        risk = risk.reshape(len(groups) + 1, len(rows))
        falls[rows] = (risk[0] - risk[1:]).T
    return falls


def _risk_within(hazards: Hazards, features: Features, horizon: int) -> Floats:
    return np.asarray(cumulative_risk(hazards(features))[:, horizon])


def _as_usual(now: Features, usual: Features, group: Group) -> Features:
    """The group's columns from `usual`, where that is known."""
    values, blocks = now.values.copy(), now.blocks.copy()
    places = list(group.features)
    put = usual.values[:, places]
    values[:, places] = np.where(np.isfinite(put), put, values[:, places])
    if group.channel in now.channels:
        at = now.channels.index(group.channel)
        put = usual.blocks[:, :, at]
        blocks[:, :, at] = np.where(np.isfinite(put), put, blocks[:, :, at])
    return Features(now.moments, now.names, values, now.channels, blocks)


def _stacked(parts: Sequence[Features]) -> Features:
    moments = Moments(*(np.concatenate([getattr(p.moments, name) for p in parts]) for name in ("machine", "as_of")))
    values, blocks = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "blocks"))
    return Features(moments, parts[0].names, values, parts[0].channels, blocks)
