import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import text

from app.errors import TooBusy, Unavailable
from app.ingest import committer as module
from app.ingest.actions import summarise
from app.ingest.committer import Committer
from app.ingest.decode import decode
from app.ingest.group import Batch
from app.ingest.routes import committer_of
from app.ingest.schemas import ReadingsReport
from app.ingest.writing import Writer
from tests.ingest.conftest import reading


def batch(*rows, may_register=True):
    decoded = decode(msgspec.json.encode(list(rows)), "application/json", 1000)
    return Batch(decoded.columns, decoded.index, decoded.rejected, "key test", may_register)


def counted(report):
    return ReadingsReport.model_validate_json(summarise(report), strict=True)


def until_under_way(committer):
    """Whatever was submitted has left the line, on its way into the database."""
    while committer._waiting:
        pass


class FromThreads:
    """A committer as requests use it, on an event loop of its own, for tests that send from any thread."""

    def __init__(self, committer):
        self.committer = committer
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def submit(self, batch):
        """The answer's future, once the batch waits; raises what the committer raises."""
        waits = Future()

        async def ask():
            try:
                future = self.committer.submit(batch)
            except BaseException as error:
                waits.set_exception(error)
                raise
            waits.set_result(None)
            return await future

        answer = asyncio.run_coroutine_threadsafe(ask(), self.loop)
        waits.result(10)
        return answer

    def stop(self):
        asyncio.run_coroutine_threadsafe(self.committer.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def __getattr__(self, name):
        return getattr(self.committer, name)


@pytest.fixture
def committer(engine, settings):
    committer = FromThreads(Committer(engine, settings))
    yield committer
    committer.stop()


@pytest.fixture
def held(committer):
    """The writer waits while this lock is held, so that requests gather."""
    lock = threading.RLock()
    for name in ("write", "reconcile"):
        setattr(
            committer._transactions._writer, name, waiting_for(lock, getattr(committer._transactions._writer, name))
        )
    return lock


def waiting_for(lock, act):
    def wait(given):
        with lock:
            return act(given)

    return wait


def count(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM readings"))


def test_requests_that_wait_together_share_a_commit_and_each_gets_its_own_answer(committer, held, engine):
    with held:
        first = committer.submit(batch(reading("2026-11-20T07:00:00Z")))
        until_under_way(committer)
        futures = [
            committer.submit(batch(reading(f"2026-11-20T08:{number:02}:00Z"), reading(current_a=number)))
            for number in range(50)
        ]
    first.result(10)
    reports = [counted(future.result(10)) for future in futures]
    assert committer.commits == 2
    assert [report.accepted for report in reports] == [1] + [1] * 49
    assert (reports[0].merged, [report.conflicts for report in reports[1:]]) == (1, [1] * 49)
    assert [report.conflicting[0].refused for report in reports[1:]] == [float(n) for n in range(1, 50)]
    assert count(engine) == 51


def test_many_threads_are_all_answered_and_every_row_is_there_once(committer, engine):
    def send(sender):
        reports = [
            counted(
                committer.submit(
                    batch(*(reading(f"2026-11-20T08:{n % 60:02}:00Z") for n in range(at, at + 6)))
                ).result(30)
            )
            for at in range(0, 60, 6)
        ]
        return sum(report.accepted for report in reports), sum(report.duplicates for report in reports)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert [sum(column) for column in zip(*answers, strict=True)] == [60, 7 * 60]
    assert count(engine) == 60


def test_two_processes_store_the_same_rows_once(engine, settings):
    committers = [FromThreads(Committer(engine, settings)) for _ in range(2)]
    rows = [reading(f"2026-11-20T{n // 60:02}:{n % 60:02}:00Z", f"m{n % 3}") for n in range(300)]
    futures = [each.submit(batch(*order)) for order in (rows, rows[::-1]) for each in committers]
    reports = [counted(future.result(30)) for future in futures]
    for each in committers:
        each.stop()
    assert (sum(report.accepted for report in reports), sum(report.duplicates for report in reports)) == (300, 900)
    assert count(engine) == 300


def today(seconds_ago):
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()


FAILS_AT_COMMIT = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '57014'; END $$;
    CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON arrivals DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize("seconds_ago", [5, 10 * 86_400], ids=["appended", "looked up"])
def test_a_commit_that_fails_is_never_answered_with_success(post, engine, stored, seconds_ago):
    assert post(reading(today(seconds_ago + 1))).status_code == 200
    with engine.begin() as connection:
        connection.execute(text(FAILS_AT_COMMIT))
    assert post(reading(today(seconds_ago))).status_code >= 500
    assert len(stored()) == 1
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER fails ON arrivals"))
    assert post(reading(today(seconds_ago))).status_code == 200
    assert len(stored()) == 2


def test_a_database_that_went_away_is_503_and_the_service_recovers(post, client, server, engine, stored):
    assert post(reading()).status_code == 200
    with server.connect() as admin:
        name = engine.url.database
        admin.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        admin.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"), {"n": name}
        )
        answer = post(reading("2026-11-20T09:00:00Z"))
        admin.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
    assert post(reading("2026-11-20T09:00:00Z")).json()["accepted"] == 1
    assert len(stored()) == 2


def test_a_batch_that_cannot_be_stored_does_not_take_others_with_it(committer, held, engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE readings ADD CONSTRAINT no_1313 CHECK (current_a <> 1313)"))
    with held:
        committer.submit(batch(reading()))
        until_under_way(committer)
        good = committer.submit(batch(reading("2026-11-20T09:00:00Z")))
        bad = committer.submit(batch(reading("2026-11-20T10:00:00Z", current_a=1313)))
        good_too = committer.submit(batch(reading("2026-11-20T11:00:00Z")))
    assert bad.exception(10) is not None
    assert [counted(each.result(10)).accepted for each in (good, good_too)] == [1, 1]
    assert count(engine) == 3


def test_what_the_writer_remembers_may_be_out_of_date(post, engine):
    assert post(reading()).json()["accepted"] == 1
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE readings_2026_11"))
    again = post(reading("2026-11-20T09:00:00Z"))
    assert (again.status_code, again.json().get("accepted")) == (200, 1)


def test_more_than_may_wait_is_refused_at_once(committer, held, monkeypatch):
    monkeypatch.setattr(committer._backfill, "most_rows", 3)
    with held:
        futures = [committer.submit(batch(reading()))]
        until_under_way(committer)
        futures.append(committer.submit(batch(reading(), reading())))
        with pytest.raises(TooBusy) as caught:
            committer.submit(batch(reading(), reading()))
    assert caught.value.retry_after
    assert all(future.result(10) for future in futures)


def test_stopping_answers_those_who_wait_and_refuses_others(engine, settings):
    async def send_and_stop():
        committer = Committer(engine, settings)
        answers = [committer.submit(batch(reading(f"2026-11-20T08:{n:02}:00Z"))) for n in range(20)]
        stopping = asyncio.create_task(committer.stop())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            committer.submit(batch(reading()))
        await stopping
        return [answer.result() for answer in answers]

    assert len(asyncio.run(send_and_stop())) == 20
    assert count(engine) == 20


def test_other_processes_hear_of_new_readings_but_not_of_each(committer, engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("LISTEN wearwatch"))
        for n in range(20):
            committer.submit(batch(reading(f"2026-11-20T08:{n:02}:00Z"))).result(10)
        notices = [n.payload for n in connection.connection.driver_connection.notifies(timeout=1.5)]
    assert notices[0] == '{"kind": "reading", "machine": "press-07"}'
    assert 2 <= len(notices) <= 6


def test_a_client_that_gave_up_leaves_the_others_alone(committer, engine):
    async def send():
        first = committer.committer.submit(batch(reading()))
        second = committer.committer.submit(batch(reading("2026-11-20T09:00:00Z")))
        third = committer.committer.submit(batch(reading("2026-11-20T10:00:00Z")))
        second.cancel()
        return counted(await first).accepted, counted(await third).accepted

    assert asyncio.run_coroutine_threadsafe(send(), committer.loop).result(10) == (1, 1)
    assert count(engine) == 2
    assert committer.submit(batch(reading("2026-11-20T11:00:00Z"))).result(10)


def test_a_returning_gateway_keeps_todays_readings_waiting_for_a_part_of_one_commit_only(
    committer, held, monkeypatch
):
    monkeypatch.setattr(module, "BACKFILL_ROWS_TOGETHER", 10)
    groups = []
    check = committer._transactions._writer.check

    def note(batches):
        groups.append([each.columns.machine[0] for each in batches])
        return check(batches)

    monkeypatch.setattr(committer._transactions._writer, "check", note)
    with held:
        first = committer.submit(batch(reading(today(5), "first")))
        until_under_way(committer)
        old = [
            committer.submit(batch(*(reading(f"2026-10-20T{hour:02}:{n:02}:00Z", "old") for n in range(6))))
            for hour in range(20)
        ]
        live = committer.submit(batch(reading(today(1), "live")))
    for answer in (first, live, *old):
        assert counted(answer.result(20)).rejected == []
    assert groups[1] == ["live", "old"]
    assert sum(group.count("old") for group in groups) == 20


def test_back_fill_that_is_turned_away_leaves_room_for_today(committer, held, monkeypatch):
    monkeypatch.setattr(committer._backfill, "most_rows", 3)
    with held:
        committer.submit(batch(reading(today(5))))
        until_under_way(committer)
        kept = committer.submit(batch(*(reading(f"2026-10-20T08:0{n}:00Z") for n in range(3))))
        with pytest.raises(TooBusy) as caught:
            committer.submit(batch(reading("2026-10-20T09:00:00Z")))
        live = committer.submit(batch(reading(today(1))))
    assert caught.value.retry_after > module.RETRY_AFTER_SECONDS
    assert [counted(each.result(10)).accepted for each in (kept, live)] == [3, 1]


def test_a_full_line_is_told_before_the_body_is_read(post, application, monkeypatch):
    committer = committer_of(application)
    monkeypatch.setattr(committer._live, "most_requests", 0)
    answer = post(b"no JSON at all")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_a_database_that_came_back_older_is_asked_anew_who_a_machine_is(engine, settings):
    """What was restored may have given a machine's number to another one since."""
    writer = Writer(engine, settings)
    writer.write([batch(reading(machine="oven-5")), batch(reading(machine="press-99"))])
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM readings"))
        connection.execute(text("UPDATE machines SET key = 'swapped' WHERE key = 'oven-5'"))
        connection.execute(text("UPDATE machines SET key = 'oven-5' WHERE key = 'press-99'"))
        connection.execute(text("UPDATE machines SET key = 'press-99' WHERE key = 'swapped'"))
    writer.close()
    engine.dispose()
    writer.write([batch(reading(machine="press-99", temperature_c=20))])
    with engine.connect() as connection:
        query = "SELECT key, temperature_c FROM readings JOIN machines ON machines.id = machine_id"
        assert connection.execute(text(query)).all() == [("press-99", 20)]
    writer.close()


def test_an_error_after_the_commit_does_not_silence_the_committer(committer, engine, monkeypatch):
    def fail(reports):
        raise OSError("no space for the counters")

    monkeypatch.setattr(module, "_count", fail)
    assert counted(committer.submit(batch(reading())).result(10)).accepted == 1
    assert counted(committer.submit(batch(reading("2026-11-20T09:00:00Z"))).result(10)).accepted == 1


def test_a_known_machine_whose_readings_are_refused_is_in_the_account_also_after_a_restart(engine, settings):
    Writer(engine, settings).write([batch(reading())])
    Writer(engine, settings).write(
        [batch(reading("2036-11-20T08:00:00Z"), reading("2036-11-20T08:00:00Z", "who?"))]
    )
    with engine.connect() as connection:
        machine = connection.scalar(text("SELECT id FROM machines"))
        query = "SELECT refused_machine_id FROM arrivals WHERE refused_machine_id IS NOT NULL"
        assert sorted(connection.scalars(text(query)).one()) == [0, machine]


def test_extra_channels_count_when_room_is_short(committer, held, monkeypatch):
    monkeypatch.setattr(committer._backfill, "most_rows", 20)
    wide = {f"channel_{n}": float(n) for n in range(200)}
    with held:
        committer.submit(batch(reading()))
        until_under_way(committer)
        committer.submit(batch(reading("2026-11-20T09:00:00Z", extra=wide)))
        with pytest.raises(TooBusy):
            committer.submit(batch(reading("2026-11-20T10:00:00Z")))


def test_one_who_cannot_be_told_keeps_nobody_else_waiting(engine, settings):
    async def send():
        committer = Committer(engine, settings)

        def fail(found):
            raise OSError("no space for the counters")

        first = committer.submit(batch(reading(today(9))))
        committer.hand_in(batch(reading(today(8))), fail, lambda: False)
        second = committer.submit(batch(reading(today(7))))
        await asyncio.wait_for(asyncio.gather(first, second), 10)
        await asyncio.wait_for(committer.stop(), 10)

    asyncio.run(send())
    assert count(engine) == 3


def test_an_error_of_our_own_is_answered_and_the_next_ones_are_stored(committer, engine, monkeypatch):
    writer = committer._transactions._writer

    def fail(*given):
        raise RuntimeError("not foreseen")

    for name in ("reconcile", "begin_anew"):
        monkeypatch.setattr(writer, name, fail)
    assert isinstance(committer.submit(batch(reading(today(9)))).exception(10), RuntimeError)
    monkeypatch.undo()
    assert counted(committer.submit(batch(reading(today(8)))).result(10)).accepted == 1


def test_a_line_that_turned_one_away_is_full_until_some_were_taken(committer, held, monkeypatch):
    monkeypatch.setattr(committer._live, "most_rows", 4)
    with held:
        committer.submit(batch(reading(today(9))))
        until_under_way(committer)
        kept = committer.submit(batch(reading(today(8)), reading(today(7))))
        committer.check_room()
        with pytest.raises(TooBusy):
            committer.submit(batch(reading(today(6)), reading(today(5)), reading(today(4))))
        with pytest.raises(TooBusy):
            committer.check_room()
    assert kept.result(10)
    committer.check_room()
