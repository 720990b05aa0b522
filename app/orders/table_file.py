"""Work orders as a CSV table, one row an order, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from app.orders.schemas import WorkOrderOut
from app.orders.tables import WorkFinding

FOUND = ("outcome", "mode", "component", "failed_at", "note")
COLUMNS = (*WorkOrderOut.model_fields, *(f"finding_{name}" for name in FOUND))
# Spreadsheets compute what begins so; a quote before it makes it text.
COMPUTED = ("=", "+", "-", "@", "\t", "\r")


def table(orders: Iterable[WorkOrderOut], findings: Mapping[int, WorkFinding]) -> str:
    """`findings` by the id of their order."""
    return csv_table(COLUMNS, (_row(order, findings.get(order.id)) for order in orders))


def csv_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue()


def _row(order: WorkOrderOut, found: WorkFinding | None) -> Iterable[object]:
    told = [_plain(getattr(found, name, None)) for name in FOUND]
    return (*order.model_dump(mode="json").values(), *told)


def _plain(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(COMPUTED) else value
