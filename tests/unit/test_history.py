"""Whole states and limit cycles against direct simulation of histories and powers of Markov chains."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.array_games import FiniteGame
from rivalry.tables import tabulate
from rivalry.tables.history import limit_cycles, whole_states
from tests.histories import CERTAIN, GAMES, a_past, drawn_policies, one_round, past_of

SESSIONS = 12


def dilemma(memory: int = 1) -> FiniteGame:
    """The prisoner's dilemma 3, 4, 0, 1; action 0 cooperates."""
    game = rv.games.matrix(payoffs=[[[3, 0], [4, 1]], [[3, 4], [0, 1]]])
    slots = [[who, ago] for ago in range(memory, 0, -1) for who in range(2)]
    return tabulate(game, observation="joint").tables._replace(observation_slots=np.array([slots, slots]))


@pytest.mark.parametrize(
    ("name", "size"),
    {
        "both see all": 6,
        "three see different things": 12,  # actions of two rounds, of the third player only one
        "in turn": 2 * 6,
        "in stages": 6,
        "stages and turns": 2 * 8,
        "nature follows": 2 * 8,  # current and previous state of nature, and actions
        "signals": 27,  # the second player's actions besides two signals
        "chance": 3 * 6,
    }.items(),
)
def test_number_of_states_by_observation_structure(name: str, size: int) -> None:
    assert whole_states(GAMES[name]).size == size


@pytest.mark.parametrize("name", GAMES)
def test_number_inverts_the_enumeration_of_states(name: str) -> None:
    tables, draw = GAMES[name], np.random.default_rng(1)
    whole = whole_states(tables)
    for state in range(whole.size):
        assert int(whole.number(*past_of(whole, tables, state, draw))) == state


def test_numbers_of_several_histories_at_once() -> None:
    tables, draw = GAMES["stages and turns"], np.random.default_rng(2)
    whole = whole_states(tables)
    pasts = [a_past(tables, draw) for _ in range(5)]
    rounds = draw.integers(2, size=5)
    each = [int(whole.number(past, row)) for past, row in zip(pasts, rounds, strict=True)]
    np.testing.assert_array_equal(whole.number(pasts, rounds), each)


def test_numbers_of_states_order_rounds_then_players() -> None:
    """With common observations the oldest round varies slowest, and within a round player 0."""
    whole = whole_states(dilemma(memory=2))
    np.testing.assert_array_equal(whole.observed, [np.arange(16)] * 2)
    assert int(whole.number([[1, 0], [0, 1]])) == 0b0110


@pytest.mark.parametrize("name", CERTAIN)
def test_cycles_match_direct_simulation(name: str) -> None:
    tables, draw = GAMES[name], np.random.default_rng(3)
    whole, policies = whole_states(tables), drawn_policies(GAMES[name], SESSIONS, draw)
    start = draw.integers(whole.size, size=SESSIONS)
    found = limit_cycles(tables, policies, start)
    for session in range(SESSIONS):
        past, row, nature = past_of(whole, tables, int(start[session]), draw)
        met, paid, stood = [], [], []
        onset, length = int(found.onset[session]), int(found.length[session])
        for _ in range(onset + length + 1):
            met.append(int(whole.number(past, row, nature)))
            pays, [(_, past, row, nature)] = one_round(tables, policies[session], past, row, nature)
            paid.append(pays)
            stood.append(past[0][: len(tables.sizes)])
        assert met[-1] == met[onset]
        assert len(set(met[:-1])) == onset + length
        assert found.state[session, :length].tolist() == met[onset:-1]
        assert found.actions(tables)[session, :length].tolist() == stood[onset:-1]
        np.testing.assert_allclose(found.payoff[session], np.mean(paid[onset:-1], axis=0), atol=1e-12)
        assert (found.state[session, length:] == -1).all()
        assert (found.joint[session, length:] == -1).all()
        np.testing.assert_allclose(
            found.weight[session], [1 / length] * length + [0] * (len(found.weight[0]) - length)
        )


def test_cycles_of_tit_for_tat() -> None:
    both = [[0, 1, 0, 1], [0, 0, 1, 1]]
    found = limit_cycles(dilemma(), [both] * 4, np.arange(4))
    np.testing.assert_array_equal(found.length, [1, 2, 2, 1])
    np.testing.assert_array_equal(found.onset, 0)
    np.testing.assert_allclose(found.payoff, [[3, 3], [2, 2], [2, 2], [1, 1]])


def test_payoffs_of_alternating_moves_accrue_in_every_round() -> None:
    """Each player in turn moves to the action the other does not have: constant after the first move."""
    tables = dilemma()._replace(order=np.array([[0], [1]]), observation_slots=np.array([[[1, 1]], [[0, 1]]]))
    found = limit_cycles(tables, [[[1, 0], [1, 0]]], [0])
    assert found.length.tolist() == [2]
    np.testing.assert_allclose(found.payoff, [[4, 0]])


def test_long_run_weights_match_powers_of_the_markov_chain() -> None:
    """The chain is built by direct simulation of every state."""
    tables, draw = GAMES["chance"], np.random.default_rng(4)
    whole, policies = whole_states(tables), drawn_policies(GAMES["chance"], SESSIONS, draw)
    start = draw.integers(whole.size, size=SESSIONS)
    found = limit_cycles(tables, policies, start)
    np.testing.assert_allclose(found.weight.sum(axis=1), 1)
    for session in range(SESSIONS):
        chain, pays = np.zeros((whole.size, whole.size)), np.zeros((whole.size, 2))
        for state in range(whole.size):
            past, row, nature = past_of(whole, tables, state, draw)
            pays[state], follows = one_round(tables, policies[session], past, row, nature)
            for odds, after, later, there in follows:
                chain[state, int(whole.number(after, later, there))] += odds
        lazy = np.linalg.matrix_power(
            (chain + np.eye(len(chain))) / 2, 2**14
        )  # the same stationary distribution, aperiodic
        share = np.zeros(whole.size)
        share[found.state[session, : found.length[session]]] = found.weight[session, : found.length[session]]
        np.testing.assert_allclose(share, lazy[start[session]], atol=1e-9)
        np.testing.assert_allclose(found.payoff[session], share @ pays, atol=1e-9)


def test_weights_of_two_absorbing_states() -> None:
    """States 1 and 2 of nature are absorbing, reached from state 0 with probabilities 1/4 and 3/4."""
    tables = GAMES["chance"]._replace(
        next_nature=np.array([[[1, 2]], [[1, 1]], [[2, 2]]]),
        nature_cdf=np.array([[[0.25, 1.0]], [[0.5, 1.0]], [[0.5, 1.0]]]),
        observation_slots=np.full((2, 1, 2), -1),
    )
    found = limit_cycles(tables, [[[0], [0]]], [0])
    np.testing.assert_array_equal(found.state, [[1, 2]])
    np.testing.assert_allclose(found.weight, [[0.25, 0.75]])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"action_map": np.zeros((2, 2, 3), dtype=np.int64)}, "game: players move on a grid"),
        ({"payoff": np.zeros((0, 2, 0))}, "game: has no joint table"),
        (
            {"observation_slots": np.array([[[3, 0]], [[3, 1]]])},
            "observation_slots: player 0 observes the signal of the current round",
        ),
        (
            {"observation_slots": np.array([[[3, 1]], [[0, 1]]])},
            "observation_slots: player 0 observes a signal; the game must have",
        ),
        (
            {"observation_slots": np.array([[[0, 23]], [[0, 1]]])},
            "game: 8388608 whole states; must be at most",
        ),
    ],
    ids=["moves", "payoff", "signal now", "no signal", "many"],
)
def test_unsupported_games_are_refused(change: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        whole_states(dilemma()._replace(**change))


@pytest.mark.parametrize(
    ("policies", "start", "says"),
    [
        ([[[0, 0, 0], [0, 0, 0]]], [0], r"policies: int64 of shape \(1, 2, 3\) must be"),
        ([[[0, 0, 0, 2], [0, 0, 0, 0]]], [0], r"policies\[0\]\[0\]\[3\]: move 2 must be in 0..1"),
        ([[[0, 0, 0, 0]] * 2], [4], "start: must be in 0..3"),
        ([[[0, 0, 0, 0]] * 2], [0.0], "start: float64 of shape"),
    ],
    ids=["short", "action", "state", "fraction"],
)
def test_wrong_input(policies: object, start: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        limit_cycles(dilemma(), policies, start)


def test_wrong_histories_are_refused() -> None:
    whole = whole_states(dilemma(memory=2))
    with pytest.raises(ValueError, match=r"recent: shape \(1, 2\) must reach 2 rounds back"):
        whole.number([[0, 1]])
    with pytest.raises(ValueError, match=r"recent: column 1 must be in 0..1"):
        whole.number([[0, 2], [0, 0]])
    with pytest.raises(ValueError, match="round: 1 with nature 0"):
        whole.number([[0, 0], [0, 0]], 1)
