"""Sums over contested points: interpreted kernels and corner cases."""

import numpy as np
import pytest

from rivalry.core.array_games import contest
from rivalry.tables.kernels import contests
from tests.contests import every, shared


@pytest.mark.slow
def test_interpreted_and_compiled_kernels_agree() -> None:
    positions = np.linspace(0, 1, 3)[None, :, None].repeat(3, axis=0)
    sizes = np.array([3, 3, 3])
    made = shared(players=3).contest(positions)
    compiled, plain = np.zeros((3, 27)), np.zeros((3, 27))
    contests.tabulate(made, sizes, compiled)
    contests.tabulate.py_func(made, sizes, plain)
    assert np.array_equal(compiled, plain)
    out = np.zeros(3)
    for joint, actions in enumerate(every(sizes)):
        contests.pay.py_func(made, np.array(actions), out)
        assert np.array_equal(out, compiled[:, joint])


@pytest.mark.slow
def test_ordered_joint_actions_are_enumerated_once() -> None:
    sizes, before = np.array([3, 2, 3, 3]), np.array([-1, -1, 0, 2])
    actions, seen = np.zeros(4, dtype=np.int64), []
    while True:
        seen.append(tuple(actions.tolist()))
        if not contests.following(actions, sizes, before):
            break
    assert seen == [a for a in every(sizes) if a[0] <= a[2] <= a[3]]


def test_points_without_influence_are_shared_equally() -> None:
    """Two points; at the second only the third party has influence, then nobody."""
    logs = np.array([[[0.0, -np.inf]], [[np.log(3.0), -np.inf]]])
    for third, expected in ((np.log([4.0, 1.0]), [1 / 8, 3 / 8]), (None, [0.25 + 0.5, 0.75 + 0.5])):
        table = np.zeros((2, 1))
        contests.tabulate(contest(np.ones(2), logs, third, zero_influence="share"), np.array([1, 1]), table)
        np.testing.assert_allclose(table[:, 0], expected, rtol=1e-14)


def test_abstention_gets_its_share_at_tiny_influence() -> None:
    """Shares are computed in logarithms: influence of 1e-400 against abstention of 1e-400."""
    tiny = np.full((2, 2, 1), -400 * np.log(10.0))
    tiny[:, 1] = 0.0
    away = np.zeros((2, 2, 1))
    away[:, 0] = -200 * np.log(10.0)  # the product of both factors is 1e-400
    made = contest(np.ones(1), tiny, None, 2.0, away)
    out = np.zeros(2)
    contests.pay(made, np.array([0, 0]), out)
    np.testing.assert_allclose(out, [0.25, 0.25], rtol=1e-12)
    contests.pay(made, np.array([1, 1]), out)
    np.testing.assert_allclose(out, [0.25, 0.25], rtol=1e-12)
