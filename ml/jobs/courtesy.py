"""Who waits and who need not: on one host, readings and pages go before what learns from them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 10
# Linux shares the processor between sessions first, by niceness only within each. Who leads a session has it alone.
OF_THE_SESSION = Path("/proc/self/autogroup")


def give_way() -> None:
    """This process, and all that it starts, takes what others leave of the processor; for good."""
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            OF_THE_SESSION.write_text(str(NICENESS))
