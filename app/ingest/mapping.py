"""What other programs call things -> our machines and channels. Pure.

Line protocol and MQTT bring names (tags, parts of a topic, texts) and fields. A mapping says which name is the
machine and which field is which channel; without one of the plant's own (mapping_file) the spellings below hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import isfinite, nan

from app.ingest.plausibility import FIELDS, LONGEST_NAME, Fault
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import CONVERTED, SAME, Affine, conversion, is_of_names_quantity

# The first of these that a reading carries names its machine; `host`, which Telegraf adds by itself, is last.
MACHINE_NAMES = (
    "machine", "machine_id", "machine_key", "asset", "asset_id", "equipment", "equipment_id",
    "motor", "motor_id", "device", "device_id", "host",
)  # fmt: skip
# Sensors of one kind on one machine, whose channels must not be taken for one another.
QUALIFIERS = ("axis", "direction", "phase", "position", "bearing")
# Fields that say no more than "the value of it": there the measurement names the channel.
VALUE_FIELDS = frozenset({"value", "val"})
# Without a unit in its name a field is taken to be in the channel's own.
ALIASES: Mapping[str, tuple[str, Affine]] = {
    **CONVERTED,
    **{channel: (channel, SAME) for channel in CORE_CHANNELS},
    **dict.fromkeys(("temperature", "temp", "temp_c"), ("temperature_c", SAME)),
    **dict.fromkeys(("vibration", "vibration_rms", "velocity_rms"), ("vibration_mm_s", SAME)),
    **dict.fromkeys(("current", "current_rms", "amps"), ("current_a", SAME)),
    **dict.fromkeys(("runtime", "running_hours", "operating_hours"), ("runtime_hours", SAME)),
    "temp_f": CONVERTED["temperature_f"],
    "temp_k": CONVERTED["temperature_k"],
}
LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Target:
    """Where a field's value goes, and how; `place` is that in CORE_CHANNELS, None for an extra channel.

    `unit_of`: the channel whose unit the value has, where a qualifier became part of the name; else empty.
    """

    channel: str
    convert: Affine = SAME
    place: int | None = None
    unit_of: str = ""


def target(channel: str, convert: Affine = SAME) -> Target:
    return Target(channel, convert, CORE_CHANNELS.index(channel) if channel in CORE_CHANNELS else None)


@dataclass(frozen=True)
class NameMapping:
    """What is called what. `channels` has keys as `spelling` writes them: `field`, `measurement.field`, and either
    with `.qualifier` behind it.

    template: pieces of text and the name that follows each, put together into a machine's key; or None.
    """

    machine_names: tuple[str, ...] = MACHINE_NAMES
    template: tuple[tuple[str, str | None], ...] | None = None
    channels: Mapping[str, Target] = field(default_factory=dict)
    qualifiers: tuple[str, ...] = QUALIFIERS
    keep_unknown: bool = True
    booleans_are_numbers: bool = False
    ignored_fields: tuple[str, ...] = ()
    ignored_measurements: tuple[str, ...] = ()

    def machine_of(self, names: Mapping[str, str]) -> str | Fault:
        """The machine's key, or why there is none."""
        if self.template:
            missing = [name for _, name in self.template if name and not names.get(name)]
            if missing:
                return "machine", f"{missing[0]} is missing, which the mapping makes the machine's key of"
            return "".join(text + (names[name] if name else "") for text, name in self.template)
        for name in self.machine_names:
            if key := names.get(name):
                return key
        return "machine", f"nothing names the machine; looked for {', '.join(self.machine_names)}"

    def qualifiers_of(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """What tells this reading's sensor from others of its kind on the machine."""
        return tuple(names[name] for name in self.qualifiers if names.get(name))

    def ignores(self, measurement: str) -> bool:
        return _matches(measurement, self.ignored_measurements)

    def target_of(self, field: str, measurement: str = "", qualifiers: tuple[str, ...] = ()) -> Target | None:
        """Where a field's numbers go; None where they are left out."""
        if _matches(field, self.ignored_fields):
            return None
        of_measurement = field.lower() in VALUE_FIELDS and measurement != ""
        plain = measurement if of_measurement else field
        candidates = [spelling(f"{measurement}.{field}"), spelling(plain)]
        for candidate in candidates if qualifiers else ():
            if found := self.channels.get(spelling(".".join((candidate, *qualifiers)))):
                return found
        found = next((self.channels[name] for name in candidates if name in self.channels), None)
        if found is None and candidates[-1] in ALIASES:
            found = target(*ALIASES[candidates[-1]])
        if found is None and self.keep_unknown:
            found = Target(channel_name(plain))
        if found is None or not qualifiers:
            return found
        return Target(channel_name("_".join((found.channel, *qualifiers))), found.convert, None, found.channel)


def spelling(name: str) -> str:
    """Names are compared without regard to case, hyphens and spaces."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def channel_name(name: str) -> str:
    """The name of an extra channel: printable, no spaces around it, no field of its own."""
    clean = "".join(letter if letter.isprintable() else "_" for letter in name).strip()
    return f"{clean}_" if clean in FIELDS else clean or "_"


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Mapped:
    """A reading in our names. `values` has the order of CORE_CHANNELS with NaN where not measured; `ignored` counts
    the fields left out: texts, truth values, and what the mapping ignores; `refused` has those whose declared unit
    cannot become the channel's."""

    machine: str
    values: tuple[float, ...]
    extra: dict[str, float] | None
    ignored: int
    refused: tuple[Fault, ...] = ()

    @property
    def holds_nothing(self) -> bool:
        return not self.extra and all(value != value for value in self.values)


def map_reading(
    mapping: NameMapping,
    names: Mapping[str, str],
    fields: Mapping[str, object],
    measurement: str = "",
    units: Mapping[str, str] | None = None,
) -> Mapped | Fault:
    """Names and fields of one reading -> machine and channels, or why not (the field at fault and a reason).

    `units` has those that the sender declared, by field.
    """
    machine = mapping.machine_of(names)
    if not isinstance(machine, str):
        return machine
    qualifiers = mapping.qualifiers_of(names)
    found: dict[str, float] = {}
    ignored = 0
    refused: list[Fault] = []
    for name, given in fields.items():
        goes_to = None if mapping.ignores(measurement) else mapping.target_of(name, measurement, qualifiers)
        if goes_to and units and (unit := units.get(name)):
            declared = _from_unit(goes_to, unit)
            if isinstance(declared, str):
                refused.append((name[:LONGEST_NAME], declared))
                continue
            goes_to = declared
        value = None if goes_to is None else number(given, goes_to, mapping.booleans_are_numbers)
        if isinstance(value, str):
            return name[:LONGEST_NAME], value
        if goes_to is None or value is None:
            ignored += given is not None
        elif found.setdefault(goes_to.channel, value) != value:
            return name[:LONGEST_NAME], twice(goes_to.channel)
    values = tuple(found.pop(channel, nan) for channel in CORE_CHANNELS)
    return Mapped(machine, values, found or None, ignored, tuple(refused))


def _from_unit(goes_to: Target, unit: str) -> Target | str:
    """With the declared unit's conversion, or why there is none.

    An extra channel whose name holds no unit of that quantity keeps the value as it was sent.
    """
    channel = goes_to.unit_of or goes_to.channel
    if channel not in CORE_CHANNELS and not is_of_names_quantity(channel, unit):
        return goes_to
    how = conversion(channel, unit)
    return how if isinstance(how, str) else replace(goes_to, convert=how)


def number(given: object, goes_to: Target, booleans_are_numbers: bool) -> float | str | None:
    """The value in the channel's unit; None where it is to be left out, a text why it cannot be.

    A text where a named channel's number belongs is a fault and not left out: its sender believes it was stored.
    """
    if isinstance(given, bool) and booleans_are_numbers and goes_to.place is None:
        return float(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        is_meant = goes_to.place is not None and given is not None
        return f"{str(given)[:LONGEST_SHOWN]!r} is not a number" if is_meant else None
    try:
        value = goes_to.convert(float(given))
    except OverflowError:
        return "the number is too large to be measured"
    return value if isfinite(value) else f"{given} is not a number that can be measured"


def twice(channel: str) -> str:
    return f"{channel} comes twice with different values"
