"""The states of a work order, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"


# Who repairs at once has no time to schedule; who schedules anew stays scheduled.
NEXT = {
    State.PROPOSED: (State.ACCEPTED, State.CANCELLED),
    State.ACCEPTED: (State.SCHEDULED, State.IN_PROGRESS, State.CANCELLED),
    State.SCHEDULED: (State.IN_PROGRESS, State.SCHEDULED, State.CANCELLED),
    State.IN_PROGRESS: (State.DONE, State.CANCELLED),
    State.DONE: (),
    State.CANCELLED: (),
}
OPEN = tuple(state for state, following in NEXT.items() if following)
DECIDED = tuple(state for state in OPEN if state is not State.PROPOSED)
STATE_WORDS = {State.IN_PROGRESS: "in progress"}


def words(state: State) -> str:
    return STATE_WORDS.get(state, str(state))


def fault_of_step(before: State, after: State) -> str | None:
    """One sentence, or None where the step may be taken."""
    if after in NEXT[before]:
        return None
    following = " or ".join(words(state) for state in NEXT[before])
    only = f"only {following} can follow" if following else "nothing can follow"
    return f"This work order is {words(before)}, and {only}."
