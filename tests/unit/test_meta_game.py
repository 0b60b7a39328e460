"""Games of policies by play, against Markov chains and payoffs that are known exactly."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.utils import parallel_to_aec

import rivalry as rv
from rivalry.methods import RoundRobin
from rivalry.tables.repeated import repeated_form

DILEMMA = rv.games.matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])
ROCK = [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]


class Match(ParallelEnv[str, Any, Any]):
    """A game of tables, repeated; agents observe the other's last action, 0 before the first.

    With ``noise`` an action is exchanged for another one, each with the same probability.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "match_v0"}

    render_mode = None

    def __init__(self, table: Any, turns: int, noise: float = 0.0, box: str = "") -> None:
        self.table, self.turns, self.noise, self.box = np.asarray(table, dtype=float), turns, noise, box
        self.possible_agents = ["row", "column"]

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0, 9, (1,)) if self.box == "observations" else spaces.Discrete(10)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0, 1) if self.box == "actions" else spaces.Discrete(self.table.shape[1])

    def seen(self, actions: Any) -> dict[str, Any]:
        views = [actions[1], actions[0]]
        if self.box == "observations":
            views = [np.array([view], dtype=np.float32) for view in views]
        return dict(zip(self.possible_agents, views, strict=True))

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.taken, self.rng = list(self.possible_agents), 0, np.random.default_rng(seed)
        return self.seen([0, 0]), {name: {} for name in self.agents}

    def step(self, actions: Any) -> Any:
        chosen, size = [int(actions[name]) for name in self.possible_agents], self.table.shape[1]
        for k in range(2):
            if self.rng.random() < self.noise:
                chosen[k] = (chosen[k] + int(self.rng.integers(1, size))) % size
        self.taken += 1
        paid = dict(zip(self.agents, self.table[:, chosen[0], chosen[1]].tolist(), strict=True))
        names, over = list(self.agents), self.taken == self.turns
        if over:
            self.agents = []
        false, cut = dict.fromkeys(names, False), dict.fromkeys(names, over)
        return self.seen(chosen), paid, false, cut, {name: {} for name in names}


class Grudger:
    """Cooperates until the other has defected once: it has a state of its own."""

    angry = False

    def __call__(self, seen: int) -> int:
        self.angry = self.angry or seen == 1
        return int(self.angry)


class Alternator:
    """Cooperates and defects in turn."""

    turn = -1

    def __call__(self, seen: int) -> int:
        self.turn += 1
        return self.turn % 2


STRATEGIES: dict[str, Any] = {
    "cooperator": lambda seen: 0,
    "defector": [1] * 10,
    "tit_for_tat": lambda seen: seen,
    "grudger": Grudger(),
    "alternator": Alternator(),
}


@pytest.mark.parametrize("form", ["parallel", "in turn"])
def test_payoffs_of_automata_are_those_of_their_chains(form: str) -> None:
    env: Any = Match(DILEMMA.table, 7)
    env = env if form == "parallel" else parallel_to_aec(env)
    found = rv.meta_game(STRATEGIES, env, episodes=2)
    expected = rv.solve(DILEMMA, RoundRobin(list(STRATEGIES), turns=7)).data.match_payoff.values * 7
    np.testing.assert_allclose(found.game.table, [expected, expected.T])
    assert not found.standard_error.any()
    assert found.game.actions == (tuple(STRATEGIES),) * 2
    assert found.game.players == ("row", "column")


@pytest.mark.slow
def test_noise_has_the_mean_of_the_chain_within_its_interval() -> None:
    names = ["tit_for_tat", "grudger", "defector"]
    found = rv.meta_game({k: STRATEGIES[k] for k in names[:1] + names[2:]}, Match(DILEMMA.table, 20, 0.1))
    chain = RoundRobin([names[0], names[2]], turns=20, noise=0.1)
    expected = rv.solve(DILEMMA, chain).data.match_payoff.values * 20
    away = np.abs(np.asarray(found.game.table) - [expected, expected.T])
    assert found.standard_error.min() > 0
    assert np.all(away < 4 * found.standard_error)


def test_policies_of_rock_paper_scissors_give_its_table_and_the_uniform_equilibrium() -> None:
    game = rv.games.matrix(ROCK)
    pure = {name: [k] for k, name in enumerate(("rock", "paper", "scissors"))}
    found = rv.meta_game(pure, repeated_form(game, memory=0), episodes=3, periods=5)
    np.testing.assert_array_equal(found.game.table, game.table)
    (mixed,) = rv.all_equilibria(found.game).equilibria
    np.testing.assert_allclose(mixed, 1 / 3)
    proof = found.certificate(mixed)
    assert (proof.claim, proof.coverage) == ("not decided", "estimated")
    assert "cannot be told apart from an equilibrium" in found.statement(mixed)
    proof = found.certificate(found.game.pure("rock", "rock"))
    assert (proof.claim, proof.regret.tolist()) == ("not an equilibrium", [1.0, 1.0])
    assert "paper" in found.statement(found.game.pure("rock", "rock"))


def test_three_players_of_one_role_share_the_plays_of_permuted_profiles() -> None:
    game = rv.games.matrix("minimum_effort", players=3, size=2, cost=0.5)
    plain = {"low": [0], "high": [1], "half": [[0.5, 0.5]]}
    world = repeated_form(game, memory=0)
    full = rv.meta_game(plain, world, episodes=40, periods=10, seed=1)
    shared = rv.meta_game(plain, world, episodes=40, periods=10, seed=1, symmetric=True)
    table, width = np.asarray(shared.game.table), 5 * np.maximum(full.standard_error, 1e-12)
    assert np.all(np.abs(table - np.asarray(full.game.table)) <= width)
    np.testing.assert_array_equal(table[0], np.moveaxis(table[1], 1, 0))
    np.testing.assert_array_equal(table[:2, :2, :2, :2], np.asarray(game.table)[:2])


def test_roles_have_policies_of_their_own() -> None:
    roles = [{"c": [0] * 4, "d": [1] * 4}, {"tit": [0, 0, 1, 1]}]
    found = rv.meta_game(roles, DILEMMA, episodes=2, periods=10, start=[0, 0])
    assert found.game.actions == (("c", "d"), ("tit",))
    # tit for tat cooperates first: the last joint action was cooperation
    np.testing.assert_allclose(found.game.table, [[[3.0], [1.4]], [[3.0], [0.9]]])


def test_discounting_weighs_the_periods() -> None:
    found = rv.meta_game({"tit": [0, 0, 1, 1], "d": [1] * 4}, DILEMMA, periods=3, gamma=0.5, start=[0, 0])
    # player 1 follows player 0's last action; player 0 with the same table follows its own
    assert found.game.table[0][1][0] == pytest.approx((5 + 0.5 * 1 + 0.25 * 1) / 1.75)


@pytest.mark.slow
def test_learned_policies_of_the_package_are_played() -> None:
    stopping = {"stable_periods": 0, "max_periods": 2000}
    learner = rv.methods.RepeatedQLearning(memory=1, gamma=0.5, sessions=2, stopping=stopping)
    policy = rv.solve(DILEMMA, learner, seed=1).data.policy.values[0]
    roles = [{"learned": policy[0], "c": [0] * 4}, {"learned": policy[1]}]
    found = rv.meta_game(roles, repeated_form(DILEMMA), start=[1, 1], periods=4)
    state, total = 3, 0.0
    for _ in range(4):
        a, b = policy[0][state], policy[1][state]
        total, state = total + np.asarray(DILEMMA.table)[0, a, b], 2 * a + b
    assert found.game.table[0][0][0] == pytest.approx(total / 4)


def test_differences_between_policies_are_paired() -> None:
    """Noise that is common to both policies does not widen the interval of the gain."""

    class Weather(Match):
        def step(self, actions: Any) -> Any:
            seen, paid, *rest = super().step(actions)
            common = 100 * self.rng.normal()
            return seen, {name: value + common for name, value in paid.items()}, *rest

    pure = {"c": lambda seen: 0, "d": lambda seen: 1}
    found = rv.meta_game(pure, Weather(DILEMMA.table, 1), episodes=50)
    assert found.standard_error.min() > 5
    proof = found.certificate(found.game.pure("c", "c"))
    np.testing.assert_allclose(proof.regret, 2.0)
    assert proof.claim == "not an equilibrium"


def coverage(bets: Any, repetitions: int, episodes: int) -> tuple[float, float, float]:
    """Shares of repetitions in which intervals of a payoff and of a regret hold the right values."""
    coin = rv.games.matrix([[[0.0, 1.0], [0.3, 0.9]], [[0.0, 0.0], [0.0, 0.0]]])
    roles = [{"a": [0], "b": [1]}, {"coin": [[0.5, 0.5]]}]
    world, inside, held, refuted = repeated_form(coin, memory=0), 0, 0, 0
    for seed in range(repetitions):
        found = rv.meta_game(roles, world, episodes=episodes, periods=bets, seed=seed)
        low, high = found.interval()
        inside += bool(low[0, 0, 0] <= 0.5 <= high[0, 0, 0])
        proof = found.certificate(found.game.pure("a", "coin"))
        held += bool(abs(proof.regret[0] - 0.1) <= proof.error[0])
        best = found.certificate(found.game.pure("b", "coin"))
        refuted += best.claim == "not an equilibrium"
    return inside / repetitions, held / repetitions, refuted / repetitions


@pytest.mark.slow
def test_intervals_cover_as_often_as_stated() -> None:
    inside, held, refuted = coverage(8, 400, 20)
    assert 0.92 <= inside <= 0.98
    assert held >= 0.92
    assert refuted <= 0.05  # b is better: a is no gain


def test_one_episode_decides_nothing() -> None:
    found = rv.meta_game({"c": [0] * 4, "d": [1] * 4}, DILEMMA, episodes=1, start=[0, 0])
    assert found.certificate(found.game.pure("c", "c")).claim == "not decided"


def test_environments_with_infinite_observations_take_functions() -> None:
    env = Match(DILEMMA.table, 3, box="observations")
    found = rv.meta_game({"tit": lambda seen: int(seen[0]), "d": lambda seen: 1}, env, episodes=2)
    np.testing.assert_allclose(found.game.table[0], [[9.0, 2.0], [7.0, 3.0]])
    world = rv.interop.from_pettingzoo(env)
    with pytest.raises(ValueError, match=r"^observations of row: Box is not finite"):
        rv.solve(world, rv.methods.EnvironmentQLearning(episodes=1))
    with pytest.raises(ValueError, match=r"^observations of row: Box is not finite"):
        rv.meta_game({"d": [1]}, env)


def test_wrong_input_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^actions of row: Box is not finite"):
        rv.meta_game({"d": [1]}, Match(DILEMMA.table, 3, box="actions"))
    with pytest.raises(ValueError, match=r"^policies: must be a mapping"):
        rv.meta_game([], DILEMMA)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^policies: 1 mapping must be 2, one per player"):
        rv.meta_game([{"c": [0] * 4}], DILEMMA)
    with pytest.raises(ValueError, match=r"^policies\.q: .*argmax"):
        rv.meta_game({"q": [[1.0, 2.0]] * 4}, DILEMMA)
    with pytest.raises(ValueError, match=r"^policies\.odd: .*action"):
        rv.meta_game({"odd": lambda seen: 7}, Match(DILEMMA.table, 3))
    with pytest.raises(ValueError, match=r"^start: "):
        rv.meta_game({"d": [1] * 10}, Match(DILEMMA.table, 3), start=[0, 0])
    with pytest.raises(ValueError, match=r"^symmetric: "):
        rv.meta_game([{"c": [0] * 4}, {"d": [1] * 4}], DILEMMA, symmetric=True)


@pytest.mark.slow
def test_a_market_takes_functions_of_the_last_round() -> None:
    world = repeated_form(rv.games.market(), action_grid=[[20.0], [30.0], [45.0]])
    low = {"cartel": lambda past: 0, "cournot": lambda past: 1}
    found = rv.meta_game(low, world, episodes=2, periods=3)
    profit = [[(100 - a - b - 10) * a for b in (20, 30)] for a in (20, 30)]
    np.testing.assert_allclose(found.game.table[0], profit)
