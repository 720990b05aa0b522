"""From a rising risk to a label of the next training: proposed, accepted, in the calendar, done with a finding."""

from __future__ import annotations

import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from made_fleet import prediction
from sqlalchemy import select

from app.announce import announce
from app.database import session_scope
from app.fleet.tables import Machine
from app.risk.tables import LatestPrediction, Model
from app.settings import Settings
from ml.dataset import load_history
from ml.failures import failures
from ml.jobs.plan import plan
from ml.planning.scheduler import schedule

from .test_browser import PHONE, signed_in

icalendar = pytest.importorskip("icalendar", reason="Calendars are read back with icalendar, which is missing.")
pytestmark = pytest.mark.browser

KEY = "fan-02"
JOB = f"article.job:has(a[href='/machines/{KEY}'])"


def let_risk_rise(engine: Any) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with session_scope(engine) as session:
        machine = session.scalars(select(Machine).where(Machine.key == KEY)).one()
        machine.failure_cost = 90_000.0
        model = session.scalars(select(Model).where(Model.status == "champion")).one()
        told = prediction(machine, model, now + timedelta(seconds=1), 0.6)
        session.add(told)
        session.flush()
        latest = session.get(LatestPrediction, machine.id)
        assert latest is not None
        latest.prediction_id = told.id
        announce(session, "risk", KEY)


def shown_on_board(page: Any, address: str) -> None:
    """The week in which the machine's work stands."""
    page.goto(f"{address}/plan")
    links = [each.get_attribute("href") for each in page.locator(".weeks a").all()]
    for link in links:
        page.goto(address + link)
        if page.locator(JOB).count():
            page.wait_for_selector("#live[data-state=live]")
            return
    raise AssertionError(f"{KEY} is in none of the weeks {links}")


def entries(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(address, timeout=20) as answer:
        found = icalendar.Calendar.from_ical(answer.read()).walk("VEVENT")
    return {str(each["SUMMARY"]): each for each in found}


def test_a_risk_becomes_work_and_the_work_a_label(chromium, service, tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    phone = {"viewport": PHONE, "is_mobile": True, "has_touch": True}
    with signed_in(chromium, service, **phone) as (page, complaints):
        page.goto(service.address + "/work")
        page.click("#calendars summary")
        page.fill("#calendars input[name=name]", "all")
        page.click("#calendars form[action='/work/calendars'] button")
        feed = service.address + page.inner_text("#calendars [role=status] code")
        assert not any(each.startswith(KEY) for each in entries(feed))

        let_risk_rise(service.engine)
        plan(service.engine, settings, scheduling=schedule)
        shown_on_board(page, service.address)
        assert "proposed" in page.inner_text(JOB)
        page.click(f"{JOB} button:has-text('Accept')")
        page.wait_for_selector(f"{JOB}.agreed")
        entry = next(each for summary, each in entries(feed).items() if summary.startswith(KEY))
        assert str(entry["STATUS"]) == "TENTATIVE"

        plan(service.engine, settings, scheduling=schedule)
        page.reload()
        assert "Accepted work, kept where it is." in page.locator(JOB).text_content()
        again = next(each for summary, each in entries(feed).items() if summary.startswith(KEY))
        assert (again.start, again.end) == (entry.start, entry.end)

        page.click(f"{JOB} a.button")
        page.click("button:has-text('Start now')")
        # Told in six taps on a form no longer than a phone: about 13 s at the pace of Card, Moran and Newell
        # (1980), 1.35 s to decide and 1.2 s to tap. What the machine takes for its part is next to nothing.
        form = page.locator("form.event[action$='/done']").bounding_box()
        assert form["height"] <= PHONE["height"]
        page.check("input[value=failed]")
        page.select_option("select[name=mode]", "VIB")
        page.select_option("select[name=component]", index=1)
        failed = datetime.now() - timedelta(hours=3)
        page.evaluate(
            "() => document.querySelectorAll('form.event details').forEach((each) => { each.open = true; })"
        )
        page.fill("input[name=failed_at]", failed.strftime("%Y-%m-%dT%H:%M"))
        began = time.monotonic()
        page.click("button.main:has-text('Done')")
        page.wait_for_selector("b.state-word:has-text('done')")
        assert time.monotonic() - began < 5
        done = next(summary for summary in entries(feed) if KEY in summary)
        assert done.startswith("Done: ")
        assert complaints == []

    with session_scope(service.engine) as session:
        history = load_history(session, settings, machine_keys=[KEY])
    assert list(failures(history)["mode"]) == ["VIB"]
