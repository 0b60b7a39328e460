"""Games and policies of karma-game-library, as plain functions and arrays."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rivalry.interop import from_karma_game_library


def settings(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "num_participants": 2,
        "num_urgencies": 2,
        "num_average_karma": 3,
        "map_type_temp_preference": {0: 0.9, 1: 0.5},
        "lst_init_types": [0, 0, 0, 1],
        "func_cost": lambda urgency, outcome: 0.0 if outcome else 2.0 * urgency,
        "func_outcome": lambda bids: [int(bid == max(bids)) for bid in bids],
        "func_payment": lambda bids, won: ([min(bids) * (1 - 2 * w) for w in won], 0),
    }
    return given | changed


def to_society(bids: list[int], won: list[int]) -> tuple[list[int], int]:
    return [-bid * w for bid, w in zip(bids, won, strict=True)], max(bids)


POLICY = np.zeros((2, 2, 12, 3))
POLICY[..., 0] = 1.0


def test_a_game_and_its_policy_become_an_economy() -> None:
    game, policy = from_karma_game_library(settings(), SimpleNamespace(prob_matrix=POLICY))
    np.testing.assert_array_equal(game.stakes, [[0.0, 2.0]] * 2)
    np.testing.assert_array_equal(game.gamma, [0.9, 0.5])
    np.testing.assert_array_equal(game.share, [0.75, 0.25])
    assert (game.most, game.bids, float(game.mean_karma)) == (11, (0, 1, 2), 3.0)
    # the highest losing bid is paid
    np.testing.assert_array_equal(game.charge[:3, :3], [[0, 0, 0], [0, 1, 0], [0, 1, 2]])
    assert policy.shape == (2, 2, 12, 12)
    np.testing.assert_array_equal(policy[..., :3], POLICY)
    assert game.space.check(policy).shape == game.space.shape


def test_agents_may_hold_more_karma_than_the_policy_has_rows_for() -> None:
    richer = POLICY.copy()
    richer[:, :, -1] = [0.25, 0.5, 0.25]
    game, policy = from_karma_game_library(settings(), richer, max_karma=20)
    assert (game.most, policy.shape) == (20, (2, 2, 21, 21))
    np.testing.assert_array_equal(policy[:, :, :12, :3], richer)
    np.testing.assert_array_equal(policy[:, :, 12:, :3], np.tile([0.25, 0.5, 0.25], (2, 2, 9, 1)))
    assert game.space.check(policy).shape == game.space.shape
    with pytest.raises(ValueError, match="max_karma: 10 must be a whole number of at least 11"):
        from_karma_game_library(settings(), POLICY, max_karma=10)


def test_payments_to_society_may_have_more_participants() -> None:
    three = settings(num_participants=3, func_payment=to_society)
    game, _ = from_karma_game_library(three, POLICY, chain=[0.2, 0.8])
    assert (game.contest.participants, game.receiver) == (3, 1)
    np.testing.assert_array_equal(game.charge[:3, :3], [[0, 0, 0], [1, 1, 0], [2, 2, 2]])
    np.testing.assert_array_equal(game.chain[0], [[0.2, 0.8]] * 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"func_cost": lambda u, won: 1.0}, "func_cost: costs 1 when served at 0; must be 0"),
        ({"func_outcome": lambda bids: [0, 1]}, r"func_outcome: \[0, 1\] at bids \[1, 0\] must be \[1, 0\]"),
        (
            {"func_payment": lambda bids, won: ([-bids[0], 0], 0)},
            "func_payment: .* must go to the peer or to",
        ),
        (
            {"map_type_temp_preference": {0: 0.9}},
            r"policy: shape \(2, 2, 12, 3\) must be \(1, 2, karma, bids\)",
        ),
    ],
)
def test_other_rules_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_karma_game_library(settings(**changed), POLICY)
    with pytest.raises(ValueError, match="settings: func_cost is missing"):
        from_karma_game_library({k: v for k, v in settings().items() if k != "func_cost"}, POLICY)
