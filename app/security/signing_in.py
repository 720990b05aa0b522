"""A person signs in and out; wrong tries are counted before a password is even looked at."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.errors import TooBusy
from app.metrics import SIGN_INS
from app.security.passwords import password_fits
from app.security.store import add_audit_entry, failed_sign_ins, hashed
from app.security.tables import LoginSession, User
from app.settings import Settings
from app.text import LONGEST_NAME

FAILED = "failed sign-in"
WINDOW = timedelta(minutes=15)
# A person mistypes a few times; a name is tried from many addresses only in an attack, and one
# address serves a whole plant behind a router.
MOST_FOR_NAME_AND_ADDRESS = 5
MOST_FOR_NAME = 50
MOST_FOR_ADDRESS = 50


@dataclass(frozen=True)
class SignedIn:
    """The cookie's value, and the token that every form of this session must carry."""

    cookie: str
    csrf_token: str
    expires_at: datetime


def sign_in(session: Session, settings: Settings, name: str, password: str, address: str) -> SignedIn | None:
    """None where name or password is wrong: returned, not raised, so that the try is counted and kept.

    Raises TooBusy after too many wrong tries. They are counted in the audit log, so that all
    processes count together and a restart forgets nothing.
    """
    name, address = readable(name), readable(address)
    _refuse_guessing(session, name, address)
    user = session.scalar(select(User).where(User.name == name, User.disabled_at.is_(None)))
    if not password_fits(password, user.password_hash if user else None) or user is None:
        SIGN_INS.labels("failed").inc()
        add_audit_entry(session, f"address {address}", FAILED, name, {"address": address})
        session.flush()
        return None
    SIGN_INS.labels("succeeded").inc()
    add_audit_entry(session, f"person {user.name}", "sign in", user.name, {"address": address})
    return _start(session, settings, user)


def sign_out(session: Session, cookie: str) -> None:
    session.execute(delete(LoginSession).where(LoginSession.token_sha256 == hashed(cookie)))


def readable(text: str) -> str:
    """What a stranger typed, made fit for the log and the database."""
    return "".join(character if character.isprintable() else "?" for character in text.strip()[:LONGEST_NAME])


def _refuse_guessing(session: Session, name: str, address: str) -> None:
    """Raises TooBusy. Tries for one name wait for each other, so that parallel guesses are counted too."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"sign-in {name}", 0))))
    for_name, for_address, for_both = failed_sign_ins(session, FAILED, name, address, WINDOW)
    if for_both >= MOST_FOR_NAME_AND_ADDRESS or for_name >= MOST_FOR_NAME or for_address >= MOST_FOR_ADDRESS:
        SIGN_INS.labels("refused").inc()
        wait = int(WINDOW.total_seconds())
        raise TooBusy(f"Too many wrong tries; wait {wait // 60} minutes.", retry_after=wait)


def _start(session: Session, settings: Settings, user: User) -> SignedIn:
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= func.now()))
    signed_in = SignedIn(
        secrets.token_urlsafe(32), secrets.token_urlsafe(32), datetime.now(UTC) + settings.session_length
    )
    session.add(
        LoginSession(
            token_sha256=hashed(signed_in.cookie),
            user_id=user.id,
            csrf_token=signed_in.csrf_token,
            expires_at=signed_in.expires_at,
        )
    )
    session.flush()
    return signed_in
