"""What a network's file may describe, told before Keras builds it: the layers ours are made of, of bounded size."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

# (module, class) of everything in a network of ours. Keras' safe mode keeps code out; other layers open files.
KNOWN = {
    ("keras.src.models.functional", "Functional"),
    *(("keras.layers", each) for each in ("InputLayer", "Dropout", "Dense", "LSTM", "Concatenate", "Reshape")),
    *(("keras.initializers", each) for each in ("GlorotUniform", "Orthogonal", "Zeros", "Constant")),
    ("keras.regularizers", "L2"),
    ("keras", "DTypePolicy"),
    (None, "__keras_tensor__"),
}
# 400 MB; ours have a few hundred thousand. Keras makes room for all before it looks at the file's weights.
MOST_WEIGHTS = 100_000_000


def check_network(content: bytes) -> None:
    """Raises ValueError; how it was trained is not looked at, since it is not loaded."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        described = json.loads(archive.read("config.json"))
    described.pop("compile_config", None)
    found = list(_dictionaries(described))
    foreign = {(each.get("module"), each["class_name"]) for each in found if "class_name" in each} - KNOWN
    if foreign:
        module, name = min(foreign, key=str)
        raise ValueError(f"the network has a {module}.{name}, which none of ours has")
    widths = [each["units"] for each in found if "units" in each]
    widest = max([*widths, *(size or 0 for each in found for size in each.get("batch_shape", ()))])
    # A recurrent layer has four gates, each with a weight from every input and every unit.
    if sum(4 * width * (width + widest) for width in widths) > MOST_WEIGHTS:
        raise ValueError(f"the network has more than {MOST_WEIGHTS:,} weights")


def _dictionaries(described: Any) -> Iterator[dict[str, Any]]:
    if isinstance(described, dict):
        yield described
    children = described.values() if isinstance(described, dict) else described
    if isinstance(described, dict | list):
        for child in children:
            yield from _dictionaries(child)
