"""Arenas in which players move through their strategy spaces: on a grid, or by steps of any length.

On a grid policies are tables and are evaluated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rivalry.core.game import alike
from rivalry.core.jax import put
from rivalry.core.results import Record
from rivalry.core.space import Box, width
from rivalry.envs import parallel_env
from rivalry.integrations.rllib.arenas import Arena, Networks, Reading, acted, grouped
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.integrations.rllib.rounds import discount
from rivalry.methods.q_learning.policies import led_to, spread
from rivalry.tables import joint_count, policy_regrets, rollout, tabulate
from rivalry.tables.greedy_play import choices, states
from rivalry.tables.kernels.shapes import Tabulated
from rivalry.transforms import walks
from rivalry.transforms.units import strategies, units

MOST_WHOLE = 10_000  # joint positions up to which best responses to policies are computed
STILL = 1e-6  # share of the box below which play is at rest


@dataclass(frozen=True)
class WalksArena(Arena):
    """A one-shot game in which a choice is a step from the present position."""

    walk: Any  # the game of steps
    places: int  # on each axis; 0: steps of any length
    joint: bool

    @classmethod
    def of(cls, game: Any, learner: LearnerOptions) -> WalksArena:
        """Return the arena of a game. Raises `ValueError` for finite games and boxes of several widths."""
        if learner.observation == "none":
            raise ValueError("observation: 'none' must be 'own' or 'joint' for players who walk")
        grid = learner.moves == "grid"
        seen = learner.observation or "own"
        places = int(learner.places) if grid else 0  # type: ignore[arg-type]
        share = 1 / (places - 1) if grid else learner.step
        walk = walks(
            game,
            step=(_widths(game.space) * share).tolist(),
            moves="discrete" if grid else "continuous",
            observation=seen,
            periods=learner.periods,
        )
        names = tuple(f"player_{k}" for k in range(game.space.shape[0]))
        worth = discount(game, learner.gamma)
        if grid and worth >= 1:
            raise ValueError(f"gamma: {worth:g} must be below 1 on a grid, where play has no end")
        groups = grouped(names, alike(game), learner.policies == "shared")
        return cls(game, names, groups, learner.periods, worth, walk, places, seen == "joint")

    def env(self) -> Any:
        """Return the game of steps as an environment."""
        return parallel_env(self.walk, periods=self.periods, normalize_spaces=True)

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """Return where policies lead without exploration, and the gains from deviating."""
        return self._tables(networks) if self.places else self._paths(networks, words, options)

    def _tables(self, networks: Networks) -> Record:
        world = tabulate(self.given, self.places, observation="joint" if self.joint else "own")
        shape = (len(self.names), int(states(world.tables).max()))
        chances = np.zeros((*shape, int(choices(world.tables).max())))
        policies = np.zeros(shape, dtype=np.int64)
        for player, name in enumerate(self.names):
            observed, width = self._observations(world, player), int(choices(world.tables)[player])
            chances[player, : len(observed), :width] = networks[name].chances(observed)
            policies[player, : len(observed)] = networks[name].best(observed)
        start = spread(world)
        found: Record = {
            "policy": (("trial", "player", "state"), policies[None]),
            "policy_softmax": (("trial", "player", "state", "action"), chances[None]),
            "places": (("player", "place" if self.joint else "state", "axis"), world.places),
            **led_to(world, policies[None], start),
        }
        return found | self._gains(world, policies, chances, rollout(world, policies, start).cycle)

    def _gains(
        self, world: Tabulated, policies: np.ndarray, chances: np.ndarray, cycle: np.ndarray
    ) -> Record:
        """Return the discounted gains of best responses to the others' policies, by dynamic programming.

        Without exploration at the end of play; with exploration as the mean over joint positions.
        """
        if joint_count(world) > MOST_WHOLE:
            return {}
        ends = np.ravel_multi_index(tuple(cycle.T), tuple(world.tables.sizes))
        plain = policy_regrets(world, policies, self.discount)[:, 0, ends].max(axis=1)
        exploring = policy_regrets(world, chances, self.discount)[:, 0].mean(axis=1)
        return {
            "policy_regret": (("player",), plain),
            "policy_regret_exploring": (("player",), exploring),
        }

    def _observations(self, world: Tabulated, player: int) -> np.ndarray:
        """Return the observation in each of a player's states, ``[state feature]``, own position first."""
        sizes, space = world.tables.sizes.tolist(), self.given.space
        rows = np.zeros((len(sizes), max(sizes), space.shape[1]))
        for place in range(max(sizes)):
            x = world.places[np.arange(len(sizes)), np.minimum(place, np.array(sizes) - 1)]
            rows[:, place] = np.asarray(units(space, put(x)))
        if not self.joint:
            return rows[player, : sizes[player]]
        at = np.indices(sizes).reshape(len(sizes), -1)
        order = [player, *(other for other in range(len(sizes)) if other != player)]
        return np.concatenate([rows[other, at[other]] for other in order], axis=1)

    def _paths(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        draw = np.random.default_rng(np.random.SeedSequence(words.tolist()))
        plain, _ = self._walked(networks, None, options.rounds)
        wide = np.asarray(width(self.given.space))
        still = bool(np.all(np.ptp(plain[-2:], axis=0) <= STILL * wide))
        path, paid = self._walked(networks, draw, options.evaluation)
        return {
            "profile": (("player", "axis"), plain[-1]),
            "status": ((), np.asarray("converged" if still else "cycling")),
            "rollout": (("rollout_step", "player", "axis"), plain),
            "exploring_choice": (("player", "axis"), path.mean(axis=0)),
            "exploring_spread": (("player", "axis"), path.std(axis=0)),
            "exploring_payoff": (("player",), paid.mean(axis=0)),
        }

    def _walked(
        self, networks: Networks, draw: np.random.Generator | None, periods: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions ``[period player axis]`` in one long episode, and payoffs ``[period player]``."""
        env: Any = parallel_env(self.walk, normalize_spaces=True)
        seen, _ = env.reset(seed=0)
        path, paid = [], []
        for _ in range(periods):
            if not env.agents:
                seen, _ = env.reset()
            actions = acted(networks, {n: self.look(n, row) for n, row in seen.items()}, draw)
            seen, rewards, *_ = env.step(actions)
            own = np.stack([seen[name][: self.given.space.shape[1]] for name in self.names])
            path.append(np.asarray(strategies(self.given.space, put(own))))
            paid.append([rewards[name] for name in self.names])
        return np.array(path), np.array(paid)


def _widths(space: Any) -> np.ndarray:
    """Return the width of a space along each axis. Raises `ValueError` where players differ."""
    if not isinstance(space, Box):
        return np.ones(1)
    wide = np.asarray(width(space.flat()))
    if np.ptp(wide, axis=0).max() > 1e-9 * wide.max():
        raise ValueError(f"moves: players' boxes are {wide.tolist()} wide; steps need them alike")
    return np.asarray(wide[0])
