"""Words beside races of all sizes: no equilibrium beside a large gain, and the same word in other units."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.runtime.jax import jax, jnp
from tests.race_keys import race

pytestmark = pytest.mark.mostly_slow

SMALL_PART = 1e-3  # of the payoff, or of what best responses win: no gain above it is called small
PARTS: tuple[dict[str, str], ...] = (
    {"cost": "linear"},
    {"cost": "penalty", "measured_by": "odds"},
    {"cost": "penalty", "measured_by": "effort"},
    {"cost": "linear", "contest": "logit"},
    {"cost": "linear", "risk": "additive"},
)
PAID = (*("prize", "loser_prize", "disaster_cost", "fine", "price"), *("safety_price", "performance_price"))
TINY = 10.0 ** np.array([-300.0, -200.0, -100.0, -50.0])
EVEN = np.linspace(0.5, 3.0, 6)
SAFETY = np.r_[0.0, np.logspace(-25, -8, 10), np.logspace(-7, 5, 40), EVEN]
PERFORMANCE = np.r_[0.0, TINY, np.logspace(-25, 5, 50), EVEN]
GRID = np.stack(np.meshgrid(SAFETY, PERFORMANCE), axis=-1).reshape(-1, 2)


def _keys(seed: int) -> dict[str, Any]:
    """Return the keys of a race of two players, each over many powers of ten."""
    rng = np.random.default_rng([78, seed])

    def powers(low: float, high: float) -> list[float]:
        return (10 ** rng.uniform(low, high, 2)).tolist()

    keys: dict[str, Any] = {"players": 2, **PARTS[seed % len(PARTS)]}
    keys["safety_productivity"], keys["performance_productivity"] = powers(-1, 2), powers(-1, 2)
    keys["safety_exponent"] = rng.uniform(0.2, 1, 2).tolist()
    keys["performance_exponent"] = rng.uniform(0.2, 1, 2).tolist()
    keys["disaster_cost"] = [0.0, 0.0] if rng.random() < 0.15 else powers(-3, 9)
    keys["loser_prize"] = 0.0 if rng.random() < 0.5 else float(rng.normal())
    keys["prize"] = powers(-3, 3)
    keys["scale_penalty"] = rng.choice([0.0, 0.01, 0.1, 0.5, 1.0, 2.0], 2).tolist()
    if keys["cost"] == "linear":
        return keys | {"safety_price": powers(-6, 1), "performance_price": powers(-6, 1)}
    return keys | {"price": powers(-6, 1), "minimum": powers(-3, 4), "fine": powers(-3, 9)}


def _profiles(game: Any, seed: int) -> list[np.ndarray]:
    """Return profiles in which both players idle, one of them does, none does, and a few at random."""
    rng = np.random.default_rng([79, seed])
    idle, single = np.zeros((2, 2)), np.zeros((2, 2))
    single[1] = 10 ** rng.uniform(-2, 1, 2)
    drawn = 10 ** rng.uniform(-20, 2, (2, 2, 2))
    responses = np.ones((2, 2))
    for player in (0, 1, 0, 1):
        responses[player] = rv.best_response(game, responses.copy(), player).strategy
    rows = [idle, single, *np.where(rng.random(drawn.shape) < 0.3, 0.0, drawn), responses]
    return [np.minimum(x, np.asarray(game.space.high)) for x in rows]


@eqx.filter_jit
def _paid(game: Any, x: Any, player: Any, strategies: Any) -> Any:
    return jax.vmap(lambda strategy: game.payoffs(x.at[player].set(strategy))[player])(strategies)


def _gains(game: Any, x: np.ndarray) -> np.ndarray:
    """Return each player's largest gain on a grid of deviations, by the payoffs of the game alone."""
    current, highest = np.asarray(game.payoffs(jnp.asarray(x))), np.asarray(game.space.high)
    rows = [jnp.asarray(np.minimum(GRID, high)) for high in highest]
    paid = [np.nanmax(_paid(game, jnp.asarray(x), jnp.asarray(k), row)) for k, row in enumerate(rows)]
    return np.maximum(np.array(paid) - current, 0.0)


def _wrong_word(game: Any, x: np.ndarray) -> str:
    """Return the certificate where a gain or its bound is large beside the word; empty elsewhere."""
    proof, size = rv.certificate(game, x), np.abs(np.asarray(game.payoffs(jnp.asarray(x))))
    gains, bound = _gains(game, x), np.where(np.isfinite(proof.bound), proof.bound, 0.0)
    won = np.maximum(gains, bound)
    assert proof.at_stake is not None
    part = {"equilibrium": SMALL_PART, "approximate equilibrium": 0.02}.get(proof.claim)
    if part is None:
        return ""
    # digits that a sum with the cost of a disaster or a fine has lost are no gain
    rounded = 1e-12 * max(1.0, float(np.max(np.abs(game.numbers["disaster_cost"]))))
    large = won > part * np.maximum(size, np.minimum(proof.at_stake, won)) + rounded
    return f"{proof!r} at {x.tolist()}: gains {gains}" if np.any(large) else ""


SEEDS = [*range(15), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(15, 90))]
CASES = {
    "a fine": {"cost": {"kind": "penalty", "fine": 1e7, "minimum": 1.0}},
    "a disaster": {"scale_penalty": 0.1, "disaster_cost": 1e3},
    "a great disaster": {"scale_penalty": 0.1, "disaster_cost": 1e6},
}


@pytest.mark.parametrize("case", CASES)
def test_ruin_that_nobody_risks_makes_no_gain_small(case: str) -> None:
    """Against an idle rival the prize of 1 is won by ever smaller inputs."""
    found = rv.certificate(rv.games.race(players=2, **CASES[case]), np.zeros((2, 2)))
    assert found.claim == "not an equilibrium"
    np.testing.assert_allclose(found.regret, 1.0, rtol=1e-5)
    assert np.all(found.bound >= found.regret)
    assert "no best response exists: gains of player 0 approach 1" in found.method


@pytest.mark.parametrize("seed", SEEDS)
def test_no_word_of_equilibrium_beside_a_large_gain(seed: int) -> None:
    game = race(**_keys(seed))
    words = [_wrong_word(game, x) for x in _profiles(game, seed)]
    assert not any(words), "\n".join(filter(None, words))


@pytest.mark.parametrize("seed", range(10))
def test_words_of_races_do_not_depend_on_the_unit_of_payoffs(seed: int) -> None:
    keys = _keys(seed)
    game = race(**keys)
    profiles = _profiles(game, seed)
    words = [rv.certificate(game, x).claim for x in profiles]
    for unit in (1e-3, 60.0, 1e6):
        paid = {name: (unit * np.asarray(keys[name])).tolist() for name in PAID if name in keys}
        other = race(**keys | paid)
        assert [rv.certificate(other, x).claim for x in profiles] == words, unit


@pytest.mark.parametrize(
    ("keys", "supremum"),
    [
        ({"horizon": 3}, 3.0),
        ({"horizon": 3, "end_on": "win"}, 1.0),
        ({"horizon": 3, "end_on": "disaster"}, 3.0),
        ({"contest": "best"}, 1.0),
    ],
)
def test_a_prize_that_ever_smaller_inputs_win_is_the_regret(keys: dict[str, Any], supremum: float) -> None:
    """Against idle rivals any input wins the prize of 1, at once or in every period, and is then safe."""
    game = rv.games.race(players=2, **keys)
    found = rv.certificate(game, np.zeros(game.space.shape))
    assert found.claim == "not an equilibrium"
    np.testing.assert_allclose(found.regret, supremum, rtol=1e-9)
    assert "no best response exists" in found.method
