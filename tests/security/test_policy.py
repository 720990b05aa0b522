"""Who gets through which door: one table of routes, methods and principals."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.security import recent
from app.security.keys import create_key, list_keys, revoke_key
from app.security.policy import SESSION_COOKIE, Role
from app.security.store import principal_of_key
from app.security.tables import ApiKey
from app.security.users import create_user, set_role

MACHINE = {"key": "m-1"}
# What each principal gets: the status without further rights in the way.
DOORS = [
    ("GET", "/healthz", None, dict.fromkeys(("none", *Role), 200)),
    ("GET", "/metrics", None, dict.fromkeys(("none", *Role), 200)),
    ("GET", "/api/v1/me", None, {"none": 401, **dict.fromkeys(Role, 200)}),
    ("GET", "/api/v1/machines", None, {"none": 401, "sensor": 403, "operator": 200, "planner": 200, "admin": 200}),
    ("POST", "/api/v1/machines", MACHINE, {"none": 401, "sensor": 403, "operator": 403, "planner": 201}),
    (
        "PUT",
        "/api/v1/machines/m-2",
        {},
        {"none": 401, "sensor": 403, "operator": 403, "planner": 201, "admin": 200},
    ),
    ("GET", "/api/v1/keys", None, {"none": 401, "sensor": 403, "operator": 403, "planner": 403, "admin": 200}),
    ("GET", "/api/v1/users", None, {"none": 401, "sensor": 403, "operator": 403, "planner": 403, "admin": 200}),
    ("GET", "/api/v1/audit-log", None, {"none": 401, "sensor": 403, "operator": 403, "planner": 403, "admin": 200}),
    (
        "POST",
        "/api/v1/keys",
        {"name": "k", "role": "sensor"},
        {"none": 401, "sensor": 403, "operator": 403, "planner": 403, "admin": 201},
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), DOORS, ids=[f"{d[0]} {d[1]}" for d in DOORS])
def test_each_principal_gets_what_the_table_says(client, key_for, method, path, body, expected):
    for role, status in expected.items():
        headers = {} if role == "none" else key_for(Role(role))
        assert client.request(method, path, json=body, headers=headers).status_code == status, role


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"), DOORS[3:], ids=[f"{d[0]} {d[1]}" for d in DOORS[3:]]
)
def test_a_broken_key_is_401_on_every_closed_door(client, session, key_for, method, path, body, expected):
    good = key_for(Role.ADMIN)["Authorization"]
    old = create_key(session, "old", Role.ADMIN)
    session.execute(update(ApiKey).where(ApiKey.name == "old").values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
    gone = create_key(session, "gone", Role.ADMIN)
    revoke_key(session, "gone")
    session.commit()
    broken = ["Bearer", "Bearer x", "Basic YWRhOnB3", good[:-1], good + "0", good.swapcase()]
    for header in (*broken, f"Bearer {old}", f"Bearer {gone}", f"Bearer ww_{'0' * 12}_{'a' * 43}"):
        answer = client.request(method, path, json=body, headers={"Authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_person_is_sent_to_the_sign_in_and_a_program_is_told(client):
    page = {"Accept": "text/html,*/*"}
    answer = client.get("/plan?secret=x", headers=page, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/plan")
    assert client.get("/plan", follow_redirects=False).status_code == 401
    assert client.get("/api/v1/machines", headers=page, follow_redirects=False).status_code == 401


def test_an_unknown_address_is_a_page_for_people(client):
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, "There is no such page." in answer.text) == (404, True)
    assert answer.headers["content-type"].startswith("text/html")


def test_a_signed_in_person_may_read_and_needs_the_token_to_change(client, sign_in):
    token = sign_in(Role.PLANNER)
    assert client.get("/api/v1/machines").status_code == 200
    assert client.post("/api/v1/machines", json=MACHINE).status_code == 403
    assert client.post("/api/v1/machines", json=MACHINE, headers={"X-CSRF-Token": "x" * 43}).status_code == 403
    assert client.post("/api/v1/machines", json=MACHINE, headers=token).status_code == 201


def test_a_token_of_another_session_does_not_fit(client, sign_in):
    foreign = sign_in(Role.ADMIN)
    sign_in(Role.PLANNER)
    assert client.post("/api/v1/machines", json=MACHINE, headers=foreign).status_code == 403


def test_the_token_may_come_as_a_form_field(client, sign_in):
    token = sign_in(Role.PLANNER)["X-CSRF-Token"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    # Past the door the route refuses the form, because it wants JSON.
    assert client.post("/api/v1/machines", content=f"csrf_token={token}", headers=form).status_code == 422
    assert client.post("/api/v1/machines", content="csrf_token=", headers=form).status_code == 403
    assert client.post("/api/v1/machines", content=b"csrf_token=\xff%", headers=form).status_code == 400


def test_an_unknown_cookie_is_nobody(client):
    client.cookies.set("wearwatch_session", "made up")
    assert client.get("/api/v1/machines").status_code == 401


def test_a_key_is_no_cookie_even_a_moment_after_it_was_used(client, key_for):
    headers = key_for(Role.OPERATOR)
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    client.cookies.set(SESSION_COOKIE, headers["Authorization"].removeprefix("Bearer "))
    assert client.get("/api/v1/me").status_code == 401


def test_a_revoked_key_and_a_lowered_role_take_effect_within_a_second(client, session, key_for, sign_in):
    assert recent.KEPT_SECONDS <= 0.5
    headers = key_for(Role.ADMIN)
    sign_in(Role.PLANNER, "ada")
    assert client.get("/api/v1/machines", headers=headers).status_code == 200
    assert client.get("/api/v1/me").json()["role"] == "planner"
    revoke_key(session, next(key.name for key in list_keys(session) if key.role == "admin"))
    set_role(session, "ada", Role.OPERATOR)
    session.commit()
    time.sleep(recent.KEPT_SECONDS)
    assert client.get("/api/v1/machines", headers=headers).status_code == 401
    assert client.get("/api/v1/me").json()["role"] == "operator"


def test_a_secret_is_shown_once_and_stored_as_a_hash(client, session, key_for):
    admin = key_for(Role.ADMIN)
    made = client.post("/api/v1/keys", json={"name": "hall 3", "role": "sensor"}, headers=admin).json()["key"]
    assert principal_of_key(session, made).name == "hall 3"
    listed = client.get("/api/v1/keys", headers=admin)
    assert made not in listed.text
    assert made.split("_")[2] not in listed.text
    assert client.delete("/api/v1/keys/hall 3", headers=admin).status_code == 204
    assert principal_of_key(session, made) is None
    assert client.delete("/api/v1/keys/nobody", headers=admin).status_code == 404


def test_people_are_made_changed_and_disabled_over_rest(client, session, key_for):
    admin = key_for(Role.ADMIN)
    made = client.post("/api/v1/users", json={"name": "ada", "role": "operator"}, headers=admin)
    assert (made.status_code, len(made.json()["password"]) >= 12) == (201, True)
    chosen = {"name": "bob", "role": "operator", "password": "correct horse battery"}
    assert client.post("/api/v1/users", json=chosen, headers=admin).json() == {"name": "bob", "password": None}
    assert client.patch("/api/v1/users/ada", json={"role": "planner"}, headers=admin).json()["role"] == "planner"
    assert client.put("/api/v1/users/ada/password", json={}, headers=admin).json()["password"]
    assert client.delete("/api/v1/users/ada", headers=admin).status_code == 204
    listed = client.get("/api/v1/users", headers=admin).json()["users"]
    assert [user["disabled_at"] is None for user in listed] == [False, True]
    log = client.get("/api/v1/audit-log", headers=admin)
    assert [entry["action"] for entry in log.json()["entries"]][:2] == ["disable user", "set password"]
    assert "correct horse" not in log.text


def test_a_refused_password_is_not_echoed(client, key_for):
    body = {"name": "ada", "role": "operator", "password": "hunter2"}
    answer = client.post("/api/v1/users", json=body, headers=key_for(Role.ADMIN))
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


def test_an_expiry_in_the_past_is_refused(client, key_for):
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    body = {"name": "k", "role": "sensor", "expires_at": past}
    assert client.post("/api/v1/keys", json=body, headers=key_for(Role.ADMIN)).status_code == 422


def test_a_person_cannot_be_made_a_sensor(client, session, key_for):
    create_user(session, "ada", None, Role.OPERATOR)
    session.commit()
    answer = client.patch("/api/v1/users/ada", json={"role": "sensor"}, headers=key_for(Role.ADMIN))
    assert answer.status_code == 422
