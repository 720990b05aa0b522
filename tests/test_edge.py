"""What meets a request before any route does: limits, headers, counters, and words for a database that is away."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json

import pytest
import structlog
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.database import make_engine
from app.ingest.rollup import ensure_bucket_width
from app.logs import RequestLog, Seldom, hide_secrets
from app.main import create_app
from app.security.body_limit import BodyLimit
from app.security.policy import Role, public
from tests.conftest import TestClient


def with_route(settings, connection, act):
    app = create_app(settings, connection)

    @app.post("/act", dependencies=[public()])
    async def run() -> None:
        act()

    return TestClient(app, raise_server_exceptions=False)


def raising(error: Exception):
    def act() -> None:
        raise error

    return act


class Full(Exception):
    sqlstate = "53100"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("insert", {}, Exception("gone")), 503),
        (OperationalError("insert", {}, Full()), 507),
        (OSError(errno.ENOSPC, "full"), 507),
        (OSError(errno.EIO, "broken"), 500),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), 422),
        (ClientDisconnect(), 400),
        (ValueError("token=hush"), 500),
    ],
)
def test_every_failure_is_a_problem_document_that_says_when_to_try_again(settings, connection, error, status):
    answer = with_route(settings, connection, raising(error)).post("/act")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status in (503, 507))
    assert "hush" not in answer.text


def test_a_database_that_is_away_is_503_and_the_process_stays_alive(settings):
    engine = make_engine(make_url("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    with TestClient(create_app(settings, engine), raise_server_exceptions=False) as client:
        key = {"Authorization": f"Bearer ww_{'0' * 12}_{'a' * 43}"}
        for path in ("/readyz", "/api/v1/machines"):
            answer = client.get(path, headers=key)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert client.get("/healthz").status_code == 200


def test_a_database_without_our_tables_is_not_ready(settings, server):
    with TestClient(create_app(settings, server), raise_server_exceptions=False) as client:
        answer = client.get("/readyz")
    assert (answer.status_code, "wearwatch migrate" in answer.json()["detail"]) == (503, True)


def test_a_service_whose_buckets_are_not_the_workers_says_so_instead_of_being_ready(settings, client, session):
    session.execute(text("INSERT INTO rollup_state (id, bucket_seconds) VALUES (1, 1800)"))
    answer = client.get("/readyz")
    assert (answer.status_code, "the same WEARWATCH_BUCKET" in answer.json()["detail"]) == (503, True)
    ensure_bucket_width(session, settings)
    assert client.get("/readyz").status_code == 200


def test_answers_tell_browsers_what_to_refuse(client):
    headers = client.get("/healthz").headers
    policy = headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert "content-security-policy" in client.get("/nowhere").headers


def test_another_site_cannot_make_a_browser_post(settings, connection):
    client = with_route(settings, connection, lambda: None)
    assert client.post("/act").status_code == 200
    assert client.post("/act", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_an_announced_body_that_is_too_large_is_refused_at_once(settings, connection, key_for):
    small = settings.model_copy(update={"max_body_bytes": 1024})
    with TestClient(create_app(small, connection)) as client:
        key = key_for(Role.PLANNER)
        answer = client.post("/api/v1/machines", content=b"x" * 2000, headers=key)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        chunked = client.post("/api/v1/machines", content=(b"x" * 100 for _ in range(20)), headers=key)
        assert chunked.status_code == 413
        assert chunked.headers["content-type"] == "application/problem+json"


def test_only_readings_come_by_the_megabyte(client, key_for):
    key, megabyte = key_for(Role.ADMIN), b" " * 1_000_000 + b"{}"
    assert client.post("/api/v1/machines", content=megabyte, headers=key).status_code == 413
    assert client.post("/api/v1/readings", content=megabyte, headers=key).status_code == 422


def test_a_bulk_path_has_its_own_bound():
    async def answer(scope, receive, send) -> None:
        seen.append(await receive())

    async def receive():
        return {"type": "http.request", "body": b"x" * 300_000, "more_body": False}

    for path, refused in (("/bulk", 0), ("/other", 1)):
        seen = []
        limit = BodyLimit(answer, 1_000_000, bulk=["/bulk"])
        with contextlib.suppress(HTTPException):
            asyncio.run(limit({"type": "http", "path": path, "headers": []}, receive, None))
        assert len(seen) == 1 - refused


async def read_all(scope, receive, send) -> None:
    while (await receive()).get("more_body"):
        pass


def test_a_body_that_never_ends_runs_out_of_time():
    async def never():
        await asyncio.sleep(60)

    limit = BodyLimit(read_all, 1024, most_seconds=0.01)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(limit({"type": "http", "path": "/", "headers": []}, never, None))
    assert refused.value.status_code == 408


def test_waiting_for_a_listener_to_leave_has_no_time_limit():
    messages = [{"type": "http.request", "body": b"x", "more_body": False}, {"type": "http.disconnect"}]

    async def receive():
        await asyncio.sleep(0.02)
        return messages.pop(0)

    async def stream(scope, receive, send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    asyncio.run(
        BodyLimit(stream, 10, most_seconds=0.03)({"type": "http", "path": "/", "headers": []}, receive, None)
    )
    assert messages == []


@pytest.mark.parametrize("length", [b"", b"-1", b"1e9", b"9" * 30, b"\xb2"])
def test_an_odd_content_length_is_not_an_error_here(length):
    seen = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def app(scope, receive, send) -> None:
        seen.append(await receive())

    asyncio.run(
        BodyLimit(app, 10)({"type": "http", "path": "/", "headers": [(b"content-length", length)]}, receive, None)
    )
    assert len(seen) == 1


def test_metrics_count_by_route_not_by_machine(client, key_for):
    key = key_for(Role.OPERATOR)
    for machine in ("a-1", "a-2"):
        client.get(f"/api/v1/machines/{machine}", headers=key)
    client.request("BREW", "/healthz")
    text = client.get("/metrics").text
    assert 'wearwatch_requests_total{method="GET",route="/api/v1/machines/{key}",status="404"}' in text
    assert 'method="other"' in text
    assert "a-1" not in text
    assert "wearwatch_request_seconds_bucket" in text


def test_the_log_names_the_path_and_a_request_id_but_no_secret(client, key_for):
    key = key_for(Role.OPERATOR)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = client.get("/api/v1/machines?q=hush", headers=key)
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["path"], line["status"]) == ("/api/v1/machines", 200)
    assert "hush" not in json.dumps(line)
    assert line["actor"].startswith("key operator")
    assert key["Authorization"].split("_")[2] not in json.dumps(lines)
    assert answer.headers["x-request-id"]


def test_a_path_cannot_forge_a_line_of_the_log(client):
    with structlog.testing.capture_logs() as lines:
        client.get("/a%0a2026-11-21 admin signed in%00" + "x" * 5000)
    (path,) = [line["path"] for line in lines if line["event"] == "request"]
    assert path.isprintable()
    assert len(path) <= 300


def test_a_secret_that_is_logged_by_mistake_is_hidden():
    event = hide_secrets(None, "info", {"event": "x", "password": "hush", "token": "hush"})
    assert "hush" not in str(event)


def test_of_many_lines_alike_one_a_second_is_written_and_says_how_many_were_not():
    now = 100.0
    seldom = Seldom(1.0, lambda: now)
    assert [seldom.turn() for _ in range(4)] == [0, None, None, None]
    now = 101.5
    assert [seldom.turn(), seldom.turn()] == [3, None]


def test_what_is_not_http_passes():
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(scope["type"])

    for edge in (RequestLog(app), BodyLimit(app, 1)):
        asyncio.run(edge({"type": "lifespan"}, None, None))
    assert seen == ["lifespan", "lifespan"]


def test_the_interface_is_described_with_our_problem_document(client):
    described = client.get("/api/v1/openapi.json").json()
    machine = described["paths"]["/api/v1/machines/{key}"]["get"]["responses"]
    assert set(machine) == {"200", "4XX", "5XX"}
    assert "Problem" in described["components"]["schemas"]
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_metrics_count_what_became_of_readings(client, key_for):
    def rejected() -> float:
        (line,) = [x for x in client.get("/metrics").text.splitlines() if 'readings_total{outcome="rejected"}' in x]
        return float(line.split()[-1])

    key = key_for(Role.SENSOR, may_register_machines=True)
    reading = {"machine": "a/b", "measured_at": "2026-11-20T08:00:00Z", "temperature_c": 61.2}
    client.post("/api/v1/readings", json=reading, headers=key)
    before = rejected()
    client.post("/api/v1/readings", json=[reading, reading], headers=key)
    assert rejected() == before + 2
