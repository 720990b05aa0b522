"""Operating conditions: values as they would be under the most common one, where a plant changes between several.

Nobody says which channels are settings. A plant has conditions where most channels jump to and fro from bucket to
bucket, and a few tight groups of rows explain nearly all of it; wear does neither. Each channel is then shifted and
stretched from its condition's middle and width to those of the most common condition, so that its unit stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from ml.features.catalogue import COUNTER
from ml.features.history import Floats, History, Ints

# A channel jumps where the step from one bucket to the next is as wide as this share of what chance order would
# give: 1 for values in no order, near 0 for wear and temperatures.
JUMPS = 0.5
# Conditions move the whole machine: at least this share of its channels jumps, and of those is explained.
MOST_CHANNELS = 0.5
# Of a channel's variance; unordered noise in as many groups stays below 0.6.
EXPLAINED = 0.9
MOST_CONDITIONS = 10
# Rows looked at: enough for ten groups, few enough for a second.
MOST_ROWS, ROWS, ROWS_COMPARED = 400_000, 20_000, 2_000
FEWEST_ROWS = 20
# Noise in one or two channels can be cut into groups that explain it; in three it cannot.
FEWEST_CHANNELS = 3
# Below this share of its scale a channel stands still.
STILL = 1e-9
# Silhouette (Rousseeuw 1987) from which a structure is strong (Kaufman, Rousseeuw 1990); a line in pieces has 0.5.
APART = 0.7
# A channel nearly still in one condition is not blown up to the noise of another.
MOST_STRETCH = 10.0
IQR_PER_DEVIATION = 1.349


@dataclass(frozen=True)
class Conditions:
    """`centres` [k, channels] of `channels` scaled by `middle` and `width`, which tell rows of conditions apart;
    `levels`, `widths` [k, all] of every channel in `moved`, the most common condition first.
    """

    channels: tuple[str, ...]
    middle: Floats
    width: Floats
    centres: Floats
    moved: tuple[str, ...]
    levels: Floats
    widths: Floats

    def apply(self, history: History) -> History:
        """The history under one condition; a row without most of what tells conditions apart stays as it is."""
        number = self._of(history)
        tables = {name: getattr(history, name).copy() for name in ("mean", "std", "min", "max", "last")}
        for place, channel in enumerate(self.moved):
            if channel not in history.channels:
                continue
            at = history.channels.index(channel)
            stretch = self.widths[0, place] / self.widths[number, place]
            shift = self.levels[0, place] - self.levels[number, place] * stretch
            for name, table in tables.items():
                table[:, at] = table[:, at] * stretch + (0 if name == "std" else shift)
        return replace(history, **tables)

    def _of(self, history: History) -> Ints:
        """[rows] the nearest condition; a channel missing in a row says nothing there."""
        scaled = np.full((len(history.mean), len(self.channels)), np.nan)
        for place, channel in enumerate(self.channels):
            if channel in history.channels:
                told = history.mean[:, history.channels.index(channel)]
                scaled[:, place] = (told - self.middle[place]) / self.width[place]
        nearest = np.zeros(len(scaled), np.int64)
        closest = np.full(len(scaled), np.inf)
        for number, centre in enumerate(self.centres):
            away = np.nan_to_num((scaled - centre) ** 2, nan=0.0).sum(axis=1)
            nearer = away < closest
            nearest[nearer], closest[nearer] = number, away[nearer]
        return np.where(np.isfinite(scaled).mean(axis=1) >= MOST_CHANNELS, nearest, 0)

    def to_json(self) -> dict[str, Any]:
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else list(value)
            for name, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Conditions:
        middle, width, centres, levels, widths = (
            np.array(said[name], float) for name in ("middle", "width", "centres", "levels", "widths")
        )
        return cls(tuple(said["channels"]), middle, width, centres, tuple(said["moved"]), levels, widths)


def learn_conditions(history: History, rows: npt.NDArray[np.bool_], seed: int) -> Conditions | None:
    """From these rows of the history; None where nothing shows that there are several."""
    levels = [place for place, name in enumerate(history.channels) if name != COUNTER]
    values = history.mean[:, levels]
    rows = _some(history, rows, seed)
    jumping, varying = _jumping(history, values, rows)
    if jumping.sum() < max(FEWEST_CHANNELS, MOST_CHANNELS * varying.sum()):
        return None
    usable = np.flatnonzero(rows & np.isfinite(values[:, jumping]).all(axis=1))
    drawn = np.random.default_rng(seed).permutation(usable)[:ROWS]
    if len(drawn) < 10 * MOST_CONDITIONS:
        return None
    known = values[np.sort(drawn)]
    middle, width = known[:, jumping].mean(axis=0), np.maximum(known[:, jumping].std(axis=0), 1e-12)
    scaled = (known[:, jumping] - middle) / width
    centres, number = _groups(scaled, seed)
    if not 2 <= len(centres) <= MOST_CONDITIONS:
        return None
    order = np.argsort(-np.bincount(number, minlength=len(centres)), kind="stable")
    parts = [known[number == each] for each in order]
    moved = np.min([np.isfinite(part).sum(axis=0) for part in parts], axis=0) >= FEWEST_ROWS
    return Conditions(
        tuple(history.channels[levels[place]] for place in np.flatnonzero(jumping)),
        middle,
        width,
        centres[order],
        tuple(history.channels[levels[place]] for place in np.flatnonzero(moved)),
        *_levels_and_widths([part[:, moved] for part in parts]),
    )


def _some(history: History, rows: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.bool_]:
    """Whole machines, drawn until there are enough rows: steps need neighbours, a year of a fleet is too much."""
    count = np.bincount(history.machine[rows], minlength=len(history.machines))
    order = np.random.default_rng(seed).permutation(len(count))
    enough = int(np.searchsorted(np.cumsum(count[order]), MOST_ROWS)) + 1
    return np.asarray(rows & np.isin(history.machine, order[:enough]))


def _jumping(history: History, values: Floats, rows: npt.NDArray[np.bool_]) -> tuple[Any, Any]:
    """([channels] whether it jumps, whether it varies at all)."""
    follows = (np.diff(history.machine) == 0) & (np.diff(history.bucket) == 1) & rows[1:] & rows[:-1]
    if not follows.any():
        return np.zeros(values.shape[1], bool), np.zeros(values.shape[1], bool)
    with np.errstate(invalid="ignore"):
        known = np.where(np.isfinite(values[rows]).any(axis=0), values[rows], 0.0)
        deviation = np.nanstd(known, axis=0)
        step = (values[1:] - values[:-1])[follows] ** 2
        steps = np.nansum(step, axis=0) / np.maximum(np.isfinite(step).sum(axis=0), 1)
        varying = deviation > STILL * (1 + np.abs(np.nanmean(known, axis=0)))
        return varying & (steps > JUMPS * 2 * deviation**2), varying


def _groups(scaled: Floats, seed: int) -> tuple[Floats, Ints]:
    """(centres, number of each row): groups that stand clearly apart, and groups within them that do as well."""
    few = scaled[np.random.default_rng(seed).permutation(len(scaled))[:ROWS_COMPARED]]
    centres = np.stack([few[rows].mean(axis=0) for rows in _apart(few, np.arange(len(few)), seed)])
    number = np.argmin(((scaled[:, None, :] - centres) ** 2).sum(axis=2), axis=1)
    return centres, number


def _apart(values: Floats, rows: Ints, seed: int) -> list[Ints]:
    """Two close groups among distant ones are seen only in their own scale: so each group is looked at anew."""
    own = values[rows]
    deviation = own.std(axis=0)
    varies = deviation > STILL
    if varies.sum() < FEWEST_CHANNELS:
        return [rows]
    own = (own[:, varies] - own[:, varies].mean(axis=0)) / deviation[varies]
    for count in range(2, min(MOST_CONDITIONS, len(rows) // FEWEST_ROWS) + 1):
        found = KMeans(count, n_init=3, random_state=seed).fit(own)
        if np.bincount(found.labels_).min() >= FEWEST_ROWS and _stand_apart(own, found.labels_):
            parts = [rows[found.labels_ == each] for each in range(count)]
            return [part for each in parts for part in _apart(values, each, seed)]
    return [rows]


def _stand_apart(scaled: Floats, number: Ints) -> bool:
    """Whether groups leave next to nothing of the variance of most channels, and have gaps between them there.

    Pieces of a line explain as much: of a load that may take any value there are no conditions.
    """
    centres = np.stack([scaled[number == each].mean(axis=0) for each in range(int(number.max()) + 1)])
    explained = 1 - ((scaled - centres[number]) ** 2).mean(axis=0) >= EXPLAINED
    return bool(explained.mean() >= MOST_CHANNELS) and silhouette_score(scaled[:, explained], number) >= APART


def _levels_and_widths(parts: list[Floats]) -> tuple[Floats, Floats]:
    """[k, channels] middle and width of each; a channel that stands still in one condition is not stretched."""
    quartiles = np.stack([np.nanquantile(part, [0.25, 0.5, 0.75], axis=0) for part in parts])
    levels, widths = quartiles[:, 1], (quartiles[:, 2] - quartiles[:, 0]) / IQR_PER_DEVIATION
    widths = np.maximum(widths, widths.max(axis=0) / MOST_STRETCH)
    still = (widths <= STILL * (1 + np.abs(levels))).any(axis=0)
    return levels, np.where(still, 1.0, widths)
