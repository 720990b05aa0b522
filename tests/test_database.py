"""The engine: what its errors say, and how long it waits for a server that is gone."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from app.database import LIVENESS


def test_an_error_does_not_tell_the_values_of_its_statement(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(ProgrammingError) as failed:
        connection.execute(text("INSERT INTO nowhere VALUES (:csrf_token)"), {"csrf_token": "hush"})
    assert "nowhere" in str(failed.value)
    assert "hush" not in str(failed.value)


def test_a_server_that_is_gone_without_a_word_is_noticed_within_half_a_minute(engine: Engine) -> None:
    with engine.connect() as connection:
        used = connection.connection.driver_connection.info.get_parameters()
    assert {name: int(used[name]) for name in LIVENESS} == LIVENESS
    assert LIVENESS["keepalives_idle"] + LIVENESS["keepalives_interval"] * LIVENESS["keepalives_count"] <= 30
    assert LIVENESS["tcp_user_timeout"] <= 30_000
