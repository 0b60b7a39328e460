"""Influencer games against a direct evaluation without logarithms and automatic differentiation."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.core.game import Game, jacobian, own_gradients
from tests.selection import slow_except

pytestmark = pytest.mark.mostly_slow

OUTSIDE = "exp(-b^2/(2*0.1^2)) + exp(-(1-b)^2/(2*0.1^2))"
SQUARE: dict[str, Any] = {
    "space": "box",
    "bounds": [[0, 5], [0, 5]],
    "resource_points": {"kind": "grid", "num": [7, 6]},
    "resource": {"kind": "mixture", "means": [[0, 0], [5, 4]], "stds": [1.0, 2.0]},
}
GAMES: dict[str, tuple[dict[str, Any], Any]] = {
    "gaussian": ({"reach": [0.1, 0.25, 0.2], "resource": "bimodal"}, [0.1, 0.4, 0.9]),
    "budgets": ({"reach": 0.2, "budgets": [1, 2, 0.5], "resource": "unimodal"}, [0.2, 0.6, 0.75]),
    "normalised": ({"reach": [0.1, 0.3], "normalised": True, "resource": "bimodal"}, [0.3, 0.6]),
    "third": ({"reach": 0.14, "third_party": OUTSIDE, "resource": "bimodal"}, [0.3, 0.6]),
    "abstention": ({"reach": [0.14, 0.2, 0.1], "abstention": 25, "resource": "bimodal"}, [0.3, 0.6, 0.45]),
    "both": ({"reach": 0.14, "third_party": OUTSIDE, "abstention": {"Q": 25}}, [0.3, 0.6]),
    "power_law": ({"kernel": "power_law", "exponent": [1, 2, 1.5], "abstention": 3.0}, [0.2, 0.5, 0.8]),
    "exponential": ({"kernel": "exponential", "players": 2, "abstention": 3.0}, [0.4, 0.7]),
    "formula": (
        {"kernel": "custom", "influence": "exp(-(b-x)^2/(2*s^2)) + 0.1", "parameters": {"s": [0.5, 0.3]}},
        [0.4, 0.65],
    ),
    "matrix": (
        {**SQUARE, "covariance": [[3, 0.5], [0.5, 2]], "variance": [1, 2, 0.5], "normalised": True},
        [[1, 1], [4, 1.5], [2, 4]],
    ),
    "box": (
        {**SQUARE, "reach": [1, 2], "abstention": 0.3, "third_party": "0.3*exp(-(b1-2)^2-b2)"},
        [[1, 1], [3, 2]],
    ),
    "box formula": (
        {
            **SQUARE,
            "kernel": "custom",
            "influence": "exp(-sqrt((b1-x1)^2+(b2-x2)^2)/w)",
            "parameters": {"w": [1, 2]},
        },
        [[1, 1.1], [3, 2.2]],
    ),
}


def built(name: str) -> tuple[Any, Any]:
    options, x = GAMES[name]
    game = rv.games.influencer(**options)
    return game, game.space.check(x)


def direct(name: str) -> np.ndarray:
    """Payoffs of all rows without logarithms, one point and one row at a time."""
    options, at = GAMES[name]
    game, _ = built(name)
    x = np.asarray(at, dtype=float).reshape(game.space.shape)
    budgets = np.broadcast_to(options.get("budgets", 1.0), len(x))
    total = np.zeros(len(x) + ("third_party" in options) + ("abstention" in options))
    for b, amount in zip(np.asarray(game.points), np.asarray(game.weights), strict=True):
        rows = [budgets[i] * influence(options, i, x[i], b) for i in range(len(x))]
        if "third_party" in options:
            third = {
                1: lambda b: np.exp(-(b[0] ** 2) / 0.02) + np.exp(-((1 - b[0]) ** 2) / 0.02),
                2: lambda b: 0.3 * np.exp(-((b[0] - 2) ** 2) - b[1]),
            }
            rows.append(third[len(b)](b))
        if "abstention" in options:
            q = (
                options["abstention"]["Q"]
                if isinstance(options["abstention"], dict)
                else options["abstention"]
            )
            rows.append(q * np.prod([np.sum((b - xi) ** 2) for xi in x]))
        total += amount * np.asarray(rows) / np.sum(rows)
    return total


def influence(options: dict[str, Any], i: int, x: np.ndarray, b: np.ndarray) -> float:
    def own(name: str) -> float:
        values = np.asarray(options.get("parameters", options)[name], dtype=float)
        return float(values if values.ndim == 0 else values[i])

    kernel = options.get("kernel", "gaussian")
    square = np.sum((b - x) ** 2)
    if kernel == "power_law":
        return float(max(np.sqrt(square), 1e-10) ** -own("exponent"))
    if kernel == "exponential":
        return float(np.exp(-b[0] / x[0]) / x[0])
    if kernel == "custom":
        return float(
            np.exp(-square / (2 * own("s") ** 2)) + 0.1
            if "s" in options["parameters"]
            else np.exp(-np.sqrt(square) / own("w"))
        )
    if "covariance" in options:
        matrix = own("variance") * np.asarray(options["covariance"])
        return float(
            np.exp(-(b - x) @ np.linalg.solve(matrix, b - x) / 2) / np.sqrt(np.linalg.det(2 * np.pi * matrix))
        )
    height = 1 / (own("reach") * np.sqrt(2 * np.pi)) if options.get("normalised") else 1.0
    return float(height * np.exp(-square / (2 * own("reach") ** 2)))


def by_autodiff(game: Game, x: Any) -> Any:
    """Own gradients from the payoffs alone."""
    return jnp.stack([jax.grad(lambda z, i=i: game.payoffs(z)[i])(x)[i] for i in range(len(x))])


@eqx.filter_jit
def everything(game: Any, x: Any) -> dict[str, Any]:
    """All compared quantities, in one compiled program."""
    return {
        "all": game.all_payoffs(x),
        "own": game.payoffs(x),
        "shares": game.shares(x),
        "gradients": own_gradients(game, x),
        "jacobian": jacobian(game, x),
        "jacobian of gradients": jax.jacfwd(partial(oracles.gradients, game))(x).reshape(x.size, x.size),
        "autodiff": by_autodiff(game, x),
        "autodiff twice": jax.jacfwd(lambda y: by_autodiff(game, y))(x).reshape(x.size, x.size),
    }


@pytest.mark.parametrize("name", slow_except(GAMES, ("abstention", "formula")))
@pytest.mark.nightly
def test_payoffs_and_derivatives_match_definition_and_autodiff(name: str) -> None:
    game, x = built(name)
    ours = everything(game, x)
    np.testing.assert_allclose(ours["all"], direct(name), rtol=1e-11)
    np.testing.assert_array_equal(ours["own"], ours["all"][: len(x)])
    assert float(ours["all"].sum()) == pytest.approx(float(game.weights.sum()), rel=1e-12)
    np.testing.assert_allclose(ours["shares"].sum(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(ours["gradients"], ours["autodiff"], rtol=1e-9, atol=1e-9)
    near = {"rtol": 1e-9, "atol": 1e-9 * float(np.abs(ours["jacobian"]).max())}
    np.testing.assert_allclose(ours["jacobian"], ours["autodiff twice"], **near)
    np.testing.assert_allclose(ours["jacobian"], ours["jacobian of gradients"], **near)


@pytest.mark.nightly
def test_derivatives_at_a_resource_point_with_abstention() -> None:
    """The abstention row vanishes there; gradients and Jacobian are the limits from nearby."""
    game = rv.games.influencer(
        reach=[0.2, 0.3], abstention=5.0, resource_points=[0.1, 0.3, 0.5, 0.8], resource=[1, 2, 1, 1]
    )
    on = game.space.check([0.3, 0.5])
    off = game.space.check([0.3 + 1e-7, 0.5 - 1e-7])
    np.testing.assert_allclose(oracles.gradients(game, on), oracles.gradients(game, off), atol=1e-5)
    np.testing.assert_allclose(oracles.jacobian(game, on), oracles.jacobian(game, off), atol=1e-4)
    assert np.all(np.isfinite(oracles.jacobian(game, on)))
    np.testing.assert_allclose(by_autodiff(game, on), oracles.gradients(game, on), rtol=1e-12)
    both = game.space.check([0.3, 0.3])
    np.testing.assert_allclose(
        oracles.jacobian(game, both), oracles.jacobian(game, both + jnp.array([[1e-7], [-1e-7]])), atol=1e-4
    )


def test_narrow_reach_does_not_underflow() -> None:
    game = rv.games.influencer(reach=[0.005, 0.005], resource="bimodal")
    x = game.space.check([0.1, 0.2])
    assert float(game.payoffs(x).sum()) == pytest.approx(float(oracles.payoff_scale(game)), rel=1e-12)
    last = float(game.log_influence(x)[1, -1] - game.log_influence(x)[0, -1])
    assert float(jnp.log(game.shares(x)[1, -1])) == pytest.approx(0.0, abs=1e-12)
    assert last == pytest.approx(((0.999 - 0.1) ** 2 - (0.999 - 0.2) ** 2) / (2 * 0.005**2), rel=1e-12)
    assert np.all(np.isfinite(oracles.jacobian(game, x)))


def test_power_law_is_constant_within_the_distance_floor() -> None:
    game = rv.games.influencer(
        kernel="power_law",
        exponent=[1, 2],
        distance_floor=0.05,
        resource_points=[0.2, 0.5, 0.9],
        resource=[1, 1, 1],
    )
    slopes = game.kernel.gradients(game.space.check([0.21, 0.5]), game.points)
    assert (slopes[0, 0, 0], slopes[1, 1, 0]) == (0, 0)
    assert float(slopes[0, 1, 0]) == pytest.approx(1 / 0.29)  # towards the resource


TENT = {
    "kernel": "custom",
    "influence": "(w - abs(b-x) + abs(w - abs(b-x)))/2",
    "parameters": {"w": [0.2, 0.2]},
}


def test_resource_points_without_influence_are_shared_lost_or_refused() -> None:
    shared = rv.games.influencer(**TENT, zero_influence="share", resource="bimodal")
    at = shared.space.check([0.3, 0.4])
    assert float(shared.payoffs(at).sum()) == pytest.approx(float(oracles.payoff_scale(shared)), rel=1e-12)
    assert np.asarray(shared.shares(at))[:, -1].tolist() == [0.5, 0.5]
    lost = rv.games.influencer(**TENT, zero_influence="lost", resource="bimodal")
    b = np.asarray(lost.points)[:, 0]
    gone = float(lost.weights[(b <= 0.1) | (b >= 0.6)].sum())
    assert float(lost.payoffs(at).sum()) == pytest.approx(float(oracles.payoff_scale(lost)) - gone, rel=1e-12)
    for game in (shared, lost):
        np.testing.assert_allclose(oracles.gradients(game, at), by_autodiff(game, at), atol=1e-9)
    strict = rv.games.influencer(**TENT, resource="bimodal")
    with pytest.raises(
        ValueError, match=r"zero_influence: all influence is 0 at resource point 0, \[0.001\]"
    ):
        strict.payoffs(at)


def test_parameters_of_the_kernel_are_fields_of_the_game() -> None:
    game = rv.games.influencer(reach=[0.2, 0.3])
    assert rv.with_(game, reach=0.1).reach.tolist() == [0.1, 0.1]
    assert game.reach.tolist() == [0.2, 0.3]
    plane = rv.games.influencer(**SQUARE, players=2, variance=1.0)
    assert rv.with_(plane, variance=[1, 2]).variance.tolist() == [1, 2]
    assert rv.with_(rv.games.influencer(**GAMES["formula"][0]), s=0.4).s.tolist() == [0.4, 0.4]
    assert rv.with_(game, budgets=[1, 2]).budgets.tolist() == [1, 2]
    with pytest.raises(AttributeError, match="has no 'exponent'"):
        game.exponent  # noqa: B018


def test_reach_is_the_square_root_of_the_variance() -> None:
    x = [[1, 1], [4, 2]]
    a = rv.games.influencer(**SQUARE, reach=[1.5, 0.5])
    b = rv.games.influencer(**SQUARE, variance=[2.25, 0.25])
    np.testing.assert_allclose(a.payoffs(a.space.check(x)), b.payoffs(b.space.check(x)), rtol=1e-12)
    np.testing.assert_allclose(
        oracles.jacobian(a, a.space.check(x)), oracles.jacobian(b, b.space.check(x)), rtol=1e-10
    )


def test_functions_as_influence_resource_and_third_party() -> None:
    def log_influence(x: Any, b: Any, parameters: Any) -> Any:
        return -((b - x) ** 2) / (2 * parameters["s"] ** 2)

    own = rv.games.influencer(
        kernel="custom", influence=log_influence, parameters={"s": [0.2, 0.3]}, resource=lambda b: 1 + b,
        third_party=lambda b: b**2,
    )  # fmt: skip
    same = rv.games.influencer(
        reach=[0.2, 0.3], resource=(1 + np.asarray(own.points)[:, 0]), third_party="b^2"
    )
    x = own.space.check([0.3, 0.9])
    np.testing.assert_allclose(own.all_payoffs(x), same.all_payoffs(x), rtol=1e-12)
    np.testing.assert_allclose(oracles.gradients(own, x), oracles.gradients(same, x), rtol=1e-10)


@pytest.mark.default
def test_normalise_scales_the_resource_to_one() -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal", normalise=True)
    assert float(oracles.payoff_scale(game)) == pytest.approx(1.0)


STARTS = [
    (2, [0.1, 0.9]),
    (7, [0.1, 0.3, 0.4, 0.2, 0.6, 0.7, 0.9]),
    (9, [0.1, 0.25, 0.3, 0.35, 0.45, 0.65, 0.75, 0.7, 0.9]),
    (12, [0.1, 0.2, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.8, 0.9]),
    (16, np.repeat([0.115, 0.21, 0.29, 0.391, 0.609, 0.71, 0.79, 0.885], 2).tolist()),
]


@pytest.mark.parametrize(("players", "expected"), STARTS)
def test_named_start(players: int, expected: list[float]) -> None:
    game = rv.games.influencer(players=players)
    np.testing.assert_allclose(oracles.named_start(game, "paper_default")[:, 0], expected, rtol=1e-14)


def test_named_start_on_other_intervals_and_for_many_players() -> None:
    wide = rv.games.influencer(players=2, bounds=[10, 20])
    assert np.asarray(oracles.named_start(wide, "paper_default")).ravel().tolist() == [11, 19]
    many = oracles.named_start(rv.games.influencer(players=13), "paper_default")[:, 0]
    np.testing.assert_allclose(many, np.linspace(0.1, 0.9, 13))
    with pytest.raises(ValueError, match="'paper' is no named start"):
        oracles.named_start(wide, "paper")
    with pytest.raises(ValueError, match="for an interval"):
        oracles.named_start(rv.games.influencer(**SQUARE, players=2), "paper_default")


def test_metrics_of_the_game() -> None:
    game, x = built("both")
    found = oracles.metrics(game, x)
    assert found["outside_payoffs"][0] == ("outside",)
    np.testing.assert_allclose(found["outside_payoffs"][1], game.all_payoffs(x)[2:])
    assert "threshold" not in found
    plain = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    found = oracles.metrics(plain, plain.space.check([0.1, 0.4, 0.9]))
    assert float(found["threshold"][1]) == pytest.approx(0.188815, abs=1e-6)
    assert not found["symmetric_stable"][1]
    slopes = oracles.gradients(plain, plain.space.check([0.1, 0.4, 0.9]))
    assert float(found["gradient_norm"][1]) == pytest.approx(float(jnp.abs(slopes).max()), rel=1e-14)


def test_plot_data_of_the_game() -> None:
    game, x = built("both")
    assert tuple(oracles.plot_data(game)) == ("influence", "shares", "landscape", "resource")
    shares = rv.view(game, "shares", x)
    assert shares.row_label.values.tolist() == ["player 0", "player 1", "third party", "abstention"]
    np.testing.assert_allclose(shares.shares.sum("row"), 1.0)
    np.testing.assert_allclose(rv.view(game, "influence", x).influence, np.exp(game.log_influence(x)))
    landscape = rv.view(game, "landscape", x)
    here = landscape.landscape.sel(player=0).values
    k = 50
    moved = x.at[0, 0].set(float(landscape.landscape_at[k]))
    assert here[k] == pytest.approx(float(game.payoffs(moved)[0]), rel=1e-12)
    assert np.all(
        landscape.landscape_best_payoff.values >= landscape.landscape.max("grid_point").values - 1e-12
    )
    with pytest.raises(ValueError, match="did you mean 'shares'"):
        rv.view(game, "share", x)
