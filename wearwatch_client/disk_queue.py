"""The disk queue: readings that were taken in and not yet delivered, through crashes of program, system and power.

In its folder: `<number>.segment` (the readings), `position` (how far it was delivered), `rejected.ndjson`,
`damaged`, `lock`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from wearwatch_client.backlog import Backlog
from wearwatch_client.errors import Closed, QueueFailed, QueueFull
from wearwatch_client.files import RuinedFile, lock_folder, make_folder
from wearwatch_client.frames import Queued, frame
from wearwatch_client.kept import KeptFile, Rejected
from wearwatch_client.position import Position
from wearwatch_client.segments import Segments, SegmentWriter

# A delivered segment is removed as a whole, so it should be a small part of the disk that is granted.
SEGMENT_BYTES = 8 << 20
SEGMENTS_AT_LEAST = 8
# Number, checksum and blanks around a reading.
FRAME_BYTES = 31


@dataclass
class _Entry:
    """What one thread wants to add."""

    bodies: Sequence[bytes]
    size: int
    done: bool = False
    error: BaseException | None = None


class DiskQueue:
    """Many threads may append; one reads and acknowledges."""

    def __init__(self, folder: Path, most_bytes: int, *, durable: bool = True) -> None:
        try:
            make_folder(folder)
            self._lock_file = lock_folder(folder)
            self._load(folder)
        except OSError as error:
            raise QueueFailed(f"The queue in {folder} cannot be opened: {error}.") from error
        self._writer = SegmentWriter(folder, min(SEGMENT_BYTES, most_bytes // SEGMENTS_AT_LEAST), durable=durable)
        self._folder, self._most_bytes = folder, most_bytes
        self._entries: list[_Entry] = []
        self._reserved = 0
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._closed = False

    def _load(self, folder: Path) -> None:
        try:
            self._find(folder)
        except BaseException:
            os.close(self._lock_file)
            raise

    def _find(self, folder: Path) -> None:
        self.rejected = Rejected(folder)
        self._saved = Position(folder / "position")
        self._segments = Segments(folder)
        after = self._segments.mend()
        # No number is given twice, whatever the power took away.
        self.next = max(after, self._saved.number, self.rejected.last_number + 1)
        self._segments.remove_before(self._saved.number, after)
        self.position = max(self._saved.number, self._segments.first or self.next)
        self._backlog = Backlog(self.position, KeptFile(folder / "damaged"))

    @property
    def waiting(self) -> int:
        return self.next - self.position

    @property
    def size(self) -> int:
        with self._lock:
            return self._segments.size

    @property
    def lost(self) -> int:
        return self._backlog.lost

    def append(self, bodies: Sequence[bytes]) -> None:
        """On disk when it returns. Threads that come together share one write and one fsync.

        Raises QueueFull, QueueFailed or Closed; then nothing of it is queued.
        """
        entry = _Entry(bodies, sum(map(len, bodies)) + FRAME_BYTES * len(bodies))
        with self._lock:
            self._check_open()
            self._reserve(entry.size)
            self._entries.append(entry)
        with self._writing:
            if not entry.done:
                self._write()
        if entry.error is not None:
            raise QueueFailed(f"The queue in {self._folder} cannot be written: {entry.error}.") from entry.error

    def read(self, most_rows: int, most_bytes: int) -> list[Queued]:
        """The next readings to deliver, at least one if any waits; the same again until they are acknowledged."""
        backlog = self._backlog
        while len(backlog.rows) < most_rows and backlog.bytes < most_bytes and self._read_on():
            pass
        self.position = backlog.position
        rows: list[Queued] = []
        size = 0
        for queued in islice(backlog.rows, most_rows):
            size += len(queued.body)
            if rows and size > most_bytes:
                break
            rows.append(queued)
        return rows

    def acknowledge(self, count: int) -> None:
        """The first `count` readings of what was read are delivered: they are never read again."""
        with self._lock:
            self._check_open()
            self._backlog.drop(count)
            self.position = self._backlog.position
            # The newest is still written to.
            self._segments.remove_before(self.position, self.next + 1)
            self._saved.save(self.position)

    def close(self) -> None:
        with self._writing:
            with self._lock:
                if self._closed:
                    return
                self._closed = True
            self._write()
            self._writer.close()
            self._saved.close()
            os.close(self._lock_file)

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("The client is closed.")

    def _reserve(self, size: int) -> None:
        used = self._segments.size + self._reserved
        if used + size > self._most_bytes:
            raise QueueFull(
                f"The queue in {self._folder} holds {used:,} of {self._most_bytes:,} bytes, "
                f"{self.waiting:,} readings wait; nothing was queued."
            )
        self._reserved += size

    def _write(self) -> None:
        """Everything that threads want to add now, at once."""
        with self._lock:
            entries, self._entries = self._entries, []
        if not entries:
            return
        bodies = [body for entry in entries for body in entry.bodies]
        data = b"".join(frame(number, body) for number, body in enumerate(bodies, self.next))
        try:
            self._written(self._writer.append(self.next, data), len(data), len(bodies))
        except BaseException as error:
            for entry in entries:
                entry.error = error
            if isinstance(error, OSError) and not isinstance(error, RuinedFile):
                return
            # What may lie there now has these numbers, so nothing else gets them, and nothing is written behind it.
            self._writer.abandon()
            self.next += len(bodies)
            if not isinstance(error, OSError):
                raise
        finally:
            with self._lock:
                self._reserved -= sum(entry.size for entry in entries)
            for entry in entries:
                entry.done = True

    def _written(self, path: Path, size: int, count: int) -> None:
        with self._lock:
            self._segments.grow(path, self.next, size)
            self.next += count

    def _read_on(self) -> bool:
        """Whether there was something to read."""
        with self._lock:
            self._check_open()
            reading = self._segments.reading(self.next)
        return reading is not None and (self._backlog.load(*reading) or self._segments.read_next())
