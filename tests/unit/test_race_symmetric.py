"""Symmetric equilibria of races, against payoff derivatives, SciPy, and root counts along another curve."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit

from rivalry.core.game import own_gradients
from rivalry.families.race.symmetric import Point, symmetric_equilibria
from rivalry.runtime.jax import jax, jnp
from tests.race_keys import race

RISKS = ("winner_only", "multiplicative", "additive")
EACH = 105  # draws of parameters for every variant


def random_parameters(risk: str, kappa: bool, players: int) -> list[dict[str, Any]]:
    """Random parameters; ``alpha`` up to 0.95, so that multiplicative risk has folds."""
    generator = np.random.default_rng(len(risk) + 10 * kappa)

    def one() -> dict[str, Any]:
        u = generator.uniform
        found = {
            "safety_productivity": 10 ** u(-1.5, 2),
            "performance_productivity": 10 ** u(-1.5, 2),
            "safety_exponent": u(0.1, 0.95),
            "performance_exponent": u(0.1, 0.95),
            "scale_penalty": u(0, 1.5),
            "disaster_cost": u(0, 4),
            "safety_price": 10 ** u(-2, 0),
            "performance_price": 10 ** u(-2, 0),
            "prize": u(0.5, 2),
            "loser_prize": u(-0.5, 0.4),
            "decisiveness": u(0.4, 1.5),
        }
        return found | ({"ease_of_winning": 10 ** u(-1, 1)} if kappa else {})

    return [{**one(), "risk": risk, "players": players} for _ in range(EACH)]


@eqx.filter_jit
def evaluate(games: Any, x: Any) -> Any:
    """For stacked games and profiles: log derivatives, payoffs, player 0's payoff at zero inputs."""

    def one(game: Any, x: Any) -> Any:
        return own_gradients(game, x) * x, game.payoffs(x), game.payoffs(x.at[0].set(0.0))[0]

    return jax.vmap(one)(games, x)


def agrees(games: list[Any], points: list[Point]) -> None:
    """Check first-order conditions to 1e-8, payoffs and payoffs at zero inputs to 1e-12."""
    x = jnp.asarray(
        [
            np.tile([p.safety_input, p.performance_input], (game.players, 1))
            for game, p in zip(games, points, strict=True)
        ]
    )
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *games)
    slopes, paid, idle = evaluate(stacked, x)
    assert np.abs(slopes).max() < 1e-8
    np.testing.assert_allclose(paid, np.tile([[p.payoff] for p in points], games[0].players), atol=1e-12)
    np.testing.assert_allclose(idle, [p.idle_payoff for p in points], atol=1e-12)


@pytest.mark.parametrize(
    ("risk", "kappa", "players"),
    [("winner_only", False, 2), ("multiplicative", True, 2), ("additive", False, 3)],
)
@pytest.mark.nightly
def test_every_root_satisfies_the_first_order_conditions(risk: str, kappa: bool, players: int) -> None:
    games = [race(**row) for row in random_parameters(risk, kappa, players)]
    found = [(game, point) for game in games for point in symmetric_equilibria(game)]
    if risk == "winner_only":
        assert len(found) == EACH  # exactly one each, as proved
    assert len(found) > EACH // 3
    agrees(*map(list, zip(*found, strict=True)))  # type: ignore[arg-type]


def payoff(row: dict[str, Any], own: tuple[complex, complex], rival: tuple[float, float]) -> complex:
    """Player 0's payoff against n-1 equal rivals, written independently and for complex steps."""
    others = row["players"] - 1
    (s, p), (t, r) = (
        (
            row["safety_productivity"] * np.exp(row["safety_exponent"] * a),
            row["performance_productivity"] * np.exp(row["performance_exponent"] * b),
        )
        for a, b in (own, rival)
    )
    safe, safe_rival = s / (s + p ** row["scale_penalty"]), t / (t + r ** row["scale_penalty"])
    total = (
        p ** row["decisiveness"]
        + others * r ** row["decisiveness"]
        + (1 / row["ease_of_winning"] if "ease_of_winning" in row else 0.0)
    )
    q, q_rival = p ** row["decisiveness"] / total, r ** row["decisiveness"] / total
    if row["risk"] == "multiplicative":
        safe = safe_rival = safe * safe_rival**others
    elif row["risk"] == "additive":
        safe = safe_rival = (safe + others * safe_rival) / (others + 1)
    won = q * (safe * row["prize"] - (1 - safe) * row["disaster_cost"])
    lost = others * q_rival * (safe_rival * row["loser_prize"] - (1 - safe_rival) * row["disaster_cost"])
    nobody = (1 - q - others * q_rival) * (
        -row["disaster_cost"] if row.get("no_winner") == "disaster" else 0.0
    )
    return (
        won + lost + nobody - row["safety_price"] * np.exp(own[0]) - row["performance_price"] * np.exp(own[1])
    )  # type: ignore[no-any-return]


@pytest.mark.slow
def test_scipy_finds_the_same_points() -> None:
    """Started 0.3 away in logarithms, SciPy with complex-step derivatives ends at one of our roots."""
    rows = [row for risk in RISKS for kappa in (False, True) for row in random_parameters(risk, kappa, 3)[:8]]
    rows += [row | {"no_winner": "disaster"} for row in random_parameters("winner_only", True, 3)[:8]]

    def first_order(y: np.ndarray, row: dict[str, Any]) -> list[float]:
        step, here = 1e-30j, (float(np.clip(y[0], -30, 10)), float(np.clip(y[1], -30, 10)))
        own = [(here[0] + step, here[1]), (here[0], here[1] + step)]
        return [payoff(row, each, here).imag / 1e-30 for each in own]  # type: ignore[arg-type]

    met = 0
    for row in rows:
        points = np.array(
            [[p.safety_input, p.performance_input] for p in symmetric_equilibria(race(**row))]
        ).reshape(-1, 2)
        for point in points[points.min(axis=1) > 1e-8]:
            other = root(first_order, np.log(point) + 0.3, args=(row,), tol=1e-13, method="lm")
            if np.abs(other.fun).max() < 1e-12 and other.x.min() > -25:
                assert np.min(np.abs(np.log(points) - other.x).max(axis=1)) < 1e-6
                met += 1
    assert met > 30


@pytest.mark.slow
def test_all_roots_are_found_for_multiplicative_risk() -> None:
    """Without ``kappa`` the log odds give ``ln xp``; the equation in it changes sign once per root."""
    several = 0
    z = np.linspace(-40, 40, 400_001)
    for row in random_parameters("multiplicative", False, 3)[:20]:
        n, sigma = 3, expit(z)
        stake = row["prize"] + 2 * row["loser_prize"] + 3 * row["disaster_cost"]
        gain = sigma**3 * expit(-z) * stake / n
        log_s = np.log(row["safety_productivity"]) + row["safety_exponent"] * np.log(
            row["safety_exponent"] * gain / row["safety_price"]
        )
        log_xp = ((log_s - z) / row["scale_penalty"] - np.log(row["performance_productivity"])) / row[
            "performance_exponent"
        ]
        prize = row["decisiveness"] * (n - 1) / n**2 * sigma**3 * (row["prize"] - row["loser_prize"])
        costs = np.exp(np.minimum(log_xp, 50.0)) * row["performance_price"] / row["performance_exponent"]
        left = costs + row["scale_penalty"] * gain - prize
        count = np.count_nonzero(np.diff(np.sign(left)))
        assert len(symmetric_equilibria(race(**row))) == count, row
        several += count > 1
    assert several > 0


def test_roots_with_tiny_performance_are_found() -> None:
    """The performance input at the root is 6e-5."""
    (point,) = symmetric_equilibria(race(safety_productivity=0.1, scale_penalty=1.0, disaster_cost=0.0))
    assert point.performance_input == pytest.approx(6.247501686088817e-05, rel=1e-12)
    (tiny,) = symmetric_equilibria(race(safety_productivity=1e-6, scale_penalty=2.0, disaster_cost=0.0))
    assert 0 < tiny.performance_input < 1e-8


@pytest.mark.slow
def test_is_nash_matches_the_condition_against_zero_inputs() -> None:
    """Condition for loser_prize = 0: ``(alpha - theta beta)(1-sigma)(W+d)/W + beta m (n-1)/n <= 1``."""
    verdicts = set()
    for row in random_parameters("winner_only", False, 2)[:40]:
        row |= {
            "loser_prize": 0.0,
            "safety_exponent": min(0.95, row["safety_exponent"] * 2),
            "performance_exponent": min(0.95, row["performance_exponent"] * 2),
        }
        (p,) = symmetric_equilibria(race(**row))
        left = (
            (row["safety_exponent"] - row["scale_penalty"] * row["performance_exponent"])
            * (1 - p.technology_safety)
            * (1 + row["disaster_cost"] / row["prize"])
        )
        assert p.is_nash == (left + row["performance_exponent"] * row["decisiveness"] / 2 <= 1)
        verdicts.add(p.is_nash)
    assert verdicts == {True, False}


@pytest.mark.slow
def test_roots_with_all_optional_reward_terms() -> None:
    """Surviving prizes, liability, taxes, mixed risk, disaster matrix, loser weight, continuation values."""
    game = race(
        players=3,
        prize_survives=True,
        liability=0.3,
        performance_tax=0.02,
        safety_subsidy=0.03,
        risk="mixed",
        loser_weight=0.25,
        ease_of_winning=0.5,
        disaster_cost=[[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]],
        no_winner=0.2,
        loser_prize=0.1,
        end_on="win",
    )
    game = game.stage(0, jnp.full(3, 0.4))
    points = symmetric_equilibria(game)
    assert points
    agrees([game] * len(points), points)


def test_no_equilibrium_without_productivity_or_stakes() -> None:
    assert symmetric_equilibria(race(safety_productivity=0.0)) == []
    assert symmetric_equilibria(race(disaster_cost=0.0, prize=0.0, loser_prize=0.0)) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"horizon": 2}, "horizon: 2 must be 1"),
        ({"horizon": "inf", "gamma": 0.5, "ease_of_winning": 1.0}, "horizon: inf must be 1"),
        ({"contest": "best"}, "contest: best has no closed form; known: ratio"),
        ({"contest": "logit"}, "contest: logit has no closed form; known: ratio"),
        ({"cost": {"kind": "penalty", "fine": 1.0}}, "cost: penalty has no closed form; known: linear"),
        ({"cost": {"kind": "quadratic", "safety_price_slope": 0.1}}, "cost: quadratic has no closed form"),
        ({"invest": True}, "invest: must be false"),
        ({"gamma": [0.5, 1.0], "discount_offset": 1}, "gamma or period_weights: .* differ"),
        ({"scale_penalty": [0.5, 0.7], "safety_price": [0.1, 0.2]}, r"scale_penalty: \[0.5, 0.7\] differ"),
        ({"safety_productivity": [9, 5], "scale_penalty": [0.5, 0.7]}, r"safety_productivity: \[9.0, 5.0\]"),
        ({"disaster_cost": [1.0, 2.0]}, r"disaster_cost: \[1.0, 2.0\] differ"),
        ({"disaster_cost": [[1.0, 2.0], [3.0, 1.0]]}, "disaster_cost: .* differ"),
        ({"prize_per_performance": 0.1}, "prize_per_performance: 0.1 must be 0"),
        ({"safety_subsidy": 0.1}, "safety_price: 0, taxes and subsidies included, must be above 0"),
        ({"safety_price": 0.1, "safety_subsidy": 0.2}, "safety_price: -0.1, taxes and subsidies included"),
    ],
    ids=str,
)
def test_races_without_a_closed_form_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        symmetric_equilibria(race(**given))


def test_a_period_whose_disasters_end_play_is_refused_where_more_follows() -> None:
    """The value of going on would depend on the players' own safety."""
    period = race(horizon=2, end_on="disaster").stage(0, jnp.ones(2))
    with pytest.raises(ValueError, match=r"^end_on: disaster must be none or win where play goes on"):
        symmetric_equilibria(period)
    assert symmetric_equilibria(race(horizon=2, end_on="disaster").stage(1, jnp.zeros(2)))


def test_points_contain_plain_numbers() -> None:
    assert all(type(value) in (float, bool) for value in symmetric_equilibria(race())[0])
    assert Point._fields[:2] == ("safety_input", "performance_input")


def test_a_matrix_of_equal_costs_matches_costs_by_victim() -> None:
    """The own cost after an own win and after another's win may differ."""
    (plain,) = symmetric_equilibria(race(disaster_cost=2.0))
    (matrix,) = symmetric_equilibria(race(disaster_cost=[[2.0, 2.0], [2.0, 2.0]]))
    (liable,) = symmetric_equilibria(race(disaster_cost=1.0, liability=1.0))
    (own,) = symmetric_equilibria(race(disaster_cost=[[2.0, 1.0], [1.0, 2.0]]))
    assert matrix == plain
    np.testing.assert_allclose(liable, own, rtol=1e-12)
    assert own.p_safe != plain.p_safe
