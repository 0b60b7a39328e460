"""Agents that observe a signal of their peer before bidding: signals, play, learning, and refusals."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.envs.karma import economy_of
from rivalry.economies.karma.keys import ContestKeys
from rivalry.lab.study import StudyError, build_game, build_method
from rivalry.methods import PopulationQLearning, Simulation

SMALL: dict[str, Any] = {"max_karma": 3, "mean_karma": 1.5, "agents": 8, "gamma": 0.9}
REFUSED = "signal: agents who see something of their peers have no mean field here; use 'none'"


def ran(game: Any, learner: Any, seed: int = 0) -> dict[str, np.ndarray]:
    return {name: array for name, (_, array) in rv.solve(game, learner, seed=seed).record.items()}


def test_named_signals_and_tables_of_signals() -> None:
    own, peer = np.indices((4, 4))
    np.testing.assert_array_equal(ContestKeys(signal="karma").signals(3), peer)
    np.testing.assert_array_equal(
        ContestKeys(signal="richer").signals(3), 1 + (peer > own) - 1 * (peer < own)
    )
    for nothing in ("none", np.zeros((4, 4)), [[0] * 4] * 4):
        assert ContestKeys(signal=nothing).signals(3).shape == (0, 0)
    np.testing.assert_array_equal(ContestKeys(signal=(peer > 2).tolist()).signals(3), peer > 2)


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        ("poorer", "signal: 'poorer' is unknown; known: karma, none, richer"),
        ([[0, 1], [1, 0]], r"signal: shape \(2, 2\) must be \(4, 4\): \[own karma\]\[peer's karma\]"),
        ([[0, 1, 0.5, 0]] * 4, r"signal\[0\]\[2\]: 0.5 must be a whole number in 0..15"),
        ([[0, -1, 0, 0]] * 4, r"signal\[0\]\[1\]: -1 must be a whole number in 0..15"),
        ([["a"]], "signal: must be a table of 4 rows of 4 whole numbers"),
    ],
    ids=["word", "shape", "half", "negative", "letters"],
)
def test_wrong_signals_are_refused(signal: Any, message: str) -> None:
    keys = ContestKeys()
    object.__setattr__(keys, "signal", signal)  # past the types, which are checked before
    with pytest.raises(ValueError, match=message):
        keys.signals(3)


@pytest.mark.slow
def test_policies_that_ignore_the_signal_play_as_without_it() -> None:
    plain, seen = (rv.games.karma(**SMALL, signal=how) for how in ("none", "karma"))
    one, two = (ran(game, Simulation(plays="uniform", evaluation=300)) for game in (plain, seen))
    assert two["policy"].shape == (1, 8, 4, 4)
    assert two["private_state"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert two["signal"].tolist() == [0, 1, 2, 3] * 2
    np.testing.assert_array_equal(one["agent_reward"], two["agent_reward"])
    np.testing.assert_array_equal(one["agent_wins"], two["agent_wins"])
    np.testing.assert_allclose(
        one["karma_distribution"], two["karma_distribution"].reshape(1, 2, 4, 4).sum(axis=2)
    )


@pytest.mark.slow
@pytest.mark.parametrize("folded", [False, True], ids=["by signal", "as recorded"])
def test_bids_depend_on_the_signal(folded: bool) -> None:
    """One of two agents has the only unit; it is bid only if the peer has one too, so never."""
    game = rv.games.karma(max_karma=1, mean_karma=0.5, agents=2, signal="karma")
    policy = np.zeros((1, 2, 2, 2, 2))  # [type private signal karma bid]
    policy[..., 0] = 1.0
    policy[:, :, 1, 1] = [0.0, 1.0]
    given = policy.reshape(1, 4, 2, 2) if folded else policy
    found = ran(game, Simulation(plays=given, evaluation=500))
    np.testing.assert_array_equal(found["policy"], policy.reshape(1, 4, 2, 2))
    assert found["bid_distribution"].tolist() == [1.0, 0.0]
    # exactly one agent of a pair has the unit
    law = found["karma_distribution"].reshape(2, 2, 2).sum(axis=0)  # [signal karma]
    np.testing.assert_array_equal(law, [[0.0, 0.5], [0.5, 0.0]])
    assert ran(game, Simulation(plays="all_in", evaluation=500))["bid_distribution"].tolist() == [0.5, 0.5]


def test_wrong_policies_are_refused() -> None:
    game = rv.games.karma(max_karma=1, mean_karma=0.5, agents=2, signal="karma")
    policy = np.full((1, 2, 2, 2, 2), 0.5)
    with pytest.raises(ValueError, match=r"policy puts 0.5 on bid 1 at .*no bid is above karma"):
        ran(game, Simulation(plays=policy, evaluation=10))
    with pytest.raises(ValueError, match="plays: 'equilibrium' is not known: signal: agents who see"):
        ran(game, Simulation(evaluation=10))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*visited fewer than", "ignore:exploitability is not worked out")
def test_learners_have_a_row_for_every_signal() -> None:
    game = rv.games.karma(**SMALL, signal="richer")
    how = {"kind": "parallel", "t_monitor": 60, "t_burn": 20, "sample_every": 4}
    learner = PopulationQLearning(
        training=400,
        epoch=20,
        evaluation=100,
        evaluation_warm_up=10,
        monitor_every=10,
        monitor_steps=50,
        beta=5.0,
        step_size=0.1,
        monitor=how,
    )
    assert "whole = parts, saved between" in rv.check_method(learner, game)
    found = ran(game, learner)
    assert found["last_q"].shape == (1, 8, 2 * 3 * 10)
    assert found["policy"].shape == (1, 6, 4, 4)
    np.testing.assert_allclose(found["policy"].sum(axis=-1), 1.0)
    # no peer has less than zero karma or more than the maximum
    law = found["karma_distribution"].reshape(2, 3, 4).sum(axis=0)  # [signal karma]
    assert law[0, 0] == law[2, 3] == 0
    assert np.all(law[1] > 0)
    assert np.isfinite(found["sampled_greedy"]).all()
    assert "exploitability" not in found


@pytest.mark.slow
def test_learned_values_depend_on_the_signal() -> None:
    """With gamma = 0 and uniform bids of peers, values are loss probabilities, which differ by signal."""
    game = rv.games.karma(max_karma=1, mean_karma=0.5, agents=20, gamma=0.0, urgencies=[1.0], signal="karma")
    learner = PopulationQLearning(
        training=4000, epoch=4000, evaluation=10, monitor_every=0, compare=False, exploration=1.0,
        step_size={"power": 1.0},
    )  # fmt: skip
    with pytest.warns(UserWarning, match="exploitability is not worked out: signal"):
        q = ran(game, learner)["last_q"][0].mean(axis=0).reshape(2, 3)  # [signal, entries (0,0) (1,0) (1,1)]
    # under uniform play a peer with a unit bids it with probability 1/2; without one it bids 0
    expected = [[-1 / 2, -1 / 2, 0.0], [-3 / 4, -3 / 4, -1 / 4]]
    np.testing.assert_allclose(q, expected, atol=5 * 0.5 / np.sqrt(4000 * 20 / 16))


@pytest.mark.slow
@pytest.mark.parametrize(
    "ask",
    [
        lambda game: rv.solve(game, rv.methods.PopulationNewton(), start="uniform"),
        lambda game: rv.population.population_certificate(game, rv.oracles.named_start(game, "uniform")),
    ],
    ids=["solve", "certificate"],
)
def test_mean_field_methods_refuse_signals(ask: Any) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        ask(rv.games.karma(**SMALL, signal="richer"))


def test_scaling_environments_and_odd_numbers_of_agents_refuse_signals() -> None:
    game = rv.games.karma(**SMALL, signal="richer")
    with pytest.raises(ValueError, match="signal: must be 'none': what is seen of peers has units"):
        game.rescale(2)
    with pytest.raises(
        ValueError, match="signal: must be 'none': environments do not show agents their peers"
    ):
        economy_of(game)
    with pytest.raises(ValueError, match="agents: 7 must be even: signal has no value for idle agents"):
        rv.games.karma(max_karma=3, mean_karma=1.0, agents=7, idle="random", signal="richer")


@pytest.mark.slow
def test_studies_may_set_a_signal() -> None:
    table = [[0, 0, 1, 1]] * 4
    game = build_game({"family": "karma", **SMALL, "signal": table})
    np.testing.assert_array_equal(game.signal, table)
    assert isinstance(build_method({"kind": "simulation"}, game=game), Simulation)
    with pytest.raises(StudyError, match="signal"):
        build_game({"family": "karma", **SMALL, "signal": "poorer"})
