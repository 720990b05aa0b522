"""Batches whose every value follows from their number, so that what is stored can be told from what was sent."""

from __future__ import annotations

import json
import time

# Of today: late readings have a line of their own and would not compete with each other for room. Hours back, since
# a second of a machine is a batch and a load of minutes must not reach the future, which is refused.
START = int(time.time()) - 6 * 3600


class Batches:
    """Batch `n` is one second of one machine, a reading each millisecond; cheap to make, as loads are heavy."""

    def __init__(self, rows: int, machines: int = 100) -> None:
        self.rows, self.machines = rows, machines
        readings = [
            {
                "machine": "@machine@",
                "measured_at": f"@second@.{row:03}Z",
                "temperature_c": temperature_of(row),
                "extra": {"pressure_bar": "@batch@"},
            }
            for row in range(rows)
        ]
        self._template = json.dumps(readings).encode()

    def body(self, batch: int) -> bytes:
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + batch // self.machines))
        return (
            self._template.replace(b"@machine@", b"m-%d" % (batch % self.machines))
            .replace(b"@second@", second.encode())
            .replace(b'"@batch@"', b"%d" % batch)
        )


def temperature_of(row: int) -> float:
    return row / 8
