"""Mixed strategies on action grids: expectations as sums over joint actions, regrets by grid search."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.results import Certificate
from rivalry.core.space import Box
from rivalry.families.matrix import matrix
from rivalry.methods.continuous import mixtures

RNG = np.random.default_rng(12)


class Tug(eqx.Module):
    """Two inputs per player: effort in a contest for a prize of 1, and a second input with optimum 0.5."""

    space: Box

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] / (0.5 + x[:, 0].sum()) - x[:, 0] / 4 + x[:, 1] * (1 - x[:, 1]) * x[::-1, 0]

    def outcomes(self, x: Any) -> dict[str, Any]:
        return {"total": ((), x.sum()), "each": (("player",), x[:, 0])}

    def measures(self, x: Any) -> dict[str, Any]:
        return {name: (dims, np.asarray(value)) for name, (dims, value) in self.outcomes(x).items()}


oracles.traced_metrics.register(Tug)(Tug.outcomes)
oracles.metrics.register(Tug)(Tug.measures)


TUG = Tug(Box.of([[0.0, 2.0], [0.0, 1.0]], players=2))
PLACES = [
    {"kind": "levels", "levels": [0.0, 0.5, 2.0]},
    {"kind": "linear", "from": 0.0, "to": 1.0, "count": 2},
]


def _paid(x: np.ndarray) -> np.ndarray:
    share = x[:, 0] / (0.5 + x[:, 0].sum())
    found: np.ndarray = share - x[:, 0] / 4 + x[:, 1] * (1 - x[:, 1]) * x[::-1, 0]
    return found


@pytest.fixture(scope="module")
def board() -> mixtures.TabulatedGame:
    return mixtures.board(TUG, PLACES)


def test_action_payoffs_are_sums_over_joint_actions_of_others() -> None:
    tables = oracles.to_finite(matrix(payoffs=RNG.normal(size=(3, 2, 3, 4)).tolist()))
    weights = np.zeros((3, 4))
    for player, size in enumerate((2, 3, 4)):
        weights[player, :size] = RNG.dirichlet(np.ones(size))
    found = mixtures.action_payoffs(tables, weights)
    cube = tables.payoff[0].reshape(3, 2, 3, 4)
    for player, size in enumerate((2, 3, 4)):
        others = [k for k in range(3) if k != player]
        for action in range(size):
            total = 0.0
            for joint in product(*(range(n) for n in (2, 3, 4))):
                if joint[player] == action:
                    total += cube[(player, *joint)] * np.prod([weights[k, joint[k]] for k in others])
            assert found[player, action] == pytest.approx(total, abs=1e-14)
        assert np.all(np.isnan(found[player, size:]))
    whole = mixtures.expectation(tables.payoff[0, 1], tables.sizes, weights)
    assert whole == pytest.approx(float(weights[1] @ np.nan_to_num(found[1])), abs=1e-14)


@pytest.mark.slow
def test_a_record_contains_expected_values(board: mixtures.TabulatedGame) -> None:
    weights = RNG.dirichlet(np.ones(6), size=2)
    record = mixtures.mixture_record(TUG, board.action_grid, weights, board.tables, board.measures)
    levels = np.array(list(product([0.0, 0.5, 2.0], [0.0, 1.0])))
    joint = [(a, b, weights[0, a] * weights[1, b]) for a, b in product(range(6), range(6))]
    np.testing.assert_allclose(
        record["payoff"][1], sum(w * _paid(levels[[a, b]]) for a, b, w in joint), atol=1e-14
    )
    np.testing.assert_allclose(record["mean_profile"][1], weights @ levels, atol=1e-14)
    assert float(record["total"][1]) == pytest.approx(sum(w * levels[[a, b]].sum() for a, b, w in joint))
    assert "each" not in record
    assert record["mixture"][0] == ("player", "action")
    assert record["action_grid"][0] == ("player", "action", "axis")


@pytest.mark.slow
def test_regret_is_evaluated_in_the_continuous_game(board: mixtures.TabulatedGame) -> None:
    """Compare with a scan of the expected payoff on a grid finer than that of the search."""
    weights = RNG.dirichlet(np.ones(6), size=2)
    record = mixtures.mixture_record(TUG, board.action_grid, weights, board.tables, board.measures)
    levels = np.array(list(product([0.0, 0.5, 2.0], [0.0, 1.0])))
    own = np.stack(np.meshgrid(np.linspace(0, 2, 801), np.linspace(0, 1, 101), indexing="ij"), -1)
    for player in range(2):
        other = (
            weights[1 - player]
            @ (
                own[..., None, 0] / (0.5 + own[..., None, 0] + levels[:, 0])
                - own[..., None, 0] / 4
                + (own[..., 1] * (1 - own[..., 1]))[..., None] * levels[:, 0]
            )
            .reshape(-1, 6)
            .T
        )
        gain = other.max() - record["payoff"][1][player]
        assert record["regret"][1][player] == pytest.approx(gain, abs=2e-6)
        assert record["regret"][1][player] >= max(gain, record["grid_regret"][1][player]) - 1e-12
        assert record["bound"][1][player] >= gain
    proof = Certificate.from_record(record)
    assert (proof.coverage, proof.claim) == ("tight", "not an equilibrium")


@pytest.mark.slow
def test_metrics_that_cannot_be_traced_are_evaluated_one_by_one(board: mixtures.TabulatedGame) -> None:
    weights = RNG.dirichlet(np.ones(6), size=2)
    known = mixtures.expected_metrics(TUG, board.action_grid, weights, board.tables.sizes, board.measures)
    plain = mixtures.expected_metrics(TUG, board.action_grid, weights, board.tables.sizes, {})
    assert list(plain) == ["total"]
    assert float(plain["total"][1]) == pytest.approx(float(known["total"][1]), abs=1e-12)


def test_joint_atoms_are_the_support_of_the_joint_distribution() -> None:
    positions = np.array([[[0.0], [1.0], [np.nan]], [[0.0], [1.0], [2.0]]])
    weights = np.array([[0.25, 0.75, 0.0], [0.5, 0.0, 0.5]])
    profiles, odds = mixtures.joint_atoms(positions, weights)
    assert profiles[:, :, 0].tolist() == [[0, 0], [0, 2], [1, 0], [1, 2]]
    assert odds.tolist() == [0.125, 0.125, 0.375, 0.375]
    profiles, odds = mixtures.joint_atoms(positions, weights, without=1)
    assert profiles[:, :, 0].tolist() == [[0, 0], [1, 0]]
    assert odds.tolist() == [0.25, 0.75]


def test_tables_too_large_are_refused() -> None:
    game = rv.games.influencer(reach=[0.2] * 3, resource="bimodal")
    with pytest.raises(ValueError, match="action_grid: 729 joint actions need more than 1000 bytes"):
        mixtures.board(game, 9, max_table_bytes=1000)
    with pytest.raises(ValueError, match="above max_table_bytes, 100"):
        mixtures.board(TUG, 9, max_table_bytes=100)


def test_mean_payoffs_leave_out_actions_that_a_player_lacks() -> None:
    pays = np.array([[1.0, 3.0, np.nan], [2.0, 4.0, 6.0]])
    weights = np.array([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(mixtures.mean_payoff(pays, weights), [2.5, 3.5])
    gains = mixtures.largest_gains(pays - [[2.5], [3.5]], np.array([2, 3]))
    np.testing.assert_allclose(gains, [0.5, 2.5])
    assert mixtures.largest_gains(np.array([[-1.0, 5.0]]), np.array([1])).tolist() == [0.0]


def test_samples_of_histories_are_distinct_rounds_evenly_spaced_in_logarithms() -> None:
    steps = mixtures.sample_steps()
    assert steps[0] == 1
    assert np.all(np.diff(steps) >= 1)
    for decade in (1e3, 1e6, 1e9):
        assert np.count_nonzero((steps >= decade) & (steps < 10 * decade)) == mixtures.PER_DECADE


@pytest.mark.parametrize("action_grid", [1, True, 2.5, "many"])
def test_numbers_of_grid_points_that_no_space_accepts_are_refused(action_grid: object) -> None:
    with pytest.raises(ValueError, match=r"^action_grid: "):
        mixtures.check_action_grid(action_grid)
