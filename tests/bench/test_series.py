"""The series that all sides of the ingest benchmarks are sent."""

from __future__ import annotations

import json
from datetime import datetime

from bench.series import MACHINES, Slice, requests

HEAD = "POST / HTTP/1.1\r\n"
START_MS = 1_760_000_000_000


def bodies(form, piece, readings_a_request):
    return [
        request.partition(b"\r\n\r\n")[2].decode() for request in requests(HEAD, form, piece, readings_a_request)
    ]


def from_json(body):
    return [
        (
            row["machine"],
            round(datetime.fromisoformat(row["measured_at"]).timestamp() * 1000),
            *(row[name] for name in ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")),
        )
        for row in json.loads(body)
    ]


def from_lines(body):
    words = [line.split(" ") for line in body.split("\n")]
    return [
        (key.split("machine=")[1], int(at_ms), *(float(field.split("=")[1]) for field in fields.split(",")))
        for key, fields, at_ms in words
    ]


def test_json_and_lines_say_the_same():
    piece = Slice("p", START_MS, 50, 2_000, late_share=0.1)
    told = [row for body in bodies("json", piece, 100) for row in from_json(body)]
    assert told == [row for body in bodies("lines", piece, 100) for row in from_lines(body)]
    assert len(told) == 2_000


def test_no_reading_comes_twice_however_the_series_is_cut_and_a_tenth_is_late():
    count = 1_000 * MACHINES
    pieces = [Slice("p", START_MS, first, count // 4, 0.1) for first in range(0, count, count // 4)]
    keys = [(machine, at_ms) for piece in pieces for machine, at_ms, _ in piece.rows()]
    assert len(set(keys)) == count
    late = sum(at_ms < START_MS for _, at_ms in keys)
    assert 0.09 < late / count < 0.11


def test_a_request_says_how_long_its_body_is():
    for request in requests(HEAD, "json", Slice("p", START_MS, 0, 10), 3):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
