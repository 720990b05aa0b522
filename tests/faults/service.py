"""The service as processes of its own, started, killed and always ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

OURS = ("WEARWATCH_", "DATABASE_URL")
ROOT = Path(__file__).parents[2]
# A start takes 1.2 s on a quiet machine; a slower one is seen by the check that measures it, not by this.
PATIENCE_SECONDS = 60


class Service:
    """`wearwatch serve` on a free port; `start` may be called again after `kill` or `stop`."""

    def __init__(self, folder: Path, *, inside: Sequence[str] = (), **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._command = [*inside, sys.executable, str(ROOT / "wearwatch.py")]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OURS)},
            "WEARWATCH_DATA_DIR": str(folder),
            **settings,
        }
        self.log = folder.with_name(f"service-{self.port}.log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until it is ready."""
        began = time.monotonic()
        command = [*self._command, "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        while time.monotonic() < began + PATIENCE_SECONDS and self._process.poll() is None:
            if self._ready():
                return time.monotonic() - began
            time.sleep(0.02)
        self.kill()
        raise TimeoutError(f"the service did not become ready: {self.log.read_text()[-2000:]}")

    def run(self, *words: str) -> str:
        """What another command of ours prints on the same data."""
        command = [*self._command, *words]
        return subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True).stdout

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(30)
            self._process = None

    def memory_mib(self) -> float:
        """Resident memory of its largest process."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        return max(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 2**20
