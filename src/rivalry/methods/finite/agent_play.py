"""Repeated play by a learner of the user's own: a class with ``act``, perhaps ``reset`` and ``learn``."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from rivalry.core.results import Record
from rivalry.methods.continuous.mixtures import TableLearner, played, tables_of
from rivalry.schema.named_calls import act_fault, call_named, callables_of, parameter_names

TRIED = 100  # rounds of two trials that must agree
UNSEEDED = (
    "agent: two plays with equal seeds differ; draw random numbers from a generator that `reset(seed)` makes"
)


class _Play:
    """Agents of a class, one per player, in repeated play of a finite game."""

    def __init__(self, agent: Callable[[], Any], world: object, seeds: np.ndarray) -> None:
        tables = tables_of(world)
        self.sizes, self.payoff = tables.sizes.tolist(), tables.payoff[0]
        self.agents = [agent() for _ in self.sizes]
        self.observations: list[Any] = [None] * len(self.sizes)
        self.lessons: list[tuple[str, ...] | None] = []  # names of the arguments of `learn`, None without it
        for player, (member, seed) in enumerate(zip(self.agents, seeds.tolist(), strict=True)):
            if fault := act_fault(member):
                raise ValueError(f"agent: {fault}")
            members = callables_of(member)
            if "reset" in members:
                numbers = {"seed": seed, "player": player, "actions": self.sizes[player]}
                call_named(member.reset, parameter_names(member.reset), numbers)
            self.lessons.append(parameter_names(member.learn) if "learn" in members else None)

    def go_on(self) -> list[int]:
        """Return the actions of one further round, from which every agent has learned."""
        actions = [self._action(player) for player in range(len(self.agents))]
        rewards = self.payoff[:, np.ravel_multi_index(actions, self.sizes)].tolist()
        for player, action in enumerate(actions):
            before = self.observations[player]
            after = action, (*actions[:player], *actions[player + 1 :])
            self.observations[player] = after
            names = self.lessons[player]
            if names is not None:
                lesson = {"observation": before, "action": action, "reward": rewards[player]}
                values = lesson | {"next_observation": after}
                call_named(self.agents[player].learn, names, values, rewards[player])
        return actions

    def _action(self, player: int) -> int:
        action, size = self.agents[player].act(self.observations[player]), self.sizes[player]
        try:
            number = index(action)
        except TypeError:
            number = -1
        if not 0 <= number < size:
            rule = f"must be an integer from 0 to {size - 1}"
            raise ValueError(f"act: player {player} chose {action!r}; {rule}")
        return number


class AgentPlay(TableLearner):
    """Let agents of a class with ``act(observation)`` play a game round after round.

    ``agent`` makes an agent, one for each player: the class itself, or a function without arguments. An agent
    chooses the number of an action by ``act(observation)``, where an observation is its own last action and
    the tuple of the others' actions, or None before the first round. It may have ``reset``, which takes any
    of ``seed`` (another for every player and replication), ``player`` and ``actions`` (their number), and
    ``learn``, which takes any of ``observation``, ``action``, ``reward`` and ``next_observation``, or the
    reward alone. A study names the class as the kind of a method.

    The profile has the frequencies of play in the last ``average_last`` rounds, exploration included; it is
    certified as if players drew independently. A game that is not finite is played on ``action_grid``.

    Agents are not stored: a resumed session plays its rounds again from the seed.

    Raises
    ------
    ValueError
        For actions out of range, and agents whose random numbers do not come from the seed.

    Examples
    --------
    >>> import rivalry as rv
    >>> class Defect:
    ...     def act(self, observation):
    ...         return 1
    >>> solution = rv.solve(rv.games.matrix("prisoners_dilemma"), rv.methods.AgentPlay(agent=Defect))
    >>> solution.profile.values.tolist(), solution.claim
    ([[0.0, 1.0], [0.0, 1.0]], 'equilibrium')
    """

    open_ended: ClassVar[bool] = True

    agent: Callable[[], Any] | None = None
    average_last: Annotated[int, Ge(1), "number of last rounds whose play is certified"] = 1000

    def __check_init__(self) -> None:
        if not callable(self.agent):
            raise ValueError("agent: must be a class with act, or a function that makes an agent")
        if isinstance(self.agent, type) and (fault := act_fault(self.agent)):
            raise ValueError(f"agent: {fault}")

    def begin(self, world: object, stream: np.random.SeedSequence) -> dict[str, Any]:
        seeds = stream.generate_state(len(tables_of(world).sizes))
        plays = [self._begin_agents(world, seeds)["play"] for _ in range(2)]
        for _ in range(TRIED):
            if plays[0].go_on() != plays[1].go_on():
                raise ValueError(UNSEEDED)
        return self._begin_agents(world, seeds)

    def _begin_agents(self, world: object, seeds: np.ndarray) -> dict[str, Any]:
        assert self.agent is not None
        return {
            "seeds": seeds,
            "clock": np.array([0]),
            "actions": np.full((self.average_last, len(seeds)), -1),  # of the last rounds, in a ring
            "play": _Play(self.agent, world, seeds),
        }

    def pack(self, session: dict[str, Any]) -> dict[str, Any]:
        return {name: array for name, array in session.items() if name != "play"}

    def advance(self, world: object, session: dict[str, Any], steps: int) -> int:
        clock, ring = int(session["clock"][0]), session["actions"]
        if "play" not in session:  # as it was stored: agents may hold anything
            again = self._begin_agents(world, session["seeds"])
            self.advance(world, again, clock)
            if not np.array_equal(ring, again["actions"]):
                raise ValueError(UNSEEDED)
            session["play"] = again["play"]
        for k in range(clock, clock + steps):
            ring[k % len(ring)] = session["play"].go_on()
        session["clock"][0] += steps
        return steps

    def read(self, world: object, session: dict[str, Any]) -> Record:
        actions = session["actions"][: int(session["clock"][0])]
        columns = np.arange(int(tables_of(world).sizes.max()))
        return played(world, np.mean(actions[:, :, None] == columns, axis=0))
