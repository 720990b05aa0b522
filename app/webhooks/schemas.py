"""Webhooks on the wire; a secret leaves when it is made, and never again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.security.schemas import AccountName
from app.text import Name
from app.webhooks.address_rule import LONGEST_ADDRESS, fault_of_address
from app.webhooks.kinds import Kind


def _address(text: str) -> str:
    fault = fault_of_address(text)
    if fault is not None:
        raise ValueError(fault)
    return text


Address = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_ADDRESS, strip_whitespace=True),
    AfterValidator(_address),
    Field(description="Like https://host/path; what stands in its query is never shown"),
]
Kinds = Annotated[list[Kind], Field(max_length=len(Kind), description="None: all")]
MessageId = Annotated[str, StringConstraints(pattern=r"^msg_[0-9a-f]{32}$")]
State = Literal["waiting", "delivered", "given_up"]


class WebhookIn(BaseModel):
    """What is not named lets everything through."""

    model_config = ConfigDict(extra="forbid")

    name: AccountName
    address: Address
    site: Name | None = None
    line: Name | None = None
    kinds: Kinds = []


class WebhookChange(BaseModel):
    """What is not named stays."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = Field(None, strict=True)
    address: Address | None = None


class WebhookOut(BaseModel):
    """`waiting` and `given_up` count messages; what was given up goes out again on `send-again` only.

    `last_fault` is one sentence about the last attempt, null where the message was taken.
    """

    name: str
    address: str
    site: str | None
    line: str | None
    kinds: list[Kind]
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    disabled_why: str | None
    waiting: int
    given_up: int
    tried_at: datetime | None
    last_status: int | None
    last_fault: str | None


class WebhooksOut(BaseModel):
    webhooks: list[WebhookOut]


class SecretOut(BaseModel):
    """The only answer that ever holds the secret."""

    name: str
    secret: str


class MessageOut(BaseModel):
    """`next_at` is when it will be sent, while it waits and no earlier message of its subject does."""

    id: str
    kind: Kind
    subject: str
    state: State
    created_at: datetime
    attempts: int
    next_at: datetime | None
    tried_at: datetime | None
    last_status: int | None
    last_fault: str | None


class MessagesOut(BaseModel):
    """Newest first."""

    messages: list[MessageOut]


class NewMessageOut(BaseModel):
    id: str


class SendAgainIn(BaseModel):
    """Without a message: all that were given up or wait for their next attempt."""

    model_config = ConfigDict(extra="forbid")

    message: MessageId | None = None


class SentAgainOut(BaseModel):
    messages: int
