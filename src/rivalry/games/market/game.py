"""The market as a value: firms, what they choose, what a period brings them."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import Reply
from rivalry.core.jax import jax, jnp
from rivalry.core.results import Record
from rivalry.core.space import Box, Profile
from rivalry.games.market import best_response, demand
from rivalry.games.market.demand import Cleared, Rule

STAGES = tuple[tuple[int, ...], ...]


class Shock(eqx.Module):
    """A finite Markov chain that moves the intercept of demand."""

    levels: Float[Array, "level"]  # added to the intercept
    transitions: Float[Array, "level level"]  # probabilities from row to column
    probabilities: Float[Array, "level"]  # stationary, also at the start
    observed: bool = eqx.field(static=True)


class Dynamics(NamedTuple):
    """Which states a market has from period to period; words and flags only."""

    adjustment: str = "none"  # spot, predetermined: when a change of output takes effect
    sticky: bool = False
    cash: bool = False
    invest: bool = False
    reversible: bool = False
    limited: bool = False  # some firm has a capacity


class Accounts(NamedTuple):
    """How cash flows are taxed and valued; words and flags only."""

    tax_losses: str = "refunded"  # or none
    convention: str = "period0"  # end, mid: when in its period a cash flow comes in
    terminal: str = "none"  # gordon, perpetuity, multiple: what the horizon leaves
    horizon: int = 0  # periods; 0: without end


class Market(eqx.Module):
    """Firms choose quantities or prices; demand clears the market; each gets its cash flow.

    A profile is ``[player axis]`` with one axis, the quantity or the price. ``payoffs`` are those of one
    period of simultaneous play, in the mean over the shock's levels; `stages` and `timing` tell in which
    order firms choose where it is played on and on. ``numbers`` holds the parameters by name, ``[player]``
    or one number. Made by `market`.
    """

    space: Box
    numbers: dict[str, Array]
    rule: Rule = eqx.field(static=True)
    stages: STAGES = eqx.field(static=True)
    timing: str = eqx.field(static=True, default="simultaneous")
    shock: Shock | None = None
    dynamics: Dynamics = eqx.field(static=True, default=Dynamics())
    accounts: Accounts = eqx.field(static=True, default=Accounts())

    def __getattr__(self, name: str) -> Any:
        # the parameters are the game's own: with_(game, unit_cost=3.0) and game.unit_cost
        if not name.startswith("_") and name in self.__dict__.get("numbers", {}):
            return self.numbers[name]
        raise AttributeError(f"this market has no {name!r}")

    def __repr__(self) -> str:
        if isinstance(self.space.low, jax.core.Tracer):
            return str(eqx.tree_pformat(self))  # inside a transformation: shapes are all there is
        order = "at once" if len(self.stages) == 1 else f"in stages {[list(s) for s in self.stages]}"
        order = "in turns" if self.timing == "alternating" else order
        lines = [
            f"Market of {self.players} firms: {self.rule.demand} demand, "
            f"each chooses a {self.rule.choice}, {order}"
        ]
        shown = (
            n
            for n in (
                "intercept",
                "quality",
                "market_size",
                "slope",
                "elasticity",
                "substitution",
                "outside_option",
                "taste_spread",
                "unit_cost",
                "convex_cost",
                "fixed_cost",
            )
            if n in self.numbers
        )
        parts = [f"{n} {' '.join(np.array2string(np.asarray(self.numbers[n])).split())}" for n in shown]
        lines.append("  " + ", ".join(parts))
        return "\n".join(lines)

    @property
    def players(self) -> int:
        """How many firms there are."""
        return self.space.shape[0]

    @property
    def axis_names(self) -> tuple[str, ...]:
        """``quantity`` or ``price``."""
        return (self.rule.choice,)

    @property
    def scale(self) -> Float[Array, ""]:
        """What a market with the least cost, and all of it to one firm, could earn, roughly."""
        return jnp.maximum(_most(self.rule, self.numbers), 1e-300)

    @property
    def jumps(self) -> str:
        """What makes payoffs jump, or nothing."""
        if self.rule.jumps:
            return "choice: the cheapest takes all"
        fixed = not isinstance(self.numbers["fixed_cost"], jax.core.Tracer) and np.any(
            np.asarray(self.numbers["fixed_cost"]) > 0
        )
        return (
            "fixed_cost: fixed costs are saved at zero output"
            if fixed and self.rule.choice == "quantity"
            else ""
        )

    @property
    def alike(self) -> np.ndarray:
        """``[player]``: equal numbers for firms with the same parameters that choose at the same stage."""
        own = [np.asarray(v, dtype=float) for v in self.numbers.values() if np.ndim(v) == 1]
        stage = np.array([next(k for k, s in enumerate(self.stages) if i in s) for i in range(self.players)])
        rows = np.stack(
            [*own, stage, np.asarray(self.space.low[:, 0]), np.asarray(self.space.high[:, 0])], axis=1
        )
        return np.array([np.flatnonzero((rows == row).all(axis=1))[0] for row in rows])

    @property
    def gamma(self) -> Float[Array, "player"]:
        """Every firm's discount factor of a period."""
        return self.numbers["gamma"]

    @property
    def growth(self) -> Any:  # an array; while a copy is made, the place of one
        """How much the market grows from period to period, relative to its size."""
        return self.numbers["growth"]

    @property
    def unit_cost(self) -> Any:  # [player]; while a copy is made, the place of it
        """Every firm's unit cost."""
        return self.numbers["unit_cost"]

    def cleared(self, x: Profile, shift: float | Array = 0.0) -> Cleared:
        """The market with choices ``x``, its intercept moved by ``shift``."""
        name = demand.INTERCEPT[self.rule.demand]
        return demand.clear(self.rule, self.numbers | {name: self.numbers[name] + shift}, x[:, 0])

    def cost(self, q: Float[Array, "player"]) -> Float[Array, "player"]:
        """``F 1[q > 0] + c q + d q^2/2``."""
        numbers = self.numbers
        return numbers["fixed_cost"] * (q > 0) + numbers["unit_cost"] * q + numbers["convex_cost"] * q**2 / 2

    def profits(self, x: Profile, shift: float | Array = 0.0) -> Float[Array, "player"]:
        """Revenue less cost, before tax, at one level of the shock."""
        sold = self.cleared(x, shift)
        return sold.p * sold.q - self.cost(sold.q)

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """Profit after tax, in the mean over the shock's levels."""
        if self.shock is None:
            return self.after_tax(self.profits(x))
        each = jax.vmap(lambda shift: self.after_tax(self.profits(x, shift)))(self.shock.levels)
        return self.shock.probabilities @ each

    def after_tax(self, profit: Float[Array, "player"]) -> Float[Array, "player"]:
        """What is left of profits; losses are refunded, unless the market says otherwise."""
        taxed = jnp.maximum(profit, 0.0) if self.accounts.tax_losses == "none" else profit
        return profit - self.numbers["tax"] * taxed

    @property
    def best_reply(self) -> Any:
        """The exact reply in one period, where the market has one."""
        if not best_response.known(self):
            raise AttributeError("best_reply")

        def reply(x: Profile, player: int | Array) -> tuple[Array, Array, str]:
            own = best_response.best_reply(self, x, player)
            return own, self.payoffs(x.at[player].set(own))[player], "exact"

        return reply

    @property
    def proved_reply(self) -> Any:
        """Where the cheapest takes all: what undercutting comes to, which no price quite attains."""
        if not self.rule.jumps or self.shock is not None:
            raise AttributeError("proved_reply")
        return lambda x, player: _undercut(self, np.asarray(x, dtype=float), player)

    def measures(self, x: Profile) -> Record:
        """What a period comes to, in the mean over the shock's levels."""
        found = {name: (dims, np.asarray(array)) for name, (dims, array) in _outcomes(self, x).items()}
        return found

    def outcomes(self, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Its measures as arrays that JAX can trace."""
        shifts = jnp.zeros(1) if self.shock is None else self.shock.levels
        odds = jnp.ones(1) if self.shock is None else self.shock.probabilities
        each = jax.vmap(lambda shift: _period(self, x, shift))(shifts)
        return {
            name: ((("player",) if array.ndim == 2 else ()), jnp.tensordot(odds, array, axes=1))
            for name, array in each.items()
        }

    def play(self, periods: int | None = None, observation: str = "last_q") -> Any:
        """The market as it is lived, period by period: a `MarkovGame`; see `play.MarketPlay`."""
        from rivalry.games.market.native_play import played

        return played(self, periods, observation)

    def closed_form(self) -> np.ndarray:
        """Equilibria of simultaneous play ``[root player axis]``. `ValueError` without any."""
        from rivalry.games.market import closed_forms

        return closed_forms.nash(self)

    def benchmarks(self) -> dict[str, Any]:
        """What firms would choose and earn: Nash, in stages, as a cartel, as price takers."""
        from rivalry.games.market import benchmarks

        return benchmarks.benchmarks(self)

    def gain_between(self) -> tuple[np.ndarray, np.ndarray]:
        """Payoffs ``[player]`` in the Nash equilibrium and at the joint maximum. Raises `ValueError`."""
        from rivalry.games.market import benchmarks

        return benchmarks.gain_between(self)

    @property
    def views(self) -> tuple[str, ...]:
        """Larger arrays that plots draw: benchmarks, and the replies of two firms."""
        from rivalry.games.market import plot_data

        return plot_data.names(self)

    def view(self, name: str, x: Profile) -> Record:
        """One of ``views`` at a profile, as named arrays; see `rivalry.games.market.plot_data`."""
        from rivalry.games.market import plot_data

        return plot_data.view(self, name, x)

    def repeated(self, places: np.ndarray, sizes: np.ndarray) -> Any:
        """Its tables where firms choose among places, period after period, as `FiniteGame`."""
        from rivalry.games.market import tables

        return tables.repeated(self, places, sizes)

    def levels(self, count: int) -> list[np.ndarray]:
        """Choices from beyond the equilibrium's to beyond the cartel's, one array a firm."""
        from rivalry.games.market import tables

        return tables.levels(self, count)

    def critical_discount(self) -> np.ndarray:
        """The discount factor from which Nash play for ever holds each firm to the cartel ``[player]``."""
        from rivalry.games.market.thresholds import critical_discount

        return critical_discount(self).delta

    def valued(self, cash_flow: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a lasting cash flow ``[.. player]`` is worth, and the share of it beyond the horizon.

        As in its tables, cash flow is per unit of market size, and ``gamma [player]`` counts growth in: it is
        the discount times ``1 + growth``. The terminal value goes by money and the discount alone.
        """
        from rivalry.games.market.valuation import lasting

        how, numbers = self.accounts, self.numbers
        grows = float(numbers["growth"])
        return lasting(
            cash_flow,
            np.asarray(gamma) / (1 + grows),
            how.horizon,
            grows=grows,
            convention=how.convention,
            terminal=how.terminal,
            growth=float(numbers["terminal_growth"]),
            multiple=float(numbers["multiple"]),
        )

    def linear_quadratic(self) -> Any:
        """The market of ``predetermined`` outputs as a `tables.kernels.shapes.LinearQuadraticGame`."""
        from rivalry.games.market import tables

        return tables.linear_quadratic(self)

    def outside_linear(self, states: np.ndarray) -> str:
        """Where a path of the linear-quadratic game leaves the market, or an empty text."""
        from rivalry.games.market import tables

        return tables.outside_linear(self, states)

    def adjustment_tables(self, levels: int | list[float]) -> Any:
        """Two firms' ``predetermined`` outputs on levels, for announced plans."""
        from rivalry.games.market import tables

        return tables.adjustment_tables(self, levels)

    def gamma_channels(self, tables: Any = None, learns: Any = None, discounts: Any = None) -> Any:
        """Through what discount factors can matter here; see `channels.gamma_channels`."""
        from rivalry.games.market.discounting_channels import gamma_channels

        return gamma_channels(self, tables, learns, discounts)

    def refuses(self, name: str, value: float) -> str:
        """Why a parameter may not take a value, or an empty text."""
        from rivalry.games.market.checks import refusal

        return refusal(name, value)


@eqx.filter_jit
def _outcomes(market: Market, x: Profile) -> Any:
    return {name: (dims, array) for name, (dims, array) in market.outcomes(x).items()}


def _period(market: Market, x: Profile, shift: Array) -> dict[str, Array]:
    """One period at one level of the shock."""
    name = demand.INTERCEPT[market.rule.demand]
    numbers = market.numbers | {name: market.numbers[name] + shift}
    sold = demand.clear(market.rule, numbers, x[:, 0])
    profit = sold.p * sold.q - market.cost(sold.q)
    total = jnp.sum(sold.q)
    surplus = demand.consumer_surplus(market.rule, numbers, sold)
    share = sold.q / jnp.where(total > 0, total, 1.0)
    own = {"quantity": sold.q, "price": sold.p, "profit": profit, "market_share": share}
    whole = {
        "total_quantity": total,
        "mean_price": jnp.where(total > 0, jnp.sum(sold.p * share), jnp.mean(sold.p)),
        "industry_profit": jnp.sum(profit),
        "consumer_surplus": surplus,
        "welfare": jnp.sum(profit) + surplus,
        "hhi": 1e4 * jnp.sum(share**2),
    }
    return own | whole


def _most(rule: Rule, numbers: dict[str, Array]) -> Array:
    """A size for profits: what the cheapest firm would earn alone."""
    cost = jnp.min(numbers["unit_cost"])
    if rule.demand == "logit":
        return numbers["taste_spread"]
    if rule.demand == "isoelastic":
        eta = numbers["elasticity"]
        return (numbers["market_size"] / cost) ** eta * cost / eta
    return (numbers["intercept"] - cost) ** 2 / (4 * numbers["slope"])


def _undercut(market: Market, x: np.ndarray, firm: int) -> Reply:
    """The best price against rivals' cheapest: just below it, or the monopoly's."""
    numbers = {name: np.asarray(value, dtype=float) for name, value in market.numbers.items()}
    a, b, c, d = (
        float(numbers["intercept"]),
        float(numbers["slope"]),
        float(numbers["unit_cost"][firm]),
        float(numbers["convex_cost"][firm]),
    )
    below = float(np.min(np.delete(x[:, 0], firm), initial=np.inf))
    alone = (a * (b + d) + b * c) / (2 * b + d)  # the price that a monopoly asks
    low, high = float(market.space.low[firm, 0]), float(market.space.high[firm, 0])

    def paid(price: float) -> float:
        return float(np.asarray(market.payoffs(jnp.asarray(x).at[firm, 0].set(price)))[firm])

    found = {own: paid(own) for own in (float(x[firm, 0]), high)}  # above the others nothing is sold
    if low <= below <= high:
        found[below] = paid(below)  # a share, which costs less than all where d is above 0
    if low < below:
        price = min(max(min(alone, below), low), high)
        sold = max(a - price, 0.0) / b
        profit = price * sold - c * sold - d * sold**2 / 2 - float(numbers["fixed_cost"][firm]) * (sold > 0)
        at = np.nextafter(price, 0.0) if price >= below else price
        found[float(at)] = float(market.after_tax(jnp.full(len(x), profit))[firm])
    at = max(found, key=lambda price: found[price])
    return Reply(np.array([at]), found[at], found[at], "exact", "undercutting")
