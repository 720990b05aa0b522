"""P5: how long an acknowledgement takes at half of the highest rate, and P16: what a training worker adds to it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.finding import Finding, Goal
from bench.measure import out
from bench.shapes import LARGE, SINGLE, Drive, Shape, latency
from bench.target import Target
from bench.training import Training

HIGHEST_P50_MS, HIGHEST_P99_MS = 10, 50
HIGHEST_RATIO_WHILE_TRAINING = 2
SHAPES = {"P1": LARGE, "P3": SINGLE}
# Fewer requests would not have a 99th percentile worth the name.
LEAST_REQUESTS = 400


def at_half_rate(targets: Sequence[Target], rounds: int, seconds: float) -> list[Finding]:
    """The first target is held to the goals, the others are there to compare, each at half of its own rate."""
    return [_of_shape(name, shape, targets, rounds, seconds) for name, shape in SHAPES.items()]


def _of_shape(name: str, shape: Shape, targets: Sequence[Target], rounds: int, seconds: float) -> Finding:
    found = Finding("P5", f"milliseconds to the acknowledgement at half of {name}'s rate, open loop, {shape.words}")
    drives = [_ready(target, shape, "p5", seconds) for target in targets]
    for number in range(1, rounds + 1):
        out.print(f"P5 at {name}: round {number} of {rounds} ...", style="dim", highlight=False)
        for drive, half in drives:
            found.add(drive.target.name, latency(drive.open_loop(half, _length(shape, half, seconds))))
    ours = targets[0].name
    found.goals.append(Goal("p50 ms", found.values(ours, "p50 ms"), HIGHEST_P50_MS, at_most=True))
    found.goals.append(Goal("p99 ms", found.values(ours, "p99 ms"), HIGHEST_P99_MS, at_most=True))
    return found


def while_training(ours: Target, training: Training, rounds: int, seconds: float) -> list[Finding]:
    """By turns with the training stopped and going on; the rate is half of what the idle machine takes."""
    return [_while_training(name, shape, ours, training, rounds, seconds) for name, shape in SHAPES.items()]


def _while_training(
    name: str, shape: Shape, ours: Target, training: Training, rounds: int, seconds: float
) -> Finding:
    found = Finding("P16", f"the same as P5 at {name}, while `wearwatch train` runs and while it does not")
    training.stop()
    drive, half = _ready(ours, shape, "p16", seconds)
    for number in range(1, rounds + 1):
        out.print(f"P16 at {name}: round {number} of {rounds} ...", style="dim", highlight=False)
        found.add("idle", latency(drive.open_loop(half, _length(shape, half, seconds))))
        training.go_on()
        before = training.cpu_seconds()
        run = drive.open_loop(half, _length(shape, half, seconds))
        share = (training.cpu_seconds() - before) / run.seconds
        training.stop()
        found.add("training", {**latency(run), "training's cores": share})
    ratios = found.ratios("p99 ms", "training", "idle")
    found.goals.append(Goal("p99 training against idle", ratios, HIGHEST_RATIO_WHILE_TRAINING, at_most=True))
    return found


def _ready(target: Target, shape: Shape, series: str, seconds: float) -> tuple[Drive, float]:
    """Half of the rate it has just shown."""
    drive = Drive(target, shape, f"{series}-{shape.readings_a_request}")
    drive.warm_up()
    drive.run(seconds)
    return drive, drive.rate / 2


def _length(shape: Shape, readings_a_second: float, seconds: float) -> float:
    return max(seconds, LEAST_REQUESTS * shape.readings_a_request / readings_a_second)
