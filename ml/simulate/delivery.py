"""A sensor gateway's way out: what is unsent waits, and leaves only when the service has stored it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from app.errors import BadInput

BATCH_ROWS = 1000
TIMEOUT_SECONDS = 30.0
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 60.0
# The service read it and found it wrong, so that the same again would be wrong again. Anything else is tried again.
WRONG_FOR_GOOD = frozenset({400, 409, 413, 422})
KEY_REFUSED = frozenset({401, 403})
EVENT_FIELDS = ("kind", "code", "component", "started_at", "ended_at", "note")
Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """`status` 0 means that none came, so nobody knows what was stored."""

    status: int
    retry_after: float | None = None
    body: bytes = b""

    @property
    def stored(self) -> bool:
        return 200 <= self.status < 300 or self.status == 409


@dataclass
class Gateway:
    """Where to post, as whom. Sends again safely: the service counts a repeated row as a duplicate."""

    base_url: str
    sensor_key: str
    operator_key: str | None = None
    sent: int = 0
    last_refusal: str = ""
    _wait: float = SHORTEST_WAIT

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{self.base_url!r} is not an address like http://127.0.0.1:8000.")

    def send_readings(self, rows: list[Row]) -> float:
        """Send and remove from the front of `rows`. Returns seconds to wait before trying the rest, or 0."""
        while rows:
            batch = rows[:BATCH_ROWS]
            answer = self._post("/api/v1/readings", batch, self.sensor_key)
            if wait := self._must_wait(answer, WRONG_FOR_GOOD):
                return wait
            self._note(answer, f"{len(batch)} readings")
            del rows[: len(batch)]
        return 0.0

    def send_events(self, events: list[Row], now: str) -> float:
        """The same for events: told once begun, and again with their end once ended. Times are ISO 8601."""
        for event in [event for event in events if _to_tell(event, now)]:
            ended = event["ended_at"] is None or event["ended_at"] <= now
            if self.operator_key:
                body = {name: event[name] for name in EVENT_FIELDS} | ({} if ended else {"ended_at": None})
                path = f"/api/v1/machines/{quote(event['machine'], safe='')}/events"
                answer = self._post(path, body, self.operator_key)
                if wait := self._must_wait(answer, WRONG_FOR_GOOD | {404}):
                    return wait
                self._note(answer, f"{event['kind']} of {event['machine']}")
            event["told"] = True
            if ended:
                events.remove(event)
        return 0.0

    def _post(self, path: str, body: object, key: str) -> Answer:
        parts = urlsplit(self.base_url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", parts.path.rstrip("/") + path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            return Answer(response.status, _seconds(response.headers), response.read())
        except (OSError, HTTPException):
            return Answer(0)
        finally:
            connection.close()

    def _must_wait(self, answer: Answer, wrong: frozenset[int]) -> float:
        if answer.status in KEY_REFUSED:
            raise BadInput(f"The service at {self.base_url} refuses the key ({answer.status}).")
        if answer.stored or answer.status in wrong:
            self._wait = SHORTEST_WAIT
            return 0.0
        if answer.status:
            self.last_refusal = f"the service answers {answer.status}"
        wait = answer.retry_after if answer.retry_after is not None else self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        return max(wait, SHORTEST_WAIT)

    def _note(self, answer: Answer, what: str) -> None:
        if answer.stored:
            self.sent += 1
            rejected = _rejected(answer.body)
            if rejected:
                self.last_refusal = f"{rejected} of {what} were rejected"
        else:
            self.last_refusal = f"{what} were refused with {answer.status}: {answer.body[:300]!r}"


def _to_tell(event: Row, now: str) -> bool:
    if event.get("told"):
        return bool(event["ended_at"] <= now)
    return bool(event["started_at"] <= now)


def _seconds(headers: HTTPMessage) -> float | None:
    value = headers.get("Retry-After", "")
    return min(float(value), LONGEST_WAIT) if value.isascii() and value.isdigit() else None


def _rejected(body: bytes) -> int:
    try:
        answer = json.loads(body)
    except ValueError:
        return 0
    return len(answer.get("rejected", ())) if isinstance(answer, dict) else 0
