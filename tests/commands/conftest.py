"""Runs the command line as a person does: as a process, against a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """`run("train", "--seed", "1", WEARWATCH_BUCKET="1m")`: the finished process with what it said."""

    def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        base = {"DATABASE_URL": url, "WEARWATCH_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "wearwatch", *arguments],
            env=os.environ | base | environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run_command
