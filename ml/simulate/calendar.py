"""The plant's own maintenance before Wearwatch: each part on its interval, by day."""

from __future__ import annotations

import numpy as np

from ml.features.history import Ints
from ml.simulate.roster import Roster
from ml.simulate.wear import Wear

DAY = 86400
MOST_AT_ONCE = 2
INSPECTIONS_PER_HOUR = 1 / (24 * 60)


def due_services(roster: Roster, wear: Wear, down_until: Ints, time: int) -> list[tuple[int, int]]:
    """(machine, component) to renew now: the longest overdue first, in each machine's own hour of a weekday."""
    day, second = divmod(time - 4 * DAY, DAY)
    own_hour = 6 + np.arange(len(roster)) % 9 == second // 3600
    if day % 7 >= 5 or not own_hour.any():
        return []
    overdue = time - wear.renewed_at - (roster.service_interval_days * DAY).astype(np.int64)
    overdue = np.where((own_hour & (down_until <= time))[:, None], overdue, -1)
    machines = np.argsort(-overdue.max(axis=1), kind="stable")[:MOST_AT_ONCE]
    return [(int(m), int(overdue[m].argmax())) for m in machines if overdue[m].max() >= 0]
