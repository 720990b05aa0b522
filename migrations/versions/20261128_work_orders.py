"""Work orders, at most one open a machine, and their history, which nobody can change.

Revision ID: 20261128_04
Revises: 20261128_03
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261128_04"
down_revision = "20261128_03"
branch_labels = None
depends_on = None

STATES = "state in ('proposed', 'accepted', 'scheduled', 'in_progress', 'done', 'cancelled')"
OPEN = "state in ('proposed', 'accepted', 'scheduled', 'in_progress')"
REFUSE = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of % are never changed or deleted', tg_table_name
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "work_orders",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("uid", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("work", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crew", sa.Text(), nullable=True),
        sa.Column("scheduled_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scheduled_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("probability_by_then", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_work_orders_state")),
        sa.CheckConstraint("scheduled_end > scheduled_start", name=op.f("ck_work_orders_schedule")),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_work_orders_work")),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_work_orders_machine_id_machines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_orders")),
        sa.UniqueConstraint("external_id", name=op.f("uq_work_orders_external_id")),
    )
    op.create_index(op.f("ix_work_orders_machine_id"), "work_orders", ["machine_id"])
    op.create_index("ix_work_orders_scheduled_end", "work_orders", ["scheduled_end"])
    op.create_index(
        "uq_work_orders_open", "work_orders", ["machine_id"], unique=True, postgresql_where=sa.text(OPEN)
    )
    op.create_table(
        "work_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("work_order_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_orders.id"], name=op.f("fk_work_steps_work_order_id_work_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_steps")),
    )
    op.create_index("uq_work_steps_version", "work_steps", ["work_order_id", "version"], unique=True)
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON work_steps"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("work_steps")
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_table("work_orders")
