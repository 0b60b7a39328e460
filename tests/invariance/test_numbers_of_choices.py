"""Players with unequal numbers of choices, by every method for games of a box: mergers, a leader's two tools.

Profiles have as many entries ``[player choice]`` per player as the player with the most choices needs. What
each method finds is known in closed form.
"""

from __future__ import annotations

import warnings
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry import methods
from rivalry.core.results import NO_CERTIFICATE, Solution
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp


class Linear(eqx.Module):
    """Products with payoffs ``p (a + m p - p)`` in the prices ``p`` of all, which firms own."""

    a: Any
    effects: Any  # [product product], 0 on the diagonal
    owners: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    high: float = eqx.field(static=True, default=4.0)

    @property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Player and axis of every product."""
        places = {product: (k, n) for k, row in enumerate(self.owners) for n, product in enumerate(row)}
        player, axis = np.transpose([places[product] for product in range(len(places))])
        return player, axis

    @property
    def space(self) -> Box:
        ends = np.zeros((len(self.owners), max(map(len, self.owners))))
        ends[self.entries] = self.high
        return Box(jnp.zeros(ends.shape), jnp.asarray(ends))

    def payoffs(self, x: Any) -> Any:
        prices = x[self.entries]
        profits = prices * (self.a + self.effects @ prices - prices)
        return jnp.zeros(len(self.owners)).at[self.entries[0]].add(profits)

    def conditions(self) -> np.ndarray:
        """The matrix ``A`` of the first-order conditions ``a = A p``."""
        effects, player = np.asarray(self.effects), self.entries[0]
        return 2 * np.eye(len(player)) - effects - effects.T * (player[:, None] == player)

    def profile(self, prices: np.ndarray) -> np.ndarray:
        x = np.zeros(self.space.shape)
        x[self.entries] = prices
        return x


EFFECTS = np.array([[0.0, 0.25, 0.5], [0.25, 0.0, 0.125], [0.5, 0.25, 0.0]])
PRODUCTS = jnp.array([2.0, 1.5, 1.0])
GAMES = {
    "a merger": Linear(PRODUCTS, jnp.asarray(EFFECTS), ((0, 1), (2,))),
    "its rival first": Linear(PRODUCTS, jnp.asarray(EFFECTS), ((2,), (0, 1))),
    "three firms": Linear(
        jnp.array([2.0, 1.5, 1.0, 1.25]), jnp.asarray(np.pad(EFFECTS, (0, 1))), ((0, 1), (2,), (3,))
    ),
}
GAMES_RUN = {"a merger": "slow", "its rival first": "nightly", "three firms": "nightly"}
PARAMETER = "a[0]"
METHODS: dict[str, Any] = {
    "all_equilibria": methods.AllEquilibria(),
    "best_response": methods.BestResponse(),
    "branches": methods.Branches(parameter=PARAMETER, low=1.0, high=2.5, certify="none"),
    "comparative_statics": methods.ComparativeStatics(parameter=PARAMETER),
    "evaluate": methods.Evaluate(),
    "gradient_ascent": methods.GradientAscent(rate=0.1),
    "gradient_flow": methods.GradientFlow(),
    "newton": methods.Newton(),
    "variational_equilibrium": methods.VariationalEquilibrium(),
}


def solved(game: Any, name: str, start: np.ndarray) -> Any:
    """The solution by one of `METHODS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the test compares the status
        return rv.solve(game, METHODS[name], None if name == "all_equilibria" else start, seed=1)


# every game compiles anew in every method, for seconds
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "game", [pytest.param(game, marks=getattr(pytest.mark, kind)) for game, kind in GAMES_RUN.items()]
)
def test_methods_find_equilibria_of_players_with_unequal_numbers_of_choices(game: str, name: str) -> None:
    firms = GAMES[game]
    conditions = firms.conditions()
    prices = np.linalg.solve(conditions, np.asarray(firms.a))
    start = firms.profile(prices if name == "evaluate" else np.full(len(prices), 1.25))
    found = solved(firms, name, start)
    assert found.status == "converged"
    if name == "branches":
        rows, values = found.data.branch_position.values, found.data.branch_parameter.values
        amounts = np.tile(np.asarray(firms.a), (len(values), 1))
        amounts[:, 0] = values
        expected = [firms.profile(row) for row in np.linalg.solve(conditions, amounts.T).T]
        np.testing.assert_allclose(rows, expected, atol=1e-9)
        assert np.ptp(values) == 1.5
        return
    profile = firms.profile(prices)
    found_profile = found.data.equilibria.values[0] if name == "all_equilibria" else found.profile.values
    np.testing.assert_allclose(found_profile, profile, atol=1e-6)
    if name == "all_equilibria":
        assert len(found.data.equilibria) == 1
        return
    assert found.claim == "equilibrium"
    if name == "comparative_statics":
        slope = firms.profile(np.linalg.inv(conditions)[:, 0])
        np.testing.assert_allclose(found.data.slope.values, slope, atol=1e-9)
        assert not np.any(found.data.held.values)
    if name in ("best_response", "gradient_ascent", "gradient_flow", "newton"):
        assert found.end_state == "stable_point"
        spectrum = found.data.eigenvalues_real.values
        expected = np.sort(np.linalg.eigvals(-conditions).real)[::-1]
        np.testing.assert_allclose(spectrum[~np.isnan(spectrum)], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("leader", [0, 1], ids=["leads with two tools", "leads against two tools"])
@pytest.mark.parametrize("name", ["best_response", "gradient_flow", "newton", "comparative_statics"])
def test_leaders_and_followers_with_unequal_numbers_of_choices(leader: int, name: str) -> None:
    """Leaders' payoffs are quadratic once followers respond, whose first-order conditions are linear."""
    firms = GAMES["a merger"]
    led, lead = rv.transforms.stackelberg(firms, [leader]), firms.entries[0] == leader
    conditions, effects, a = firms.conditions(), np.asarray(firms.effects), np.asarray(firms.a)
    # followers choose `response @ p + constant` at the leader's prices p
    response = -np.linalg.solve(conditions[np.ix_(~lead, ~lead)], conditions[np.ix_(~lead, lead)])
    constant = np.linalg.solve(conditions[np.ix_(~lead, ~lead)], a[~lead])
    cross = effects[np.ix_(lead, ~lead)]
    bend = effects[np.ix_(lead, lead)] - np.eye(int(lead.sum())) + cross @ response
    prices = np.linalg.solve(-(bend + bend.T), a[lead] + cross @ constant)
    profile = np.zeros(led.space.shape)
    profile[0, : len(prices)] = prices
    found = solved(led, name, np.where(profile > 0, 1.25, 0.0))
    # responses of a follower with one choice have a proved bound, and those of one with two have none
    claim = "equilibrium" if (~lead).sum() == 1 else "no deviation found"
    assert (found.status, found.claim) == ("converged", claim)
    np.testing.assert_allclose(found.profile.values, profile, atol=1e-6)
    if name == "comparative_statics":
        moves = np.linalg.inv(-(bend + bend.T))[:, 0] if leader == 0 else None
        later = np.linalg.solve(conditions[np.ix_(~lead, ~lead)], np.eye(int((~lead).sum()))[:, 0])
        moves = np.linalg.solve(-(bend + bend.T), cross @ later) if moves is None else moves
        np.testing.assert_allclose(found.data.slope.values[0, : len(prices)], moves, atol=1e-6)


def test_profiles_are_printed_without_entries_that_nobody_chooses() -> None:
    profile, pays = np.array([[2.0, 3.0], [0.25, 0.0]]), np.array([1.0, 5.0])
    choices = {"is_choice": (("player", "axis"), np.array([[True, True], [True, False]]))}
    record: dict[str, Any] = choices | {
        "profile": (("player", "axis"), profile),
        "payoff": (("player",), pays),
    }
    (table,) = Solution(record, NO_CERTIFICATE).tables
    texts = [[entry.text for entry in row.values()] for row in table.rows]
    assert texts == [["0", "1", "[2 3]"], ["1", "5", "[0.25]"]]
    (table,) = Solution(record, NO_CERTIFICATE, {"axis": ("a", "b")}).tables
    assert table.rows[1]["strategy"].text == "a 0.25"
    statics = choices | {
        "slope": (("player", "axis"), profile),
        "slope_payoff": (("player",), pays),
        "parameter_name": ((), np.asarray("c")),
        "parameter_value": ((), np.asarray(1.0)),
        "derivative_exists": ((), np.asarray(True)),
    }
    (table,) = Solution(statics, NO_CERTIFICATE).tables
    derivatives = {row["derivative"].text: row["value"].mean for row in table.rows}
    of_strategies = {"strategy [0] of player 0": 2.0, "strategy [1] of player 0": 3.0}
    of_strategies |= {"strategy [0] of player 1": 0.25}
    of_payoffs = {"payoff of player 0": 1.0, "payoff of player 1": 5.0}
    assert derivatives == {f"d {name} / d c": value for name, value in (of_strategies | of_payoffs).items()}
    equilibria = choices | {
        "equilibria": (("equilibrium", "player", "axis"), profile[None]),
        "equilibrium_payoff": (("equilibrium", "player"), pays[None]),
        "complete": ((), np.asarray(True)),
        "complete_reason": ((), np.asarray("")),
        "equilibrium_count": ((), np.asarray(1)),
    }
    tables = Solution(equilibria, NO_CERTIFICATE).tables
    (table,) = [table for table in tables if table.noun == "equilibria"]
    assert [entry.text for entry in table.rows[0].values()][:2] == ["[2 3]", "0.25"]
