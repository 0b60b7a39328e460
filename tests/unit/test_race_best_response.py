"""Best responses in races: brute force, closed forms, and a profile that is not an equilibrium."""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from rivalry.families.race.proved_response import (
    Problem,
    _payoff,
    _slope,
    best_inputs,
    bound,
    idle_inputs,
    provable,
)
from rivalry.families.race.schedule_response import STOCK_NODES, _best_from, compiled_response
from rivalry.families.race.static_response import at_performance, best_safety, own_problem, response_details
from scipy.special import expit

import rivalry as rv
from rivalry.core import oracles
from rivalry.runtime.jax import jax, jnp, put
from tests.race_keys import KEYS, race

CASES = json.loads((Path(__file__).parents[1] / "reference" / "race.json").read_text())["cases"]
SYMMETRIC = (0.8707895489271279, 0.5338482588141955)


@eqx.filter_jit
def paid(game: Any, x: Any, player: Any, strategies: Any) -> Any:
    return jax.vmap(lambda own: game.payoffs(x.at[player].set(own))[player])(strategies)


def random_race(rng: np.random.Generator, **more: Any) -> Any:
    """Return a two-player race with random parameters of different orders of magnitude."""
    numbers: dict[str, Any] = {
        "safety_productivity": 10 ** rng.uniform(-1, 2, 2),
        "performance_productivity": 10 ** rng.uniform(-1, 1, 2),
        "safety_exponent": rng.uniform(0.2, 1.0, 2),
        "performance_exponent": rng.uniform(0.2, 1.0, 2),
        "scale_penalty": rng.choice([0.0, 0.5, 1.5], 2),
        "disaster_cost": rng.uniform(0, 5, 2),
        "safety_price": 10 ** rng.uniform(-2, 0, 2),
        "performance_price": 10 ** rng.uniform(-2, 0, 2),
        "loser_prize": rng.uniform(-0.3, 0.3, 2),
        "prize_per_performance": float(rng.choice([0.0, 0.01])),
        "liability": rng.uniform(0, 1, 2),
        "prize_survives": rng.integers(0, 2, 2).astype(bool),
    }
    return race(**(numbers | more))


def spread(rng: np.random.Generator, near: np.ndarray, count: int = 6000) -> Any:
    """Return strategies from zero to very large, and strategies close to ``near``."""
    wide = np.exp(rng.uniform(-50, 9, (count, 2)))
    wide *= rng.random((count, 2)) > 0.05
    usual = np.exp(rng.normal(-1, 2, (count, 2)))
    close = [near * np.exp(rng.normal(0, size, (count, 2))) for size in (1e-1, 1e-3)]
    return put(np.concatenate([np.zeros((1, 2)), wide, usual, *close]))


@pytest.mark.representative
@pytest.mark.parametrize("seed", range(12))
def test_no_inputs_exceed_the_best_response_payoff_or_its_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = random_race(rng)
    x = put(np.exp(rng.normal(0, 1, (2, 2))) * (rng.random((2, 2)) > 0.1))
    response = rv.oracles.proved_response(game, x, 0)
    tried = float(np.max(paid(game, x, put(0), spread(rng, response.strategy))))
    assert tried <= response.bound
    assert response.payoff == pytest.approx(float(game.payoffs(x.at[0].set(response.strategy))[0]), abs=1e-14)
    if response_details(game, x, 0)["attained"]:
        assert tried <= response.payoff + 1e-12 * float(rv.oracles.payoff_scale(game))
        assert response.bound - response.payoff <= 1e-7 * float(rv.oracles.payoff_scale(game))
        assert response.coverage == "bounded"


@pytest.mark.slow
def test_the_symmetric_equilibrium_is_a_proved_best_response_to_itself() -> None:
    game = race()
    x = put(np.tile(SYMMETRIC, (2, 1)))
    np.testing.assert_allclose(rv.best_response(game, x, 1).strategy, SYMMETRIC, rtol=1e-11)
    proved = rv.certificate(game, x)
    assert (proved.claim, proved.coverage) == ("equilibrium", "tight")
    assert np.all(proved.regret <= 1e-14)


@pytest.mark.parametrize("name", ["br_to_readme", "br_idle_rival_unattained", "br_is_idle"])
def test_best_responses_match_reference_values(name: str) -> None:
    case = next(case for case in CASES if case["id"] == name)
    given, expected = case["inputs"]["game"], case["expected"]
    numbers = {KEYS[k]: given[k] for k in ("A", "alpha", "B", "beta", "theta", "d")}
    game = race(safety_price=given["cost"]["r_s"], performance_price=given["cost"]["r_p"], **numbers)
    x = game.inputs(safety_input=case["inputs"]["xs"], performance_input=case["inputs"]["xp"])
    found = response_details(game, x, case["inputs"]["player"])
    assert found["value"] == pytest.approx(expected["value"], rel=1e-9)
    assert found["attained"] is expected["attained"]
    if "best_response" in expected:
        np.testing.assert_allclose(found["strategy"], expected["best_response"], rtol=1e-6, atol=1e-6)


@eqx.filter_jit
def _safest(game: Any, x: Any, log_xp: Any) -> Any:
    own = own_problem(game, x, 0)
    log_p = jnp.log(game.performance_productivity[0]) + game.performance_exponent[0] * log_xp
    return best_safety(own, at_performance(own, log_xp, log_p, jnp.exp(log_p)), 40)


@pytest.mark.parametrize(
    ("risk", "cost", "on"),
    [("multiplicative", "quadratic", "odds"), ("mixed", "relative_certification", "odds")],
)
@pytest.mark.slow
def test_the_best_safety_input_at_a_fixed_performance(risk: str, cost: str, on: str) -> None:
    """No safety input on a fine grid pays more at the same performance, under several rules."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        more = {
            "loser_weight": 0.3,
            "safety_weight": rng.uniform(0.3, 2, 2),
            "fine": 0.3,
            "minimum": 2.0,
            "safety_price_slope": 0.05,
        }
        with_returns = {"safety_exponent": rng.uniform(0.3, 1.4, 2)}
        game = random_race(
            rng, risk=risk, cost=cost, measured_by=on, ease_of_winning=1.0, **more, **with_returns
        )
        x = put(np.exp(rng.normal(0, 1, (2, 2))))
        log_xp = rng.normal(-1, 2)
        payoff, log_xs = _safest(game, x, put(log_xp))
        line = np.append(0.0, np.exp(np.linspace(-40, 9, 4000)))
        near = np.exp(float(log_xs) + np.linspace(-1, 1, 2001)) if np.isfinite(log_xs) else np.zeros(2001)
        tried = np.stack([np.append(line, near), np.full(6002, np.exp(log_xp))], axis=1)
        assert np.asarray(paid(game, x, put(0), put(tried))).max() <= float(payoff) + 1e-10
        at = game.payoffs(x.at[0].set(jnp.array([jnp.exp(log_xs), jnp.exp(log_xp)])))[0]
        assert float(at) == pytest.approx(float(payoff), abs=1e-11)


def demo() -> tuple[Any, Any, dict[str, Any]]:
    """Return two investors and a profile that meets all first-order conditions but is not an equilibrium."""
    case = next(case for case in CASES if case["id"] == "demo_invest_local")
    game = race(
        performance_productivity=1.0,
        ease_of_winning=1.0,
        no_winner="disaster",
        horizon=5,
        gamma=[0.9, 1.0],
        invest=True,
    )
    return game, game.inputs(case["inputs"]["strategies"]), case["expected"]


@pytest.mark.slow
def test_next_stocks_are_the_best_of_the_floors_and_the_nodes_above() -> None:
    rng = np.random.default_rng(5)
    worth = rng.normal(size=(2 * STOCK_NODES, 2 * STOCK_NODES))  # at the states' floors, then at the nodes
    first = rng.integers(0, STOCK_NODES + 1, size=(2, STOCK_NODES))  # nodes above each floor; perhaps none
    found = np.asarray(
        _best_from(_best_from(jnp.asarray(worth), jnp.asarray(first[0])).T, jnp.asarray(first[1])).T
    )
    for state in np.ndindex(STOCK_NODES, STOCK_NODES):
        choices = [
            [k, *range(STOCK_NODES + lowest[k], 2 * STOCK_NODES)]
            for k, lowest in zip(state, first, strict=True)
        ]
        assert found[state] == worth[np.ix_(*choices)].max()


@pytest.mark.nightly
def test_best_responses_of_investors_cycle_with_period_four() -> None:
    """Gains and payoffs over the cycle match independent code to four or five digits."""
    game, x, expected = demo()
    strategy, payoff = compiled_response(game, x, put(0))
    assert float(payoff - game.payoffs(x)[0]) == pytest.approx(expected["regret_at_least"], abs=1e-9)
    x = x.at[0].set(strategy)
    np.testing.assert_allclose(game.payoffs(x), expected["U_after_deviation"], atol=1e-6)
    gains, payoffs = [], []
    for move in range(1, 12):
        player = move % 2
        strategy, payoff = compiled_response(game, x, put(player))
        gains.append(float(payoff - game.payoffs(x)[player]))
        x = x.at[player].set(strategy)
        payoffs.append(np.asarray(game.payoffs(x)))
    np.testing.assert_allclose(gains[-4:], [0.08707, 0.56833, 0.75135, 0.45564], atol=1e-5)
    known = [[-0.7342, 0.9605], [-0.7180, 1.5289], [0.0333, -0.7354], [-0.8212, -0.2798]]
    np.testing.assert_allclose(payoffs[-4:], known, atol=1e-4)


@pytest.mark.slow
def test_the_search_range_covers_efforts_paid_per_performance() -> None:
    """Against an idle rival, ``1000 p - 0.1 xp`` with ``p = 10 sqrt(xp)`` is maximal at ``xp = 2.5e9``."""
    game = race(prize_per_performance=1000.0, scale_penalty=1e-9, safety_productivity=1e9)
    x = game.inputs(safety_input=[1.0, 0.0], performance_input=[1.0, 0.0])
    assert rv.oracles.best_response(game, x, 0)[0][1] == pytest.approx((1000 * 10 * 0.5 / 0.1) ** 2, rel=1e-2)
    assert race().space.high.max() == 1e4


def problem(rng: np.random.Generator, **changes: Any) -> Problem:
    """Return one period of a player with random numbers, for the proof of bounds."""
    u = rng.uniform
    paid = {"lose": (u(-1, 0), u(-0.1, 0.1)), "win": (u(-0.5, 0.5), u(0, 0.05))}
    paid |= {"safe_win": (u(0.5, 3), u(0, 0.1)), "safe_loss": (u(-0.2, 1), 0.0)}
    technology = {"power": u(0.5, 1), "alpha": u(0.2, 1), "beta": u(0.5, 0.9), "theta": u(0.1, 1.5)}
    technology |= {"log_a": u(-1, 3), "log_b": u(-1, 2), "low": -57.0, "high": 6.0}
    contest = {"m": u(0.5, 1.5), "rivals": u(-2, 2), "difference": False}
    prices = {"price_s": 10 ** u(-2, 0), "price_p": 10 ** u(-2, 0)}
    return Problem(**(paid | technology | contest | prices | changes))  # type: ignore[arg-type]


def written_out(p: Problem, log_xs: Any, log_xp: Any) -> Any:
    """Return the payoff of inputs by the formula ``(1-q) b + q a + (q R + (1-q) L) sigma^g - cost``.

    Minus infinity where safety is below the least that is allowed.
    """
    log_p = p.log_b + p.beta * log_xp
    b, a, r, loss = (c0 + c1 * np.exp(log_p) for c0, c1 in p.pairs)
    q = expit(p.m * (np.exp(log_p) if p.difference else log_p) - p.rivals)
    z = p.log_a + p.alpha * log_xs - p.theta * log_p
    cost = p.price_s * np.exp(log_xs) + p.slope_s * np.exp(2 * log_xs) / 2
    cost = cost + p.price_p * np.exp(log_xp) + p.slope_p * np.exp(2 * log_xp) / 2
    paid = (1 - q) * b + q * a + (q * r + (1 - q) * loss) * expit(z) ** p.power - cost
    short = (z < p.least_odds) | ((log_xs < p.least_xs) & (p.price_s > 0))
    return np.where(short, -np.inf, paid)


CHANGES: list[dict[str, Any]] = [
    {},
    {"difference": True},
    {"alpha": 1.0, "power": 1.0},
    {"theta": 0.0, "safe_loss": (0.0, 0.0)},
    {"rivals": -np.inf},
    {"log_a": -np.inf},
    {"alpha": 1.2, "power": 2.0},
    {"slope_s": 0.1, "slope_p": 0.2},
    {"slope_s": 0.1, "alpha": 1.2, "power": 2.0},
    {"slope_s": 0.1, "price_s": -0.4, "least_xs": float(np.log(4.0)), "safe_loss": (0.3, 0.0)},
    {"slope_s": 0.1, "price_s": 0.0},
    {"least_odds": 2.0},
    {"least_odds": 2.0, "safe_win": (-0.5, 0.0), "difference": True},
    {"least_xs": 0.5},
    {"least_xs": 0.5, "alpha": 1.2, "power": 2.0},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda given: "-".join(given) or "default")
def test_no_inputs_on_a_fine_grid_exceed_the_proved_bound(changes: dict[str, Any]) -> None:
    """The bound is at most 1e-6 above the payoff of inputs that the formula confirms."""
    rng = np.random.default_rng(len(str(changes)))
    log_xs, log_xp = np.meshgrid(np.append(-np.inf, np.linspace(-30, 6, 150)), np.linspace(-25, 6, 150))
    for _ in range(3):
        one = problem(rng, **changes)
        tried = float(written_out(one, log_xs, log_xp).max())
        if one.least_odds > -np.inf:  # between points of the grid, just safe enough
            log_p = one.log_b + one.beta * log_xp
            edge = (one.least_odds + one.theta * log_p - one.log_a) / one.alpha + 1e-12
            tried = max(tried, float(written_out(one, edge, log_xp).max()))
        q = expit(-one.rivals) if one.difference else 0.0
        base, gain = ((1 - q) * lost[0] + q * won[0] for lost, won in (one.pairs[:2], one.pairs[:1:-1]))
        idle, _ = idle_inputs(one, base, gain)  # without performance the technology is safe
        above, near = bound(one, idle, 1.0)
        own_xs, own_xp, payoff = best_inputs(one, idle, near)
        assert max(tried, idle) <= above
        assert tried <= payoff + 1e-9
        if np.isfinite(own_xp):
            assert payoff == pytest.approx(float(written_out(one, own_xs, own_xp)), abs=1e-9)
        if np.isfinite(one.rivals):  # else any performance wins, and the supremum is not attained
            assert above - payoff <= 1e-6


@pytest.mark.parametrize("changes", CHANGES, ids=lambda given: "-".join(given) or "default")
def test_slopes_of_intervals_enclose_the_mean_slope_between_their_ends(changes: dict[str, Any]) -> None:
    """With increasing returns also where the best safety jumps."""
    rng, edges = np.random.default_rng(7), np.linspace(-12, 5, 600)
    boxes = np.stack([edges[:-1], edges[1:]], axis=1)
    for _ in range(10):
        one = problem(rng, **changes)
        with np.errstate(all="ignore"):
            mean, slope = np.diff(_payoff(one, edges)) / np.diff(edges), _slope(one, boxes)
        size = 1e-9 * (1 + np.abs(mean))
        assert np.all(mean <= slope.high + size)
        assert np.all(mean >= slope.low - size)


@pytest.mark.parametrize("theta", [0.0, 0.7])
def test_inputs_without_performance_are_the_best_of_a_grid(theta: float) -> None:
    """Without performance a technology is safe, or as safe as its effort where performance spoils nothing."""
    line = np.concatenate([[-np.inf, 0.3], np.linspace(-20, 6, 20001)])
    for changes in ({}, {"least_xs": 0.3}, {"slope_s": 0.2, "price_s": -0.4, "least_xs": float(np.log(2.0))}):
        one = problem(np.random.default_rng(3), theta=theta, **changes)
        safe = expit(one.log_a + one.alpha * line) ** one.power if theta == 0 else 1.0
        cost = one.price_s * np.exp(line) + one.slope_s * np.exp(2 * line) / 2
        paid = 0.2 + 0.7 * safe - cost
        paid = np.where((line < one.least_xs) & (one.price_s > 0), -np.inf, paid)
        payoff, log_xs = idle_inputs(one, 0.2, 0.7)
        assert payoff == pytest.approx(paid.max(), abs=1e-5)
        assert payoff >= paid.max() - 1e-12
        assert abs(np.exp(log_xs) - np.exp(line[paid.argmax()])) < 0.01


@pytest.mark.slow
def test_a_fine_is_paid_where_safety_costs_more() -> None:
    """Where safety brings nothing, the minimum costs ``price (minimum / A)^(1/alpha)``, here 0.1 * 4."""
    for fine, met in ((0.39, False), (0.41, True)):
        game = race(
            cost="penalty",
            price=0.1,
            minimum=20.0,
            fine=fine,
            measured_by="effort",
            disaster_cost=0.0,
            prize_survives=True,
        )
        x = game.inputs(safety_input=[0.0, 0.0], performance_input=[1.0, 1.0])
        found = rv.oracles.proved_response(game, x, 0)
        assert found.strategy[0] == pytest.approx(4.0 if met else 0.0, rel=1e-9)
        assert found.bound - found.payoff <= 1e-10
        # without safety the contest alone: q (1 - q) / 2 = 0.1 xp, with xp = 1.25 if both are equal
        equal = game.inputs(safety_input=[4.0 * (1 + 1e-12) * met] * 2, performance_input=[1.25, 1.25])
        proved = rv.certificate(game, equal)
        assert (proved.claim, proved.coverage) == ("equilibrium", "tight")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"cost": "penalty", "fine": 0.4, "minimum": 5.0, "end_on": "win", "ease_of_winning": 1.0},
            "periods",
        ),
        ({"cost": "certification", "minimum": 5.0, "end_on": "win", "ease_of_winning": 1.0}, "infinite"),
        ({"cost": "quadratic", "safety_price_slope": 0.1, "end_on": "none"}, "periods"),
    ],
)
def test_bounds_over_periods_hold_with_thresholds_and_prices(changes: dict[str, Any], text: str) -> None:
    horizon: Any = {"periods": 2, "infinite": "inf"}[text]
    game = race(horizon=horizon, gamma=0.9, **changes)
    rng = np.random.default_rng(1)
    x = put(np.exp(rng.normal(-1, 1, game.space.high.shape)))
    found = rv.oracles.proved_response(game, x, 0)
    size = found.strategy.size
    close = [found.strategy * np.exp(rng.normal(0, width, (4000, size))) for width in (1.0, 0.1, 1e-3)]
    wide = np.exp(rng.normal(-1, 3, (8000, size))) * (rng.random((8000, size)) > 0.1)
    top = float(np.max(np.asarray(paid(game, x, put(0), put(np.concatenate([*close, wide]))))))
    assert top <= found.bound
    assert top <= found.payoff + 1e-9
    assert found.bound - found.payoff <= 1e-6


@pytest.mark.slow
def test_subsidies_above_the_price_are_used_up_to_where_safety_costs_what_it_brings() -> None:
    game = race(
        cost="quadratic", safety_price=0.1, safety_subsidy=0.3, safety_price_slope=0.05, disaster_cost=3.0
    )
    x = game.inputs(safety_input=[1.0, 1.0], performance_input=[1.0, 1.0])
    strategy, payoff, _ = oracles.best_response(game, x, 0)
    line = np.stack(np.meshgrid(np.linspace(3.5, 7, 300), np.linspace(0.01, 3, 300)), axis=-1).reshape(-1, 2)
    best = np.asarray(paid(game, x, put(0), put(line)))
    assert best.max() <= float(payoff) + 1e-12
    np.testing.assert_allclose(strategy, line[best.argmax()], atol=0.02)
    assert strategy[0] > 4.05  # the price turns positive at 4


def test_without_productivity_idling_is_the_best_response() -> None:
    one = problem(np.random.default_rng(0), log_b=-np.inf, lose=(0.4, 0.0), safe_loss=(0.0, 0.0))
    assert bound(one, 0.4, 1.0) == (pytest.approx(0.4), -np.inf)
    assert best_inputs(one, 0.4, -np.inf) == (-np.inf, -np.inf, 0.4)


@pytest.mark.parametrize(
    ("changes", "proved"),
    [
        ({}, True),
        ({"price_s": 0.0}, False),
        ({"price_s": 0.0, "safe_win": (0.0, 0.0), "safe_loss": (0.0, 0.0)}, True),
        ({"price_s": -0.1, "safe_win": (0.0, 0.0), "safe_loss": (0.0, 0.0)}, False),  # a subsidy without end
        ({"price_s": -0.1, "slope_s": 0.1, "safe_loss": (0.0, 0.0)}, True),
        ({"price_s": -0.1, "slope_s": 0.1, "safe_loss": (-0.1, 0.0)}, False),
        ({"price_s": -0.1, "slope_s": 0.1, "safe_loss": (0.0, 0.0), "alpha": 1.5, "power": 0.8}, False),
        ({"alpha": 1.5, "power": 0.8}, True),
        ({"price_p": -0.1}, False),
    ],
)
def test_bounds_need_a_best_safety_that_is_known(changes: dict[str, Any], proved: bool) -> None:
    assert provable(problem(np.random.default_rng(1), **changes)) == proved


@pytest.mark.slow
@pytest.mark.parametrize("times", [3.0, 8.0])
def test_best_responses_just_above_the_amounts_that_count_as_zero(times: float) -> None:
    """A price of performance at which the best amount is a few times the smallest; grid in logarithms."""
    least = 1e-25
    game = rv.games.race(
        performance_exponent=0.5,
        performance_productivity=1.0,
        disaster_cost=0.0,
        contest={"ease_of_winning": 1.0},
        cost={"performance_price": 0.5 / np.sqrt(times * least)},
    )
    np.testing.assert_array_equal(game.space.zero_threshold, least)
    idle = jnp.zeros((2, 2))
    _, payoff, _ = oracles.best_response(game, idle, 0)
    safety, performance = np.meshgrid(np.geomspace(1e-14, 1e-11, 200), np.geomspace(least, 40 * least, 200))
    tried = jnp.asarray(np.stack([safety.ravel(), performance.ravel()], axis=1))
    best = float(jnp.max(jax.vmap(lambda own: game.payoffs(idle.at[0].set(own))[0])(tried)))
    assert best > 1e-13
    assert float(payoff) >= best
