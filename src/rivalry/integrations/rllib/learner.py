"""Deep learners of RLlib as methods of a study: one iteration per step."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rivalry.core.game import Game, MarkovGame, is_agents, is_markov, is_population, own_world
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.integrations.rllib import libraries
from rivalry.integrations.rllib.options import LearnerOptions

if TYPE_CHECKING:
    from rivalry.integrations.rllib.arenas import Arena
    from rivalry.integrations.rllib.session import Training

STATE, CURVES = "algorithm.pickle", "curves.npz"


def _playable(game: Any) -> bool:
    """Whether a game has a strategy space or a world of agents; populations need the latter."""
    return own_world(game) is not None or (isinstance(game, Game | MarkovGame) and not is_population(game))


class DeepLearner(LearnerOptions):
    """Independent or shared neural networks, trained by RLlib on a game as an environment of PettingZoo.

    What is played is told by ``moves``:

    - ``any``: the one-shot game again and again, everybody choosing anew in every period; where its players
      move in stages, those who follow see what was chosen before in the period, and learn as well, or
      (``followers = "oracle"``) reply exactly;
    - ``levels``: the same, where everybody chooses one of its ``places``, as `QLearning` takes them;
    - ``steps``: everybody stands somewhere in its box and moves by at most ``step`` along each axis;
    - ``grid``: everybody stands on one of ``places`` on each axis, and steps to a neighbour, or stays;
    - ``lived``: the game period by period, as it says itself, with all its states.

    An episode begins somewhere drawn evenly and is cut after ``periods``. A player sees nothing
    (``observation = "none"``), where it stands itself or what it chose last (``own``), or that of all
    (``joint``); by default its own place where it moves about, and nothing where it does not. Economies and
    cities of agents are played as they are: an agent sees its own state, and a bid above its karma is all it
    has.

    Each player has a network of its own, or (``policies = "shared"``) players who are alike, agents of a
    type, have one together; hidden layers of ``hidden`` tanh units. Rewards are divided by the game's scale.
    An iteration plays ``batch`` steps by ``envs`` copies in this process, or in ``runners`` others.
    ``settings`` go to RLlib's ``training()`` as they are.

    Everything ends in the same certificates as elsewhere. The profile is where play without exploration leads
    after ``rounds`` periods; ``explored_..`` tell what is chosen with exploration, as mixtures, and what
    could be gained there. On a ``grid`` policies are tables, judged as those of `QLearning` are, by dynamic
    programming. Populations have ``policy``, judged as by `Simulation`. Where nothing exact is known
    (``lived``) every player's best response is trained against the others' policies, for
    ``reply_iterations``, and what it gains in ``evaluation`` periods is told as a lower bound.
    ``learning_reward`` (sample, player) are mean rewards of a period, by iteration.

    A cut is no end: what would follow counts. Where players move in turn, ``lived`` discounts by turns of
    one's own. Where rewards or losses become no numbers, learning ends with ``not found`` and a warning.

    One seed gives one result on one machine, with ``runners = 0`` and unbroken: a run that went on from a
    checkpoint is told by ``continued``, as games that are being played, and memories of DQN and SAC, begin
    anew there.

    Raises `ValueError` for options out of range, spaces that an algorithm cannot play, and without Ray and
    PyTorch.
    """

    needs: ClassVar[tuple[Need, ...]] = (Need("a game that agents can play", _playable),)

    def world(self, game: Any) -> Arena:
        """The game made ready. Raises `ValueError`, also without Ray and PyTorch."""
        libraries.checked(self.kind)
        found = _arena(game, self)
        env = found.env()
        for name in found.names:
            self.family(env.action_space(name))
        return found

    def length(self, world: Arena) -> int:
        """Iterations."""
        return self.iterations

    def begin(self, world: Arena, stream: np.random.SeedSequence) -> Training:
        """Networks not yet trained."""
        from rivalry.integrations.rllib.session import Training

        return Training(stream.generate_state(4, np.uint32))

    def advance(self, world: Arena, session: Training, steps: int) -> int:
        """Plays and learns for so many iterations."""
        from rivalry.integrations.rllib import training

        taken = 0
        while taken < min(steps, self.iterations - len(session.rewards) + taken) and not session.lost:
            session.rewards.append(training.iteration(self, world, session))
            taken += 1
        return taken

    def read(self, world: Arena, session: Training) -> Record:
        """What was learned, judged; RLlib is told to stop."""
        from rivalry.integrations.rllib import training

        if session.lost:
            warnings.warn(f"{self.kind}: nothing can be learned: {session.lost}", stacklevel=2)
            record: Record = {"status": ((), np.asarray("not found"))}
        else:
            networks = training.networks(self, world, session)
            options = training.reading(self, world, session.words)
            record = world.read(networks, session.words, options)
        if session.rewards:
            record |= self._curve(world, np.stack(session.rewards))
        record["continued"] = ((), np.asarray(session.broken))
        training.stop(session)
        return record

    def save(self, session: Training, folder: Path) -> None:
        """RLlib's own state, and what was noted."""
        from rivalry.integrations.rllib import training

        (folder / STATE).write_bytes(training.state(session))
        held = io.BytesIO()
        np.savez(held, words=session.words, rewards=np.array(session.rewards), lost=np.array(session.lost))
        (folder / CURVES).write_bytes(held.getvalue())

    def load(self, folder: Path) -> Training:
        """A session to go on with."""
        from rivalry.integrations.rllib.session import Training

        with np.load(folder / CURVES) as noted:
            found = Training(noted["words"], (folder / STATE).read_bytes())
            found.rewards, found.lost = list(noted["rewards"]), str(noted["lost"])
        return found

    def _curve(self, world: Arena, rewards: np.ndarray) -> Record:
        """Mean rewards by player: over agents who stand for it."""
        known = np.all(np.isfinite(rewards), axis=1)  # no episode ended in the others
        players, taken, rewards = np.array(world.players), np.flatnonzero(known), rewards[known]
        mean = np.stack([rewards[:, players == p].mean(axis=1) for p in range(players.max() + 1)], axis=1)
        return {
            "learning_step": (("sample",), taken * self.batch),
            "learning_reward": (("sample", world.who), mean),
        }


def _arena(game: Any, learner: DeepLearner) -> Arena:
    """Return the arena of a game, by a learner's ``moves``. Raises `ValueError` where there is none."""
    if is_agents(game) or is_population(game):
        from rivalry.integrations.rllib.native import AgentsArena

        return AgentsArena.of(game, learner)
    if learner.moves == "lived" or is_markov(game):
        from rivalry.integrations.rllib.native import NativeArena

        return NativeArena.of(game, learner)
    if not isinstance(game, Game):
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps nor agents")
    if learner.moves in ("any", "levels"):
        from rivalry.integrations.rllib.rounds import RoundsArena

        return RoundsArena.of(game, learner)
    from rivalry.integrations.rllib.walks import WalksArena

    return WalksArena.of(game, learner)
