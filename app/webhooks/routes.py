"""`/api/v1/webhooks`: an administrator says which programs are told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.clock import NowDep
from app.database import SessionDep
from app.security.policy import PrincipalDep, Role, allow
from app.security.schemas import AccountName
from app.webhooks import actions, schemas, store

router = APIRouter(prefix="/api/v1", tags=["webhooks"])

WebhookName = Annotated[AccountName, Path()]
ADMIN = [allow(Role.ADMIN)]


@router.get("/webhooks", dependencies=ADMIN)
def list_webhooks(session: SessionDep) -> schemas.WebhooksOut:
    return schemas.WebhooksOut(webhooks=actions.list_webhooks(session))


@router.post("/webhooks", status_code=201, dependencies=ADMIN)
def make_webhook(session: SessionDep, principal: PrincipalDep, given: schemas.WebhookIn) -> schemas.SecretOut:
    """The answer holds the secret, which can never be shown again; 409 where the name is taken."""
    return schemas.SecretOut(name=given.name, secret=actions.make_webhook(session, principal, given))


@router.patch("/webhooks/{name}", dependencies=ADMIN)
def change_webhook(
    session: SessionDep, principal: PrincipalDep, now: NowDep, name: WebhookName, given: schemas.WebhookChange
) -> schemas.WebhooksOut:
    """Another address; or disabled: nothing is sent or kept for it until it is enabled, and what waits stays."""
    actions.change_webhook(session, principal, name, given, now)
    return schemas.WebhooksOut(webhooks=actions.list_webhooks(session))


@router.delete("/webhooks/{name}", status_code=204, dependencies=ADMIN)
def remove_webhook(session: SessionDep, principal: PrincipalDep, name: WebhookName) -> None:
    """With the messages that wait for it."""
    actions.remove_webhook(session, principal, name)


@router.post("/webhooks/{name}/secret", dependencies=ADMIN)
def change_secret(
    session: SessionDep, principal: PrincipalDep, now: NowDep, name: WebhookName
) -> schemas.SecretOut:
    """A new secret; for 24 h messages carry a signature of the old one as well."""
    return schemas.SecretOut(name=name, secret=actions.new_secret_of(session, principal, name, now))


@router.post("/webhooks/{name}/test", status_code=202, dependencies=ADMIN)
def send_test(session: SessionDep, now: NowDep, name: WebhookName) -> schemas.NewMessageOut:
    """The worker sends a message of the kind `webhook.test`; what came of it stands in the list of messages."""
    return schemas.NewMessageOut(id=actions.send_test(session, name, now))


@router.get("/webhooks/{name}/messages", dependencies=ADMIN)
def list_messages(
    session: SessionDep,
    name: WebhookName,
    state: schemas.State | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> schemas.MessagesOut:
    found = store.messages(session, store.webhook_named(session, name), state, limit)
    return schemas.MessagesOut(messages=[actions.message_out(each) for each in found])


@router.post("/webhooks/{name}/send-again", status_code=202, dependencies=ADMIN)
def send_again(
    session: SessionDep, principal: PrincipalDep, now: NowDep, name: WebhookName, given: schemas.SendAgainIn
) -> schemas.SentAgainOut:
    """Now, and with all attempts before it: one message, or all that are not delivered."""
    return schemas.SentAgainOut(messages=actions.send_again(session, principal, name, given.message, now))
