"""A schedule made in a process of its own: a crash or a hang of the solver costs the search, and not the worker.

OR-Tools 9.15 is native code that is known to crash at times (google/or-tools issues 5025, 5048, 5288), and no
setting bounds its memory (issue 1944). The process ends with the schedule, and its memory with it.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

import structlog

from app.errors import BadInput
from app.planning.problem import Problem
from app.planning.schedule import Schedule
from ml.planning.scheduler import schedule, without_search

log = structlog.get_logger()
# For a process to begin and to hand over: libraries are imported in it anew.
GRACE_SECONDS = 5.0

Scheduling = Callable[[Problem, float], Schedule]


def schedule_apart(problem: Problem, seconds: float = 20.0, scheduling: Scheduling = schedule) -> Schedule:
    """As `schedule`; where that ends without an answer, the schedule that needs no search. Raises BadInput."""
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(sending, scheduling, problem, seconds), daemon=True)
    child.start()
    sending.close()
    try:
        answer = receiving.recv() if receiving.poll(seconds + GRACE_SECONDS) else None
    except EOFError:
        answer = None
    finally:
        child.kill()
        child.join()
    if isinstance(answer, BadInput):
        raise answer
    if answer is None:
        log.warning("the search for a schedule ended without an answer", exit_code=child.exitcode)
        return without_search(problem)
    found: Schedule = answer
    return found


def _answer(sending: Connection, scheduling: Scheduling, problem: Problem, seconds: float) -> None:
    try:
        sending.send(scheduling(problem, seconds))
    except BadInput as wrong:
        sending.send(wrong)
