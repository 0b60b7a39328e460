"""The same game as a table, a tree, a class, a formula: the same claims and gains."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Simplex
from rivalry.families.extensive import Decision, Extensive
from rivalry.runtime.jax import jnp

CLASSICS = ("prisoners_dilemma", "matching_pennies", "battle_of_the_sexes", "stag_hunt", "chicken")


class Expected(eqx.Module):
    """Expected payoffs of tables ``[player action action]`` without any registered knowledge."""

    table: Any

    space = Simplex((2, 2))

    def payoffs(self, x: Any) -> Any:
        return jnp.einsum("pab,a,b->p", self.table, x[0], x[1])


def _forms(table: np.ndarray) -> dict[str, Any]:
    def rules(history: tuple[Any, ...]) -> Any:
        if len(history) < 2:  # the second player does not know the first move
            return Decision(len(history), "all", (0, 1))
        return [Fraction(float(value)) for value in table[:, history[0], history[1]]]

    products = ("x1*x2", "x1*(1 - x2)", "(1 - x1)*x2", "(1 - x1)*(1 - x2)")
    formulas = [
        " + ".join(f"({value:.17g})*{part}" for value, part in zip(own.ravel(), products, strict=True))
        for own in table
    ]
    return {
        "tree": Extensive.from_rules(rules),
        "class": Expected(jnp.asarray(table)),
        "formula": rv.games.continuous(payoffs=formulas),
    }


@pytest.mark.representative
@pytest.mark.default_only("matching_pennies-class")
@pytest.mark.parametrize("form", ["tree", "class", "formula"])
@pytest.mark.parametrize("name", CLASSICS)
def test_claims_and_gains_do_not_depend_on_the_form(name: str, form: str) -> None:
    matrix = rv.games.matrix(name)
    game = _forms(np.asarray(matrix.table))[form]
    for x in rv.all_equilibria(matrix).equilibria:
        # the ends of a box are not known to be actions: it may be as wide as one likes
        for share in (0.0, 0.5) if form == "formula" else (0.0, 1e-9, 1e-4, 0.03, 0.5):
            at = (1 - share) * np.asarray(x) + share * np.array([[0.7, 0.3], [0.2, 0.8]])
            here = rv.certificate(matrix, at)
            words = rv.certificate(game, at[:, :1] if form == "formula" else at)
            assert words.claim == here.claim, (share, here, words)
            np.testing.assert_allclose(words.regret, here.regret, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("high", [10.0, 1e6, 1e9])
def test_the_ends_of_a_wide_box_are_no_actions(high: float) -> None:
    """Payoffs are linear in each choice; (5, 5) is the only equilibrium."""
    game = rv.games.continuous(payoffs=["x1*(x2 - 5)", "x2*(5 - x1)"], low=0.0, high=high)
    assert rv.certificate(game, np.array([[5.0], [4.0]])).claim != "equilibrium"
    assert rv.certificate(game, np.array([[6.0], [0.0]])).claim != "equilibrium"
    assert rv.certificate(game, np.full((2, 1), 5.0)).claim == "equilibrium"
