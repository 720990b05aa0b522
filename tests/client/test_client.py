"""The client against a service that answers in every way: what was added is settled once, nothing is dropped."""

from __future__ import annotations

import json
import logging
import random
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wearwatch_client
from tests.client.conftest import Refuse
from wearwatch_client import Client, ClientError, Closed, NotAReading, QueueFull, QueueInUse
from wearwatch_client import sender as sender_module
from wearwatch_client.connection import Connection
from wearwatch_client.frames import Queued
from wearwatch_client.kept import Refusal, Rejected

START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def add(client: Client, count: int, first: int = 0, **channels: float) -> None:
    client.add_rows(
        {"machine": "m", "measured_at": (START + timedelta(seconds=each)).isoformat(), **channels}
        for each in range(first, first + count)
    )


def rejected(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "queue" / "rejected.ndjson").read_text().splitlines()]


def test_what_is_added_arrives_as_it_was_given_in_batches_with_the_key(service, open_client):
    client = open_client(batch_rows=100)
    client.add("press-07", START, temperature_c=61.25, current_a=None, extra={"pressure_bar": 5.4, "x": None})
    add(client, 250)
    assert client.flush(10)
    first = {
        "machine": "press-07",
        "measured_at": "2026-11-20T08:00:00+00:00",
        "temperature_c": 61.25,
        "extra": {"pressure_bar": 5.4},
    }
    assert service.rows[0] == first
    assert max(map(len, service.batches)) == 100
    assert {headers["Authorization"] for headers in service.headers} == {"Bearer ww_secret"}
    assert len(service.connections) == 1
    assert (client.stats.accepted, client.stats.waiting, client.stats.problem) == (251, 0, "")


def test_readings_that_come_one_by_one_share_a_request(service, open_client):
    client = open_client(batch_seconds=0.3)
    for number in range(50):
        add(client, 1, number)
    deadline = time.monotonic() + 10
    while client.stats.waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(service.rows) == 50
    assert len(service.batches) < 10


@pytest.mark.parametrize(
    "trouble",
    [
        "cut",
        "store and cut",
        "half an answer",
        Refuse(500),
        Refuse(503),
        Refuse(404),
        Refuse(409),
        Refuse(302, {"Location": "http://elsewhere/"}),
        Refuse(200, document={"accepted": 1, "rejected": []}, kind="application/json"),
        Refuse(200, document="<html>Sign in to the guest network</html>", kind="text/html"),
        Refuse(422, document="no Wearwatch", kind="text/html"),
        Refuse(400, kind="text/html"),
    ],
    ids=str,
)
def test_whatever_goes_wrong_everything_arrives_once_and_nothing_is_rejected(service, open_client, trouble):
    service.script = [trouble, trouble, None, trouble]
    client = open_client(batch_rows=7)
    add(client, 40)
    assert client.flush(10)
    assert sum(service.stored.values()) == 40
    assert client.stats.rejected == 0
    assert client.stats.accepted + client.stats.duplicates == 40


def test_an_idle_connection_that_the_service_closed_is_no_failure(service, open_client):
    service.script = ["store and close"]
    client = open_client()
    for number in range(2):
        add(client, 1, number)
        assert client.flush(10)
    assert len(service.connections) == 2
    assert client.stats.failures == 0


@pytest.mark.parametrize("status", [429, 503, 507])
def test_the_wait_a_busy_service_asks_for_is_honoured_and_then_it_goes_on(service, open_client, status):
    service.script = [Refuse(status, {"Retry-After": "1"}, {"detail": "More arrives than can be stored."})]
    client = open_client()
    began = time.monotonic()
    add(client, 1)
    assert not client.flush(0.5)
    assert client.stats.problem == f"the service answers {status}: More arrives than can be stored."
    assert client.flush(10)
    assert 1 <= time.monotonic() - began < 3
    assert client.stats.problem == ""


def test_rejected_rows_are_kept_with_their_reason_counted_and_not_sent_again(service, open_client, tmp_path):
    client = open_client()
    rows = [{"machine": "m", "measured_at": f"2026-11-20T08:00:0{each}Z"} for each in range(3)]
    rows[1]["temperature_c"] = -500
    client.add_rows(rows)
    add(client, 1, temperature_c=-999)
    assert client.flush(10)
    client.close()
    kept = rejected(tmp_path)
    assert [(each["field"], each["reason"]) for each in kept] == [("temperature_c", "below -273.15")] * 2
    assert kept[0]["reading"] == rows[1]
    assert client.stats.rejected == 2
    sent = len(service.rows)
    again = open_client()
    assert again.flush(1)
    assert (again.stats.waiting, len(service.rows)) == (0, sent)


def test_a_batch_of_rejected_rows_only_is_settled_by_its_422(service, open_client, tmp_path):
    client = open_client()
    add(client, 20, temperature_c=-999)
    assert client.flush(10)
    assert len(service.batches) == 1
    assert [each["status"] for each in rejected(tmp_path)] == [422] * 20


def test_a_rejected_row_of_a_batch_that_is_sent_again_after_a_crash_is_kept_once(service, open_client, tmp_path):
    client = open_client()
    add(client, 5, temperature_c=-999)
    assert client.flush(10)
    client.close()
    queue = tmp_path / "queue"
    before = {path.name: path.read_bytes() for path in queue.glob("*.segment")}
    (queue / "position").unlink()
    with (queue / "rejected.ndjson").open("ab") as torn:
        torn.write(b'{"number": 6, "sta')
    again = open_client()
    assert before
    add(again, 1, 5, temperature_c=-999)
    assert again.flush(10)
    assert [each["number"] for each in rejected(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_batch_that_is_too_large_is_halved_until_it_fits(service, open_client):
    service.most_rows = 30
    client = open_client(batch_rows=100)
    add(client, 300)
    assert client.flush(10)
    assert sum(service.stored.values()) == 300
    assert client.stats.rejected == 0


def test_the_one_reading_that_spoils_a_batch_is_found_and_kept_and_the_others_arrive(
    service, open_client, tmp_path, monkeypatch
):
    normal = service.answer

    def choking(rows: list[dict]) -> Refuse | bytes:
        if any("poison" in row for row in rows):
            return Refuse(400, document={"detail": "The body is not JSON."})
        return normal(rows)

    monkeypatch.setattr(service, "answer", choking)
    client = open_client(batch_rows=64)
    add(client, 20)
    add(client, 1, 20, poison=1)
    add(client, 20, 21)
    assert client.flush(10)
    assert sum(service.stored.values()) == 40
    [kept] = rejected(tmp_path)
    assert (kept["number"], kept["reason"]) == (21, "400: The body is not JSON.")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_keeps_everything_says_so_and_is_tried_slowly(
    service, open_client, status, monkeypatch, caplog
):
    monkeypatch.setattr(sender_module, "KEY_REFUSED_SECONDS", 0.5)
    service.script = [Refuse(status, document={"detail": "This key is revoked."})] * 2
    client = open_client()
    began = time.monotonic()
    add(client, 10)
    assert not client.flush(0.3)
    assert client.stats.key_refused
    assert client.flush(10)
    assert time.monotonic() - began >= 1
    assert not client.stats.key_refused
    told = [record.getMessage() for record in caplog.records if "key is refused" in record.getMessage()]
    assert len(told) == 1
    assert "This key is revoked." in told[0]


def test_what_a_service_that_is_away_cannot_take_waits_on_disk_for_the_next_start(service, open_client):
    away = open_client(url="http://127.0.0.1:1")
    add(away, 500)
    began = time.monotonic()
    away.close()
    assert time.monotonic() - began < 2
    assert "no answer" in away.stats.problem
    with open_client() as client:
        assert client.stats.waiting == 500
        assert client.flush(10)
    assert [row["measured_at"] for row in service.rows] == sorted(row["measured_at"] for row in service.rows)
    assert sum(service.stored.values()) == 500


def test_a_full_queue_refuses_loudly_and_takes_again_when_the_service_is_back(service, open_client, tmp_path):
    client = open_client(url="http://127.0.0.1:1", max_bytes=1 << 20)
    added = 0
    with pytest.raises(QueueFull, match="nothing was queued"):  # noqa: PT012
        while True:
            add(client, 100, added)
            added += 100
    client.close()
    assert sum(path.stat().st_size for path in (tmp_path / "queue").iterdir()) <= 1 << 20
    back = open_client(max_bytes=1 << 20)
    assert back.flush(20)
    add(back, 1, added)
    assert back.flush(10)
    assert sum(service.stored.values()) == added + 1


def test_nobody_waits_for_what_was_damaged(service, open_client, tmp_path):
    away = open_client(url="http://127.0.0.1:1")
    add(away, 3)
    away.close()
    [segment] = (tmp_path / "queue").glob("*.segment")
    segment.write_bytes(segment.read_bytes().replace(b"machine", b"mochine"))
    client = open_client()
    assert client.flush(10)
    assert (client.stats.lost, client.stats.waiting, service.rows) == (3, 0, [])


def test_closing_delivers_what_waits(service, open_client):
    with open_client(batch_seconds=60) as client:
        add(client, 10)
    assert len(service.rows) == 10


def test_after_closing_nothing_is_taken_and_another_client_may_have_the_queue(open_client):
    client = open_client()
    with pytest.raises(QueueInUse):
        open_client()
    client.close()
    client.close()
    with pytest.raises(Closed):
        add(client, 1)
    open_client()


def test_a_service_that_never_answers_does_not_hold_up_closing(open_client):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = open_client(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        add(client, 1)
        began = time.monotonic()
        client.close(0.2)
        assert time.monotonic() - began < 4
        assert client.stats.waiting == 1


def test_many_threads_add_while_the_line_is_cut_at_random(service, open_client):
    chance = random.Random(3)
    troubles = [None, "cut", "store and cut", "half an answer", Refuse(503), Refuse(429, {"Retry-After": "0"})]
    service.script = chance.choices(troubles, k=25)
    client = open_client(batch_rows=20)
    threads = [
        threading.Thread(target=lambda start: [add(client, 5, n) for n in range(start, start + 100, 5)], args=(s,))
        for s in range(0, 400, 100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(20)
    assert len(service.stored) == 400
    assert client.stats.rejected == 0


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ({"temperature_c": float("nan")}, "temperature_c is nan; leave out"),
        ({"temperature_c": float("inf")}, "temperature_c is inf"),
        ({"temperature_c": 10**400}, "temperature_c is not a number"),
        ({"temperature_c": True}, "temperature_c is True, not a number"),
        ({"temperature_c": "61"}, "not a number"),
        ({"extra": {"pressure_bar": b"5"}}, "pressure_bar"),
    ],
)
def test_what_cannot_be_a_measurement_is_refused_where_it_is_added(open_client, channels, told):
    client = open_client()
    with pytest.raises(NotAReading, match=told):
        client.add("m", START, **channels)
    assert client.stats.queued == 0


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"machine": "m"},
        {"machine": 7, "measured_at": "2026"},
        {"machine": "m", "measured_at": "2026", "temperature_c": float("nan")},
        {"machine": "m", "measured_at": "2026", "temperature_c": {1, 2}},
        {"machine": "m" * 70_000, "measured_at": "2026"},
    ],
)
def test_a_row_that_is_no_reading_is_refused_and_none_of_its_company_is_queued(open_client, row):
    client = open_client()
    with pytest.raises(NotAReading):
        client.add_rows([{"machine": "m", "measured_at": "2026-11-20T08:00:00Z"}, row])
    assert client.stats.queued == 0


def test_a_time_without_a_zone_is_refused(open_client):
    with pytest.raises(NotAReading, match="no time zone"):
        open_client().add("m", datetime(2026, 11, 20), temperature_c=1)


@pytest.mark.parametrize(
    "address", ["", "localhost:8000", "ftp://x", "http://", "http://a:b@c", "http://h/?key=x", "http://h:port"]
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(tmp_path, address):
    with pytest.raises(ClientError, match="address"):
        Client(address, tmp_path, key="k")


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_being_shown(tmp_path, key, monkeypatch):
    monkeypatch.delenv("WEARWATCH_API_KEY", raising=False)
    with pytest.raises(ClientError) as refused:
        Client("http://127.0.0.1:1", tmp_path, key=key)
    assert "key" in str(refused.value)
    assert not key or key not in str(refused.value)


def test_the_key_comes_from_the_environment_and_is_in_no_log_and_no_file(
    service, open_client, monkeypatch, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("WEARWATCH_API_KEY", "ww_from_environment")
    service.script = [Refuse(401), "cut", Refuse(500)]
    monkeypatch.setattr(sender_module, "KEY_REFUSED_SECONDS", 0.01)
    client = open_client(key=None)
    add(client, 3, temperature_c=-999)
    assert client.flush(10)
    assert service.headers[-1]["Authorization"] == "Bearer ww_from_environment"
    assert "ww_from_environment" not in caplog.text
    assert "ww_from_environment" not in repr(vars(client)) + repr(client.stats)
    assert not any(b"ww_from" in path.read_bytes() for path in (tmp_path / "queue").iterdir())


def test_an_error_of_its_own_does_not_end_the_sender(service, open_client, monkeypatch, caplog):
    judge, failures = sender_module.judge, [ZeroDivisionError("a mistake")]

    def mistaken(*arguments):
        if failures:
            raise failures.pop()
        return judge(*arguments)

    monkeypatch.setattr(sender_module, "judge", mistaken)
    client = open_client()
    add(client, 1)
    assert client.flush(10)
    assert "An error of the client itself" in caplog.text


def test_it_runs_alone_on_the_standard_library(tmp_path, service):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from wearwatch_client import Client\n"
        "with Client(sys.argv[2], sys.argv[3], key='k') as client:\n"
        "    client.add('m', '2026-11-20T08:00:00Z', temperature_c=1.5)\n"
        "    assert client.flush(10)\n"
    )
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "wearwatch_client").symlink_to(Path(__file__).parents[2] / "wearwatch_client")
    command = [sys.executable, "-I", "-S", "-c", program, tmp_path / "alone", service.address, tmp_path / "queue"]
    subprocess.run(command, check=True, timeout=30)
    assert service.rows == [{"machine": "m", "measured_at": "2026-11-20T08:00:00Z", "temperature_c": 1.5}]


def test_kept_rejections_are_bounded_and_the_newest_stay(tmp_path):
    rejected = Rejected(tmp_path, most_bytes=2_000)
    for number in range(1, 101):
        rejected.keep([(Queued(number, b'{"machine":"m"}'), Refusal(422, "machine", "unknown"))])
    files = list(tmp_path.iterdir())
    assert sorted(path.name for path in files) == ["rejected.ndjson", "rejected.ndjson.1"]
    assert all(path.stat().st_size <= 2_000 for path in files)
    assert Rejected(tmp_path).last_number == 100
    (tmp_path / "rejected.ndjson").unlink()
    assert Rejected(tmp_path).last_number > 80


def test_an_ipv6_address_without_a_port_is_understood():
    connection = Connection("https://[::1]/below", "key")
    assert (connection._http.host, connection._http.port) == ("::1", 443)


def test_the_example_of_the_docs_runs_as_it_stands(service, tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
    [example] = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "wearwatch_client" in code]

    class Round(Exception):
        pass

    def end(_: float) -> None:
        raise Round

    monkeypatch.setattr(time, "sleep", end)
    monkeypatch.setattr(
        wearwatch_client, "Client", lambda url, queue, ca_file: Client(service.address, tmp_path / "queue", key="k")
    )
    sensors = {name: lambda machine: 1.5 for name in ("read_temperature", "read_vibration", "read_pressure")}
    with pytest.raises(Round):
        exec(compile(example, "docs/clients.md", "exec"), dict(sensors))
    assert [row["machine"] for row in service.rows] == ["press-07", "press-08"]
    assert service.rows[0]["extra"] == {"pressure_bar": 1.5}
