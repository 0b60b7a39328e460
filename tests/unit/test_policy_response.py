"""Best responses to fixed policies: enumeration of policies and linear systems for their values."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from rivalry.core.array_games import FiniteGame
from rivalry.families.matrix import matrix
from rivalry.tables import (
    best_response,
    choices,
    in_turn,
    mix_exploration,
    policy_regrets,
    response_gaps,
    response_values,
    states,
    tabulate,
)
from rivalry.tables.repeated import repeated_form
from tests.contests import every, shared


def drawn_game(*, walk: bool, observation: str, natures: int = 1, seed: int = 0) -> FiniteGame:
    """Return tables of two players with two or three grid points and random payoffs; nature may move."""
    draw = np.random.default_rng(seed)
    sizes = [2, 2] if walk else [2, 3]
    game = matrix(payoffs=draw.normal(size=(2, *sizes)).tolist())
    tables = tabulate(game, observation=observation).tables
    joints = int(np.prod(sizes))
    if walk:
        tables = tables._replace(action_map=np.array([[[0, 0, 1], [0, 1, 1]]] * 2))
    if natures > 1:
        odds = draw.random((natures, joints, natures))
        nature = np.array([[[2, 0]]] * 2)  # each player also observes nature
        tables = tables._replace(
            payoff=draw.normal(size=(natures, 2, joints)),
            next_nature=np.broadcast_to(np.arange(natures), (natures, joints, natures)).copy(),
            nature_cdf=np.cumsum(odds / odds.sum(axis=2, keepdims=True), axis=2),
            observation_slots=np.concatenate([nature, tables.observation_slots], axis=1),
        )
    return tables


def written_out(
    tables: FiniteGame, chances: np.ndarray, player: int, discount: float, paid: str, own: Any
) -> np.ndarray:
    """Return values ``[round state]`` of following ``own[round, state]`` (None: the player's own policy)."""
    sizes, natures, rounds = tables.sizes.tolist(), len(tables.payoff), len(tables.order)
    all_actions = every(sizes)
    states = list(product(range(natures), all_actions))
    count = len(states)
    system, right = np.eye(rounds * count), np.zeros(rounds * count)
    for round_, (number, (nature, stands)) in product(range(rounds), enumerate(states)):
        movers = [who for who in tables.order[round_].tolist() if who >= 0]
        pays = paid == "round" or player in movers
        options = []
        for who in range(len(sizes)):
            if who not in movers:
                options.append([(stands[who], 1.0)])
                continue
            seen = 0
            for other, _ in tables.observation_slots[who].tolist():
                size, now = (natures, nature) if other == len(sizes) else (sizes[other], stands[other])
                seen = seen * size + now
            row = chances[who, seen]
            if who == player and own is not None:
                row = np.eye(len(row))[own[round_, number]]
            lead = [
                int(tables.action_map[who, stands[who], m]) if tables.action_map.size else m
                for m in range(len(row))
            ]
            options.append([(lead[m], row[m]) for m in range(len(row)) if row[m] > 0])
        for choice in product(*options):
            chance = np.prod([p for _, p in choice])
            joint = all_actions.index(tuple(action for action, _ in choice))
            here = round_ * count + number
            right[here] += chance * pays * tables.payoff[nature, player, joint]
            line = tables.nature_cdf[nature, joint if tables.nature_cdf.shape[1] > 1 else 0]
            for branch, odds in enumerate(np.diff(line, prepend=0.0)):
                to = tables.next_nature[nature, joint if tables.next_nature.shape[1] > 1 else 0, branch]
                there = (round_ + 1) % rounds * count + to * len(all_actions) + joint
                system[here, there] -= (discount if pays else 1.0) * chance * odds
    return np.linalg.solve(system, right).reshape(rounds, count)


CASES = [
    {"walk": True, "observation": "joint"},
    {"walk": True, "observation": "own"},
    {"walk": False, "observation": "joint"},
    {"walk": False, "observation": "own", "natures": 2},
]


@pytest.mark.representative
@pytest.mark.parametrize("case", CASES, ids=["walk joint", "walk own", "choose joint", "nature"])
@pytest.mark.parametrize("player", [0, 1])
def test_no_policy_exceeds_the_best_response(case: dict[str, Any], player: int) -> None:
    tables = drawn_game(**case)
    draw = np.random.default_rng(1)
    needed, most = states(tables), choices(tables)
    chances = np.zeros((2, needed.max(), most.max()))
    for who in range(2):
        chances[who, : needed[who], : most[who]] = draw.dirichlet(np.ones(most[who]), needed[who])
    found = best_response(tables, chances, player, 0.8)
    own = written_out(tables, chances, player, 0.8, "round", None)
    np.testing.assert_allclose(found.own, own, rtol=1e-11, atol=1e-11)
    count = found.value.shape[1]
    some = product(range(most[player]), repeat=count)
    if most[player] ** count > 500:  # too many to enumerate: a random sample
        some = iter(draw.integers(0, most[player], size=(300, count)).tolist())
    best = np.full(count, -np.inf)
    for policy in some:
        value = written_out(tables, chances, player, 0.8, "round", np.array([policy]))
        best = np.maximum(best, value[0])
        assert np.all(value <= found.value + 1e-9)
    if most[player] ** count <= 500:
        np.testing.assert_allclose(found.value[0], best, rtol=1e-10, atol=1e-10)
    itself = written_out(tables, chances, player, 0.8, "round", found.policy)
    np.testing.assert_allclose(found.value, itself, rtol=1e-10, atol=1e-10)
    assert np.all(found.regret >= 0)
    assert np.all(found.value >= found.own - 1e-12)


@pytest.mark.parametrize("paid", ["round", "move"])
def test_best_responses_in_alternating_play(paid: str) -> None:
    made = in_turn(tabulate(matrix("chicken"), observation="joint"))
    chances = mix_exploration(made.tables, [[0, 1, 1, 0], [1, 0, 0, 1]], 0.3)
    found = best_response(made, chances, 1, 0.7, paid=paid)
    best = np.full((2, 4), -np.inf)
    for policy in product(range(2), repeat=4):  # the player moves in round 1 only
        own = np.array([[0] * 4, policy])
        best = np.maximum(best, written_out(made.tables, chances, 1, 0.7, paid, own))
    np.testing.assert_allclose(found.value, best, rtol=1e-10)
    own_value = written_out(made.tables, chances, 1, 0.7, paid, None)
    np.testing.assert_allclose(found.own, own_value, rtol=1e-10)


@pytest.mark.slow
def test_iteration_over_many_states_matches_the_direct_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tabulate(shared(players=3), 4)
    policies = np.random.default_rng(2).integers(0, 3, size=(3, 4))
    solved = best_response(made, policies, 1, 0.9, epsilon=0.2)
    monkeypatch.setattr(response_gaps, "MOST_SOLVED", 0)
    swept = best_response(made, policies, 1, 0.9, epsilon=0.2)
    np.testing.assert_allclose(swept.value, solved.value, rtol=1e-12)
    np.testing.assert_allclose(swept.own, solved.own, rtol=1e-12)
    assert np.array_equal(swept.policy, solved.policy)
    assert solved.coverage == "upper bound"


def chain_values(payoff: np.ndarray, rows: np.ndarray, discount: float) -> np.ndarray:
    """Values ``[.. state player]`` of two players that remember two rounds of a 2 x 2 game.

    ``rows [.. state joint]`` are the probabilities of joint actions after the four remembered ones, the
    oldest first; ``payoff [joint player]``.
    """
    chain = np.zeros((*rows.shape[:-1], 16))
    for state in range(16):
        for joint in range(4):
            chain[..., state, state % 4 * 4 + joint] = rows[..., state, joint]
    return np.asarray(np.linalg.solve(np.eye(16) - discount * chain, rows @ payoff))


@pytest.mark.slow
@pytest.mark.parametrize("player", [0, 1])
@pytest.mark.parametrize("seed", [0, 1])
def test_mixed_policies_that_remember_two_rounds(player: int, seed: int) -> None:
    """Against the Markov chain of play, and all policies of the player that responds."""
    draw = np.random.default_rng(seed)
    table, chances = draw.normal(size=(2, 2, 2)), draw.dirichlet(np.ones(2), (2, 16))
    chances[1, ::3] = [0.0, 1.0]  # some actions are certain
    payoff = table.reshape(2, 4).T
    tables = repeated_form(matrix(payoffs=table.tolist()), memory=2).tables
    found = response_values(tables, chances[None], player, 0.8)
    both = (chances[0][:, :, None] * chances[1][:, None]).reshape(16, 4)
    np.testing.assert_allclose(found.own[0], chain_values(payoff, both, 0.8)[:, player], atol=1e-12)
    policies = np.array(list(product(range(2), repeat=16)))
    pure = np.eye(2)[policies]
    shapes = [pure, np.broadcast_to(chances[1 - player], pure.shape)]
    first, second = shapes if player == 0 else shapes[::-1]
    rows = (first[..., :, None] * second[..., None, :]).reshape(-1, 16, 4)
    values = chain_values(payoff, rows, 0.8)[..., player]
    np.testing.assert_allclose(found.best[0], values.max(axis=0), atol=1e-12)
    chosen = np.flatnonzero((policies == found.action[0]).all(axis=1))
    np.testing.assert_allclose(values[chosen[0]], found.best[0], atol=1e-12)
    whole = best_response(tables, chances, player, 0.8)
    np.testing.assert_allclose(whole.regret[0], found.best[0] - found.own[0], atol=1e-12)
    assert whole.coverage == "tight"


def test_zero_discount_gives_the_myopic_best_response() -> None:
    """With discount factor 0 the best response maximizes the payoff against the others' next actions."""
    table = np.random.default_rng(4).normal(size=(2, 3, 4))
    policies = np.random.default_rng(5).integers(0, 3, size=(2, 12))
    found = best_response(tabulate(matrix(payoffs=table.tolist()), observation="joint"), policies, 0, 0.0)
    np.testing.assert_allclose(found.value[0], table[0][:, policies[1]].max(axis=0))
    assert np.array_equal(found.policy[0], table[0][:, policies[1]].argmax(axis=0))
    assert found.coverage == "tight"


def test_constant_equilibrium_play_has_zero_regret() -> None:
    made = tabulate(matrix("stag_hunt"))
    for action in (0, 1):
        for player in (0, 1):
            assert best_response(made, [[action] * 2] * 2, player, 0.95).regret.max() == 0
    assert best_response(made, [[0] * 2, [1] * 2], 0, 0.5).regret.max() == pytest.approx(6.0)


@pytest.mark.slow
def test_policy_regrets_match_single_best_responses() -> None:
    made = tabulate(shared(players=2), 3)
    policies = np.random.default_rng(2).integers(0, 3, size=(2, 3))
    found = policy_regrets(made, policies, [0.5, 0.9], epsilon=[0.0, 0.4])
    chances = mix_exploration(made.tables, policies)
    chances[1] = 0.6 * chances[1] + 0.4 / 3
    for player, discount in enumerate([0.5, 0.9]):
        np.testing.assert_allclose(
            found[player], best_response(made, chances, player, discount).regret, atol=1e-12
        )
    assert found.max() > 0.0


def test_exploration_is_mixed_into_policies() -> None:
    tables = tabulate(matrix(payoffs=np.zeros((2, 2, 3)).tolist())).tables
    found = mix_exploration(tables, [[0, 1, 0], [2, 0, 1]], 0.3)
    np.testing.assert_allclose(found[0, :2], [[0.85, 0.15, 0], [0.15, 0.85, 0]])
    np.testing.assert_allclose(found[1, 0], [0.1, 0.1, 0.8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"player": 2}, r"player: 2 must be a whole number in 0..1"),
        ({"discount": 1.0}, r"discount: 1.0 must be in \[0, 1\)"),
        ({"epsilon": 1.5}, r"epsilon: 1.5 must be in \[0, 1\]"),
        ({"paid": "never"}, "paid: 'never' is unknown"),
        ({"policies": np.zeros((2, 2, 3))}, r"policies: shape \(2, 2, 3\) must be \(2, 2, 2\)"),
        (
            {"policies": np.full((2, 2, 2), 0.4)},
            "policies: probabilities of player 0 must be at least 0 and sum to 1",
        ),
    ],
)
def test_invalid_input_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"policies": [[0, 0]] * 2, "player": 0, "discount": 0.5} | change
    with pytest.raises(ValueError, match=message):
        best_response(tabulate(matrix("chicken")), **given)


def test_unsupported_games_are_refused() -> None:
    made = tabulate(matrix("chicken"))
    looks = made.tables._replace(observation_slots=np.array([[[0, 1]], [[0, 0]]]))
    with pytest.raises(ValueError, match="must be 0 or 1 where a player observes an action of the current"):
        best_response(looks, np.full((2, 2, 2), 0.5), 0, 0.5)
    with pytest.warns(UserWarning, match="summed"):
        summed = tabulate(shared(players=2), 3, max_table_bytes=1)
    with pytest.raises(ValueError, match="game: has no joint table"):
        best_response(summed, [[0] * 3] * 2, 0, 0.5)
