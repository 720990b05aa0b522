"""Work orders as a table for spreadsheets."""

from __future__ import annotations

import csv

from app.security.policy import Role

from .conftest import URL


def rows(client, headers, query=""):
    answer = client.get(f"{URL}.csv{query}", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(answer.text.splitlines()))


def test_every_order_is_a_row_with_what_was_found(client, operator, order, taken, scheduled):
    made = scheduled(order("press-01", columns={"site": "North"}, work='Grease, "well"'), crew="night shift")
    finding = {"outcome": "fault_found", "mode": "VIB", "component": "radial bearing", "note": "Inner race."}
    done = taken(taken(made, "start"), "done", **finding)
    taken(done, "correct", **finding | {"mode": "NOI"}, why="It was the noise.")
    order("press-02")
    waiting, closed = rows(client, operator)
    assert (waiting["machine"], waiting["state"], waiting["finding_outcome"]) == ("press-02", "proposed", "")
    assert (closed["work"], closed["crew"], closed["site"]) == ('Grease, "well"', "night shift", "North")
    assert (closed["finding_outcome"], closed["finding_mode"]) == ("fault_found", "NOI")
    assert (closed["finding_component"], closed["finding_note"]) == ("radial bearing", "Inner race.")
    assert [each["machine"] for each in rows(client, operator, "?site=North")] == ["press-01"]
    assert [each["machine"] for each in rows(client, operator, "?limit=1")] == ["press-02"]


def test_a_text_that_a_spreadsheet_would_compute_is_made_text(client, operator, order):
    order("press-01", work='=HYPERLINK("http://evil.example")', columns={"name": "@SUM(1)"})
    (row,) = rows(client, operator)
    assert (row["work"][:2], row["name"]) == ("'=", "'@SUM(1)")


def test_who_may_read_orders_may_take_the_table(client, key_for):
    assert client.get(f"{URL}.csv", headers=key_for(Role.SENSOR)).status_code == 403
    assert client.get(f"{URL}.csv").status_code == 401
    assert rows(client, key_for(Role.OPERATOR)) == []
