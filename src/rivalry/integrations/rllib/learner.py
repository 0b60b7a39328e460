"""Deep learners of RLlib as methods of a study: one iteration a step."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from rivalry.core.game import Game, MarkovGame, is_population, own_world
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.integrations.rllib import libraries
from rivalry.methods.continuous.mixtures import check_places
from rivalry.methods.q_learning.exploration import check_numbers, check_whole

if TYPE_CHECKING:
    from rivalry.integrations.rllib.arenas import Arena
    from rivalry.integrations.rllib.session import Training

Table = dict[str, Any]
STATE, CURVES = "algorithm.pickle", "curves.npz"


def _playable(game: Any) -> bool:
    """Whether a game has a strategy space or a world of agents; populations need the latter."""
    return own_world(game) is not None or (isinstance(game, Game | MarkovGame) and not is_population(game))


class DeepLearner(eqx.Module):
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

    iterations: Annotated[int, Ge(1), "of playing and learning"] = 100
    batch: Annotated[int, Ge(1), "steps played in an iteration"] = 400
    envs: Annotated[int, Ge(1), "copies of the game that play side by side"] = 8
    runners: Annotated[int, Ge(0), "processes that play; 0: this one, and the same bits again"] = 0
    periods: Annotated[int, Ge(1), "of an episode, which is cut then"] = 50
    moves: Annotated[
        Literal["any", "levels", "steps", "grid", "lived"],
        "what is chosen: anything, one of the places, a step, a step on a grid, or as the game is lived",
    ] = "any"
    step: Annotated[float, Gt(0), Lt(1), "longest step along an axis, as a share of the box"] = 0.05
    places: Annotated[
        int | Table | list[Table], Ge(2), "places on each axis of a grid, or the levels of the axes"
    ] = 21
    observation: Annotated[
        Literal["none", "own", "joint"] | None, "whose places, or last choices, a player sees"
    ] = None
    policies: Annotated[Literal["independent", "shared"], "a network each, or one for all alike"] = (
        "independent"
    )
    followers: Annotated[Literal["learn", "oracle"], "whether those who follow learn, or reply exactly"] = (
        "learn"
    )
    hidden: Annotated[list[int], "units of the hidden layers"] = eqx.field(default_factory=lambda: [64, 64])
    gamma: Annotated[
        float | None, Ge(0), Le(1), "discount of a period; by default the game's, 0 where nothing is seen"
    ] = None
    evaluation: Annotated[int, Ge(1), "periods for which learned policies are watched"] = 1000
    rounds: Annotated[int, Ge(1), "periods of play without exploration, before places are read"] = 100
    reply_iterations: Annotated[int, Ge(0), "of training best responses where none is exact; 0: none"] = 20
    settings: Annotated[Table, "for RLlib's training(), as they are"] = eqx.field(default_factory=dict)

    algorithm: ClassVar[str] = ""
    kind: ClassVar[str] = ""

    def __check_init__(self) -> None:
        whole = ("iterations", "batch", "envs", "periods", "evaluation", "rounds")
        for name, least in (*((name, 1) for name in whole), ("runners", 0), ("reply_iterations", 0)):
            check_whole(name, getattr(self, name), least)
        check_places(self.places)
        if self.moves == "grid":
            check_whole("places", self.places, 2)
        if not 0 < self.step < 1:
            raise ValueError(f"step: {self.step:g} must be in (0, 1), a share of the box")
        for name, known in (
            ("moves", ("any", "levels", "steps", "grid", "lived")),
            ("observation", (None, "none", "own", "joint")),
            ("policies", ("independent", "shared")),
            ("followers", ("learn", "oracle")),
        ):
            if getattr(self, name) not in known:
                words = ", ".join(str(word) for word in known if word is not None)
                raise ValueError(f"{name}: {getattr(self, name)!r} must be one of {words}")
        if self.gamma is not None:
            check_numbers("gamma", self.gamma, "in [0, 1]", lambda v: (v >= 0) & (v <= 1))
        if not isinstance(self.hidden, list | tuple) or not self.hidden:
            raise ValueError(f"hidden: {self.hidden!r} must be a list of whole numbers, such as [64, 64]")
        for k, units in enumerate(self.hidden):
            check_whole(f"hidden[{k}]", units, 1)
        if not isinstance(self.settings, Mapping):
            raise ValueError(f"settings: {self.settings!r} must be a table of RLlib's own settings")

    needs: ClassVar[tuple[Need, ...]] = (Need("a game that agents can play", _playable),)

    @property
    def fragment(self) -> int | str:
        """Steps of a copy between two updates, as RLlib takes them."""
        return "auto"

    def family(self, space: Any) -> str:
        """What the outputs of networks are, for actions of a space. Raises `ValueError` for others."""
        raise NotImplementedError

    def told(self) -> Table:
        """The options of the algorithm as RLlib's ``training()`` takes them."""
        raise NotImplementedError

    def world(self, game: Any) -> Arena:
        """The game made ready. Raises `ValueError`, also without Ray and PyTorch."""
        libraries.checked(self.kind)
        from rivalry.integrations.rllib.games import arena

        found = arena(game, self)
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
