"""Claims of certificates: tolerances in units of payoff at stake, approximate equilibria, storage."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.certificates.certify import certificate, certificates
from rivalry.core.batched_games import Together
from rivalry.core.claims import CERTIFIED, CLAIMS, COVERAGES, ClaimFacts
from rivalry.core.results import Certificate, collect
from rivalry.core.space import Box
from rivalry.core.tolerances import TOLERANCE
from rivalry.lab.answer import Answer
from rivalry.lab.report.page import certificate_groups
from rivalry.living.figure import stored_answer
from rivalry.plots import scenario
from rivalry.population import population_certificate
from rivalry.runtime.jax import jnp
from tests.road_population import two_routes


class Quadratic(eqx.Module):
    """Every player's payoff is ``height (1 - (x - 1/2)^2) + level``, whatever the others do."""

    height: Any
    level: Any

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        return self.height * (1 - (x[:, 0] - 0.5) ** 2) + self.level


def quadratic(height: float, level: float = 0.0) -> Quadratic:
    return Quadratic(jnp.array([height, 1.0]), jnp.array([level, 0.0]))


class Entry:
    """Two firms choose outputs, at a fixed cost of a positive one; only the first can sell above its cost."""

    space = Box.interval(0.0, 100.0, players=2)

    def payoffs(self, x: Any) -> Any:
        q = x[:, 0]
        price = jnp.maximum(100 - jnp.sum(q), 0.0)
        return q * (price - jnp.array([10.0, 200.0])) - jnp.where(q > 0, 50.0, 0.0)


@pytest.mark.slow
def test_a_monopoly_beside_a_firm_that_sells_nothing_is_an_equilibrium() -> None:
    assert certificate(Entry(), [[45.0], [0.0]]).claim == "equilibrium"


@pytest.mark.slow
def test_an_infinite_gain_is_within_no_tolerance() -> None:
    class Reward(eqx.Module):
        space = Box.interval(0.0, 1.0, players=1)

        def payoffs(self, x: Any) -> Any:
            return -jnp.log(x[:, 0])

    found = certificate(Reward(), [[0.5]])
    assert (found.claim, found.regret[0]) == ("not an equilibrium", np.inf)
    assert np.isfinite(found.tolerance)
    assert found._replace(tolerance=np.inf).claim == "not an equilibrium"


@pytest.mark.representative
@pytest.mark.parametrize("height", [1e-9, 1.0, 1e9])
def test_the_tolerance_scales_with_the_payoff_at_stake(height: float) -> None:
    proof = certificate(quadratic(height), jnp.array([[0.5 + 1e-4], [0.5]]))
    np.testing.assert_allclose(proof.at_stake, [height / 4, 1 / 4], rtol=1e-12)
    np.testing.assert_allclose(proof.tolerance, TOLERANCE * proof.at_stake, rtol=1e-6)
    # the gain is 1e-8 of the height, independently of the other player's payoffs
    assert proof.claim == "equilibrium"
    assert certificate(quadratic(height), jnp.array([[0.5 + 1e-1], [0.5]])).claim == "not an equilibrium"


def test_a_large_payoff_constant_does_not_hide_gains() -> None:
    proof = certificate(quadratic(1.0, level=1e6), jnp.array([[0.6], [0.5]]))
    assert proof.regret[0] == pytest.approx(1e-2, rel=1e-4)
    assert proof.claim == "not an equilibrium"


def test_a_ruinous_strategy_does_not_hide_gains() -> None:
    table = [[[1.0, 0.31], [0.31, 1.0], [-2e6, -2e6]], [[1.0, 0.31], [0.31, 1.0], [0.5, 0.5]]]
    game = rv.games.matrix(payoffs=table)
    assert certificate(game, game.pure(1, 0)).claim == "not an equilibrium"  # each forgoes 0.69
    assert certificate(game, game.pure(0, 0)).claim == "equilibrium"


@pytest.mark.slow
def test_a_race_with_a_large_disaster_cost() -> None:
    race = rv.games.race(disaster_cost=2e6)
    proof = certificate(race, race.space.check([[0.7, 1e-20]] * 2))
    assert proof.regret.max() > 0.5  # the prize is 1
    assert np.all(proof.tolerance < 1e-3)
    assert proof.claim == "not an equilibrium"


@pytest.mark.slow
def test_a_third_party_that_takes_nearly_the_whole_resource() -> None:
    game = rv.games.influencer(reach=[0.1, 0.1], third_party=[1e6] * 100)
    proof = certificate(game, game.space.check([0.001, 0.999]))
    assert proof.regret.max() > 0.5 * float(game.payoffs(jnp.array([[0.001], [0.999]])).max())
    assert proof.claim == "not an equilibrium"
    assert certificate(game, game.space.check([0.5, 0.5])).claim == "equilibrium"  # too weak to compete


def made(regret: float, bound: float, coverage: Any = "tight", stake: float | None = 1.0) -> Certificate:
    at_stake = None if stake is None else np.array([stake, 1.0])
    return Certificate(
        np.array([regret, 0.0]), np.array([bound, 0.0]), coverage, "search", np.array([1e-6, 1e-6]), at_stake
    )


@pytest.mark.parametrize(
    ("proof", "claim"),
    [
        (made(0.0, 1e-7), "equilibrium"),
        (made(0.0, 1e-9, "bounded"), "equilibrium"),
        (made(0.1, np.inf, "lower bound"), "not an equilibrium"),
        (made(1e-3, 2e-3), "approximate equilibrium"),
        (made(0.0, 2e-3), "approximate equilibrium"),
        (made(1e-3, 2e-2), "not an equilibrium"),
        (made(1e-3, 2e-3, stake=None), "not an equilibrium"),
        (made(0.0, np.inf, "lower bound"), "no deviation found"),
        (made(0.0, 2e-2, "bounded"), "no deviation found"),
        (made(0.0, np.inf, "local"), "local equilibrium"),
        (made(np.nan, 0.0), "not decided"),
        (made(np.nan, np.inf), "not decided"),
    ],
)
def test_the_claim_is_the_strongest_that_regret_and_bound_allow(proof: Certificate, claim: str) -> None:
    assert proof.claim == claim
    assert claim in repr(proof)
    assert claim in CLAIMS
    assert (claim in CERTIFIED) == (claim == "equilibrium")
    if proof.rounding not in ("exact", "outward"):
        assert "proved" not in repr(proof)


def test_approximate_equilibria_are_printed_with_their_bound() -> None:
    proof = made(1e-3, 2e-3)
    words = "approximate equilibrium: no gain above 0.2 % of what a player's own choice changes"
    assert proof.facts.statement == words
    assert words in repr(proof)


def test_exact_is_said_of_rational_arithmetic_alone() -> None:
    for coverage in COVERAGES:
        assert "exact" not in ClaimFacts("equilibrium", gain=0.0, bound=1.0, coverage=coverage).line


def test_what_is_proved_not_to_exist_is_named() -> None:
    none = rv.solve(rv.games.matrix("matching_pennies"), rv.methods.PureEquilibria())
    assert (none.status, none.claim) == ("none exists", "none exists")
    assert repr(none).splitlines()[0] == "Solution: none exists after 2 steps"
    assert "no equilibrium in pure strategies, proved" in repr(none)
    assert "no equilibrium in pure strategies, proved" in none._repr_html_()
    # no strategy of rock, paper and scissors is evolutionarily stable (Maynard Smith 1982)
    words = repr(rv.solve(rv.games.matrix("rock_paper_scissors"), rv.methods.EvolutionaryStability()))
    assert "no evolutionarily stable strategy, proved" in words


@pytest.mark.slow
def test_a_player_without_an_effect_leaves_an_equilibrium() -> None:
    game = rv.games.continuous(payoffs=["q*(3 - q - t)", "t*(3 - q - t)", "0*s"], choices=["q", "t", "s"])
    assert certificate(game, [[1.0], [1.0], [0.5]]).claim == "equilibrium"


@pytest.mark.slow
def test_a_small_gain_near_a_mixed_equilibrium_is_explained() -> None:
    """Inspection game: at (p, q) player 0 is paid 2.5 + (2p - 1)(2q - 1), and own choice moves |2q - 1|."""
    matrix = rv.games.matrix([[3.5, 1.5], [1.5, 3.5]], [[1.5, 3.5], [3.5, 1.5]])
    mixed = rv.certificate(matrix, [[0.5, 0.5], [0.5025, 0.4975]])
    assert (
        mixed.facts.statement
        == "approximate equilibrium: no gain above 0.25 % of what a player's own choice changes"
    )
    effect = (
        "(2*p - 1)*(2*q - 1)"  # of a box the rivals' choices at which own choice changes more are not known
    )
    game = rv.games.continuous(payoffs=[f"2.5 + {effect}", f"2.5 - {effect}"], choices=["p", "q"])
    near = rv.solve(game, rv.methods.Evaluate(), start=[[0.5], [0.5025]])
    np.testing.assert_allclose(near.certificate.regret, [0.005, 0.0], atol=1e-12)
    words = "0.2 % of the payoff, but more than another choice would lose while the others stay"
    assert (near.claim, words in repr(near)) == ("not an equilibrium", True)
    assert words in near._repr_html_()
    far = rv.solve(game, rv.methods.Evaluate(), start=[[1.0], [1.0]])
    assert (far.claim, "while the others stay" in repr(far)) == ("not an equilibrium", False)


def test_a_stored_certificate_is_read_back_unchanged() -> None:
    proof = made(1e-3, 2e-3)._replace(rounding="floating point", concept="logit at beta 10", residual=1e-12)
    back = Certificate.from_record(proof.record())
    assert back is not None
    assert repr(back) == repr(proof)
    assert (back.claim, back.concept, back.residual) == (proof.claim, proof.concept, 1e-12)
    np.testing.assert_array_equal(back.at_stake, proof.at_stake)


def test_stored_certificates_without_stakes_are_read() -> None:
    old = {name: made(0.0, 1e-7).record()[name] for name in ("regret", "bound", "coverage")}
    old |= {"certificate_method": ((), np.asarray("grid")), "tolerance": ((), np.asarray(1e-4))}
    back = Certificate.from_record(old)
    assert (back.claim, back.tolerance, back.at_stake, back.concept) == ("equilibrium", 1e-4, None, "Nash")


def test_nothing_is_decided_where_a_gain_is_not_a_number() -> None:
    unknown = np.array([np.nan, 0.0])
    for coverage in ("tight", "lower bound", "local"):
        proof = Certificate(unknown, np.full(2, np.inf), coverage, "search", 1e-6)  # type: ignore[arg-type]
        assert proof.claim == proof.facts.statement == "not decided"
        assert repr(proof).startswith("not decided: largest gain unknown, no bound")
        assert Certificate.from_record(proof.record()).claim == "not decided"
        # a gain of another player refutes an equilibrium whatever the first could gain
        assert proof._replace(regret=np.array([np.nan, 1.0])).claim == "not an equilibrium"
    assert CLAIMS[0] == "not decided"


@pytest.mark.slow
def test_the_certificate_of_a_population_is_that_of_a_policy() -> None:
    economy = rv.games.karma(payment="PBS", max_karma=6, mean_karma=3)
    policy = rv.oracles.named_start(economy, "uniform")
    found, same = rv.certificate(economy, policy), population_certificate(economy, policy)
    np.testing.assert_array_equal(found.regret, same.regret)
    assert found.claim == same.claim == "not an equilibrium"
    roads = two_routes()
    assert rv.certificate(roads, [[0.5, 0.5]]).claim == "equilibrium"
    with pytest.raises(ValueError, match=r"^policy"):
        rv.certificate(roads, [[0.5, 0.5, 0.5]])
    with pytest.raises(ValueError, match=r"^proof: must be False for a population"):
        rv.certificate(roads, [[0.5, 0.5]], proof=True)


def test_a_game_without_payoffs_of_profiles_is_refused_in_one_line() -> None:
    words = "game: City has no payoffs of profiles; rivalry.solve certifies the policies of agents in play"
    with pytest.raises(ValueError, match=f"^{words}$"):
        certificate(rv.games.city(network="plain_3x3", agents=64, capacity=2), [[0.5]])  # type: ignore[arg-type]


def test_other_concepts_are_not_judged_as_nash_equilibria_wherever_results_are_shown() -> None:
    def found(name: str) -> dict[str, Any]:
        return {
            "status": ((), np.asarray("converged")),
            "turnout": ((), np.asarray(1.0)),
            "profile": (("player", "axis"), np.array([[0.5], [0.5]])),
            "payoff": (("player",), np.ones(2)),
            **made(0.3, 0.3)._replace(concept=name, residual=1e-9).record(),
        }

    for name, word in (("logit at beta 2", "logit equilibrium at beta 2"), ("Nash", "not an equilibrium")):
        cells = [({"reach": x, "algorithm": "a"}, found(name)) for x in (0.1, 0.2)]
        data = collect(cells, {"reach": [0.1, 0.2], "algorithm": ["a"]})
        about = {"game": {"family": "none"}, "method": [{"name": "a", "kind": "newton"}], "expect": []}
        answer = Answer(about, data)
        assert [one.claim for one in answer.points] == [word] * 2
        assert [group["claim"] for group in certificate_groups(answer.cells)] == [word]
        assert stored_answer(found(name))["claim"] == word  # type: ignore[index]
        marks = scenario(data, quantities="turnout").get_legend_handles_labels()[1]
        assert f"hollow: {word}" in marks


SHOWING = ("plots", "living", "web", "lab/report", "lab/export.py", "lab/bins.py")
"""Modules that show results."""


CURVES = [1.0, 2.5]


class Peak(eqx.Module):
    """A player's payoff is ``height (1 - c (x - peak)^2)``, less the other's choice times its own."""

    height: Any
    peak: Any
    row: Any  # of c in a table: a whole number, which is part of the program of a proof

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        own = self.height * (1 - jnp.array(CURVES)[self.row[0]] * (x[:, 0] - self.peak) ** 2)
        return own - x[:, 0] * x[::-1, 0]


def test_certificates_of_games_side_by_side_are_those_of_each_alone() -> None:
    random = np.random.default_rng(3)
    rows = [0, 0, 1, 0, 1, 0]
    games = [
        Peak(jnp.array(random.uniform(1, 9, 2)), jnp.array(random.random(2)), np.array([row])) for row in rows
    ]
    profiles = random.random((len(games), 2, 1))
    together = certificates(Together(games), profiles, 1e-6)
    for game, x, proof in zip(games, profiles, together, strict=True):
        alone = certificate(game, x)
        np.testing.assert_allclose(proof.regret, alone.regret, rtol=1e-9)
        np.testing.assert_allclose(proof.bound, alone.bound, rtol=1e-9)
        assert (proof.claim, proof.coverage, proof.method) == (alone.claim, alone.coverage, alone.method)
        choices = np.linspace(0, 1, 10_001)
        for player in range(2):
            pays = np.asarray(game.height)[player] * (
                1 - CURVES[game.row[0]] * (choices - float(game.peak[player])) ** 2
            ) - choices * float(x[1 - player, 0])
            gain = pays.max() - float(game.payoffs(jnp.asarray(x))[player])
            assert gain - 1e-9 <= proof.regret[player] <= gain + 1e-6


def test_gains_in_many_cournot_markets_are_those_of_the_formula_whatever_markets_are_beside() -> None:
    random = np.random.default_rng(4)
    intercepts, costs = random.uniform(80, 120, 32), random.uniform(5, 20, (32, 2))
    games = [
        rv.games.market(intercept=intercept, unit_cost=cost.tolist())
        for intercept, cost in zip(intercepts, costs, strict=True)
    ]
    outputs = random.uniform(10, 40, (32, 2, 1))
    together = certificates(Together(games, 16), outputs, 1e-6)
    q = outputs[..., 0]
    margin = intercepts[:, None] - costs - q[:, ::-1]
    gain = (margin / 2) ** 2 - (margin - q) * q
    for row, proof in enumerate(together):
        np.testing.assert_allclose(proof.regret, gain[row], rtol=1e-9, atol=1e-9)
        assert np.all(proof.bound >= gain[row] - 1e-9)
        assert np.all(proof.bound <= gain[row] + 1e-6 * np.asarray(proof.at_stake))
    order = np.concatenate([np.arange(8), np.arange(24, 32)])
    others = certificates(Together([games[k] for k in order], 16), outputs[order], 1e-6)
    for row, proof in zip(order, others, strict=True):
        np.testing.assert_array_equal(proof.bound, together[row].bound)


@pytest.mark.slow
def test_words_of_claims_come_from_one_place_wherever_results_are_shown() -> None:
    package = Path(rv.__file__).parent
    files = [path for name in SHOWING for path in (package / name).rglob("*.py")]
    files += [package / name for name in SHOWING if name.endswith(".py")]
    words = [word for word in (*CLAIMS, "no certificate") if word != "equilibrium"]
    found = []
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in documents else ""
            found += [f"{path.name}:{node.lineno}" for word in words if text == word]
    for path in (package / "living" / "static").rglob("*.js"):
        script = path.read_text(encoding="utf-8")
        # as a key of a table of colours alone
        found += [f"{path.name}: {word}" for word in words[:-1] if re.search(f'"{word}"(?! *:)', script)]
    assert not found
