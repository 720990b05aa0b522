"""The files of the queue: each named by the number of its first reading, appended to until full, then only read.

A new run starts a new file, so nothing is ever written behind what a crash may have left.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from wearwatch_client.files import BINARY, OWNER_ONLY, append_whole, sync_folder
from wearwatch_client.frames import parse

log = logging.getLogger("wearwatch_client")

ENDING = ".segment"


@dataclass
class Segment:
    """`size` is what may be read of it."""

    path: Path
    first: int
    size: int


def find_segments(folder: Path) -> list[Segment]:
    paths = sorted(path for path in folder.glob(f"*{ENDING}") if path.stem.isdigit())
    return [Segment(path, int(path.stem), path.stat().st_size) for path in paths]


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
