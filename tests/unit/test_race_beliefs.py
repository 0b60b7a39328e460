"""Races in which players hold wrong beliefs about parameters."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.study.points import apply_changes, flat
from rivalry.runtime.jax import jax

CAUTIOUS = [{"safety_productivity": 5.0}, {}]


@pytest.mark.slow
def test_payoffs_are_believed_and_realised_payoffs_are_true() -> None:
    game = rv.games.race(
        scale_penalty=[0.5, 0.7],
        beliefs=[{"safety_productivity": 5.0, "risk": "additive"}, {"contest": {"ease_of_winning": 0.5}}],
    )
    x = game.inputs(safety_input=[1.0, 0.4], performance_input=[2.0, 0.6])
    true = rv.games.race(scale_penalty=[0.5, 0.7])
    minds = [
        rv.games.race(scale_penalty=[0.5, 0.7], safety_productivity=5.0, risk="additive"),
        rv.games.race(scale_penalty=[0.5, 0.7], contest={"ease_of_winning": 0.5}),
    ]
    measured = rv.oracles.metrics(game, x)
    expected = [mind.payoffs(x)[i] for i, mind in enumerate(minds)]
    np.testing.assert_allclose(game.payoffs(x), expected, rtol=1e-14)
    np.testing.assert_allclose(measured["believed"][1], expected, rtol=1e-14)
    np.testing.assert_allclose(measured["realised"][1], true.payoffs(x), rtol=1e-14)
    assert measured["p_safe"][1] == rv.oracles.metrics(true, x)["p_safe"][1]


def test_true_parameters_change_for_all_players_that_believe_them() -> None:
    game = rv.with_(rv.games.race(beliefs=CAUTIOUS), safety_productivity=[20.0, 20.0], scale_penalty=0.9)
    assert [race.safety_productivity.tolist() for race in game.believed_races()] == [[5.0, 5.0], [20.0, 20.0]]
    assert game.perceived_race(0).scale_penalty.tolist() == [0.9, 0.9]
    assert (
        game.perceived_race(0).performance_productivity.tolist()
        == game.true.performance_productivity.tolist()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "cost", [{"price": 0.2}, "certification", {"kind": "penalty", "fine": 0.3, "price": 0.4}]
)
def test_parameters_derived_from_a_believed_key_are_believed(cost: Any) -> None:
    game = rv.games.race(beliefs=[{"cost": cost}, {}])
    x = game.inputs(safety_input=[1.0, 0.4], performance_input=[2.0, 0.6])
    np.testing.assert_array_equal(game.payoffs(x)[0], rv.games.race(cost=cost).payoffs(x)[0])
    np.testing.assert_array_equal(game.payoffs(x)[1], rv.games.race().payoffs(x)[1])


def test_a_study_can_sweep_one_believed_parameter() -> None:
    table = {"family": "race", "beliefs": [{"safety_productivity": 5.0}, {}]}
    changes = flat({"game.beliefs[0].safety_productivity": 2.0, "game.beliefs[1].scale_penalty": 0.4})
    changed, _ = apply_changes(table, [], changes)
    assert changed["beliefs"] == [{"safety_productivity": 2.0}, {"scale_penalty": 0.4}]


@pytest.mark.parametrize(("keys", "said"), [
    ({"beliefs": [{}, {}, {}]}, "beliefs: 3 tables for 2 players"),
    ({"beliefs": [{"AA": 1.0}, {}]}, "beliefs\\[0\\].AA: is no argument of race"),
    ({"beliefs": [{"A": 1.0}, {}]}, "beliefs\\[0\\].A: is called safety_productivity here$"),
    ({"beliefs": [{}, {"r_s": 1.0}]}, "beliefs\\[1\\].r_s: is called cost.safety_price here$"),
    ({"beliefs": [{}, {"cost": {"r_s": 1.0}}]}, "beliefs\\[1\\].cost.r_s: is called safety_price here$"),
    ({"beliefs": [{}, {"horizon": 2}]}, "beliefs\\[1\\].horizon: is the same for all players"),
    ({"beliefs": [{"liability": [1.0, -2.0]}, {}]}, "beliefs\\[0\\].liability\\[1\\]: -2 must be at least 0"),
])  # fmt: skip
def test_errors_name_the_wrong_belief(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        rv.games.race(**keys)


@pytest.mark.slow
def test_descriptions_follow_from_the_true_and_believed_races() -> None:
    """One player believes in a larger disaster, the other in a threshold of the cost."""
    beliefs = [{"disaster_cost": 4.0}, {"cost": {"kind": "penalty", "fine": 0.1}}]
    game = rv.games.race(beliefs=beliefs)
    start = np.asarray(rv.oracles.named_start(game, "moderate"))
    np.testing.assert_array_equal(start, np.ones((2, 2)))
    assert rv.oracles.discontinuity(game) == "cost = 'penalty'"
    assert float(rv.oracles.payoff_scale(game)) == 5.0
    assert rv.oracles.labels(game).axes == ("safety_input", "performance_input")
    assert rv.oracles.validate_parameter(game, "prize", -1.0) == ""
    assert rv.oracles.validate_parameter(game, "scale_penalty", -1.0) == "must be at least 0"
    assert "player 0 believes otherwise of disaster_cost" in repr(game)


@pytest.mark.slow
def test_own_gradients_are_those_of_the_believed_race() -> None:
    game = rv.games.race(beliefs=CAUTIOUS)
    x = game.inputs(safety_input=[1.0, 0.4], performance_input=[2.0, 0.6])
    found = np.asarray(rv.oracles.gradients(game, x))
    step = 1e-5
    for player in range(2):
        deviate = rv.oracles.deviation_payoff(game, x, player)
        for axis in range(2):
            ends = [float(deviate(x[player].at[axis].add(side * step))) for side in (1, -1)]
            assert found[player, axis] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


@pytest.mark.nightly
@pytest.mark.parametrize("believed", [5.0, 0.1])
def test_equilibria_of_believed_payoffs_are_proved_and_those_of_true_ones_are_not(believed: float) -> None:
    game = rv.games.race(beliefs=[{"safety_productivity": believed}, {}])
    found = rv.solve(game, rv.methods.BestResponse(damping=0.5), "moderate")
    proof = rv.certificate(game, found.profile, proof=True)
    assert (proof.claim, proof.coverage, proof.rounding) == ("equilibrium", "proved", "outward")
    assert proof.radius is not None
    assert proof.radius < 1e-11
    # neither game has the other's equilibrium
    truth = rv.solve(rv.games.race(), rv.methods.BestResponse(), "moderate").profile
    apart = float(np.abs(found.profile - truth).max())
    for other, x in ((rv.games.race(), found.profile), (game, truth)):
        wrong = rv.certificate(other, x, proof=True)
        assert wrong.claim in ("approximate equilibrium", "not an equilibrium")
        assert wrong.radius is None or wrong.radius >= apart - 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "beliefs", [CAUTIOUS, [{"cost": {"kind": "quadratic", "safety_price_slope": 0.1}}, {}]]
)
def test_every_form_of_a_believed_payoff_is_that_of_the_believed_race(beliefs: list[dict[str, Any]]) -> None:
    """Beliefs about numbers, which are one program for all players, and about the kind of a cost."""
    game = rv.games.race(beliefs=beliefs)
    x = game.inputs(safety_input=[1.0, 0.4], performance_input=[2.0, 0.6])
    assert (game.stacked_races() is not None) == (beliefs is CAUTIOUS)
    traced = jax.jit(lambda player, own: rv.oracles.deviation_payoff(game, x, player)(own))
    program = jax.jit(lambda player: rv.oracles.best_response(game, x, player)[:2])
    for player, race in enumerate(game.believed_races()):
        right = float(race.payoffs(x)[player])
        assert float(game.payoffs(x)[player]) == pytest.approx(right, rel=1e-12)
        assert float(traced(player, x[player])) == pytest.approx(right, rel=1e-12)
        strategy, payoff, _ = rv.oracles.best_response(race, x, player)
        for found, paid in (program(player), rv.oracles.compiled_response(game, x, player)):
            np.testing.assert_allclose(found, strategy, rtol=1e-6)
            assert float(paid) == pytest.approx(float(payoff), rel=1e-10)


def test_a_threshold_is_one_of_the_believed_races() -> None:
    """The key of the threshold is no belief, so that it is in the true race alone."""
    cost = {"kind": "relative_certification", "certified_price": 0.01, "margin": [0.4, -0.5]}
    game = rv.games.race(cost=cost, beliefs=CAUTIOUS)
    assert rv.oracles.discontinuity(game) == "cost = 'relative_certification'"
    with pytest.raises(ValueError, match="gradients mislead"):
        rv.solve(game, rv.methods.GradientAscent())
