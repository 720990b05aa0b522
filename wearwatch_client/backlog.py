"""The queue's other end: readings in the order they came, from segments that may be damaged.

Memory stays bounded however long the queue is: only what the next batches need is read ahead.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

from wearwatch_client.frames import Queued, parse
from wearwatch_client.kept import KeptFile

log = logging.getLogger("wearwatch_client")

# Holds any line, see reading.MOST_BYTES; without a line break in so much there is none.
CHUNK_BYTES = 256 << 10


class Backlog:
    """Reads one segment after the other. Damaged bytes are set aside, the readings around them given out."""

    def __init__(self, position: int, damaged: KeptFile) -> None:
        self.rows: deque[Queued] = deque()
        self.bytes = 0
        self.lost = 0
        # The number that the next reading must have; the first one that is not given out or lost.
        self.expected = position
        self._damaged = damaged
        self._path: Path | None = None
        self._offset = 0

    def load(self, path: Path, size: int, end: int) -> bool:
        """Read on in the segment at `path`, of which `size` bytes hold the readings before number `end`.

        False when nothing is left to read there.
        """
        if self._path != path:
            self._path, self._offset = path, 0
        with path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read(min(CHUNK_BYTES, size - self._offset))
        whole = chunk.rfind(b"\n") + 1 or len(chunk)
        self._take(chunk[:whole])
        self._offset += whole
        if not whole or self._offset >= size:
            self._expect(end)
        return whole > 0

    @property
    def position(self) -> int:
        """The number of the first reading that is neither delivered nor lost."""
        return self.rows[0].number if self.rows else self.expected

    def _take(self, lines: bytes) -> None:
        for line in lines.removesuffix(b"\n").split(b"\n") if lines else []:
            queued = parse(line)
            if queued is None:
                self._set_aside(line)
            elif queued.number >= self.expected:
                self._expect(queued.number)
                self.expected += 1
                self.rows.append(queued)
                self.bytes += len(queued.body)

    def _set_aside(self, line: bytes) -> None:
        assert self._path is not None
        self._damaged.append(line + b"\n")
        log.error(
            "Damaged: %d bytes of %s cannot be read; kept in %s.", len(line), self._path.name, self._damaged.path
        )

    def _expect(self, number: int) -> None:
        """What is missing before `number` was damaged or cut out of the file."""
        if number > self.expected:
            assert self._path is not None
            self.lost += number - self.expected
            log.error("Damaged: %d readings of %s are lost.", number - self.expected, self._path.name)
            self.expected = number

    def drop(self, count: int) -> None:
        for _ in range(count):
            self.bytes -= len(self.rows.popleft().body)
