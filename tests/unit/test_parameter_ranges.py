"""Numbers of equilibria that are proved for all values of parameters in ranges."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

import rivalry as rv
from rivalry.lab.answer import answer_of
from rivalry.lab.executor import run_study
from rivalry.lab.study import Study
from rivalry.proofs import parameter_search
from rivalry.proofs.first_order import first_order
from rivalry.proofs.spaces import parameter_ranges as core
from rivalry.proofs.spaces.coordinates import coordinates

SAMPLES = {4: pytest.mark.slow, 50: pytest.mark.nightly}  # values for which lists are compared
LINE = rv.games.influencer(reach=[0.25, 0.25], resource="bimodal")


def reader(a: float) -> Any:
    """One player whose best choice is ``min(a, 1)``."""
    return rv.games.continuous(payoffs=["a * x1 - x1^2 / 2"], parameters={"a": a})


def user(a: float) -> Any:
    """One player whose best choice is ``min(sqrt(a), 1)``; near 0 its payoff is not strictly concave."""
    return rv.games.continuous(payoffs=["a * x1 - x1^3 / 3"], parameters={"a": a})


def partners(a: float) -> Any:
    """Best responses are ``min(a + x^2, 1)``: two equilibria below 1/4 merge there, (1, 1) is another one."""
    payoffs = ["x1 * (a + x2^2) - x1^2 / 2", "x2 * (a + x1^2) - x2^2 / 2"]
    return rv.games.continuous(payoffs=payoffs, parameters={"a": a})


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({}, "where: names no parameter"),
        ({"rech": (0.1, 0.2)}, "where: rech: no array of this game; it has"),
        ({"reach": (0.3, 0.2)}, "where: reach: [0.3, 0.2] must be from a number to a larger one"),
        ({"reach": 0.2}, "where"),
        ({"reach": (-0.1, 0.2)}, "where: reach[0]: -0.1 must be above 0"),
        ({"reach[2]": (0.1, 0.2)}, "where: reach[2]: [2] must be in 0..1"),
        ({"reach": (0.1, 0.2), "game.reach": (0.1, 0.3)}, "where: game.reach: another parameter sets"),
        ({"players": (2, 3)}, "where: players"),
    ],
)
def test_ranges_that_make_no_sense_are_refused_in_one_line(where: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}.*$"):
        unwrap(rv.all_equilibria)(LINE, where=where)


def test_a_number_that_follows_from_a_parameter_has_no_range_of_its_own() -> None:
    """The discount factor survival / (1 + wacc) equals wacc at 0.6 alone."""
    game = rv.games.market(wacc=0.7, survival=0.96)
    for low, high in ((0.6, 0.9), (0.3, 0.6), (0.2, 0.9)):
        with pytest.raises(ValueError, match="wacc: other numbers of the game follow from it"):
            core.on_ranges(game, {"wacc": (low, high)})


def test_a_range_with_an_undecided_point_is_split() -> None:
    world = core.on_ranges(reader(0.5), {"a": (0.4, 0.6)})
    empty, ends = np.zeros((0, 1)), np.array([[0.4], [0.6]])
    boxes = {
        f"{of}{name}": empty for of in ("", "undecided_", "waiting_") for name in ("low", "high", "side")
    }
    for verdict, decided in ((0, False), (1, True), (2, True)):
        session = boxes | {
            "here": ends[None],
            "points": np.full((1, 6, 1), 0.5),
            "verdict": np.array([verdict]),
            "range": ends[None][:0],
            "range_decided": np.zeros(0, dtype=bool),
            "range_count": np.zeros(0, dtype=np.int64),
            "piece": np.zeros((0, 2, 1)),
            "piece_of": np.zeros(0, dtype=np.int64),
            "next_id": np.ones(1, dtype=np.int64),
            "waiting": ends[None][:0],
            "waiting_id": np.zeros(0, dtype=np.int64),
            "waiting_points": np.zeros((0, 6, 1)),
            "waiting_verdict": np.zeros(0, dtype=np.int64),
            "waiting_box_of": np.zeros(0, dtype=np.int64),
            "waiting_point_of": np.zeros(0, dtype=np.int64),
        }
        parameter_search._close(world, session, [])
        assert session["range_decided"].tolist() == [True] * decided
        assert len(session["waiting"]) == 2 * (not decided)


def test_a_range_replaces_equal_numbers_of_the_game_and_no_others() -> None:
    unequal = rv.games.influencer(reach=[0.25, 0.2], resource="bimodal")
    with pytest.raises(ValueError, match=r"its entries differ: 0.25, 0.2; name one, as in 'reach\[0\]'"):
        core.on_ranges(unequal, {"reach": (0.1, 0.2)})
    # the bounds of choices change with it
    with pytest.raises(ValueError, match="other numbers of the game follow from it"):
        core.on_ranges(rv.games.market(), {"capacity": (20.0, 30.0)})
    with pytest.raises(ValueError, match="most: other numbers of the game follow from it"):
        core.on_ranges(Capacity(), {"most": (0.5, 1.0)})
    with pytest.raises(ValueError, match="hold for one race"):
        rv.all_equilibria(rv.games.race(), where={"disaster_cost": (0.5, 1.0)})
    with pytest.raises(ValueError, match="only in games on intervals and simplices"):
        rv.all_equilibria(rv.games.matrix("chicken"), where={"payoffs": (0.0, 1.0)})


class Capacity(eqx.Module):
    most: Any = eqx.field(default_factory=lambda: jnp.asarray(1.0))

    @property
    def space(self) -> Any:
        return rv.Box(jnp.zeros((2, 1)), jnp.broadcast_to(self.most, (2, 1)))

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] * (1 - x.sum())


class Effort(eqx.Module):
    cost: Any = eqx.field(default_factory=lambda: jnp.array([1.0, 1.0]))
    space = rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] / (0.1 + x.sum()) - self.cost * x[:, 0]


def test_parameters_of_own_games_are_arrays_or_entries_of_them() -> None:
    world = core.on_ranges(Effort(), {"cost[1]": (0.5, 1.5)})
    assert world.at(np.array([0.25])).cost.tolist() == [1.0, 0.75]
    assert len(set(world.labels)) == 2
    with pytest.raises(ValueError, match="is no entry of an array of shape"):
        core.on_ranges(Effort(), {"cost[2]": (0.5, 1.5)})


def test_players_with_a_range_each_are_not_exchangeable() -> None:
    every = core.on_ranges(LINE, {"reach": (0.2, 0.3)})
    one = core.on_ranges(LINE, {"reach[0]": (0.2, 0.3)})  # the other's reach is the middle of it
    both = core.on_ranges(LINE, {"reach[0]": (0.2, 0.3), "reach[1]": (0.2, 0.3)})
    assert [len(set(world.labels)) for world in (every, one, both)] == [1, 2, 2]


@pytest.mark.slow
def test_derivatives_for_all_values_contain_those_for_each() -> None:
    world = core.on_ranges(partners(0.2), {"parameters.a": (0.1, 0.3)})
    at = coordinates(world.game)._replace(ranges=world.ranges)
    low, high = np.array([[0.2, 0.3]]), np.array([[0.6, 0.5]])
    whole = first_order(world.game, at, low, high, np.zeros((1, 2)))
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, x = rng.uniform(0.1, 0.3), rng.uniform(low[0], high[0])
        slope = a + x[::-1] ** 2 - x
        assert np.all((whole.slope_low[0] <= slope) & (slope <= whole.slope_high[0]))


@pytest.mark.slow
def test_a_bound_that_begins_to_bind_is_bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_search, "NARROWEST", 1 / 32)
    found = rv.all_equilibria(user(0.5), where={"parameters.a": (0.4, 1.5)})
    ((low, high),) = found.undecided_where[:, 0]
    assert low < 1.0 < high
    assert high - low < 0.1
    assert (found.counts.tolist(), found.count) == ([1, 1], "exactly 1")
    assert not found.complete
    assert found.ranges[:, 0].tolist() == [[0.4, low], [high, 1.5]]
    text = "exactly 1 equilibrium, proved where decided, for parameters.a in [0.4, 1.5]; 1 range is undecided"
    assert str(found).startswith(text)
    assert found.where == {"parameters.a": (0.4, 1.5)}
    # each box holds the equilibrium for both ends of its range
    data = found.solution.record
    for (ends,), box in zip(data["piece_range"][1], data["equilibrium_piece"][1], strict=True):
        for a in ends:
            assert box[0, 0, 0] <= min(a**0.5, 1.0) <= box[0, 0, 1]
    assert {"where_range", "where_count", "piece_range"} <= set(found.solution.data.variables)


def duopoly(cost: float) -> tuple[float, float]:
    """Return the quantities of two firms, of which the second has a cost, at a price of 1 - x1 - x2."""
    return ((1 + cost) / 3, (1 - 2 * cost) / 3) if cost < 0.5 else (0.5, 0.0)


EVERYWHERE: dict[str, tuple[list[str], tuple[float, float], Callable[[float], list[tuple[float, float]]]]] = {
    "a firm that stays out from a cost of 1/2 on": (
        ["x1 * (1 - x1 - x2)", "x2 * (1 - x1 - x2) - a * x2"],
        (0.2, 0.8),
        lambda a: [duopoly(a)],
    ),
    "nobody adopts, with derivatives of zero": (
        ["x1 * a * x2 - x1^2 / 2", "x2 * a * x1 - x2^2 / 2"],
        (0.3, 0.8),
        lambda a: [(0.0, 0.0)],
    ),
    "players who are indifferent at a critical mass": (
        ["x1 * (x2 - a)", "x2 * (x1 - a)"],
        (0.4, 0.6),
        lambda a: [(0.0, 0.0), (a, a), (1.0, 1.0)],
    ),
    "one of two enters, or both at random": (
        ["x1 * (a - x2)", "x2 * (a - x1)"],
        (0.4, 0.6),
        lambda a: [(0.0, 1.0), (a, a), (1.0, 0.0)],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYWHERE)
def test_numbers_are_decided_for_every_value_where_each_value_is(name: str) -> None:
    payoffs, (low, high), solve = EVERYWHERE[name]
    game = rv.games.continuous(payoffs=payoffs, parameters={"a": 0.45})
    found = rv.all_equilibria(game, where={"parameters.a": (low, high)}, max_seconds=None)
    assert found.complete
    data = found.solution.record
    pieces, ranges = data["equilibrium_piece"][1][:, :, 0], data["piece_range"][1][:, 0]
    for a in np.linspace(low, high, 13):
        points = solve(float(a))
        assert found.count == f"exactly {len(points)}"
        boxes = pieces[(ranges[:, 0] <= a) & (a <= ranges[:, 1])]
        for x in np.array(points):
            assert np.any(np.all((boxes[:, :, 0] <= x + 1e-12) & (x - 1e-12 <= boxes[:, :, 1]), axis=1))


def test_boxes_and_numbers_are_drawn_over_the_parameter() -> None:
    data = xr.Dataset(
        {
            "where_range": (("range", "parameter", "end"), [[[0.0, 0.5]], [[0.5, 0.501]], [[0.501, 1.0]]]),
            "where_count": ("range", [2, 1, 1]),
            "where_decided": ("range", [True, False, True]),
            "where_name": ("parameter", ["reach"]),
            "where": (("parameter", "end"), [[0.0, 1.0]]),
            "piece_range": (("piece", "parameter", "end"), [[[0.0, 0.5]], [[0.0, 0.5]], [[0.501, 1.0]]]),
            "equilibrium_piece": (("piece", "player", "axis", "end"), [[[[k, k + 0.1]]] for k in range(3)]),
        }
    )
    boxes, grey, numbers = rv.plots.proved_numbers.marks_of(data).marks
    assert numbers.texts == ["2", "1"]
    np.testing.assert_allclose(numbers.x, [0.25, 0.7505])
    assert np.allclose(boxes.x.reshape(-1, 6)[:, :2], [[0.0, 0.5], [0.0, 0.5], [0.501, 1.0]])
    assert np.allclose(boxes.y.reshape(-1, 6)[:, 1:3], [[k, k + 0.1] for k in range(3)])
    np.testing.assert_allclose(grey.x.mean(axis=0), [0.5005])
    assert rv.plots.proved_numbers(data).get_legend_handles_labels()[1] == [
        "one equilibrium in each box, proved",
        "number not decided",
    ]
    with pytest.raises(ValueError, match="there is no choice 0 of player 1"):
        rv.plots.proved_numbers(data, player=1)
    plt.close("all")


@pytest.mark.parametrize("each", [pytest.param(k, marks=m) for k, m in SAMPLES.items()])
def test_a_fold_is_bracketed_and_lists_agree_on_both_sides(each: int) -> None:
    found = rv.all_equilibria(partners(0.2), where={"parameters.a": (0.1, 0.4)}, max_seconds=None)
    ((low, high),) = found.undecided_where[:, 0]
    assert low < 0.25 < high
    assert high - low < 2e-4
    assert found.counts.tolist() == [3, 1]
    rng = np.random.default_rng(1)
    for ((first, last),), count in zip(found.ranges, found.counts, strict=True):
        for a in rng.uniform(first, last, each):
            exact = rv.all_equilibria(partners(float(a)))
            assert exact.complete
            assert len(exact) == count


@pytest.mark.slow
def test_two_parameters_at_once() -> None:
    found = rv.all_equilibria(LINE, where={"reach[0]": (0.25, 0.254), "reach[1]": (0.27, 0.274)})
    assert found.complete
    assert found.count == "exactly 1"
    assert "for every reach[0] in [0.25, 0.254] and reach[1] in [0.27, 0.274], proved" in str(found)


@pytest.mark.parametrize("each", [pytest.param(k, marks=m) for k, m in SAMPLES.items()])
def test_one_equilibrium_for_every_reach(each: int) -> None:
    found = rv.all_equilibria(LINE, where={"reach": (0.24, 0.26)})
    text = "exactly 1 equilibrium for every reach in [0.24, 0.26], proved"
    assert found.complete
    assert str(found).split(" (")[0] == text
    assert len(found.undecided_where) == 0
    for reach in np.linspace(0.24, 0.26, each):
        exact = rv.all_equilibria(rv.with_(LINE, reach=float(reach)))
        assert exact.complete
        assert len(exact) == 1


@pytest.mark.slow
def test_the_answer_of_a_study_says_what_is_proved(tmp_path: Path) -> None:
    method = {"kind": "all_equilibria", "where": {"reach": [0.245, 0.255]}}
    study = Study(name="near", game={"family": "influencer", "reach": [0.25, 0.25]}, method=[method])
    assert answer_of(run_study(study, tmp_path / "run")).points[0].completeness == (
        "exactly 1 equilibrium for every reach in [0.245, 0.255], proved"
    )
