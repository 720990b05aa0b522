"""`python -m wearwatch_client --url URL --queue DIR < readings.ndjson`: whatever prints lines can send readings."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence

from wearwatch_client.client import Client
from wearwatch_client.errors import ClientError, NotAReading, QueueFull
from wearwatch_client.reading import as_json

CHUNK_BYTES = 64 << 10
# More than any reading with its blanks; the rest of a longer line is passed over.
MOST_LINE_BYTES = 1 << 20
FULL_PAUSE_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every line was stored, 1 when lines were no readings, were rejected or still wait on disk."""
    options = _options().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        with Client(options.url, options.queue, ca_file=options.ca_file, batch_rows=options.batch_rows) as client:
            unreadable = _add_all(client, sys.stdin.fileno())
            client.flush(options.wait)
            stats = client.stats
    except ClientError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    stored = stats.accepted + stats.duplicates + stats.merged + stats.conflicts
    told = f"{stored} stored, {stats.rejected} rejected, {unreadable} lines were no readings, {stats.waiting} wait"
    print(told, file=sys.stderr)
    return 1 if stats.rejected or unreadable or stats.waiting or stats.lost else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m wearwatch_client",
        description="Send readings, one JSON object a line, with the key in WEARWATCH_API_KEY. What was read is on "
        "disk and is sent by the next start where this one is stopped.",
    )
    parser.add_argument("--url", required=True, help="address of the service, like https://wearwatch.plant:8000")
    parser.add_argument("--queue", required=True, help="folder of the queue, one for each sender")
    parser.add_argument("--ca-file", help="certificates to trust, where the service has one of the plant's own")
    parser.add_argument("--batch-rows", type=int, default=1000, help="most readings in a request")
    parser.add_argument(
        "--wait", type=float, help="seconds to wait at the end for the last to be stored; else forever"
    )
    return parser


def _add_all(client: Client, source: int) -> int:
    """The number of lines that were no readings; each is named."""
    unreadable = number = 0
    for lines in _chunks(source):
        rows = []
        for number, line in enumerate(lines, number + 1):  # noqa: B020  counts on over the chunks
            if line.strip():
                try:
                    rows.append(_row(line))
                except NotAReading as error:
                    unreadable += 1
                    print(f"Line {number}: {error}", file=sys.stderr)
        _add(client, rows)
    return unreadable


def _chunks(source: int) -> Iterator[list[bytes]]:
    """Lines as they arrive: one at a time from a sensor, hundreds at once from a file."""
    rest = b""
    while chunk := os.read(source, CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines
        rest = rest[: MOST_LINE_BYTES + 1]
    yield [rest]


def _row(line: bytes) -> dict[str, object]:
    if len(line) > MOST_LINE_BYTES:
        raise NotAReading(f"it is longer than {MOST_LINE_BYTES:,} bytes; a reading ends with a line break.")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotAReading(f"it is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise NotAReading("it is not a JSON object.")
    as_json(row)
    return row


def _add(client: Client, rows: list[dict[str, object]]) -> None:
    """A full queue holds the sender of the lines up instead of losing them."""
    while True:
        try:
            return client.add_rows(rows)
        except QueueFull as error:
            print(error, file=sys.stderr)
            client.flush(FULL_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
