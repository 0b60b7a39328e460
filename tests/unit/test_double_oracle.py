"""Double oracle: known mixed and pure equilibria, incomplete runs, certificates at discontinuities."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.space import Box
from rivalry.methods.continuous import double_oracle
from rivalry.methods.continuous.double_oracle import DoubleOracle
from rivalry.methods.continuous.mixtures import best_response_to_mixtures
from rivalry.methods.finite.mixed_equilibria import one_mixed
from rivalry.runtime.jax import jnp
from tests.chunks import assert_same_in_chunks

pytestmark = pytest.mark.mostly_slow


class Quadratic(eqx.Module):
    """``u_i = drive_i x_i + curve_i x_i^2 + cross_i x_0 x_1 + other_i x_j^2`` on an interval."""

    drive: Float[Array, "player"]
    curve: Float[Array, "player"]
    cross: Float[Array, "player"]
    other: Float[Array, "player"]
    edges: Float[Array, "edge"]

    @property
    def space(self) -> Box:
        return Box(*(jnp.full((2, 1), edge) for edge in self.edges))

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        own, rival = x[:, 0], x[::-1, 0]
        return self.drive * own + self.curve * own**2 + self.cross * own * rival + self.other * rival**2

    def measures(self, x: Any) -> Any:
        return {"apart": ((), np.asarray((x[0, 0] - x[1, 0]) ** 2))}


oracles.metrics.register(Quadratic)(Quadratic.measures)


def quadratic(drive: Any, curve: Any, cross: Any, other: Any, edges: Any, kind: Any = Quadratic) -> Any:
    return kind(*(jnp.array(part, dtype=float) for part in (drive, curve, cross, other, edges)))


def seek(lean: float, kind: Any = Quadratic) -> Any:
    """Return hide and seek: player 1 seeks player 0, who avoids player 1 and prefers high positions."""
    return quadratic([lean, 0.0], [1.0, -1.0], [-2.0, 2.0], [1.0, -1.0], [0.0, 1.0], kind)


def found_by(game: Any, start: Any, **options: Any) -> Any:
    return rv.solve(game, DoubleOracle(**options), start=start)


@pytest.mark.parametrize("lean", [0.0, 0.3])
def test_hide_and_seek_has_the_known_mixed_equilibrium(lean: float) -> None:
    """The hider plays 1 with probability (1 + lean)/2 and else 0; the seeker plays (1 + lean)/2."""
    found = found_by(seek(lean), [0.2, 0.7], points=65)
    at = (1 + lean) / 2
    assert (found.status, found.claim) == ("converged", "equilibrium")
    assert not bool(found.data.pure)
    np.testing.assert_allclose(found.payoff.values, [at**2, -at * (1 - at)], atol=1e-4)
    np.testing.assert_allclose(found.data.mean_profile.values, at, atol=1e-3)
    positions, weights = found.data.action_grid.values[0, :, 0], found.data.mixture.values[0]
    np.testing.assert_allclose(np.sort(positions[weights > 0]), [0.0, 1.0])
    gap = found.data.oracle_gap.values.max(axis=1)
    assert gap[0] > 0.1
    assert gap[-1] <= 1e-7
    np.testing.assert_allclose(found.data.apart, at * (1 - at), atol=1e-4)


@pytest.mark.nightly
def test_a_game_with_cycling_best_responses_is_solved() -> None:
    """Matching pennies on an interval: both mix with mean 0."""
    game = quadratic([0.0, 0.0], [0.0, 0.0], [1.0, -1.0], [0.0, 0.0], [-1.0, 1.0])
    found = found_by(game, [0.3, 0.4], points=65)
    assert (found.status, found.claim) == ("converged", "equilibrium")
    np.testing.assert_allclose(found.data.mean_profile.values, 0.0, atol=1e-9)
    np.testing.assert_allclose(found.payoff.values, 0.0, atol=1e-9)


def test_a_pure_equilibrium_is_reported_as_pure() -> None:
    game = quadratic([9.0, 9.0], [-1.0, -1.0], [-1.0, -1.0], [0.0, 0.0], [0.0, 9.0])  # Cournot: 3 each
    found = found_by(game, [1.0, 2.0], points=65)
    assert (found.status, bool(found.data.pure)) == ("converged", True)
    # a gain of a millionth of what is at stake, 9, moves a choice by .003
    np.testing.assert_allclose(found.data.mean_profile.values, 3.0, atol=3e-3)
    assert found.data.mixture.values.tolist() == [[1.0], [1.0]]


def test_an_incomplete_run_reports_the_remaining_gain() -> None:
    game = seek(0.0)
    with pytest.warns(UserWarning, match=r"not converged: some player still gains .*: raise rounds"):
        found = found_by(game, [0.2, 0.7], rounds=2, points=65)
    assert (found.status, found.claim) == ("iteration limit", "not an equilibrium")
    # first best responses: the hider to 1, the seeker to 0.2
    np.testing.assert_allclose(found.data.oracle_gap[0], [0.7**2 - 0.5**2, 0.5**2], atol=1e-9)
    positions, weights = found.data.action_grid.values[..., 0], found.data.mixture.values
    best = max(weights[1] @ (np.nan_to_num(positions[1]) - x) ** 2 for x in np.linspace(0, 1, 1001)) - float(
        found.payoff[0]
    )
    np.testing.assert_allclose(found.certificate.regret[0], best, atol=1e-9)


def test_results_do_not_depend_on_chunks_and_atoms_are_dropped() -> None:
    method = DoubleOracle(points=65, max_atoms=3)
    world = method.world(seek(0.3))
    whole = assert_same_in_chunks(method, seek(0.3), 1, steps=100, start=np.array([[0.2], [0.7]]))
    assert whole["tables"].shape[1:] <= (3, 3)
    assert whole["seen"].max() > 3
    assert method.read(world, whole)["status"][1] == "converged"


def test_finite_games_in_mixed_strategies() -> None:
    """The unique equilibrium of Shapley's game is 1/3 each; of Jordan's three-player game 1/2 each."""
    first, second = np.eye(3), np.roll(np.eye(3), 1, axis=1)
    mixed = one_mixed(np.stack([first, second]))
    assert mixed is not None
    np.testing.assert_allclose(mixed, 1 / 3, atol=1e-9)
    tables = np.zeros((3, 2, 2, 2))
    for a, b, c in np.ndindex(2, 2, 2):
        tables[:, a, b, c] = [a == b, b == c, c != a]
    mixed = one_mixed(tables)
    assert mixed is not None
    np.testing.assert_allclose(mixed, 0.5, atol=1e-9)


def test_the_game_s_own_best_response_is_used() -> None:
    class WithBestResponse(Quadratic):
        def respond_to_mixture(self, positions: Any, weights: Any, player: int) -> Any:
            mean = float(np.sum(weights[1 - player] * np.nan_to_num(positions[1 - player, :, 0])))
            square = float(np.sum(weights[1 - player] * np.nan_to_num(positions[1 - player, :, 0]) ** 2))
            if player == 1:
                return np.array([mean]), -(square - mean**2), "tight"
            pays = {x: x**2 - 2 * x * mean + square + float(self.drive[0]) * x for x in (0.0, 1.0)}
            best = max(pays, key=pays.__getitem__)
            return np.array([best]), pays[best], "tight"

    oracles.mixed_best_response.register(WithBestResponse)(WithBestResponse.respond_to_mixture)

    found = found_by(seek(0.3, WithBestResponse), [0.2, 0.7])
    assert (found.status, found.claim) == ("converged", "equilibrium")
    assert found.certificate.coverage == "tight"
    np.testing.assert_allclose(found.payoff.values, [0.65**2, -0.65 * 0.35], atol=1e-4)


def test_many_axes_are_searched_from_random_strategies() -> None:
    """A grid of 13 axes has 8192 corners. Each axis is a separate game of hide and seek."""

    class Wide(eqx.Module):
        axes: Float[Array, "axis"]

        space = Box(jnp.zeros((2, 13)), jnp.ones((2, 13)))

        def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
            apart = jnp.sum(self.axes * (x[0] - x[1]) ** 2)
            return jnp.stack([-apart, apart])

    positions = np.zeros((2, 2, 13))
    positions[1, 1] = 1.0
    positions[0, 1] = np.nan
    weights = np.array([[1.0, 0.0], [0.5, 0.5]])
    reply = best_response_to_mixtures(Wide(jnp.full(13, 1 / 13)), positions, weights, 0, 0)
    np.testing.assert_allclose(reply.strategy, 0.5, atol=1e-5)
    np.testing.assert_allclose(reply.payoff, -0.25, atol=1e-9)
    assert reply.coverage == "lower bound"


def test_an_all_pay_auction_on_a_grid_is_solved_exactly() -> None:
    """All-pay auction of a prize 1 with bids 0, 1/10 .. 1: best responses in the table are exact."""
    bids = np.linspace(0, 1, 11)
    wins = (bids[:, None] > bids) + 0.5 * (bids[:, None] == bids) - bids[:, None]
    game = rv.games.matrix(payoffs=[wins.tolist(), wins.T.tolist()])
    found = rv.solve(game, DoubleOracle(), start=game.pure(3, 4))
    assert (found.status, found.claim) == ("converged", "equilibrium")
    x = found.data.mean_profile.values
    assert max((wins @ x[1]).max() - x[0] @ wins @ x[1], (wins @ x[0]).max() - x[1] @ wins @ x[0]) < 1e-9
    assert found.data.jumps.values.tolist() == [0, 0]


class AllPay(eqx.Module):
    """All-pay auction: the highest bid wins the prize, ties share it, and all pay their bids."""

    prize: Float[Array, ""]

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        top = x[:, 0] == x[:, 0].max()
        return self.prize * top / top.sum() - x[:, 0]


class Edgeworth(eqx.Module):
    """Bertrand-Edgeworth duopoly: equal capacities, demand 1 - p served first by the cheaper firm."""

    capacity: Float[Array, ""]

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        own, rival, k = x[:, 0], x[::-1, 0], self.capacity
        demand = 1 - own
        left = jnp.maximum(demand - k, 0.0)
        cheaper, dearer = jnp.minimum(k, demand), jnp.minimum(k, left)
        tied = jnp.minimum(k, jnp.maximum(demand / 2, demand - k))
        return own * jnp.where(own < rival, cheaper, jnp.where(own > rival, dearer, tied))


class Line(eqx.Module):
    """Hotelling location game of three firms, each paid by the customers nearest to it."""

    length: Float[Array, ""]

    space = Box.interval(0.0, 1.0, players=3)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        at = x[:, 0]
        apart = at[None] - at[:, None]
        left = jnp.min(jnp.where(apart < 0, -apart, jnp.inf), axis=1)
        right = jnp.min(jnp.where(apart > 0, apart, jnp.inf), axis=1)
        reach = jnp.where(jnp.isinf(left), at, left / 2) + jnp.where(jnp.isinf(right), 1 - at, right / 2)
        return self.length * reach / jnp.sum(apart == 0, axis=1)


def jumping(game: Any, start: Any, **options: Any) -> Any:
    with pytest.warns(
        UserWarning, match=r"not converged: .* still gains .*: payoffs are discontinuous; best responses"
    ):
        found = found_by(game, start, points=129, **options)
    assert found.status == "iteration limit"
    assert found.claim not in ("equilibrium", "no deviation found", "local equilibrium")
    assert found.data.jumps.values.max() > 0
    assert "payoffs are discontinuous" in str(found.data.remedy.values)
    return found


def test_a_continuous_all_pay_auction_reports_its_remaining_gain() -> None:
    """In equilibrium both mix uniformly on [0, 1] and earn 0; outbidding the atoms is profitable."""
    found = jumping(AllPay(jnp.array(1.0)), [0.3, 0.4], rounds=3, max_atoms=32)
    for player in (0, 1):
        bids, weights = found.data.action_grid.values[1 - player, :, 0], found.data.mixture.values[1 - player]
        held = [0.0, *bids[weights > 0]]
        best = max(weights[bids <= bid].sum() - bid for bid in held)  # slightly above a bid
        np.testing.assert_allclose(
            found.certificate.regret[player], max(best - float(found.payoff[player]), 0.0), atol=1e-3
        )
    assert 1e-3 < found.certificate.regret.max() < 0.1
    np.testing.assert_allclose(found.payoff.values, 0.0, atol=0.1)
    np.testing.assert_allclose(found.data.mean_profile.values, 0.5, atol=0.1)


def test_a_bertrand_edgeworth_duopoly_approaches_its_equilibrium_payoff() -> None:
    """In equilibrium each earns the monopoly profit on residual demand, 0.2 * 0.2."""
    found = jumping(Edgeworth(jnp.array(0.6)), [0.3, 0.4], rounds=3, max_atoms=32)
    assert found.certificate.regret.max() < 0.03
    np.testing.assert_allclose(found.payoff.values, 0.04, atol=0.03)


def test_three_firms_on_a_line_are_not_certified() -> None:
    assert jumping(Line(jnp.array(1.0)), [0.2, 0.5, 0.7], rounds=2).certificate.regret.max() > 0.05


def session_of(*players: list[float], played: list[list[int]] | None = None) -> dict[str, Any]:
    """A session with these positions as atoms; the payoff of player 0 at a pair of atoms is ``10 x + y``."""
    method, start = DoubleOracle(), np.array([[own[0]] for own in players])
    session = method.begin_at(None, np.random.SeedSequence(0), start)
    for player, own in enumerate(players):
        for position in own[1:]:
            double_oracle._append(session, player, np.array([position]))
    session["tables"] = np.stack([np.add.outer(10.0 * np.array(players[0]), np.array(players[1]))] * 2)
    if played is not None:
        session["played"][:] = played
    return session


@pytest.mark.default
def test_atoms_that_were_not_played_lately_are_dropped() -> None:
    session = session_of([0.1, 0.2, 0.3, 0.4], [0.6, 0.7], played=[[3, 1, 3, 2], [5, 5, 0, 0]])
    double_oracle._drop(session, 2)
    np.testing.assert_array_equal(
        session["atoms"][:, :, 0], [[0.1, 0.3, np.nan, np.nan], [0.6, 0.7] + [np.nan] * 2]
    )
    np.testing.assert_array_equal(session["played"], [[3, 3, 0, 0], [5, 5, 0, 0]])
    np.testing.assert_allclose(session["tables"][0], [[1.6, 1.7], [3.6, 3.7]])
    assert session["seen"].tolist() == [4, 2]  # dropped ones were seen too
    double_oracle._append(session, 0, np.array([0.9]))  # takes the place of a dropped one
    np.testing.assert_array_equal(session["atoms"][0, :3, 0], [0.1, 0.3, 0.9])
    assert np.isnan(session["tables"][:, 2]).all()


@pytest.mark.default
def test_the_support_of_a_mixture_keeps_weights_and_payoffs_together() -> None:
    session = session_of([0.1, 0.2, 0.3], [0.6, 0.7])
    session["weights"] = np.array([[0.75, 0.0, 0.25], [0.0, 1.0, 0.0]])
    places, weights, tables = double_oracle._support(session)
    np.testing.assert_array_equal(places[:, :, 0], [[0.1, 0.3], [0.7, np.nan]])
    np.testing.assert_array_equal(weights, [[0.75, 0.25], [1.0, 0.0]])
    np.testing.assert_allclose(tables[0], [[1.7], [3.7]])


@pytest.mark.default
def test_an_atom_is_known_up_to_rounding() -> None:
    session = session_of([0.1, 0.2], [0.6])
    for position, known in ((0.1, True), (0.2 * (1 + 1e-15), True), (0.15, False)):
        assert double_oracle._contains(session["atoms"][0], np.array([position])) == known
    assert not double_oracle._contains(session["atoms"][1], np.array([0.2]))


@pytest.mark.default
@pytest.mark.parametrize(
    ("over", "jumps", "remedy"),
    [
        (0, [0, 0], "raise rounds"),
        (2, [0, 0], "the finite game on the atoms was not solved; start elsewhere, or use hedge"),
        (3, [0, 0], "its best response is an atom already; payoffs there are too near to rounding"),
        (0, [1, 0], f"{double_oracle.JUMPS}; raise max_atoms"),
        (0, [0, 1, 0], f"{double_oracle.JUMPS}; solve it on a grid, by mixed_equilibria"),
    ],
)
def test_a_run_that_does_not_converge_names_a_remedy(over: int, jumps: list[int], remedy: str) -> None:
    session = {"gap": np.array([[9.0, 9.0], [0.25, 0.5]]), "over": np.array([over]), "jumps": np.array(jumps)}
    assert DoubleOracle()._remedy(session) == f"some player still gains 0.5: {remedy}"


@pytest.mark.default
def test_a_run_ends_where_the_finite_game_is_not_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of([0.1, 0.2], [0.6])
    monkeypatch.setattr(double_oracle, "one_mixed", lambda tables: None)
    method = DoubleOracle()
    assert method.advance(None, session, 5) == 1
    found = method.read(None, session)
    assert str(found["status"][1]) == "not found"
    assert "profile" not in found
    assert found["atoms"][1].tolist() == [2, 1]
