"""Native play of markets: every period by hand, and as environments for external learners."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.oracles import to_markov
from rivalry.families.market.play import market_play, simulate
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.mostly_slow

WHOLE: dict[str, dict[str, Any]] = {
    "simultaneous": {"players": 3, "shock": {"kind": "ar1", "rho": 0.5, "sd": 3.0, "count": 3}},
    "staged": {"stages": [[1], [0, 2]], "cash": 300.0, "fixed_cost": 60.0},
    "alternating": {"timing": "alternating", "demand": "logit", "players": 2},
    "predetermined": {"adjustment": "predetermined", "adjustment_cost": 1.0, "initial": 20.0},
    "investing": {
        "capacity": 20.0,
        "capex": 3.0,
        "capex_convex": 0.1,
        "depreciation": 0.1,
        "reversible": True,
    },
    "sticky": {
        "sticky": 0.5,
        "adjustment": "spot",
        "adjustment_cost": 0.2,
        "growth": 0.02,
        "initial": [10.0, 20.0],
    },
}


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:Observation numpy array is all zeros")  # as when nothing is sold
@pytest.mark.filterwarnings("ignore:.*bservation space.*value is")  # of cash, which has no end
@pytest.mark.parametrize("name", list(WHOLE))
def test_environments_pass_conformance_tests(name: str) -> None:
    pytest.importorskip("pettingzoo")
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

    from rivalry.envs import GameEnv, PlayerEnv, TurnEnv

    game = rv.games.market(**WHOLE[name])
    parallel_api_test(GameEnv(game, periods=5), num_cycles=15)
    parallel_seed_test(lambda: GameEnv(game, periods=5), num_cycles=6)
    api_test(TurnEnv(game, periods=5), num_cycles=15)
    seed_test(lambda: TurnEnv(game, periods=5), num_cycles=6)
    middle = to_markov(game, 5).space
    check_env(PlayerEnv(game, 0, (middle.low + middle.high) / 2, periods=5), skip_render_check=True)


def flows(options: dict[str, Any], policy: Any, periods: int, **more: Any) -> Any:
    return simulate(rv.games.market(**options), policy, periods, **more)


@pytest.mark.nightly
def test_without_states_a_period_pays_the_static_payoffs() -> None:
    """Every period is the one-shot game, for all demands and choices."""
    for options, x in (
        ({"tax": 0.3, "convex_cost": 0.5, "fixed_cost": 5.0, "unit_cost": [10.0, 20.0]}, [[20.0], [35.0]]),
        ({"demand": "logit", "players": 3}, [[1.5], [1.6], [1.7]]),
        ({"demand": "differentiated", "choice": "price"}, [[4.0], [5.0]]),
        (
            {"demand": "isoelastic", "tax": 0.2, "tax_losses": "none", "unit_cost": [1.0, 4.0]},
            [[400.0], [600.0]],
        ),
        ({"choice": "price", "unit_cost": 5.0}, [[40.0], [40.0]]),
        ({"stages": [[1], [0]], "timing": "staged"}, [[20.0], [30.0]]),
    ):
        game = rv.games.market(**options)
        whole = getattr(game, "market", game)
        found = simulate(game, x, 2)
        for t in range(2):
            np.testing.assert_allclose(found.cash_flow[0, t], whole.payoffs(jnp.asarray(x)), rtol=1e-13)


def test_predetermined_output_by_hand() -> None:
    """Revenue is from the current output; a change is paid now and sold next period; bounds are enforced."""
    game = {
        "adjustment": "predetermined",
        "adjustment_cost": [2.0, 3.0],
        "initial": [10.0, 30.0],
        "tax": 0.25,
        "convex_cost": 0.1,
    }
    moves = np.array([[[5.0], [-10.0]], [[-40.0], [80.0]], [[1.0], [2.0]]])
    found, q = flows(game, moves, 3), np.array([10.0, 30.0])
    for t, u in enumerate(moves[:, :, 0]):
        following = np.clip(q + u, 0.0, 100.0)
        cost = 10 * q + 0.1 * q**2 / 2 + [2.0, 3.0] * (following - q) ** 2
        np.testing.assert_allclose(found.q[0, t], q)
        np.testing.assert_allclose(
            found.cash_flow[0, t], 0.75 * (max(100 - q.sum(), 0) * q - cost), rtol=1e-12
        )
        q = following


def test_spot_output_by_hand() -> None:
    game = {"adjustment": "spot", "adjustment_cost": 2.0, "initial": [10.0, 30.0]}
    path = np.array([[[15.0], [20.0]], [[15.0], [40.0]]])
    found, before = flows(game, path, 2), np.array([10.0, 30.0])
    for t, q in enumerate(path[:, :, 0]):
        wanted = (90 - q.sum()) * q - 2 * (q - before) ** 2
        np.testing.assert_allclose(found.cash_flow[0, t], wanted, rtol=1e-12)
        before = q


def test_capacity_by_hand() -> None:
    """``K' = (1 - dep) K + I``; sales are at most K; irreversible investment is not negative."""
    options = {"capacity": [20.0, 40.0], "capex": 3.0, "capex_convex": 0.5, "depreciation": 0.1, "tax": 0.2}
    path = np.array([[[30.0, 5.0], [30.0, 0.0]], [[60.0, 40.0], [10.0, 2.0]], [[60.0, 0.0], [60.0, 0.0]]])
    found, stock = flows(options, path, 3), np.array([20.0, 40.0])
    for t in range(3):
        q, spent = np.minimum(path[t, :, 0], stock), path[t, :, 1]
        wanted = 0.8 * (max(100 - q.sum(), 0) - 10) * q - 3 * spent - 0.5 * spent**2 / 2
        np.testing.assert_allclose(found.cash_flow[0, t], wanted, rtol=1e-12)
        stock = 0.9 * stock + spent
    sold = flows(options | {"reversible": True}, [[10.0, -90.0], [10.0, -1.0]], 2)
    np.testing.assert_allclose(sold.q[0], [[10, 10], [0, 10]])  # at most the whole stock
    np.testing.assert_allclose(sold.cash_flow[0, 0, 0], 0.8 * 70 * 10 + 3 * 18 - 0.5 * 18**2 / 2)


def test_a_sticky_price_by_hand() -> None:
    found = flows({"sticky": 0.6, "initial": [20.0, 30.0]}, [[10.0], [20.0]], 3)
    price = 50.0
    for t in range(3):
        price = 0.6 * price + 0.4 * 70
        np.testing.assert_allclose(found.p[0, t], price)
        np.testing.assert_allclose(found.profit[0, t], (price - 10) * np.array([10.0, 20.0]))


def test_growth_scales_profit_by_market_size() -> None:
    """With constant marginal cost profit grows at exactly g: the effective discount is gamma (1 + g)."""
    growing = {"growth": 0.03, "gamma": 0.9}
    found = flows(growing, [[30.0], [30.0]], 50)
    np.testing.assert_allclose(found.cash_flow[0, :, 0], 900 * 1.03 ** np.arange(50), rtol=1e-12)
    np.testing.assert_allclose(
        found.valuation.value[0, 0], 900 * sum(0.927**t for t in range(50)), rtol=1e-12
    )
    dear = flows(growing | {"fixed_cost": 100.0, "convex_cost": 1.0}, [[30.0], [30.0]], 3).cash_flow[0, 2, 0]
    size = 1.03**2  # fixed costs do not grow, and convex ones depend on total output
    np.testing.assert_allclose(dear, size * 900 - 100 - (30 * size) ** 2 / 2)
    turning = {
        "adjustment": "predetermined",
        "adjustment_cost": 1.0,
        "initial": 30.0,
        "growth": 0.03,
        "gamma": 0.9,
    }
    still = flows(
        turning, [[0.0], [0.0]], 3
    )  # a firm that does not adjust sells the same amount to more buyers
    np.testing.assert_allclose(still.q[0], 30.0)
    np.testing.assert_allclose(still.p[0, 2], 100 - 60 / 1.03**2)
    np.testing.assert_allclose(still.cash_flow, still.profit)
    spot = flows(turning | {"adjustment": "spot"}, [[30.0], [30.0]], 2)
    np.testing.assert_allclose(spot.cash_flow[0, 1] - spot.profit[0, 1], -((30 * 0.03) ** 2), rtol=1e-9)


@pytest.mark.parametrize("choice", ["quantity", "price"])
def test_a_firm_without_cash_exits_permanently(choice: str) -> None:
    """Its last cash flow is the one that made it insolvent; then the others share the market."""
    options = {
        "demand": "differentiated",
        "choice": choice,
        "cash": [20.0, 3.0, 50.0],
        "cash_min": [0.0, 1.0, 0.0],
    }
    x = [[3.0], [3.5], [4.0]]
    market = rv.games.market(
        **options, unit_cost=[1.0, 1.0, 1.0], fixed_cost=[0.0, 14.0, 0.0], substitution=0.3
    )
    found = simulate(market, x, 4)
    first = np.asarray(market.payoffs(jnp.asarray(x)))
    assert first[1] < -2
    np.testing.assert_allclose(found.cash_flow[0, 0], first)
    assert np.all(found.cash_flow[0, 1:, 1] == 0)
    assert np.all(found.q[0, 1:, 1] == 0)
    pair = rv.games.market(demand="differentiated", choice=choice, unit_cost=[1.0, 1.0], substitution=0.3)
    alone = np.asarray(pair.payoffs(jnp.asarray([x[0], x[2]])))
    np.testing.assert_allclose(found.cash_flow[0, 2, [0, 2]], alone, rtol=1e-12)


def test_play_ends_with_the_last_firm_and_is_truncated_at_the_horizon() -> None:
    game = to_markov(rv.games.market(cash=[0.0, 500.0], fixed_cost=[1000.0, 1300.0]), 3)
    state, key, ends = game.reset(jax.random.key(0)), jax.random.key(1), []
    for _ in range(3):
        state, paid, ended, cut = game.step(state, jnp.full((2, 1), 30.0), key)
        ends.append((paid.tolist(), oracles.present_players(game, state).tolist(), bool(ended), bool(cut)))
    assert ends[0] == ([-100.0, -400.0], [False, True], False, False)
    assert ends[1] == ([0.0, 500.0], [False, True], False, False)  # 60 x 30 - 1300, alone
    assert ends[2] == ([0.0, 500.0], [False, True], False, True)
    short = to_markov(rv.games.market(cash=0.0, fixed_cost=1000.0), 1)
    _, _, ended, cut = short.step(short.reset(key), jnp.full((2, 1), 30.0), key)
    assert (bool(ended), bool(cut)) == (True, False)


def test_later_stages_observe_earlier_ones_and_payoffs_follow_the_last() -> None:
    game = to_markov(rv.games.market(stages=[[1], [0, 2]]), 2)
    key = jax.random.key(0)
    state = game.reset(key)
    assert game.active_players(state).tolist() == [False, True, False]
    assert game.observe(state)[:, 3:].tolist() == [[0.0] * 6] * 3
    state, paid, *_ = game.step(state, jnp.array([[11.0], [22.0], [33.0]]), key)
    assert paid.tolist() == [0.0, 0.0, 0.0]
    assert game.active_players(state).tolist() == [True, False, True]
    assert game.observe(state)[0, 3:].tolist() == [0.0, 22.0, 0.0, 0.0, 1.0, 0.0]
    state, paid, _, cut = game.step(state, jnp.array([[20.0], [99.0], [18.0]]), key)
    assert paid.tolist() == [600.0, 660.0, 540.0]
    assert not bool(cut)
    assert game.observe(state)[0].tolist() == [20.0, 22.0, 18.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_best_responding_follower_gives_the_stackelberg_outcome() -> None:
    def policy(seen: Any, key: Any) -> Any:
        follower = (90.0 - seen[1, 2]) / 2  # the best response to the observed output of the leader
        return jnp.stack([jnp.asarray(45.0), follower])[:, None]

    found = flows({"stages": [[0], [1]]}, policy, 3, observation="last_p")
    np.testing.assert_allclose(found.q[0], [[45.0, 22.5]] * 3)
    np.testing.assert_allclose(found.cash_flow[0], [[1012.5, 506.25]] * 3)


def test_with_alternating_moves_the_rivals_choice_is_fixed() -> None:
    x = np.arange(8.0).reshape(4, 2, 1) + 10
    found = flows({"timing": "alternating", "initial": [20.0, 30.0]}, x, 4)
    assert found.q[0].tolist() == [[10.0, 30.0], [10.0, 13.0], [14.0, 13.0], [14.0, 17.0]]
    np.testing.assert_allclose(found.cash_flow[0, 1], [(90 - 23) * 10, (90 - 23) * 13])


def test_shocks_have_the_frequencies_of_their_markov_chain() -> None:
    """Frequencies of levels and transitions over 400 runs; the price reveals the level."""
    chain = [[0.9, 0.1], [0.3, 0.7]]
    shock = {"kind": "markov", "levels": [-10.0, 10.0], "transitions": chain}
    found = flows({"shock": shock}, [[20.0], [20.0]], 60, runs=400, seed=3)
    level = (found.p[:, :, 0] > 60).astype(int)
    assert set(np.unique(found.p)) == {50.0, 70.0}
    assert abs(level.mean() - 0.25) < 0.02
    for before in (0, 1):
        later = level[:, 1:][level[:, :-1] == before].mean()
        assert abs(later - chain[before][1]) < 0.015
    assert np.array_equal(found.p, flows({"shock": shock}, [[20.0], [20.0]], 60, runs=400, seed=3).p)


def test_observations_of_firms() -> None:
    key = jax.random.key(0)
    levels = {"kind": "iid", "levels": [5.0]}
    options = {"shock": levels, "shock_observed": True, "sticky": 0.5, "cash": [7.0, 8.0], "growth": 0.1}
    market = rv.games.market(**options, capacity=50.0, capex=1.0, initial=[20.0, 30.0], gamma=0.5).market
    seen = {}
    for word in ("none", "last_q", "last_p", "own_q_price", "price"):
        game = market_play(market, 5, word)
        seen[word] = game.observe(game.reset(key)).tolist()
    states = [[5.0, 50.0, 1.0, 1.0, own, 50.0, 1.0] for own in (7.0, 8.0)]
    assert seen["none"] == states
    assert seen["last_q"] == [[20.0, 30.0, *row] for row in states]
    assert seen["last_p"] == [[50.0, 50.0, *row] for row in states]
    assert seen["price"] == [[50.0, *row] for row in states]
    assert seen["own_q_price"] == [[20.0, 50.0, *states[0]], [30.0, 50.0, *states[1]]]
    blind = market_play(rv.games.market(), None, "none")
    assert blind.observe(blind.reset(key)).tolist() == [[0.0], [0.0]]
    standing = market_play(rv.games.market(timing="alternating", initial=[20.0, 30.0]), None, "none")
    assert standing.observe(standing.reset(key)).tolist() == [[20.0, 30.0]] * 2


def test_valuation_uses_the_discount_factor_of_each_firm() -> None:
    options = {"gamma": [0.9, 0.5], "convention": "end", "terminal": "gordon", "terminal_growth": 0.02}
    found = flows(options | {"horizon": 3}, [[30.0], [30.0]], 3).valuation
    for firm, gamma in enumerate((0.9, 0.5)):
        r = 1 / gamma - 1
        ends = 900 * 1.02 / (r - 0.02) * gamma**3
        np.testing.assert_allclose(found.value[0, firm], 900 * sum(gamma ** (t + 1) for t in range(3)) + ends)
        np.testing.assert_allclose(found.terminal_share[0, firm], ends / found.value[0, firm])


def test_agents_act_one_at_a_time() -> None:
    """The follower observes the leader's choice of the period; both are paid after its choice."""
    pytest.importorskip("pettingzoo")
    from rivalry.envs import TurnEnv

    env = TurnEnv(rv.games.market(stages=[[1], [0]]), periods=2)
    env.reset(seed=0)
    turns = []
    for agent in env.agent_iter():
        seen, paid, over, cut, _ = env.last()
        turns.append((agent, seen[2:4].tolist(), paid, over, cut))
        chosen = 45.0 if agent == "player_1" else (90.0 - seen[3]) / 2
        env.step(None if over or cut else np.array([chosen / 50 - 1]))
    assert [agent for agent, *_ in turns] == ["player_1", "player_0"] * 2 + ["player_0", "player_1"]
    assert turns[1] == ("player_0", [0.0, 45.0], 0.0, False, False)
    assert turns[2] == ("player_1", [0.0, 0.0], 1012.5, False, False)
    assert [paid for *_, paid, _, _ in turns[4:]] == pytest.approx([506.25, 1012.5], rel=1e-12)
    assert [ends for *_, ends in turns] == [False] * 4 + [True] * 2


def test_insolvent_agents_are_terminated_alone() -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import GameEnv, TurnEnv

    game = rv.games.market(
        players=3, timing="alternating", cash=[50.0, 0.0, 50.0], fixed_cost=[0.0, 900.0, 0.0], initial=20.0
    )
    env = GameEnv(game, periods=4)
    env.reset(seed=0)
    _, paid, over, cut, _ = env.step(dict.fromkeys(env.agents, np.array([-0.6])))  # all at 20
    assert paid == {"player_0": 600.0, "player_1": -300.0, "player_2": 600.0}
    assert over == {"player_0": False, "player_1": True, "player_2": False}
    assert env.agents == ["player_0", "player_2"]
    for last in (False, False, True):
        _, paid, over, cut, _ = env.step(dict.fromkeys(env.agents, np.array([-0.6])))
        assert paid == {"player_0": 1000.0, "player_2": 1000.0}
        assert not any(over.values())
        assert all(cut.values()) == last
    assert env.agents == []
    turns, order = TurnEnv(game, periods=4), []
    turns.reset(seed=0)
    for agent in turns.agent_iter():
        _, paid, over, cut, _ = turns.last()
        order.append((agent, paid, over, cut))
        turns.step(None if over or cut else np.array([-0.6]))
    assert order == [
        ("player_0", 0.0, False, False),
        ("player_1", -300.0, True, False),  # the turn of a terminated agent is skipped
        ("player_2", 1600.0, False, False),
        ("player_0", 2600.0, False, False),
        ("player_0", 1000.0, False, True),
        ("player_2", 2000.0, False, True),
    ]


@pytest.mark.parametrize("action", [np.nan, 1.01, -2.0])
def test_wrong_continuous_actions_are_refused(action: float) -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import GameEnv, PlayerEnv, TurnEnv

    game, bad, said = (
        rv.games.market(),
        np.array([action]),
        r"action of player_1: \[.*must be in the box \[-1, 1\]",
    )
    env = GameEnv(game)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=said):
        env.step({"player_0": np.zeros(1), "player_1": bad})
    turns = TurnEnv(game)
    turns.reset(seed=0)
    turns.step(np.ones(1))
    with pytest.raises(ValueError, match=said):
        turns.step(bad)
    one = PlayerEnv(game, 1, [[30.0], [30.0]])
    one.reset(seed=0)
    with pytest.raises(ValueError, match=said):
        one.step(bad)
    one.step(np.ones(1) + 1e-8)  # rounding errors are tolerated


@pytest.mark.parametrize("action", [2, -1, 0.5])
def test_wrong_discrete_actions_are_refused(action: float) -> None:
    pytest.importorskip("pettingzoo")
    from rivalry.envs import GameEnv

    env = GameEnv(rv.games.matrix("chicken"))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action of player_1: .* must be a whole number in 0\.\.1"):
        env.step({"player_0": 0, "player_1": action})


@pytest.mark.default
def test_wrong_input() -> None:
    game = rv.games.market(demand="differentiated")
    with pytest.raises(ValueError, match="observation: 'price' is that of one good"):
        market_play(game, 3, "price")
    with pytest.raises(ValueError, match="observation: 'plans' is unknown"):
        market_play(game, 3, "plans")
    with pytest.raises(ValueError, match="periods: 0 must be"):
        market_play(game, 0)
    with pytest.raises(ValueError, match="runs: 0 must be"):
        simulate(game, [[1.0], [1.0]], 3, runs=0)
    with pytest.raises(ValueError, match="policy"):
        simulate(game, [[1.0], [99.0]], 3)
    with pytest.raises(ValueError, match="policy, period 1"):
        simulate(game, [[[1.0], [1.0]], [[1.0], [-1.0]]], 2)
    with pytest.raises(ValueError, match=r"shape \(1, 2, 1\) must be"):
        simulate(game, [[[1.0], [1.0]]], 2)
