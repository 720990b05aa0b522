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
# Of a failure that the version before has revised meanwhile, its word stands and ours stays aside.
PUT_BACK = """
    DO $$ BEGIN
        IF to_regclass('outcomes_aside') IS NOT NULL THEN
            INSERT INTO outcomes OVERRIDING SYSTEM VALUE SELECT * FROM outcomes_aside ON CONFLICT DO NOTHING;
            DELETE FROM outcomes_aside WHERE id IN (SELECT id FROM outcomes);
            IF NOT EXISTS (SELECT FROM outcomes_aside) THEN
                DROP TABLE outcomes_aside;
            END IF;
        END IF;
    END $$
"""
PUT_ASIDE = """
    CREATE TABLE IF NOT EXISTS outcomes_aside AS TABLE outcomes WITH NO DATA;
    INSERT INTO outcomes_aside SELECT * FROM outcomes WHERE outcome = 'found';
    ALTER TABLE outcomes DISABLE TRIGGER append_only;
    DELETE FROM outcomes WHERE outcome = 'found';
    ALTER TABLE outcomes ENABLE TRIGGER append_only
"""


def upgrade() -> None:
    _replace_outcomes(NOW)
    op.execute(PUT_BACK)


def downgrade() -> None:
    """The version before knows no such entries: they wait beside the others until it is left again."""
    op.execute(PUT_ASIDE)
    _replace_outcomes(BEFORE)


def _replace_outcomes(outcomes: str) -> None:
    op.drop_constraint(op.f("ck_outcomes_outcome"), "outcomes", type_="check")
    op.create_check_constraint(op.f("ck_outcomes_outcome"), "outcomes", outcomes)
