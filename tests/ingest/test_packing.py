"""Old readings packed, a machine and day into one row, and back: nothing lost or doubled, whatever comes late."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from app.backup import backup, restore
from app.errors import Unavailable
from app.ingest import packer
from app.ingest.chart import machine_readings, window
from app.ingest.columns import Columns, to_microseconds
from app.ingest.group import Batch
from app.ingest.merging import Outcome
from app.ingest.packer import QUIET, pack
from app.ingest.packing import SLOTS
from app.ingest.partitions import ensure_partitions, month_of
from app.ingest.rollup import roll_up_all
from app.ingest.writing import Writer
from app.migrate import alembic_config, migrate

ROOT = Path(__file__).parents[2]
FIRST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=40)
LATER = datetime.now(UTC) + 2 * QUIET
TWO_DAYS = timedelta(days=2)
ROWS = "SELECT m.key, r.* FROM {} AS r JOIN machines AS m ON m.id = r.machine_id ORDER BY m.key, r.measured_at"


def batch(seconds, machine="press-07", extra=None, **channels) -> Batch:
    """One reading at each of `seconds` after FIRST; a channel is a number or a list."""
    n = len(seconds)
    values = np.full((n, 4), np.nan)
    for number, name in enumerate(("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")):
        if name in (channels or {"temperature_c"}):
            values[:, number] = channels.get(name, 61.25)
    times = to_microseconds([FIRST + timedelta(seconds=float(second)) for second in seconds])
    columns = Columns([machine] * n, times, values, [extra] * n)
    return Batch(columns, np.arange(n), [], "test", True)


@pytest.fixture
def write(engine, settings):
    writer = Writer(engine, settings)

    def write(*args, **channels) -> dict[str, int]:
        [report] = writer.write([batch(*args, **channels)])
        writer.close()
        found = {outcome.name.lower(): report.counts[outcome] for outcome in Outcome}
        return {name: n for name, n in found.items() if n}

    return write


@pytest.fixture
def blocks(ask):
    return lambda: [tuple(row) for row in ask("SELECT machine_id, n FROM reading_blocks ORDER BY machine_id, day")]


def test_what_is_packed_reads_the_same_to_the_last_bit(write, ask, blocks, engine):
    write(range(0, 3 * 86_400, 600), vibration_mm_s=[0.1 * n for n in range(432)], current_a=-0.0)
    write(range(300, 86_400, 600), temperature_c=1e-308, extra={"torque": 0.1 + 0.2})
    write([-1e-6, 86_399.999_999], machine="fan")
    query = "SELECT machine_id, measured_at, received_at, {}, extra::text FROM every_reading ORDER BY 1, 2"
    digits = ", ".join(
        f"float8send({c})" for c in ("temperature_c", "vibration_mm_s", "current_a", "runtime_hours")
    )
    before = ask(query.format(digits))
    assert pack(engine, LATER, TWO_DAYS).readings == len(before) == 432 + 144 + 2
    assert ask(query.format(digits)) == before
    assert sorted(blocks()) == [(1, 144), (1, 144), (1, 288), (2, 1), (2, 1)]
    assert ask("SELECT count(*) FROM readings") == [(0,)]
    assert ask("SELECT current_a FROM every_reading WHERE current_a IS NOT NULL LIMIT 1")[0][0].hex() == "-0x0.0p+0"


def test_emptied_months_are_given_back_and_come_again_when_needed(write, ask, engine):
    write([0, 40 * 86_400])
    assert f"readings_{FIRST:%Y_%m}" in pack(engine, LATER, TWO_DAYS).partitions_dropped
    assert write([5]) == {"accepted": 1}
    assert ask("SELECT count(*) FROM every_reading") == [(3,)]


def test_only_days_older_than_the_limit_are_packed(write, blocks, engine):
    write([0, 86_400, 2 * 86_400])
    assert pack(engine, FIRST + timedelta(days=3, hours=23), TWO_DAYS).readings == 0
    first_day_only = LATER - FIRST - timedelta(days=1, hours=1)
    assert pack(engine, LATER, first_day_only).machine_days == 1
    assert blocks() == [(1, 1)]


def test_a_day_that_still_grows_waits(write, blocks, engine):
    write([0])
    assert pack(engine, datetime.now(UTC), TWO_DAYS).readings == 0
    assert blocks() == []


def test_late_readings_lie_beside_the_block_until_the_next_round_packs_both(write, ask, blocks, engine):
    write(range(0, 1000, 10))
    pack(engine, LATER, TWO_DAYS)
    assert write([5, 15]) == {"accepted": 2}
    assert blocks() == [(1, 100)]
    assert ask("SELECT count(*) FROM every_reading") == [(102,)]
    assert pack(engine, LATER, TWO_DAYS).readings == 2
    assert blocks() == [(1, 102)]


def test_a_packed_reading_that_comes_again_is_a_duplicate_a_merge_or_a_conflict(write, ask, engine):
    write(range(0, 50, 10), temperature_c=20.0, extra={"torque": 1.0})
    pack(engine, LATER, TWO_DAYS)
    assert write([0, 10], temperature_c=20.0) == {"duplicate": 2}
    pack(engine, LATER, TWO_DAYS)
    assert write([20], current_a=3.0) == {"merged": 1}
    pack(engine, LATER, TWO_DAYS)
    assert write([20, 30], temperature_c=[20.0, 21.0], current_a=3.0) == {"duplicate": 1, "conflict": 1}
    assert ask("SELECT stored_value, refused_value FROM reading_conflicts") == [(20, 21)]
    pack(engine, LATER, TWO_DAYS)
    assert ask("SELECT temperature_c, current_a FROM every_reading ORDER BY measured_at") == [
        (20, None),
        (20, None),
        (20, 3),
        (20, 3),
        (20, None),
    ]


def test_what_comes_again_the_same_leaves_its_block_packed(write, ask, blocks, engine):
    write(range(0, 86_400, 600), temperature_c=20.0, current_a=-0.0, extra={"torque": 1.5, "load": 2})
    write(range(0, 86_400, 600), machine="fan")
    pack(engine, LATER, TWO_DAYS)
    before = ask("SELECT ctid, machine_id FROM reading_blocks ORDER BY 2")
    again = [86_400 - 600, 0, 600, 0, 1200, 5]
    assert write(again, temperature_c=20.0, extra={"load": 2.0}) == {"duplicate": 5, "accepted": 1}
    assert write([0, 600], temperature_c=[np.nan, 20.0], current_a=0.0) == {"duplicate": 2}
    assert ask("SELECT ctid, machine_id FROM reading_blocks ORDER BY 2") == before
    assert ask("SELECT count(*) FROM readings") == [(1,)]


@pytest.mark.parametrize(
    ("again", "outcome"),
    [
        ({"temperature_c": 20.5}, "conflict"),
        ({"vibration_mm_s": 1.0}, "merged"),
        ({"temperature_c": 20.0, "extra": {"torque": 1.0, "load": 2.0}}, "merged"),
        ({"temperature_c": 20.0, "extra": {"torque": 2.0}}, "conflict"),
    ],
)
def test_only_the_day_that_changes_is_unpacked(write, ask, blocks, engine, again, outcome):
    write([0, 10, 86_400, 86_410], temperature_c=20.0, extra={"torque": 1.0})
    write([0, 10], machine="fan", temperature_c=20.0)
    pack(engine, LATER, TWO_DAYS)
    assert write([10], **again) == {outcome: 1}
    assert sorted(blocks()) == [(1, 2), (2, 2)]
    pack(engine, LATER, TWO_DAYS)
    n = [20.0, 20.0, 20.5]
    assert write([0, 86_400, 86_410], temperature_c=n) == {"duplicate": 2, "conflict": 1}
    assert sorted(blocks()) == [(1, 2), (2, 2)]
    assert ask("SELECT count(*), count(DISTINCT (machine_id, measured_at)) FROM every_reading") == [(6, 6)]


def test_rows_of_one_request_meet_their_packed_reading_in_their_order(write, ask, engine):
    write([0], temperature_c=20.0)
    pack(engine, LATER, TWO_DAYS)
    found = write([0, 0, 0], temperature_c=[20.0, np.nan, 20.0], current_a=[np.nan, 3.0, 4.0])
    assert found == {"duplicate": 1, "merged": 1, "conflict": 1}
    assert ask("SELECT temperature_c, current_a FROM every_reading") == [(20, 3)]


def test_charts_and_rollups_do_not_see_the_difference(write, ask, engine, settings):
    write(range(0, 3 * 86_400, 900), temperature_c=[20 + n % 7 for n in range(288)], extra={"torque": 2.5})

    def seen():
        roll_up_all(engine, settings)
        with engine.connect() as connection:
            rollups = connection.execute(text("SELECT * FROM rollups ORDER BY 1, 2, 3")).all()
            asked = window(connection, "press-07", FIRST, FIRST + timedelta(days=2))
            return rollups, [machine_readings(connection, settings, "press-07", asked, n) for n in (2000, 100)]

    before = seen()
    pack(engine, LATER, TWO_DAYS)
    assert seen() == before
    with engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO touched_buckets (machine_id, bucket_start)
            SELECT DISTINCT machine_id, bucket_start FROM rollups"""
            )
        )
    assert seen() == before


def test_one_machine_and_range_opens_only_its_blocks(write, engine, ask):
    for machine in ("a", "b"):
        write(range(0, 10 * 86_400, 3600), machine=machine)
    pack(engine, LATER, TWO_DAYS)
    span = f"'{FIRST + timedelta(days=3)}', '{FIRST + timedelta(days=3, hours=5)}'"
    plan = "\n".join(
        row[0] for row in ask(f"EXPLAIN (ANALYZE, BUFFERS OFF) SELECT * FROM readings_between(1, {span})")
    )
    assert "Function Scan" not in plan, plan
    assert "rows=24.00" in plan
    assert "rows=5.00" in plan
    assert "Seq Scan on reading_blocks" not in plan


def patiently(writer: Writer, batches: list[Batch]) -> None:
    """Four senders of the same keys meet more often than the writer tries; senders try again too when told so."""
    for _ in range(10):
        try:
            writer.write(batches)
        except Unavailable:
            continue
        return
    pytest.fail("never stored")


def test_late_writers_and_the_packer_at_once_lose_and_double_nothing(engine, settings, ask):
    rounds, machines = 12, [f"m-{n}" for n in range(6)]
    done = threading.Event()

    def send(offset: int) -> None:
        random = np.random.default_rng(offset)
        with closing(Writer(engine, settings)) as writer:
            for turn in range(rounds):
                own = [offset + 4 * (turn * 20 + n) for n in range(20)]
                seconds = own + random.permutation(4 * 20 * (turn + 1))[:40].tolist()
                again = [batch(sorted(set(seconds)), machine=random.choice(machines)) for _ in range(2)]
                for batches in (again, [batch(own, machine=machine) for machine in machines]):
                    patiently(writer, batches)

    def keep_packing() -> int:
        rounds = 0
        while not done.is_set():
            rounds += pack(engine, LATER, TWO_DAYS).machine_days
        return rounds

    with ThreadPoolExecutor() as pool:
        packer = pool.submit(keep_packing)
        try:
            for sender in [pool.submit(send, offset) for offset in range(4)]:
                sender.result()
        finally:
            done.set()
        assert packer.result() > len(machines)
    expected = 4 * 20 * rounds
    counted = "SELECT count(*), count(DISTINCT measured_at) FROM every_reading GROUP BY machine_id"
    assert [tuple(row) for row in ask(counted)] == [(expected, expected)] * len(machines)
    pack(engine, LATER, TWO_DAYS)
    assert ask("SELECT sum(n), count(*) FROM reading_blocks") == [(6 * expected, 6)]


PACK_FOREVER = """
import sys
from datetime import datetime, timedelta, timezone
from sqlalchemy import make_url
from app.database import make_engine
from app.ingest.packer import pack
engine = make_engine(make_url(sys.argv[1]))
print("packing", flush=True)
while True:
    pack(engine, datetime.fromisoformat(sys.argv[2]), timedelta(days=2))
"""


def test_a_packer_killed_at_any_moment_leaves_every_reading_once(write, ask, engine):
    url = engine.url.render_as_string(hide_password=False)
    for turn in range(4):
        write(range(turn, 3 * 86_400, 60), machine=f"m-{turn % 2}")
        program = [sys.executable, "-c", PACK_FOREVER, url, LATER.isoformat()]
        with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=ROOT) as packer:
            assert packer.stdout is not None
            packer.stdout.readline()
            time.sleep(0.02 * turn)
            packer.kill()
    # The last one's transaction ends when the server notices that nobody is there any more.
    pack(engine, LATER, TWO_DAYS)
    counted = "SELECT count(*), count(DISTINCT (machine_id, measured_at)) FROM every_reading"
    assert [tuple(row) for row in ask(counted)] == [(4 * 4320, 4 * 4320)]
    assert ask("SELECT sum(n), count(*) FROM reading_blocks") == [(4 * 4320, 6)]


def test_a_packer_that_is_told_to_stop_goes_on_the_next_time(write, ask, engine):
    write(range(0, 3 * 86_400, 3600))
    asked = iter([False, True])
    assert pack(engine, LATER, TWO_DAYS, stop=lambda: next(asked)).machine_days == 1
    assert pack(engine, LATER, TWO_DAYS).machine_days == 2
    assert ask("SELECT count(*), (SELECT sum(n) FROM reading_blocks) FROM every_reading") == [(72, 72)]


def spoil(engine, body: str) -> None:
    trigger = f"""CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT ON reading_blocks FOR EACH ROW EXECUTE FUNCTION spoil()"""
    with engine.begin() as connection:
        connection.execute(text(trigger))


def test_a_block_that_does_not_say_the_same_keeps_its_rows_and_holds_back_no_other(write, ask, blocks, engine):
    write([0, 10, 20])
    write([0, 86_410], machine="fan")
    spoil(engine, "IF NEW.machine_id = 1 THEN NEW.temperature_c[2] := -61.25; END IF;")
    with capture_logs() as told:
        packed = pack(engine, LATER, TWO_DAYS)
    assert (packed.machine_days, packed.skipped) == (2, 1)
    assert ["3 readings, 2 equal" in each["reason"] for each in told] == [True]
    assert ask("SELECT count(*), min(temperature_c) FROM every_reading") == [(5, 61.25)]
    assert blocks() == [(2, 1), (2, 1)]
    assert ask("SELECT count(*) FROM readings") == [(3,)]


def test_a_limit_of_the_server_costs_one_machine_its_day_and_nobody_else(write, ask, blocks, engine):
    for number in range(SLOTS + 1):
        write([0], machine=f"m-{number}")
    write([40 * 86_400])
    spoil(engine, "IF NEW.machine_id = 1 THEN RAISE 'array size exceeds' USING ERRCODE = '54000'; END IF;")
    packed = pack(engine, LATER, TWO_DAYS)
    assert (packed.machine_days, packed.skipped) == (SLOTS, 1)
    assert (1 + SLOTS, 1) in blocks()
    assert ask("SELECT count(*) FROM every_reading") == [(SLOTS + 2,)]


def test_a_day_too_large_for_a_block_stays_rows(write, blocks, engine, monkeypatch):
    write(range(0, 1000, 10), extra={"torque": 1.0})
    write(range(0, 1000, 10), machine="fan")
    monkeypatch.setattr(packer, "MOST_BYTES_A_BLOCK", 100 * packer.BYTES_A_ROW)
    with capture_logs() as told:
        assert pack(engine, LATER, TWO_DAYS).skipped == 1
    assert [each["event"] for each in told] == ["not packed: too large"]
    assert blocks() == [(2, 100)]
    assert write([0], temperature_c=61.25) == {"duplicate": 1}


def test_a_server_that_is_gone_ends_the_round(write, engine):
    write([0])
    spoil(engine, "RAISE 'going down' USING ERRCODE = '57P01';")
    with pytest.raises(DBAPIError, match="going down"):
        pack(engine, LATER, TWO_DAYS)


def test_a_backup_holds_what_is_packed(write, ask, engine, settings, tmp_path):
    write(range(0, 86_400, 600), extra={"torque": 0.1})
    pack(engine, LATER, TWO_DAYS)
    before = ask("SELECT * FROM every_reading ORDER BY measured_at")
    own = settings.model_copy(update={"database_url": SecretStr(engine.url.render_as_string(hide_password=False))})
    engine.dispose()
    backup(own, tmp_path / "a.backup")
    restore(own, tmp_path / "a.backup", replace=True)
    assert ask("SELECT * FROM every_reading ORDER BY measured_at") == before
    assert ask("SELECT sum(n) FROM reading_blocks") == [(144,)]


def test_the_version_before_gets_its_readings_back(write, ask, engine):
    write(range(0, 86_400, 600))
    pack(engine, LATER, TWO_DAYS)
    ensure_partitions(engine, [month_of(date(1999, 5, 1))])
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO readings (machine_id, measured_at) VALUES (1, '1999-05-05Z')"))
    before = ask("SELECT * FROM every_reading ORDER BY measured_at")
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "20261121_01")
        connection.commit()
    assert ask("SELECT * FROM readings ORDER BY measured_at") == before
    assert ask("SELECT tableoid::regclass::text FROM readings ORDER BY measured_at LIMIT 1") == [
        ("readings_1999_05",)
    ]
    migrate(engine)
    assert ask("SELECT * FROM every_reading ORDER BY measured_at") == before
