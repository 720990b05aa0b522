"""THE feature builder: what was known of each machine before each moment. Training and scoring call build()."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import numpy.typing as npt

from ml.features.catalogue import Feature, sequence_channels
from ml.features.channel import Channel
from ml.features.history import Features, Floats, History, Ints, Moments
from ml.features.past import Past
from ml.features.view import LOOK_BACK, View
from ml.features.windows import SEGMENT, segment_of

STEPS = 12  # block means of the longest window: 14 buckets each; a network learnt far better from 12 than from 48
# Places looked at in one go: in smaller runs single moments of machines cost more calls than sums, in larger ones
# the work arrays leave the processor's cache.
CHUNK_PLACES = 240_000
MOST_THREADS = 4
LARGEST = float(np.finfo(np.float32).max)


def build(history: History, moments: Moments, features: Sequence[Feature], *, blocks: bool = True) -> Features:
    """Every feature of every moment, in the given order; NaN where unknown or the history lacks the channel.

    Only buckets that end by `as_of` and events before it are seen. Without `blocks`, Features.blocks has no steps.
    """
    order = np.lexsort((moments.as_of, moments.machine))
    ordered = moments.take(order)
    channels = sequence_channels(features)
    built = Features(
        moments,
        tuple(feature.name for feature in features),
        np.empty((len(features), len(moments)), dtype=np.float32).T,
        channels,
        np.empty((len(moments), STEPS if blocks else 0, len(channels)), dtype=np.float32),
    )
    past = Past(history)

    def fill(part: Ints) -> None:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            _fill(built, _as_slice(order[part]), View(past, ordered.take(part)), features)

    chunks = _chunks(ordered, history.bucket_seconds)
    # What takes the whole past is found with the first, once for all threads.
    for part in islice(chunks, 1):
        fill(part)
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        list(threads.map(fill, chunks))
    return built


def _fill(built: Features, rows: Ints | slice, view: View, features: Sequence[Feature]) -> None:
    """Channel by channel, so that only one channel's work arrays are held."""
    for name in dict.fromkeys(feature.channel for feature in features):
        channel = Channel(view, name) if name else None
        for position, feature in enumerate(features):
            if feature.channel == name:
                column = channel.compute(feature) if channel else view.compute(feature)
                built.values[rows, position] = _narrowed(column)
        if channel and name in built.channels:
            _fill_blocks(built.blocks[:, :, built.channels.index(name)], rows, channel)


def _fill_blocks(blocks: npt.NDArray[np.float32], rows: Ints | slice, channel: Channel) -> None:
    """[moments, steps] means of equal parts of the longest window, the oldest first."""
    width = LOOK_BACK // STEPS
    for step in range(blocks.shape[1]):
        back = LOOK_BACK - step * width
        blocks[rows, step] = _narrowed(channel.mean_between(back, back - width))


def _chunks(moments: Moments, bucket_seconds: int) -> Iterator[Ints]:
    """Runs of moments, sorted by (machine, as_of), that look into so many segments."""
    segment = segment_of(moments.as_of // bucket_seconds)
    begins = (np.diff(moments.machine) != 0) | (np.diff(segment) != 0)
    chunk = np.cumsum(begins) // max(CHUNK_PLACES // (SEGMENT + LOOK_BACK), 1)
    yield from np.split(np.arange(len(moments)), np.flatnonzero(np.diff(chunk, prepend=0)) + 1)


def _as_slice(rows: Ints) -> Ints | slice:
    """Moments mostly come in order, and writing to neighbours is far faster than to places."""
    follow = len(rows) > 0 and bool((np.diff(rows) == 1).all())
    return slice(int(rows[0]), int(rows[-1]) + 1) if follow else rows


def _narrowed(column: Floats) -> npt.NDArray[np.float32]:
    known = np.where(np.isfinite(column), column, np.nan)
    return known.clip(-LARGEST, LARGEST).astype(np.float32)


assert LOOK_BACK % STEPS == 0
