"""Words do not depend on how wide the ranges of choices are that games are written with."""

import json
import re
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp

CASES = json.loads((Path(__file__).parents[1] / "reference" / "wide.json").read_text(encoding="utf-8"))


def _game(payoff: str, high: float) -> Any:
    """The game of two players with a payoff in the own choice q and the other's choice t."""
    swapped = {"q": "t", "t": "q"}
    other = re.sub(r"\b[qt]\b", lambda name: swapped[name[0]], payoff)
    return rv.games.continuous(payoffs=[payoff, other], choices=["q", "t"], high=high)


@pytest.mark.representative
@pytest.mark.default_only("public good-10")
@pytest.mark.parametrize("high", CASES["highs"])
@pytest.mark.parametrize("case", CASES["games"], ids=lambda case: case["id"])
def test_a_range_of_choices_makes_no_word(case: dict[str, Any], high: float) -> None:
    game = _game(case["payoff"], high)
    wrong = rv.certificate(game, np.array(case["wrong"])[:, None])
    assert wrong.claim not in ("equilibrium", "approximate equilibrium"), wrong
    if "right" in case:
        assert rv.certificate(game, np.array(case["right"])[:, None]).claim == "equilibrium"


@pytest.mark.slow
def test_a_small_part_of_good_choices_makes_no_word() -> None:
    class Narrow(eqx.Module):
        space = Box.interval(0.0, 1.0, players=1)

        def payoffs(self, x: Any) -> Any:
            away = x[:, 0] - 0.5
            return jnp.where(jnp.abs(away) < 0.0005, 1 - 1e6 * away**2, -1e6)

    assert rv.certificate(Narrow(), [[0.50049]]).claim == "not an equilibrium"
    assert rv.certificate(Narrow(), [[0.5]]).regret == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("constant", [0.0, 1e3, -1e9, -1e14])
def test_a_constant_that_takes_the_digits_of_payoffs_makes_no_word(constant: float) -> None:
    game = rv.games.continuous(payoffs=[f"x1*(1 - x1 - x2) + {constant}", "x2*(1 - x1 - x2)"])
    claims = [rv.certificate(game, [[x], [(1 - x) / 2]]).claim for x in (0.0, 1 / 3)]
    lost = abs(constant) > 1e12
    assert claims == (["not decided"] * 2 if lost else ["not an equilibrium", "equilibrium"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payoffs", "low", "high", "x", "claim"),
    [
        (["-(x1 - 1)^2", "-(x2 - 1)^2"], -1e6, 1e6, (1.0, 1.0), "equilibrium"),
        (["-(x1 - 1)^2", "-(x2 - 1)^2"], -1e6, 1e6, (1.5, 1.0), "approximate equilibrium"),
        (
            ["x1*(3 - x1 - x2)", "-(x2 - 1)^2"],
            [0.0, -1e6],
            [3.0, 1e6],
            (1.05, 1.0),
            "approximate equilibrium",
        ),
        (["x1*(3 - x1 - x2)", "-(x2 - 1)^2"], [0.0, -1e6], [3.0, 1e6], (1.4, 1.0), "not an equilibrium"),
        (["-x1", "-x2"], 0.0, 1e6, (5e-4, 0.0), "not an equilibrium"),
        (["-x1^2", "-x2"], 0.0, 1e6, (0.4, 0.0), "not an equilibrium"),
    ],
)
def test_where_a_stake_is_that_of_the_range_a_visible_difference_is_no_equilibrium(
    payoffs: list[str], low: Any, high: Any, x: tuple[float, float], claim: str
) -> None:
    game = rv.games.continuous(payoffs=payoffs, low=low, high=high)
    assert rv.certificate(game, np.array(x)[:, None]).claim == claim
