"""Environments of agents that hold karma: PettingZoo dictionaries around the kernels' arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from gymnasium import spaces
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.game import BrokenInvariant
from rivalry.envs.games import Infos, Results, Seen, SimultaneousEnv, infos_of
from rivalry.schema.validate import check_keywords, check_word, whole_number

PERIODS = 1000
Illegal = Literal["warn", "clip", "raise"]  # clip with one warning, clip silently, raise


Learned = Callable[[ndarray, ndarray], ndarray]
"""A policy: from observations ``[state feature]`` and masks ``[state entry]``, probabilities of entries."""


class Views(NamedTuple):
    """Bounds of the agents' observations, optionally normalized to [-1, 1]."""

    low: ndarray  # [feature]
    high: ndarray  # [feature], above ``low``
    entries: int  # largest number of entries of any agent
    normalized: bool

    def of(self, features: ndarray, counts: ndarray) -> tuple[ndarray, ndarray]:
        """Return observations ``[agent feature]`` and masks ``[agent entry]``, 1 for the first ``counts``."""
        masks = _masks(self.entries).take(counts, axis=0)
        if not self.normalized:
            return features, masks
        shares = (features - self.low) / (self.high - self.low)
        return (2 * shares - 1).astype(np.float32), masks

    def space(self) -> spaces.Space[Any]:
        """Return the Gymnasium space of one agent's observations."""
        if self.normalized:
            features = spaces.Box(-1.0, 1.0, self.low.shape, np.float32)
        else:
            features = spaces.Box(self.low, self.high, dtype=np.float64)  # type: ignore[arg-type]
        return spaces.Dict({"observation": features, "action_mask": spaces.MultiBinary(self.entries)})


class AgentsEnv(SimultaneousEnv):
    """A parallel environment of agents ``agent_0``, ``agent_1``, .. that each choose one of several entries.

    A subclass reads the game and returns the number of agents and the bounds of their observations
    (`_prepare`), starts an episode (`_begin`), applies the entries of all agents and returns their rewards
    (`_go`), and returns the features, the number of legal entries per agent and the agents that act
    (`_report`). It converts the policies of others, a table or a name (`table`), and draws the entries of all
    agents from them (`draw`); and it makes the table that simulations take of a learned policy per agent
    (`policy_of`).

    Making the dictionaries of PettingZoo takes most of a step of many agents. Learners that choose for all
    agents at once can avoid it: `restart`, `advance` and `observations` exchange arrays with agents in order.
    """

    metadata = {"name": "rivalry_agents_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)
    types: ndarray  # [agent]
    discounts: ndarray  # [type]
    stake: float  # the largest loss in a step, in which rewards are measured
    views: Views
    now: Any  # the kernels' agents, changed in place; the first entry of status is 0 until an error
    counts: ndarray  # [agent]: number of legal entries, 1 for agents that do not act

    def __init__(
        self,
        game: Any,
        *,
        periods: int = PERIODS,
        illegal: Illegal = "warn",
        normalize_spaces: bool = False,
    ) -> None:
        self.game = game
        agents, views = self._prepare(normalize_spaces)
        whole_number("periods", periods, 1)
        check_word("illegal", illegal, get_args(Illegal))
        self.views, self.periods, self.illegal = views, periods, illegal
        self._silent = illegal == "clip"  # also set after the first warning
        self.possible_agents = [f"agent_{k}" for k in range(agents)]
        self.agents = []
        self._observations = dict.fromkeys(self.possible_agents, views.space())
        self._actions = {name: spaces.Discrete(views.entries) for name in self.possible_agents}
        self._number = {name: k for k, name in enumerate(self.possible_agents)}
        self._sequence = SeedSequence(0)

    @check_keywords
    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Seen, Infos]:
        """Start a new episode with initial karma; ``seed`` restarts the random stream."""
        self.restart(seed)
        observations = self._observe()
        return self.without_masks(observations), infos_of(observations)

    def restart(self, seed: int | None) -> None:
        """Start a new episode without returning observations."""
        if seed is not None:
            self._sequence = SeedSequence(whole_number("seed", seed))
        self.agents = list(self.possible_agents)
        # one stream per episode, so that an episode does not depend on how long earlier ones lasted
        self._begin(self._sequence.spawn(1)[0])
        self.features, self.counts, self.acting = self._report()

    def play(self, actions: Mapping[str, Any]) -> Results:
        names = self.agents
        paid, cut = self.advance(self._entries(actions))
        rewards = dict(zip(names, paid.tolist(), strict=True))
        observations = self._observe()
        ends = dict.fromkeys(names, False), dict.fromkeys(names, cut)
        return self.without_masks(observations), rewards, *ends, infos_of(observations)

    def _entries(self, actions: Mapping[str, Any]) -> ndarray:
        """Return the entries ``[agent]``, 0 for agents without an action. Raises `ValueError`."""
        if len(actions) == len(self.agents):  # vectorized; the loop below clips or raises
            try:
                choices = np.array([actions[name] for name in self.agents])
            except (KeyError, ValueError):
                choices = np.zeros(0)
            if choices.ndim == 1 and choices.dtype.kind in "iu":
                chosen_entries: ndarray = np.where(self.acting, choices, 0)
                if (chosen_entries >= 0).all() and (choices < self.views.entries).all():
                    legal = (chosen_entries < self.counts).all()
                    if legal or self._silent:
                        return chosen_entries if legal else np.minimum(chosen_entries, self.counts - 1)
        entries = np.zeros(len(self.counts), int)
        for name, action in actions.items():
            entries[self._number[name]] = self.entry(name, action)
        return entries

    def advance(self, entries: ndarray) -> tuple[ndarray, bool]:
        """Apply the entries ``[agent]`` for one step; return the rewards and whether play is truncated.

        Entries of agents that do not act in it are ignored.

        Raises `BrokenInvariant` if karma is not conserved.
        """
        # a copy, since the kernels change their arrays in place
        paid = self._go(entries).copy()
        if self.now.status[0]:
            raise BrokenInvariant(f"karma is not conserved at step {int(self.now.status[1])}")
        cut = int(self.now.clock[0]) >= self.periods
        self.features, self.counts, self.acting = self._report()
        if cut:
            self.agents = []
        return paid, cut

    def observations(self) -> tuple[ndarray, ndarray]:
        """Return the observations ``[agent feature]`` and action masks ``[agent entry]`` of all agents."""
        return self.views.of(self.features, self.counts)

    def movers(self) -> list[str]:
        """Return the names of the agents that act in this step."""
        if self.acting.all():
            return list(self.agents)
        return [self.possible_agents[k] for k in np.flatnonzero(self.acting)] if self.agents else []

    def check(self, agent: str, action: object) -> None:
        """Raise `ValueError` for an action that the agent cannot choose."""
        self.entry(agent, action)

    def observation_of(self, player: int) -> dict[str, ndarray]:
        """Return the observation and action mask of one agent."""
        rows, masks = self.views.of(self.features[player : player + 1], self.counts[player : player + 1])
        return {"observation": rows[0], "action_mask": masks[0]}

    def entry(self, name: str, action: Any) -> int:
        """Return an agent's entry, clipped to the legal ones unless ``illegal="raise"``.

        Raises `ValueError`.
        """
        k = self._number[name]
        if not self.acting[k]:
            return 0
        count, action_array = int(self.counts[k]), np.asarray(action)
        entry = action_array.item() if action_array.ndim == 0 else action
        number = isinstance(entry, int | float)
        if number and entry in range(count):
            return int(entry)
        message = f"action of {name}: agent {k} {self._does(k).format(entry)}"
        if self.illegal == "raise" or not (number and entry in range(self.views.entries)):
            raise ValueError(f"{message}; must be a whole number in 0..{count - 1}")
        if not self._silent:
            self._silent = True
            remedy = f"clipped to {count - 1}, as all illegal actions of this environment"
            warnings.warn(f"{message}; {remedy} (illegal='raise' refuses, 'clip' is silent)", stacklevel=4)
        return count - 1

    def _rows(self) -> ndarray:
        return self.observations()[0]

    def _observe(self) -> Seen:
        rows = zip(self.possible_agents, *self.observations(), strict=True)
        return {name: {"observation": row, "action_mask": mask} for name, row, mask in rows}

    def _does(self, player: int) -> str:
        """Return a message fragment: the action with ``{}`` for the entry, and the agent's karma."""
        return f"bids {{}} with karma {self.now.karma[player]}"


@cache
def _masks(entries: int) -> ndarray:
    """Return the mask ``[entry]`` of every number of legal entries, from 0."""
    return np.tri(entries + 1, entries, -1, dtype=np.int8)


def draw(rows: ndarray, counts: ndarray, rng: np.random.Generator) -> ndarray:
    """Draw an entry per agent from cumulative probabilities ``[agent entry]``, below ``counts``."""
    lots = rng.random(len(rows))[:, None]
    # by rounding the last cumulative sum may be below 1, and a draw beyond it
    return np.minimum((rows <= lots).sum(axis=1), counts - 1)
