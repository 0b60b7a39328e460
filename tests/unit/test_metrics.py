"""Regrets, bounds and claims for games with known best responses."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

import rivalry as rv
from rivalry.certificates.certify import certificate
from rivalry.certificates.deviations import best_response
from rivalry.core import oracles
from rivalry.core.game import BrokenInvariant, Game
from rivalry.core.space import Box, Strategy
from rivalry.proofs.arithmetic import intervals, rules
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.mostly_slow


class Cournot(eqx.Module):
    """Two firms, price 1 - q1 - q2: the best response to q is (1 - q) / 2 and pays its square."""

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        return x[:, 0] * (1 - x.sum())


class Custom(eqx.Module):
    """The space of `Cournot` as a class of its own."""

    box: Box = Box.interval(0.0, 1.0, players=2)

    @property
    def shape(self) -> tuple[int, int]:
        return self.box.shape

    @property
    def mask(self) -> Array:
        return self.box.mask

    def project(self, x: Array) -> Array:
        return self.box.project(x)

    def sample(self, key: Array) -> Array:
        return self.box.sample(key)

    def grid(self, player: int, points: int) -> Array:
        return self.box.grid(player, points)

    def check(self, x: object, name: str = "start") -> Array:
        return self.box.check(x, name)


class CustomCournot(Cournot):
    space = Custom()


class Bounded(Cournot):
    """The same with a payoff upper bound: on a box, the largest quantity times the highest price."""

    def ceiling(
        self, x: Float[Array, "player axis"], player: Array, low: Strategy, high: Strategy
    ) -> Float[Array, ""]:
        price = 1 - (x.sum() - x[player, 0]) - low[0]
        return jnp.maximum(high[0] * price, 0.0)


oracles.payoff_bound.register(Bounded)(Bounded.ceiling)


class Told(Cournot):
    """The same with a registered best response."""

    def best_response(self, x: Float[Array, "player axis"], player: int) -> tuple[Array, float, str]:
        other = float(x[1 - player, 0])
        return jnp.array([(1 - other) / 2]), ((1 - other) / 2) ** 2, "tight"


oracles.best_response.register(Told)(Told.best_response)


class Broken(Bounded):
    """The same, with NaN payoffs on an interval between points of the search grid."""

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        return jnp.where(jnp.abs(x[:, 0] - 0.40234375) < 1e-3, jnp.nan, super().payoffs(x))


oracles.payoff_bound.register(Broken)(Broken.ceiling)


class Unproved(Bounded):
    """The same with a payoff upper bound that is NaN on some boxes."""

    def ceiling(
        self, x: Float[Array, "player axis"], player: Array, low: Strategy, high: Strategy
    ) -> Float[Array, ""]:
        return jnp.where(low[0] >= 0.5, jnp.nan, super().ceiling(x, player, low, high))


oracles.payoff_bound.register(Unproved)(Unproved.ceiling)


HERE = np.array([[0.2], [0.5]])
REPLIES = np.array([0.25, 0.4])
REGRETS = REPLIES**2 - HERE[:, 0] * 0.3


@pytest.mark.nightly
@pytest.mark.parametrize("game", [Cournot(), Bounded(), Told()], ids=lambda game: type(game).__name__)
def test_regret_is_the_gain_of_the_best_response(game: Game) -> None:
    found = certificate(game, jnp.asarray(HERE))
    np.testing.assert_allclose(found.regret, REGRETS, atol=1e-9)
    assert found.claim == "not an equilibrium"
    for player in range(2):
        reply = best_response(game, jnp.asarray(HERE), player)
        assert reply.strategy[0] == pytest.approx(REPLIES[player], abs=1e-5)
        assert reply.payoff == pytest.approx(REPLIES[player] ** 2, abs=1e-10)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("game", "claim", "coverage"),
    [
        (CustomCournot(), "no deviation found", "lower bound"),
        (Cournot(), "equilibrium", "tight"),
        (Bounded(), "equilibrium", "tight"),
        (Told(), "equilibrium", "tight"),
    ],
    ids=["no bound", "intervals", "bounded", "told"],
)
def test_claim_and_coverage_match_the_available_proof(game: Game, claim: str, coverage: str) -> None:
    third = jnp.full((2, 1), 1 / 3)  # the equilibrium
    found = certificate(game, third)
    assert (found.claim, found.coverage) == (claim, coverage)
    assert np.all(found.regret <= found.bound)
    assert np.all(np.isinf(found.bound)) == (coverage == "lower bound")


@pytest.mark.nightly
def test_regret_and_bound_enclose_the_true_gain() -> None:
    for place in (0.0, 0.3, 1.0):
        x = np.array([[place], [0.4]])
        true = np.array([0.3**2, ((1 - place) / 2) ** 2]) - x[:, 0] * (1 - x.sum())
        found = certificate(Bounded(), jnp.asarray(x))
        assert np.all(found.bound >= true - 1e-12)
        assert np.all(found.regret <= true + 1e-12)


def test_claim_depends_on_the_tolerance() -> None:
    near = jnp.full((2, 1), 1 / 3 + 1e-3)  # regret: about (1.5e-3)^2
    found = certificate(Told(), near)
    assert (found.claim, np.all(found.regret > found.tolerance)) == ("approximate equilibrium", True)
    assert certificate(Told(), near, tolerance=1e-4).claim == "equilibrium"
    assert certificate(Cournot(), near).claim == "approximate equilibrium"  # by bounds on its payoffs


def test_a_profile_with_nan_decides_nothing() -> None:
    found = certificate(Cournot(), jnp.array([[np.nan], [0.5]]))
    assert found.claim == "not decided"
    assert np.all(np.isnan(found.regret))


@pytest.mark.nightly
def test_nan_payoffs_prevent_an_equilibrium_claim() -> None:
    third = jnp.full((2, 1), 1 / 3)  # the equilibrium of the whole game
    assert certificate(Bounded(), third).claim == "equilibrium"
    found = certificate(Broken(), third)
    assert np.all(np.isnan(found.regret))
    assert np.all(np.isinf(found.bound))
    assert found.claim == "not decided"


@pytest.mark.nightly
def test_a_nan_payoff_bound_proves_nothing() -> None:
    found = certificate(Unproved(), jnp.full((2, 1), 1 / 3))
    assert np.all(np.isinf(found.bound))
    assert (found.claim, found.coverage) == ("no deviation found", "bounded")


class Shares(Cournot):
    space = rv.Simplex(sizes=(3, 2), min_share=0.1)


DILEMMA = rv.games.matrix("prisoners_dilemma")
WHOLE = r"player 0 is at 5; must be in \[0, 1\]"
SHARES = "player 0 sums to 1.1; must sum to 1"
OUTSIDE = {
    "box": (Cournot(), [[5.0], [0.5]], WHOLE),
    "class of its own": (CustomCournot(), [[5.0], [0.5]], WHOLE),
    "simplex": (DILEMMA, [[0.6, 0.5], [0.5, 0.5]], SHARES),
    "no such share": (Shares(), [[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]], "player 1, entry 2 is 0.3; must be 0"),
    "smallest share": (
        Shares(),
        [[0.2, 0.3, 0.5], [0.01, 0.99, 0.0]],
        "entry 0 is 0.01; must be at least 0.1",
    ),
    "fixed players": (rv.transforms.freeze(DILEMMA, {1: [0.5, 0.5]}), [[0.6, 0.5]], SHARES),
}


@pytest.mark.default
@pytest.mark.parametrize("where", OUTSIDE)
def test_arrays_outside_the_space_are_refused(where: str) -> None:
    game, profile, message = OUTSIDE[where]
    for array in (np.array(profile, dtype=float), jnp.array(profile)):
        with pytest.raises(ValueError, match=message):
            certificate(game, array)


@pytest.mark.parametrize("where", OUTSIDE)
def test_arrays_outside_the_space_by_rounding_are_taken(where: str) -> None:
    game, _, _ = OUTSIDE[where]
    inside = np.asarray(game.space.sample(jax.random.key(2)))
    found = certificate(game, inside * (1 + 1e-15))
    np.testing.assert_allclose(found.regret, certificate(game, inside).regret, atol=1e-12)


def test_spaces_of_other_classes_have_regrets_and_no_bounds() -> None:
    game = CustomCournot()
    for proof in (False, True):
        found = certificate(game, [[1 / 3], [1 / 3]], proof=proof)
        assert found.regret.max() < 1e-9
        assert np.all(np.isinf(found.bound))
        assert found.claim == "no deviation found"
        assert "strategies are in a Custom, not a Box or a Simplex" in found.method
    with pytest.raises(ValueError, match="has no list of equilibria"):
        rv.all_equilibria(game)


class Peak(eqx.Module):
    """The own choice s pays s / 20, and 1 more on a narrow peak: 1 pays .05, and the peak .97 more."""

    at: float = eqx.field(static=True, default=0.4375)

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        s = x[:, 0]
        return s / 20 + jnp.exp(-(((s - self.at) / 0.01) ** 2))


class WrongProof(Peak):
    """The same, with a proved response that has not seen the peak."""


@oracles.proved_response.register(WrongProof)
def _(game: WrongProof, x: Array, player: int) -> oracles.Response:
    return oracles.Response(np.array([1.0]), 0.05, 0.05, "tight", "a guess")


class WrongOutwardProof(Peak):
    """The same, which claims to be rounded outward."""


@oracles.proved_response.register(WrongOutwardProof)
def _(game: WrongOutwardProof, x: Array, player: int) -> oracles.Response:
    return oracles.Response(np.array([1.0]), 0.05, 0.05, "tight", "a guess", rounding="outward")


class WrongResponse(Peak):
    """The same, with a registered best response that has not seen the peak."""


@oracles.best_response.register(WrongResponse)
def _(game: WrongResponse, x: Array, player: int) -> tuple[Array, Array, str]:
    return jnp.ones(1), jnp.asarray(0.05), "tight"


class WrongBound(Peak):
    """The same, with a payoff upper bound that has not seen the peak."""


@oracles.payoff_bound.register(WrongBound)
def _(game: WrongBound, x: Array, player: int, low: Array, high: Array) -> Array:
    return high[0] / 20


class BoastfulResponse(Peak):
    """The same, with a best response to which a payoff is ascribed that no choice has."""


@oracles.best_response.register(BoastfulResponse)
def _(game: BoastfulResponse, x: Array, player: int) -> tuple[Array, Array, str]:
    return jnp.array([game.at]), jnp.asarray(3.0), "tight"


WRONG = {
    WrongProof: "proved_response",
    WrongOutwardProof: "proved_response",
    WrongResponse: "best_response",
    WrongBound: "payoff_bound",
}


@pytest.mark.parametrize("kind", [*WRONG, BoastfulResponse], ids=lambda kind: kind.__name__)
def test_a_proof_finds_what_a_registered_bound_has_not_seen(kind: type[Peak]) -> None:
    name = WRONG.get(kind, "best_response")
    with pytest.raises(ValueError, match=rf"{name} of {kind.__name__}: payoff .* of player 0 is above the"):
        certificate(kind(), [[1.0], [1.0]], proof=True)


@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.__name__)
def test_a_payoff_above_a_registered_bound_is_an_error(kind: type[Peak]) -> None:
    # at the profile itself, or at one of the strategies by which the payoff at stake is measured
    for game, x in ((kind(), [[0.4375], [1.0]]), (kind(at=0.5), [[1.0], [1.0]])):
        with pytest.raises(
            ValueError, match=f"{WRONG[kind]} of {kind.__name__}: payoff 1.02.* the bound 0.0"
        ):
            certificate(game, x)


class Rising(Cournot):
    """A payoff that increases to the upper bound of the own choice, with a registered best response."""

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        return x[:, 0]


@oracles.best_response.register(Rising)
def _(game: Rising, x: Array, player: int) -> tuple[Array, Array, str]:
    return jnp.ones(1), jnp.asarray(1.0), "tight"


@pytest.mark.default
def test_a_profile_outside_the_space_by_rounding_contradicts_nothing() -> None:
    assert certificate(Rising(), np.full((2, 1), 1 + 9e-10)).claim == "equilibrium"


class RoundedResponse(Told):
    """Firms whose profits are computed as differences of large numbers."""

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        large = 1e9 * (1 + x[:, 0])
        return (large + super().payoffs(x)) - large  # errors of 1e-7, a millionth of the payoff

    def best_response(self, x: Float[Array, "player axis"], player: int) -> tuple[Array, float, str]:
        strategy, payoff, coverage = super().best_response(x, player)
        return strategy, payoff * (1 - 1e-7), coverage


oracles.best_response.register(RoundedResponse)(RoundedResponse.best_response)


def test_a_payoff_above_a_registered_bound_by_rounding_is_none() -> None:
    game, above = RoundedResponse(), []
    for s in np.linspace(0.2, 0.5, 7):
        x = jnp.array([[(1 - s) / 2], [s]])
        above.append(float(game.payoffs(x)[0] - best_response(game, x, 0).bound))
        certificate(game, x)
    assert max(above) > 1e-9  # far above the rounding of numbers of this size


class Sine(Cournot):
    """Every player's payoff is the sine of three times its own choice."""

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        return jnp.sin(3 * x[:, 0])


def test_a_payoff_above_an_outward_bound_stops_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_low(run: object, operation: object, a: intervals.Interval) -> intervals.Interval:
        found = intervals.sine(a)
        return intervals.Interval(0.9 * found.low, 0.9 * found.high)

    monkeypatch.setitem(rules.RULES, "sin", too_low)
    with pytest.raises(BrokenInvariant, match="interval arithmetic of Sine: payoff 1 of player 0 is above"):
        certificate(Sine(), [[0.5], [0.5]], proof=True)


class _Needle(eqx.Module):
    """A needle at .6137, near which the registered bound says nothing."""

    space: Box

    def payoffs(self, x: Array) -> Array:
        return jnp.exp(-((1e5 * (x[:, 0] - 0.6137)) ** 2))

    def payoff_bound(self, x: Array, player: Array, low: Array, high: Array) -> Array:
        left, right = low[0] - 0.6137, 0.6137 - high[0]
        away = jnp.maximum(jnp.maximum(left, right), 0.0)
        return jnp.where(away > 0, jnp.exp(-((1e5 * away) ** 2)) + 1e-12, jnp.nan)


oracles.payoff_bound.register(_Needle)(_Needle.payoff_bound)


def test_a_box_of_which_nothing_is_known_is_not_ruled_out() -> None:
    x = np.full((2, 1), 0.2)
    found = certificate(_Needle(Box.interval(0.0, 1.0, players=2)), x)
    assert "branch and bound" in found.method
    assert np.all(found.bound >= 0.99)
    assert found.claim not in ("equilibrium", "approximate equilibrium")
