"""InfluxDB 1.6.7 (Debian's package `influxdb`) as a peer: its own folder, loopback only, as durable as we are.

Its WAL is flushed before each answer (`wal-fsync-delay = "0s"`, the default), its cache has the default size; what
costs without being asked for here (its own metrics, a line in the log a request) is switched off.
"""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.target import Target, free_port, running

NAME, DATABASE = "InfluxDB", "bench"
CONFIGURATION = """
reporting-enabled = false
bind-address = "127.0.0.1:{backup_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  wal-fsync-delay = "0s"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[logging]
  level = "warn"
"""


def installed() -> bool:
    return shutil.which("influxd") is not None


@contextmanager
def influx(folder: Path) -> Iterator[Target]:
    port, data = free_port(), folder / "influxdb"
    data.mkdir()
    configuration = data / "influxdb.conf"
    configuration.write_text(CONFIGURATION.format(folder=data, port=port, backup_port=free_port()))
    with running(["influxd", "run", "-config", str(configuration)], port, "/ping") as number:
        _query(port, f"CREATE DATABASE {DATABASE}")
        yield Target(
            NAME,
            port,
            f"/write?db={DATABASE}&precision=ms",
            "Content-Type: text/plain\r\n",
            "lines",
            number,
            None,
            lambda series: _stored(port, series),
        )


def _stored(port: int, series: str) -> int:
    """Of each field there must be as many."""
    answer = _query(port, f"SELECT count(*) FROM motor WHERE machine =~ /^{series}-[0-9]+$/")
    counts = set(answer["results"][0]["series"][0]["values"][0][1:])
    if len(counts) != 1:
        raise RuntimeError(f"InfluxDB holds readings of {series} in parts only: {counts}.")
    return int(counts.pop())


def _query(port: int, words: str) -> dict[str, list[dict[str, list[dict[str, list[list[int]]]]]]]:
    form = urllib.parse.urlencode({"q": words, "db": DATABASE}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/query", form, timeout=300) as answer:
        return json.load(answer)
