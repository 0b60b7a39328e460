"""The race: parameters, inputs over periods, payoffs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.oracles import at_home
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import payoff_method, static
from rivalry.families.race.rules import (
    Numbers,
    Outcome,
    Row,
    Rules,
    Stocks,
    outcome,
    rule_name,
    spillover_gain,
)
from rivalry.runtime.jax import concrete_module, jax, jnp, put_concrete
from rivalry.schema.validate import as_numbers
from rivalry.text.display import Description, OneLineRepr, count_text

COLUMNS = (
    *("safety_input", "performance_input", "safety_investment", "performance_investment"),
    *("safety_sharing", "performance_sharing"),
)
STOCKS = (
    ("safety_productivity", "safety_depreciation"),
    ("performance_productivity", "performance_depreciation"),
)
PRODUCTIVITIES = tuple(name for name, _ in STOCKS)
EQUAL_ROWS = "numbers, all rows of one length"
COMMON = ("decisiveness", "ease_of_winning", "loser_weight")  # one number for all players, or one per period

Transition = Callable[[dict[str, Array], Float[Array, "player column"], Array], dict[str, Array]]


class Race(OneLineRepr, eqx.Module):
    """A race: players spend on performance, which wins, and on safety, which prevents disasters.

    A profile is ``[player axis]`` in natural units, the axes period by period and in each the ``columns``;
    `schedule` returns it as ``[period player column]``. Made by `race`.

    Attributes
    ----------
    space : Box
        The inputs of all periods, ``[player axis]``.
    numbers : dict of str to Array
        The parameters by name, ``[player]``, or ``[period player]`` if they vary; those in `COMMON` without
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
    ahead: PerPlayer
    rules: Rules = static()
    columns: tuple[str, ...] = static(default=COLUMNS[:2])
    end_on: str = static(default="none")
    spillover: str = static(default="sum")
    sharing_unit: str = static(default="fraction")
    damage: str = static(default="victim")  # or "pair": disaster_cost is [player winner]
    transition: Transition | None = static(default=None)
    gamma: PerPlayer | None = None

    def __getattr__(self, name: str) -> Any:
        # the parameters are the game's own: with_(game, scale_penalty=0.7) and game.scale_penalty
        # by __dict__: while an object is copied or unpickled `self.numbers` would recurse
        if not name.startswith("_") and name in self.__dict__.get("numbers", {}):
            return self.numbers[name]
        raise AttributeError(f"this race has no {name!r}")

    def _title_and_parameters(self) -> Description:
        length = "an infinite horizon" if self.infinite_horizon else count_text(self.periods, "period")
        if self.periods > 1 or self.infinite_horizon:
            length += f", ends on {self.end_on}"
        rules = self.rules._asdict()
        parameters: dict[str, Any] = {part: rule_name(rules[part]) for part in ("contest", "risk", "cost")}
        # those that decide between safety and performance first: the line may be too short for all
        names = (
            *("disaster_cost", "scale_penalty", "price", "safety_price", "performance_price"),
            *("safety_exponent", "performance_exponent", "safety_productivity", "performance_productivity"),
        )
        parameters |= {name: np.asarray(self.numbers[name]) for name in names if name in self.numbers}
        return f"Race of {self.players} players over {length}", parameters

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
        """True if the one period represents all periods of an infinite horizon."""
        return self.gamma is not None

    def schedule(self, x: Profile) -> Float[Array, "period player column"]:
        """Return a profile by period, player and column."""
        return jnp.moveaxis(x.reshape(self.players, self.periods, len(self.columns)), 0, 1)

    def profile(self, schedule: Array | ndarray) -> Profile:
        """Return the profile of a schedule ``[period player column]``; the inverse of `schedule`."""
        xp = concrete_module(schedule)
        return put_concrete(xp.moveaxis(xp.asarray(schedule), 1, 0).reshape(self.players, -1))

    def inputs(self, strategies: object = None, **columns: object) -> Profile:
        """Return the profile of ``strategies`` or of columns by name.

        Parameters
        ----------
        strategies : array_like, optional
            Inputs ``[period player column]``; with one period also ``[player column]``.
        **columns : array_like
            In place of ``strategies``: inputs by column, ``[player]`` or ``[period player]``; missing columns
            are 0.

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
        shape = (self.periods, self.players, len(self.columns))
        if strategies is None:
            schedule = _by_column(self, columns, shape)
        else:
            schedule = as_numbers(strategies, "strategies", EQUAL_ROWS)
        if schedule.ndim == 2 and self.periods == 1:
            schedule = schedule[None]
        if schedule.shape != shape:
            raise ValueError(
                f"strategies: shape {schedule.shape} must be {shape} (periods, players, columns)"
            )
        _refuse_outside(self, schedule)
        return self.profile(schedule)

    def numbers_at(self, t: int | Array, state: Stocks | None = None) -> dict[str, Array]:
        """Return the parameters in period ``t``, with A and B as in ``state`` if that is given and not empty.

        Without, they are those before technology and ``transition`` change them.
        """
        # the number of axes of a parameter that varies over periods
        ranks = dict.fromkeys(COMMON, 1) | {"disaster_cost": 3 if self.damage == "pair" else 2}
        numbers = {
            n: value[t] if value.ndim == ranks.get(n, 2) else value for n, value in self.numbers.items()
        }
        return numbers | dict(zip(PRODUCTIVITIES, () if state is None else state, strict=False))

    def stocks(self, x: Profile) -> Float[Array, "stage stock player"]:
        """Return A and B at the start of every period, and after the last, without ``transition``."""
        if len(self.columns) == 2:
            shape = (self.periods, self.players)
            constant = jnp.stack([jnp.broadcast_to(self.numbers[n], shape) for n in PRODUCTIVITIES], axis=1)
            return jnp.concatenate([constant, constant[-1:]])

        def period_step(state: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
            t, row = inputs
            return self.after_technology(self.numbers_at(t), state, row), state

        start = productivities(self.numbers_at(0))
        final, before = jax.lax.scan(period_step, start, (jnp.arange(self.periods), self.schedule(x)))
        return jnp.concatenate([before, final[None]])

    def after_technology(self, numbers: Numbers, state: Stocks, row: Row) -> Stocks:
        """Return A and B after a period, by the technology rule alone."""
        if len(self.columns) == 2:
            return state
        after = []
        for k, (_, loss) in enumerate(STOCKS):
            stock, invested = state[k], row[:, 2 + k]
            share = row[:, 4 + k] if len(self.columns) == 6 else None
            if share is not None and self.sharing_unit == "rate":
                share = -jnp.expm1(-share)
            level = (1 - numbers[loss]) * stock + invested
            # of the lead at the start of the period: an investment is shared one period later
            after.append(level if share is None else level + spillover_gain(stock, share, self.spillover))
        return jnp.stack(after)

    def _period(self, numbers: Numbers, row: Array) -> tuple[Outcome, PerPlayer]:
        """Return a period's outcome, and its payoff after the cost of investment and sharing."""
        results = outcome(self.rules, numbers, row[:, 0], row[:, 1])
        return results, results.u - self.upkeep(numbers, row)

    def periodic(self, x: Profile) -> tuple[Outcome, Float[Array, "period player"], Array]:
        """Return every period's outcome, payoff after costs, and A and B, ``[stage stock player]``."""
        rows = self.schedule(x)
        if self.transition is not None:
            return self._with_transition(rows)
        state = self.stocks(x)

        def outcome_at(t: Array, row: Array, state: Array) -> tuple[Outcome, Array]:
            return self._period(self.numbers_at(t, state), row)

        if self.periods == 1:
            outcome, paid = jax.tree.map(
                lambda leaf: leaf[None], outcome_at(jnp.asarray(0), rows[0], state[0])
            )
        else:
            outcome, paid = jax.vmap(outcome_at)(jnp.arange(self.periods), rows, state[:-1])
        return outcome, paid, state

    def upkeep(self, numbers: Numbers, row: Float[Array, "player column"]) -> PerPlayer:
        """Return the cost of investment and sharing in a period."""
        prices = [numbers[f"{column}_price"] for column in self.columns[2:]]
        return sum((price * row[:, 2 + k] for k, price in enumerate(prices)), jnp.zeros(self.players))

    def _with_transition(self, rows: Array) -> tuple[Outcome, Array, Array]:
        """Return the same with a custom ``transition``, which replaces the parameters after every period."""

        def period_step(numbers: dict[str, Array], inputs: tuple[Array, Array]) -> tuple[Any, Any]:
            t, row = inputs
            outcome, paid = self._period(numbers, row)
            # stored before the transition: A and B with which the period was played
            state = productivities(numbers)
            productivities_after = dict(
                zip(PRODUCTIVITIES, self.after_technology(numbers, state, row), strict=True)
            )
            after = self.transition(numbers | productivities_after, row, t)  # type: ignore[misc]
            # a scan carries the same names and shapes through every period
            after = {name: jnp.broadcast_to(after[name], numbers[name].shape) for name in numbers}
            return after, (outcome, paid, state)

        begin = self.numbers_at(0)
        final, (outcome, paid, state) = jax.lax.scan(period_step, begin, (jnp.arange(self.periods), rows))
        return outcome, paid, jnp.concatenate([state, productivities(final)[None]])

    def p_continue(self, outcome: Outcome) -> Array:
        """Return the probability that play continues after a period that was reached, the same for all."""
        if self.end_on == "win":
            return outcome.nobody
        if self.end_on == "disaster":
            # only unsafe wins end play, and no winner is no unsafe win
            unsafe = (
                outcome.disaster - outcome.nobody if self.rules.no_winner == "disaster" else outcome.disaster
            )
            return 1 - unsafe
        return jnp.ones_like(outcome.nobody)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the weighted sums over the periods that are reached, in units of the prize."""
        outcome, paid, _ = self.periodic(x)
        p_continue = self.p_continue(outcome)
        if self.gamma is not None:
            # the sum of a geometric series: every period is the same and follows with p_continue
            return self.weights[0] * paid[0] / (1 - self.gamma * p_continue[0])
        survival = jnp.cumprod(p_continue, axis=0)
        # a period is reached if all earlier ones continued; `ahead` is paid if the last one did
        p_reached = jnp.concatenate([jnp.ones((1, self.players)), survival[:-1]])
        return jnp.sum(self.weights * p_reached * paid, axis=0) + self.ahead * survival[-1]

    def stage(self, t: int | Array, ahead: PerPlayer, state: Stocks | None = None) -> Race:
        """Return period ``t`` alone, inputs only, at A and B as in ``state`` if given.

        It pays the period's weight times its payoff, and ``ahead`` [player] if play continues.
        """
        return Race(
            space=self._space_of_columns(2),
            numbers=self.numbers_at(t, state),
            weights=self.weights[t][None],
            ahead=jnp.asarray(ahead),
            rules=self.rules,
            end_on=self.end_on,
            damage=self.damage,
        )

    def initial_state(self) -> Stocks:
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
        return productivities(self.numbers_at(0)) if len(self.columns) > 2 else jnp.zeros((0, self.players))

    def play_period(self, t: int | Array, state: Stocks, row: Row) -> tuple[PerPlayer, Scalar, Stocks]:
        """Return a period's undiscounted payoff, the probability of continuing, and the next state."""
        numbers = self.numbers_at(t, state)
        outcome, paid = self._period(numbers, row)
        return paid, self.p_continue(outcome)[0], self.after_technology(numbers, state, row)

    @property
    def period_space(self) -> Box:
        """Return the space of one period."""
        return self._space_of_columns(len(self.columns))

    def _space_of_columns(self, count: int) -> Box:
        """Return the first ``count`` columns of one period."""
        box = self.space
        columns: Box = jax.tree.map(lambda edge: edge[:, :count], box)
        return replace(columns, coordinates=box.kinds[:count])

    @property
    def coupled(self) -> str:
        """Reason why periods affect each other by more than whether play continues, or an empty text."""
        if self.transition is not None:
            return "a custom transition links the periods"
        name = "technology.share" if len(self.columns) > 4 else "technology.invest"
        return "" if len(self.columns) == 2 else f"{name} = true links the periods by their technology"


def productivities(numbers: Numbers) -> Stocks:
    """Return A and B among the parameters of one period."""
    return jnp.stack([numbers[name] for name in PRODUCTIVITIES])


def _by_column(race: Race, columns: Mapping[str, object], shape: tuple[int, ...]) -> ndarray:
    for name in columns:
        if name not in race.columns:
            raise ValueError(f"{name}: no column of this race; it has {', '.join(race.columns)}")
    rows = np.zeros(shape)
    for name, value in columns.items():
        numbers = as_numbers(value, name, EQUAL_ROWS)
        try:
            rows[..., race.columns.index(name)] = numbers
        except ValueError:
            raise ValueError(
                f"{name}: shape {numbers.shape} must be ({shape[1]},) or {shape[:2]} (periods, players)"
            ) from None
    return rows


def _refuse_outside(race: Race, schedule: ndarray) -> None:
    """Raise `ValueError` that names the first input out of range."""
    for (t, player, k), entry in np.ndenumerate(schedule):
        column = race.columns[k]
        share = column.endswith("sharing") and race.sharing_unit == "fraction"
        if not (np.isfinite(entry) and 0 <= entry <= (1 if share else np.inf)):
            rule = "must be in [0, 1] (sharing_unit = fraction)" if share else "must be at least 0"
            raise ValueError(f"{column}: {entry:g} of player {player} in period {t} {rule}")


at_home(Race, "rivalry.families.race.oracles")
