"""A disk of a few megabytes that a test may fill: a tmpfs in a mount namespace that ends with the test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BLOCK = bytes(1 << 16)


class SmallDisk:
    """Seen at `folder` by programs started with `inside` before them, and from outside at `seen_at`."""

    def __init__(self, folder: Path, inside: list[str], holder: int) -> None:
        self.folder, self.inside = folder, inside
        self.seen_at = Path(f"/proc/{holder}/root{folder}")
        self._ballast = self.seen_at / "ballast"

    def fill(self) -> None:
        """To the last byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while ballast.write(BLOCK):
                    pass
            except OSError:
                return

    def free(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk | None]:
    """None where neither root nor a user namespace may mount."""
    root = os.geteuid() == 0
    namespaces = ["--mount"] if root else ["--user", "--map-current-user", "--keep-caps", "--mount"]
    script = f"mount -t tmpfs -o mode=0777,size={mebibytes}m tmpfs '{folder}' && echo mounted && exec cat"
    with subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            yield None
            return
        enter = ["--mount"] if root else ["--user", "--preserve-credentials", "--mount"]
        try:
            yield SmallDisk(folder, ["nsenter", "--target", str(holder.pid), *enter], holder.pid)
        finally:
            _end_all_in(holder.pid)


def _end_all_in(namespace_of: int) -> None:
    """The holder and whatever still runs on its disk, as after a test that failed."""
    namespace = os.readlink(f"/proc/{namespace_of}/ns/mnt")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "ns/mnt") == namespace:
                os.kill(int(process.name), signal.SIGKILL)
