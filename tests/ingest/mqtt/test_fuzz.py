"""Whatever a message holds: it is read or refused with a reason, and nothing that is stored is no number."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.ingest.mqtt.inbox import Message
from app.ingest.mqtt.reading import Reader
from app.ingest.mqtt.sparkplug_wire import encode_payload
from app.settings import Settings

SETTINGS = Settings(
    mqtt_topics="plant/{machine}/readings, single/{machine}/{channel}", mqtt_sparkplug_group="+", max_rows=50
)
numbers = st.one_of(
    st.floats(),
    st.integers(),
    st.integers(0, 2**80),
    st.sampled_from([1e308, -1e308, 10**400, float("nan"), True, None, "1", "\0", "\ud800"]),
)
names = st.one_of(
    st.sampled_from(
        ["machine", "measured_at", "ts", "temperature_c", "temp_f", "value", "unit", "extra", "values", "v"]
    ),
    st.text(max_size=5),
)
times = st.sampled_from(["2026-11-20T08:00:00Z", "9999-12-31T23:59:59Z", 1_795_161_600_000, 0, -5])
trees = st.recursive(
    numbers | times | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
metrics = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["temperature_c", "a/b", "bdSeq", "Node Control/Rebirth", "", "\0"]),
        "alias": st.integers(0, 3),
        "timestamp": st.sampled_from([0, 1_795_161_600_000, 2**64 - 1]),
        "datatype": st.integers(0, 40),
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
        "properties": st.dictionaries(
            st.sampled_from(["engUnit", "Quality"]),
            st.sampled_from(["degF", "g", "\0", 0, 192, 2**32 - 1]),
            max_size=2,
        ),
    },
)
values = st.one_of(
    st.fixed_dictionaries({"int_value": st.integers(0, 2**32 - 1)}),
    st.fixed_dictionaries({"long_value": st.integers(0, 2**64 - 1)}),
    st.fixed_dictionaries({"double_value": st.floats()}),
    st.fixed_dictionaries({"boolean_value": st.booleans()}),
    st.fixed_dictionaries({"string_value": st.text(max_size=3)}),
    st.just({}),
)
kinds = st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"])


def message(topic: str, body: bytes, repeated: bool = False) -> Message:
    return Message(topic, body, 1, 1, 0, repeated, False, 1_795_161_600_000_000, len(body))


def check(reader: Reader, sent: list[Message]) -> None:
    """Each message comes back exactly once, and what is to be stored has a key, a time and numbers or nothing."""
    reads = reader.read(sent, 0.0) + reader.read([], 1e9)
    assert sorted(map(id, sent)) == sorted(id(read.ticket) for read in reads)
    for read in reads:
        columns = read.decoded.columns
        assert not np.isinf(columns.values).any()
        assert all(np.isfinite(list(extra.values())).all() for extra in columns.extra if extra)
        assert all(isinstance(key, str) for key in columns.machine)
        assert all(refused.reason for refused in read.decoded.rejected)
        assert "could not be read" not in str([refused.reason for refused in read.decoded.rejected])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["plant/m/readings", "single/m/c", "plant//readings", "other"]), trees)
def test_any_json_is_read_or_refused(topic, tree):
    check(Reader(SETTINGS), [message(topic, json.dumps(tree).encode())])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["plant/m/readings", "single/m/c", "spBv1.0/g/NBIRTH/n", "spBv1.0/g/DDATA/n/d"]), st.binary()
)
@example("plant/m/readings", b'"\x80"')
def test_any_bytes_are_read_or_refused(topic, body):
    check(Reader(SETTINGS), [message(topic, body)])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            kinds, st.none() | st.integers(0, 300), st.booleans(), st.lists(st.tuples(metrics, values), max_size=4)
        ),
        max_size=8,
    )
)
def test_any_order_of_sparkplug_messages_is_read_or_refused(story):
    sent = []
    for kind, seq, repeated, given_metrics in story:
        topic = f"spBv1.0/g/{kind}/n" + ("/d" if kind[0] == "D" else "")
        body = encode_payload(1_795_161_600_000, [metric | value for metric, value in given_metrics], seq)
        sent.append(message(topic, body, repeated))
    check(Reader(SETTINGS), sent)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_sparkplug_message_is_read_or_refused(data):
    whole = bytearray(
        encode_payload(1, [{"name": "temperature_c", "alias": 1, "datatype": 9, "float_value": 1.0}], 0)
    )
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    check(Reader(SETTINGS), [message("spBv1.0/g/NBIRTH/n", bytes(whole[: data.draw(st.integers(0, len(whole)))]))])
