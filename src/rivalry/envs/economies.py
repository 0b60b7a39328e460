"""Economies of many agents as environments of other people's learners, stepped by the kernels' rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from rivalry.game import BrokenInvariant
from rivalry.kernels.economy import RUNNING, fresh, no_tallies
from rivalry.kernels.economy_acts import act
from rivalry.kernels.shapes import Economy

Seen = dict[str, dict[str, np.ndarray]]


class EconomyEnv(ParallelEnv[str, dict[str, np.ndarray], int]):  # type: ignore[misc]
    """A karma economy as a parallel environment of PettingZoo; agents are ``agent_0``, ``agent_1``, ..

    An agent sees ``{"observation": [urgency, karma, private state, type], "action_mask": [bid]}`` of its own,
    states and types by number, and bids a whole number in 0..karma, where the mask is 1. Its reward is minus
    its urgency where it loses. Nobody leaves; play is cut after ``periods`` steps. A bid above karma raises
    `ValueError`, or with ``cap`` bids all there is, for learners that know no masks. Raises `ValueError` for
    a game that is no economy of agents.

    >>> import rivalry as rv
    >>> env = EconomyEnv(rv.games.karma(agents=4), periods=10)
    >>> seen, _ = env.reset(seed=1)
    >>> int(seen["agent_3"]["action_mask"].sum())
    11
    """

    metadata = {"name": "rivalry_economy_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(self, game: Any, *, periods: int = 1000, cap: bool = False) -> None:
        self.economy, self.periods, self.cap = _economy(game), periods, cap
        if isinstance(periods, bool) or not isinstance(periods, int) or periods < 1:
            raise ValueError(f"periods: {periods!r} must be a whole number, at least 1")
        self.render_mode = None
        self.possible_agents = [f"agent_{k}" for k in range(len(self.economy.type_of))]
        self.agents: list[str] = []
        types, privates = self.economy.stakes.shape
        most = [self.economy.stakes.max(), self.economy.most, privates - 1, types - 1]
        told = spaces.Box(np.zeros(4), np.asarray(most, dtype=float), dtype=np.float64)
        mask = spaces.MultiBinary(self.economy.most + 1)
        self._observations = {
            name: spaces.Dict({"observation": told, "action_mask": mask}) for name in self.possible_agents
        }
        self._actions = {name: spaces.Discrete(self.economy.most + 1) for name in self.possible_agents}
        self._sequence = np.random.SeedSequence(0)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What ``agent`` sees of itself, and which bids it can make."""
        return self._observations[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The bids from 0 to the most karma that anybody can hold."""
        return self._actions[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Seen, dict[str, dict[str, Any]]]:
        """A new episode, karma as at the start; ``seed`` begins the stream of chance anew."""
        if seed is not None:
            self._sequence = np.random.SeedSequence(seed)
        self.now = fresh(self.economy, self._sequence.spawn(1)[0])
        self.agents = list(self.possible_agents)
        return self._seen(), {name: {} for name in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Seen, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step with everybody's bids; afterwards nobody is left where play was cut."""
        names = self.agents
        act(self.economy, self.now, self._bids(actions), no_tallies())
        if self.now.status[0] != RUNNING:
            raise BrokenInvariant(f"karma is not conserved at step {int(self.now.status[1])}")
        cut = int(self.now.clock[0]) >= self.periods
        seen, paid = self._seen(), dict(zip(names, self.now.reward.tolist(), strict=True))
        self.agents = [] if cut else names
        infos: dict[str, dict[str, Any]] = {name: {} for name in names}
        return seen, paid, dict.fromkeys(names, False), dict.fromkeys(names, cut), infos

    def _bids(self, actions: Mapping[str, Any]) -> np.ndarray:
        """The bids ``[agent]``. Raises `ValueError` for one that an agent cannot make."""
        bids = np.zeros(len(self.possible_agents), dtype=np.int64)
        for k, name in enumerate(self.agents):
            bid, karma = actions[name], int(self.now.karma[k])
            if self.cap and np.ndim(bid) == 0 and karma < bid <= self.economy.most:
                bid = karma
            if not (np.ndim(bid) == 0 and float(bid) in range(karma + 1)):
                rule = f"must be a whole number in 0..{karma}"
                raise ValueError(f"action of {name}: agent {k} bids {bid} with karma {karma}; {rule}")
            bids[k] = int(bid)
        return bids

    def _seen(self) -> Seen:
        return {
            name: {"observation": told, "action_mask": mask}
            for name, told, mask in zip(
                self.possible_agents,
                *_observed(self.economy, self.economy.type_of, self.now.private, self.now.karma),
                strict=True,
            )
        }

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing is held open."""


def policy_table(game: Any, policy: Callable[[np.ndarray, np.ndarray], object]) -> np.ndarray:
    """What a learner's policy does in every state, ``[type private karma bid]``: so all metrics take it.

    ``policy(observations [state 4], masks [state bid])`` gives chances of bids ``[state bid]``, for
    observations as `EconomyEnv` makes them. `population.population_certificate` judges the table where all
    follow it, `methods.Simulation` by playing it with the game's agents. Raises `ValueError` where these are
    no chances, or where a bid above karma has one.

    >>> import rivalry as rv
    >>> from rivalry.population import population_certificate
    >>> game = rv.games.karma(kbar=2.0, kmax=4)
    >>> found = policy_table(game, lambda seen, mask: mask / mask.sum(axis=1, keepdims=True))
    >>> population_certificate(game, found).claim
    'not an equilibrium'
    """
    economy = _economy(game)
    types, privates = economy.stakes.shape
    places = np.indices((types, privates, economy.most + 1)).reshape(3, -1)
    chances = policy(*_observed(economy, *places))
    levels = economy.most + 1
    return np.asarray(game.space.check(chances, "policy")).reshape(types, privates, levels, levels)


def _observed(
    economy: Economy, kinds: np.ndarray, private: np.ndarray, karma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What agents see of themselves ``[agent 4]``, and their masks ``[agent bid]``."""
    told = np.stack([economy.stakes[kinds, private], karma, private, kinds], axis=1).astype(np.float64)
    return told, (np.arange(economy.most + 1) <= karma[:, None]).astype(np.int8)


def _economy(game: Any) -> Economy:
    """The agents of a game. Raises `ValueError` for another."""
    found = game.world() if hasattr(game, "world") else None
    if not isinstance(found, Economy):
        raise ValueError(f"game: {type(game).__name__} must be an economy of agents; others are for GameEnv")
    if found.signal.size:
        raise ValueError("signal: must be 'none': environments do not show agents their peers")
    return found
