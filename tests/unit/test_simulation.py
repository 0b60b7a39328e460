"""Simulation of agents with given policies, against the mean field and value iteration."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import rivalry as rv
from rivalry.economies import kernels
from rivalry.economies.learning import crowds, simulation
from rivalry.lab.study import StudyError, build_method
from rivalry.methods import METHODS, Simulation
from rivalry.population import record_of, stationary_population
from rivalry.runtime.jax import put
from tests.chunks import assert_same_in_chunks
from tests.unit.test_agents import table

pytestmark = pytest.mark.slow

SMALL = {"max_karma": 4, "mean_karma": 2, "agents": 10}
MANY = SMALL | {"agents": 30}  # above the limit for bids that depend on own karma


def ran(game: Any, seed: int = 0, **options: Any) -> dict[str, np.ndarray]:
    return {
        name: array for name, (_, array) in rv.solve(game, Simulation(**options), seed=seed).record.items()
    }


def test_rules_without_karma_have_no_policy() -> None:
    for plays in ("coin", "stake", "turn"):
        found = ran(rv.games.karma(**SMALL), plays=plays, evaluation=100)
        assert found["agent_wins"].mean() == 0.5
        assert "policy" not in found
        assert "regret" not in found


@pytest.mark.nightly
def test_exploitability_is_small_in_equilibrium_and_large_if_uniform() -> None:
    game = rv.games.karma(max_karma=3, mean_karma=1.5, agents=100, gamma=0.9)
    found = ran(game, plays="equilibrium", evaluation=20_000, warm_up=500)
    mean_field = record_of(game, put(found["policy"].reshape(8, 4)), None)[0]
    assert mean_field["relative_exploitability"][1] < 1e-4
    # the tolerances allow for a finite population and finitely many steps
    np.testing.assert_allclose(found["efficiency"], mean_field["efficiency"][1], atol=0.01)
    np.testing.assert_allclose(found["bid_distribution"], mean_field["bid_distribution"][1], atol=0.01)
    np.testing.assert_allclose(found["karma_distribution"], mean_field["karma_distribution"][1], atol=0.01)
    assert found["relative_exploitability"] < 2e-3
    assert ran(game, plays="uniform", evaluation=5000)["relative_exploitability"] > 0.05
    assert found["bound"] == np.inf  # nothing is proved for finitely many agents


def test_programs_do_not_depend_on_numbers_of_agents_or_karma(caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"plays": "uniform", "evaluation": 50}
    ran(rv.games.karma(**MANY), **options)
    for more in ({"agents": 26}, {"initial_karma": [0, 4] * 15}):
        with jax.log_compiles():
            ran(rv.games.karma(**(MANY | more)), **options)
    assert not [line for line in caplog.messages if line.startswith("Compiling jit(run)")]


def test_exploitability_matches_value_iteration() -> None:
    game = rv.games.karma(**MANY, gamma=0.9)
    found = ran(game, plays="uniform", evaluation=3000)
    mu, pi = found["karma_distribution"].reshape(-1), found["policy"].reshape(-1, 5)
    reward, chances = table(game, game.environment(put(mu), put(pi))._replace(level=put(found["level"])))
    best, own = np.zeros(10), np.zeros(10)
    for _ in range(600):
        best = np.where(np.asarray(game.legal), reward + 0.9 * chances @ best, -np.inf).max(axis=1)
        own = (pi * (reward + 0.9 * chances @ own)).sum(axis=1)
    np.testing.assert_allclose(found["payoff"], mu @ own, rtol=1e-9)
    np.testing.assert_allclose(found["exploitability"], mu @ (best - own), rtol=1e-8)
    np.testing.assert_allclose(found["regret"], found["exploitability"])


@pytest.mark.nightly
def test_the_measured_level_matches_the_mean_field() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2, agents=100, payment="PBS")
    found = ran(game, plays="all_in", evaluation=4000, warm_up=100)
    there = stationary_population(game, rv.oracles.named_start(game, "all_in"))
    np.testing.assert_allclose(found["level"], there.env.level, atol=0.03)


def test_results_do_not_depend_on_chunks_and_exclude_the_warm_up() -> None:
    game = rv.games.karma(**SMALL)
    learner = Simulation(plays="uniform", evaluation=300, warm_up=50)
    world, seed = learner.world(game), np.random.SeedSequence(3)
    whole = assert_same_in_chunks(learner, game, 1, 48, 2, 100)
    assert whole["clock"][0] == 350
    assert whole["sum_holdings"].sum() == 300 * 10
    short = learner.begin(world, seed)
    learner.advance(world, short, 20)
    assert "efficiency" not in learner.read(world, short)


def test_policies_may_be_names_arrays_or_files(tmp_path: Path) -> None:
    game = rv.games.karma(**SMALL)
    zero = [[[1.0] + [0.0] * k for k in range(5)]] * 2
    (tmp_path / "zero.json").write_text(json.dumps(zero), encoding="utf-8")
    np.save(tmp_path / "zero.npy", np.asarray(rv.oracles.named_start(game, "zero")))
    given = [
        zero,
        "zero",
        str(tmp_path / "zero.json"),
        str(tmp_path / "zero.npy"),
        rv.oracles.named_start(game, "zero"),
    ]
    each = [ran(game, plays=plays, evaluation=50) for plays in given]
    for found in each:
        assert np.array_equal(found["policy"], each[1]["policy"])
        assert np.array_equal(found["agent_reward"], each[1]["agent_reward"])
        assert found["bid_distribution"].tolist() == [1.0, 0, 0, 0, 0]
        assert np.all(np.isfinite(found["exploitability"]))


def test_rules_without_a_mean_field_report_no_exploitability() -> None:
    with pytest.warns(UserWarning, match="burn"):
        game = rv.games.karma(**SMALL, overflow="burn")
    found = ran(game, plays="uniform", evaluation=200)
    assert "efficiency" in found
    assert "exploitability" not in found


def test_metrics_are_reported_per_type() -> None:
    types = [{"share": 0.4, "gamma": 0.5, "name": "meek"}, {"share": 0.6, "urgencies": [2.0, 2.0]}]
    found = ran(rv.games.karma(**SMALL, types=types), plays="uniform", evaluation=200)
    assert found["agent_type"].tolist() == [0] * 4 + [1] * 6
    assert (found["player_name"].tolist(), found["policy"].shape) == (["meek", "type 1"], (2, 2, 5, 5))
    assert found["exploitability"].shape == found["payoff"].shape == (2,)
    np.testing.assert_allclose(found["karma_distribution"].sum(axis=(1, 2)), [0.4, 0.6])


def test_studies_build_a_simulation_by_its_kind() -> None:
    assert "rivalry.economies.learning.simulation:Simulation" in METHODS["simulation"].targets
    game = rv.games.karma(**SMALL)
    assert isinstance(build_method({"kind": "simulation", "plays": "turn"}, game=game), Simulation)
    with pytest.raises(StudyError, match="does not fit this game"):
        build_method({"kind": "simulation"}, game=rv.games.matrix("chicken"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"plays": "dice"}, "plays: 'dice' must be one of equilibrium, uniform"),
        ({"plays": "absent.json"}, "plays: 'absent.json' must be one of"),
        ({"evaluation": 0}, "evaluation: 0 must be at least 1"),
        ({"warm_up": -1}, "warm_up: -1 must be at least 0"),
        ({"beta": 0.0}, "beta: 0 must be above 0"),
        ({"exploration": 1.5}, "exploration: 1.5 must be at most 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Simulation(**options)


def test_invalid_policies_are_refused() -> None:
    game = rv.games.karma(**SMALL)
    with pytest.raises(ValueError, match="bid 3"):
        ran(game, plays=[[[0, 0, 0, 1, 0]] * 5] * 2)
    with pytest.raises(ValueError, match="rows of a policy"):
        ran(game, plays=[[[1.0]], [[1.0], [1.0, 0.0]]])
    with pytest.raises(ValueError, match=r"game: .* must be a population"):
        Simulation().world(rv.games.matrix("chicken"))


# metrics of a simulation


def test_standard_error_is_that_of_the_batch_means() -> None:
    rng = np.random.default_rng(0)
    rewards = rng.normal(size=(100, 4))  # [step agent]
    crowd = crowds.crowd_of(rv.games.karma(max_karma=1, mean_karma=0.5, agents=4))
    sums = np.cumsum(rewards.sum(axis=1))[crowd.batch_ends(100) - 1]
    means = rewards.reshape(crowd.batches, -1).mean(axis=1)
    expected = means.std(ddof=1) / np.sqrt(crowd.batches)
    assert crowds.standard_error(crowd, sums, 100) == pytest.approx(expected, rel=1e-12)


def test_standard_error_of_fewer_steps_than_batches_is_infinite() -> None:
    crowd = crowds.crowd_of(rv.games.karma(max_karma=1, mean_karma=0.5, agents=4))
    steps = crowd.batches - 1
    assert crowds.standard_error(crowd, np.zeros(crowd.batches), steps) == np.inf
    assert crowd.batch_ends(steps)[-1] == steps  # every step is counted


@pytest.mark.parametrize("exploration", [0.1, 0.9])
def test_the_share_of_exploration_is_removed_from_a_policy(exploration: float) -> None:
    policy = np.tril(np.random.default_rng(1).random((2, 5, 5)))
    policy /= policy.sum(axis=-1, keepdims=True)
    even = np.tri(5) / np.arange(1.0, 6)[:, None]
    mixed = (1 - exploration) * policy + exploration * even
    np.testing.assert_allclose(crowds.without_exploration(mixed, exploration), policy, atol=1e-14)


def test_the_measured_policy_weights_agents_by_their_visits() -> None:
    """Agents that never visit a state do not count there; without any visit all count equally."""
    world = crowds.crowd_of(rv.games.karma(max_karma=1, mean_karma=0.5, agents=2, urgencies=[1.0]))
    tallied = kernels.economy.tallies(world.arrays, each=True)
    tallied.each[:, 0, 1], none = [3, 1], np.zeros((world.batches, 1))
    policies = np.array([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    found = crowds.mean_tallies_by_owner(world, tallied, none, policies, np.arange(2), 4)
    np.testing.assert_allclose(found.policy[0, 0], [[1.0, 0.0], [0.75, 0.25]])
    tallied.each[:] = 0
    found = crowds.mean_tallies_by_owner(world, tallied, none, policies, np.arange(2), 4)
    np.testing.assert_allclose(found.policy[0, 0, 1], [0.5, 0.5])


def test_rows_of_a_policy_may_end_at_the_karma_held() -> None:
    short = [[[1], [0.5, 0.5], [0, 0, 1]]]
    padded = simulation._pad_rows(short, 4)
    assert (padded.shape, padded[0, 2].tolist()) == ((1, 3, 4), [0, 0, 1, 0])
    with pytest.raises(ValueError, match="rows of a policy must be lists of numbers"):
        simulation._pad_rows([[1.0], [[0.5, 0.5]]], 2)


def test_unknown_kernels_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'auction'"):
        kernels.auction  # noqa: B018


def test_a_simulation_needs_an_equilibrium_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    even = np.tri(5)[np.arange(10) % 5] / (1 + np.arange(10) % 5)[:, None]
    method = Simulation(plays="equilibrium", beta=3.0)
    world = method.world(rv.games.karma(**SMALL))
    monkeypatch.setattr(simulation, "equilibrium", lambda *_: (even, None, 0.0))
    assert method._policy(world) == (even, 0.0)
    monkeypatch.setattr(simulation, "equilibrium", lambda *_: (even, None, 1e-3))
    words = r"plays: the equilibrium at beta = 3 was not found \(residual 1.0e-03\); give another beta, or"
    with pytest.raises(ValueError, match=f"^{words} a policy$"):
        method._policy(world)


@pytest.mark.parametrize(
    ("plays", "concept"), [("equilibrium", "mean-field logit at beta 3"), ("uniform", "Nash")]
)
def test_the_concept_of_a_simulated_equilibrium_is_that_of_the_continuum(plays: str, concept: str) -> None:
    game = rv.games.karma(max_karma=3, mean_karma=1.5, agents=22, gamma=0.0)
    found = rv.solve(game, Simulation(plays=plays, beta=3.0, evaluation=50))
    assert found.certificate.concept == concept
    assert (found.certificate.residual is not None and found.certificate.residual < 1e-9) == (
        plays == "equilibrium"
    )


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    numbers = np.random.default_rng(2).random((10, 5)) * np.tile(np.tri(5), (2, 1))
    numbers /= numbers.sum(axis=1, keepdims=True)
    np.save(tmp_path / "policy.npy", numbers)
    rows = [row[: 1 + k % 5].tolist() for k, row in enumerate(numbers)]  # up to the karma held
    (tmp_path / "policy.json").write_text(json.dumps(rows))
    world = Simulation(plays="zero").world(rv.games.karma(**SMALL))
    for name in ("policy.npy", "policy.json"):
        found, _ = Simulation(plays=str(tmp_path / name))._policy(world)
        np.testing.assert_allclose(found.reshape(10, 5), numbers, atol=1e-15)
