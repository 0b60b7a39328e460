"""Arenas of one-shot games that are repeated: new choices in every period, simultaneous or in stages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rivalry.core.game import alike, scale
from rivalry.core.jax import put
from rivalry.core.oracles import discount_factors, to_finite, to_markov, to_stages
from rivalry.core.results import Record
from rivalry.core.space import Box, width
from rivalry.envs import parallel_env
from rivalry.integrations.rllib.arenas import Arena, Networks, Reading, acted, grouped
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.methods.continuous.actor_critic import reply_distance
from rivalry.methods.continuous.mixtures import action_payoffs, mixture_record, tables_of
from rivalry.methods.q_learning.seating import USUAL_GAMMA, Seating, seating
from rivalry.transforms import discretise, in_stages, repeat
from rivalry.transforms.units import strategies

ATOMS = 12  # per player, of choices with exploration
STILL = 1e-6  # share of the box below which play is at rest
DRAWN = 4096  # choices with exploration, of which the atoms are evenly spaced quantiles


@dataclass(frozen=True)
class RoundsArena(Arena):
    """A repeated game. Players are those of the base game, in which followers who learn have seats too."""

    seats: Seating  # of all players who learn, in the base game
    board: Any  # the base game, with numbered choices for levels
    seen: str

    @classmethod
    def of(cls, game: Any, learner: LearnerOptions) -> RoundsArena:
        """Return the arena of a game. Raises `ValueError` where players move in turns."""
        seats = seating(game)
        if seats.alternating:
            raise ValueError(f"timing: 'alternating' must be 'simultaneous' or 'staged' for {learner.kind}")
        if seats.led and learner.followers != "learn":  # the leaders alone play, and the followers respond
            everyone = tuple(range(game.space.shape[0]))
            seats = Seating(game, (everyone,), False, everyone, False)
        base = seats.game
        names = tuple(f"player_{k}" for k in range(seats.players))
        seen = learner.observation or "none"
        board = discretise(base, learner.places) if learner.moves == "levels" else base
        groups = grouped(names, alike(board), learner.policies == "shared")
        worth = 0.0 if seen == "none" and learner.gamma is None else discount(base, learner.gamma)
        return cls(game, names, groups, learner.periods, worth, seats, board, seen)

    @property
    def scale(self) -> float:
        """The game's payoff scale."""
        return scale(self.seats.game)

    @property
    def who(self) -> str:
        """Seats, where followers have some."""
        return self.seats.who

    def env(self) -> Any:
        """Return the repeated game as an environment."""
        whole = [list(stage) for stage in self.seats.stages]
        again = in_stages(self.board, whole, periods=self.periods) if len(whole) > 1 else None
        return parallel_env(again or repeat(self.board, periods=self.periods), normalize_spaces=True)

    def look(self, name: str, seen: Any) -> np.ndarray:
        """Last choices as far as they are seen, and in stages what was chosen in this period."""
        players, axes = self._shape
        own = self._number[name]
        before = seen[: players * axes].reshape(players, axes)
        last = {"none": before[:0], "own": before[own : own + 1], "joint": before}[self.seen]
        now = seen[players * axes :] if len(self.seats.stages) > 1 else np.ones(1)
        return np.concatenate([last.ravel(), now]).astype(np.float32)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        return tuple(self.board.space.shape)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.names)}

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """Return the profile after play without exploration, and the mixtures of play with exploration."""
        path = self._play(networks, options.rounds)
        x, last_change = path[-1], np.ptp(path[-2:], axis=0)
        base = self.seats.game
        still = bool(np.all(last_change <= STILL * np.asarray(width(base.space))))
        record: Record = {
            "status": ((), np.asarray("converged" if still else "cycling")),
            "profile": (("player", "axis"), x[list(self.seats.leaders)]),
        }
        if self.seats.led:
            record["learned_choice"] = ((self.who, "axis"), x)
            record["learned_payoff"] = ((self.who,), np.asarray(base.payoffs(put(x))))
        if isinstance(base.space, Box):
            record["reply_distance"] = ((self.who,), reply_distance(self.given, self.seats, x))
        return record | self._exploring_record(networks, words)

    def _play(self, networks: Networks, rounds: int) -> np.ndarray:
        """Return choices without exploration ``[period player axis]``."""
        env: Any = self.env()
        path: list[np.ndarray] = []
        seen, _ = env.reset(seed=0)
        space = self.board.space
        chosen = np.zeros((len(self.names), space.shape[1] if isinstance(space, Box) else 1))
        while len(path) < rounds:
            if not env.agents:
                seen, _ = env.reset()
            for stage in self.seats.stages:
                turn = [f"player_{k}" for k in stage]
                actions = acted(networks, {name: self.look(name, seen[name]) for name in turn}, None)
                for name, action in actions.items():
                    chosen[self.names.index(name)] = action
                seen = env.play(actions)[0]
            path.append(self._profile(chosen))
        return np.array(path)

    def _profile(self, actions: np.ndarray) -> np.ndarray:
        """Return the strategies ``[player axis]`` of actions ``[player column]``."""
        x = strategies(self.board.space, put(actions))
        return np.asarray(x if self.board is self.seats.game else self.board.profile(x))

    def _exploring_record(self, networks: Networks, words: np.ndarray) -> Record:
        """Mixtures that are played with exploration, where all choose at once, and what could be gained."""
        base = self.seats.game
        if len(self.seats.stages) > 1:
            return {}
        draw = np.random.default_rng(np.random.SeedSequence(words.tolist()))
        env = self.env()
        seen, _ = env.reset(seed=0)
        looked = {name: self.look(name, seen[name]) for name in self.names}
        if isinstance(self.board.space, Box):
            rows = []
            for name in self.names:
                samples = networks[name].sample(np.repeat(looked[name][None], DRAWN, axis=0), draw)
                order = samples[np.argsort(samples[:, 0], kind="stable")]
                rows.append(order[(np.arange(ATOMS) * 2 + 1) * DRAWN // (2 * ATOMS)])
            places = np.stack([self._profile(each) for each in np.stack(rows, axis=1)], axis=1)
            weights = np.full((len(rows), ATOMS), 1 / ATOMS)
            return _exploring(mixture_record(base, places, weights))
        chances = [networks[name].chances(looked[name][None])[0] for name in self.names]
        weights = np.stack([np.pad(row, (0, max(map(len, chances)) - len(row))) for row in chances])
        if self.board is base:
            return _exploring(_finite_record(base, weights))
        sizes = np.array(self.board.space.sizes)
        there = np.arange(weights.shape[1]) < sizes[:, None]
        places = np.where(there[..., None], np.asarray(self.board.places), np.nan)
        return _exploring(mixture_record(base, places, weights))


EXPLORING = {
    "payoff": "payoff",
    "regret": "regret",
    "mean_profile": "choice",
    "mixture": "mixture",
    "grid_regret": "grid_regret",
}


def _exploring(found: Record) -> Record:
    """Return the variables of a mixture's record that are reported."""
    return {f"exploring_{new}": found[old] for old, new in EXPLORING.items() if old in found}


def _finite_record(game: Any, weights: np.ndarray) -> Record:
    """Return payoffs and exact regrets of mixtures ``[player action]`` of a finite game."""
    pays = action_payoffs(tables_of(to_finite(game)), weights)
    payoff = np.einsum("pa,pa->p", weights, np.nan_to_num(pays))
    gain = np.maximum(np.nanmax(pays, axis=1) - payoff, 0.0)
    return {
        "mixture": (("player", "action"), weights),
        "payoff": (("player",), payoff),
        "regret": (("player",), gain),
    }


def discount(game: Any, given: float | None) -> float:
    """Return the discount factor per period: as given, else the game's, else 0.95.

    The game's are its `discount_factors`, or follow from the weights of its periods in native play.
    Raises `ValueError` where players or periods differ.
    """
    known = discount_factors(game) if discount_factors.knows(game) else None
    weights = to_stages(game).weights if to_markov.knows(game) and to_stages.knows(game) else None
    if known is None and weights is not None and len(weights) > 1:
        before, after = np.asarray(weights)[:-1], np.asarray(weights)[1:]
        known = np.where(before > 0, after / np.where(before > 0, before, 1.0), 0.0)
    return one_for_all(USUAL_GAMMA if known is None else known, given)


def one_for_all(own: Any, given: float | None) -> float:
    """Return the discount factor as given, or the game's. Raises `ValueError` where it has several."""
    if given is not None:
        return float(given)
    each = np.unique(np.asarray(own, dtype=float).round(12))
    if len(each) > 1:
        span = f"from {each[0]:g} to {each[-1]:g}"
        raise ValueError(f"gamma: the game's own differ, {span}; RLlib has one for all: set gamma")
    return float(each[0])
