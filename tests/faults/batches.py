"""Batches whose every value follows from their number, so that what is stored can be told from what was sent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

START = 1_780_000_000
MACHINES = 7


@dataclass(frozen=True)
class Batches:
    """Batch `n` holds the readings from `n * rows` on, one a second; no two batches share a key."""

    rows: int

    def body(self, batch: int) -> bytes:
        return json.dumps(list(self._rows(batch))).encode()

    def _rows(self, batch: int) -> Iterator[dict[str, object]]:
        for number in range(batch * self.rows, (batch + 1) * self.rows):
            yield {
                "machine": f"m-{batch % MACHINES}",
                "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number)),
                "temperature_c": value_of(number),
                "extra": {"pressure_bar": value_of(number + 1)},
            }


def value_of(number: int) -> float:
    return number % 997 / 10
