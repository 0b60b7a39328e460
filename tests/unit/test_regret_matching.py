"""Tabular learners: regrets recomputed from joint play, known limits, bitwise reproducibility."""

import hashlib

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.oracles import to_finite
from rivalry.families.matrix import Matrix, matrix
from rivalry.methods.finite.fictitious_play import FictitiousPlay
from rivalry.methods.finite.regret_matching import RegretMatching
from rivalry.tables.kernels import draws, sampled_play
from tests.chunks import assert_same_in_chunks
from tests.economies import assert_same_without_compilation

LEARNERS = [RegretMatching(), RegretMatching(regrets="conditional"), FictitiousPlay()]
NAMES = ["unconditional", "conditional", "fictitious"]
RAGGED = np.random.default_rng(5).normal(size=(3, 2, 3, 4)).tolist()


@pytest.fixture
def ragged() -> Matrix:
    return matrix(payoffs=RAGGED)


@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
@pytest.mark.slow
def test_regrets_match_those_of_the_joint_play(learner: object, ragged: Matrix) -> None:
    record = rv.solve(ragged, learner, max_steps=3000, seed=2).record
    joint = record["joint_play"][1].reshape(2, 3, 4)
    np.testing.assert_allclose(joint.sum(), 1.0)
    table = np.asarray(ragged.table)
    for player in range(3):
        np.testing.assert_allclose(
            np.moveaxis(joint, player, 0).sum(axis=(1, 2)),
            record["profile"][1][player, : joint.shape[player]],
        )
        pays, weight = np.moveaxis(table[player], player, 0), np.moveaxis(joint, player, 0)
        gains = [(weight.sum(axis=0) * pays[a]).sum() - (weight * pays).sum() for a in range(len(pays))]
        np.testing.assert_allclose(record["correlated_regret"][1][player], max(0.0, *gains), atol=1e-9)
        swaps = [
            max((w * (other - own)).sum() for other in pays) for w, own in zip(weight, pays, strict=True)
        ]
        np.testing.assert_allclose(record["conditional_regret"][1][player], sum(swaps), atol=1e-9)


@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_results_do_not_depend_on_chunks_or_saving(learner: object, ragged: Matrix) -> None:
    assert_same_in_chunks(learner, ragged, 1, 7, 992, 0, 4000, steps=5000)


def _digest(steps: int) -> str:
    """Return a hash of the whole session; also called in a process without Numba's compiler."""
    found = hashlib.sha256()
    for learner in LEARNERS:
        world = to_finite(matrix(payoffs=RAGGED))
        session = learner.begin(world, np.random.SeedSequence(11))
        learner.advance(world, session, steps)
        for name in sorted(session):
            found.update(session[name].tobytes())
    return found.hexdigest()


@pytest.mark.slow
def test_play_is_identical_without_numba() -> None:
    code = "from tests.unit.test_regret_matching import _digest; print(_digest(400))"
    assert_same_without_compilation(code, least=64)


def test_play_is_determined_by_the_seed(ragged: Matrix) -> None:
    one, two, three = (rv.solve(ragged, LEARNERS[0], max_steps=500, seed=s).profile.values for s in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_dominant_strategies_are_learned(learner: object) -> None:
    found = rv.solve(matrix("public_goods", players=3), learner, max_steps=20_000)
    np.testing.assert_allclose(found.profile[:, 0], 1.0, atol=2e-3)
    assert found.claim == "approximate equilibrium"  # empirical play includes the random first periods
    assert float(found.certificate.regret.max()) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_zero_sum_play_approaches_equilibrium(learner: object) -> None:
    game = matrix(payoffs=[[[2, -1], [-1, 1]], [[-2, 1], [1, -1]]])
    found = rv.solve(game, learner, max_steps=400_000, seed=4)
    np.testing.assert_allclose(found.profile, [[0.4, 0.6], [0.4, 0.6]], atol=0.03)
    assert float(found.data.correlated_regret.max()) < 0.06


@pytest.mark.slow
def test_only_conditional_regrets_vanish_in_shapleys_game() -> None:
    game = matrix("shapley")
    simple, conditional, fictitious = (rv.solve(game, m, max_steps=500_000, seed=1) for m in LEARNERS)
    for found in (simple, conditional, fictitious):
        assert float(found.data.correlated_regret.max()) < 0.02
    assert float(conditional.data.conditional_regret.max()) < 0.04
    assert float(simple.data.conditional_regret.max()) > 0.05
    # Shapley 1964: fictitious play cycles away from the unique equilibrium
    assert float(fictitious.certificate.regret.max()) > 0.05


def test_histories_are_log_spaced_and_end_at_the_last_step() -> None:
    found = rv.solve(matrix("chicken"), RegretMatching(), max_steps=1000, seed=0)
    step, curve = found.record["regret_step"][1], found.record["regret_curve"][1]
    assert (step[0], step[-1]) == (1, 1000)
    assert np.all(np.diff(step) > 0)
    assert len(step) == len(curve) < 60
    np.testing.assert_allclose(curve[-1], found.data.correlated_regret.max(), atol=1e-12)
    np.testing.assert_allclose(found.record["path"][1][-1], found.profile)
    np.testing.assert_allclose(found.record["path"][1].sum(axis=2), 1.0)
    assert (found.status, found.steps) == ("completed", 1000)


def test_weights_of_the_learning_rules() -> None:
    """One player's weights by hand: regrets 3, 0 and -1 after playing action 1 for 2 periods."""
    learner, weights = RegretMatching(), np.zeros(3)
    session = learner.begin(learner.world(matrix("rock_paper_scissors")), np.random.SeedSequence(0))
    own = sampled_play.Matching(*(session[name] for name in sampled_play.Matching._fields))
    own.clock[0], own.last[0], own.earned[0], own.would[0] = 2, 1, 1.0, [4.0, 1.0, 0.0]
    own.swaps[0, 1] = [3.0, 0.0, -1.0]
    args = (0, 3, np.array([6.0, 6.0]), own, weights)
    sampled_play._weigh(sampled_play.MATCHING, *args)
    assert weights.tolist() == [3.0, 0.0, 0.0]
    sampled_play._weigh(sampled_play.CONDITIONAL, *args)
    assert weights.tolist() == [0.25, 0.75, 0.0]
    sampled_play._weigh(sampled_play.FICTITIOUS, *args)
    assert weights.tolist() == [1.0, 0.0, 0.0]


def test_actions_are_sampled_in_proportion_to_weights() -> None:
    stream = draws.stream(np.random.SeedSequence(0))
    weights = np.array([1.0, 0.0, 3.0])
    drawn = [sampled_play._sample(weights, 3, weights.sum(), stream) for _ in range(4000)]
    assert drawn.count(1) == 0
    assert abs(drawn.count(2) / 4000 - 0.75) < 4 * (0.75 * 0.25 / 4000) ** 0.5


def test_a_game_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        rv.solve({"not": "a world"}, RegretMatching(), max_steps=1)


@pytest.mark.slow
@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_the_first_actions_are_those_of_the_start(learner: object, ragged: Matrix) -> None:
    for actions in ((0, 2, 3), (1, 0, 1)):
        record = rv.solve(ragged, learner, max_steps=1, seed=3, start=ragged.pure(*actions)).record
        np.testing.assert_array_equal(record["profile"][1], ragged.pure(*actions))
    half = np.array([[0.5, 0.5, 0, 0], [0, 0, 1, 0], [0.25, 0, 0, 0.75]])
    runs = (rv.solve(ragged, learner, max_steps=1, seed=seed, start=half) for seed in range(80))
    drawn = [run.record["profile"][1] for run in runs]
    np.testing.assert_allclose(np.mean(drawn, axis=0), half, atol=0.2)
    assert not np.mean(drawn, axis=0)[half == 0].any()


@pytest.mark.representative
def test_fictitious_play_goes_on_from_its_start() -> None:
    """Best responses to the past in NumPy: 200 periods of a game without ties."""
    game = matrix(payoffs=[[[3.0, 0.1], [1.0, 2.0]], [[2.0, 0.3], [0.2, 1.1]]])
    table, counts = np.asarray(game.table), np.zeros((2, 2))
    counts[0, 1] = counts[1, 0] = 1
    for _ in range(199):
        chosen = int(np.argmax(table[0] @ counts[1])), int(np.argmax(counts[0] @ table[1]))
        counts[0, chosen[0]] += 1
        counts[1, chosen[1]] += 1
    found = rv.solve(game, FictitiousPlay(), max_steps=200, start=game.pure(1, 0))
    np.testing.assert_allclose(found.profile, counts / 200)


@pytest.mark.slow
def test_a_start_of_a_continuous_game_is_a_grid_point() -> None:
    game = rv.games.influencer(reach=[0.2, 0.2])
    learner = RegretMatching(action_grid=5)
    found = rv.solve(game, learner, max_steps=1, start=[[0.25], [1.0]])
    np.testing.assert_allclose(found.data.mean_profile.values.ravel(), [0.25, 1.0])
    with pytest.raises(ValueError, match=r"start\[0\]: \[0.3\] is off the grid; the nearest grid point is"):
        rv.solve(game, learner, max_steps=1, start=[[0.3], [1.0]])
