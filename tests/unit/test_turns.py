"""Alternating play with unequal numbers of moves: order, values, learning, native play."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.market.play import market_play
from rivalry.methods import Directional, RepeatedQLearning
from rivalry.methods.q_learning.seating import seating
from rivalry.runtime.jax import jax, jnp
from rivalry.tables.repeated import repeated_form
from rivalry.tables.response_gaps import observes_enough, response_values

CYCLE = [[0, 1], [1], [1]]  # firm 0 moves every third period, firm 1 in every one
PRICES = {"choice": "price", "demand": "differentiated", "intercept": 10.0, "unit_cost": [1.0, 2.0]}
LEVELS = [3.0, 4.5, 6.0]
GAMMA = 0.8


def duopoly(turns: Any = CYCLE, **more: Any) -> Any:
    return rv.games.market(**PRICES, timing="alternating", turns=turns, **more)


@pytest.mark.slow
def test_rounds_follow_the_turns() -> None:
    assert repeated_form(duopoly(), action_grid=LEVELS).tables.order.tolist() == [[0, 1], [1, -1], [1, -1]]
    assert repeated_form(duopoly(None), action_grid=LEVELS).tables.order.tolist() == [[0], [1]]
    assert "in turns [[0, 1], [1], [1]]" in repr(duopoly())
    assert seating(duopoly()).turns == ((0, 1), (1,), (1,))


@pytest.mark.slow
def test_values_of_policies_and_best_responses_are_those_of_a_chain_of_turns() -> None:
    """A state is the turn and the standing prices; values by iteration over states."""
    game = duopoly()
    tables = repeated_form(game, action_grid=LEVELS).tables
    policies = np.random.default_rng(4).integers(3, size=(5, 2, 9))
    pays = np.array(
        [[np.asarray(game.payoffs(jnp.array([[a], [b]]))) for b in LEVELS] for a in LEVELS]
    )  # [first second firm]
    for player in (0, 1):
        found = response_values(tables, policies, player, GAMMA)
        for session, policy in enumerate(policies):
            own, best = np.zeros((3, 3, 3)), np.zeros((3, 3, 3))
            for _ in range(300):
                before = own.copy(), best.copy()
                for turn, a, b in np.ndindex(3, 3, 3):
                    joint = [a, b]
                    for firm in CYCLE[turn]:
                        joint[firm] = int(policy[firm, 3 * a + b])
                    after = (turn + 1) % 3
                    own[turn, a, b] = pays[*joint, player] + GAMMA * before[0][after, *joint]
                    tried = []
                    for action in range(3) if player in CYCLE[turn] else [joint[player]]:
                        joint[player] = action
                        tried.append(pays[*joint, player] + GAMMA * before[1][after, *joint])
                    best[turn, a, b] = max(tried)
            np.testing.assert_allclose(found.own[session], own.ravel(), rtol=1e-9)
            np.testing.assert_allclose(found.best[session], best.ravel(), rtol=1e-9)
    # firm 1 moves in several periods of the cycle and does not observe which, firm 0 in one
    assert [observes_enough(tables, player) for player in (0, 1)] == [True, False]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:profit gain")  # of independent goods there is none
def test_learned_values_discount_the_periods_without_a_move() -> None:
    """Of independent goods a price earns its profit until the firm moves again, a third of the time."""
    game = duopoly(substitution=0.0)
    learner = RepeatedQLearning(
        sessions=1, memory=0, observation="none", action_grid=LEVELS, gamma=GAMMA, step_size=1.0,
        exploration=1.0, stopping={"max_periods": 6000, "stable_periods": 0}, store_values=True,
    )  # fmt: skip
    values = rv.solve(game, learner, seed=2).record["q_values"][1][0]
    pays = np.array([[float(game.payoffs(jnp.array([[p], [p]]))[firm]) for p in LEVELS] for firm in (0, 1)])
    waits = (3, 1)
    for firm, wait in enumerate(waits):
        held = sum(GAMMA**k for k in range(wait)) * pays[firm]
        np.testing.assert_allclose(
            values[firm].ravel()[:3], held + GAMMA**wait * held.max() / (1 - GAMMA**wait), rtol=1e-6
        )


@pytest.mark.slow
def test_native_play_moves_by_turns_and_shows_the_turn() -> None:
    play = market_play(duopoly(initial=[4.0, 4.0]))
    state, key = play.reset(jax.random.key(0)), jax.random.key(1)
    seen = []
    for turn in [*CYCLE, *CYCLE]:
        assert np.flatnonzero(play.active_players(state)).tolist() == turn
        seen.append(np.asarray(play.observe(state))[0, -3:].tolist())
        before = np.asarray(state.carried.choice)
        state, *_ = play.step(state, jnp.array([[5.0], [6.0]]) + len(seen), key)
        stays = [firm for firm in (0, 1) if firm not in turn]
        np.testing.assert_array_equal(np.asarray(state.carried.choice)[stays], before[stays])
    assert seen == np.eye(3).tolist() * 2
    assert play.observe(state).shape[1] == market_play(duopoly(None)).observe(state).shape[1] + 3


def test_adjusting_firms_decide_in_their_turns() -> None:
    assert Directional(periods=12)._groups(seating(duopoly())) == ([(0, 1), (1,), (1,)], True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"turns": CYCLE}, "turns: go with timing = 'alternating'; timing is 'simultaneous'"),
        ({"turns": [[0], [0]], "timing": "alternating"}, "turns: firm 1 never moves; every firm must"),
        ({"turns": [[0], [2]], "timing": "alternating"}, r"turns\[1\]: 2 must be a whole number in 0..1"),
        ({"turns": [[0, 1], []], "timing": "alternating"}, "turns: .* must be lists of firms"),
        ({"turns": [], "timing": "alternating"}, "turns: firm 0 never moves"),
    ],
    ids=["at once", "never", "unknown", "nobody", "empty"],
)
def test_wrong_turns_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.games.market(**PRICES, **options)
