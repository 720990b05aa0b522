"""What a service process does to stay small and even: one heap for its threads, and rare searches for garbage."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

# glibc's numbers for mallopt. By itself it gives each thread a heap, whose gaps no other thread fills, and keeps
# freed blocks of up to 32 MiB: 178 instead of 151 MiB after the same load. Python's lock leaves one heap enough.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT_BYTES = 128 << 10


def keep_memory_small() -> None:
    """Changes nothing where the C library is another one."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)


# Almost nothing here forms cycles; by default Python looks for them in all that lives, a fifth of a small request.
ALLOCATIONS_BETWEEN_SEARCHES = 50_000


def search_garbage_rarely() -> None:
    """Call it when the service stands: what was made until then lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN_SEARCHES, 10, 10)
