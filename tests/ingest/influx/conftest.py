"""A write as InfluxDB's clients send it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

# 2026-11-20 12:00 in UTC.
NOON = 1_795_176_000
NS = 10**9


def counted(answer) -> dict[str, int]:
    """What the answer's header says, without zeros."""
    pairs = (each.split("=") for each in answer.headers["x-wearwatch-report"].split(", "))
    return {name: int(count) for name, count in pairs if int(count)}


@pytest.fixture
def write(client: TestClient, send_as: Callable[..., None]):
    """Post lines to one of the two addresses; the answer."""

    def write(body: str | bytes, path: str = "/api/v2/write", **headers: str):
        return client.post(path, content=body, headers=headers)

    return write
