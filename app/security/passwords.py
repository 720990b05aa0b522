"""Passwords of people: hashed with argon2id, checked in the same time whether or not the person exists."""

from __future__ import annotations

import secrets
import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import BadInput

SHORTEST_PASSWORD = 12
# Longer ones only cost time; this also keeps a whole book from being hashed.
LONGEST_PASSWORD = 256
# OWASP's second profile: 19 MiB instead of 64 keeps the service under its 150 MiB a process.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Two at a time: a flood of sign-ins then waits in line instead of filling memory.
AT_ONCE = threading.BoundedSemaphore(2)
# Without letters and digits that look alike, so that it can be read out.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GENERATED_GROUPS = 4


def generate_password() -> str:
    """`k7wq-m3xz-pd9a-t4hn`: 79 random bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(GENERATED_GROUPS))


def hash_password(password: str) -> str:
    """Raises BadInput where it is too short to be safe or too long to be meant."""
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(f"A password needs at least {SHORTEST_PASSWORD} characters.")
    if len(password) > LONGEST_PASSWORD:
        raise BadInput(f"A password may have {LONGEST_PASSWORD} characters.")
    with AT_ONCE:
        return HASHER.hash(_bytes(password))


def password_fits(password: str, password_hash: str | None) -> bool:
    """Compares against a dummy where there is no such person, so that the time taken tells nothing."""
    try:
        with AT_ONCE:
            fits = HASHER.verify(password_hash or _dummy_hash(), _bytes(password[: LONGEST_PASSWORD + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=1)
def _dummy_hash() -> str:
    return HASHER.hash(secrets.token_hex(16))
