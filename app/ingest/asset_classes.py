"""What each class of machine can plausibly show, per channel: range, rate of change, stuck value.

Beyond these a reading is stored and flagged, not refused; see quality.py. What no sensor can mean at all is refused
by plausibility.py. Every rule says where it comes from; a JSON file overrides any of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from app.errors import BadInput
from app.text import Name

# In the settings' file, what holds for every class that does not say otherwise.
DEFAULT = "default"
LONGEST_STUCK_HOURS = 7 * 24

Figure = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]


class Plausible(BaseModel):
    """One channel of one class. What is left out is not judged.

    A change is too fast when it is at least `least_step` and faster than `most_per_minute`; a value is stuck when
    it stayed the same for `stuck_hours` and `stuck_readings` readings while the machine ran.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: Figure | None = None
    high: Figure | None = None
    most_per_minute: Annotated[Figure, Field(gt=0)] | None = None
    least_step: Annotated[Figure, Field(ge=0)] = 0
    stuck_hours: float | None = Field(None, gt=0, le=LONGEST_STUCK_HOURS)
    stuck_readings: int = Field(12, ge=2, le=1_000_000)
    source: str = Field("the plant's own file", max_length=400)

    @model_validator(mode="after")
    def _low_before_high(self) -> Plausible:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low lies above high")
        return self


Channels = Mapping[str, Plausible]


class PlausibleFile(RootModel[dict[Name, dict[Name, Plausible]]]):
    """`{"default": {"temperature_c": {"high": 120}}, "compressor": {"temperature_c": {"high": 250}}}`."""


ANY_MACHINE: Channels = {
    "temperature_c": Plausible(
        low=-40,
        high=180,
        most_per_minute=20,
        least_step=15,
        stuck_hours=24,
        stuck_readings=24,
        source="high: the limit of insulation class H (IEC 60085); low: outdoor winters; rate: our assumption, a "
        "housing of some kilograms cannot warm by 15 K in less than 45 s; stuck: our assumption",
    ),
    "vibration_mm_s": Plausible(
        low=0,
        high=100,
        stuck_hours=6,
        stuck_readings=12,
        source="high: our assumption, nine times ISO 20816-3's highest limit (11 mm/s, group 1 flexible, C/D); "
        "stuck: our assumption",
    ),
    "current_a": Plausible(
        low=-2000,
        high=2000,
        stuck_hours=12,
        stuck_readings=24,
        source="our assumption: low-voltage motors up to 1 MW, negative while a drive feeds back; stuck: the same",
    ),
    "runtime_hours": Plausible(
        low=0,
        high=300_000,
        stuck_hours=12,
        stuck_readings=12,
        source="high: 34 years without a stop; stuck: our assumption",
    ),
}
BY_CLASS: Mapping[str, Channels] = {
    "compressor": {
        "temperature_c": ANY_MACHINE["temperature_c"].model_copy(
            update={
                "high": 250.0,
                "source": "high: our assumption, discharge pipes of dry compressors reach 220 degC",
            }
        )
    },
    "pump": {
        "temperature_c": ANY_MACHINE["temperature_c"].model_copy(
            update={"high": 150.0, "source": "high: our assumption, common seals and greases end near 150 degC"}
        )
    },
}


@dataclass(frozen=True)
class AssetClasses:
    """Class -> channel -> what is plausible; every class has a complete list, DEFAULT is for the others."""

    by_class: Mapping[str, Channels]

    def of(self, asset_class: str | None) -> Channels:
        return self.by_class.get(asset_class or DEFAULT, self.by_class[DEFAULT])

    @property
    def longest_stuck_hours(self) -> float:
        rules = [rule for channels in self.by_class.values() for rule in channels.values()]
        return max((rule.stuck_hours for rule in rules if rule.stuck_hours is not None), default=0)


def load_asset_classes(path: Path | None) -> AssetClasses:
    """Ours, overridden by the file channel by channel. Raises BadInput where it cannot be used."""
    given = {} if path is None else _read(path).root
    every = {**ANY_MACHINE, **given.get(DEFAULT, {})}
    names = {*BY_CLASS, *given} - {DEFAULT}
    classes = {name: {**every, **BY_CLASS.get(name, {}), **given.get(name, {})} for name in names}
    return AssetClasses({**classes, DEFAULT: every})


def _read(path: Path) -> PlausibleFile:
    try:
        return PlausibleFile.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise BadInput(f"The plausible values in {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " > ".join(str(part) for part in first["loc"])
        raise BadInput(f"The plausible values in {path} cannot be used: {where}: {first['msg']}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The plausible values in {path} are not JSON.") from error
