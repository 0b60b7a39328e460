"""Games at which proofs end: nothing false is proved, no equilibrium is lost, what is undecided is named."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from tests.unit.test_all_equilibria import Duopoly

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
    undefined: ([], False, "payoffs are not finite at"),
    undefined_between: ([], False, "payoffs are not finite at"),
    infinitely_bad: ([[1.0, 1.0]], False, "payoffs are not finite at"),
    infinitely_good: ([[0.0, 0.0]], False, "payoffs are not finite at"),
    flat: (ALL, False, "1 place, up to 0.031 of the range wide"),
    public_good: (LINE, False, "1 place"),
    tied: (TIES, False, "neither proved nor refuted: 4 first-order points"),
    nearly_tied: ([[0.8 + 1e-7 / 0.72] * 2], True, "every box is decided"),
    great_jump_at_a_bound: ([[1.0, 1.0]], False, "undecided"),
    small_jump_at_a_bound: ([[0.2, 0.2]], True, "every box is decided"),
    closed_jump: ([[0.5, 0.5]], False, "undecided"),
    open_jump: ([], False, "undecided"),
    stairs: ([[0.5, 0.5]], False, "undecided"),
    undecided_sign: ([], False, "undecided"),
    flat_at_a_bound: ([[0.0, 0.0]], False, "undecided"),
    false_derivative: ([[0.4, 0.4]], True, "every box is decided"),
}
COST = {tied: (), undefined: pytest.mark.slow, nearly_tied: pytest.mark.slow}


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=COST.get(rule, pytest.mark.nightly)) for rule in CASES]
)
def test_lists_hold_every_equilibrium_or_say_where_it_may_be(rule: Any) -> None:
    known, complete, words = CASES[rule]
    game = Duopoly(rule)
    found = rv.enumerate(game)
    assert (found.complete, not len(found.undecided)) == (complete, complete)
    assert words in found.reason
    for x in found.equilibria:
        assert best_gain(rule, x[:, 0]) <= 1e-9
    for y in np.array(known).reshape(-1, 2, 1):
        assert best_gain(rule, y[:, 0]) <= 1e-9
        listed = np.all(np.abs(found.equilibria - y) <= found.radius[:, None, None] + 2e-9, axis=(1, 2))
        boxes = found.undecided
        possible = np.all((boxes[..., 0] <= y + 1e-12) & (y - 1e-12 <= boxes[..., 1]), axis=(1, 2))
        assert listed.any() or possible.any()


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


@pytest.mark.slow
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
    assert f"no exact equilibrium is proved: {words}" in found.method
    assert found.radius is None


def own_gains(rule: Any, x: np.ndarray) -> np.ndarray:
    """Return each player's largest gain on a fine grid; NaN where a payoff is not a number."""
    pays = [np.asarray(rule(jnp.asarray(GRID), x[1 - k])) for k in range(2)]
    here = [np.asarray(rule(jnp.asarray([x[k]]), x[1 - k]))[0] for k in range(2)]
    with np.errstate(invalid="ignore"):
        gains = [0.0 if own == pay.max() else pay.max() - own for pay, own in zip(pays, here, strict=True)]
    return np.array(gains)


def best_gain(rule: Any, x: np.ndarray) -> float:
    return float(np.max(own_gains(rule, x)))
