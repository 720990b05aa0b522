"""Scheduled work in calendars: RFC 5545 to the letter, as a calendar program reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from factories import at
from hypothesis import given
from hypothesis import strategies as st

from app.orders.calendar_file import LONGEST_LINE_BYTES, Entry, calendar

from .conftest import URL

icalendar = pytest.importorskip("icalendar", reason="Calendars are read back with icalendar, which is missing.")

NOW = at("2026-11-21 08:30")


@pytest.fixture
def entries(client):
    """What a calendar program reads at this address, by summary. It sends no key."""

    def read(address):
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        return {str(each["SUMMARY"]): each for each in icalendar.Calendar.from_ical(answer.content).walk("VEVENT")}

    return read


def test_scheduled_work_is_an_entry_with_its_times_in_utc(order, scheduled, feed, entries, now):
    columns = {"name": "Press; seven", "site": "North", "line": "A, left"}
    made = scheduled(order(work="Grease it,\nthen listen; well.", columns=columns), crew="night shift")
    (entry,) = entries(feed()).values()
    assert str(entry["SUMMARY"]) == "press-07: Grease it,"
    assert entry.start == datetime.fromisoformat(made["scheduled_start"])
    assert entry.end - entry.start == timedelta(hours=2)
    assert entry.start.tzinfo == entry.end.tzinfo == UTC or entry.start.utcoffset() == timedelta()
    assert str(entry["LOCATION"]) == "North, A, left"
    assert str(entry["STATUS"]) == "CONFIRMED"
    for part in (f"Work order {made['id']}, scheduled", "Press; seven", "night shift", "then listen; well."):
        assert part in str(entry["DESCRIPTION"])


def test_accepted_work_with_hours_is_tentative_and_a_mere_proposal_is_not_shown(
    client, planner, make_machine, propose, taken, feed, entries, now
):
    start = now + timedelta(days=3)
    propose(make_machine("press-07"), ends_at=start + timedelta(hours=4), crew="A")
    made = client.post(URL, json={"machine": "press-07", "from_plan": True}, headers=planner).json()
    address = feed(crew="A")
    assert not entries(address)
    taken(made, "accept")
    (entry,) = entries(address).values()
    assert (entry.start, str(entry["STATUS"])) == (start, "TENTATIVE")


def test_an_entry_keeps_its_name_and_counts_its_changes_until_it_is_struck_out(
    order, taken, scheduled, feed, entries, now
):
    address = feed()
    first = scheduled(order())
    (before,) = entries(address).values()
    times = {"start": (now + timedelta(days=2)).isoformat(), "end": (now + timedelta(days=2, hours=1)).isoformat()}
    moved = taken(first, "schedule", **times)
    (after,) = entries(address).values()
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after.start == now + timedelta(days=2)
    taken(moved, "cancel", why="No spare bearing.")
    (gone,) = entries(address).values()
    assert (gone["UID"], str(gone["STATUS"])) == (before["UID"], "CANCELLED")
    assert gone["SEQUENCE"] > after["SEQUENCE"]


def test_work_that_is_done_stands_when_it_was_done(order, taken, scheduled, feed, entries, now):
    began, ended = now - timedelta(hours=3), now - timedelta(hours=1)
    begun = taken(scheduled(order()), "start", started_at=began.isoformat())
    taken(begun, "done", outcome="routine", ended_at=ended.isoformat())
    (entry,) = entries(feed()).values()
    assert (entry.start, entry.end) == (began.replace(microsecond=0), ended.replace(microsecond=0))


def test_only_work_with_a_date_that_is_not_long_over_is_shown(session, order, taken, scheduled, feed, entries):
    order("press-01")
    taken(order("press-02"), "accept")
    done = taken(taken(scheduled(order("press-03")), "start"), "done", outcome="routine")
    assert list(entries(feed())) == ["Done: press-03: service"]
    assert done["state"] == "done"


def test_a_calendar_shows_its_site_line_or_crew(order, scheduled, feed, entries):
    scheduled(order("press-01", columns={"site": "North", "line": "A"}), crew="day")
    scheduled(order("press-02", columns={"site": "North", "line": "B"}), crew="night")
    scheduled(order("press-03", columns={"site": "South", "line": "A"}), crew="night")

    def machines(name, **narrowed):
        return sorted(summary.split(":")[0] for summary in entries(feed(name, **narrowed)))

    assert machines("all") == ["press-01", "press-02", "press-03"]
    assert machines("north", site="North") == ["press-01", "press-02"]
    assert machines("line A", line="A") == ["press-01", "press-03"]
    assert machines("night in the north", site="North", crew="night") == ["press-02"]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_text_comes_back_as_it_was_from_lines_that_are_short_enough(name, summary, description, location):
    entry = Entry(
        uid="0b6bd2d6-8f1c-4a55-a7d6-6d3b0ad5a2c1",
        sequence=3,
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        created_at=NOW,
        changed_at=NOW,
        summary=summary,
        description=description,
        location=location,
        status="CONFIRMED",
    )
    written = calendar(name, [entry]).encode()
    assert written.count(b"\n") == written.count(b"\r\n") == written.count(b"\r")
    assert all(len(line) <= LONGEST_LINE_BYTES for line in written.split(b"\r\n"))
    for line in written.split(b"\r\n"):
        line.decode()
    (read,) = icalendar.Calendar.from_ical(written).walk("VEVENT")
    assert not read.errors
    assert str(read["SUMMARY"]) == kept(summary)
    assert str(read.get("DESCRIPTION", "")) == kept(description)
    assert str(read.get("LOCATION", "")) == kept(location)
    assert read["DTSTAMP"].dt == NOW


def kept(text: str) -> str:
    """One kind of line end, and no control characters: what RFC 5545 lets a text hold."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    controls = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n", "\t"}
    return "".join(each for each in plain if each not in controls)
