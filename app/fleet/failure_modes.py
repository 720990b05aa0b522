"""The failure modes a plant tells apart, per asset class: ISO 14224's for rotating machines unless configured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import RootModel, ValidationError

from app.errors import BadInput
from app.text import Name

ISO_14224 = {
    "AIR": "abnormal instrument reading",
    "BRD": "breakdown",
    "ELP": "external leakage, process medium",
    "ELU": "external leakage, utility medium",
    "ERO": "erratic output",
    "FTS": "fail to start",
    "HIO": "high output",
    "INL": "internal leakage",
    "LOO": "low output",
    "NOI": "noise",
    "OHE": "overheating",
    "OTH": "other",
    "PDE": "parameter deviation",
    "PLU": "plugged",
    "SER": "minor in-service problem",
    "STD": "structural deficiency",
    "STP": "fail to stop",
    "UNK": "unknown",
    "UST": "spurious stop",
    "VIB": "vibration",
}
# In the settings' file, the list of every asset class that has none of its own.
DEFAULT = "default"


class FailureModesFile(RootModel[dict[Name, dict[Name, Name]]]):
    """`{"default": {"BRD": "breakdown"}, "pump": {"CAV": "cavitation"}}`."""


@dataclass(frozen=True)
class FailureModes:
    """Mode -> words, per asset class; a class without a list of its own has the default one."""

    by_class: Mapping[str, Mapping[str, str]]

    def of(self, asset_class: str | None) -> Mapping[str, str]:
        return self.by_class.get(asset_class or DEFAULT, self.by_class[DEFAULT])


def load_failure_modes(path: Path | None) -> FailureModes:
    """Raises BadInput with one sentence where the file cannot be used."""
    if path is None:
        return FailureModes({DEFAULT: ISO_14224})
    try:
        given = FailureModesFile.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise BadInput(f"The failure modes in {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise BadInput(f"The failure modes in {path} are not asset class -> mode -> words.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The failure modes in {path} are not JSON.") from error
    return FailureModes({DEFAULT: ISO_14224, **given.root})
