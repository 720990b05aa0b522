from datetime import timedelta

import pytest
from sqlalchemy import text

from app.errors import BadInput
from app.ingest.importing import TIMES_WITHOUT_ZONE, import_readings


@pytest.fixture
def run(engine, settings, tmp_path):
    def run(content: str, name: str = "readings.csv"):
        path = tmp_path / name
        path.write_text(content)
        return import_readings(engine, settings, path, lambda share: None)

    return run


def rows(engine, query="SELECT m.key, r.* FROM readings r JOIN machines m ON m.id = r.machine_id ORDER BY 1, 3"):
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


FILE = """machine,measured_at,temperature_c,pressure_bar
press-07,2026-11-20T08:00:00Z,61.5,5.4
press-07,2026-11-20T10:00:00+01:00,62,
fan,2026-11-20 08:00,,1e3
"""


def test_known_columns_are_channels_and_all_others_are_extra(run, engine):
    report = run(FILE)
    assert (report.read, report.added, report.rejected, report.notes) == (3, 3, 0, (TIMES_WITHOUT_ZONE,))
    fan, first, second = rows(engine)
    assert (fan["temperature_c"], fan["extra"]) == (None, {"pressure_bar": 1000})
    assert (first["temperature_c"], first["extra"]) == (61.5, {"pressure_bar": 5.4})
    assert (second["extra"], second["measured_at"] - first["measured_at"]) == (None, timedelta(hours=1))


def test_machines_nobody_described_are_registered_as_unconfigured(run, engine):
    run(FILE)
    assert [(row["key"], row["configured"]) for row in rows(engine, "SELECT * FROM machines ORDER BY key")] == [
        ("fan", False),
        ("press-07", False),
    ]


def test_a_second_run_of_the_same_file_adds_nothing(run, engine):
    run(FILE)
    before = rows(engine)
    report = run(FILE)
    assert (report.added, report.already_there, report.merged, report.conflicts) == (0, 3, 0, 0)
    assert rows(engine) == before


def test_bad_lines_are_named_and_the_others_are_stored(run):
    report = run(
        "machine,measured_at,temperature_c,s1\n"
        "a,yesterday,1,1\n"
        "a,2026-11-20T08:00Z,warm,1\n"
        "a,2026-11-20T08:00Z,-300,1\n"
        "a,2999-01-01,1,1\n"
        "a,2026-11-20T08:00Z,nan,1\n"
        "a,2026-11-20T08:00Z,1_0,1\n"
        "a,2026-11-20T08:00Z,1,1e300\n"
        "a,2026-11-20T08:00Z,,\n"
        ",2026-11-20T08:00Z,1,1\n"
        "a,2026-11-20T08:00Z,1\n"
        "a,2026-11-20T08:00Z,1,1\n"
    )
    assert (report.read, report.added, report.rejected) == (11, 1, 10)
    told = report.report_path.read_text()
    for line, words in [
        (2, "'yesterday' is not a time"),
        (3, "'warm' is not a number"),
        (4, "-300 is below -273.15 degrees Celsius"),
        (5, "in the future"),
        (6, "'nan' is not a number"),
        (7, "'1_0' is not a number"),
        (8, "1e+300 is not a number that can be measured"),
        (9, "holds no value"),
        (10, "key is empty"),
        (11, "has 3 cells"),
    ]:
        [of_line] = [row for row in told.splitlines() if row.startswith(f"{line},")]
        assert words in of_line


def test_a_contradicting_line_is_named_in_the_report_but_not_refused(run):
    report = run("machine,measured_at,s1\na,2026-11-20T08:00Z,1\na,2026-11-20T08:00Z,2\n")
    assert (report.added, report.conflicts, report.rejected) == (1, 1, 0)
    assert "3,s1: 1 is stored already; 2 is kept among the conflicts." in report.report_path.read_text()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("machine,measured_at,s1\n", "has a header but no rows"),
        ("machine,s1\na,1\n", "lacks the column measured_at"),
        ("machine,measured_at\na,2026-11-20T08:00Z\n", "has no column with a channel"),
        ("machine,measured_at,extra\na,2026-11-20T08:00Z,1\n", "has the column 'extra'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(run, content, sentence):
    with pytest.raises(BadInput, match=sentence):
        run(content)


def test_columns_that_name_another_unit_are_converted(run, engine):
    report = run(
        "machine,measured_at,temperature_c,temperature_f,current_ma\n"
        "a,2026-11-20T08:00Z,,212,14300\n"
        "b,2026-11-20T08:00Z,61.5,,\n"
        "c,2026-11-20T08:00Z,61.5,212,\n"
    )
    assert (report.read, report.added, report.rejected) == (3, 2, 1)
    assert "given in another unit too" in report.report_path.read_text()
    first, second = rows(engine)
    assert (first["temperature_c"], first["current_a"], first["extra"]) == (100, 14.3, None)
    assert (second["temperature_c"], second["current_a"]) == (61.5, None)


def test_a_peak_column_is_an_extra_channel_and_the_report_says_why(run, engine):
    report = run("machine,measured_at,vibration_peak_mm_s\na,2026-11-20T08:00Z,3.1\n")
    [note] = report.notes
    assert note.startswith("vibration_peak_mm_s was stored as an extra channel: vibration_mm_s is an r.m.s.")
    [row] = rows(engine)
    assert (row["vibration_mm_s"], row["extra"]) == (None, {"vibration_peak_mm_s": 3.1})
