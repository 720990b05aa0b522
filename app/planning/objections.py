"""What of a problem cannot be as it stands, in words: windows that are over, crews without hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from app.errors import BadInput
from app.planning.day_words import WindowWords, day
from app.planning.problem import Problem, Span, Window


def refuse_nonsense(problem: Problem) -> None:
    """Raises BadInput where two things share a key or an amount is below nothing."""
    kinds: dict[str, Iterable[Hashable]] = {
        "machine": (each.machine for each in problem.jobs),
        "window": (each.key for each in problem.windows),
        "crew": (each.key for each in problem.crews),
        "line": (each.key for each in problem.lines),
        "part": (each.key for each in problem.parts),
        "set-up": (each.key for each in problem.setups),
    }
    for kind, keys in kinds.items():
        twice = [key for key, number in Counter(keys).items() if number > 1]
        if twice:
            raise BadInput(f"There are two of the {kind} {twice[0]}.")
    for job in problem.jobs:
        if job.minutes <= 0 or any(pieces <= 0 for pieces in job.parts.values()):
            raise BadInput(f"The service of {job.machine} takes no time or no part.")


def usable_windows(problem: Problem) -> tuple[list[Window], list[str]]:
    """(those of the plan by start, one that has begun from now on; why the others are none)."""
    words = WindowWords(problem.windows, problem.zone)
    found, said = [], []
    for window in sorted(problem.windows, key=lambda each: (each.span.start, each.span.end, each.key)):
        wrong = _wrong(window, problem)
        if wrong is None:
            span = Span(max(window.span.start, problem.now), window.span.end)
            found.append(replace(window, span=span))
        else:
            said.append(f"The window {window.key} of {words.of(window)} {wrong}.")
    return found, said


def _wrong(window: Window, problem: Problem) -> str | None:
    if window.span.end <= window.span.start:
        return "ends before it starts"
    if window.span.end <= problem.now:
        return "is over"
    return (
        f"lies behind the plan's end on {day(problem.until, problem.zone)}"
        if window.span.start >= problem.until
        else None
    )


def idle_crews(problem: Problem, windows: Sequence[Window]) -> list[str]:
    return [
        f"Crew {crew.key} has no hours in any window."
        for crew in problem.crews
        if not any(crew.minutes(window.span) for window in windows)
    ]
