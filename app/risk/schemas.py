"""What the risk and model endpoints say."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.risk.assess import Status


class HorizonRisk(BaseModel):
    """The probability of failing within a horizon, with its interval where the model gives one."""

    horizon: str = Field(examples=["7d"])
    horizon_hours: float
    probability: float
    low: float | None = None
    high: float | None = None


class ReasonOut(BaseModel):
    """Why the risk is what it is: a value, what is usual for this machine, and its share of the risk."""

    model_config = ConfigDict(extra="ignore")

    words: str
    feature: str | None = None
    channel: str | None = None
    value: float | None = None
    usual: float | None = None
    unit: str | None = None
    share: float | None = None


class RemainingLife(BaseModel):
    """Hours until failure; a value equal to the longest horizon means that or longer."""

    low: float | None
    median: float | None
    high: float | None
    beyond_longest_horizon: bool


class ModelNamed(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    id: int
    kind: str
    trained_until: datetime


class RiskOut(BaseModel):
    """`not_enough_data` says why, wherever the status is `no_data` or `not_enough_data`; else it is null."""

    machine: str
    status: Status
    not_enough_data: str | None
    last_reading_at: datetime | None
    as_of: datetime | None = None
    scored_at: datetime | None = None
    model: ModelNamed | None = None
    probabilities: list[HorizonRisk] = []
    by_mode: dict[str, list[HorizonRisk]] = {}
    remaining_life_hours: RemainingLife | None = None
    anomaly_score: float | None = None
    reasons: list[ReasonOut] = []
    coverage: float | None = Field(None, description="Share of the expected buckets that hold data")


class RankedMachine(BaseModel):
    """A line of the ranking. Without a usable prediction: a status with its reason, and no expected loss."""

    machine: str
    name: str | None
    site: str | None
    line: str | None
    asset_class: str | None
    status: Status
    not_enough_data: str | None
    last_reading_at: datetime | None
    as_of: datetime | None
    probability: float | None
    change_since_day_before: float | None
    failure_cost: float
    failure_cost_is_default: bool
    expected_loss: float | None
    remaining_life_median_hours: float | None
    anomaly_score: float | None
    first_reason: str | None


class RankingOut(BaseModel):
    horizon: str
    horizon_hours: float
    order: str
    currency: str
    total: int
    machines: list[RankedMachine]


class HistoryPoint(BaseModel):
    """`probability` is null where there was not enough data, so that a chart shows a gap."""

    model_config = ConfigDict(protected_namespaces=())

    as_of: datetime
    model_id: int
    probability: float | None
    anomaly_score: float | None


class HistoryOut(BaseModel):
    machine: str
    horizon: str
    horizon_hours: float
    points: list[HistoryPoint]


class ModelOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    status: str
    run: str
    trained_until: datetime
    created_at: datetime
    promoted_at: datetime | None
    bucket_seconds: int
    horizons_hours: list[float]
    modes: list[str]


class ModelCardOut(ModelOut):
    card: dict[str, object]


class ModelsOut(BaseModel):
    models: list[ModelOut]
    total: int
