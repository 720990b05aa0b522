"""What a client knows of its own batches: written down, on disk, before each send and after each answer."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# 503 says that the database went away, perhaps in the middle of the commit: whether it holds is not known.
UNKNOWN = frozenset({503})


class Known(NamedTuple):
    acknowledged: set[int]
    refused: set[int]
    unknown: set[int]


class Ledger:
    """Lines of (batch, status); status 0 before the send. Those who write at the same time share one fsync."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._syncing: asyncio.Task[None] | None = None

    async def sending(self, batch: int) -> None:
        await self._write(batch, 0)

    async def answered(self, batch: int, status: int) -> None:
        await self._write(batch, status)

    async def _write(self, batch: int, status: int) -> None:
        line = json.dumps([batch, status]).encode() + b"\n"
        self._lines.append(line)
        while any(each is line for each in self._lines):
            if self._syncing is None or self._syncing.done():
                self._syncing = asyncio.create_task(self._sync())
            await asyncio.shield(self._syncing)

    async def _sync(self) -> None:
        lines = list(self._lines)
        self._file.write(b"".join(lines))
        await asyncio.to_thread(os.fsync, self._file.fileno())
        del self._lines[: len(lines)]

    async def write(self, entries: Iterable[tuple[int, int]]) -> None:
        """Several at once, on disk when it returns."""
        lines = b"".join(b"[%d, %d]\n" % entry for entry in entries)
        if lines:
            self._file.write(lines)
            await asyncio.to_thread(os.fsync, self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def known(self) -> Known:
        """Acknowledged once is acknowledged; refused only where every send was refused; the rest is unknown."""
        acknowledged: set[int] = set()
        open_sends: Counter[int] = Counter()
        for line in self._path.read_bytes().splitlines():
            batch, status = json.loads(line)
            open_sends[batch] += 1 if status == 0 else -(status not in UNKNOWN)
            if 200 <= status < 300:
                acknowledged.add(batch)
        unknown = {batch for batch, sends in open_sends.items() if sends} - acknowledged
        return Known(acknowledged, set(open_sends) - acknowledged - unknown, unknown)
