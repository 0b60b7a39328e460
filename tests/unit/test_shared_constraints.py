"""Shared constraints: closed forms, an enumeration of active sets, brute force on a grid, refusals."""

import re
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.oracles import shared_constraints
from rivalry.runtime.jax import jnp

pytestmark = pytest.mark.mostly_slow

CAP_PAYOFFS = ["-(x1 - 1)^2", "-(x2 - 1/2)^2"]
CAP = rv.games.continuous(payoffs=CAP_PAYOFFS, shared=["x1 + x2 <= 1"])
SOLVER = rv.methods.VariationalEquilibrium()


def test_a_joint_cap_has_one_variational_equilibrium() -> None:
    """First-order conditions 2 (1 - x1) = l = 2 (1/2 - x2) on x1 + x2 = 1 give (3/4, 1/4) and l = 1/2."""
    found = rv.solve(CAP, SOLVER)
    assert (found.status, found.claim, found.certificate.variational) == ("converged", "equilibrium", True)
    np.testing.assert_allclose(found.profile.values.ravel(), [0.75, 0.25], atol=1e-12)
    np.testing.assert_allclose(found.data.common_multiplier, [0.5], atol=1e-10)
    np.testing.assert_allclose(found.data.multiplier, [[0.5], [0.5]], atol=1e-8)
    assert found.data.binding.values.tolist() == [True]
    assert abs(found.data.shared_constraint.item()) <= 1e-12
    assert found.certificate.concept == "generalised Nash"


@pytest.mark.parametrize("first", [0.5, 0.6, 0.9, 1.0])
def test_all_other_equilibria_have_unequal_multipliers(first: float) -> None:
    """Every (t, 1 - t) with t in [1/2, 1] is an equilibrium: multipliers are 2 (1 - t) and 2 t - 1."""
    found = rv.certificate(CAP, [first, 1 - first])
    assert (found.claim, found.variational) == ("equilibrium", False)
    np.testing.assert_allclose(found.multipliers.ravel(), [2 * (1 - first), 2 * first - 1], atol=1e-8)


@pytest.mark.parametrize(
    ("profile", "gains"),
    [
        ([0.4, 0.6], [0.0, 0.01]),  # the second moves down to 1/2, the first may not move up
        ([0.8, 0.1], [0.03, 0.01]),  # up to the cap: 0.9 and 0.2
        ([0.0, 0.5], [0.75, 0.0]),  # up to 0.5, from a payoff of -1
    ],
)
def test_gains_are_those_of_choices_that_the_others_leave(profile: list[float], gains: list[float]) -> None:
    found = rv.certificate(CAP, profile)
    assert found.claim == "not an equilibrium"
    assert not found.variational
    brute = []
    for player, own in enumerate(profile):
        allowed = np.linspace(0.0, 1.0 - profile[1 - player], 100_001)
        best = np.array([1.0, 0.5])[player]
        brute.append(((own - best) ** 2 - (allowed - best) ** 2).max())
    expected = np.maximum(brute, 0.0)
    np.testing.assert_allclose(found.regret, expected, atol=1e-9)
    assert np.all(found.bound >= expected - 1e-12)
    # by hand; of a player that cannot move to its best response the gain ends at the cap
    if profile != [0.8, 0.1]:
        np.testing.assert_allclose(expected, gains, atol=1e-9)


@pytest.mark.representative
def test_a_profile_that_violates_a_constraint_is_no_equilibrium() -> None:
    found = rv.certificate(CAP, [0.8, 0.3])
    assert found.claim == "not an equilibrium"
    assert found.residual == pytest.approx(0.1)
    assert "shared constraint 0 is violated by 0.1" in found.method
    # an excess in the tenth digit is beyond rounding of the choices
    assert rv.certificate(CAP, [0.75, 0.25 + 1e-8]).claim == "not an equilibrium"
    assert rv.certificate(CAP, [0.75, 0.25 + 1e-12]).claim == "equilibrium"


def test_one_violated_constraint_of_two_is_enough() -> None:
    both = rv.games.continuous(payoffs=CAP_PAYOFFS, shared=["x1 + x2 <= 1.9", "x1 + x2 <= 1"])
    for profile, claim in (([0.9, 0.3], "not an equilibrium"), ([0.75, 0.25], "equilibrium")):
        found = rv.certificate(both, profile)
        assert found.claim == claim
        assert found.residual == pytest.approx(max(sum(profile) - 1, 0.0))
    assert "shared constraint 1 is violated by 0.2" in rv.certificate(both, [0.9, 0.3]).method


def test_what_is_proved_needs_no_concave_payoffs() -> None:
    """Payoffs x1^2 are convex: the first player chooses the end that the cap leaves, or 0."""
    game = rv.games.continuous(
        payoffs=["(x1 - 0.2)^2", "-(x2 - 1/2)^2"], shared=["x1 + x2 <= 1"], low=0.0, high=1.0
    )
    at_cap, at_zero = (rv.certificate(game, [first, 0.5]) for first in (0.5, 0.0))
    # at the cap it is paid 0.09, at zero 0.04; multipliers bound the gain by the convex hull of the payoff
    assert at_cap.regret[0] == pytest.approx(0.0, abs=1e-12)
    assert at_cap.claim in ("equilibrium", "approximate equilibrium", "no deviation found")
    assert at_zero.claim == "not an equilibrium"
    assert at_zero.regret[0] == pytest.approx(0.05, abs=1e-9)


def _by_active_sets(cost: np.ndarray, target: np.ndarray, rows: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return x with ``cost x + target + rows' l = 0``, ``0 <= l`` and ``rows x <= most``, by enumeration."""
    each = range(len(rows))
    for active in chain.from_iterable(combinations(each, k) for k in range(len(target) + 1)):
        a = rows[list(active)]
        system = np.block([[cost, a.T], [a, np.zeros((len(a), len(a)))]])
        if np.linalg.matrix_rank(system) < len(system):
            continue
        found = np.linalg.solve(system, np.concatenate([-target, most[list(active)]]))
        x, multipliers = np.split(found, [len(target)])
        if np.all(multipliers >= -1e-10) and np.all(rows @ x <= most + 1e-10):
            return x
    raise AssertionError("no active set fits")


SHARED = [f"r{k}0*x1 + r{k}1*x2 + r{k}2*x3 <= b{k}" for k in range(2)]


def _quadratic(cost: np.ndarray, target: np.ndarray, rows: np.ndarray, most: np.ndarray) -> Any:
    """Return the game of costs ``m_ii x_i^2 / 2 + x_i (sum_j m_ij x_j + t_i)`` in the box [-2, 2]."""
    others = [[j for j in range(3) if j != i] for i in range(3)]
    payoffs = [
        f"-(m{i}{i}*x{i + 1}^2/2 + x{i + 1}*({' + '.join(f'm{i}{j}*x{j + 1}' for j in others[i])} + t{i}))"
        for i in range(3)
    ]
    numbers = {f"m{i}{j}": cost[i, j] for i in range(3) for j in range(3)}
    numbers |= {f"t{i}": target[i] for i in range(3)} | {f"b{k}": most[k] for k in range(2)}
    numbers |= {f"r{k}{j}": rows[k, j] for k in range(2) for j in range(3)}
    numbers = {name: float(value) for name, value in numbers.items()}
    return rv.games.continuous(payoffs=payoffs, shared=SHARED, low=-2.0, high=2.0, parameters=numbers)


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))]
)
def test_monotone_quadratic_games_agree_with_an_enumeration_of_active_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(3, 3))
    cost = raw @ raw.T + 0.5 * np.eye(3) + 0.5 * (raw - raw.T)  # positive definite: one solution
    target, rows, most = 3 * rng.normal(size=3), rng.normal(size=(2, 3)), rng.uniform(0.0, 0.5, 2)
    box = np.concatenate([np.eye(3), -np.eye(3)])
    expected = _by_active_sets(
        cost, target, np.concatenate([rows, box]), np.concatenate([most, np.full(6, 2.0)])
    )
    found = rv.solve(_quadratic(cost, target, rows, most), SOLVER, seed=seed)
    assert (found.status, found.claim, found.certificate.variational) == ("converged", "equilibrium", True)
    np.testing.assert_allclose(found.profile.values.ravel(), expected, atol=1e-9)


def test_constraints_that_no_profile_satisfies_leave_nothing_found() -> None:
    game = rv.games.continuous(payoffs=CAP_PAYOFFS, shared=["x1 + x2 >= 3"])
    with pytest.warns(UserWarning, match="no step lowers the residual"):
        found = rv.solve(game, rv.methods.VariationalEquilibrium(tries=2))
    assert (found.status, found.claim) == ("not found", "not an equilibrium")
    assert found.certificate.residual == pytest.approx(1.0)  # at the corner (1, 1)
    assert "x1 + x2 >= 3" in repr(game)


def test_several_choices_per_player() -> None:
    """Two choices and one: the second player's only choice is capped by the sum of all three."""
    game = rv.games.continuous(
        payoffs=["-(a - 1)^2 - (b - 1)^2", "-(c - 1)^2"],
        choices=[["a", "b"], ["c"]],
        high=[[2.0, 3.0], [2.0]],
        shared=["1.5 >= a + b + c"],
    )
    assert np.asarray(game.space.high).tolist() == [[2.0, 3.0], [2.0, 0.0]]
    found = rv.solve(game, SOLVER)
    assert (found.claim, found.certificate.variational) == ("equilibrium", True)
    np.testing.assert_allclose(found.profile.values, [[0.5, 0.5], [0.5, 0.0]], atol=1e-10)
    np.testing.assert_allclose(found.data.common_multiplier, [1.0], atol=1e-9)


def test_a_curved_constraint_and_a_custom_class() -> None:
    """On the unit disc the gradients 2 (p_i - x_i) = 2 l x_i give the point of the circle towards p."""

    class Disc:
        space = rv.Box.interval(-2.0, 2.0, players=2)

        def payoffs(self, x: Any) -> Any:
            return -((x[:, 0] - jnp.asarray([3.0, 4.0])) ** 2)

    shared_constraints.register(Disc)(lambda game, x: jnp.sum(x**2)[None] - 1)
    found = rv.solve(Disc(), SOLVER)
    assert (found.claim, found.certificate.variational) == ("equilibrium", True)
    np.testing.assert_allclose(found.profile.values.ravel(), [0.6, 0.8], atol=1e-10)
    np.testing.assert_allclose(found.data.common_multiplier, [4.0], atol=1e-8)


def test_without_shared_constraints_it_is_a_nash_equilibrium() -> None:
    found = rv.solve(rv.games.continuous(), SOLVER)
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(found.profile.values.ravel(), [1 / 3, 1 / 3], atol=1e-12)
    assert found.certificate.multipliers is None
    assert "common_multiplier" not in found.data


def test_frozen_players_still_count_in_the_constraint() -> None:
    rest = rv.transforms.freeze(CAP, {1: [0.4]})
    found = rv.solve(rest, SOLVER)
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(found.profile.values, [[0.6]], atol=1e-12)


IGNORE = {
    "gradient_ascent": lambda: rv.solve(CAP, rv.methods.GradientAscent()),
    "learner": lambda: rv.solve(CAP, rv.methods.DoubleOracle()),
    "list": lambda: rv.solve(CAP, rv.methods.AllEquilibria()),
    "all_equilibria": lambda: rv.all_equilibria(CAP),
    "sweep": lambda: rv.sweep(CAP, {"low": [0.0]}, rv.methods.Newton()),
    "best_response": lambda: rv.best_response(CAP, [0.5, 0.5], 0),
    "tabulate": lambda: rv.tables.tabulate(CAP, 5),
    "stackelberg": lambda: rv.transforms.stackelberg(CAP, [0]),
    "hierarchy": lambda: rv.transforms.hierarchy(CAP, [[0], [1]]),
    "repeat": lambda: rv.transforms.repeat(CAP),
    "in_stages": lambda: rv.transforms.in_stages(CAP, [[0], [1]]),
    "walks": lambda: rv.transforms.walks(CAP, step=0.1),
    "frozen": lambda: rv.solve(rv.transforms.freeze(CAP, {1: [0.4]}), rv.methods.GradientAscent()),
    "discretised": lambda: rv.solve(rv.transforms.discretise(CAP, 5), rv.methods.PureEquilibria()),
}


@pytest.mark.default
@pytest.mark.parametrize("what", IGNORE)
def test_what_ignores_shared_constraints_refuses_the_game(what: str) -> None:
    with pytest.raises(ValueError, match=r"ignores shared constraints; use variational_equilibrium") as error:
        IGNORE[what]()
    assert "\n" not in str(error.value)


@pytest.mark.default
def test_a_study_names_the_methods_that_fit() -> None:
    given = {"family": "continuous", "payoffs": ["-x1^2", "-x2^2"], "shared": ["x1 + x2 >= 1"]}
    with pytest.raises(
        ValueError, match="does not fit this game; these do: evaluate, variational_equilibrium"
    ):
        rv.Study(game=given, method=[{"kind": "gradient_ascent"}]).run()


WRONG = {
    "shared[0]: 'x1 + x2 < 1' must have one <=, >= or = between two sides": {"shared": ["x1 + x2 < 1"]},
    "shared[0]: 'x1 <= x2 <= 1' must have one <=, >= or = between two sides": {"shared": ["x1 <= x2 <= 1"]},
    "shared[0]: unknown name 'y' in 'y'; allowed are x1, x2": {"shared": ["x1 <= y"]},
    "payoffs[1]: unknown name 'x3' in 'x3'; allowed are x1, x2": {"payoffs": ["x1", "x3"]},
    "choices: 1 players; must be 2, as many as payoffs": {"choices": ["a"]},
    "choices: 'exp' must be one name, no function's, for one choice": {"choices": ["x1", "exp"]},
    "choices: 'x1' must be one name, no function's, for one choice": {"choices": ["x1", "x1"]},
    "choices[1]: must name at least one choice": {"choices": [["x1", "x2"], []]},
    "parameters.x1: must be a name that is no function's and no choice's": {"parameters": {"x1": 1.0}},
    "parameters.a: inf must be finite": {"parameters": {"a": float("inf")}},
    "low: 2 of x1 must be below high, 1": {"low": 2.0},
    "high: 3 rows; must be one number or 2, one per player": {"high": [1.0, 2.0, 3.0]},
    "high[0]: 2 numbers; must be 1, one per choice": {"high": [[1.0, 2.0], [1.0]]},
    "search: needs two finite numbers, the range searched for choices without bounds": {"high": float("inf")},
    "search: all choices have bounds, which are searched": {"search": [0.0, 1.0]},
    "high: must be numbers, or infinite for no bound": {"high": float("nan")},
}


@pytest.mark.default
@pytest.mark.parametrize("message", WRONG)
def test_wrong_inputs_are_refused_in_one_line(message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message.split(":")[0])) as error:
        rv.games.continuous(**WRONG[message])
    assert str(error.value) == message


def _three_choices(bend: float) -> Any:
    """Return a game of one player with three linked choices, and one with a single choice."""
    own = "x - x^2 + y - y^2 + z - z^2"
    return rv.games.continuous(
        payoffs=[f"{own} + link*(x*y - y*z + z*x) - w*x", "-w^2"],
        choices=[["x", "y", "z"], ["w"]],
        low=-10.0,
        high=10.0,
        parameters={"link": bend},
    )


def test_tangents_of_concave_payoffs_bound_gains_in_three_choices() -> None:
    """Second derivatives have the eigenvalues -2 + link, twice, and -2 - 2 link: here all are negative."""
    game = _three_choices(0.9)
    bends = -2 * np.eye(3) + 0.9 * np.array([[0, 1, 1], [1, 0, -1], [1, -1, 0]])
    x = np.zeros((2, 3))
    x[0] = np.linalg.solve(bends, -np.ones(3))
    x[0] += [0.1, 0.0, 0.0]  # from the best response, which pays more by 0.1^2
    found = rv.certificate(game, x)
    assert found.claim != "equilibrium"
    assert found.regret[0] == pytest.approx(0.01, abs=1e-9)
    assert 0.01 <= found.bound[0] <= 0.01 + 1e-4
    assert found.rounding == "outward"
    x[0] -= [0.1, 0.0, 0.0]
    assert rv.certificate(game, x).claim == "equilibrium"


def test_a_saddle_has_no_tangent_bound() -> None:
    """For a link of 2.5 the payoff is convex in two directions, so that the best response is at bounds."""
    game = _three_choices(2.5)
    bends = -2 * np.eye(3) + 2.5 * np.array([[0, 1, 1], [1, 0, -1], [1, -1, 0]])
    x = np.zeros((2, 3))
    x[0] = np.linalg.solve(bends, -np.ones(3))
    lattice = np.stack(np.meshgrid(*[np.linspace(-10, 10, 41)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)

    def pays(own: np.ndarray) -> np.ndarray:
        return own.sum(axis=-1) + 0.5 * np.einsum("...i,ij,...j->...", own, bends, own)

    found = rv.certificate(game, x)
    assert found.bound[0] >= found.regret[0] >= pays(lattice).max() - pays(x[0]) - 1e-9
