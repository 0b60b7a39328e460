"""Anticipating learners: values by power series, steps by differences, gains by brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.finite.lola import Lola
from tests.chunks import assert_same_in_chunks

PAYS = np.array([[-1.0, -3.0], [0.0, -2.0]])
GAMMA = 0.9


def dilemma() -> object:
    return rv.games.matrix(PAYS, PAYS.T)


def chances(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def values(policy: np.ndarray) -> np.ndarray:
    """Discounted sums, round by round, of policies ``[player state action]``; the last state is the first."""
    joint = np.einsum("sa,sb->sab", policy[0], policy[1]).reshape(5, 4)
    now, total = joint[4], np.zeros(2)
    for round_ in range(400):
        total += GAMMA**round_ * np.array([now @ PAYS.ravel(), now @ PAYS.T.ravel()])
        now = now @ joint[:4]
    return total


def derivative(function: object, at: np.ndarray) -> np.ndarray:
    """Central differences of a function of an array, with the shape of the array last."""
    found = []
    for k in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[k] = 1e-4
        found.append((np.asarray(function(at + step)) - np.asarray(function(at - step))) / 2e-4)  # type: ignore[operator]
    return np.moveaxis(np.array(found), 0, -1).reshape(*np.shape(found[0]), *at.shape)


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [0.0, 0.7])
def test_a_step_is_the_one_of_the_source(ahead: float) -> None:
    learner = Lola(sessions=1, gamma=GAMMA, rate=0.3, lookahead=ahead)
    world = learner.world(dilemma())
    session = learner.begin(world, np.random.SeedSequence(5))
    first = session["logits"][0].copy()
    learner.advance(world, session, 1)

    def value(logits: np.ndarray) -> np.ndarray:
        return values(chances(logits))

    slopes = derivative(value, first)
    expected = first.copy()
    for player in (0, 1):
        other = 1 - player

        def gained(at: np.ndarray, player: int = player, other: int = other) -> float:
            own = derivative(value, at)[other, other]
            return float(np.sum(slopes[player, other] * own))

        expected[player] += 0.3 * (slopes[player, player] + ahead * derivative(gained, first)[player])
    assert session["logits"][0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_anticipation_ends_in_cooperation_and_gradient_ascent_in_defection() -> None:
    ends = [
        float(rv.solve(dilemma(), Lola(sessions=12, control=one), seed=2).data.value.mean())
        for one in ("none", "naive")
    ]
    assert ends[0] > -1.3  # all cooperate: -1
    assert ends[1] < -1.8  # all defect: -2


@pytest.mark.slow
def test_gains_are_those_of_the_best_of_all_policies() -> None:
    learner = Lola(sessions=3, gamma=GAMMA)
    found = rv.solve(dilemma(), learner, seed=4, max_steps=20).data
    largest = np.zeros(2)
    for policy in found.policy.values:
        own = values(policy)
        for player in (0, 1):
            best = -np.inf
            for moves in product((0, 1), repeat=5):
                changed = policy.copy()
                changed[player] = np.eye(2)[list(moves)]
                best = max(best, values(changed)[player])
            largest[player] = max(largest[player], (1 - GAMMA) * (best - own[player]))
    # gains from later states can be larger than from the first round
    assert np.all(found.regret.values >= largest - 1e-9)
    assert found.value.values == pytest.approx(
        np.array([(1 - GAMMA) * values(one) for one in found.policy.values]), abs=1e-6
    )


@pytest.mark.slow
def test_chunks_of_steps_do_not_matter() -> None:
    assert_same_in_chunks(Lola(sessions=2), dilemma(), 2, 3, steps=5)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"gamma": 1.0}, "gamma"), ({"rate": 0.0}, "rate"), ({"lookahead": -1.0}, "lookahead")],
)
def test_wrong_options_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Lola(**options)


@pytest.mark.slow
def test_players_in_turn_are_refused() -> None:
    led = rv.transforms.stackelberg(rv.games.matrix("chicken"), [1])
    with pytest.raises(ValueError, match="all must move at once"):
        Lola().world(led)
