"""A service under load: where to send, what it costs in CPU seconds, and how many readings it really holds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

from bench.load import Order
from bench.series import Slice

ROOT = Path(__file__).parent.parent
READY_SECONDS = 60
STOP_SECONDS = 20
# Compactions, checkpoints: quiet is less than a tenth of a core, and nobody is waited for without end.
QUIET_SECONDS, QUIET_SHARE, SETTLED_WITHIN_SECONDS = 0.4, 0.1, 8


@dataclass(frozen=True)
class Run:
    """One load: how long it took, what target and sender cost, and the latencies of an open loop, sorted."""

    readings: int
    requests: int
    seconds: float
    cpu_seconds: float
    database_cpu_seconds: float
    sender_cpu_seconds: float
    latencies_ms: list[float]

    @property
    def rate(self) -> float:
        return self.readings / self.seconds


@dataclass
class Target:
    """One side. `stored(series)` counts the readings of a series that are whole in its database.

    `transactions` counts those that have written anything so far, whoever asked for them.
    """

    name: str
    port: int
    path: str
    headers: str
    form: str
    process: int
    database: int | None
    stored: Callable[[str], int]
    transactions: Callable[[], int] | None = None
    acknowledged: Counter[str] = field(default_factory=Counter)
    _next: Counter[str] = field(default_factory=Counter)

    def next(self, series: str, start_ms: int, count: int, late_share: float = 0.0) -> Slice:
        """What of a series it has not been sent yet."""
        piece = Slice(series, start_ms, self._next[series], count, late_share)
        self._next[series] += count
        return piece

    def send(self, piece: Slice, size: int, connections: int, rate: float = 0.0, *, again: bool = False) -> Run:
        """`size` readings a request; `rate` requests a second, 0 for as fast as it answers.

        Raises RuntimeError where a request is not acknowledged in full.
        """
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{self.headers}"
        order = Order(self.port, head, self.form, piece, size, connections, rate)
        before, database_before = self._cpu_seconds()
        words = json.dumps(asdict(order)).encode()
        command = [sys.executable, "-m", "bench.load"]
        done = json.loads(subprocess.run(command, cwd=ROOT, check=True, input=words, stdout=-1).stdout)
        after, database_after = self._settled_cpu_seconds()
        wrong = [answer for answer in done["answers"] if answer[0] != "2"]
        if wrong:
            raise RuntimeError(f"{self.name} did not acknowledge every request: {wrong[0]}")
        self.acknowledged[piece.name] += 0 if again else piece.count
        return Run(
            piece.count,
            sum(done["answers"].values()),
            done["seconds"],
            after - before,
            database_after - database_before,
            done["cpu_seconds"],
            sorted(done["latencies_ms"]),
        )

    def check_stored(self) -> None:
        """Raises RuntimeError where what was acknowledged is not what is stored."""
        for series, acknowledged in self.acknowledged.items():
            stored = self.stored(series)
            if stored != acknowledged:
                raise RuntimeError(
                    f"{self.name}: {stored:,} readings of {series} are stored, {acknowledged:,} were acknowledged."
                )

    def _cpu_seconds(self) -> tuple[float, float]:
        """Of all, and of the database among them where that is a program of its own."""
        database = cpu_seconds(self.database) if self.database else 0.0
        return cpu_seconds(self.process) + database, database

    def _settled_cpu_seconds(self) -> tuple[float, float]:
        """What it does afterwards is waited for, so that it is counted as its own and slows nobody else."""
        deadline, before = time.monotonic() + SETTLED_WITHIN_SECONDS, self._cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            after = self._cpu_seconds()
            if after[0] - before[0] < QUIET_SHARE * QUIET_SECONDS:
                return after
            before = after
        return before


def cpu_seconds(number: int) -> float:
    """User and system time of a process and all that it started, those that ended included."""
    root = psutil.Process(number)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


@contextmanager
def program(command: list[str], **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A program with these settings alone, and what it prints. Gone at the end, whatever happens."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WEARWATCH_") and name != "DATABASE_URL"
    }
    log = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the program)
    process = subprocess.Popen(command, cwd=ROOT, env=inherited | settings, stdout=log, stderr=log)
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(command: list[str], port: int, ready_path: str, **settings: str) -> Iterator[int]:
    """A program that answers on the loopback address: its process number. Gone at the end, whatever happens."""
    with program(command, **settings) as (process, log):
        if not _becomes_ready(process, f"http://127.0.0.1:{port}{ready_path}"):
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} did not become ready: {log.read()[-2000:].decode()}")
        yield process.pid


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _becomes_ready(process: subprocess.Popen[bytes], address: str) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    return False
