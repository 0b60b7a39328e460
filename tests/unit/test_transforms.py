"""Frozen players, leaders, stages: duopolies, matrix games, derivatives, messages."""

from __future__ import annotations

from functools import partial
from inspect import unwrap
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.game import MarkovGame, jacobian, own_gradients
from rivalry.core.payoffs import payoffs
from rivalry.families.matrix import matrix
from rivalry.runtime.jax import jax, jnp
from rivalry.transforms import Followers, freeze, hierarchy, in_stages, repeat, stackelberg

pytestmark = pytest.mark.mostly_slow

KEY = jax.random.key(0)


class Cournot(eqx.Module):
    """Linear demand with a price of at least 0."""

    cost: jax.Array
    intercept: jax.Array

    @property
    def space(self) -> rv.Box:
        return rv.Box.interval(0.0, 100.0, players=self.cost.shape[0])

    def payoffs(self, x: jax.Array) -> jax.Array:
        return (jnp.maximum(self.intercept - x.sum(), 0.0) - self.cost) * x[:, 0]

    def ceiling(self, x: jax.Array, player: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
        others = x.sum() - x[player, 0]
        price = jnp.maximum(self.intercept - others - low[0], 0.0)
        margin = price - self.cost[player]
        return jnp.where(margin > 0, margin * high[0], margin * low[0])


oracles.payoff_scale.register(Cournot)(lambda game: 1000.0)
oracles.payoff_bound.register(Cournot)(Cournot.ceiling)


class Separable(eqx.Module):
    """Two axes each; a follower's best response to the leader's (a, b) is (a/2, (a + b**2)/4)."""

    space = rv.Box.of([[-2.0, 2.0], [-2.0, 2.0]], players=2)

    def payoffs(self, x: jax.Array) -> jax.Array:
        (a, b), (c, d) = x
        return jnp.stack([c * b - a**2 - (b - 1) ** 2 + d, -((c - a / 2) ** 2) - (d - (a + b**2) / 4) ** 2])


def duopoly(*cost: float) -> Cournot:
    return Cournot(jnp.asarray(cost or (10.0, 10.0)), jnp.asarray(100.0))


@pytest.fixture(scope="module")
def leading() -> object:
    return stackelberg(duopoly(), [0], Followers())


@eqx.filter_jit
def at(game: object, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return all strategies, the leaders' own gradients, and their Jacobian, in one compiled program."""
    return game.whole(x), own_gradients(game, x), jacobian(game, x)


@pytest.mark.nightly
def test_the_stackelberg_leader_matches_the_textbook(leading: object) -> None:
    found = rv.solve(leading, rv.methods.BestResponse(), [20.0])
    np.testing.assert_allclose(found.profile, [[45.0]], atol=1e-4)
    np.testing.assert_allclose(found.record["play"][1], [[45.0], [22.5]], atol=1e-4)
    np.testing.assert_allclose(found.record["play_payoff"][1], [1012.5, 506.25], rtol=1e-5)
    assert found.claim == "equilibrium"


def test_leader_derivatives_include_the_response(leading: object) -> None:
    # with the follower at (90 - q)/2 the leader earns (90 - q) q / 2; beyond 90 the follower stays out
    for q in (20.0, 60.0):
        everyone, slope, bend = at(leading, jnp.array([[q]]))
        np.testing.assert_allclose(everyone, [[q], [(90 - q) / 2]], atol=1e-9)
        np.testing.assert_allclose(slope, [[45.0 - q]], atol=1e-8)
        np.testing.assert_allclose(bend, [[-1.0]], atol=1e-8)
    everyone, slope, _ = at(leading, jnp.array([[95.0]]))
    assert float(everyone[1, 0]) == 0.0
    np.testing.assert_allclose(slope, [[90.0 - 2 * 95.0]], atol=1e-8)


@pytest.mark.nightly
def test_parameter_derivatives_include_the_response() -> None:
    def earned(cost: jax.Array) -> jax.Array:
        game = stackelberg(
            Cournot(jnp.stack([jnp.asarray(10.0), cost]), jnp.asarray(100.0)), [0], Followers()
        )
        return game.payoffs(jnp.array([[40.0]]))[0]

    # the leader earns (100 - 40 - (90 - 40 - (cost - 10)) / 2 - 10) * 40, so 20 per unit of cost
    np.testing.assert_allclose(jax.grad(earned)(jnp.asarray(10.0)), 20.0, atol=1e-6)


@pytest.mark.nightly
def test_nonlinear_responses_on_several_axes() -> None:
    game = stackelberg(Separable(), [0], Followers(points=81))
    x = jnp.array([[0.6, -0.7]])

    def known(x: jax.Array) -> jax.Array:
        a, b = x[0]
        return a / 2 * b - a**2 - (b - 1) ** 2 + (a + b**2) / 4

    everyone, slope, bend = at(game, x)
    np.testing.assert_allclose(everyone[1], [0.3, (0.6 + 0.49) / 4], atol=1e-9)
    np.testing.assert_allclose(slope, jax.grad(known)(x), atol=1e-8)
    np.testing.assert_allclose(bend, jax.hessian(known)(x).reshape(2, 2), atol=1e-7)


@pytest.mark.nightly
def test_two_leaders_and_two_followers() -> None:
    # leaders play Cournot on intercept (a + sum of followers' c) / 3 and slope 1/3: 30 each, then 10 each
    game = stackelberg(duopoly(10.0, 10.0, 10.0, 10.0), [0, 1], Followers())
    everyone, slope, _ = at(game, jnp.array([[30.0], [30.0]]))
    np.testing.assert_allclose(everyone[:, 0], [30, 30, 10, 10], atol=1e-6)
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)


def test_followers_that_do_not_converge_give_nan() -> None:
    x = Followers(rounds=20)(matrix("jordan"), matrix("jordan").pure(0, 0, 0), (0, 1, 2))
    assert bool(jnp.all(jnp.isnan(x)))


def test_a_follower_whose_best_response_is_scanned_has_no_slope_left() -> None:
    race = rv.games.race()

    @jax.jit
    def slopes(leaders: jax.Array) -> jax.Array:
        def slope(leader: jax.Array) -> jax.Array:
            x = Followers()(race, jnp.stack([leader, leader]), (1,))
            return own_gradients(race, x, (1,))[0] * x[1]

        return jax.lax.map(slope, leaders)

    # the scan alone leaves slopes above 1e-10 at 2 of these 40 strategies of the leader
    leaders = np.exp([-0.11, -1.08]) + np.arange(40)[:, None] * [0.003, 0.002]
    np.testing.assert_allclose(slopes(jnp.asarray(leaders)), 0.0, atol=1e-15)


def test_leadership_in_a_matrix_game() -> None:
    leader = stackelberg(matrix("battle_of_the_sexes"), [0], Followers())
    assert float(leader.payoffs(jnp.array([[1.0, 0.0]]))[0]) == 3.0
    # just under 3/5 opera the follower chooses football: 2 (1 - p)
    np.testing.assert_allclose(leader.payoffs(jnp.array([[0.59, 0.41]])), [0.82], atol=1e-12)
    assert rv.certificate(leader, jnp.array([[1.0, 0.0]])).claim == "no deviation found"


@pytest.mark.nightly
def test_freezing_leaves_the_game_of_the_other_players() -> None:
    game = freeze(duopoly(10.0, 10.0, 20.0), {1: [25.0]})
    assert game.space.shape == (2, 1)
    x = jnp.array([[20.0], [5.0]])
    np.testing.assert_allclose(
        game.payoffs(x),
        duopoly(10.0, 10.0, 20.0).payoffs(jnp.array([[20.0], [25.0], [5.0]]))[jnp.array([0, 2])],
    )
    assert oracles.labels(game).players == ("0", "2")
    # the best response to 25 and 5 is (90 - 30) / 2, with a bound proved by the base game
    response = rv.best_response(game, x, 0)
    assert response.coverage == "bounded"
    np.testing.assert_allclose(response.strategy, [30.0], atol=1e-4)
    np.testing.assert_allclose(response.bound, 900.0, rtol=1e-6)


def test_freezing_a_mixture_averages_the_tables() -> None:
    table = np.random.default_rng(0).normal(size=(3, 2, 4, 3))
    game = freeze(matrix(payoffs=table.tolist()), {1: [0.1, 0.2, 0.3, 0.4]})
    plain = matrix(payoffs=np.tensordot(table[[0, 2]], [0.1, 0.2, 0.3, 0.4], axes=(2, 0)).tolist())
    x = plain.space.sample(KEY)
    assert game.space.shape == plain.space.shape
    np.testing.assert_allclose(game.payoffs(x), plain.payoffs(x), atol=1e-14)
    np.testing.assert_allclose(oracles.gradients(game, x), oracles.gradients(plain, x), atol=1e-14)
    np.testing.assert_allclose(oracles.best_response(game, x, 1)[0], oracles.best_response(plain, x, 1)[0])
    np.testing.assert_allclose(oracles.to_finite(game).payoff, oracles.to_finite(plain).payoff, atol=1e-14)
    ours = rv.solve(game, rv.methods.PureEquilibria()).record["equilibria"][1]
    theirs = rv.solve(plain, rv.methods.PureEquilibria()).record["equilibria"][1]
    np.testing.assert_array_equal(ours, theirs)


def test_repeated_games_observe_past_periods_and_are_truncated() -> None:
    stage = matrix("prisoners_dilemma")
    game = repeat(stage, memory=2, periods=2)
    assert isinstance(game, MarkovGame)
    state = game.reset(KEY)
    first, second = stage.pure(0, 1), stage.pure(1, 1)
    state, rewards, ended, cut = game.step(state, first, KEY)
    assert (rewards.tolist(), bool(ended), bool(cut)) == ([0.0, 5.0], False, False)
    state, rewards, ended, cut = game.step(state, second, KEY)
    assert (rewards.tolist(), bool(ended), bool(cut)) == ([1.0, 1.0], False, True)
    np.testing.assert_array_equal(game.observe(state)[1], jnp.concatenate([second.ravel(), first.ravel()]))
    assert oracles.active_players(game, state).tolist() == [True, True]


def test_stages_pay_after_all_players_have_moved() -> None:
    game = in_stages(duopoly(10.0, 10.0, 10.0), [[1], [0, 2]], periods=1)
    assert isinstance(game, MarkovGame)
    state = game.reset(KEY)
    assert oracles.active_players(game, state).tolist() == [False, True, False]
    state, rewards, _, cut = eqx.filter_jit(game.step)(state, jnp.array([[1.0], [2.0], [3.0]]), KEY)
    assert rewards.tolist() == [0.0, 0.0, 0.0]
    assert not bool(cut)
    assert oracles.active_players(game, state).tolist() == [True, False, True]
    seen = game.observe(state)[0]
    assert seen[3:].tolist() == [0.0, 2.0, 0.0, 0.0, 1.0, 0.0]  # this period's moves, and who has moved
    state, rewards, _, cut = game.step(state, jnp.array([[4.0], [5.0], [6.0]]), KEY)
    np.testing.assert_allclose(rewards, duopoly(10.0, 10.0, 10.0).payoffs(jnp.array([[4.0], [2.0], [6.0]])))
    assert bool(cut)
    assert state.before.ravel().tolist() == [4.0, 2.0, 6.0]


WRONG: list[tuple[Any, tuple[Any, ...], str]] = [
    (stackelberg, ([], Followers()), "leaders: names no player; must name at least one of 0..1"),
    (stackelberg, ([0, 1], Followers()), "leaders: all 2 players; must leave at least one follower"),
    (stackelberg, ([0, 0], Followers()), "names a player twice"),
    (stackelberg, ([2], Followers()), r"leaders\[0\]: 2 must be a whole number in 0..1"),
    (stackelberg, ([True], Followers()), r"leaders\[0\]: True must be a whole number in 0..1"),
    (unwrap(stackelberg), ([0], 3), "respond: 3 must be callable"),
    (freeze, ({},), "strategies: names no player"),
    (freeze, ({0: [1.0], 1: [1.0]},), "strategies: fix all 2 players; must leave at least one free"),
    (freeze, ({5: [1.0]},), r"strategies\[0\]: 5 must be a whole number in 0..1"),
    (freeze, ({0: [1.0, 2.0]},), r"strategies\[0\]: shape \(2,\) must be \(1,\)"),
    (freeze, ({0: ["a"]},), r"strategies\[0\]: \['a'\] must be 1 numbers"),
    (freeze, ({0: [101.0]},), r"strategies\[0\]: player 0 is at 101; must be in \[0, 100\]"),
    (in_stages, ([[0]],), "stages: player 1 is missing"),
    (in_stages, ([[0], [0, 1]],), "stages: player 0 is named twice"),
    (in_stages, ([[0], []],), "stages: .* must be a list of lists of players"),
    (in_stages, ([[0], [2]],), "stages: 2 is no player; must be in 0..1"),
    (partial(repeat, memory=0), (), "memory: 0 must be a whole number"),
    (partial(repeat, periods=-1), (), "periods: -1 must be a whole number"),
]


@pytest.mark.default
@pytest.mark.parametrize(("transform", "given", "message"), WRONG)
def test_wrong_input_to_transforms_is_named(transform: Any, given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transform(duopoly(), *given)


LED = """
import equinox as eqx
import jax.numpy as jnp
import rivalry as rv

class Cournot(eqx.Module):
    cost: jnp.ndarray

    @property
    def space(self):
        return rv.Box.interval(0.0, 90.0, players=2)

    def payoffs(self, x):
        return x[:, 0] * (100.0 - x.sum() - self.cost)

def led(*, cost: float = 10.0, leader: int = 0):
    return rv.transforms.stackelberg(Cournot(jnp.asarray(cost)), [leader], rv.transforms.Followers())
"""


@pytest.mark.nightly
def test_a_study_uses_a_transform_through_a_custom_factory(tmp_path: Path) -> None:
    """Price 100 - Q, unit cost c: the leader sells (100 - c)/2, its follower half of that."""
    (tmp_path / "led.py").write_text(LED)
    study = rv.Study(
        name="led",
        game={"family": "led.py:led"},
        method={"kind": "best_response", "start": [20.0]},
        sweep={"game.cost": [10.0, 40.0]},
        folder=tmp_path,
    )
    data = study.run(tmp_path / "run").dataset().squeeze(drop=True)
    np.testing.assert_allclose(data.play.values.reshape(2, 2), [[45, 22.5], [30, 15]], rtol=1e-6)


def points_at(turn: np.ndarray) -> jax.Array:
    return jnp.asarray(np.stack([np.cos(turn), np.sin(turn)], axis=1))


class Circle(eqx.Module):
    """A custom space: every player chooses a point on the unit circle."""

    players: int = eqx.field(static=True, default=3)

    @property
    def shape(self) -> tuple[int, int]:
        return (self.players, 2)

    @property
    def mask(self) -> jax.Array:
        return jnp.ones(self.shape, dtype=bool)

    def project(self, x: jax.Array) -> jax.Array:
        return points_at(np.arctan2(x[:, 1], x[:, 0]))

    def sample(self, key: jax.Array) -> jax.Array:
        return points_at(float(jax.random.uniform(key)) + np.arange(self.players))

    def grid(self, player: int, points: int) -> jax.Array:
        return points_at(2 * np.pi * (np.arange(points) + player) / points)

    def check(self, x: object, name: str = "start") -> jax.Array:
        found = jnp.asarray(x, dtype=float)
        if not np.allclose(np.linalg.norm(found, axis=1), 1.0):
            raise ValueError(f"{name}: must be on the circle")
        return found


class Compass(eqx.Module):
    """Every player wants to point where the player before it points."""

    space: Circle

    def payoffs(self, x: jax.Array) -> jax.Array:
        return (x * jnp.roll(x, 1, axis=0)).sum(axis=1)


def test_players_of_a_custom_space_keep_it_where_others_are_frozen() -> None:
    whole = Circle()
    game = freeze(Compass(whole), {1: [0.0, 1.0]})
    own = game.space
    rows = np.array([0, 2])
    assert own.shape == own.mask.shape == (2, 2)
    np.testing.assert_array_equal(own.sample(KEY), whole.sample(KEY)[rows])
    np.testing.assert_array_equal(own.grid(1, 5), whole.grid(2, 5))
    x = jnp.array([[3.0, 4.0], [0.0, 2.0]])
    near = own.project(x)
    np.testing.assert_allclose(near, [[0.6, 0.8], [0.0, 1.0]], atol=1e-12)
    np.testing.assert_array_equal(own.check(near), near)
    np.testing.assert_allclose(game.payoffs(near), [0.8, 1.0])
    with pytest.raises(ValueError, match="start: must be on the circle"):
        own.check(x)
    with pytest.raises(ValueError, match=r"start: shape \(3, 2\) must be \(2, 2\)"):
        own.check(np.ones((3, 2)))


def test_a_hierarchy_needs_two_stages_and_names_them_from_the_first() -> None:
    game = duopoly(10.0, 10.0, 10.0, 10.0)
    with pytest.raises(ValueError, match="stages: 1 stage; must be at least 2"):
        hierarchy(game, [[0, 1, 2, 3]], Followers())
    led = hierarchy(game, [[2], [0], [1, 3]], Followers())
    assert oracles.move_order(led) == ((2,), (0,), (1, 3))
    assert oracles.base_game(led) is game
    assert (led.players, led.followers) == ((1,), (0,))


class Linear(eqx.Module):
    """Firms of one good at the price 20 less total output, at unlike costs; one response may be wrong."""

    costs: Any
    share: Any = 1.0  # of the best output that is registered as the best response
    space: rv.Box = rv.Box.interval(0.0, 20.0, players=3)

    def payoffs(self, x: Any) -> Any:
        return (x * (20.0 - x.sum() - self.costs[:, None]))[:, 0]


def test_followers_of_unlike_costs_come_to_rest() -> None:
    """With costs 1, 1 and 3 followers answer q by (21 - q)/3 and (15 - q)/3, so the leader takes 21/2."""
    led = stackelberg(Linear(jnp.array([1.0, 1.0, 3.0])), [0])
    solution = rv.solve(led, rv.methods.GradientAscent())
    np.testing.assert_allclose(np.ravel(solution.data.play), [10.5, 3.5, 1.5], rtol=1e-6)


def test_influencers_that_follow_have_mutual_best_responses() -> None:
    """Searched on 2,001 points of their own, no follower gains; one choice has one payoff everywhere."""
    game = rv.games.influencer(players=3, reach=0.2)
    led, points = stackelberg(game, [0]), np.linspace(0, 1, 2001)
    against = jax.jit(jax.vmap(lambda x: game.payoffs(x)))
    for place in np.linspace(0, 1, 41):
        x = np.array([[place]])
        play = np.asarray(led.measures(jnp.asarray(x))["play"][1])
        paid = np.asarray(game.payoffs(jnp.asarray(play)))
        np.testing.assert_allclose(payoffs(led, jnp.asarray(x)), paid[:1], rtol=1e-9)
        for follower in (1, 2):
            rows = np.tile(play, (len(points), 1, 1))
            rows[:, follower, 0] = points
            assert np.max(against(rows)[:, follower]) <= paid[follower] * (1 + 1e-9)


class Chase(eqx.Module):
    """The second player keeps away from the third, who comes as near as it can."""

    space: rv.Box = rv.Box.interval(-1.0, 2.0, players=3)

    def payoffs(self, x: Any) -> Any:
        gap = (x[1, 0] - x[2, 0]) ** 2
        return jnp.stack([x[0, 0] * x[1, 0], gap, -gap])


def test_an_error_names_the_choice_that_followers_do_not_answer() -> None:
    led = stackelberg(Chase(), [0])
    x = led.space.check([[0.5]])
    assert np.isnan(payoffs(led, x)).all()
    for compute in (led.measures, led.whole):
        with pytest.raises(ValueError, match=r"no mutual best responses .* where player 0 chooses \[0\.5\]"):
            compute(x)


def test_a_registered_response_that_steps_refute_is_no_answer() -> None:
    class Claimed(Linear):
        pass

    @oracles.best_response.register(Claimed)
    def _(game: Claimed, x: Any, player: Any) -> Any:
        rivals = x.sum() - x[player, 0]
        own = jnp.clip(game.share * (20.0 - game.costs[player] - rivals) / 2, 0.0, 20.0)[None]
        return own, game.payoffs(x.at[player].set(own))[player], "tight"

    costs, x = jnp.array([1.0, 1.0, 3.0]), jnp.array([[6.0]])
    right = stackelberg(Claimed(costs), [0]).whole(x)
    np.testing.assert_allclose(np.ravel(right), [6.0, 5.0, 3.0], rtol=1e-9)
    with pytest.raises(ValueError, match="no mutual best responses"):
        stackelberg(Claimed(costs, jnp.asarray(0.98)), [0]).whole(x)
