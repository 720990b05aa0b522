"""Reading a model's card, which ml.evaluation wrote. One of before lacks parts, so nothing is taken for granted."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.dashboard import words
from app.risk.assess import nearest_to_status_horizon

Part = Mapping[str, Any]


def horizons(card: Part) -> list[Part]:
    return [mapping(each) for each in items(card.get("horizons"))]


def marked(along: list[Part]) -> int | None:
    """Which of the horizons is nearest to the one that warnings are judged at."""
    return nearest_to_status_horizon([hours(each) for each in along]) if along else None


def hours(horizon: Part) -> float:
    return number(horizon.get("hours")) or 0.0


def within(horizon: Part) -> str:
    return words.horizon(hours(horizon))


def points(curve: object, *names: str) -> list[list[float]]:
    """Each name's values along the points that hold all of them."""
    found = [[number(mapping(each).get(name)) for name in names] for each in items(curve)]
    known = [[value for value in each if value is not None] for each in found]
    return [list(column) for column in zip(*(each for each in known if len(each) == len(names)), strict=True)]


def mapping(value: object) -> Part:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    with contextlib.suppress(TypeError, ValueError):
        return datetime.fromisoformat(value)  # type: ignore[arg-type]
    return None
