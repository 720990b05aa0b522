"""What the risk and model endpoints say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field, field_validator

from app.risk.assess import Status
from app.risk.curve import hours_text
from app.risk.model_search import METRICS, Metric


class HorizonRisk(BaseModel):
    """The probability of failing within a horizon, with its interval where the model gives one."""

    horizon: str = Field(examples=["7d"])
    horizon_hours: float
    probability: float
    low: float | None = None
    high: float | None = None
    judged_failures: int | None = Field(
        None, description="Failures the model was judged by at this horizon; by 0 nobody knows how well it fits"
    )


class PastFailureOut(BaseModel):
    """A failure the model learnt from; `hours_before` it, its machine looked as this one does now."""

    machine: str
    failed_at: datetime
    mode: str
    component: str | None
    down_hours: float | None
    hours_before: float


class ReasonOut(BaseModel):
    """Why the risk is what it is: a value, what is usual for this machine, and its share of the risk.

    Or, as `like`, a past failure of the mode that is most likely.
    """

    model_config = ConfigDict(extra="ignore")

    words: str
    feature: str | None = None
    channel: str | None = None
    value: float | None = None
    usual: float | None = None
    unit: str | None = None
    share: float | None = None
    like: PastFailureOut | None = None

    @property
    def speaks_without_risk(self) -> bool:
        """That the machine is unlike itself holds whatever its risk is."""
        return self.share is None and self.like is None


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
    """`not_enough_data` says why, wherever the status is `no_data` or `not_enough_data`; else it is null.

    Then there is no number of a risk; the anomaly score stays where the machine is heard and was scored lately.
    """

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
    """A line of the ranking. Without a usable prediction: a status with its reason, and no number of a risk."""

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


class StintOut(BaseModel):
    """A time in which a model served; it still does where `ended_at` is null."""

    model_config = ConfigDict(from_attributes=True)

    started_at: datetime
    ended_at: datetime | None


class ModelOut(BaseModel):
    """A model with its record: what it learnt from, by which code, and its figures of merit at each horizon."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    status: str
    run: str
    trained_until: datetime
    created_at: datetime
    promoted_at: datetime | None = Field(description="Last; a rollback to it is no promotion")
    stints: list[StintOut]
    pruned_at: datetime | None = Field(description="Since when it is a record only and cannot be asked or promoted")
    bucket_seconds: int
    horizons_hours: list[float]
    modes: list[str]
    seed: int | None = Field(None, validation_alias=AliasPath("card", "seed"))
    data_hash: str | None = Field(None, validation_alias=AliasPath("card", "data_hash"))
    code_version: str | None = Field(None, validation_alias=AliasPath("card", "code_version"))
    seconds: float | None = Field(
        None, validation_alias=AliasPath("card", "seconds"), description="How long its training run took"
    )
    metrics: dict[str, dict[Metric, float | None]] = Field({}, validation_alias=AliasPath("card", "horizons"))

    @field_validator("metrics", mode="before")
    @classmethod
    def _by_horizon(cls, horizons: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
        return {hours_text(each["hours"]): {name: each["model"].get(name) for name in METRICS} for each in horizons}


class ModelCardOut(ModelOut):
    card: dict[str, object]


class ModelsOut(BaseModel):
    models: list[ModelOut]
    total: int


class ValueThenAndNow(BaseModel):
    """`then` and `now` are 10th, 50th and 90th percentile, null where nobody had a value."""

    model_config = ConfigDict(extra="ignore")

    then: tuple[float, float, float] | None
    now: tuple[float, float, float] | None
    machines: int = Field(description="How many have it now")
    ratio: float | None = Field(description="Mean now against mean then")
    psi: float | None = Field(description="Population stability index; 0.25 is the usual bound of a major shift")
    moved: bool = Field(description="More than chance of so many machines and any stretch learnt from explain")
    unknown: float = Field(description="Share of the machines without it now")
    gone: bool = Field(description="Many machines that had it in learning lack it now")
    outside: float = Field(description="Share of the machines outside all that was learnt from")


class ChannelThenAndNow(ValueThenAndNow):
    words: str
    unit: str


class RiskThenAndNow(ValueThenAndNow):
    hours: float


class Realised(BaseModel):
    """Stored predictions whose outcome is known by now; horizons in the form of the card's."""

    predictions: int
    without_risk: int = Field(description="Of these, those that said `not enough data`")
    one_in: int = Field(description="Of very many predictions one in so many is judged")
    horizons: list[dict[str, object]]


class ModelReportOut(BaseModel):
    """How a model stands. It asks for a training, it starts none."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: int
    as_of: datetime
    made_at: datetime
    asks_for_training: bool
    verdict: str
    machines: int
    fewest_failures: int = Field(description="With fewer failures nothing is said of what came true")
    channels: dict[str, ChannelThenAndNow]
    risks: list[RiskThenAndNow]
    realised: Realised
