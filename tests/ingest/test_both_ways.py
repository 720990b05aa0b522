"""`POST /readings` by the short way of a real server and by the long way: same answers, same rows, one policy."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn

from app.database import session_scope
from app.ingest import posting
from app.ingest.decode import decode
from app.request_head import BoundedHead
from app.security import recent
from app.security.keys import create_key, revoke_key
from app.security.principal import Role

NOW = datetime.now(UTC)
# Machines of the requests of each way; of one length, because answers count characters.
LONG, SHORT = "motor", "drive"


def at(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).isoformat()


def row(seconds_ago: float, machine: str = "MACHINE", **channels: object) -> dict[str, object]:
    return {"machine": machine, "measured_at": at(seconds_ago), **(channels or {"temperature_c": 61.2})}


HEADERS = ("content-type", "x-content-type-options", "cache-control", "retry-after", "connection")
BODIES = {
    "one": row(9),
    "two": [row(8), row(7, current_a=1.5, extra={"pressure_bar": 5.4, "empty": None})],
    "the same again": [row(8), row(9)],
    "merged, in conflict": [row(9, current_a=2), row(8, temperature_c=99)],
    "other units": [row(6, temperature_f=212, vibration_in_s=0.1)],
    "good and bad": [row(5), row(5, "a/b"), {"machine": "MACHINE"}, row(-9999), row(4, temperature_c=1e9)],
    "bad only": [row(3, temperature_c="hot")],
    "none": [],
    "no JSON": b"{",
    "empty": b"",
    "two bodies in one": b'{"machine": "MACHINE"}, {"machine": "MACHINE"}',
    "nested": b"[" * 100_000,
    "NaN": b'{"machine": "MACHINE", "measured_at": "%b", "current_a": NaN}' % at(2).encode(),
}


@pytest.fixture
def served(application):
    """The application behind uvicorn and our protocol: its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, http=BoundedHead, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def ask(served):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served, timeout=20)) as connection:

        def ask(body: bytes, key: str, path="/api/v1/readings", **headers: str):
            given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers
            connection.request("POST", path, body, given)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())

        yield ask


@pytest.fixture
def key(engine):
    with session_scope(engine) as session:
        return create_key(session, "sensor", Role.SENSOR, may_register_machines=True)


@pytest.fixture
def short(monkeypatch):
    """The bodies that took the short way, by their length."""
    lengths: list[int] = []

    def note(body, *given):
        lengths.append(len(body))
        return decode(body, *given)

    monkeypatch.setattr(posting, "decode", note)
    return lengths


def test_answers_and_rows_are_the_same_both_ways(ask, key, stored, short, monkeypatch):
    monkeypatch.setattr(recent, "KEPT_SECONDS", 60)
    told: dict[str, list[object]] = {}
    shortened: list[bool] = []
    for machine in (LONG, SHORT):
        # A query sends a request the long way.
        path = "/api/v1/readings" + ("?" if machine == LONG else "")
        for name, given in BODIES.items():
            body = given if isinstance(given, bytes) else json.dumps(given).encode()
            ask(b"[]", key)
            short.clear()
            status, answer, headers = ask(body.replace(b"MACHINE", machine.encode()), key, path)
            kept = {name: headers.get(name) for name in HEADERS}
            told.setdefault(name, []).append((status, answer.replace(machine.encode(), b"MACHINE"), kept))
            assert len(headers["x-request-id"]) == 16
            shortened.append(bool(short))
    assert shortened == [False] * len(BODIES) + [True] * len(BODIES)
    for name, (by_long, by_short) in told.items():
        assert by_short == by_long, name
    long, shorter = ([(at, channels) for key, at, channels in stored() if key == way] for way in (LONG, SHORT))
    assert long == shorter
    assert len(long) == 5


def test_the_short_way_is_for_keys_seen_a_moment_ago_and_bodies_read_at_once(ask, key, short):
    assert ask(b"[]", key)[0] == 200
    assert short == []
    assert ask(b"[]", key)[0] == 200
    assert short == [2]
    ask(b" " * (600 << 10) + b"[]", key)
    time.sleep(0.3)
    ask(b"[]", key)
    assert short == [2]


def test_a_key_may_do_the_same_both_ways(ask, key, engine):
    body = json.dumps(row(1, "new")).encode()
    with session_scope(engine) as session:
        operator = create_key(session, "operator", Role.OPERATOR)
        humble = create_key(session, "humble", Role.SENSOR)
    for _ in range(2):
        assert ask(body, "ww_unknown")[0] == 401
        assert ask(body, operator)[0] == 403
        status, answer, _ = ask(body, humble)
        assert (status, b"may register machines" in answer) == (422, True)


def test_a_revoked_key_is_refused_within_a_second_however_busy_it_is(ask, key, engine, short):
    """Being asked again and again does not prolong what it is remembered for."""
    for _ in range(20):
        assert ask(b"[]", key)[0] == 200
    assert short
    with session_scope(engine) as session:
        revoke_key(session, "sensor")
    revoked_at = time.monotonic()
    while ask(b"[]", key)[0] == 200:
        assert time.monotonic() < revoked_at + 1
    assert ask(b"[]", key)[0] == 401


def test_a_full_line_is_told_both_ways(ask, key, application, monkeypatch):
    ask(b"[]", key)
    monkeypatch.setattr(application.state.committer._live, "most_requests", 0)
    for path in ("/api/v1/readings", "/api/v1/readings?"):
        status, answer, headers = ask(b"[]", key, path)
        assert (status, headers["retry-after"], headers["content-type"]) == (429, "2", "application/problem+json")
        assert b"send it again" in answer
