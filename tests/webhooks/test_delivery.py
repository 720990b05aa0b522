"""A step of an order reaches who wants it: in order, signed, again until taken; nobody waits for the slow."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.database import session_scope
from app.fleet.failure_modes import load_failure_modes
from app.orders import actions
from app.orders.findings import Moments, finish
from app.orders.schemas import CancelIn, DoneIn, StartIn
from app.security.tables import AuditEntry
from app.webhooks import actions as webhooks
from app.webhooks import delivery
from app.webhooks.delivery import deliver
from app.webhooks.schemas import WebhookChange

from .conftest import ADA
from .receiver import closing, held_until, receiving, status

WORKER = """
import sys
from pathlib import Path
from app.database import make_engine
from app.settings import Settings
from app.webhooks.delivery import deliver
deliver(make_engine(sys.argv[1]), Settings(data_dir=Path(sys.argv[2]), webhook_loopback=True))
"""


def told(receiver):
    """(kind, version) of each request, the oldest first."""
    bodies = [json.loads(body) for _, _, body in receiver.requests]
    return [(body["type"], body["data"].get("version")) for body in bodies]


def verified(secret, headers, body):
    """As a receiver does it, without our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return expected in headers["webhook-signature"].split(" ")


def test_a_new_order_is_told_signed_and_whole(subscribe, receiver, order, round_, now):
    secret = subscribe(receiver)
    order_id = order("press-07", {"external_id": "PM-4711", "work": "Lager über Kopf"}, site="North", line="L1")
    round_()
    ((_, headers, body),) = receiver.requests
    assert verified(secret, headers, body)
    assert not verified(secret, headers, body + b" ")
    assert headers["Content-Type"] == "application/json"
    said = json.loads(body)
    assert (said["type"], said["timestamp"]) == ("work_order.created", f"{now:%Y-%m-%dT%H:%M:%SZ}")
    wanted = {"id": order_id, "external_id": "PM-4711", "machine": "press-07", "line": "L1", "version": 1}
    assert said["data"].items() >= (wanted | {"state": "proposed", "work": "Lager über Kopf"}).items()
    assert said["data"]["step"]["actor"] == ADA.actor
    assert said["data"]["finding"] is None


def test_each_message_is_the_order_as_it_was_at_that_step(
    subscribe, receiver, order, accept, schedule, round_, engine, now
):
    subscribe(receiver)
    order_id = order()
    accept(order_id)
    schedule(order_id)
    with session_scope(engine) as session:
        actions.start(session, ADA, order_id, StartIn(version=3), now, now)
    with session_scope(engine) as session:
        found = DoneIn(version=4, outcome="fault_found", mode="VIB", component="radial bearing", note="inner race")
        finish(session, ADA, order_id, found, load_failure_modes(None), Moments(now, now))
    round_()
    states = ["created", "accepted", "scheduled", "started", "done"]
    assert told(receiver) == [(f"work_order.{state}", number) for number, state in enumerate(states, 1)]
    data = [json.loads(body)["data"] for _, _, body in receiver.requests]
    assert [each["crew"] for each in data] == [None, None, "night", "night", "night"]
    assert [each["started_at"] is not None for each in data] == [False, False, False, True, True]
    assert [each["finding"] for each in data[:4]] == [None] * 4
    assert data[4]["finding"].items() >= {"outcome": "fault_found", "mode": "VIB", "note": "inner race"}.items()


def test_an_order_that_is_not_stored_is_not_told(subscribe, receiver, order, round_, engine, now, stored):
    subscribe(receiver)
    order_id = order()
    with suppress(ZeroDivisionError), session_scope(engine) as session:
        actions.cancel(session, ADA, order_id, CancelIn(version=1, why="no need"), now)
        raise ZeroDivisionError
    round_()
    assert told(receiver) == [("work_order.created", 1)]
    assert len(stored()) == 1


def test_only_what_is_wanted_is_told(subscribe, receiver, order, accept, round_):
    with receiving() as other:
        subscribe(receiver, "one line", line="L1")
        subscribe(other, "accepted", site="North", kinds=["work_order.accepted"])
        accept(order("press-07", site="North", line="L2"))
        accept(order("press-08", site="South", line="L1"))
        order("press-09")
        round_()
        assert told(receiver) == [("work_order.created", 1), ("work_order.accepted", 2)]
        assert told(other) == [("work_order.accepted", 2)]


def test_what_was_not_taken_goes_out_again_under_the_same_id_with_a_new_time(
    subscribe, receiver, order, round_, stored, listed
):
    secret = subscribe(receiver)
    receiver.behaviours = [status(500), closing, status(302, [("Location", "/x")])]
    order()
    round_()
    round_()
    assert len(receiver.requests) == 1
    assert (listed().waiting, listed().last_status, listed().last_fault) == (1, 500, "It answered 500.")
    for hours in (1, 2, 3, 4):
        round_(hours=hours)
    assert len(receiver.requests) == 4
    assert len(set(receiver.ids)) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in receiver.requests}) == 4
    assert len({body for _, _, body in receiver.requests}) == 1
    assert all(verified(secret, headers, body) for _, headers, body in receiver.requests)
    assert (stored()[0].attempts, stored()[0].delivered_at is not None) == (4, True)
    assert (listed().waiting, listed().last_fault) == (0, None)


def test_a_later_version_waits_for_the_earlier_and_other_orders_do_not(subscribe, receiver, order, accept, round_):
    subscribe(receiver)
    receiver.behaviours = [status(400)]
    order_id = order("press-07")
    accept(order_id)
    order("press-08")
    round_()
    assert told(receiver) == [("work_order.created", 1), ("work_order.created", 1)]
    round_(minutes=1)
    assert told(receiver)[2:] == [("work_order.created", 1), ("work_order.accepted", 2)]
    assert receiver.ids[2] == receiver.ids[0]


def test_after_the_last_attempt_it_is_given_up_shown_and_the_next_version_goes(
    subscribe, receiver, order, accept, round_, listed, stored, engine, now
):
    subscribe(receiver)
    receiver.behaviours = [status(500)] * 10
    accept(order())
    for day in range(12):
        round_(days=day)
    assert told(receiver) == [("work_order.created", 1)] * 10 + [("work_order.accepted", 2)]
    assert (listed().given_up, listed().waiting) == (1, 0)
    with session_scope(engine) as session:
        assert webhooks.send_again(session, ADA, "cmms", None, now) == 1
    round_()
    assert receiver.ids[-1] == receiver.ids[0]
    assert listed().given_up == 0
    assert all(message.delivered_at for message in stored())


def test_one_that_is_gone_is_disabled_and_told_nothing_until_it_is_enabled(
    subscribe, receiver, order, accept, round_, listed, engine, now
):
    subscribe(receiver)
    receiver.behaviours = [status(410)]
    order_id = order()
    round_()
    accept(order_id)
    round_(days=2)
    assert len(receiver.requests) == 1
    assert (listed().disabled_why, listed().waiting) == ("It answered 410: it is gone for good.", 1)
    with session_scope(engine) as session:
        webhooks.change_webhook(session, ADA, "cmms", WebhookChange(enabled=True), now)
    round_()
    assert told(receiver) == [("work_order.created", 1)] * 2
    assert listed().disabled_at is None


def test_a_worker_killed_after_sending_sends_again_under_the_same_id(
    subscribe, receiver, order, settings, engine, round_
):
    subscribe(receiver)
    order()
    forever = threading.Event()
    receiver.behaviours = [held_until(forever)]
    url = engine.url.render_as_string(hide_password=False)
    worker = subprocess.Popen([sys.executable, "-c", WORKER, url, str(settings.data_dir)])
    receiver.wait_for(1)
    worker.kill()
    worker.wait(20)
    forever.set()
    # The server notices within moments that the dead worker's connection, and with it its hold, is gone.
    for _ in range(1000):
        round_()
        if len(receiver.requests) == 2:
            break
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


def test_two_workers_at_once_send_nothing_twice(subscribe, receiver, order, engine, settings, round_):
    subscribe(receiver)
    for number in range(3):
        order(f"press-{number}")
    release = threading.Event()
    receiver.behaviours = [held_until(release)]
    first = threading.Thread(target=deliver, args=(engine, settings))
    first.start()
    receiver.wait_for(1)
    round_()
    assert len(receiver.requests) == 1
    release.set()
    first.join(20)
    assert len(receiver.ids) == len(set(receiver.ids)) == 3


def test_a_receiver_that_hangs_keeps_no_other_waiting(subscribe, receiver, order, engine, settings):
    with receiving() as slow:
        release = threading.Event()
        slow.behaviours = [held_until(release)]
        subscribe(slow, "a slow one")
        subscribe(receiver, "the other")
        for number in range(3):
            order(f"press-{number}")
        worker = threading.Thread(target=deliver, args=(engine, settings))
        worker.start()
        receiver.wait_for(3)
        assert len(slow.requests) == 1
        release.set()
        worker.join(20)


def test_one_that_is_away_is_asked_once_a_round_and_not_for_every_message(
    subscribe, receiver, order, round_, stored
):
    subscribe(receiver)
    receiver.behaviours = [closing] * 9
    for number in range(3):
        order(f"press-{number}")
    round_()
    assert len(receiver.requests) == 1
    assert [message.attempts for message in stored()] == [1, 0, 0]
    round_()
    assert [message.attempts for message in stored()] == [1, 1, 0]


@pytest.mark.parametrize("code", [429, 503])
def test_one_that_asks_for_time_is_left_alone_with_every_order_until_then(
    subscribe, receiver, order, round_, stored, code
):
    subscribe(receiver)
    receiver.behaviours = [status(code, [("Retry-After", "600")])]
    for number in range(3):
        order(f"press-{number}")
    round_()
    order("press-3")
    round_()
    round_(minutes=9)
    assert len(receiver.requests) == 1
    assert [message.attempts for message in stored()] == [1, 0, 0, 0]
    round_(minutes=11)
    assert len(receiver.requests) == 5
    assert all(message.delivered_at for message in stored())


def test_an_order_that_failed_often_makes_no_other_wait_longer_than_the_receiver_asked(
    subscribe, receiver, order, round_, stored
):
    subscribe(receiver)
    receiver.behaviours = [status(500)] * 4 + [status(503, [("Retry-After", "60")])]
    order("press-0")
    for hours in (0, 1, 2, 5, 12):
        round_(hours=hours)
    assert stored()[0].attempts == 5
    order("press-1")
    round_(hours=12, minutes=2)
    assert [message.delivered_at is not None for message in stored()] == [False, True]


def test_at_another_address_nobody_asked_for_time(subscribe, receiver, order, round_, engine, now, listed):
    subscribe(receiver)
    receiver.behaviours = [status(503, [("Retry-After", "86400")])]
    order("press-0")
    round_()
    order("press-1")
    with receiving() as other:
        with session_scope(engine) as session:
            webhooks.change_webhook(session, ADA, "cmms", WebhookChange(address=other.address()), now)
        assert (listed().last_status, listed().last_fault, listed().tried_at) == (None, None, None)
        round_()
        assert len(other.requests) == 1


def test_eight_that_are_away_keep_no_ninth_from_its_turn(subscribe, receiver, order, round_):
    with receiving() as away:
        away.behaviours = [closing] * 99
        for number in range(8):
            subscribe(away, f"away {number}")
        for number in range(3):
            order(f"press-{number}")
        subscribe(receiver, "the ninth")
        order("press-3")
        round_()
        round_()
        assert len(receiver.requests) == 1


def test_what_nobody_foresaw_at_one_receiver_is_its_fault_and_stops_no_other(
    subscribe, receiver, order, round_, listed, monkeypatch
):
    real = delivery.post

    def post(address, *given, **named):
        if "token" in address:
            raise ValueError(address)
        return real(address, *given, **named)

    monkeypatch.setattr(delivery, "post", post)
    subscribe(receiver, "odd", address=receiver.address("/hook?token=very-secret"))
    subscribe(receiver, "the other")
    order()
    round_()
    assert len(receiver.requests) == 1
    assert (listed("odd").waiting, listed("the other").waiting) == (1, 0)
    assert listed("odd").last_fault == "Sending to it failed unexpectedly (ValueError)."
    round_()
    assert len(receiver.requests) == 1


def test_no_number_of_a_receiver_stops_the_round(subscribe, receiver, order, round_, stored):
    subscribe(receiver)
    receiver.behaviours = [status(503, [("Retry-After", "9" * 5000)])]
    order()
    round_()
    assert (stored()[0].attempts, stored()[0].last_fault) == (1, "It answered 503.")


@pytest.mark.parametrize("late", [410, 503])
def test_what_the_old_address_answers_late_is_not_held_against_the_new(
    subscribe, receiver, order, round_, engine, settings, now, listed, late
):
    subscribe(receiver)
    order()
    release = threading.Event()
    receiver.behaviours = [held_until(release, late)]
    worker = threading.Thread(target=deliver, args=(engine, settings))
    worker.start()
    receiver.wait_for(1)
    with receiving() as other:
        with session_scope(engine) as session:
            webhooks.change_webhook(session, ADA, "cmms", WebhookChange(address=other.address()), now)
        release.set()
        worker.join(20)
        assert listed().disabled_at is None
        assert listed().last_status != late
        round_(minutes=1)
        assert other.ids == receiver.ids


def test_a_second_test_does_not_wait_for_the_first(subscribe, receiver, round_, engine, now):
    subscribe(receiver)
    receiver.behaviours = [status(404)]
    for seconds in range(2):
        with session_scope(engine) as session:
            webhooks.send_test(session, "cmms", now + timedelta(seconds=seconds))
    round_()
    assert len(set(receiver.ids)) == 2


def test_a_worker_that_is_told_to_stop_begins_nothing(subscribe, receiver, order, engine, settings, stored):
    subscribe(receiver)
    order()
    deliver(engine, settings, stop=lambda: True)
    assert receiver.requests == []
    assert stored()[0].attempts == 0


def test_a_webhook_removed_while_it_is_told_troubles_nobody(subscribe, receiver, order, engine, settings, stored):
    subscribe(receiver)
    order()
    release = threading.Event()
    receiver.behaviours = [held_until(release)]
    worker = threading.Thread(target=deliver, args=(engine, settings))
    worker.start()
    receiver.wait_for(1)
    with session_scope(engine) as session:
        webhooks.remove_webhook(session, ADA, "cmms")
    release.set()
    worker.join(20)
    assert not worker.is_alive()
    assert stored() == []
    order("press-08")


def test_an_order_and_the_removal_of_a_webhook_at_once_both_succeed(subscribe, receiver, order, engine, stored):
    subscribe(receiver)
    made = threading.Thread(target=order)
    with session_scope(engine) as session:
        webhooks.remove_webhook(session, ADA, "cmms")
        session.flush()
        made.start()
        made.join(0.3)
    made.join(20)
    assert stored() == []
    with session_scope(engine) as session:
        assert actions.store.order_by_id(session, 1).order.version == 1


def test_while_a_secret_changes_a_receiver_may_know_either_and_a_day_later_only_the_new(
    subscribe, receiver, order, round_, engine, now
):
    old = subscribe(receiver)
    with session_scope(engine) as session:
        new = webhooks.new_secret_of(session, ADA, "cmms", now)
    order("press-07")
    round_()
    order("press-08")
    round_(hours=25)
    (_, *during), (_, *after) = receiver.requests
    assert (verified(old, *during), verified(new, *during)) == (True, True)
    assert (verified(old, *after), verified(new, *after)) == (False, True)


@pytest.mark.parametrize("behaviours", [[], [status(500)], [closing]])
def test_no_secret_and_no_query_is_logged_or_shown(subscribe, receiver, order, round_, listed, engine, behaviours):
    secret = subscribe(receiver, address=receiver.address("/hook?token=very-secret"))
    receiver.behaviours = behaviours
    order()
    with capture_logs() as logged:
        round_()
    assert [each["event"] for each in logged] == ["webhook"]
    with session_scope(engine) as session:
        audited = [(each.subject, each.detail) for each in session.scalars(select(AuditEntry))]
    shown = str((logged, audited, listed()))
    assert receiver.requests[0][0] == "/hook?token=very-secret"
    assert "very-secret" not in shown
    assert secret not in shown
    assert secret.removeprefix("whsec_") not in shown
    assert "/hook?***" in str(listed())
