"""Whether machines and predictions still look like what a model learnt from, and whether so few machines can tell.

The population stability index of two distributions p and q over bins is the sum of (p - q) x ln(p / q), here over
fifths of the reference. What chance gives is found by permutation: of each machine one block, among its old ones
and the recent one, is drawn to play the recent one. While nothing moves, blocks of a machine are exchangeable: the
test is exact for whole machines, and differences between machines cancel (Ernst 2004, "Permutation methods: a basis
for exact inference"; the largest of all columns: Westfall and Young 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.endings import Flags
from ml.features.history import Floats, Ints
from ml.gate import MOST_OFF
from ml.reference import MOMENTS, Blocks, Reference, Singles, Words

# The usual bound of "a major shift" (Siddiqi 2006).
MOVED = 0.25
# One report a day, a hundred days: one false word, over all columns and horizons together.
CHANCE = 0.01
PERMUTATIONS = 999
# With fewer a permutation cannot be sure to one in a hundred however far all of them moved.
FEWEST_MACHINES = 10
# Of the machines lack a channel that they used to have, or stand outside all that was learnt from.
MANY = 0.2
FIFTHS = (0.2, 0.4, 0.6, 0.8)
BINS = 5
# A bin that nobody is in counts as half a percent, so that the index stays finite.
LEAST_SHARE = 0.005


@dataclass(frozen=True)
class Comparison:
    """One value then and now: 10th, 50th and 90th percentile of both, None where nobody had it.

    ratio: mean now against mean then. psi: population stability index, of a channel the larger one of its level and
    its distance from each machine's baseline; moved: it is more than chance or any stretch learnt from explains,
    and the mean of a risk changed by half.
    unknown: share of machines without it in most of their moments now; outside: share beyond all that was learnt
    from.
    """

    then: tuple[float, float, float] | None
    now: tuple[float, float, float] | None
    machines: int
    ratio: float | None
    psi: float | None
    moved: bool
    unknown: float
    gone: bool
    outside: float


@dataclass(frozen=True)
class Drift:
    """`risks` in the order of the horizons; `known` is how many of the machines were there in learning."""

    channels: dict[str, Comparison]
    risks: tuple[Comparison, ...]
    known: int

    @property
    def moved(self) -> list[str]:
        return [name for name, each in self.channels.items() if each.moved or each.gone or each.outside > MANY]


def compare(reference: Reference, recent: Blocks, seed: int = 0) -> Drift:
    """`recent` holds one block of each machine. By machines that the model does not know nothing has moved."""
    known = np.isin(recent.machine, reference.machine)
    enough = bool(known.sum() >= FEWEST_MACHINES)
    index, usual = _indices(reference, recent.take(known) if known.any() else recent, enough, seed)
    moved = index > np.maximum(usual, MOVED)
    then, now = reference.blocks.seen, recent.seen

    def compared(shown: int, *others: int) -> Comparison:
        places = [shown, *others]
        found = float(index[places].max()), bool(moved[places].any())
        return _compared(then[:, :, shown], now[:, :, shown], *found, enough)

    channels = len(reference.channels)
    return Drift(
        {name: compared(place, channels + place) for place, name in enumerate(reference.channels.tolist())},
        tuple(_misleading(compared(place)) for place in range(2 * channels, then.shape[2])),
        int(known.sum()),
    )


def _compared(then: Singles, now: Singles, psi: float, moved: bool, enough: bool) -> Comparison:
    """Of [blocks, MOMENTS] each; where too few machines are known it says what is, and not what changed."""
    had, has = _mostly(np.isfinite(then)), _mostly(np.isfinite(now))
    old, new = _known(then[had]), _known(now[has])
    both = bool(len(old) and len(new))
    unknown, outside = 1 - _share(has), 0.0
    if both and enough:
        outside = _share(_mostly((now[has] < old.min()) | (now[has] > old.max())))
    return Comparison(
        _range(old),
        _range(new),
        int(has.sum()),
        float(new.mean() / old.mean()) if both and old.mean() else None,
        psi if both else None,
        moved and both,
        unknown,
        enough and unknown - (1 - _share(had)) > MANY,
        outside,
    )


def _misleading(risk: Comparison) -> Comparison:
    """Among risks of a few in a thousand the index moves although no planner would notice."""
    near = risk.ratio is not None and 1 / MOST_OFF <= risk.ratio <= MOST_OFF
    return replace(risk, moved=risk.moved and not near)


def stability(counts: Ints, others: Ints) -> Floats:
    """[...] population stability index from numbers per bin [..., bins]; 0 where one side is empty."""
    p, q = (
        np.maximum(each / np.maximum(each.sum(axis=-1, keepdims=True), 1), LEAST_SHARE) for each in (counts, others)
    )
    some = counts.any(axis=-1) & others.any(axis=-1)
    return np.where(some, ((p - q) * np.log(p / q)).sum(axis=-1), 0.0)


def _indices(reference: Reference, recent: Blocks, enough: bool, seed: int) -> tuple[Floats, Floats]:
    """[columns + horizons] the index, and the largest that is usual: infinite where too few machines can tell."""
    past = reference.blocks.seen
    edges = _fifths(past)
    old, now = _counts(past, edges), _counts(recent.seen, edges)
    index = stability(now.sum(axis=0), old.sum(axis=0))
    if not enough:
        return index, np.full(len(index), np.inf)
    chance = _by_chance(old, now, _own_blocks(reference.machine, recent.machine), seed)
    return index, np.maximum(chance, _in_any_stretch(old, reference))


def _fifths(past: Singles) -> Floats:
    """[4, columns] edges of the bins; 0 where nothing was known."""
    flat = past.reshape(-1, past.shape[2]).astype(float)
    some = np.isfinite(flat).any(axis=0)
    return np.nanquantile(np.where(some, flat, 0.0), FIFTHS, axis=0) if len(flat) else np.zeros((4, len(some)))


def _counts(seen: Singles, edges: Floats) -> Ints:
    """[blocks, columns, BINS] how many moments of each block are in each fifth of the reference."""
    counts = np.empty((len(seen), seen.shape[2], BINS), np.int64)
    for column in range(seen.shape[2]):
        values = seen[:, :, column]
        place = np.where(np.isfinite(values), np.searchsorted(edges[:, column], values), BINS)
        counts[:, column] = (place[:, :, None] == np.arange(BINS)).sum(axis=1)
    return counts


def _own_blocks(past: Words, machine: Words) -> list[Ints]:
    """Of each machine the rows of its past blocks."""
    order = np.argsort(past, kind="stable")
    first, last = (np.searchsorted(past[order], machine, side=side) for side in ("left", "right"))
    return [order[begin:end] for begin, end in zip(first, last, strict=True)]


def _by_chance(old: Ints, now: Ints, own: Sequence[Ints], seed: int) -> Floats:
    """[columns] the index that the largest of all columns stays under in all but CHANCE of the permutations.

    own: of each recent block the rows of its machine's old ones.
    """
    draw = np.random.default_rng(seed)
    total = old.sum(axis=0) + now.sum(axis=0)
    played = np.zeros((PERMUTATIONS, *total.shape), np.int64)
    for rows, recent in zip(own, now, strict=True):
        candidates = np.concatenate([old[rows], recent[None]])
        played += candidates[draw.integers(len(candidates), size=PERMUTATIONS)]
    observed = stability(now.sum(axis=0), old.sum(axis=0))
    indices = np.vstack([stability(played, total - played), observed])
    middle, width = indices[:-1].mean(axis=0), np.maximum(indices[:-1].std(axis=0), 1e-9)
    largest = ((indices - middle) / width).max(axis=1)
    return np.asarray(middle + width * np.quantile(largest, 1 - CHANCE, method="higher"))


def _in_any_stretch(old: Ints, reference: Reference) -> Floats:
    """[columns] how far a stretch of most machines was from the others: seasons and orders move a whole plant."""
    total, fewest = old.sum(axis=0), len(np.unique(reference.machine)) / 2
    parts = [old[reference.stretch == number] for number in np.unique(reference.stretch)]
    whole = [part.sum(axis=0) for part in parts if len(part) > fewest]
    return np.asarray(np.max([stability(each, total - each) for each in whole], axis=0, initial=0.0))


def _mostly(flags: Flags) -> Flags:
    """[n] in at least half of the moments [n, MOMENTS]."""
    return np.asarray(2 * flags.sum(axis=1) >= MOMENTS)


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def _known(values: Singles) -> Floats:
    return values[np.isfinite(values)].astype(float)


def _range(values: Floats) -> tuple[float, float, float] | None:
    if not len(values):
        return None
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
    return low, middle, high
