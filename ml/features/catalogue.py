"""The catalogue: every column a model may see, named once, with unit, window and words for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from ml.features.words import channel_unit, channel_words, window_words

# In buckets: the reading itself, a shift, a day, three days, a week when the bucket is an hour.
WINDOWS = (1, 6, 24, 72, 168)
TRENDS = WINDOWS[1:]  # one bucket has no deviation, slope or share
COUNTING = WINDOWS[2:]  # faults and running hours are too rare for a shorter look
SHORT, LONG = 6, 72  # how recent "now" is when it is held against the machine's baseline
DAY = 24
# A counter, not a level: only its increase says something about now.
COUNTER = "runtime_hours"
CURRENT, VIBRATION = "current_a", "vibration_mm_s"
# More columns than this are too rare to be learnt from and cost every tree.
MOST_CODES = 30
MOST_COMPONENTS = 30
PER_HOUR = "per hour"


@dataclass(frozen=True)
class Feature:
    """One column. `kind` says how it is computed; `subject` is the fault code or component it is about."""

    name: str
    kind: str
    unit: str
    words: str
    channel: str | None = None
    window_buckets: int | None = None
    subject: str | None = None


def catalogue(
    channels: Iterable[str],
    fault_codes: Sequence[str] = (),
    components: Sequence[str] = (),
    *,
    bucket_seconds: int = 3600,
) -> tuple[Feature, ...]:
    """All features of machines with these channels, fault codes and components, in a fixed order."""
    known = sorted(set(channels))
    return (
        *(f for channel in known if channel != COUNTER for f in _level(channel, bucket_seconds)),
        *(_counter(bucket_seconds) if COUNTER in known else ()),
        *_ratios(known, bucket_seconds),
        *_life(),
        *(f for code in fault_codes for f in _fault(code, bucket_seconds)),
        *(_any_fault(window, bucket_seconds) for window in COUNTING if fault_codes),
        *(f for component in components for f in _component(component)),
        *(_missing(window, bucket_seconds) for window in TRENDS),
    )


def most_frequent(values: pd.Series[str], most: int) -> tuple[str, ...]:
    """The most frequent values, sorted by name so that the order of events changes nothing."""
    counts = values.dropna().value_counts().rename_axis("value").reset_index(name="n")
    return tuple(sorted(counts.sort_values(["n", "value"], ascending=[False, True])["value"].head(most)))


def catalogue_for(events: pd.DataFrame, channels: Iterable[str], bucket_seconds: int) -> tuple[Feature, ...]:
    """The catalogue of a training history: its channels, most frequent fault codes and components."""
    codes = most_frequent(events.loc[events["kind"] == "fault_code", "code"], MOST_CODES)
    touched = events.loc[events["kind"].isin(["failure", "service"]), "component"]
    return catalogue(channels, codes, most_frequent(touched, MOST_COMPONENTS), bucket_seconds=bucket_seconds)


def window_of(feature: Feature) -> int:
    """The window of a feature whose kind has one."""
    if feature.window_buckets is None:
        raise ValueError(f"{feature.name} is of kind {feature.kind}, which needs a window")
    return feature.window_buckets


def sequence_channels(features: Iterable[Feature]) -> tuple[str, ...]:
    """The channels of Features.blocks: those whose level is looked at, in the list's order."""
    return tuple(dict.fromkeys(f.channel for f in features if f.channel and f.kind in LEVELS))


LEVELS = {
    "mean": "mean {over}",
    "deviation": "deviation {over}",
    "min": "lowest {over}",
    "max": "highest {over}",
    "slope": "slope {over}",
    "last": "last value {over}",
    "spread": "deviation within a bucket, mean {over}",
    "baseline_difference": "mean {over} above its early baseline",
    "baseline_deviations": "mean {over} above its early baseline, in its deviations",
    "to_usual": "mean {over} to the median of its days so far",
}
LEVEL_WINDOWS = {
    "mean": WINDOWS,
    "deviation": TRENDS,
    "min": WINDOWS,
    "max": WINDOWS,
    "slope": TRENDS,
    "last": WINDOWS[-1:],
    "spread": (DAY, WINDOWS[-1]),
    "baseline_difference": (SHORT, LONG),
    "baseline_deviations": (SHORT, LONG),
    "to_usual": COUNTING,
}


def _level(channel: str, bucket_seconds: int) -> Iterable[Feature]:
    unit = channel_unit(channel)
    units = {"slope": f"{unit} {PER_HOUR}".strip(), "baseline_deviations": "deviations", "to_usual": ""}
    for kind, windows in LEVEL_WINDOWS.items():
        for window in windows:
            words = f"{channel_words(channel)}, {LEVELS[kind].format(over=window_words(window, bucket_seconds))}"
            yield Feature(f"{channel}.{kind}.{window}", kind, units.get(kind, unit), words, channel, window)


def _counter(bucket_seconds: int) -> Iterable[Feature]:
    for window in COUNTING:
        words = f"running hours {window_words(window, bucket_seconds)}"
        yield Feature(f"{COUNTER}.increase.{window}", "increase", "h", words, COUNTER, window)
    yield Feature("running_hours", "running_hours", "h", "running hours in all, over counter resets", COUNTER)
    words = "running hours since the last service"
    yield Feature("running_hours_since_service", "running_hours_since_service", "h", words, COUNTER)


def _ratios(channels: Sequence[str], bucket_seconds: int) -> Iterable[Feature]:
    for window in (WINDOWS[0], DAY):
        over = window_words(window, bucket_seconds)
        if CURRENT in channels:
            words = f"current to rated current, mean {over}"
            yield Feature(f"load.{window}", "load", "", words, CURRENT, window)
        if CURRENT in channels and VIBRATION in channels:
            words = f"vibration to current, mean {over}"
            yield Feature(
                f"vibration_per_current.{window}", "vibration_per_current", "mm/s per A", words, VIBRATION, window
            )


def _life() -> Iterable[Feature]:
    yield Feature("age", "age", "h", "hours since it was installed")
    yield Feature("since_first", "since_first", "h", "hours since its first reading")
    yield Feature("since_service", "since_service", "h", "hours since the last service")
    yield Feature("since_failure", "since_failure", "h", "hours since the last failure")


def _fault(code: str, bucket_seconds: int) -> Iterable[Feature]:
    for window in COUNTING:
        words = f"fault code {code}, count {window_words(window, bucket_seconds)}"
        yield Feature(f"fault.{code}.count.{window}", "fault_count", "", words, None, window, code)
    yield Feature(f"fault.{code}.since", "since_fault", "h", f"hours since fault code {code}", subject=code)


def _any_fault(window: int, bucket_seconds: int) -> Feature:
    words = f"fault codes of any kind, count {window_words(window, bucket_seconds)}"
    return Feature(f"faults.count.{window}", "fault_count", "", words, None, window)


def _component(component: str) -> Iterable[Feature]:
    for kind in ("service", "failure"):
        words = f"hours since the last {kind} of {component}"
        yield Feature(f"component.{component}.since_{kind}", f"since_{kind}", "h", words, subject=component)


def _missing(window: int, bucket_seconds: int) -> Feature:
    words = f"share of buckets without a reading {window_words(window, bucket_seconds)}"
    return Feature(f"missing.{window}", "missing", "", words, None, window)
