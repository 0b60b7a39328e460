"""Arenas of one-shot games that are repeated: new choices in every period, or steps through the spaces.

In rounds players choose simultaneously or in stages. Walks are on a grid, where policies are tables that are
evaluated exactly, or by steps of any length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.game import Playable, scale
from rivalry.core.oracles import discount_factors, payoff_growth, to_finite, to_markov, to_stages
from rivalry.core.results import Record, Variable, scalar
from rivalry.core.space import Box, reach, width
from rivalry.envs import parallel_env
from rivalry.integrations.rllib.arenas import Arena, Networks, Reading, choose_actions, policy_names
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.methods.continuous.actor_critic import best_response_distance
from rivalry.methods.continuous.mixtures import action_payoffs, mixture_record, tables_of
from rivalry.methods.q_learning.policies import greedy_end, spread
from rivalry.methods.q_learning.seating import USUAL_GAMMA, Seating, seating
from rivalry.runtime.jax import floats, put
from rivalry.tables import joint_count, policy_regrets, rollout, tabulate
from rivalry.tables.greedy_play import choices, states
from rivalry.tables.kernels.shapes import Tabulated
from rivalry.tables.response_gaps import MOST_DECISIONS
from rivalry.transforms import discretise, in_stages, repeat, walks
from rivalry.transforms.units import strategies, units

ATOMS = 12  # per player, of choices with exploration
STILL = 1e-6  # share of the box below which play is at rest
MOST_WHOLE = 10_000  # joint positions up to which best responses to policies are computed
DRAWN = 4096  # choices with exploration, of which the atoms are evenly spaced quantiles


@dataclass(frozen=True)
class RoundsArena(Arena):
    """A repeated game. Players are those of the base game, in which followers who learn have seats too."""

    order: Seating  # of all players who learn, in the base game
    board: Any  # the base game, with numbered choices for levels
    seen: str

    @classmethod
    def of(cls, game: Playable, learner: LearnerOptions) -> RoundsArena:
        """Return the arena of a game. Raises `ValueError` where players move in turns."""
        order = seating(game)
        if order.alternating:
            raise ValueError(f"timing: 'alternating' must be 'simultaneous' or 'staged' for {learner.kind}")
        if order.led and learner.followers != "learn":  # the leaders alone play, and the followers respond
            players = tuple(range(game.space.shape[0]))
            order = Seating(game, (players,), False, players, False)
        base = order.game
        names = tuple(f"player_{k}" for k in range(order.players))
        observed = learner.observation or "none"
        board = discretise(base, learner.action_grid) if learner.moves == "levels" else base
        groups = policy_names(names, exchangeable_labels(board), learner.policies == "shared")
        # without observations no later period depends on a choice: discounting would only add noise
        worth = 0.0
        if observed != "none" or learner.gamma is not None:
            worth = discount(base, learner.gamma) * (1 + float(payoff_growth(base)))
        return cls(game, names, groups, learner.periods, worth, order, board, observed)

    @property
    def scale(self) -> float:
        """The game's payoff scale."""
        return scale(self.order.game)

    @property
    def who(self) -> str:
        """Seats, where followers have some."""
        return self.order.who

    def env(self) -> Any:
        """Return the repeated game as an environment."""
        stages = [list(stage) for stage in self.order.stages]
        staged_game = in_stages(self.board, stages, periods=self.periods) if len(stages) > 1 else None
        return parallel_env(staged_game or repeat(self.board, periods=self.periods), normalize_spaces=True)

    def look(self, name: str, observation: Any) -> ndarray:
        """Return the last choices as far as they are observed, and in stages those of this period."""
        players, axes = self._shape
        player = self.names.index(name)
        before = observation[: players * axes].reshape(players, axes)
        choices = {"none": before[:0], "own": before[player : player + 1], "joint": before}[self.seen]
        period_choices = observation[players * axes :] if len(self.order.stages) > 1 else np.ones(1)
        return np.concatenate([choices.ravel(), period_choices]).astype(np.float32)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        return tuple(self.board.space.shape)

    def read(self, networks: Networks, words: ndarray, options: Reading) -> Record:
        """Return the profile after play without exploration, and the mixtures of play with exploration."""
        path, base = self._play(networks, options.rounds), self.order.game
        x = path[-1]
        record: Record = {
            "status": _status(path, base.space),
            "profile": (("player", "axis"), x[list(self.order.leaders)]),
        }
        if self.order.led:
            record["learned_choice"] = ((self.who, "axis"), x)
            record["learned_payoff"] = ((self.who,), np.asarray(base.payoffs(put(x))))
        if isinstance(base.space, Box):
            record["best_response_distance"] = (
                (self.who,),
                best_response_distance(self.given, self.order, x),
            )
        return record | self._exploring_record(networks, words)

    def _play(self, networks: Networks, rounds: int) -> ndarray:
        """Return choices without exploration ``[period player axis]``."""
        env: Any = self.env()
        path: list[ndarray] = []
        observations, _ = env.reset(seed=0)
        space = self.board.space
        choices = np.zeros((len(self.names), space.shape[1] if isinstance(space, Box) else 1))
        while len(path) < rounds:
            if not env.agents:
                observations, _ = env.reset()
            for stage in self.order.stages:
                turn = [f"player_{k}" for k in stage]
                actions = choose_actions(
                    networks, {name: self.look(name, observations[name]) for name in turn}, None
                )
                for name, action in actions.items():
                    choices[self.names.index(name)] = action
                observations = env.play(actions)[0]
            path.append(self._profile(choices))
        return np.array(path)

    def _profile(self, actions: ndarray) -> ndarray:
        """Return the strategies ``[player axis]`` of actions ``[player column]``."""
        x = strategies(self.board.space, put(actions))
        return np.asarray(x if self.board is self.order.game else self.board.profile(x))

    def _exploring_record(self, networks: Networks, words: ndarray) -> Record:
        """Return the mixtures played with exploration, where all choose at once, and the gains there."""
        base = self.order.game
        if len(self.order.stages) > 1:
            return {}
        draw = np.random.default_rng(SeedSequence(words.tolist()))
        env = self.env()
        observations, _ = env.reset(seed=0)
        rows_seen = {name: self.look(name, observations[name]) for name in self.names}
        if isinstance(self.board.space, Box):
            rows = []
            for name in self.names:
                samples = networks[name].sample(np.repeat(rows_seen[name][None], DRAWN, axis=0), draw)
                order = samples[np.argsort(samples[:, 0], kind="stable")]
                # the middle of each of as many equal parts of the ordered draws
                rows.append(order[(np.arange(ATOMS) * 2 + 1) * DRAWN // (2 * ATOMS)])
            points = np.stack([self._profile(choice) for choice in np.stack(rows, axis=1)], axis=1)
            weights = np.full((len(rows), ATOMS), 1 / ATOMS)
            return _exploring(mixture_record(base, points, weights))
        probabilities = [networks[name].probabilities(rows_seen[name][None])[0] for name in self.names]
        weights = np.stack(
            [np.pad(row, (0, max(map(len, probabilities)) - len(row))) for row in probabilities]
        )
        if self.board is base:
            return _exploring(_finite_record(base, weights))
        sizes = np.array(self.board.space.sizes)
        is_action = np.arange(weights.shape[1]) < sizes[:, None]
        points = np.where(is_action[..., None], np.asarray(self.board.action_grid), np.nan)
        return _exploring(mixture_record(base, points, weights))


def _status(path: ndarray, space: Any) -> Variable:
    """Status of play ``[period player axis]``: at rest in its last period or not.

    Play at rest is no convergence of learning: networks that observe nothing repeat their choice at once.
    """
    at_rest = np.all(np.ptp(path[-2:], axis=0) <= STILL * np.asarray(width(space)))
    return scalar("completed" if at_rest else "cycling")


def _exploring(record: Record) -> Record:
    """Return the variables of a mixture's record that are reported."""
    names = {name: name for name in ("payoff", "regret", "mean_profile", "mixture", "grid_regret")}
    names["mean_profile"] = "choice"
    return {f"exploring_{new}": record[old] for old, new in names.items() if old in record}


def _finite_record(game: object, weights: ndarray) -> Record:
    """Return payoffs and exact regrets of mixtures ``[player action]`` of a finite game."""
    pays = action_payoffs(tables_of(to_finite(game)), weights)
    payoff = np.einsum("pa,pa->p", weights, np.nan_to_num(pays))
    gain = np.maximum(np.nanmax(pays, axis=1) - payoff, 0.0)
    return {
        "mixture": (("player", "action"), weights),
        "payoff": (("player",), payoff),
        "regret": (("player",), gain),
    }


def discount(game: object, gamma: float | None) -> float:
    """Return the discount factor per period: as given, else the game's, else 0.95.

    The game's are its `discount_factors`, or follow from the weights of its periods in native play.
    Raises `ValueError` where players or periods differ.
    """
    factors = discount_factors(game) if discount_factors.knows(game) else None
    weights = to_stages(game).weights if to_markov.knows(game) and to_stages.knows(game) else None
    if factors is None and weights is not None and len(weights) > 1:
        before, after = np.asarray(weights)[:-1], np.asarray(weights)[1:]
        factors = np.where(before > 0, after / np.where(before > 0, before, 1.0), 0.0)
    return one_for_all(USUAL_GAMMA if factors is None else factors, gamma)


def one_for_all(game_factors: object, gamma: float | None) -> float:
    """Return the discount factor as given, or the game's. Raises `ValueError` where it has several."""
    if gamma is not None:
        return float(gamma)
    factors = np.unique(floats(game_factors).round(12))
    if len(factors) > 1:
        span = f"from {factors[0]:g} to {factors[-1]:g}"
        raise ValueError(f"gamma: the game's own differ, {span}; RLlib has one for all: set gamma")
    return float(factors[0])


@dataclass(frozen=True)
class WalksArena(Arena):
    """A one-shot game in which a choice is a step from the present position."""

    walk: Any  # the game of steps
    action_grid: int  # on each axis; 0: steps of any length
    joint: bool

    @classmethod
    def of(cls, game: Playable, learner: LearnerOptions) -> WalksArena:
        """Return the arena of a game. Raises `ValueError` for finite games and boxes of several widths."""
        if learner.observation == "none":
            raise ValueError("observation: 'none' must be 'own' or 'joint' for players who walk")
        grid = learner.moves == "grid"
        observed = learner.observation or "own"
        action_grid = int(learner.action_grid) if grid else 0  # type: ignore[arg-type]
        share = 1 / (action_grid - 1) if grid else learner.step
        walk = walks(
            game,
            step=(_widths(game.space) * share).tolist(),
            moves="discrete" if grid else "continuous",
            observation=observed,
            periods=learner.periods,
        )
        names = tuple(f"player_{k}" for k in range(game.space.shape[0]))
        worth = discount(game, learner.gamma)
        if grid and worth >= 1:
            raise ValueError(f"gamma: {worth:g} must be below 1 on a grid, where play has no end")
        groups = policy_names(names, exchangeable_labels(game), learner.policies == "shared")
        return cls(game, names, groups, learner.periods, worth, walk, action_grid, observed == "joint")

    def env(self) -> Any:
        """Return the game of steps as an environment."""
        return parallel_env(self.walk, periods=self.periods, normalize_spaces=True)

    def read(self, networks: Networks, words: ndarray, options: Reading) -> Record:
        """Ends of policies without exploration, and the gains from deviating."""
        return self._tables(networks) if self.action_grid else self._paths(networks, words, options)

    def _tables(self, networks: Networks) -> Record:
        world = tabulate(self.given, self.action_grid, observation="joint" if self.joint else "own")
        shape = (len(self.names), int(states(world.tables).max()))
        probabilities = np.zeros((*shape, int(choices(world.tables).max())))
        policies = np.zeros(shape, int)
        for player, name in enumerate(self.names):
            observed, width = self._observations(world, player), int(choices(world.tables)[player])
            probabilities[player, : len(observed), :width] = networks[name].probabilities(observed)
            policies[player, : len(observed)] = networks[name].best(observed)
        start = spread(world)
        record: Record = {
            "policy": (("trial", "player", "state"), policies[None]),
            "policy_softmax": (("trial", "player", "state", "action"), probabilities[None]),
            "action_grid": (("player", "grid_point" if self.joint else "state", "axis"), world.action_grid),
            **greedy_end(world, policies[None], start)[0],
        }
        return record | self._gains(world, policies, probabilities, rollout(world, policies, start).cycle)

    def _gains(self, world: Tabulated, policies: ndarray, probabilities: ndarray, cycle: ndarray) -> Record:
        """Return the discounted gains of best responses to the others' policies, by dynamic programming.

        Without exploration at the end of play; with exploration as the mean over joint positions.
        """
        joints = joint_count(world)
        if joints > MOST_WHOLE or joints * prod(choices(world.tables)) > MOST_DECISIONS:
            return {}
        ends = np.ravel_multi_index(tuple(cycle.T), tuple(world.tables.sizes))
        plain = policy_regrets(world, policies, self.discount)[:, 0, ends].max(axis=1)
        exploring = policy_regrets(world, probabilities, self.discount)[:, 0].mean(axis=1)
        return {"policy_regret": (("player",), plain), "policy_regret_exploring": (("player",), exploring)}

    def _observations(self, world: Tabulated, player: int) -> ndarray:
        """Return the observation in each of a player's states, ``[state feature]``, own position first."""
        sizes, space = world.tables.sizes.tolist(), self.given.space
        rows = np.zeros((len(sizes), max(sizes), space.shape[1]))
        for place in range(max(sizes)):
            x = world.action_grid[np.arange(len(sizes)), np.minimum(place, np.array(sizes) - 1)]
            rows[:, place] = np.asarray(units(space, put(x)))
        if not self.joint:
            return rows[player, : sizes[player]]
        at = np.indices(sizes).reshape(len(sizes), -1)
        order = [player, *(rival for rival in range(len(sizes)) if rival != player)]
        return np.concatenate([rows[rival, at[rival]] for rival in order], axis=1)

    def _paths(self, networks: Networks, words: ndarray, options: Reading) -> Record:
        draw = np.random.default_rng(SeedSequence(words.tolist()))
        plain, _ = self._walk(networks, None, options.rounds)
        path, paid = self._walk(networks, draw, options.evaluation)
        return {
            "profile": (("player", "axis"), plain[-1]),
            "status": _status(plain, self.given.space),
            "rollout": (("rollout_step", "player", "axis"), plain),
            "exploring_choice": (("player", "axis"), path.mean(axis=0)),
            "exploring_spread": (("player", "axis"), path.std(axis=0)),
            "exploring_payoff": (("player",), paid.mean(axis=0)),
        }

    def _walk(
        self, networks: Networks, draw: np.random.Generator | None, periods: int
    ) -> tuple[ndarray, ndarray]:
        """Return positions ``[period player axis]`` in one long episode, and payoffs ``[period player]``."""
        env: Any = parallel_env(self.walk, normalize_spaces=True)
        observations, _ = env.reset(seed=0)
        path, paid = [], []
        for _ in range(periods):
            if not env.agents:
                observations, _ = env.reset()
            actions = choose_actions(
                networks, {n: self.look(n, row) for n, row in observations.items()}, draw
            )
            observations, rewards, *_ = env.step(actions)
            positions = np.stack([observations[name][: self.given.space.shape[1]] for name in self.names])
            path.append(np.asarray(strategies(self.given.space, put(positions))))
            paid.append([rewards[name] for name in self.names])
        return np.array(path), np.array(paid)


def _widths(space: object) -> ndarray:
    """Return the width of a space along each axis. Raises `ValueError` where players differ."""
    if not isinstance(space, Box):
        return np.ones(1)
    wide = np.asarray(reach(space.unconstrained()))
    if np.ptp(wide, axis=0).max() > 1e-9 * wide.max():
        raise ValueError(f"moves: players' boxes are {wide.tolist()} wide; steps need equal widths")
    return wide[0]
