"""Matrix games: payoffs as explicit sums, equilibria of classic games, best responses, error messages."""

from fractions import Fraction
from inspect import unwrap
from itertools import product

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame, one_state, stateless_tables
from rivalry.core.game import own_gradients
from rivalry.families.matrix import CLASSICS, Matrix, matrix
from rivalry.lab.answer import Answer
from rivalry.lab.study import parameters
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.construction import variant
from rivalry.schema.validate import LONGEST

RAGGED = np.random.default_rng(3).normal(size=(3, 2, 3, 4))
THIRD = 1 / 3

# Every equilibrium of the classic games, one row of probabilities per player.
EQUILIBRIA = {
    "prisoners_dilemma": [[[0, 1], [0, 1]]],
    "matching_pennies": [[[0.5, 0.5]] * 2],
    "jordan": [[[0.5, 0.5]] * 3],
    "battle_of_the_sexes": [[[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0.6, 0.4], [0.4, 0.6]]],
    "stag_hunt": [[[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0.75, 0.25]] * 2],
    "chicken": [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0.9, 0.1]] * 2],
    "rock_paper_scissors": [[[THIRD] * 3] * 2],
    "shapley": [[[THIRD] * 3] * 2],
    "coordination": [[[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0.5, 0.5]] * 2],
    "public_goods": [[[1, 0]] * 4],
    "volunteers_dilemma": [[[1, 0], [1, 0], [0, 1]], [[0.5**0.5, 1 - 0.5**0.5]] * 3],
    "minimum_effort": [np.tile(np.eye(7)[k], (2, 1)) for k in range(7)],
}


def plainly(table: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Expected payoffs as an explicit sum over joint actions."""
    total = np.zeros(table.shape[0])
    for joint in product(*(range(n) for n in table.shape[1:])):
        total += table[(slice(None), *joint)] * np.prod([x[p, a] for p, a in enumerate(joint)])
    return total


@pytest.fixture
def ragged() -> Matrix:
    return matrix(payoffs=RAGGED.tolist())


@pytest.mark.slow
def test_payoffs_are_the_sum_over_joint_actions(ragged: Matrix) -> None:
    for seed in range(5):
        x = ragged.space.sample(jax.random.key(seed))
        np.testing.assert_allclose(ragged.payoffs(x), plainly(RAGGED, np.asarray(x)), atol=1e-14)


@pytest.mark.slow
def test_gradients_match_differentiated_payoffs(ragged: Matrix) -> None:
    x = ragged.space.sample(jax.random.key(0))
    for player in range(3):
        slope = jax.grad(lambda s, p=player: ragged.payoffs(x.at[p].set(s))[p])(x[player])
        np.testing.assert_allclose(own_gradients(ragged, x)[player], slope, atol=1e-14)


@pytest.mark.slow
def test_best_response_is_the_best_pure_action_even_when_traced(ragged: Matrix) -> None:
    x = ragged.space.sample(jax.random.key(1))
    for player, size in enumerate(ragged.sizes):
        pays = [plainly(RAGGED, np.asarray(x.at[player].set(jnp.eye(4)[a])))[player] for a in range(size)]
        strategy, payoff, coverage = oracles.best_response(ragged, x, player)
        assert coverage == "tight"
        assert int(jnp.argmax(strategy)) == int(np.argmax(pays))
        np.testing.assert_allclose(payoff, max(pays), atol=1e-14)
        traced = jax.jit(lambda x, p: oracles.best_response(ragged, x, p)[:2])(x, player)
        np.testing.assert_allclose(traced[0], strategy)


@pytest.mark.parametrize("name", CLASSICS)
def test_known_equilibria_are_certified(name: str) -> None:
    game = matrix(name)
    for profile in EQUILIBRIA[name]:
        proof = rv.certificate(game, game.space.check(profile))
        assert (proof.claim, proof.coverage) == ("equilibrium", "tight")
        assert proof.regret.max() <= 1e-12


def test_regret_of_mutual_cooperation() -> None:
    game = matrix("prisoners_dilemma")
    proof = rv.certificate(game, game.pure("cooperate", "cooperate"))
    assert proof.claim == "not an equilibrium"
    np.testing.assert_allclose(proof.regret, [2.0, 2.0])


@pytest.mark.parametrize(
    ("given", "profile"),
    [
        ({"name": "volunteers_dilemma", "players": 5, "cost": 0.2}, [[0.2**0.25, 1 - 0.2**0.25]] * 5),
        ({"name": "public_goods", "players": 3, "multiplier": 3.5}, [[0, 1]] * 3),
        ({"name": "coordination", "players": 3, "size": 3}, [[0, 0, 1]] * 3),
        ({"name": "rock_paper_scissors", "win": 2.0}, [[THIRD] * 3] * 2),
        ({"name": "minimum_effort", "players": 3, "size": 4, "cost": 0.9}, [[0, 0, 1, 0]] * 3),
    ],
)
def test_parameters_of_classic_games(given: dict[str, float], profile: list[list[float]]) -> None:
    game = matrix(**given)
    assert rv.certificate(game, game.space.check(profile)).claim == "equilibrium"


@pytest.mark.parametrize("support", [(0,), (2,), (0, 1), (1, 3), (0, 2, 3), (0, 1, 2, 3)])
def test_coordination_has_an_equilibrium_uniform_on_every_set_of_actions(support: tuple[int, ...]) -> None:
    game = matrix("coordination", size=4)
    row = np.isin(np.arange(4), support) / len(support)
    assert rv.certificate(game, np.stack([row, row])).claim == "equilibrium"
    tilted = row + 0.1 * (np.arange(4) == support[0])  # any other weights invite a pure response
    if len(support) > 1:
        tilted = np.stack([tilted / tilted.sum()] * 2)
        assert rv.certificate(game, tilted).claim == "not an equilibrium"


@pytest.mark.parametrize("active", [2, 3, 5])
def test_any_two_or_more_volunteers_may_mix_while_the_others_are_idle(active: int) -> None:
    players, cost = 5, 0.3
    game = matrix("volunteers_dilemma", players=players, cost=cost)
    idle = cost ** (1 / (active - 1))
    profile = [[idle, 1 - idle]] * active + [[1.0, 0.0]] * (players - active)
    assert rv.certificate(game, np.array(profile)).claim == "equilibrium"


def test_the_best_response_to_mixtures_of_padded_grid_points_is_that_to_their_means(ragged: Matrix) -> None:
    rng = np.random.default_rng(6)
    positions = np.full((3, 2, 4), np.nan)
    for player, size in enumerate(ragged.sizes):
        positions[player, :, :size] = rng.dirichlet(np.ones(size), size=2)
    weights = rng.dirichlet(np.ones(2), size=3)
    mean = np.nan_to_num(np.einsum("pa,pax->px", weights, np.nan_to_num(positions)))
    for player, size in enumerate(ragged.sizes):
        pays = []
        for action in np.eye(4)[:size]:
            mean[player] = action
            pays.append(plainly(RAGGED, mean)[player])
        mean[player] = weights[player] @ np.nan_to_num(positions[player])
        strategy, payoff, _ = oracles.mixed_best_response(ragged, positions, weights, player)
        assert int(np.argmax(strategy)) == int(np.argmax(pays))
        assert payoff == pytest.approx(max(pays), abs=1e-14)


def test_metrics_include_welfare_and_support() -> None:
    game = matrix("battle_of_the_sexes")
    found = oracles.metrics(game, game.pure("opera", "opera"))
    assert float(found["welfare"][1]) == 5.0
    assert found["support"][1].tolist() == [[True, False], [True, False]]


def test_payoff_scales_are_ranges_of_payoffs_and_never_zero() -> None:
    game = matrix(payoffs=[[[3.0, 0.0], [5.0, 1.0]], [[30.0, 50.0], [0.0, 10.0]]])
    np.testing.assert_array_equal(oracles.payoff_scale(game), [5.0, 50.0])
    np.testing.assert_array_equal(oracles.payoff_scale(matrix(payoffs=[[[2.0]], [[2.0]]])), 1.0)


def test_action_labels() -> None:
    shared = matrix(payoffs=[np.eye(2).tolist()] * 2, actions=["left", "right"])
    assert oracles.labels(shared).axes == ("left", "right")
    apart = matrix(payoffs=[np.eye(2).tolist()] * 2, actions=[["up", "down"], ["left", "right"]])
    assert oracles.labels(apart).axes == ("0", "1")
    np.testing.assert_array_equal(apart.pure("up", "right"), [[1, 0], [0, 1]])


@pytest.mark.slow
def test_uniform_start(ragged: Matrix) -> None:
    np.testing.assert_allclose(oracles.named_start(ragged, "uniform").sum(axis=1), 1.0)
    assert oracles.named_start(ragged, "uniform")[0].tolist() == [0.5, 0.5, 0.0, 0.0]
    with pytest.raises(ValueError, match="start: 'unifrom' is no start of this game; did you mean 'uniform'"):
        oracles.named_start(ragged, "unifrom")


def test_to_finite_returns_the_payoff_tables(ragged: Matrix) -> None:
    world = oracles.to_finite(ragged)
    assert isinstance(world, FiniteGame)
    assert all(isinstance(part, np.ndarray) and part.flags.writeable for part in world)
    np.testing.assert_array_equal(stateless_tables(world), RAGGED)
    assert world.order.tolist() == [[0, 1, 2]]
    with pytest.raises(ValueError, match="2 states of nature; must have one"):
        stateless_tables(one_state(RAGGED)._replace(payoff=np.zeros((2, 3, 24))))
    with pytest.raises(ValueError, match="dict must be finite"):
        stateless_tables({})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "name, payoffs: exactly one of them must be given"),
        ({"name": "chicken", "payoffs": [[[1]], [[1]]]}, "exactly one of them"),
        ({"name": "chiken"}, "name: 'chiken' is no classic; did you mean 'chicken'"),
        ({"name": "chicken", "players": 3}, "players: 3 is not for chicken, which takes no parameter"),
        (
            {"name": "public_goods", "size": 3},
            "size: 3 is not for public_goods, which takes players, multiplier",
        ),
        ({"name": "public_goods", "players": 1}, "players: 1 must be at least 2"),
        ({"name": "rock_paper_scissors", "win": -1.0}, "win: -1.0 must be above 0"),
        ({"name": "volunteers_dilemma", "cost": 1.5}, "cost: 1.5 must be below 1"),
        (
            {"payoffs": [[[1, 2], [3]], [[1, 2], [3, 4]]]},
            r"payoffs\[0\]\[1\]: \[3\] is too short; must have length 2, as payoffs\[0\]\[0\] has",
        ),
        ({"payoffs": [[[1, 2]], [[1, "x"]]]}, "payoffs: must be numbers, one full table"),
        ({"payoffs": [[1, 2]]}, "payoffs: 1 tables; must be one for each of at least 2"),
        ({"payoffs": [[1, 2], [3, 4]]}, "payoffs: tables with 1 dimensions; must be 2"),
        ({"payoffs": [[[1, float("nan")]], [[1, 2]]]}, r"payoffs\[0\]\[0\]\[1\]: nan must be finite"),
        ({"payoffs": [[[]], [[]]]}, "every player must have an action"),
        ({"payoffs": [[[1]], [[1]]], "players": 2}, "players: is for named games"),
        (
            {"payoffs": [[[1]], [[1]]], "actions": ["a", "b"]},
            r"actions\[0\]: 2 names; player 0 has 1 actions",
        ),
        (
            {"payoffs": [[[1, 2]], [[1, 2]]], "actions": [["a"]]},
            "actions: 1 lists; must be one for each of the 2",
        ),
        ({"name": "chicken", "actions": ["a", "a"]}, r"actions\[0\]: .* must be different names"),
    ],
)
def test_errors_name_the_wrong_input(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unwrap(matrix)(**given)  # as users call it, without the tests' type checks


DILEMMA = [[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "tables",
    [
        DILEMMA,
        (list(DILEMMA),),
        (DILEMMA,),
        (np.array(DILEMMA),),
        (jnp.array(DILEMMA),),
        tuple(map(np.array, DILEMMA)),
        ([[(3, 3), (0, 5)], [(5, 0), (1, 1)]],),
    ],
)
def test_every_form_of_a_two_player_game_gives_the_same_tables(tables: tuple[object, ...]) -> None:
    game = matrix(*tables, actions=["cooperate", "defect"])
    np.testing.assert_array_equal(game.table, DILEMMA)
    assert game.actions == (("cooperate", "defect"),) * 2


def test_one_table_is_a_zero_sum_game() -> None:
    game = matrix([[0, -1, 1], [1, 0, -1]])
    np.testing.assert_array_equal(game.table, [[[0, -1, 1], [1, 0, -1]], [[0, 1, -1], [-1, 0, 1]]])
    assert not np.signbit(game.table[game.table == 0]).any()


def test_tables_of_three_players(ragged: Matrix) -> None:
    cells = [[[tuple(RAGGED[:, i, j, k]) for k in range(4)] for j in range(3)] for i in range(2)]
    for game in (matrix(*RAGGED), matrix(RAGGED), matrix(RAGGED.tolist()), matrix(cells)):
        np.testing.assert_array_equal(game.table, ragged.table)


def test_a_game_owns_its_tables() -> None:
    table = np.array(DILEMMA)
    game, keyword = matrix(table), matrix(payoffs=table)
    table[:] = 0
    np.testing.assert_array_equal(game.table, DILEMMA)
    np.testing.assert_array_equal(keyword.table, DILEMMA)


@pytest.mark.parametrize("tables", [DILEMMA, ([[(3, 3), (0, 5)], [(5, 0), (1, 1)]],)])
def test_tables_without_a_name_have_the_recipe_of_a_study(tables: tuple[object, ...]) -> None:
    other = variant(matrix(*tables), **{"payoffs[0][0][1]": 4.0})
    np.testing.assert_array_equal(other.table[0], [[3, 4], [5, 1]])
    cell = variant(matrix(payoffs=[[(3, 3), (0, 5)], [(5, 0), (1, 1)]]), **{"payoffs[0][1][1]": 4.0})
    np.testing.assert_array_equal(cell.table[1], [[3, 4], [0, 1]])
    assert [row.name for row in parameters(matrix)][:3] == ["name", "payoffs", "actions"]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (("chiken",), "name: 'chiken' .*did you mean 'chicken'"),
        (("chicken", [[1]]), "name: 'chicken' is a classic, .*; write matrix\\('chicken'\\)"),
        ((5,), "payoffs: 5 must be tables, or the name of a classic"),
        (([1, 2], [3, 4]), r"player 0 has shape \(2,\); each must have 2 dimensions, as in matrix\(A, B\)"),
        (([(1, -1), (-1, 1)],), "tuples hold the payoffs of one cell.* must be lists"),
        ((((1, -1), (-1, 1)),), "tuples hold the payoffs of one cell.* must be lists"),
        (([(3, 3), (0, 5)], [(5, 0), (1, 1)]), "tuples hold the payoffs of one cell.* must be lists"),
        (([[(3, 3, 1), (0, 5, 1)]],), r"shape \(3, 1, 2\) is not \[player\]"),
        ((np.zeros((3, 3, 2)),), r"shape \(3, 3, 2\) is not .*; all payoffs of a cell .* are tuples, as in"),
        ((np.zeros((2, 3)), np.zeros((3, 2))), r"\(2, 3\) and player 1 one of \(3, 2\); .*matrix\(A, B.T\)"),
        ((np.zeros((2, 3)), np.zeros((2, 2))), r"\(2, 3\) and player 1 one of \(2, 2\); .*the same axes$"),
        (([[1]], [[1]], [[1]]), r"3 tables, .* shape \(1, 1\); each must have 3 dimensions"),
        ((np.zeros((2, 2, 2, 2)),), "tables with 3 dimensions; must be 2"),
        (([[1, 2], [3]],), r"^payoffs\[1\]: \[3\] is too short; must have length 2, as payoffs\[0\] has$"),
        (([[3], [5, 1]],), r"payoffs\[0\]: \[3\] is too short; must have length 2, as payoffs\[1\] has"),
        (([[1, 2], 3],), r"payoffs\[1\]: 3 is no row; must have length 2, as payoffs\[0\] has"),
        (
            ([[1, 2], [3, 4]], [[1, 2], []]),
            r"payoffs\[1\]\[1\]: \[\] is too short; must have length 2, as payoffs\[1\]\[0\] has",
        ),
        (
            ([[(3, 3), (0, 5)], [(5, 0)]],),
            r"payoffs\[1\]: \[\(5, 0\)\] is too short; must have length 2, as payoffs\[0\] has",
        ),
        (([["x", "y"], [1, 2]],), "payoffs: must be numbers, one full table"),
        (([[1, float("nan")]], [[1, 2]]), r"payoffs\[0\]\[0\]\[1\]: nan must be finite"),
    ],
)
def test_errors_show_the_right_form_of_tables(tables: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        unwrap(matrix)(*tables)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= LONGEST


def test_tables_are_given_once() -> None:
    with pytest.raises(ValueError, match="name, payoffs: tables are given without a name already"):
        matrix([[1]], payoffs=[[[1]], [[1]]])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("swerve",), "choices: 1 given"),
        (("swerve", "strait"), r"choices\[1\]: 'strait' is no action; did you mean 'straight'"),
        ((0, 2), r"choices\[1\]: 2 must be in 0..1"),
    ],
)
def test_errors_name_the_wrong_pure_choice(choices: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matrix("chicken").pure(*choices)


@pytest.mark.slow
def test_names_of_actions_and_players_are_printed_in_place_of_numbers() -> None:
    table = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
    actions = [["up", "down"], ["left", "right"]]
    game = Matrix(np.array(table, dtype=float), tuple(map(tuple, actions)), ("row", "column"))
    found = rv.solve(game, rv.methods.PureEquilibria())
    assert found.data.action_name.values.tolist() == actions
    assert found.data.player_name.values.tolist() == ["row", "column"]
    lines = [line.split() for line in repr(found).splitlines()]
    assert ["row", "down"] in lines
    assert ["column", "right"] in lines
    assert ["payoff,", "column", "1"] in lines
    shown = Answer({"method": [{"name": "x", "kind": "x"}]}, found.data).table
    assert dict(zip(shown.columns, shown.texts[0], strict=True)) == {
        "row": "down",
        "column": "right",
        "proof": "exact",
        "payoff, row": "1",
        "payoff, column": "1",
        "claim": "equilibrium",
        "largest gain": "0",
        "equilibria": "1, complete in pure strategies",
    }
    frozen = rv.solve(rv.transforms.freeze(game, {0: [1.0, 0.0]}), rv.methods.PureEquilibria())
    assert frozen.data.action_name.values.tolist() == [["left", "right"]]
    plain = rv.solve(rv.games.matrix(payoffs=table), rv.methods.PureEquilibria())
    assert {"action_name", "player_name"}.isdisjoint(plain.data)
    labels = [text.get_text() for text in rv.plots.strategies(found).get_xticklabels()]
    assert labels == ["up / left", "down / right"]


def exact_gains(table: np.ndarray, weights: list[np.ndarray]) -> list[Fraction]:
    """Return every player's largest gain, in fractions."""
    gains = []
    for player in range(len(weights)):
        rest = np.vectorize(Fraction)(np.moveaxis(table[player], player, 0))
        for other in [k for k in reversed(range(len(weights))) if k != player]:
            axis = 1 + other - (other > player)
            shape = [-1 if k == axis else 1 for k in range(rest.ndim)]
            rest = (rest * np.array([Fraction(p) for p in weights[other]]).reshape(shape)).sum(axis=axis)
        here = sum(Fraction(p) * pay for p, pay in zip(weights[player], rest, strict=True))
        gains.append(max(rest) - here)
    return gains


@pytest.mark.slow
def test_bounds_with_proof_are_never_below_exact_gains() -> None:
    rng = np.random.default_rng(5)
    for trial in range(120):
        sizes = (3, 2, 4) if trial == 0 else tuple(rng.integers(2, 4, size=2))
        table = rng.normal(size=(len(sizes), *sizes)) * 10.0 ** rng.integers(-3, 4)
        weights = [
            np.eye(size)[rng.integers(size)] if trial % 2 else rng.dirichlet(np.ones(size)) for size in sizes
        ]
        x = np.zeros((len(sizes), max(sizes)))
        for player, own in enumerate(weights):
            x[player, : len(own)] = own
        found = rv.certificate(rv.games.matrix(payoffs=table), x, proof=True)
        assert found.rounding == "outward"
        for bound, gain in zip(found.bound, exact_gains(table, weights), strict=True):
            assert Fraction(float(bound)) >= gain
            assert bound <= float(gain) + 1e-12 * np.abs(table).max()
    pure = rv.certificate(rv.games.matrix("prisoners_dilemma"), [[0.0, 1.0]] * 2, proof=True)
    assert (pure.bound.tolist(), pure.rounding) == ([0.0, 0.0], "outward")
