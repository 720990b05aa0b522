"""What is told; the names follow Standard Webhooks: groups with full stops between."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    CREATED = "work_order.created"
    ACCEPTED = "work_order.accepted"
    SCHEDULED = "work_order.scheduled"
    STARTED = "work_order.started"
    DONE = "work_order.done"
    CORRECTED = "work_order.corrected"
    CANCELLED = "work_order.cancelled"
    TEST = "webhook.test"
