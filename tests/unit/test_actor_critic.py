"""Actor-critics against exact best responses, Stackelberg equilibria and gradients computed by hand."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.families.matrix import matrix
from rivalry.methods import ActorCritic
from rivalry.methods.continuous import rollouts
from rivalry.runtime.jax import jax, jnp, put
from tests.chunks import assert_same_in_chunks
from tests.small_games import cournot

pytestmark = pytest.mark.mostly_slow

SEED = np.random.SeedSequence(6)
ZERO = rollouts.zero_networks(features=3, hidden=5, axes=2)
PLAN = rollouts.RolloutPlan((), (), ZERO, *map(put, (0.01, 1.0, 1, 1)))


def learned(game: Any, learner: ActorCritic, seed: int = 0) -> Any:
    """Return the data of a run without a certificate."""
    return rv.solve(game, learner, seed=seed, tolerance=None).data


@pytest.mark.parametrize("rival", [0.0, 20.0, 60.0, 85.0])
def test_a_firm_finds_the_best_response_to_a_fixed_rival(rival: float) -> None:
    """``(90 - rival)/2``, within 1 % or, where it is small, within a thousandth of the box."""
    found = learned(rv.games.market(), ActorCritic(roles=["learns", {"kind": "fixed", "choice": rival}]))
    best = (90 - rival) / 2
    assert abs(float(found.learned_choice[0, 0]) - best) <= max(0.01 * best, 0.1)
    assert float(found.best_response_distance[0]) == pytest.approx(
        abs(float(found.learned_choice[0, 0]) - best)
    )
    assert float(found.learned_choice[1, 0]) == rival


@pytest.mark.nightly
def test_best_responses_with_logit_and_isoelastic_demand() -> None:
    """Logit: the first-order condition ``p = c + mu/(1 - s)``; isoelastic, in a box of ten thousand units."""
    logit = rv.games.market(demand="logit", unit_cost=[1.0, 1.2])
    found = learned(logit, ActorCritic(roles=["learns", {"kind": "fixed", "choice": 1.6}]))
    p = float(found.learned_choice[0, 0])
    worth = np.exp((2 - np.array([p, 1.6])) / 0.25)
    reply = 1 + 0.25 / (1 - worth[0] / (worth.sum() + 1))
    assert p == pytest.approx(reply, rel=0.005)
    iso = rv.games.market(demand="isoelastic")
    found = learned(iso, ActorCritic(roles=["learns", {"kind": "fixed", "choice": 1000.0}]))
    q = float(found.learned_choice[0, 0])
    marginal = 100 * (q + 1000) ** -0.5 * (1 - q / (2 * (q + 1000)))
    assert marginal == pytest.approx(1.0, rel=0.01)


@pytest.mark.nightly
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.95, 0.99])
def test_a_leader_with_an_exact_follower_finds_the_equilibrium(gamma: float) -> None:
    """45 and 22.5, profits 1012.5 and 506.25, whatever the discount."""
    game = rv.games.market(stages=[[0], [1]], gamma=gamma)
    found = rv.solve(game, ActorCritic(roles=["learns", "oracle"]))
    np.testing.assert_allclose(found.data.learned_choice.values.ravel(), [45.0, 22.5], rtol=0.01)
    np.testing.assert_allclose(found.data.learned_payoff, [1012.5, 506.25], rtol=0.02)
    np.testing.assert_array_equal(found.profile, found.data.learned_choice[:1])
    assert float(found.certificate.regret[0]) < 0.001 * 1012.5
    assert float(found.data.best_response_distance[1]) < 1e-9


@pytest.mark.nightly
def test_exact_followers_respond_to_each_other() -> None:
    """One leader and two followers: 45, and ``(90 - 45)/3`` each."""
    game = rv.games.market(players=3, stages=[[1], [0, 2]])
    learner = ActorCritic(roles=["oracle", "learns", "oracle"], batch=8, updates=1200)
    np.testing.assert_allclose(learned(game, learner).learned_choice[:, 0], [15.0, 45.0, 15.0], rtol=0.02)


def test_two_learners_without_memory_find_the_cournot_equilibrium() -> None:
    found = rv.solve(cournot(2), ActorCritic())
    np.testing.assert_allclose(found.profile.values.ravel(), [3.0, 3.0], rtol=0.02)


def test_with_memory_total_output_lies_between_cartel_and_cournot() -> None:
    """Total output is not at the bounds of the box and not above the Cournot output of 60."""
    for seed in range(3):
        found = learned(rv.games.market(), ActorCritic(observation="last"), seed)
        assert 45 < float(found.learned_choice.sum()) < 61


def test_the_discount_factor_has_no_effect_without_memory() -> None:
    """Observations do not depend on past actions, so the critic's value is a constant."""
    low, high = (
        learned(rv.games.market(), ActorCritic(gamma=g, updates=200)).learned_choice for g in (0.0, 0.9)
    )
    np.testing.assert_allclose(low, high, rtol=1e-5)


@pytest.mark.nightly
def test_exact_players_are_at_equilibrium_and_random_players_are_uniform() -> None:
    found = learned(rv.games.market(), ActorCritic(roles="oracle", updates=3))
    np.testing.assert_allclose(found.learned_choice[:, 0], [30.0, 30.0], rtol=1e-9)
    drawn = learned(rv.games.market(), ActorCritic(roles="random", updates=128, batch=50))
    means = drawn.learning_choice.values[..., 0]  # each is a mean of 200 draws
    assert means.shape == (128, 2)
    np.testing.assert_allclose(means.mean(axis=0), 50.0, atol=5 * 100 / np.sqrt(12 * 200 * 128))
    np.testing.assert_allclose(means.std(axis=0), 100 / np.sqrt(12 * 200), rtol=0.4)
    assert np.isnan(drawn.deviation.values).all()


def test_results_do_not_depend_on_chunks_or_saving() -> None:
    learner = ActorCritic(updates=40, batch=8, observation="last", roles=["learns", "random"])
    assert_same_in_chunks(learner, rv.games.market(), 1, 0, 7, 99)
    world = learner.world(rv.games.market())
    other = learner.begin(world, np.random.SeedSequence(7))
    assert not np.array_equal(other["weights"], learner.begin(world, SEED)["weights"])


def test_policies_start_at_a_given_profile() -> None:
    learner = ActorCritic()
    world = learner.world(rv.games.market(high=[80.0, 50.0]))
    session = learner.begin_at(world, SEED, np.array([[12.0], [49.0]]))
    np.testing.assert_allclose(learner.read(world, session)["profile"][1].ravel(), [12.0, 49.0], rtol=1e-9)


def test_observations_of_stages_and_memory() -> None:
    """Observe this period's choices of earlier stages, and with memory last period's, scaled to [-1, 1]."""
    before, x = jnp.array([[0.0], [25.0], [50.0]]), jnp.array([[100.0], [75.0], [40.0]])
    game = rv.games.market(players=3, stages=[[1], [0, 2]])
    seen = {
        memory: rollouts.features(ActorCritic(observation=memory).world(game).play, before, x)
        for memory in ("none", "last")
    }
    now = np.array([[0, 0.5, 0], [0, 0, 0], [0, 0.5, 0]])
    np.testing.assert_allclose(seen["none"], np.hstack([now, np.zeros((3, 3))]), atol=1e-15)
    np.testing.assert_allclose(seen["last"], np.hstack([now, np.tile([-1, -0.5, 0], (3, 1))]), atol=1e-15)


def _numpy_network(row: np.ndarray, x: np.ndarray, outputs: int) -> np.ndarray:
    h, f = 5, 3
    inner, bias = row[: h * f].reshape(h, f), row[h * f : h * f + h]
    rest = row[h * f + h :]
    outer = rest[: outputs * h].reshape(outputs, h)
    return np.asarray(outer @ np.tanh(inner @ x + bias) + rest[outputs * h :])


@pytest.mark.parametrize("realised", [False, True])
@pytest.mark.nightly
def test_loss_gradients_agree_with_finite_differences(realised: bool) -> None:
    """Central differences of the advantage-weighted mean log probability and of half the squared error.

    Advantages and targets are computed in NumPy and held fixed.
    """
    draw = np.random.default_rng(1)
    actor, critic = 5 * 4 + 4 * 6, 5 * 4 + 6  # two means, two deviations; one value
    row = draw.normal(size=actor + critic) / 2
    seen, drawn = draw.normal(size=(3, 4, 3)), draw.normal(size=(2, 4, 2))
    payoff, discount = draw.normal(size=(2, 4)), 0.7
    given = [jnp.asarray(one) for one in (seen, drawn, payoff, discount, realised)]
    slopes = np.asarray(jax.grad(lambda r: rollouts._player_loss(PLAN, r, *given))(jnp.asarray(row)))

    def values(r: np.ndarray) -> np.ndarray:
        return np.array([[_numpy_network(r[actor:], x, 1)[0] for x in line] for line in seen])

    held = values(row)
    late = (1 - discount) * payoff[1] + discount * held[2]
    early = (1 - discount) * payoff[0] + discount * (late if realised else held[1])
    target = np.stack([early, late])
    above = target - held[:-1]
    above = (above - above.mean()) / above.std()

    def descended(r: np.ndarray) -> float:
        out = np.array([[_numpy_network(r[:actor], x, 4) for x in line] for line in seen[:-1]])
        mean, deviation = out[..., :2], 0.01 + np.exp(out[..., 2:])
        chance = -((drawn - mean) ** 2) / (2 * deviation**2) - np.log(deviation)
        return float(-(above * chance.sum(axis=-1)).mean() + ((target - values(r)[:-1]) ** 2).mean() / 2)

    step = 1e-6
    moved = [
        (descended(row + step * one) - descended(row - step * one)) / (2 * step) for one in np.eye(len(row))
    ]
    np.testing.assert_allclose(slopes, moved, rtol=1e-5, atol=1e-6)


@pytest.mark.nightly
def test_updates_are_steps_of_adam() -> None:
    """A first step of Adam is the rate times the sign of the slope; the second is computed by NumPy."""
    learner = ActorCritic(rate=0.01, updates=2, batch=8)
    world = learner.world(rv.games.market())
    session = learner.begin(world, SEED)
    start = session["weights"]
    learner.advance(world, session, 1)
    moved = np.abs(session["weights"] - start)
    assert moved.any()
    np.testing.assert_allclose(moved[moved > 0], 0.01, rtol=1e-3)
    first, second, middle = session["first"], session["second"], session["weights"]
    learner.advance(world, session, 1)
    slopes = (session["first"] - 0.9 * first) / 0.1
    np.testing.assert_allclose(session["second"], 0.999 * second + 0.001 * slopes**2, rtol=1e-9, atol=1e-15)
    # half the rate, and moments without their bias (Kingma and Ba, algorithm 1)
    expected = session["first"] / (1 - 0.9**2) / (np.sqrt(session["second"] / (1 - 0.999**2)) + 1e-8)
    np.testing.assert_allclose(session["weights"] - middle, -0.005 * expected, rtol=1e-9, atol=1e-15)


def test_the_initial_policy_does_not_depend_on_the_observation() -> None:
    learner = ActorCritic(deviation=0.3, min_deviation=0.01, hidden=4)
    world = learner.world(rv.games.market(players=3, high=[10.0, 20.0, 40.0]))
    session = learner.begin_at(world, SEED, np.array([[1.0], [10.0], [30.0]]))
    rows = jnp.asarray(session["weights"])
    for seen in np.random.default_rng(2).normal(size=(3, 3, 6)):
        mean, deviation = jax.vmap(world.plan.policy)(rows, jnp.asarray(seen))
        # logistic(mean) is the share of the box
        np.testing.assert_allclose(mean[:, 0], np.log([1 / 9, 1.0, 3.0]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(deviation, 0.3, rtol=1e-12)
        values = [
            world.plan.networks(row).critic(jnp.asarray(one)) for row, one in zip(rows, seen, strict=True)
        ]
        np.testing.assert_array_equal(values, 0.0)


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": 0.0}, "rate: 0 must be above 0"),
        ({"deviation": 0.05, "min_deviation": 0.1}, "deviation: 0.05 must be above min_deviation = 0.1"),
        ({"batch": 1}, "batch: 1 must be at least 2"),
        ({"gamma": [0.5, 1.0]}, r"gamma\[1\]: 1 must be below 1"),
        ({"roles": ["learns", {"kind": "fixd"}]}, r"roles\[1\]: 'fixd' is unknown; did you mean 'fixed'"),
        ({"roles": {"kind": "fixed"}}, "roles.choice: is missing"),
    ],
    ids=["rate", "deviation", "batch", "gamma", "role", "choice"],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ActorCritic(**options)


@pytest.mark.default
def test_options_that_do_not_fit_the_game_are_refused() -> None:
    with pytest.raises(ValueError, match="roles: 3 given; must be one for all, or 2"):
        ActorCritic(roles=["learns"] * 3).world(rv.games.market())
    with pytest.raises(ValueError, match=r"roles\[1\].choice: 120.0 must be in the box .* of player 1"):
        ActorCritic(roles=["learns", {"kind": "fixed", "choice": 120.0}]).world(rv.games.market())
    with pytest.raises(ValueError, match="timing: 'alternating' must be"):
        ActorCritic().world(rv.games.market(timing="alternating"))
    assert not fits(ActorCritic, matrix("stag_hunt"))
