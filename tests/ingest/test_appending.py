"""New readings of today go from the event loop into the database; what is not new finds its way all the same."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import structlog
import uvloop
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app import database
from app.ingest import transactions as module
from app.ingest.appending import Appender
from app.ingest.committer import Committer
from app.ingest.decode import decode
from app.ingest.group import Batch
from app.ingest.merging import Outcome
from app.ingest.new_rows import Transaction

NOW = datetime.now(UTC).replace(microsecond=0)
ACCEPTED = int(Outcome.ACCEPTED)


def at(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).isoformat()


def batch(*rows, sender="key test"):
    decoded = decode(msgspec.json.encode(list(rows)), "application/json", 100_000)
    return Batch(decoded.rows, decoded.index, decoded.rejected, sender, True)


def row(seconds_ago, machine="press-07", **channels):
    return {"machine": machine, "measured_at": at(seconds_ago), **(channels or {"temperature_c": 61.2})}


@pytest.fixture
def appended(monkeypatch):
    """How many rows were appended by each transaction that was tried."""
    sizes: list[int] = []
    transaction = module.transaction

    def note(new, *given):
        sizes.append(len(new.order))
        return transaction(new, *given)

    monkeypatch.setattr(module, "transaction", note)
    return sizes


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request):
    """uvicorn takes uvloop, the MQTT bridge asyncio; they tell differently that a connection is lost."""
    return request.param


@pytest.fixture
def run(engine, settings, loop_factory):
    """`run(story)`: an async story told with a committer, which stops at the end."""

    def run(story):
        async def told():
            committer = Committer(engine, settings)
            try:
                return await asyncio.wait_for(story(committer), 20)
            finally:
                await asyncio.wait_for(committer.stop(), 20)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(told())

    return run


async def sent(committer, *batches):
    return [report.counts for report in await asyncio.gather(*(committer.submit(each) for each in batches))]


def test_what_is_new_is_appended_with_its_marks_and_its_account(run, ask, appended):
    async def story(committer):
        await sent(committer, batch(row(100)))
        return await sent(
            committer,
            batch(row(9), row(8, current_a=1.5, extra={"pressure_bar": 5.4}), sender="key it's \\ me"),
            batch(row(7, vibration_mm_s=2.0)),
        )

    assert run(story) == [[2, 0, 0, 0], [1, 0, 0, 0]]
    assert sum(appended) >= 3
    assert ask("SELECT count(*), sum(current_a), max(extra::text) FROM readings") == [
        (4, 1.5, '{"pressure_bar": 5.4}')
    ]
    assert ask("SELECT count(*) > 0, bool_and(bucket_start <= now()) FROM touched_buckets") == [(True, True)]
    accounted = """SELECT sum(n), max(s), bool_and(lag BETWEEN 0 AND 86400) FROM arrivals,
        unnest(accepted, sender, least_lag_s) AS of_group (n, place, lag),
        LATERAL (SELECT senders[place] AS s) AS named"""
    assert ask(accounted) == [(4, "key test", True)]
    assert ask("SELECT count(*) FROM arrivals WHERE 'key it''s \\ me' = ANY(senders)") == [(1,)]


def test_every_size_of_a_group_arrives_whole(run, ask, appended):
    sizes = [1, 2, 999, 1000, 1001, 3000]

    async def story(committer):
        await sent(committer, batch(row(80_000)))
        for number, size in enumerate(sizes):
            rows = (row(70_000 - 5000 * number - n, temperature_c=float(n % 90)) for n in range(size))
            assert await sent(committer, batch(*rows)) == [[size, 0, 0, 0]]

    run(story)
    assert appended[-len(sizes) :] == sizes
    assert ask("SELECT count(*), count(temperature_c) FROM readings") == [(sum(sizes) + 1, sum(sizes) + 1)]


@pytest.mark.parametrize(
    ("again", "counts"),
    [
        ({"temperature_c": 61.2}, [0, 1, 0, 0]),
        ({"current_a": 3.0}, [0, 0, 1, 0]),
        ({"temperature_c": 62.0}, [0, 0, 0, 1]),
    ],
)
def test_what_is_there_already_is_told_apart_however_it_comes(run, ask, appended, again, counts):
    """In the same group, while the first is under way, and after it."""

    async def story(committer):
        await sent(committer, batch(row(100)))
        together = await sent(committer, batch(row(9)), batch(row(9, **again)))
        first = committer.submit(batch(row(8)))
        while_under_way = await sent(committer, batch(row(8, **again), *[row(7 - n / 1000) for n in range(500)]))
        await first
        afterwards = await sent(committer, batch(row(8, **again)))
        return together, while_under_way, afterwards

    together, while_under_way, afterwards = run(story)
    assert together == [[1, 0, 0, 0], counts]
    assert while_under_way == [[500 + counts[0], *counts[1:]]]
    assert afterwards == ([[0, 1, 0, 0]] if counts[2] else [counts])
    assert ask("SELECT count(*) FROM readings") == [(503,)]
    assert appended


def test_another_process_may_store_the_same_meanwhile(run, ask, engine, settings):
    async def story(committer):
        other = Committer(engine, settings)
        for each in (committer, other):
            await sent(each, batch(row(100)))
        rows = [row(50 - n / 100, f"m{n % 7}") for n in range(1400)]
        await sent(committer, batch(*rows[:7]))
        found = await asyncio.gather(
            *(sent(each, batch(*rows[n : n + 200])) for n in range(0, 1400, 200) for each in (committer, other))
        )
        await other.stop()
        return [sum(counts[kind] for [counts] in found) for kind in range(4)]

    assert run(story) == [1393, 1407, 0, 0]
    assert ask("SELECT count(*) FROM readings") == [(1401,)]


def test_a_month_that_is_gone_is_made_again(run, ask, engine):
    async def story(committer):
        await sent(committer, batch(row(100)))
        with engine.begin() as connection:
            connection.execute(text(f"DROP TABLE readings_{NOW - timedelta(seconds=9):%Y_%m}"))
        return await sent(committer, batch(row(9)))

    assert run(story) == [[1, 0, 0, 0]]


def test_one_batch_that_cannot_be_stored_does_not_take_others_with_it(run, ask, engine, appended):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE readings ADD CONSTRAINT no_1313 CHECK (current_a <> 1313)"))

    async def story(committer):
        await sent(committer, batch(row(100)))
        batches = [batch(row(9)), batch(row(8, current_a=1313)), batch(row(7))]
        answers = [committer.submit(each) for each in batches]
        return await asyncio.gather(*answers, return_exceptions=True)

    good, bad, good_too = run(story)
    assert (good.counts[ACCEPTED], good_too.counts[ACCEPTED], isinstance(bad, Exception)) == (1, 1, True)
    assert ask("SELECT count(*) FROM readings") == [(3,)]
    assert appended


def test_a_server_that_went_away_is_noticed_and_found_again(run, ask, engine, server):
    """Between two transactions nobody is refused for it."""

    async def story(committer):
        await sent(committer, batch(row(100)))
        await sent(committer, batch(row(99)))
        with server.connect() as admin:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"
            admin.execute(text(query), {"n": engine.url.database})
        await asyncio.sleep(0.1)
        assert not any(each.is_open for each in committer._transactions._appenders)
        await asyncio.sleep(1.1)
        return await sent(committer, batch(row(9)))

    assert run(story) == [[1, 0, 0, 0]]
    assert ask("SELECT count(*) FROM readings") == [(3,)]


def test_a_server_that_goes_away_in_between_is_never_answered_with_success(run, ask, engine, server):
    async def story(committer):
        await sent(committer, batch(row(100)))
        await sent(committer, batch(row(99)))
        with engine.connect() as locking, server.connect() as admin:
            locking.execute(text("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE"))
            answer = committer.submit(batch(row(9)))
            await asyncio.sleep(0.2)
            query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = :n AND wait_event_type = 'Lock'"""
            admin.execute(text(query), {"n": engine.url.database})
            [error] = await asyncio.gather(answer, return_exceptions=True)
        return error, await sent(committer, batch(row(8)))

    error, after = run(story)
    assert error.connection_invalidated
    assert after == [[1, 0, 0, 0]]
    assert ask("SELECT count(*) FROM readings") == [(3,)]


def test_rows_that_the_socket_does_not_take_at_once_are_sent_when_there_is_room(run, ask, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS_CHECKED", 100_000)
    wide = {f"channel_{n}": n / 7 for n in range(100)}

    async def story(committer):
        await sent(committer, batch(row(100)))
        return await sent(committer, batch(*(row(90 - n / 100, extra=wide) for n in range(5000))))

    assert run(story) == [[5000, 0, 0, 0]]
    assert ask("SELECT count(*), count(extra->'channel_99') FROM readings") == [(5001, 5000)]


def test_statements_that_fail_after_the_rows_take_the_rows_with_them(engine, ask):
    """A message is one transaction, and the connection is of use after one that failed."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE half (n int)"))
    rows = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1\0\0\0\4\0\0\0\7" + b"\xff\xff"
    copy = b"COPY half FROM STDIN (FORMAT BINARY); "

    async def story():
        appender = Appender(engine)
        await appender.open()
        found = []
        for then in (b"SELECT 1 / 0", b"SELECT 1"):
            done = asyncio.get_running_loop().create_future()
            appender.append(Transaction(copy + then, rows), done.set_result)
            found.append(await done)
        appender.close()
        return found

    failed, good = asyncio.run(story())
    assert ("division by zero" in str(failed), good) == (True, None)
    assert ask("SELECT n FROM half") == [(7,)]


def test_a_server_that_ends_while_the_loop_is_busy_is_noticed(run, ask, engine, server):
    """What it says last and the end of the connection come at once, and some loops tell of that once only."""

    async def story(committer):
        await sent(committer, batch(row(100)))
        await sent(committer, batch(row(99)))
        [pid] = {each._pg.backend_pid for each in committer._transactions._appenders[:1]}
        os.kill(pid, signal.SIGSTOP)
        answer = committer.submit(batch(row(9)))
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)
        [error] = await asyncio.wait_for(asyncio.gather(answer, return_exceptions=True), 8)
        return error, await sent(committer, batch(row(8)))

    error, after = run(story)
    assert isinstance(error, Exception) or sum(error.counts) == 1
    assert after == [[1, 0, 0, 0]]


def test_without_a_connection_to_append_with_the_others_are_enough(run, ask, appended, monkeypatch):
    connect, calls = Appender._connect, itertools.count()

    def refuse_every_second(self):
        if next(calls) % 2:
            raise OperationalError("connect", {}, Exception("too many clients"))
        return connect(self)

    monkeypatch.setattr(Appender, "_connect", refuse_every_second)

    async def story(committer):
        await sent(committer, batch(row(100)))
        return await sent(committer, batch(row(9)), batch(row(8)))

    assert run(story) == [[1, 0, 0, 0], [1, 0, 0, 0]]
    assert appended


def test_the_earlier_of_two_groups_counts_while_the_first_is_on_its_way(run, ask, appended):
    async def story(committer):
        await sent(committer, batch(row(5000)))
        first = committer.submit(batch(*(row(4000 - n / 4, temperature_c=1.0) for n in range(7990))))
        second = committer.submit(batch(*(row(4000 - n / 4, temperature_c=2.0) for n in range(7490, 7990))))
        return (await first).counts, (await second).counts

    assert run(story) == ([7990, 0, 0, 0], [0, 0, 0, 500])
    assert appended[-1] == 7990
    assert ask("SELECT max(temperature_c) FROM readings WHERE temperature_c < 60") == [(1.0,)]


def test_lines_of_the_log_do_not_carry_the_name_of_another_request(run, ask, engine, caplog):
    async def story(committer):
        structlog.contextvars.bind_contextvars(request_id="the first")
        await sent(committer, batch(row(100)))
        names = []
        monkeypatched = committer._transactions._writer.begin_anew

        def note():
            names.append(structlog.contextvars.get_contextvars())
            monkeypatched()

        committer._transactions._writer.begin_anew = note
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE readings ADD CONSTRAINT no_1313 CHECK (current_a <> 1313)"))
        await asyncio.gather(committer.submit(batch(row(8, current_a=1313))), return_exceptions=True)
        return names

    names = run(story)
    assert names
    assert not any(names)


def test_what_is_sent_again_after_a_restart_is_not_taken_for_new(run, ask, engine, settings, appended):
    """A new process learns how far each machine goes from the database, not from the first it is sent."""
    rows = [row(1000 - n) for n in range(900)]

    async def story(committer):
        await sent(committer, batch(*rows))
        again = Committer(engine, settings)
        counts = [await sent(again, batch(*rows[n : n + 100])) for n in range(0, 900, 100)]
        new = await sent(again, batch(row(50)))
        await again.stop()
        return counts, new, again._transactions._writer._newest._distrust_until

    assert run(story) == ([[[0, 100, 0, 0]]] * 9, [[1, 0, 0, 0]], 0.0)
    assert appended == [1]


def test_a_pause_makes_a_process_forget_nothing(run, ask, appended, monkeypatch):
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 0.01)

    async def story(committer):
        await sent(committer, batch(row(1000)))
        for n in range(4):
            await asyncio.sleep(0.02)
            await sent(committer, batch(row(90_000 + n)))
            await sent(committer, batch(row(500 - n)))

    run(story)
    assert appended == [1, 1, 1, 1]
