"""Independent Q-learning in environments of other libraries, and trained best responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Certificate, Record, scalar
from rivalry.core.tolerances import ROUNDING
from rivalry.interop.environments import EnvironmentGame, Policy, agent_table
from rivalry.methods.q_learning.exploration import check_initial, each_player, initial_tables
from rivalry.methods.q_learning.options import (
    Exploration,
    Fading,
    Numbers,
    StepSize,
    falling,
    step_size_of,
)
from rivalry.schema.annotations import Count, Keys, Natural
from rivalry.text.statistics import half_width

SAMPLES = 64  # of the learning curve
STORED = 10**7  # action values that a record may hold
LEARN, EVALUATE, RESPOND = range(3)  # streams of random numbers


class Episode(NamedTuple):
    """Purpose of an episode: its phase, the player that responds (-1: none), and its number there."""

    phase: int
    responder: int
    number: int


class _Rates(NamedTuple):
    """Step sizes and discount factors ``[player]``, exploration, and the power by which steps fall."""

    size: ndarray
    gamma: ndarray
    exploration: Fading
    power: float


class _Agent:
    """One agent in one episode: it chooses, learns where it does, and adds up its discounted return."""

    def __init__(
        self,
        world: EnvironmentGame,
        player: int,
        session: Session,
        rates: _Rates,
        policy: Policy | None,
        tables: str = "",
    ) -> None:
        self.world, self.player, self.policy = world, player, policy
        self.actions = world.actions[player]
        self.values = session[f"{tables}values"][player, :, : self.actions.size]
        self.updates = session[f"{tables}updates"][player]
        self.size, self.gamma = float(rates.size[player]), float(rates.gamma[player])
        self.power, self.learns, self.epsilon = rates.power, False, 0.0
        self.before: tuple[int, int] | None = None  # state and action of the last turn
        self.total, self.weight, self.truncated = 0.0, 1.0, False

    def take_turn(
        self, observation: object, reward: float, terminated: bool, truncated: bool, rng: np.random.Generator
    ) -> Any:
        """Learn from the last action, and return the next one; None at the end."""
        self.total += self.weight * reward
        self.weight *= 1.0 if self.before is None else self.gamma
        if callable(self.policy):
            self.before, self.truncated = (-1, -1), truncated
            return None if terminated or truncated else self.policy(observation)
        state, legal = (-1, None) if terminated else self.world.read(self.player, observation)
        ahead = 0.0
        if not terminated:
            row = self.values[state] if legal is None else self.values[state, legal]
            ahead = float(row.max()) if len(row) else 0.0
        if self.learns and self.before is not None:
            self._learn(reward + self.gamma * ahead)
        self.truncated = truncated
        if terminated or truncated:
            return None
        action = self._choose(state, legal, rng)
        self.before = state, action
        return self.actions.decode(action)

    def _learn(self, target: float) -> None:
        assert self.before is not None
        self.updates[self.before] += 1
        size = self.size / int(self.updates[self.before]) ** self.power
        self.values[self.before] += size * (target - self.values[self.before])

    def _choose(self, state: int, legal: ndarray | None, rng: np.random.Generator) -> int:
        if isinstance(self.policy, ndarray):
            entry = self.policy[state]
            return int(entry) if entry.ndim == 0 else int(rng.choice(len(entry), p=entry))
        row = self.values[state] if legal is None else self.values[state, legal]
        if not len(row):
            raise ValueError(f"action_mask of {self.world.agents[self.player]}: no action is legal")
        if self.learns and rng.random() < self.epsilon:
            index = int(rng.integers(len(row)))
        else:
            index = int(row.argmax())
            if self.learns and len(ties := np.flatnonzero(row == row[index])) > 1:
                index = int(rng.choice(ties))
        return index if legal is None else int(legal[index])


class EnvironmentQLearning(BaseLearner):
    """Independent Q-learning in an environment of PettingZoo or Gymnasium with finite spaces.

    The game is that of `rivalry.interop.from_pettingzoo` or `from_gymnasium`. Every agent learns values of
    its actions in its own observations, from its own rewards: ``Q += step_size (r + gamma max Q' - Q)`` at
    its next turn, with the maximum over legal actions. Terminated episodes have no next value. Truncated
    episodes are not terminal: the value of the last observation is bootstrapped. ``exploration`` and
    ``step_size`` are the tables of all Q-learners (`Exploration`, `StepSize`), with episodes as periods; of
    equally good actions one is drawn.

    ``fixed`` gives policies to agents by name, which then do not learn: ``[state]`` actions, ``[state
    action]`` probabilities, or a function from an observation to an action. After learning, ``evaluation``
    episodes are played by greedy policies. With ``responses`` above 0 a best response of every agent is then
    trained for so many episodes, from the initial values, against the others' policies, and evaluated on the
    seeds of the first evaluation.

    One step of the loop is one episode, and each begins with a seed of its own, made from the run's seed and
    its number. A session is therefore a few arrays between two episodes; it is stored only where equal seeds
    gave equal episodes.

    The record has ``policy`` (player, state), the greedy actions, the lowest at ties, -1 where there is none;
    ``action_values`` (player, state, action) where few enough; ``visits`` (player, state); ``mean_return``
    (player), of the discounted returns in the evaluation, with half its 95 % interval in
    ``mean_return_band``; ``payoff`` (player), the same;
    ``truncated_share``, the share of these episodes that were truncated; ``learning_reward`` (sample,
    player), returns while learning, at ``learning_step``; ``trained_best_response_gain`` (player) with its
    band.

    The gain of a trained best response is, in expectation, a lower bound on the regret: nothing is known of
    better responses. Its certificate is ``estimated``, with half the width of the 95 % interval as tolerance
    and no bound.

    Raises
    ------
    ValueError
        For options out of range, policies of another shape, and checkpoints of an environment that does not
        repeat itself.

    Examples
    --------
    >>> import gymnasium, rivalry as rv
    >>> game = rv.interop.from_gymnasium(gymnasium.make("FrozenLake-v1", is_slippery=False))
    >>> options = {"episodes": 400, "step_size": 1.0, "gamma": 0.9, "exploration": 1.0, "evaluation": 2}
    >>> solution = rv.solve(game, rv.methods.EnvironmentQLearning(**options), seed=1)
    >>> round(float(solution.payoff[0]), 6)
    0.59049

    References
    ----------
    Watkins and Dayan, Machine Learning 8, 1992; Tan, ICML 1993.
    """

    episodes: Annotated[Count, "episodes of learning"] = 10_000
    step_size: Annotated[
        Numbers | StepSize, Gt(0), Le(1), Keys(StepSize, ("value", "power")), "step size of the updates"
    ] = 0.1
    gamma: Annotated[
        float | list[float], Ge(0), Le(1), "discount factor per own turn, for all or one per player"
    ] = 0.95
    exploration: Annotated[
        Numbers | Exploration,
        Ge(0),
        Le(1),
        Keys(Exploration, ("start", "decay")),
        "how actions are tried; it decays per episode",
    ] = 0.1
    initial_q: Annotated[
        str | float | list[Any] | ndarray,
        "initial values: a number, one or a table [state action] per player, or a file .npy or .csv of them",
    ] = 0.0
    evaluation: Annotated[int, Ge(2), Le(10_000_000), "episodes of each evaluation"] = 200
    responses: Annotated[Natural, "episodes of training of each best response; 0: none"] = 0
    episode_limit: Annotated[Count, "steps after which an episode is truncated"] = 10_000
    fixed: Annotated[dict[str, Any] | None, "policies of agents that do not learn, by name"] = None

    needs = (Need("an environment of another library", lambda game: isinstance(game, EnvironmentGame)),)

    def world(self, game: object) -> EnvironmentGame:
        """Return the environment."""
        if not isinstance(game, EnvironmentGame):
            kind = type(game).__name__
            raise ValueError(
                f"game: {kind} must be an environment, by from_pettingzoo or from_gymnasium of rv.interop"
            )
        return game

    def length(self, world: EnvironmentGame) -> int:
        """Return the number of episodes of all phases."""
        responders = len(world.agents) if self.responses else 0
        return self._learning(world) + self.evaluation + responders * (self.responses + self.evaluation)

    def _learning(self, world: EnvironmentGame) -> int:
        """Return the number of episodes of learning: 0 where all policies are fixed."""
        return 0 if set(world.agents) <= set(self.fixed or {}) else self.episodes

    def begin(self, world: EnvironmentGame, stream: SeedSequence) -> Session:
        players, evaluation = len(world.agents), self.evaluation
        self._rates(world)
        _policies(world, self.fixed)
        shape = (players, max(s.size for s in world.states), max(a.size for a in world.actions))
        session: Session = {
            "seed": stream.generate_state(4, np.uint32).astype(np.int64),
            "clock": np.array([0]),
            "values": self._initial(world, shape),
            "updates": np.zeros(shape, int),
            "returns": np.zeros((evaluation, players)),
            "truncated": np.zeros(evaluation, bool),
            "curve": np.zeros((min(SAMPLES, self.episodes), players)),
            "reproducible": np.array([world.reproducible]),
        }
        if self.responses:
            session["response_values"] = session["values"].copy()
            session["response_updates"] = np.zeros(shape, int)
            session["response_returns"] = np.zeros((evaluation, players))
        return session

    def _initial(self, world: EnvironmentGame, shape: tuple[int, ...]) -> ndarray:
        """Return the initial values, ``[player state action]``."""
        check_initial("initial_q", self.initial_q, usual=False)
        counts = [s.size for s in world.states], [a.size for a in world.actions]
        values = np.zeros(shape)
        for player, ends in enumerate(initial_tables("initial_q", self.initial_q, 1, *counts)):
            if ends is None or (ends[0] is not ends[1] and np.any(ends[0] != ends[1])):
                raise ValueError(f"initial_q[{player}]: must be a number or a table [state action]")
            states, actions = ends[0].shape[1:] if ends[0].size > 1 else shape[1:]
            values[player, :states, :actions] = ends[0][0]
        return values

    def pack(self, session: Session) -> dict[str, Any]:
        if not session["reproducible"][0]:
            raise ValueError(
                "checkpoint: equal seeds give different episodes of this environment, so that a session "
                "cannot be resumed; leave the checkpoint out"
            )
        return dict(session)

    def advance(self, world: EnvironmentGame, session: Session, steps: int) -> int:
        """Play up to ``steps`` episodes."""
        clock, total = int(session["clock"][0]), self.length(world)
        rates, policies = self._rates(world), _policies(world, self.fixed)
        stop = min(clock + steps, total)
        for number in range(clock, stop):
            self._play(world, session, self._episode(world, number), rates, policies)
            session["clock"][0] = number + 1
        return stop - clock

    def _episode(self, world: EnvironmentGame, number: int) -> Episode:
        """Return the purpose of an episode: learning, evaluation, then both for every player's response."""
        if number < self._learning(world):
            return Episode(LEARN, -1, number)
        number -= self._learning(world)
        if number < self.evaluation:
            return Episode(EVALUATE, -1, number)
        player, number = divmod(number - self.evaluation, self.responses + self.evaluation)
        if number < self.responses:
            return Episode(RESPOND, player, number)
        return Episode(EVALUATE, player, number - self.responses)

    def _play(
        self,
        world: EnvironmentGame,
        session: Session,
        episode: Episode,
        rates: _Rates,
        policies: list[Policy | None],
    ) -> None:
        """Play one episode, and write what it teaches or what it returned into the session."""
        phase, responder, number = episode
        # evaluations with and without a response share their seeds: differences have little noise
        key = (phase, number) if phase != RESPOND else (phase, number, responder)
        sequence = SeedSequence(session["seed"].tolist(), spawn_key=key)
        seed, rng = int(sequence.generate_state(1)[0] >> 1), np.random.default_rng(sequence)
        epsilon = rates.exploration.scale * np.exp(-rates.exploration.beta * number)
        agents = [
            _Agent(world, player, session, rates, policies[player])
            if player != responder
            else _Agent(world, player, session, rates, None, "response_")
            for player in range(len(world.agents))
        ]
        for player, agent in enumerate(agents):
            agent.learns = agent.policy is None and phase != EVALUATE and responder in (-1, player)
            agent.epsilon = float(epsilon[player]) if agent.learns else 0.0

        def turn(player: int, observation: object, reward: float, terminated: bool, truncated: bool) -> Any:
            return agents[player].take_turn(observation, reward, terminated, truncated, rng)

        world.play(seed, self.episode_limit, turn)
        returns = np.array([agent.total for agent in agents])
        if phase == LEARN:
            session["curve"][number * len(session["curve"]) // self.episodes] += returns
        elif phase == EVALUATE and responder >= 0:
            session["response_returns"][number, responder] = returns[responder]
        elif phase == EVALUATE:
            session["returns"][number] = returns
            session["truncated"][number] = any(agent.truncated for agent in agents)

    def read(self, world: EnvironmentGame, session: Session) -> Record:
        clock, values = int(session["clock"][0]), session["values"]
        policies = _policies(world, self.fixed)
        policy = np.stack(
            [_greedy(world, player, values[player], table) for player, table in enumerate(policies)]
        )
        visits = session["updates"].sum(axis=2)
        is_state = np.arange(values.shape[1]) < np.array([s.size for s in world.states])[:, None]
        record: Record = {
            "policy": (("player", "state"), policy),
            "visits": (("player", "state"), np.where(is_state, visits, 0)),
            "status": scalar("completed" if clock >= self.length(world) else "iteration limit"),
            **self._curve(session, min(clock, self._learning(world))),
        }
        if values.size <= STORED:
            record["action_values"] = (("player", "state", "action"), values.copy())
        if clock < self._learning(world) + self.evaluation:
            return record
        returns, player = session["returns"], ("player",)
        record["truncated_share"] = scalar(session["truncated"].mean())
        record["mean_return"] = (player, returns.mean(axis=0))
        record["mean_return_band"] = (player, half_width(returns))
        record["payoff"] = record["mean_return"]
        if self.responses and clock >= self.length(world):
            record |= self._gains(session)
        return record

    def _curve(self, session: Session, episodes: int) -> Record:
        """Return mean returns of whole samples of the episodes of learning."""
        samples = len(session["curve"])
        ends = -(-np.arange(1, samples + 1) * self.episodes // samples)  # first episode of the next sample
        completed = ends <= episodes
        means = session["curve"] / np.diff(ends, prepend=0)[:, None]
        return {
            "learning_step": (("sample",), ends[completed]),
            "learning_reward": (("sample", "player"), means[completed]),
        }

    def _gains(self, session: Session) -> Record:
        """Return the gains of trained best responses, and the certificate that they make."""
        gains = session["response_returns"] - session["returns"]
        gain, band = gains.mean(axis=0), half_width(gains)
        regret = np.maximum(gain, 0.0)
        method_text = f"best responses trained by Q-learning, {self.responses} and {self.evaluation} episodes"
        # where nothing is random the interval has no width, and gains up to rounding count as zero
        allowed = band + ROUNDING * np.abs(session["returns"]).max(axis=0)
        certificate = Certificate(regret, np.full(len(gain), np.inf), "estimated", method_text, allowed)
        return {
            "trained_best_response_gain": (("player",), gain),
            "trained_best_response_gain_band": (("player",), band),
            **certificate.record(),
        }

    def _rates(self, world: EnvironmentGame) -> _Rates:
        players, size = len(world.agents), step_size_of(self.step_size)
        return _Rates(
            each_player("step_size", size["value"], players),
            each_player("gamma", self.gamma, players),
            falling(self.exploration, players),
            size["power"],
        )


def _policies(world: EnvironmentGame, fixed: Mapping[str, Any] | None) -> list[Policy | None]:
    """Return the fixed policy of every agent, None for agents that learn. Raises `ValueError`."""
    for name in fixed or {}:
        if name not in world.agents:
            raise ValueError(f"fixed: {name!r} is no agent; must be one of {', '.join(world.agents)}")
    policies = [(fixed or {}).get(name) for name in world.agents]
    for player, (name, policy) in enumerate(zip(world.agents, policies, strict=True)):
        if policy is not None and not callable(policy):
            policies[player] = agent_table(world, player, policy, f"fixed.{name}")
    return policies


def _greedy(world: EnvironmentGame, player: int, values: ndarray, fixed: Policy | None) -> ndarray:
    """Return the action in every state, ``[state]``, -1 beyond the agent's states and for functions."""
    choices = np.full(len(values), -1)
    states, actions = world.states[player].size, world.actions[player].size
    if fixed is None:
        choices[:states] = values[:states, :actions].argmax(axis=1)
    elif isinstance(fixed, ndarray):
        choices[:states] = fixed if fixed.ndim == 1 else -1
    return choices
