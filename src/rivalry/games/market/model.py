"""Markets: firms, what they choose, and the profit of one period."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import at_home
from rivalry.core.space import Box, Profile
from rivalry.games.market import demand
from rivalry.games.market.demand import Cleared, Rule, Shock

STAGES = tuple[tuple[int, ...], ...]
SHOWN = """intercept slope substitution market_size elasticity quality outside_option taste_spread unit_cost
convex_cost fixed_cost"""


class Dynamics(NamedTuple):
    """The states that a market carries from period to period; words and flags only."""

    adjustment: str = "none"  # spot, predetermined: when a change of output takes effect
    sticky: bool = False
    cash: bool = False
    invest: bool = False
    reversible: bool = False
    limited: bool = False  # some firm has a capacity


class Accounts(NamedTuple):
    """How cash flows are taxed and valued; words and flags only."""

    tax_losses: str = "refunded"  # or none
    convention: str = "period0"  # end, mid: time of a cash flow within its period
    terminal: str = "none"  # gordon, perpetuity, multiple: value at the horizon
    horizon: int = 0  # periods; 0: infinite


class Market(eqx.Module):
    """Firms choose quantities or prices, demand clears the market, and each firm earns its profit.

    Made by `rivalry.games.market`. A profile is ``[player axis]`` with one axis, the quantity or the price.
    ``payoffs`` are those of one period of simultaneous play, averaged over the levels of the shock;
    ``stages`` and ``timing`` give the order of moves in repeated play. What else is known of a market is
    registered in `rivalry.games.market.oracles`.

    Parameters
    ----------
    space : Box
        Choices between their bounds, ``[player axis]``.
    numbers : dict of str to Array
        The parameters by key, ``[player]`` or one number. They are attributes too: ``market.unit_cost``.
    rule : Rule
        The demand system, and what firms choose.
    stages : tuple of tuple of int
        The firms of each stage, in the order of moves.
    timing : str
        ``simultaneous``, ``staged`` or ``alternating``.
    shock : Shock, optional
        Moves the intercept of demand.
    dynamics : Dynamics
        States that are carried from period to period.
    accounts : Accounts
        Taxation and valuation of cash flows.
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
        # the parameters are attributes: with_(game, unit_cost=3.0) replaces one
        if not name.startswith("_") and name in self.__dict__.get("numbers", {}):
            return self.numbers[name]
        raise AttributeError(f"this market has no {name!r}")

    def __repr__(self) -> str:
        if isinstance(self.space.low, jax.core.Tracer):
            return str(eqx.tree_pformat(self))  # inside a transformation: shapes are all there is
        order = "at once" if len(self.stages) == 1 else f"in stages {[list(s) for s in self.stages]}"
        order = "in turns" if self.timing == "alternating" else order
        choice = f"{self.rule.demand} demand, each chooses a {self.rule.choice}, {order}"
        parts = [
            f"{name} {' '.join(np.array2string(np.asarray(self.numbers[name])).split())}"
            for name in SHOWN.split()
            if name in self.numbers
        ]
        return f"Market of {self.players} firms: {choice}\n  {', '.join(parts)}"

    @property
    def players(self) -> int:
        """The number of firms."""
        return self.space.shape[0]

    @property
    def gamma(self) -> Any:  # [player]; while a copy is made, the place of it
        """Every firm's discount factor per period."""
        return self.numbers["gamma"]

    @property
    def growth(self) -> Any:
        """The growth rate of the market per period."""
        return self.numbers["growth"]

    @property
    def unit_cost(self) -> Any:
        """Every firm's unit cost."""
        return self.numbers["unit_cost"]

    def cleared(self, x: Profile, shift: float | Array = 0.0) -> Cleared:
        """Return quantities and prices at the choices ``x``, with the intercept moved by ``shift``."""
        name = demand.INTERCEPT[self.rule.demand]
        return demand.clear(self.rule, self.numbers | {name: self.numbers[name] + shift}, x[:, 0])

    def cost(self, q: Float[Array, "player"]) -> Float[Array, "player"]:
        """Return ``F 1[q > 0] + c q + d q^2/2``."""
        numbers = self.numbers
        return numbers["fixed_cost"] * (q > 0) + numbers["unit_cost"] * q + numbers["convex_cost"] * q**2 / 2

    def profits(self, x: Profile, shift: float | Array = 0.0) -> Float[Array, "player"]:
        """Return revenue less cost, before tax, at one level of the shock."""
        sold = self.cleared(x, shift)
        return sold.p * sold.q - self.cost(sold.q)

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """Return profits after tax, averaged over the levels of the shock."""
        if self.shock is None:
            return self.after_tax(self.profits(x))
        each = jax.vmap(lambda shift: self.after_tax(self.profits(x, shift)))(self.shock.levels)
        return self.shock.probabilities @ each

    def after_tax(self, profit: Float[Array, "player"]) -> Float[Array, "player"]:
        """Return profits after tax; the tax on losses is refunded, unless ``tax_losses`` is ``none``."""
        taxed = jnp.maximum(profit, 0.0) if self.accounts.tax_losses == "none" else profit
        return profit - self.numbers["tax"] * taxed


at_home(Market, "rivalry.games.market.oracles")
