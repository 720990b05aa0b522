"""The load of bench.ingest, a process of its own: new readings over a few connections; prints its readings/s.

Example: `python -m bench.sender 8000 /readings KEY 0 80` sends requests 0 to 79 of the endless series.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

CONNECTIONS, READINGS_A_REQUEST, MACHINES = 4, 1_000, 100
SECONDS_A_REQUEST = READINGS_A_REQUEST // MACHINES  # each machine at 1 Hz
START = 1_760_000_000
TIMEOUT_SECONDS = 60


def body_of(request: int) -> bytes:
    first = START + request * SECONDS_A_REQUEST
    return json.dumps(
        [
            {
                "machine": f"m-{row % MACHINES}",
                "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first + row // MACHINES)),
                "temperature_c": 60 + (row * 7 + request) % 97 / 10,
                "vibration_mm_s": 2 + (row * 3 + request) % 89 / 100,
                "current_a": 10 + (row + request) % 83 / 10,
                "runtime_hours": 1000 + request * SECONDS_A_REQUEST // 360 / 10,
            }
            for row in range(READINGS_A_REQUEST)
        ]
    ).encode()


def send(port: int, path: str, key: str, bodies: list[bytes], start: threading.Barrier, wrong: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    connection.connect()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    start.wait()
    try:
        for body in bodies:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200 or json.loads(text)["accepted"] != READINGS_A_REQUEST:
                wrong.append(f"{answer.status} {text[:300]!r}")
                return
    except (OSError, http.client.HTTPException) as error:
        wrong.append(repr(error))
    finally:
        connection.close()


def main() -> None:
    port, path, key, first, count = sys.argv[1:]
    bodies = [body_of(request) for request in range(int(first), int(first) + int(count))]
    barrier, wrong = threading.Barrier(CONNECTIONS + 1), list[str]()
    threads = [
        threading.Thread(
            target=send, args=(int(port), path, key, bodies[n::CONNECTIONS], barrier, wrong), daemon=True
        )
        for n in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    barrier.wait(TIMEOUT_SECONDS)
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if wrong:
        sys.exit(f"Not every reading was accepted: {wrong[0]}")
    print(len(bodies) * READINGS_A_REQUEST / seconds)


if __name__ == "__main__":
    main()
