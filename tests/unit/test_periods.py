"""Multi-period games by backward induction, compared with closed forms."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.needs import fits
from rivalry.core.space import Box
from rivalry.methods.dynamic_games.periods import Periods
from rivalry.runtime.jax import jnp
from tests.small_games import cournot

pytestmark = pytest.mark.slow


class Selling(eqx.Module):
    """Cournot over periods; selling continues with probability ``P = 1 - hazard X``, X total supply.

    Firm i earns ``x_i (9 - X)`` per period, multiplied by ``weight ** t`` in period ``t``.
    """

    hazard: Float[Array, ""]
    weight: Float[Array, ""]
    periods: int = eqx.field(static=True, default=3)
    infinite: bool = eqx.field(static=True, default=False)

    @property
    def space(self) -> Box:
        return Box.of([[0.0, 9.0]] * self.periods, players=2)

    @property
    def gamma(self) -> Float[Array, "player"]:
        return jnp.full(2, self.weight)

    def payoffs(self, x: Float[Array, "player period"]) -> Float[Array, "player"]:
        alive = jnp.append(1.0, jnp.cumprod(1 - self.hazard * x.sum(axis=0))[:-1])
        each = x * (9 - x.sum(axis=0))
        if self.infinite:
            return each[:, 0] / (1 - self.weight * (1 - self.hazard * x.sum()))
        return (each * alive * self.weight ** jnp.arange(self.periods)).sum(axis=1)

    def stage(self, t: int, ahead: Float[Array, "player"]) -> Stage:
        """Payoffs of a period, ``w x_i (9 - X)``, plus continuation values, ``a_i (1 - h X)``."""
        return Stage(self.weight**t, self.hazard, ahead)


class Stage(eqx.Module):
    weight: Float[Array, ""]
    hazard: Float[Array, ""]
    ahead: Float[Array, "player"]

    space = Box.interval(0.0, 9.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        total = x.sum()
        return self.weight * x[:, 0] * (9 - total) + self.ahead * (1 - self.hazard * total)


oracles.stage_game.register(Selling)(Selling.stage)
oracles.discount_factors.register(Selling)(lambda game: game.gamma)


@oracles.to_stages.register(Selling)
def _(game: Selling) -> oracles.Stages:
    one = Box.interval(0.0, 9.0, players=2)
    return oracles.Stages(game.periods, one, jnp.ones((game.periods, 2)), infinite_horizon=game.infinite)


def selling(hazard: float, weight: float, **sizes: object) -> Selling:
    return Selling(jnp.asarray(hazard), jnp.asarray(weight), **sizes)


def by_hand(hazard: float, weight: float, periods: int) -> tuple[list[float], list[float]]:
    """Symmetric: ``w (9 - 3x) = a h``, so ``x = (9 - a h / w) / 3``; then the value of each period."""
    ahead, quantities, values = 0.0, [], [0.0]
    for t in reversed(range(periods)):
        w = weight**t
        x = (9 - ahead * hazard / w) / 3
        ahead = w * x * (9 - 2 * x) + ahead * (1 - 2 * hazard * x)
        quantities.insert(0, x)
        values.insert(0, ahead)
    return quantities, values


def test_backward_induction_by_hand() -> None:
    found = rv.solve(selling(0.04, 0.9), Periods())
    quantities, values = by_hand(0.04, 0.9, 3)
    assert found.status == "converged"
    assert np.allclose(found.data.profile, [quantities] * 2, atol=1e-9)
    assert np.allclose(found.data.value, np.array(values)[:, None], atol=1e-9)
    assert np.allclose(found.data.payoff, values[0])
    assert found.data.stage_regret.shape == (3, 2)
    assert found.data.stage_regret.max() <= 1e-9
    assert found.claim != "deviation found"


def test_infinite_horizon_is_the_limit_of_many_periods() -> None:
    found = rv.solve(selling(0.04, 0.9, periods=1, infinite=True), Periods())
    quantities, values = by_hand(0.04, 0.9, 200)
    assert found.status == "converged"
    assert np.allclose(found.data.profile, quantities[0], atol=1e-8)
    assert np.allclose(found.data.value, values[0], atol=1e-7)


def test_several_starts_count_the_equilibria_of_a_stage_game() -> None:
    """One period of Cournot has one equilibrium, whatever the initial profile."""
    assert rv.solve(selling(0.04, 0.9), Periods(tries=2)).data.stage_equilibria.values.tolist() == [1, 1, 1]


def test_results_do_not_depend_on_chunks() -> None:
    """Periods not yet solved are NaN."""
    game = selling(0.04, 0.9)
    method = Periods()
    world = method.world(game)
    session = method.begin(world, np.random.SeedSequence(0))
    assert method.advance(world, session, 1) == 1
    part = method.read(world, session)
    assert "status" not in part
    assert np.isnan(part["profile"][1]).tolist() == [[True, True, False]] * 2
    assert method.advance(world, session, 10) == 2
    undivided = method.begin(world, np.random.SeedSequence(0))
    assert method.advance(world, undivided, 11) == 3
    profile = method.read(world, session)["profile"][1]
    assert np.array_equal(profile, method.read(world, undivided)["profile"][1])
    # other starts: another last place
    np.testing.assert_allclose(profile, rv.solve(game, method).data.profile, rtol=1e-14)


def test_coupled_periods_are_refused() -> None:
    game = rv.games.race(horizon=2, technology={"invest": True})
    with pytest.raises(ValueError, match="invest = true links the periods"):
        rv.solve(game, Periods())
    game = rv.games.race(horizon=2, transition=lambda numbers, inputs, period: numbers)
    with pytest.raises(ValueError, match="transition"):
        rv.solve(game, Periods())
    assert not fits(Periods, cournot(2))
