"""The pages of work orders: what is to be done next, forms that lose nothing, and who may act."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from made_fleet import ALARM, IN_PROGRESS, SCHEDULED
from sqlalchemy import Engine, select

from app.database import session_scope
from app.fleet.tables import Event, Machine
from app.orders.tables import WorkOrder
from app.security.principal import Principal, Role
from app.webhooks import actions as webhooks
from app.webhooks.schemas import WebhookIn
from app.webhooks.tables import Webhook, WebhookMessage

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def shown(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def send(browser: TestClient, address: str, **fields: str):
    """The form with its token and, of an order, the version that its page holds."""
    page = browser.get(re.match(r"/work(/\d+)?", address)[0]).text
    version = re.search(r'name="version" value="(\d+)"', page)
    given = {"csrf_token": TOKEN.search(page)[1], "version": version[1] if version else ""}
    return browser.post(address, data=given | fields, follow_redirects=False)


@pytest.fixture
def ordered(admin: TestClient, made: Engine):
    """`ordered("press-10")` orders work by hand -> the address of the order."""

    def make(machine: str, **fields: str) -> str:
        answer = send(admin, "/work", machine=machine, **fields)
        assert answer.status_code == 303, shown(answer.text)
        with session_scope(made) as session:
            query = select(WorkOrder.id).join(Machine).where(Machine.key == machine).order_by(WorkOrder.id.desc())
            return f"/work/{session.scalars(query.limit(1)).one()}"

    return make


def begun(browser: TestClient, address: str) -> None:
    assert send(browser, f"{address}/start").status_code == 303


def test_work_is_listed_by_state_what_is_under_way_first(operator: TestClient):
    said = shown(operator.get("/work").text)
    assert said.index("In progress 1") < said.index(IN_PROGRESS) < said.index("Scheduled ") < said.index(SCHEDULED)
    assert "night shift" in said
    assert said.index(SCHEDULED) < said.index("Proposed by the plan") < said.index(ALARM)


def test_an_operator_looks_and_is_offered_nothing_to_do(operator: TestClient, made: Engine):
    with session_scope(made) as session:
        order_id = session.scalars(select(WorkOrder.id).where(WorkOrder.state == "scheduled")).first()
    for page in ("/work", f"/work/{order_id}"):
        forms = re.findall(r'<form[^>]* action="([^"]+)"', operator.get(page).text)
        assert forms == ["/sign-out"]
    token = TOKEN.search(operator.get("/work").text)[1]
    for address in (
        "/work",
        "/work/planned",
        "/work/calendars",
        "/work/calendars/revoke",
        "/work/webhooks/send-again",
        f"/work/{order_id}/start",
    ):
        assert operator.post(address, data={"csrf_token": token}).status_code == 403


@pytest.mark.parametrize("address", ["/work", "/work/planned", "/work/calendars", "/work/1/cancel"])
def test_a_form_without_the_sessions_token_changes_nothing(admin: TestClient, address: str):
    assert admin.post(address, data={"csrf_token": "wrong"}).status_code == 403


def test_a_proposal_is_accepted_with_one_press_and_is_no_longer_proposed(admin: TestClient):
    proposed = re.findall(r'name="machine" value="([^"]+)">.*?<button>Accept', admin.get("/work").text)
    key = next(each for each in proposed if each != ALARM)
    assert send(admin, "/work/planned", machine=key).status_code == 303
    page = admin.get("/work").text
    assert key not in re.findall(r'name="machine" value="([^"]+)">.*?<button>Accept', page)
    assert re.search(rf'href="/work/\d+">{key}</a>', page)
    again = send(admin, "/work/planned", machine=key)
    assert again.status_code == 409
    assert "has an open work order already" in again.text


def test_done_with_what_was_found_takes_two_presses_and_writes_the_events(
    admin: TestClient, made: Engine, ordered: Callable[..., str]
):
    address = ordered("press-10", work="Listen to the bearing.")
    begun(admin, address)
    answer = send(admin, f"{address}/done", outcome="fault_found", mode="VIB", component="radial bearing")
    assert answer.status_code == 303
    said = shown(admin.get(address).text)
    assert "a fault, found in time, VIB, radial bearing" in said
    with session_scope(made) as session:
        stored = session.execute(
            select(Event.code, Event.component).join(Machine).where(Machine.key == "press-10").order_by(Event.code)
        ).all()
    assert [tuple(row) for row in stored] == [("corrective", "radial bearing"), ("preventive", None)]
    corrected = send(admin, f"{address}/correct", outcome="nothing_wrong", why="It was the belt next to it.")
    assert corrected.status_code == 303
    said = shown(admin.get(address).text)
    assert "It was the belt next to it." in said
    assert "Found, corrected since" in said


def test_a_refused_finding_keeps_what_was_typed_and_says_what_is_wrong(
    admin: TestClient, ordered: Callable[..., str]
):
    address = ordered("press-11")
    begun(admin, address)
    answer = send(admin, f"{address}/done", outcome="fault_found", mode="VIB", note="Inner race.")
    assert answer.status_code == 422
    assert "Say what was wrong: the failure mode and the component." in answer.text
    assert 'value="Inner race."' in answer.text
    assert re.search(r'value="fault_found" required checked', answer.text)
    assert re.search(r'<option value="VIB" selected', answer.text)


def test_who_comes_second_is_told_and_loses_nothing(admin: TestClient, ordered: Callable[..., str]):
    address = ordered("press-12")
    begun(admin, address)
    answer = send(admin, f"{address}/cancel", version="1", why="No spare.")
    assert answer.status_code == 409
    assert "has changed since you looked: in progress, by person Ada" in answer.text
    assert 'value="No spare."' in answer.text


def test_a_date_is_typed_in_the_zone_of_the_browser(admin: TestClient, made: Engine, ordered: Callable[..., str]):
    address = ordered("conv-15")
    start = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
    # Clocks went back between the two: four hours of work, typed as three.
    typed = {"start": start + timedelta(hours=2), "end": start + timedelta(hours=5)}
    offsets = {"start_utc_offset_minutes": "120", "end_utc_offset_minutes": "60"}
    texts = {name: f"{moment:%Y-%m-%dT%H:%M}" for name, moment in typed.items()}
    answer = send(admin, f"{address}/schedule", **texts, crew="day shift", **offsets)
    assert answer.status_code == 303
    with session_scope(made) as session:
        order = session.get_one(WorkOrder, int(address.split("/")[-1]))
        assert (order.scheduled_start, order.scheduled_end) == (start, start + timedelta(hours=4))
        assert order.crew == "day shift"
    texts = {"start": "soon", "end": "2026-01-01T10:00"}
    answer = send(admin, f"{address}/schedule", **texts)
    assert answer.status_code == 422
    assert "From: write a day and a time." in answer.text
    assert 'value="soon"' in answer.text


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"machine": "nobody"}, "no machine nobody"),
        ({"machine": "press-01", "due_at": "x"}, "Due by"),
        ({"work": "grease"}, "Machine: is missing"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_words(admin: TestClient, fields: dict[str, str], word: str):
    answer = send(admin, "/work", **fields)
    assert answer.status_code in (404, 422)
    assert word in shown(answer.text)


def test_a_calendars_address_is_shown_once_and_can_be_revoked(admin: TestClient, made_app):
    page = send(admin, "/work/calendars", name="night shift", crew="night shift")
    address = re.search(r"<code>(/api/v1/work-orders\.ics\?token=[^<]+)</code>", page.text)[1]
    with TestClient(made_app) as stranger:
        assert SCHEDULED in stranger.get(address).text
        assert IN_PROGRESS not in stranger.get(address).text
        assert "wwcal_" not in admin.get("/work").text
        assert send(admin, "/work/calendars", name="night shift").status_code == 409
        assert send(admin, "/work/calendars/revoke", name="night shift").status_code == 303
        assert stranger.get(address).status_code == 404
    assert "revoked" in shown(admin.get("/work").text)


@pytest.mark.parametrize("address", ["/work/999999", "/work/0", "/work/x", "/work/99999999999999999999"])
def test_an_order_that_is_not_there_is_a_page_that_leads_back(operator: TestClient, address: str):
    answer = operator.get(address)
    assert answer.status_code in (404, 422)
    assert 'href="/"' in answer.text


def test_an_administrator_sees_which_programs_were_not_told_and_sends_again(
    admin: TestClient, operator: TestClient, made: Engine
):
    ada = Principal("person", "Ada", Role.ADMIN, False)
    with session_scope(made) as session:
        given = WebhookIn(name="<b>cmms", address="https://cmms.plant/hook?token=very-secret")
        webhooks.make_webhook(session, ada, given)
        webhooks.send_test(session, given.name, datetime.now(UTC))
        message = session.scalars(select(WebhookMessage)).one()
        message.given_up_at = datetime.now(UTC)
        session.scalars(select(Webhook)).one().last_fault = "It answered 500."
    try:
        page = admin.get("/work").text
        assert "&lt;b&gt;cmms" in page
        assert "very-secret" not in page
        assert "Not taken: It answered 500." in shown(page)
        assert "0 messages waiting, 1 given up" in shown(page)
        assert "Webhooks" not in operator.get("/work").text
        assert send(admin, "/work/webhooks/send-again", name=given.name).status_code == 303
        assert "1 message waiting, 0 given up" in shown(admin.get("/work").text)
        assert send(admin, "/work/webhooks/send-again", name="no such").status_code == 404
    finally:
        with session_scope(made) as session:
            webhooks.remove_webhook(session, ada, given.name)
