"""Learners on tables: plain recursions, regrets of the joint play, bounds, known limits and equal bits."""

import hashlib
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.core.oracles import to_finite
from rivalry.families.matrix import Matrix, matrix
from rivalry.methods import FictitiousPlay, Hedge, RegretMatching, SoftmaxPolicyGradient
from rivalry.methods.finite.table_learners import softmax
from rivalry.tables.kernels import draws, learn
from tests.chunks import assert_same_in_chunks
from tests.economies import assert_same_without_compilation

LEARNERS = [RegretMatching(), RegretMatching(regrets="conditional"), FictitiousPlay()]
NAMES = ["unconditional", "conditional", "fictitious"]
RAGGED = np.random.default_rng(5).normal(size=(3, 2, 3, 4))


@pytest.fixture
def ragged() -> Matrix:
    return matrix(payoffs=RAGGED.tolist())


def _plain(push: Any, steps: int, rate: float) -> list[np.ndarray]:
    """The recursion of three players, with loops and one array per player."""
    logits = [np.zeros(n) for n in (2, 3, 4)]
    for _ in range(steps):
        pi = [np.exp(row) / np.exp(row).sum() for row in logits]
        pays = [
            np.einsum("abc,b,c->a", RAGGED[0], pi[1], pi[2]),
            np.einsum("abc,a,c->b", RAGGED[1], pi[0], pi[2]),
            np.einsum("abc,a,b->c", RAGGED[2], pi[0], pi[1]),
        ]
        logits = [row + rate * push(p, u) for row, p, u in zip(logits, pi, pays, strict=True)]
    return [np.exp(row) / np.exp(row).sum() for row in logits]


@pytest.mark.parametrize(
    ("learner", "push"),
    [(Hedge(eta=0.3), lambda pi, u: u), (SoftmaxPolicyGradient(rate=0.3), lambda pi, u: pi * (u - pi @ u))],
    ids=["hedge", "policy_gradient"],
)
def test_updates_match_a_plain_recursion(learner: Any, push: Any, ragged: Matrix) -> None:
    world = learner.world(ragged)
    session = learner.begin(world, np.random.SeedSequence(0))
    assert learner.advance(world, session, 40) == 40
    found = learner.read(world, session)["profile"][1]
    for player, expected in enumerate(_plain(push, 40, 0.3)):
        np.testing.assert_allclose(found[player, : len(expected)], expected, rtol=1e-12)
        assert np.all(found[player, len(expected) :] == 0)


@pytest.mark.slow
def test_average_play_of_a_zero_sum_game_attains_its_value() -> None:
    """The value of [[2, -1], [-1, 1]] is 1/5, at 2/5 and 3/5; the last iterates cycle around it."""
    game = matrix(payoffs=[[[2, -1], [-1, 1]], [[-2, 1], [1, -1]]])
    eta, rounds = 0.02, 5000
    found = rv.solve(game, Hedge(eta=eta, rounds=rounds, play="average"))
    bound = np.log(2) / (eta * rounds) + eta * 3**2 / 8
    assert float(found.data.correlated_regret.max()) <= bound
    assert float(found.certificate.regret.max()) <= 2 * bound
    np.testing.assert_allclose(found.payoff, [0.2, -0.2], atol=2 * bound)
    np.testing.assert_allclose(found.profile, [[0.4, 0.6], [0.4, 0.6]], atol=0.02)
    curve, step = found.record["regret_curve"][1], found.record["regret_step"][1]
    assert np.all(curve <= np.log(2) / (eta * step) + eta * 9 / 8)
    np.testing.assert_array_equal(found.data.average_play, found.profile)


def test_the_profile_is_the_last_mixture_or_on_request_the_average() -> None:
    game = matrix(payoffs=[[[2, 0], [0, 1]], [[0, 1], [2, 0]]])
    last, mean = (rv.solve(game, Hedge(rounds=50, play=play)) for play in ("last", "average"))
    np.testing.assert_array_equal(last.data.average_play, mean.profile)
    assert np.abs(last.profile.values - mean.profile.values).max() > 1e-3


SAMPLED = SoftmaxPolicyGradient(gradient="sampled", rate=0.05, rounds=4000, batch=3)


@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_results_do_not_depend_on_chunks_or_saving(learner: Any, ragged: Matrix) -> None:
    assert_same_in_chunks(learner, ragged, 1, 7, 992, 0, 4000, steps=5000)


@pytest.mark.parametrize(
    "learner", [Hedge(), SoftmaxPolicyGradient(), SAMPLED], ids=["hedge", "exact", "sampled"]
)
@pytest.mark.slow
def test_results_of_logits_do_not_depend_on_chunks(learner: Any, ragged: Matrix) -> None:
    assert_same_in_chunks(learner, ragged, 1, 7, 92, 0, 200, steps=300)


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
def test_sampled_updates_are_exact_in_expectation(late: bool, ragged: Matrix) -> None:
    """One update from a large batch against the exact one, within five standard errors."""
    batch = 200_000
    learner = SoftmaxPolicyGradient(gradient="sampled", rate=1.0, batch=batch)
    session = learner.begin(to_finite(ragged), np.random.SeedSequence(1))
    session["logits"] = np.random.default_rng(2).normal(size=(3, 4))
    if late:  # after earlier rounds, whose mean payoff is the baseline
        session["earned"][:], session["clock"][:] = [0.4, -0.2, 0.1], 1
    pi = [
        np.exp(row[:n]) / np.exp(row[:n]).sum() for row, n in zip(session["logits"], (2, 3, 4), strict=True)
    ]
    before = session["logits"].copy()
    learner.advance(to_finite(ragged), session, 1)
    pays = np.einsum("abc,a,b->c", RAGGED[2], pi[0], pi[1])
    np.testing.assert_allclose(
        (session["logits"] - before)[2],
        pi[2] * (pays - pi[2] @ pays),
        atol=5 * np.abs(RAGGED).max() / np.sqrt(batch),
    )


@pytest.mark.slow
def test_sampled_learners_find_dominant_strategies() -> None:
    found = rv.solve(matrix("prisoners_dilemma"), SAMPLED, seed=2)
    assert found.profile.values[:, 1].min() > 0.95
    again, other = (rv.solve(matrix("prisoners_dilemma"), SAMPLED, seed=s) for s in (2, 3))
    np.testing.assert_array_equal(again.profile, found.profile)
    assert not np.array_equal(other.profile, found.profile)


@pytest.mark.slow
@pytest.mark.parametrize(
    "learner",
    [
        pytest.param(Hedge(action_grid=5, eta=0.2, rounds=400), marks=pytest.mark.nightly),
        FictitiousPlay(action_grid=5),
    ],
    ids=["hedge", "fictitious_play"],
)
def test_continuous_games_are_played_on_an_action_grid(learner: Any) -> None:
    """Two influencers of reach 0.3 on 0, 1/4, .., 1: the middle is iteratively dominant."""
    game = rv.games.influencer(reach=[0.3, 0.3], resource="bimodal")
    assert fits(type(learner), game)
    found = rv.solve(game, learner, max_steps=3000, seed=1)
    assert found.record["mixture"][0] == ("player", "action")
    assert found.profile.values[:, 2].min() > 0.98
    np.testing.assert_allclose(found.data.mean_profile, 0.5, atol=0.02)
    assert np.all(found.data.regret.values >= found.data.grid_regret.values - 1e-12)
    assert "against mixtures" in found.certificate.method
    assert found.record["path"][0] == ("step", "player", "axis")
    assert found.record["path"][1].shape[1:] == (2, 1)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Hedge(eta=0.0), "eta: 0 must be above 0"),
        (lambda: Hedge(eta=[1.0, -1.0]), r"eta\[1\]: -1 must be above 0"),
        (lambda: Hedge(rounds=0), "rounds: 0 must be at least 1"),
        (lambda: Hedge(action_grid=1), "action_grid: 1 must be a whole number of at least 2"),
        (lambda: Hedge(action_grid={"kind": "log"}), "action_grid.from: is missing"),
        (lambda: SoftmaxPolicyGradient(batch=0), "batch: 0 must be"),
    ],
)
def test_options_out_of_range_are_refused(made: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made()


def test_options_per_player_must_match_the_number_of_players() -> None:
    with pytest.raises(ValueError, match="eta: 3 numbers must be 2, one per player"):
        rv.solve(matrix("chicken"), Hedge(eta=[1.0, 1.0, 1.0]))


def test_probabilities_do_not_depend_on_the_level_of_logits() -> None:
    logits, sizes = np.array([[1.0, 2.0, 9.0], [0.0, -1.0, 1.0]]), np.array([2, 3])
    expected = np.exp(logits) * [[1, 1, 0], [1, 1, 1]]
    expected /= expected.sum(axis=1, keepdims=True)
    for level in (0.0, 800.0, -800.0):
        np.testing.assert_allclose(softmax(logits + level, sizes), expected, rtol=1e-12)


@pytest.mark.parametrize("learner", [Hedge(), FictitiousPlay()])
def test_external_regret_ignores_actions_that_a_player_lacks(learner: Any, ragged: Matrix) -> None:
    session = learner.begin(learner.world(ragged), np.random.SeedSequence(0))
    session["clock"][:] = 4
    session["would"][:] = [[3.0, 1.0, 99.0, 99.0], [0.0, -2.0, 1.0, 99.0], [-1.0, -2.0, -3.0, -4.0]]
    session["earned"][:] = [1.0, 1.0, 0.0]
    # player 2 would have lost with every action: its regret is 0
    regrets = learner.read(learner.world(ragged), session)["correlated_regret"][1]
    np.testing.assert_allclose(regrets, [0.5, 0.0, 0.0])


@pytest.mark.parametrize("play", ["last", "average"])
def test_play_that_never_left_its_start_is_warned_of(play: str) -> None:
    """Shapley's game: uniform play is the equilibrium, and the start. One payoff moves it."""
    table = np.array([[[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]], dtype=float)
    with pytest.warns(UserWarning, match="play never left its uniform start"):
        rested = rv.solve(rv.games.matrix(*table), Hedge(rounds=20, play=play))
    assert "remedy" in rested.record
    table[0, 0, 2] = 1.5
    assert "remedy" not in rv.solve(rv.games.matrix(*table), Hedge(rounds=20, play=play)).record


@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
@pytest.mark.slow
def test_regrets_match_those_of_the_joint_play(learner: Any, ragged: Matrix) -> None:
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


def _digest(steps: int) -> str:
    """Return a hash of the whole session; also called in a process without Numba's compiler."""
    found = hashlib.sha256()
    for learner in LEARNERS:
        world = to_finite(matrix(payoffs=RAGGED.tolist()))
        session = learner.begin(world, np.random.SeedSequence(11))
        learner.advance(world, session, steps)
        for name in sorted(session):
            found.update(session[name].tobytes())
    return found.hexdigest()


@pytest.mark.slow
def test_play_is_identical_without_numba() -> None:
    code = "from tests.unit.test_table_learners import _digest; print(_digest(400))"
    assert_same_without_compilation(code, least=64)


def test_play_is_determined_by_the_seed(ragged: Matrix) -> None:
    one, two, three = (rv.solve(ragged, LEARNERS[0], max_steps=500, seed=s).profile.values for s in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_dominant_strategies_are_learned(learner: Any) -> None:
    found = rv.solve(matrix("public_goods", players=3), learner, max_steps=20_000)
    np.testing.assert_allclose(found.profile[:, 0], 1.0, atol=2e-3)
    assert found.claim == "approximate equilibrium"  # empirical play includes the random first periods
    assert float(found.certificate.regret.max()) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_zero_sum_play_approaches_equilibrium(learner: Any) -> None:
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
    # 2 > 1 times the range of payoffs, -1 to 1, times the number of other actions
    assert learner._scale(learner.world(matrix("rock_paper_scissors"))).tolist() == [8.0, 8.0]
    session = learner.begin(learner.world(matrix("rock_paper_scissors")), np.random.SeedSequence(0))
    own = learn.LearnerArrays(**session)
    own.clock[0], own.last[0], own.earned[0], own.would[0] = 2, 1, 1.0, [4.0, 1.0, 0.0]
    own.swaps[0, 1] = [3.0, 0.0, -1.0]
    args = (0, 3, np.array([6.0, 6.0]), own, weights)
    learn._rule_weights(learn.MATCHING, *args)
    assert weights.tolist() == [3.0, 0.0, 0.0]
    learn._rule_weights(learn.CONDITIONAL, *args)
    assert weights.tolist() == [0.25, 0.75, 0.0]
    learn._rule_weights(learn.FICTITIOUS, *args)
    assert weights.tolist() == [1.0, 0.0, 0.0]


def test_actions_are_sampled_in_proportion_to_weights() -> None:
    stream = draws.stream(np.random.SeedSequence(0))
    weights = np.array([1.0, 0.0, 3.0])
    drawn = [learn._sample(weights, 3, weights.sum(), stream) for _ in range(4000)]
    assert drawn.count(1) == 0
    assert abs(drawn.count(2) / 4000 - 0.75) < 4 * (0.75 * 0.25 / 4000) ** 0.5


def test_a_game_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        rv.solve({"not": "a world"}, RegretMatching(), max_steps=1)


@pytest.mark.slow
@pytest.mark.parametrize("learner", LEARNERS, ids=NAMES)
def test_the_first_actions_are_those_of_the_start(learner: Any, ragged: Matrix) -> None:
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
