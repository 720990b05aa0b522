"""What a plan has to keep to, and what the optimiser says of a plan.

Revision ID: 20261128_07
Revises: 20261128_06
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261128_07"
down_revision = "20261128_06"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crews",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("skills", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("hours", JSONB(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_crews")),
    )
    op.create_table(
        "production_windows",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("lines", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loss_share", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_production_windows")),
    )
    op.create_table(
        "line_limits",
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("most_down", sa.Integer(), nullable=True),
        sa.Column("outside_windows", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_line_limits")),
    )
    op.create_table(
        "parts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("lead_time_days", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_parts")),
    )
    op.create_table(
        "setups",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setups")),
    )
    op.create_table(
        "service_needs",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("asset_class", sa.Text(), nullable=True),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("skill", sa.Text(), nullable=True),
        sa.Column("parts", JSONB(), nullable=False),
        sa.Column("setup", sa.Text(), nullable=True),
        sa.Column("repair_hours", sa.Float(), nullable=True),
        sa.Column("preventive_cost", sa.Float(), nullable=True),
        sa.Column("failure_cost", sa.Float(), nullable=True),
        sa.Column("downtime_cost_per_hour", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_needs")),
        sa.UniqueConstraint(
            "asset_class", name=op.f("uq_service_needs_asset_class"), postgresql_nulls_not_distinct=True
        ),
    )
    for column in (
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("bound", sa.Float(), nullable=True),
        sa.Column("objections", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("assumptions", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("outdated", sa.Boolean(), server_default="false", nullable=False),
    ):
        op.add_column("plans", column)
    for column in (
        sa.Column("planned_window", sa.Text(), nullable=True),
        sa.Column("crew", sa.Text(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("plan_items", column)


def downgrade() -> None:
    for name in ("planned_window", "crew", "ends_at"):
        op.drop_column("plan_items", name)
    for name in ("ends_at", "cost", "bound", "objections", "assumptions", "outdated"):
        op.drop_column("plans", name)
    for name in ("service_needs", "setups", "parts", "line_limits", "production_windows", "crews"):
        op.drop_table(name)
