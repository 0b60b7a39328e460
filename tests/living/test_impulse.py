"""Play replayed in a figure against the package's own kernels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import Record
from rivalry.living import impulse
from rivalry.living.figure import plain
from rivalry.tables.greedy_play import slots_of
from rivalry.tables.history import limit_cycles, whole_states
from rivalry.tables.one_deviation import deviations
from rivalry.tables.repeated import RepeatedWorld, repeated_form
from tests.living.javascript import run_module

GAMMA = np.array([0.9, 0.6])


def world_of(memory: int = 1, alternating: bool = False) -> RepeatedWorld:
    game: Any = rv.games.matrix(
        payoffs=[[[3, 0, 2], [5, 1, 0], [1, 4, 2]], [[3, 5, 1], [0, 1, 4], [2, 0, 2]]]
    )
    found = repeated_form(game, memory=memory)
    order = np.array([[0], [1]]) if alternating else found.tables.order
    return found._replace(tables=found.tables._replace(order=order))


def record_of(world: RepeatedWorld, sessions: int, seed: int) -> tuple[Record, Any]:
    """A record as learners write it, of random policies."""
    states = 9 ** max([0, *(ago for slots in slots_of(world.tables) for _, ago in slots)])
    policy = np.random.default_rng(seed).integers(0, 3, (sessions, 2, states))
    cycles = limit_cycles(world.tables, policy, np.zeros(sessions, dtype=np.int64))
    mean = (np.maximum(cycles.actions(world.tables), 0) * cycles.weight[..., None]).sum(axis=1)
    return {
        "policy": (("session", "player", "state"), policy),
        "end_action": (("session", "player"), mean),
        "cycle_length": (("session",), cycles.length),
        "discount": (("player",), GAMMA),
    }, cycles


@pytest.mark.parametrize("memory", [0, 1, 2])
@pytest.mark.parametrize("alternating", [False, True])
def test_sessions_begin_on_the_cycles_of_the_kernels(memory: int, alternating: bool) -> None:
    world = world_of(memory, alternating)
    world = world._replace(action_grid=np.tile(np.arange(3.0), (2, 1))[..., None])
    record, _ = record_of(world, 8, seed=3)
    made = impulse.view_of_record(None, record, {}, world)
    assert made is not None
    whole = whole_states(world.tables)
    for session in made[2]["sessions"]:
        begins = np.full(1, whole.number(session["recent"], session["round"]), dtype=np.int64)
        cycle = limit_cycles(world.tables, session["policy"][None], begins)
        assert (int(cycle.onset[0]), int(cycle.length[0])) == (0, session["cycle"])
        assert cycle.actions(world.tables)[0].mean(axis=0) == pytest.approx(
            record["end_action"][1][session["number"]], abs=1e-12
        )


@pytest.mark.slow
def test_gains_in_javascript_are_those_of_the_kernels(tmp_path: Path) -> None:
    """Simultaneous and alternating moves, one and two rounds of memory: every deviation from every cycle."""
    compared = 0
    for memory, alternating in ((0, False), (1, False), (2, False), (1, True)):
        world = world_of(memory, alternating)
        world = world._replace(action_grid=np.tile(np.arange(3.0), (2, 1))[..., None])
        record, _ = record_of(world, 12, seed=memory)
        data = plain(impulse.view_of_record(None, record, {}, world)[2])
        body = """return given.sessions.map((session) => given.players.map((_, who) =>
            given.levels[who].map((_, action) => [impulse.deviation(given, session, who, action).gain,
              impulse.startOf(given, session, who)])));"""
        gains = run_module(tmp_path, body, data)
        whole = whole_states(world.tables)
        for own, session in zip(gains, data["sessions"], strict=True):
            policy = record["policy"][1][session["number"]][None]
            for who in range(2):
                place = own[who][0][1]
                begins = np.full(1, whole.number(np.array(place["recent"]), place["round"]), dtype=np.int64)
                cycles = limit_cycles(world.tables, policy, begins)
                at = cycles.state[0].tolist().index(int(begins[0]))
                for action in range(3):
                    known = deviations(
                        world.tables, policy, cycles, player=who, gamma=GAMMA[who], action=action
                    )
                    assert own[who][action][0] == pytest.approx(known.gain[0, at], rel=1e-9, abs=1e-9)
                    compared += 1
    assert compared > 100


def test_records_of_other_kinds_have_no_impulse() -> None:
    world = world_of()
    record, _ = record_of(world, 2, seed=0)
    assert impulse.view_of_record(None, record, {}, None) is None
    assert impulse.view_of_record(None, {"policy": record["policy"]}, {}, world) is None
    chance = world.tables._replace(next_nature=np.zeros((1, 1, 2), dtype=np.int64))
    assert impulse.view_of_record(None, record, {}, world._replace(tables=chance)) is None
