"""An operator's and a planner's way through the pages, in a real browser on a real service."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from made_fleet import ALARM
from sqlalchemy import text

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
PAGES = {
    "fleet": "/",
    "machine": f"/machines/{ALARM}",
    "silent": "/machines/pump-02",
    "unscored": "/machines/fan-08",
    "plan": "/plan",
    "work": "/work",
    "order": "/work/2",
    "models": "/models",
    "model": "/models/3",
    "data": "/data",
}
PASSWORD = "correct horse battery"
PATIENCE_MS = 15_000


@contextmanager
def signed_in(chromium: Any, service: Any, **context: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page behind the door, and everything the console complained about."""
    browser = chromium.new_context(timezone_id="Europe/Berlin", **context)
    page, complaints = browser.new_page(), []
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(service.address + "/")
    page.fill("input[name=name]", "Ada Planner")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#live[data-state=live]")
    yield page, complaints
    browser.close()


def post_reading(service: Any, machine: str, **channels: float) -> None:
    measured_at = datetime.now(UTC).isoformat()
    request = urllib.request.Request(
        service.address + "/api/v1/readings",
        json.dumps({"machine": machine, "measured_at": measured_at, **channels}).encode(),
        {"Authorization": f"Bearer {service.sensor_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.load(answer)["accepted"] == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desk", "phone"])
def test_every_page_is_whole_on_every_screen(chromium, service, tmp_path, device, scheme):
    size = {"viewport": DESK} if device == "desk" else {"viewport": PHONE, "is_mobile": True, "has_touch": True}
    with signed_in(chromium, service, color_scheme=scheme, **size) as (page, complaints):
        for name, path in PAGES.items():
            page.goto(service.address + path)
            page.wait_for_selector("#live[data-state=live]")
            if name in ("machine", "model"):
                page.wait_for_selector(".js-plotly-plot .scatterlayer path.js-line")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
            for link in page.locator(".bar nav a").all():
                assert link.is_visible(), "the pages must be within reach on a phone too"
            assert page.evaluate(CLIPPED) == [], name
            page.screenshot(path=tmp_path / f"{name}-{device}-{scheme}.png", full_page=True)
        assert complaints == []


# Words cut off inside their own box; boxes that scroll or end in dots on purpose are left out.
CLIPPED = """() => [...document.querySelectorAll('main p, main h1, main h2, main th, main td, main li, .kpi span')]
    .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'
        && !e.closest('.hidden') && getComputedStyle(e).clipPath === 'none')
    .map((e) => e.textContent.trim().slice(0, 60))"""


def test_one_horizon_is_chosen_for_all_curves_and_figures_by_keyboard_too(chromium, service):
    def drawn(page):
        return page.evaluate(
            "() => ['reliability', 'precision_recall', 'lead', 'cost'].map((id) =>"
            " JSON.stringify(document.getElementById(id).data.map((trace) => [...trace.y])))"
        )

    with signed_in(chromium, service, viewport=DESK) as (page, complaints):
        page.goto(service.address + "/models/3")
        page.wait_for_selector("#cost.js-plotly-plot")
        week, failures = drawn(page), page.inner_text(".kpis:not([hidden])")
        page.focus("[data-within='0']")
        page.keyboard.press("Enter")
        assert page.get_attribute("[data-within='0']", "aria-pressed") == "true"
        assert page.get_attribute("[data-within='2']", "aria-pressed") == "false"
        assert all(day != before for day, before in zip(drawn(page), week, strict=True))
        assert page.locator(".kpis:not([hidden])").count() == 1
        assert page.inner_text(".kpis:not([hidden])") != failures
        assert complaints == []


def test_a_past_failure_is_shown_at_its_own_time(chromium, service):
    with signed_in(chromium, service, viewport=DESK) as (page, complaints):
        page.goto(f"{service.address}/machines/{ALARM}")
        page.click("#why a")
        page.wait_for_function("() => document.getElementById('chart-state').textContent.includes('2026')")
        assert "up to 5 Nov 2026" in page.inner_text("#chart-state")
        page.click("#to-now")
        page.wait_for_selector("#channels .scatterlayer path.js-line")
        assert page.inner_text("#chart-state") == ""
        assert complaints == []


def test_a_reading_posted_over_http_appears_without_a_reload(chromium, service):
    with signed_in(chromium, service, viewport=DESK) as (page, complaints):
        page.goto(service.address + "/machines/pump-02")
        page.wait_for_selector("#live[data-state=live]")
        page.evaluate("window.notReloaded = true")
        assert "no data" in page.inner_text("#head")
        post_reading(service, "pump-02", vibration_mm_s=2.2, temperature_c=57.5, current_a=14.0)
        page.wait_for_function(
            "() => /last reading (just now|\\d+ s ago)/.test(document.getElementById('head').innerText)"
        )
        assert page.evaluate("window.notReloaded") is True
        newest = datetime.fromtimestamp(page.evaluate(NEWEST_POINT) / 1000, UTC)
        local_now = datetime.now(UTC) + berlin_offset()
        assert abs(newest - local_now) < timedelta(hours=2)
        assert complaints == []


NEWEST_POINT = """() => Math.max(...document.getElementById('channels').data
    .filter((trace) => trace.mode === 'lines').map((trace) => trace.x.at(-1)))"""


def berlin_offset() -> timedelta:
    offset = datetime.now(ZoneInfo("Europe/Berlin")).utcoffset()
    assert offset is not None
    return offset


def test_the_fleet_page_notices_by_itself_that_a_silent_machine_speaks_again(chromium, service):
    with signed_in(chromium, service, viewport=DESK) as (page, _):
        page.wait_for_selector("#tile-fan-06.no_data")
        post_reading(service, "fan-06", vibration_mm_s=2.0)
        page.wait_for_selector("#tile-fan-06:not(.no_data)")


def test_a_page_says_since_when_it_is_not_live_and_recovers(chromium, service):
    with signed_in(chromium, service, viewport=PHONE) as (page, _):
        page.evaluate(RECORD_STATES)
        with service.engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = 'wearwatch live updates'"
                )
            )
        page.wait_for_function("() => window.states.length > 1 && window.states.at(-1) === 'live'")
        assert page.evaluate("/^not live since \\d\\d:\\d\\d$/.test(window.states[0])")


RECORD_STATES = """() => { const live = document.getElementById('live'); window.states = [];
    new MutationObserver(() => window.states.push(live.textContent))
        .observe(live, {childList: true, characterData: true, subtree: true}); }"""


def test_a_planner_records_an_event_and_sees_it_in_the_table(chromium, service):
    with signed_in(chromium, service, viewport=PHONE, is_mobile=True, has_touch=True) as (page, complaints):
        page.goto(service.address + "/machines/press-05")
        page.select_option("select[name=kind]", "service")
        page.fill("input[name=code]", "inspection")
        began = datetime.now() - timedelta(days=2)
        page.fill("input[name=started_at]", began.strftime("%Y-%m-%dT%H:%M"))
        page.fill("input[name=note]", "looked at <b>everything</b>")
        page.click("#record button.main")
        page.wait_for_url("**/machines/press-05#events")
        row = page.inner_text("#events tbody tr:first-child")
        assert "inspection" in row
        assert "looked at <b>everything</b>" in row
        assert complaints == []
