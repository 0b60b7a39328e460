"""Markets of published results that the family of markets does not hold, by the rules of their sources."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Annotated

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Lt
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame
from rivalry.core.results import Record
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import payoff_method
from rivalry.families.matrix import Matrix, matrix
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.validate import checked
from rivalry.text.display import Description, OneLineRepr

Traced = dict[str, tuple[tuple[str, ...], Array]]

BELOW_INCOME = 1e-6  # of the distance from cost to income: at income, utility would be infinite


class IncomeLogit(OneLineRepr, eqx.Module):
    """Sellers of goods of unequal quality set prices; see `income_logit` for the game."""

    space: Box
    quality: PerPlayer
    quality_weight: Scalar
    income_weight: Scalar
    income: Scalar
    unit_cost: Scalar
    market_size: Scalar

    def _title_and_parameters(self) -> Description:
        names = "quality income unit_cost market_size"
        return "Price competition of buyers with an income", {
            name: getattr(self, name) for name in names.split()
        }

    def shares(self, x: Profile) -> PerPlayer:
        """Return the market shares, which sum to 1."""
        money = self.income_weight * jnp.log(self.income - x[:, 0])
        return jax.nn.softmax(self.quality_weight * self.quality + money)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the profits."""
        return self.market_size * (x[:, 0] - self.unit_cost) * self.shares(x)


@oracles.metrics.register(IncomeLogit)
def _(game: IncomeLogit, x: Profile) -> Record:
    """Return ``market_share`` (player)."""
    return {"market_share": (("player",), np.asarray(game.shares(jnp.asarray(x))))}


@checked
def income_logit(
    *,
    state: Annotated[str, "qualities of the firms' goods, one digit per firm"] = "77",
    quality_weight: Annotated[float, Gt(0), "utility per unit of quality"] = 0.6,
    income_weight: Annotated[float, Gt(0), "weight of the logarithm of income after the purchase"] = 1.2,
    income: Annotated[float, Gt(0), "income of a buyer, above all prices"] = 15.0,
    unit_cost: Annotated[float, Ge(0), "cost per unit"] = 5.0,
    market_size: Annotated[float, Gt(0), "number of buyers, each of one unit"] = 5.0,
) -> IncomeLogit:
    """Return price competition for buyers whose utility is ``a log(y - p) + b w``, with no outside good.

    With income y, price p, quality w, income weight a and quality weight b, a firm's share is proportional to
    ``exp(b w) (y - p)^a``; a price is optimal where ``y - p = a (1 - share) (p - c)``.

    Raises
    ------
    ValueError
        For qualities that are no digits of two firms or more, and a cost that is not below income.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(income_logit(state="77"), rv.methods.BestResponse(), [[8.0], [9.0]])
    >>> solution.profile.values.ravel().round(4).tolist(), solution.payoff.values.round(4).tolist()
    ([11.25, 11.25], [15.625, 15.625])
    """
    if not (state.isdigit() and len(state) > 1):
        raise ValueError(f"state: {state!r} must be two digits or more, one per firm")
    if not unit_cost < income:
        raise ValueError(f"unit_cost: {unit_cost:g} must be below income = {income:g}")
    numbers = (quality_weight, income_weight, income, unit_cost, market_size)
    box = Box.interval(unit_cost, income - BELOW_INCOME * (income - unit_cost), players=len(state))
    return IncomeLogit(
        box, put(np.array([float(w) for w in state])), *(put(float(number)) for number in numbers)
    )


class PlatformSellers(OneLineRepr, eqx.Module):
    """Two sellers on a platform set prices for two groups of buyers; see `platform_sellers` for the game."""

    space: Box
    quality: Float[Array, "group player"]
    fee: Scalar
    unit_cost: Scalar
    taste_spread: Scalar
    search_cost: Scalar

    def _title_and_parameters(self) -> Description:
        names = "fee unit_cost taste_spread search_cost"
        return "Price competition on a platform", {name: getattr(self, name) for name in names.split()}

    def _utility(self, x: Profile) -> Float[Array, "group option"]:
        """Return utilities in units of the taste spread, the last option being to buy nothing."""
        bought = (self.quality - self.search_cost - x[:, 0]) / self.taste_spread
        return jnp.concatenate([bought, jnp.zeros((len(bought), 1))], axis=1)

    def demand(self, x: Profile) -> PerPlayer:
        """Return the sales per buyer, means over the groups."""
        return jax.nn.softmax(self._utility(x), axis=1)[:, :-1].mean(axis=0)

    def consumer_surplus(self, x: Profile) -> Scalar:
        """Return the expected utility of a buyer, in units of price."""
        return self.taste_spread * jax.nn.logsumexp(self._utility(x), axis=1).mean()

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the profits after the fee."""
        return ((1 - self.fee) * x[:, 0] - self.unit_cost) * self.demand(x)


@oracles.traced_metrics.register(PlatformSellers)
def _(game: PlatformSellers, x: Profile) -> Traced:
    """Return the mean price, the sellers' joint profit and the surplus of buyers."""
    return {
        "mean_price": ((), jnp.mean(x)),
        "industry_profit": ((), jnp.sum(game.payoffs(x))),
        "consumer_surplus": ((), game.consumer_surplus(x)),
    }


oracles.metrics.register(PlatformSellers)(oracles.compiled_metrics)


def _price_labels(game: object) -> oracles.Labels:
    return oracles.Labels(axes=("price",))


oracles.labels.register(IncomeLogit)(_price_labels)
oracles.labels.register(PlatformSellers)(_price_labels)


@checked
def platform_sellers(
    *,
    fee: Annotated[float, Ge(0), Lt(1), "fraction of revenue that sellers pay to the platform"] = 0.2,
    low: Annotated[float, Ge(0), "lowest price"] = 1.0,
    high: Annotated[float, Gt(0), "highest price"] = 2.1,
    better: Annotated[float, "quality of a seller's good for the group that prefers it"] = 2.0,
    worse: Annotated[float, "the same for the other group"] = 1.9,
    unit_cost: Annotated[float, Ge(0), "cost per unit"] = 1.0,
    taste_spread: Annotated[float, Gt(0), "scale of differences in taste, in units of price"] = 0.25,
    search_cost: Annotated[float, Ge(0), "cost of looking at both goods, in units of price"] = 0.25,
) -> PlatformSellers:
    """Return price competition of two sellers for two equal groups of buyers with logit demand.

    Group k prefers the good of seller k. Buying nothing has utility 0.

    Raises
    ------
    ValueError
        For a highest price that is not above the lowest.

    Examples
    --------
    >>> game = platform_sellers(better=2.0, worse=2.0, search_cost=0.0, fee=0.0)
    >>> game.payoffs(jnp.array([[2.0], [2.0]])).round(6).tolist()
    [0.333333, 0.333333]
    """
    if not low < high:
        raise ValueError(f"low: {low:g} must be below high = {high:g}")
    quality = put(np.array([[better, worse], [worse, better]]))
    numbers = (fee, unit_cost, taste_spread, search_cost)
    return PlatformSellers(
        Box.interval(low, high, players=2), quality, *(put(float(number)) for number in numbers)
    )


COMPETITIVE, COLLUSIVE = 3.0, 4.5  # profits: q = 2 and theta = 0; q = 3/2 and theta = 1
OUTPUTS, INVESTMENTS = np.arange(2, 9) / 2, np.arange(7) / 6


class AlternatingMatrix(Matrix):
    """A finite game whose players decide in turn, one per period, while the others' actions stand."""


@oracles.to_repeated.register(AlternatingMatrix)
def _(game: AlternatingMatrix, grid: np.ndarray, sizes: np.ndarray) -> FiniteGame:
    return oracles.to_finite(game)._replace(order=np.arange(len(sizes))[:, None])


@oracles.profit_gain_bounds.register(AlternatingMatrix)
def _(game: AlternatingMatrix) -> oracles.GainBounds:
    """Return the profits at a gain of 0 and 1 in the market with continuous choices."""
    return oracles.GainBounds(np.full(2, COMPETITIVE), np.full(2, COLLUSIVE), np.full(2, np.nan))


def responsible_duopoly() -> AlternatingMatrix:
    """Return the alternating duopoly of Bant (2023): firms choose an output q and an investment theta.

    The price is ``max(6 - q - q' + theta' - theta, 0)``, the cost ``(1 - theta)^2``. Outputs are 1, 1.5, ..,
    4, investments 0, 1/6, .., 1; a further action has the output 0 and the investment 1.

    Examples
    --------
    >>> game = responsible_duopoly()
    >>> game.sizes, game.payoffs(game.pure("2, 0", "2, 0")).tolist()
    ((50, 50), [3.0, 3.0])
    """
    choices = np.array([*product(OUTPUTS, INVESTMENTS), (0.0, 1.0)])
    q, theta = choices[:, None, 0], choices[:, None, 1]
    price = np.maximum(6 - q - q.T + theta.T - theta, 0)
    payoff = q * price - (1 - theta) ** 2
    names = tuple(
        f"{output:g}, {Fraction(investment).limit_denominator(6)}" for output, investment in choices
    )
    game = matrix(payoff, payoff.T)
    return AlternatingMatrix(game.table, (names, names))
