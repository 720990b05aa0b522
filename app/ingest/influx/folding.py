"""Lines about one machine at one time -> one row, before the store sees them. Pure.

Many clients send a line for each field. Lines that contradict each other are left apart: the store then keeps the
first and puts the others among the conflicts, as it does with readings that come later. Lines that together have
more extra channels than a row may become several rows, which the store merges into one reading: what is stored does
not depend on where a client cuts its batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.ingest.columns import Columns, Extra, Ints, Mask
from app.ingest.plausibility import MOST_EXTRA_CHANNELS


@dataclass(frozen=True)
class Folded:
    """`first[line]` is the place of the line that stands for it; `rows` are the places of those that stand."""

    columns: Columns
    rows: Ints
    first: Ints


def fold(columns: Columns) -> Folded:
    places = np.arange(len(columns))
    number = {key: at for at, key in enumerate(dict.fromkeys(columns.machine))}
    machines = np.fromiter(map(number.__getitem__, columns.machine), np.int64, len(columns))
    order = np.lexsort((columns.measured_us, machines))
    starts = np.flatnonzero(_differs(machines[order]) | _differs(columns.measured_us[order]))
    if len(starts) == len(columns):
        return Folded(columns, places, places)
    leaders = order[starts]
    first = np.empty_like(places)
    first[order] = np.repeat(leaders, np.diff(starts, append=len(columns)))
    low, high = (each.reduceat(columns.values[order], starts, axis=0) for each in (np.fmin, np.fmax))
    apart = list(_contradicting(first, columns.extra) | set(leaders[(low < high).any(axis=1)].tolist()))
    first = np.where(np.isin(first, apart), places, first)
    agree = ~np.isin(leaders, apart)
    values = columns.values.copy()
    values[leaders[agree]] = low[agree]
    extra, first = _joined(columns.extra, first)
    together = Columns(columns.machine, columns.measured_us, values, extra)
    rows = np.flatnonzero(first == places)
    return Folded(together.take(rows), rows, first)


def _differs(in_order: Ints) -> Mask:
    """Where a value is another than the one before it."""
    return np.concatenate([np.ones(min(1, len(in_order)), np.bool_), in_order[1:] != in_order[:-1]])


def _contradicting(first: Ints, extra: Sequence[Extra | None]) -> set[int]:
    """First lines of those of which two give an extra channel different values."""
    seen: dict[tuple[int, str], float] = {}
    return {
        place
        for place, channels in zip(first.tolist(), extra, strict=True)
        for name, value in (channels or {}).items()
        if seen.setdefault((place, name), value) != value
    }


def _joined(extra: Sequence[Extra | None], first: Ints) -> tuple[list[Extra | None], Ints]:
    """Also `first` anew: where a row is full, the next line stands for itself and those that follow it."""
    joined, stands = list(extra), first.tolist()
    standing: dict[int, tuple[int, Extra]] = {}
    for place in np.flatnonzero(first != np.arange(len(first))).tolist():
        moment, channels = stands[place], extra[place] or {}
        at, row = standing.get(moment) or (moment, dict(extra[moment] or {}))
        if len(row) + sum(name not in row for name in channels) > MOST_EXTRA_CHANNELS:
            at, row = place, {}
        row.update(channels)
        standing[moment] = at, row
        joined[at], stands[place] = row or None, at
    return joined, np.array(stands, np.int64)
