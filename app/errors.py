"""Every error Wearwatch raises on purpose; one handler in app.main turns each into a problem document.

WearwatchError
├── BadInput            422  the request or file says something that cannot be so
│   └── Malformed       400  it cannot be read at all
├── NotSignedIn         401  no credentials, or not valid ones
├── NotAllowed          403  valid credentials without the right
├── NotFound            404
├── TooSlow             408  it did not arrive in time; send it again
├── Conflict            409  it contradicts what is already there
├── TooLarge            413
├── TooBusy             429  try again after `retry_after` seconds
├── Unavailable         503  the database or something else we need is away; try again
└── StorageFull         507
"""

from __future__ import annotations


class WearwatchError(Exception):
    """Base of the tree. The message is one clear sentence for the person who caused it."""

    status = 500
    title = "Internal error"

    def __init__(self, detail: str, *, retry_after: int | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.extra = extra


class BadInput(WearwatchError):
    status = 422
    title = "Invalid input"


class Malformed(BadInput):
    status = 400
    title = "Unreadable input"


class NotSignedIn(WearwatchError):
    status = 401
    title = "Not signed in"


class NotAllowed(WearwatchError):
    status = 403
    title = "Not allowed"


class NotFound(WearwatchError):
    status = 404
    title = "Not found"


class TooSlow(WearwatchError):
    status = 408
    title = "Too slow"


class Conflict(WearwatchError):
    status = 409
    title = "Conflict"


class TooLarge(WearwatchError):
    status = 413
    title = "Too large"


class TooBusy(WearwatchError):
    status = 429
    title = "Too busy"


class Unavailable(WearwatchError):
    status = 503
    title = "Unavailable"


class StorageFull(WearwatchError):
    status = 507
    title = "Storage full"
