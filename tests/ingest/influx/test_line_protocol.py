"""The grammar of line protocol, and lines read together as they would be read one by one."""

from __future__ import annotations

import math
import string
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import TooLarge
from app.ingest.influx import series
from app.ingest.influx.decode import Lines, decode
from app.ingest.influx.line_protocol import LineFault, parse_key, parse_value, split_line, unescape
from app.ingest.influx.series import KnownSeries
from app.ingest.influx.times import NANOSECONDS, PRECISIONS_V1, Precision
from app.ingest.mapping import NameMapping
from tests.ingest.influx.conftest import NOON

NOW_US = NOON * 10**6


def read(body: str | bytes, known: KnownSeries | None = None, precision: Precision = NANOSECONDS) -> Lines:
    given = body if isinstance(body, bytes) else body.encode("utf-8", "surrogateescape")
    return decode(given, known or KnownSeries(NameMapping()), precision, NOW_US, 1_000)


def faults(body: str | bytes) -> dict[int, str]:
    return {each.index + 1: each.reason for each in read(body).decoded.rejected}


def readings(lines: Lines) -> list[tuple]:
    columns = lines.decoded.columns
    return [
        (
            int(number),
            machine,
            int(at),
            tuple(None if math.isnan(value) else value for value in values),
            extra,
        )
        for number, machine, at, values, extra in zip(
            lines.decoded.index,
            columns.machine,
            columns.measured_us,
            columns.values.tolist(),
            columns.extra,
            strict=True,
        )
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m,machine=a", "missing fields"),
        ("m,machine=a ", "missing fields"),
        (",machine=a f=1", "missing measurement"),
        ("m,machine= f=1", "missing tag value"),
        ("m,machine f=1", "missing tag value"),
        ("m,=a f=1", "missing tag key"),
        ("m,machine=a=b f=1", "invalid tag format"),
        ("m,machine=a,machine=b f=1", "duplicate tags"),
        ("m,machine=a f", "invalid field format"),
        ("m,machine=a =1", "invalid field format"),
        ("m,machine=a f=", "missing field value"),
        ("m,machine=a f=1,", "invalid field format"),
        ("m,machine=a f=1,,g=2", "invalid field format"),
        ("m,machine=a f=1=g,2", "invalid field format"),
        ("m,machine=a f=x", "invalid number 'x'"),
        ("m,machine=a f=1_000", "invalid number '1_000'"),
        ("m,machine=a f=nan", "invalid number 'nan'"),
        ("m,machine=a f=-Infinity", "invalid number '-Infinity'"),
        ("m,machine=a f=0x10", "invalid number '0x10'"),
        ("m,machine=a f=1.5i", "invalid number '1.5i'"),
        ("m,machine=a f=" + "1" * 60_000 + "x", "invalid number"),
        ("m,machine=a f=-1u", "invalid number '-1u'"),
        ("m,machine=a f=٣", "invalid number '٣'"),
        ("m,machine=a f=9223372036854775808i", "unable to parse integer 9223372036854775808i: value out of range"),
        ("m,machine=a f=1e309", "inf is not a number that can be measured"),
        ('m,machine=a f="open', "unbalanced quotes"),
        ('m,machine=a f="x"y', "invalid field format"),
        ("m,machine=a f=1 2 3", "bad timestamp"),
        ("m,machine=a f=1 1.5", "bad timestamp"),
        ("m,machine=a f=1 1_0", "bad timestamp"),
        ("m,machine=a f=1 ١", "bad timestamp"),
        ("m,machine=a f=1 1-1", "bad timestamp"),
        ("m,machine=a f=1 99999999999999999999", "time outside range"),
        ("m,machine=a f=1 -9223372036854775808", "time outside range"),
        ("m,machine=a f=1\0 1", "the line holds a NUL character or is not UTF-8"),
        (b"m,machine=a\xff f=1 1", "the line holds a NUL character or is not UTF-8"),
        ("m,machine=a temperature_c=1,temp=2 1", "temperature_c comes twice with different values"),
        ("m,machine=a temperature_c=1,temperature_c=2 1", "temperature_c comes twice with different values"),
        ("m,machine=a temperature_c=true 1", "'True' is not a number"),
        ("m,machine=a " + "f=1," * 20_000 + "f=1 1", "the line has more than 65,535 characters"),
    ],
)
def test_a_line_that_is_none_says_why_alone_and_among_good_ones(line, reason):
    given = line if isinstance(line, bytes) else line.encode()
    good = b"m,machine=a f=1 1\n"
    alone, among = faults(given), faults(good * 3 + given + b"\n" + good)
    assert (list(alone), list(among)) == ([1], [4])
    assert alone[1].startswith(reason)
    assert among[4] == alone[1]
    assert len(read(good * 3 + given + b"\n" + good).decoded.columns) == 4


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("m,machine=a f=1 1", 1.0),
        ("m,machine=a  f=1   1  ", 1.0),
        ("  m,machine=a f=1", 1.0),
        ("m,machine=a f=1 1\r", 1.0),
        ("m,machine=a f=-1.5e3 1", -1500.0),
        ("m,machine=a f=1 9223372036854775806", 1.0),
        ("m,machine=a f=1 -9223372036854775806", 1.0),
        ("m,machine=a f=.5 1", 0.5),
        ("m,machine=a f=5. 1", 5.0),
        ("m,machine=a f=-9223372036854775808i 1", -(2.0**63)),
        ("m,machine=a f=18446744073709551615u 1", 2.0**64),
        ("m,machine=a f=1,f=1 1", 1.0),
        (r"m\ n\,o,machine=a f=1 1", 1.0),
        ('m,machine=a f=1,g="a,b=c \\"d\\" \\\\" 1', 1.0),
        ('m,machine=a g="two\nlines",f=1 1', 1.0),
        ('m,site="quoted",machine=a f=1 1', 1.0),
    ],
)
def test_a_line_is_read_as_influxdb_reads_it(line, expected):
    lines = read(line)
    assert lines.decoded.rejected == []
    assert lines.decoded.columns.extra == [{"f": expected}]


def test_names_hold_what_is_escaped():
    lines = read(r"m,machine=press\ 7\,\=x a\ b\,c\=d=1,e\f=2 1")
    assert readings(lines) == [(0, "press 7,=x", 0, (None,) * 4, {"a b,c=d": 1.0, r"e\f": 2.0})]


def test_lines_keep_their_numbers_past_comments_blank_lines_and_texts_with_line_breaks():
    body = '# one\n\nm,machine=a f=1,s="x\ny\nz" 1\r\nm,machine=a bad 1\nm,machine=a f=2 2\n'
    assert faults(body) == {6: "invalid field format"}
    assert read(body).decoded.index.tolist() == [2, 6]


def test_a_text_that_is_never_closed_takes_no_other_line_with_it():
    body = 'm,machine=a f=1,s="open 1\nm,machine=a f=2 2\nm,machine=b f=3 3'
    assert faults(body) == {1: "unbalanced quotes"}
    assert len(read(body).decoded.columns) == 2


@pytest.mark.parametrize(("name", "precision"), PRECISIONS_V1.items())
def test_negative_times_lie_before_1970_and_what_is_finer_than_a_microsecond_is_cut_off(name, precision):
    at = read("m,machine=a f=1 -1", precision=precision).decoded.columns.measured_us[0]
    step = {"n": -1, "ns": -1, "u": -1, "us": -1, "µ": -1, "ms": -1e3, "s": -1e6, "m": -60e6, "h": -3600e6}
    assert at == step[name]


def test_what_no_body_of_lines_needs_is_refused_before_it_fills_the_memory():
    with pytest.raises(TooLarge):
        read("m,machine=a f=1 1\n" * 1_001)
    with pytest.raises(TooLarge):
        read("," * 2_000_001)


@pytest.mark.parametrize(
    "line",
    [
        "m,machine=a " + ",".join(f"field_{{0}}_{number}=1" for number in range(40)) + " 1",
        "m,machine=a," + ",".join(f"tag{number}={'é' * 100}" for number in range(60)) + ",n={0} f=1 1",
        "m,machine=a,axis=" + "x" * 2_000 + "{0} f=1 1",
    ],
    ids=["fields", "tags", "qualifiers"],
)
def test_what_is_remembered_of_senders_that_never_repeat_themselves_is_bounded(monkeypatch, line):
    monkeypatch.setattr(series, "MOST_REMEMBERED_BYTES", 256 << 10)
    known = KnownSeries(NameMapping())
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for begin in range(0, 1_000, 100):
        read("\n".join(line.format(number) for number in range(begin, begin + 100)), known)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2 << 20


NAMES = st.text(string.ascii_letters + string.digits + ' ,="\\é_-.#', min_size=1, max_size=8).filter(
    lambda name: not name.endswith("\\") and name.strip() == name
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1) | st.booleans()
POINTS = st.tuples(
    NAMES.filter(lambda name: not name.startswith("#")),
    st.dictionaries(NAMES, NAMES, max_size=3),
    st.dictionaries(NAMES, NUMBERS | st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1),
    st.none() | st.integers(-(2**63) + 2, 2**63 - 2),
)


def escaped(name: str, characters: str) -> str:
    for character in characters:
        name = name.replace(character, "\\" + character)
    return name


def rendered_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "F"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value}i" if isinstance(value, int) else repr(value)


def rendered(point) -> str:
    measurement, tags, fields, time = point
    key = escaped(measurement, ", ") + "".join(f",{escaped(k, ',= ')}={escaped(v, ',= ')}" for k, v in tags.items())
    values = ",".join(f"{escaped(name, ',= ')}={rendered_value(value)}" for name, value in fields.items())
    return f"{key} {values}" + ("" if time is None else f" {time}")


@given(POINTS)
def test_what_was_written_is_read(point):
    measurement, tags, fields, time = point
    key, names, values, at = split_line(rendered(point))
    assert parse_key(key) == (measurement, tags)
    assert [unescape(name) for name in names] == list(fields)
    assert at == ("" if time is None else str(time))
    for written, value in zip(values, fields.values(), strict=True):
        if isinstance(value, str):
            assert written == rendered_value(value)
        else:
            assert parse_value(written) == float(value)


def one_by_one(lines: list[str]) -> tuple[list, list]:
    """Each line by itself, by a reader that remembers nothing."""
    good, bad = [], []
    for number, line in enumerate(lines):
        said = read(line)
        good += [(number, *each[1:]) for each in readings(said)]
        bad += [(number, each.field, each.reason) for each in said.decoded.rejected]
    return good, bad


PIECES = st.lists(
    st.sampled_from(
        ["m", ",", "machine=a", " ", "f", "g", "=", "1", "2i", "t", '"x y"', "\\", "#", "-", "nan", "1e400"]
    ),
    max_size=14,
).map("".join)
GOOD = st.sampled_from(
    [
        "m,machine=a f=1,g=2 1",
        "m,machine=a f=1,g=2i 5",
        "m,machine=b f=3,g=4",
        'm,machine=b f=3,g="t" 2',
        'm,machine=b f=3,g="t, u=1 v" 2',
        'm,machine=b f=3,g="t\\" u" 2',
        'm,machine="x" f=3,g="t" 2',
        'm,machine=b temp="3",g="t" 2',
        'm,machine=b f="3"4,g="t" 2',
        'm,machine=b "f"=3,g="" 2',
        "m,machine=a temp_f=212,current=1 7",
        "m,machine=a 1=2,f=3 7",
    ]
)


@settings(max_examples=300)
@given(st.lists(GOOD | PIECES.map(lambda tail: "m,machine=a f=1,g=" + tail) | PIECES, max_size=12))
@example(["m,machine=a f=1,g=2 1", "m,machine=a f=1=g,2 1", "m,machine=a f=1,g=2 2"])
@example(["m,machine=a f=1,g=2 1", "m,machine=a f=1,g,2= 1", "m,machine=a f=1,g=2 2"])
def test_lines_together_say_what_each_says_alone(lines):
    # A quote may begin a text that goes on in the next line, which is another body.
    lines = [line for line in lines if line.count('"') % 2 == 0]
    said = read("\n".join(lines))
    good, bad = one_by_one(lines)
    assert readings(said) == good
    assert [(each.index, each.field, each.reason) for each in said.decoded.rejected] == bad


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.lists(PIECES | st.text()).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))
)
def test_no_body_is_an_error_of_ours(body):
    known = KnownSeries(NameMapping())
    first, second = read(body, known), read(body, known)
    assert readings(first) == readings(second)
    assert first.decoded.rejected == second.decoded.rejected


@given(st.text(max_size=40))
def test_a_value_is_a_number_a_truth_a_text_or_a_fault(written):
    try:
        value = parse_value(written)
    except LineFault:
        return
    assert isinstance(value, float | bool | str)
