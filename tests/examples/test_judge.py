"""The judge on backtests small enough to work out by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = "machine,as_of,horizon_hours,probability,anomaly_score,remaining_life_hours\n"


def judge(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "judge.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def figures(printed: str) -> dict[str, float]:
    """The Wearwatch row of the printed table."""
    lines = printed.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Wearwatch"))
    names = [name.strip() for name in lines[at - 1].replace("a machine-year", "a-year").split("  ") if name.strip()]
    values = lines[at].split()[-len(names) :]
    return dict(zip(names, map(float, values), strict=True))


@pytest.fixture
def backtest(tmp_path: Path) -> Path:
    """Machine a fails at 30:00 of the first day's count and was warned of from hour 8; b cries wolf once."""
    lines = []
    for hour in range(96):
        at = f"2026-01-0{1 + hour // 24}T{hour % 24:02d}:00:00Z"
        lines.append(f"a,{at},24,{0.9 if 8 <= hour <= 30 else 0.1},,\n")
        lines.append(f"a,{at},72,0.5,,\n")
        lines.append(f"b,{at},24,{0.8 if 40 <= hour < 44 else 0.2},,\n")
    (tmp_path / "backtest.csv").write_text(HEADER + "".join(lines))
    (tmp_path / "events.csv").write_text(
        "machine,kind,code,component,started_at,ended_at,note\na,failure,VIB,x,2026-01-02T06:30:00Z,,\n"
        "b,service,preventive,x,2026-01-02T06:30:00Z,,\n"
    )
    return tmp_path


def test_failures_are_counted_once_and_false_alarms_by_episode(backtest):
    done = judge("failures", backtest / "backtest.csv", backtest / "events.csv")
    assert done.returncode == 0, done.stderr
    told = figures(done.stdout)
    assert (told["failures"], told["failures caught"], told["false alarms"]) == (1, 1, 1)
    assert told["F1"] == pytest.approx(2 * 23 / (2 * 23 + 4 + 1), abs=0.001)
    assert "0.986" in done.stdout


def test_a_row_belongs_to_a_failure_in_its_horizon_and_not_later(backtest):
    done = judge("failures", backtest / "backtest.csv", backtest / "events.csv")
    # The failure is at hour 30.5, so hours 7 to 30 are positive; hours up to 71 are seen to the end.
    assert "144 rows, 16.67% of them" in done.stdout


def test_remaining_life_is_clipped_and_scored_as_in_the_literature(tmp_path):
    (tmp_path / "backtest.csv").write_text(
        HEADER + "t1,2026-01-01T00:00:00Z,5,0.1,,30\nt1,2026-01-01T00:00:00Z,10,0.2,,30\n"
        "t2,2026-01-01T00:00:00Z,5,0.0,,\nt3,2026-01-01T00:00:00Z,5,0.9,,7\n"
    )
    (tmp_path / "truth.csv").write_text("machine,remaining_life_hours\nt1,20\nt2,145\nt3,20\nt4,1\n")
    done = judge("remaining-life", tmp_path / "backtest.csv", tmp_path / "truth.csv", "--set", "FD002")
    assert done.returncode == 0, done.stderr
    told = figures(done.stdout)
    assert told["RMSE"] == pytest.approx(math.sqrt((10**2 + 0 + 13**2) / 3), abs=0.01)
    assert told["NASA score"] == pytest.approx(2 * (math.e - 1), abs=0.01)
    assert told["engines"] == 3
    assert "3 of 4 engines" in done.stdout
    assert "MTSTAN" in done.stdout


def test_what_cannot_be_judged_is_one_sentence(backtest, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    for arguments, said in [
        (("failures", tmp_path / "none.csv", backtest / "events.csv"), "cannot be read"),
        (("failures", tmp_path / "empty.csv", backtest / "events.csv"), "cannot be read"),
        (("failures", backtest / "events.csv", backtest / "events.csv"), "has no column"),
        (("failures", backtest / "backtest.csv", backtest / "events.csv", "--horizon", 5), "no prediction for 5"),
    ]:
        done = judge(*arguments)
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_seconds_in_a_fault_are_counted_against_the_alarms_of_the_same_second(tmp_path):
    scores = [0.2, 1.5, 1.2, 0.4]
    (tmp_path / "backtest.csv").write_text(
        HEADER + "".join(f"p,2026-01-01T00:00:0{n + 1}Z,24,,{score},\n" for n, score in enumerate(scores))
    )
    (tmp_path / "truth.csv").write_text(
        "machine,measured_at,anomaly\n"
        + "".join(f"p,2026-01-01T00:00:0{n}Z,{fault}\n" for n, fault in enumerate((0, 0, 1, 1)))
    )
    done = judge("anomalies", tmp_path / "backtest.csv", tmp_path / "truth.csv")
    assert done.returncode == 0, done.stderr
    told = figures(done.stdout)
    assert (told["F1"], told["false alarms"], told["missed alarms"]) == (0.5, 0.5, 0.5)
    assert "Conv-AE (published)" in done.stdout
