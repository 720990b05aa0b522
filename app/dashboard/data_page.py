"""The data page: who is silent, who sent what, what is doubtful, what contradicts, what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.dashboard import words
from app.dashboard.context import FlagRow, Frame, SilentMachine
from app.dashboard.data_context import Account, Conflicting, DataPage, Rejected
from app.ingest.data_schemas import AccountOut, AccountPage
from app.ingest.schemas import ConflictOut, RejectedOut

LONGEST_PAYLOAD = 300
MOST_REFUSAL_KINDS = 3


@dataclass(frozen=True)
class DataFacts:
    """`totals`: all refused and all contradicting readings, of which the newest are given."""

    silent: tuple[SilentMachine, ...]
    accounts: AccountPage
    flags: Sequence[Mapping[str, Any]]
    flags_total: int
    rejected: Sequence[RejectedOut]
    conflicts: Sequence[ConflictOut]
    totals: tuple[int, int]


def data_page(
    frame: Frame, sender: str, machine: str, facts: DataFacts, counted_for: timedelta, silent_after: timedelta
) -> DataPage:
    return DataPage(
        frame=frame,
        sender=sender,
        machine=machine,
        counted_for=words.span(counted_for),
        silent_after=words.span(silent_after),
        silent=facts.silent,
        accounts=tuple(map(_account, sorted(facts.accounts.items, key=_most_doubtful_first))),
        accounts_total=facts.accounts.total,
        flags=tuple(map(flag_row, facts.flags)),
        flags_total=facts.flags_total,
        rejected=tuple(map(_rejected, facts.rejected)),
        rejected_total=facts.totals[0],
        conflicts=tuple(map(_conflict, facts.conflicts)),
        conflicts_total=facts.totals[1],
    )


def _most_doubtful_first(account: AccountOut) -> tuple[bool, int, str, str]:
    bad = sum(account.rejected.values()) + account.conflicts
    return account.clock is None, -bad, account.sender or "", account.machine or ""


def _account(account: AccountOut) -> Account:
    kinds = sorted(account.rejected.items(), key=lambda kind: (-kind[1], kind[0]))
    named = [f"{n:,} {words.refusal(kind)}" for kind, n in kinds[:MOST_REFUSAL_KINDS]]
    return Account(
        sender=account.sender,
        machine=account.machine,
        accepted=account.accepted,
        duplicates=account.duplicates,
        merged=account.merged,
        conflicts=account.conflicts,
        refused=sum(account.rejected.values()),
        refused_words=", ".join([*named, *(["others"] if len(kinds) > MOST_REFUSAL_KINDS else [])]),
        late=account.late,
        largest_lag=words.lag(account.largest_lag_s),
        last_received_at=account.last_received_at,
        clock=account.clock,
    )


def flag_row(flag: Mapping[str, Any]) -> FlagRow:
    name, unit = words.channel(flag["channel"])
    value = f"{words.number(flag['value'])} {unit}".strip()
    before = f" after {words.number(flag['before'])}" if flag["before"] is not None else ""
    return FlagRow(
        machine=flag["machine"],
        channel=name,
        what=f"{words.doubt(flag['kind'])}: {value}{before}",
        at=flag["first_at"],
        n=flag["n"],
    )


def _rejected(row: RejectedOut) -> Rejected:
    return Rejected(
        machine=row.machine,
        field=row.field,
        reason=row.reason,
        payload=row.payload[:LONGEST_PAYLOAD],
        sender=row.sender,
        received_at=row.received_at,
    )


def _conflict(row: ConflictOut) -> Conflicting:
    name, unit = words.channel(row.channel)
    return Conflicting(
        machine=row.machine,
        channel=name,
        unit=unit,
        measured_at=row.measured_at,
        stored_value=row.stored_value,
        refused_value=row.refused_value,
        sender=row.sender,
        received_at=row.received_at,
    )
