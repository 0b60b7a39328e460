"""Influencer games in which players choose their reach as well as their position."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.influencers import symmetric_equilibrium, symmetric_positions, symmetric_spectrum
from tests.duel import formulas

pytestmark = pytest.mark.slow

LINE: dict[str, Any] = {
    "choose_reach": [0.05, 0.5],
    "reach_cost": [4.0, 9.0],
    "resource_points": {"kind": "linspace", "start": 0.01, "stop": 0.99, "num": 30},
    "resource": "bimodal",
}
PLANE: dict[str, Any] = {
    "space": "box",
    "choose_reach": [0.1, 0.6],
    "normalised": True,
    "players": 2,
    "resource_points": {"kind": "grid", "num": [6, 5]},
    "resource": {"kind": "mixture", "means": [[0.2, 0.3], [0.8, 0.6]], "stds": 0.2},
}
GAMES: dict[str, tuple[dict[str, Any], Any]] = {
    "cost": (LINE, [[0.3, 0.1], [0.6, 0.2]]),
    "thin": (LINE | {"normalised": True, "reach_cost": None, "players": 2}, [[0.3, 0.1], [0.6, 0.2]]),
    "outside": (
        LINE | {"abstention": 3.0, "third_party": "0.3*exp(-b)", "budgets": [1, 2]},
        [[0.3, 0.1], [0.6, 0.2]],
    ),
    "plane": (PLANE, [[0.3, 0.2, 0.2], [0.7, 0.6, 0.4]]),
    "plane outside": (PLANE | {"abstention": 0.5, "reach_cost": 1.0}, [[0.3, 0.2, 0.2], [0.7, 0.6, 0.4]]),
}  # fmt: skip


def built(name: str) -> tuple[Any, Any]:
    options, x = GAMES[name]
    game = rv.games.influencer(**options)
    return game, game.space.check(x)


def direct(name: str, game: Any) -> np.ndarray:
    """Return the players' payoffs, written out in NumPy."""
    options, x = GAMES[name]
    points, x = np.asarray(game.points), np.asarray(x)
    keys = {key: value for key, value in options.items() if value is not None}
    if "third_party" in keys:
        keys["third_party"] = 0.3 * np.exp(-points[:, 0])
    paid = formulas.influence(keys, len(x), points, np.asarray(game.weights))
    return np.concatenate([paid(x, player, x[[player]]) for player in range(len(x))])


@eqx.filter_jit
def everything(game: Any, x: Any) -> dict[str, Any]:
    whole = jax.jacrev(game.payoffs)(x)
    return {
        "payoffs": game.payoffs(x),
        "all": game.all_payoffs(x),
        "gradients": oracles.gradients(game, x),
        "jacobian": oracles.jacobian(game, x),
        "autodiff": jnp.stack([whole[i, i] for i in range(len(x))]),
        "autodiff twice": jax.jacfwd(lambda y: oracles.gradients(game, y))(x).reshape(x.size, x.size),
    }


@pytest.mark.parametrize("name", GAMES)
def test_against_the_definition_and_automatic_differentiation(name: str) -> None:
    game, x = built(name)
    ours = everything(game, x)
    np.testing.assert_allclose(ours["payoffs"], direct(name, game), rtol=1e-11)
    cost = 0.0 if game.reach_cost is None else float(game.reach_cost @ x[:, -1])
    assert float(ours["all"].sum()) == pytest.approx(float(oracles.payoff_scale(game)) - cost, rel=1e-12)
    np.testing.assert_allclose(ours["gradients"], ours["autodiff"], rtol=1e-9, atol=1e-9)
    near = {"rtol": 1e-9, "atol": 1e-9 * float(np.abs(ours["jacobian"]).max())}
    np.testing.assert_allclose(ours["jacobian"], ours["autodiff twice"], **near)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["plane", "plane outside"])
def test_no_deviation_in_a_box_exceeds_the_payoff_bound(name: str) -> None:
    game, x = built(name)
    rng = np.random.default_rng(3)
    space_low, space_high = np.asarray(game.space.low)[0], np.asarray(game.space.high)[0]
    ends = space_low + (space_high - space_low) * rng.random((12, 2, len(space_low)))
    low, high = ends.min(axis=1), ends.max(axis=1)
    parts = rng.random((60, len(space_low)))

    @eqx.filter_jit
    def cells(game: Any, low: Any, high: Any) -> tuple[Any, Any]:
        def one(a: Any, c: Any) -> tuple[Any, Any]:
            best = jax.vmap(lambda p: game.payoffs(x.at[0].set(a + p * (c - a)))[0])(parts).max()
            return oracles.payoff_bound(game, x, 0, a, c), best

        return jax.vmap(one)(low, high)

    ceilings, best = cells(game, low, high)
    assert np.all(np.asarray(best) <= np.asarray(ceilings) + 1e-12)
    tight, reached = cells(game, low, low + 1e-6 * (high - low))
    np.testing.assert_allclose(tight, reached, rtol=1e-4)


def test_deviation_payoffs_agree_with_payoffs() -> None:
    game, x = built("cost")
    reply = jnp.asarray([0.8, 0.3])
    payoff = oracles.deviation_payoff(game, x, 1)(reply)
    assert float(payoff) == pytest.approx(float(game.payoffs(x.at[1].set(reply))[1]), rel=1e-12)


def test_an_interior_equilibrium_is_certified_exactly() -> None:
    game = rv.games.influencer(**LINE | {"reach_cost": [20.0, 20.0]})
    start = oracles.named_start(game, "paper_default")
    found = rv.solve(game, rv.methods.GradientAscent(rate=1e-3), start=start, path=False)
    x = found.record["profile"][1]
    assert (found.claim, found.certificate.coverage) == ("equilibrium", "tight")
    assert np.all((x[:, 1] > 0.05) & (x[:, 1] < 0.5))
    np.testing.assert_allclose(oracles.gradients(game, jnp.asarray(x)), 0, atol=1e-6)


def test_named_starts_plot_data_and_metrics() -> None:
    game, x = built("cost")
    np.testing.assert_allclose(oracles.named_start(game, "paper_default"), [[0.1, 0.275], [0.9, 0.275]])
    assert tuple(oracles.plot_data(game)) == ("influence", "shares", "landscape", "resource")
    assert rv.view(game, "landscape", x).landscape_at.shape == (1681, 2)
    measured = oracles.metrics(game, x)
    assert measured["axis_name"][1].tolist() == ["position", "reach"]
    assert "threshold" not in measured
    assert oracles.exchangeable(game).tolist() == [0, 1]
    assert "reach chosen, the last axis" in repr(game)


def test_symmetric_equilibria_include_the_reach() -> None:
    game = rv.games.influencer(**LINE | {"reach_cost": 20.0, "players": 2})
    with pytest.raises(ValueError, match="players who choose their reach; use symmetric_positions"):
        symmetric_equilibrium(game)
    for position in symmetric_positions(game):
        x = game.space.check(np.broadcast_to(position, (2, 2)))
        np.testing.assert_allclose(oracles.gradients(game, x), 0, atol=1e-7)
        assert np.all(np.isfinite(symmetric_spectrum(game, position).split))
    unequal, _ = built("cost")
    with pytest.raises(ValueError, match=r"needs equal players, but reach_cost is \[4.0, 9.0\]"):
        symmetric_positions(unequal)


def test_a_free_reach_gives_a_warning() -> None:
    with pytest.warns(UserWarning, match="player 1's reach costs nothing, so the widest always wins"):
        game = rv.games.influencer(**LINE | {"reach_cost": [4.0, 0.0]})
    x = game.space.check([[0.3, 0.1], [0.6, 0.2]])
    assert float(oracles.gradients(game, x)[1, 1]) > 0
    assert rv.best_response(game, x, 1).strategy[1] == pytest.approx(0.5)
