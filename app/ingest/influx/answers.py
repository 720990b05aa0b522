"""Answers as InfluxDB gives them: its clients act on the status, `Retry-After` and words in the message."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from app.ingest.influx.credentials import send_as_bearer
from app.ingest.plausibility import Rejection, sentence
from app.problems import RETRY_AFTER_SECONDS, printable

# The ledger of refused readings keeps more; a client puts the message into its log.
MOST_LINES_NAMED = 100
# A body too slow, a row that somebody else changes meanwhile: the same again may succeed, but InfluxDB's clients
# throw a batch away for a 4xx they do not know.
PASSING = frozenset({408, 409})
CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    413: "request too large",
    422: "unprocessable entity",
    429: "too many requests",
    503: "unavailable",
    507: "unavailable",
}


class ErrorV2(BaseModel):
    code: str
    message: str
    line: int | None = Field(None, description="The first line at fault, from 1.")


class ErrorV1(BaseModel):
    error: str


class InfluxRoute(APIRoute):
    """Takes a key in InfluxDB's ways, and turns whatever goes wrong into InfluxDB's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_influx(request: Request) -> Response:
            send_as_bearer(request.scope)
            handlers: dict[Any, Any] = request.app.exception_handlers
            known: tuple[type[Exception], ...] = tuple(
                kind for kind in handlers if isinstance(kind, type) and kind is not Exception
            )
            try:
                return await handle(request)
            except known as error:
                handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
                return of_problem(request, handler(request, error))

        return handle_as_influx


def of_problem(request: Request, answer: Response) -> Response:
    """A problem document in InfluxDB's shape."""
    detail = json.loads(bytes(answer.body))["detail"]
    headers = {name: answer.headers[name] for name in ("retry-after", "www-authenticate") if name in answer.headers}
    if answer.status_code in PASSING:
        return refusal(request, 503, detail, {"retry-after": str(RETRY_AFTER_SECONDS)} | headers)
    return refusal(request, answer.status_code, detail, headers)


def refusal(
    request: Request, status: int, message: str, headers: dict[str, str] | None = None, line: int | None = None
) -> Response:
    code = CODES.get(status, "internal error")
    if request.url.path.startswith("/api/v2/"):
        body = ErrorV2(code=code, message=message, line=line).model_dump_json(exclude_none=True)
    else:
        body = ErrorV1(error=message).model_dump_json()
    return Response(body, status, headers, "application/json")


def words(rejected: Sequence[Rejection]) -> str:
    """What went wrong with which lines. Telegraf and others look for `partial write` to know that sending the same
    again is of no use."""
    told = "; ".join(
        f"line {each.index + 1}: {printable(sentence(each.field, each.reason)).rstrip('.')}"
        for each in rejected[:MOST_LINES_NAMED]
    )
    more = f"; and {len(rejected) - MOST_LINES_NAMED} more" if len(rejected) > MOST_LINES_NAMED else ""
    return f"partial write: {told}{more} dropped={len(rejected)}"
