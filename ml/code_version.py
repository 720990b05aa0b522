"""Which code trained a model: the package's version and, where it runs from a checkout, the commit."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMIT = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
WITHIN_SECONDS = 5


@lru_cache(maxsize=1)
def code_version() -> str:
    """`0.1.0+95167bd8ffff`, with `-dirty` after it where files were changed; without git the version alone."""
    try:
        package = version("wearwatch")
    except PackageNotFoundError:
        package = "unknown"
    commit = _commit()
    return f"{package}+{commit}" if commit else package


def _commit() -> str:
    # An installed package may lie inside somebody else's checkout, whose commit says nothing of it.
    if not (ROOT / ".git").exists():
        return ""
    try:
        told = subprocess.run(COMMIT, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
