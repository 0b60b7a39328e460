"""What each method is for is its first table: beside closed forms, games by hand and other programs."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from tests.unit.test_roads import WHEATSTONE, saturating_roads

# Braess (1968): three routes of 92 each; without the middle road, two of 83
BRAESS = {
    "from": ["s", "a", "s", "b", "a"],
    "to": ["a", "t", "b", "t", "b"],
    "cost": ["10*x", "50 + x", "50 + x", "10*x", "10 + x"],
}


def values_of(solution: Any, table: int | str = 1) -> dict[str, float]:
    """The numbers of a table of quantities, by name."""
    frame = solution.to_dataframe(table)
    return dict(zip(frame.iloc[:, 0], frame.iloc[:, 1], strict=True))


@pytest.mark.slow
def test_braess_flows_are_two_on_each_route() -> None:
    game = rv.games.routes(BRAESS, demand={"s>t": 6})
    equilibrium, optimum = (
        rv.solve(game, method) for method in (rv.methods.UserEquilibrium(), rv.methods.SystemOptimum())
    )
    frame = equilibrium.to_dataframe()
    assert frame["link"].tolist() == ["s>a", "a>t", "s>b", "b>t", "a>b"]
    assert frame["flow"].to_numpy() == pytest.approx([4, 2, 2, 4, 2], abs=1e-8)
    assert frame["cost"].to_numpy() == pytest.approx([40, 52, 52, 40, 12], abs=1e-7)
    assert values_of(equilibrium)["total cost"] == pytest.approx(552)
    assert "price of anarchy: not computed; SystemOptimum computes it" in repr(equilibrium)
    best = optimum.to_dataframe()
    assert best["flow"].to_numpy() == pytest.approx([3, 3, 3, 3, 0], abs=1e-8)
    assert best["marginal toll"].to_numpy() == pytest.approx([30, 3, 3, 30, 0], abs=1e-7)
    totals = values_of(optimum)
    assert totals["total cost"] == pytest.approx(498)
    assert totals["total cost at the user equilibrium"] == pytest.approx(552)
    assert totals["price of anarchy"] == pytest.approx(552 / 498, rel=1e-9)  # flows have a gap of 1e-10
    assert "marginal toll" in optimum.to_latex()


@pytest.mark.slow
def test_classes_have_flows_of_their_own_and_tolls_bring_revenue() -> None:
    """Rich lose (1, 0) / 2 and poor (1, 0) to the toll: all poor and 1 / 6 of the rich take the free road."""
    links = {"from": ["s", "s"], "to": ["t", "t"], "cost": ["x + 2", "2*x"], "toll": [1.0, 0.0]}
    classes = {name: {"share": 0.5, "value_of_time": value} for name, value in (("rich", 2.0), ("poor", 1.0))}
    solution = rv.solve(
        rv.games.routes(links, demand={"s>t": 4.0}, classes=classes), rv.methods.UserEquilibrium()
    )
    # x + 2 + 1 / 2 = 2 (4 - x) for the rich: x = 11 / 6
    frame = solution.to_dataframe()
    assert frame["flow, rich"].to_numpy() == pytest.approx([11 / 6, 1 / 6], abs=1e-8)
    assert frame["flow, poor"].to_numpy() == pytest.approx([0, 2], abs=1e-8)
    assert values_of(solution)["revenue"] == pytest.approx(11 / 6, abs=1e-8)


@pytest.mark.slow
def test_pigou_has_a_price_of_anarchy_of_four_thirds() -> None:
    totals = values_of(rv.solve(rv.games.routes("pigou"), rv.methods.SystemOptimum()))
    assert totals["price of anarchy"] == pytest.approx(4 / 3, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 24])
def test_an_optimum_that_is_bounded_has_a_price_of_anarchy_between_bounds(seed: int) -> None:
    costs, trips = saturating_roads(seed)
    solution = rv.solve(
        rv.games.routes(WHEATSTONE | {"cost": costs}, demand={"s>t": trips}), rv.methods.SystemOptimum()
    )
    frame = solution.to_dataframe("totals").set_index("quantity")
    first, second = (trips * share.ravel() / 200 for share in np.indices((201, 201)))
    inside = first + second <= trips * (1 + 1e-12)
    flows = first[inside], second[inside], np.maximum(trips - first - second, 0.0)[inside]
    on_links = flows[0] + flows[2], flows[0], flows[1], flows[1] + flows[2], flows[2]
    names = {"exp": np.exp, "min": np.minimum}
    total = 0.0
    for x, text in zip(on_links, costs, strict=True):
        total = total + x * eval(text.replace("^", "**"), names | {"x": x})
    ratio = frame.loc["total cost at the user equilibrium", "value"] / np.min(total)
    low, high = frame.loc["price of anarchy", ["value, from", "value, to"]]
    assert low * (1 - 1e-3) <= ratio <= high
    text = next(row["value"].text for row in solution.tables[1].rows if "anarchy" in row["quantity"].text)
    assert low >= float(text[1:].partition(",")[0])


def test_flows_of_many_links_are_cut_in_print_alone() -> None:
    count = 60
    links = {"from": ["s"] * count, "to": ["t"] * count, "cost": [f"x + {k / 60}" for k in range(count)]}
    solution = rv.solve(rv.games.routes(links, demand={"s>t": 60.0}), rv.methods.UserEquilibrium())
    # x_k = u - k / 60 with sum 60
    flows = 1 + np.mean(np.arange(count)) / 60 - np.arange(count) / 60
    assert solution.to_dataframe()["flow"].to_numpy() == pytest.approx(flows, abs=1e-6)
    assert "not shown: 10 more links" in repr(solution)
    printed = [row["flow"].mean for row in solution.tables[0].rows]
    assert printed == sorted(printed, reverse=True)


@pytest.mark.parametrize("slots", [20, 40])
def test_the_rush_has_the_length_that_vickrey_found(slots: int) -> None:
    """Of N travellers at capacity s: from t* - l / (e + l) N / s on, with the longest delay at t*."""
    solution = rv.solve(
        rv.games.bottleneck(
            6000.0,
            capacity=3000.0,
            value_of_time=6.4,
            early=3.9,
            late=15.21,
            arrival=9.0,
            slots=slots,
        ),
        rv.methods.DepartureTimeEquilibrium(),
    )
    hours, width = 2.0, 2.0 / slots
    first = 9.0 - 15.21 / (3.9 + 15.21) * hours
    frame, totals = solution.to_dataframe(), values_of(solution)
    assert totals["rush begins"] == pytest.approx(first, abs=width)
    assert totals["rush ends"] == pytest.approx(first + hours, abs=width)
    assert totals["length of the rush"] == pytest.approx(hours, abs=width)
    rates = frame["arrivals per unit of time, slow lane"]
    assert rates.sum() * width == pytest.approx(6000.0)
    assert rates[1:-1].to_numpy() == pytest.approx(3000.0)
    assert "toll, fast lane" not in frame
    # the delay of those who are early rises at e / value of time
    early = frame[frame["time"] < 9.0 - width][1:]
    assert np.diff(early["delay"]) == pytest.approx(3.9 / 6.4 * width)
    # a queue costs half of all, and the optimal toll saves that half
    assert totals["queue cost"] == pytest.approx(totals["total cost"] / 2, rel=2 / slots)


def test_lanes_and_classes_of_a_rush_have_columns() -> None:
    classes = {"a": {"share": 0.5, "value_of_time": 7.0}, "b": {"share": 0.5}}
    game = rv.games.bottleneck(slots=6, fast_share=0.5, classes=classes)
    solution = rv.solve(game, rv.methods.DepartureTimeEquilibrium())
    frame = solution.to_dataframe()
    width, arrivals = frame["time"].diff()[1], 0.0
    for lane in ("slow", "fast"):
        for name in classes:
            arrivals += frame[f"arrivals per unit of time, {lane} lane, {name}"].sum() * width
    assert arrivals == pytest.approx(6000.0)
    tolls = solution.data.toll.values
    assert frame["toll, fast lane"].max() == tolls.max() > 0
