"""Dataclasses of arrays that a model keeps in a part of their own, beside what it learnt."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Self

from ml.models.arrays import from_npz, to_npz


class Kept:
    """A dataclass whose fields are all arrays; `check` raises ValueError where they do not fit together."""

    PART: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def check(self) -> None:
        raise NotImplementedError

    def parts(self) -> dict[str, bytes]:
        return {self.PART: to_npz({each.name: getattr(self, each.name) for each in fields(self)})}

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self | None:
        """None in models that keep none. Raises ValueError where it is nothing such."""
        if cls.PART not in parts:
            return None
        kept = cls(**from_npz(parts[cls.PART]))
        kept.check()
        return kept
