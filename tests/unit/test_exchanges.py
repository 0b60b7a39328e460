"""Exchangeable players: a declared exchange counts where payoffs confirm it."""

import gc
from typing import Any
from weakref import ref

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.exchanges import confirmed_exchanges, exchangeable_labels
from rivalry.core.oracles import exchangeable, shared_constraints
from rivalry.core.space import Box
from rivalry.core.tree import Tree
from rivalry.runtime.jax import numbers_in_numpy
from rivalry.tables import equilibria, tabulate


class Declared(Tree):
    """Three players of one declared kind, whose payoffs and bounds may differ."""

    space: Any
    slopes: Any
    constants: Any
    extra: Any  # of the first player, for choices above 2.8

    def payoffs(self, x: Any) -> Any:
        own, total = x[:, 0], x.sum()
        bonus = jnp.zeros(3).at[0].set(self.extra * jnp.maximum(own[0] - 2.8, 0.0))
        return own * (8.0 - self.slopes * own - total) + self.constants + bonus


exchangeable.register(Declared)(lambda game: np.zeros(3, int))


class Shared(Declared):
    """The same with a constraint that tells the second player apart."""


shared_constraints.register(Shared)(lambda game, x: jnp.array([x[0, 0] + 2 * x[1, 0] + x[2, 0] - 5.0]))
exchangeable.register(Shared)(lambda game: np.zeros(3, int))


def game(
    slopes: Any = (1.0, 1.0, 1.0),
    constants: Any = (0.0, 0.0, 0.0),
    high: Any = (3.0, 3.0, 3.0),
    extra: float = 0.0,
    kind: type[Declared] = Declared,
) -> Declared:
    box = Box(jnp.full((3, 1), 0.5), jnp.array(high)[:, None])
    return kind(box, jnp.array(slopes), jnp.array(constants), jnp.asarray(extra))


def test_a_game_that_was_checked_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payoffs confirm an exchange once per game; a changed game is another one, and none is kept alive."""
    asked: list[int] = []

    def confirm(games: Any, proposed: Any) -> Any:
        asked.append(id(games[0]))
        return confirmed_exchanges(games, proposed)

    monkeypatch.setattr("rivalry.core.exchanges.confirmed_exchanges", confirm)
    with numbers_in_numpy():
        market = rv.games.market(unit_cost=[9.0, 9.0])
    first = exchangeable_labels(market)
    first[:] = 7
    assert exchangeable_labels(market).tolist() == [0, 0]
    assert len(asked) == 1
    changed = rv.with_(market, unit_cost=[8.0, 8.0])
    assert exchangeable_labels(changed).tolist() == exchangeable_labels(market).tolist() == [0, 0]
    assert asked == [id(market), id(changed)]
    # an array of NumPy may be changed in place
    market.unit_cost[:] = 7.0
    assert exchangeable_labels(market).tolist() == [0, 0]
    assert asked == [id(market), id(changed), id(market)]
    alive = ref(market)
    del market
    gc.collect()
    assert alive() is None
    # payoffs of the user's own class may read what changes
    own = game()
    assert exchangeable_labels(own).tolist() == exchangeable_labels(own).tolist() == [0, 0, 0]
    assert asked[3:] == [id(own)] * 2


def test_what_payoffs_refute_is_not_used() -> None:
    assert exchangeable_labels(game()).tolist() == [0, 0, 0]
    assert exchangeable_labels(game(slopes=(2.0, 1.0, 2.0))).tolist() == [0, 1, 0]
    assert exchangeable_labels(game(slopes=(1.0, 1.0 + 1e-8, 1.0))).tolist() == [0, 1, 0]
    assert exchangeable_labels(game(high=(3.0, 3.0, 4.0))).tolist() == [0, 0, 2]
    # a difference near the upper end alone
    assert exchangeable_labels(game(extra=1e-3)).tolist() == [0, 1, 1]
    assert exchangeable_labels(game(constants=(1.0, 0.0, 0.0))).tolist() == [0, 1, 1]


@pytest.mark.slow
def test_shared_constraints_tell_players_apart() -> None:
    assert exchangeable_labels(game(kind=Shared)).tolist() == [0, 1, 0]


def test_constants_make_nobody_unlike_where_they_do_not_matter() -> None:
    several = [game(constants=(1.0, 2.0, 3.0)), game(slopes=(2.0, 2.0, 2.0))]
    everyone = np.zeros(3, int)
    assert confirmed_exchanges(several, everyone, constants=True).tolist() == [0, 0, 0]
    # at every one of the games
    several.append(game(slopes=(2.0, 2.0, 1.0)))
    assert confirmed_exchanges(several, everyone, constants=True).tolist() == [0, 0, 2]


UNLIKE = {
    "formulas": ({"demand": {"price": ["20-q0-q1", "18-q0-q1"]}, "high": 20.0}, [0, 1]),
    "equal formulas": ({"demand": {"price": ["20-q0-q1/2", "-q1+20-q0*.5"]}, "high": 20.0}, [0, 1]),
    "exchanged formulas": ({"demand": {"price": ["20-q0-.5*q1", "20-.5*q0-q1"]}, "high": 20.0}, [0, 0]),
    "a step": ({"demand": "40-Q-.01*max(q0-19.9, 0)", "high": 20.0}, [0, 1]),
    "nests": ({"players": 3, "demand": "logit", "nests": [[0, 1], [2]], "nesting": 0.5}, [0, 0, 2]),
    "taxes": ({"tax": {"unit": [0.0, 1.0]}}, [0, 1]),
    "bounds": ({"high": [20.0, 21.0]}, [0, 1]),
}


@pytest.mark.parametrize("name", UNLIKE)
@pytest.mark.slow
def test_firms_of_unlike_demand_are_not_exchanged(name: str) -> None:
    options, kinds = UNLIKE[name]
    assert exchangeable_labels(rv.games.market(**options)).tolist() == kinds


@pytest.mark.slow
def test_grids_keep_the_equilibria_of_unlike_firms() -> None:
    market = rv.games.market(demand={"price": ["20-q0-q1", "18-q0-q1"]}, unit_cost=1.0, high=20.0)
    points = np.arange(21.0)
    own, other = np.meshgrid(points, points, indexing="ij")
    profits = [
        own * (np.maximum(20 - own - other, 0) - 1),
        other * (np.maximum(18 - own - other, 0) - 1),
    ]
    best = [profits[k] == profits[k].max(axis=k, keepdims=True) for k in range(2)]
    expected = np.argwhere(best[0] & best[1])
    assert [7, 5] in expected.tolist()
    table = tabulate(market, points[:, None])
    np.testing.assert_array_equal(equilibria(table), expected)


@pytest.mark.slow
def test_lists_of_unlike_firms_are_complete() -> None:
    """First-order conditions of linear demand have one solution."""
    by_outputs = rv.games.market(demand={"price": ["20-q0-q1", "18-q0-q1"]}, unit_cost=1.0, high=20.0)
    by_prices = rv.games.market(demand={"quantity": ["10-2*p0+p1", "8-2*p1+p0"]}, high=8.0)
    for market, expected in ((by_outputs, [7.0, 5.0]), (by_prices, [58 / 15, 52 / 15])):
        found = rv.all_equilibria(market)
        assert found.complete
        np.testing.assert_allclose(np.asarray(found.equilibria)[..., 0], [expected], rtol=1e-9)
