"""Machine keys -> ids, remembered; machines nobody has described yet are registered as unconfigured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import text

from app.database import Bind, session_scope
from app.ingest.columns import Ints

FIND = text("SELECT key, id FROM machines WHERE key = ANY(:keys)")
REGISTER = text(
    """INSERT INTO machines (key, configured) SELECT key, false FROM unnest(CAST(:keys AS text[])) AS key
    ORDER BY key ON CONFLICT (key) DO NOTHING"""
)


class KnownMachines:
    """Ids of the keys seen so far. Machines are never deleted or renamed, so what is known stays true."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._ids: dict[str, int] = {}

    def ids(self, keys: set[str], register: set[str]) -> dict[str, int]:
        """Ids of the known among `keys`; those in `register` are made where they are missing."""
        unknown = keys - self._ids.keys()
        if unknown:
            self._look_up(unknown, register & unknown)
        return self._ids

    def all_known(self, keys: Sequence[str]) -> Ints | None:
        """The id of each key, without asking the database; None where one is not known."""
        try:
            return np.array([self._ids[key] for key in keys], dtype=np.int64)
        except KeyError:
            return None

    def forget(self) -> None:
        self._ids = {}

    def _look_up(self, unknown: set[str], register: set[str]) -> None:
        with session_scope(self._bind) as session:
            found: dict[str, int] = dict(session.execute(FIND, {"keys": sorted(unknown)}).all())
            missing = sorted(register - found.keys())
            if missing:
                session.execute(REGISTER, {"keys": missing})
                found |= dict(session.execute(FIND, {"keys": missing}).all())
        self._ids |= found
