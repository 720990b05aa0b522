"""How long work tells the terminal how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Show(Protocol):
    """Takes the share done, between 0 and 1, and a word on what is being done now."""

    def __call__(self, share: float, doing: str = "") -> None: ...


# `with progress("readings") as show:` puts a bar on the terminal.
ShowProgress = Callable[[str], AbstractContextManager[Show]]
