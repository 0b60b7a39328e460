"""Certificates of a game in other words: the same claim, and gains that are transformed with payoffs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp
from tests.invariance.rewritten import Rewritten, Wording

WORDINGS = {
    "as it is": Wording(),
    "payoffs of player 0 in millions": Wording(factors=(1e-6, 1.0)),
    "payoffs of player 1 in millionths": Wording(factors=(1.0, 1e6)),
    "unlike units of payoffs": Wording(factors=(1e12, 1e-6)),
    "a constant for player 0": Wording(constants=(1e3, 0.0)),
    "constants of unlike sizes": Wording(constants=(-1e5, 1e2)),
    "choices in thousands": Wording(unit=1e-3),
    "choices in millionths": Wording(unit=1e6),
    "mirrored": Wording(mirrored=True),
    "players in another order": Wording(order=(1, 0)),
    "a dummy player": Wording(dummies=1),
    "choices up to 10 times the range": Wording(beyond=9.0),
    "choices up to 1,000 times the range": Wording(beyond=999.0),
}


class Duel(eqx.Module):
    """Two players with payoffs ``pay(own choice, choice of the other)`` on [0, ``high``]."""

    pay: Callable[[Any, Any], Any] = eqx.field(static=True)
    high: float = eqx.field(static=True)

    @property
    def space(self) -> Box:
        return Box.interval(0.0, self.high, players=2)

    def payoffs(self, x: Any) -> Any:
        return self.pay(x[:, 0], x[::-1, 0])


DUELS = {
    "cournot": (Duel(lambda q, t: q * (3 - q - t), 3.0), (1.0, 1.0)),
    "unequal responses": (Duel(lambda q, t: q * (1 - q + t / 2), 2.0), (2 / 3, 2 / 3)),
    "quartic": (Duel(lambda q, t: -((q - 1) ** 4), 3.0), (1.0, 1.0)),
    "cubic cost": (Duel(lambda q, t: q - q**3 / 3, 3.0), (1.0, 1.0)),
    "public good": (Duel(lambda q, t: jnp.log(1 + q + t) - 0.4 * q, 3.0), (0.75, 0.75)),
    "contest": (Duel(lambda q, t: q / (0.1 + q + t) - q, 1.0), None),
    "at an end": (Duel(lambda q, t: -q * (1 + t), 1.0), (0.0, 0.0)),
    "ruin": (Duel(lambda q, t: q * (3 - q - t) - 1e7 * jnp.maximum(q + t - 3, 0), 3.0), (1.0, 1.0)),
}
PLACES = {"equilibrium": 0.0, "near": 1e-5, "beside": 1e-2, "far": 0.3}


def _certified(game: Any, wording: Wording, x: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """The claim at a profile of a game in a wording, gains per unit of payoff of the game, and tolerances."""
    rewritten = Rewritten(game, wording)
    certificate = rv.certificate(rewritten, rewritten.written(x))
    order = np.argsort(wording.order or (0, 1))
    factors = np.array(wording.factors or (1.0, 1.0))
    gains, allowed = (
        np.broadcast_to(part, (2 + wording.dummies,))[order] / factors
        for part in (certificate.regret, np.asarray(certificate.tolerance))
    )
    return certificate.claim, gains, allowed


# every game compiles anew in every wording, for seconds
@pytest.mark.representative
@pytest.mark.default_only("cournot-unlike units of payoffs")
@pytest.mark.parametrize("wording", [name for name in WORDINGS if name != "as it is"])
@pytest.mark.parametrize("name", DUELS)
def test_words_and_gains_do_not_depend_on_how_a_game_is_written(name: str, wording: str) -> None:
    game, known = DUELS[name]
    if known is None:  # the symmetric equilibrium of the contest: (0.1 + q) = (0.1 + 2 q)^2
        known = ((0.6 + np.sqrt(0.36 + 1.44)) / 8,) * 2
    for place, share in PLACES.items():
        x = np.clip(np.array(known)[:, None] + share * np.array([[1.0], [0.7]]), 0.0, game.high)
        claim, gains, allowed = _certified(game, Wording(), x)
        if place == "equilibrium":
            assert claim == "equilibrium"
        words, others, rounded = _certified(game, WORDINGS[wording], x)
        assert words == claim, (place, gains, others)
        np.testing.assert_allclose(others, gains, rtol=1e-6, atol=float(max(allowed.max(), rounded.max())))
