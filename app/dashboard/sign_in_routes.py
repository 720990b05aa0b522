"""The door: a form to sign in, and a button to sign out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from app.clock import NowDep
from app.dashboard.context import SignInPage
from app.dashboard.page_route import PageRoute
from app.dashboard.rendering import answer, frame
from app.database import SessionDep
from app.errors import TooBusy
from app.security.cookie import clear_session_cookie, set_session_cookie
from app.security.forms import read_form
from app.security.policy import SESSION_COOKIE, VisitorDep, public
from app.security.signing_in import sign_in, sign_out
from app.settings import SettingsDep

router = APIRouter(include_in_schema=False, route_class=PageRoute)

WRONG = "Name or password is wrong."

FormDep = Annotated[dict[str, str], Depends(read_form)]


def own_address(address: str) -> str:
    """Where to go on: a path of ours, or the fleet. Anything else could lead a person to another site."""
    plain = address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"


@router.get("/sign-in", dependencies=[public()])
def show_sign_in(settings: SettingsDep, now: NowDep, visitor: VisitorDep, next: str = "/") -> Response:
    if visitor is not None:
        return RedirectResponse(own_address(next), 303)
    return answer(SignInPage(frame(settings, None, now, "sign-in"), own_address(next)))


@router.post("/sign-in", dependencies=[public()])
def do_sign_in(
    request: Request, session: SessionDep, settings: SettingsDep, now: NowDep, form: FormDep
) -> Response:
    """The same words whether the name or the password is wrong."""
    name, onward = form.get("name", ""), own_address(form.get("next", "/"))
    address = request.client.host if request.client else "unknown"
    try:
        signed_in = sign_in(session, settings, name, form.get("password", ""), address)
    except TooBusy as error:
        return _again(settings, now, onward, name, error.detail, error.status)
    if signed_in is None:
        return _again(settings, now, onward, name, WRONG, 403)
    response = RedirectResponse(onward, 303)
    set_session_cookie(response, settings, signed_in)
    return response


def _again(settings: SettingsDep, now: NowDep, onward: str, name: str, wrong: str, status: int) -> Response:
    return answer(SignInPage(frame(settings, None, now, "sign-in"), onward, name[:100], wrong), status)


@router.post("/sign-out", dependencies=[public()])
def do_sign_out(request: Request, session: SessionDep, settings: SettingsDep, visitor: VisitorDep) -> Response:
    cookie = request.cookies.get(SESSION_COOKIE)
    if visitor is not None and cookie is not None:
        sign_out(session, cookie)
        request.app.state.recent_principals.forget()
    response = RedirectResponse("/sign-in", 303)
    clear_session_cookie(response, settings)
    return response
