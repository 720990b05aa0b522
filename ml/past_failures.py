"""The failures a model learnt from, as their machines looked before: what a machine at risk may be like.

A look is how far each channel feature is from what was usual for that machine, in its own usual widths and then in
those of moments without a failure ahead, so that looks of unlike machines compare. docs/decisions/reasons.md has
what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ml.features.builder import build
from ml.features.catalogue import COUNTER, WINDOWS, Feature
from ml.features.happenings import HOUR, epoch_seconds
from ml.features.history import Features, Floats, History, Ints, Moments
from ml.looks import before_failures, distances, limits_of, scaled, size
from ml.models.base import Outcomes
from ml.models.kept import Kept
from ml.models.scaling import Scaling
from ml.usual import Usual, own_usual

# Of the columns those in which the failures stood out most. Fewer were worse, but a plant may have many channels.
MOST_COLUMNS = 64
# Moments without a failure ahead that are looked at: enough for a quantile of 2 %.
MOST_ORDINARY = 2000
# Looks nearer to usual than this share of ordinary moments show nothing that another could be like.
STANDS_OUT = 0.9

Words = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Alike:
    """A past failure that a machine looks like, and how long before it that machine looked so."""

    machine: str
    failed_at: int
    mode: int
    component: str
    down_hours: float
    hours_before: float


@dataclass(frozen=True)
class PastFailures(Kept):
    """[failures] machine (its key), at (epoch seconds), mode (position), component ("" where nobody named one),
    down_hours (NaN where unknown). [looks] of: which failure, hours_before, values [looks, columns].

    least: how far from usual a look must be to show anything. limit: [modes] how near to one of that mode is alike.
    """

    PART: ClassVar[str] = "past_failures.npz"

    columns: Words
    middle: Floats
    width: Floats
    machine: Words
    at: Ints
    mode: Ints
    component: Words
    down_hours: Floats
    of: Ints
    hours_before: Floats
    values: Floats
    least: Floats
    limit: Floats

    @classmethod
    def learn(
        cls, history: History, moments: Moments, outcomes: Outcomes, catalogue: Sequence[Feature], seed: int
    ) -> Self | None:
        """From what is learnt from; None where no failure showed in any channel."""
        compared = [feature for feature in catalogue if feature.channel not in (None, COUNTER)]
        rows, free = before_failures(history, outcomes), np.flatnonzero(outcomes.failure < 0)
        free = np.random.default_rng(seed).permutation(free)[:MOST_ORDINARY]
        if not compared or not len(rows) or not len(free):
            return None
        asked = moments.take(np.concatenate([rows, free]))
        away = own_usual(history, asked, compared).away(build(history, asked, compared, blocks=False))
        scaling = Scaling.learn(away[len(rows) :].astype(np.float32))
        looks = scaled(away, scaling.middle, scaling.width)
        kept = np.sort(np.argsort(-size(looks[: len(rows)].T), kind="stable")[:MOST_COLUMNS])
        looks, ordinary = np.split(looks[:, kept], [len(rows)])
        least = np.quantile(size(ordinary), STANDS_OUT)
        plain = size(looks) > least
        if not plain.any():
            return None
        rows, looks = rows[plain], looks[plain]
        chosen, first, of = np.unique(outcomes.failure[rows], return_index=True, return_inverse=True)
        return cls(
            columns=np.array([compared[each].name for each in kept], np.str_),
            middle=scaling.middle[kept],
            width=scaling.width[kept],
            **_outcome(history, chosen),
            mode=outcomes.mode[rows[first]],
            of=of,
            hours_before=outcomes.hours_to_failure[rows],
            values=looks,
            least=np.array(least),
            limit=limits_of(looks, of, outcomes.mode[rows], ordinary, least, len(outcomes.modes)),
        )

    def alike(
        self, now: Features, usual: Usual, machines: Words, mode: Ints, bucket_seconds: int
    ) -> list[Alike | None]:
        """For each moment the nearest failure before it, of the mode [n] asked for, if it is near enough.

        An own failure counts from when the windows no longer reach back to it. `machines` [n] are the keys.
        """
        place = {name: number for number, name in enumerate(now.names)}
        away = usual.away(now)[:, [place[name] for name in self.columns.tolist()]]
        looks = scaled(away, self.middle, self.width)
        distance = distances(looks, self.values)
        back = np.where(self.machine[self.of] == machines[:, None], WINDOWS[-1] * bucket_seconds, 0)
        before = self.at[self.of] + back < now.moments.as_of[:, None]
        same = self.mode[self.of] == mode[:, None]
        near = before & same & (distance <= self.limit[mode][:, None]) & (size(looks) > self.least)[:, None]
        nearest = np.where(near, distance, np.inf).argmin(axis=1)
        return [self._told(look) if near[row, look] else None for row, look in enumerate(nearest.tolist())]

    def _told(self, look: int) -> Alike:
        of = self.of[look]
        return Alike(
            str(self.machine[of]),
            int(self.at[of]),
            int(self.mode[of]),
            str(self.component[of]),
            float(self.down_hours[of]),
            float(self.hours_before[look]),
        )

    def check(self) -> None:
        failures, looks, columns, modes = len(self.at), len(self.of), len(self.columns), len(self.limit)
        shapes = {
            "columns": (columns,), "middle": (columns,), "width": (columns,), "machine": (failures,),
            "at": (failures,), "mode": (failures,), "component": (failures,), "down_hours": (failures,),
            "of": (looks,), "hours_before": (looks,), "values": (looks, columns), "least": (), "limit": (modes,),
        }  # fmt: skip
        kinds = {"columns": "U", "machine": "U", "component": "U", "at": "i", "mode": "i", "of": "i"}
        for name, shape in shapes.items():
            array: npt.NDArray[Any] = getattr(self, name)
            if array.shape != shape or array.dtype.kind != kinds.get(name, "f"):
                raise ValueError(f"the past failures do not fit together at {name}")
        if not (looks and _within(self.of, failures) and _within(self.mode, modes) and (self.width > 0).all()):
            raise ValueError("the past failures point outside themselves")


def _outcome(history: History, chosen: Ints) -> dict[str, Any]:
    """What became of the machines of these failures (rows of the events)."""
    events = history.events.loc[chosen]
    down = (events["ended_at"] - events["started_at"]).dt.total_seconds()
    return {
        "machine": history.machines["key"].to_numpy()[events["machine"]].astype(np.str_),
        "at": epoch_seconds(events["started_at"]),
        "component": events["component"].fillna("").to_numpy().astype(np.str_),
        "down_hours": down.to_numpy(float) / HOUR,
    }


def _within(places: Ints, count: int) -> bool:
    return bool(((places >= 0) & (places < count)).all())
