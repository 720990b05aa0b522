"""The failures that happened: distinct ones, and the modes that can be learnt apart. Labels are made from them."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from app.errors import BadInput
from ml.features.happenings import NEVER, epoch_seconds
from ml.features.history import History

# Of one mode; fewer cannot be learnt apart and are pooled.
FEWEST_FAILURES = 5
OTHER, UNNAMED = "other", "failure"


class TooFewFailures(BadInput):
    """There is nothing to learn a risk from yet; what each machine was like at first can be told all the same."""


def failures(history: History, until: datetime | None = None) -> pd.DataFrame:
    """Distinct failures, columns `machine, at` (epoch seconds), `mode, row` (in the events), by machine and time.

    Components that fail together are one failure, named by the mode that is more frequent in the fleet.
    """
    events = history.events[history.events["kind"] == "failure"]
    found = pd.DataFrame(
        {
            "machine": events["machine"].to_numpy(dtype=np.int64),
            "at": epoch_seconds(events["started_at"]),
            "mode": events["code"].fillna(events["component"]).fillna(UNNAMED).astype(str).to_numpy(),
            "row": events.index.to_numpy(dtype=np.int64),
        }
    )
    found = found[found["at"] < seconds(until)]
    found["rarity"] = -found.groupby("mode")["at"].transform("size")
    found = found.sort_values(["machine", "at", "rarity", "mode"])
    return found.drop_duplicates(["machine", "at"]).drop(columns="rarity").reset_index(drop=True)


def failure_modes(history: History, until: datetime | None = None) -> tuple[str, ...]:
    """The modes with enough failures, the most frequent first, then `other` for the rest."""
    names, counts = np.unique(failures(history, until)["mode"].to_numpy(dtype=str), return_counts=True)
    learnt = tuple(str(names[i]) for i in np.argsort(-counts, kind="stable") if counts[i] >= FEWEST_FAILURES)
    if not learnt:
        return (UNNAMED,)
    return learnt if len(learnt) == len(names) else (*(mode for mode in learnt if mode != OTHER), OTHER)


def seconds(until: datetime | None) -> int:
    """Epoch seconds; NEVER for no limit."""
    return NEVER if until is None else int(until.timestamp() // 1)
