"""Learning curves: payoffs of greedy play during learning."""

import numpy as np

import rivalry as rv

GAME = rv.games.matrix("prisoners_dilemma")
FADING = {"decay": 1e-3}


def learner(**more):
    usual = {"stopping": {"stable_periods": 2000}}
    return rv.methods.RepeatedQLearning(sessions=5, gamma=0.9, exploration=FADING, **(usual | more))


def just(periods):
    return {"stable_periods": 0, "max_periods": periods}


def in_chunks(one, sizes):
    world = one.world(GAME)
    session = one.begin(world, np.random.SeedSequence(4))
    k = 0
    while one.advance(world, session, sizes[k % len(sizes)]):
        k += 1
    return one.read(world, session)


def test_learning_curves_do_not_depend_on_chunks():
    whole, parts = in_chunks(learner(), [10**6]), in_chunks(learner(), [7, 1000, 1, 333])
    for name in ("learning_step", "learning_reward", "learning_reward_band", "end_payoff", "periods"):
        np.testing.assert_array_equal(whole[name][1], parts[name][1])


def test_the_last_point_of_the_curve_is_the_final_payoff():
    record = in_chunks(learner(stopping=just(40_000)), [10**6])
    assert record["learning_step"][1][-1] == 40_000
    np.testing.assert_allclose(record["learning_reward"][1][-1], record["end_payoff"][1].mean(axis=0))


def test_random_or_short_play_has_no_learning_curve():
    assert "learning_step" not in in_chunks(learner(roles="random", stopping=just(5000)), [10**6])
    assert "learning_step" not in in_chunks(learner(stopping=just(500)), [10**6])
