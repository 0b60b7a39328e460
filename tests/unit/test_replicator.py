"""Replicator dynamics against conserved quantities, closed forms and SciPy; limits on faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import rivalry as rv
from rivalry.lab.study import StudyError
from rivalry.lab.study.build import build_method
from rivalry.methods.dynamics.replicator import Replicator
from rivalry.runtime.jax import jax, jnp
from rivalry.solving import solve_batch
from tests.small_games import linear

HAWK_DOVE = [[[-1.0, 4.0], [0.0, 2.0]], [[-1.0, 0.0], [4.0, 2.0]]]  # prize 4, fight costs 6: hawks 2/3
ACTIONS = ["rock", "paper", "scissors"]  # as in the classic game, for one compiled program

# step limits are deliberately small; the warning is tested separately
pytestmark = [pytest.mark.mostly_slow, pytest.mark.filterwarnings("ignore:not converged")]


@pytest.mark.nightly
def test_rock_paper_scissors_conserves_the_product() -> None:
    game = rv.games.matrix("rock_paper_scissors")
    start = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    path = rv.solve(game, Replicator(), start, max_steps=400).record["path"][1]
    np.testing.assert_allclose(np.prod(path, axis=2), 0.03, rtol=1e-7)
    np.testing.assert_allclose(path.sum(axis=2), 1.0, atol=1e-12)
    assert np.ptp(path[:, 0, 0]) > 0.2  # the orbit is not a point


@pytest.mark.nightly
def test_rock_paper_scissors_cycles_with_the_linearised_period() -> None:
    near = np.full((2, 3), 1 / 3) + 1e-3 * np.array([1.0, -1.0, 0.0])
    found = rv.solve(rv.games.matrix("rock_paper_scissors"), Replicator(), near, max_steps=600)
    assert (found.status, found.end_state) == ("cycling", "cycle")
    # rotation by the antisymmetric (0, -1, 1; 1, 0, -1; -1, 1, 0)/3, whose eigenvalues are +-i/sqrt(3)
    np.testing.assert_allclose(found.data.cycle_period, 2 * np.pi * np.sqrt(3), rtol=1e-5)


def test_the_continuous_form_solves_the_replicator_equation() -> None:
    one, other = np.random.default_rng(5).uniform(-1, 1, (2, 3, 3))
    game = rv.games.matrix(payoffs=[one.tolist(), other.tolist()], actions=ACTIONS)
    start = np.array([[0.6, 0.3, 0.1], [0.3, 0.3, 0.4]])

    def field(_: float, y: np.ndarray) -> np.ndarray:
        x = y.reshape(2, 3)
        g = np.stack([one @ x[1], x[0] @ other])
        return np.ravel(x * (g - (x * g).sum(axis=1, keepdims=True)))

    found = rv.solve(game, Replicator(), start, max_steps=60, tolerance=None)
    times, rows = found.record["path_time"][1], found.record["path"][1]
    late = times <= 20.0
    right = solve_ivp(field, (0, 20), start.ravel(), t_eval=times[late], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(rows[late].reshape(-1, 6), right.y.T, atol=1e-7)


def test_two_populations_leave_the_mixed_point_of_hawk_dove() -> None:
    game = rv.games.matrix(payoffs=HAWK_DOVE, actions=["cooperate", "defect"])
    found = rv.solve(game, Replicator(), [[0.2, 0.8], [0.2, 0.8]])
    np.testing.assert_allclose(found.record["left"][1][0], [[2 / 3, 1 / 3]] * 2, atol=1e-9)
    # (1/3)(2/3) times the slopes: the common direction -3 * 2/9, the opposite one +3 * 2/9
    np.testing.assert_allclose(found.record["left_eigenvalues_real"][1][0][:2], [2 / 3, -2 / 3], atol=1e-9)
    assert (found.end_state, found.claim) == ("boundary", "equilibrium")
    np.testing.assert_allclose(np.sort(found.profile.values[:, 0]), [0.0, 1.0], atol=1e-12)


def test_extinct_strategies_stay_extinct_and_are_not_certified() -> None:
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), Replicator(), [[1.0, 0.0], [1.0, 0.0]])
    assert (found.status, found.end_state) == ("converged", "unstable_point")
    assert found.claim == "not an equilibrium"
    np.testing.assert_array_equal(found.profile.values, [[1.0, 0.0], [1.0, 0.0]])
    # the gain from defecting equals its growth rate
    gain = float(np.max(found.record["regret"][1]))
    assert float(found.data.max_real_eigenvalue) == pytest.approx(gain)


def test_a_rest_point_on_a_face_is_polished_on_that_face() -> None:
    """The third action pays more but has zero share; the run converges within the face of the first two."""
    table = np.zeros((2, 3, 3))
    table[0] = [[-1.0, 4.0, 0.0], [0.0, 2.0, 0.0], [5.0, 5.0, 5.0]]
    table[1] = table[0].T
    start = [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0]]
    found = rv.solve(rv.games.matrix(payoffs=table.tolist(), actions=ACTIONS), Replicator(), start)
    assert (found.claim, found.end_state) == ("not an equilibrium", "unstable_point")
    np.testing.assert_allclose(found.profile.values, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], atol=1e-9)


def test_the_mirror_form_is_multiplicative_and_has_the_same_limit() -> None:
    game = rv.games.matrix("prisoners_dilemma")
    start = np.array([[0.9, 0.1], [0.4, 0.6]])
    method = Replicator(form="mirror", rate=[0.1, 0.2])
    path = rv.trace(game, method, start, steps=1).path.values
    grown = start * np.exp(
        np.array([[0.1], [0.2]]) * np.asarray(rv.oracles.gradients(game, jnp.asarray(start)))
    )
    np.testing.assert_allclose(path[1], grown / grown.sum(axis=1, keepdims=True), rtol=1e-14)
    found = rv.solve(game, method, start)
    assert (found.end_state, found.claim) == ("boundary", "equilibrium")


def test_minimum_shares_prevent_extinction() -> None:
    game = Floored(jnp.asarray([1.0, 2.0, 4.0]))
    found = rv.solve(game, Replicator(), [[0.4, 0.3, 0.3]] * 2, tolerance=None)
    np.testing.assert_allclose(found.profile.values, [[0.01, 0.01, 0.98]] * 2, atol=1e-12)


class Floored(eqx.Module):
    """Two players, each paid the mean of three values weighted by its own shares of at least 1 %."""

    values: jax.Array

    space = rv.Simplex((3, 3), min_share=0.01)

    def payoffs(self, x: jax.Array) -> jax.Array:
        return x @ self.values


@pytest.mark.nightly
def test_batched_runs_leave_the_symmetric_saddle_point() -> None:
    """The mixed point attracts symmetric profiles only; other profiles converge to a pure equilibrium."""
    starts = [jnp.asarray([[p, 1 - p], [q, 1 - q]]) for p, q in ((0.5, 0.5), (0.6, 0.2), (0.2, 0.6))]
    found = solve_batch([rv.games.matrix("chicken")] * 3, [Replicator()] * 3, starts)
    assert [(one.end_state, one.claim) for one in found] == [("boundary", "equilibrium")] * 3
    mixed = found[0].record["left"][1][0]  # a symmetric profile
    np.testing.assert_allclose(mixed[0], mixed[1], atol=1e-12)
    assert [np.argmax(one.profile.values[:, 0]) for one in found[1:]] == [0, 1]


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate: 0.0 must be a finite number above 0"),
        ({"form": "mirror", "rate": [0.1, -1.0]}, r"rate: -1.0 must be a finite number above 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Replicator(**options)


@pytest.mark.default
def test_other_spaces_are_refused_in_one_line() -> None:
    with pytest.raises(
        ValueError, match=r"^game: is a game of continuous choices; Replicator needs a simplex"
    ):
        rv.solve(linear(-np.eye(2), [0.0, 0.0]), Replicator(), [0.1, 0.2])
    with pytest.raises(StudyError, match="does not fit this game"):
        build_method({"kind": "replicator"}, game=linear(-np.eye(2), [0.0, 0.0]))


@pytest.mark.default
def test_rates_must_be_one_per_player() -> None:
    with pytest.raises(ValueError, match="rate: 3 numbers must be 2, one per player"):
        rv.solve(rv.games.matrix("chicken"), Replicator(rate=[0.1] * 3), None)


@pytest.mark.nightly
def test_one_population_converges_to_the_evolutionarily_stable_strategy() -> None:
    """The mixed point is stable for one population: along the diagonal the slope is -3 * 2/9."""
    game = rv.games.matrix(payoffs=HAWK_DOVE, actions=["cooperate", "defect"])
    found = rv.solve(game, Replicator(populations="one"), [[0.2, 0.8], [0.2, 0.8]])
    assert (found.status, found.end_state, found.claim) == ("converged", "stable_point", "equilibrium")
    np.testing.assert_allclose(found.profile.values, [[2 / 3, 1 / 3]] * 2, atol=1e-9)
    np.testing.assert_allclose(found.data.max_real_eigenvalue, -2 / 3, atol=1e-9)
    path = found.record["path"][1]
    np.testing.assert_array_equal(path[:, 0], path[:, 1])
    mean = rv.trace(game, Replicator(populations="one"), [[0.1, 0.9], [0.3, 0.7]], steps=1)
    np.testing.assert_allclose(mean.path.values[1:, 1], mean.path.values[1:, 0], atol=0)
    np.testing.assert_allclose(mean.path.values[1, 0], [0.2, 0.8], atol=1e-3)


def test_one_population_takes_one_strategy_as_a_start() -> None:
    """A coordination game whose mixed point repels: from (.3, .7) all play the second action."""
    game, method = rv.games.matrix([[0, 2.0], [1, 1]], [[0, 1.0], [2, 1]]), Replicator(populations="one")
    alone, both = (rv.solve(game, method, start=start) for start in ([0.3, 0.7], [[0.3, 0.7]] * 2))
    assert alone.profile.values.tolist() == both.profile.values.tolist()
    begun = rv.trace(game, method, start=np.array([0.3, 0.7]), steps=0)
    assert begun.path.values[0].tolist() == [[0.3, 0.7]] * 2
    swept = rv.sweep(game, {"method.start": [[0.3, 0.7], [0.6, 0.4]]}, method)
    assert swept.profile.values[0] == pytest.approx(both.profile.values, abs=1e-9)
    with pytest.raises(ValueError, match=r"start: shape \(2, 3\) must be \(2, 2\)"):
        rv.solve(game, method, start=[0.3, 0.3, 0.4])
    with pytest.raises(ValueError, match=r"start: shape \(2,\) must be \(2, 2\)"):
        rv.solve(game, Replicator(), start=[0.3, 0.7])


def test_a_study_takes_one_strategy_as_a_start(tmp_path: Path) -> None:
    file = tmp_path / "doves.toml"
    file.write_text(
        'title = "Doves"\n[game]\nfamily = "matrix"\nname = "chicken"\n'
        '[[method]]\nkind = "replicator"\npopulations = "one"\nstart = [0.2, 0.8]\n'
    )
    data = rv.run_study(rv.load_study(file), tmp_path / "run").dataset()
    alone = rv.solve(rv.games.matrix("chicken"), Replicator(populations="one"), start=[0.2, 0.8])
    assert data.profile.values.reshape(2, 2) == pytest.approx(alone.profile.values, abs=1e-9)


def test_one_population_solves_the_replicator_equation() -> None:
    table = np.random.default_rng(8).uniform(-1, 1, (3, 3))
    game = rv.games.matrix(payoffs=[table.tolist(), table.T.tolist()], actions=ACTIONS)
    start = np.array([0.6, 0.3, 0.1])

    def field(_: float, x: np.ndarray) -> np.ndarray:
        return np.asarray(x * (table @ x - x @ table @ x))

    found = rv.solve(game, Replicator(populations="one"), [start, start], max_steps=60, tolerance=None)
    times, rows = found.record["path_time"][1], found.record["path"][1]
    late = times <= 20.0
    right = solve_ivp(field, (0, 20), start, t_eval=times[late], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(rows[late, 0], right.y.T, atol=1e-7)


@pytest.mark.parametrize(("win", "word"), [(2.0, "stable_point"), (0.5, "unstable_point")])
def test_one_population_of_rock_paper_scissors(win: float, word: str) -> None:
    """The eigenvalues at the centre are (1 - win)/6 +- i (1 + win)/(2 sqrt 3): stable if win > 1."""
    game = rv.games.matrix("rock_paper_scissors", win=win)
    found = rv.solve(game, Replicator(populations="one"), np.full((2, 3), 1 / 3))
    assert found.end_state == word
    np.testing.assert_allclose(found.data.max_real_eigenvalue, (1 - win) / 6, atol=1e-9)
    np.testing.assert_allclose(found.data.max_imag_eigenvalue, (1 + win) / (2 * np.sqrt(3)), atol=1e-9)
    if win > 1:
        left = rv.solve(game, Replicator(populations="one"), [[0.5, 0.3, 0.2]] * 2)
        np.testing.assert_allclose(left.profile.values, np.full((2, 3), 1 / 3), atol=1e-6)


@pytest.mark.nightly
def test_one_population_of_three_players() -> None:
    """Volunteer's dilemma (Diekmann 1985): P(idle) = cost^(1/(n - 1)), in both forms."""
    game = rv.games.matrix("volunteers_dilemma", cost=0.5)
    for method in (Replicator(populations="one"), Replicator("mirror", 0.5, populations="one")):
        found = rv.solve(game, method, [[0.2, 0.8]] * 3)
        assert (found.end_state, found.claim) == ("stable_point", "equilibrium")
        np.testing.assert_allclose(found.profile.values[:, 0], np.sqrt(0.5), atol=1e-9)


def test_one_population_needs_a_symmetric_game() -> None:
    for name in ("matching_pennies", "battle_of_the_sexes"):
        with pytest.raises(ValueError, match=r"^populations: .* must be symmetric for one population"):
            rv.solve(rv.games.matrix(name), Replicator(populations="one"))
    study = {"game": {"family": "matrix", "name": "jordan"}}
    with pytest.raises(StudyError, match="must be symmetric"):
        rv.Study(**study, method={"kind": "replicator", "populations": "one"}).check()


def test_a_nearly_absent_entry_that_grows_is_not_at_rest() -> None:
    """Defectors of share 1e-12 hardly move but gain 2 per unit of time over cooperators."""
    game = rv.games.matrix(payoffs=np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]]))
    method = Replicator(form="mirror")
    x = jnp.array([[1 - 1e-12, 1e-12]] * 2)
    assert float(method.residual(game, method.init(game, x, jax.random.key(0)))) > 0.1
    gone = jnp.array([[1.0, 0.0]] * 2)
    assert float(method.residual(game, method.init(game, gone, jax.random.key(0)))) == 0.0


def test_mutation_alone_is_a_linear_flow() -> None:
    """With the payoff c everywhere x' = c (x Q - x), so x(t) = x(0) expm(c t (Q - 1)); each has its own."""
    mutation = np.array([[0.9, 0.1, 0.0], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]])
    game = rv.games.matrix(np.full((3, 3), 2.0), np.full((3, 3), 0.5))
    method = Replicator(end_time=1.5, mutation=mutation.tolist())
    found = rv.solve(game, method, [[0.2, 0.1, 0.7], [0.6, 0.3, 0.1]])
    assert found.status == "completed"
    for row, start, c in zip(
        found.profile.values, ([0.2, 0.1, 0.7], [0.6, 0.3, 0.1]), (2.0, 0.5), strict=True
    ):
        exact = start @ expm(c * 1.5 * (mutation - np.eye(3)))
        assert row == pytest.approx(exact, abs=1e-9)


def test_generations_follow_the_formula() -> None:
    """One population, by hand: x A = (2.2, 1.6) at (0.2, 0.8), mean 1.72; then offspring mutate."""
    game = rv.games.matrix([[3, 2], [4, 1]], [[3, 4], [2, 1]])
    start = [[0.2, 0.8]] * 2
    options = {"form": "discrete", "populations": "one", "end_time": 1.0}
    plain = rv.solve(game, Replicator(**options), start)
    assert plain.status == "completed"
    assert plain.profile.values[0] == pytest.approx([0.44 / 1.72, 1.28 / 1.72], abs=1e-15)
    mutated = rv.solve(game, Replicator(**options, mutation=[[0.75, 0.25], [0.5, 0.5]]), start)
    expected = [(0.75 * 0.44 + 0.5 * 1.28) / 1.72, (0.25 * 0.44 + 0.5 * 1.28) / 1.72]
    assert mutated.profile.values[0] == pytest.approx(expected, abs=1e-15)


@pytest.mark.default
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("chicken", {"form": "discrete"}, "form: the payoff -10 must not be negative"),
        ("stag_hunt", {"mutation": [[0.9, 0.2], [0.0, 1.0]]}, "mutation: must be .* rows that sum to 1"),
        ("stag_hunt", {"mutation": [[1.0]]}, "mutation: must be .* a row per action"),
        ("stag_hunt", {"form": "mirror", "mutation": [[1.0, 0.0], [0.0, 1.0]]}, "mutation: is for the forms"),
    ],
)
def test_mutation_and_generations_suit_the_game(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.solve(rv.games.matrix(name), Replicator(**options), "uniform")
