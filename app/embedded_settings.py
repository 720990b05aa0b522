"""Settings of the embedded PostgreSQL, from the memory and disk there are; other servers are left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil  # type: ignore[import-untyped]

MIB = 1 << 20
FILE = "wearwatch.conf"
INCLUDE = f"include_if_exists = '{FILE}'  # written at every start; ALTER SYSTEM outranks it\n"
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def fitting(memory_bytes: int, disk_bytes: int) -> dict[str, str]:
    """A modest share of a host that also runs the service and a worker."""
    memory, disk = memory_bytes // MIB, disk_bytes // MIB
    return {
        # Holds the newest pages of table and key of every machine, which ingest writes all the time.
        "shared_buffers": f"{_between(128, memory // 8, 2048)}MB",
        "effective_cache_size": f"{_between(256, memory // 2, 65_536)}MB",
        "maintenance_work_mem": f"{_between(64, memory // 64, 512)}MB",
        # Every checkpoint makes the next change of each page write the whole page to the log: the fewer the better,
        # as long as the log does not fill a small disk.
        "max_wal_size": f"{_between(256, disk // 20, 4096)}MB",
        "min_wal_size": f"{_between(80, disk // 80, 1024)}MB",
        "checkpoint_timeout": "15min",
        # A statement that cannot tell its months locks every partition and its key.
        "max_locks_per_transaction": "256",
        "random_page_cost": "1.1",
    }


def write_settings(pgdata: Path) -> None:
    """Before a start: `wearwatch.conf` beside `postgresql.conf`, which includes it at its end."""
    lines = [f"{name} = '{value}'\n" for name, value in fitting(_memory(), shutil.disk_usage(pgdata).total).items()]
    (pgdata / FILE).write_text("".join(lines))
    (pgdata / FILE).chmod(0o644)
    main = pgdata / "postgresql.conf"
    if INCLUDE not in main.read_text():
        with main.open("a") as file:
            file.write(INCLUDE)


def _memory() -> int:
    """Of the host, or of the container where that has less."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return total


def _between(least: int, wanted: int, most: int) -> int:
    return max(least, min(wanted, most))
