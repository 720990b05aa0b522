"""What retention would drop is said before anything goes."""

from __future__ import annotations

from sqlalchemy import text


def test_a_dry_run_names_what_would_go_and_changes_nothing(run, engine):
    with engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO rejected_readings (reason, payload, sender, received_at)
                SELECT 'too hot', '{}', 'gateway', now() - interval '100 days' FROM generate_series(1, 3)"""
            )
        )
    said = run("retention", "--dry-run")
    assert (said.returncode, "would go: rejected, rejected_readings: about 3 rows" in said.stdout) == (0, True)
    kept = run("retention", WEARWATCH_KEEP_REJECTED="0")
    assert (kept.returncode, kept.stdout.strip()) == (0, "Nothing has expired.")
    gone = run("retention")
    assert (gone.returncode, "dropped: rejected, rejected_readings: about 3 rows" in gone.stdout) == (0, True)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM rejected_readings")) == 0
        assert connection.scalar(text("SELECT actor FROM audit_log WHERE action = 'retention'")) == "command line"
