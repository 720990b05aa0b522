"""Ingestion at speed and for years: no per-row look-up of a machine that is known anyway.

Revision ID: 20261121_02
Revises: 20261121_01
"""

from __future__ import annotations

from alembic import op

revision = "20261121_02"
down_revision = "20261121_01"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Machines are never deleted, and the writer looks each one up; checking every row again cost a third of ingest.
    op.drop_constraint(op.f("fk_readings_machine_id_machines"), "readings", type_="foreignkey")
    op.drop_constraint(op.f("fk_rollups_machine_id_machines"), "rollups", type_="foreignkey")
    op.drop_constraint(op.f("fk_rollups_channel_id_channels"), "rollups", type_="foreignkey")


def downgrade() -> None:
    op.create_foreign_key(op.f("fk_rollups_channel_id_channels"), "rollups", "channels", ["channel_id"], ["id"])
    op.create_foreign_key(op.f("fk_rollups_machine_id_machines"), "rollups", "machines", ["machine_id"], ["id"])
    op.create_foreign_key(op.f("fk_readings_machine_id_machines"), "readings", "machines", ["machine_id"], ["id"])
