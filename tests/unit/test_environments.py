"""Environments of PettingZoo and Gymnasium under Q-learning, against value iteration and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

import rivalry as rv
from rivalry.envs import parallel_env
from rivalry.interop import from_gymnasium, from_pettingzoo
from rivalry.methods import EnvironmentQLearning, QLearning

EXPLORE: dict[str, Any] = {
    "step_size": 1.0,
    "exploration": 1.0,
    "evaluation": 2,
}  # exact where nothing is random


class Grid(gymnasium.Env[Any, Any]):
    """A grid of 3 × 3 cells with a wall in the middle, a pit and a goal; a step costs 0.1."""

    WALL, PIT, GOAL = (1, 1), (0, 2), (2, 2)
    MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))

    def __init__(self, form: str = "number") -> None:
        self.form = form
        three = spaces.Discrete(3, start=-1)
        self.observation_space, self.action_space = {
            "number": (spaces.Discrete(9, start=5), spaces.Discrete(4, start=1)),
            "tuple": (spaces.Tuple((three, three)), spaces.MultiBinary(2)),
            "dict": (spaces.Dict({"row": three, "column": three}), spaces.MultiDiscrete([2, 2])),
            "many": (spaces.MultiDiscrete([3, 3], start=[-1, -1]), spaces.Discrete(4)),
        }[form]

    def seen(self) -> Any:
        row, column = self.cell
        return {
            "number": 5 + 3 * row + column,
            "tuple": (row - 1, column - 1),
            "dict": {"row": row - 1, "column": column - 1},
            "many": np.array([row - 1, column - 1]),
        }[self.form]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell = (0, 0)
        assert self.observation_space.contains(self.seen())
        return self.seen(), {}

    @classmethod
    def after(cls, cell: tuple[int, int], move: int) -> tuple[tuple[int, int], float, bool]:
        there = cell[0] + cls.MOVES[move][0], cell[1] + cls.MOVES[move][1]
        if there == cls.WALL or min(there) < 0 or max(there) > 2:
            there = cell
        return there, -0.1 + (there == cls.GOAL) - (there == cls.PIT), there in (cls.GOAL, cls.PIT)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        if self.form in ("tuple", "dict"):
            action = 2 * int(action[0]) + int(action[1])
        self.cell, paid, over = self.after(self.cell, int(action) - (self.form == "number"))
        return self.seen(), paid, over, False, {}


def grid_values(gamma: float) -> np.ndarray:
    """The values ``[cell move]`` of the grid by value iteration."""
    cells = [(row, column) for row in range(3) for column in range(3)]
    q = np.zeros((9, 4))
    for _ in range(200):
        for k, cell in enumerate(cells):
            for move in range(4):
                there, paid, over = Grid.after(cell, move)
                q[k, move] = paid + (0.0 if over else gamma * q[3 * there[0] + there[1]].max())
    return q


@pytest.mark.slow
@pytest.mark.parametrize("form", ["number", "tuple", "dict", "many"])
def test_values_are_those_of_value_iteration_whatever_the_space(form: str) -> None:
    game = from_gymnasium(Grid(form))
    assert (game.states[0].size, game.actions[0].size) == (9, 4)
    found = rv.solve(game, EnvironmentQLearning(episodes=150, gamma=0.9, **EXPLORE), seed=3)
    expected, tried = grid_values(0.9), found.data.visits.values[0] > 0
    if form == "dict":  # Gymnasium sorts keys: the column is slowest
        expected = expected.reshape(3, 3, 4).swapaxes(0, 1).reshape(9, 4)
    never = {2, 4, 5, 8}  # the pit, the wall, the goal, and what lies between pit and goal
    assert set(np.flatnonzero(~tried)) == ({4, 6, 7, 8} if form == "dict" else never)
    assert found.data.action_values.values[0][tried] == pytest.approx(expected[tried])
    assert found.payoff.values == pytest.approx(expected[0].max())
    assert found.data.mean_return_band.values == 0


class Endless(gymnasium.Env[int, int]):
    """A reward of 1 per step, for ever or until it is terminated or truncated after ``steps``."""

    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(1)

    def __init__(self, steps: int, end: str) -> None:
        self.steps, self.end = steps, end

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.taken = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        over = self.taken == self.steps
        return 0, 1.0, over and self.end == "terminated", over and self.end == "truncated", {}


@pytest.mark.parametrize(
    ("end", "limit", "value"), [("terminated", 100, 1.0), ("truncated", 100, 2.0), ("never", 4, 2.0)]
)
def test_truncated_episodes_alone_are_bootstrapped(end: str, limit: int, value: float) -> None:
    """In perpetuity a reward of 1 is worth 1/(1 - gamma) = 2, and 1 where the first step is the last."""
    game = from_gymnasium(Endless(1 if end == "terminated" else 3, end))
    learner = EnvironmentQLearning(episodes=40, gamma=0.5, episode_limit=limit, **EXPLORE)
    found = rv.solve(game, learner)
    assert found.data.action_values.values.ravel() == pytest.approx([value], abs=1e-12)
    steps = {"terminated": 1, "truncated": 3, "never": 4}[end]
    assert found.payoff.values == pytest.approx([2 - 0.5 ** (steps - 1)])
    assert found.data.truncated_share == (end != "terminated")


class Blind(ParallelEnv[str, int, int]):  # type: ignore[misc]
    """Two agents with some actions each, who observe nothing."""

    metadata = {"name": "blind_v0"}  # noqa: RUF012
    choices = 1

    def __init__(self) -> None:
        self.possible_agents, self.agents = ["first", "second"], []

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(1)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(self.choices)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, int], dict[str, Any]]:
        self.agents, self.taken = list(self.possible_agents), 0
        return dict.fromkeys(self.agents, 0), {}


class Leaving(Blind):
    """Both are paid 1 per step; the first is terminated after one, the second truncated after three."""

    def step(self, actions: Any) -> Any:
        assert set(actions) == set(self.agents)
        self.taken += 1
        over = {name: name == "first" for name in self.agents}
        cut = {name: name == "second" and self.taken == 3 for name in self.agents}
        names, self.agents = self.agents, [] if self.taken == 3 else ["second"]
        return dict.fromkeys(names, 0), dict.fromkeys(names, 1.0), over, cut, {name: {} for name in names}


def test_agents_may_leave_at_different_times() -> None:
    found = rv.solve(from_pettingzoo(Leaving()), EnvironmentQLearning(episodes=40, gamma=0.5, **EXPLORE))
    assert found.data.action_values.values.ravel() == pytest.approx([1.0, 2.0], abs=1e-12)
    assert found.payoff.values.tolist() == [1.0, 1.75]
    assert found.data.visits.values.ravel().tolist() == [40, 120]


# -- turns, masks and fixed policies -------------------------------------------------------------------


class Nim(AECEnv[str, Any, Any]):
    """Players take one or two of ``pile`` stones in turn; who takes the last one wins 1 from the other."""

    metadata = {"name": "nim_v0"}  # noqa: RUF012

    def __init__(self, pile: int = 5) -> None:
        super().__init__()
        self.pile, self.possible_agents = pile, ["first", "second"]

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Dict(
            {"observation": spaces.Discrete(self.pile + 1), "action_mask": spaces.Box(0, 1, (2,), np.int8)}
        )

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2)

    def observe(self, agent: str) -> Any:
        return {"observation": self.left, "action_mask": np.array([1, self.left > 1], dtype=np.int8)}

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.agents, self.left = list(self.possible_agents), self.pile
        self.agent_selection = "first"
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations, self.truncations = (dict.fromkeys(self.agents, False) for _ in range(2))
        self.infos: dict[str, Any] = {name: {} for name in self.agents}

    def step(self, action: Any) -> None:
        name = self.agent_selection
        if self.terminations[name]:
            self._was_dead_step(action)
            return
        assert action == 0 or self.left > 1
        self._cumulative_rewards[name] = 0.0
        self._clear_rewards()
        self.left -= 1 + action
        other = self.possible_agents[1 - self.possible_agents.index(name)]
        if self.left == 0:
            self.rewards = {name: 1.0, other: -1.0}
            self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = other
        self._accumulate_rewards()


class Alternating(Nim):
    """Both move in turn for ever, and whoever moves is paid 1."""

    def step(self, action: Any) -> None:
        name = self.agent_selection
        self._cumulative_rewards[name] = 0.0
        self._clear_rewards()
        self.rewards[name] = 1.0
        self.agent_selection = self.possible_agents[1 - self.possible_agents.index(name)]
        self._accumulate_rewards()


def test_all_agents_in_turn_are_truncated_at_the_limit() -> None:
    learner = EnvironmentQLearning(episodes=40, gamma=0.5, episode_limit=4, **EXPLORE)
    found = rv.solve(from_pettingzoo(Alternating()), learner, seed=1)
    assert found.data.visits.values[:, 5].tolist() == [80, 80]
    assert found.data.action_values.values[:, 5].max(axis=1) == pytest.approx([2.0, 2.0], abs=1e-9)
    assert found.payoff.values.tolist() == [1.5, 1.5]


def nim_values(pile: int, rival: Callable[[int], int]) -> np.ndarray:
    """Values ``[stones move]`` of a player against a fixed rival, by backward induction."""
    q = np.full((pile + 1, 2), -np.inf)
    for left in range(1, pile + 1):
        for move in range(min(left, 2)):
            rest = left - 1 - move
            after = rest - 1 - rival(rest) if rest else 0
            q[left, move] = 1.0 if rest == 0 else -1.0 if after == 0 else q[after].max()
    return q


@pytest.mark.parametrize("perfect", [True, False])
def test_values_in_turn_are_those_of_backward_induction(perfect: bool) -> None:
    def rival(left: int) -> int:
        return int(perfect and left % 3 == 2)

    policy = np.array([rival(left) for left in range(6)])
    game = from_pettingzoo(Nim())
    assert (game.agents, game.sequential, game.reproducible) == (("first", "second"), True, True)
    learner = EnvironmentQLearning(episodes=200, gamma=1.0, fixed={"second": policy}, **EXPLORE)
    found = rv.solve(game, learner, seed=1)
    expected = nim_values(5, rival)
    mine = found.data.action_values.sel(player="first").values
    legal = np.isfinite(expected) & (found.data.visits.values[0] > 0)[:, None]
    assert mine[legal] == pytest.approx(expected[legal])
    assert legal[[2, 5]].all()
    assert mine[1, 1] == 0  # an illegal action is never tried
    assert found.payoff.values.tolist() == [1.0, -1.0]
    assert found.data.policy.sel(player="second").values.tolist() == policy.tolist()


@pytest.mark.slow
def test_both_learn_in_turn_and_no_response_gains() -> None:
    """From five stones the first player wins by taking two, then one or two of the last three."""
    learner = EnvironmentQLearning(episodes=600, gamma=1.0, responses=200, **EXPLORE | {"step_size": 0.5})
    found = rv.solve(from_pettingzoo(Nim()), learner, seed=2)
    assert found.payoff.values.tolist() == [1.0, -1.0]
    assert found.data.trained_best_response_gain.values.tolist() == [0.0, 0.0]
    assert found.claim == "no deviation found"


# -- our own environments and back ---------------------------------------------------------------------


class Numbered(BaseParallelWrapper):  # type: ignore[misc]
    """A repeated matrix game of ours, whose observation is the number of the last joint action."""

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(4)

    @staticmethod
    def number(views: dict[str, Any]) -> dict[str, int]:
        return {name: int(np.reshape(x, (2, 2)).argmax(axis=1) @ [2, 1]) for name, x in views.items()}

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, int], dict[str, Any]]:
        views, infos = super().reset(seed=seed, options=options)
        return self.number(views), infos

    def step(self, actions: Any) -> Any:
        views, *rest = super().step(actions)
        return (self.number(views), *rest)


@pytest.mark.slow
@pytest.mark.parametrize("episodes", [15, pytest.param(500, marks=pytest.mark.slow)])
def test_a_game_of_ours_teaches_what_it_teaches_the_native_learner(episodes: int) -> None:
    """Under random play cooperation pays 1.5 and defection 3 per period: values 1.5 + 3 and 3 + 3."""
    game = rv.games.matrix("prisoners_dilemma")
    shared: dict[str, Any] = {"step_size": 0.005 if episodes > 100 else 0.1, "gamma": 0.5, "exploration": 1.0}
    world = from_pettingzoo(Numbered(parallel_env(game, periods=20)))
    found = rv.solve(
        world, EnvironmentQLearning(episodes=episodes, evaluation=2, initial_q=5.0, **shared), seed=1
    )
    assert found.data.policy.values.tolist() == np.ones((2, 4), dtype=int).tolist()
    assert found.data.truncated_share == 1
    assert found.payoff.values == pytest.approx([2.0, 2.0], abs=1e-5)  # 1 per period: (1 - 0.5**20) * 2
    if episodes < 100:
        return
    native = QLearning(
        epochs=episodes, episodes=20, reward="raw", observation="joint", walk=False, initial_q=5.0, **shared
    )
    session = native.begin(native.world(game), np.random.SeedSequence(1))
    native.advance(native.world(game), session, native.length(native.world(game)))
    # payoffs have a standard deviation of 2, an entry one of 2 sqrt(alpha/2) = 0.1, and the mean over four
    # states half of that, which 1/(1 - gamma) doubles: 0.1
    for values in (found.data.action_values.values, session["values"][0]):
        assert values.mean(axis=1) == pytest.approx(np.array([[4.5, 6.0]] * 2), abs=0.3)


class Repeated(Blind):
    """A symmetric game of two actions, repeated 20 times."""

    choices = 2

    def __init__(self, *tables: list[list[float]]) -> None:
        super().__init__()
        self.tables = tables

    def step(self, actions: Any) -> Any:
        self.taken += 1
        names, last = list(self.agents), self.taken == 20
        a, b = (actions[name] for name in names)
        paid = {name: table[a][b] for name, table in zip(names, self.tables, strict=True)}
        self.agents = [] if last else names
        no, cut = dict.fromkeys(names, False), dict.fromkeys(names, last)
        return dict.fromkeys(names, 0), paid, no, cut, {name: {} for name in names}


@pytest.mark.slow
def test_gains_of_best_responses_to_fixed_policies() -> None:
    """Defection against cooperation pays 5 instead of 3, for ever with weights summing to 2."""
    game = from_pettingzoo(Repeated([[3, 0], [5, 1]], [[3, 5], [0, 1]]))
    learn: dict[str, Any] = {"responses": 30, "gamma": 0.5, **EXPLORE}
    kind = rv.solve(game, EnvironmentQLearning(fixed=dict.fromkeys(game.agents, np.zeros(1, int)), **learn))
    assert kind.steps == 2 + 2 * (30 + 2)
    assert kind.data.trained_best_response_gain.values == pytest.approx([4.0, 4.0], abs=1e-5)
    assert (kind.claim, kind.certificate.coverage) == ("not an equilibrium", "estimated")
    assert np.isinf(kind.certificate.bound).all()
    hard = rv.solve(game, EnvironmentQLearning(fixed=dict.fromkeys(game.agents, np.ones(1, int)), **learn))
    assert hard.data.trained_best_response_gain.values.tolist() == [0.0, 0.0]
    assert hard.claim == "no deviation found"


@pytest.mark.slow
def test_nobody_gains_against_mixed_matching_pennies_and_somebody_against_a_bias() -> None:
    game = from_pettingzoo(Repeated([[1, -1], [-1, 1]], [[-1, 1], [1, -1]]))
    even, biased = np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]])
    learn: dict[str, Any] = {
        "responses": 100,
        "gamma": 0.5,
        "exploration": 0.5,
        "step_size": 0.05,
        "evaluation": 200,
    }
    fixed = {"first": even, "second": even}
    fair = rv.solve(game, EnvironmentQLearning(fixed=fixed, **learn), seed=4)
    assert np.all(
        np.abs(fair.data.trained_best_response_gain) <= 1.5 * fair.data.trained_best_response_gain_band
    )
    found = rv.solve(game, EnvironmentQLearning(fixed=fixed | {"second": biased}, **learn), seed=4)
    # matching heads pays 0.6 per period instead of 0, with weights summing to 2
    gain, band = (float(found.data[f"trained_best_response_gain{end}"][0]) for end in ("", "_band"))
    assert abs(gain - 1.2) <= 2 * band < 0.5
    assert found.claim == "not an equilibrium"


def test_a_policy_may_be_a_function_of_the_observation() -> None:
    game = from_pettingzoo(Nim())
    fixed = {"second": lambda view: int(view["observation"] % 3 == 2)}
    found = rv.solve(game, EnvironmentQLearning(episodes=100, gamma=1.0, fixed=fixed, **EXPLORE), seed=1)
    assert found.payoff.values.tolist() == [1.0, -1.0]
    assert found.data.policy.sel(player="second").values.tolist() == [-1] * 6


# -- FrozenLake ----------------------------------------------------------------------------------------


def iterated(table: Any, gamma: float) -> np.ndarray:
    values = np.zeros(16)
    for _ in range(500):
        q = [
            [sum(p * (r + gamma * values[s] * (not over)) for p, s, r, over in table[k][a]) for a in range(4)]
            for k in range(16)
        ]
        values = np.max(q, axis=1)
    return values


@pytest.mark.slow
def test_a_lake_without_slipping_is_learned_exactly() -> None:
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    game, table = from_gymnasium(env), env.unwrapped.P
    found = rv.solve(game, EnvironmentQLearning(episodes=400, gamma=0.9, **EXPLORE), seed=1)
    values = iterated(table, 0.9)
    expected = [
        [r + 0.9 * values[s] * (not over) for ((_, s, r, over),) in table[k].values()] for k in (0, 4, 14)
    ]
    assert found.data.action_values.values[0, [0, 4, 14]] == pytest.approx(np.array(expected), abs=1e-12)
    assert found.payoff.values == pytest.approx([0.9**5])


# -- sessions, seeds and refusals ------------------------------------------------------------------------


class Unseeded(Endless):
    """An environment whose rewards ignore the seed."""

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        found = super().step(action)
        return (found[0], float(np.random.default_rng().random()), *found[2:])


def test_a_session_is_resumed_in_a_new_environment_to_the_same_bits() -> None:
    learner = EnvironmentQLearning(episodes=30, evaluation=5, responses=10, exploration=0.5)
    one, other = (from_pettingzoo(Nim()) for _ in range(2))
    whole = learner.begin(one, np.random.SeedSequence(7))
    learner.advance(one, whole, learner.length(one))
    parts = learner.begin(one, np.random.SeedSequence(7))
    for world in (one, other, one, other):
        learner.advance(world, parts, 17)
        parts = learner.unpack({name: np.array(array) for name, array in learner.pack(parts).items()})
    assert learner.length(one) == 30 + 5 + 2 * 15 < 4 * 17
    for name, array in whole.items():
        assert np.array_equal(array, parts[name]), name


class Memory:
    """A checkpoint in memory, due after every chunk."""

    def __init__(self) -> None:
        self.saved: dict[str, np.ndarray] | None = None

    def load(self) -> dict[str, np.ndarray] | None:
        return self.saved

    def due(self) -> bool:
        return True

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        self.saved = {name: np.array(array) for name, array in arrays.items()}


def test_a_run_goes_on_from_its_checkpoint() -> None:
    learner, memory = EnvironmentQLearning(episodes=40, evaluation=5, exploration=0.5), Memory()
    early = rv.solve(from_pettingzoo(Nim()), learner, seed=3, max_steps=20, checkpoint=memory)
    assert (early.status, early.steps) == ("iteration limit", 20)
    later = rv.solve(from_pettingzoo(Nim()), learner, seed=3, checkpoint=memory)
    assert later.data.equals(rv.solve(from_pettingzoo(Nim()), learner, seed=3).data)
    with pytest.raises(ValueError, match=r"^checkpoint: equal seeds give different episodes"):
        rv.solve(from_gymnasium(Unseeded(3, "terminated")), learner, checkpoint=Memory())


def test_environments_that_ignore_seeds_are_played_but_not_stored() -> None:
    game = from_gymnasium(Unseeded(3, "terminated"))
    assert not game.reproducible
    learner = EnvironmentQLearning(episodes=3, evaluation=2)
    assert rv.solve(game, learner).status == "completed"
    session = learner.begin(game, np.random.SeedSequence(0))
    with pytest.raises(ValueError, match="equal seeds give different episodes"):
        learner.pack(session)


class Other(Grid):
    def __init__(self, seen: spaces.Space[Any], own: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = seen, own


@pytest.mark.parametrize(
    ("seen", "own", "message"),
    [
        (spaces.Discrete(2), spaces.Box(0, 1), r"^actions of agent: Box is not finite"),
        (spaces.Box(0, 9, (1,)), spaces.Discrete(2), r"^observations of agent: Box is not finite"),
        (spaces.Discrete(2), spaces.Tuple([spaces.Discrete(2), spaces.Text(3)]), "Text is not finite"),
        (
            spaces.Dict({"a": spaces.Discrete(2), "action_mask": spaces.MultiBinary(3)}),
            spaces.Discrete(2),
            "^action_mask of agent: must have 2 entries, one per action",
        ),
        (spaces.MultiBinary(40), spaces.Discrete(2), "pairs of state and action; must be at most 1e"),
    ],
)
def test_other_spaces_are_refused_in_one_line(seen: Any, own: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        from_gymnasium(Other(seen, own))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_gymnasium("lake"), "^env: str must be an Env of Gymnasium"),
        (lambda: from_pettingzoo(Grid()), "^env: Grid must be a ParallelEnv or an AECEnv"),
        (
            lambda: rv.solve(rv.games.matrix("chicken"), EnvironmentQLearning()),
            "needs an environment of another",
        ),
        (
            lambda: rv.solve(from_gymnasium(Grid()), QLearning()),
            "of the class EnvironmentGame; .* use EnvironmentQLearning",
        ),
        (
            lambda: solve_fixed({"third": [0] * 6}),
            "^fixed: 'third' is no agent; must be one of first, second",
        ),
        (lambda: solve_fixed({"first": [0, 1]}), r"^fixed.first: must be \[state\] actions in 0..1"),
        (lambda: solve_fixed({"first": np.full((6, 2), 0.4)}), r"^fixed.first: must be"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def solve_fixed(fixed: dict[str, Any]) -> Any:
    return rv.solve(from_pettingzoo(Nim()), EnvironmentQLearning(fixed=fixed))


def test_rock_paper_scissors_of_pettingzoo() -> None:
    """Against a rival that always plays rock, paper wins every round."""
    rps = pytest.importorskip("pettingzoo.classic.rps_v2", reason="needs pygame")
    game = from_pettingzoo(rps.parallel_env())
    assert [space.size for space in game.states] == [4, 4]
    rock = {"player_1": np.zeros(4, dtype=int)}
    found = rv.solve(game, EnvironmentQLearning(episodes=200, gamma=0.5, fixed=rock, **EXPLORE), seed=1)
    assert set(found.data.policy.sel(player="player_0").values[[0, 3]].tolist()) == {1}
    assert found.payoff.values == pytest.approx([2.0, -2.0], abs=1e-3)
