"""A log of which roll-ups were written when, so that a reader that knows the rest reads only those again.

Revision ID: 20261128_01
Revises: 20261121_02
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_01"
down_revision = "20261121_02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollup_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_changes")),
    )


def downgrade() -> None:
    op.drop_table("rollup_changes")
