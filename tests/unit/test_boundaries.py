"""Boundary rules for steps that would leave the strategy space."""

import numpy as np
import pytest

from rivalry.core.space import Box, Simplex
from rivalry.methods.dynamics import boundaries
from rivalry.runtime.jax import jax, jnp

LINE = Box.interval(2.0, 5.0, players=2)  # neither symmetric nor beginning at 0
X = jnp.array([[4.7], [3.5]])


def apply_rule(rule: str, push: list[float]) -> list[float]:
    return np.asarray(boundaries.apply(rule, LINE, X, jnp.array(push)[:, None])).ravel().tolist()


@pytest.mark.slow
def test_each_rule_on_a_line() -> None:
    assert apply_rule("project", [0.9, 0.3]) == pytest.approx([5.0, 3.8])
    assert apply_rule("reject", [0.9, 0.3]) == pytest.approx([4.7, 3.8])  # only the first is rejected
    assert apply_rule("reflect", [0.9, 0.3]) == pytest.approx([4.4, 3.8])
    assert apply_rule("reflect", [0.3, -2.1]) == pytest.approx([5.0, 2.6])
    assert apply_rule("reflect", [3.9, -8.1]) == pytest.approx([2.6, 2.6])  # reflected at both ends


@pytest.mark.parametrize("rule", ["project", "reject", "reflect"])
def test_inside_the_space_every_rule_is_the_plain_step(rule: str) -> None:
    assert apply_rule(rule, [-0.9, 0.6]) == pytest.approx([3.8, 4.1])


@pytest.mark.slow
def test_mirror_is_multiplicative() -> None:
    space, x = Simplex((2, 3)), jnp.array([[0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
    push = jnp.array([[1.0, 0.0, 9.0], [700.0, 700.0, 701.0]])
    first = np.array([0.25 * np.e, 0.75])
    second = np.array([0.2, 0.3, 0.5 * np.e])
    found = boundaries.apply("mirror", space, x, push)
    np.testing.assert_allclose(found[0, :2], first / first.sum(), rtol=1e-13)
    np.testing.assert_allclose(found[1], second / second.sum(), rtol=1e-13)
    assert float(found[0, 2]) == 0.0


@pytest.mark.slow
def test_on_a_simplex_steps_are_projected_on_the_tangent_space() -> None:
    space, x = Simplex((3,)), jnp.array([[0.2, 0.3, 0.5]])
    np.testing.assert_allclose(boundaries.apply("reject", space, x, jnp.full((1, 3), 0.7)), x, atol=1e-15)
    push = jax.random.normal(jax.random.key(0), (1, 3)) * 0.01
    np.testing.assert_allclose(
        boundaries.apply("project", space, x, push), x + push - push.mean(), atol=1e-14
    )


@pytest.mark.parametrize(("rule", "space"), [("mirror", LINE), ("reflect", Simplex((2, 2)))])
def test_rules_that_need_another_space_are_refused(rule: str, space: Box | Simplex) -> None:
    with pytest.raises(ValueError, match=f"^boundary: '{rule}' needs"):
        boundaries.check(rule, space)


@pytest.mark.slow
def test_mirror_stays_above_the_minimum_probability() -> None:
    space = Simplex((3,), 0.1)
    found = boundaries.apply("mirror", space, jnp.array([[0.2, 0.3, 0.5]]), jnp.array([[-5.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found[0, 0], 0.1)
    np.testing.assert_allclose(found.sum(), 1.0)
    space.check(found)


@pytest.mark.slow
def test_rules_with_a_minimum_probability() -> None:
    space, x = Simplex((3, 3), min_share=0.1), jnp.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    push = jnp.array([[-0.2, 0.0, 0.2], [0.05, 0.0, -0.05]])
    rejected = np.asarray(boundaries.apply("reject", space, x, push))
    np.testing.assert_allclose(rejected, [[0.2, 0.3, 0.5], [0.25, 0.3, 0.45]], atol=1e-15)
    projected = np.asarray(boundaries.apply("project", space, x, push))
    # (0, 0.3, 0.7): the first entry is raised to 0.1, the others are lowered by 0.05 each
    np.testing.assert_allclose(projected, [[0.1, 0.25, 0.65], [0.25, 0.3, 0.45]], atol=1e-15)
