"""Ranges of observations: play stays within them, and they have the units of the game."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rivalry as rv
from rivalry.envs import parallel_env
from rivalry.families.market.play import market_play
from tests.unit.env_families import FAMILIES, KARMA, idle

pytestmark = pytest.mark.slow

SHOCK = {"kind": "markov", "levels": [-9.0, 20.0], "transitions": [[0.5, 0.5], [0.5, 0.5]]}
INVEST = {"capex": 1.0, "capacity": 20.0, "depreciation": 0.1}
market = partial(partial, rv.games.market)
MARKETS: dict[str, Callable[[], Any]] = {
    "sticky price": lambda: market_play(
        market(sticky=0.5, shock=SHOCK, shock_observed=True)().market, 30, "price"
    ),
    "isoelastic": lambda: market_play(market(demand="isoelastic")(), 30, "own_q_price"),
    "one good in prices": market(choice="price", shock=SHOCK),
    "rationing": market(choice="price", capacity=20.0, rationing="efficient"),
    "differentiated prices": market(choice="price", demand="differentiated"),
    "logit in prices": market(demand="logit", capacity=0.2, growth=0.04),
    "growth": market(growth=0.04, **INVEST),
    "shrinking": market(growth=-0.02, reversible=True, **INVEST),
    "predetermined": market(adjustment="predetermined", adjustment_cost=1.0),
    "in turn": market(timing="alternating", turns=[[0], [1], [0]]),
    "formulas": market(demand={"price": ["10 - q0 - q1 / 2", "10 - q1 - q0 / 2"]}, high=8.0),
    "price of all": lambda: market_play(
        market(demand="120 * exp(-Q / 40)", high=90.0, sticky=0.5, shock=SHOCK)(), 30, "price"
    ),
    "goods": lambda: market_play(
        market(demand={"price": ["9 - q0 - q1 / 2", "9 - q1 + q0 / 9"]}, high=8.0, cash=9.0)(), 30, "last_p"
    ),
    "quantities": market(
        demand={"quantity": ["9 - 2 * p0 + p1", "exp(2 - p1) / (1 + exp(2 - p1))"]}, high=4.0, shock=SHOCK
    ),
    "cash": market(cash=5.0),
    "cash and prices": market(cash=5.0, choice="price", demand="differentiated"),
}
UNBOUNDED = {"cash": [4], "goods": [4], "cash and prices": [0, 1, 4]}  # features


@pytest.mark.parametrize("name", [*(name for name in FAMILIES if name not in KARMA), *MARKETS])
def test_observations_stay_within_their_ranges_which_are_finite(name: str) -> None:
    """Before observations are clipped, under random actions and under extreme ones."""
    env = parallel_env((FAMILIES | MARKETS)[name](), periods=30)
    boxes = [env.observation_space(agent) for agent in env.possible_agents]
    low, high = (np.stack([getattr(box, end) for box in boxes]) for end in ("low", "high"))
    unbounded = np.isin(np.arange(low.shape[1]), UNBOUNDED.get(name, []))
    np.testing.assert_array_equal(np.isinf(high), np.broadcast_to(unbounded, high.shape))
    assert (low < high).all()
    slack = 1e-9 * np.where(unbounded, 1.0, high - low)
    for seed, extreme in ((0, False), (1, True), (2, True)):
        env.reset(seed=seed)
        draws = np.random.default_rng(seed)
        for k, agent in enumerate(env.possible_agents):
            env.action_space(agent).seed(seed + k)
        while env.agents:
            actions = {agent: env.action_space(agent).sample() for agent in env.agents}
            for agent, action in actions.items() if extreme else ():
                box = env.action_space(agent)
                if isinstance(box, gymnasium.spaces.Box):
                    actions[agent] = np.where(draws.random(action.shape) < 0.5, box.low, box.high)
            seen, *_ = env.step(actions)
            raw = np.asarray(env.course.game.observe(env.now))
            assert ((raw >= low - slack) & (raw <= high + slack)).all()
            assert all(env.observation_space(agent).contains(row) for agent, row in seen.items())


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_ranges_have_the_units_of_the_game(factor: float) -> None:
    """Units of outputs scale the ranges of observed outputs, units of payoffs do not."""
    plain, outputs, payoffs = (
        parallel_env(rv.games.market(intercept=100.0 * money, slope=money / size, unit_cost=10.0 * money))
        for size, money in ((1.0, 1.0), (factor, 1.0), (1.0, factor))
    )
    agent = plain.possible_agents[0]
    for env, times in ((outputs, factor), (payoffs, 1.0)):
        assert np.allclose(env.observation_space(agent).high, times * plain.observation_space(agent).high)


def test_nothing_is_known_of_a_game_that_states_no_ranges() -> None:
    class Counting:
        space = rv.Box.interval(0.0, 1.0, players=2)

        def reset(self, key: Any) -> Any:
            return np.zeros(())

        def step(self, state: Any, x: Any, key: Any) -> Any:
            return state + 1e15, x[:, 0], False, False

        def observe(self, state: Any) -> Any:
            return state * np.ones((2, 1))

    env = parallel_env(Counting(), periods=3)
    env.reset(seed=0)
    seen, *_ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert seen["player_0"].tolist() == [1e15]
    assert env.observation_space("player_0") == gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)


@pytest.mark.slow
def test_vehicles_that_are_players_are_agents() -> None:
    """Three vehicles on the roads of Pigou: the second link costs as many as use it."""
    env = parallel_env(rv.games.routes("pigou", demand={"s>t": 3}, atomic=True))
    env.reset(seed=0)
    rewards = [env.step(dict.fromkeys(env.agents, action))[1] for action in (0, 1)]
    assert sorted(list(reward.values()) for reward in rewards) == [[-3.0] * 3, [-1.0] * 3]


@pytest.mark.parametrize("name", rv.games.GAMES)
def test_registered_names_are_the_families_that_are_environments(name: str) -> None:
    registered = f"rivalry/{name}-v0" in gymnasium.registry
    assert registered == (name in FAMILIES)
    if not registered:
        with pytest.raises(ValueError, match="has neither payoffs nor steps; its travellers are a continuum"):
            parallel_env(getattr(rv.games, name)())
        return
    with pytest.raises(ValueError, match=r"^others: is missing; PlayerEnv needs it$"):
        gymnasium.make(f"rivalry/{name}-v0")
    game = FAMILIES[name]()
    env = gymnasium.make(f"rivalry/{name}-v0", game=game, others=idle(game), periods=4, illegal="clip")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(not in float32|is all zeros|Casting)")
        check_env(env.unwrapped, skip_render_check=True)
