"""Messages on their way from the broker's thread to the bridge's: bounded, in the order of arrival."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

# The broker itself bounds what wants an acknowledgement. What wants none (QoS 0) comes as fast as it is published.
MOST_UNACKNOWLEDGED_WAITING = 10_000
MOST_UNACKNOWLEDGED_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Message:
    """As the broker gave it. `connection` counts our connections: an acknowledgement is good for its own only.

    `arrived_us`: when it came for the first time, None where nobody knows.
    """

    topic: str
    body: bytes
    qos: int
    mid: int
    connection: int
    is_repeated: bool
    is_retained: bool
    arrived_us: int | None
    full_bytes: int


class Inbox:
    """Bounded: what does not fit is lost where it wanted no acknowledgement (and counted), else comes again."""

    def __init__(self) -> None:
        self.lost = 0
        self._messages: deque[Message] = deque()
        self._loose = 0
        self._loose_bytes = 0
        self._changed = Condition()
        self._is_closed = False

    def put(self, message: Message) -> None:
        with self._changed:
            if self._is_closed:
                return
            if message.qos == 0:
                if not self._has_room(message):
                    self.lost += 1
                    return
                self._count(message, 1)
            self._messages.append(message)
            self._changed.notify()

    def take(self, most: int, most_bytes: int, wait_seconds: float) -> list[Message]:
        """What waits, at least one message of any size; empty after `wait_seconds` without any."""
        taken: list[Message] = []
        size = 0
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._is_closed, wait_seconds)
            while self._messages and len(taken) < most:
                size += len(self._messages[0].body)
                if taken and size > most_bytes:
                    break
                taken.append(message := self._messages.popleft())
                if message.qos == 0:
                    self._count(message, -1)
        return taken

    def forget_repeated(self, connection: int) -> None:
        """The broker resumed our session: what came before `connection` unacknowledged, it sends again."""
        with self._changed:
            self._messages = deque(
                message for message in self._messages if message.qos == 0 or message.connection == connection
            )

    def close(self) -> None:
        """Take nothing more in; what is inside can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._messages)

    def _has_room(self, message: Message) -> bool:
        return (
            self._loose < MOST_UNACKNOWLEDGED_WAITING
            and self._loose_bytes + len(message.body) <= MOST_UNACKNOWLEDGED_BYTES
        )

    def _count(self, message: Message, sign: int) -> None:
        self._loose += sign
        self._loose_bytes += sign * len(message.body)
