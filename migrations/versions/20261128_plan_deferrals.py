"""Services that somebody put off, with who, until when and why; kept for good.

Revision ID: 20261128_09
Revises: 20261128_08
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_09"
down_revision = "20261128_08"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_deferrals",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.id"], name=op.f("fk_plan_deferrals_machine_id_machines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_deferrals")),
    )
    op.create_index(op.f("ix_plan_deferrals_machine_id"), "plan_deferrals", ["machine_id"])
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON plan_deferrals"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("plan_deferrals")
