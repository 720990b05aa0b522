"""The simulated plant: same seed same story, signals that carry the truth, and nothing that gives it away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.simulate.fleet import SimulatedFleet, live, simulate_fleet, write_csvs
from ml.simulate.sensors import CHANNELS
from ml.simulate.state import FleetState
from ml.simulate.wear import COMPONENTS, MODES

UNTIL = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
COLUMNS = {
    "machines": "key,name,site,line,asset_class,rated_power_kw,rated_current_a,support,installed_at,"
    "decommissioned_at,criticality,downtime_cost_per_hour,preventive_cost,failure_cost",
    "readings": "machine,measured_at,temperature_c,vibration_mm_s,current_a,runtime_hours",
    "events": "machine,kind,code,component,started_at,ended_at,note",
}


@pytest.fixture(scope="module")
def fleet() -> SimulatedFleet:
    return simulate_fleet(until=UNTIL, seed=0)


def failures(fleet: SimulatedFleet) -> pd.DataFrame:
    return fleet.events[fleet.events["kind"] == "failure"]


def rise(fleet: SimulatedFleet, code: str, channel: str) -> float:
    """Median over failures of the running mean in the last 3 days, relative to the machine's first 40 days."""
    rises = []
    running = fleet.readings[fleet.readings["current_a"] > 3]
    for failure in failures(fleet).query("code == @code").itertuples():
        own = running[(running["machine"] == failure.machine) & (running["measured_at"] < failure.started_at)]
        early = own[own["measured_at"] < own["measured_at"].min() + pd.Timedelta(days=40)][channel].mean()
        rises.append(own[own["measured_at"] > failure.started_at - pd.Timedelta(days=3)][channel].mean() / early)
    return float(np.nanmedian(rises))


def test_the_same_seed_tells_the_same_story_and_another_seed_another():
    first, again, other = (simulate_fleet(8, 20, UNTIL, seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first.readings, again.readings)
    pd.testing.assert_frame_equal(first.events, again.events)
    pd.testing.assert_frame_equal(first.machines, again.machines)
    assert not first.readings["vibration_mm_s"].equals(other.readings["vibration_mm_s"])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_there_is_enough_to_learn_from_in_every_mode(seed):
    counts = failures(simulate_fleet(until=UNTIL, seed=seed))["code"].value_counts()
    assert 60 <= counts.sum() <= 115
    assert all(counts[mode.code] >= 8 for mode in MODES)
    assert 4 <= counts["BRD"] <= 25


def test_each_mode_leaves_its_own_mark_before_it_fails(fleet):
    assert rise(fleet, "VIB", "vibration_mm_s") > 2
    assert rise(fleet, "STD", "vibration_mm_s") > 1.4
    assert rise(fleet, "OHE", "temperature_c") > rise(fleet, "STD", "temperature_c") + 0.1
    assert rise(fleet, "ELU", "current_a") > 1.07
    assert rise(fleet, "VIB", "current_a") == pytest.approx(1, abs=0.05)


def test_a_shock_gives_no_warning(fleet):
    for channel in CHANNELS[:3]:
        assert rise(fleet, "BRD", channel) == pytest.approx(1, abs=0.12)


def test_worn_parts_fail_when_their_hidden_damage_is_used_up_and_renewal_resets_it(fleet):
    position = {key: number for number, key in enumerate(fleet.machines["key"])}
    worn = failures(fleet).query("code != 'BRD'")
    before, after = [], []
    for failure in worn.itertuples():
        step = int(np.searchsorted(fleet.steps, failure.started_at.timestamp()))
        history = fleet.damage[:, position[failure.machine], COMPONENTS.index(failure.component)]
        before.append(history[max(step - 2, 0)])
        after.append(history[min(step + 1, len(history) - 1)])
    assert min(before) > 0.75
    assert max(after) < 0.1


def test_preventive_services_reset_wear(fleet):
    services = fleet.events.query("kind == 'service' and code == 'preventive'")
    inside = services[services["started_at"].map(lambda at: at.timestamp()) > fleet.steps[0] + 3600]
    position = {key: number for number, key in enumerate(fleet.machines["key"])}
    assert len(inside) > 40
    for service in inside.itertuples():
        step = int(np.searchsorted(fleet.steps, service.started_at.timestamp()))
        history = fleet.damage[:, position[service.machine], COMPONENTS.index(service.component)]
        assert history[min(step + 1, len(history) - 1)] < 0.05


def test_no_event_of_interest_is_stamped_on_the_hour(fleet):
    stamped = fleet.events[fleet.events["kind"].isin(["failure", "service"])]["started_at"]
    on_the_hour = (stamped.dt.minute == 0) & (stamped.dt.second == 0)
    assert on_the_hour.mean() < 0.01
    assert failures(fleet)["started_at"].dt.hour.nunique() > 15


def test_a_standing_machine_sends_nothing_or_no_current(fleet):
    merged = failures(fleet).merge(fleet.readings, on="machine")
    standing = merged[
        (merged["measured_at"] >= merged["started_at"]) & (merged["measured_at"] < merged["ended_at"])
    ]
    rated = standing["machine"].map(fleet.machines.set_index("key")["rated_current_a"])
    spikes_and_drift = 0.02
    assert (standing["current_a"].dropna() > 0.15 * rated[standing["current_a"].notna()]).mean() < spikes_and_drift
    assert standing["machine"].nunique() < failures(fleet)["machine"].nunique()


def test_readings_are_physical_and_mostly_there(fleet):
    values = fleet.readings[list(CHANNELS)]
    assert values.min().min() >= 0
    assert np.isfinite(values.to_numpy()[~values.isna().to_numpy()]).all()
    assert 0.001 < values.isna().to_numpy().mean() < 0.02
    assert 0.95 < len(fleet.readings) / (60 * 120 * 24) < 1
    assert not fleet.readings.duplicated(["machine", "measured_at"]).any()
    assert fleet.readings["measured_at"].max().timestamp() < UNTIL.timestamp()
    counters = fleet.readings.sort_values(["machine", "measured_at"]).groupby("machine")["runtime_hours"]
    assert (counters.diff().dropna() >= 0).all()


def test_the_demo_has_a_silent_machine_a_stuck_sensor_and_failures_ahead(fleet):
    last = fleet.readings.groupby("machine")["measured_at"].max()
    silent = last[last < pd.Timestamp(UNTIL) - pd.Timedelta(hours=24)]
    assert silent.index.tolist() == ["conveyor-01"]
    end = fleet.readings[fleet.readings["measured_at"] > pd.Timestamp(UNTIL) - pd.Timedelta(hours=48)]
    assert end.groupby("machine")["temperature_c"].nunique()["pump-01"] == 1
    ahead = FleetState.from_json(fleet.state.to_json())
    happened = [h for _ in range(7 * 24) for h in ahead.step(ahead.time + 3600).happened if h.kind == "failure"]
    assert len({h.machine for h in happened if h.code != "BRD"}) >= 3


def test_history_knows_nothing_that_lies_ahead_and_hands_it_to_the_live_sensors():
    for seed in range(30):
        fleet = simulate_fleet(30, 6, UNTIL, seed=seed)
        assert (fleet.events["started_at"] < UNTIL).all()
        assert not (fleet.events["ended_at"] >= UNTIL).any()
        if fleet.pending:
            assert all(max(h.started_at, h.ended_at or 0) >= UNTIL.timestamp() for h in fleet.pending)
            return
    raise AssertionError("no seed had a machine standing at the end")


def test_a_saved_fleet_goes_on_exactly_as_if_never_stopped():
    one = simulate_fleet(9, 12, UNTIL, seed=3).state
    other = FleetState.from_json(one.to_json())
    for hours in (1, 1, 5, 0.01, 24):
        until = one.time + int(hours * 3600)
        first, second = live(one, until), live(other, until)
        np.testing.assert_array_equal(first.readings, second.readings)
        assert first.happened == second.happened
    assert one.to_json() == other.to_json()


def test_a_policy_that_renews_parts_in_time_prevents_their_failures():
    def failed(policy) -> int:
        state = FleetState.new(20, 1_780_000_000, seed=4)
        count = 0
        for _ in range(24 * 60):
            step = state.step(state.time + 3600, policy(state))
            count += sum(h.kind == "failure" and h.code != "BRD" for h in step.happened)
        return count

    def before_it_fails(state):
        worn = np.argwhere(state.wear.damage > 0.7)
        return [(int(m), int(c)) for m, c in worn if state.duty.down_until[m] <= state.time]

    assert failed(lambda state: []) > 10
    assert failed(before_it_fails) == 0


def test_many_small_steps_wear_like_one_large_step():
    def damage(seconds: int) -> float:
        state = FleetState.new(40, 1_780_000_000, seed=8)
        before = state.wear.damage.copy()
        while state.time < 1_780_000_000 + 3 * 86400:
            state.step(state.time + seconds)
        grown = state.wear.damage - before
        return float(grown[grown > 0].mean())

    assert damage(600) == pytest.approx(damage(3600), rel=0.2)


def test_the_csv_files_have_the_columns_that_import_reads_and_lose_nothing(tmp_path: Path):
    fleet = simulate_fleet(5, 10, UNTIL, seed=2)
    write_csvs(fleet, tmp_path / "new" / "folder")
    for name, header in COLUMNS.items():
        path = tmp_path / "new" / "folder" / f"{name}.csv"
        assert path.read_text().splitlines()[0] == header
        back, table = pd.read_csv(path), getattr(fleet, name)
        assert len(back) == len(table)
    back = pd.read_csv(tmp_path / "new" / "folder" / "readings.csv", parse_dates=["measured_at"])
    assert (back["measured_at"] == fleet.readings["measured_at"]).all()
    np.testing.assert_array_equal(back["vibration_mm_s"], fleet.readings["vibration_mm_s"])
