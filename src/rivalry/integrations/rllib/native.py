"""Games as they are lived, period by period: with states, chance, players who leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.certify import TOLERANCE
from rivalry.core.game import alike, is_markov, scale
from rivalry.core.oracles import move_order, to_markov
from rivalry.core.results import Certificate, Record
from rivalry.core.statistics import half_width
from rivalry.envs import parallel_env
from rivalry.integrations.rllib.arenas import Networks, Reading, acted, grouped
from rivalry.integrations.rllib.rounds import discount
from rivalry.transforms.over_periods import Staged

if TYPE_CHECKING:
    from rivalry.integrations.rllib.learner import DeepLearner

HOW = "best responses trained against the others' policies"


@dataclass(frozen=True)
class Lived:
    """A game that is played on and on."""

    given: Any
    periods: int
    discount: float
    groups: tuple[str, ...]
    names: tuple[str, ...]
    stages: int  # of a period, each a step

    @classmethod
    def of(cls, game: Any, learner: DeepLearner) -> Lived:
        """Raises `ValueError` for a one-shot game that is not lived otherwise than by repetition."""
        if not (to_markov.knows(game) or is_markov(game)):
            raise ValueError("moves: 'lived' needs a game with periods of its own; take 'any'")
        names = tuple(parallel_env(game, periods=1).possible_agents)
        kinds = alike(game)
        return cls(
            game,
            learner.periods,
            discount(game, learner.gamma),
            grouped(names, kinds, learner.policies == "shared"),
            names,
            _stages(game),
        )

    @property
    def players(self) -> tuple[int, ...]:
        """Everybody is itself."""
        return tuple(range(len(self.names)))

    @property
    def scale(self) -> float:
        """The game's own."""
        return scale(self.given)

    @property
    def who(self) -> str:
        """Players."""
        return "player"

    def lasted(self, steps: float) -> float:
        """A step a stage."""
        return steps / self.stages

    def env(self) -> Any:
        """The game."""
        return parallel_env(self.given, periods=self.periods, normalize_spaces=True)

    def look(self, name: str, seen: np.ndarray) -> np.ndarray:
        """All that the game tells."""
        return np.asarray(seen, dtype=np.float32)

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """Returns of an episode without and with exploration; what trained best responses gain."""
        first, again = np.random.SeedSequence(words.tolist()).spawn(2)
        plain = self._returns(networks, options, first, explore=False)
        random = self._returns(networks, options, again, explore=True)
        found: Record = {
            "episode_return": (("player",), plain.mean(axis=0)),
            "episode_return_band": (("player",), half_width(plain)),
            "explored_return": (("player",), random.mean(axis=0)),
            "status": ((), np.asarray("completed")),
        }
        if options.reply is None:
            return found
        gain, band = np.zeros(len(self.names)), np.zeros(len(self.names))
        for player, name in enumerate(self.names):
            reply = {**networks, name: options.reply(player, networks)}
            more = self._returns(reply, options, first, explore=False)[:, player] - plain[:, player]
            gain[player], band[player] = max(float(more.mean()), 0.0), half_width(more[:, None])[0]
        proof = Certificate(gain, np.full(len(gain), np.inf), "lower bound", HOW, TOLERANCE * self.scale)
        return (
            found
            | proof.record()
            | {"trained_gain": (("player",), gain), "trained_gain_band": (("player",), band)}
        )

    def _returns(
        self, networks: Networks, options: Reading, sequence: np.random.SeedSequence, explore: bool
    ) -> np.ndarray:
        """Sums of rewards ``[episode player]``, discounted by own turns; the same chance whoever plays."""
        draw = np.random.default_rng(sequence) if explore else None
        env, episodes = self.env(), max(2, options.evaluation // self.periods)
        found = np.zeros((episodes, len(self.names)))
        seeds = sequence.generate_state(episodes, np.uint32)
        for episode in range(episodes):
            seen, _ = env.reset(seed=int(seeds[episode]))
            worth, taken = np.ones(len(self.names)), np.zeros(len(self.names), dtype=bool)
            while env.agents:
                turn = [name for name in env.movers() if name in seen]
                moves = np.array([name in turn for name in self.names])
                worth, taken = np.where(moves & taken, worth * self.discount, worth), taken | moves
                actions = acted(networks, {name: self.look(name, seen[name]) for name in turn}, draw)
                seen, paid, *_ = env.play(actions)
                found[episode] += worth * [paid.get(name, 0.0) for name in self.names]
        return found


def _stages(game: Any) -> int:
    """How many steps a period takes."""
    if to_markov.knows(game):
        return len(move_order(game))
    return len(game.moves) if isinstance(game, Staged) else 1
