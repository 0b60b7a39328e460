"""Every key does what it says: payoffs, cash flows, values and ends against plain NumPy."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.payoffs import payoffs
from rivalry.core.space import Simplex
from rivalry.families.market import play as native_play
from rivalry.families.market.model import Market
from rivalry.lab.study import parameters
from rivalry.proofs.arithmetic.program import Program
from rivalry.runtime.jax import jax, jnp
from tests.invariance import effects
from tests.invariance.effects import EFFECTS, NOISE, Effect

DRAWN = ("auction", "precipice")
"""Families whose payoffs are compared with means over draws."""
PATH = np.array([[25.0, 40.0], [45.0, 30.0], [60.0, 10.0], [48.0, 49.0], [15.0, 35.0]])[..., None]
"""Outputs ``[period firm axis]``, among which are losses."""
BOUGHT = np.array([[5.0, 0.0], [0.0, 12.0], [-4.0, 2.0], [0.0, -40.0], [9.0, 0.0]])[..., None]
FLOW = np.array([100.0, 80.0])


def make(family: str, keys: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return getattr(rv.games, family)(**keys)


def _profiles(game: Any, family: str) -> np.ndarray:
    """Three profiles ``[profile player axis]`` within the game's space."""
    rng = np.random.default_rng(3)
    if isinstance(game.space, Simplex):
        entries = np.asarray(game.space.entries, dtype=float)
        shares = rng.uniform(0.2, 1.0, (3, *entries.shape)) * entries
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
    low, high = np.asarray(game.space.low), np.asarray(game.space.high)
    draws = rng.uniform(0.05, 0.95, (3, *low.shape))
    if family == "race":  # ends are far above what players choose
        return np.asarray(np.minimum(10.0 ** (1.5 * draws - 1.0), 0.9 * high))
    return np.asarray(low + draws * (high - low))


def _traced(function: Any, rows: np.ndarray) -> np.ndarray:
    """Results of a program for all rows, without compiling it."""
    return _evaluated(Program(jax.make_jaxpr(function)(rows[0])), rows)


def _evaluated(program: Program, rows: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(program(rows)[0])


PROGRAMS: dict[str, Program] = {}
"""Payoffs of games without a key, of which many keys have the same."""


def _payoffs(game: Any, profiles: np.ndarray, name: str = "") -> np.ndarray:
    if oracles.to_finite.knows(game):
        return np.array([payoffs(game, x) for x in profiles])
    if not name:
        return _traced(game.payoffs, profiles)
    if name not in PROGRAMS:
        PROGRAMS[name] = Program(jax.make_jaxpr(game.payoffs)(profiles[0]))
    return _evaluated(PROGRAMS[name], profiles)


def _path(market: Market) -> np.ndarray:
    return np.concatenate([PATH, BOUGHT], axis=2) if market.dynamics.invest else PATH


def _cash_flows(market: Market, path: np.ndarray) -> np.ndarray:
    """Cash flows ``[period firm]`` of native play, period by period."""
    play = native_play.market_play(market, len(path))
    zeros = jnp.zeros(market.players)
    key = jnp.zeros(2, dtype=jnp.uint32)  # nothing is drawn

    def flows(choices: Any) -> Any:
        carried = native_play.initial_state(market, market.numbers["initial"])
        start = jnp.asarray(0)
        state = native_play.PlayState(
            carried, play._inactive_choices(carried), start, start, native_play.Flow(*[zeros] * 4)
        )
        rewards = []
        for t in range(len(path)):
            state, reward, _, _ = play.step(state, choices[t], key)
            rewards.append(reward)
        return jnp.stack(rewards)

    return _traced(flows, path[None])[0]


def _value(game: Any) -> np.ndarray:
    gamma = np.asarray(oracles.discount_factors(game))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return oracles.cycle_value(game, FLOW, gamma)[0]


def _measured(seen: str, game: Any, profiles: np.ndarray) -> np.ndarray:
    """What the package makes of a game, beside its payoffs."""
    if seen == "play":
        return _cash_flows(game, _path(game))
    if seen == "value":
        return _value(game)
    if seen == "ends":
        return np.stack([np.asarray(game.space.low), np.asarray(game.space.high)])
    if seen == "grid":
        return np.stack(oracles.action_levels(game, 4), axis=1)
    if seen == "gaps":
        if not oracles.shared_constraints.knows(game):
            return np.zeros(0)
        return _traced(lambda x: oracles.shared_constraints(game, x), profiles)
    raise AssertionError(seen)


def _written(family: str, effect: Effect, profiles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What the keys mean."""
    meaning, keys = effect.meaning, effect.written
    if callable(meaning):
        return meaning(profiles)
    if effect.seen == "ends":
        return np.stack(
            [np.broadcast_to(np.reshape(meaning[end], (-1, 1)), shape[1:]) for end in ("low", "high")]
        )
    if effect.seen == "play":
        path = np.concatenate([PATH, BOUGHT], axis=2) if "capex" in keys else PATH
        return effects.cash_flows(keys, path)
    if effect.seen == "value":
        return np.array([effects.value(keys, flow) for flow in FLOW])
    return effects.payoffs(family, keys if meaning is None else meaning, profiles)


DEAR = ("beliefs", "influence", "players", "production", "rationing", "reward")
DEAR += ("shock_observed", "stages", "zero_influence")
"""Keys whose programs take more than 0.2 s to trace."""


def _cases() -> Iterator[Any]:
    for family, rows in EFFECTS.items():
        for key, row in rows.items():
            for number, effect in enumerate(row):
                periods = effect.seen == "play" or "horizon" in effect.written
                slow = number or periods or family in DRAWN or key in DEAR
                marks = [pytest.mark.slow] if slow else []
                yield pytest.param(family, effect, id=f"{family}-{key}-{number}", marks=marks)


@pytest.mark.parametrize(("family", "effect"), [*_cases()])
def test_a_key_does_what_it_says(family: str, effect: Effect) -> None:
    game, without = make(family, effect.written), make(family, effect.without)
    profiles = _profiles(game, family)
    if effect.seen == "names":
        assert oracles.labels(game).actions == (tuple(effect.written["actions"]),) * 2
        assert oracles.labels(without).actions != oracles.labels(game).actions
        return
    if effect.seen == "payoffs":
        measured = _payoffs(game, profiles)
    else:
        measured = _measured(effect.seen, game, profiles)
    tolerance = {"atol": NOISE} if family in DRAWN else {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(measured, _written(family, effect, profiles, measured.shape), **tolerance)
    if game.space.shape != without.space.shape:
        return  # other numbers of players or choices
    if effect.seen == "payoffs":
        reference = _payoffs(without, profiles, f"{family} {effect.without}")
    else:
        reference = _measured(effect.seen, without, profiles)
    if reference.shape == measured.shape:
        assert np.max(np.abs(measured - reference)) > (3 * NOISE if family in DRAWN else 1e-3)


@pytest.mark.parametrize("family", sorted(EFFECTS))
def test_each_key_has_a_game_in_which_it_counts(family: str) -> None:
    names = {parameter.name for parameter in parameters(getattr(rv.games, family))}
    assert names == set(EFFECTS[family]), "add a row to tests/invariance/effects.py"
    assert all(EFFECTS[family].values())
