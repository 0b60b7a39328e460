"""Gradient ascent with a user's kernel: a formula that is differentiated, against the built-in kernel.

The formula says what the built-in Gaussian says, so all three end in the same places. Beside it the gradients
of every player's whole payoff, which is what a game without gradients of its own is given.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import equinox as eqx
import pytest

from benchmarks.test_influencer_sweep import PLAYERS, POINTS, STEPS, Ours, built_in

AIM = {1: 1.3, 100: 1.3}
WHOLE = {1: None, 100: 1 / 4}


def formula(reach: float) -> Any:
    """The same influence, written by a user."""
    import rivalry as rv

    return rv.games.influencer(
        kernel="custom",
        influence="exp(-(b - x)^2 / (2*s^2))",
        parameters={"s": [reach] * PLAYERS},
        resource="bimodal",
    )


class Whole(eqx.Module):
    """A game that offers payoffs only."""

    game: Any

    @property
    def space(self) -> Any:
        return self.game.space

    def payoffs(self, x: Any) -> Any:
        return self.game.payoffs(x)


@pytest.mark.parametrize("count", [1, 100])
def test_influencer_custom(race: Callable[..., Any], benchmark: Any, count: int) -> None:
    ours = Ours(count, formula)
    began = perf_counter()
    ours()
    benchmark.extra_info["first_call_seconds"] = perf_counter() - began
    items = count * STEPS[count] * PLAYERS * POINTS
    name = f"influencer_custom[{count}]"
    race(ours, Ours(count), rival="built-in kernel", items=items, target=AIM[count], name=name)
    whole = Ours(count, lambda reach: Whole(formula(reach)))
    race(ours, whole, rival="whole payoffs", items=items, target=WHOLE[count], name=f"{name} / whole payoffs")


def test_both_are_the_same_game() -> None:
    import rivalry as rv

    x = rv.oracles.named_start(built_in(0.2), "paper_default")
    assert abs(built_in(0.2).payoffs(x) - formula(0.2).payoffs(x)).max() < 1e-12
