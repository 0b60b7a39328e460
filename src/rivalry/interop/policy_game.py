"""Games whose actions are policies, with payoffs from play and their sampling errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from math import inf, prod
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.core.results import Certificate
from rivalry.core.space import short_rounding
from rivalry.core.tolerances import ROUNDING, SHARES_SUM
from rivalry.families.matrix import Matrix
from rivalry.interop.environments import EnvironmentGame, Policy, agent_table, checked_table, from_pettingzoo
from rivalry.schema.validate import check_keywords, format_value, number_of, one_line, whole_number
from rivalry.solving.randomness import stream
from rivalry.tables.greedy_play import observed_sizes, slots_of, states
from rivalry.tables.policy_response import policy_table
from rivalry.tables.repeated import RepeatedWorld, repeated_form
from rivalry.text.display import count_text
from rivalry.text.statistics import format_interval, half_width, half_width_of

LARGEST_RETURNS = 10**8  # stored returns: 800 MB

Policies = Mapping[str, object]


class MetaGame(NamedTuple):
    """A finite game of policies: mean returns of play, with their sampling errors.

    Parameters
    ----------
    game
        The game of mean returns; actions are named after the policies.
    standard_error
        Of the mean returns, ``[player action_0 action_1 ..]``; NaN for one episode.
    returns
        Returns of single episodes, ``[episode player action_0 action_1 ..]``. Episodes of one number have
        the same random numbers in all profiles.
    """

    game: Matrix
    standard_error: ndarray
    returns: ndarray

    def interval(self) -> tuple[ndarray, ndarray]:
        """Ends of the 95 % intervals of all payoffs, one by one, ``[player action_0 action_1 ..]``."""
        mean, width = np.asarray(self.game.table), half_width(self.returns)
        return mean - width, mean + width

    def gains(self, profile: Any) -> ndarray:
        """Gains by every policy over a profile, episode by episode, ``[episode player action]``.

        NaN for policies that a player lacks.
        """
        x = self.game.space.check(profile)
        count, sizes = len(self.returns), self.game.sizes
        gains = np.full((count, len(sizes), max(sizes)), np.nan)
        weights = np.asarray(x, dtype=float)
        for player, size in enumerate(sizes):
            payoffs = np.moveaxis(self.returns[:, player], player + 1, 1)  # [episode action other ..]
            for opponent in reversed(range(len(sizes))):
                if opponent != player:
                    payoffs = payoffs @ weights[opponent, : sizes[opponent]]
            gains[:, player, :size] = payoffs - (payoffs @ weights[player, :size])[:, None]
        return gains

    def certificate(self, profile: Any) -> Certificate:
        """Certificate of a profile of the game of policies, whose regrets are estimates.

        A regret is the largest mean gain over the policies of the table; other policies are not asked about.
        Its interval is that of Student's t for differences paired by episode, wider by Bonferroni's
        inequality, so that it holds for all policies of all players together. The claim is ``not an
        equilibrium`` where the interval of some player lies above 0, and otherwise ``not decided``: play
        cannot tell the profile apart from an equilibrium. A profile that was computed from the same episodes
        fits their noise: judge it by a meta-game of another ``seed``.

        Raises
        ------
        ValueError
            For a profile of another shape.
        """
        gains, count = self.gains(profile), len(self.returns)
        mean = gains.mean(axis=0)
        present = np.arange(mean.shape[1]) < np.array(self.game.sizes)[:, None]
        mean = np.where(np.isfinite(mean), mean, np.nan)  # a mean that is no number refutes nothing
        size = np.abs(self.returns[np.isfinite(self.returns)]).max(initial=0.0)
        mean = np.where(np.abs(mean) <= ROUNDING * size, 0.0, mean)
        varies = ~np.isnan(mean) & ((mean != 0.0) | (gains.std(axis=0) > ROUNDING * size))
        width = np.full(mean.shape, inf)
        if count > 1:
            width = half_width_of(gains.std(axis=0, ddof=1), count, max(int(varies.sum()), 1))
        width = np.where(varies, width, 0.0)
        regret, low, high = (
            np.max(np.maximum(ends, 0.0), axis=1, where=present, initial=0.0)
            for ends in (mean, mean - width, mean + width)
        )
        return Certificate(
            regret,
            np.full(len(regret), inf),
            "estimated",
            f"paired play of {count_text(count, 'episode')} per profile of policies",
            ROUNDING * size,
            payoff=np.asarray(self.game.payoffs(np.asarray(profile, dtype=float))),
            error=np.maximum(high - regret, regret - low),
        )

    def statement(self, profile: Any) -> str:
        """Sentence on a profile: who gains by which policy, or that play cannot tell it from an equilibrium.

        Raises `ValueError` for a profile of another shape.
        """
        proof, mean = self.certificate(profile), self.gains(profile).mean(axis=0)
        assert proof.error is not None
        player = int(np.nanargmax([*(proof.regret - proof.error), -inf]))
        if proof.claim != "not an equilibrium":
            player = int(np.argmax(proof.regret + proof.error))
        name = self.game.players[player] if self.game.players else f"player {player}"
        width = float(proof.error[player])
        gain = format_interval(float(proof.regret[player]), width)
        if proof.claim == "not an equilibrium":
            policy = self.game.actions[player][int(np.nanargmax(mean[player]))]
            return f"not an equilibrium of these policies: {name} gains {gain} by {policy}"
        gain = gain if np.isfinite(width) else "unknown"
        return f"cannot be told apart from an equilibrium of these policies: gain of {name} {gain}"

    def __repr__(self) -> str:
        """Return one line: the game, the number of episodes and the largest standard error."""
        count, error = len(self.returns), float(np.max(self.standard_error, initial=0.0))
        return f"{self.game!r}: {count_text(count, 'episode')} per profile, standard errors up to {error:.3g}"


@check_keywords
def meta_game(
    policies: Policies | Sequence[Policies],
    game: object,
    *,
    episodes: int = 200,
    seed: int = 0,
    gamma: float = 1.0,
    periods: int = 100,
    start: Sequence[int] | None = None,
    episode_limit: int = 10_000,
    symmetric: bool = False,
) -> MetaGame:
    """Return the game of policies whose payoffs are mean returns of play, with standard errors.

    Every profile of policies plays the same number of episodes. An episode has the same random numbers in all
    profiles, so that differences between policies have little noise.

    The game is an environment of PettingZoo with finitely many actions, parallel or in turn, or one of
    `from_pettingzoo` and `from_gymnasium`; a return is the discounted sum of an agent's rewards. Or it is a
    game of this package, infinitely repeated: `rivalry.tables.repeated.repeated_form` states its grid, and
    what players remember (by default the actions of the last round). A return is then the discounted mean of
    payoffs per period.

    A policy is a list of actions ``[state]``, probabilities ``[state action]``, as learners of this package
    store them, or a function. In an environment a function takes an observation and returns an action of the
    agent, or probabilities of all actions as an array of floats; an object with a state is copied when an
    episode begins, for each player. In a repeated game it takes what a player remembers, as in
    `rivalry.tables.policy_certificate`.

    Parameters
    ----------
    policies : mapping, or sequence of mappings
        Policies by name: those of all players, or a mapping per player.
    game : object
        The environment or game that is played.
    episodes, seed : int
        Number of episodes of a profile, and the seed.
    gamma : float
        Discount factor.
    periods, start : int, list of int
        Of repeated games: length of an episode, and the actions that players remember at first; without
        ``start`` they are drawn uniformly.
    episode_limit : int
        Of environments: steps after which an episode is cut.
    symmetric : bool
        Payoffs depend on the policies alone and not on who follows them, which is not tested. A profile is
        then played once for all orders of its players.

    Returns
    -------
    MetaGame
        The game, its standard errors and all returns.

    Raises
    ------
    ValueError
        For policies of another form, environments without finite actions, and options of another kind of
        game.

    Examples
    --------
    >>> import rivalry as rv
    >>> dilemma = rv.games.matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])
    >>> tit_for_tat = [{"tit": [0, 1, 0, 1], "d": [1, 1, 1, 1]}, {"tit": [0, 0, 1, 1], "d": [1, 1, 1, 1]}]
    >>> table = meta_game(tit_for_tat, dilemma, episodes=2, periods=10, start=[0, 0])
    >>> table.game.table[0].tolist()
    [[3.0, 0.9], [1.4, 1.0]]
    >>> table.statement(table.game.pure("tit", "tit"))
    'cannot be told apart from an equilibrium of these policies: gain of player 0 0'

    References
    ----------
    Wellman, "Methods for empirical game-theoretic analysis", AAAI 2006.
    """
    whole_number("episodes", episodes, 1)
    whole_number("periods", periods, 1)
    whole_number("episode_limit", episode_limit, 1)
    whole_number("seed", seed)
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma: {gamma} must be above 0 and at most 1")
    world = _world(game)
    play: _EnvironmentPlay | _RepeatedPlay
    if isinstance(world, EnvironmentGame):
        if start is not None:
            raise ValueError("start: is for repeated games; an environment states its own beginning")
        play, names = _EnvironmentPlay(world, episodes, seed, gamma, episode_limit), world.agents
    else:
        play, names = _RepeatedPlay(world, episodes, seed, gamma, periods, start), ()
    roles = _roles(policies, play.players, symmetric)
    sizes = [len(role) for role in roles]
    if episodes * play.players * prod(sizes) > LARGEST_RETURNS:
        profiles = count_text(prod(sizes), "profile")
        raise ValueError(f"episodes: {episodes} of {profiles} are too many returns to store")
    answers = [
        [play.read(player, name, policy) for name, policy in role.items()]
        for player, role in enumerate(roles)
    ]
    returns = np.zeros((episodes, play.players, *sizes))
    for profile in np.ndindex(*sizes):
        order = sorted(range(play.players), key=lambda player: profile[player]) if symmetric else []
        if order and (representative := tuple(profile[player] for player in order)) != profile:
            returns[:, order, *profile] = returns[:, :, *representative]
            continue
        played = play([rules[k] for rules, k in zip(answers, profile, strict=True)])
        if symmetric:  # players of one policy are exchangeable
            groups = np.asarray(profile)
            for k in set(profile):
                played[:, groups == k] = played[:, groups == k].mean(axis=1, keepdims=True)
        returns[:, :, *profile] = played
    error = np.full(returns.shape[1:], np.nan)
    if episodes > 1:
        error = returns.std(axis=0, ddof=1) / np.sqrt(episodes)
    table = Matrix(returns.mean(axis=0), tuple(tuple(role) for role in roles), names)
    return MetaGame(table, error, returns)


@runtime_checkable
class _Agents(Protocol):
    """An environment of PettingZoo."""

    possible_agents: list[Any]


def _world(game: Any) -> EnvironmentGame | RepeatedWorld:
    """Return an environment with numbered actions, or a repeated game."""
    if isinstance(game, EnvironmentGame | RepeatedWorld):
        return game
    return from_pettingzoo(game) if isinstance(game, _Agents) else repeated_form(game)


def _roles(policies: Any, players: int, symmetric: bool) -> list[Policies]:
    """Return the policies of every player by name."""
    roles = [policies] * players if isinstance(policies, Mapping) else policies
    if (
        not isinstance(roles, list | tuple)
        or not roles
        or not all(isinstance(r, Mapping) and r for r in roles)
    ):
        raise ValueError("policies: must be a mapping of names to policies, or a list with one per player")
    if len(roles) != players:
        mappings = count_text(len(roles), "mapping")
        raise ValueError(f"policies: {mappings} must be {players}, one per player")
    if symmetric and not isinstance(policies, Mapping):
        raise ValueError("symmetric: needs one mapping of policies, for all players")
    return [{str(name): policy for name, policy in role.items()} for role in roles]


Named = tuple[str, Policy]


class _EnvironmentPlay:
    """Episodes of an environment, by policies of all agents."""

    def __init__(self, world: EnvironmentGame, episodes: int, seed: int, gamma: float, limit: int) -> None:
        self.world, self.episodes, self.seed = world, episodes, seed
        self.gamma, self.limit, self.players = gamma, limit, len(world.agents)

    def read(self, player: int, name: str, policy: object) -> Named:
        """Return a policy with its name; raise `ValueError` for a table of another shape."""
        where = f"policies.{name}"
        return where, policy if callable(policy) else agent_table(self.world, player, policy, where)

    def __call__(self, policies: Sequence[Named]) -> ndarray:
        """Return the discounted returns, ``[episode player]``."""
        return np.array([self._episode(policies, number) for number in range(self.episodes)])

    def _episode(self, policies: Sequence[Named], number: int) -> ndarray:
        sequences = [stream(self.seed, "play", (number, player)) for player in range(self.players + 1)]
        draws = [np.random.default_rng(sequence) for sequence in sequences[: self.players]]
        # an object may remember the episode, and one object may serve several players
        rules = [rule if isinstance(rule, ndarray) else deepcopy(rule) for _, rule in policies]
        total, weight, started = np.zeros(self.players), np.ones(self.players), [False] * self.players

        def turn(player: int, observation: object, reward: float, terminated: bool, truncated: bool) -> Any:
            total[player] += weight[player] * reward
            weight[player] *= self.gamma if started[player] else 1.0
            started[player] = True
            if terminated or truncated:
                return None
            actions, rule = self.world.actions[player], rules[player]
            if isinstance(rule, ndarray):
                answer = rule[self.world.read(player, observation)[0]]
                if not answer.ndim:
                    return actions.decode(int(answer))
            else:
                answer = rule(observation)
            kind = np.asarray(answer)
            if kind.dtype.kind == "f" and kind.shape == (actions.size,):
                return actions.decode(_draw(kind, float(draws[player].random()), policies[player][0]))
            return actions.decode(self._number(player, answer, policies[player][0]))

        self.world.play(int(sequences[-1].generate_state(1)[0] >> 1), self.limit, turn)
        return total

    def _number(self, player: int, answer: Any, where: str) -> int:
        """Return the number of an action; raise `ValueError` for anything else."""
        actions, agent = self.world.actions[player], self.world.agents[player]
        with np.errstate(all="ignore"):
            try:
                number = actions.encode(answer)
                is_equal = np.array_equal(np.ravel(actions.decode(number)), np.ravel(answer))
            except (TypeError, ValueError, KeyError, IndexError, OverflowError):
                number, is_equal = -1, False
        if not 0 <= number < actions.size or not (is_equal or isinstance(answer, dict | tuple)):
            raise ValueError(one_line(f"{where}: {format_value(answer)} is no action of {agent}"))
        return number


def _draw(chances: ndarray, number: float, where: str) -> int:
    """Return the action that a uniform number selects; raise `ValueError` unless these are probabilities."""
    if not (np.all(chances >= 0) and abs(chances.sum() - 1) <= max(SHARES_SUM, short_rounding(chances))):
        raise ValueError(one_line(f"{where}: {format_value(chances.tolist())} must be probabilities"))
    return int(np.flatnonzero(chances)[_selected(chances[chances > 0][None], np.array([number]))[0]])


def _selected(chances: ndarray, numbers: ndarray) -> ndarray:
    """Return the column that a uniform number selects, ``[row]``."""
    ends = np.cumsum(chances, axis=1)
    ends /= ends[:, -1:]
    return np.minimum((numbers[:, None] >= ends).sum(axis=1), chances.shape[1] - 1)


class _RepeatedPlay:
    """Episodes of a repeated game, by tables of probabilities of all players."""

    def __init__(
        self,
        world: RepeatedWorld,
        episodes: int,
        seed: int,
        gamma: float,
        periods: int,
        start: Sequence[int] | None,
    ) -> None:
        self.world, self.episodes, self.seed = world, episodes, seed
        self.gamma, self.periods, self.players = gamma, periods, len(world.tables.sizes)
        if start is not None and len(start) != self.players:
            raise ValueError(f"start: {len(start)} actions must be {self.players}, one per player")
        sizes = world.tables.sizes.tolist()
        self.start = start and [number_of(f"start[{k}]", a, sizes[k]) for k, a in enumerate(start)]

    def read(self, player: int, name: str, policy: object) -> ndarray:
        """Return a policy as probabilities ``[state action]``; raise `ValueError` for one of another form."""
        tables, where = self.world.tables, f"policies.{name}"
        count, size = int(states(tables)[player]), int(tables.sizes[player])
        if callable(policy):
            try:
                policy = policy_table(self.world, policy)[player, :count, :size]
            except ValueError as error:
                raise ValueError(one_line(f"{where}: {str(error).removeprefix('policy: ')}")) from None
        table = checked_table(policy, count, size, where)
        return np.eye(size)[table] if table.ndim == 1 else table

    def __call__(self, policies: Sequence[ndarray]) -> ndarray:
        """Return the discounted means of payoffs, ``[episode player]``."""
        tables, players = self.world.tables, self.players
        draws = [np.random.default_rng(stream(self.seed, "play", (k,))) for k in range(players + 1)]
        recent, slots, sizes = self._past(), slots_of(tables), observed_sizes(tables)
        total, weight, weights = np.zeros((self.episodes, players)), 1.0, 0.0
        for period in range(self.periods):
            nature = _next_nature(tables, recent[0], draws[-1].random(self.episodes))
            recent = np.concatenate([recent[:1], recent[:-1]])  # the actions of the last round stand
            recent[0, :, players] = nature
            for player in tables.order[period % len(tables.order)].tolist():
                if player < 0:
                    break
                state = np.zeros(self.episodes, dtype=int)
                for source, ago in slots[player]:
                    state = state * sizes[source] + recent[ago, :, source]
                chances = policies[player][state]
                recent[0, :, player] = _selected(chances, draws[player].random(self.episodes))
            joint = np.ravel_multi_index(tuple(recent[0, :, :players].T), tuple(tables.sizes))
            if tables.signal.size:
                recent[0, :, players + 1] = tables.signal[nature, joint]
            total += weight * tables.payoff[nature, :, joint]
            weights += weight
            weight *= self.gamma
        return total / weights

    def _past(self) -> ndarray:
        """Return actions, nature's states and signals before the first period, ``[ago episode column]``."""
        tables, players = self.world.tables, self.players
        depth = 1 + max((ago for observed in slots_of(tables) for _, ago in observed), default=1)
        sizes = observed_sizes(tables)[: players + 1]
        rng = np.random.default_rng(stream(self.seed, "start"))
        recent = np.zeros((depth + 1, self.episodes, players + 2), dtype=int)
        recent[..., : players + 1] = rng.integers(0, sizes, size=(depth + 1, self.episodes, players + 1))
        if self.start is not None:
            recent[..., :players] = self.start
        if tables.signal.size:
            joint = np.ravel_multi_index(
                tuple(np.moveaxis(recent[..., :players], -1, 0)), tuple(tables.sizes)
            )
            recent[..., players + 1] = tables.signal[recent[..., players], joint]
        return recent


def _next_nature(tables: FiniteGame, before: ndarray, numbers: ndarray) -> ndarray:
    """Return nature's states after a round ``[episode column]``."""
    players = len(tables.sizes)
    joint = np.ravel_multi_index(tuple(before[:, :players].T), tuple(tables.sizes))
    row = before[:, players], joint if tables.nature_cdf.shape[1] > 1 else 0
    branch = (numbers[:, None] >= tables.nature_cdf[row]).sum(axis=1)
    return tables.next_nature[(*row, np.minimum(branch, tables.nature_cdf.shape[2] - 1))]
