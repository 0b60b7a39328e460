"""Payoffs in JavaScript against those of the package."""

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import rivalry as rv
from rivalry.living.twins import numbers, sliders, twin_data
from tests.living.javascript import run_module

PROFILES = 10_000
slow = pytest.mark.slow

influencer, market, race = rv.games.influencer, rv.games.market, rv.games.race
bimodal = {"resource": "bimodal"}
GAMES: dict[str, Any] = {
    "gaussian": lambda: influencer(reach=[0.1, 0.2, 0.3], budgets=[1.0, 2.0, 0.5], **bimodal),
    "normalised": lambda: influencer(reach=[0.1, 0.3], normalised=True, third_party="b + 0.1", **bimodal),
    "abstention": lambda: influencer(reach=[0.2, 0.3], abstention=3.0, **bimodal),
    "power_law": lambda: influencer(kernel="power_law", exponent=[1.0, 2.5], **bimodal),
    "simplex": lambda: influencer(space="simplex", reach=[0.2, 0.3, 0.4]),
    "dirichlet": lambda: influencer(space="simplex", kernel="dirichlet", alpha=[2.0, 5.0]),
    "blotto": lambda: influencer(space="simplex", kernel="blotto", exponent=[1.0, 0.7]),
    "cournot": lambda: market(unit_cost=[10.0, 20.0], fixed_cost=3.0, convex_cost=0.2),
    "bertrand": lambda: market(choice="price", players=3),
    "outputs": lambda: market(demand="differentiated", tax=0.3, unit_cost=5.0),
    "logit": lambda: market(demand="logit", quality=[2.0, 2.3], players=2),
    "race": lambda: race(scale_penalty=[0.5, 0.7], disaster_cost=[1.0, 3.0]),
    "risky_race": lambda: race(
        contest={"kind": "ratio", "decisiveness": 0.5, "ease_of_winning": 0.4},
        players=3,
        no_winner=0.3,
        liability=0.2,
    ),
    "matrix": lambda: rv.games.matrix(*np.random.default_rng(3).normal(size=(3, 2, 3, 4)).tolist()),
}


def profiles(game: Any, count: int) -> np.ndarray:
    """Random profiles, of amounts that may grow large only below 10 at zero, one and more."""
    rng = np.random.default_rng(7)
    space = game.space
    if isinstance(space, rv.Simplex):
        drawn = rng.dirichlet(np.ones(space.shape[1]), size=(count, space.shape[0])) * np.asarray(space.mask)
        drawn = 0.97 * drawn / drawn.sum(axis=-1, keepdims=True)
        mask = np.asarray(space.mask)
        return np.asarray(drawn + 0.03 * mask / mask.sum(axis=1, keepdims=True))
    low, high = np.asarray(space.low), np.asarray(space.high)
    high = np.minimum(high, 10.0) if space.reparametrised else high
    drawn = rng.uniform(low, high, size=(count, *space.shape))
    # bounds, where formulas have their special cases
    return np.where(rng.random(drawn.shape) < 0.02, low, drawn)


QUICK = ("gaussian", "matrix")
CASES = [name if name in QUICK else pytest.param(name, marks=slow) for name in GAMES]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_payoffs_are_those_of_the_package(name: str, tmp_path: Path) -> None:
    game = GAMES[name]()
    x = profiles(game, PROFILES)
    expected = np.asarray(jax.jit(jax.vmap(game.payoffs))(x))
    body = """
      const twin = twinOf(given.game);
      return given.x.map((x) => [Array.from(twin.payoffs(x)), x.map((own, k) => twin.deviation(x, k)(own))]);
    """
    found = np.array(run_module(tmp_path, body, {"game": twin_data(game), "x": x.tolist()}), dtype=float)
    defined = np.isfinite(expected)
    assert defined.mean() > 0.9
    size = np.maximum(np.abs(expected), np.abs(expected[defined]).max())
    for values in (found[:, 0], found[:, 1]):
        assert np.max(np.abs(values - expected)[defined] / size[defined]) < 1e-12


@pytest.mark.slow
def test_parameters_of_the_state_change_the_twin(tmp_path: Path) -> None:
    game, x = influencer(reach=[0.2, 0.3], **bimodal), [[0.3], [0.8]]
    other = influencer(reach=[0.15, 0.4], **bimodal)
    body = "return Array.from(twinOf(given.game, { reach: [0.15, 0.4] }).payoffs(given.x));"
    found = run_module(tmp_path, body, {"game": twin_data(game), "x": x})
    assert found == pytest.approx(np.asarray(other.payoffs(other.space.check(x))).tolist(), rel=1e-12)
    assert [one["key"] for one in sliders(game)] == ["reach"]


def test_log_gamma_is_that_of_the_standard_library(tmp_path: Path) -> None:
    z = np.geomspace(1e-3, 1e5, 500).tolist()
    found = run_module(tmp_path, "return given.map(logGamma);", z)
    expected = [math.lgamma(one) for one in z]
    assert np.max(np.abs(np.subtract(found, expected)) / np.maximum(np.abs(expected), 1.0)) < 1e-14


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param("cournot", marks=slow), pytest.param("logit", marks=slow), "gaussian"]
)
def test_best_responses_are_those_of_the_package(name: str, tmp_path: Path) -> None:
    game = GAMES[name]()
    low, high = np.asarray(game.space.low)[:, 0], np.asarray(game.space.high)[:, 0]
    x = np.random.default_rng(5).uniform(low, high)[:, None]
    body = """
      const twin = twinOf(given.game);
      return given.x.map((_, k) => {
        const f = twin.deviation(given.x, k);
        const [low, high] = [given.low[k], given.high[k]];
        const grid = Array.from({ length: 401 }, (_, j) => low + ((high - low) * j) / 400);
        return bestOf((s) => f([s]), grid);
      });
    """
    given = {"game": twin_data(game), "x": x.tolist(), "low": low.tolist(), "high": high.tolist()}
    for player, found in enumerate(run_module(tmp_path, body, given)):
        response = rv.best_response(game, game.space.check(x), player)
        assert found["value"] == pytest.approx(response.payoff, rel=1e-9)
        assert found["at"] == pytest.approx(float(response.strategy[0]), abs=1e-4 * (high - low)[player])


@pytest.mark.slow
def test_searches_on_the_simplex_find_the_closed_form(tmp_path: Path) -> None:
    body = """
      const f = (s) => given[0] * Math.log(s[0]) + given[1] * Math.log(s[1]) + given[2] * Math.log(s[2]);
      const best = bestOnSimplex(f, lattice(16, 0.01), 0.01, 1 / 16);
      return [best.at, project([0.9, 0.3, -0.4], 0.05)];
    """
    at, projected = run_module(tmp_path, body, [0.2, 0.3, 0.5])
    assert at == pytest.approx([0.2, 0.3, 0.5], abs=1e-5)
    space = rv.Simplex((3,), 0.05)
    assert projected == pytest.approx(np.asarray(space.project(np.array([[0.9, 0.3, -0.4]])))[0].tolist())


@pytest.mark.parametrize(
    "make",
    [
        lambda: influencer(kernel="custom", influence="exp(-abs(b - x))", players=2),
        lambda: influencer(players=2, covariance=[[0.04]]),
        lambda: market(demand="isoelastic", low=0.01),
        lambda: market(demand="differentiated", choice="price"),
        lambda: market(tax=0.3, tax_losses="none"),
        lambda: market(shock={"kind": "iid", "levels": [-0.2, 0.2]}),
        lambda: race(horizon=2),
        lambda: race(horizon="inf", gamma=0.9, contest={"kind": "ratio", "ease_of_winning": 0.5}),
        lambda: race(risk="additive"),
        lambda: race(cost={"kind": "quadratic", "safety_price_slope": 0.1}),
        lambda: race(no_winner="disaster"),
        object,
    ],
    ids=range(12),
)
def test_other_forms_have_no_data(make: Any) -> None:
    game = make()
    assert twin_data(game) is None
    assert sliders(game) == []


def test_infinities_are_not_written() -> None:
    assert numbers(np.inf) is None
