"""Windows of production stored under names that days and accepted orders have in a plan get names of their own.

Revision ID: 20261128_13
Revises: 20261128_12
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_13"
down_revision = "20261128_12"
branch_labels = None
depends_on = None

# Written from now on as `day-` and `work order-`: as long as before, so that no name becomes too long.
TAKEN = ("day ", "work order ")
MARKS = "-_.:"


def upgrade() -> None:
    connection = op.get_bind()
    names = {*connection.scalars(sa.text("SELECT key FROM production_windows"))}
    renamed = {name: _free(name, names) for name in sorted(names) if name.startswith(TAKEN)}
    for before, after in renamed.items():
        told = {"before": before, "after": after}
        connection.execute(sa.text("UPDATE production_windows SET key = :after WHERE key = :before"), told)
    if renamed:
        connection.execute(sa.text("UPDATE plans SET outdated = true WHERE id = (SELECT max(id) FROM plans)"))


def downgrade() -> None:
    """They keep their new names, which the version before plans with as well."""


def _free(name: str, names: set[str]) -> str:
    begin = next(each for each in TAKEN if name.startswith(each))
    rest = name.removeprefix(begin)
    free = next(other for mark in MARKS if (other := f"{begin.rstrip()}{mark}{rest}") not in names)
    names.add(free)
    return free
