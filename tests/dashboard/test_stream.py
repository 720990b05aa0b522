"""The live stream: what the database announces reaches open pages, and only as long as their rights last."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from starlette.requests import Request

from app.announce import announce
from app.dashboard import stream
from app.dashboard.hub import LOST, MISSED, MOST_PENDING, Hub, Listener, listening, read_change
from app.database import session_scope
from app.main import create_app
from app.security.keys import create_key, revoke_key
from app.security.principal import Role
from app.settings import Settings

PATIENCE_SECONDS = 10


@asynccontextmanager
async def hub_on(engine: Engine) -> AsyncIterator[Hub]:
    hub = Hub(engine)
    task = asyncio.create_task(hub.listen())
    try:
        await until(lambda: hub.hearing)
        yield hub
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


def say(engine: Engine, kind: str, machine: str | None) -> None:
    with session_scope(engine) as session:
        announce(session, kind, machine)


def test_what_one_process_commits_every_listener_hears_once(engine: Engine):
    async def story() -> None:
        async with hub_on(engine) as hub:
            with hub.listener() as one, hub.listener() as other:
                await asyncio.to_thread(say, engine, "reading", "press-07")
                assert await one.take(PATIENCE_SECONDS) == [("reading", "press-07")]
                assert await other.take(PATIENCE_SECONDS) == [("reading", "press-07")]
                assert await one.take(0.05) == []

    asyncio.run(story())


def test_after_the_database_was_away_pages_are_told_to_look_again(engine: Engine):
    async def story() -> None:
        async with hub_on(engine) as hub:
            with hub.listener() as listener:
                with engine.connect() as connection:
                    connection.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE datname = current_database() AND application_name = 'wearwatch live updates'"
                        )
                    )
                told: list[object] = []
                while MISSED not in told:
                    told += await listener.take(PATIENCE_SECONDS)
                assert told == [LOST, MISSED]
                await asyncio.to_thread(say, engine, "risk", None)
                assert await listener.take(PATIENCE_SECONDS) == [("risk", None)]

    asyncio.run(story())


def test_a_page_that_does_not_read_keeps_a_bounded_memory():
    async def story() -> None:
        listener = Listener()
        for n in range(MOST_PENDING * 3):
            listener.put(("reading", f"m-{n}"))
        taken = await listener.take(0.1)
        assert taken[0] == MISSED
        assert len(taken) <= MOST_PENDING
        for _ in range(1000):
            listener.put(("reading", "press-07"))
        assert await listener.take(0.1) == [("reading", "press-07")]

    asyncio.run(story())


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"kind": "drop"}',
        '{"kind": 3}',
        '{"kind": "risk", "machine": {}}',
        "{",
        "\x00",
        "[" * 5000,
    ],
)
def test_what_is_no_announcement_is_not_passed_on(payload: str):
    assert read_change(payload) is None


def test_an_event_cannot_break_out_of_its_line():
    assert stream.written("change", {"machine": "a\n\nevent: ended\ndata: {}"}).count("\n") == 3


def request_with(app: FastAPI, key: str) -> Request:
    headers = [(b"authorization", f"Bearer {key}".encode())]
    return Request({"type": "http", "app": app, "headers": headers, "method": "GET", "path": "/"})


def test_a_revoked_key_loses_its_open_stream_within_a_second(engine: Engine, settings: Settings):
    app = create_app(settings, engine)
    with session_scope(engine) as session:
        key = create_key(session, "screen", Role.OPERATOR)

    async def story() -> None:
        async with listening(app, engine):
            hub: Hub = app.state.hub
            await until(lambda: hub.hearing)
            events = stream.events(request_with(app, key), hub)
            assert "event: hello" in await anext(events)
            await asyncio.to_thread(say, engine, "plan", None)
            told = await anext(events)
            assert json.loads(told.split("data: ")[1]) == {"kind": "plan", "machine": None}
            await asyncio.to_thread(revoke, engine)
            revoked_at = time.monotonic()
            assert "event: ended" in [event async for event in events][-1]
            assert time.monotonic() - revoked_at < 1.5

    asyncio.run(story())


def revoke(engine: Engine) -> None:
    with session_scope(engine) as session:
        revoke_key(session, "screen")


def test_streams_end_when_the_service_stops(engine: Engine, settings: Settings):
    app = create_app(settings, engine)
    with session_scope(engine) as session:
        key = create_key(session, "screen", Role.OPERATOR)

    async def story() -> None:
        async with listening(app, engine):
            events = stream.events(request_with(app, key), app.state.hub)
            await anext(events)
            app.state.hub.close()
            assert [event async for event in events if "heartbeat" not in event] == []

    asyncio.run(story())


def test_a_sensors_key_may_not_listen(engine: Engine, settings: Settings):
    with session_scope(engine) as session:
        key = create_key(session, "gateway", Role.SENSOR)
    with TestClient(create_app(settings, engine)) as client:
        answer = client.get("/api/v1/stream", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
