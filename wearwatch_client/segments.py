"""The files of the queue: each named by the number of its first reading, appended to until full, then only read.

A new run starts a new file, so nothing is ever written behind what a crash may have left.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from wearwatch_client.files import BINARY, OWNER_ONLY, append_whole, remove, sync_folder
from wearwatch_client.frames import parse

log = logging.getLogger("wearwatch_client")

ENDING = ".segment"


@dataclass
class Segment:
    """`size` is what may be read of it."""

    path: Path
    first: int
    size: int


class Segments:
    """All of a queue's, the oldest first, and which of them is being read. Not for two threads at once."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.glob(f"*{ENDING}") if path.stem.isdigit())
        self._all = deque(Segment(path, int(path.stem), path.stat().st_size) for path in paths)
        self._read_through = 0

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self._all)

    @property
    def first(self) -> int | None:
        return self._all[0].first if self._all else None

    def mend(self) -> int:
        """What a crash left at the end. Returns the number that is free after it.

        A file in which nothing was queued is removed: the next reading starts a file of the same name.
        """
        if not self._all:
            return 1
        newest = self._all[-1]
        after = mend(newest)
        if not newest.size:
            remove(self._all.pop().path)
        return after

    def grow(self, path: Path, first: int, size: int) -> None:
        if not self._all or self._all[-1].path != path:
            self._all.append(Segment(path, first, 0))
        self._all[-1].size += size

    def reading(self, following: int) -> tuple[Path, int, int] | None:
        """The segment to read, how much of it may be read, and the number after that; None where there is none.

        `following` is the number after the newest segment's last reading.
        """
        if self._read_through == len(self._all):
            return None
        segment = self._all[self._read_through]
        return segment.path, segment.size, following if self._is_last() else self._all[self._read_through + 1].first

    def read_next(self) -> bool:
        """The one being read is read to its end. False for the newest: it may still grow."""
        last = self._is_last()
        self._read_through += not last
        return not last

    def remove_before(self, position: int, following: int) -> None:
        """Those whose readings are all delivered."""
        ends = [*(segment.first for segment in self._all), following][1:]
        for _ in range(sum(end <= position for end in ends)):
            remove(self._all.popleft().path)
            self._read_through = max(0, self._read_through - 1)

    def _is_last(self) -> bool:
        return self._read_through + 1 == len(self._all)


def mend(segment: Segment) -> int:
    """Cut off a last line that a crash left unfinished. Returns the number after the segment's last reading."""
    content = segment.path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        log.warning(
            "Cut %d bytes of a reading that was not yet queued off %s.", len(content) - end, segment.path.name
        )
        os.truncate(segment.path, end)
        segment.size = end
    after = segment.first
    for line in content[:end].split(b"\n")[:-1]:
        queued = parse(line)
        after = max(after, queued.number) + 1 if queued else after + 1
    return after


class SegmentWriter:
    """Appends to the newest segment and starts the next one when it is full. Not for two threads at once."""

    def __init__(self, folder: Path, most_bytes: int, *, durable: bool) -> None:
        self._folder, self._most_bytes, self._durable = folder, most_bytes, durable
        self._file: int | None = None
        self._size = 0

    def append(self, first: int, data: bytes) -> Path:
        """Whole lines, the first of them numbered `first`. Returns where they are now.

        Raises OSError; then they are not there, after RuinedFile perhaps in part.
        """
        if self._size and self._size + len(data) > self._most_bytes:
            self.close()
        if self._file is None:
            self._start(first)
        assert self._file is not None
        append_whole(self._file, self._size, data, durable=self._durable)
        self._size += len(data)
        return self._path

    def _start(self, first: int) -> None:
        self._path = self._folder / f"{first:020d}{ENDING}"
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | BINARY, OWNER_ONLY)
        try:
            sync_folder(self._folder)
        except OSError:
            os.close(file)
            self._path.unlink()
            raise
        self._file, self._size = file, 0

    def close(self) -> None:
        if self._file is not None:
            try:
                os.fsync(self._file)
            finally:
                self.abandon()

    def abandon(self) -> None:
        if self._file is not None:
            file, self._file, self._size = self._file, None, 0
            os.close(file)
