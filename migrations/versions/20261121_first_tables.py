"""First tables: fleet, readings and roll-ups, models and predictions, plans, keys and people, the job queue.

Revision ID: 20261121_01
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "20261121_01"
down_revision = None
branch_labels = None
depends_on = None

CORE_CHANNELS = ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("may_register_machines", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role in ('sensor', 'operator', 'planner', 'admin')", name=op.f("ck_api_keys_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("name", name=op.f("uq_api_keys_name")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"], unique=False)
    op.create_table(
        "channels",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=False, start=100), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("key", name=op.f("uq_channels_key")),
    )
    op.create_table(
        "machines",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("line", sa.Text(), nullable=True),
        sa.Column("asset_class", sa.Text(), nullable=True),
        sa.Column("rated_power_kw", sa.Double(), nullable=True),
        sa.Column("rated_current_a", sa.Double(), nullable=True),
        sa.Column("support", sa.Text(), nullable=True),
        sa.Column("installed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decommissioned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("criticality", sa.Integer(), nullable=True),
        sa.Column("downtime_cost_per_hour", sa.Double(), nullable=True),
        sa.Column("preventive_cost", sa.Double(), nullable=True),
        sa.Column("failure_cost", sa.Double(), nullable=True),
        sa.Column("configured", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("support in ('rigid', 'flexible')", name=op.f("ck_machines_support")),
        sa.CheckConstraint("length(key) between 1 and 100", name=op.f("ck_machines_key_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machines")),
        sa.UniqueConstraint("key", name=op.f("uq_machines_key")),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("trained_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bucket_seconds", sa.Integer(), nullable=False),
        sa.Column("horizons_hours", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.Column("modes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("status in ('candidate', 'champion', 'retired')", name=op.f("ck_models_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    op.create_index(
        "uq_models_champion",
        "models",
        ["status"],
        unique=True,
        postgresql_where=sa.text("status = 'champion'"),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_table(
        "rejected_readings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("machine", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_readings")),
    )
    op.create_index("ix_rejected_readings_received_at", "rejected_readings", ["received_at"], unique=False)
    op.create_table(
        "rollup_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket_seconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_state")),
    )
    op.create_table(
        "touched_buckets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("bucket_start", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touched_buckets")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role in ('sensor', 'operator', 'planner', 'admin') and role <> 'sensor'",
            name=op.f("ck_users_role"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("component", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind in ('failure', 'service', 'fault_code', 'decommission')", name=op.f("ck_events_kind")
        ),
        sa.CheckConstraint("ended_at is null or ended_at >= started_at", name=op.f("ck_events_order")),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_events_machine_id_machines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_kind_started_at", "events", ["kind", "started_at"], unique=False)
    op.create_index(
        "uq_events_what",
        "events",
        ["machine_id", "kind", "started_at", "code", "component"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "login_sessions",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("csrf_token", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_login_sessions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_login_sessions")),
    )
    op.create_table(
        "model_artefacts",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_artefacts_model_id_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "part", name=op.f("pk_model_artefacts")),
    )
    op.create_table(
        "predictions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("horizons_hours", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.Column("probabilities", postgresql.ARRAY(sa.Double()), nullable=True),
        sa.Column("probabilities_low", postgresql.ARRAY(sa.Double()), nullable=True),
        sa.Column("probabilities_high", postgresql.ARRAY(sa.Double()), nullable=True),
        sa.Column("modes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("remaining_life_low_hours", sa.Double(), nullable=True),
        sa.Column("remaining_life_median_hours", sa.Double(), nullable=True),
        sa.Column("remaining_life_high_hours", sa.Double(), nullable=True),
        sa.Column("anomaly_score", sa.Double(), nullable=True),
        sa.Column("coverage", sa.Double(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("not_enough_data", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_predictions_machine_id_machines")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_predictions_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
        sa.UniqueConstraint(
            "machine_id", "as_of", "model_id", name=op.f("uq_predictions_machine_id_as_of_model_id")
        ),
    )
    op.create_table(
        "reading_conflicts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("stored_value", sa.Double(), nullable=False),
        sa.Column("refused_value", sa.Double(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.id"], name=op.f("fk_reading_conflicts_machine_id_machines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_conflicts")),
    )
    op.create_index(
        "ix_reading_conflicts_machine_id", "reading_conflicts", ["machine_id", "received_at"], unique=False
    )
    op.create_table(
        "readings",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("temperature_c", sa.Double(), nullable=True),
        sa.Column("vibration_mm_s", sa.Double(), nullable=True),
        sa.Column("current_a", sa.Double(), nullable=True),
        sa.Column("runtime_hours", sa.Double(), nullable=True),
        sa.Column("extra", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_readings_machine_id_machines")),
        sa.PrimaryKeyConstraint("machine_id", "measured_at", name=op.f("pk_readings")),
        postgresql_partition_by="RANGE (measured_at)",
    )
    op.create_table(
        "rollups",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.SmallInteger(), nullable=False),
        sa.Column("bucket_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("min", sa.Double(), nullable=False),
        sa.Column("max", sa.Double(), nullable=False),
        sa.Column("std", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("fk_rollups_channel_id_channels")),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_rollups_machine_id_machines")),
        sa.PrimaryKeyConstraint("machine_id", "channel_id", "bucket_start", name=op.f("pk_rollups")),
    )
    op.create_table(
        "latest_predictions",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("prediction_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.id"], name=op.f("fk_latest_predictions_machine_id_machines")
        ),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name=op.f("fk_latest_predictions_prediction_id_predictions"),
        ),
        sa.PrimaryKeyConstraint("machine_id", name=op.f("pk_latest_predictions")),
    )
    op.create_table(
        "plan_items",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("prediction_id", sa.BigInteger(), nullable=True),
        sa.Column("service_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probability_by_then", sa.Double(), nullable=True),
        sa.Column("cost_now", sa.Double(), nullable=True),
        sa.Column("cost_if_waiting", sa.Double(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_plan_items_machine_id_machines")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plans.id"], name=op.f("fk_plan_items_plan_id_plans"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name=op.f("fk_plan_items_prediction_id_predictions")
        ),
        sa.PrimaryKeyConstraint("plan_id", "machine_id", name=op.f("pk_plan_items")),
    )
    op.create_index("ix_plan_items_plan_id_service_by", "plan_items", ["plan_id", "service_by"], unique=False)
    op.bulk_insert(
        sa.table("channels", sa.column("id", sa.SmallInteger), sa.column("key", sa.Text)),
        [{"id": number, "key": key} for number, key in enumerate(CORE_CHANNELS, start=1)],
    )
    op.get_bind().connection.cursor().execute(SchemaManager.get_schema())


def downgrade() -> None:
    op.execute(
        """
        DO $$ DECLARE it record; BEGIN
            FOR it IN SELECT oid::regclass AS name FROM pg_class
                WHERE relkind IN ('r', 'p') AND relname LIKE 'procrastinate%' AND pg_table_is_visible(oid)
            LOOP EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', it.name); END LOOP;
            FOR it IN SELECT oid::regprocedure AS name FROM pg_proc
                WHERE proname LIKE 'procrastinate%' AND pg_function_is_visible(oid)
            LOOP EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', it.name); END LOOP;
            FOR it IN SELECT oid::regtype AS name FROM pg_type
                WHERE typname LIKE 'procrastinate%' AND typtype IN ('e', 'c') AND pg_type_is_visible(oid)
            LOOP EXECUTE format('DROP TYPE IF EXISTS %s CASCADE', it.name); END LOOP;
        END $$
        """
    )
    op.drop_index("ix_plan_items_plan_id_service_by", table_name="plan_items")
    op.drop_table("plan_items")
    op.drop_table("latest_predictions")
    op.drop_table("rollups")
    op.drop_table("readings")
    op.drop_index("ix_reading_conflicts_machine_id", table_name="reading_conflicts")
    op.drop_table("reading_conflicts")
    op.drop_table("predictions")
    op.drop_table("model_artefacts")
    op.drop_table("login_sessions")
    op.drop_index("uq_events_what", table_name="events", postgresql_nulls_not_distinct=True)
    op.drop_index("ix_events_kind_started_at", table_name="events")
    op.drop_table("events")
    op.drop_table("users")
    op.drop_table("touched_buckets")
    op.drop_table("rollup_state")
    op.drop_index("ix_rejected_readings_received_at", table_name="rejected_readings")
    op.drop_table("rejected_readings")
    op.drop_table("plans")
    op.drop_index("uq_models_champion", table_name="models", postgresql_where=sa.text("status = 'champion'"))
    op.drop_table("models")
    op.drop_table("machines")
    op.drop_table("channels")
    op.drop_index("ix_audit_log_at", table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_table("api_keys")
