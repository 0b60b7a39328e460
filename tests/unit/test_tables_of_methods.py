"""What each method is for is its first table: beside closed forms, games by hand and other programs."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.tables import agents
from rivalry.interop import from_gymnasium
from rivalry.methods.dynamics.tables import cycle
from rivalry.methods.populations.tables import states
from rivalry.results.reader import Reader
from rivalry.results.render import dataframe
from tests.unit.test_environments import EXPLORE, Grid, grid_values
from tests.unit.test_periods import by_hand, selling

pytestmark = pytest.mark.mostly_slow

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


@pytest.mark.default
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


@pytest.mark.default
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


def test_a_saddle_repels_along_one_eigenvector_and_a_spiral_has_imaginary_parts() -> None:
    """Gradients a x1 + b x2 and c x1 + d x2 around 0."""
    for rows, motions in (
        (((1.0, 2.0), (1.0, -3.0)), ["repels", "attracts"]),
        (((-1.0, 2.0), (-2.0, -1.0)), ["attracts", "attracts"]),
    ):
        (a, b), (c, d) = rows
        payoffs = [f"{a / 2}*x1*x1 + {b}*x1*x2", f"{d / 2}*x2*x2 + {c}*x1*x2"]
        game = rv.games.continuous(payoffs=payoffs, low=-1.0, high=1.0)
        solution = rv.solve(game, rv.methods.Newton(), start=[[0.05], [0.04]])
        frame = solution.to_dataframe()
        values = np.linalg.eigvals(np.array(rows))
        values = values[np.argsort(-values.real, kind="stable")]
        assert frame["real part"].to_numpy() == pytest.approx(values.real)
        assert frame["motion"].tolist() == motions
        if np.iscomplex(values).any():
            assert np.sort(frame["imaginary part"]) == pytest.approx(np.sort(values.imag))
        assert int(solution.data.repelling_directions) == motions.count("repels")


def test_a_mixture_of_points_is_a_list_of_points_with_probabilities() -> None:
    """One hides, the other seeks: (x1 - x2)^2 has the value 1/4, by 0 or 1 against 1/2."""
    game = rv.games.continuous(payoffs=["(x1-x2)**2", "-(x1-x2)**2"])
    solution = rv.solve(game, rv.methods.DoubleOracle())
    frame = solution.to_dataframe()
    hider, seeker = (rows for _, rows in frame.groupby("player"))
    assert hider["choice"].tolist() == [0.0, 1.0]
    assert hider["probability"].to_numpy() == pytest.approx([0.5, 0.5], abs=1e-4)
    assert (seeker["choice"] * seeker["probability"]).sum() == pytest.approx(0.5, abs=1e-4)
    assert frame["payoff"].abs().to_numpy() == pytest.approx(0.25, abs=1e-6)
    assert [table.title for table in solution.tables] == ["mixed strategies"]
    assert "probability" in solution.to_latex()


def test_points_of_a_finite_game_are_mixed_into_probabilities_of_actions() -> None:
    solution = rv.solve(rv.games.matrix("matching_pennies"), rv.methods.DoubleOracle())
    frame = solution.to_dataframe()
    assert frame["action"].tolist() == ["heads", "tails"] * 2
    assert frame["probability"].to_numpy() == pytest.approx([0.5] * 4, abs=1e-9)
    assert repr(solution).count("0.5") == 4


def test_a_schedule_has_choices_and_values_of_every_period() -> None:
    quantities, values = by_hand(0.04, 0.9, 3)
    frame = rv.solve(selling(0.04, 0.9), rv.methods.Periods()).to_dataframe()
    for player in range(2):
        assert frame[f"player {player}"].to_numpy() == pytest.approx(quantities, abs=1e-9)
        assert frame[f"value, player {player}"].to_numpy() == pytest.approx(values[:3], abs=1e-9)


def test_a_leader_and_its_follower_are_the_first_table() -> None:
    """Stackelberg: with price 120 - X and unit costs of 30 the leader sells 45, the follower 22.5."""
    led = rv.transforms.stackelberg(rv.games.market(intercept=120.0, slope=1.0, unit_cost=30.0), leaders=[0])
    frame = rv.solve(led, rv.methods.BestResponse()).to_dataframe()
    assert frame["quantity"].to_numpy() == pytest.approx([45.0, 22.5], abs=1e-6)
    assert frame["payoff"].to_numpy() == pytest.approx([45 * 22.5, 22.5**2], abs=1e-4)


def test_the_precision_that_fits_counts_has_the_equilibrium_there() -> None:
    """At lambda the chance of a stag solves p = 1 / (1 + exp(-lambda (u_s - u_h))), the same for both."""
    game = rv.games.matrix("stag_hunt")
    counts = [[60, 40], [60, 40]]
    solution = rv.solve(game, rv.methods.QuantalResponse(counts=counts))
    fit = solution.to_dataframe("logit equilibrium of this branch that fits observed play best").iloc[0]
    chance, precision = fit["player 0, stag"], fit["precision"]
    pays = np.array([[4.0, 0.0], [3.0, 3.0]])
    difference = pays[0] @ [chance, 1 - chance] - pays[1] @ [chance, 1 - chance]
    assert chance == pytest.approx(1 / (1 + np.exp(-precision * difference)), abs=1e-9)
    likelihood = 2 * (60 * np.log(chance) + 40 * np.log(1 - chance))
    assert fit["log likelihood"] == pytest.approx(likelihood, rel=1e-9)


def test_windows_of_stability_end_at_the_crossings() -> None:
    method = rv.methods.Thresholds(parameter="reach", low=0.18, high=0.2)
    solution = rv.solve(rv.games.influencer(players=3, resource="bimodal"), method)
    (crossing,) = solution.to_dataframe()["reach"]
    window = solution.to_dataframe("ranges in which the symmetric point is stable").iloc[0]
    assert window["reach, from"] == crossing
    assert window["reach, to"] == "0.2 or beyond"


def test_cycles_have_their_period_and_range() -> None:
    with pytest.warns(UserWarning, match="best responses repeat"):
        around = rv.solve(rv.games.matrix("matching_pennies"), rv.methods.BestResponse())
    frame = around.to_dataframe("cycle of best responses")
    # heads-heads, heads-tails, tails-tails, tails-heads: two moves a round
    assert frame.iloc[0, 0] == 2


def test_mean_bids_are_those_of_the_policy_and_agents_hold_all_karma() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0, agents=8)
    solution = rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start="uniform")
    frame, policy = solution.to_dataframe(), solution.data.policy.values[0]
    for k, urgency in enumerate(solution.data.urgency.values[0]):
        expected = policy[k] @ np.arange(policy.shape[-1])
        assert frame[f"mean bid at urgency {urgency:g}"].to_numpy() == pytest.approx(expected)
    assert frame["share of agents"].sum() == pytest.approx(1.0)
    assert (frame["share of agents"] * frame["karma"]).sum() == pytest.approx(2.0, abs=1e-8)
    totals = values_of(solution, "outcomes")
    assert totals["exploitability"] == pytest.approx(float(solution.certificate.regret[0]))


def test_an_environment_has_returns_before_policies() -> None:
    method = rv.methods.EnvironmentQLearning(episodes=150, gamma=0.9, **EXPLORE)
    solution = rv.solve(from_gymnasium(Grid()), method, seed=3)
    best = grid_values(0.9)
    assert solution.to_dataframe()["mean return"].tolist() == pytest.approx([best[0].max()])
    policies = solution.to_dataframe("greedy policies").set_index("state").iloc[:, 0]
    for state in (0, 1, 3, 6, 7):  # on the way, around the wall
        assert best[state, int(policies[state])] == pytest.approx(best[state].max())


@pytest.mark.default
def test_agents_stand_by_number_in_data_and_by_gain_in_print() -> None:
    rng = np.random.default_rng(5)
    gains = rng.random(40)
    arrays = {
        "agent_payoff": -gains,
        "agent_exploitability": gains,
        "agent_type": np.repeat([0, 1], 20),
        "class_name": np.array(["calm", "urgent"]),
    }
    frame = dataframe(agents(Reader(arrays, numbers=True)))
    assert frame["agent"].tolist() == list(range(40))
    assert frame["type"].tolist() == ["calm"] * 20 + ["urgent"] * 20
    assert frame["gain of a best response"].tolist() == gains.tolist()
    printed = agents(Reader(arrays)).in_print()
    shown = [row["gain of a best response"].mean for row in printed.rows]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (gains.min(), gains.max())


@pytest.mark.default
def test_states_of_a_population_have_policies_and_gains() -> None:
    arrays = {
        "distribution": np.array([0.75, 0.25]),
        "profile": np.array([[0.5, 0.5], [1.0, np.nan]]),
        "values": np.array([1.0, 2.0]),
        "best_values": np.array([1.5, 2.0 + 1e-15]),
    }
    printed = states(Reader(arrays))
    assert printed is not None
    assert printed.texts == [["0", "0.75", "[0.5 0.5]", "1", "0.5"], ["1", "0.25", "[1]", "2", "0"]]
    frame = dataframe(states(Reader(arrays, numbers=True)))
    assert frame["action 0"].tolist() == [0.5, 1.0]
    assert frame["action 1"].tolist()[0] == 0.5
    assert np.isnan(frame["action 1"].tolist()[1])


@pytest.mark.default
def test_bounds_among_quantities_are_rounded_up_and_owners_are_named() -> None:
    arrays = {"total_cost_bound": np.array(0.12345), "exploitability": np.array([1.0, 2.0])}
    rows = Reader(arrays, digits=6).quantities(["total_cost_bound", "exploitability"], ["a", "b"])
    texts = [[entry.text for entry in row.values()] for row in rows]
    assert texts == [
        ["total cost above the lowest, at most", "0.13"],
        ["exploitability of a", "1"],
        ["exploitability of b", "2"],
    ]


@pytest.mark.default
def test_limit_cycles_have_a_row_per_choice() -> None:
    arrays = {
        "cycle_low": np.array([[0.1, np.nan], [0.3, 0.4]]),
        "cycle_high": np.array([[0.5, np.nan], [0.7, 0.8]]),
        "cycle_period": np.array(2.5),
    }
    table = cycle(Reader(arrays))
    assert table.title == "cycle of period 2.5, in units of time of the flow"
    rows = [["player 0", "0", "0.1", "0.5"], ["player 1", "0", "0.3", "0.7"], ["player 1", "1", "0.4", "0.8"]]
    assert table.texts == rows
