"""The examples as a user runs them: made-up sets always, the public ones where they lie beside the repository."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTSIDE = Path(os.environ.get("WEARWATCH_OUTSIDE_DATA", ROOT.parent / "shared" / "data"))
AZURE = {
    "PdM_telemetry": "datetime,machineID,volt,rotate,pressure,vibration\n"
    "2015-01-01 06:00:00,1,170.5,418.1,113.2,45.1\n1/1/2015 7:00:00 AM,2,160.5,428.1,103.2,35.1\n",
    "PdM_errors": "datetime,machineID,errorID\n2015-01-01 06:00:00,2,error3\n",
    "PdM_failures": "datetime,machineID,failure\n2015-01-05 06:00:00,1,comp4\n",
    "PdM_maint": "datetime,machineID,comp\n2015-01-05 06:00:00,1,comp4\n2015-01-05 06:00:00,1,comp1\n",
    "PdM_machines": "machineID,model,age\n1,model3,10\n2,model4,0\n",
}


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def outside(folder: str) -> Path:
    if not (OUTSIDE / folder).is_dir():
        pytest.skip(f"the public set {folder} is not in {OUTSIDE}; name its folder in WEARWATCH_OUTSIDE_DATA")
    return OUTSIDE / folder


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    folder = tmp_path / "azure"
    folder.mkdir()
    for name, content in AZURE.items():
        (folder / f"{name}.csv").write_text(content)
    return folder


@pytest.fixture
def cmapss(tmp_path: Path) -> Path:
    """Two train engines of 3 and 5 cycles, two test engines cut after 2 and 4."""
    folder = tmp_path / "cmapss"
    folder.mkdir()
    numbers = " ".join(str(n / 10) for n in range(24))

    def cycles(*lengths: int) -> str:
        return "".join(f"{u} {c} {numbers}  \n" for u, n in enumerate(lengths, 1) for c in range(1, n + 1))

    (folder / "train_FD001.txt").write_text(cycles(3, 5))
    (folder / "test_FD001.txt.gz").write_bytes(gzip.compress(cycles(2, 4).encode()))
    (folder / "RUL_FD001.txt").write_text("7\n9\n")
    return folder


def test_azure_rows_become_readings_machines_and_events(azure, tmp_path):
    done = run("azure_pdm.py", azure, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "out" / "readings.csv")[1] == {
        "machine": "machine-2",
        "measured_at": "2015-01-01T07:00:00Z",
        "volt": "160.5",
        "rotate": "428.1",
        "pressure": "103.2",
        "vibration": "35.1",
    }
    first = rows(tmp_path / "out" / "machines.csv")[0]
    assert (first["key"], first["asset_class"], first["installed_at"][:7]) == ("machine-1", "model3", "2004-12")
    told = [
        (e["machine"], e["kind"], e["code"], e["component"], e["started_at"])
        for e in rows(tmp_path / "out" / "events.csv")
    ]
    assert told == [
        ("machine-2", "fault_code", "error3", "", "2015-01-01T06:00:00Z"),
        ("machine-1", "failure", "comp4", "comp4", "2015-01-05T06:00:00Z"),
        ("machine-1", "service", "corrective", "comp4", "2015-01-05T06:00:00Z"),
        ("machine-1", "service", "preventive", "comp1", "2015-01-05T06:00:00Z"),
    ]
    assert "wearwatch train --until" in done.stdout


@pytest.mark.parametrize("name", AZURE)
def test_a_missing_azure_file_is_named_with_where_to_get_it(azure, tmp_path, name):
    (azure / f"{name}.csv").unlink()
    done = run("azure_pdm.py", azure, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert f"neither {name}.csv nor {name}.csv.gz" in done.stderr
    assert "Microsoft Azure Predictive Maintenance sample data" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("PdM_telemetry", "datetime,machineID,volt\n", "has no column rotate, pressure, vibration"),
        ("PdM_telemetry", "", "has no column datetime"),
        ("PdM_telemetry", "datetime,machineID,volt,rotate,pressure,vibration\n", "holds no rows"),
        ("PdM_telemetry", "datetime,machineID,volt,rotate,pressure,vibration\n2015-01-01,1\n", "too few fields"),
        ("PdM_failures", "datetime,machineID,failure\nyesterday,1,comp1\n", "'yesterday' is not a time"),
        ("PdM_machines", "machineID,model,age\n1,model3,old\n", "'old' is not an age"),
        ("PdM_machines", "machineID,model,age\n1,model3,1e300\n", "is not an age"),
    ],
)
def test_a_wrong_azure_file_is_one_sentence(azure, tmp_path, name, content, said):
    (azure / f"{name}.csv").write_text(content)
    done = run("azure_pdm.py", azure, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_gzip_file_is_one_sentence(azure, tmp_path):
    (azure / "PdM_errors.csv").unlink()
    (azure / "PdM_errors.csv.gz").write_bytes(gzip.compress(AZURE["PdM_errors"].encode())[:-9])
    done = run("azure_pdm.py", azure, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert "PdM_errors.csv cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_train_engines_end_with_a_failure_and_test_engines_are_cut_at_one_hour(cmapss, tmp_path):
    done = run("cmapss.py", cmapss, "--set", "FD001", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    readings = rows(tmp_path / "out" / "readings.csv")
    last = {row["machine"]: row["measured_at"] for row in readings}
    failed = {row["machine"]: row["started_at"] for row in rows(tmp_path / "out" / "events.csv")}
    assert failed == {"train-001": "2020-01-01T03:00:00Z", "train-002": "2020-01-02T05:00:00Z"}
    assert last["train-002"] == "2020-01-02T04:00:00Z"
    assert last["test-001"] == last["test-002"] > failed["train-002"]
    assert min(row["measured_at"] for row in readings if row["machine"].startswith("test")) > failed["train-002"]
    assert readings[0]["setting1"] == "0.0"
    assert readings[0]["sensor21"] == "2.3"
    truth = rows(tmp_path / "out" / "truth.csv")
    assert [(row["machine"], float(row["remaining_life_hours"])) for row in truth] == [
        ("test-001", 7),
        ("test-002", 9),
    ]
    assert "backtest --from 2020-01-02T10:00:00Z --to 2020-01-02T10:00:00Z" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train_FD001.txt", "", "holds no engine"),
        ("train_FD001.txt", "1 1 0.5\n", "line 1: expected unit, cycle and 24 numbers"),
        ("train_FD001.txt", "1 1" + " nan" * 24, "line 1: expected"),
        ("train_FD001.txt", "1 2" + " 0" * 24, "cycle 2 of unit 1 is out of order"),
        ("RUL_FD001.txt", "7\n", "has 1 lines for 2 test engines"),
        ("RUL_FD001.txt", "7\nx\n", "not a number"),
    ],
)
def test_a_wrong_cmapss_file_is_one_sentence(cmapss, tmp_path, name, content, said):
    (cmapss / name).write_text(content)
    done = run("cmapss.py", cmapss, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def skab(tmp_path: Path) -> Path:
    folder = tmp_path / "valve9"
    folder.mkdir()
    header = "datetime;Current;Volume Flow RateRMS;anomaly;changepoint\n"
    (folder / "0.csv").write_text(
        f"{header}2020-03-09 10:14:33;1.5;32.0;0.0;0.0\n2020-03-09 10:14:34;9;31;1.0;0.0\n"
    )
    with gzip.open(folder / "10.csv.gz", "wt") as file:
        file.write(header + "2020-03-10 00:00:00;2.5;30.0;0.0;0.0\n")
    return folder


def test_every_file_of_the_pump_is_a_machine_and_its_labels_are_no_readings(skab, tmp_path):
    done = run("skab.py", skab, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    _, second, other = rows(tmp_path / "out" / "readings.csv")
    assert list(second) == ["machine", "measured_at", "current", "volume_flow_raterms"]
    assert list(second.values()) == ["valve9-0", "2020-03-01T00:00:01Z", "9", "31"]
    assert list(other.values()) == ["valve9-10", "2020-03-01T00:00:00Z", "2.5", "30.0"]
    truth = [row["anomaly"] for row in rows(tmp_path / "out" / "truth.csv")]
    assert truth == ["0.0", "1.0", "0.0"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("datetime;Current;Volume Flow RateRMS;anomaly;changepoint\n", "2.csv holds no rows"),
        (
            "datetime;Current;anomaly;changepoint\n2020-03-10 00:00:00;2.5;0.0;0.0\n",
            "no column Volume Flow RateRMS",
        ),
    ],
)
def test_a_wrong_pump_file_is_one_sentence(skab, tmp_path, content, said):
    (skab / "2.csv").write_text(content)
    done = run("skab.py", skab, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_files_is_one_sentence(tmp_path):
    done = run("skab.py", tmp_path, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert "holds no .csv files" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["azure_pdm.py", "cmapss.py", "skab.py", "judge.py"])
def test_help_shows_an_example(script):
    done = run(script, "--help")
    assert done.returncode == 0
    assert f"python examples/{script}" in done.stdout


def test_the_real_azure_set_is_turned_whole(tmp_path):
    done = run("azure_pdm.py", outside("azure-pdm-20"), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "readings.csv")) == 34_560
    events = rows(tmp_path / "events.csv")
    assert sum(event["kind"] == "failure" for event in events) == 35
    assert all(event["component"] for event in events if event["kind"] != "fault_code")


@pytest.mark.parametrize(("name", "engines", "cycles"), [("FD001", 100, 33_727), ("FD002", 260, 87_750)])
def test_the_real_turbofans_are_turned_whole(tmp_path, name, engines, cycles):
    done = run("cmapss.py", outside("cmapss"), "--set", name, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "events.csv")) == engines
    assert len(rows(tmp_path / "readings.csv")) == cycles
