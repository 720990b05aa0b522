"""Whatever bytes arrive as readings: refused as a whole, or every row is a reading or has a reason why not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.ingest.decode import Decoded, decode
from tests.ingest.conftest import reading

MOST_ROWS = 50
NAMES = ["machine", "measured_at", "temperature_c", "temperature_f", "current_a", "extra", "vibration_g", "x", ""]
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["2026-11-20T08:00:00Z", "press-07", "NaN", "\ud800", "\0"])
)
NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([10**400, -(2**63), 1e308, 5e-324, True, None]))
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.one_of(
    st.fixed_dictionaries(
        {"machine": st.just("m") | VALUES, "measured_at": st.just("2026-11-20T08:00:00Z") | VALUES},
        optional=dict.fromkeys(NAMES[2:], NUMBERS | VALUES),
    ),
    VALUES,
)
KINDS = st.sampled_from(["application/json", "application/x-ndjson"])
often = hypothesis_settings(max_examples=400, deadline=None)


def written(rows: list[object]) -> bytes:
    """As a careless encoder writes it: NaN, huge integers and half surrogates included."""
    return json.dumps(rows).encode()


def holds(body: bytes, kind: str) -> Decoded | None:
    """The laws of decoding; None where the body was refused as a whole."""
    try:
        decoded = decode(body, kind, MOST_ROWS)
    except BadInput:
        return None
    places = [*decoded.index.tolist(), *(each.index for each in decoded.rejected)]
    assert sorted(places) == list(range(decoded.count))
    assert len(decoded.columns) == len(decoded.index)
    assert all(each.reason and isinstance(each.payload, str) for each in decoded.rejected)
    assert not any(np.isnan(value) for extra in decoded.columns.extra if extra for value in extra.values())
    return decoded


@often
@given(st.binary(max_size=200), KINDS)
@example(b"\xef\xbb\xbf[]", "application/json")
@example(b"[" * 100_000, "application/json")
@example(b'{"a":' * 100_000, "application/x-ndjson")
def test_any_bytes(body, kind):
    holds(body, kind)


@often
@given(st.text('{}[]",:\\u0 \n\tnulltrueNaN-.eE19"machine', max_size=80), KINDS)
def test_anything_that_looks_like_json(text, kind):
    holds(text.encode("utf-8", "replace"), kind)


@often
@given(st.lists(ROWS, max_size=6))
def test_any_rows_as_a_list_and_as_lines_are_judged_alike(rows):
    as_list = holds(written(rows), "application/json")
    as_lines = holds(b"\n".join(json.dumps(row).encode() for row in rows), "application/x-ndjson")
    # A list that comes first on a line is taken for a list of readings.
    if as_list and as_lines and not (rows and isinstance(rows[0], list)):
        assert as_list.index.tolist() == as_lines.index.tolist()
        assert [(each.index, each.field) for each in as_list.rejected] == [
            (each.index, each.field) for each in as_lines.rejected
        ]


@often
@given(st.lists(ROWS, max_size=5), st.integers(0, 5))
def test_good_rows_read_the_same_beside_any_others(rows, place):
    good = reading("2026-11-20T08:00:00.000001Z", temperature_c=61.2, extra={"a": 1})
    alone, mixed = holds(written([good]), ""), holds(written([*rows[:place], good, *rows[place:]]), "")
    if mixed is not None:
        row = mixed.index.tolist().index(min(place, len(rows)))
        assert mixed.columns.as_json(row) == alone.columns.as_json(0)


@often
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=2))
def test_a_good_body_with_some_bytes_replaced(at, other):
    body = written([reading(f"2026-11-20T08:{minute:02}:00Z", extra={"a": 1.5}) for minute in range(9)])
    at %= len(body)
    holds(body[:at] + other + body[at + len(other) :], "application/json")
    holds(body[:at], "application/json")


@pytest.mark.parametrize("depth", [10, 100, 300, 500, 900, 990, 1000, 1500, 5000])
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_any_depth(depth, kind):
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        nested = opening * depth + "1" + closing * depth
        for body in (nested, f'{{"machine": {nested}}}', f'[{{"extra": {nested}}}]'):
            holds(body.encode(), kind)
