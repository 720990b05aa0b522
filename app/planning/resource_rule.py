"""What of a plant's resources cannot be, in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from app.planning.resource_schemas import Resources, WindowIn

# Days on which crews work and accepted orders are windows of their own, with keys that begin so.
DAY_KEY, ORDER_KEY = "day ", "work order "
TAKEN_KEYS = {DAY_KEY: "those of ordinary days", ORDER_KEY: "the hours of accepted orders"}


def fault_of_resources(
    given: Resources, named: Collection[str], known_lines: Collection[str], now: datetime
) -> str | None:
    """`named` are the lists that somebody writes now; `known_lines` those on which a machine stands."""
    return next(_faults(given, named, known_lines, now), None)


def _faults(given: Resources, named: Collection[str], known_lines: Collection[str], now: datetime) -> Iterator[str]:
    yield from _twice(given)
    for crew in given.crews:
        if not any(crew.hours.model_dump().values()):
            yield f"Crew {crew.key} has no hours."
    for window in given.windows:
        yield from _of_window(window, now)
    yield from (f"No machine stands on the line {line}." for line in sorted(_lines(given, named) - {*known_lines}))
    yield from _of_services(given)


def _lines(given: Resources, named: Collection[str]) -> set[str]:
    """Of the lists that are written now: a machine may have left a line that another list still names."""
    of_windows = {line for window in given.windows for line in window.lines} if "windows" in named else set()
    return of_windows | ({each.line for each in given.lines} if "lines" in named else set())


def _twice(given: Resources) -> Iterator[str]:
    kinds: dict[str, Iterable[str | None]] = {
        "crew": (each.key for each in given.crews),
        "window": (each.key for each in given.windows),
        "line": (each.line for each in given.lines),
        "part": (each.key for each in given.parts),
        "set-up": (each.key for each in given.setups),
        "asset class": (each.asset_class for each in given.services),
    }
    for kind, keys in kinds.items():
        yield from (
            f"The {kind} {key or 'null'} comes twice." for key, number in Counter(keys).items() if number > 1
        )


def _of_window(window: WindowIn, now: datetime) -> Iterator[str]:
    for begins, whose in TAKEN_KEYS.items():
        if window.key.startswith(begins):
            yield f"The window {window.key} must not begin with `{begins.strip()}`, as {whose} do."
    if window.ends_at <= window.starts_at:
        yield f"The window {window.key} ends before it starts."
    if window.ends_at <= now:
        yield f"The window {window.key} is over."


def _of_services(given: Resources) -> Iterator[str]:
    parts, setups = {each.key for each in given.parts}, {each.key for each in given.setups}
    for service in given.services:
        of = f"the class {service.asset_class}" if service.asset_class else "other classes"
        for part in service.parts:
            if part not in parts:
                yield f"The service of {of} needs the part {part}, and there is none of that name."
        if service.setup is not None and service.setup not in setups:
            yield f"The service of {of} needs the set-up {service.setup}, and there is none of that name."
