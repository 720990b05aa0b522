"""How a plant's people report what happened: events wait until the service has them; readings have the client."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from app.errors import BadInput
from wearwatch_client.answers import KEY_REFUSED, Answer
from wearwatch_client.connection import Connection
from wearwatch_client.retry import Backoff, asked_seconds

# The service has it (409), or found it wrong, so that the same again would be wrong again. All else is tried again.
HAS_IT = frozenset({200, 201, 409})
WRONG_FOR_GOOD = frozenset({400, 404, 413, 422})
EVENT_FIELDS = ("kind", "code", "component", "started_at", "ended_at", "note")
Row = dict[str, Any]


class Reporter:
    """Reports events with an operator's key; without one they pass unreported."""

    def __init__(self, base_url: str, operator_key: str | None) -> None:
        self.last_refusal = ""
        self._connection = Connection(base_url, operator_key) if operator_key else None
        self._backoff = Backoff()

    def report(self, events: list[Row], now: str) -> float:
        """Tell and remove: told once begun, and again with their end once ended. Times are ISO 8601.

        Returns seconds to wait before trying the rest, or 0.
        """
        for event in [event for event in events if _to_tell(event, now)]:
            ended = event["ended_at"] is None or event["ended_at"] <= now
            if self._connection and (wait := self._send(self._connection, event, ended)):
                return wait
            event["told"] = True
            if ended:
                events.remove(event)
        return 0.0

    def _send(self, connection: Connection, event: Row, ended: bool) -> float:
        body = {name: event[name] for name in EVENT_FIELDS} | ({} if ended else {"ended_at": None})
        path = f"/api/v1/machines/{quote(event['machine'], safe='')}/events"
        try:
            answer = connection.post(path, json.dumps(body).encode(), "application/json")
        except (OSError, HTTPException):
            answer = Answer(0)
        if answer.status in KEY_REFUSED:
            raise BadInput(f"The service at {connection.url} refuses the operator's key ({answer.status}).")
        if answer.status in WRONG_FOR_GOOD:
            told = f"{event['kind']} of {event['machine']}"
            self.last_refusal = f"{told} was refused with {answer.status}: {answer.body[:300]!r}"
        elif answer.status not in HAS_IT:
            return self._backoff.wait(asked_seconds(answer.retry_after, answer.date))
        self._backoff.reset()
        return 0.0


def _to_tell(event: Row, now: str) -> bool:
    if event.get("told"):
        return bool(event["ended_at"] <= now)
    return bool(event["started_at"] <= now)
