"""A gateway's program for the kill test: notes what it is about to add and what add() took, and is killed anywhere.

`python gateway.py URL QUEUE LEDGER FIRST` adds readings from number FIRST on, without end.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

from wearwatch_client import Client
from wearwatch_client.retry import Backoff

START = 1_760_000_000
# Every so many-th reading is one that the service rejects.
WRONG_EVERY = 50
THREADS = 2


def row(number: int) -> dict[str, object]:
    wrong = number % WRONG_EVERY == 0
    return {
        "machine": f"m-{number % 7}",
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number)),
        "temperature_c": -999 if wrong else number % 997 / 10,
    }


def add_without_end(client: Client, ledger: int, numbers: range) -> None:
    chance = random.Random(numbers.start)
    at = 0
    while True:
        mine = numbers[at : at + chance.randint(1, 12)]
        at += len(mine)
        os.write(ledger, f"adding {mine.start} {mine.stop} {mine.step}\n".encode())
        client.add_rows(map(row, mine))
        os.write(ledger, f"added {mine.start} {mine.stop} {mine.step}\n".encode())


def main(url: str, queue: str, ledger_path: str, first: str) -> None:
    ledger = os.open(Path(ledger_path), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    client = Client(url, queue, batch_rows=200, batch_seconds=0.02, backoff=Backoff(0.01, 0.1))
    for thread in range(THREADS):
        numbers = range(int(first) + thread, int(first) + 10**7, THREADS)
        threading.Thread(target=add_without_end, args=(client, ledger, numbers)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
