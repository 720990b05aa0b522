"""Bounds of what waits, and messages that the database refuses for what they hold."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DataError, OperationalError

from app.errors import TooBusy
from app.ingest.mqtt import inbox
from app.ingest.mqtt.chunks import divided, in_chunks, passes
from app.ingest.mqtt.inbox import Inbox, Message
from app.ingest.mqtt.reading import Reader
from app.ingest.writing import MOST_LEDGER_ROWS
from app.security.principal import Principal, Role
from app.settings import Settings

SENDER = Principal("mqtt", "bridge", Role.SENSOR)


def message(body: bytes = b'{"temp": 1}', qos: int = 1, connection: int = 0) -> Message:
    return Message("plant/press-07", body, qos, 1, connection, False, False, 1_795_161_600_000_000, len(body))


def reads(count: int, rows: int = 1):
    body = b"[%s]" % b",".join([b'{"temp": 1}'] * rows)
    return Reader(Settings(mqtt_topics="plant/{machine}")).read([message(body) for _ in range(count)], 0.0)


def test_chunks_hold_every_message_once_and_no_more_rows_than_the_ledger_takes():
    sent = reads(7, rows=300)
    chunks = in_chunks(sent, SENDER)
    assert [read for chunk in chunks for read in chunk.reads] == sent
    assert [len(chunk.batch.columns) for chunk in chunks] == [900, 900, 300]
    assert max(len(chunk.batch.columns) for chunk in chunks) <= MOST_LEDGER_ROWS


def test_the_message_to_blame_is_found_by_halves_and_refused_whole():
    chunks = in_chunks(reads(5), SENDER)
    error = DataError("INSERT", {}, ValueError())
    while not chunks[0].is_refusal:
        chunks = divided(chunks[0], SENDER, error) + chunks[1:]
    assert [len(chunk.reads) for chunk in chunks] == [1, 1, 3]
    [refused] = chunks[0].batch.rejected
    assert refused.payload == 'plant/press-07 [{"temp": 1}]'
    assert not len(chunks[0].batch.columns)


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (OperationalError("INSERT", {}, ValueError()), True),
        (TooBusy("later"), True),
        (DataError("INSERT", {}, ValueError()), False),
        (TypeError("a fault of ours"), False),
    ],
)
def test_waiting_helps_against_an_absent_database_and_not_against_the_data(error, waits):
    assert passes(error) is waits


def test_messages_nobody_acknowledges_are_bounded_and_the_lost_ones_counted(monkeypatch):
    monkeypatch.setattr(inbox, "MOST_UNACKNOWLEDGED_WAITING", 3)
    box = Inbox()
    for _ in range(5):
        box.put(message(qos=0))
        box.put(message(qos=1))
    assert (box.lost, len(box)) == (2, 8)
    assert len(box.take(100, 1 << 20, 0)) == 8
    box.put(message(qos=0))
    assert (box.lost, len(box)) == (2, 1)


def test_what_is_taken_at_once_is_bounded_in_bytes_but_never_nothing():
    box = Inbox()
    for _ in range(3):
        box.put(message(b"x" * 100))
    assert [len(box.take(100, 250, 0)), len(box.take(100, 1, 0)), len(box.take(100, 1, 0))] == [2, 1, 0]


def test_a_resumed_session_repeats_what_was_not_acknowledged_so_it_is_not_kept_twice():
    box = Inbox()
    box.put(message(connection=0))
    box.put(message(qos=0, connection=0))
    box.put(message(connection=1))
    box.forget_repeated(1)
    assert [(m.qos, m.connection) for m in box.take(100, 1000, 0)] == [(0, 0), (1, 1)]


def test_a_closed_inbox_gives_out_what_it_has_and_takes_nothing_more():
    box = Inbox()
    box.put(message())
    box.close()
    box.put(message())
    assert len(box.take(100, 1000, 0)) == 1
    assert len(box) == 0
