"""Karma economies in environments, stepped by the kernels' rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.game import Playable, kernel_arrays
from rivalry.economies.karma.checks import require_all_bids
from rivalry.economies.kernels.economy import act, buffers_of, fresh, no_tallies
from rivalry.economies.kernels.shapes import Economy, rewards_of
from rivalry.envs.agents import AgentsCourse, Learned, Views, draw
from rivalry.tables.policy_answers import policy_answer, refuse_different


class EconomyCourse(AgentsCourse):
    """The play of a karma economy in environments; agents are ``agent_0``, ``agent_1``, ..

    An agent observes ``{"observation": [urgency, karma, private state, type], "action_mask": [bid]}``; states
    and types are numbers. With ``normalize_spaces`` every feature is scaled to [-1, 1]; rewards are
    unchanged. An action is a bid, an integer from 0 to karma, where the mask is 1. The reward is minus the
    agent's urgency if it loses. No agent terminates; play is truncated after ``periods`` steps.

    A bid above karma is clipped to karma, with one warning per environment or, with ``illegal="clip"``,
    silently; with ``illegal="raise"`` it raises `ValueError`. An action outside the action space always
    raises `ValueError`.

    Raises
    ------
    ValueError
        If the game is not an economy of agents.

    Examples
    --------
    >>> import rivalry as rv
    >>> env = rv.envs.parallel_env(rv.games.karma(agents=4), periods=10)
    >>> seen, _ = env.reset(seed=1)
    >>> int(seen["agent_3"]["action_mask"].sum())
    11
    """

    def _prepare(self, normalized: bool) -> Views:
        self.economy = economy_of(self.game)
        self.types, self.discounts = self.economy.type_of, np.asarray(self.game.discount)
        lost, won = rewards_of(self.economy)
        self.stake = float((won - lost).max())
        return _views(self.economy, normalized)

    def _begin(self, sequence: np.random.SeedSequence) -> None:
        self.state = fresh(self.economy, sequence)
        self.desk = buffers_of(self.economy, self.state)

    def _go(self, entries: ndarray) -> ndarray:
        act(self.economy, self.state, self.desk, entries, no_tallies())
        return np.asarray(self.state.reward)

    def _look(self) -> tuple[ndarray, ndarray, ndarray]:
        state = self.state
        features = _features(self.economy, self.economy.type_of, state.private, state.karma)
        return features, state.karma + 1, np.ones(len(features), dtype=bool)

    def table(self, source: Any) -> ndarray:
        """Return a policy ``[type private karma bid]`` or ``[state bid]`` as cumulative sums of its rows.

        Raises `ValueError`.
        """
        levels = self.economy.most + 1
        try:
            array = np.asarray(source, dtype=float)
        except (TypeError, ValueError):
            array = np.zeros(0)
        if array.ndim not in (2, 4):
            kinds = "a function, or a table [type private karma bid] or [state bid]"
            raise ValueError(f"others: {type(source).__name__} must be {kinds}")
        rows = array.reshape(-1, levels) if array.size % levels == 0 else array
        return np.cumsum(np.asarray(self.game.space.check(rows, "others")), axis=1)

    def policy_of(self, policies: Sequence[Learned]) -> ndarray:
        """Return the mean policy of the agents of a type, ``[type private karma bid]``."""
        # one table per policy, not per agent: agents may share theirs
        tables = {
            policy: policy_table(self.game, policy, normalize_spaces=self.views.normalized)
            for policy in set(policies)
        }
        means = []
        for kind in range(self.types.max() + 1):
            members = [policies[agent] for agent in np.flatnonzero(self.types == kind).tolist()]
            means.append(np.mean([tables[policy][kind] for policy in members], axis=0))
        return np.stack(means)

    def draw(self, table: ndarray, rng: np.random.Generator) -> ndarray:
        """Draw the bids of all agents ``[agent]`` from the table."""
        state, privates = self.state, self.economy.stakes.shape[1]
        rows = (self.economy.type_of * privates + state.private) * (self.economy.most + 1) + state.karma
        return draw(table[rows], state.karma + 1, rng)


def policy_table(
    game: Playable, policy: Callable[[ndarray, ndarray], object], *, normalize_spaces: bool = False
) -> ndarray:
    """Return a learner's policy as a table ``[type private karma bid]``, which all metrics take.

    `population.population_certificate` evaluates the table when all agents follow it, and
    `methods.Simulation` plays it with the game's agents.

    Parameters
    ----------
    game : Game
        An economy of agents.
    policy : callable
        ``policy(observations [state 4], masks [state bid])`` returns probabilities of bids ``[state bid]``.
        Observations are those of `EconomyCourse`.
    normalize_spaces : bool
        Whether observations are scaled to [-1, 1].

    Raises
    ------
    ValueError
        If these are not probabilities, or if a bid above karma has a positive one.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.population import population_certificate
    >>> game = rv.games.karma(mean_karma=2.0, max_karma=4)
    >>> table = policy_table(game, lambda seen, mask: mask / mask.sum(axis=1, keepdims=True))
    >>> population_certificate(game, table).claim
    'not an equilibrium'
    """
    economy = economy_of(game)
    levels = economy.most + 1
    kinds, private, karma = np.indices((*economy.stakes.shape, levels)).reshape(3, -1)
    views = _views(economy, normalize_spaces).of(_features(economy, kinds, private, karma), karma + 1)
    chances = policy_answer(policy, views, "of all states")
    reversed_answer = policy_answer(policy, tuple(part[::-1] for part in views), "of all states")
    if chances.shape == reversed_answer.shape == views[1].shape:
        refuse_different(
            list(chances), list(reversed_answer[::-1]), [f"at {state.tolist()}" for state in views[0]]
        )
    return np.asarray(game.space.check(chances, "policy")).reshape(*economy.stakes.shape, levels, levels)


def economy_of(game: object) -> Economy:
    """Return the kernel arrays of an economy. Raises `ValueError` for another game."""
    arrays = kernel_arrays(game)
    if not isinstance(arrays, Economy):
        raise ValueError(
            f"game: {type(game).__name__} must be an economy of agents; others are for parallel_env"
        )
    require_all_bids(game, "environments offer all of them")
    if arrays.signal.size:
        raise ValueError("signal: must be 'none': environments do not show agents their peers")
    return arrays


def _features(economy: Economy, kinds: ndarray, private: ndarray, karma: ndarray) -> ndarray:
    """Return the agents' observations, ``[agent feature]``."""
    observed = np.empty((len(karma), 4))
    observed[:, 0] = economy.stakes.take(kinds * economy.stakes.shape[1] + private)
    observed[:, 1], observed[:, 2], observed[:, 3] = karma, private, kinds
    return observed


def _views(economy: Economy, normalized: bool) -> Views:
    types, privates = economy.stakes.shape
    largest = np.array([economy.stakes.max(), economy.most, privates - 1, types - 1], dtype=float)
    return Views(np.zeros(4), np.where(largest > 0, largest, 1.0), economy.most + 1, normalized)
