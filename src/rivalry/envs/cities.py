"""Congested cities as environments of other people's learners, stepped by the kernels' rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.game import kernel_arrays
from rivalry.core.registry import near
from rivalry.economies.kernels.city import bid, desk_of, fresh, no_tallies, ready, rows, take, trips
from rivalry.economies.kernels.city_learning import entry_counts
from rivalry.envs.agents import AgentsEnv, Illegal, Views, drawn
from rivalry.tables.kernels.shapes import CityArrays

FEATURES = (
    "urgency",
    "karma",
    "type",
    "trip",
    "spot",
    "lane",
    "from x",
    "from y",
    "to x",
    "to y",
    "goal x",
    "goal y",
)
"""What an agent of a city sees of itself, in this order."""

PERIODS = 1000
POLICIES = ("uniform", "zero", "all_in")
SUMS = 1e-6  # chances of a row sum to 1 within this


class CityEnv(AgentsEnv):
    """A congested city as a parallel environment of PettingZoo; agents are ``agent_0``, ``agent_1``, ..

    An agent sees ``{"observation": [feature], "action_mask": [entry]}``: what refusal costs on its trip, its
    karma and type, the numbers of its trip (the last: dormant), of its spot (a place of the journey, or the
    junction ``j`` as ``-2 - j``) and of the lane it wants (-1: none), and on the map of the network where it
    stands, where that lane ends and where its trip ends (`FEATURES`; of the dormant, who are nowhere, the
    middle of the map). With ``normalize_spaces`` each is from -1, the least, to 1, the most there
    is; rewards are not changed.

    It bids a whole number in 0..karma, the dormant 0. Where somebody is at a junction, those who are choose
    first, in a step in which no time passes and nobody is paid: an entry is then the number of an option, and
    entries of the others, whose masks leave only 0, are ignored (``movers``). Its reward is minus its urgency
    where its lane refuses it; of a coalition whose members learn together, their mean. Nobody leaves; play is
    cut after ``periods`` steps of the city. An entry beyond the mask is clipped to the largest legal
    one, with one warning per environment or, with ``illegal="clip"``, none; with ``illegal="raise"`` it
    raises `ValueError`, as an action outside the action space always does. Raises `ValueError` for a game
    that is no city.

    >>> import rivalry as rv
    >>> env = CityEnv(rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2), periods=10)
    >>> seen, _ = env.reset(seed=1)
    >>> dict(zip(FEATURES, seen["agent_0"]["observation"].tolist()))["karma"]
    2.0
    """

    metadata = {"name": "rivalry_city_v0", "render_modes": []}  # noqa: RUF012  (as PettingZoo has it)

    def __init__(
        self,
        game: Any,
        *,
        periods: int = PERIODS,
        illegal: Illegal = "warn",
        normalize_spaces: bool = False,
    ) -> None:
        self.city, self.game = city_of(game), game
        self._map = _map_of(game, self.city)
        self._desk = desk_of(self.city)
        entries = max(self.city.most + 1, self.city.options.shape[2])
        views = Views(*self._map.bounds, entries, normalize_spaces)
        super().__init__(len(self.city.type_of), views, periods, illegal)

    def _begin(self, sequence: np.random.SeedSequence) -> None:
        self.now = fresh(self.city, sequence)
        ready(self.city, self.now, self._desk)

    def _go(self, entries: np.ndarray) -> np.ndarray:
        if self._turning:
            take(self.city, self.now, self._desk, entries)
            return np.zeros(len(entries))
        bid(self.city, self.now, self._desk, entries, no_tallies())
        ready(self.city, self.now, self._desk)
        paid: np.ndarray = self.now.reward.copy()
        return paid

    def _told(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        now, agents = self.now, np.arange(len(self.now.karma))
        at = now.spot < -1
        self._turning = bool(at.any())
        features = self._map.features(agents, now.trip, now.spot, now.karma)
        if self._turning:
            return features, self._map.widths(agents, now.trip, now.spot), at
        return features, np.where(now.trip < trips(self.city), now.karma + 1, 1), ~at

    def _does(self, player: int) -> str:
        if self._turning:
            return "takes option {} at its junction"
        dormant = " and is dormant" if self.now.trip[player] == trips(self.city) else ""
        return super()._does(player) + dormant

    def table(self, others: Any) -> Any:
        """One of `POLICIES`, or a policy ``[agent row karma entry]``, rows summed up. Raises `ValueError`."""
        if isinstance(others, str):
            if others not in POLICIES:
                raise ValueError(f"others: {others!r} is unknown; {near(others, POLICIES)}")
            return others
        return np.cumsum(checked_policy(self.city, others, "others"), axis=-1, dtype=np.float32)

    def drawn(self, table: Any, rng: np.random.Generator) -> np.ndarray:
        """Everybody's entry by the table or the name, ``[agent]``."""
        if not isinstance(table, str):
            own = table[np.arange(len(table)), self._desk.row, self.now.karma]
            return drawn(own, self.counts, rng)
        if table == "uniform" or self._turning:
            return rng.integers(0, self.counts)
        return self.counts - 1 if table == "all_in" else np.zeros_like(self.counts)


def city_policy(
    game: Any, policy: Callable[[int, np.ndarray, np.ndarray], object], *, normalize_spaces: bool = False
) -> np.ndarray:
    """What learners' policies do everywhere, ``[agent row karma entry]``, as the city's kernels number it.

    ``policy(agent's number, observations [state feature], masks [state entry])`` gives the chances of entries
    ``[state entry]``, for observations as `CityEnv` makes them. Kernels play the table
    (`economies.kernels.city_learning.policy_rows`), and so `economies.learning.city_gains` judges it. Raises
    `ValueError` where these are no chances, or where an entry beyond the mask has one.

    >>> import rivalry as rv
    >>> game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)
    >>> city_policy(game, lambda agent, seen, mask: mask / mask.sum(axis=1, keepdims=True)).shape
    (40, 17, 5, 5)
    """
    city = city_of(game)
    charts, levels = _map_of(game, city), city.most + 1
    entries = max(levels, city.options.shape[2])
    views = Views(*charts.bounds, entries, normalize_spaces)
    agents, counts = len(city.type_of), entry_counts(city)
    trip, spot = charts.spots_of_rows()
    karma = np.tile(np.arange(levels), len(trip))
    trip, spot = (np.repeat(each, levels) for each in (trip, spot))
    found = np.empty((agents, len(trip), entries))
    for agent in range(agents):  # one at a time: tables are large
        features = charts.features(np.full(len(trip), agent), trip, spot, karma)
        observed = views.of(features, counts[agent].ravel())
        given = np.asarray(policy(agent, *observed), dtype=float)
        if given.shape != found.shape[1:]:
            raise ValueError(f"policy: agent {agent} has {given.shape}; must be {found.shape[1:]}")
        found[agent] = given
    return checked_policy(city, found.reshape(agents, -1, levels, entries), "policy")


def checked_policy(city: CityArrays, given: Any, name: str) -> np.ndarray:
    """A policy ``[agent row karma entry]``, rows of chances. Raises `ValueError`."""
    counts = entry_counts(city)
    shape = (*counts.shape, max(city.most + 1, city.options.shape[2]))
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != shape:
        what = f"shape {found.shape}" if found.size else type(given).__name__
        raise ValueError(f"{name}: {what} must be {shape} (agent, row, karma, entry), a name or a function")
    beyond = np.arange(shape[3]) >= counts[..., None]
    for wrong, rule in (
        (~(found >= 0), "must be a chance"),
        (beyond & (found > 0), "must be 0: there is no such choice"),
        (np.abs(found.sum(axis=-1, keepdims=True) - 1) > SUMS, "its row must sum to 1"),
    ):
        if wrong.any():
            agent, row, karma, entry = (int(n) for n in np.argwhere(wrong)[0])
            where = f"agent {agent} in row {row} with karma {karma}"
            raise ValueError(
                f"{name}: {where} has {found[agent, row, karma, entry]:g} on entry {entry}; {rule}"
            )
    sums: np.ndarray = found / found.sum(axis=-1, keepdims=True)
    return sums


def city_of(game: Any) -> CityArrays:
    """The city of a game. Raises `ValueError` for another game."""
    found = kernel_arrays(game)
    if not isinstance(found, CityArrays):
        raise ValueError(f"game: {type(game).__name__} must be a city; others are for parallel_env")
    return found


class _Map(NamedTuple):
    """What is looked up of agents; a spot's column counts places first, then junctions."""

    city: CityArrays
    lane: np.ndarray  # [journey column]: wanted there
    way: np.ndarray  # [journey column 4]: from where to where
    goal: np.ndarray  # [agent slot 2]
    middle: np.ndarray  # [6]: where the dormant are told to be
    bounds: tuple[np.ndarray, np.ndarray]  # [feature]: the least and the most

    def features(
        self, agents: np.ndarray, trip: np.ndarray, spot: np.ndarray, karma: np.ndarray
    ) -> np.ndarray:
        """What agents are told of themselves, ``[agent feature]``."""
        city = self.city
        urgencies, awake = city.stakes.shape[1], trip < trips(city)
        kinds, slot = city.type_of[agents], np.where(awake, trip // urgencies, 0)
        journey, column = city.journeys[agents, slot], self._column(spot)
        places = np.concatenate([self.way[journey, column], self.goal[agents, slot]], axis=1)
        own = [
            np.where(awake, city.stakes[kinds, trip % urgencies], 0.0),
            karma,
            kinds,
            trip,
            spot,
            np.where(awake, self.lane[journey, column], -1),
        ]
        ends = np.where(awake[:, None], places, self.middle)
        return np.concatenate([np.stack(own, axis=1).astype(np.float64), ends], axis=1)

    def widths(self, agents: np.ndarray, trip: np.ndarray, spot: np.ndarray) -> np.ndarray:
        """How many options those at a junction have; of the others 1."""
        city = self.city
        slot = np.minimum(trip // city.stakes.shape[1], city.journeys.shape[1] - 1)
        options = city.options[city.journeys[agents, slot], np.maximum(-2 - spot, 0)]
        return np.where(spot < -1, (options >= 0).sum(axis=1), 1)

    def spots_of_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The trip and the spot of every row of an agent."""
        places, columns = self.city.lane.shape[1], self.lane.shape[1]
        trip, column = np.divmod(np.arange(rows(self.city)), columns)
        return trip, np.where(column < places, column, places - 2 - column)

    def _column(self, spot: np.ndarray) -> np.ndarray:
        return np.where(spot >= 0, spot, self.city.lane.shape[1] - 2 - spot)


def _map_of(game: Any, city: CityArrays) -> _Map:
    at, lanes = np.asarray(game.network.at, dtype=float), game.network.lanes
    journeys = np.arange(len(city.lane))
    stands = np.maximum(city.lane, 0)  # of padding, whatever
    junctions = stands[journeys[:, None], np.maximum(city.options[:, :, :1].sum(axis=2), 0)]
    wanted = np.concatenate([city.lane, np.full(junctions.shape, -1)], axis=1)
    start = at[lanes[np.concatenate([stands, junctions], axis=1), 0]]
    end = np.concatenate([at[lanes[stands, 1]], at[lanes[junctions, 0]]], axis=1)
    goal = at[np.asarray(game.ends)[:, :, 1]]
    lower_left, most = at.min(axis=0), at.max(axis=0)
    low = [0, 0, 0, 0, -1 - city.options.shape[1], -1, *np.tile(lower_left, 3)]
    types, last = len(city.stakes) - 1, trips(city)
    high = [city.stakes.max(), city.most, types, last, city.lane.shape[1] - 1, len(city.capacity) - 1]
    high += list(np.tile(most, 3))
    lower = np.asarray(low, dtype=float)
    upper = np.where(np.asarray(high, dtype=float) > lower, np.asarray(high, dtype=float), lower + 1)
    middle = np.tile((lower_left + most) / 2, 3)
    return _Map(city, wanted, np.concatenate([start, end], axis=2), goal, middle, (lower, upper))
