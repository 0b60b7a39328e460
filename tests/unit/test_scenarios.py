"""Comparing two sets of scenarios."""

import numpy as np
import pytest
import xarray as xr

import rivalry as rv


def points(values: list[float], claims: list[str] | None = None) -> xr.Dataset:
    found = {"safe": ("A", values), "claim": ("A", claims or ["equilibrium"] * len(values))}
    return xr.Dataset(found, {"A": np.arange(len(values)) + 1.0})


def test_all_pairs_are_counted_and_failures_named() -> None:
    found = rv.compare(points([0.5, 0.7, 0.9]), points([0.6, 0.8]), "safe", ">")
    assert (float(found.share), int(found.pairs)) == (0.5, 6)
    assert found.holds.values.tolist() == [[False, False], [True, False], [True, True]]
    assert found.failure.values.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert found.left_A.values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("relation", "share"), [("<", 0.0), ("<=", 1.0), (">=", 1.0), (">", 0.0)])
def test_equal_values(relation: str, share: float) -> None:
    assert float(rv.compare(points([0.5]), points([0.5]), "safe", relation).share) == share


def test_a_margin_applies_to_both_directions() -> None:
    low, high = points([0.5]), points([0.501])
    assert float(rv.compare(high, low, "safe", ">", margin=1e-4).share) == 1
    assert float(rv.compare(high, low, "safe", ">", margin=1e-2).share) == 0
    assert float(rv.compare(low, high, "safe", "<", margin=1e-4).share) == 1
    assert float(rv.compare(low, high, "safe", "<", margin=1e-2).share) == 0


def test_points_that_are_not_certified_are_left_out() -> None:
    left = points([0.5, 0.1, 0.2], ["equilibrium", "not an equilibrium", "no deviation found"])
    found = rv.compare(left, points([0.3]), "safe")
    assert (float(found.share), found.left_out.values.tolist()) == (1.0, [2, 0])
    admitted = rv.compare(left, points([0.3]), "safe", claims=["equilibrium", "no deviation found"])
    assert (float(admitted.share), admitted.left_out.values.tolist()) == (0.5, [1, 0])


@pytest.mark.nightly
def test_higher_safety_productivity_gives_higher_safety() -> None:
    """The comparison covers all pairs of a strong and a weak scenario."""
    game = rv.games.race(scale_penalty=1.0, disaster_cost=0.0)
    weak, strong = (
        rv.sweep(game, {"safety_productivity": levels}, rv.methods.BestResponse(), "moderate")
        for levels in ([0.1, 1.0, 10.0], [10.0, 100.0])
    )
    found = rv.compare(strong, weak, "p_safe", ">=", margin=-1e-9)
    assert (float(found.share), int(found.pairs)) == (1.0, 6)


def test_wrong_input_gives_one_line() -> None:
    one = points([0.5])
    several = one.assign(q=(("A", "player"), [[0.5, 0.5]]))
    for call, words in [
        (lambda: rv.compare(one, one, "save"), "left: no variable 'save'; did you mean 'safe'"),
        (lambda: rv.compare(several, one, "q"), "left: q has a number for each player; pick one"),
        (
            lambda: rv.compare(one, points([0.5], ["not an equilibrium"]), "safe"),
            "right: no point with safe has",
        ),
        (lambda: rv.compare(one, one, "safe", claims=["proved"]), "claims: 'proved' is unknown"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
