"""Rows in the order of their key: machine, then time. Pure."""

from __future__ import annotations

import numpy as np

from app.ingest.columns import Ints, Mask


def by_key(machine_ids: Ints, times: Ints) -> Ints:
    """The rows in the order of their key, those of one key as they came."""
    order: Ints = np.lexsort((times, machine_ids))
    return order


def same_as_before(machine_ids: Ints, times: Ints) -> Mask:
    """Of rows in order: whether each has the key of the one before it."""
    again = np.zeros(len(times), dtype=np.bool_)
    again[1:] = (times[1:] == times[:-1]) & (machine_ids[1:] == machine_ids[:-1])
    return again
