"""A schedule made in a process of its own: a crash or a hang of the solver costs the search, and not the worker.

OR-Tools 9.15 is native code that is known to crash at times (google/or-tools issues 5025, 5048, 5288), and no
setting bounds its memory (issue 1944). The process ends with the schedule, and its memory with it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

import structlog

from app.errors import BadInput, Unavailable
from app.planning.problem import Problem
from app.planning.schedule import Schedule
from ml.planning.scheduler import schedule, without_search

log = structlog.get_logger()
# For a process to begin and to hand over: libraries are imported in it anew.
GRACE_SECONDS = 5.0
# For the schedule that needs no search: it takes some of them where a plant has thousands of machines or windows.
WITHOUT_SEARCH_SECONDS = 30.0

Scheduling = Callable[[Problem, float], Schedule]


def schedule_apart(problem: Problem, seconds: float = 20.0, scheduling: Scheduling = schedule) -> Schedule:
    """As `schedule`; where that ends without an answer, the schedule that needs no search.

    Raises BadInput, and Unavailable where there is no answer even so.
    """
    found = _apart(partial(scheduling, problem, seconds), seconds + GRACE_SECONDS)
    found = found or _apart(partial(without_search, problem), WITHOUT_SEARCH_SECONDS)
    if found is None:
        raise Unavailable("No schedule was found in time, even without a search; the worker's log says more.")
    return found


def _apart(making: Callable[[], Schedule], seconds: float) -> Schedule | None:
    """None where the process ends or is ended without an answer."""
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(sending, making), daemon=True)
    child.start()
    sending.close()
    try:
        answer: Schedule | BadInput | None = receiving.recv() if receiving.poll(seconds) else None
    except EOFError:
        answer = None
    finally:
        child.kill()
        child.join()
    if isinstance(answer, BadInput):
        raise answer
    if answer is None:
        log.warning("making a schedule ended without an answer", exit_code=child.exitcode)
    return answer


def _answer(sending: Connection, making: Callable[[], Schedule]) -> None:
    try:
        sending.send(making())
    except BadInput as wrong:
        sending.send(wrong)
