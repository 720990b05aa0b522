"""docs/features.md, written from the catalogue: `python -m ml.features.document > docs/features.md`."""

from __future__ import annotations

import sys

from app.ingest.plausibility import IDLE_A, IDLE_SHARE_OF_RATED
from ml.features.baseline import BASELINE_BUCKETS
from ml.features.builder import STEPS
from ml.features.catalogue import (
    COUNTER,
    CURRENT,
    DAY,
    MOST_CODES,
    MOST_COMPONENTS,
    VIBRATION,
    WINDOWS,
    Feature,
    catalogue,
)
from ml.features.standstill import FEWEST_RUNNING

INTRODUCTION = f"""# Features

Written from `ml/features/catalogue.py` by `python -m ml.features.document`; do not edit.

A model sees these columns and nothing else. Windows end at the moment looked from (`as_of`) and are counted in
roll-up buckets ({", ".join(map(str, WINDOWS))}); the words below are for the default bucket of one hour.
A bucket is seen once it has ended, an event once it has begun before `as_of`; hour of day and weekday are never
seen. Where nothing is known the value is empty, never a guess.

The table shows the channel `{VIBRATION}`; every other channel has the same columns under its own name, the counter
`{COUNTER}` excepted. Fault codes and components have columns each, the {MOST_CODES} and {MOST_COMPONENTS} most
frequent in training; `E1` and `bearing` stand for them. The early baseline is the mean and deviation of a machine's
first {BASELINE_BUCKETS} buckets of a channel, and of as many as there were until then. `since_first` is empty where
`age` is known. Services do not count inspections, and one of the machine as a whole counts for each component.

A machine whose current stays below {IDLE_SHARE_OF_RATED:.0%} of the rated one ({IDLE_A} A where none is known) and
whose hour counter does not rise stands. What its channels show then is not looked at; the counter and the share of
missing buckets are. Not so where it ran in less than {FEWEST_RUNNING:.0%} of its buckets so far. A day is {DAY} of
them.

The sequence models also see {STEPS} block means of each channel: the last {WINDOWS[-1]} buckets in equal parts.

| feature | unit | in words |
|---|---|---|
"""


def document() -> str:
    """The page, as it must stand in docs/features.md."""
    features = catalogue([VIBRATION, CURRENT, COUNTER], ["E1"], ["bearing"])
    shown = [f for f in features if f.channel != CURRENT or f.kind == "load"]
    return INTRODUCTION + "\n".join(_row(feature) for feature in shown) + "\n"


def _row(feature: Feature) -> str:
    return f"| `{feature.name}` | {feature.unit} | {feature.words} |"


if __name__ == "__main__":
    sys.stdout.write(document())
