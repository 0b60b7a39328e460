"""Linear-quadratic games against QuantEcon, SciPy, long backward induction and explicit finite plans."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from rivalry.core.array_games import LinearQuadraticGame
from rivalry.methods.dynamic_games import riccati
from rivalry.methods.dynamic_games.riccati import commitment, implementability


def firms(
    gamma: Sequence[float] = (0.96, 0.96),
    phi: Sequence[float] = (12.0, 12.0),
    mc: Sequence[float] | float = 0.0,
    a: float = 10.0,
    b: float = 2.0,
    start: Sequence[float] | float = 1.0,
) -> LinearQuadraticGame:
    """Return firms that change outputs by ``u_i`` at cost ``phi_i u_i^2``; price ``a - b Q``, x = (1, q)."""
    n = len(phi)
    own = np.arange(n)
    R = np.zeros((n, n + 1, n + 1))
    for i in range(n):
        R[i, i + 1, 1:] = R[i, 1:, i + 1] = b / 2
        R[i, i + 1, i + 1] = b
    R[own, 0, own + 1] = R[own, own + 1, 0] = -(a - np.broadcast_to(mc, n)) / 2
    B = np.zeros((n, n + 1, 1))
    B[own, own + 1, 0] = 1.0
    Q = np.asarray(phi, dtype=float)[:, None, None]
    first = np.concatenate([[1.0], np.broadcast_to(start, n)])
    return LinearQuadraticGame(np.eye(n + 1), B, R, Q, np.asarray(gamma, dtype=float), first)


def backwards(game: LinearQuadraticGame, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Return feedback and cost after backward induction from a last period without moves."""
    cost = game.R
    for _ in range(periods):
        feedback, cost = riccati.markov_step(game, cost)
    return feedback, cost


def test_discounted_costs_match_scipy_lyapunov_solutions() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 3, 6):
        loop = rng.normal(size=(size, size))
        loop /= 1.02 * np.max(np.abs(np.linalg.eigvals(loop)))
        now = rng.normal(size=(size, size))
        now += now.T
        right = solve_discrete_lyapunov(np.sqrt(0.97) * loop.T, now)
        assert np.allclose(riccati.discounted_sum(loop, now, 0.97), right, rtol=1e-10, atol=1e-10)
    assert np.all(np.isnan(riccati.discounted_sum(np.array([[1.03]]), np.ones((1, 1)), 0.96)))
    assert np.all(np.isnan(riccati.discounted_sum(np.array([[np.nan]]), np.ones((1, 1)), 0.96)))


def test_the_regulator_matches_quantecon() -> None:
    """Holds for an indefinite state cost too, as when a rival's output lowers revenue."""
    qe = pytest.importorskip("quantecon")
    game = firms(phi=(12.0, 40.0), mc=(0.5, 1.0))
    feedback, _ = backwards(game, 300)
    A = riccati.against(game, feedback, 0).A
    found = riccati.regulator(A, game.B[0], game.R[0], game.Q[0], 0.96)
    assert found is not None
    P, F, _ = qe.LQ(game.Q[0], game.R[0], A, game.B[0], beta=0.96).stationary_values()
    assert np.allclose(found.feedback, F, rtol=1e-8)
    assert np.allclose(found.cost, P, rtol=1e-8)
    assert found.residual < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_regulator_is_the_limit_of_long_horizons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    half = rng.normal(size=(3, 3))
    R, Q, gamma = half @ half.T, np.diag(rng.uniform(0.1, 2.0, 2)), 0.9
    P = np.zeros((3, 3))
    for _ in range(2000):
        F = np.linalg.solve(Q + gamma * B.T @ P @ B, gamma * B.T @ P @ A)
        P = R + gamma * A.T @ P @ (A - B @ F)
    found = riccati.regulator(A, B, R, Q, gamma)
    assert np.allclose(found.feedback, F, rtol=1e-9)
    assert np.allclose(found.cost, P, rtol=1e-9)


def test_problems_without_an_optimal_plan_return_none() -> None:
    one = np.eye(1)
    assert riccati.regulator(one, one, -one, 0.5 * one, 0.9) is None  # unbounded moves are profitable
    assert riccati.regulator(2 * one, 0 * one, one, one, 0.9) is None  # uncontrollable and unstable
    assert riccati.regulator(np.nan * one, one, one, one, 0.9) is None
    assert riccati.joint(firms(phi=(0.0, 0.0))) is None  # only the total output matters


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_two_player_equilibrium_matches_quantecon_nnash(seed: int) -> None:
    qe = pytest.importorskip("quantecon")
    rng = np.random.default_rng(seed)
    game = firms(phi=rng.uniform(5, 100, 2), mc=rng.uniform(0, 3, 2), b=float(rng.uniform(0.5, 3)))
    root, none = np.sqrt(0.96), np.zeros((1, 1))
    R, Q, (B1, B2), cross = game.R, game.Q, game.B, np.zeros((3, 1))
    F1, F2, *_ = qe.nnash(
        root * game.A, root * B1, root * B2, *R, *Q, none, none, cross, cross, none, none, tol=1e-12
    )
    assert np.allclose(backwards(game, 2000)[0], [F1, F2], rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_three_player_equilibria_match_best_response_iteration() -> None:
    """Backward induction with each period's equilibrium from best responses, not from one system."""
    qe = pytest.importorskip("quantecon")
    game = firms(gamma=(0.9, 0.96, 0.8), phi=(5.0, 12.0, 20.0), mc=(0.0, 1.0, 0.5))
    F, P = np.zeros((3, 1, 4)), game.R.copy()
    for _ in range(150):
        for _ in range(30):
            for i in range(3):
                others = game.A - sum(game.B[j] @ F[j] for j in range(3) if j != i)
                PB = game.gamma[i] * P[i] @ game.B[i]
                F[i] = (PB.T @ others) / (game.Q[i] + PB.T @ game.B[i])
        loop = game.A - sum(game.B[j] @ F[j] for j in range(3))
        P = np.stack([game.R[i] + game.Q[i] * F[i].T @ F[i] + game.gamma[i] * loop.T @ P[i] @ loop
                      for i in range(3)])  # fmt: skip
    feedback, cost = backwards(game, 150)
    assert np.allclose(feedback, F, rtol=1e-10, atol=1e-12)
    assert np.allclose(cost, P, rtol=1e-10, atol=1e-10)
    stationary, _ = backwards(game, 600)
    for i in range(3):
        A = game.A - sum(game.B[j] @ stationary[j] for j in range(3) if j != i)
        _, own, _ = qe.LQ(game.Q[i], game.R[i], A, game.B[i], beta=game.gamma[i]).stationary_values()
        assert np.allclose(stationary[i], own, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("leader", [0, 1])
def test_leadership_within_a_period_matches_quadratic_minimization(leader: int) -> None:
    """Costs are quadratic in a player's move, so three values determine each minimum."""
    game = firms(gamma=(0.9, 0.96), phi=(12.0, 30.0), mc=(0.5, 0.0))
    _, cost = backwards(game, 40)
    feedback, _, reply = riccati.leading_step(game, cost, leader)
    x, f = np.array([1.0, 0.7, 1.9]), 1 - leader

    def ahead(player: int, lead: float, follow: float) -> float:
        after = x + game.B[leader][:, 0] * lead + game.B[f][:, 0] * follow
        own = lead if player == leader else follow
        return float(game.Q[player][0, 0] * own**2 + game.gamma[player] * after @ cost[player] @ after)

    def lowest(cost: Callable[[float], float]) -> float:
        left, middle, right = cost(-1.0), cost(0.0), cost(1.0)
        return (left - right) / (2 * (left - 2 * middle + right))

    def follows(lead: float) -> float:
        return lowest(lambda u: ahead(f, lead, u))

    lead = lowest(lambda u: ahead(leader, u, follows(u)))
    assert np.allclose(-feedback[leader] @ x, lead, rtol=1e-10, atol=1e-12)
    assert np.allclose(-feedback[f] @ x, follows(lead), rtol=1e-10, atol=1e-12)
    assert np.allclose(-(reply.K @ x) - reply.k @ [0.4], follows(0.4), rtol=1e-10, atol=1e-12)


def planned(game: LinearQuadraticGame, T: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return player 0's optimal output path over ``T`` periods when player 1 responds to the whole path.

    The response solves the first-order conditions of all periods at once, and the
    leader's value is a quadratic function of its path. Both paths are returned from the second
    period on, with the largest eigenvalue of the leader's second derivative.
    """
    (_, slope), (_, phi), (gain, rate) = game.R[[0, 1], [1, 2], [1, 2]], game.Q[:, 0, 0], game.gamma
    margins, q = -2 * game.R[[0, 1], 0, [1, 2]], game.first[1:]
    move = np.eye(T) - np.eye(T, k=-1)  # moves, without the initial output
    began = np.eye(T)[0]
    weigh = rate ** np.arange(T)
    system = 2 * rate * slope * np.eye(T) + 2 * phi * (move.T * rate ** -np.arange(T)[:, None]) @ (
        weigh[:, None] * move
    )
    known = rate * margins[1] + 2 * phi * q[1] * began
    slopes, alone = np.linalg.solve(system, -rate * slope * np.eye(T)), np.linalg.solve(system, known)
    z = gain ** (np.arange(1, T + 1) / 2)  # units of the leader's outputs
    answer = z[:, None] * slopes / z
    moved = gain ** (np.arange(T) / 2)[:, None] * move / z
    second = -2 * slope * np.eye(T) - slope * (answer + answer.T) - 2 * game.Q[0, 0, 0] * moved.T @ moved
    first = z * (margins[0] - slope * alone) + 2 * game.Q[0, 0, 0] * q[0] * moved.T @ began
    own = np.linalg.solve(-second, first) / z
    return own, slopes @ own + alone, float(np.linalg.eigvalsh(second)[-1])


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [(0.9, 0.9), (0.85, 0.9), (0.9, 0.8)])
def test_commitment_matches_explicit_finite_plans(gamma: tuple[float, float]) -> None:
    """The path is that of the optimal plan over 300 periods against the full response, at any discounts."""
    game = firms(gamma=gamma, phi=(120.0, 80.0), mc=(0.5, 1.5), start=(1.0, 1.3))
    plan = commitment(game, 0)
    assert plan is not None
    own, theirs, curvature = planned(game, 300)
    assert curvature < 0
    y = np.concatenate([game.first, plan.first_move @ game.first])
    path = riccati.state_path(plan.A - plan.B @ plan.F, y, 60)
    assert np.allclose(path[1:, 1], own[:59], atol=1e-8)
    assert np.allclose(path[1:, 2], theirs[:59], atol=1e-8)


def test_an_impatient_leader_has_no_optimal_plan() -> None:
    """Over long horizons the leader's value is convex in some direction, so there is no optimal plan."""
    game = firms(gamma=(0.7, 0.96), phi=(120.0, 80.0))
    assert planned(game, 200)[2] > 0
    assert commitment(game, 0) is None


def test_implementability_satisfies_the_follower_euler_equation() -> None:
    """``2 phi x_t = gamma (a - c - b q_L - 2 b q_F + 2 phi x_{t+1})``, next period's outputs, at any plan."""
    game = firms(gamma=(0.9, 0.95), phi=(10.0, 30.0), mc=(1.0, 2.0), a=11.0, b=1.5)
    A, B = implementability(game, 0)
    y = np.array([1.0, 0.8, 1.2, 0.1])
    after = A @ y + B @ [0.3]
    assert np.allclose(after[:3], [1.0, 1.1, 1.3])
    margin = 11.0 - 2.0 - 1.5 * after[1] - 3.0 * after[2]
    assert np.isclose(60.0 * y[3], 0.95 * (margin + 60.0 * after[3]))


def test_limits_and_paths_of_linear_dynamics() -> None:
    loop = np.array([[1.0, 0.0, 0.0], [0.3, 0.9, 0.0], [0.0, 0.0, 1.0]])  # with a constant mode
    assert np.allclose(riccati.limit(loop, np.array([1.0, 0.0, 4.0])), [1.0, 3.0, 4.0])
    turning = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.all(np.isnan(riccati.limit(turning, np.array([1.0, 0.0]))))
    assert np.all(np.isnan(riccati.limit(np.array([[1.01]]), np.ones(1))))
    assert np.allclose(riccati.state_path(turning, np.array([1.0, 0.0]), 3), [[1, 0], [0, 1], [-1, 0]])


@pytest.mark.parametrize("leader", [0, 1])
def test_the_follower_s_best_plan_against_a_commitment_is_what_the_leader_expects(
    leader: int,
) -> None:
    """The follower's own regulator, which takes the plan as given, costs what the plan says it does."""
    game = firms(gamma=(0.9, 0.85), phi=(90.0, 70.0), mc=(0.5, 1.0))
    plan = commitment(game, leader)
    assert plan is not None
    alone = riccati.follower_problem(game, plan, leader)
    best = riccati.regulator(alone.A, alone.B[0], alone.R[0], alone.Q[0], float(alone.gamma[0]))
    assert best is not None
    y = np.concatenate([game.first, plan.first_move @ game.first])
    cost = riccati.plan_costs(game, plan, leader)[1 - leader]
    assert alone.first @ best.cost @ alone.first == pytest.approx(y @ cost @ y, rel=1e-9)
    assert -best.feedback @ alone.first == pytest.approx(plan.first_move @ game.first, rel=1e-7)


def test_a_joint_plan_of_identical_firms_costs_no_more_than_their_equilibrium() -> None:
    game = firms()
    found = riccati.joint(game)
    together = riccati.costs(game, found[0]).sum(axis=0)
    apart = riccati.costs(game, backwards(game, 500)[0]).sum(axis=0)
    assert game.first @ together @ game.first < game.first @ apart @ game.first
    np.testing.assert_allclose(found[0][0][:, [0, 2, 1]], found[0][1], atol=1e-9)  # mirror images


def test_a_path_in_blocks_matches_period_by_period() -> None:
    rng = np.random.default_rng(3)
    for growth, periods in ((0.9, 500), (1.0, 129), (1.4, 64), (0.5, 1), (1.1, 2)):
        loop = rng.normal(size=(3, 3))
        loop *= growth / np.max(np.abs(np.linalg.eigvals(loop)))
        state, path = np.ones(3), riccati.state_path(loop, np.ones(3), periods)
        for row in path:
            np.testing.assert_allclose(row, state, rtol=1e-9, atol=1e-12 * max(1.0, np.max(np.abs(state))))
            state = loop @ state
        assert len(path) == periods


def test_the_regulator_does_not_depend_on_the_cost_that_it_begins_with() -> None:
    game = firms(phi=(12.0, 40.0), mc=(0.5, 1.0))
    feedback, cost = backwards(game, 300)
    problem = (riccati.against(game, feedback, 0).A, game.B[0], game.R[0], game.Q[0], 0.96)
    alone = riccati.regulator(*problem)
    assert alone is not None
    bad = np.random.default_rng(0).normal(size=(3, 3))
    for near in (cost[0], 1.01 * cost[0], 3 * alone.cost, 0 * cost[0], bad + bad.T, np.full((3, 3), np.nan)):
        found = riccati.regulator(*problem, near)
        np.testing.assert_allclose(found.cost, alone.cost, rtol=1e-10, atol=1e-10)
