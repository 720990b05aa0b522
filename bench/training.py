"""A worker's training beside the service: `wearwatch train` on a simulated fleet, stopped and going on as told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.target import ROOT, cpu_seconds

# Loading the libraries and the data is over by then.
UNDER_WAY_SECONDS = 10
FLEET = ("--machines", "100", "--days", "200")


class Training:
    """Trains again and again; a stopped one is frozen where it is."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._process = self._begin()
        self._spent = 0.0

    def go_on(self) -> None:
        if self._process.poll() is not None:
            self._spent = 0.0
            self._process = self._begin()
        self._tell(signal.SIGCONT)

    def stop(self) -> None:
        self._tell(signal.SIGSTOP)

    def end(self) -> None:
        self._tell(signal.SIGKILL)
        self._process.wait()

    def cpu_seconds(self) -> float:
        """So far; what it had taken when it ended."""
        with suppress(psutil.NoSuchProcess):
            self._spent = cpu_seconds(self._process.pid)
        return self._spent

    def _begin(self) -> subprocess.Popen[bytes]:
        process = _wearwatch(["train", "--no-promote"], self._settings)
        time.sleep(UNDER_WAY_SECONDS)
        return process

    def _tell(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


@contextmanager
def training(folder: Path) -> Iterator[Training]:
    """`folder` is the data folder of a service that runs: the fleet is brought into its database."""
    settings, plant = {"WEARWATCH_DATA_DIR": str(folder)}, folder / "plant"
    _do(["simulate", "fleet", "--out", str(plant), *FLEET], settings)
    for what in ("machines", "readings", "events"):
        _do(["import", what, str(plant / f"{what}.csv")], settings)
    trained = Training(settings)
    try:
        yield trained
    finally:
        trained.end()


def _do(words: list[str], settings: dict[str, str]) -> None:
    if code := _wearwatch(words, settings).wait():
        raise RuntimeError(f"wearwatch {' '.join(words)} ended with {code}.")


def _wearwatch(words: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "wearwatch", *words]
    quiet = subprocess.DEVNULL
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.Popen(
        command, cwd=ROOT, env=inherited | settings, stdout=quiet, stderr=quiet, start_new_session=True
    )
