"""What a client knows of its own batches: written down, on disk, before each send and after each answer."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path


class Ledger:
    """A line before a send, one after its answer. A batch without an answer is unknown: stored whole or not."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._file = path.open("a", encoding="utf-8")

    def write(self, batch: int, what: str) -> None:
        with self._lock:
            self._file.write(json.dumps([batch, what]) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def batches(self) -> dict[str, set[int]]:
        """`acknowledged`, `refused` and `unknown` batches, by their last line."""
        last: dict[int, str] = dict(json.loads(line) for line in self._path.read_text("utf-8").splitlines())
        told = {"acknowledged": "acknowledged", "refused": "refused"}
        sorted_out: dict[str, set[int]] = {"acknowledged": set(), "refused": set(), "unknown": set()}
        for batch, what in last.items():
            sorted_out[told.get(what, "unknown")].add(batch)
        return sorted_out
