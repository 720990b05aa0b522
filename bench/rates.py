"""P1, P2, P3, P6: as fast as the answers come, all sides by turns. P4: commits per acknowledged request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.finding import Finding, Goal
from bench.measure import out
from bench.shapes import LARGE, MIDDLE, SINGLE, Drive, Shape, cost
from bench.target import Target

RATES: dict[str, tuple[Shape, dict[str, float]]] = {
    "P1": (LARGE, {"InfluxDB": 1.5, "textbook": 8}),
    "P2": (MIDDLE, {"InfluxDB": 1.3}),
    "P3": (SINGLE, {"InfluxDB": 1.0, "textbook": 10}),
}
MOST_COMMITS_A_REQUEST = 1 / 20
LEAST_RATE_WHEN_TWICE = 0.8


def compare(
    name: str, ours: Sequence[Target], peers: Sequence[Target], rounds: int, seconds: float
) -> list[Finding]:
    """A B C A B C, so that a disturbance meets all. The first of ours is held to the goals."""
    shape, bounds = RATES[name]
    found = Finding(name, f"durable ingest over HTTP, {shape.words}")
    commits = Finding("P4", "transactions that write, per acknowledged request of P3")
    sides = [*ours, *(peer for peer in peers if peer.name in bounds)]
    drives = [Drive(target, shape, name.lower()) for target in sides]
    for drive in drives:
        drive.warm_up()
    for number in range(1, rounds + 1):
        out.print(f"{name}: round {number} of {rounds} ...", style="dim", highlight=False)
        for drive in drives:
            before = _transactions(drive.target)
            run = drive.run(seconds)
            found.add(drive.target.name, cost(run))
            if drive.target.transactions:
                share = (_transactions(drive.target) - before) / run.requests
                commits.add(drive.target.name, {"transactions/request": share})
    for peer in sides[len(ours) :]:
        ratios = found.ratios("readings/s", ours[0].name, peer.name)
        found.goals.append(Goal(f"{ours[0].name} against {peer.name}", ratios, bounds[peer.name]))
    shares = commits.values(ours[0].name, "transactions/request")
    commits.goals.append(Goal("transactions a request", shares, MOST_COMMITS_A_REQUEST, at_most=True))
    return [found, commits] if name == "P3" else [found]


def twice(ours: Target, rounds: int, seconds: float) -> Finding:
    found = Finding("P6", f"everything sent twice, {LARGE.words}")
    drive = Drive(ours, LARGE, "p6")
    drive.warm_up()
    drive.again()
    for _ in range(rounds):
        new, same = drive.run(seconds), drive.again()
        found.add("once", cost(new))
        found.add("the same again", cost(same))
        both = {"readings/s": (new.readings + same.readings) / (new.seconds + same.seconds)}
        found.add("twice", both)
    ratios = found.ratios("readings/s", "twice", "once")
    found.goals.append(Goal("sent twice against once", ratios, LEAST_RATE_WHEN_TWICE))
    return found


def _transactions(target: Target) -> int:
    count: Callable[[], int] | None = target.transactions
    return count() if count else 0
