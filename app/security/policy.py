"""Who may do what: the principal of a request, and the policy that every route declares.

Everything here is `async` without awaiting much: a plain `def` dependency costs a hop to another thread,
and several of those on each reading cost more than all else (busy cores: 1.0 ms a request against 0.35).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from app.database import session_scope
from app.errors import NotAllowed, NotSignedIn
from app.security.csrf import refuse_other_sites, require_csrf_token
from app.security.principal import Principal, Role
from app.security.recent import RecentPrincipals
from app.security.store import principal_of_cookie, principal_of_key

__all__ = ["Principal", "PrincipalDep", "Role", "VisitorDep", "allow", "find_principal", "public"]

SESSION_COOKIE = "wearwatch_session"


def bearer_of(request: Request) -> str | None:
    """The key in `Authorization: Bearer ...`. Raises NotSignedIn where the header holds anything else."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("Send the key as `Authorization: Bearer ww_...`.")
    return token.strip()


async def find_principal(request: Request) -> Principal | None:
    """Who asks, or None; an open stream calls it again to notice that a right was taken away."""
    bearer = bearer_of(request)
    credential = bearer or request.cookies.get(SESSION_COOKIE)
    if credential is None:
        return None
    recent: RecentPrincipals[Principal] = request.app.state.recent_principals
    # A key is not taken for a cookie because it was seen as a key a moment ago, nor the other way round.
    seen_as = f"{'key' if bearer else 'cookie'} {credential}"
    principal = recent.get(seen_as)
    if principal is None:
        principal = await recent.looked_up_once(
            seen_as, lambda: run_in_threadpool(_look_up, request, credential, by_key=bearer is not None)
        )
    if principal is None and bearer is not None:
        raise NotSignedIn("This key is unknown, expired or revoked.")
    return principal


def _look_up(request: Request, credential: str, *, by_key: bool) -> Principal | None:
    with session_scope(request.app.state.bind) as session:
        return principal_of_key(session, credential) if by_key else principal_of_cookie(session, credential)


async def get_visitor(request: Request) -> Principal | None:
    """Who asks on a page that anybody may see."""
    principal = await find_principal(request)
    if principal is None:
        refuse_other_sites(request)
    elif principal.csrf_token is not None:
        await require_csrf_token(request, principal.csrf_token)
    return principal


VisitorDep = Annotated[Principal | None, Depends(get_visitor)]


async def get_principal(request: Request) -> Principal:
    principal = await get_visitor(request)
    if principal is None:
        raise NotSignedIn("Sign in, or send a key as `Authorization: Bearer ww_...`.")
    # For the log, which stands outside and sees the request only.
    request.state.actor = principal.actor
    return principal


PrincipalDep = Annotated[Principal, Depends(get_principal)]


@dataclass(frozen=True)
class Allow:
    """A route's policy: any of these roles. A test finds it on every route."""

    roles: frozenset[Role]

    async def __call__(self, principal: PrincipalDep) -> None:
        if not principal.has_any(self.roles):
            needed = " or ".join(sorted(self.roles))
            raise NotAllowed(f"This needs the role {needed}; {principal.actor} has {principal.role}.")


@dataclass(frozen=True)
class Public:
    """A route's policy: anybody. Requests that another site made a browser send are refused all the same."""

    async def __call__(self, request: Request) -> None:
        refuse_other_sites(request)


def allow(*roles: Role) -> Any:
    """`@router.get(..., dependencies=[allow(Role.OPERATOR)])`."""
    return Depends(Allow(frozenset(roles)))


def public() -> Any:
    """`@router.get(..., dependencies=[public()])`."""
    return Depends(Public())
