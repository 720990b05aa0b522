"""How long a check runs: short in CI, full with `WEARWATCH_FAULTS=full`; one figure by `WEARWATCH_KILLS=200`."""

from __future__ import annotations

import os

FULL = os.environ.get("WEARWATCH_FAULTS") == "full"
# The full form holds times to what is promised; the short one runs on machines that do other things as well.
PATIENCE = 1 if FULL else 5


def many(name: str, short: int, full: int) -> int:
    """The figure `WEARWATCH_<name>` asks for, otherwise that of the chosen form."""
    return int(os.environ.get(f"WEARWATCH_{name}", full if FULL else short))
