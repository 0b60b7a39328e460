"""Best responses of players with memory against value iteration, all policies, and closed forms."""

from typing import Any

import numpy as np
import pytest

from rivalry.tables import best_response
from rivalry.tables.history import limit_cycles, whole_states
from rivalry.tables.response_gaps import gaps, observes_enough, response_values
from tests.histories import GAMES, chances, drawn_policies, every_policy, value_iteration
from tests.unit.test_history import dilemma

GAMMA = 0.9
EACH = [(name, player) for name, tables in GAMES.items() for player in range(len(tables.sizes))]


def followed(pays: Any, leads: Any, gamma: float, actions: np.ndarray) -> np.ndarray:
    """The value of always playing ``actions [state]``, from a linear system."""
    rows = np.arange(len(pays))
    paid = np.array([pays[k][actions[k]] for k in rows])
    chain = np.array([leads[k][actions[k]] for k in rows])
    return np.asarray(np.linalg.solve(np.eye(len(rows)) - gamma * chain, paid))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "player"), EACH)
def test_best_responses_match_value_iteration(name: str, player: int) -> None:
    tables, draw = GAMES[name], np.random.default_rng(6)
    whole, policies = whole_states(tables), drawn_policies(GAMES[name], 2, draw)
    found = response_values(tables, policies, player, GAMMA)
    for session in range(2):
        pays, leads = chances(tables, whole, policies[session], player)
        best = value_iteration(pays, leads, GAMMA)
        np.testing.assert_allclose(found.best[session], best, atol=1e-10)
        np.testing.assert_allclose(followed(pays, leads, GAMMA, found.action[session]), best, atol=1e-10)
        alone = chances(tables, whole, policies[session], player, free=False)
        own = followed(*alone, GAMMA, np.zeros(whole.size, dtype=int))
        np.testing.assert_allclose(found.own[session], own, atol=1e-10)
        once = [
            max(p + GAMMA * c @ own for p, c in zip(*row, strict=True))
            for row in zip(pays, leads, strict=True)
        ]
        np.testing.assert_allclose(found.once[session], once, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "enough"),
    {
        "both see all": [True, True],
        "three see different things": [False, False, False],
        "in turn": [True, True],  # the own current action is about to be replaced
        "in stages": [True, True],
        "stages and turns": [False, False, False],
        "nature follows": [False, False],
        "signals": [False, False],
        "chance": [False, False],
    }.items(),
)
def test_sees_enough_by_observation_structure(name: str, enough: list[bool]) -> None:
    tables = GAMES[name]
    assert [observes_enough(tables, who) for who in range(len(tables.sizes))] == enough


def test_a_player_that_moves_twice_does_not_observe_the_round() -> None:
    both = np.array([[[0, 1], [1, 1]]] * 2)
    twice = GAMES["in turn"]._replace(order=np.array([[0, -1], [1, 0]]), observation_slots=both)
    assert [observes_enough(twice, who) for who in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("name", "player"), [("both see all", 0), ("in turn", 1), ("in turn", 0), ("stages and turns", 2)]
)
def test_no_policy_exceeds_the_best_response_value(name: str, player: int) -> None:
    """Over all policies of the player's observations; the bound is attained if it observes enough."""
    tables, draw = GAMES[name], np.random.default_rng(7)
    policies = drawn_policies(tables, 1, draw)
    best = response_values(tables, policies, player, GAMMA).best[0]
    most = np.full(best.shape, -np.inf)
    for policy in every_policy(tables, player):
        tried = policies.copy()
        tried[0, player, : len(policy)] = policy
        most = np.maximum(most, response_values(tables, tried, player, GAMMA).own[0])
    if observes_enough(tables, player):
        np.testing.assert_allclose(most, best, atol=1e-10)
    else:
        assert (most <= best + 1e-10).all()


def test_values_match_best_response_with_memory_of_one_round() -> None:
    tables, draw = GAMES["both see all"], np.random.default_rng(8)
    policies = drawn_policies(tables, 3, draw)
    found = response_values(tables, policies, 1, GAMMA)
    for session in range(3):
        other = best_response(tables, policies[session], 1, GAMMA)
        np.testing.assert_allclose(found.best[session], other.value[0], atol=1e-10)
        np.testing.assert_allclose(found.own[session], other.own[0], atol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.2, 0.3333, 0.3334, 0.5, 0.95])
def test_gains_against_grim_trigger(gamma: float) -> None:
    """An equilibrium if gamma >= (4 - 3)/(4 - 1); below, defection gains 1 - 2 gamma/(1 - gamma)."""
    grim = [[[0, 1, 1, 1]] * 2]
    found = gaps(dilemma(), grim, gamma, limit_cycles(dilemma(), grim, [0]))
    gain = max(0.0, 1 - 2 * gamma / (1 - gamma))
    np.testing.assert_allclose(found.full_gain, [[gain, gain]], atol=1e-12)
    np.testing.assert_allclose(found.one_shot_gain, [[gain, gain]], atol=1e-12)
    top = max(3 / (1 - gamma), 4 + gamma / (1 - gamma))
    np.testing.assert_allclose(found.full_gap, [[gain / top] * 2], atol=1e-12)
    assert found.coverage == "tight"


@pytest.mark.parametrize("gamma", [0.1, 0.25, 0.3, 0.34, 0.6, 0.9])
def test_gains_against_tit_for_tat(gamma: float) -> None:
    """The best response cooperates, always defects, or defects in every other round."""
    both = [[[0, 1, 0, 1], [0, 0, 1, 1]]]
    found = gaps(dilemma(), both, gamma, limit_cycles(dilemma(), both, [0]))
    stays, other, always = 3 / (1 - gamma), 4 / (1 - gamma**2), 4 + gamma / (1 - gamma)
    best = max(stays, other, always)
    np.testing.assert_allclose(found.full_gap, [[(best - stays) / best] * 2], atol=1e-12)
    once = max(stays, other)  # defects once: from then on the players alternate
    np.testing.assert_allclose(found.one_shot_loss, [[(once - stays) / once] * 2], atol=1e-12)


@pytest.mark.parametrize("memory", [2, 3])
def test_grim_trigger_with_longer_memory_punishes_for_ever(memory: int) -> None:
    """Defect if any player did in the last ``memory`` rounds, so the first defection is never forgotten."""
    tables = dilemma(memory)
    grim = np.minimum(np.arange(4**memory), 1)
    policies = np.broadcast_to(grim, (1, 2, len(grim)))
    found = response_values(tables, policies, 0, 0.25)
    assert found.own[0, 0] == pytest.approx(4)
    assert found.best[0, 0] == pytest.approx(4 + 0.25 / 0.75)


def test_without_memory_gains_are_those_of_the_stage_game() -> None:
    tables = dilemma()._replace(observation_slots=np.full((2, 1, 2), -1))
    policies = [[[0], [0]], [[1], [0]], [[1], [1]]]
    found = gaps(tables, policies, 0.8, limit_cycles(tables, policies, [0, 0, 0]))
    np.testing.assert_allclose(found.full_gain, np.array([[1, 1], [0, 1], [0, 0]]) / 0.2, atol=1e-12)
    np.testing.assert_allclose(found.one_shot_gain, [[1, 1], [0, 1], [0, 0]], atol=1e-12)
    assert found.coverage == "tight"


@pytest.mark.representative
@pytest.mark.parametrize("name", GAMES)
def test_gaps_are_means_over_the_cycle_and_over_all_states(name: str) -> None:
    tables, draw = GAMES[name], np.random.default_rng(9)
    whole, policies = whole_states(tables), drawn_policies(GAMES[name], 6, draw)
    cycles = limit_cycles(tables, policies, draw.integers(whole.size, size=6))
    found = gaps(tables, policies, GAMMA, cycles)
    for player in range(len(tables.sizes)):
        values = response_values(tables, policies, player, GAMMA)
        rows = np.arange(whole.size) // (whole.size // whole.rounds)
        moves = np.array([player in tables.order[row] for row in rows])
        for session in range(6):
            own = values.own[session]
            met = cycles.state[session, : cycles.length[session]]
            share = np.zeros(whole.size)
            share[met] = cycles.weight[session, : len(met)]
            for top, there, names in (
                (values.best[session], np.ones(whole.size), ("full_gap", "full_gain")),
                (values.once[session], moves, ("one_shot_loss", "one_shot_gain")),
            ):
                loss = (top - own) / np.abs(top)
                mean = (loss * share * there).sum() / (share * there).sum()
                everywhere = (loss * there).sum() / there.sum()
                most = (top - own)[(share > 0) & (there > 0)].max()
                each = [mean, everywhere, most]
                fields = [names[0], f"{names[0]}_all", names[1]]
                got = [getattr(found, field)[session, player] for field in fields]
                np.testing.assert_allclose(got, each, atol=1e-10)


def test_without_cycles_their_gaps_are_nan() -> None:
    found = gaps(dilemma(), [[[0, 1, 1, 1]] * 2], 0.9)
    assert np.isnan(found.full_gap).all()
    assert np.isnan(found.one_shot_gain).all()
    np.testing.assert_allclose(found.one_shot_loss_all, 0, atol=1e-12)


def test_discounted_values_tend_to_mean_payoffs() -> None:
    """(1 - gamma) V of the best response tends to its mean payoff, here that of always defecting."""
    gaps_ = [
        response_values(dilemma(), [[[0, 0, 0, 0]] * 2], 0, g).best[0, 0] * (1 - g)
        for g in (0.9, 0.999, 0.99999)
    ]
    np.testing.assert_allclose(gaps_, 4, rtol=1e-10)


def test_discount_factors_may_differ_between_players() -> None:
    grim = [[[0, 1, 1, 1]] * 2]
    cycles = limit_cycles(dilemma(), grim, [0])
    found = gaps(dilemma(), grim, [0.25, 0.9], cycles)
    np.testing.assert_allclose(found.full_gain, [[1 / 3, 0]], atol=1e-12)


@pytest.mark.parametrize(
    ("player", "gamma", "says"),
    [
        (2, 0.9, "player: 2 must be a whole number in 0..1"),
        (0, 1.0, r"gamma\[0\]: 1.0 must be in \[0, 1\)"),
        (1, -0.1, r"gamma\[1\]: -0.1 must be in \[0, 1\)"),
    ],
)
def test_wrong_input(player: int, gamma: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        response_values(dilemma(), [[[0, 1, 1, 1]] * 2], player, gamma)


def test_cycles_of_another_number_of_sessions_are_refused() -> None:
    grim = [[[0, 1, 1, 1]] * 2]
    cycles = limit_cycles(dilemma(), grim * 2, [0, 0])
    with pytest.raises(ValueError, match="cycles: of 2 sessions; must be of 1"):
        gaps(dilemma(), grim, 0.9, cycles)


def test_an_infinite_loss_off_the_cycle_does_not_affect_its_gap() -> None:
    """After (0, 0) the first player gets -1 instead of 0; no session reaches that state."""
    tables = dilemma()._replace(payoff=np.array([[[-1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]]))
    stays, turns = [[0, 1, 1, 1], [0, 1, 1, 1]], [[0, 1, 1, 1], [0, 1, 1, 0]]
    cycles = limit_cycles(tables, [stays, turns], [3, 3])
    assert cycles.length.tolist() == [1, 2]
    found = gaps(tables, [stays, turns], 0.0, cycles)
    np.testing.assert_allclose(found.full_gap[:, 0], [0, 0])
    assert np.isinf(found.full_gap_all[:, 0]).all()
