"""The race: parameters, inputs over periods, payoffs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import at_home
from rivalry.core.space import Box, Profile
from rivalry.games.race.period import (
    Numbers,
    Outcome,
    Rules,
    fraction,
    next_productivity,
    outcome,
    stock_paths,
)

COLUMNS = (
    *("safety_input", "performance_input", "safety_investment", "performance_investment"),
    *("safety_sharing", "performance_sharing"),
)
STOCKS = (
    ("safety_productivity", "safety_depreciation"),
    ("performance_productivity", "performance_depreciation"),
)
PRODUCTIVITIES = tuple(name for name, _ in STOCKS)
ALONE = ("decisiveness", "ease_of_winning", "loser_weight")  # one number for all players, or one per period

Transition = Callable[[dict[str, Array], Float[Array, "player column"], Array], dict[str, Array]]


def _varies(name: str, value: Array, by_victim: bool) -> bool:
    """Return whether a parameter has one row per period; a method of a module would be ten times as slow."""
    if name == "disaster_cost" and not by_victim:
        return bool(value.ndim == 3)
    return bool(value.ndim == (1 if name in ALONE else 2))


class Race(eqx.Module):
    """A race: players spend on performance, which wins, and on safety, which prevents disasters.

    A profile is ``[player axis]`` in natural units, the axes period by period and in each the ``columns``;
    `schedule` returns it as ``[period player column]``. Made by `race`.

    Attributes
    ----------
    space : Box
        The inputs of all periods, ``[player axis]``.
    numbers : dict of str to Array
        The parameters by name, ``[player]``, or ``[period player]`` if they vary; those in `ALONE` without
        the player. They are attributes too: ``race.scale_penalty``.
    weights : Array
        The factors of payoffs in the sum over periods, ``[period player]``.
    ahead : Array
        The value of reaching the end of the last period, ``[player]``.
    rules : Rules
        Production, contest, risk and cost.
    gamma : Array or None
        The discount factors of an infinite horizon, ``[player]``; its one period stands for all.
    """

    space: Box
    numbers: dict[str, Array]
    weights: Float[Array, "period player"]
    ahead: Float[Array, "player"]
    rules: Rules = eqx.field(static=True)
    columns: tuple[str, ...] = eqx.field(static=True, default=COLUMNS[:2])
    end_on: str = eqx.field(static=True, default="none")
    spillover: str = eqx.field(static=True, default="sum")
    sharing_unit: str = eqx.field(static=True, default="fraction")
    damage: str = eqx.field(static=True, default="victim")
    transition: Transition | None = eqx.field(static=True, default=None)
    gamma: Float[Array, "player"] | None = None

    def __getattr__(self, name: str) -> Any:
        # the parameters are the game's own: with_(game, scale_penalty=0.7) and game.scale_penalty
        if not name.startswith("_") and name in self.__dict__.get("numbers", {}):
            return self.numbers[name]
        raise AttributeError(f"this race has no {name!r}")

    def __repr__(self) -> str:
        if isinstance(self.weights, jax.core.Tracer):
            return str(eqx.tree_pformat(self))  # inside a transformation: shapes are all there is
        length = "an infinite horizon" if self.infinite_horizon else f"{self.periods} period(s)"
        lines = [f"Race of {self.players} players over {length}"]
        words = [("contest", self.rules.contest), ("risk", self.rules.risk), ("cost", self.rules.cost)]
        lines.append("  " + ", ".join(f"{what} {getattr(rule, '__name__', rule)}" for what, rule in words))
        parameters = (
            *("safety_productivity", "safety_exponent", "performance_productivity", "performance_exponent"),
            *("scale_penalty", "disaster_cost", "safety_price", "performance_price"),
        )
        parts = [f"{n} {' '.join(np.array2string(np.asarray(self.numbers[n])).split())}" for n in parameters]
        lines.append("  " + ", ".join(parts))
        if self.periods > 1 or self.infinite_horizon:
            lines.append(f"  ends on {self.end_on}" + (f", columns {', '.join(self.columns)}"))
        return "\n".join(lines)

    @property
    def players(self) -> int:
        """Return the number of players."""
        return self.weights.shape[1]

    @property
    def periods(self) -> int:
        """Return the number of periods of a profile; 1 for an infinite horizon."""
        return self.weights.shape[0]

    @property
    def infinite_horizon(self) -> bool:
        """Return whether the one period stands for all."""
        return self.gamma is not None

    @property
    def disaster_by_victim(self) -> bool:
        """Return whether the cost of a disaster is a vector, and not a matrix ``[player winner]``."""
        return self.damage == "victim"

    def schedule(self, x: Profile) -> Float[Array, "period player column"]:
        """Return a profile by period, player and column."""
        return jnp.moveaxis(x.reshape(self.players, self.periods, len(self.columns)), 0, 1)

    def profile(self, schedule: Array) -> Profile:
        """Return the profile of a schedule ``[period player column]``; the inverse of `schedule`."""
        return jnp.moveaxis(schedule, 1, 0).reshape(self.players, -1)

    def inputs(self, strategies: object = None, **columns: object) -> Profile:
        """Return the profile of inputs as users write them; see `profile_of`."""
        return profile_of(self, strategies, columns)

    def numbers_at(self, t: int | Array) -> dict[str, Array]:
        """Return the parameters in period ``t``, before technology and ``transition`` change them."""
        numbers, by_victim = self.numbers, self.disaster_by_victim
        return {n: value[t] if _varies(n, value, by_victim) else value for n, value in numbers.items()}

    def stocks(self, x: Profile) -> tuple[Float[Array, "stage player"], Float[Array, "stage player"]]:
        """Return A and B at the start of every period, and after the last, without ``transition``."""
        rows = self.schedule(x)
        if len(self.columns) == 2:
            return self._still("safety_productivity"), self._still("performance_productivity")
        shares: list[Array | None] = [None, None]
        if len(self.columns) == 6:
            shares = [fraction(rows[..., k], self.sharing_unit) for k in (4, 5)]
        found = []
        for k, (stock, loss) in enumerate(STOCKS):
            lost = jnp.broadcast_to(self.numbers[loss], (self.periods, self.players))
            start = self.numbers[stock]
            found.append(
                stock_paths(
                    start[0] if _varies(stock, start, True) else start,
                    rows[..., 2 + k],
                    shares[k],
                    lost,
                    self.spillover,
                )
            )
        return found[0], found[1]

    def given(self, row: Float[Array, "player column"], stock: int) -> Float[Array, "player"]:
        """Return the fraction of a lead in A (0) or B (1) that each player shares."""
        return fraction(row[:, 4 + stock], self.sharing_unit)

    def _still(self, name: str) -> Float[Array, "stage player"]:
        value = jnp.broadcast_to(self.numbers[name], (self.periods, self.players))
        return jnp.concatenate([value, value[-1:]])

    def periodic(self, x: Profile) -> tuple[Outcome, Float[Array, "period player"], Any, Any]:
        """Return every period's outcome, payoff after costs, and paths of A and B ``[stage player]``."""
        rows = self.schedule(x)
        if self.transition is not None:
            return self._followed(rows)
        a, b = self.stocks(x)

        def one(t: Array, row: Array, a: Array, b: Array) -> tuple[Outcome, Array]:
            numbers = self.numbers_at(t) | dict(zip(PRODUCTIVITIES, (a, b), strict=True))
            found = outcome(self.rules, numbers, row[:, 0], row[:, 1])
            return found, found.u - self.upkeep(numbers, row)

        if self.periods == 1:
            single = one(jnp.asarray(0), rows[0], a[0], b[0])
            found, paid = jax.tree.map(lambda leaf: leaf[None], single)
        else:
            found, paid = jax.vmap(one)(jnp.arange(self.periods), rows, a[:-1], b[:-1])
        return found, paid, a, b

    def upkeep(self, numbers: Numbers, row: Float[Array, "player column"]) -> Float[Array, "player"]:
        """Return the cost of investment and sharing in a period."""
        prices = [numbers[f"{column}_price"] for column in self.columns[2:]]
        return sum((price * row[:, 2 + k] for k, price in enumerate(prices)), jnp.zeros(self.players))

    def _followed(self, rows: Array) -> tuple[Outcome, Array, Array, Array]:
        """Return the same with a custom ``transition``, which replaces the parameters after every period."""
        assert self.transition is not None
        numbers = self.numbers_at(0)

        def one(numbers: dict[str, Array], inputs: tuple[Array, Array]) -> tuple[Any, Any]:
            t, row = inputs
            found = outcome(self.rules, numbers, row[:, 0], row[:, 1])
            paid = found.u - self.upkeep(numbers, row)
            after = self.transition(self.after_technology(numbers, row), row, t)  # type: ignore[misc]
            after = {name: jnp.broadcast_to(after[name], numbers[name].shape) for name in numbers}
            return after, (found, paid, numbers["safety_productivity"], numbers["performance_productivity"])

        last, (found, paid, a, b) = jax.lax.scan(one, numbers, (jnp.arange(self.periods), rows))
        return (
            found,
            paid,
            jnp.append(a, last["safety_productivity"][None], axis=0),
            jnp.append(b, last["performance_productivity"][None], axis=0),
        )

    def after_technology(self, numbers: dict[str, Array], row: Array) -> dict[str, Array]:
        """Return the parameters after a period, by the technology rule alone."""
        if len(self.columns) == 2:
            return numbers
        after = dict(numbers)
        for k, (stock, loss) in enumerate(STOCKS):
            given = fraction(row[:, 4 + k], self.sharing_unit) if len(self.columns) == 6 else None
            after[stock] = next_productivity(
                numbers[stock], row[:, 2 + k], given, numbers[loss], self.spillover
            )
        return after

    def p_continue(self, found: Outcome) -> Array:
        """Return the probability that play continues after a period, given that it was reached."""
        if self.end_on == "win":
            return found.nobody
        if self.end_on == "disaster":
            # only unsafe wins end play, and no winner is no unsafe win
            unsafe = found.disaster - found.nobody if self.rules.no_winner == "disaster" else found.disaster
            return 1 - unsafe
        return jnp.ones_like(found.nobody)

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """Return the weighted sums over the periods that are reached, in units of the prize."""
        found, paid, _, _ = self.periodic(x)
        p_continue = self.p_continue(found)
        if self.gamma is not None:
            return self.weights[0] * paid[0] / (1 - self.gamma * p_continue[0])
        alive = jnp.cumprod(p_continue)
        reached = jnp.append(1.0, alive[:-1])
        return jnp.sum(self.weights * reached[:, None] * paid, axis=0) + self.ahead * alive[-1]

    def stage(
        self, t: int | Array, ahead: Float[Array, "player"], A: Array | None = None, B: Array | None = None
    ) -> Race:
        """Return period ``t`` alone, inputs only, with the stocks ``A`` and ``B`` [player] if given.

        It pays the period's weight times its payoff, and ``ahead`` [player] if play continues.
        """
        given = {name: stock for (name, _), stock in zip(STOCKS, (A, B), strict=True) if stock is not None}
        numbers = self.numbers_at(t) | given
        return Race(
            space=self._period_space(2),
            numbers=numbers,
            weights=self.weights[t][None],
            ahead=jnp.asarray(ahead),
            rules=self.rules,
            end_on=self.end_on,
            damage=self.damage,
        )

    def initial_state(self) -> Float[Array, "stock player"]:
        """Return the state before the first period: A and B, or an empty state where they never change.

        Raises
        ------
        ValueError
            For an infinite horizon and a custom ``transition``.
        """
        if self.infinite_horizon:
            raise ValueError("horizon: inf has no last period; give a whole number")
        if self.transition is not None:
            raise ValueError("transition: its state may hold more than the two productivities; leave it out")
        if len(self.columns) == 2:
            return jnp.zeros((0, self.players))
        numbers = self.numbers_at(0)
        return jnp.stack([numbers["safety_productivity"], numbers["performance_productivity"]])

    def play_period(
        self, t: int | Array, state: Float[Array, "stock player"], row: Float[Array, "player column"]
    ) -> tuple[Float[Array, "player"], Float[Array, ""], Float[Array, "stock player"]]:
        """Return a period's undiscounted payoff, the probability of continuing, and the next state."""
        numbers = self.numbers_at(t)
        if len(self.columns) > 2:
            numbers |= dict(zip(PRODUCTIVITIES, state, strict=True))
        found = outcome(self.rules, numbers, row[:, 0], row[:, 1])
        after = self.after_technology(numbers, row)
        later = (
            jnp.stack([after["safety_productivity"], after["performance_productivity"]])
            if len(self.columns) > 2
            else state
        )
        return found.u - self.upkeep(numbers, row), self.p_continue(found), later

    @property
    def period_space(self) -> Box:
        """Return the space of one period."""
        return self._period_space(len(self.columns))

    def _period_space(self, count: int) -> Box:
        """Return the first ``count`` columns of one period."""
        box = self.space
        first: Box = jax.tree.map(lambda edge: edge[:, :count], box)
        return replace(first, coordinates=box.kinds[:count])

    @property
    def coupled(self) -> str:
        """Return why periods affect each other by more than whether play continues, or an empty text."""
        if self.transition is not None:
            return "a custom transition links the periods"
        name = "technology.share" if len(self.columns) > 4 else "technology.invest"
        return "" if len(self.columns) == 2 else f"{name} = true links the periods by their technology"


def profile_of(race: Race, strategies: object, columns: Mapping[str, object]) -> Profile:
    """Return the profile of ``strategies`` or of columns by name.

    Parameters
    ----------
    race : Race
        The race.
    strategies : array_like, optional
        Inputs ``[period player column]``; with one period also ``[player column]``.
    columns : mapping of str to array_like
        In place of ``strategies``: inputs by column, ``[player]`` or ``[period player]``; missing columns are
        0.

    Raises
    ------
    ValueError
        For another shape, unknown columns, and inputs out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> rv.games.race().inputs(safety_input=[1.0, 1.0], performance_input=[2.0, 2.0]).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    wanted = (race.periods, race.players, len(race.columns))
    given = _by_column(race, columns, wanted) if strategies is None else _numbers("strategies", strategies)
    if given.ndim == 2 and race.periods == 1:
        given = given[None]
    if given.shape != wanted:
        raise ValueError(f"strategies: shape {given.shape} must be {wanted} (periods, players, columns)")
    _refuse_outside(race, given)
    return race.profile(put(given))


def _by_column(race: Race, columns: Mapping[str, object], wanted: tuple[int, ...]) -> np.ndarray:
    for name in columns:
        if name not in race.columns:
            raise ValueError(f"{name}: no column of this race; it has {', '.join(race.columns)}")
    found = np.zeros(wanted)
    for name, value in columns.items():
        numbers = _numbers(name, value)
        try:
            found[..., race.columns.index(name)] = numbers
        except ValueError:
            raise ValueError(
                f"{name}: shape {numbers.shape} must be ({wanted[1]},) or {wanted[:2]} (periods, players)"
            ) from None
    return found


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be numbers, all rows of one length") from None


def _refuse_outside(race: Race, given: np.ndarray) -> None:
    """Raise `ValueError` that names the first input out of range."""
    for index, entry in np.ndenumerate(given):
        period, player, k = index
        column = race.columns[k]
        share = column.endswith("sharing") and race.sharing_unit == "fraction"
        if np.isfinite(entry) and entry >= 0 and not (share and entry > 1):
            continue
        rule = "must be in [0, 1] (sharing_unit = fraction)" if share else "must be at least 0"
        raise ValueError(f"{column}: {entry:g} of player {player} in period {period} {rule}")


at_home(Race, "rivalry.games.race.oracles")
