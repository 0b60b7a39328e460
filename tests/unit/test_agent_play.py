"""Play by classes with ``act``, ``reset`` and ``learn``, against closed forms and brute force."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import AgentPlay

BANDIT = """
import numpy as np


class Bandit:
    def __init__(self, rate: float = 0.1, epsilon: float = 0.2):
        self.rate, self.epsilon = rate, epsilon

    def reset(self, seed, actions):
        self.rng = np.random.default_rng(seed)
        self.values = np.full(actions, 10.0)

    def act(self, observation):
        if self.rng.random() < self.epsilon:
            return self.rng.integers(len(self.values))
        return int(self.values.argmax())

    def learn(self, action, reward):
        self.values[action] += self.rate * (reward - self.values[action])
"""
PAYOFF = np.array([[3.0, 0.0], [5.0, 1.0]])  # of the row player: cooperation comes first
DILEMMA = rv.games.matrix(PAYOFF, PAYOFF.T)
PENNIES = rv.games.matrix("matching_pennies")


def bandit(**options: float) -> Any:
    names: dict[str, Any] = {}
    exec(BANDIT, names)
    return partial(names["Bandit"], **options)


class Cycle:
    """Plays 0, 0, 1 over and over."""

    def __init__(self) -> None:
        self.actions = cycle([0, 0, 1])

    def act(self, observation: object) -> int:
        return next(self.actions)


class Witness:
    """Plays its own number, and notes all that it is told."""

    notes: list[Any] = []  # noqa: RUF012

    def reset(self, player: int, actions: int, seed: int) -> None:
        self.player = player
        self.notes.append(("reset", player, actions))

    def act(self, observation: object) -> int:
        self.notes.append(("act", self.player, observation))
        return self.player

    def learn(self, state: object, action: int, profit: float, next_state: object) -> None:
        self.notes.append(("learn", self.player, state, action, profit, next_state))


def test_a_bandit_plays_the_dominated_action_only_where_it_explores() -> None:
    """Of 20,000 independent rounds a share of epsilon / 2, which has a standard error of 0.0021."""
    solution = rv.solve(
        DILEMMA, AgentPlay(agent=bandit(epsilon=0.2), average_last=20_000), max_steps=20_100, seed=3
    )
    cooperates = solution.profile.values[:, 0]
    assert cooperates == pytest.approx(0.1, abs=0.01)
    # regret by hand: what defection throughout would earn against the other's mixture
    gains = PAYOFF[1] - PAYOFF[0]
    expected = cooperates[0] * (cooperates[1] * gains[0] + (1 - cooperates[1]) * gains[1])
    assert solution.data.regret.values[0] == pytest.approx(expected, abs=1e-12)
    assert solution.claim == "not an equilibrium"


def test_the_last_rounds_count() -> None:
    """Of 0, 0, 1 over and over, rounds 57 and 58 are 1 and 0, and every six have two 1."""
    last_two = rv.solve(PENNIES, AgentPlay(agent=Cycle, average_last=2), max_steps=58)
    assert last_two.profile.values.tolist() == [[0.5, 0.5]] * 2
    assert last_two.claim == "equilibrium"
    last_six = rv.solve(PENNIES, AgentPlay(agent=Cycle, average_last=6), max_steps=59)
    assert last_six.profile.values == pytest.approx(np.array([[2 / 3, 1 / 3]] * 2))
    # against 2/3 the winner by matching has 1/3 for 1/9; the loser 1/3 for -1/9
    assert last_six.data.regret.values == pytest.approx([2 / 9, 4 / 9])


def test_an_agent_is_told_its_own_action_first() -> None:
    Witness.notes.clear()
    rv.solve(DILEMMA, AgentPlay(agent=Witness), max_steps=1)
    learned = [("learn", k, None, k, payoff, (k, (1 - k,))) for k, payoff in enumerate([0.0, 5.0])]
    # the last four notes are those of the only round
    assert Witness.notes[-4:] == [("act", 0, None), ("act", 1, None), *learned]
    assert ("reset", 1, 2) in Witness.notes


def test_learn_without_arguments_is_called_after_every_round() -> None:
    class Patient:
        """Plays 0 until it has learned twice."""

        lessons = 0

        def act(self, observation: object) -> int:
            return int(self.lessons >= 2)

        def learn(self) -> None:
            self.lessons += 1

    solution = rv.solve(DILEMMA, AgentPlay(agent=Patient, average_last=4), max_steps=4)
    assert solution.profile.values.tolist() == [[0.5, 0.5]] * 2


def test_every_trial_round_is_compared() -> None:
    """Also where only the last round is stored, in which these agents agree."""
    generator = np.random.default_rng(0)

    class Converging:
        rounds = 0

        def act(self, observation: object) -> int:
            self.rounds += 1
            return int(generator.integers(2)) if self.rounds < 50 else 0

    with pytest.raises(ValueError, match="two plays with equal seeds differ"):
        rv.solve(DILEMMA, AgentPlay(agent=Converging, average_last=1), max_steps=5)


def test_a_resumed_play_has_the_same_bits() -> None:
    assert rv.check_method(AgentPlay(agent=bandit()), rv.games.matrix("chicken"))


def test_unequal_numbers_of_actions() -> None:
    game = rv.games.matrix([[3.0, 0.0, 1.0], [1.0, 2.0, 1.0]], [[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
    solution = rv.solve(game, AgentPlay(agent=bandit(epsilon=1.0)), max_steps=3000, seed=1)
    assert solution.profile.values[0, 2] == 0
    assert solution.profile.values.sum(axis=1) == pytest.approx([1.0, 1.0])


@pytest.mark.slow
def test_a_market_is_played_on_a_grid() -> None:
    """The Cournot outputs, 30 each, are an equilibrium of the continuous market."""
    levels = {"kind": "levels", "levels": [20.0, 30.0, 40.0]}
    always = type("Second", (), {"act": lambda self, observation: 1})
    solution = rv.solve(rv.games.market(), AgentPlay(agent=always, action_grid=levels), max_steps=50)
    assert solution.data.mean_profile.values.ravel() == pytest.approx([30.0, 30.0])
    assert solution.claim == "equilibrium"


@pytest.mark.parametrize(
    ("agent", "rule"),
    [
        (
            type("Far", (), {"act": lambda self, seen: 2}),
            "act: player 0 chose 2; must be an integer from 0 to 1",
        ),
        (
            type("Half", (), {"act": lambda self, seen: 0.5}),
            "act: player 0 chose 0.5; must be an integer from 0 to 1",
        ),
        (
            type("Dice", (), {"act": lambda self, seen: np.random.default_rng().integers(2)}),
            "agent: two plays with equal seeds differ; draw random numbers from a generator that "
            "`reset(seed)` makes",
        ),
        (None, "agent: must be a class with act, or a function that makes an agent"),
    ],
    ids=["out of range", "no integer", "unseeded", "missing"],
)
def test_refusals_say_what_is_required(agent: Any, rule: str) -> None:
    with pytest.raises(ValueError, match="^" + rule.replace("(", r"\(").replace(")", r"\)") + "$"):
        rv.solve(DILEMMA, AgentPlay(agent=agent), max_steps=5)


class Silent:
    def reset(self, seed: int) -> None: ...


class Deaf:
    def act(self) -> int:
        return 0


class Fixed:
    act = 1


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (Silent, r"agent: Silent must have act\(observation\), which chooses an action; it has reset$"),
        (Fixed, r"agent: Fixed must have act\(observation\), which chooses an action$"),
        (Deaf, r"agent: Deaf\.act must take the observation alone, as in act\(self, observation\)$"),
    ],
)
def test_what_an_agent_lacks_is_told_before_it_plays(agent: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AgentPlay(agent=agent)
    with pytest.raises(ValueError, match=words):  # a function shows only when it is called what it makes
        rv.solve(rv.games.matrix("prisoners_dilemma"), AgentPlay(agent=lambda: agent()), max_steps=1)
