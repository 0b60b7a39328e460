"""Slopes of safety at the symmetric equilibrium: differences, signs, implicit differentiation."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logit

from rivalry.families.race.symmetric import PARAMETERS, safety_slope, symmetric_equilibria
from rivalry.methods.continuation.comparative_statics import slopes
from rivalry.methods.continuation.parameters import entries_of
from tests.race_keys import race

KEYS = {"price": ("safety_price", "performance_price")}


def random_parameters(k: int) -> dict[str, Any]:
    u = np.random.default_rng(k).uniform
    return {
        "players": 2 + k % 3,
        "safety_productivity": 10 ** u(-1, 2),
        "performance_productivity": 10 ** u(-1, 2),
        "safety_exponent": u(0.2, 0.9),
        "performance_exponent": u(0.2, 0.9),
        "scale_penalty": u(0.1, 1.5),
        "disaster_cost": u(0.1, 3),
        "safety_price": u(0.02, 0.5),
        "performance_price": u(0.02, 0.5),
        "prize": u(0.6, 2),
        "loser_prize": u(-0.4, 0.4),
        "decisiveness": u(0.5, 1.5),
    }


def by_table(keys: dict[str, Any], wrt: str, sigma: float, xp: float) -> float:
    """Return ``-f_k / f_sigma``, with f the equation of the log odds after both inputs are substituted."""
    alpha, beta, theta = keys["safety_exponent"], keys["performance_exponent"], keys["scale_penalty"]
    n, m, spread = keys["players"], keys["decisiveness"], keys["prize"] - keys["loser_prize"]
    r_s, r_p, stake = keys["safety_price"], keys["performance_price"], keys["prize"] + keys["disaster_cost"]
    h = m * spread * (n - 1) / n - theta * (1 - sigma) * stake
    f_sigma = (1 - alpha * (1 - 2 * sigma)) / (sigma * (1 - sigma))
    f_sigma += theta * beta * (1 / sigma + theta * stake / h)
    f_k = {
        "safety_productivity": -1 / keys["safety_productivity"],
        "performance_productivity": theta / keys["performance_productivity"],
        "safety_price": alpha / r_s,
        "performance_price": -theta * beta / r_p,
        "price": alpha / r_s - theta * beta / r_p,
        "disaster_cost": -alpha / stake - theta**2 * beta * (1 - sigma) / h,
        "decisiveness": theta * beta * (n - 1) * spread / (n * h),
        "players": alpha / n + theta * beta * (m * spread / (n**2 * h) - 1 / n),
        "scale_penalty": np.log(keys["performance_productivity"] * xp**beta)
        - theta * beta * (1 - sigma) * stake / h,
    }
    return float(-f_k[wrt] / f_sigma)


TABLE = (
    *("safety_productivity", "performance_productivity", "safety_price", "performance_price", "price"),
    *("disaster_cost", "decisiveness", "players", "scale_penalty"),
)


@pytest.mark.parametrize(("k", "wrt"), list(enumerate(TABLE)))
def test_slopes_match_the_derivatives_of_the_substituted_equation(k: int, wrt: str) -> None:
    keys = random_parameters(3 * k)  # of two players
    (point,) = symmetric_equilibria(race(**keys))
    slope = safety_slope(race(**keys), wrt)
    expected = by_table(keys, wrt, point.technology_safety, point.performance_input)
    assert slope.safety == point.technology_safety
    assert slope.derivative == pytest.approx(expected, rel=1e-9)


def test_slopes_are_exact_where_hardly_any_performance_is_bought() -> None:
    """At a performance input of 6e-5, h is the small difference of two numbers."""
    keys = {"safety_productivity": 0.1, "scale_penalty": 1.0, "disaster_cost": 0.0}
    whole = {**random_parameters(0), "players": 2, "safety_exponent": 0.5, "performance_exponent": 0.5}
    whole |= {"performance_productivity": 10.0, "safety_price": 0.1, "performance_price": 0.1, "prize": 1.0}
    whole |= {"loser_prize": 0.0, "decisiveness": 1.0, **keys}
    (point,) = symmetric_equilibria(race(**keys))
    expected = by_table(whole, "safety_price", point.technology_safety, point.performance_input)
    assert safety_slope(race(**keys), "safety_price").derivative == pytest.approx(expected, rel=1e-6)


def safety(keys: dict[str, Any]) -> float:
    return symmetric_equilibria(race(**keys))[0].technology_safety


@pytest.mark.parametrize("wrt", [name for name in PARAMETERS if name != "players"])
def test_slopes_match_finite_differences_of_the_equilibrium(wrt: str) -> None:
    for k in range(2):
        keys, changed = random_parameters(k), KEYS.get(wrt, (wrt,))
        step = 1e-5 * max(abs(keys[changed[0]]), 0.1)
        up, down = ({**keys, **{name: keys[name] + side * step for name in changed}} for side in (1, -1))
        difference = (safety(up) - safety(down)) / (2 * step)
        assert safety_slope(race(**keys), wrt).derivative == pytest.approx(difference, rel=1e-5, abs=1e-8)


def by_hand(keys: dict[str, Any], n: float) -> float:
    """Return the root in sigma for a real number ``n`` of players, if it is well above its lower limit."""
    k = dict(keys)
    prize, stake = (
        k["decisiveness"] * (k["prize"] - k["loser_prize"]) * (n - 1) / n,
        k["prize"] + k["disaster_cost"],
    )

    def left(sigma: float) -> float:
        xs = k["safety_exponent"] * sigma * (1 - sigma) * stake / (n * k["safety_price"])
        xp = (
            k["performance_exponent"]
            * sigma
            * (prize - k["scale_penalty"] * (1 - sigma) * stake)
            / (n * k["performance_price"])
        )
        log_s = np.log(k["safety_productivity"]) + k["safety_exponent"] * np.log(xs)
        return float(
            logit(sigma)
            - log_s
            + k["scale_penalty"]
            * (np.log(k["performance_productivity"]) + k["performance_exponent"] * np.log(xp))
        )

    edge = max(1 - prize / (k["scale_penalty"] * stake), 0.0)
    return float(brentq(left, edge + 1e-12, 1 - 1e-12, xtol=1e-15))


def test_the_slope_in_the_number_of_players_matches_differences() -> None:
    """The equilibrium equations also hold for fractional numbers of players."""
    for k in range(4):
        game = race(**random_parameters(k))
        n = game.players
        difference = (
            by_hand(random_parameters(k), n + 1e-4) - by_hand(random_parameters(k), n - 1e-4)
        ) / 2e-4
        assert by_hand(random_parameters(k), n) == pytest.approx(
            safety_slope(game, "players").safety, abs=1e-9
        )
        assert safety_slope(game, "players").derivative == pytest.approx(difference, rel=1e-4, abs=1e-7)


@pytest.mark.slow
def test_implicit_differentiation_matches_the_closed_form_slope() -> None:
    """The general method uses neither symmetry nor the closed form."""
    game = race()
    (point,) = symmetric_equilibria(game)
    profile = np.tile([point.safety_input, point.performance_input], (2, 1))
    prices = entries_of(game, ["safety_price", "performance_price"], "wrt")
    xs, xp = slopes(game, prices.derivative(game), profile).slope[0]
    odds = 0.5 * xs / point.safety_input - 0.5 * 0.5 * xp / point.performance_input
    assert safety_slope(game, "price").derivative == pytest.approx(
        point.technology_safety * (1 - point.technology_safety) * odds, rel=1e-8
    )


@pytest.mark.slow
def test_signs_of_slopes_match_the_proved_table() -> None:
    """Signs proved for all parameter values, and signs that depend on them."""
    for k in range(6):
        keys = random_parameters(k)
        game = race(**keys)
        found = {name: safety_slope(game, name) for name in PARAMETERS}
        fixed = {
            "safety_productivity": 1,
            "performance_productivity": -1,
            "safety_price": -1,
            "performance_price": 1,
            "disaster_cost": 1,
            "decisiveness": -1,
        }
        assert {name: found[name].sign for name in fixed} == fixed
        spoils = keys["scale_penalty"] * keys["performance_exponent"]
        if spoils <= keys["safety_exponent"]:
            assert found["players"].sign == -1
        equal = race(**{**keys, "safety_price": 0.1, "performance_price": 0.1})
        assert safety_slope(equal, "price").sign == np.sign(spoils - keys["safety_exponent"])
    assert safety_slope(race(scale_penalty=0.0), "performance_productivity").sign == 0


def test_safety_may_be_independent_of_input_prices() -> None:
    """With theta beta = alpha exactly, safety does not depend on a common input price."""
    found = [
        safety({"scale_penalty": 1.0, "safety_price": r, "performance_price": r}) for r in (0.02, 0.05, 0.1)
    ]
    np.testing.assert_allclose(found, 0.7703947652051846, rtol=1e-12)


@pytest.mark.parametrize(("keys", "said"), [
    ({"ease_of_winning": 1.0}, "ease_of_winning: 1.0 must be left out"),
    ({"risk": "additive"}, "risk: additive must be winner_only"),
    ({"safety_exponent": 1.0}, "safety_exponent: 1 must be below 1"),
    ({"loser_prize": 2.0}, "prize: 1 must be above loser_prize, 2"),
    ({"liability": 1.0}, "prize_survives, liability: must be absent"),
    ({"safety_productivity": [1.0, 2.0]}, "safety_productivity: \\[1.0, 2.0\\] differ"),
])  # fmt: skip
def test_other_variants_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        safety_slope(race(**keys), "safety_productivity")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="wrt: 'gamma' is unknown"):
        safety_slope(race(), "gamma")
