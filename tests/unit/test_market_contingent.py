"""Markets whose firms observe the shock, against direct simulation: one choice per firm and level."""

import warnings
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.naming import names_of
from rivalry.core.payoffs import payoffs
from rivalry.families.market.benchmarks import benchmark, critical_discount, stackelberg_on_grid
from rivalry.families.market.tables import levels
from rivalry.methods import ActorCritic, BestResponse, ClosedForm, RepeatedQLearning
from rivalry.tables.repeated import repeated_form

LEVELS, CHANCES = np.array([-30.0, 30.0]), np.array([0.25, 0.75])
SEEN: dict[str, Any] = {
    "shock": {"kind": "iid", "levels": LEVELS.tolist(), "probabilities": CHANCES.tolist()},
    "shock_observed": True,
}
CHAIN = np.array([[0.9, 0.1], [0.3, 0.7]])
MARKOV = {"kind": "markov", "levels": LEVELS.tolist(), "transitions": CHAIN.tolist()}


def profits(q: np.ndarray, intercept: float = 100.0, cost: float = 10.0) -> np.ndarray:
    """Return Cournot profits ``[firm]`` of outputs at a demand of slope 1."""
    return (max(intercept - q.sum(), 0.0) - cost) * q


def simulated(x: np.ndarray, chances: np.ndarray = CHANCES) -> np.ndarray:
    """Return mean profits ``[firm]`` of choices ``[firm level]``, level by level."""
    by_level = [profits(q, 100.0 + level) for q, level in zip(x.T, LEVELS, strict=True)]
    return chances @ np.array(by_level)


def test_payoffs_are_means_of_the_choices_at_each_level() -> None:
    game = rv.games.market(**SEEN)
    assert game.space.shape == (2, 2)
    for x in np.random.default_rng(1).uniform(0, 60, (20, 2, 2)):
        np.testing.assert_allclose(payoffs(game, x), simulated(x), rtol=1e-12, atol=1e-9)


def test_the_closed_form_is_the_equilibrium_of_every_level_and_names_the_levels() -> None:
    game = rv.games.market(**SEEN)
    solution = rv.solve(game, ClosedForm())
    np.testing.assert_allclose(solution.profile, [[20.0, 40.0]] * 2, rtol=1e-12)
    assert "quantity at -30 20, quantity at +30 40" in repr(solution)
    assert solution.certificate.claim == "equilibrium"
    assert rv.certificate(game, [[30.0, 30.0]] * 2).claim == "not an equilibrium"


@pytest.mark.slow
@pytest.mark.representative
def test_no_choice_by_level_on_a_grid_beats_the_listed_equilibrium() -> None:
    game = rv.games.market(**SEEN)
    listed = rv.all_equilibria(game)
    assert listed.complete
    np.testing.assert_allclose(listed.equilibria, [[[20.0, 40.0]] * 2], atol=1e-9)
    x = listed.equilibria[0]
    paid = simulated(x)
    np.testing.assert_allclose(listed.payoffs[0], paid, rtol=1e-12)
    for pair in np.stack(np.meshgrid(*[np.linspace(0, 100, 101)] * 2), axis=-1).reshape(-1, 2):
        deviation = np.array([pair, x[1]])
        assert simulated(deviation)[0] <= paid[0] + 1e-9
    np.testing.assert_allclose(rv.solve(game, BestResponse()).profile, x, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("chances", [[0.0, 1.0], [0.5, 0.5]])
def test_levels_that_never_occur_have_no_choice(chances: list[float]) -> None:
    shock = {"kind": "iid", "levels": LEVELS.tolist(), "probabilities": chances}
    game = rv.games.market(shock=shock, shock_observed=True)
    occurs = [level for level, chance in zip((20.0, 40.0), chances, strict=True) if chance]
    np.testing.assert_allclose(rv.all_equilibria(game).equilibria, [[occurs] * 2], atol=1e-9)


@pytest.mark.slow
def test_one_observed_level_is_the_market_without_a_shock() -> None:
    seen = rv.games.market(shock={"kind": "iid", "levels": [0.0]}, shock_observed=True)
    plain = rv.games.market()
    first, second = rv.all_equilibria(seen), rv.all_equilibria(plain)
    np.testing.assert_allclose(first.equilibria, second.equilibria, atol=1e-9)
    np.testing.assert_allclose(critical_discount(seen).delta, critical_discount(plain).delta, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("stages", [[[0], [1]]])
def test_leaders_choose_by_level_and_followers_respond(stages: list[list[int]]) -> None:
    game = rv.games.market(**SEEN, stages=stages)
    np.testing.assert_allclose(rv.all_equilibria(game).equilibria, [[[30.0, 60.0]]], atol=1e-9)
    followers = (90.0 + LEVELS - [30.0, 60.0]) / 2
    paid = simulated(np.array([[30.0, 60.0], followers]))
    np.testing.assert_allclose(payoffs(game, np.array([[30.0, 60.0]]))[0], paid[0], rtol=1e-12)
    np.testing.assert_allclose(benchmark(game, "stackelberg").payoff[stages[0][0]], paid[0], rtol=1e-9)
    with pytest.raises(ValueError, match="game: leaders choose by the state that they observe"):
        rv.solve(game, ActorCritic(updates=1))


def sustains(delta: float, gain: np.ndarray, loss: np.ndarray, chain: np.ndarray) -> bool:
    """True where no deviation at any level pays, by sums over 5,000 periods of losses."""
    later, weight, future = np.zeros(len(loss)), 1.0, loss
    for _ in range(5000):
        weight, future = weight * delta, chain @ future
        later = later + weight * future
    return bool(np.all(gain <= later + 1e-9))


@pytest.mark.slow
@pytest.mark.representative
@pytest.mark.parametrize("shock", [SEEN["shock"], MARKOV], ids=["iid", "markov"])
def test_critical_discounts_are_where_grim_play_over_many_periods_stops_deviations(shock: Any) -> None:
    found = critical_discount(rv.games.market(shock=shock, shock_observed=True))
    margin = 90.0 + LEVELS
    nash, cartel = (margin / 3) ** 2, margin**2 / 8
    deviation = (margin - margin / 4) ** 2 / 4
    chain = np.tile(CHANCES, (2, 1)) if shock["kind"] == "iid" else CHAIN
    stationary = np.linalg.matrix_power(chain, 500)[0]
    np.testing.assert_allclose(found.joint, stationary @ cartel, rtol=1e-9)
    np.testing.assert_allclose(found.deviation, stationary @ deviation, rtol=1e-9)
    low, high = 0.0, 0.99
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if sustains(middle, deviation - cartel, cartel - nash, chain) else (middle, high)
        )
    np.testing.assert_allclose(found.delta, high, atol=1e-6)
    np.testing.assert_allclose(found.delta_at_level.max(axis=0), found.delta)


@pytest.mark.slow
def test_learners_see_the_levels_and_are_compared_with_profits_at_them() -> None:
    game = rv.games.market(**SEEN)
    learner = RepeatedQLearning(
        sessions=4, action_grid=5, observation="none", stopping={"stable_periods": 100, "max_periods": 5000}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few periods do not converge
        record = rv.solve(game, learner).record
    np.testing.assert_allclose(record["nash_payoff"][1], CHANCES @ (np.array([60.0, 120.0]) / 3) ** 2)
    np.testing.assert_allclose(record["critical_discount"][1], critical_discount(game).delta)
    np.testing.assert_allclose(record["end_profit"][1], record["end_payoff"][1], rtol=1e-12)
    line = levels(game.market, 5)[0]
    assert line[0] < 15.0  # the cartel at the low level
    assert line[-1] > 40.0  # Nash play at the high one
    assert len(repeated_form(game, 5, observation="none").tables.payoff) == 2


def test_benchmarks_on_a_grid_refuse_choices_by_level() -> None:
    with pytest.raises(ValueError, match="shock_observed: true; benchmarks on a grid"):
        stackelberg_on_grid(rv.games.market(**SEEN), [20.0, 30.0])


@pytest.mark.slow
@pytest.mark.parametrize("demand", ["logit", "differentiated"])
def test_observed_costs_move_prices_level_by_level(demand: str) -> None:
    shock = {"kind": "iid", "on": "unit_cost", "levels": [-0.25, 0.5], "probabilities": [0.5, 0.5]}
    game = rv.games.market(demand=demand, choice="price", shock=shock, shock_observed=True)
    want = [
        rv.solve(rv.games.market(demand=demand, choice="price", unit_cost=c), ClosedForm()).profile
        for c in (0.75, 1.5)
    ]
    np.testing.assert_allclose(rv.solve(game, ClosedForm()).profile, np.concatenate(want, axis=1), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "method"),
    [
        ({"demand": "logit", "ownership": [[1.0, 0.0], [0.4, 1.0]]}, BestResponse(polish=True)),
        ({"demand": "logit"}, ClosedForm()),
        ({"demand": "differentiated", "choice": "price"}, BestResponse()),
        ({"demand": "differentiated", "convex_cost": [0.0, 0.5, 1.0]}, BestResponse()),
    ],
)
@pytest.mark.parametrize("on", ["intercept", "unit_cost"])
def test_owners_who_observe_the_shock_choose_the_equilibrium_of_every_level(
    keys: dict[str, Any], method: Any, on: str
) -> None:
    cost, shifts = np.array([1.0, 1.2, 1.1]), (-0.3, 0.5)
    owners = {"owners": [[0, 1], [2]], **keys}
    shock = {"kind": "iid", "levels": list(shifts), "probabilities": CHANCES.tolist(), "on": on}
    game = rv.games.market(shock=shock, shock_observed=True, unit_cost=cost.tolist(), **owners)
    solution = rv.solve(game, method)
    assert solution.certificate.claim == "equilibrium"
    name, usual = ("quality", 2.0) if keys["demand"] == "logit" else ("intercept", 10.0)
    paid = np.zeros(2)
    for k, shift in enumerate(shifts):
        moved = {"unit_cost": (cost + shift).tolist()} if on == "unit_cost" else {name: usual + shift}
        level = rv.games.market(**({"unit_cost": cost.tolist()} | owners | moved))
        alone = rv.solve(level, method)
        assert rv.certificate(level, solution.profile[:, 2 * k : 2 * k + 2]).claim == "equilibrium"
        np.testing.assert_allclose(solution.profile[:, 2 * k : 2 * k + 2], alone.profile, rtol=0, atol=1e-9)
        paid += CHANCES[k] * alone.data.payoff.values
    np.testing.assert_allclose(solution.data.payoff.values, paid, rtol=1e-9)
    names = names_of(game).entries
    assert names[1] == tuple(f"{game.rule.choice} of product 2 at {shift:+g}" for shift in shifts)
    assert rv.certificate(game, np.asarray(solution.profile) * 0.9).claim == "not an equilibrium"
