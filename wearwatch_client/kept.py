"""What leaves the queue without being delivered is kept: rejected readings with their reason, and damaged bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wearwatch_client.files import BINARY, OWNER_ONLY, append_whole, sync_folder
from wearwatch_client.frames import Queued

# Two such files of each kind at most: the full one and the one being written. A sensor that is wrong for weeks must
# not fill the disk that all others need; the service has what it rejected in its own ledger.
MOST_BYTES = 16 << 20
LONGEST_LINE = 256 << 10


class Refusal(NamedTuple):
    """Why the service will never store a reading."""

    status: int
    field: str | None
    reason: str


class KeptFile:
    """Grows to a bound, then becomes `<name>.1` in place of the one before."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path, self.older = path, path.with_name(f"{path.name}.1")
        self._most_bytes = most_bytes

    def append(self, data: bytes) -> None:
        """On disk when it returns."""
        fresh = not self.path.exists()
        if not fresh and self.path.stat().st_size + len(data) > self._most_bytes:
            self.path.replace(self.older)
            fresh = True
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | BINARY, OWNER_ONLY)
        try:
            append_whole(file, os.fstat(file).st_size, data, durable=True)
        finally:
            os.close(file)
        if fresh:
            sync_folder(self.path.parent)


class Rejected:
    """`rejected.ndjson`: one line a reading. A reading whose batch is sent again after a crash is written once."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._file = KeptFile(folder / "rejected.ndjson", most_bytes)
        _cut_unfinished(self._file.path)
        self.last_number = max(_last_number(self._file.path), _last_number(self._file.older))

    def keep(self, refused: Iterable[tuple[Queued, Refusal]]) -> None:
        new = [(queued, why) for queued, why in refused if queued.number > self.last_number]
        if new:
            self._file.append(b"".join(_line(queued, why) for queued, why in new))
            self.last_number = new[-1][0].number


def _line(queued: Queued, why: Refusal) -> bytes:
    told = {"number": queued.number, **why._asdict(), "reading": json.loads(queued.body)}
    return json.dumps(told).encode() + b"\n"


def _cut_unfinished(path: Path) -> None:
    if path.exists():
        tail = _tail(path)
        os.truncate(path, path.stat().st_size - len(tail) + tail.rfind(b"\n") + 1)


def _last_number(path: Path) -> int:
    """Of the last line that can be read: a person may have edited the file."""
    for line in reversed(_tail(path).splitlines() if path.exists() else []):
        try:
            return int(json.loads(line)["number"])
        except (ValueError, KeyError, TypeError):
            continue
    return 0


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LONGEST_LINE))
        return file.read()
