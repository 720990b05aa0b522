"""Machines and events out of CSV files."""

from __future__ import annotations

import csv

import pytest
from sqlalchemy import func, select

from app.errors import BadInput
from app.fleet.importing import import_events, import_machines
from app.fleet.tables import Event, Machine

MACHINES = """key,name,rated_current_a,installed_at,criticality
press-07,Press 7,31.5,2020-01-01T00:00:00Z,3
pump-1,,,,
"""
EVENTS = """machine,kind,code,component,started_at,ended_at,note
press-07,failure,comp2,bearing,2026-01-01T00:00:00Z,2026-01-01T05:00:00Z,"seized, hot"
press-07,service,corrective,bearing,2026-01-01T05:00:00Z,,
pump-1,fault_code,E17,,2026-01-02T00:00:00+01:00,,
"""


@pytest.fixture
def load(connection, tmp_path):
    shares: list[float] = []

    def run(importer, content: str, name: str = "file.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        shares.clear()
        report = importer(connection, path, shares.append)
        assert shares[-1] == 1.0
        assert sorted(shares) == shares
        return report

    return run


def refused(report) -> dict[int, str]:
    with report.report_path.open(newline="") as file:
        return {int(row["line"]): row["reason"] for row in csv.DictReader(file)}


def test_machines_are_added_then_updated(load, session):
    first = load(import_machines, MACHINES)
    assert (first.read, first.added, first.already_there, first.rejected) == (2, 2, 0, 0)
    again = load(import_machines, "key,line,rated_current_a\npress-07,B,\npump-2,A,7\n")
    assert (again.added, again.already_there) == (1, 1)
    press = session.scalars(select(Machine).where(Machine.key == "press-07")).one()
    assert (press.line, press.rated_current_a, press.criticality) == ("B", 31.5, 3)


def test_importing_configures_a_machine_that_a_sensor_registered(load, make_machine, session):
    machine = make_machine("pump-1", configured=False)
    session.commit()
    load(import_machines, "key\npump-1\n")
    session.refresh(machine)
    assert machine.configured


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("press/07,,,,", "key"),
        (",,,,", "key"),
        ("x" * 101 + ",,,,", "key"),
        ("a,,nan,,", "rated_current_a"),
        ("a,,inf,,", "rated_current_a"),
        ("a,,1e308,,", "rated_current_a"),
        ("a,,-1,,", "rated_current_a"),
        ("a,,many,,", "rated_current_a"),
        ("a,,,2020-01-01,", "installed_at"),
        ("a,,,9999-12-31T23:00:00-10:00,", "installed_at"),
        ("a,,,,9", "criticality"),
        ("a,,,,2.5", "criticality"),
        ("a,bell\x07,,,", "name"),
        ("a,b\x00,,,", "NUL"),
        ("a,\udcff,,,", "UTF-8"),
        ("a,b", "cells"),
    ],
)
def test_a_bad_machine_is_reported_with_its_line_and_the_rest_is_loaded(load, session, row, word):
    report = load(import_machines, MACHINES + row + "\nlast-1,,,,\n")
    assert (report.read, report.added, report.rejected) == (4, 3, 1)
    assert word in refused(report)[4]


def test_an_unknown_column_is_refused_and_the_meant_one_named(load):
    with pytest.raises(BadInput, match="did you mean rated_current_a"):
        load(import_machines, "key,rated_curent_a\na,1\n")
    with pytest.raises(BadInput, match="started_at"):
        load(import_events, "machine,kind\na,failure\n")


def test_events_keep_their_own_codes_and_a_second_run_adds_nothing(load, session):
    load(import_machines, MACHINES)
    first = load(import_events, EVENTS)
    assert (first.read, first.added, first.already_there, first.rejected) == (3, 3, 0, 0)
    again = load(import_events, EVENTS)
    assert (again.added, again.already_there) == (0, 3)
    failure = session.scalars(select(Event).where(Event.kind == "failure")).one()
    assert (failure.code, failure.component, failure.note) == ("comp2", "bearing", "seized, hot")


def test_an_end_told_by_a_later_file_is_filled_in_and_what_is_stored_stays(load, session):
    load(import_machines, MACHINES)
    header, row = (
        "machine,kind,code,started_at,ended_at,note\n",
        "press-07,failure,VIB,2026-01-01T00:00:00Z,{},{}\n",
    )
    end, other = "2026-01-01T05:00:00Z", "2026-01-01T09:00:00Z"
    assert load(import_events, header + row.format("", "seized")).added == 1
    report = load(import_events, header + row.format("", "") + row.format(end, "hot"))
    assert (report.added, report.already_there) == (0, 2)
    load(import_events, header + row.format(other, ""))
    session.expire_all()
    event = session.scalars(select(Event)).one()
    assert (f"{event.ended_at:%H}", event.note) == ("05", "seized")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("ghost,failure,,,2026-01-01T00:00:00Z,,", "no machine 'ghost'"),
        (",failure,,,2026-01-01T00:00:00Z,,", "no machine"),
        ("press-07,party,,,2026-01-01T00:00:00Z,,", "kind"),
        ("press-07,failure,,,,,", "started_at"),
        ("press-07,failure,,,1767225600,,", "started_at"),
        ("press-07,failure,,,2026-01-01T00:00:00,,", "timezone"),
        ("press-07,failure,,,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z,", "before"),
        ("press-07,failure,,,2190-01-02T00:00:00Z,,", "future"),
        ("press-07,service,party,,2026-01-02T00:00:00Z,,", "preventive"),
        ("press-07,fault_code,,,2026-01-02T00:00:00Z,,", "code"),
    ],
)
def test_a_bad_event_is_reported_with_its_line_and_the_rest_is_loaded(load, row, word):
    load(import_machines, MACHINES)
    report = load(import_events, EVENTS + row + "\npump-1,fault_code,E18,,2026-01-02T00:00:00Z,,\n")
    assert (report.read, report.added, report.rejected) == (5, 4, 1)
    assert word in refused(report)[5]


def test_an_imported_decommissioning_takes_the_machine_out_of_use(load, session):
    load(import_machines, MACHINES)
    load(import_events, "machine,kind,started_at\npump-1,decommission,2026-01-05T00:00:00Z\n")
    gone = session.scalars(select(Machine.key).where(Machine.decommissioned_at.is_not(None))).all()
    assert gone == ["pump-1"]


def test_many_rows_span_several_transactions(load, session):
    load(import_machines, MACHINES)
    lines = [
        f"press-07,fault_code,E{i % 9},2026-01-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z"
        for i in range(4500)
    ]
    report = load(import_events, "\n".join(["machine,kind,code,started_at", *lines, lines[0]]))
    assert (report.read, report.added, report.already_there) == (4501, 4500, 1)
    assert session.scalar(select(func.count()).select_from(Event)) == 4500
