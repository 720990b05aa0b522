"""Features by name: a model takes the columns it learnt, whatever else the builder gives and in whatever order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.features.history import Features

Matrix = npt.NDArray[np.float32]


class OtherFeatures(ValueError):
    """The model learnt from features that were not given."""


def matrix(features: Features, names: Sequence[str]) -> Matrix:
    """[n, names] with NaN for everything that is not a finite number."""
    places = {name: place for place, name in enumerate(features.names)}
    missing = [name for name in names if name not in places]
    if missing:
        raise OtherFeatures(
            f"The model needs {len(missing)} features that were not built: {', '.join(missing[:5])}."
        )
    values = features.values[:, [places[name] for name in names]].astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values


def sequence(features: Features, channels: Sequence[str]) -> Matrix:
    """[n, steps, channels]; a channel that the plant no longer sends is NaN throughout."""
    places = {name: place for place, name in enumerate(features.channels)}
    blocks = np.full((*features.blocks.shape[:2], len(channels)), np.nan, np.float32)
    for at, name in enumerate(channels):
        if name in places:
            blocks[:, :, at] = features.blocks[:, :, places[name]]
    blocks[~np.isfinite(blocks)] = np.nan
    return blocks
