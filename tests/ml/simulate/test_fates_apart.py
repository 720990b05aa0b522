"""Fates apart: what is done to one machine changes its own life and no other."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest

from app.errors import BadInput
from ml.simulate.state import FleetState, Visit
from ml.simulate.wear import COMPONENTS

START, HOUR = 1_704_067_200, 3600
SERVICED = 2


def fleet(machines: int = 8, seed: int = 5) -> FleetState:
    return FleetState.new(machines, START, seed, fates_apart=True)


def lived(state: FleetState, days: int) -> list:
    return [
        each
        for _ in range(24 * days)
        for each in state.step(state.time + HOUR).happened
        if each.kind in ("failure", "service")
    ]


def serviced(state: FleetState, machines) -> list:
    visits = [Visit(machine, state.time, state.time + 4 * HOUR) for machine in machines]
    return state.step(state.time + HOUR, visits=visits).happened


def test_a_visit_to_one_machine_leaves_the_others_lives_and_readings_as_they_were():
    left, visited = fleet(), fleet()
    left.step(left.time + HOUR)
    serviced(visited, [SERVICED])
    for _ in range(24 * 40):
        one, other = left.step(left.time + HOUR), visited.step(visited.time + HOUR)
        others = np.arange(8) != SERVICED
        np.testing.assert_array_equal(one.readings[others], other.readings[others])
    np.testing.assert_array_equal(left.wear.damage[others], visited.wear.damage[others])
    assert (left.wear.damage[SERVICED] != visited.wear.damage[SERVICED]).all()


def test_equal_decisions_give_equal_lives():
    one, other = fleet(), fleet()
    for state in (one, other):
        serviced(state, [0, 3])
    assert lived(one, 30) == lived(other, 30)
    np.testing.assert_array_equal(one.wear.damage, other.wear.damage)


def test_a_visit_renews_all_parts_and_fewer_of_them_fail_afterwards():
    left, visited = fleet(30), fleet(30)
    left.step(left.time + HOUR)
    told = serviced(visited, range(30))
    assert (visited.wear.damage == 0).all()
    assert {each.component for each in told if each.machine == 0} == {None, *COMPONENTS}
    wear = [sum(each.kind == "failure" and each.code != "BRD" for each in lived(s, 60)) for s in (left, visited)]
    assert wear[1] == 0 < wear[0]


def test_a_visited_machine_stands_still_until_the_visit_ends():
    state = fleet(40)
    serviced(state, range(40))
    shown = [state.step(state.time + HOUR).readings[:, 2] for _ in range(4)]
    rated = state.roster.rated_current_a
    assert np.nanmax([(each / rated)[~np.isnan(each)].max() for each in shown[:3]]) < 0.02
    assert np.nanmax(shown[3] / rated) > 0.2


def test_a_saved_fleet_with_fates_apart_goes_on_as_if_never_stopped():
    one = fleet()
    lived(one, 5)
    other = FleetState.from_json(one.to_json())
    assert lived(one, 20) == lived(other, 20)


@pytest.mark.parametrize("chance", ["[]", "7", '[{"bit_generator": "PCG64"}]'])
def test_a_state_without_a_stream_is_refused_in_one_sentence(chance):
    text = fleet(2).to_json()
    broken = text[: text.index('"chance": ')] + f'"chance": {chance}, ' + text[text.index('"wear": ') :]
    with pytest.raises(BadInput, match="cannot be read"):
        FleetState.from_json(broken)


def test_fates_apart_wear_as_fast_as_together():
    def failures(apart: bool) -> int:
        states = [FleetState.new(60, START, seed, fates_apart=apart) for seed in (1, 2)]
        return sum(each.kind == "failure" for state in states for each in lived(deepcopy(state), 90))

    assert failures(apart=True) == pytest.approx(failures(apart=False), rel=0.15)


def test_a_fleet_saved_before_machines_had_streams_of_their_own_goes_on_as_it_would_have():
    one = FleetState.new(3, START, seed=4)
    one.step(START + HOUR)
    state = json.loads(one.to_json())
    [state["rng"]] = state.pop("chance")
    other = FleetState.from_json(json.dumps(state | {"version": 1}))
    np.testing.assert_array_equal(other.step(START + 2 * HOUR).readings, one.step(START + 2 * HOUR).readings)
