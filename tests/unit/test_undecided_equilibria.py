"""Games at which proofs end: nothing false is proved, no equilibrium is lost, what is undecided is named."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs.points import equilibrium_near
from tests.unit.test_all_equilibria import Duopoly

pytestmark = pytest.mark.mostly_slow

GRID = np.unique(np.concatenate([np.linspace(0, 1, 2001), [np.nextafter(0.5, 1), np.nextafter(0.7, 1)]]))


@jax.custom_jvp
def _square(x: jax.Array) -> jax.Array:
    return x * x


@_square.defjvp
def _wrong(primals: Any, tangents: Any) -> Any:
    return _square(*primals), 3.0 * tangents[0]


def undefined(own: Any, other: Any) -> Any:
    return jnp.where(own > 0.9, jnp.nan, -jnp.square(own - 0.5))


def undefined_between(own: Any, other: Any) -> Any:
    return jnp.where((own > 0.3) & (own < 0.4), jnp.nan, -jnp.square(own - 0.6))


def infinitely_bad(own: Any, other: Any) -> Any:
    return -1 / own


def infinitely_good(own: Any, other: Any) -> Any:
    return -jnp.log(own)


def flat(own: Any, other: Any) -> Any:
    return 0.0 * own


def public_good(own: Any, other: Any) -> Any:
    """Every division of the contributions 2/3 is an equilibrium."""
    return jnp.log(1 + own + other) - 0.6 * own


def tied(own: Any, other: Any) -> Any:
    return -jnp.square(own - 0.2) * jnp.square(own - 0.8)


def nearly_tied(own: Any, other: Any) -> Any:
    return tied(own, other) + 1e-7 * own


def great_jump_at_a_bound(own: Any, other: Any) -> Any:
    return -jnp.square(own - 0.2) + 0.7 * (own >= 1.0)


def small_jump_at_a_bound(own: Any, other: Any) -> Any:
    return -jnp.square(own - 0.2) + 0.5 * (own >= 1.0)


def closed_jump(own: Any, other: Any) -> Any:
    return -jnp.square(own - 0.5) + 0.3 * (own >= 0.5)


def open_jump(own: Any, other: Any) -> Any:
    """The supremum of payoffs is not attained: no equilibrium."""
    return -jnp.square(own - 0.5) + 0.3 * (own > 0.5)


def stairs(own: Any, other: Any) -> Any:
    return -jnp.square(own - 0.3) + 0.1 * jnp.floor(4 * own)


def undecided_sign(own: Any, other: Any) -> Any:
    return -jnp.square(own - 0.3) + 0.2 * jnp.sign(own - 0.7)


def flat_at_a_bound(own: Any, other: Any) -> Any:
    """The derivative at the equilibrium, a bound, is zero."""
    return -jnp.square(own) * (1 + other)


def false_derivative(own: Any, other: Any) -> Any:
    return -_square(own - 0.4)


ALL = [[a, b] for a in (0.0, 0.37, 1.0) for b in (0.0, 0.5, 1.0)]
LINE = [[t, 2 / 3 - t] for t in np.linspace(0, 2 / 3, 9)]
TIES = [[a, b] for a in (0.2, 0.8) for b in (0.2, 0.8)]

CASES: dict[Any, tuple[list[list[float]], bool, str]] = {
    # true equilibria, or some of a continuum; whether the list is complete; what is named
    undefined: ([], False, "payoffs are not finite in part of the box, as at"),
    undefined_between: ([], False, "payoffs are not finite in part of the box, as at"),
    infinitely_bad: ([[1.0, 1.0]], False, "payoffs are not finite in part of the box, as at"),
    infinitely_good: ([[0.0, 0.0]], False, "payoffs are not finite in part of the box, as at"),
    flat: (ALL, True, "every pattern of bounds is solved in fractions"),
    public_good: (LINE, False, "1 place"),
    tied: (TIES, True, "every pattern of bounds is solved in fractions"),
    nearly_tied: ([[0.8 + 1e-7 / 0.72] * 2], True, "every box is decided"),
    great_jump_at_a_bound: ([[1.0, 1.0]], False, "undecided"),
    small_jump_at_a_bound: ([[0.2, 0.2]], True, "every box is decided"),
    closed_jump: ([[0.5, 0.5]], False, "undecided"),
    open_jump: ([], False, "undecided"),
    stairs: ([[0.5, 0.5]], False, "undecided"),
    undecided_sign: ([], False, "undecided"),
    flat_at_a_bound: ([[0.0, 0.0]], True, "every box is decided"),
    false_derivative: ([[0.4, 0.4]], True, "every box is decided"),
}
COST = {tied: pytest.mark.slow, undefined: pytest.mark.slow, nearly_tied: pytest.mark.nightly}


@pytest.mark.default
@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=COST.get(rule, pytest.mark.nightly)) for rule in CASES]
)
def test_lists_hold_every_equilibrium_or_say_where_it_may_be(rule: Any) -> None:
    known, complete, words = CASES[rule]
    found = rv.all_equilibria(Duopoly(rule))
    assert (found.complete, not len(found.undecided)) == (complete, complete)
    assert words in found.reason
    for x in found.equilibria:
        assert best_gain(rule, x[:, 0]) <= 1e-9
    for y in np.array(known).reshape(-1, 2, 1):
        assert best_gain(rule, y[:, 0]) <= 1e-9
        listed = np.all(np.abs(found.equilibria - y) <= found.radius[:, None, None] + 2e-9, axis=(1, 2))
        boxes = np.concatenate([found.undecided, np.reshape(found.sets, (-1, *y.shape, 2))])
        possible = np.all((boxes[..., 0] <= y + 1e-12) & (y - 1e-12 <= boxes[..., 1]), axis=(1, 2))
        assert listed.any() or possible.any()


@pytest.mark.default
@pytest.mark.parametrize(
    "rule",
    [pytest.param(rule, marks=pytest.mark.slow if rule in COST else pytest.mark.nightly) for rule in CASES],
)
def test_bounds_are_never_below_a_gain(rule: Any) -> None:
    known = np.array(CASES[rule][0]).reshape(-1, 2)
    for own in sorted({0.0, 0.2, 0.3, 0.5, 0.8, 1.0, *known[:, 0].tolist()}):
        x = np.array([own, 0.5])
        found = rv.certificate(Duopoly(rule), x[:, None], proof=True)
        gains = own_gains(rule, x)
        if np.all(np.isfinite(gains)):
            assert np.all(found.bound >= gains)
            assert np.all(found.regret >= gains - 1e-6)
        else:
            assert found.claim in ("not decided", "not an equilibrium")
            assert np.isinf(found.bound).any()
            assert found.method.count("no finite bound was found: some payoffs are not finite") == 1
        if found.radius is not None:
            assert np.min(np.max(np.abs(x - known), axis=1)) <= found.radius + 1e-9


@pytest.mark.parametrize(
    ("rule", "at", "words"),
    [
        (closed_jump, 0.5, "payoffs have a kink or a jump there"),
        (flat_at_a_bound, 0.0, "the derivative at a bound is zero"),
        (flat, 0.37, "the first-order conditions are degenerate there"),
        (tied, 0.2, "the nearest first-order point is neither proved nor refuted"),
    ],
)
def test_a_certificate_says_what_a_proof_lacks(rule: Any, at: float, words: str) -> None:
    found = rv.certificate(Duopoly(rule), [[at], [at]], proof=True)
    assert f"no equilibrium is proved: {words}" in found.method
    assert found.radius is None


def peaks(own: Any) -> Any:
    """A kink at 0.3, and one of nearly its height."""
    return jnp.maximum(-jnp.abs(own - 0.3), -2 * jnp.abs(own - 0.8) - 1e-3)


def closed(own: Any) -> Any:
    return jnp.where(own >= 0.5, 1.0 - own, 0.0)


def open_(own: Any) -> Any:
    """The supremum is not attained: no strategy is best."""
    return jnp.where(own > 0.5, 1.0 - own, 0.0)


def two_sided(own: Any) -> Any:
    """Quadratic on the left of its maximum, where the derivative is zero, and linear on the right."""
    return jnp.minimum(-jnp.square(own - 0.4), 0.4 - own)


class Alone(eqx.Module):
    """A player without rivals."""

    rule: Any = eqx.field(static=True)

    space = rv.Box.interval(0.0, 1.0, players=1)

    def payoffs(self, x: Any) -> Any:
        return self.rule(x[:, 0])


@pytest.mark.parametrize(
    ("rule", "at", "best"),
    [
        (peaks, 0.3, 0.3),
        (peaks, 0.3 + 1e-8, 0.3),
        (peaks, 0.8, None),
        (peaks, 0.31, None),
        (two_sided, 0.4, 0.4),
        (closed, 0.5, None),
        (open_, 0.5 + 1e-9, None),
    ],
)
def test_a_lone_best_strategy_may_be_at_a_kink_not_a_jump(rule: Any, at: float, best: float | None) -> None:
    found = rv.certificate(Alone(rule), [[at]], proof=True)
    assert (found.radius is not None) == (best is not None)
    if found.radius is not None and best is not None:
        assert (found.claim, found.coverage) == ("equilibrium", "proved")
        assert abs(at - best) <= found.radius <= 1e-3
    else:
        assert "no equilibrium is proved" in found.method or found.claim == "not an equilibrium"


class Wide(eqx.Module):
    """Choices on more axes than are searched with outward rounding."""

    space: rv.Box

    def payoffs(self, x: Any) -> Any:
        return -jnp.sum(jnp.square(x - 0.3), axis=1)


def test_choices_on_many_axes_have_a_reason_at_once() -> None:
    found = rv.certificate(Wide(rv.Box(jnp.zeros((1, 4)), jnp.ones((1, 4)))), [[0.3] * 4], proof=True)
    assert (found.claim, found.radius) == ("no deviation found", None)
    assert found.method.endswith("; no outward bound: more than 3 axes")


class Switched(eqx.Module):
    """The payoffs of each player are those of the case with its number."""

    cases: Any = eqx.field(static=True)
    which: Any

    space = rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        def of(which: Any, own: Any, other: Any) -> Any:
            return jax.lax.switch(which, self.cases, own, other)

        return jnp.stack([of(self.which[k], x[k, 0], x[1 - k, 0]) for k in range(2)])


def shifted(own: Any, other: Any) -> Any:
    """A logarithm of a sum, less a cost: its derivative is zero at ``own = log(1/2) + other``."""
    both = jnp.stack([own, other])
    top = jax.lax.stop_gradient(jnp.max(both))
    return top + jnp.log(jnp.sum(jnp.exp(both - top))) - 0.5 * own - jnp.square(own - 0.5)


def hidden(own: Any, other: Any) -> Any:
    """JAX's derivative is zero at 1/2; the payoff is ``own - 1/4``."""
    return -jnp.square(own - 0.5) + own * jax.lax.stop_gradient(own)


def test_stop_gradient_in_branches_is_the_identity_of_payoffs() -> None:
    game = Switched((shifted, hidden), jnp.array([0, 0]))
    # both shares are 1/2 where the strategies are equal, and so are cost and gain
    right = rv.certificate(game, [[0.5], [0.5]], proof=True)
    assert (right.claim, right.coverage) == ("equilibrium", "proved")
    assert rv.certificate(game, [[0.8], [0.5]], proof=True).claim == "not an equilibrium"
    for which, best in (([1, 1], [[1.0], [1.0]]), ([0, 1], None)):
        game = Switched((shifted, hidden), jnp.array(which))
        found = rv.certificate(game, [[0.5], [0.5]], proof=True)
        assert (found.claim, found.radius) == ("not an equilibrium", None)
        np.testing.assert_allclose(found.bound[1], 0.5, rtol=1e-6)
        assert rv.certificate(game, [[0.5], [1.0]], proof=True).bound[1] < 1e-7
        if best:
            found = rv.certificate(game, best, proof=True)
            assert (found.claim, found.coverage, found.radius < 1e-12) == ("equilibrium", "proved", True)


def entry(own: Any, other: Any) -> Any:
    """A cost of entry that makes staying out best; without it the peak is at 1/2."""
    return -jnp.square(own - 0.5) - jnp.where(own > 0, 0.3, 0.0)


def test_a_cost_of_entry_is_a_jump_unless_it_is_zero() -> None:
    out = rv.certificate(Duopoly(entry), [[0.0], [0.0]], proof=True)
    assert (out.claim, out.radius) == ("equilibrium", None)
    assert "payoffs have a kink or a jump there" in out.method
    assert rv.certificate(Duopoly(entry), [[0.5], [0.0]], proof=True).claim == "not an equilibrium"
    # payoffs rise towards the peak from wherever they are smooth: what they jump down from is better still
    assert equilibrium_near(Duopoly(entry), np.full((2, 1), 0.5))[1]
    # the second firm stays out: its cost is above the monopoly price 55
    found = rv.certificate(rv.games.market(unit_cost=[10.0, 60.0]), [[45.0], [0.0]], proof=True)
    assert (found.claim, found.coverage, found.radius < 1e-12) == ("equilibrium", "proved", True)
    costly = rv.games.market(unit_cost=[10.0, 50.0], fixed_cost=[0.0, 30.0])
    # its best output 2.5 earns 6.25, less than its fixed cost
    stays = rv.certificate(costly, [[45.0], [0.0]], proof=True)
    enters = rv.certificate(costly, [[130 / 3], [10 / 3]], proof=True)
    assert (stays.claim, stays.rounding, stays.radius) == ("equilibrium", "outward", None)
    assert (enters.claim, enters.radius) == ("not an equilibrium", None)
    assert enters.regret[1] == pytest.approx(30 - 100 / 9)


@pytest.mark.parametrize(
    ("cost", "output"),
    [
        pytest.param(30.0, 55.0, marks=pytest.mark.nightly),
        pytest.param(40.0, 60.0, marks=pytest.mark.nightly),
        (50.0, 50.0),
        (60.0, 45.0),
    ],
)
def test_a_leader_that_keeps_the_follower_out_is_at_a_kink(cost: float, output: float) -> None:
    game = rv.games.market(unit_cost=[10.0, cost], stages=[[0], [1]])
    found = rv.certificate(game, [[output]], proof=True)
    assert (found.claim, found.coverage, found.rounding) == ("equilibrium", "proved", "outward")
    assert found.radius is not None
    assert found.radius < 0.1
    for away in (-20.0, -1.0, 1.0):
        beside = rv.certificate(game, [[output + away]], proof=True)
        assert beside.claim in ("approximate equilibrium", "not an equilibrium")
        assert beside.radius is None or beside.radius >= 1.0


def own_gains(rule: Any, x: np.ndarray) -> np.ndarray:
    """Return each player's largest gain on a fine grid; NaN where a payoff is not a number."""
    pays = [np.asarray(rule(jnp.asarray(GRID), x[1 - k])) for k in range(2)]
    here = [np.asarray(rule(jnp.asarray([x[k]]), x[1 - k]))[0] for k in range(2)]
    with np.errstate(invalid="ignore"):
        gains = [0.0 if own == pay.max() else pay.max() - own for pay, own in zip(pays, here, strict=True)]
    return np.array(gains)


def best_gain(rule: Any, x: np.ndarray) -> float:
    return float(np.max(own_gains(rule, x)))


@jax.custom_jvp
def hidden_peak(x: jax.Array) -> jax.Array:
    """A narrow peak whose derivative is said to be zero."""
    return 2 * jnp.exp(-(((x - 0.3033) / 1e-4) ** 2))


hidden_peak.defjvp(lambda at, moved: (hidden_peak(*at), 0.0 * moved[0]))


def repeated_peak(own: jax.Array) -> jax.Array:
    added = jax.lax.scan(lambda sum_, _: (sum_ + hidden_peak(own), None), 0.0 * own, None, length=2)
    return -((own - 0.5) ** 2) + added[0]


def test_false_derivatives_within_loops_hide_no_peak() -> None:
    """Two peaks of 2 above a parabola: the strategy in the middle loses 4 - 0.1967**2."""
    certificate = rv.certificate(Alone(repeated_peak), jnp.array([[0.5]]), proof=True)
    assert certificate.claim == "not an equilibrium"
    assert certificate.regret[0] == pytest.approx(4 - 0.1967**2, abs=1e-6)
    assert certificate.bound[0] >= 4 - 0.1967**2


@pytest.mark.parametrize("scale", [pytest.param(1.0, marks=pytest.mark.nightly), 1e-10])
def test_stop_gradient_changes_no_list(scale: float) -> None:
    """The payoff vanishes at the lower bounds, and its derivative at the upper ones."""

    def rule(own: Any, other: Any) -> Any:
        return scale * (-0.1 * own + (own - own * own / 2) * jax.lax.stop_gradient(other))

    found = rv.all_equilibria(Duopoly(rule), max_seconds=20.0)
    inside = (1 + np.array([-1.0, 1.0]) * np.sqrt(0.6)) / 2  # x (1 - x) = 0.1
    np.testing.assert_allclose(
        found.equilibria[:, :, 0], np.repeat([0.0, *inside], 2).reshape(3, 2), atol=1e-12
    )
    assert found.complete


def needle(own: Any) -> Any:
    """A narrow peak at .3033, whose derivative is hidden, beside a smooth one."""
    place = jax.lax.stop_gradient(own)
    return -jnp.square(own - 0.5) + 5 * jnp.exp(-jnp.square((place - 0.3033) / 1e-4))


@jax.custom_jvp
def logaddexp(a: jax.Array, b: jax.Array) -> jax.Array:
    """A peak by the name of a function of JAX."""
    return -((a - 0.5) ** 2) + 3 * jnp.exp(-(((a - 0.3033) / 1e-4) ** 2)) + 0 * b


@logaddexp.defjvp
def _of_parabola(at: Any, moved: Any) -> Any:
    return logaddexp(*at), -2 * (at[0] - 0.5) * moved[0]


@pytest.mark.parametrize(
    ("rule", "height"),
    [
        (needle, 5 - 0.1967**2),
        (lambda own: 1e-10 * needle(own), 1e-10 * (5 - 0.1967**2)),
        (lambda own: logaddexp(own, 0 * own), 3 - 0.1967**2),
    ],
)
def test_peaks_that_derivatives_hide_are_found(rule: Any, height: float) -> None:
    found = rv.certificate(Alone(rule), jnp.array([[0.5]]), proof=True)
    assert (found.claim, found.rounding) == ("not an equilibrium", "outward")
    np.testing.assert_allclose(found.bound[0], height, rtol=1e-3)


def share_of_square(own: Any) -> Any:
    """``tanh(1 / own)``, which is 0/0 at 0."""
    return jnp.tanh(own / own**2) - own


def undefined_at(place: float, instead: float) -> Any:
    """A parabola with another payoff where a quotient is 0/0."""

    def rule(own: Any) -> Any:
        bounded = jnp.tanh(jnp.abs(own - place) / jnp.square(own - place))
        return jnp.where(jnp.isnan(bounded), instead, bounded) - jnp.square(own - 0.5)

    return rule


@pytest.mark.parametrize(
    ("rule", "at"),
    [
        pytest.param(share_of_square, 1e-8, marks=pytest.mark.nightly),
        pytest.param(share_of_square, 0.0, marks=pytest.mark.nightly),
        (undefined_at(0.3033, 5.0), 0.5),
        pytest.param(undefined_at(0.0, 0.0), 0.5, marks=pytest.mark.nightly),
        (lambda own: jnp.nan_to_num(own / (own + own**2)) - own, 1e-8),
        (lambda own: jnp.sin(jnp.log(own)) - own, 0.5),
        pytest.param(lambda own: jnp.tanh(jnp.log(own) + 1 / own) - own, 0.5, marks=pytest.mark.nightly),
        pytest.param(lambda own: jax.nn.sigmoid(own * (1 / own)) - own, 0.0, marks=pytest.mark.nightly),
    ],
)
def test_quotients_that_may_be_undefined_have_no_bound(rule: Any, at: float) -> None:
    found = rv.certificate(Alone(rule), jnp.array([[at]]), proof=True)
    assert found.claim in ("no deviation found", "not decided", "not an equilibrium")
    assert (found.coverage, found.bound[0], found.radius) == ("lower bound", np.inf, None)


class Fixed(eqx.Module):
    """A game whose strategies may be single points."""

    space: Any

    def payoffs(self, x: Any) -> Any:
        return -jnp.square(x[:, 0] - 0.3)


def test_games_without_a_choice_are_refused_in_one_line() -> None:
    game = Fixed(rv.Box(jnp.zeros((2, 1)), jnp.zeros((2, 1))))
    with pytest.raises(ValueError, match="no player has a choice"):
        rv.all_equilibria(game)
    found = rv.certificate(game, [[0.0], [0.0]], proof=True)
    assert (found.claim, found.bound.tolist()) == ("equilibrium", [0.0, 0.0])


def test_a_player_without_a_choice_gains_nothing() -> None:
    game = Fixed(rv.Box(jnp.zeros((2, 1)), jnp.array([[0.0], [1.0]])))
    found = rv.certificate(game, [[0.0], [0.3]], proof=True)
    assert (found.claim, found.coverage, found.radius < 1e-12) == ("equilibrium", "proved", True)
    assert rv.certificate(game, [[0.0], [0.8]]).claim == "not an equilibrium"
