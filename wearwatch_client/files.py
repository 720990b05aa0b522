"""Writing to disk so that it is there afterwards, whole or not at all."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from wearwatch_client.errors import QueueInUse

# Without O_BINARY Windows would turn line breaks into two characters.
BINARY = getattr(os, "O_BINARY", 0)
OWNER_ONLY = 0o600


def append_whole(file: int, size: int, data: bytes, *, durable: bool) -> None:
    """Append to a file of `size` bytes. On an error the file is as before; where not even that: RuinedFile."""
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        if durable:
            os.fsync(file)
    except OSError as error:
        try:
            os.ftruncate(file, size)
        except OSError:
            raise RuinedFile(*error.args) from error
        raise


class RuinedFile(OSError):
    """Something unknown lies at the end of the file."""


def sync_folder(folder: Path) -> None:
    """Make new names in the folder durable. Windows has no such call and needs none."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def lock_folder(folder: Path) -> int:
    """An open file that keeps every other client out until it is closed, be it by the end of the process."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, OWNER_ONLY)
    try:
        _lock(file)
    except OSError as error:
        os.close(file)
        raise QueueInUse(
            f"Another client uses the queue in {folder}; every client needs a folder of its own."
        ) from error
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
