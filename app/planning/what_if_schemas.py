"""What may be asked of a plan: what would it cost if something were otherwise?"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.fleet.machine_key import MachineKey
from app.fleet.schemas import Money
from app.planning.assembly import CREW
from app.planning.resource_schemas import MOST, CrewIn, Names, Resources


class CostsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    preventive_cost: Money | None = None
    failure_cost: Money | None = None
    downtime_cost_per_hour: Money | None = None


class WhatIfIn(BaseModel):
    """`more_crews` come in addition; lists of `resources` take the place of the stored ones for this question.

    `closed_windows` are named as the plan names them; `now` are serviced in the first window there is, `never` in
    none.
    """

    model_config = ConfigDict(extra="forbid")

    more_crews: list[CrewIn] = Field([], max_length=MOST)
    closed_windows: Names = []
    now: list[MachineKey] = Field([], max_length=MOST)
    never: list[MachineKey] = Field([], max_length=MOST)
    costs: dict[MachineKey, CostsIn] = Field({}, max_length=MOST)
    resources: Resources = Resources()

    @property
    def machines(self) -> set[str]:
        return {*self.now, *self.never, *self.costs}

    def with_crews(self, stored: Resources) -> Resources:
        """What is stored, changed as the question asks; more crews join the assumed one where none is described."""
        changed = stored.changed(self.resources)
        crews = [*(changed.crews or [CREW]), *self.more_crews] if self.more_crews else changed.crews
        return changed.model_copy(update={"crews": crews})
