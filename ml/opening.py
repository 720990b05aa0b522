"""From signed parts to a model that answers, or one sentence why not, whatever the owner of the key has signed.

A part is measured before it is unpacked and read in a format that cannot run; the model is asked once before it
serves.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml.features.builder import STEPS
from ml.features.catalogue import Feature, sequence_channels
from ml.features.history import Features, Moments
from ml.fitted import FittedModel
from ml.manifest import Untrusted
from ml.reference import columns_of

# The largest forest of ours, 25 horizons on 1,000 machines, unpacks to less than a tenth of it.
MOST_UNPACKED_BYTES = 1 << 29
# Three a tree; a directory of millions takes gigabytes before its first file is read.
MOST_FILES = 50_000
DIRECTORY_ENTRY = b"PK\x01\x02"
MOST_LETTERS = 200


def opened(name: str, manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> FittedModel:
    """Raises Untrusted where the parts hold no model for the features, horizons and modes of the manifest."""
    try:
        for part, content in parts.items():
            _check_size(part, content)
        fitted = FittedModel.from_parts(manifest["kind"], dict(parts))
        features = [Feature(**each) for each in manifest["features"]]
        _ask(fitted, features, (len(manifest["horizons_hours"]), len(manifest["modes"])))
        _check_reference(fitted, features, len(manifest["horizons_hours"]))
        _check_past_failures(fitted, features, len(manifest["modes"]))
    # Each format refuses with errors of its own.
    except Exception as error:
        raise Untrusted(f"{name} is signed, but holds no model: {_words(error)}. Train again.") from error
    return fitted


def _check_size(part: str, content: bytes) -> None:
    """Of what is a zip, as all packed formats are; no reader of one takes more bytes than its directory names."""
    packed = io.BytesIO(content)
    if not zipfile.is_zipfile(packed):
        return
    if content.count(DIRECTORY_ENTRY) > MOST_FILES:
        raise ValueError(f"the part {part!r} has more than {MOST_FILES:,} files")
    with zipfile.ZipFile(packed) as archive:
        if sum(file.file_size for file in archive.infolist()) > MOST_UNPACKED_BYTES:
            raise ValueError(f"the part {part!r} unpacks to more than {MOST_UNPACKED_BYTES >> 20} MiB")


def _ask(fitted: FittedModel, features: Sequence[Feature], shape: tuple[int, int]) -> None:
    """About a machine of which nothing is known; models answer that too."""
    channels = sequence_channels(features)
    unknown = Features(
        Moments(np.zeros(1, np.int64), np.zeros(1, np.int64)),
        tuple(feature.name for feature in features),
        np.full((1, len(features)), np.nan, np.float32),
        channels,
        np.full((1, STEPS, len(channels)), np.nan, np.float32),
    )
    said = fitted.hazards(unknown)
    if said.shape != (1, *shape):
        raise ValueError("it answers for other horizons or failure modes than it was signed for")
    if (said < 0).any() or (said > 1).any():
        raise ValueError("it answers with what is no probability")


def _check_reference(fitted: FittedModel, features: Sequence[Feature], horizons: int) -> None:
    reference = fitted.reference
    if reference is None:
        return
    asked = {feature.name for feature in features}
    if reference.risk.shape[2] != horizons or not asked.issuperset(columns_of(reference.channels)):
        raise ValueError("it keeps a sample of other horizons or features than it was signed for")


def _check_past_failures(fitted: FittedModel, features: Sequence[Feature], modes: int) -> None:
    past = fitted.past_failures
    if past is None:
        return
    if len(past.limit) != modes or not {feature.name for feature in features}.issuperset(past.columns.tolist()):
        raise ValueError("it keeps failures of other modes or features than it was signed for")


def _words(error: Exception) -> str:
    """What a library says, as part of a sentence."""
    said = " ".join(str(error).split())[:MOST_LETTERS].rstrip(".")
    return said or type(error).__name__
