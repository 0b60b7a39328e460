"""Records as methods store them, and a figure of every view."""

from pathlib import Path

import numpy as np

import rivalry as rv
from rivalry.core.results import Record
from rivalry.lab.answer import Answer
from rivalry.living.figure import Figure, figure_of, figures_of_record
from rivalry.living.runs import figures_of_run
from tests.living.test_impulse import record_of, world_of
from tests.unit.stored_run import stored


def branch_record() -> Record:
    """All players at 0.5, stable above 0.5; below, ``0.5 +- sqrt(0.5 - r) / 2``, stable."""
    reach = np.linspace(0.1, 1.0, 31)
    low = np.linspace(0.1, 0.5, 21)
    gap = np.sqrt(0.5 - low) / 2
    together = np.full((31, 2, 1), 0.5)
    apart = np.stack([0.5 - gap, 0.5 + gap], axis=1)[..., None]
    parameter = np.concatenate([reach, low])
    rows = len(parameter)
    return {
        "parameter_name": ((), np.asarray("reach")),
        "exchangeable": (("player",), np.zeros(2, int)),
        "branch": (("row",), np.repeat([0, 1], [31, 21])),
        "branch_parameter": (("row",), parameter),
        "branch_position": (("row", "player", "axis"), np.concatenate([together, apart])),
        "branch_group": (("row", "player"), np.repeat([[0, 0], [0, 1]], [31, 21], axis=0)),
        "branch_payoff": (("row", "player"), np.ones((rows, 2))),
        "branch_regret": (("row", "player"), np.zeros((rows, 2))),
        "branch_stable": (("row",), np.concatenate([reach > 0.5, np.ones(21, bool)])),
        "branch_coverage": (("row",), np.full(rows, "lower bound")),
        "branch_ending": (("branch_id",), np.full(2, "the end of the range")),
        "event_kind": (("event",), np.array(["symmetric_loss"])),
        "event_parameter": (("event",), np.array([0.5])),
        "event_position": (("event", "player", "axis"), np.full((1, 2, 1), 0.5)),
    }


def orbit_record() -> Record:
    """The first branch alone, with cycles of period 2 from 0.4 to 0.6 where it is unstable."""
    record = branch_record()
    first = np.flatnonzero(record["branch"][1] == 0)
    for name, (dims, array) in record.items():
        if dims[:1] == ("row",):
            record[name] = dims, array[first]
    orbits = np.array([0.1, 0.3, 0.45])
    return record | {
        "orbit_hopf": (("orbit",), np.zeros(3, int)),
        "orbit_parameter": (("orbit",), orbits),
        "orbit_period": (("orbit",), np.full(3, 2.0)),
        "orbit_stable": (("orbit",), np.ones(3, bool)),
        "orbit_low": (("orbit", "player", "axis"), np.full((3, 2, 1), 0.4)),
        "orbit_high": (("orbit", "player", "axis"), np.full((3, 2, 1), 0.6)),
    }


def lanes_record() -> Record:
    """Means per lane of two streets, and one agent, as simulations of a city store them."""
    ends = np.array([[[0, 0], [1, 0]], [[1, 0], [0, 0]], [[1, 0], [1, 1]], [[1, 1], [1, 0]]], dtype=float)
    return {
        "lane_ends": (("lane", "end", "coordinate"), ends),
        "lane_name": (("lane",), np.array(["a>b", "b>a", "b>c", "c>b"])),
        "node_at": (("node", "coordinate"), np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])),
        "lane_capacity": (("lane",), np.array([3, 3, 2, 2])),
        "lane_wanted": (("lane",), np.array([4.0, 1.0, 2.5, 0.0])),
        "lane_queue": (("lane",), np.array([1.0, 0.0, 0.5, 0.0])),
        "lane_bid": (("lane",), np.array([2.0, 1.0, 1.5, np.nan])),
        "example_lanes": (("example", "path", "position"), np.array([[[0, 2, -1]]])),
        "example_name": (("example",), np.array(["unlucky"])),
        "example_agent": (("example",), np.array([7])),
        "status": ((), np.asarray("completed")),
    }


def bids_record() -> Record:
    """A policy of bids for two urgencies, all of it on half the karma held."""
    policy = np.zeros((1, 2, 5, 5))
    for karma in range(5):
        policy[0, :, karma, karma // 2] = 1.0
    return {
        "policy": (("player", "private", "karma", "bid"), policy),
        "urgency": (("player", "private"), np.array([[1.0, 5.0]])),
        "karma_distribution": (("player", "private", "karma"), np.full((1, 2, 5), 0.1)),
        "exploitability": (("player",), np.array([0.25])),
        "payoff": (("player",), np.array([-1.0])),
        "status": ((), np.asarray("converged")),
    }


def every_figure(folder: Path) -> list[Figure]:
    """Figures of all views, in the order of their names; the run of the last two is stored in a folder."""
    world = world_of()
    world = world._replace(action_grid=np.tile(np.arange(3.0), (2, 1))[..., None])
    run = stored(folder / "run", leave=1)
    answer = Answer(run.head["study"], run.collect().data)
    found = [
        figure_of(rv.games.influencer(reach=[0.2, 0.2]), [[0.2], [0.6]]),
        figure_of(rv.games.matrix("rock_paper_scissors")),
        figure_of(rv.games.market(), [[60.0], [20.0]]),
        *figures_of_record(None, branch_record()),
        *figures_of_record(None, bids_record()),
        *figures_of_record(None, lanes_record()),
        *figures_of_record(None, record_of(world, 6, seed=1)[0], world=world),
        *figures_of_run(run, answer, games=False),
    ]
    return sorted(found, key=lambda one: one.view)
