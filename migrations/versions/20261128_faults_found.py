"""A fault found without a warning is an entry of the ledger too.

Revision ID: 20261128_14
Revises: 20261128_13
"""

from __future__ import annotations

from alembic import op

revision = "20261128_14"
down_revision = "20261128_13"
branch_labels = None
depends_on = None

BEFORE = "outcome in ('open', 'hit', 'false', 'missed', 'unknown', 'withdrawn')"
NOW = "outcome in ('open', 'hit', 'false', 'missed', 'found', 'unknown', 'withdrawn')"


def upgrade() -> None:
    _replace_outcomes(NOW)


def downgrade() -> None:
    """The version before knows no such entries; coming back makes them anew of what was found."""
    op.execute("ALTER TABLE outcomes DISABLE TRIGGER append_only")
    op.execute("DELETE FROM outcomes WHERE outcome = 'found'")
    op.execute("ALTER TABLE outcomes ENABLE TRIGGER append_only")
    _replace_outcomes(BEFORE)


def _replace_outcomes(outcomes: str) -> None:
    op.drop_constraint(op.f("ck_outcomes_outcome"), "outcomes", type_="check")
    op.create_check_constraint(op.f("ck_outcomes_outcome"), "outcomes", outcomes)
