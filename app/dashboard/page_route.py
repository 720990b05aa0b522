"""A route that answers people: what goes wrong becomes a page in plain words instead of a problem document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import InterfaceError, OperationalError

from app.clock import utc_now
from app.dashboard.context import ProblemPage
from app.dashboard.rendering import answer, frame
from app.errors import BadInput, NotSignedIn, Unavailable, WearwatchError

RETRY_AFTER_SECONDS = 5


class PageRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Any]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await _or_problem(handler, request)

        return handle


async def _or_problem(handler: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    try:
        return await handler(request)
    except NotSignedIn:
        raise
    except WearwatchError as error:
        return problem_page(request, error)
    except RequestValidationError:
        return problem_page(request, BadInput("This address cannot be understood."))
    except (OperationalError, InterfaceError):
        away = Unavailable("The database cannot be reached; nothing is lost. Try again in a moment.")
        away.retry_after = RETRY_AFTER_SECONDS
        return problem_page(request, away)


def problem_page(request: Request, error: WearwatchError) -> Response:
    plain = frame(request.app.state.settings, None, utc_now(), "problem")
    response = answer(ProblemPage(plain, error.status, error.title, error.detail), error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response
