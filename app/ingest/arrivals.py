"""Accounts of what arrived: one row a commit, in its transaction, so that no count is ever lost or made up.

The worker folds the rows into hourly totals; see arrival_totals.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection

from app.ingest.arrays import int4s
from app.ingest.columns import MICROSECONDS, Ints, Mask
from app.ingest.merging import Outcome
from app.ingest.refusals import Refused
from app.ingest.store import Outcomes

# A group of duplicates alone says nothing new, so it has no lag; the fold takes these for NULL.
NO_LEAST_S, NO_LARGEST_S = 2**31 - 1, -(2**31)
OUTCOMES = [int(outcome) for outcome in Outcome]

# Columns that are not int4 arrays of ours -> how their parameter becomes the column.
SPECIAL = {
    "received_at": "to_timestamp(%(received_at)s / 1000000.0)",
    "senders": "ARRAY(SELECT jsonb_array_elements_text(%(senders)s::jsonb))",
    "refused_kind": "%(refused_kind)s::text[]",
}


class Groups(NamedTuple):
    """The rows of a commit by sender and machine. order: row numbers, group by group; start: [groups] into it."""

    sender: Ints
    machine_id: Ints
    order: Ints
    start: Ints


def account(
    sender_of_row: Ints,
    machine_ids: Ints,
    measured_us: Ints,
    outcomes: Outcomes,
    received_us: int,
    late_after: timedelta,
) -> dict[str, Ints]:
    """The columns of a commit's row that hold numbers, an entry for each sender and machine. Pure.

    sender_of_row: [rows] places in the commit's senders. What would hold zeros only is left out.
    """
    groups = group(sender_of_row, machine_ids)
    columns = {
        "sender": groups.sender + 1,
        "machine_id": groups.machine_id,
        **counts(groups, outcomes),
        **lags(groups, outcomes, received_us - measured_us, late_after),
    }
    return {name: column for name, column in columns.items() if column is not None}


def record(
    connection: Connection,
    senders: Sequence[str],
    accounted: Mapping[str, Ints],
    received_us: int,
    refused: Mapping[Refused, int],
) -> None:
    """Account for one commit, in its transaction, on a connection that knows arrays.py's types.

    `accounted` is what `account` says of its rows, `refused` what `count_refused` says of the rows refused.
    """
    if not len(accounted["machine_id"]) and not refused:
        return
    given = {
        "received_at": received_us,
        "senders": names(senders),
        **{name: int4s(column) for name, column in accounted.items()},
        **(_refused(refused) if refused else {}),
    }
    connection.exec_driver_sql(_insert(tuple(given)), given)


def names(senders: Sequence[str]) -> str:
    """As a list in JSON, which says every name."""
    return msgspec.json.encode(senders).decode()


@lru_cache(maxsize=256)
def _insert(names: Sequence[str]) -> str:
    """What is not named stays NULL: most commits hold accepted rows only, and every parameter costs."""
    values = ", ".join(SPECIAL.get(name, f"%({name})s") for name in names)
    return f"INSERT INTO arrivals ({', '.join(names)}) VALUES ({values})"  # noqa: S608  (names of our own)


def _refused(refused: Mapping[Refused, int]) -> dict[str, object]:
    senders, machine_ids, kinds = zip(*refused, strict=True)
    return {
        "refused_sender": int4s(np.array(senders) + 1),
        "refused_machine_id": int4s(np.array(machine_ids)),
        "refused_kind": list(kinds),
        "refused": int4s(np.array(list(refused.values()))),
    }


def group(sender_of_row: Ints, machine_ids: Ints) -> Groups:
    key = (sender_of_row << 32) | machine_ids
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    new = np.ones(len(key), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    start = np.flatnonzero(new)
    return Groups(ordered[start] >> 32, ordered[start] & 0xFFFFFFFF, order, start)


def counts(groups: Groups, outcomes: Outcomes) -> dict[str, Ints | None]:
    pairs = zip(("accepted", "duplicates", "merged", "conflicts"), OUTCOMES, strict=True)
    if not outcomes.any():
        sizes = np.diff(groups.start, append=len(groups.order))
        return {name: None if outcome else sizes for name, outcome in pairs}
    ordered = outcomes[groups.order]
    return {name: _sums(groups, ordered == outcome) for name, outcome in pairs}


def lags(groups: Groups, outcomes: Outcomes, lag_us: Ints, late_after: timedelta) -> dict[str, Ints | None]:
    """Lag in whole seconds and how many were late, of the rows that said something new."""
    lag_s = np.clip(lag_us[groups.order] // MICROSECONDS, NO_LARGEST_S + 1, NO_LEAST_S - 1)
    late, least, largest = lag_s > late_after.total_seconds(), lag_s, lag_s
    if outcomes.any():
        new = (outcomes != Outcome.DUPLICATE)[groups.order]
        late, least, largest = new & late, np.where(new, lag_s, NO_LEAST_S), np.where(new, lag_s, NO_LARGEST_S)
    if len(groups.start):
        least, largest = np.minimum.reduceat(least, groups.start), np.maximum.reduceat(largest, groups.start)
    return {"late": _sums(groups, late), "least_lag_s": least, "largest_lag_s": largest}


def _sums(groups: Groups, mask: Mask) -> Ints | None:
    if not mask.any():
        return None
    sums: Ints = np.add.reduceat(mask, groups.start, dtype=np.int64)
    return sums
