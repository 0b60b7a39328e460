"""Random markets of unlike firms: payoffs, claims, followers and lists, beside the same markets by hand."""

import itertools
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv
from tests.markets_by_hand import HandMarket

KINDS = (
    "linear", "isoelastic", "differentiated", "prices", "logit", "nests",
    "price formulas", "quantity formulas", "exponential", "undercutting",
)  # fmt: skip
MARKETS, CHEAP = range(100), (22, 26, 36)
THREE_STAGES = (33, 37, 82)  # followers of followers, searched within searches
DEVIATIONS = {1: 250, 2: 30, 3: 8}  # of each of four kinds, per player, by stages


# --- markets ----------------------------------------------------------------------------------------------


def drawn(seed: int, firms: int = 0) -> tuple[dict[str, Any], float]:
    """Return keys of a market, and choices which no firm exceeds; by default of two or three firms."""
    rng, kind = np.random.default_rng([91, seed]), KINDS[seed % len(KINDS)]
    n = firms or int(rng.integers(2, 4))

    def each(low: float, high: float) -> list[float]:
        return rng.uniform(low, high, n).round(3).tolist()

    def maybe(share: float) -> bool:
        return bool(rng.random() < share)

    keys: dict[str, Any] = {"players": n, "unit_cost": each(0.5, 4)}
    keys |= _demand(kind, n, rng, steep=5.0 if firms and seed % 3 else 1.0)
    reach = keys.pop("reach")
    in_prices = keys.get("choice") == "price" or kind in ("logit", "nests", "quantity formulas")
    if maybe(0.4):
        keys["convex_cost"] = each(0.05, 0.6)
    if maybe(0.2):
        keys["fixed_cost"] = each(0.1, 3) if kind not in ("logit", "nests") else each(0.01, 0.05)
    if maybe(0.6):
        taxes = {"unit": each(-0.2, 0.6), "ad_valorem": each(0, 0.3), "profit": each(0, 0.4)}
        keys["tax"] = {name: rates for name, rates in taxes.items() if maybe(0.7)} or {"unit": 0.3}
    if maybe(0.25) and (kind != "undercutting" or maybe(0.5)):
        keys["capacity"] = each(0.3, 0.8) if kind in ("logit", "nests") else each(1, 5)
        if kind == "undercutting":
            keys["rationing"] = rng.choice(["efficient", "proportional"]).item()
    if maybe(0.35) and n == 3:
        keys["owners"] = [[0, 2], [1]]
        keys |= {"cost_saving": each(0, 0.3)} if maybe(0.5) else {}
    if maybe(0.2):
        firms = len(keys.get("owners", range(n)))
        keys["ownership"] = (np.eye(firms) + rng.uniform(0, 0.4, (firms, firms)).round(2)).tolist()
    if "owners" not in keys and "ownership" not in keys and "tax" in keys and maybe(0.3):
        keys["tax_losses"] = "none"
    if maybe(0.4) or "formulas" in kind or kind == "exponential":
        keys["high"] = (reach * rng.uniform(0.7, 1, n)).round(3).tolist()
    if maybe(0.25) and "capacity" not in keys:
        keys["low"] = (reach * rng.uniform(0, 0.05, n)).round(3).tolist()
    if maybe(0.3):
        levels, on = [[-0.3, 0.2, 0.4], [-0.5, 0.7]][seed % 2], rng.choice(["intercept", "unit_cost"]).item()
        keys["shock"] = {"kind": "iid", "levels": levels, "on": on}
        keys["shock"]["probabilities"] = rng.dirichlet(np.ones(len(levels))).round(3).tolist()
        keys["shock"]["probabilities"][-1] = 1 - sum(keys["shock"]["probabilities"][:-1])
        keys["shock_observed"] = maybe(0.5)
    if maybe(0.4) and kind != "undercutting":
        order = list(range(len(keys.get("owners", range(n)))))
        ways = [[order[:1], order[1:]], [[k] for k in order], [order[:-1], order[-1:]]]
        keys["stages"] = ways[int(rng.integers(3))]
        if in_prices and "high" not in keys:
            keys["high"] = [reach] * n
    return keys, reach


def _demand(kind: str, n: int, rng: np.random.Generator, steep: float) -> dict[str, Any]:
    """Return keys of demand, and ``reach``; effects of rivals' choices in formulas times ``steep``."""
    top, b = (round(float(rng.uniform(*ends)), 3) for ends in ((9, 16), (0.8, 1.6)))
    own = rng.uniform(0.8, 1.6, n).round(2)
    cross = (steep * rng.uniform(-0.1, 0.6, (n, n)) / n).round(2)
    tops = rng.uniform(8, 14, n).round(2)
    linear = {"intercept": top, "slope": b, "reach": top / b}
    if kind in ("linear", "undercutting"):
        return linear | (
            {"demand": "linear"}
            if kind == "linear"
            else {"demand": "linear", "choice": "price", "reach": top}
        )
    if kind in ("differentiated", "prices"):
        g = round(b * float(rng.uniform(-0.3, 0.95)), 3)
        linear |= {"demand": "differentiated", "substitution": g, "choice": "quantity"}
        return linear | (
            {"reach": 1.5 * top / b} if kind == "differentiated" else {"choice": "price", "reach": 1.6 * top}
        )
    if kind == "isoelastic":
        size, eta = rng.uniform(8, 20), rng.uniform(1.1, 2.5)
        return {
            "demand": kind,
            "market_size": size,
            "elasticity": eta,
            "price_flat_below": 0.01,
            "reach": 30.0,
        }
    if kind in ("logit", "nests"):
        keys = {"demand": "logit", "quality": (tops / 3).tolist(), "outside_option": 0.5, "reach": 9.0}
        nests = {"nests": [[0, n - 1], [1]][: n - 1], "nesting": round(float(rng.uniform(0.1, 0.8)), 2)}
        return (
            keys | {"taste_spread": round(float(rng.uniform(0.2, 1)), 2)} | (nests if kind == "nests" else {})
        )
    if kind == "exponential":
        return {"demand": f"{top}*exp(-Q/{3 * b})", "reach": 9.0}
    sign, letter = (-1, "q") if kind == "price formulas" else (1, "p")
    rows = []
    for k in range(n):
        others = "".join(f"+({sign * cross[k, j]})*{letter}{j}" for j in range(n) if j != k)
        rows.append(f"{tops[k]}-{own[k]}*{letter}{k}{others}")
    return {"demand": {kind.split()[0]: rows}, "reach": 12.0}


class Case(NamedTuple):
    """A market of the package and by hand, and the largest choices ``[product]`` of its first movers."""

    game: Any
    hand: HandMarket
    keys: dict[str, Any]

    @property
    def movers(self) -> list[int]:
        return sorted(self.hand.stages[0])

    def choices(self, profile: Any, owners: list[int] | None = None) -> np.ndarray:
        """Return choices ``[level product]`` of a profile ``[owner axis]``, 0 of those who are not in it."""
        profile, levels = np.asarray(profile, dtype=float), len(self.hand.parts)
        x = np.zeros((levels, self.hand.n))
        for row, owner in zip(profile, self.movers if owners is None else owners, strict=True):
            products = self.hand.owners[owner]
            x[:, products] = row.reshape(levels, -1)[:, : len(products)]
        return x

    def profile(self, x: np.ndarray) -> np.ndarray:
        """Return the profile ``[owner axis]`` of choices ``[level product]``."""
        made = np.zeros((*self.game.space.shape[:1], len(x), self.game.space.shape[1] // len(x)))
        for row, owner in zip(made, self.movers, strict=True):
            products = self.hand.owners[owner]
            row[:, : len(products)] = x[:, products]
        return made.reshape(self.game.space.shape)


def case_of(keys: dict[str, Any], reach: float) -> Case:
    """Return a market; without some of its keys where the package refuses them, in one line."""
    plain = ("shock", "shock_observed", "fixed_cost", "capacity", "low", "high", "ownership")
    for left in ((), ("ownership",), plain, ("owners", "cost_saving", "ownership"), ("stages",)):
        fewer = {name: value for name, value in keys.items() if name not in left}
        try:
            return Case(rv.games.market(**fewer), HandMarket(fewer, reach), fewer)
        except ValueError as error:
            refusal = str(error)
            assert "\n" not in refusal
    raise AssertionError(refusal)


# --- the judge --------------------------------------------------------------------------------------------


def judged(case: Case, x: np.ndarray, proof: Any, rng: np.random.Generator) -> list[str]:
    """Return what is wrong with a certificate at choices ``[level product]``."""
    hand, wrong, depth = case.hand, [], len(case.hand.stages)
    # of followers who are almost indifferent the package's own choice: `followers` judges it
    here = dict(zip(case.movers, np.asarray(case.game.payoffs(case.profile(x))), strict=True))
    high, assumed = case.choices(case.game.space.high)[0], case.choices(case.game.space.assumed)[0] > 0
    tolerance = np.broadcast_to(np.asarray(proof.tolerance, dtype=float), len(case.movers))
    for k, owner in enumerate(case.movers):
        rows = hand.deviations(x, owner, np.where(assumed, 1.5 * high, high), rng, DEVIATIONS[depth])
        paid = hand.payoffs(rows)[:, owner]
        gain, at = float(np.max(paid) - here[owner]), rows[int(np.argmax(paid))]
        rounding = (1e-9 if depth == 1 else 1e-6) * max(abs(here[owner]), abs(gain), 1e-3)
        text = f"player {owner} at {x.tolist()} gains {gain:.6g} by {at.tolist()}; {proof}"
        if gain > proof.bound[k] + rounding:
            wrong.append(f"bound {proof.bound[k]:.6g}: {text}")
        elif proof.claim == "equilibrium" and gain > tolerance[k] + rounding:
            wrong.append(f"claim: {text}")
        elif proof.claim != "not an equilibrium" and gain > proof.regret[k] + 2 * tolerance[k] + rounding:
            wrong.append(f"missed gain: {text}")
        elif proof.regret[k] > gain + rounding:
            row = case.profile(x)
            row[k] = np.asarray(rv.best_response(case.game, row, k).strategy)
            taken = float(hand.payoffs(case.choices(row)[None])[0, owner] - here[owner])
            if proof.regret[k] > taken + rounding:
                wrong.append(f"regret {proof.regret[k]:.12g}, taken {taken:.12g}: {text}")
    return wrong


def followers(case: Case, x: np.ndarray) -> list[str]:
    """Return which followers could gain at choices of leaders, by the package's own play."""
    start = case.profile(x)
    play = rv.solve(case.game, rv.methods.Evaluate(), start=start, path=False, tolerance=None).data.play
    full = case.choices(play.values, list(range(len(case.hand.owners))))
    wrong = []
    for stage, owners in enumerate(case.hand.stages[1:], start=1):
        for part, owner in itertools.product(range(len(full)), owners):
            at = full[part][None]
            here = case.hand.stage_payoff(at, part, owner, stage)
            after = case.hand.best(at, part, owner, stage)
            gain = float((case.hand.stage_payoff(after, part, owner, stage) - here)[0])
            if gain > 1e-8 * max(abs(float(here[0])), 0.1):
                wrong.append(f"follower {owner} at {at.tolist()} gains {gain:.6g} by {after.tolist()}")
    return wrong


def advised(game: Any) -> Any:
    """Return the solution by best responses, or by the method that the package names where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an answer that has not converged is judged too
        try:
            return rv.solve(game, rv.methods.BestResponse(), path=False, max_seconds=20.0)
        except ValueError as error:
            if "; use " not in str(error):
                return None  # nothing is said, such as where followers have no mutual best responses
            words = str(error).rpartition("; use ")[2].split()[0].split("_")
        method = getattr(rv.methods, "".join(word.capitalize() for word in words))
        return rv.solve(game, method(), path=False, max_seconds=20.0)


def faults(seed: int) -> list[str]:
    """Return what the package says wrongly of a market."""
    rng, case = np.random.default_rng(seed), case_of(*drawn(seed))
    low, high = (case.choices(ends) for ends in (case.game.space.low, case.game.space.high))
    wrong, anywhere = [], low + (high - low) * rng.random(low.shape) * rng.choice([0.3, 0.6, 1.0])
    profiles = [anywhere]
    solution = advised(case.game)
    if solution is None:
        return []
    answer = case.choices(solution.profile.values)
    wrong += judged(case, answer, solution.certificate, rng)
    for step in (1e-3, 1e-6):
        profiles.append(np.clip(answer + step * (high - low) * rng.choice([-1, 1], low.shape), low, high))
    for x in profiles:
        by_hand = case.hand.payoffs(x[None])[0][case.movers]
        exact = 1e-9 if len(case.hand.stages) == 1 else 1e-7
        paid = np.asarray(case.game.payoffs(case.profile(x)))
        if not np.allclose(paid, by_hand, rtol=exact, atol=exact):
            wrong.append(f"payoffs {paid.tolist()} at {x.tolist()}, by hand {by_hand.tolist()}")
        wrong += judged(case, x, rv.certificate(case.game, case.profile(x)), rng)
    for x in [answer, anywhere] if len(case.hand.stages) > 1 else []:
        wrong += followers(case, x)
    return wrong


# --- lists ------------------------------------------------------------------------------------------------

FEW: dict[str, tuple[dict[str, Any], int]] = {
    "steep": ({"demand": {"price": ["12-q0-2.5*q1", "13-2.5*q0-q1"]}, "high": 7.0}, 3),
    "one steep": ({"demand": {"price": ["12-q0-2.5*q1", "9-0.4*q0-1.5*q1"]}, "high": 7.0}, 1),
    "free": ({"demand": {"quantity": ["4-p0+0.5*p1", "2-p1-0.3*p0"]}, "unit_cost": 0.0, "high": 5.0}, 1),
    "two taxes": (
        {"tax": {"ad_valorem": [0.3, 0.0]}, "unit_cost": [5.0, 20.0], "convex_cost": [0.5, 0.1]},
        1,
    ),
}
"""Markets, and how many equilibria they have."""


def list_faults(game: Any, hand: HandMarket) -> tuple[list[str], np.ndarray, bool]:
    """Return what is wrong with a list, the equilibria by hand, and whether the list is called complete."""
    data = rv.solve(game, rv.methods.AllEquilibria(), tolerance=None, max_seconds=20.0).data
    listed = np.asarray(data.equilibria.values, dtype=float)[:, :, 0]
    radius = np.asarray(data.radius.values) if "radius" in data else np.zeros(len(listed))
    sets = (
        np.asarray(data.equilibrium_set.values)[:, :, 0] if "equilibrium_set" in data else np.zeros((0, 2, 2))
    )
    points, complete, wrong = hand.equilibria(), bool(data.complete), []
    for x, within in zip(listed, radius, strict=True):
        here = hand.part_payoffs(x[None], 0)[0]
        best = [hand.part_payoffs(hand.best(x[None], 0, k, 0), 0)[0, k] for k in (0, 1)]
        if np.max(best - here) > 1e-8 * np.max(np.abs(here)) and within <= 1e-6:
            wrong.append(f"{x.tolist()} is listed and gains {(best - here).tolist()}")
    near = 1e-6 * hand.high
    for x in points if complete else []:
        is_listed = np.any(np.all(np.abs(listed - x) <= near + radius[:, None], axis=1))
        in_set = np.any(np.all((x >= sets[..., 0] - near) & (x <= sets[..., 1] + near), axis=1))
        if not is_listed and not in_set:
            wrong.append(f"{x.tolist()} is missing of a complete list: {listed.tolist()}, {sets.tolist()}")
    if complete and not len(sets) and len(points) != len(listed):
        wrong.append(f"{len(listed)} listed {listed.tolist()}, by hand {points.tolist()}")
    return wrong, points, complete


def two_firms(seed: int) -> tuple[dict[str, Any], float]:
    """Return keys of a market of two firms that choose once and at once, without jumps."""
    keys, reach = drawn(seed, 2)
    jumps = ("stages", "shock_observed", "fixed_cost")
    return {name: value for name, value in keys.items() if name not in jumps}, reach


# --- tests ------------------------------------------------------------------------------------------------


def test_the_market_by_hand_has_the_equilibria_of_closed_forms() -> None:
    linear = {"players": 2, "demand": "linear", "intercept": 100.0, "slope": 1.0, "unit_cost": [10.0, 10.0]}
    led = HandMarket(linear | {"stages": [[0], [1]]}, 100.0)
    np.testing.assert_allclose(led.responded(np.array([[45.0, 0.0]]), 0), [[45.0, 22.5]], rtol=1e-9)
    np.testing.assert_allclose(led.best(np.array([[0.0, 0.0]]), 0, 0, 0)[0, 0], 45.0, rtol=1e-6)
    # Singh and Vives: p = (A (b - g) + b c)/(2 b - g)
    goods = {"demand": "differentiated", "choice": "price", "substitution": 0.5, "intercept": 10.0}
    prices = HandMarket(linear | goods | {"unit_cost": [1.0, 1.0]}, 10.0)
    np.testing.assert_allclose(prices.best(np.array([[0.0, 4.0]]), 0, 0, 0), [[4.0, 4.0]], rtol=1e-9)


@pytest.mark.default_only(*map(str, CHEAP))
@pytest.mark.parametrize("seed", MARKETS)
def test_payoffs_are_those_by_hand(seed: int) -> None:
    case, rng = case_of(*drawn(seed)), np.random.default_rng(seed)
    low, high = (case.choices(ends) for ends in (case.game.space.low, case.game.space.high))
    for share in (0.3, 0.6, 1.0):
        x = low + (high - low) * rng.random(low.shape) * share
        by_hand = case.hand.payoffs(x[None])[0][case.movers]
        exact = 1e-9 if len(case.hand.stages) == 1 else 1e-7
        paid = np.asarray(case.game.payoffs(case.profile(x)))
        np.testing.assert_allclose(paid, by_hand, rtol=exact, atol=exact)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_surplus_and_welfare_are_those_by_hand(seed: int) -> None:
    keys, reach = drawn(seed)
    keys = {name: value for name, value in keys.items() if name != "stages"}
    if "formulas" in KINDS[seed % len(KINDS)]:
        pytest.skip("cross effects of unlike firms have no surplus")
    case, rng = case_of(keys, reach), np.random.default_rng(seed)
    low, high = (case.choices(ends) for ends in (case.game.space.low, case.game.space.high))
    x = low + (high - low) * rng.random(low.shape) * 0.3
    data = rv.solve(case.game, rv.methods.Evaluate(), start=case.profile(x), path=False, tolerance=None).data
    by_hand = np.zeros(2)
    for choices, part in zip(x, case.hand.parts, strict=True):
        for chance, shift in part:
            by_hand += chance * np.array(case.hand.surplus_and_welfare(choices, shift))
    np.testing.assert_allclose([data.consumer_surplus, data.welfare], by_hand, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [pytest.param(k, marks=pytest.mark.nightly) if k in THREE_STAGES else k for k in MARKETS]
)
def test_no_claim_says_more_than_is_so(seed: int) -> None:
    assert faults(seed) == []


@pytest.mark.slow
def test_false_claims_are_seen() -> None:
    case = case_of(*drawn(0))
    x = case.choices(case.game.space.low) + 1.0
    proof = rv.certificate(case.game, case.profile(x))
    nothing = np.zeros(len(case.movers))
    assert judged(case, x, proof, np.random.default_rng(0)) == []
    for false in (proof._replace(bound=nothing), proof._replace(regret=10 * proof.bound)):
        assert judged(case, x, false, np.random.default_rng(0))


LOGIT: dict[str, Any] = {
    "demand": "logit", "outside_option": 0.0, "taste_spread": 0.5, "choice": "price",
    "quality": [3.0, 5.0], "unit_cost": [1.0, 2.0], "tax": {"ad_valorem": [0.4, 0.0]},
}  # fmt: skip
THREE = {"quality": [4.0, 3.0, 5.0], "unit_cost": [2.0, 1.0, 2.0], "tax": {"ad_valorem": [0.1, 0.4, 0.0]}}


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [
        {"players": 2, "owners": [[0, 1]], "nests": [[0, 1]], "nesting": 0.6},
        {"players": 3, "owners": [[0], [1, 2]], "stages": [[0], [1]], **THREE},
    ],
    ids=["in a nest", "as follower"],
)
def test_an_owner_with_two_tax_rates(keys: dict[str, Any]) -> None:
    case = Case(rv.games.market(**LOGIT | keys), HandMarket(LOGIT | keys, 16.0), LOGIT | keys)
    x = case.choices(np.asarray(case.game.space.high) * 0.9)
    proof = rv.certificate(case.game, case.profile(x))
    assert judged(case, x, proof, np.random.default_rng(0)) == []
    assert len(case.hand.stages) == 1 or followers(case, x) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_lists_of_a_few_markets_are_complete(name: str) -> None:
    keys, count = FEW[name]
    usual = {"intercept": 100.0, "slope": 1.0} if "demand" not in keys else {}
    keys = {"players": 2, "demand": "linear", "unit_cost": 1.0} | usual | keys
    wrong, points, complete = list_faults(rv.games.market(**keys), HandMarket(keys, 100.0))
    assert (wrong, len(points), complete) == ([], count, True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [seed for seed in range(60) if KINDS[seed % len(KINDS)] != "undercutting"])
def test_lists_have_the_equilibria_by_hand(seed: int) -> None:
    keys, reach = two_firms(seed)
    assert list_faults(rv.games.market(**keys), HandMarket(keys, reach))[0] == []
