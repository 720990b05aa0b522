"""The outcome ledger: alerts as they were served and what became of them, which nobody can change.

Revision ID: 20261128_11
Revises: 20261128_10
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_11"
down_revision = "20261128_10"
branch_labels = None
depends_on = None

OUTCOMES = "outcome in ('open', 'hit', 'false', 'missed', 'unknown', 'withdrawn')"


def upgrade() -> None:
    op.create_table(
        "served_alerts",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("horizon_hours", sa.Float(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_served_alerts_machine_id_machines")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_served_alerts_model_id_models")),
        sa.PrimaryKeyConstraint("machine_id", "as_of", name=op.f("pk_served_alerts")),
    )
    op.create_table(
        "outcomes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lead_time_hours", sa.Float(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=True),
        sa.Column("asset_class", sa.Text(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("horizon_hours", sa.Float(), nullable=True),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("work_order_id", sa.Integer(), nullable=True),
        sa.Column("serviced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("predicted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("preventive_cost", sa.Float(), nullable=False),
        sa.Column("failure_cost", sa.Float(), nullable=False),
        sa.Column("saved", sa.Float(), nullable=False),
        sa.Column("spent", sa.Float(), nullable=False),
        sa.Column("lost", sa.Float(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint(OUTCOMES, name=op.f("ck_outcomes_outcome")),
        sa.CheckConstraint("subject in ('warning', 'failure')", name=op.f("ck_outcomes_subject")),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_outcomes_machine_id_machines")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_outcomes_model_id_models")),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_orders.id"], name=op.f("fk_outcomes_work_order_id_work_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
    )
    op.create_index("uq_outcomes_revision", "outcomes", ["machine_id", "subject", "at", "revision"], unique=True)
    op.create_index("ix_outcomes_at", "outcomes", ["at"])
    for table in ("served_alerts", "outcomes"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.create_table(
        "outcome_marks",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("looked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_outcome_marks_machine_id_machines")),
        sa.PrimaryKeyConstraint("machine_id", name=op.f("pk_outcome_marks")),
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE ON outcome_marks FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON outcome_marks"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    for table in ("outcome_marks", "outcomes", "served_alerts"):
        op.drop_table(table)
