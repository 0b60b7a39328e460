"""Slopes of safety at the symmetric point: differences, the table of signs, implicit differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logit

import rivalry as rv
from rivalry.games.race.closed_forms import symmetric_equilibria
from rivalry.games.race.statics import PARAMETERS, dsigma
from rivalry.methods.continuation.comparative_statics import slopes
from rivalry.methods.continuation.parameters import dial

KEYS = {"r": ("r_s", "r_p")}


def drawn(k: int) -> dict[str, Any]:
    u = np.random.default_rng(k).uniform
    return {
        "players": 2 + k % 3, "A": 10 ** u(-1, 2), "B": 10 ** u(-1, 2), "alpha": u(0.2, 0.9),
        "beta": u(0.2, 0.9), "theta": u(0.1, 1.5), "d": u(0.1, 3), "r_s": u(0.02, 0.5), "r_p": u(0.02, 0.5),
        "win_a": u(0.6, 2), "lose_a": u(-0.4, 0.4), "m": u(0.5, 1.5),
    }  # fmt: skip


def safety(keys: dict[str, Any]) -> float:
    return symmetric_equilibria(rv.games.race(**keys))[0].sigma


@pytest.mark.parametrize("wrt", [name for name in PARAMETERS if name != "n"])
def test_slopes_are_those_of_the_oracle(wrt: str) -> None:
    for k in range(2):
        keys, moved = drawn(k), KEYS.get(wrt, (wrt,))
        step = 1e-5 * max(abs(keys[moved[0]]), 0.1)
        up, down = ({**keys, **{name: keys[name] + side * step for name in moved}} for side in (1, -1))
        difference = (safety(up) - safety(down)) / (2 * step)
        assert dsigma(rv.games.race(**keys), wrt).dsigma == pytest.approx(difference, rel=1e-5, abs=1e-8)


def by_hand(keys: dict[str, Any], n: float) -> float:
    """The root in sigma itself, for any number of players, where it is well above the edge."""
    k = dict(keys)
    prize, stake = k["m"] * (k["win_a"] - k["lose_a"]) * (n - 1) / n, k["win_a"] + k["d"]

    def left(sigma: float) -> float:
        xs = k["alpha"] * sigma * (1 - sigma) * stake / (n * k["r_s"])
        xp = k["beta"] * sigma * (prize - k["theta"] * (1 - sigma) * stake) / (n * k["r_p"])
        log_s = np.log(k["A"]) + k["alpha"] * np.log(xs)
        return float(logit(sigma) - log_s + k["theta"] * (np.log(k["B"]) + k["beta"] * np.log(xp)))

    edge = max(1 - prize / (k["theta"] * stake), 0.0)
    return float(brentq(left, edge + 1e-12, 1 - 1e-12, xtol=1e-15))


def test_the_slope_in_the_number_of_players() -> None:
    """The equations hold for broken numbers of players too."""
    for k in range(4):
        game = rv.games.race(**drawn(k))
        n = game.players
        difference = (by_hand(drawn(k), n + 1e-4) - by_hand(drawn(k), n - 1e-4)) / 2e-4
        assert by_hand(drawn(k), n) == pytest.approx(dsigma(game, "n").sigma, abs=1e-9)
        assert dsigma(game, "n").dsigma == pytest.approx(difference, rel=1e-4, abs=1e-7)


def test_implicit_differentiation_of_the_game_gives_the_same() -> None:
    """The general method knows nothing of symmetry, nor of formulas."""
    game = rv.games.race()
    (point,) = symmetric_equilibria(game)
    profile = np.tile([point.xs, point.xp], (2, 1))
    xs, xp = slopes(game, dial(game, ["r_s", "r_p"], "wrt"), profile).slope[0]
    odds = 0.5 * xs / point.xs - 0.5 * 0.5 * xp / point.xp
    assert dsigma(game, "r").dsigma == pytest.approx(point.sigma * (1 - point.sigma) * odds, rel=1e-8)


def test_the_table_of_signs() -> None:
    """What is proved for every parameter, and what depends."""
    for k in range(6):
        keys = drawn(k)
        game = rv.games.race(**keys)
        found = {name: dsigma(game, name) for name in PARAMETERS}
        assert all(slope.f_sigma > 0 for slope in found.values())
        fixed = {"A": 1, "B": -1, "r_s": -1, "r_p": 1, "d": 1, "m": -1}
        assert {name: found[name].sign for name in fixed} == fixed
        spoils = keys["theta"] * keys["beta"]
        if spoils <= keys["alpha"]:
            assert found["n"].sign == -1
        equal = rv.games.race(**{**keys, "r_s": 0.1, "r_p": 0.1})
        assert dsigma(equal, "r").sign == np.sign(spoils - keys["alpha"])
    assert dsigma(rv.games.race(theta=0.0), "B").sign == 0


def test_dearer_inputs_may_leave_safety_as_it_is() -> None:
    """Where theta beta = alpha exactly."""
    found = [safety({"theta": 1.0, "r_s": r, "r_p": r}) for r in (0.02, 0.05, 0.1)]
    np.testing.assert_allclose(found, 0.7703947652051846, rtol=1e-12)


@pytest.mark.parametrize(("keys", "said"), [
    ({"kappa": 1.0}, "kappa: 1.0 must be left out"),
    ({"risk": "additive"}, "risk: additive must be winner_only"),
    ({"alpha": 1.0}, "alpha: 1 must be below 1"),
    ({"lose_a": 2.0}, "win_a: 1 must be above lose_a, 2"),
    ({"liability": 1.0}, "keep_prize, liability: must be absent"),
    ({"A": [1.0, 2.0]}, "A: \\[1.0, 2.0\\] differ"),
])  # fmt: skip
def test_other_variants_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        dsigma(rv.games.race(**keys), "A")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="wrt: 'gamma' is unknown"):
        dsigma(rv.games.race(), "gamma")
