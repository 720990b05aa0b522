"""Tells every process that something changed, through PostgreSQL; the dashboard's stream passes it to browsers."""

from __future__ import annotations

import json
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

CHANNEL = "wearwatch"
Kind = Literal["reading", "risk", "plan", "event", "machine", "work", "what_if"]


def announce(session: Session, kind: Kind, machine: str | None = None) -> None:
    """Sent when the transaction commits, once however often it is said in it."""
    session.execute(select(func.pg_notify(CHANNEL, json.dumps({"kind": kind, "machine": machine}))))
