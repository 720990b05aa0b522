"""What the MQTT bridge takes through a real Mosquitto, and what of its CPU time is the MQTT library's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

from bench.finding import Figures, Finding
from bench.measure import out
from bench.mqtt_ends import MACHINES, ROWS
from bench.stored import database, server
from bench.target import ROOT, free_port

MOSQUITTO = "/usr/sbin/mosquitto"
FORMS = {
    "one reading a message": ("one", 20_000),
    "one, under other names": ("mapped", 20_000),
    "Sparkplug B, four aliases": ("sparkplug", 20_000),
    "a list of 100 readings": ("hundred", 2_000),
}
PEER = "paho alone: received, acknowledged"
LONGEST_SECONDS = 60
SECONDS_BETWEEN_RUNS = 10_000


def measure(rounds: int) -> list[Finding]:
    """Publisher, broker, bridge and database share the machine; CPU seconds are the bridge process's."""
    if not Path(MOSQUITTO).exists():
        raise SystemExit(f"{MOSQUITTO} is missing (Debian: apt-get install mosquitto).")
    url, _ = server()
    found = Finding("MQTT", "QoS 1 through Mosquitto, acknowledged after the commit")
    engine = database(url, "mqtt", MACHINES)
    for number in range(rounds):
        out.print(f"MQTT: round {number + 1} of {rounds} ...", style="dim", highlight=False)
        with mosquitto() as port, bridge(engine, port) as process:
            for place, (side, (form, count)) in enumerate(FORMS.items()):
                first = (number * len(FORMS) + place) * SECONDS_BETWEEN_RUNS
                found.add(side, _bridged(engine, process, port, form, count, first))
        with mosquitto() as port:
            found.add(PEER, _received(port, FORMS["one reading a message"][1]))
    found.remarks.append("Every message was stored; every reading was new.")
    return [found]


@contextmanager
def mosquitto() -> Iterator[int]:
    """A broker in memory; yields its port."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type error\n")
        config.flush()
        process = subprocess.Popen([MOSQUITTO, "-c", config.name])
        time.sleep(1)
        try:
            yield port
        finally:
            process.terminate()
            process.wait()


@contextmanager
def bridge(engine: Engine, port: int) -> Iterator[psutil.Process]:
    """`wearwatch mqtt` as people start it, subscribed."""
    settings = {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "WEARWATCH_MQTT_URL": f"mqtt://127.0.0.1:{port}",
        "WEARWATCH_MQTT_TOPICS": "plant/{machine}",
        "WEARWATCH_MQTT_SPARKPLUG_GROUP": "bench",
    }
    command = [sys.executable, "-m", "wearwatch", "mqtt"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "connected to the broker" not in process.stderr.readline():
        if process.poll() is not None:
            raise RuntimeError("the bridge did not start")
    time.sleep(1)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.communicate()


def _bridged(engine: Engine, process: psutil.Process, port: int, form: str, count: int, first: int) -> Figures:
    """`first`: where its readings begin, so that every reading is new."""
    before, cpu = _stored(engine), _cpu_seconds(process)
    readings = count * ROWS[form]
    publisher = _end("publish", port, form, count, first)
    start = json.loads(_line(publisher))
    while (stored := _stored(engine) - before) < readings:
        if time.time() > start + LONGEST_SECONDS:
            raise RuntimeError(f"{form}: {stored} of {readings} readings are stored")
        time.sleep(0.05)
    seconds = time.time() - start
    cpu = _cpu_seconds(process) - cpu
    publisher.wait()
    return {
        "messages/s": count / seconds,
        "readings/s": readings / seconds,
        "CPU us/message": cpu / count * 1e6,
        "CPU us/reading": cpu / readings * 1e6,
    }


def _received(port: int, count: int) -> Figures:
    receiver = _end("receive", port, count)
    _line(receiver)
    publisher = _end("publish", port, "one", count, 0)
    start = json.loads(_line(publisher))
    cpu = json.loads(_line(receiver))
    seconds = time.time() - start
    publisher.wait()
    receiver.wait()
    return {"messages/s": count / seconds, "CPU us/message": cpu / count * 1e6}


def _end(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.mqtt_ends", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _stored(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM readings")).scalar_one())
