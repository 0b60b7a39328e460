"""Policies of users: asked twice, refused in one line, whatever they return or raise."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rivalry as rv
from rivalry.economies.envs import policy_table
from rivalry.tables.policy_answers import answers_asked_twice

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=5),
        st.binary(max_size=5),
        st.decimals(),
        st.dates(),
        st.timedeltas(),
        st.builds(object),
        st.sampled_from(
            [int, np.float32(0.5), np.bool_(True), np.datetime64("2020"), Fraction(1, 2), iter([])]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2), st.tuples(inner)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(VALUES)
def test_an_answer_is_an_array_of_numbers_or_one_line(value: Any) -> None:
    message = ""
    try:
        (answer,) = answers_asked_twice(lambda seen: value, [(np.zeros(2),)], ["at [0.0, 0.0]"])
    except ValueError as error:
        message = str(error)
    if message:
        assert message.startswith("policy: at [0.0, 0.0]")
        assert "\n" not in message
    else:
        assert answer.dtype.kind in "iuf"
        assert not isinstance(value, bool | str | bytes | complex)


@pytest.mark.parametrize("value", [Fraction(1, 2), Decimal("0.5"), np.float32(0.5), np.array([0.5])])
def test_exact_numbers_are_numbers(value: Any) -> None:
    (answer,) = answers_asked_twice(lambda seen: value, [(0,)], ["at 0"])
    assert answer.ravel().tolist() == [0.5]


@pytest.mark.parametrize("period", [2, 3, 4, 5])
def test_a_policy_that_counts_its_calls_is_no_table(period: int) -> None:
    calls = [(np.array([k]),) for k in range(8)]
    count = iter(range(100))
    with pytest.raises(ValueError, match="different actions for the same observation; return probabilities"):
        answers_asked_twice(lambda seen: next(count) % period, calls, [f"at {k}" for k in range(8)])


def test_a_policy_cannot_change_what_is_asked() -> None:
    def policy(seen: np.ndarray) -> float:
        first = float(seen[0])
        seen[:] = 7
        return first

    observation = np.array([3.0])
    assert [answer.item() for answer in answers_asked_twice(policy, [(observation,)], ["at 3"])] == [3.0]
    assert observation.tolist() == [3.0]


def test_a_policy_of_an_economy_that_draws_at_random_is_refused() -> None:
    game = rv.games.karma(mean_karma=1.0, max_karma=2, agents=4)
    rng = np.random.default_rng(1)

    def draws(seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.eye(mask.shape[1])[rng.integers(0, seen[:, 1].astype(int) + 1)]

    with pytest.raises(ValueError, match=r"^policy: at \[.*\] returns different actions for the same obs"):
        policy_table(game, draws)
    found = policy_table(game, lambda seen, mask: mask / mask.sum(axis=1, keepdims=True))
    assert found.shape[-2:] == (3, 3)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda seen, mask: 1 / 0, "policy: of all states it raised ZeroDivisionError: division by zero"),
        (lambda seen, mask: mask.astype(bool), "not booleans"),
        (lambda seen, mask: mask * 1j, "must be actions or probabilities"),
        (lambda seen, mask: "all in", "'all in' must be actions or probabilities"),
    ],
)
def test_wrong_policies_of_an_economy_are_refused_in_one_line(policy: Any, words: str) -> None:
    with pytest.raises(ValueError, match=r"^policy: ") as caught:
        policy_table(rv.games.karma(mean_karma=1.0, max_karma=2, agents=4), policy)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
