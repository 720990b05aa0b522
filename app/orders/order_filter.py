"""Which work orders are asked for, as addresses say it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from app.orders.states import State
from app.orders.store import OrderFilter
from app.text import Name


def order_filter(
    state: Annotated[list[State], Query(description="May be given several times")] = [],  # noqa: B006
    machine: Name | None = None,
    site: Name | None = None,
    line: Name | None = None,
    crew: Name | None = None,
) -> OrderFilter:
    return OrderFilter(tuple(state), machine, site, line, crew)


FilterDep = Annotated[OrderFilter, Depends(order_filter)]
