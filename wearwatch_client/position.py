"""How far the queue was delivered: one number on disk.

It is never waited for: where the last of it is lost with the power, some readings are sent again, and the service
counts them as duplicates.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from pathlib import Path

from wearwatch_client.files import BINARY, OWNER_ONLY

log = logging.getLogger("wearwatch_client")

FORM = re.compile(rb"(\d{20}) ([0-9a-f]{8})\n")


class Position:
    """The number of the first reading that is not delivered. Written in place, within one sector."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, OWNER_ONLY)
        self.number = self._load()

    def _load(self) -> int:
        os.lseek(self._file, 0, os.SEEK_SET)
        content = os.read(self._file, 100)
        found = FORM.fullmatch(content)
        if found and int(found[2], 16) == zlib.crc32(found[1]):
            return int(found[1])
        if content:
            log.warning("How far the queue was delivered cannot be read; some readings are sent again.")
        return 1

    def save(self, number: int) -> None:
        self.number = number
        digits = b"%020d" % number
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, b"%b %08x\n" % (digits, zlib.crc32(digits)))

    def close(self) -> None:
        os.close(self._file)
