"""Every refusal as one problem document (RFC 9457); the way out for errors of all rooms."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response

from app.errors import (
    BadInput,
    Conflict,
    Malformed,
    NotAllowed,
    NotFound,
    NotSignedIn,
    StorageFull,
    TooLarge,
    Unavailable,
    WearwatchError,
)
from app.logs import Seldom

log = structlog.get_logger(__name__)
DATABASE_AWAY = Seldom()

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
MOST_ERRORS = 20
LONGEST_TEXT = 300
# What pydantic puts before the words of our own checks.
OUR_OWN = "Value error, "
DISK_FULL = "53100"
BY_STATUS = {error.status: error for error in (Malformed, NotSignedIn, NotAllowed, NotFound, TooLarge, BadInput)}


class FieldError(BaseModel):
    field: str
    reason: str


class Problem(BaseModel):
    """The shape of every answer that is not a success."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in (("4XX", "Refused, with the reason"), ("5XX", "Not possible now, with the reason"))
}


def describe_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The interface's description, with the schema that RESPONSES refer to."""
    _, described = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    document["components"]["schemas"].update(described["$defs"])
    return document


def printable(text: object) -> str:
    """Cut, and free of lone surrogates, which no strict JSON reader accepts."""
    return str(text)[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **extra: object
) -> Response:
    document = {"type": "about:blank", "title": title, "status": status, "detail": printable(detail), **extra}
    body = json.dumps(document, default=printable)
    return Response(body, status, headers, MEDIA_TYPE)


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Where and why, without the input: it may hold a password, or something JSON cannot say."""
    return [
        {
            "field": printable(".".join(map(str, error["loc"]))),
            "reason": printable(error["msg"].removeprefix(OUR_OWN)),
        }
        for error in errors[:MOST_ERRORS]
    ]


def of_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, WearwatchError)
    if isinstance(error, NotSignedIn):
        return _not_signed_in(request, error)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return problem(error.status, error.title, error.detail, headers, **error.extra)


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    looks = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    return looks and not request.url.path.startswith("/api/")


def _not_signed_in(request: Request, error: NotSignedIn) -> Response:
    """A person is sent to the sign-in page, a program is told what to send."""
    if wants_page(request):
        return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
    return problem(error.status, error.title, error.detail, {"WWW-Authenticate": "Bearer"})


def of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = field_errors(error.errors())
    unreadable = any(each["type"] == "json_invalid" for each in error.errors())
    kind = Malformed if unreadable else BadInput
    detail = f"{errors[0]['field']}: {errors[0]['reason']}" if errors else "The input is not valid."
    return problem(kind.status, kind.title, detail, errors=errors)


def of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = BY_STATUS.get(error.status_code)
    title = kind.title if kind else HTTPStatus(error.status_code).phrase
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{detail}: {request.method} {request.url.path}"
    return problem(error.status_code, title, detail, error.headers)


def of_database(request: Request, error: Exception) -> Response:
    """Input that PostgreSQL cannot hold is the sender's; everything else about it will pass."""
    assert isinstance(error, exc.SQLAlchemyError)
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    if (more := DATABASE_AWAY.turn()) is not None:
        log.warning("database refused", kind=type(error).__name__, sqlstate=state, more=more)
    if state == DISK_FULL:
        return of_error(request, _full())
    if isinstance(error, exc.DataError):
        return of_error(request, BadInput("A value cannot be stored: it is too large or holds a NUL character."))
    if isinstance(error, exc.IntegrityError):
        return of_error(request, Conflict("This contradicts what is already stored."))
    return of_error(
        request, Unavailable("The database cannot be reached; try again.", retry_after=RETRY_AFTER_SECONDS)
    )


def of_operating_system(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return of_error(request, _full())
    return of_anything(request, error)


def of_text(request: Request, error: Exception) -> Response:
    return of_error(request, BadInput("A text holds characters that no text may hold."))


def of_gone(request: Request, error: Exception) -> Response:
    """Nobody hears it; it keeps a sensor that lost its line from counting as an error of ours."""
    return of_error(request, Malformed("The sender left before its request was complete."))


def of_anything(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return problem(500, WearwatchError.title, "Something went wrong here; the log says more.")


def _full() -> StorageFull:
    return StorageFull("The disk is full; nothing was stored.", retry_after=RETRY_AFTER_SECONDS)


def add_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(WearwatchError, of_error)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    for passing in (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, exc.DataError, exc.IntegrityError):
        app.add_exception_handler(passing, of_database)
    app.add_exception_handler(OSError, of_operating_system)
    app.add_exception_handler(UnicodeEncodeError, of_text)
    app.add_exception_handler(ClientDisconnect, of_gone)
    app.add_exception_handler(Exception, of_anything)
