"""Accounts of what arrived: one row a commit, in its transaction, so that no count is ever lost or made up.

The worker folds the rows into hourly totals; see arrival_totals.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from app.ingest.arrays import Int4Array, int4s, timestamps
from app.ingest.columns import MICROSECONDS, Ints
from app.ingest.merging import Outcome
from app.ingest.refusals import Refused
from app.ingest.store import Outcomes

# A group of duplicates alone says nothing new, so it has no lag; the fold takes these for NULL.
NO_LEAST_S, NO_LARGEST_S = 2**31 - 1, -(2**31)

RECORD = """
    INSERT INTO arrivals (received_at, senders, sender, machine_id, accepted, duplicates, merged, conflicts, late,
        least_lag_s, largest_lag_s, refused_sender, refused_machine_id, refused_kind, refused)
    VALUES ((%(received_at)s)[1], %(senders)s::text[], %(sender)s, %(machine_id)s, %(accepted)s, %(duplicates)s,
        %(merged)s, %(conflicts)s, %(late)s, %(least_lag_s)s, %(largest_lag_s)s,
        %(refused_sender)s::int[], %(refused_machine_id)s::int[], %(refused_kind)s::text[], %(refused)s::int[])
"""


class Groups(NamedTuple):
    """The rows of a commit by sender and machine. order: row numbers, group by group; start: [groups] into it."""

    sender: Ints
    machine_id: Ints
    order: Ints
    start: Ints


def record(
    connection: Connection,
    senders: Sequence[str],
    sender_of_row: Ints,
    machine_ids: Ints,
    measured_us: Ints,
    outcomes: Outcomes,
    received_us: int,
    late_after: timedelta,
    refused: Mapping[Refused, int],
) -> None:
    """Account for the rows of one commit, in its transaction, on a connection that knows arrays.py's types.

    sender_of_row: [rows] places in `senders`; `refused` is what `count_refused` says of the rows refused.
    """
    if not len(machine_ids) and not refused:
        return
    groups = group(sender_of_row, machine_ids)
    given = {
        "received_at": timestamps(np.array([received_us])),
        "senders": list(senders),
        "sender": int4s(groups.sender + 1),
        "machine_id": int4s(groups.machine_id),
        **counts(groups, outcomes),
        **lags(groups, outcomes, received_us - measured_us, late_after),
        "refused_sender": [number + 1 for number, _, _ in refused] or None,
        "refused_machine_id": [machine_id for _, machine_id, _ in refused] or None,
        "refused_kind": [kind for _, _, kind in refused] or None,
        "refused": list(refused.values()) or None,
    }
    connection.exec_driver_sql(RECORD, given)


def group(sender_of_row: Ints, machine_ids: Ints) -> Groups:
    key = (sender_of_row << 32) | machine_ids
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    new = np.ones(len(key), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    start = np.flatnonzero(new)
    return Groups(ordered[start] >> 32, ordered[start] & 0xFFFFFFFF, order, start)


def counts(groups: Groups, outcomes: Outcomes) -> dict[str, Int4Array | None]:
    ordered = outcomes[groups.order]
    names = zip(("accepted", "duplicates", "merged", "conflicts"), Outcome, strict=True)
    return {name: _sums(groups, ordered == outcome) for name, outcome in names}


def lags(groups: Groups, outcomes: Outcomes, lag_us: Ints, late_after: timedelta) -> dict[str, Int4Array | None]:
    """Lag in whole seconds and how many were late, of the rows that said something new."""
    new = (outcomes != Outcome.DUPLICATE)[groups.order]
    lag_s = np.clip(lag_us[groups.order] // MICROSECONDS, NO_LARGEST_S + 1, NO_LEAST_S - 1)
    least, largest = np.where(new, lag_s, NO_LEAST_S), np.where(new, lag_s, NO_LARGEST_S)
    if len(groups.start):
        least, largest = np.minimum.reduceat(least, groups.start), np.maximum.reduceat(largest, groups.start)
    late = new & (lag_s > late_after.total_seconds())
    return {"late": _sums(groups, late), "least_lag_s": int4s(least), "largest_lag_s": int4s(largest)}


def _sums(groups: Groups, mask: np.typing.NDArray[np.bool_]) -> Int4Array | None:
    if not mask.any():
        return None
    return int4s(np.add.reduceat(mask, groups.start, dtype=np.int64))
