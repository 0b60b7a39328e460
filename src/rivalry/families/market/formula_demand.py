"""Demand by formulas or functions: prices of outputs, or quantities of prices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.families.formula import Formula, ordered, parse
from rivalry.proofs.arithmetic.enclosure import enclose, enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.payoff_ranges import derivatives
from rivalry.runtime.jax import jax, jnp, put

PARAMETERS = (
    *("elasticity", "intercept", "market_size", "outside_option"),
    *("slope", "substitution", "taste_spread"),
)
"""The keys that formulas may name."""

SAMPLE, SEED = 256, 0  # random points at which slopes are compared with 0
SLACK = 1e-9  # tolerance of slopes, relative to the largest one
NODES = 64  # of Gauss and Legendre, for areas below demand
DOUBLINGS = 60  # of an output, in search of one that no price covers


Values = Mapping[str, Any]  # numbers by the names in formulas
PerFirm = Float[Array, "firm"]


class Formulas(NamedTuple):
    """Prices of outputs, or quantities of prices; equal ones share compiled programs.

    A function takes total output, or the vector of outputs or prices.
    """

    quantities: bool  # of prices; else prices of outputs
    rows: tuple[Formula, ...] = ()
    function: Callable[[Array], Any] | None = None
    of_total: bool = False
    symmetric: bool = True  # cross effects: consumers have a surplus
    falls: str = ""  # how it is known that demand falls in the own choice

    @property
    def single(self) -> bool:
        """True where all firms sell at one price."""
        return not self.quantities and (self.of_total or len(self.rows) == 1)

    def values(self, numbers: Values, x: PerFirm) -> PerFirm:
        """Return the prices at outputs ``x``, or the quantities at prices, before any limit at 0."""
        if self.function is not None:
            by_function = jnp.asarray(self.function(jnp.sum(x) if self.of_total else x), dtype=float)
            return jnp.broadcast_to(by_function, x.shape)
        stem = "p" if self.quantities else "q"
        at = {f"{stem}{firm}": x[firm] for firm in range(len(x))} | {"Q": jnp.sum(x)}
        rows = [jnp.asarray(row(at | dict(numbers)), dtype=float) for row in self.rows]
        return jnp.broadcast_to(jnp.stack(rows), x.shape)

    def exchanges(self, first: int, firm: int) -> bool:
        """True if an exchange of two firms turns the formulas into each other; unknown of a function."""
        if self.function is not None:
            return self.of_total
        stem = "p" if self.quantities else "q"
        renamed = {f"{stem}{first}": f"{stem}{firm}", f"{stem}{firm}": f"{stem}{first}"}
        place = {first: firm, firm: first} if len(self.rows) > 1 else {}
        return all(
            ordered(row.tree, renamed) == ordered(self.rows[place.get(k, k)].tree, {})
            for k, row in enumerate(self.rows)
        )

    def surplus(self, numbers: Values, start: PerFirm, stop: PerFirm) -> Array:
        """Return the area below demand between two points, along the straight line."""
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        # nodes crowd at the start, where the price of the first unit may be infinite
        unit = jnp.asarray((nodes + 1) / 2)
        at = jax.vmap(lambda part: self.clipped(numbers, start + part * (stop - start)))(unit**4)
        return (2 * unit**3 * weights) @ (at @ (stop - start))

    def clipped(self, numbers: Values, x: PerFirm) -> PerFirm:
        """Return prices or quantities of at least 0, with willingness to pay moved by the shock."""
        shift = numbers["demand_shift"]
        values = self.values(numbers, x - shift) if self.quantities else self.values(numbers, x) + shift
        return jnp.maximum(values, 0.0)


def formula_texts(demand: Any) -> list[Any]:
    """Return the formulas, or the one function, that a key describes. Raises `ValueError`."""
    if callable(demand) or isinstance(demand, str):
        return [demand]
    if len(demand) != 1 or not set(demand) <= {"price", "quantity"}:
        raise ValueError(f"demand: {sorted(demand)} must be one of price and quantity")
    ((variable, formulas),) = demand.items()
    if callable(formulas):
        return [formulas]
    if not isinstance(formulas, list | tuple) or not formulas:
        raise ValueError(f"demand.{variable}: {formulas!r} must be formulas, one per firm, or a function")
    return list(formulas)


def states_quantities(demand: Any) -> bool:
    """True for quantities as formulas of prices."""
    return isinstance(demand, Mapping) and "quantity" in demand


def used_parameters(texts: list[Any]) -> list[str]:
    """Return the keys of numbers that formulas name."""
    text = " ".join(text for text in texts if isinstance(text, str))
    return sorted({*re.findall(r"[A-Za-z_]\w*", text)} & {*PARAMETERS})


def formulas_of(demand: Any, texts: list[Any], players: int) -> Formulas:
    """Return parsed formulas, or those of a function. Raises `ValueError`."""
    quantities = states_quantities(demand)
    if callable(texts[0]):
        return Formulas(quantities, (), texts[0], callable(demand))
    name = f"demand.{'quantity' if quantities else 'price'}" if isinstance(demand, Mapping) else "demand"
    if isinstance(demand, Mapping) and len(texts) != players:
        raise ValueError(f"{name}: {len(texts)} formulas for {players} firms; give one per firm")
    stem = "p" if quantities else "q"
    allowed = [*(f"{stem}{firm}" for firm in range(players)), *PARAMETERS, *([] if quantities else ["Q"])]
    places = [f"{name}[{k}]" for k in range(len(texts))] if isinstance(demand, Mapping) else [name]
    rows = [parse(str(text), allowed, place) for text, place in zip(texts, places, strict=True)]
    return Formulas(quantities, tuple(rows))


def largest_outputs(formulas: Formulas, numbers: Values, cost: ndarray) -> ndarray:
    """Return the outputs ``[firm]`` above which a firm that sells alone earns less than its unit cost.

    Raises `ValueError` where no output is known to be that large.
    """
    if formulas.quantities:
        checked_formulas(formulas, numbers, cost, 2 * cost, True)
        raise ValueError("high: is missing; with quantities by formulas it is the highest price of each firm")
    from scipy.optimize import brentq

    def margin(firm: int, output: float) -> float:
        outputs = jnp.zeros(len(cost)).at[firm].set(output)
        return float(formulas.clipped(numbers, outputs)[firm]) - float(cost[firm])

    tops = []
    for firm in range(len(cost)):
        doubled = (2.0**k for k in range(DOUBLINGS))
        top = next((output for output in doubled if margin(firm, output) <= 0), np.inf)
        if not np.isfinite(top):
            checked_formulas(formulas, numbers, 0 * cost, 0 * cost + 1, True)  # demand that rises comes first
            raise ValueError(f"high: is missing; no output of firm {firm} makes its price fall to its cost")
        below = top / 2 if margin(firm, top / 2) > 0 else 1e-9
        tops.append(brentq(partial(margin, firm), below, top) if margin(firm, below) > 0 else top)
    return np.array(tops)


def largest_values(
    formulas: Formulas, numbers: Mapping[str, Any], low: Array, high: Array, levels: Array
) -> Float[Array, "firm"]:
    """Return bounds of prices, or quantities, at choices in a range and shocks between levels.

    They are infinite where the formulas are, and for functions whose operations have no bounds.
    """

    def shifted(x: Array, level: Array) -> Array:
        return formulas.clipped({**numbers, "demand_shift": level}, x)

    try:
        bounded = enclose(shifted, low, levels[0])
    except Unsupported:
        return high + jnp.inf
    shocks = np.asarray(levels)
    (bounds,), _ = bounded(Interval(low, high), Interval(shocks.min(), shocks.max()))
    return put(np.nan_to_num(bounds.high, nan=np.inf, posinf=np.inf))


def checked_formulas(
    formulas: Formulas, numbers: Values, low: ndarray, high: ndarray, has_range: bool
) -> tuple[Formulas, float]:
    """Return formulas that fall in the own choice, with how this is known, and the scale of profits.

    Random points show where a formula is not finite or rises; bounds of the slopes on the whole range of
    choices then prove that it falls, where they are narrow enough. Raises `ValueError`.
    """
    stem = "p" if formulas.quantities else "q"
    points = low + (high - low) * np.random.default_rng(SEED).random((SAMPLE, len(low)))
    try:
        values, slopes = (np.asarray(part) for part in _values_and_slopes(formulas, dict(numbers), points))
    except (TypeError, ValueError) as error:
        raise ValueError(f"demand: needs one number per firm, written in JAX ({error})") from error
    if not np.isfinite(values).all():
        at = points[int(np.argmin(np.isfinite(values).all(axis=1)))]
        raise ValueError(f"demand: is not finite at {stem} = {np.array2string(at, precision=4)}")
    own_slopes = np.diagonal(slopes, axis1=1, axis2=2)
    slack = SLACK * np.max(np.abs(slopes))
    if np.any(own_slopes > slack):
        place, firm = np.unravel_index(int(np.argmax(own_slopes)), own_slopes.shape)
        at = np.array2string(points[place], precision=4)
        raise ValueError(
            f"demand: of firm {firm} rises with {stem}{firm} at {stem} = {at}; must fall in the own choice"
        )
    crosses = slopes * (1 - np.eye(len(low)))
    if not has_range and np.any(crosses > slack):
        raise ValueError("high: is missing; give it where a price rises with another firm's output")
    symmetric = bool(np.all(np.abs(slopes - slopes.transpose(0, 2, 1)) <= 1e3 * slack))
    try:
        box = Interval(low[None], high[None])
        _, bounds = enclosed(derivatives, (1, formulas.values, dict(numbers)), box).values
        ends = np.diagonal(np.concatenate([bounds.low, bounds.high]), axis1=1, axis2=2)
        is_proved = bool(np.isfinite(ends).all() and np.all(ends[1] <= slack))
    except Unsupported:
        is_proved = False
    falls = "proved on the range" if is_proved else f"at {SAMPLE} sampled points"
    prices, outputs = (points, values) if formulas.quantities else (values, points)
    scale = float(np.max((prices - np.asarray(numbers["unit_cost"])) * outputs))
    return formulas._replace(symmetric=symmetric, falls=falls), max(scale, 1e-300)


@partial(jax.jit, static_argnums=0)
def _values_and_slopes(formulas: Formulas, numbers: Values, points: Array) -> tuple[Array, Array]:
    """Return values ``[point firm]`` and slopes ``[point firm choice]``."""
    demand = partial(formulas.values, numbers)
    return jax.vmap(demand)(points), jax.vmap(jax.jacfwd(demand))(points)
