"""Every key of cities reaches the arrays that agents live by, with the meaning written beside it.

What agents do in these arrays is compared with a city in plain Python in `test_city_kernels`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.kernels import shapes
from rivalry.lab.study import parameters
from tests.invariance.neutral import tuples

AGENTS = 16
SMALL: dict[str, Any] = {"network": "plain_3x3", "agents": AGENTS, "capacity": 2}
LINE = {"nodes": ["a", "b", "c"], "lanes": [["a", "b"], ["b", "c"], ["c", "a"]]}
ROUTES = [[["a", "b", "c"], ["c", "a"]]] * 3 + [[["b", "c"], ["c", "a", "b"]]]
PATHS: dict[str, Any] = {"network": LINE, "routes": ROUTES, "capacity": 1, "mean_karma": 9.0}
Seen = Callable[[Any], Any]


class Effect(NamedTuple):
    """A city with a key and without it, what is seen of it, and what that is by the key's meaning."""

    written: Mapping[str, Any]
    without: Mapping[str, Any]
    seen: Seen
    said: Any


def _row(seen: str | Seen, said: Any, base: Mapping[str, Any] = SMALL, **keys: Any) -> Effect:
    look = seen if callable(seen) else lambda city: getattr(city.world(), seen)
    return Effect({**base, **keys}, base, look, said)


def chances(city: Any) -> np.ndarray:
    """Return chances ``[type trip trip]`` of the next trip."""
    return np.diff(city.world().trip_chain, axis=-1, prepend=0.0)


def law(awake: list[float], dormant: float) -> np.ndarray:
    """Return chances ``[type trip trip]`` that do not depend on the last trip: paths, urgencies, dormancy."""
    trips = [(1.0 - dormant) * chance for chance in awake] + [dormant]
    return np.tile(trips, (1, len(trips), 1))


def trips(city: Any) -> list[str]:
    """Return lanes of the first agent's paths."""
    names, rows = city.network.lane_names, city.journeys.lane[city.slots[0]]
    return [" ".join(names[lane] for lane in row if lane >= 0) for row in rows]


def coalition(city: Any) -> tuple[int, int]:
    return int(city.world().coalition.sum()), int(city.coalition.sum())


def same_node(city: Any) -> bool:
    """Return whether a trip begins and ends at stubs of one node."""
    homes = city.network.home[city.ends]
    return bool(np.any(homes[..., 0] == homes[..., 1]))


def unlucky_members(city: Any) -> tuple[int, bool]:
    """Return the number of members, and whether all their paths lead through the centre."""
    members = city.coalition == 1
    return int(members.sum()), bool(np.all(city.classes()[members] == 2))


def ways(city: Any) -> int:
    """Return the largest number of paths that an agent chooses from."""
    options = city.world().options
    if not options.size:
        return 1
    return int((options[:, 0] >= 0).sum(axis=-1).max())


TYPES = [{"name": "van", "count": 4, "gamma": 0.5, "urgencies": [2.0, 3.0]}, {"name": "car", "count": 12}]
TRIPS = [[0.1, 0.2, 0.3, 0.1, 0.3], *[[0.2] * 5] * 4]
LANES = 24  # of the network of 3 x 3
EFFECTS: Mapping[str, Effect | tuple[Effect, ...]] = {
    "network": _row(lambda city: len(city.capacity), 3, network=LINE, agents=4, capacity=1),
    "exclude_same_node": _row(
        same_node, True, {"network": "stubs_4x4", "agents": 200}, exclude_same_node=False
    ),
    "agents": _row(lambda city: len(city.world().karma), 20, agents=20),
    "paths_per_agent": _row(lambda city: city.slots.shape, (AGENTS, 3), paths_per_agent=3),
    "allocation": _row(
        lambda city: city.ends.tolist() != rv.games.city(**SMALL).ends.tolist(), True, allocation=1
    ),
    "routes": _row(trips, ["a>b b>c", "c>a"], {"network": LINE, "agents": 4, "capacity": 1}, routes=ROUTES),
    "demand": _row(lambda city: np.unique(city.ends).tolist(), [1, 8], demand={"1.2>3.3": 2.0}),
    "urgencies": _row("stakes", [[2.0, 7.0]], urgencies=[2.0, 7.0]),
    "urgency_distribution": _row(chances, law([0.1, 0.4, 0.1, 0.4], 0.1), urgency_distribution=[0.2, 0.8]),
    "p_dormant": _row(chances, law([0.25] * 4, 0.4), p_dormant=0.4),
    "trip_distribution": (
        _row(chances, np.tile(TRIPS[0], (1, 5, 1)), trip_distribution=TRIPS[0]),
        _row(chances, [TRIPS], trip_distribution=TRIPS),
    ),
    "gamma": _row("discount", [0.5], gamma=0.5),
    "max_karma": _row("most", 20, max_karma=20),
    "mean_karma": _row("karma", [4] * AGENTS, mean_karma=4.0),
    "initial_karma": _row("karma", [3, 14, 10, 9], PATHS, initial_karma=[3, 14, 10, 9]),
    "capacity": (
        _row("capacity", [3] * LANES, capacity=3),
        _row("capacity", [2, 1, 4], PATHS, capacity=[2, 1, 4]),
        _row("capacity", [1, 3, 2], PATHS, capacity={"b>c": 3, "c>a": 2, "others": 1}),
        _row("capacity", [AGENTS] * LANES, capacity="unlimited"),
    ),
    "payment": (
        _row("price", shapes.HIGHEST_REFUSED, payment="uniform_highest_refused"),
        _row("price", shapes.LOWEST_ADMITTED, payment="uniform_lowest_admitted"),
    ),
    "charge_uncontended": _row("uncontended", 0, charge_uncontended=False),
    "exclude_dormant": _row("dormant_share", 0, exclude_dormant=True),
    "toll": (
        _row("toll", [1.5] * LANES, toll=1.5),
        _row("toll", [0.0, 2.0, 0.5], PATHS, toll={"b>c": 2.0, "c>a": 0.5}),
        _row(
            "toll",
            lambda city: 2.0 * np.maximum(city.expected.wanting / 2 - 0.25, 0.0),
            toll={"kind": "load", "slope": 2.0, "from": 0.25},
        ),
    ),
    "subsidy": _row("subsidy", [0.0, 1.0, 0.25], PATHS, subsidy=[0.0, 1.0, 0.25]),
    "local": _row("local", 0.5, local=0.5),
    "planning": (
        _row(lambda city: city.world().options.shape[1] > 0, True, planning="nodes"),
        _row(lambda city: bool(np.any(city.world().begins < -1)), True, planning="start"),
        _row(ways, 5, planning="k_shortest", alternatives=5),
    ),
    "alternatives": _row(ways, 1, SMALL | {"planning": "start"}, alternatives=1),
    "tie": _row("tie", shapes.LOWEST_INDEX, tie="lowest_index"),
    "coalition": (
        _row(lambda city: city.world().coalition.tolist(), [1] * 3 + [0] * 13, coalition=3),
        _row(unlucky_members, (2, True), coalition={"agents": 2, "from": "unlucky"}),
    ),
    "transfer": (
        _row("transfer", shapes.EVEN, SMALL | {"coalition": 3}, transfer="even"),
        _row("transfer", shapes.URGENT, SMALL | {"coalition": 3}, transfer="urgent"),
        _row(coalition, (0, 3), SMALL | {"coalition": 3}, transfer="independent"),
    ),
    "types": (
        _row("type_of", [0] * 4 + [1] * 12, types=TYPES),
        _row("discount", [0.5, 0.98], types=TYPES),
        _row("stakes", [[2.0, 3.0], [1.0, 5.0]], types=TYPES),
    ),
}


def _rows() -> Iterator[Any]:
    for key, effects in tuples(EFFECTS).items():
        for number, effect in enumerate(effects):
            yield pytest.param(effect, id=f"{key}-{number}", marks=pytest.mark.slow)


@pytest.mark.parametrize("effect", [*_rows()])
def test_a_key_of_cities_does_what_it_says(effect: Effect) -> None:
    city, without = rv.games.city(**effect.written), rv.games.city(**effect.without)
    seen, before = np.asarray(effect.seen(city)), np.asarray(effect.seen(without))
    said = np.asarray(effect.said(city) if callable(effect.said) else effect.said)
    if seen.dtype.kind == "f":
        np.testing.assert_allclose(seen, said, rtol=1e-12, atol=1e-12)
    else:
        assert seen.tolist() == said.tolist()
    assert seen.shape != before.shape or not np.array_equal(seen, before)


def test_every_key_of_cities_has_a_row() -> None:
    assert {parameter.name for parameter in parameters(rv.games.city)} == set(EFFECTS)
