"""Administrators say who is told; a secret is shown once, and what stands in an address's query never."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from app.security.policy import Role
from app.security.tables import AuditEntry
from app.webhooks.signature import secret_text
from app.webhooks.tables import Webhook, WebhookMessage

URL = "/api/v1/webhooks"


@pytest.fixture
def admin(key_for):
    return key_for(Role.ADMIN)


@pytest.fixture
def make(client, admin):
    def post(name="cmms", address="https://cmms.plant/hook?token=very-secret", **given):
        return client.post(URL, json={"name": name, "address": address, **given}, headers=admin)

    return post


def test_the_secret_is_shown_once_and_the_query_never(client, admin, make, session):
    made = make(site="North", kinds=["work_order.done"])
    assert made.status_code == 201
    secret = made.json()["secret"]
    listed = client.get(URL, headers=admin)
    (shown,) = listed.json()["webhooks"]
    assert shown["address"] == "https://cmms.plant/hook?***"
    assert (shown["site"], shown["line"], shown["kinds"]) == ("North", None, ["work_order.done"])
    assert (shown["waiting"], shown["given_up"], shown["last_fault"]) == (0, 0, None)
    audited = str([(entry.subject, entry.detail) for entry in session.scalars(select(AuditEntry))])
    for text in (listed.text, audited):
        assert "very-secret" not in text
        assert secret not in text
    assert make().status_code == 409


@pytest.mark.parametrize("role", [Role.SENSOR, Role.OPERATOR, Role.PLANNER])
def test_nobody_else_comes_near(client, key_for, make, role):
    make()
    headers = key_for(role)
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"name": "x", "address": "http://x/"}),
        ("PATCH", "/cmms", {"enabled": False}),
        ("DELETE", "/cmms", None),
        ("POST", "/cmms/test", None),
        ("POST", "/cmms/secret", None),
        ("GET", "/cmms/messages", None),
        ("POST", "/cmms/send-again", {}),
    ):
        assert client.request(method, URL + path, json=body, headers=headers).status_code == 403, path
        assert client.request(method, URL + path, json=body).status_code == 401, path


@pytest.mark.parametrize(
    "given",
    [
        {"address": "ftp://cmms/"},
        {"address": "http://user:very-secret@cmms/"},
        {"address": "http://cmms/" + "x" * 3000},
        {"address": "http://cmms/\u0000"},
        {"address": "http://cmms/\ud800"},
        {"address": 7},
        {"kinds": ["work_order.eaten"]},
        {"kinds": ["work_order.done"] * 99},
        {"name": "../x"},
        {"name": ""},
        {"secret": "whsec_AAAA"},
    ],
)
def test_what_cannot_be_is_refused_and_nothing_kept(client, admin, session, given):
    body = json.dumps({"name": "cmms", "address": "http://cmms/"} | given)
    answer = client.post(URL, content=body, headers={**admin, "Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert "very-secret" not in answer.text
    assert session.scalars(select(Webhook)).all() == []


def test_a_test_message_is_put_into_the_line_and_can_be_sent_again(client, admin, make):
    make()
    sent = client.post(f"{URL}/cmms/test", headers=admin)
    assert sent.status_code == 202
    (message,) = client.get(f"{URL}/cmms/messages?state=waiting", headers=admin).json()["messages"]
    assert (message["id"], message["kind"], message["state"]) == (sent.json()["id"], "webhook.test", "waiting")
    assert client.get(f"{URL}/cmms/messages?state=delivered", headers=admin).json()["messages"] == []
    again = client.post(f"{URL}/cmms/send-again", json={"message": message["id"]}, headers=admin)
    assert (again.status_code, again.json()) == (202, {"messages": 1})
    unknown = client.post(f"{URL}/cmms/send-again", json={"message": "msg_" + "0" * 32}, headers=admin)
    assert unknown.status_code == 404
    for bad in ("msg_x", "", "x" * 10_000):
        assert client.post(f"{URL}/cmms/send-again", json={"message": bad}, headers=admin).status_code == 422


def test_a_message_of_another_webhook_is_not_found(client, admin, make, session):
    make("one")
    make("two")
    message = client.post(f"{URL}/one/test", headers=admin).json()["id"]
    answer = client.post(f"{URL}/two/send-again", json={"message": message}, headers=admin)
    assert answer.status_code == 404


def test_a_disabled_one_keeps_nothing_and_is_not_tested(client, admin, make, planner, make_machine, session):
    make()
    make("other")
    changed = client.patch(f"{URL}/cmms", json={"enabled": False}, headers=admin)
    assert changed.json()["webhooks"][0]["disabled_why"].startswith("By key admin")
    assert client.post(f"{URL}/cmms/test", headers=admin).status_code == 409
    make_machine("press-07")
    client.post("/api/v1/work-orders", json={"machine": "press-07"}, headers=planner)
    (message,) = session.scalars(select(WebhookMessage)).all()
    assert session.get(Webhook, message.webhook_id).name == "other"
    assert (
        client.patch(f"{URL}/cmms", json={"enabled": True}, headers=admin).json()["webhooks"][0]["disabled_at"]
        is None
    )


def test_while_a_secret_changes_the_old_one_signs_too_for_a_day(client, admin, make, session):
    first = make().json()["secret"]
    changed = client.post(f"{URL}/cmms/secret", headers=admin)
    assert changed.status_code == 200
    assert changed.json()["secret"] not in (first, client.get(URL, headers=admin).text)
    webhook = session.scalars(select(Webhook)).one()
    assert webhook.old_secret_until is not None
    assert webhook.secret != webhook.old_secret


def test_a_new_secret_that_nobody_took_does_not_take_away_the_one_in_use(client, admin, make, session):
    first = make().json()["secret"]
    lost, taken = (client.post(f"{URL}/cmms/secret", headers=admin).json()["secret"] for _ in range(2))
    webhook = session.scalars(select(Webhook)).one()
    assert len({first, lost, taken}) == 3
    assert (secret_text(webhook.old_secret), secret_text(webhook.secret)) == (first, taken)


def test_a_removed_one_is_gone_with_its_messages(client, admin, make, session):
    make()
    client.post(f"{URL}/cmms/test", headers=admin)
    assert client.delete(f"{URL}/cmms", headers=admin).status_code == 204
    assert session.scalars(select(WebhookMessage)).all() == []
    for method, path in (("DELETE", ""), ("POST", "/test"), ("POST", "/secret"), ("GET", "/messages")):
        assert client.request(method, f"{URL}/cmms{path}", headers=admin).status_code == 404
    assert make().status_code == 201


def test_another_address_keeps_the_secret(client, admin, make, session):
    make()
    before = session.scalars(select(Webhook.secret)).one()
    answer = client.patch(f"{URL}/cmms", json={"address": "http://10.0.0.9/in?key=very-secret"}, headers=admin)
    assert answer.json()["webhooks"][0]["address"] == "http://10.0.0.9/in?***"
    session.expire_all()
    assert session.scalars(select(Webhook.secret)).one() == before
    assert client.patch(f"{URL}/cmms", json={"address": "file:///x"}, headers=admin).status_code == 422
