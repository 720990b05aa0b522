"""Every setting, read once from the environment (`WEARWATCH_*` and two that others name) and passed on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, Request
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.duration import parse_duration, parse_durations
from app.errors import BadInput


def _reading(parse: Callable[[str], object]) -> BeforeValidator:
    """Text through `parse`; what it refuses is a wrong setting and named as such."""

    def read(value: object) -> object:
        try:
            return parse(value) if isinstance(value, str) else value
        except BadInput as error:
            raise ValueError(error.detail) from error

    return BeforeValidator(read)


def _whole_seconds(value: timedelta) -> timedelta:
    if value.total_seconds() % 1:
        raise ValueError("must be a whole number of seconds")
    return value


# Writers take readings of the last day for never packed; the other day is for clocks that differ.
SHORTEST_BEFORE_PACKING = timedelta(days=2)

# Variables that others name, too.
NOT_OURS = frozenset({"DATABASE_URL", "MLFLOW_TRACKING_URI"})

Duration = Annotated[timedelta, _reading(parse_duration)]
Limit = Annotated[
    timedelta | None, _reading(lambda text: parse_duration(text) if text.strip() not in ("", "0") else None)
]
Bucket = Annotated[Duration, AfterValidator(_whole_seconds)]
Durations = Annotated[tuple[timedelta, ...], NoDecode, _reading(lambda text: tuple(parse_durations(text)))]


def _beyond_clocks(value: timedelta | None) -> timedelta | None:
    if value is not None and value < SHORTEST_BEFORE_PACKING:
        raise ValueError("must be at least 2d, or 0 for never")
    return value


PackAfter = Annotated[Limit, AfterValidator(_beyond_clocks)]


class Settings(BaseSettings):
    """`WEARWATCH_PORT=8080` sets `port`. Durations are written `90s`, `15m`, `24h`, `7d`."""

    model_config = SettingsConfigDict(env_prefix="WEARWATCH_", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL to use; without it Wearwatch runs its own inside the data folder.",
    )
    data_dir: Path = Field(Path("wearwatch-data"), description="Where the embedded database, keys and backups lie.")
    host: str = Field("127.0.0.1", description="Address the service listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the service listens on.")
    processes: int = Field(1, ge=1, le=64, description="How many service processes share the port.")
    plant: str = Field("Plant", max_length=80, description="Name of the plant, shown on every page.")
    currency: str = Field("€", max_length=8, description="Sign put before amounts of money.")
    secure_cookies: bool = Field(
        False, description="Send the session cookie over HTTPS only; set it behind a TLS proxy."
    )
    session_length: Duration = Field(timedelta(hours=12), description="How long a sign-in lasts.")
    bucket: Bucket = Field(timedelta(hours=1), description="Width of a roll-up; at least 1s.")
    horizons: Durations = Field(
        tuple(timedelta(days=days) for days in (1, 3, 7, 14, 30)),
        description="How far ahead models look, when `train` names nothing else.",
    )
    train_every: Limit = Field(
        timedelta(days=7), description="How often the worker trains anew; `0` trains only when somebody asks."
    )
    promote: Literal["gate", "person"] = Field(
        "gate",
        description="Who lets a new model serve: the `gate` where it passes, or a `person` always.",
    )
    mlflow_tracking_uri: SecretStr | None = Field(
        None,
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow server that every training is told to; needs `wearwatch[mlflow]`.",
    )
    max_body_bytes: int = Field(16 << 20, ge=1024, description="Largest request body, as sent.")
    max_decompressed_bytes: int = Field(64 << 20, ge=1024, description="Largest body after gunzip.")
    max_bytes_under_way: int = Field(
        32 << 20, ge=1 << 20, description="Most bytes of all bodies that a process receives at a time; then 503."
    )
    max_rows: int = Field(100_000, ge=1, description="Most readings in one request.")
    max_future: Duration = Field(timedelta(minutes=5), description="How far ahead a sensor's clock may run.")
    silent_after: Duration = Field(
        timedelta(hours=3), description="A machine without a reading for so long is silent."
    )
    late_after: Duration = Field(
        timedelta(minutes=15), description="A reading that arrives so long after it was measured counts as late."
    )
    arrivals_kept: Duration = Field(
        timedelta(days=14), description="How long who sent what is kept by the hour; later as one sum."
    )
    plausible_values: Path | None = Field(
        None, description="JSON file of plausible values per asset class; see `docs/data.md` for its form."
    )
    warn_probability: float = Field(
        0.15, gt=0, lt=1, description="7-day probability from which a machine is shown as a warning."
    )
    alarm_probability: float = Field(
        0.35, gt=0, lt=1, description="7-day probability from which a machine is shown as an alarm."
    )
    mapping: Path | None = Field(
        None,
        description="TOML file: which tags, topics and fields of Telegraf or MQTT are which machine and channel.",
    )
    failure_modes: Path | None = Field(
        None, description="JSON file of failure modes per asset class; ISO 14224's list without it."
    )
    preventive_cost: float = Field(
        800, ge=0, le=1e12, description="Cost of a planned service where a machine names none."
    )
    failure_cost: float = Field(8000, ge=0, le=1e12, description="Cost of a failure where a machine names none.")
    look_cost: float = Field(
        100, ge=0, le=1e12, description="What a false warning costs where nobody serviced the machine for it."
    )
    plan_ahead: Duration = Field(
        timedelta(days=28), le=timedelta(days=366), description="How far ahead services are planned."
    )
    plan_seconds: float = Field(
        20, gt=0, le=600, description="How long the cheapest plan is looked for, in seconds."
    )
    moving_cost: float = Field(
        50, ge=0, le=1e12, description="What a planned service has to save before it moves to another day."
    )
    scoring_within: Duration = Field(
        timedelta(minutes=1),
        description="How soon after its bucket a machine is scored; much later its risk counts as too old.",
    )
    mqtt_url: str = Field(
        "mqtt://127.0.0.1:1883", description="Broker of `wearwatch mqtt`; `mqtts://host:8883` for TLS."
    )
    mqtt_topics: str = Field(
        "",
        max_length=4000,
        description="Topic templates of JSON messages, commas between, like `plant/{line}/{machine}/readings`.",
    )
    mqtt_sparkplug_group: str = Field(
        "", max_length=200, description="Sparkplug B group to follow; `+` follows all, nothing follows none."
    )
    mqtt_sparkplug_machine: str = Field(
        "{device}",
        max_length=200,
        description="A machine's key from `{group}`, `{node}`, `{device}` and `{folder}` of the metric's name.",
    )
    mqtt_sparkplug_host: str = Field(
        "",
        max_length=200,
        description="Name under which nodes hear (STATE) whether we can store; without it they are not told.",
    )
    mqtt_client_id: str = Field(
        "wearwatch",
        min_length=1,
        max_length=100,
        description="The broker keeps messages for this name; one bridge each.",
    )
    mqtt_username: str | None = Field(None, description="Name at the broker.")
    mqtt_password: SecretStr | None = Field(None, description="Password at the broker; better in a file.")
    mqtt_password_file: Path | None = Field(None, description="File that holds the password at the broker.")
    mqtt_ca_file: Path | None = Field(
        None, description="Certificates (PEM) that a `mqtts` broker is checked against; the system's without it."
    )
    mqtt_cert_file: Path | None = Field(None, description="Our own certificate (PEM) for the broker.")
    mqtt_key_file: Path | None = Field(None, description="Key (PEM) of that certificate.")
    mqtt_register_machines: bool = Field(False, description="Whether messages may register unknown machines.")
    mqtt_session_expiry: Duration = Field(
        timedelta(days=7), description="How long the broker keeps messages for an absent bridge."
    )
    mqtt_receive_maximum: int = Field(
        1000, ge=1, le=65535, description="Most messages the broker sends ahead of their acknowledgement."
    )
    mqtt_max_message_bytes: int = Field(
        256 << 10, ge=1024, le=16 << 20, description="Largest message; larger ones are refused with a reason."
    )
    mqtt_metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port where the bridge answers Prometheus; none without it."
    )
    pack_after: PackAfter = Field(
        timedelta(days=60),
        description="Age from which readings are packed, a machine and day into one row; `0` never packs.",
    )
    rollup_cache_mb: int = Field(
        2000,
        ge=0,
        description="Roll-ups kept in the worker's memory between scorings, in MB; the rest is read each time.",
    )
    keep_readings: Limit = Field(
        None, description="How long readings are kept; roll-ups stay. `0` keeps all; older ones are then refused."
    )
    keep_rollups: Limit = Field(
        None, description="How long roll-ups, what models learn from and charts show, are kept; `0` keeps all."
    )
    keep_predictions: Limit = Field(None, description="How long predictions are kept; `0` keeps all.")
    keep_model_runs: int = Field(
        5,
        ge=1,
        description="Of how many newest trainings all models stay whole; of older, unused ones the card stays.",
    )
    keep_rejected: Limit = Field(
        timedelta(days=90), description="How long refused readings are kept with their reasons; `0` keeps all."
    )
    keep_conflicts: Limit = Field(
        timedelta(days=365), description="How long contradicting values are kept; `0` keeps all."
    )
    webhook_loopback: bool = Field(
        False, description="Whether webhooks may go to loopback of this host; a cloud's metadata is never reached."
    )
    webhook_ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that receivers of webhooks are checked against; the system's without it.",
    )
    log_format: Literal["text", "json"] = Field("text", description="`text` for people, `json` for collectors.")

    @property
    def bucket_seconds(self) -> int:
        return int(self.bucket.total_seconds())


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process. Raises BadInput with one sentence per wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{variable_of(str(e['loc'][0]))}: {e['msg'].removeprefix('Value error, ').rstrip('.')}"
            for e in error.errors()
        )
        raise BadInput(f"A setting cannot be used. {wrong}.") from error


def variable_of(name: str) -> str:
    """The environment variable of a setting: `port` -> `WEARWATCH_PORT`."""
    return name.upper() if name.upper() in NOT_OURS else f"WEARWATCH_{name.upper()}"


async def settings_of(request: Request) -> Settings:
    """The settings of this application; create_app put them there."""
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(settings_of)]
