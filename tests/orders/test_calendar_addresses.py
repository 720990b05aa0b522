"""A calendar's address is secret, shown once, opens nothing else, and can be revoked."""

from __future__ import annotations

from sqlalchemy import select
from structlog.testing import capture_logs

from app.orders.tables import CalendarFeed
from app.security.policy import Role
from app.security.tables import AuditEntry

from .conftest import CALENDARS


def test_a_revoked_or_unknown_address_shows_nothing(client, planner, feed):
    address = feed("all")
    assert client.get(address).status_code == 200
    assert client.delete(f"{CALENDARS}/all", headers=planner).status_code == 204
    for tried in (address, address + "x", address.replace("wwcal_", ""), address.split("=")[0] + "="):
        answer = client.get(tried)
        assert answer.status_code == 404
        assert answer.json()["detail"] == "This calendar address is unknown or was revoked."
    assert client.get(address.split("?")[0]).status_code == 422
    assert client.delete(f"{CALENDARS}/all", headers=planner).status_code == 204
    assert client.delete(f"{CALENDARS}/other", headers=planner).status_code == 404
    assert client.post(CALENDARS, json={"name": "all"}, headers=planner).status_code == 409


def test_an_address_opens_nothing_but_its_calendar(client, feed):
    token = feed().split("=")[1]
    for path in ("/api/v1/work-orders", f"/api/v1/work-orders?token={token}", f"/api/v1/machines?token={token}"):
        assert client.get(path).status_code == 401
    assert client.get("/api/v1/work-orders", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_token_is_shown_once_and_kept_as_a_hash(client, planner, session, feed):
    token = feed("all", site="North").split("=")[1]
    (stored,) = session.scalars(select(CalendarFeed)).all()
    assert token.encode() not in stored.token_sha256
    listed = client.get(CALENDARS, headers=planner)
    assert listed.json()["calendars"][0]["site"] == "North"
    assert token not in listed.text
    assert token not in str([(entry.subject, entry.detail) for entry in session.scalars(select(AuditEntry))])


def test_the_token_is_in_no_line_of_the_log(client, feed):
    address = feed()
    token = address.split("=")[1]
    with capture_logs() as told:
        assert client.get(address).status_code == 200
        assert client.get(address + "x").status_code == 404
        assert client.get(address + "x" * 300).status_code == 422
        assert client.post(address).status_code == 405
    requests = [each for each in told if each["event"] == "request"]
    assert [each["status"] for each in requests] == [200, 404, 422, 405]
    assert requests[0]["actor"] == "calendar all"
    assert token not in str(told)


def test_planners_make_and_revoke_addresses(client, operator, key_for):
    assert client.post(CALENDARS, json={"name": "all"}, headers=operator).status_code == 403
    assert client.get(CALENDARS, headers=operator).status_code == 403
    assert client.delete(f"{CALENDARS}/all", headers=operator).status_code == 403
    assert client.post(CALENDARS, json={"name": "all"}, headers=key_for(Role.ADMIN)).status_code == 201
