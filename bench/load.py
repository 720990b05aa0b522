"""The load of the ingest benchmarks, a process of its own that costs little: requests are ready before the clock.

Reads an Order as JSON from its standard input and prints what came of it. One thread, raw sockets, kept alive; an
answer is read as far as its status and length.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from collections import Counter, deque
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from bench.series import Slice, requests

BUFFER_BYTES = 4 << 20
STALLED_SECONDS = 120


@dataclass(frozen=True)
class Order:
    """What to send where. `requests_a_second` 0 means: as fast as the answers come."""

    port: int
    head: str
    form: str
    piece: Slice
    readings_a_request: int
    connections: int
    requests_a_second: float = 0.0


@dataclass(frozen=True)
class Sent:
    """What came of an order. `answers` counts equal ones; latencies are from the scheduled time, in order."""

    seconds: float
    cpu_seconds: float
    answers: dict[str, int]
    latencies_ms: list[float]


class Connection:
    """One request at a time; what the socket does not take at once goes when there is room."""

    def __init__(self, port: int, poll: select.epoll) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=STALLED_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._socket.setblocking(False)
        self._poll, self._unsent, self._answer = poll, memoryview(b""), b""
        self.number, self.due = self._socket.fileno(), 0.0
        poll.register(self.number, select.EPOLLIN)

    def close(self) -> None:
        self._socket.close()

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        try:
            done = self._socket.send(request)
        except BlockingIOError:
            done = 0
        if done < len(request):
            self._unsent = memoryview(request)[done:]
            self._poll.modify(self.number, select.EPOLLIN | select.EPOLLOUT)

    def go_on(self) -> None:
        self._unsent = self._unsent[self._socket.send(self._unsent) :]
        if not self._unsent:
            self._poll.modify(self.number, select.EPOLLIN)

    def receive(self) -> bytes | None:
        """Status and body, or None where more of the answer is to come."""
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionError("The connection was closed before the answer.")
        self._answer += part
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        self._answer = b""
        return head[9:12] + b" " + body


def _length(head: bytes) -> int:
    if head.startswith(b"HTTP/1.1 204"):
        return 0
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])


def send(order: Order) -> Sent:
    waiting = deque(requests(order.head, order.form, order.piece, order.readings_a_request))
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        connections = [Connection(order.port, poll) for _ in range(order.connections)]
        for connection in connections:
            stack.callback(connection.close)
        cpu, start = time.process_time(), time.perf_counter()
        answers, latencies = _exchange(waiting, connections, poll, start, order.requests_a_second)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    told = {answer[:500].decode(): count for answer, count in answers.items()}
    return Sent(seconds, cpu, told, [round(latency * 1000, 3) for latency in latencies])


def _exchange(
    waiting: deque[bytes], connections: list[Connection], poll: select.epoll, start: float, rate: float
) -> tuple[Counter[bytes], list[float]]:
    """With a rate, request n is due n / rate after the start, whatever became of those before it."""
    clock, of = time.perf_counter, {each.number: each for each in connections}
    free, answers, latencies, begun = deque(connections), Counter[bytes](), list[float](), 0
    while waiting or len(free) < len(connections):
        now = clock()
        while free and waiting and (due := start + begun / rate if rate else now) <= now:
            free.popleft().send(waiting.popleft(), due)
            begun += 1
        pause = max(0.0, due - now) if rate and free and waiting else STALLED_SECONDS
        events = poll.poll(pause)
        if not events and pause == STALLED_SECONDS:
            raise TimeoutError(f"No answer for {STALLED_SECONDS} s.")
        for number, event in events:
            connection = of[number]
            if event & select.EPOLLOUT:
                connection.go_on()
            if event & ~select.EPOLLOUT and (answer := connection.receive()) is not None:
                answers[answer] += 1
                if rate:
                    latencies.append(clock() - connection.due)
                free.append(connection)
    return answers, latencies


def main() -> None:
    given = json.load(sys.stdin)
    # Collecting would now and then take what the clock measures.
    gc.disable()
    print(json.dumps(asdict(send(Order(**{**given, "piece": Slice(**given["piece"])})))))


if __name__ == "__main__":
    main()
