"""`python -m wearwatch_client`: lines in, stored readings out, and an exit code that tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.client.conftest import Service

Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def send(service: Service, tmp_path: Path) -> Callable[..., Finished]:
    def send(
        text: str, *options: str, key: str = "ww_secret", url: str = "", within: Sequence[str] = ()
    ) -> Finished:
        command = [sys.executable, "-m", "wearwatch_client", "--url", url or service.address]
        environment = os.environ | {"WEARWATCH_API_KEY": key, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(
            [*within, *command, "--queue", str(tmp_path / "queue"), *options],
            input=text,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return send


def lines(count: int) -> str:
    rows = ({"machine": f"m-{n}", "measured_at": "2026-11-20T08:00:00Z", "current_a": n} for n in range(count))
    return "\n".join(map(json.dumps, rows))


def test_every_line_is_stored_also_the_last_without_a_line_break(service, send):
    sent = send(lines(3000))
    assert (sent.returncode, sent.stderr) == (0, "3000 stored, 0 rejected, 0 lines were no readings, 0 wait\n")
    assert len(service.stored) == 3000


def test_lines_that_are_no_readings_are_named_and_the_others_are_stored(service, send):
    sent = send('{"machine"\n\n[1]\n{"machine": "m"}\n' + lines(2))
    assert sent.returncode == 1
    assert [line.partition(":")[0] for line in sent.stderr.splitlines()[:3]] == ["Line 1", "Line 3", "Line 4"]
    assert "2 stored, 0 rejected, 3 lines were no readings" in sent.stderr
    assert "Traceback" not in sent.stderr


def test_a_rejected_reading_is_said_in_words_and_by_the_exit_code(send):
    sent = send(lines(2) + '\n{"machine": "m", "measured_at": "2026-11-20T08:00:00Z", "temperature_c": -999}')
    assert sent.returncode == 1
    assert "temperature_c below -273.15" in sent.stderr
    assert "2 stored, 1 rejected" in sent.stderr


def test_without_the_service_the_lines_wait_on_disk_and_the_next_start_sends_them(service, send):
    waiting = send(lines(20), "--wait", "0.1", url="http://127.0.0.1:1")
    assert waiting.returncode == 1
    assert "0 stored, 0 rejected, 0 lines were no readings, 20 wait" in waiting.stderr
    assert send("").returncode == 0
    assert len(service.stored) == 20


def test_a_line_without_an_end_is_named_and_does_not_fill_the_memory(service, send):
    endless = '{"machine": "' + "x" * (40 << 20)
    limit = ["prlimit", f"--as={200 << 20}"]
    sent = send(lines(1) + "\n" + endless + "\n" + lines(1), within=limit)
    assert sent.returncode == 1
    assert "Line 2: it is longer than 1,048,576 bytes; a reading ends with a line break." in sent.stderr
    assert "1 lines were no readings, 0 wait" in sent.stderr
    assert sum(map(len, service.batches)) == 2


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("", ""),
        ("ww_secret", "http://me:ww_secret@127.0.0.1"),
        ("ww_secret", "http://me:ww_secret@127.0.0.1:99999"),
        ("ww_secret", "http://127.0.0.1:ww_secret"),
        ("ww_secret", "http://me:ww_secret℀@127.0.0.1"),
        ("ww_secret", "ftp://me:ww_secret@127.0.0.1"),
        ("ww_secret", "//me:ww_secret@127.0.0.1"),
        ("ww_secret", "http://127.0.0.1/?key=ww_secret"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_without_the_key(send, key, url):
    refused = send(lines(1), key=key, url=url)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "ww_secret" not in refused.stderr
