"""Anything may arrive: no field of any fleet or security endpoint answers with a server error."""

from __future__ import annotations

import json

import pytest

from app.security.policy import Role

GARBAGE = [
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e308",
    "1e999",
    "-1",
    "0",
    "9" * 400,
    "9" * 5000,
    '""',
    '" "',
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u2028"',
    '"\\r\\nSet-Cookie: x=1"',
    json.dumps("x" * 100_000),
    '"<script>alert(1)</script>"',
    '"\'; drop table machines; --"',
    '"../../etc/passwd"',
    '"="',
    "[]",
    "[[]]",
    "{}",
    '{"\\u0000": 1}',
    "[" * 500 + "]" * 500,
    '"9999-12-31T23:59:59+00:00"',
    '"0000-00-00T00:00:00Z"',
    '"2026-02-30T00:00:00Z"',
]
FIELDS = {
    ("POST", "/api/v1/machines"): {
        "key": '"m-1"',
        **dict.fromkeys(("name", "site", "line", "asset_class", "support"), "null"),
        **dict.fromkeys(("rated_power_kw", "rated_current_a", "installed_at", "decommissioned_at"), "null"),
        **dict.fromkeys(("criticality", "downtime_cost_per_hour", "preventive_cost", "failure_cost"), "null"),
    },
    ("PATCH", "/api/v1/machines/press-07"): {"name": "null", "failure_cost": "1", "criticality": "1"},
    ("PUT", "/api/v1/machines/press-07"): {"name": "null", "installed_at": "null"},
    ("POST", "/api/v1/machines/press-07/events"): {
        "kind": '"failure"',
        "started_at": '"2026-11-20T08:00:00Z"',
        **dict.fromkeys(("code", "component", "ended_at", "note"), "null"),
    },
    ("POST", "/api/v1/work-orders"): {
        "machine": '"press-07"',
        "from_plan": "false",
        **dict.fromkeys(("external_id", "work", "due_at", "why"), "null"),
    },
    ("POST", "/api/v1/work-orders/1/schedule"): {
        "version": "1",
        "start": '"2126-11-20T08:00:00Z"',
        "end": '"2126-11-20T09:00:00Z"',
        **dict.fromkeys(("crew", "why"), "null"),
    },
    ("POST", "/api/v1/work-orders/1/start"): {"version": "1", "started_at": "null", "why": "null"},
    ("POST", "/api/v1/work-orders/1/done"): {
        "version": "1",
        "outcome": '"fault_found"',
        **dict.fromkeys(("mode", "component", "failed_at", "started_at", "ended_at", "note", "why"), "null"),
    },
    ("POST", "/api/v1/work-orders/1/cancel"): {"version": "1", "why": '"No spare."'},
    ("POST", "/api/v1/calendars"): {"name": '"c"', **dict.fromkeys(("site", "line", "crew"), "null")},
    ("POST", "/api/v1/keys"): {
        "name": '"k"',
        "role": '"sensor"',
        "may_register_machines": "false",
        "expires_at": "null",
    },
    ("POST", "/api/v1/users"): {"name": '"u"', "role": '"operator"', "password": '"long enough 1"'},
    ("PATCH", "/api/v1/users/nobody"): {"role": '"operator"'},
    ("PUT", "/api/v1/users/nobody/password"): {"password": "null"},
}
PATHS = [
    "/api/v1/machines/{}",
    "/api/v1/machines/{}/events",
    "/api/v1/machines/press-07/events?kind={}",
    "/api/v1/machines/press-07/events?limit={}",
    "/api/v1/machines?q={}",
    "/api/v1/machines?site={}",
    "/api/v1/machines?offset={}",
    "/api/v1/failure-modes?asset_class={}",
    "/api/v1/components?asset_class={}",
    "/api/v1/work-orders?state={}",
    "/api/v1/work-orders.ics?token={}",
    "/api/v1/work-orders.csv?site={}",
    "/api/v1/work-orders?crew={}",
    "/api/v1/work-orders/{}",
    "/api/v1/audit-log?before={}",
    "/{}",
    "/?{}",
]
TEXTS = ["%00", "a%00b", "%ff%fe", "%ED%A0%80", "%2e%2e", "%2F", "%0d%0aX-A:1", "9" * 50, "NaN", "-1", "x" * 5000]


def body(fields: dict[str, str], name: str, value: str) -> str:
    return "{" + ",".join(f'"{each}":{value if each == name else good}' for each, good in fields.items()) + "}"


@pytest.fixture
def admin(key_for, make_machine):
    make_machine("press-07")
    return {**key_for(Role.ADMIN), "Content-Type": "application/json"}


@pytest.mark.parametrize(("method", "path"), FIELDS)
def test_no_value_of_any_field_is_a_server_error(client, admin, method, path):
    fields = FIELDS[method, path]
    for name in fields:
        for value in GARBAGE:
            answer = client.request(method, path, content=body(fields, name, value), headers=admin)
            assert answer.status_code < 500, (name, value[:60], answer.text)
            json.loads(answer.content.decode("utf-8"), parse_constant=pytest.fail)


@pytest.mark.parametrize(("method", "path"), FIELDS)
def test_no_body_is_a_server_error(client, admin, method, path):
    for content in (*GARBAGE, "", "{", "[" * 100_000, b"\xff\xfe", b"\x00", '{"a":1,"a":2}'):
        answer = client.request(method, path, content=content, headers=admin)
        assert answer.status_code < 500, (content[:60], answer.text)


@pytest.mark.parametrize("path", PATHS)
def test_no_address_is_a_server_error(client, admin, path):
    for text in TEXTS:
        assert client.get(path.format(text), headers=admin).status_code < 500, text


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-CSRF-Token", "Content-Type", "Content-Length"])
def test_no_header_is_a_server_error(client, name):
    for value in (
        b"",
        b" ",
        b"Bearer",
        b"Bearer ",
        b"Bearer \xff",
        b"wearwatch_session=\xff\x01",
        b"x" * 9000,
        b"-1",
    ):
        answer = client.post("/api/v1/machines", headers={name: value}, content=b"{}")
        assert 400 <= answer.status_code < 500, (name, value)
