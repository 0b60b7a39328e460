"""Congested cities in environments, stepped by the kernels' rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.game import kernel_arrays
from rivalry.economies.kernels.city import (
    FeatureTables,
    bid,
    buffers_of,
    fresh,
    no_tallies,
    observe,
    ready,
    rows,
    take,
    trips,
)
from rivalry.economies.kernels.city_learning import check_policy, entry_counts
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.envs.agents import AgentsCourse, Learned, Views, draw
from rivalry.runtime.jax import floats
from rivalry.schema.validate import check_word

COORDINATES = ("from x", "from y", "to x", "to y", "goal x", "goal y")
FEATURES = ("urgency", "karma", "type", "trip", "spot", "lane", *COORDINATES)
"""Features of an agent's observation in a city, in order."""

POLICIES = ("uniform", "zero", "all_in")


class CityCourse(AgentsCourse):
    """The play of a congested city in environments; agents are ``agent_0``, ``agent_1``, ..

    An agent observes ``{"observation": [feature], "action_mask": [entry]}``. The features (`FEATURES`) are
    the cost of refusal on its trip, its karma and type, the number of its trip (the last: dormant), its spot
    (a position in its journey, or junction ``j`` as ``-2 - j``), the lane that it wants (-1: none), and the
    map coordinates of the start and end of that lane and of the goal of its trip. Dormant agents have the
    coordinates of the middle of the map. With ``normalize_spaces`` every feature is scaled to [-1, 1];
    rewards are unchanged.

    An action is a bid, an integer from 0 to karma; dormant agents bid 0. While any agent is at a junction,
    the agents at junctions choose first, in a step that takes no time and pays no rewards: their entry is the
    number of an option. The other agents' masks then allow only 0, and their entries are ignored
    (``movers``).

    The reward is minus the agent's urgency if its lane refuses it; members of a coalition that learn together
    receive their mean. No agent terminates; play is truncated after ``periods`` steps of the city.

    An entry beyond the mask is clipped to the largest legal one, with one warning per environment or, with
    ``illegal="clip"``, silently; with ``illegal="raise"`` it raises `ValueError`. An action outside the
    action space always raises `ValueError`.

    Raises
    ------
    ValueError
        If the game is not a city.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)
    >>> seen, _ = rv.envs.parallel_env(game, periods=10).reset(seed=1)
    >>> dict(zip(FEATURES, seen["agent_0"]["observation"].tolist()))["karma"]
    2.0
    """

    def _prepare(self, normalized: bool) -> Views:
        self.city = city_of(self.game)
        self.map, self.desk = _map_of(self.game, self.city), buffers_of(self.city)
        self.types, self.discounts = self.city.type_of, self.city.discount
        self.stake = float(self.city.stakes.max())
        entries = max(self.city.most + 1, self.city.options.shape[2])
        return Views(*self.map.bounds, entries, normalized)

    def _begin(self, sequence: np.random.SeedSequence) -> None:
        self.state = fresh(self.city, sequence)
        ready(self.city, self.state, self.desk)

    def _go(self, entries: ndarray) -> ndarray:
        if self._turning:
            take(self.city, self.state, self.desk, entries)
            return np.zeros(len(entries))
        bid(self.city, self.state, self.desk, entries, no_tallies())
        ready(self.city, self.state, self.desk)
        return np.asarray(self.state.reward)

    def _look(self) -> tuple[ndarray, ndarray, ndarray]:
        state, agents = self.state, np.arange(len(self.types))
        at = state.spot < -1
        self._turning = bool(at.any())
        features = self.map.features(agents, state.trip, state.spot, state.karma)
        if self._turning:
            return features, self.map.widths(agents, state.trip, state.spot), at
        return features, np.where(state.trip < trips(self.city), state.karma + 1, 1), ~at

    def table(self, source: object) -> Any:
        """Return the policies as a name in `POLICIES` or as cumulative sums of ``[agent row karma entry]``.

        Raises `ValueError`.
        """
        if isinstance(source, str):
            check_word("others", source, POLICIES)
            return source
        return np.cumsum(_normalized_policy(self.city, source, "others"), axis=-1, dtype=np.float32)

    def policy_of(self, policies: Sequence[Learned]) -> ndarray:
        """Return the policy of every agent, ``[agent row karma entry]``."""
        return city_policy(
            self.game,
            lambda agent, *observation: policies[agent](*observation),
            normalize_spaces=self.views.normalized,
        )

    def draw(self, table: Any, rng: np.random.Generator) -> ndarray:
        """Draw the entries of all agents ``[agent]`` from the table or the named policy."""
        if not isinstance(table, str):
            chances = table[np.arange(len(table)), self.desk.row, self.state.karma]
            return draw(chances, self.counts, rng)
        if table == "uniform" or self._turning:
            return rng.integers(0, self.counts)
        return self.counts - 1 if table == "all_in" else np.zeros_like(self.counts)


def city_policy(
    game: object, policy: Callable[[int, ndarray, ndarray], object], *, normalize_spaces: bool = False
) -> ndarray:
    """Return learners' policies as a table ``[agent row karma entry]``, indexed as in the city's kernels.

    Kernels play the table (`economies.kernels.city_learning.policy_rows`), and
    `economies.learning.city_gains` evaluates it.

    Parameters
    ----------
    game : Game
        A city.
    policy : callable
        ``policy(agent number, observations [state feature], masks [state entry])`` returns probabilities of
        entries ``[state entry]``. Observations are those of `CityCourse`.
    normalize_spaces : bool
        Whether observations are scaled to [-1, 1].

    Raises
    ------
    ValueError
        If these are not probabilities, or if an entry beyond the mask has a positive one.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)
    >>> city_policy(game, lambda agent, seen, mask: mask / mask.sum(axis=1, keepdims=True)).shape
    (40, 17, 5, 5)
    """
    course = CityCourse(game, None, normalize_spaces)
    city, charts, views, levels = course.city, course.map, course.views, course.city.most + 1
    agents, counts = len(city.type_of), entry_counts(city)
    trip, spot = charts.spots_of_rows()
    karma = np.tile(np.arange(levels), len(trip))
    trip, spot = (np.repeat(array, levels) for array in (trip, spot))
    table = np.empty((agents, len(trip), views.entries))
    for agent in range(agents):  # per agent: a table of all agents' observations is large
        features = charts.features(np.full(len(trip), agent), trip, spot, karma)
        observed = views.of(features, counts[agent].ravel())
        chances = floats(policy(agent, *observed))
        if chances.shape != table.shape[1:]:
            raise ValueError(f"policy: agent {agent} has {chances.shape}; must be {table.shape[1:]}")
        table[agent] = chances
    return _normalized_policy(city, table.reshape(agents, -1, levels, views.entries), "policy")


def _normalized_policy(city: CityArrays, source: object, name: str) -> ndarray:
    table = check_policy(city, source, name)
    return table / table.sum(axis=-1, keepdims=True)


def city_of(game: object) -> CityArrays:
    """Return the kernel arrays of a city. Raises `ValueError` for another game."""
    arrays = kernel_arrays(game)
    if not isinstance(arrays, CityArrays):
        raise ValueError(f"game: {type(game).__name__} must be a city; others are for parallel_env")
    return arrays


class _Map(NamedTuple):
    """Tables of the agents' features, and their bounds."""

    city: CityArrays
    tables: FeatureTables
    bounds: tuple[ndarray, ndarray]  # [feature]: lower and upper bounds

    def features(self, agents: ndarray, trip: ndarray, spot: ndarray, karma: ndarray) -> ndarray:
        """Return the agents' observations, ``[agent feature]``."""
        observed = np.empty((len(trip), len(FEATURES)))
        observe(self.tables, agents, trip, spot, karma, observed)
        return observed

    def widths(self, agents: ndarray, trip: ndarray, spot: ndarray) -> ndarray:
        """Return the number of options of agents at junctions; 1 for all other agents."""
        city = self.city
        slot = np.minimum(trip // city.stakes.shape[1], city.journeys.shape[1] - 1)
        options = city.options[city.journeys[agents, slot], np.maximum(-2 - spot, 0)]
        return np.where(spot < -1, (options >= 0).sum(axis=1), 1)

    def spots_of_rows(self) -> tuple[ndarray, ndarray]:
        """Return the trip and the spot of every row of a policy table."""
        places, columns = self.tables.positions, self.tables.places.shape[1]
        trip, column = np.divmod(np.arange(rows(self.city)), columns)
        return trip, np.where(column < places, column, places - 2 - column)


def _map_of(game: Any, city: CityArrays) -> _Map:
    at, lanes = floats(game.network.at), game.network.lanes
    journeys = np.arange(len(city.lane))
    stands = np.maximum(city.lane, 0)  # padding: any lane will do
    junctions = stands[journeys[:, None], np.maximum(city.options[:, :, :1].sum(axis=2), 0)]
    lanes_in_view = np.concatenate([city.lane, np.full(junctions.shape, -1)], axis=1)
    start = at[lanes[np.concatenate([stands, junctions], axis=1), 0]]
    end = np.concatenate([at[lanes[stands, 1]], at[lanes[junctions, 0]]], axis=1)
    goal = at[np.asarray(game.ends)[:, :, 1]]
    lower_left, upper_right = at.min(axis=0), at.max(axis=0)
    low = [0, 0, 0, 0, -1 - city.options.shape[1], -1, *np.tile(lower_left, 3)]
    types, trip_count = len(city.stakes) - 1, trips(city)
    high = [city.stakes.max(), city.most, types, trip_count, city.lane.shape[1] - 1, len(city.capacity) - 1]
    lower = np.array(low, dtype=float)
    upper = np.array([*high, *np.tile(upper_right, 3)], dtype=float)
    upper = np.where(upper > lower, upper, lower + 1)  # of constant features: scaling divides by the range
    middle = np.tile((lower_left + upper_right) / 2, 3)
    places = np.concatenate([lanes_in_view[:, :, None], start, end], axis=2)
    slots = city.journeys.shape[1]
    cost = np.pad(np.tile(city.stakes, slots), ((0, 0), (0, 1)))
    slot = np.arange(trip_count + 1) // city.stakes.shape[1] % slots
    tables = FeatureTables(city.type_of, city.journeys, city.lane.shape[1], cost, slot, places, goal, middle)
    return _Map(city, tables, (lower, upper))
