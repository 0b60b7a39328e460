"""`rv.sweep` over all keys that a study can sweep, against games made one by one."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.method import Finish
from rivalry.methods import BestResponse
from rivalry.schema.construction import variant


@pytest.mark.nightly
def test_sweep_over_a_nested_keyword_of_the_race() -> None:
    """With one price for both inputs the symmetric equilibrium is known in closed form."""
    prices = [0.05, 0.1, 0.2]
    found = rv.sweep(rv.games.race(), {"cost.price": prices}, BestResponse(), "moderate")
    right = [rv.oracles.closed_form(rv.games.race(cost={"price": price}))[0] for price in prices]
    np.testing.assert_allclose(found.profile, right, rtol=1e-5)
    assert found["cost.price"].values.tolist() == prices


@pytest.mark.nightly
def test_sweep_over_names_entries_and_method_options() -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    over = {"game.resource": ["bimodal", "exp(-b)"], "method.damping": [0.9, 1.0], "reach": [0.2, 0.3]}
    found = rv.sweep(game, over, BestResponse(), [0.3, 0.6])
    assert dict(found.sizes) | {"player": 2, "axis": 1} == dict(found.sizes)
    alone = rv.games.influencer(reach=[0.3, 0.3], resource="exp(-b)")
    right = rv.solve(alone, BestResponse(), [0.3, 0.6]).profile
    for damping in over["method.damping"]:
        here = found.sel({"game.resource": "exp(-b)", "method.damping": damping, "reach": 0.3})
        np.testing.assert_allclose(here.profile, right, atol=1e-6)
    one = rv.sweep(game, {"reach[1]": [0.4]}, BestResponse(), [0.3, 0.6])
    two = rv.sweep(rv.games.influencer(reach=[0.2, 0.4], resource="bimodal"), {"reach[1]": [0.4]}, *_RUN)
    np.testing.assert_array_equal(one.profile, two.profile)


_RUN: tuple[Any, Any] = (BestResponse(), [0.3, 0.6])


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"wealth": [1]}, "wealth: is no keyword of influencer"),
        ({"method.dampin": [1]}, "over: method.dampin is no option of BestResponse; did you mean 'damping'"),
        ({"resource": ["trimodal"]}, "resource: 'trimodal' is no known word; did you mean"),
        ({"method.points": [1]}, "points: 1 must be above 1"),
        ({"reach[7]": [0.1]}, r"reach\[7\]: \[7\] must be in 0\.\.1"),
        ({"reach": list(range(1000)), "budgets": list(range(1000))}, "over: 1000000 points are too many"),
    ],
)
def test_invalid_sweeps_are_refused(over: dict[str, Any], message: str) -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    with pytest.raises(ValueError, match=message):
        rv.sweep(game, over, *_RUN)
    with pytest.raises(ValueError, match="reach2: no array of this game"):
        rv.sweep(rv.with_(game, weights=game.weights), {"reach2": [0.1]}, *_RUN)


GAME = rv.games.influencer(reach=0.25, players=3)
CLIMB = rv.methods.GradientAscent()
START = [0.1, 0.4, 0.9]


@pytest.mark.slow
def test_values_in_a_zip_belong_together() -> None:
    over = {"reach[1]": [0.2, 0.3], "method.start": [START, [0.2, 0.4, 0.9]]}
    found = rv.sweep(GAME, over, CLIMB, zip=True, max_steps=5)
    assert (found.profile.dims, found["reach[1]"].dims) == (("point", "player", "axis"), ("point",))
    for k, (reach, start) in enumerate(zip(*over.values(), strict=True)):
        alone = rv.games.influencer(reach=[0.25, reach, 0.25])
        with pytest.warns(UserWarning, match="not converged"):
            right = rv.solve(alone, CLIMB, start, max_steps=5)
        np.testing.assert_allclose(found.profile[k], right.profile, atol=1e-12)
    with pytest.raises(ValueError, match="zip: needs names with equally many values; reach has 2"):
        rv.sweep(GAME, {"reach": [0.2, 0.3], "budgets": [1.0]}, CLIMB, START, zip=True)


@pytest.mark.slow
def test_limits_of_a_run_can_be_swept() -> None:
    found = rv.sweep(GAME, {"method.max_steps": [3, 7]}, CLIMB, START, tolerance=None)
    assert found.steps.values.tolist() == [3, 7]
    with pytest.raises(ValueError, match="max_steps: 'x' must be a whole number"):
        rv.sweep(GAME, {"method.max_steps": ["x"]}, CLIMB, START)
    with pytest.raises(ValueError, match="tol: nan must be a finite number"):
        rv.sweep(GAME, {"method.tol": [float("nan")]}, CLIMB, START)


@pytest.mark.slow
def test_learners_are_swept_with_streams_of_their_own() -> None:
    game, learner = rv.games.matrix("chicken"), rv.methods.RegretMatching()
    over = {"payoffs[0][0][0]": [0.0, 0.0], "method.regrets": ["unconditional", "conditional"]}
    with pytest.raises(ValueError, match=r"payoffs\[0\]: needs a list to reach into, but nothing is there"):
        rv.sweep(game, {"payoffs[0]": [1.0]}, learner)
    tables = rv.games.matrix(game.table)
    over["payoffs[0][0][0]"] = [0.0, -5.0]
    found = rv.sweep(tables, over, learner, max_steps=200, seed=3)
    again = rv.sweep(tables, over, learner, max_steps=200, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(found.profile, again.profile)
    assert found.profile.dims == ("payoffs[0][0][0]", "method.regrets", "player", "axis")
    assert set(found.steps.values.ravel().tolist()) == {200}
    assert len({tuple(row.ravel()) for row in found.profile.values.reshape(4, 4)}) > 1
    shorter = rv.sweep(tables, {"payoffs[0][0][0]": [0.0]}, learner, max_steps=200, seed=3)
    np.testing.assert_array_equal(shorter.profile[0], found.profile[0, 0])


def test_a_number_replaces_all_of_a_nested_list_as_in_a_study() -> None:
    def made(reach: float, std: float) -> Any:
        resource = {"kind": "mixture", "means": [0.2, 0.8], "stds": [std, std]}
        return rv.games.influencer(reach=[reach] * 2, resource=resource)

    wide, right = variant(made(0.25, 0.1), **{"resource.stds": 0.3, "reach": 0.2}), made(0.2, 0.3)
    np.testing.assert_array_equal(wide.weights, right.weights)
    np.testing.assert_array_equal(wide.reach, right.reach)


@pytest.mark.slow
def test_a_learners_number_is_swept_as_an_entry_of_its_table() -> None:
    learner = rv.methods.QLearning(epochs=3, step_size=0.1)
    one = rv.sweep(GAME, {"method.step_size.value": [0.2]}, learner, tolerance=None)
    other = rv.sweep(GAME, {"method.step_size": [0.2]}, learner, tolerance=None)
    np.testing.assert_array_equal(one.policy.values, other.policy.values)


class Marked(BestResponse):
    """Best responses with an analysis of their ends of its own."""

    def finish(self, game: Any, profile: Any, key: Any) -> Any:
        return Finish(profile, "marked", {})


@pytest.mark.slow
def test_a_class_that_changes_the_analysis_of_ends_keeps_it_in_sweeps() -> None:
    game = rv.games.market(unit_cost=[10.0, 10.0])
    found = rv.sweep(game, {"unit_cost[0]": [5.0, 15.0]}, Marked(), [20.0, 20.0])
    assert found.end_state.values.tolist() == ["marked", "marked"]
