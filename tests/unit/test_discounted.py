"""Values under different discount factors are compared per period."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import xarray as xr

import rivalry as rv
from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer


def study(family: str, **game: Any) -> dict[str, Any]:
    about = {"quantities": ["payoff"], "words": {"player 0": "the first", "player 1": "the second"}}
    method = [{"name": "one", "kind": "newton"}]
    return {"game": {"family": family, **game}, "method": method, "expect": [], "plots": [], "answer": about}


def swept(key: str, values: Sequence[Any], payoffs: Sequence[Sequence[float]]) -> xr.Dataset:
    rows: list[tuple[dict[str, Any], Record]] = [
        (
            {key: value, "algorithm": "one"},
            {"status": ((), np.asarray("converged")), "payoff": (("player",), np.array(own))},
        )
        for value, own in zip(values, payoffs, strict=True)
    ]
    return collect(rows, {key: list(values), "algorithm": ["one"]})


def told(about: dict[str, Any], data: xr.Dataset, name: str) -> list[str]:
    """Numbers of a quantity at all points, as they are printed."""
    points = Answer(about, data).points
    return [row.text for point in points for row in point.quantities.get(name, ())]


def test_a_value_that_rises_with_patience_alone_is_told_per_period() -> None:
    """26.68 at a factor of 0.8 is 5.336 per period, 510.2 at 0.99 is 5.102."""
    answer = Answer(study("karma"), swept("gamma", [0.8, 0.99], [[26.68], [510.2]]))
    texts = [point.quantities["payoff_per_period"][0].text for point in answer.points]
    assert texts == ["5.336", "5.102"]
    assert "payoff per period" in answer.table.columns


def test_figures_draw_what_tables_have() -> None:
    about = study("karma") | {"plots": [{"kind": "scenario", "quantities": ["payoff"]}]}
    figure = Answer(about, swept("gamma", [0.8, 0.99], [[26.68], [510.2]])).figure
    assert figure["options"]["quantities"] == ["payoff_per_period"]


def test_sums_with_one_discount_factor_stay_sums() -> None:
    data = swept("max_karma", [4, 8], [[20.0], [30.0]])
    assert told(study("karma", gamma=0.9), data, "payoff") == ["20", "30"]


def test_payoffs_that_are_no_sums_stay_as_they_are() -> None:
    data = swept("gamma", [0.8, 0.99], [[20.0, 20.0], [30.0, 30.0]])
    assert told(study("market"), data, "payoff") == ["20", "30"]


def test_games_of_one_period_have_no_sums() -> None:
    rows = swept("gamma", [0.5, 1.0], [[1.0, 2.0], [1.0, 2.0]])
    assert "payoff_per_period" not in Answer(study("race"), rows).data


def test_lists_of_discount_factors_are_read() -> None:
    rows = swept("gamma", ["[0.5, 1.0]", "[1.0, 1.0]"], [[1.9375, 5.0], [10.0, 10.0]])
    texts = told(study("race", horizon=5), rows, "payoff_per_period")  # 1 and 2 in each of five periods
    assert texts[:2] == ["1", "2"] or texts == ["1", "2", "2"]


@pytest.mark.parametrize("key", ["gamma", "gamma[1]"])
def test_a_constant_stream_is_worth_the_same_at_all_discount_factors(key: str) -> None:
    """Against sums of a thousand periods, or of five."""
    factors = np.array([0.3, 0.9])
    for horizon, periods in (("inf", 1000), (5, 5)):
        about = study("race", horizon=horizon, gamma=[0.5, 0.5])
        weights = [[0.5, gamma] if key == "gamma[1]" else [gamma, gamma] for gamma in factors]
        sums = [[sum(2.0 * gamma**t for t in range(periods)) for gamma in own] for own in weights]
        (first, second) = Answer(about, swept(key, factors.tolist(), sums)).points
        for one in (first, second):
            assert [row.mean for row in one.quantities["payoff_per_period"]] == pytest.approx([2.0])


@pytest.mark.slow
def test_a_karma_game_is_solved_and_told_per_period() -> None:
    """Without bids agents win half of the steps, whatever they do: the loss per step is the same."""
    found = []
    for gamma in (0.0, 0.5):
        game = rv.games.karma(max_karma=2, mean_karma=1.0, gamma=gamma)
        found.append([float(rv.solve(game, rv.methods.Evaluate(), start="zero").payoff[0])])
    values = Answer(study("karma"), swept("gamma", [0.0, 0.5], found)).points
    first, second = (one.quantities["payoff_per_period"][0].mean for one in values)
    assert first == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize(("family", "quantity"), [("karma", "efficiency"), ("city", "reward_fairness")])
def test_gains_are_per_period_beside_quantities_per_period(family: str, quantity: str) -> None:
    """A gain of 42 at a discount factor of .99 is .42 in every period."""
    record: Record = {
        "status": ((), np.asarray("converged")),
        quantity: ((), np.asarray(-1.2)),
        "claim": ((), np.asarray("not an equilibrium")),
        "regret": (("player",), np.array([42.0])),
        "bound": (("player",), np.array([42.0])),
        "tolerance": (("player",), np.array([1e-6])),
        "coverage": ((), np.asarray("tight")),
    }
    data = collect([({"algorithm": "one"}, record)], {"algorithm": ["one"]})
    about = study(family, gamma=0.99) | {"answer": {"quantities": [quantity]}}
    (point,) = Answer(about, data).points
    assert (point.largest_gain.text, point.per_period) == ("0.42", " per period")
    # beside sums, gains are sums
    sums = collect(
        [({"algorithm": "one"}, record | {"payoff": (("player",), np.array([-120.0]))})],
        {"algorithm": ["one"]},
    )
    (point,) = Answer(about | {"answer": {"quantities": ["payoff"]}}, sums).points
    assert (point.largest_gain.text, point.per_period) == ("42", "")


def test_gains_at_different_discount_factors_are_compared_per_period() -> None:
    """42 at a factor of .99 is .42 per period, and 4.2 at .5 is 2.1: the larger one."""
    rows: list[tuple[dict[str, Any], Record]] = []
    for factor, gain in ((0.5, 4.2), (0.99, 42.0)):
        record: Record = {
            "status": ((), np.asarray("converged")),
            "efficiency": ((), np.asarray(-factor)),
            "claim": ((), np.asarray("not an equilibrium")),
            "regret": (("player",), np.array([gain])),
            "bound": (("player",), np.array([gain])),
            "tolerance": (("player",), np.array([1e-6])),
            "coverage": ((), np.asarray("tight")),
        }
        rows.append(({"gamma": factor, "algorithm": "one"}, record))
    data = collect(rows, {"gamma": [0.5, 0.99], "algorithm": ["one"]})
    points = Answer(study("karma") | {"answer": {"quantities": ["efficiency"]}}, data).points
    assert [point.largest_gain.text for point in points] == ["2.1", "0.42"]
