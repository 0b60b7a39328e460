"""Words do not depend on which of several tied best responses a search or an oracle returns."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.space import Box
from rivalry.methods.continuous import mixtures
from rivalry.runtime.jax import jnp

pytestmark = pytest.mark.slow


TIES = 3  # best responses per player


class Peaks(eqx.Module):
    """Two players whose payoffs have three highest points, whatever the other does.

    ``payoff_i = -min_k steep_ik max(|y_i - p_ik| - flat, 0)^2 + effect y_j``; the registered best response is
    peak number ``pick``.
    """

    peaks: Any  # [player peak]
    steep: Any  # [player peak]
    flat: Any
    effect: Any
    pick: Any

    space = Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        y = x[:, 0]
        away = jnp.maximum(jnp.abs(y[:, None] - self.peaks) - self.flat, 0.0)
        return -jnp.min(self.steep * away**2, axis=1) + self.effect * y[::-1]


@oracles.best_response.register(Peaks)
def _(game: Peaks, x: Any, player: Any) -> Any:
    strategy = game.peaks[player, game.pick][None]
    return strategy, game.payoffs(x.at[player].set(strategy))[player], "tight"


def _words(seed: int) -> list[str]:
    """The words of a random profile, by each of the tied responses."""
    rng = np.random.default_rng(seed)
    alike = seed % 3 == 0
    peaks = np.tile([0.25, 0.5, 0.75], (2, 1)) if alike else np.sort(rng.uniform(0.02, 0.98, (2, TIES)))
    steep = np.ones((2, TIES)) if alike else 10 ** rng.uniform(-1, 2, (2, TIES))
    flat = rng.uniform(0.0, 0.02) if seed % 3 == 1 else 0.0
    apart = rng.choice([-1, 1], 2) * 10 ** rng.uniform(-9, -0.5, 2) * (rng.random(2) < 0.7)
    x = np.clip(peaks[[0, 1], rng.integers(TIES, size=2)] + apart, 0.0, 1.0)
    game = Peaks(*(jnp.asarray(part) for part in (peaks, steep, flat, float(rng.integers(2)), 0)))
    games = (eqx.tree_at(lambda one: one.pick, game, jnp.asarray(pick)) for pick in range(TIES))
    return [rv.certificate(game, x[:, None]).claim for game in games]


@pytest.mark.parametrize(
    "count", [9, pytest.param(60, marks=pytest.mark.slow), pytest.param(300, marks=pytest.mark.nightly)]
)
def test_words_do_not_depend_on_the_tied_response_of_a_continuous_game(count: int) -> None:
    words = {seed: _words(seed) for seed in range(count)}
    assert {word for row in words.values() for word in row} >= {"equilibrium", "not an equilibrium"}
    assert {seed: row for seed, row in words.items() if len(set(row)) > 1} == {}


def test_a_mixture_has_one_stake_in_whatever_order_its_strategies_are_listed() -> None:
    """They pay the same, and a hundred times as much is at stake around one as around another."""
    peaks, steep = np.tile([0.2, 0.5, 0.8], (2, 1)), np.tile([100.0, 1.0, 1.0], (2, 1))
    game = Peaks(jnp.asarray(peaks), jnp.asarray(steep), jnp.asarray(0.0), jnp.asarray(1.0), jnp.asarray(0))
    weights, stakes = np.array([[0.3, 0.3, 0.4], [0.2, 0.4, 0.4]]), []
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        pays = np.repeat((weights * peaks).sum(axis=1)[::-1, None], TIES, axis=1)
        grid = peaks[:, order, None]
        proof = mixtures.certificate(game, grid, weights[:, order], pays[:, 0], pays)
        assert proof.at_stake is not None
        stakes.append(proof.at_stake)
    np.testing.assert_allclose(stakes, stakes[:1] * 3, rtol=1e-6)


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_words_of_a_finite_game_do_not_change_with_nearly_tied_responses(count: int) -> None:
    """An action that pays as another one up to rounding may be the best response in its place."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        sizes = ((2, 2), (3, 2), (3, 3), (2, 2, 2))[seed % 4]
        table = rng.integers(-2, 3, (len(sizes), *sizes)).astype(float)
        player = int(rng.integers(len(sizes)))
        game = rv.games.matrix(payoffs=table)
        mask = np.asarray(game.space.mask)
        weights = np.where(mask, rng.exponential(size=mask.shape), 0.0)
        away = weights / weights.sum(axis=1, keepdims=True)
        actions = np.eye(mask.shape[1])[[rng.integers(size) for size in sizes]]
        x = actions + 10 ** rng.uniform(-9, 0) * (away - actions)
        axis = 1 + player
        copy = np.take(table, [int(np.argmax(x[player]))], axis=axis)
        copy[player] *= 1 + 4e-16 * rng.choice([-1, 1])
        wider = np.concatenate([table, copy], axis=axis)
        padded = np.zeros((len(sizes), max(wider.shape[1:])))
        padded[:, : x.shape[1]] = x
        words = rv.certificate(rv.games.matrix(payoffs=wider), padded).claim
        assert words == rv.certificate(game, x).claim, seed
