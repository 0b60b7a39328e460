"""Random games in other units: words of solutions, certificates and lists stay, gains are in the new units.

Keys of a market or a race are rewritten by hand: prices in cents, quantities in hundreds, payoffs in
millions, inputs in other units; formulas and quadratic payoffs by a factor in front of every amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp
from tests.race_keys import race as race_of
from tests.random_races import random_keys

# a method that ends early warns; its status is compared
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SHARES = (0.0, 1e-5, 1e-3, 0.03, 0.3)  # of the choices at the solution: distances of certified profiles
PRICES = ("unit_cost", "intercept", "quality", "outside_option", "taste_spread")
SLOPES = ("slope", "substitution", "convex_cost", "adjustment_cost")
PAID = (  # keys of a race in units of payoff, the input by whose unit they are divided, and its power
    *(
        (key, "", 0)
        for key in ("prize", "prize_per_performance", "loser_prize", "disaster_cost", "liability")
    ),
    *((key, "", 0) for key in ("liability", "price", "certified_price", "fine", "no_winner")),
    *(("safety_price", "safety", 1), ("safety_subsidy", "safety", 1), ("safety_price_slope", "safety", 2)),
    *(("performance_price", "performance", 1), ("performance_tax", "performance", 1)),
    ("performance_price_slope", "performance", 2),
)
Rewritten = tuple[Any, Any, Any]  # game, units of payoffs, units of choices


class Quadratic(eqx.Module):
    """Payoffs ``factor (y (b + m y - h y / 2) + d y) + constant`` of the amounts ``y = x / unit``."""

    h: Any
    b: Any
    m: Any
    d: Any
    low: Any
    high: Any
    factor: Any
    constant: Any
    unit: Any

    @property
    def space(self) -> Box:
        return Box((self.low * self.unit)[:, None], (self.high * self.unit)[:, None])

    def payoffs(self, x: Any) -> Any:
        y = x[:, 0] / self.unit
        return self.factor * (y * (self.b + self.m @ y - self.h * y / 2) + self.d @ y) + self.constant


def quadratic(rng: np.random.Generator) -> Iterator[Rewritten]:
    players = int(rng.integers(2, 4))
    h = 10 ** rng.uniform(-1, 1, players) * np.where(rng.random(players) < 0.1, -0.3, 1.0)
    m, d = rng.normal(size=(2, players, players)) * [[[rng.choice([0.1, 0.5, 1.5])]], [[1.0]]]
    np.fill_diagonal(m, 0.0)
    np.fill_diagonal(d, 0.0)
    low = rng.choice([0.0, -1.0], players)
    fixed = h, rng.uniform(-1, 3, players), m, d, low, low + 10 ** rng.uniform(0, 1.5, players)

    def powers(digits: float, size: int | None = None) -> np.ndarray:
        return np.ones(players) * 10 ** rng.uniform(-digits, digits, size)

    ones, zero = np.ones(players), np.zeros(players)
    for factor, constant, unit in (
        (ones, zero, ones),
        (powers(8), zero, ones),
        (powers(6, players), zero, ones),
        (ones, powers(3, players), ones),
        (ones, zero, powers(6)),
        (ones, zero, powers(4, players)),
        (powers(3, players), rng.uniform(-5, 5, players), powers(3, players)),
    ):
        yield Quadratic(*map(jnp.asarray, (*fixed, factor, constant, unit))), factor, unit[:, None]


def formulas(rng: np.random.Generator) -> Iterator[Rewritten]:
    pay = ("{q}*(a - {q} - t*{r})", "a*log(1 + w*{q} + t*w*{r}/2 + 10*w)", "a*{q}/(0.1 + {q} + w*{r})")
    of_kind = str(rng.choice(pay))
    pays = [
        f"f*({of_kind.format(q=q, r=r)} - c*{q}) + k" for q, r in (("(x1/u)", "(x2/u)"), ("(x2/u)", "(x1/u)"))
    ]
    values = dict(zip("actw", rng.uniform([4, 0.2, -0.8, 0.1], [9, 1.5, 0.8, 3]).tolist(), strict=True))
    digits = rng.uniform(-1, 1, 5)
    for f, u, k in (
        *((1.0, 1.0, 0.0), (10 ** (8 * digits[0]), 1.0, 0.0), (1.0, 10 ** (6 * digits[1]), 0.0)),
        *((1.0, 1.0, 10 ** (3 * digits[2])), (10 ** (4 * digits[3]), 10 ** (3 * digits[4]), 0.0)),
    ):
        parameters = values | {"f": float(f), "u": float(u), "k": float(k)}
        game = rv.games.continuous(payoffs=pays, low=0.0, high=10.0 * float(u), parameters=parameters)
        yield game, f, u


def market(rng: np.random.Generator) -> Iterator[Rewritten]:
    demand, choice = str(rng.choice(["linear", "isoelastic", "differentiated", "logit"])), "quantity"
    n = int(rng.integers(2, 4))
    keys: dict[str, Any] = {"demand": demand, "unit_cost": rng.uniform(0.5, 3, n)}
    if demand in ("linear", "differentiated"):
        keys |= {"intercept": rng.uniform(5, 12), "slope": 10 ** rng.uniform(-1, 1)}
    if demand == "linear":
        keys |= {"convex_cost": rng.uniform(0, 1, n)}
    if demand == "differentiated":
        keys |= {"substitution": keys["slope"] * rng.uniform(0.1, 0.8)}
        choice = str(rng.choice(["quantity", "price"]))
    if demand == "isoelastic":
        keys |= {"market_size": rng.uniform(20, 200), "elasticity": rng.uniform(1.2, 3)}
        keys |= {"price_flat_below": 10 ** rng.uniform(-9, -1)}
    if demand == "logit":
        keys |= {"quality": rng.uniform(1, 4, n), "outside_option": rng.uniform(-1, 1)}
        keys |= {"taste_spread": 10 ** rng.uniform(-1, 0.3)}
        choice = "price"
    keys |= {"choice": choice, "tax": rng.uniform(0, 0.4)}
    if choice == "quantity" and rng.random() < 0.5:
        keys |= {"fixed_cost": rng.uniform(0, 1, n), "capacity": 10 ** rng.uniform(-0.5, 1.5, n)}
    led = choice == "price" and n == 2 and rng.random() < 0.5
    digits = rng.uniform(-1, 1, 4)
    for price, quantity in (
        *((1.0, 1.0), (100.0, 1.0), (10 ** (8 * digits[0]), 1.0), (1.0, 10 ** (6 * digits[1]))),
        *((100.0, 0.01), (10 ** (4 * digits[2]), 10 ** (4 * digits[3]))),
    ):
        if demand == "logit" and quantity != 1:
            continue  # its shares have no unit
        money = price * quantity
        factors = dict.fromkeys(PRICES, price) | dict.fromkeys(SLOPES, price / quantity)
        factors |= {"fixed_cost": money, "capacity": quantity, "price_flat_below": quantity}
        factors["market_size"] = price * quantity ** (1 / keys.get("elasticity", 1.0))
        written = {key: value * factors[key] if key in factors else value for key, value in keys.items()}
        written = {key: np.asarray(value).tolist() for key, value in written.items()}
        game = rv.games.market(**written, **({"stages": [[0], [1]]} if led else {}))
        yield game, money, price if choice == "price" else quantity


def race(rng: np.random.Generator) -> Iterator[Rewritten]:
    keys = {"prize": 1.0} | random_keys(int(rng.integers(10**6)))[0]
    words = isinstance(keys.get("no_winner"), str)
    digits = rng.uniform(-1, 1, 3)
    for money, safety, performance in (
        *((1.0, 1.0, 1.0), (1e6, 1.0, 1.0), (1e-6, 1.0, 1.0), (10 ** (9 * digits[0]), 1.0, 1.0)),
        (1.0, 10 ** (3 * digits[1]), 10 ** (3 * digits[2])),
    ):
        if safety != 1 and keys["cost"] not in ("linear", "quadratic"):
            continue  # both inputs have one price
        units, written = {"": 1.0, "safety": safety, "performance": performance}, dict(keys)
        for key, unit, power in PAID:
            if key in keys and not (key == "no_winner" and words):
                paid = np.asarray(keys[key], dtype=float) * money / units[unit] ** power
                written[key] = paid if paid.ndim else float(paid)
        for name in ("safety", "performance"):
            written[f"{name}_productivity"] = keys[f"{name}_productivity"] / (
                units[name] ** keys[f"{name}_exponent"]
            )
        yield race_of(**written), money, np.array([safety, performance])


KINDS: dict[str, Callable[[np.random.Generator], Iterator[Rewritten]]] = {
    draw.__name__: draw for draw in (quadratic, formulas, market, race)
}


class Words(NamedTuple):
    """Words of a solution, and its choices in the first units."""

    status: str
    claim: str
    choices: np.ndarray


def _solved(game: Any, units: Any) -> Words:
    certificate = rv.solve(game, rv.methods.BestResponse(), path=False)
    return Words(certificate.status, certificate.claim, certificate.profile.values / units)


def _differences(kind: str, seed: int) -> list[str]:
    """Differences between a random game and the same game in other units."""
    rng = np.random.default_rng([seed, len(kind)])
    (game, *_), *others = KINDS[kind](rng)
    low, high = np.asarray(game.space.low), np.asarray(game.space.high)
    base = _solved(game, 1.0)
    size = np.maximum(np.abs(base.choices), 1e-3 * (high - low))
    moves = (share * size * rng.uniform(-1, 1, size.shape) for share in SHARES)
    profiles = [np.clip(base.choices + move, low, high) for move in moves]
    certificates = [rv.certificate(game, x) for x in profiles]
    differences = []
    for number, (other, money, units) in enumerate(others):
        solved = _solved(other, units)
        if solved[:2] != base[:2]:
            differences.append(f"{number}: {base[:2]} becomes {solved[:2]}")
        elif base.status == "converged" and np.any(np.abs(solved.choices - base.choices) > 1e-5 * size):
            differences.append(f"{number}: {base.choices.ravel()} becomes {solved.choices.ravel()}")
        for x, known in zip(profiles, certificates, strict=True):
            inside = np.clip(x * units, np.asarray(other.space.low), np.asarray(other.space.high))
            certificate = rv.certificate(other, inside)
            rounded = np.maximum(known.tolerance, np.asarray(certificate.tolerance) / money)
            if certificate.claim != known.claim:
                differences.append(f"{number}: {known.claim} becomes {certificate.claim} at {x.ravel()}")
            elif np.any(np.abs(certificate.regret / money - known.regret) > rounded + 1e-6 * known.regret):
                gains = certificate.regret / money
                differences.append(f"{number}: gains {known.regret} become {gains} at {x.ravel()}")
    return differences


@pytest.mark.parametrize("cost", ["linear", "quadratic", "certification", "penalty"])
def test_searched_inputs_of_a_race_do_not_depend_on_the_unit_of_payoffs(cost: str) -> None:
    keys = {"prize": 1.0, "disaster_cost": 0.5, "prize_per_performance": 0.01, "loser_prize": 0.1}
    prices = ["safety_price", "performance_price"] if cost in ("linear", "quadratic") else ["price"]
    keys |= dict.fromkeys(prices, 1e-4) | ({"certified_price": 1e-5} if cost == "certification" else {})
    spaces = [
        race_of(cost=cost, **{key: value * money for key, value in keys.items()}).space
        for money in (1.0, 1e6, 1e-6)
    ]
    for space in spaces[1:]:
        for end in ("high", "usual_low", "usual_high"):
            np.testing.assert_allclose(getattr(space, end), getattr(spaces[0], end), rtol=1e-9, err_msg=end)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [2, 6])
def test_words_and_gains_are_those_of_the_game_in_other_units(kind: str, seed: int) -> None:
    assert _differences(kind, seed) == []
