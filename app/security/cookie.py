"""The session cookie: unreadable to scripts, not sent from other sites."""

from __future__ import annotations

from starlette.responses import Response

from app.security.policy import SESSION_COOKIE
from app.security.signing_in import SignedIn
from app.settings import Settings


def set_session_cookie(response: Response, settings: Settings, signed_in: SignedIn) -> None:
    # Lax, not Strict: a link to a machine in a mail should open without signing in again.
    response.set_cookie(
        SESSION_COOKIE,
        signed_in.cookie,
        max_age=int(settings.session_length.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )


def clear_session_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=settings.secure_cookies)
