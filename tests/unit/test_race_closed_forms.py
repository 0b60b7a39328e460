"""The symmetric oracle of races against derivatives of the payoffs, SciPy, and counts along another curve."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit

import rivalry as rv
from rivalry.core.game import own_gradients
from rivalry.core.jax import jax, jnp
from rivalry.games.race.closed_forms import Point, symmetric_equilibria

RISKS = ("winner_only", "multiplicative", "additive")
EACH = 105  # draws of parameters for every variant


def drawn(risk: str, kappa: bool, players: int) -> list[dict[str, Any]]:
    """Parameters at random; ``alpha`` up to 0.95, so that all-must-be-safe has folds."""
    generator = np.random.default_rng(len(risk) + 10 * kappa)

    def one() -> dict[str, Any]:
        u = generator.uniform
        found = {
            "A": 10 ** u(-1.5, 2), "B": 10 ** u(-1.5, 2), "alpha": u(0.1, 0.95), "beta": u(0.1, 0.95),
            "theta": u(0, 1.5), "d": u(0, 4), "r_s": 10 ** u(-2, 0), "r_p": 10 ** u(-2, 0),
            "win_a": u(0.5, 2), "lose_a": u(-0.5, 0.4), "m": u(0.4, 1.5),
        }  # fmt: skip
        return found | ({"kappa": 10 ** u(-1, 1)} if kappa else {})

    return [{**one(), "risk": risk, "players": players} for _ in range(EACH)]


@eqx.filter_jit
def told(games: Any, x: Any) -> Any:
    """Of a stack of games and profiles: own derivatives in logarithms, payoffs, player 0's when it idles."""

    def one(game: Any, x: Any) -> Any:
        return own_gradients(game, x) * x, game.payoffs(x), game.payoffs(x.at[0].set(0.0))[0]

    return jax.vmap(one)(games, x)


def agrees(games: list[Any], points: list[Point]) -> None:
    """First-order conditions to 1e-8, payoffs and what idling pays to 1e-12."""
    x = jnp.asarray([np.tile([p.xs, p.xp], (game.players, 1)) for game, p in zip(games, points, strict=True)])
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *games)
    slopes, paid, idle = told(stacked, x)
    assert np.abs(slopes).max() < 1e-8
    np.testing.assert_allclose(paid, np.tile([[p.u] for p in points], games[0].players), atol=1e-12)
    np.testing.assert_allclose(idle, [p.idle for p in points], atol=1e-12)


@pytest.mark.parametrize(
    ("risk", "kappa", "players"),
    [("winner_only", False, 2), ("multiplicative", True, 2), ("additive", False, 3)],
)
def test_every_root_meets_the_first_order_conditions(risk: str, kappa: bool, players: int) -> None:
    games = [rv.games.race(**row) for row in drawn(risk, kappa, players)]
    found = [(game, point) for game in games for point in symmetric_equilibria(game)]
    if risk == "winner_only":
        assert len(found) == EACH  # exactly one each, as is proved
    assert len(found) > EACH // 3
    agrees(*map(list, zip(*found, strict=True)))  # type: ignore[arg-type]


def payoff(row: dict[str, Any], own: tuple[complex, complex], rival: tuple[float, float]) -> complex:
    """Player 0's payoff against n-1 equal rivals, written anew and fit for complex steps."""
    others = row["players"] - 1
    (s, p), (t, r) = (
        (row["A"] * np.exp(row["alpha"] * a), row["B"] * np.exp(row["beta"] * b)) for a, b in (own, rival)
    )
    safe, safe_rival = s / (s + p ** row["theta"]), t / (t + r ** row["theta"])
    total = p ** row["m"] + others * r ** row["m"] + (1 / row["kappa"] if "kappa" in row else 0.0)
    q, q_rival = p ** row["m"] / total, r ** row["m"] / total
    if row["risk"] == "multiplicative":
        safe = safe_rival = safe * safe_rival**others
    elif row["risk"] == "additive":
        safe = safe_rival = (safe + others * safe_rival) / (others + 1)
    won = q * (safe * row["win_a"] - (1 - safe) * row["d"])
    lost = others * q_rival * (safe_rival * row["lose_a"] - (1 - safe_rival) * row["d"])
    nobody = (1 - q - others * q_rival) * (-row["d"] if row.get("no_win") == "disaster" else 0.0)
    return won + lost + nobody - row["r_s"] * np.exp(own[0]) - row["r_p"] * np.exp(own[1])  # type: ignore[no-any-return]


def test_scipy_finds_the_same_points() -> None:
    """From a third away, with derivatives by complex steps, it ends at one of our roots."""
    rows = [row for risk in RISKS for kappa in (False, True) for row in drawn(risk, kappa, 3)[:8]]
    rows += [row | {"no_win": "disaster"} for row in drawn("winner_only", True, 3)[:8]]

    def first_order(y: np.ndarray, row: dict[str, Any]) -> list[float]:
        step, here = 1e-30j, (float(np.clip(y[0], -30, 10)), float(np.clip(y[1], -30, 10)))
        own = [(here[0] + step, here[1]), (here[0], here[1] + step)]
        return [payoff(row, each, here).imag / 1e-30 for each in own]  # type: ignore[arg-type]

    met = 0
    for row in rows:
        points = np.array([[p.xs, p.xp] for p in symmetric_equilibria(rv.games.race(**row))]).reshape(-1, 2)
        for point in points[points.min(axis=1) > 1e-8]:
            other = root(first_order, np.log(point) + 0.3, args=(row,), tol=1e-13, method="lm")
            if np.abs(other.fun).max() < 1e-12 and other.x.min() > -25:
                assert np.min(np.abs(np.log(points) - other.x).max(axis=1)) < 1e-6
                met += 1
    assert met > 30


def test_no_root_is_missed_where_all_must_be_safe() -> None:
    """Without ``kappa`` the log odds give ``ln xp``; its own equation changes sign once for every root."""
    several = 0
    z = np.linspace(-40, 40, 400_001)
    for row in drawn("multiplicative", False, 3)[:20]:
        n, sigma = 3, expit(z)
        stake = row["win_a"] + 2 * row["lose_a"] + 3 * row["d"]
        gain = sigma**3 * expit(-z) * stake / n
        log_s = np.log(row["A"]) + row["alpha"] * np.log(row["alpha"] * gain / row["r_s"])
        log_xp = ((log_s - z) / row["theta"] - np.log(row["B"])) / row["beta"]
        prize = row["m"] * (n - 1) / n**2 * sigma**3 * (row["win_a"] - row["lose_a"])
        costs = np.exp(np.minimum(log_xp, 50.0)) * row["r_p"] / row["beta"]
        left = costs + row["theta"] * gain - prize
        count = np.count_nonzero(np.diff(np.sign(left)))
        ours = symmetric_equilibria(rv.games.race(**row))
        assert len(ours) == count, row
        several += count > 1
    assert several > 0


def test_a_root_just_above_the_edge_exists() -> None:
    """All of its performance is 6e-5, at safety of a half."""
    (point,) = symmetric_equilibria(rv.games.race(A=0.1, theta=1.0, d=0.0))
    assert point.xp == pytest.approx(6.247501686088817e-05, rel=1e-12)
    (tiny,) = symmetric_equilibria(rv.games.race(A=1e-6, theta=2.0, d=0.0))
    assert 0 < tiny.xp < 1e-8


def test_idling_is_the_necessary_condition() -> None:
    """With nothing for losers: ``(alpha - theta beta)(1-sigma)(W+d)/W + beta m (n-1)/n <= 1``."""
    verdicts = set()
    for row in drawn("winner_only", False, 2)[:40]:
        row |= {"lose_a": 0.0, "alpha": min(0.95, row["alpha"] * 2), "beta": min(0.95, row["beta"] * 2)}
        (p,) = symmetric_equilibria(rv.games.race(**row))
        left = (row["alpha"] - row["theta"] * row["beta"]) * (1 - p.sigma) * (1 + row["d"] / row["win_a"])
        assert p.is_nash == (left + row["beta"] * row["m"] / 2 <= 1)
        verdicts.add(p.is_nash)
    assert verdicts == {True, False}


def test_what_is_paid_beyond_the_base() -> None:
    """Prizes kept, liability, taxes, mixed risk, a disaster matrix, a weight and what lies ahead."""
    game = rv.games.race(
        players=3, keep_prize=True, liability=0.3, tax=0.02, subsidy=0.03, risk="mixed", lam=0.25, kappa=0.5,
        d=[[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]], no_win=0.2, lose_a=0.1, end_on="win",
    )  # fmt: skip
    game = game.stage(0, jnp.full(3, 0.4))
    points = symmetric_equilibria(game)
    assert points
    agrees([game] * len(points), points)


def test_without_means_there_is_no_point() -> None:
    assert symmetric_equilibria(rv.games.race(A=0.0)) == []
    assert symmetric_equilibria(rv.games.race(d=0.0, win_a=0.0, lose_a=0.0)) == []


@pytest.mark.parametrize(("keys", "said"), [
    ({"theta": [0.5, 0.7], "r_s": [0.1, 0.2]}, "theta: \\[0.5, 0.7\\] differ"),
    ({"A": [10, 5], "theta": [0.5, 0.7]}, "A: \\[10.0, 5.0\\] differ"),
    ({"d": [1.0, 2.0]}, "d: \\[1.0, 2.0\\] differ"),
    ({"win_b": 1.0}, "win_b: 1 must be 0"),
    ({"subsidy": 0.1}, "r_s: 0, taxes and subsidies included, must be above 0"),
    ({"horizon": 5}, "horizon: 5 must be 1"),
    ({"horizon": "inf", "kappa": 1.0, "gamma": 0.9}, "horizon: inf must be 1"),
    ({"csf": "best"}, "csf: best has no closed form; known: ratio"),
    ({"cost": "quadratic"}, "cost: quadratic has no closed form"),
    ({"invest": True}, "invest: must be false"),
])  # fmt: skip
def test_what_has_no_closed_form_is_named(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        symmetric_equilibria(rv.games.race(**keys))


def test_a_point_is_plain_numbers() -> None:
    assert all(type(value) in (float, bool) for value in symmetric_equilibria(rv.games.race())[0])
    assert Point._fields[:2] == ("xs", "xp")
