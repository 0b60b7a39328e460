"""Wrong input: one line that names the parameter, the player or place, the value and the rule."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import pytest

import rivalry as rv

BOX: dict[str, Any] = {"space": "box", "bounds": [[0, 1], [0, 1]]}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reach": [0.1, -1]}, r"reach\[1\]: -1 must be above 0"),
        ({"reach": 0.0, "players": 2}, r"reach: 0 must be above 0"),
        ({"reach": [0.1, NAN]}, r"reach\[1\]: nan must be finite"),
        ({"reach": [0.1, 0.1], "players": 3}, r"reach: 2 entries, but players says 3 players"),
        ({"reach": [0.1, 0.1], "budgets": [1, 1, 1]}, r"budgets: 3 entries, but reach says 2 players"),
        ({"reach": [0.1]}, r"reach: 1 player; must be at least 2"),
        ({"players": 1}, r"players: 1 must be a whole number of at least 2"),
        ({"budgets": [1, INF]}, r"budgets\[1\]: inf must be finite"),
        ({"budgets": [1, 0]}, r"budgets\[1\]: 0 must be above 0"),
        ({"kernel": "power_law", "exponent": [1, -2]}, r"exponent\[1\]: -2 must be above 0"),
        ({"kernel": "power_law", "distance_floor": 0.0}, r"distance_floor: 0 must be above 0"),
        ({"kernel": "power_law", "reach": 0.1}, r"reach: is no parameter of the power_law kernel; it has exponent"),
        ({"exponent": 1.0}, r"exponent: is no parameter of the gaussian kernel"),
        ({"kernel": "power_law", **BOX}, r"kernel: power_law is for an interval; a box takes gaussian, custom"),
        ({"kernel": "power_law", "normalised": True}, r"normalised: is for the gaussian kernel"),
        ({"kernel": "exponential", "bounds": [-1, 1]}, r"bounds: \[-1, 1\] must not be below 0"),
        (
            {"kernel": "exponential", "resource_points": [0.0, 0.5], "resource": [1, 1]},
            r"resource_points\[0\]: 0 must be above 0 for the exponential kernel",
        ),
        ({"bounds": [1, 0]}, r"bounds\[0\]: \[1.0, 0.0\] must be finite with low below high"),
        ({"bounds": [0, INF]}, r"bounds\[0\]: \[0.0, inf\] must be finite"),
        ({"bounds": [[0, 1], [0, 1]]}, r"bounds: 2 axes are a box; set space = 'box'"),
        ({"bounds": [0, 1, 2]}, r"bounds: \[0, 1, 2\] must be \[low, high\]"),
        ({**BOX, "covariance": [[1, 2], [2, 1]]}, r"covariance\[0\]: smallest eigenvalue -1 must be above 0"),
        ({**BOX, "covariance": [[1, 0.5], [0.2, 1]]}, r"covariance\[0\]: .* must be symmetric"),
        ({**BOX, "covariance": [[1.0]]}, r"covariance: shape \(1, 1\) must be \(2, 2\) or \(2, 2, 2\)"),
        (
            {**BOX, "covariance": [[[1, 0], [0, 1]], [[1, 0], [0, -1]]]},
            r"covariance\[1\]: smallest eigenvalue -1 must be above 0",
        ),
        ({"reach": 0.1, "variance": 1.0}, r"reach: stands in place of variance and covariance"),
        ({"resource": [1.0] * 99}, r"resource: 99 values for 100 resource points"),
        ({"third_party": [1.0] * 99 + [-1.0]}, r"third_party\[99\]: -1.0 must be a finite number of at least 0"),
        ({"third_party": [1.0]}, r"third_party: 1 values for 100 resource points"),
        ({"third_party": "exp(c)"}, r"third_party: unknown name 'c' .* allowed are b$"),
        ({"third_party": "b - 1"}, r"third_party\[0\]: -0.999 must be a finite number of at least 0"),
        ({"third_party": {"kind": "formul", "formula": "b"}}, r"third_party.kind: 'formul' .* did you mean 'formula'"),
        ({"third_party": {"kind": "array", "formula": "b"}}, r"third_party.formula: unknown key; array takes values"),
        ({"abstention": -1.0}, r"abstention: Q = -1 must be finite and at least 0"),
        ({"abstention": {"q": 1.0}}, r"abstention: \{'q': 1.0\} must be \{Q = number\}"),
        ({"kernel": "custom"}, r"influence: the custom kernel needs a formula"),
        ({"kernel": "custom", "influence": "s*b", "players": 2}, r"influence: unknown name 's' .* allowed are b, x"),
        (
            {"kernel": "custom", "influence": "b - 0.5", "players": 2},
            r"influence: player 0 at \[0.5\] has log-influence nan on point 0",
        ),
        ({"kernel": "custom", "influence": "0*b", "players": 2}, r"influence: player 0 at \[0.5\] has none at any"),
        (
            {"kernel": "custom", "influence": "exp(-b/s)", "parameters": {"s": [1, NAN]}},
            r"parameters.s\[1\]: nan must be finite",
        ),
        (
            {"kernel": "custom", "influence": "exp(-b/x)", "parameters": {"x": [1, 2]}},
            r"parameters.x: is a coordinate's name",
        ),
        (
            {"kernel": "custom", "influence": lambda x, b, p: -((x - b) ** 2) * p["s"][..., None], "parameters": {"s": [1, 2]}},
            r"influence: shape \(1,\) for one player and one point; must be a single number",
        ),
    ],
)  # fmt: skip
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        rv.games.influencer(**options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([0.1, 1.5], r"start: player 1 is at 1.5; must be in \[0, 1\]"),
        ([0.1, NAN], r"start: player 1, axis 0 is nan; must be finite"),
        ([0.1, 0.2, 0.3], r"start: shape \(3,\) must be \(2, 1\)"),
    ],
)
def test_starts_refused(start: list[float], message: str) -> None:
    game = rv.games.influencer(reach=[0.1, 0.1])
    with pytest.raises(ValueError, match=message):
        rv.solve(game, rv.methods.GradientAscent(), start=start)


def test_words_refused_where_types_are_not_checked() -> None:
    from rivalry.games.influencer.checks import one_of

    with pytest.raises(ValueError, match=r"kernel: 'gausian' is unknown; did you mean 'gaussian'\?"):
        one_of("kernel", "gausian", ("gaussian", "power_law"))
