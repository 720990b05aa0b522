"""Changing what a plan has to keep to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.errors import BadInput, Conflict
from app.planning import resource_store, store
from app.planning.resource_rule import fault_of_resources
from app.planning.resource_schemas import Resources
from app.security.audit import audit
from app.security.principal import Principal


def change_resources(
    session: Session, principal: Principal, given: Resources, read: str | None, now: datetime
) -> Resources:
    """Lists that are named take the place of those that are stored; the worker then plans anew.

    `read` is the tag of what was read before. Raises Conflict where it is another by now, and BadInput.
    """
    store.lock_plan(session)
    stored = resource_store.resources(session)
    if read not in (None, stored.tag):
        raise Conflict("Somebody changed what plans keep to since you read it. Read it again before you change it.")
    changed = stored.ahead(now).changed(given)
    fault = fault_of_resources(changed, given.model_fields_set, resource_store.known_lines(session), now)
    if fault is not None:
        raise BadInput(fault)
    resource_store.replace_lists(session, given)
    store.outdate_plan(session)
    named = given.model_dump(mode="json", exclude_unset=True)
    audit(session, principal, "change plan resources", ", ".join(sorted(named)), named)
    return resource_store.resources(session).ahead(now)
