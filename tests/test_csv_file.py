from pathlib import Path

import pytest

from app.csv_file import ImportReport, open_csv
from app.errors import BadInput


def read(path: Path, content: bytes | str, needed=("machine",), optional=None):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    shares: list[float] = []
    with open_csv(path, needed, shares.append, optional=optional) as rows:
        found = list(rows)
        return found, rows.report(len(found), 0), rows, shares


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.csv"


def test_rows_come_with_the_number_of_their_line(path):
    found, report, rows, shares = read(path, 'machine, note\npress-07,a\n\nfan,"two\nlines"\n')
    assert rows.columns == ["machine", "note"]
    assert found == [(2, ["press-07", "a"]), (5, ["fan", "two\nlines"])]
    assert report == ImportReport(read=2, added=2, already_there=0, rejected=0, report_path=None)
    assert shares[-1] == 1.0


def test_semicolons_tabs_and_a_byte_order_mark_are_understood(path):
    for content in (b"\xef\xbb\xbfmachine;note\r\nfan;a,b\r\n", b"machine\tnote\nfan\ta,b\n"):
        assert read(path, content)[0] == [(2, ["fan", "a,b"])]


def test_bad_lines_go_to_the_report_and_do_not_stop_the_rest(path):
    content = b"machine,note\nfan,a\nfan\nfan,\xff\nfan,\0\nfan,a,b\n" + b"x" * 200_000 + b",a\nlast,b\n"
    found, report, _, _ = read(path, content)
    assert [cells[0] for _, cells in found] == ["fan", "last"]
    assert (report.read, report.rejected) == (7, 5)
    lines = report.report_path.read_text().splitlines()
    assert lines[0] == "line,reason"
    assert lines[1] == '3,"The line has 1 cells, the header has 2."'
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "4", "5", "6", "7"]


def test_a_quote_that_is_never_closed_is_named_with_the_lines_it_swallowed(path):
    for line in ('fan,"a', '"fan,a'):
        _, report, _, _ = read(path, f"machine,note\n{line}\nfan,b\nfan,c\n")
        assert "swallowed the 3 lines" in report.report_path.read_text()


def test_an_old_report_does_not_outlive_a_clean_run(path):
    _, report, _, _ = read(path, "machine,note\nfan\n")
    assert report.report_path.exists()
    read(path, "machine,note\nfan,a\n")
    assert not report.report_path.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "things.csv is empty."),
        ("\n\n", "things.csv has no header line."),
        ("machine\n", "things.csv has a header but no rows."),
        ("note\nfan\n", "things.csv lacks the column machine; its header is: note."),
        ("machine,machine\nfan,fan\n", "things.csv has the column 'machine' twice."),
        ("machine,\nfan,\n", "things.csv has a column without a name."),
        (b"PK\x03\x04\x00\x00machine\n", "things.csv is not a CSV file in UTF-8."),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(path, content, sentence):
    with pytest.raises(BadInput) as caught:
        read(path, content)
    assert caught.value.detail == sentence


def test_an_unknown_column_is_named_with_the_likely_one(path):
    with pytest.raises(BadInput, match="unknown column 'sitee'; did you mean site"):
        read(path, "machine,sitee\nfan,a\n", optional=["site", "line"])


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"), open_csv(path, ["machine"], print):
            pass
