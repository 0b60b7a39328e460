"""Payoffs of races against the formulas written out in plain powers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.certify import payoffs
from rivalry.core.game import own_gradients
from rivalry.core.jax import jax

RNG = np.random.default_rng(7)
N = 3


def written_out(game: Any, numbers: dict[str, Any], xs: np.ndarray, xp: np.ndarray) -> dict[str, np.ndarray]:
    """A period by the formulas of the model, in loops."""
    n = len(xs)
    s, p = numbers["A"] * xs ** numbers["alpha"], numbers["B"] * xp ** numbers["beta"]
    odds = s / p ** numbers["theta"]
    sigma = odds / (1 + odds)
    kappa = numbers.get("kappa")
    weight = p ** numbers["m"] if numbers["csf"] == "ratio" else np.exp(numbers["m"] * p)
    q = weight / (weight.sum() + (1 / kappa if kappa else 0.0))
    w = numbers["w"]
    safety = {
        "winner_only": sigma,
        "multiplicative": np.full(n, np.prod(sigma ** (w * n / w.sum()))),
        "additive": np.full(n, (w * sigma).sum() / w.sum()),
        "mixed": np.array(
            [(1 - numbers["lam"]) * sigma[j] + numbers["lam"] * np.delete(sigma, j).mean() for j in range(n)]
        ),
    }[numbers["risk"]]
    nobody, u = 1 - q.sum(), np.zeros(n)
    for i in range(n):
        for j in range(n):
            if i == j:
                rho = numbers["win_a"][i] + numbers["win_b"][i] * p[i]
            else:
                k = i if numbers["lose_index"] == "own" else j
                rho = numbers["lose_a"][k] + numbers["lose_b"][k] * p[k]
            kept = rho if numbers["keep_prize"][i] else 0.0
            u[i] += q[j] * (safety[j] * rho + (1 - safety[j]) * (kept - numbers["d"][i, j]))
        u[i] += nobody * (-numbers["d"][i, i] if numbers["no_win"] == "disaster" else numbers["no_win"])
    cost = numbers["r_s"] * xs + numbers["r_p"] * xp
    if numbers["cost"] == "quadratic":
        cost = cost + numbers["r2_s"] * xs**2 / 2 + numbers["r2_p"] * xp**2 / 2
    return {"sigma": sigma, "q": q, "S": safety, "cost": cost, "u": u - cost}


def drawn(**words: Any) -> dict[str, Any]:
    """Parameters at random, with some words."""

    def between(low: float, high: float) -> np.ndarray:
        return RNG.uniform(low, high, N)

    found: dict[str, Any] = {
        "A": between(0.5, 20.0),
        "B": between(0.5, 5.0),
        "alpha": between(0.2, 0.9),
        "beta": between(0.2, 0.9),
        "theta": between(0.0, 1.5),
        "w": between(0.1, 2.0),
        "win_a": between(0.5, 2.0),
        "win_b": between(0.0, 0.3),
        "lose_a": between(0.0, 0.3),
        "lose_b": between(0.0, 0.2),
        "keep_prize": RNG.uniform(size=N) < 0.5,
        "d": RNG.uniform(0.0, 3.0, (N, N)),
        "r_s": between(0.01, 0.3),
        "r_p": between(0.01, 0.3),
        "r2_s": between(0.0, 0.2),
        "r2_p": between(0.0, 0.2),
        "m": 1.3,
        "lam": 0.3,
        "csf": "ratio",
        "risk": "winner_only",
        "cost": "linear",
        "lose_index": "own",
        "no_win": 0.2,
    }
    return found | words


VARIANTS: list[dict[str, Any]] = [
    {},
    {"kappa": 0.4, "no_win": "disaster"},
    {"csf": "logit", "kappa": 2.0, "lose_index": "winner"},
    {"risk": "multiplicative", "kappa": 1.0},
    {"risk": "additive", "cost": "quadratic"},
    {"risk": "mixed", "csf": "logit"},
]


@pytest.mark.parametrize("words", VARIANTS, ids=lambda words: "-".join(map(str, words.values())) or "default")
def test_a_period_by_the_formulas(words: dict[str, Any]) -> None:
    numbers = drawn(**words)
    game = rv.games.race(**{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in numbers.items()})
    for _ in range(5):
        xs, xp = RNG.uniform(0.01, 3.0, (2, N))
        x = game.inputs(xs=xs, xp=xp)
        expected = written_out(game, numbers, xs, xp)
        found = {name: array for name, (_, array) in rv.oracles.metrics(game, x).items()}
        for name in ("sigma", "q", "S", "cost"):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
        np.testing.assert_allclose(payoffs(game, x), expected["u"], rtol=1e-11, atol=1e-12)
        safe = (expected["q"] * expected["S"]).sum()
        np.testing.assert_allclose(found["safe"], safe, rtol=1e-12)
        np.testing.assert_allclose(found["safe"] + found["disaster"] + _harmless(found, numbers), 1.0)


def _harmless(found: dict[str, Any], numbers: dict[str, Any]) -> float:
    return 0.0 if numbers["no_win"] == "disaster" else float(found["no_win"])


def test_periods_add_up() -> None:
    """Discounted and weighted sums of one-period payoffs, each at the technology of its period."""
    game = rv.games.race(
        A=[8.0, 5.0], B=[1.0, 2.0], kappa=0.5, horizon=4, gamma=[0.9, 0.8], discount_offset=1, end_on="win",
        share=True, dep_s=0.1, dep_p=[0.0, 0.2], spill="max", r_share_s=0.03,
    )  # fmt: skip
    rows = RNG.uniform(0.05, 0.9, (4, 2, 6))
    a, b, alive = np.array([8.0, 5.0]), np.array([1.0, 2.0]), 1.0
    total = np.zeros(2)
    for t, row in enumerate(rows):
        stage = rv.games.race(A=a.tolist(), B=b.tolist(), kappa=0.5)
        x = stage.inputs(xs=row[:, 0], xp=row[:, 1])
        paid = np.asarray(stage.payoffs(x)) - 0.01 * row[:, 2] - 0.01 * row[:, 3] - 0.03 * row[:, 4]
        total += np.array([0.9, 0.8]) ** (t + 1) * alive * paid
        alive *= float(rv.oracles.metrics(stage, x)["no_win"][1])
        gift_a, gift_b = (row[::-1, k] * np.maximum(s[::-1] - s, 0) for k, s in ((4, a), (5, b)))
        a = 0.9 * a + row[:, 2] + gift_a
        b = np.array([1.0, 0.8]) * b + row[:, 3] + gift_b
    x = game.inputs(rows)
    np.testing.assert_allclose(payoffs(game, x), total, rtol=1e-12)
    found = rv.oracles.metrics(game, x)
    np.testing.assert_allclose(found["A"][1][-1], a, rtol=1e-12)
    np.testing.assert_allclose(found["B"][1][-1], b, rtol=1e-12)
    np.testing.assert_allclose(found["alive"][1][-1], alive, rtol=1e-12)


def test_play_that_ends_with_a_disaster_goes_on_where_nobody_wins() -> None:
    game = rv.games.race(kappa=0.5, horizon=2, end_on="disaster", no_win="disaster")
    x = game.inputs(xs=np.full((2, 2), 0.7), xp=np.full((2, 2), 0.9))
    found = rv.oracles.metrics(game, x)
    unsafe = 1 - found["period_safe"][1][0] - found["period_no_win"][1][0]
    np.testing.assert_allclose(found["alive"][1][1], 1 - unsafe, rtol=1e-12)


def test_without_an_end_the_stationary_value_is_that_of_a_long_race() -> None:
    words: dict[str, Any] = {"kappa": 0.2, "gamma": [0.9, 0.8], "end_on": "win"}
    endless, long = rv.games.race(horizon="inf", **words), rv.games.race(horizon=400, **words)
    xs, xp = np.array([0.3, 0.5]), np.array([0.2, 0.1])
    same = long.inputs(xs=np.tile(xs, (400, 1)), xp=np.tile(xp, (400, 1)))
    once = endless.inputs(xs=xs, xp=xp)
    np.testing.assert_allclose(payoffs(endless, once), payoffs(long, same), rtol=1e-12)
    one, many = rv.oracles.metrics(endless, once), rv.oracles.metrics(long, same)
    np.testing.assert_allclose(one["win_safe"][1], many["win_safe"][1], rtol=1e-12)
    assert float(one["expected_periods"][1]) == pytest.approx(1 / float(one["win_probability"][1]))


@pytest.mark.slow
def test_gradients_are_those_of_own_payoffs() -> None:
    game = rv.games.race(kappa=1.0, horizon=3, share=True, A=[9.0, 4.0], end_on="win")
    x = game.inputs(RNG.uniform(0.1, 0.9, (3, 2, 6)))
    each = [jax.grad(lambda own, i=i: game.payoffs(x.at[i].set(own))[i])(x[i]) for i in range(2)]
    np.testing.assert_allclose(own_gradients(game, x), np.stack(each), rtol=1e-10, atol=1e-13)


def test_a_transition_of_ones_own_that_is_the_technology_rule() -> None:
    words: dict[str, Any] = {"kappa": 1.0, "horizon": 3, "invest": True, "dep_s": 0.2, "end_on": "win"}
    plain = rv.games.race(**words)
    followed = rv.games.race(transition=lambda numbers, row, t: numbers, **words)
    dearer = rv.games.race(transition=lambda n, row, t: n | {"r_s": n["r_s"] * 2}, **words)
    by_period = rv.games.race(r_s=[[0.1, 0.1], [0.2, 0.2], [0.4, 0.4]], **words)
    rows = RNG.uniform(0.1, 0.9, (3, 2, 4))
    x = plain.inputs(rows)
    np.testing.assert_allclose(followed.payoffs(x), plain.payoffs(x), rtol=1e-12)
    np.testing.assert_allclose(dearer.payoffs(x), by_period.payoffs(x), rtol=1e-12)


def test_parts_of_ones_own() -> None:
    words: dict[str, Any] = {"A": [5.0, 9.0], "kappa": 0.7}
    ours = rv.games.race(m=2.0, **words)
    own = rv.games.race(
        csf=lambda log_p, p, numbers: p**2 / ((p**2).sum() + 1 / 0.7),
        risk=lambda z, sigma, numbers: sigma,
        cost=lambda xs, xp, safety, numbers: 0.1 * (xs + xp),
        **words,
    )
    x = ours.inputs(xs=[0.5, 0.8], xp=[1.0, 0.6])
    np.testing.assert_allclose(own.payoffs(x), ours.payoffs(x), rtol=1e-12)


@pytest.mark.parametrize("cost", ["certification", "relative_certification", "penalty"])
def test_threshold_costs_on_both_sides(cost: str) -> None:
    words: dict[str, Any] = {
        "cost": cost,
        "r": 0.2,
        "r_certified": 0.05,
        "fine": 0.3,
        "s_min": 5.0,
        "margin": 1.0,
    }
    for on in ("odds", "effort"):
        game = rv.games.race(on=on, **words)
        x = game.inputs(xs=[0.2, 3.0], xp=[1.0, 1.0])
        s, p = 10 * np.array([0.2, 3.0]) ** 0.5, np.full(2, 10.0)
        level = s / p**0.5 if on == "odds" else s
        met = level >= (level[::-1] + 1.0 if cost.startswith("relative") else 5.0)
        spent = np.array([1.2, 4.0])
        expected = spent * 0.2 + 0.3 * ~met if cost == "penalty" else spent * np.where(met, 0.05, 0.2)
        np.testing.assert_allclose(rv.oracles.metrics(game, x)["cost"][1], expected)


def test_policy_moves_prices_and_is_accounted_for() -> None:
    game = rv.games.race(tax=0.05, subsidy=[0.02, 0.0], liability=0.4)
    plain = rv.games.race(r_s=[0.08, 0.1], r_p=0.15, d=[[1.4, 1.0], [1.0, 1.4]])
    x = game.inputs(xs=[0.5, 0.8], xp=[1.0, 0.6])
    np.testing.assert_allclose(payoffs(game, x), plain.payoffs(x), rtol=1e-12)
    found = {name: array for name, (_, array) in rv.oracles.metrics(game, x).items()}
    expected = 0.05 * 1.6 - 0.02 * 0.5 + 0.4 * (found["q"] * (1 - found["S"])).sum()
    np.testing.assert_allclose(found["revenue"], expected, rtol=1e-12)
