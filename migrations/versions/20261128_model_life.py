"""The life of models: one is scored in the champion's shadow, old ones lose parts, failed trainings have a reason.

Revision ID: 20261128_03
Revises: 20261128_02
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_03"
down_revision = "20261128_02"
branch_labels = None
depends_on = None

BEFORE = "status in ('candidate', 'champion', 'retired')"
NOW = "status in ('candidate', 'shadow', 'champion', 'retired')"


def upgrade() -> None:
    op.add_column("models", sa.Column("served_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("models", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    # When they ceased to was not kept; nothing of theirs may expire too early.
    op.execute("UPDATE models SET served_until = now() WHERE status = 'retired'")
    op.create_table(
        "training_failures",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_training_failures")),
    )
    _replace_states(NOW)
    op.create_index(
        "uq_models_shadow", "models", ["status"], unique=True, postgresql_where=sa.text("status = 'shadow'")
    )


def downgrade() -> None:
    op.drop_index("uq_models_shadow", "models")
    op.execute(
        "UPDATE models SET status = CASE WHEN promoted_at IS NULL THEN 'candidate' ELSE 'retired' END"
        " WHERE status = 'shadow'"
    )
    _replace_states(BEFORE)
    op.drop_table("training_failures")
    op.drop_column("models", "pruned_at")
    op.drop_column("models", "served_until")


def _replace_states(states: str) -> None:
    op.drop_constraint(op.f("ck_models_status"), "models", type_="check")
    op.create_check_constraint(op.f("ck_models_status"), "models", states)
