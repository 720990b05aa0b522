"""The plant's mapping file (`WEARWATCH_MAPPING`, TOML) -> a NameMapping, or a sentence on what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.errors import BadInput
from app.ingest.mapping import MACHINE_NAMES, QUALIFIERS, NameMapping, Target, spelling, target
from app.ingest.plausibility import LONGEST_NAME, channel_fault
from app.ingest.tables import CORE_CHANNELS
from app.ingest.units import conversion

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChannelIn(Part):
    """`temp = "temperature_c"` or `temp = { channel = "temperature_c", unit = "degF" }`."""

    channel: Text
    unit: str = ""


class MachineIn(Part):
    names: Annotated[tuple[Text, ...], Field(min_length=1)] = MACHINE_NAMES
    template: Text | None = None


class ExtraIn(Part):
    qualifiers: tuple[Text, ...] = QUALIFIERS
    unknown: Literal["keep", "ignore"] = "keep"
    booleans: Literal["ignore", "number"] = "ignore"


class IgnoreIn(Part):
    fields: tuple[Text, ...] = ()
    measurements: tuple[Text, ...] = ()


def _channel(given: Any) -> Any:
    return {"channel": given} if isinstance(given, str) else given


class MappingFile(Part):
    """The file as it is written; docs/clients.md shows one."""

    machine: MachineIn = MachineIn()
    channels: dict[Text, Annotated[ChannelIn, BeforeValidator(_channel)]] = {}
    extra: ExtraIn = ExtraIn()
    ignore: IgnoreIn = IgnoreIn()


def load_mapping(path: Path | None) -> NameMapping:
    """Raises BadInput with one sentence where the file cannot be used; the built-in names without a file."""
    if path is None:
        return NameMapping()
    try:
        return mapping_of(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"The mapping {path} cannot be read: {error}.") from error
    except BadInput as error:
        raise BadInput(f"The mapping {path} cannot be used. {error.detail}") from error


def mapping_of(given: Mapping[str, Any]) -> NameMapping:
    """Raises BadInput with one sentence."""
    try:
        file = MappingFile.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    return NameMapping(
        machine_names=file.machine.names,
        template=_template(file.machine.template) if file.machine.template else None,
        channels={spelling(name): _target(name, channel) for name, channel in file.channels.items()},
        qualifiers=file.extra.qualifiers,
        keep_unknown=file.extra.unknown == "keep",
        booleans_are_numbers=file.extra.booleans == "number",
        ignored_fields=file.ignore.fields,
        ignored_measurements=file.ignore.measurements,
    )


def _template(template: str) -> tuple[tuple[str, str | None], ...]:
    """`{line}-{device}` -> what is written, and the name that follows it."""
    try:
        parts = tuple((text, name) for text, name, _, _ in Formatter().parse(template))
    except ValueError as error:
        raise BadInput(f"machine.template: {error}.") from error
    if not any(name for _, name in parts) or any(name == "" for _, name in parts):
        raise BadInput("machine.template: write names in braces, like {line}-{device}.")
    return parts


def _target(name: str, given: ChannelIn) -> Target:
    fault = None if given.channel in CORE_CHANNELS else channel_fault(given.channel)
    convert = conversion(given.channel, given.unit)
    if fault or isinstance(convert, str):
        raise BadInput(f"channels.{name}: {fault or convert}.")
    return target(given.channel, convert)
