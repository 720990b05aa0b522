"""Settings come from the environment, and a wrong one is named in a sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from app.database import database_url
from app.duration import duration_text, parse_duration, parse_durations
from app.errors import BadInput
from app.settings import Settings, get_settings


@pytest.fixture
def clean(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_the_environment_sets_them(clean):
    clean.setenv("WEARWATCH_PORT", "8080")
    clean.setenv("WEARWATCH_BUCKET", "30m")
    clean.setenv("WEARWATCH_HORIZONS", "7d,24h,7d")
    settings = get_settings()
    assert (settings.port, settings.bucket_seconds) == (8080, 1800)
    assert settings.horizons == (timedelta(days=1), timedelta(days=7))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "web"),
        ("BUCKET", "1"),
        ("BUCKET", "1.5s"),
        ("BUCKET", "0s"),
        ("HORIZONS", "soon"),
        ("WARN_PROBABILITY", "nan"),
        ("ALARM_PROBABILITY", "1.5"),
        ("PREVENTIVE_COST", "inf"),
        ("LOG_FORMAT", "xml"),
        ("MAX_BODY_BYTES", "0"),
    ],
)
def test_a_wrong_setting_is_named(clean, name, value):
    clean.setenv(f"WEARWATCH_{name}", value)
    with pytest.raises(BadInput, match=name):
        get_settings()


def test_the_database_password_is_not_shown():
    settings = Settings(DATABASE_URL="postgresql://me:hush@db/wear")
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings.model_dump())


@pytest.mark.parametrize(
    ("url", "word"), [("nonsense", "postgresql://"), ("mysql://u@h/d", "needs PostgreSQL"), ("", "postgresql://")]
)
def test_a_database_that_is_not_postgresql_is_refused(url, word):
    with pytest.raises(BadInput, match=word) as refused:
        database_url(Settings(DATABASE_URL=url))
    assert url == "" or url not in refused.value.detail


def test_every_setting_says_what_it_is_for():
    assert {name for name, field in Settings.model_fields.items() if not field.description} == set()


def test_settings_cannot_change_while_running():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


@pytest.mark.parametrize("text", ["1", "h", "-1h", "0h", "1e3h", "nan h", "1y", "99999999d", "１h\x00", ""])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(BadInput, match="duration"):
        parse_duration(text)


def test_durations_are_read_and_written_back():
    assert [duration_text(each) for each in parse_durations("90m, 1D,24h,1.5h,30s")] == ["30s", "90m", "1d"]
