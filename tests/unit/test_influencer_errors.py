"""Wrong input: one line that names the parameter, the player or entry, the value and the rule."""

# ruff: noqa: E501

from typing import Any

import jax
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.influencers import symmetric_equilibrium, threshold_exponent, threshold_reach, threshold_variance

BOX: dict[str, Any] = {"space": "box", "bounds": [[0, 1], [0, 1]]}
SIMPLEX: dict[str, Any] = {"space": "simplex"}
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
        ({"distance_floor": 0.1}, r"distance_floor: is no parameter of the gaussian kernel; it has reach"),
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
        ({"third_party": [1.0] * 99 + [-1.0]}, r"third_party\[99\]: -1.0 must be a finite number of at least 0"),
        ({"resource": "0*b"}, r"resource: all 100 values are 0"),
        ({"resource": "exp(-c)"}, r"resource.formula: unknown name 'c'"),
        ({"third_party": [1.0]}, r"third_party: 1 values for 100 resource points"),
        ({"third_party": "exp(c)"}, r"third_party: unknown name 'c' .* allowed are b$"),
        ({"third_party": "b - 1"}, r"third_party\[0\]: -0.999 must be a finite number of at least 0"),
        ({"third_party": {"kind": "formul", "formula": "b"}}, r"third_party.kind: 'formul' .* did you mean 'formula'"),
        ({"third_party": {"kind": "array", "formula": "b"}}, r"third_party.formula: unknown key; known: values"),
        ({"abstention": -1.0}, r"abstention: Q = -1 must be finite and at least 0"),
        ({"abstention": {"q": 1.0}}, r"abstention: \{'q': 1.0\} must be \{Q = number\}"),
        ({**SIMPLEX, "kernel": "power_law"}, r"kernel: power_law is for an interval; a simplex takes gaussian, dirichlet, dirichlet_mode, blotto, custom"),
        ({"kernel": "dirichlet"}, r"kernel: dirichlet is for a simplex; an interval takes gaussian, power_law, exponential, beta, custom"),
        ({**SIMPLEX, "kernel": "dirichlet", "alpha": [1, 0]}, r"alpha\[1\]: 0 must be above 0"),
        ({**SIMPLEX, "kernel": "dirichlet", "alpha": [1, INF]}, r"alpha\[1\]: inf must be finite"),
        ({**SIMPLEX, "kernel": "dirichlet", "alpha": [1, 2], "players": 3}, r"alpha: 2 entries, but players says 3 players"),
        ({**SIMPLEX, "kernel": "dirichlet", "reach": 0.1}, r"reach: is no parameter of the dirichlet kernel; it has alpha, reference_corner"),
        ({**SIMPLEX, "kernel": "dirichlet", "reference_corner": 3}, r"reference_corner: 3 must be a whole number in 0..2"),
        (
            {**SIMPLEX, "kernel": "dirichlet", "resource_points": [[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]},
            r"resource_points\[0\]: coordinate 2 is 0; must be above 0 for the dirichlet kernel \(inset = 0.001 moves",
        ),
        ({**SIMPLEX, "kernel": "dirichlet", "resource_points": {"kind": "corners"}}, r"resource_points\[0\]: coordinate 1 is 0; .*inset"),
        ({**SIMPLEX, "kernel": "blotto", "exponent": [1, -1]}, r"exponent\[1\]: -1 must be above 0"),
        (
            {**SIMPLEX, "kernel": "blotto", "resource_points": {"kind": "mesh", "m": 1}},
            r"resource_points\[0\]: .* must be a corner for the blotto kernel",
        ),
        ({**SIMPLEX, "bounds": [0, 1]}, r"bounds: a simplex has none"),
        ({"corners": 3}, r"corners: is for space = 'simplex', not for 'interval'"),
        ({**SIMPLEX, "corners": 1}, r"corners: 1 must be a whole number of at least 2"),
        ({**SIMPLEX, "resource_points": [[0.5, 0.5, 0.1], [1, 0, 0]]}, r"resource_points\[0\]: sums to 1.1; must sum to 1"),
        ({**SIMPLEX, "resource_points": [[1, 0, 0], [1.5, -0.5, 0]]}, r"resource_points\[1\]: coordinate 1 is -0.5; must be at least 0"),
        ({**SIMPLEX, "resource_points": {"kind": "grid"}}, r"resource_points.kind: 'grid' is unknown; known: corners, file, mesh, points"),
        ({**SIMPLEX, "resource_points": {"kind": "mesh", "m": 11}}, r"resource_points.m: 11 must be a whole number in 0..10"),
        ({**SIMPLEX, "resource_points": {"kind": "mesh", "inset": -1}}, r"resource_points.inset: -1 must be at least 0"),
        ({**SIMPLEX, "resource_points": {"kind": "mesh", "inset": 0.5}}, r"resource_points.inset: 0.5 is more than .* point \d+ can spare"),
        ({**SIMPLEX, "resource_points": {"kind": "corners", "num": 4}}, r"resource_points.num: 4 must be 3"),
        ({**SIMPLEX, "resource": [1.0, 2.0]}, r"resource: 2 values for 153 resource points"),
        ({**SIMPLEX, "resource": {"kind": "dirichlet", "alphas": [1, 2]}}, r"resource.alphas: 2 values for 3 coordinates"),
        ({**SIMPLEX, "resource": {"kind": "dirichlet", "alphas": [1, 2, 0]}}, r"resource.alphas\[2\]: 0 must be above 0"),
        ({"resource": {"kind": "dirichlet", "alphas": [1]}}, r"resource.alphas: 1 values for 1 coordinates"),
        ({**BOX, "resource": {"kind": "dirichlet", "alphas": [1, 2]}}, r"resource: dirichlet is a density on a simplex"),
        ({"resource": {"kind": "formula", "formula": "c*b"}}, r"resource.formula: unknown name 'c' .* allowed are b$"),
        ({"resource": {"kind": "formula", "formula": 3}}, r"resource.formula: 3 must be text"),
        ({"resource": {"kind": "formula", "formula": "b-0.5"}}, r"resource\[0\]: -0.499 must be a finite number of at least 0"),
        ({"resource_points": [0.5], "resource": [1]}, r"resource_points: 1 given; must be at least 2"),
        ({**SIMPLEX, "choose_reach": [0.1, 0.2]}, r"choose_reach: is for an interval or a box, not for a simplex"),
        ({"choose_reach": [0.2, 0.1], "reach_cost": 1}, r"choose_reach: \[0.2, 0.1\] must be finite, above 0, with low below high"),
        ({"choose_reach": [0.0, 0.1], "reach_cost": 1}, r"choose_reach: \[0, 0.1\] must be finite, above 0"),
        ({"choose_reach": [0.1], "reach_cost": 1}, r"choose_reach: \[0.1\] must be \[least, largest\] reach"),
        ({"choose_reach": [0.1, 0.2], "reach": [0.1, 0.1]}, r"reach: is chosen by the players; leave it out"),
        ({"choose_reach": [0.1, 0.2], "reach_cost": [1, -1]}, r"reach_cost\[1\]: -1 must be at least 0"),
        ({"choose_reach": [0.1, 0.2], "reach_cost": [1, 1, 1], "players": 2}, r"reach_cost: 3 entries, but players says 2"),
        ({"reach_cost": 1.0}, r"reach_cost: is what a chosen reach costs; set choose_reach"),
        ({"kernel": "power_law", "choose_reach": [0.1, 0.2]}, r"choose_reach: is no parameter of the power_law kernel"),
        (
            {**SIMPLEX, "kernel": "custom", "influence": "b1*x4"},
            r"influence: unknown name 'x4' .* allowed are b1, b2, b3, x1, x2, x3",
        ),
        (
            {**SIMPLEX, "kernel": "custom", "influence": "b1-0.5"},
            r"influence: player 0 at \[0.333.*\] has log-influence nan on point \d+, \[",
        ),
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
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
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
def test_wrong_starts_are_refused(start: list[float], message: str) -> None:
    game = rv.games.influencer(reach=[0.1, 0.1])
    with pytest.raises(ValueError, match=message):
        rv.solve(game, rv.methods.GradientAscent(), start=start)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], r"start: player 0, entry 2 is 0; must be at least 1e-09"),
        ([[0.5, 0.3, 0.2], [0.2, -0.3, 1.1]], r"start: player 1, entry 1 is -0.3; must be at least 1e-09"),
        ([[0.5, 0.3, 0.2], [0.2, 0.3, 0.50000002]], r"start: player 1 sums to 1.00000002; must sum to 1"),
    ],
)
@pytest.mark.parametrize("kernel", ["dirichlet", "blotto"])
def test_wrong_starts_on_a_simplex_are_refused(kernel: Any, start: list[list[float]], message: str) -> None:
    game = rv.games.influencer(space="simplex", kernel=kernel)
    with pytest.raises(ValueError, match=message):
        rv.solve(game, rv.methods.GradientAscent(), start=start)


@pytest.mark.slow
def test_shares_that_nearly_sum_to_one_are_normalized() -> None:
    game = rv.games.influencer(space="simplex", kernel="blotto")
    x = game.space.check([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5 + 5e-9]])
    assert abs(float(x[1].sum()) - 1) <= 1e-15
    edge = game.space.check([[1e-9, 0.5, 0.5 - 1e-9]] * 2)
    assert float(edge.min()) == pytest.approx(1e-9, rel=1e-6)
    assert rv.games.influencer(space="simplex", reach=[0.1, 0.1]).space.check([[0, 0, 1]] * 2).shape == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"reach": [0.1, 0.2]}, "unequal players"),
        ({"reach": [0.1, 0.1], "budgets": [1, 2]}, "unequal players"),
        ({"reach": [0.1, 0.1], "abstention": 1.0}, "games with outside rows"),
        ({"kernel": "blotto", "exponent": [1, 2], **SIMPLEX}, "unequal players"),
        ({"kernel": "blotto", "resource": [0, 1, 2], **SIMPLEX}, "a mean of the resource outside the space"),
        ({"kernel": "dirichlet", **SIMPLEX}, "Dirichlet kernels"),
        ({"kernel": "custom", "influence": "exp(-(b-x)^2)"}, "custom kernels"),
        ({"choose_reach": [0.1, 0.2], "reach_cost": 1.0}, "players who choose their reach"),
    ],
)
def test_missing_closed_forms_name_the_numerical_function(options: dict[str, Any], reason: str) -> None:
    game = rv.games.influencer(**options)
    with pytest.raises(ValueError, match=f"no closed form for {reason}; use symmetric_positions"):
        symmetric_equilibrium(game)
    assert "threshold" not in oracles.metrics(game, game.space.project(game.space.sample(jax.random.key(0))))


@pytest.mark.parametrize("count", [0, 1])
def test_thresholds_need_two_players(count: int) -> None:
    message = f"players: {count} must be at least 2"
    with pytest.raises(ValueError, match=message):
        threshold_exponent(count)
    with pytest.raises(ValueError, match=message):
        threshold_reach([0.0, 1.0], [1.0, 1.0], count)
    with pytest.raises(ValueError, match=message):
        threshold_variance([[0.0, 1.0], [1.0, 2.0]], [1.0, 1.0], count)
