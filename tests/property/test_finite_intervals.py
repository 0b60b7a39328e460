"""No word without a finite interval that holds its own estimate: NaN and infinity decide nothing."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.audit.measures import Measures, Reaction, SampleMean, Versus
from rivalry.audit.verdict import PUNISHED, UNDECIDED, verdict
from rivalry.core.results import COVERAGES, Certificate
from rivalry.lab.checks import _verdict, _within
from rivalry.plots.branches import claims_of_rows
from rivalry.plots.select import DrawnPoint
from rivalry.runtime.jax import jnp

NO_NUMBERS = (np.nan, np.inf, -np.inf)
GOOD = {"equilibrium", "approximate equilibrium", "small estimated gain", "local equilibrium"}
SMALL = {
    "regret": np.array([1e-9, 0.0]),
    "bound": np.array([1e-8, 0.0]),
    "tolerance": np.array([1e-6, 1e-6]),
    "at_stake": np.array([1.0, 1.0]),
    "error": np.array([1e-8, 1e-8]),
}


def certificate(coverage: Any, **fields: Any) -> Certificate:
    """A certificate of these numbers."""
    parts = {name: value for name, value in fields.items() if name not in ("regret", "bound", "tolerance")}
    return Certificate(fields["regret"], fields["bound"], coverage, "", fields["tolerance"], **parts)


@pytest.mark.parametrize("coverage", COVERAGES)
def test_a_small_gain_is_called_small(coverage: str) -> None:
    """Otherwise the other tests of this file would hold of a claim that decides nothing."""
    fields = SMALL if coverage == "estimated" else {name: SMALL[name] for name in [*SMALL][:-1]}
    assert certificate(coverage, **fields).claim in GOOD


@pytest.mark.parametrize("coverage", COVERAGES)
def test_no_claim_of_an_equilibrium_rests_on_what_is_no_number(coverage: str) -> None:
    """A gain, a bound or a tolerance that is no finite number, of any player, decides nothing in favour."""
    estimated = coverage == "estimated"
    names = ["regret", "tolerance", "error" if estimated else "bound"]
    fields = SMALL if estimated else {name: SMALL[name] for name in [*SMALL][:-1]}
    for name, value, player in itertools.product(names, NO_NUMBERS, range(2)):
        planted = fields[name].copy()
        planted[player] = value
        claim = certificate(coverage, **{**fields, name: planted}).claim
        is_search = name == "bound" and claim in ("local equilibrium", "no deviation found")
        assert claim not in GOOD or is_search, (name, value, player, claim)
        assert claim != "no deviation found" or is_search, (name, value, player)


@pytest.mark.parametrize("stake", NO_NUMBERS)
def test_no_gain_is_small_beside_an_unknown_stake(stake: float) -> None:
    fields = {"regret": np.array([0.5]), "bound": np.array([0.5]), "tolerance": np.array([1e-6])}
    words = certificate("tight", **fields, at_stake=np.array([stake]))
    assert words.claim == "not an equilibrium"
    assert words.largest_gain == np.inf


def test_a_bound_below_the_regret_bounds_nothing() -> None:
    fields = {"regret": np.array([0.5]), "bound": np.array([0.0]), "tolerance": np.array([1e-6])}
    assert certificate("tight", **fields, at_stake=np.array([1.0])).claim == "not an equilibrium"
    fields["regret"] = np.array([5e-3])
    assert certificate("tight", **fields, at_stake=np.array([1.0])).claim == "not an equilibrium"


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_no_comparison_agrees_with_what_is_no_number(number: float) -> None:
    assert _verdict(1.0, 0.1, number)[0] != "agrees"
    assert _verdict(0.0, number, 5.0)[0] != "agrees"
    assert _verdict(0.0, None, number)[0] != "agrees"
    if np.isnan(number):
        assert _verdict(number, 0.1, 1.0)[0] != "agrees"
        assert _within([0.0, 1.0], number)[0] not in ("agrees", "differs")


SURE = SampleMean(0.8, 0.01, 9)
ITSELF = Versus("itself", SURE, SURE, SURE)
CUT = Reaction(1, SURE, SURE, SURE, SURE, SURE, SURE, np.zeros((3, 3)), 0.5, 1)
MEASURES = Measures([ITSELF], [CUT], CUT, [], 0.0, "itself", 0.0, (0.8, 0.8), 9, 10, False, False, 1.0)


def _planted() -> Iterator[Measures]:
    """Measures with one mean or width that is no number."""
    for number in (np.nan, np.inf):
        broken = SampleMean(number, 0.01, 9)
        for name in ("price", "profit"):
            yield MEASURES._replace(versus=[ITSELF._replace(**{name: broken})])
        for name in ("excess", "excess_loss"):
            yield MEASURES._replace(reactions=[CUT._replace(**{name: broken})])
        yield MEASURES._replace(halves=(0.8, number))
    yield MEASURES._replace(versus=[ITSELF._replace(price=SampleMean(0.8, np.nan, 9))])


def test_no_audit_decides_on_what_is_no_number() -> None:
    assert verdict(MEASURES).word == PUNISHED
    for measures in _planted():
        assert verdict(measures).word == UNDECIDED


class Holed:
    """A game of two whose payoffs are no number at some profiles."""

    space = rv.Box.interval(0.1, 0.9, players=2)

    def __init__(self, hole: str, number: float) -> None:
        self.hole, self.number = hole, number

    def payoffs(self, x: Any) -> Any:
        own = x[:, 0]
        pays = -((own - 0.5) ** 2) + 0.1 * own * own[::-1]
        holes = {
            "everywhere": own > 0.0,
            "one player": jnp.array([True, False]),
            "at the profile": jnp.abs(own - 5 / 9) < 0.05,
            "at deviations": own > 0.7,
            "jointly": own + own[::-1] > 1.3,
        }
        return jnp.where(holes[self.hole], self.number, pays)


HOLES = ("everywhere", "one player", "at the profile", "at deviations", "jointly")
AT_REST = [[5 / 9], [5 / 9]]  # where the derivative of both payoffs together vanishes
EQUILIBRIUM = 10 / 19  # where own derivatives vanish


@pytest.mark.slow
@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("hole", HOLES)
def test_no_game_has_an_equilibrium_where_payoffs_are_no_numbers(hole: str, number: float) -> None:
    """A search may miss deviations; a proof or a method that converged may not."""
    game = Holed(hole, number)
    certificate = rv.certificate(game, AT_REST)
    assert certificate.claim not in ("equilibrium", "approximate equilibrium"), certificate
    at_profile = hole in ("everywhere", "one player", "at the profile")
    assert not at_profile or certificate.claim in ("not decided", "not an equilibrium")
    for method in (rv.methods.Evaluate(), rv.methods.GradientAscent(), rv.methods.Newton()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            solution = rv.solve(game, method, AT_REST)
        # nobody gains by what costs without limit
        is_ruin = number == -np.inf and hole in ("at deviations", "jointly")
        if not is_ruin or np.abs(solution.profile.values - EQUILIBRIUM).max() > 1e-6:
            assert solution.claim not in ("equilibrium", "approximate equilibrium")
        is_number = np.all(np.isfinite(solution.payoff.values))
        assert is_number or solution.status != "converged", (method, solution.status)
        assert is_number or solution.end_state is None


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("name", ["branch_regret", "branch_payoff"])
def test_no_point_of_a_branch_is_certified_by_what_is_no_number(name: str, number: float) -> None:
    """A point whose gain or payoff is no number; the other points keep their claim."""
    good = {
        "branch_parameter": np.array([0.0, 1.0]),
        "branch_regret": np.zeros((2, 2)),
        "branch_payoff": np.ones((2, 2)),
    }
    planted = good[name].copy()
    planted[0, 1] = number
    claims = claims_of_rows(DrawnPoint(good | {name: planted}, ""))
    assert claims.tolist()[1] == "no deviation found"
    assert claims.tolist()[0] in ("not decided", "not an equilibrium")
    assert np.isposinf(number) or claims.tolist()[0] == "not decided"
