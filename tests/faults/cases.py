"""Hostile requests, derived from the interface's own description: every field and parameter of every endpoint."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

LONG = "x" * (1 << 20)
DEEP = 100_000
# JSON as text: most of these no encoder would write.
VALUES = [
    "null", "true", "NaN", "Infinity", "-Infinity", "1e308", "-1e308", "1e999", "5e-324", "-0.0", "-1", "0.1",
    "9" * 400, "9" * 5000, str(2**31), str(2**63), str(-(2**63) - 1), '""', '" "', '"\\u0000"', '"a\\u0000b"',
    '"\\ud800"',
    '"\\udc00\\ud800"', '"\\u202e\\u2028"', '"\\r\\nX: 1"', json.dumps(LONG), '"NaN"', '"1e308"', "[]", "[[]]",
    "{}", '{"\\u0000": 1}', '{"\\ud800": 1}', '{"a": NaN}', "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP, '"9999-12-31T23:59:59-14:00"', '"0001-01-01T00:00:00+14:00"',
    '"2026-02-30T00:00:00Z"', "1700000000", '"; drop table readings; --"', '"../../etc/passwd"', '"=1+1"', "'x'",
    "tru", '"\\x"', '"', "", "\x00", "\ud800",
]  # fmt: skip
TEXTS = [
    "", "%00", "a%00b", "%ff%fe", "%ED%A0%80", "%F4%90%80%80", "%2e%2e%2f", "%0d%0aX-A:1", "%", "%zz", "9" * 50,
    "-1", "0", "1e308", "NaN", "Infinity", "true", "null", str(2**31), str(2**63), "x" * 5000, "'; --",
    "2026-02-30", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00", "1700000000", "%E2%80%AE", "[]", "{}",
    "a&a=b", "1d1d",
]  # fmt: skip
BODIES = [
    *(value.encode("utf-8", "surrogatepass") for value in VALUES),
    b"\xff\xfe", b"\xef\xbb\xbf{}", b"{", b"[", b"[1,]", b"{} {}", b"{}\n{}\n", b"[" * DEEP, b'{"a":1,"a":2}',
    b"\x1f\x8b\x08\x00", json.dumps([{}] * 1000).encode(), b'{"a"' * DEEP, b" " * (1 << 20), b"a,b\n1,2\n",
]  # fmt: skip
MARK = '"@hostile@"'


class Case(NamedTuple):
    what: str
    method: str
    path: str
    content_type: str
    body: bytes


def cases(document: dict[str, Any]) -> list[Case]:
    """Every single hostile value in every place."""
    return [
        case
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not streams(operation)
        for case in _of_operation(document, method.upper(), path, operation)
    ]


def pairs(document: dict[str, Any], count: int) -> Iterator[Case]:
    """Bodies with two hostile values in them, by chance but always the same."""
    chance = random.Random(8)
    singles = [case for case in cases(document) if MARK.encode() not in case.body and case.body[:1] == b"{"]
    for case in chance.choices(singles, k=count):
        value = chance.choice(VALUES)
        more = b'{"' + chance.choice([b"extra", b"name", b"measured_at", b"\\u0000"]) + b'": '
        yield case._replace(
            what=f"{case.what} and {value[:20]!r}",
            body=more + value.encode("utf-8", "surrogatepass") + b", " + case.body[1:],
        )


def streams(operation: dict[str, Any]) -> bool:
    return any("event-stream" in kind for kind in operation["responses"].get("200", {}).get("content", {}))


def _of_operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[Case]:
    parameters = operation.get("parameters", [])
    bodies = operation.get("requestBody", {}).get("content", {})
    kind, media = next(iter(bodies.items()), ("", {}))
    schema = media.get("schema", {})
    good = json.dumps(example(document, schema)).encode() if schema and "json" in kind else b""
    for hostile in parameters:
        for text in TEXTS:
            yield Case(
                f"{method} {path} {hostile['name']}={text[:30]}",
                method,
                _address(path, parameters, hostile["name"], text),
                kind,
                good,
            )
    address = _address(path, parameters, "", "")
    for kind in bodies:
        for body in BODIES:
            yield Case(f"{method} {path} {kind} {body[:30]!r}", method, address, kind, body)
    if good:
        for place, marked in marked_bodies(document, schema):
            for value in [*VALUES, f'1, {json.dumps(place)}: "twice"']:
                body = json.dumps(marked).replace(MARK, value).encode("utf-8", "surrogatepass")
                yield Case(f"{method} {path} {place}={value[:30]}", method, address, kind, body)


def _address(path: str, parameters: list[dict[str, Any]], hostile: str, text: str) -> str:
    queries = []
    for parameter in parameters:
        value = text if parameter["name"] == hostile else None
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", value or "1")
        elif value is not None:
            queries.append(f"{quote(parameter['name'])}={value}")
        elif parameter.get("required"):
            queries.append(f"{quote(parameter['name'])}=1")
    return path + ("?" + "&".join(queries) if queries else "")


def example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A value that the schema allows, with what is required only."""
    schema = _resolved(document, schema)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("examples"):
        return schema["examples"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(document, schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [example(document, schema.get("items", {}))]
    if kind == "string":
        return "2026-11-20T08:00:00Z" if schema.get("format") == "date-time" else "a" * schema.get("minLength", 1)
    return {"number": schema.get("minimum", 1), "integer": 1, "boolean": False}.get(kind or "")


def marked_bodies(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Bodies good but for one MARK: (the name of its field, the body)."""
    schema = _resolved(document, schema)
    mark = json.loads(MARK)
    for name, field in schema.get("properties", {}).items():
        good = example(document, schema)
        yield name, good | {name: mark}
        for inner, marked in marked_bodies(document, field):
            yield f"{name}.{inner}", good | {name: marked}
    if isinstance(schema.get("additionalProperties"), dict):
        yield "pressure_bar", {"pressure_bar": mark}
    if "items" in schema:
        yield "0", [mark]
        for inner, marked in marked_bodies(document, schema["items"]):
            yield inner, [marked]


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """References followed, and of several choices the first that is not null."""
    while "$ref" in schema or "anyOf" in schema or "oneOf" in schema:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        elif choices := [
            each for each in schema.get("anyOf", schema.get("oneOf", [])) if each.get("type") != "null"
        ]:
            rest = {name: value for name, value in schema.items() if name not in ("anyOf", "oneOf")}
            schema = rest | (choices[0] if "type" in choices[0] or "$ref" in choices[0] else {})
        else:
            return {}
    return schema
