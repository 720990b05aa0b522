"""What series keys and fields mean under the plant's mapping: worked out once, as senders repeat themselves."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from sys import getsizeof
from typing import Generic, TypeVar

from app.ingest.influx.line_protocol import LineFault, parse_key, unescape
from app.ingest.mapping import NameMapping, Target

# Of each kind of thing, by estimate: 20,000 series of 60 characters, or 20,000 shapes of two fields.
MOST_REMEMBERED_BYTES = 8 << 20
# One that is larger is worked out each time; a line of 256 fields has 80 kB.
LARGEST_REMEMBERED_BYTES = 128 << 10
# What an entry takes beside its texts: its place, its tuples and its target.
ENTRY_BYTES, TARGET_BYTES = 250, 100
Key = TypeVar("Key")
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Kind:
    """What the fields of a series mean; the same for all machines that a measurement is taken of. Compared by
    identity, as every line asks for it."""

    measurement: str
    qualifiers: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return ENTRY_BYTES + sum(map(getsizeof, (self.measurement, *self.qualifiers)))


@dataclass(frozen=True, eq=False)
class Shape:
    """The fields of lines that have the same, and where their values go; None for what is left out."""

    kind: Kind
    names: tuple[str, ...]
    targets: tuple[Target | None, ...]

    @property
    def bytes(self) -> int:
        channels = (goes_to.channel for goes_to in self.targets if goes_to)
        return self.kind.bytes + TARGET_BYTES * len(self.names) + sum(map(getsizeof, (*self.names, *channels)))

    @property
    def separators(self) -> str:
        """What remains of such a line's fields without names and values."""
        return ",".join("=" * len(self.names))


class Memory(Generic[Key, Found]):
    """Up to bounds: senders that never repeat themselves must not fill the memory. Threads may share it."""

    def __init__(self) -> None:
        self.entries: dict[Key, Found] = {}
        self.bytes = 0
        self._lock = threading.Lock()

    def remember(self, key: Key, found: Found, size: int) -> None:
        if size > LARGEST_REMEMBERED_BYTES:
            return
        with self._lock:
            if self.bytes + size > MOST_REMEMBERED_BYTES:
                self.entries.clear()
                self.bytes = 0
            if key not in self.entries:
                self.bytes += size
                self.entries[key] = found


class KnownSeries:
    """Series key -> machine and kind; kind and names -> shape."""

    def __init__(self, mapping: NameMapping) -> None:
        self.mapping = mapping
        self._series = Memory[str, tuple[str, Kind]]()
        self._kinds = Memory[tuple[str, tuple[str, ...]], Kind]()
        self._shapes = Memory[tuple[Kind, tuple[str, ...]], Shape]()
        self.known = self._series.entries

    def series(self, key: str) -> tuple[str, Kind]:
        """The machine, and what its fields mean. Raises LineFault."""
        found = self.known.get(key)
        if found is None:
            found = self._read(key)
            self._series.remember(key, found, found[1].bytes + getsizeof(key) + getsizeof(found[0]))
        return found

    def shape(self, kind: Kind, names: tuple[str, ...]) -> Shape:
        found = self._shapes.entries.get((kind, names))
        if found is None:
            found = Shape(kind, names, tuple(self._target(kind, unescape(name)) for name in names))
            self._shapes.remember((kind, names), found, found.bytes)
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
        found = self._kinds.entries.get((measurement, qualifiers))
        if found is None:
            found = Kind(measurement, qualifiers)
            self._kinds.remember((measurement, qualifiers), found, found.bytes)
        return found

    def _target(self, kind: Kind, name: str) -> Target | None:
        if self.mapping.ignores(kind.measurement):
            return None
        return self.mapping.target_of(name, kind.measurement, kind.qualifiers)
