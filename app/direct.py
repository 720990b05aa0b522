"""The busiest routes, straight to their endpoint: past the search among all routes and their dependencies."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.logs import name_request, record
from app.security.policy import Allow, Principal, get_principal


@dataclass(frozen=True)
class DirectRoute:
    """A route that is also declared to FastAPI, for its documentation and for other methods on its path.

    before: done first, where a key comes in another way than ours. reshape: turns a problem document into what the
    route's clients expect.
    """

    method: str
    path: str
    policy: Allow
    endpoint: Callable[[Request, Principal], Awaitable[Response]]
    before: Callable[[Scope], None] | None = None
    reshape: Callable[[Request, Response], Response] | None = None


# No page: what a browser may load or frame is of no interest here.
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Direct:
    """Outermost. Answers direct routes, passes the others on. Errors become what `handlers` make of them."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[DirectRoute],
        handlers: Mapping[Any, Callable[[Request, Any], Any]],
    ) -> None:
        self.app = app
        self.routes = {(route.method, route.path): route for route in routes}
        self.handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        started, request_id, status = time.perf_counter(), name_request(), 500
        try:
            response = await self._answer(route, Request(scope, receive, send))
            response.raw_headers += [*HEADERS, (b"x-request-id", request_id.encode())]
            status = response.status_code
            await response(scope, receive, send)
        finally:
            record(scope, status, time.perf_counter() - started)

    async def _answer(self, route: DirectRoute, request: Request) -> Response:
        try:
            if route.before:
                route.before(request.scope)
            principal = await get_principal(request)
            await route.policy(principal)
            return await route.endpoint(request, principal)
        except Exception as error:  # noqa: BLE001  raised again where no handler knows it
            answer = refusal(request, error, self.handlers)
            return route.reshape(request, answer) if route.reshape else answer


def refusal(request: Request, error: Exception, handlers: Mapping[Any, Callable[[Request, Any], Any]]) -> Response:
    """What the application's handlers make of an error. Raises it where there is none for its kind."""
    for kind in type(error).__mro__[:-2]:
        if handler := handlers.get(kind):
            answer: Response = handler(request, error)
            return answer
    raise error
