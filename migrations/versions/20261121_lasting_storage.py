"""Ingestion at speed and for years: no per-row look-up of a known machine; old readings in blocks; what is latest.

Revision ID: 20261121_02
Revises: 20261121_01
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261121_02"
down_revision = "20261121_01"
branch_labels = None
depends_on = None

CHANNELS = ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")
COLUMNS = ("measured_at", "received_at", *CHANNELS, "extra")
ROWS = f"SELECT machine_id, {', '.join(COLUMNS)} FROM readings"  # noqa: S608
# Unnested side by side in the select list: three times as fast as `unnest(a, b, ...)` in FROM, which stores each.
UNPACKED = f"""
    SELECT machine_id, day, {", ".join(f"unnest({column}) AS {column}" for column in COLUMNS)} FROM reading_blocks
"""  # noqa: S608
VIEW = f"""
    CREATE VIEW every_reading AS {ROWS}
    UNION ALL SELECT machine_id, {", ".join(COLUMNS)} FROM ({UNPACKED}) AS unpacked
"""  # noqa: S608
# Not by a condition on the view: it would not tell which days, and so which partitions and blocks, to open.
BETWEEN = f"""
    CREATE FUNCTION readings_between(of_machine integer, since timestamptz, until timestamptz)
    RETURNS TABLE (machine_id integer, measured_at timestamptz, received_at timestamptz, temperature_c float8,
        vibration_mm_s float8, current_a float8, runtime_hours float8, extra jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT r.machine_id, {", ".join(f"r.{column}" for column in COLUMNS)} FROM readings AS r
        WHERE r.machine_id = of_machine AND r.measured_at >= since AND r.measured_at < until
        UNION ALL
        SELECT b.machine_id, {", ".join(f"b.{column}" for column in COLUMNS)} FROM ({UNPACKED}) AS b
        WHERE b.machine_id = of_machine
            AND b.day >= (since AT TIME ZONE 'UTC')::date AND b.day <= (until AT TIME ZONE 'UTC')::date
            AND b.measured_at >= since AND b.measured_at < until
    $$
"""  # noqa: S608
LATEST = f"""
    INSERT INTO latest_readings (machine_id, measured_at, {", ".join(CHANNELS)}, extra)
    SELECT machines.id, latest.measured_at, {", ".join(f"latest.{channel}" for channel in CHANNELS)}, latest.extra
    FROM machines CROSS JOIN LATERAL (
        SELECT * FROM readings WHERE readings.machine_id = machines.id ORDER BY measured_at DESC LIMIT 1
    ) AS latest
"""  # noqa: S608
# The version before knows partitions of one month only.
BY_MONTH = f"""
    DO $$
    DECLARE
        year_of_rows regclass;
        first timestamptz;
    BEGIN
        CREATE TEMPORARY TABLE apart ON COMMIT DROP AS
            SELECT machine_id, {", ".join(COLUMNS)} FROM ({UNPACKED}) AS unpacked;
        FOR year_of_rows IN SELECT inhrelid::regclass FROM pg_inherits
            WHERE inhparent = 'readings'::regclass AND inhrelid::regclass::text ~ '^readings_\\d{{4}}$'
        LOOP
            EXECUTE format('INSERT INTO apart SELECT machine_id, {", ".join(COLUMNS)} FROM %s', year_of_rows);
            EXECUTE format('DROP TABLE %s', year_of_rows);
        END LOOP;
        FOR first IN SELECT DISTINCT date_trunc('month', measured_at, 'UTC') FROM apart
        LOOP
            EXECUTE format('CREATE TABLE IF NOT EXISTS readings_%s PARTITION OF readings
                FOR VALUES FROM (%L) TO (%L)', to_char(first AT TIME ZONE 'UTC', 'YYYY_MM'), first,
                (first AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
        END LOOP;
        INSERT INTO readings (machine_id, {", ".join(COLUMNS)}) SELECT machine_id, {", ".join(COLUMNS)} FROM apart;
    END $$
"""  # noqa: S608
LEDGER_INDEXES = (
    ("rejected_readings", "machine"),
    ("rejected_readings", "sender"),
    ("reading_conflicts", "machine_id"),
    ("reading_conflicts", "sender"),
)


def upgrade() -> None:
    _make_blocks()
    _make_latest()
    _make_minutes()
    _make_accounts()
    _make_flags()
    # Machines are never deleted, and the writer looks each one up; checking every row again cost a third of ingest.
    # Last, because it stops whoever reads or writes these tables until the end of the migration.
    op.drop_constraint(op.f("fk_rollups_channel_id_channels"), "rollups", type_="foreignkey")
    op.drop_constraint(op.f("fk_rollups_machine_id_machines"), "rollups", type_="foreignkey")
    op.drop_constraint(op.f("fk_readings_machine_id_machines"), "readings", type_="foreignkey")


def _make_flags() -> None:
    op.create_table(
        "reading_flags",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("bucket_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("before", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("machine_id", "bucket_start", "channel_id", "kind", name=op.f("pk_reading_flags")),
    )
    op.create_index("ix_reading_flags_bucket_start", "reading_flags", ["bucket_start"])
    # The ledgers are read by machine and by sender, newest first.
    op.drop_index("ix_reading_conflicts_machine_id", "reading_conflicts")
    for table, column in LEDGER_INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column, "id"])
    # Retention asks every hour what is past its time; the rows come in the order of this one.
    op.create_index(
        "ix_reading_conflicts_received_at", "reading_conflicts", ["received_at"], postgresql_using="brin"
    )


def _make_accounts() -> None:
    many_ints = postgresql.ARRAY(sa.Integer())
    groups = ("sender", "machine_id", "least_lag_s", "largest_lag_s")
    maybe = ("accepted", "duplicates", "merged", "conflicts", "late")
    refused = ("refused_sender", "refused_machine_id", "refused")
    op.create_table(
        "arrivals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("senders", postgresql.ARRAY(sa.Text()), nullable=False),
        *(sa.Column(name, many_ints, nullable=False) for name in groups),
        *(sa.Column(name, many_ints, nullable=True) for name in (*maybe, *refused)),
        sa.Column("refused_kind", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
    )
    op.create_table(
        "arrival_totals",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in maybe),
        sa.Column("least_lag_s", sa.Integer(), nullable=True),
        sa.Column("largest_lag_s", sa.Integer(), nullable=True),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sender", "machine_id", "hour", name=op.f("pk_arrival_totals")),
    )
    op.create_table(
        "refusal_totals",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sender", "machine_id", "kind", "hour", name=op.f("pk_refusal_totals")),
    )
    for table in ("arrival_totals", "refusal_totals"):
        op.create_index(f"ix_{table}_hour", table, ["hour"])
        op.create_index(f"ix_{table}_machine_id", table, ["machine_id"])


def _make_minutes() -> None:
    op.create_table(
        "rollup_minutes",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("bucket_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.SmallInteger(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("minute", "n", "mean", "min", "max")),
        sa.PrimaryKeyConstraint("machine_id", "bucket_start", "channel_id", name=op.f("pk_rollup_minutes")),
    )
    op.add_column(
        "rollup_state", sa.Column("changes", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("rollup_state", sa.Column("open_rolled_up_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rollup_state", sa.Column("scored_changes", sa.BigInteger(), nullable=True))
    op.add_column("rollup_state", sa.Column("scored_events", sa.BigInteger(), nullable=True))
    # The worker makes the minutes of what was rolled up before.
    op.execute(
        """
        INSERT INTO touched_buckets (machine_id, bucket_start)
        SELECT DISTINCT machine_id, bucket_start FROM rollups, rollup_state
        WHERE bucket_seconds > 60 AND n >= 4 * bucket_seconds / 60
        """
    )


def _make_blocks() -> None:
    many_times, many_values = postgresql.ARRAY(sa.DateTime(timezone=True)), postgresql.ARRAY(sa.Double())
    op.create_table(
        "reading_blocks",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("measured_at", many_times, nullable=False),
        sa.Column("received_at", many_times, nullable=False),
        *(sa.Column(channel, many_values, nullable=True) for channel in CHANNELS),
        sa.Column("extra", postgresql.ARRAY(postgresql.JSONB(astext_type=sa.Text())), nullable=True),
        sa.PrimaryKeyConstraint("machine_id", "day", name=op.f("pk_reading_blocks")),
        postgresql_partition_by="RANGE (day)",
    )
    op.execute(VIEW)
    op.execute(BETWEEN)
    op.create_table(
        "kept_from",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_kept_from")),
    )


def _make_latest() -> None:
    op.create_table(
        "latest_readings",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(channel, sa.Double(), nullable=True) for channel in CHANNELS),
        sa.Column("extra", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("machine_id", name=op.f("pk_latest_readings")),
    )
    op.execute(LATEST)


def downgrade() -> None:
    since = op.get_bind().scalar(sa.text("SELECT at FROM kept_from WHERE what = 'readings'"))
    if since is not None:
        raise RuntimeError(
            f"Retention dropped readings before {since:%Y-%m-%d}. The version before does not know that, and a "
            "changed bucket width would let it delete roll-ups that cannot be made again. Stay on this version."
        )
    op.drop_index("ix_reading_conflicts_received_at", "reading_conflicts")
    for table, column in LEDGER_INDEXES:
        op.drop_index(f"ix_{table}_{column}", table)
    op.create_index("ix_reading_conflicts_machine_id", "reading_conflicts", ["machine_id", "received_at"])
    for table in ("reading_flags", "refusal_totals", "arrival_totals", "arrivals"):
        op.drop_table(table)
    for name in ("scored_events", "scored_changes", "open_rolled_up_at", "changes"):
        op.drop_column("rollup_state", name)
    op.drop_table("rollup_minutes")
    op.drop_table("latest_readings")
    op.drop_table("kept_from")
    op.execute("DROP FUNCTION readings_between(integer, timestamptz, timestamptz)")
    op.execute("DROP VIEW every_reading")
    op.execute(BY_MONTH)
    op.drop_table("reading_blocks")
    op.create_foreign_key(op.f("fk_rollups_channel_id_channels"), "rollups", "channels", ["channel_id"], ["id"])
    op.create_foreign_key(op.f("fk_rollups_machine_id_machines"), "rollups", "machines", ["machine_id"], ["id"])
    op.create_foreign_key(op.f("fk_readings_machine_id_machines"), "readings", "machines", ["machine_id"], ["id"])
