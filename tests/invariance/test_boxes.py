"""Methods on games of a box in other words: units of payoffs and of choices, constants, mirrored axes, order.

A table of methods and wordings. A cell does not apply for a reason (`Row.apart`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry import methods
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp
from tests.invariance.games import WITHOUT
from tests.invariance.rewritten import Rewritten, Wording

CLOSE = 1e-9  # of the width: numbers after another wording
WORDINGS = {
    "unlike units": Wording(factors=(1e-6, 1e6)),
    "more unlike units": Wording(factors=(1e12, 1.0)),
    "a common unit": Wording(factors=(2.0**-20, 2.0**-20)),
    "a large common unit": Wording(factors=(2.0**40, 2.0**40)),
    "constants": Wording(constants=(2.0**18, -(2.0**17))),  # a million times the range of payoffs
    "choices in thousandths": Wording(unit=1e3),
    "choices in thousands": Wording(unit=1e-3),
    "mirrored": Wording(mirrored=True),
    "another interval": Wording(unit=1.5, origin=2.5),  # it is not symmetric and does not begin at 0
    "order": Wording(order=(1, 0)),
    "a choice that cannot change": Wording(fixed=(0.25, 0.0)),
    "a first choice that cannot change": Wording(fixed=(0.5, 0.5), fixed_first=True),
}


class Firms(eqx.Module):
    """Two unlike firms with nonlinear demand."""

    a: Any = 1.0

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        q = x[:, 0]
        return q * (self.a - q.sum() - 0.25 * q**2 - jnp.array([0.0, 0.125]))


class Rivals(eqx.Module):
    """Two equal players who part where ``a`` exceeds 1."""

    a: Any = 0.5

    space = Box.interval(-2.0, 2.0, players=2)

    def payoffs(self, x: Any) -> Any:
        s = x[:, 0]
        return -(s**4) / 4 - s**2 / 2 - self.a * s * s[::-1]


class Varied(Rewritten):
    """A rewritten game whose parameter can be varied."""

    @property
    def a(self) -> Any:
        return self.game.a


class Row(NamedTuple):
    """A method with its game, and the wordings that must change nothing else."""

    method: Any  # or a function of the wording, where an option depends on it
    game: Any = Firms()
    start: bool = True  # at `START`, else the method begins by itself
    choices: tuple[str, ...] = ("profile",)  # results in units of choices, [.. player axis]
    same: tuple[str, ...] = ()  # results without units
    apart: Mapping[str, str] = {}  # wording -> why it does not apply
    close: float = CLOSE


START = np.array([[0.3], [0.45]])
FIXED = tuple(name for name, wording in WORDINGS.items() if wording.fixed)
DRAWS = dict.fromkeys(("mirrored", "order"), "players draw one after the other, in units from the low end")
ALIKE = dict.fromkeys(("unlike units", "more unlike units"), "exchangeable players have one unit of payoffs")

ROWS: dict[str, Row] = {
    "actor_critic": Row(
        methods.ActorCritic(updates=20),
        start=False,
        apart=DRAWS
        | dict.fromkeys(("unlike units", "more unlike units"), "not exact in binary: draws magnify rounding")
        | {"constants": "learners see payoffs, and draws magnify rounding"}
        | dict.fromkeys(FIXED, "networks have an output for every entry, and draw for each"),
    ),
    "all_equilibria": Row(methods.AllEquilibria(), start=False, choices=("equilibria",)),
    "best_response": Row(methods.BestResponse()),
    "branches": Row(
        methods.Branches(parameter="a", low=0.2, high=3.0, certify="none"),
        Rivals(jnp.asarray(0.5)),
        start=False,
        choices=(),
        same=("symmetric_loss_parameter", "fold_parameter", "unresolved_parameter", "branch_stable"),
        apart=ALIKE | dict.fromkeys(FIXED, "its starts are drawn for every entry"),
    ),
    "comparative_statics": Row(methods.ComparativeStatics(parameter="a"), Firms(jnp.asarray(1.0))),
    "directional": Row(
        lambda w: methods.Directional(step_size=0.01 * w.unit, runs=2, periods=2000),
        start=False,
        apart=DRAWS | dict.fromkeys(FIXED, "it takes games of one entry per player"),
    ),
    "double_oracle": Row(
        methods.DoubleOracle(),
        start=False,
        choices=("mean_profile",),
        close=1e-5,  # responses are found by comparing payoffs: half of the digits that a constant leaves
        apart=dict.fromkeys(("mirrored", "order"), "it begins at a draw"),
    ),
    "evaluate": Row(methods.Evaluate()),
    "fictitious_play": Row(
        methods.FictitiousPlay(action_grid=5), start=False, choices=("mean_profile",), apart=DRAWS
    ),
    "gradient_ascent": Row(
        lambda w: methods.GradientAscent(rate=[0.1 * w.unit**2 / f for f in w.factors or (1.0, 1.0)])
    ),
    "gradient_flow": Row(methods.GradientFlow()),
    "hedge": Row(methods.Hedge(action_grid=5, rounds=50), start=False, choices=("mean_profile",)),
    "newton": Row(methods.Newton()),
    "regret_matching": Row(
        methods.RegretMatching(action_grid=5), start=False, choices=("mean_profile",), apart=DRAWS
    ),
    "softmax_policy_gradient": Row(
        methods.SoftmaxPolicyGradient(action_grid=5, rounds=50), start=False, choices=("mean_profile",)
    ),
    "thresholds": Row(
        methods.Thresholds("a", low=0.2, high=3.0),
        Rivals(jnp.asarray(0.5)),
        start=False,
        choices=(),
        same=("crossing", "scan_stable"),
        apart=ALIKE,
    ),
    "variational_equilibrium": Row(methods.VariationalEquilibrium()),
}


def solved(row: Row, wording: Wording) -> tuple[Any, Any]:
    """The game in a wording, and what is found."""
    game = Varied(row.game, wording)
    start = game.written(START) if row.start else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the table compares the status
        method = row.method(wording) if callable(row.method) else row.method
        return game, rv.solve(game, method, start, seed=1)


EFFORTS = ("certificate_method", "wall_time")  # climbs of searches, and the time

# every game compiles anew in every wording, for seconds
DEFAULT = (("gradient_ascent", "another interval"),)


def cells() -> Iterator[Any]:
    for name, row in ROWS.items():
        for wording in WORDINGS:
            if wording not in row.apart:
                mark = pytest.mark.representative if (name, wording) in DEFAULT else pytest.mark.slow
                mark = pytest.mark.nightly if WORDINGS[wording].fixed_first else mark
                yield pytest.param(name, wording, marks=mark)


BASES: dict[str, Any] = {}


@pytest.mark.parametrize(("name", "wording"), [*cells()])
def test_the_same_game_of_a_box_has_the_same_results(name: str, wording: str) -> None:
    row = ROWS[name]
    if name not in BASES:
        BASES[name] = solved(row, Wording())[1]
    base = BASES[name]
    game, found = solved(row, WORDINGS[wording])
    assert (found.status, found.claim, found.end_state) == (base.status, base.claim, base.end_state)
    for one in row.choices:
        ours, theirs = (some.data[one].values for some in (base, found))
        written = [game.written(x) for x in ours.reshape(-1, 2, 1)]
        allowed = row.close * WORDINGS[wording].unit
        np.testing.assert_allclose(theirs, np.reshape(written, theirs.shape), rtol=0.0, atol=allowed)
    if WORDINGS[wording].fixed:
        assert found.steps == base.steps
        _assert_same_numbers(found.data, base.data, WORDINGS[wording])
    for one in row.same:
        np.testing.assert_allclose(found.data[one].values, base.data[one].values, rtol=CLOSE, atol=CLOSE)


def _assert_same_numbers(found: Any, base: Any, wording: Wording) -> None:
    """All that is recorded is that of the game without the choices that cannot change."""
    assert set(found) - {"is_choice"} == set(base)
    for name, ours in base.items():
        theirs = found[name]
        if "axis" in ours.dims:
            theirs = theirs.isel(axis=[1 if wording.fixed_first else 0])
        numbers, others = ours.values, theirs.values
        if name in ("eigenvalues_real", "eigenvalues_imag"):
            others = others[~np.isnan(others)]  # there are as many places as entries
        if numbers.dtype.kind == "f":
            np.testing.assert_allclose(others, numbers, rtol=1e-6, atol=1e-6, err_msg=name)
        elif name not in EFFORTS:
            np.testing.assert_array_equal(others, numbers, err_msg=name)


def test_no_method_has_both_a_row_and_a_reason() -> None:
    assert not set(ROWS) & set(WITHOUT)
    assert all(set(row.apart) <= set(WORDINGS) for row in ROWS.values())
