"""Best responses where a grid is too coarse: Blotto contests, many corners, and narrow kernels in space."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates.certify import certificate
from rivalry.certificates.deviations import best_response
from rivalry.core.space import simplex_lattice
from rivalry.families.influencer import blotto

pytestmark = pytest.mark.slow

PRIZES = np.arange(1.0, 9.0)


def contest(prizes: np.ndarray, exponent: Any) -> Any:
    return rv.games.influencer(
        space="simplex", corners=len(prizes), kernel="blotto", exponent=exponent, resource=prizes.tolist()
    )


def gains(prizes: np.ndarray, rivals: np.ndarray, p: float, s: np.ndarray) -> np.ndarray:
    """Return payoffs of allocations ``s [allocation field]`` against ``rivals [rival field]``."""
    return np.asarray((prizes * s**p / (s**p + (rivals**p).sum(axis=0))).sum(axis=1))


@pytest.fixture(scope="module")
def eight() -> tuple[Any, np.ndarray, Any]:
    game = contest(PRIZES, [3.0, 3.0])
    even = PRIZES / PRIZES.sum()
    return game, even, certificate(game, game.space.check([even, even]))


def best_amounts(prizes: np.ndarray, rivals: np.ndarray, p: float) -> tuple[np.ndarray, float]:
    """Return the best amounts against the rivals' influence ``[field]``, and an upper bound, in NumPy."""
    problem = blotto.BudgetProblem(prizes, -np.log(rivals), p, 1.0)
    start = np.full(len(prizes), 1 / len(prizes))
    return blotto._branch_and_bound(problem, start, 1e-9, 1e-9, 20)


def test_the_best_response_in_a_lottery_contest_satisfies_the_conditions_of_kuhn_and_tucker() -> None:
    """Marginal payoffs ``B R / (s + R)^2`` are equal where the budget is spent, and lower elsewhere."""
    rng = np.random.default_rng(8)
    for _ in range(5):
        prizes, rivals = rng.uniform(0.1, 3.0, 6), rng.uniform(0.05, 0.5, 6)
        amounts, bound = best_amounts(prizes, rivals, 1.0)
        marginal = prizes * rivals / (amounts + rivals) ** 2
        spent = amounts > 1e-6
        assert amounts.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(marginal[spent], marginal[spent].max(), rtol=1e-6)
        assert np.all(marginal[~spent] <= marginal[spent].max() * (1 + 1e-6))
        assert bound == pytest.approx((prizes * amounts / (amounts + rivals)).sum(), abs=1e-8)


@pytest.mark.parametrize("p", [1.7, 3.0, 6.0])
def test_no_allocation_on_a_lattice_pays_more_than_the_bound_without_concavity(p: float) -> None:
    prizes, rivals = np.array([1.0, 1.3, 0.8, 2.0]), np.array([0.2, 0.3, 0.1, 0.4]) ** p
    amounts, bound = best_amounts(prizes, rivals, p)
    tried = simplex_lattice(4, 24) / 24
    best = float((prizes * tried**p / (tried**p + rivals)).sum(axis=1).max())
    found = float((prizes * amounts**p / (amounts**p + rivals)).sum())
    assert best - 1e-9 <= found <= bound + 1e-12
    assert bound - found <= 1e-8  # so few fields are solved to the end


def test_abandoning_one_of_eight_battlefields_is_profitable(eight: tuple[Any, np.ndarray, Any]) -> None:
    _, even, proof = eight
    rest = (even * (1 - np.eye(8))) / (1 - even)[:, None]
    gained = gains(PRIZES, even[None], 3.0, rest).max() - PRIZES.sum() / 2
    assert gained == pytest.approx(1.04, abs=0.01)
    assert proof.claim == "not an equilibrium"
    assert np.all(proof.regret >= gained - 1e-6)  # every field gets at least 1e-9
    assert np.all(proof.bound >= proof.regret)


def test_best_response_dynamics_leave_a_non_equilibrium_profile(eight: tuple[Any, np.ndarray, Any]) -> None:
    game, even, _ = eight
    path = rv.trace(game, rv.methods.BestResponse(polish=False), start=[even, even], steps=1).path.values
    assert np.max(np.abs(path[-1] - even)) > 0.01


def test_proportional_shares_are_equilibria_of_lottery_contests(eight: tuple[Any, np.ndarray, Any]) -> None:
    game, even, _ = eight
    proof = certificate(rv.with_(game, exponent=1.0), game.space.check([even, even]))
    assert (proof.claim, proof.coverage, proof.rounding) == ("equilibrium", "tight", "floating point")


@pytest.mark.parametrize("seed", range(3))
def test_bounds_are_valid_and_tight_on_a_lattice_of_allocations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prizes, p = rng.uniform(1, 9, 4), float(rng.choice([0.7, 1.6, 2.9]))
    game = contest(prizes, [p] * 3)
    x = np.asarray(game.space.check(rng.dirichlet(np.full(4, 0.5), 3)))
    lattice = np.maximum(simplex_lattice(4, 60) / 60, 1e-9)
    for player in range(3):
        dense = gains(prizes, np.delete(x, player, axis=0), p, lattice).max()
        reply = best_response(game, x, player)
        paid = gains(prizes, np.delete(x, player, axis=0), p, np.asarray(reply.strategy)[None])[0]
        assert paid == pytest.approx(reply.payoff, rel=1e-9)
        assert dense - 1e-9 <= reply.payoff <= reply.bound + 1e-12
        assert reply.bound - reply.payoff <= 1e-6 * prizes.sum()


def test_bounds_with_unequal_rivals_and_a_third_party() -> None:
    game = rv.games.influencer(
        space="simplex",
        corners=3,
        kernel="blotto",
        exponent=[1.5, 2.5],
        budgets=[1.0, 3.0],
        resource=[1, 2, 3],
        third_party=[0.0, 0.5, 0.1],
    )
    x = game.space.check([[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]])
    lattice = np.maximum(simplex_lattice(3, 400) / 400, 1e-9)
    own = lattice**1.5
    rest = 3.0 * np.array([0.4, 0.3, 0.3]) ** 2.5 + [0.0, 0.5, 0.1]
    dense = (np.array([1, 2, 3]) * own / (own + rest)).sum(axis=1).max()
    reply = best_response(game, x, 0)
    assert dense - 1e-9 <= reply.payoff <= reply.bound <= dense + 1e-3


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_deviation_to_a_heavy_point_between_grid_points_is_found(axes: int) -> None:
    points = np.random.default_rng(axes).random((40, axes)).round(4)
    weights = np.where(np.arange(40) == 17, 72.0, 0.01)
    apart = "+".join(f"(b{k + 1}-x{k + 1})^2" for k in range(axes)) if axes > 1 else "(b-x)^2"
    game = rv.games.influencer(
        space="box" if axes > 1 else "interval",
        bounds=[[0, 1]] * axes if axes > 1 else [0, 1],
        kernel="custom",
        influence=f"exp(-({apart})/(2*s^2))",
        parameters={"s": [0.0004, 0.3]},
        resource_points=points.tolist() if axes > 1 else points[:, 0].tolist(),
        resource=weights.tolist(),
        zero_influence="lost",
    )
    proof = certificate(game, game.space.check([points[3], points[3]]))
    there = game.payoffs(game.space.check([points[17], points[3]]))[0]
    here = game.payoffs(game.space.check([points[3], points[3]]))[0]
    assert float(there - here) > 20
    assert proof.regret[0] >= float(there - here) * (1 - 1e-12)
    assert proof.claim == "not an equilibrium"
    assert (proof.coverage, proof.rounding, "grid points" in proof.method) == ("tight", "outward", True)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(24))
def test_no_allocation_on_a_face_gains_more_than_the_regret(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    fields, players, p = int(rng.integers(5, 10)), int(rng.integers(2, 5)), float(rng.uniform(1, 3.5))
    prizes = rng.uniform(1, 9, fields).round(2)
    even = prizes / prizes.sum()
    game = contest(prizes, [p] * players)
    proof = certificate(game, game.space.check([even] * players))
    rivals = np.repeat(even[None], players - 1, axis=0)
    faces = [list(face) for size in range(1, fields + 1) for face in combinations(range(fields), size)]
    s = np.full((len(faces), fields), 1e-9)
    for row, face in zip(s, faces, strict=True):
        # the other fields get at least 1e-9 each, which the budget has to cover
        row[face] = even[face] / even[face].sum() * (1 - 1e-9 * (fields - len(face)))
    gained = gains(prizes, rivals, p, s).max() - prizes.sum() / players
    assert proof.regret.max() >= gained - 1e-6
    assert proof.bound.max() >= gained - 1e-9
    assert (proof.claim == "not an equilibrium") or gained <= 1e-2 * prizes.sum()
