"""Arenas of deep learners: the game of an environment, who shares a network, and what is learned in it.

One-shot games are repeated with new choices in every period, or walked through, on a grid, where policies are
tables that are evaluated exactly, or by steps of any length. Games with periods or states, economies and
cities are played as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, repeat
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry import transforms
from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.game import Game, is_agents, is_markov, is_population, scale
from rivalry.core.needs import fits
from rivalry.core.oracles import (
    discount_factors,
    move_order,
    normalized_observation,
    payoff_growth,
    to_finite,
    to_markov,
    to_stages,
)
from rivalry.core.results import Certificate, Record, Variable, scalar
from rivalry.core.space import Box, reach, width
from rivalry.core.tolerances import TOLERANCE
from rivalry.envs import GameEnv
from rivalry.integrations.rllib.networks import PolicyNetwork, clip_to_masks
from rivalry.integrations.rllib.options import LearnerOptions
from rivalry.methods import METHODS
from rivalry.methods.continuous.actor_critic import best_response_distance
from rivalry.methods.continuous.mixtures import action_payoffs, mixture_record, tables_of
from rivalry.methods.q_learning.policies import greedy_end, spread
from rivalry.methods.q_learning.seating import USUAL_GAMMA, Seating, seating
from rivalry.runtime.jax import floats, jax, jnp, put
from rivalry.schema.registry import load
from rivalry.solving import solve
from rivalry.tables import joint_count, policy_regrets, rollout, tabulate
from rivalry.tables.greedy_play import choices, states
from rivalry.tables.kernels.shapes import Tabulated
from rivalry.tables.response_gaps import MOST_DECISIONS
from rivalry.text.statistics import half_width
from rivalry.transforms.over_periods import Staged
from rivalry.transforms.units import strategies
from rivalry.transforms.walk import Walking

Networks = Mapping[str, PolicyNetwork]  # by agent
BestResponse = Callable[[int, Networks], PolicyNetwork]  # trains one agent against the others

ATOMS = 12  # per player, of choices with exploration
DRAWN = 4096  # choices with exploration, of which the atoms are evenly spaced quantiles
STILL = 1e-6  # share of the box below which play is at rest
MOST_WHOLE = 10_000  # joint positions up to which best responses to policies are computed
WARM_UP = 500  # periods before policies of agents are judged
HOW = "best responses trained against the others' policies"
EXPLORING = (  # variables of simulations that are also reported for play with exploration
    "policy",
    "efficiency",
    "access_fairness",
    "reward_fairness",
    "trips_per_step",
    "payoff",
    "exploitability",
    "mean_relative_exploitability",
)


@dataclass(frozen=True)
class Arena:
    """A game as an environment for RLlib, and the evaluation of learned policies."""

    learner: LearnerOptions
    given: Any
    played: Any  # the game of the environment
    kinds: Sequence[int]  # of agents; those of one kind may share a network
    discount: float  # per period
    scale: float  # that rewards are divided by
    limit: int | None = None  # steps of an episode, where the game played does not end it
    stages: int = 1  # steps of a period
    order: Seating | None = None  # of all players who learn, in the base game
    rivals: Networks = field(default_factory=dict)  # of agents who do not learn and play without exploration

    noun = "player"

    @property
    def names(self) -> list[str]:
        """The agents who learn."""
        names = [f"{self.noun}_{k}" for k in range(len(self.kinds))]
        return [name for name in names if name not in self.rivals]

    @property
    def groups(self) -> list[str]:
        """The policy that each agent follows, by name."""
        shared = self.learner.policies == "shared" and not self.rivals
        return [f"kind_{kind}" for kind in self.kinds] if shared else self.names

    @property
    def players(self) -> Sequence[int]:
        """The player of the game, or the type, that each agent is."""
        return range(len(self.kinds))

    @property
    def who(self) -> str:
        """The dimension of players: ``player``, or ``seat`` where the game's players are only the leaders."""
        return self.order.who if self.order else "player"

    def env(self) -> GameEnv:
        """Return a new parallel environment."""
        return GameEnv(self.played, periods=self.limit, illegal="clip", normalize_spaces=True, mask="info")

    def periods_in(self, steps: float) -> float:
        """Return the periods of an episode of so many steps of the environment."""
        return steps / self.stages

    def look(self, name: str, observation: ndarray) -> ndarray:
        """Observation of an agent, as a row of numbers."""
        return np.asarray(observation, np.float32)

    def read(self, networks: Networks, words: ndarray, respond: BestResponse | None) -> Record:
        """Return the record of learned policies; ``words`` seed all samples."""
        raise NotImplementedError

    def steps(
        self, networks: Networks, draw: np.random.Generator | None, seeds: Iterable[int | None]
    ) -> Iterator[tuple[int, Any, list[str], dict[str, float]]]:
        """Play an episode per seed, with ``draw`` with exploration.

        After each step yield the number of the episode, the state of the game, who moved, and rewards.
        """
        env = self.env()
        for episode, seed in enumerate(seeds):
            observations, _ = env.reset(seed=seed)
            while env.agents:
                movers = env.movers()
                rows = {name: self.look(name, observations[name]) for name in movers}
                observations, paid, *_ = env.play(choose_actions(networks, rows, draw))
                yield episode, env.now, movers, paid

    def periods_of(
        self, networks: Networks, draw: np.random.Generator | None, count: int
    ) -> tuple[list[Any], ndarray]:
        """Return the states after each of ``count`` periods, of one episode after another, and rewards."""
        play = islice(self.steps(networks, draw, chain([0], repeat(None))), count * self.stages)
        ends = list(play)[self.stages - 1 :: self.stages]
        return [state for _, state, *_ in ends], np.array([list(paid.values()) for *_, paid in ends])


class NativeArena(Arena):
    """A game with periods or states of its own."""

    def read(self, networks: Networks, words: ndarray, respond: BestResponse | None) -> Record:
        """Return episode returns without and with exploration, and the gains of trained best responses."""
        play_seeds, exploration_seeds = SeedSequence(words.tolist()).spawn(2)
        plain = self._returns(networks, play_seeds, explore=False)
        random = self._returns(networks, exploration_seeds, explore=True)
        record: Record = {
            "episode_return": (("player",), plain.mean(axis=0)),
            "episode_return_band": (("player",), half_width(plain)),
            "exploring_return": (("player",), random.mean(axis=0)),
            "status": scalar("completed"),
        }
        if respond is None:
            return record
        gain, band = np.zeros(len(self.names)), np.zeros(len(self.names))
        for player, name in enumerate(self.names):
            deviating = {**networks, name: respond(player, networks)}
            # the same seeds as without the deviation: differences of episodes have little noise
            difference = self._returns(deviating, play_seeds, explore=False)[:, player] - plain[:, player]
            gain[player] = max(float(difference.mean()), 0.0)
            band[player] = half_width(difference[:, None])[0]
        proof = Certificate(gain, np.full(len(gain), np.inf), "lower bound", HOW, TOLERANCE * self.scale)
        record["trained_best_response_gain"] = (("player",), gain)
        record["trained_best_response_gain_band"] = (("player",), band)
        return record | proof.record()

    def _returns(self, networks: Networks, sequence: SeedSequence, explore: bool) -> ndarray:
        """Return sums of rewards ``[episode player]``, discounted by own turns; random numbers are common."""
        draw = np.random.default_rng(sequence) if explore else None
        # two at least: a confidence interval needs a spread
        sums = np.zeros((max(2, self.learner.evaluation // self.learner.periods), len(self.names)))
        worth, has_moved = np.ones(sums.shape), np.zeros(sums.shape, bool)
        seeds = sequence.generate_state(len(sums), np.uint32).tolist()
        for episode, _, movers, paid in self.steps(networks, draw, seeds):
            moves = np.isin(self.names, movers)
            worth[episode, moves & has_moved[episode]] *= self.discount
            has_moved[episode] |= moves
            sums[episode] += worth[episode] * [paid.get(name, 0.0) for name in self.names]
        return sums


class AgentsArena(Arena):
    """Agents with discrete actions; out-of-range entries are clipped to the largest legal one."""

    noun = "agent"

    @property
    def players(self) -> Sequence[int]:
        """The type of every agent."""
        return self.kinds

    def periods_in(self, steps: float) -> float:
        """Return all periods: steps at junctions take no time."""
        return float(self.learner.periods)

    def read(self, networks: Networks, words: ndarray, respond: BestResponse | None) -> Record:
        """Return policies, evaluated by simulation and by dynamic programming in the measured distributions.

        Agents of one type of an economy with networks of their own are evaluated by their mean policy.
        """
        seed = SeedSequence(words.tolist())
        greedy, exploring = (self._evaluate(networks, explore, seed) for explore in (False, True))
        record: Record = {f"exploring_{name}": exploring[name] for name in EXPLORING if name in exploring}
        return greedy | record | {"status": scalar("completed")}

    def _evaluate(self, networks: Networks, explore: bool, seed: SeedSequence) -> Record:
        of = {
            id(network.module): partial(clip_to_masks, network, explore=explore)
            for network in networks.values()
        }
        policy = self.env().course.policy_of([of[id(networks[name].module)] for name in self.names])
        kinds = [load(target) for target in METHODS["simulation"].targets]
        kind = next(candidate for candidate in kinds if fits(candidate, self.given))
        method = kind(plays=policy, warm_up=WARM_UP, evaluation=self.learner.evaluation)
        return solve(self.given, method, seed=seed).record


class RoundsArena(Arena):
    """A repeated game. Players are those of the base game, in which followers who learn have seats too."""

    order: Seating

    @property
    def board(self) -> Any:
        """The game of a period: the base game, with numbered choices for levels."""
        return self.played.game

    def look(self, name: str, observation: ndarray) -> ndarray:
        """Return the last choices as far as they are observed, and in stages those of this period."""
        players, axes = self.board.space.shape
        player, size = self.names.index(name), players * axes
        before = observation[:size].reshape(players, axes)
        choices = {"none": before[:0], "own": before[player : player + 1], "joint": before}
        period_choices = observation[size:] if self.stages > 1 else np.ones(1)
        previous = choices[self.learner.observation or "none"].ravel()
        return np.concatenate([previous, period_choices]).astype(np.float32)

    def read(self, networks: Networks, words: ndarray, respond: BestResponse | None) -> Record:
        """Return the profile after play without exploration, and the mixtures of play with exploration."""
        after, _ = self.periods_of(networks, None, self.learner.rounds)
        path = [self._strategies(s.before if self.stages > 1 else s.history[0]) for s in after[-2:]]
        x, base = path[-1], self.order.game
        record: Record = {
            "status": _status(np.array(path), base.space),
            "profile": (("player", "axis"), x[list(self.order.leaders)]),
        }
        if self.order.led:
            record["learned_choice"] = ((self.who, "axis"), x)
            record["learned_payoff"] = ((self.who,), np.asarray(base.payoffs(put(x))))
        if isinstance(base.space, Box):
            distance = best_response_distance(self.given, self.order, x)
            record["best_response_distance"] = ((self.who,), distance)
        if self.stages > 1:
            return record
        played = self._mixtures(networks, np.random.default_rng(SeedSequence(words.tolist())))
        names = {name: name for name in ("payoff", "regret", "mean_profile", "mixture", "grid_regret")}
        names["mean_profile"] = "choice"
        return record | {f"exploring_{new}": played[old] for old, new in names.items() if old in played}

    def _strategies(self, x: Any) -> ndarray:
        """Return strategies of the base game ``[player axis]``."""
        return np.asarray(x if self.board is self.order.game else self.board.profile(x))

    def _mixtures(self, networks: Networks, draw: np.random.Generator) -> Record:
        """Return the mixtures played with exploration, where all choose at once, and the gains there."""
        base, board = self.order.game, self.board
        observations, _ = self.env().reset(seed=0)
        rows = {name: self.look(name, observations[name])[None] for name in self.names}
        if isinstance(board.space, Box):
            # the middle of each of as many equal parts of the ordered draws
            middles = (np.arange(ATOMS) * 2 + 1) * DRAWN // (2 * ATOMS)
            atoms = []
            for name in self.names:
                samples = networks[name].sample(np.repeat(rows[name], DRAWN, axis=0), draw)
                atoms.append(samples[np.argsort(samples[:, 0], kind="stable")[middles]])
            rounds = [np.asarray(strategies(board.space, put(x))) for x in np.stack(atoms, axis=1)]
            weights = np.full((len(atoms), ATOMS), 1 / ATOMS)
            return mixture_record(base, np.stack(rounds, axis=1), weights)
        sizes = np.array(board.space.sizes)
        is_action = np.arange(max(sizes)) < sizes[:, None]
        weights = np.zeros(is_action.shape)
        weights[is_action] = np.concatenate([networks[n].probabilities(rows[n])[0] for n in self.names])
        if board is not base:
            points = np.where(is_action[..., None], np.asarray(board.action_grid), np.nan)
            return mixture_record(base, points, weights)
        pays = action_payoffs(tables_of(to_finite(base)), weights)
        payoff = np.einsum("pa,pa->p", weights, np.nan_to_num(pays))
        return {
            "mixture": (("player", "action"), weights),
            "payoff": (("player",), payoff),
            "regret": (("player",), np.maximum(np.nanmax(pays, axis=1) - payoff, 0.0)),
        }


class WalksArena(Arena):
    """A one-shot game in which a choice is a step from the present position."""

    def read(self, networks: Networks, words: ndarray, respond: BestResponse | None) -> Record:
        """Ends of policies without exploration, and the gains from deviating."""
        return self._tables(networks) if self.learner.moves == "grid" else self._paths(networks, words)

    def _tables(self, networks: Networks) -> Record:
        world = tabulate(self.given, self.learner.action_grid, observation=self.played.observation)
        shape = (len(self.names), int(states(world.tables).max()))
        probabilities = np.zeros((*shape, int(choices(world.tables).max())))
        policies = np.zeros(shape, int)
        for player, name in enumerate(self.names):
            rows = self.observations(world, player)
            chances = networks[name].probabilities(rows)
            probabilities[player, : len(rows), : chances.shape[1]] = chances
            policies[player, : len(rows)] = networks[name].best(rows)
        start, number = spread(world), "grid_point" if self.played.observation == "joint" else "state"
        record: Record = {
            "policy": (("trial", "player", "state"), policies[None]),
            "policy_softmax": (("trial", "player", "state", "action"), probabilities[None]),
            "action_grid": (("player", number, "axis"), world.action_grid),
            **greedy_end(world, policies[None], start)[0],
        }
        return record | self.gains(world, policies, probabilities, rollout(world, policies, start).cycle)

    def gains(self, world: Tabulated, policies: ndarray, probabilities: ndarray, cycle: ndarray) -> Record:
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

    def observations(self, world: Tabulated, player: int) -> ndarray:
        """Return the observation in each of a player's states, ``[state feature]``."""
        sizes = world.tables.sizes
        places = np.indices(sizes.tolist()).reshape(len(sizes), -1)
        if self.played.observation == "own":
            places = np.minimum(np.arange(sizes[player]), sizes[:, None] - 1)  # only the player's own counts
        positions = put(world.action_grid[np.arange(len(sizes)), places.T])
        see = partial(normalized_observation, self.played)
        rows = jax.vmap(lambda x: see(Walking(x, jnp.asarray(0))))(positions)
        return np.asarray(rows[:, player])

    def _paths(self, networks: Networks, words: ndarray) -> Record:
        draw = np.random.default_rng(SeedSequence(words.tolist()))
        plain, _ = self.periods_of(networks, None, self.learner.rounds)
        exploring, paid = self.periods_of(networks, draw, self.learner.evaluation)
        path = np.array([np.asarray(state.position) for state in plain])
        positions = np.array([np.asarray(state.position) for state in exploring])
        return {
            "profile": (("player", "axis"), path[-1]),
            "status": _status(path, self.given.space),
            "rollout": (("rollout_step", "player", "axis"), path),
            "exploring_choice": (("player", "axis"), positions.mean(axis=0)),
            "exploring_spread": (("player", "axis"), positions.std(axis=0)),
            "exploring_payoff": (("player",), paid.mean(axis=0)),
        }


def arena_of(game: Any, learner: LearnerOptions) -> Arena:
    """Return the arena of a game, by a learner's ``moves``. Raises `ValueError` where there is none."""
    moves, periods, gamma = learner.moves, learner.periods, learner.gamma
    if is_agents(game) or is_population(game):
        course = GameEnv(game).course
        worth = _one_for_all(course.discounts, gamma)
        return AgentsArena(learner, game, game, course.types.tolist(), worth, course.stake, periods)
    if moves == "native" or is_markov(game):
        if not (to_markov.knows(game) or is_markov(game)):
            raise ValueError("moves: 'native' needs a game with periods of its own; take 'any'")
        stages = len(game.moves) if isinstance(game, Staged) else 1
        stages = len(move_order(game)) if to_markov.knows(game) else stages
        seats, labels = range(len(GameEnv(game).possible_agents)), exchangeable_labels(game).tolist()
        kinds = labels if len(labels) == len(seats) else seats  # followers are no players of their game
        worth = _discount(game, gamma)
        return NativeArena(learner, game, game, kinds, worth, scale(game), periods, stages)
    if not isinstance(game, Game):
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps nor agents")
    return (_rounds if moves in ("any", "levels") else _walks)(game, learner)


def _rounds(game: Any, learner: LearnerOptions) -> RoundsArena:
    """Return the arena of a repeated game. Raises `ValueError` where players move in turns."""
    order = seating(game)
    if order.alternating:
        raise ValueError(f"timing: 'alternating' must be 'simultaneous' or 'staged' for {learner.kind}")
    if order.led and learner.followers != "learn":  # the leaders alone play, and the followers respond
        players = tuple(range(game.space.shape[0]))
        order = Seating(game, (players,), False, players, False)
    base, stages = order.game, [list(stage) for stage in order.stages]
    board = transforms.discretise(base, learner.action_grid) if learner.moves == "levels" else base
    repeat_it = partial(transforms.in_stages, stages=stages) if len(stages) > 1 else transforms.repeat
    # without observations no later period depends on a choice: discounting would only add noise
    worth = 0.0
    if learner.observation not in (None, "none") or learner.gamma is not None:
        worth = _discount(base, learner.gamma) * (1 + float(payoff_growth(base)))
    played, kinds = repeat_it(board, periods=learner.periods), exchangeable_labels(board).tolist()
    return RoundsArena(learner, game, played, kinds, worth, scale(base), None, len(stages), order)


def _walks(game: Any, learner: LearnerOptions) -> WalksArena:
    """Return the arena of walks. Raises `ValueError` for finite games and boxes of several widths."""
    if learner.observation == "none":
        raise ValueError("observation: 'none' must be 'own' or 'joint' for players who walk")
    grid, space, wide = learner.moves == "grid", game.space, np.ones(1)
    if isinstance(space, Box):
        widths = np.asarray(reach(space.unconstrained()))
        wide = widths[0]
        if np.ptp(widths, axis=0).max() > 1e-9 * widths.max():
            raise ValueError(f"moves: players' boxes are {widths.tolist()} wide; steps need equal widths")
    share = 1 / (learner.action_grid - 1) if grid else learner.step  # type: ignore[operator]
    walk = transforms.walks(
        game,
        step=(wide * share).tolist(),
        moves="discrete" if grid else "continuous",
        observation=learner.observation or "own",
        periods=learner.periods,
    )
    worth = _discount(game, learner.gamma)
    if grid and worth >= 1:
        raise ValueError(f"gamma: {worth:g} must be below 1 on a grid, where play has no end")
    return WalksArena(learner, game, walk, exchangeable_labels(game).tolist(), worth, scale(game))


def _status(path: ndarray, space: Any) -> Variable:
    """Status of play ``[period player axis]``: at rest in its last period or not.

    Play at rest is no convergence of learning: networks that observe nothing repeat their choice at once.
    """
    at_rest = np.all(np.ptp(path[-2:], axis=0) <= STILL * np.asarray(width(space)))
    return scalar("completed" if at_rest else "cycling")


def _discount(game: object, gamma: float | None) -> float:
    """Return the discount factor per period: as given, else the game's, else 0.95.

    The game's are its `discount_factors`, or follow from the weights of its periods in native play.
    Raises `ValueError` where players or periods differ.
    """
    factors = discount_factors(game) if discount_factors.knows(game) else None
    weights = to_stages(game).weights if to_markov.knows(game) and to_stages.knows(game) else None
    if factors is None and weights is not None and len(weights) > 1:
        before, after = np.asarray(weights)[:-1], np.asarray(weights)[1:]
        factors = np.where(before > 0, after / np.where(before > 0, before, 1.0), 0.0)
    return _one_for_all(USUAL_GAMMA if factors is None else factors, gamma)


def _one_for_all(game_factors: object, gamma: float | None) -> float:
    """Return the discount factor as given, or the game's. Raises `ValueError` where it has several."""
    if gamma is not None:
        return float(gamma)
    factors = np.unique(floats(game_factors).round(12))
    if len(factors) > 1:
        span = f"from {factors[0]:g} to {factors[-1]:g}"
        raise ValueError(f"gamma: the game's own differ, {span}; RLlib has one for all: set gamma")
    return float(factors[0])


def choose_actions(
    networks: Networks, observations: Mapping[str, ndarray], draw: np.random.Generator | None
) -> dict[str, Any]:
    """Return the actions of agents at their observations; with ``draw`` with exploration."""
    actions = {}
    for name, observation in observations.items():
        network, row = networks[name], observation[None]
        actions[name] = (network.best(row) if draw is None else network.sample(row, draw))[0]
    return actions
