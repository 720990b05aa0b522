"""What series keys and fields mean under the plant's mapping: worked out once, as senders repeat themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.ingest.influx.line_protocol import LineFault, parse_key, unescape
from app.ingest.mapping import NameMapping, Target

MOST_REMEMBERED = 20_000
LONGEST_REMEMBERED = 1_000


@dataclass(frozen=True, eq=False)
class Kind:
    """What the fields of a series mean; the same for all machines that a measurement is taken of. Compared by
    identity, as every line asks for it."""

    measurement: str
    qualifiers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """The fields of lines that have the same, and where their values go; None for what is left out."""

    names: tuple[str, ...]
    targets: tuple[Target | None, ...]

    @property
    def separators(self) -> str:
        """What remains of such a line's fields without names and values."""
        return ",".join("=" * len(self.names))


class KnownSeries:
    """Series key -> machine and kind; kind and names -> shape. Threads may share it: each entry is set once."""

    def __init__(self, mapping: NameMapping) -> None:
        self.mapping = mapping
        self.known: dict[str, tuple[str, Kind]] = {}
        self._kinds: dict[tuple[str, tuple[str, ...]], Kind] = {}
        self._shapes: dict[tuple[Kind, tuple[str, ...]], Shape] = {}

    def series(self, key: str) -> tuple[str, Kind]:
        """The machine, and what its fields mean. Raises LineFault."""
        found = self.known.get(key)
        if found is None:
            found = self._read(key)
            _remember(self.known, key, found, len(key))
        return found

    def shape(self, kind: Kind, names: tuple[str, ...]) -> Shape:
        found = self._shapes.get((kind, names))
        if found is None:
            found = Shape(names, tuple(self._target(kind, unescape(name)) for name in names))
            _remember(self._shapes, (kind, names), found, sum(map(len, names)))
        return found

    def _read(self, key: str) -> tuple[str, Kind]:
        measurement, tags = parse_key(key)
        if self.mapping.ignores(measurement):
            return "", self._kind(measurement, ())
        machine = self.mapping.machine_of(tags)
        if not isinstance(machine, str):
            raise LineFault(machine[1], machine[0])
        return machine, self._kind(measurement, self.mapping.qualifiers_of(tags))

    def _kind(self, measurement: str, qualifiers: tuple[str, ...]) -> Kind:
        known = self._kinds.get((measurement, qualifiers))
        found = known or Kind(measurement, qualifiers)
        _remember(self._kinds, (measurement, qualifiers), found, len(measurement))
        return found

    def _target(self, kind: Kind, name: str) -> Target | None:
        if self.mapping.ignores(kind.measurement):
            return None
        return self.mapping.target_of(name, kind.measurement, kind.qualifiers)


def _remember(memory: dict[Any, Any], key: object, found: object, length: int) -> None:
    """Up to bounds: senders that never repeat themselves must not fill the memory."""
    if len(memory) >= MOST_REMEMBERED:
        memory.clear()
    if length <= LONGEST_REMEMBERED:
        memory[key] = found
