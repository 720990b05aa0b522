"""The example receiver takes what Wearwatch sends, once, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.webhooks.sending import post
from app.webhooks.signature import new_secret, secret_text, signed_headers

SCRIPT = Path(__file__).parents[2] / "examples" / "webhook_receiver.py"
SECRET = new_secret()
ORDER = {
    "id": 17, "external_id": None, "machine": "press-07", "name": None, "site": "NORTH", "line": "L1",
    "state": "scheduled", "version": 3, "work": "Bearing", "due_at": "2026-12-01T00:00:00Z", "crew": "night",
    "scheduled_start": "2026-11-30T20:00:00Z", "scheduled_end": "2026-11-30T22:00:00Z", "started_at": None,
    "ended_at": None, "plan_id": 4, "finding": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("webhook_receiver", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def running(tmp_path):
    """`running()` starts it on the same notes -> (its process, its address)."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "--port", "0", "--known", str(tmp_path / "received.sqlite")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"WEBHOOK_SECRET": secret_text(SECRET)},
        )  # fmt: skip
        started.append(process)
        return process, process.stderr.readline().split()[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def send(address, message_id, kind="work_order.scheduled", at=None, spoil=b"", **changed):
    body = json.dumps({"type": kind, "timestamp": "2026-11-28T08:00:00Z", "data": ORDER | changed}).encode()
    headers = signed_headers([SECRET], message_id, int(at or time.time()), body)
    return post(address, headers, body + spoil, loopback=True).status


def test_each_order_is_printed_once_and_forgeries_never(running):
    process, address = running()
    assert send(address, "msg_1") == 204
    assert send(address, "msg_1") == 204
    assert send(address, "msg_2", version=2, state="accepted") == 204
    assert send(address, "msg_3", spoil=b" ", version=9) == 401
    assert send(address, "msg_4", at=time.time() - 600, version=9) == 401
    assert send(address, "msg_5", at=time.time() + 600, version=9) == 401
    assert post(address, {}, b"{}", loopback=True).status == 401
    process.kill()
    again, address = running()
    assert send(address, "msg_1") == 204
    assert send(address, "msg_6", version=4, state="in_progress", started_at="2026-11-30T20:05:00Z") == 204
    again.kill()
    first, second = (
        json.loads(line) for line in process.stdout.read().splitlines() + again.stdout.read().splitlines()
    )
    assert first == {
        "externalrefid": "wearwatch-17", "siteid": "NORTH", "assetnum": "press-07", "description": "Bearing",
        "status": "APPR", "worktype": "PM", "targcompdate": "2026-12-01T00:00:00Z",
        "schedstart": "2026-11-30T20:00:00Z", "schedfinish": "2026-11-30T22:00:00Z",
    }  # fmt: skip
    assert (second["status"], second["actstart"]) == ("INPRG", "2026-11-30T20:05:00Z")


@pytest.mark.parametrize(
    ("changed", "mapped"),
    [
        ({"state": "proposed"}, {"status": "WAPPR", "worktype": "PM"}),
        ({"state": "proposed", "plan_id": None}, {"worktype": "CM"}),
        ({"state": "cancelled"}, {"status": "CAN"}),
        ({"state": "cancelled", "started_at": "2026-11-30T20:05:00Z"}, {"status": "CLOSE"}),
        (
            {"state": "done", "finding": {"outcome": "failed", "mode": "VIB"}},
            {"status": "COMP", "worktype": "EM", "problemcode": "VIB"},
        ),
    ],
)
def test_states_and_findings_are_mapped(example, changed, mapped):
    assert example.maximo_order(ORDER | changed).items() >= mapped.items()


def test_without_a_secret_it_says_so():
    without = {name: value for name, value in os.environ.items() if name != "WEBHOOK_SECRET"}
    ended = subprocess.run([sys.executable, str(SCRIPT)], env=without, capture_output=True, text=True, check=False)
    assert (ended.returncode, "Set WEBHOOK_SECRET" in ended.stderr) == (1, True)
