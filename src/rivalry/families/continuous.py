"""Games of continuous choices by formulas, with constraints that the players share."""

from __future__ import annotations

import re
from typing import Annotated, Any

import equinox as eqx
import numpy as np
from annotated_types import Len, MaxLen, MinLen
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import payoff_method, static
from rivalry.families.formula import FUNCTIONS, Formula, comparison_in, parse
from rivalry.runtime.jax import jnp, put
from rivalry.schema.validate import checked
from rivalry.text.display import Description, OneLineRepr

NAME = re.compile(r"[A-Za-z_]\w*")
SIDES = re.compile(r"(<=|>=|==?)")

Limits = float | list[float] | list[list[float]] | np.ndarray


class FormulaGame(OneLineRepr, eqx.Module):
    """Players choose numbers between bounds; see `continuous` for the game.

    A player with fewer choices than others has further axes with both bounds 0.
    """

    space: Box
    parameters: dict[str, Scalar]
    choices: tuple[tuple[str, ...], ...] = static()
    formulas: tuple[Formula, ...] = static()
    shared: tuple[Formula, ...] = static()

    def _title_and_parameters(self) -> Description:
        constraints = (
            {"shared": " and ".join(dict.fromkeys(formula.text for formula in self.shared))}
            if self.shared
            else {}
        )
        return f"Game of {len(self.choices)} players by formulas", self.parameters | constraints

    def __getattr__(self, name: str) -> Any:
        # the parameters are attributes: with_(game, a=2.0) and game.a
        # by __dict__: while an object is copied or unpickled `self.parameters` would recurse
        if name in self.__dict__.get("parameters", {}):
            return self.parameters[name]
        raise AttributeError(f"this game by formulas has no {name!r}")

    def _values(self, formulas: tuple[Formula, ...], x: Profile) -> Array:
        choice_values = {
            name: x[i, j]
            for i, names_of_player in enumerate(self.choices)
            for j, name in enumerate(names_of_player)
        }
        values = [jnp.asarray(formula(choice_values | self.parameters), dtype=float) for formula in formulas]
        return jnp.stack(values) if values else jnp.zeros(0)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return every player's payoff, the value of its formula."""
        return self._values(self.formulas, x)


@oracles.labels.register(FormulaGame)
def _(game: FormulaGame) -> oracles.Labels:
    return oracles.Labels(entries=game.choices)


@oracles.discontinuity.register(FormulaGame)
def _(game: FormulaGame) -> str:
    """Return a payoff and its test of choices; those of parameters alone do not make payoffs jump."""
    choices = [name for names_of_player in game.choices for name in names_of_player]
    tests = ((k, comparison_in(formula, choices)) for k, formula in enumerate(game.formulas))
    return next((f"payoffs[{k}] tests {test}" for k, test in tests if test), "")


@oracles.shared_constraints.register(FormulaGame, when=lambda game: bool(game.shared))
def _(game: FormulaGame, x: Profile) -> Float[Array, "constraint"]:
    return game._values(game.shared, x)


@checked
def continuous(
    *,
    payoffs: Annotated[
        list[str] | None,
        MinLen(1),
        MaxLen(100),
        "payoff of each player, a formula of choices and parameters (default: two firms, price 1 - x1 - x2)",
    ] = None,
    choices: Annotated[
        list[str] | list[list[str]] | None,
        "names of choices, one per player or a list for each (default: x1, x2, ..)",
    ] = None,
    low: Annotated[Limits, "smallest choices: a number, one per player, or a list for each"] = 0.0,
    high: Annotated[Limits, "largest choices, likewise"] = 1.0,
    search: Annotated[
        list[float] | None, Len(2, 2), "range that is searched where a choice has no bound: [lowest, highest]"
    ] = None,
    shared: Annotated[
        list[str] | None,
        MaxLen(100),
        "constraints on joint choices: formulas on both sides of <=, >= or =",
    ] = None,
    parameters: Annotated[dict[str, float] | None, "numbers that formulas use by name"] = None,
) -> FormulaGame:
    """Return a game whose payoffs are formulas of continuous choices, some per player.

    Formulas have numbers, names, ``+ - * / ^``, functions such as ``exp``, ``min``, ``max`` and ``abs``, sums
    over numbered names, ``sum(x)`` for ``x1 + x2 + ..``, and tests: ``if(x1 < x2, a, b)``, and
    ``(x1 == x2)``, 1 where it holds, else 0. A test of choices makes payoffs jump: methods that follow
    gradients refuse it. Infinite bounds need the range that is searched, ``search``.

    With ``shared`` constraints it is a generalised game: what a player may choose depends on the others'
    choices. `variational_equilibrium` and `evaluate` take such games. An equation is two constraints, whose
    multipliers differ by that of the equation.

    Raises
    ------
    ValueError
        For an invalid formula, names that are taken, and bounds that do not fit.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = continuous(payoffs=["-(x1 - 1)^2", "-(x2 - 1/2)^2"], shared=["x1 + x2 <= 1"])
    >>> solution = rv.solve(game, rv.methods.VariationalEquilibrium())
    >>> solution.claim, solution.profile.values.ravel().round(6).tolist(), solution.certificate.variational
    ('equilibrium', [0.75, 0.25], True)
    """
    payoffs = ["x1 * (1 - x1 - x2)", "x2 * (1 - x1 - x2)"] if payoffs is None else payoffs
    parameters, shared = parameters or {}, [] if shared is None else list(shared)
    if not len(payoffs):
        raise ValueError("payoffs: must have at least one formula")
    names = _names(choices, len(payoffs))
    all_names = [name for names_of_player in names for name in names_of_player]
    invalid = [
        name
        for name in all_names
        if not NAME.fullmatch(name) or name in FUNCTIONS or all_names.count(name) > 1
    ]
    if invalid:
        raise ValueError(f"choices: {invalid[0]!r} must be one name, no function's, for one choice")
    for name in parameters:
        if not NAME.fullmatch(name) or name in FUNCTIONS or name in all_names:
            raise ValueError(f"parameters.{name}: must be a name that is no function's and no choice's")
        if hasattr(FormulaGame, name) or name in FormulaGame.__dataclass_fields__:
            raise ValueError(f"parameters.{name}: is an attribute of every game; choose another name")
        if not np.isfinite(parameters[name]):
            raise ValueError(f"parameters.{name}: {parameters[name]:g} must be finite")
    allowed = [*all_names, *parameters]
    formulas = tuple(parse(text, allowed, f"payoffs[{k}]", tests=True) for k, text in enumerate(payoffs))
    constraints = [row for k, text in enumerate(shared) for row in _constraint(text, allowed, f"shared[{k}]")]
    ends = np.stack(
        [_bounds(name, bound_option, names) for name, bound_option in (("low", low), ("high", high))]
    )
    open_ends = np.isinf(ends)
    if np.any(open_ends) and (search is None or not np.isfinite(search).all()):
        raise ValueError("search: needs two finite numbers, the range searched for choices without bounds")
    if search is not None and not np.any(open_ends):
        raise ValueError("search: all choices have bounds, which are searched")
    low_ends, high_ends = np.where(open_ends, np.reshape(search or [0.0, 0.0], (2, 1, 1)), ends)
    for i, names_of_player in enumerate(names):
        for j, name in enumerate(names_of_player):
            if not low_ends[i, j] < high_ends[i, j]:
                raise ValueError(f"low: {low_ends[i, j]:g} of {name} must be below high, {high_ends[i, j]:g}")
    box = Box(put(low_ends), put(high_ends), open_low=put(open_ends[0]), open_high=put(open_ends[1]))
    numbers = {name: put(float(value)) for name, value in parameters.items()}
    return FormulaGame(
        box if np.any(open_ends) else Box(box.low, box.high), numbers, names, formulas, tuple(constraints)
    )


def _names(choices: Any, players: int) -> tuple[tuple[str, ...], ...]:
    if choices is None:
        return tuple((f"x{player + 1}",) for player in range(players))
    names = tuple(
        (names_of_player,) if isinstance(names_of_player, str) else tuple(names_of_player)
        for names_of_player in choices
    )
    if len(names) != players:
        raise ValueError(f"choices: {len(names)} players; must be {players}, as many as payoffs")
    if empty := [player for player, names_of_player in enumerate(names) if not names_of_player]:
        raise ValueError(f"choices[{empty[0]}]: must name at least one choice")
    return names


def _constraint(text: str, allowed: list[str], name: str) -> list[Formula]:
    """Return the formulas that are at most 0 where a constraint holds: two for an equation."""
    parts = [part.strip() for part in SIDES.split(text)]
    if len(parts) != 3:
        raise ValueError(f"{name}: {text!r} must have one <=, >= or = between two sides")
    left_side, sign, right = parts
    for side in (left_side, right):
        parse(side, allowed, name)  # alone, so that a message is about what was written
    less = Formula(text, parse(f"{left_side} - ({right})", allowed, name).tree)
    excess = Formula(text, parse(f"{right} - ({left_side})", allowed, name).tree)
    return {"<=": [less], ">=": [excess]}.get(sign, [less, excess])


def _bounds(name: str, bound: Any, names: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """Return bounds ``[player axis]``, 0 where a player has no choice."""
    bounds = np.zeros((len(names), max(map(len, names))))
    # rows may be of unequal length, of which NumPy makes no array
    rows = list(bound) if isinstance(bound, list | tuple) or np.ndim(bound) else [bound] * len(names)
    if len(rows) != len(names):
        raise ValueError(f"{name}: {len(rows)} rows; must be one number or {len(names)}, one per player")
    for i, (names_of_player, row) in enumerate(zip(names, rows, strict=True)):
        if np.ndim(row) and np.size(row) != len(names_of_player):
            raise ValueError(
                f"{name}[{i}]: {np.size(row)} numbers; must be {len(names_of_player)}, one per choice"
            )
        bounds[i, : len(names_of_player)] = row
    if np.any(np.isnan(bounds) | (bounds == (np.inf if name == "low" else -np.inf))):
        raise ValueError(f"{name}: must be numbers, or infinite for no bound")
    return bounds
