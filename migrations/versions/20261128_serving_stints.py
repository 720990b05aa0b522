"""Each stretch of time in which a model served is a row of its own, so that promoting it again loses none.

Revision ID: 20261128_12
Revises: 20261128_11
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_12"
down_revision = "20261128_11"
branch_labels = None
depends_on = None

# A model knew its promotion and its last end only. While one that was promoted after it served, it did not itself:
# that is the pause of one that was gone back to.
TAKE_OVER = """
    WITH known AS (
        SELECT id, promoted_at, tstzrange(
            promoted_at,
            CASE WHEN status <> 'champion' THEN greatest(promoted_at, coalesce(served_until, now())) END,
            '[]'
        ) AS served
        FROM models WHERE promoted_at IS NOT NULL
    )
    INSERT INTO serving_stints (model_id, started_at, ended_at)
    SELECT known.id, lower(stint), upper(stint)
    FROM known
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(later.served), '{}') AS taken
        FROM known later WHERE later.promoted_at > known.promoted_at
    ) others
    CROSS JOIN LATERAL unnest(tstzmultirange(known.served) - others.taken) AS stint
    ORDER BY lower(stint)
"""
GIVE_BACK = """
    UPDATE models SET served_until = stint.ended_at
    FROM (
        SELECT model_id, max(ended_at) AS ended_at FROM serving_stints
        GROUP BY model_id HAVING bool_and(ended_at IS NOT NULL)
    ) stint
    WHERE stint.model_id = models.id
"""
# The one change there is: a stint that goes on ends.
UNLESS_IT_ENDS = """
    WHEN (old.ended_at IS NOT NULL OR new.ended_at IS NULL
        OR (new.id, new.model_id, new.started_at) IS DISTINCT FROM (old.id, old.model_id, old.started_at))
"""


def upgrade() -> None:
    op.create_table(
        "serving_stints",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_serving_stints_order")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_serving_stints_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving_stints")),
    )
    op.create_index("ix_serving_stints_model_id", "serving_stints", ["model_id"])
    op.create_index(
        "uq_serving_stints_open",
        "serving_stints",
        ["ended_at"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.execute(TAKE_OVER)
    op.drop_column("models", "served_until")
    refuse = "EXECUTE FUNCTION refuse_change()"
    for name, when in (
        ("append_only", f"UPDATE ON serving_stints FOR EACH ROW {UNLESS_IT_ENDS}"),
        ("never_deleted", "DELETE ON serving_stints FOR EACH ROW"),
        ("never_emptied", "TRUNCATE ON serving_stints FOR EACH STATEMENT"),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} {refuse}")


def downgrade() -> None:
    op.add_column("models", sa.Column("served_until", sa.DateTime(timezone=True), nullable=True))
    op.execute(GIVE_BACK)
    op.drop_table("serving_stints")
