"""What the worker keeps from one scoring to the next; everything in it can be read again from the database."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.settings import Settings
from ml.artefacts import Saved
from ml.models.normal import KnownNormals
from ml.rollup_cache import RollupCache

MODELS_KEPT = 2


@dataclass
class Memory:
    """`models` are those asked last, by number; `refused` is why the last scoring was, if it was.

    Nothing here is needed by another process.
    """

    rollups: RollupCache
    normals: KnownNormals = field(default_factory=KnownNormals)
    models: dict[int, Saved] = field(default_factory=dict)
    refused: str | None = None

    @classmethod
    def empty(cls, settings: Settings) -> Memory:
        return cls(RollupCache(settings.rollup_cache_mb * 1_000_000))

    def keep(self, saved: Saved) -> None:
        """The one that serves and its shadow are asked in turn; any other has made room for them."""
        self.models.pop(saved.id, None)
        self.models[saved.id] = saved
        while len(self.models) > MODELS_KEPT:
            del self.models[next(iter(self.models))]
