"""Design: closed forms, multiple equilibria, trials without an equilibrium, interrupted searches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.space import Box
from rivalry.lab.proofs import recertify
from rivalry.lab.worker import run_cell
from rivalry.methods.design.design import Design
from rivalry.methods.design.search import bound_of, choices_of
from rivalry.runtime.jax import jnp
from tests.duel_study import study

pytestmark = pytest.mark.mostly_slow


class Contest(eqx.Module):
    """``u_i = prize x_i / (x_1 + x_2) - (1 + tax) x_i + bonus_i x_i``: efforts are prize/(4 (1 + tax))."""

    prize: Float[Array, ""]
    tax: Float[Array, ""]
    bonus: Float[Array, "player"]
    meet: Float[Array, "player"]  # weight of the product of both x - 1, minus a quartic in the own x - 1

    space = Box.interval(0.0, 3.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        own, off = x[:, 0], x[:, 0] - 1.0
        share = jnp.where(x.sum() > 0, own / jnp.where(x.sum() > 0, x.sum(), 1.0), 0.5)
        gain = self.prize * share - (1 + self.tax - self.bonus) * own
        return gain + self.meet * off * off[::-1] - jnp.abs(self.meet) * off**4 / 4

    def measures(self, x: Any) -> Any:
        return {
            "effort": (("player",), np.asarray(x[:, 0])),
            "first": ((), np.asarray(x[0, 0])),
            "paid": ((), np.asarray(self.prize**2 / 2)),
        }


oracles.metrics.register(Contest)(Contest.measures)


def contest(prize: float = 1.0, tax: float = 0.0, meet: float = 0.0) -> Contest:
    one = jnp.ones(())
    return Contest(prize * one, tax * one, jnp.zeros(2), jnp.full(2, meet))


START = [0.5, 1.0]


def design(game: Any, start: Any = START, **options: Any) -> Any:
    return rv.solve(game, Design(**{"tries": 1} | options), start=start)


def test_the_optimal_prize_agrees_with_the_closed_form() -> None:
    """Total effort is prize/2; minus weight x prize^2/2 it is maximal at 1/(2 weight)."""
    found = design(
        contest(),
        choices={"prize": {"from": 0.2, "to": 2.2, "count": 4}},
        objective="effort",
        spending={"paid": 0.4},
    )
    assert (found.status, found.claim) == ("converged", "equilibrium")
    np.testing.assert_allclose(found.data.chosen_parameters, [1.25], atol=1e-4)
    np.testing.assert_allclose(found.data.chosen_objective, 1.25 / 2 - 0.4 * 1.25**2 / 2, rtol=1e-8)
    # profile, payoffs and certificate are those of the designed game
    chosen = float(found.data.chosen_parameters[0])
    np.testing.assert_allclose(found.profile.values, chosen / 4, rtol=1e-8)
    np.testing.assert_allclose(found.payoff.values, chosen / 4, rtol=1e-8)
    np.testing.assert_allclose(found.data.paid, chosen**2 / 2)
    grid = found.data.parameters.values[:4, 0]
    np.testing.assert_allclose(found.data.objective.values[:4], grid / 2 - 0.4 * grid**2 / 2, rtol=1e-8)
    assert found.data.trial_certified.all()


@pytest.mark.parametrize(
    ("low", "high", "chosen", "bound"),
    [(0.2, 1.0, 1.0, "the largest tried"), (1.5, 2.2, 1.5, "the smallest tried"), (0.2, 2.2, 1.25, "")],
)
def test_optima_at_ends_of_searches_are_marked(low: float, high: float, chosen: float, bound: str) -> None:
    """Total effort minus spending is maximal at a prize of 1.25, and monotonic on either side."""
    found = design(
        contest(),
        choices={"prize": {"from": low, "to": high, "count": 4}},
        objective="effort",
        spending={"paid": 0.4},
    )
    np.testing.assert_allclose(found.data.chosen_parameters, [chosen], atol=1e-4)
    assert found.data.chosen_bound.values.tolist() == [bound]


@pytest.mark.default
def test_an_end_beyond_which_the_game_has_no_values_is_no_bound() -> None:
    def bound(values: Sequence[float], chosen: float, low: float) -> str:
        return bound_of(values, chosen, lambda value: value >= low)

    assert bound([0.0, 0.5, 1.0], 0.0, low=0.0) == ""
    assert bound([0.0, 0.5, 1.0], 0.0, low=-5.0) == "the smallest tried"
    assert bound([0.1, 0.5, 1.0], 0.1, low=0.0) == "the smallest tried"
    assert bound([0.1, 0.5, 1.0], 0.5, low=0.0) == bound([0.5], 0.5, low=0.0) == ""
    choices = choices_of({"mean_karma": {"from": 1, "to": 9, "count": 3}, "payment": ["PBP", "PBS"]})
    assert [one.candidates for one in choices] == [(1.0, 5.0, 9.0), ()]


def test_welfare_two_choices_minimisation_and_one_entry() -> None:
    """Welfare is half the prize; a tax on both lowers effort."""
    options: dict[str, Any] = {"choices": {"prize": [1.0, 2.0], "tax": {"from": 0.0, "to": 1.0, "count": 2}}}
    found = design(contest(), **options)
    assert found.data.choice_name.values.tolist() == ["prize", "tax"]
    assert found.data.parameters.values.tolist() == [[1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [2.0, 1.0]]
    np.testing.assert_allclose(found.data.objective, [0.5, 0.5, 1.0, 1.0], rtol=1e-8)
    least = design(contest(), objective="effort", maximise=False, **options)
    assert least.data.chosen_parameters.values.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(least.data.chosen_objective, 0.25, rtol=1e-8)
    # with costs 1 and 1/2 efforts are V c_j/(c_1 + c_2)^2
    helped = design(contest(), choices={"bonus[1]": [0.5]}, objective=lambda game, x: float(x[1, 0]))
    np.testing.assert_allclose(helped.profile.values[:, 0], [0.5 / 2.25, 1.0 / 2.25], rtol=1e-8)


def test_among_several_equilibria_the_worst_or_the_best_is_assumed() -> None:
    """Two equilibria x - 1 = +-1, since ``meet`` makes efforts complements."""
    game = contest(prize=0.0, tax=-1.0, meet=1.0)
    options: dict[str, Any] = {"choices": {"meet": [1.0]}, "objective": "first", "tries": 6}
    feared = design(game, start=[0.5, 0.5], **options)
    hoped = design(game, start=[0.5, 0.5], pick="optimistic", **options)
    for found, chosen in ((feared, 0.0), (hoped, 2.0)):
        assert found.data.trial_equilibria.values.tolist() == [2]
        np.testing.assert_allclose(
            [found.data.objective_worst[0], found.data.objective_best[0]], [0, 2], atol=1e-6
        )
        np.testing.assert_allclose(found.profile.values, chosen, atol=1e-6)


def test_trials_without_an_equilibrium_are_not_chosen() -> None:
    """If ``meet`` has opposite signs, one player matches and the other avoids: best responses cycle."""
    game = contest(prize=0.0, tax=-1.0, meet=1.0)
    found = design(game, [0.5, 0.5], choices={"meet[1]": [1.0, -1.0]}, objective="first", maximise=False)
    assert found.data.trial_certified.values.tolist() == [True, False]
    assert found.data.trial_claim.values[1] == "not an equilibrium"
    assert (found.status, int(found.data.chosen)) == ("converged", 0)
    alone = design(game, [0.5, 0.5], choices={"meet[1]": [-1.0, -0.9]}, objective="first")
    assert (alone.status, alone.claim) == ("not found", "not an equilibrium")


@pytest.mark.parametrize(
    "certified", [lambda value: value not in (0.0, 0.5, 1.0), lambda value: value != 0.5]
)
def test_an_interrupted_search_takes_the_same_steps(certified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first certified trial, or one that is not, comes after the grid."""

    def answer(self: Design, world: Any, session: Any, trial: int, seed: int) -> None:
        value = float(session["codes"][trial, 0])
        session["objective"][trial] = -((value - 0.6) ** 2)
        session["claim"][trial] = "equilibrium" if certified(value) else "not an equilibrium"

    monkeypatch.setattr(Design, "_answer", answer)
    method = Design(choices={"tax": {"from": 0.0, "to": 1.0, "count": 3}}, tries=1, refine=8)
    world = method.world(contest())
    whole, parts = (method.begin(world, np.random.SeedSequence(1)) for _ in range(2))
    method.advance(world, whole, 100)
    while method.advance(world, parts, 1):
        pass
    np.testing.assert_array_equal(parts["codes"], whole["codes"])
    done = int(whole["done"][0])
    assert np.nanmin(np.abs(whole["codes"][3:done] - 0.6)) < 0.1  # it looks near the best trial
    assert done == len(whole["codes"]) or whole["finished"][0]


def test_results_do_not_depend_on_chunks_of_trials() -> None:
    method = Design(choices={"tax": {"from": 0.0, "to": 1.0, "count": 3}}, objective="effort", tries=2)
    world = method.world(contest())
    whole = method.begin(world, np.random.SeedSequence(1))
    parts = {name: array.copy() for name, array in whole.items()}
    steps = method.advance(world, whole, 100)
    taken = [1]
    while taken[-1]:
        taken.append(method.advance(world, parts, 1))
    assert sum(taken[1:]) == steps > 3  # the grid was refined towards zero tax
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)
    assert method.advance(world, whole, 5) == 0
    early = method.begin(world, np.random.SeedSequence(1))
    assert method.advance(world, early, 2) == 2
    assert "status" not in method.read(world, early)


@pytest.mark.default
def test_wrong_choices_and_objectives_are_refused() -> None:
    for options, words in (
        (
            {"choices": {"cost": [1.0]}},
            "choices: cost: no array of this game; it has bonus, meet, prize, tax",
        ),
        (
            {"choices": {"tax": [0.0]}, "objective": "profit"},
            "objective: 'profit' is no metric of the players' record; known: ",
        ),
        (
            {"choices": {"tax": [0.0]}, "spending": {"cost": 1.0}},
            "spending: 'cost' is no metric of the players' record",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            Design(**options).world(contest())
    for choices in ({}, {"tax": []}, {"tax": "much"}, {"tax": {"from": 0.0, "to": 1.0}}, {"tax": [np.nan]}):
        with pytest.raises(ValueError, match="choices: "):
            Design(choices=choices)


@pytest.mark.default
@pytest.mark.parametrize(
    ("tax", "words"),
    [
        ({"from": True, "to": 2.0, "count": 3}, "from True must be a finite number"),
        ({"from": 0.0, "to": "much", "count": 3}, "to 'much' must be a finite number"),
        ({"from": 0.0, "to": np.inf, "count": 3}, "to inf must be a finite number"),
        ({"from": 0.0, "to": 2.0, "count": None}, "needs a count, or the design a number of trials"),
        ({"from": 0.0, "to": 2.0, "count": 1}, "count 1 must be a whole number of at least 2"),
        ([True, 2.0], r"\[True, 2.0\] must be a list of numbers"),
    ],
)
def test_choices_are_numbers_and_no_truth_values(tax: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^choices: tax:? {words}"):
        Design(choices={"tax": tax})


FAMILY = """
from tests.unit.test_design import contest

def game(tax: float = 0.0):
    return contest(tax=tax)
"""


def test_a_cell_is_certified_again_in_the_designed_game(tmp_path: Path) -> None:
    (tmp_path / "taxed.py").write_text(FAMILY)
    table = {"kind": "design", "choices": {"prize": [0.5, 2.0, 1.0]}, "tries": 1}
    cells = study(
        tmp_path,
        game={"family": "taxed.py:game"},
        method=[table],
        sweep={},
        replications={"seed": 1},
        plots=[],
    ).cells()
    record = run_cell(cells[0].task, tmp_path)
    np.testing.assert_allclose(record["profile"][1], 0.5, rtol=1e-8)  # a prize of 2, over 4
    again = recertify(cells[0].task, tmp_path, record)
    assert again["claim"][1] == record["claim"][1] == "equilibrium"
    np.testing.assert_array_equal(again["regret"][1], record["regret"][1])


@pytest.mark.default
@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=rf"^spending.welfare: {weight!r} must be a finite number$"):
        Design(choices={"prize": [1.0]}, spending={"welfare": weight})


def test_a_capacity_bounds_the_choices_of_every_trial() -> None:
    """The other firm's best response to sales q at a demand of 100 - Q and a cost of 10 is (90 - q)/2."""
    game = rv.games.market(capacity=[20.0, 100.0])
    found = rv.solve(game, Design(choices={"capacity[0]": [10, 20, 29]}, tries=1))
    np.testing.assert_allclose(found.data.trial_profile.values[:, :, 0], [[10, 40], [20, 35], [29, 30.5]])
    assert (found.data.trial_claim == "equilibrium").all()
    slopes = rv.solve(game, rv.methods.ComparativeStatics("capacity[0]"), start=[20.0, 30.0]).data
    np.testing.assert_allclose(slopes.slope.values.ravel(), [1.0, -0.5], atol=1e-9)
    np.testing.assert_allclose(slopes.slope_difference, 0.0, atol=1e-6)
    swept = rv.sweep(game, {"capacity": [10.0, 20.0]}, rv.methods.BestResponse(), start=[5.0, 5.0])
    np.testing.assert_allclose(swept.profile.values[:, :, 0], [[10.0, 10.0], [20.0, 20.0]])
