"""Distances of profiles: the minimum over swaps of exchangeable players. Basins: test_basins.py."""

from itertools import permutations

import numpy as np
import pytest

from rivalry.core.profiles import distances, nearest


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("exchangeable", [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3]])
def test_distances_are_minimal_over_swaps_of_exchangeable_players(exchangeable: list[int], axes: int) -> None:
    rng = np.random.default_rng(5)
    each, rest = rng.random((20, 4, axes)), rng.random((3, 4, axes))
    swaps = [p for p in permutations(range(4)) if [exchangeable[k] for k in p] == exchangeable]

    def far(x: np.ndarray, y: np.ndarray) -> float:
        return min(float(np.sqrt(((x[list(p)] - y) ** 2).sum(axis=1).mean())) for p in swaps)

    table = np.array([[far(x, y) for y in rest] for x in each])
    least, which = table.min(axis=1), table.argmin(axis=1)
    np.testing.assert_allclose(distances(each, rest, np.array(exchangeable)), least, rtol=1e-12)
    found = [nearest(x, rest, np.array(exchangeable)) for x in each]
    np.testing.assert_allclose([one[0] for one in found], least, rtol=1e-12)
    assert [one[1] for one in found] == which.tolist()


def test_distance_to_an_empty_set_is_nan() -> None:
    profiles = np.zeros((2, 3, 1))
    assert np.all(np.isnan(distances(profiles, profiles[:0], np.zeros(3))))
    least, which = nearest(profiles[0], [])
    assert np.isnan(least)
    assert which == -1
