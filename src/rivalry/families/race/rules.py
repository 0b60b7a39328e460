"""The rules of one period of a race: production, contest, risk, rewards, cost and technology.

A kind of contest, risk or cost is a class: its fields are the keys of that kind, and its methods compute with
them. They take the period's parameters by name, arrays ``[player]``, in logarithms where that avoids a loss
of digits, and are plain JAX. A custom function may replace any kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from annotated_types import Ge
from jaxtyping import Array, Bool, Float
from numpy import ndarray

from rivalry.core.space import PerPlayer, Scalar
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.annotations import (
    AcceptedInterval,
    Keys,
    Needs,
    Positive,
    Share,
    Symbol,
    keys_by_kind,
    kind_name,
)

TRACE = 1e-150  # its square has a reciprocal
NO_WEIGHT = -1e300  # logarithm in place of that of 0, so that bounds on small weights that may be 0 are small
Numbers = Mapping[str, Array]
Stocks = Float[Array, "stock player"]  # the productivities A and B
Chances = Float[Array, "player outcome"]  # to win by player, and last that nobody does, in equal rows
Row = Float[Array, "player column"]  # the inputs of one period

# --- types of keys ------------------------------------------------------------------------------------------

T = TypeVar("T")
INTERVAL = AcceptedInterval("beliefs")
# one for all, a list by player, or a list of lists by period and player
Numeric = Annotated[T | list[T] | list[list[T]] | ndarray, INTERVAL]
NotNegative = Annotated[float, Ge(0)]
Plain = Numeric[float]
Amounts = Numeric[NotNegative]
Positives = Numeric[Positive]
Shares = Numeric[Share]
Rule: TypeAlias = Callable[..., Any]
Table = dict[str, Any]
Plainer: TypeAlias = tuple[Any, Table]  # a kind, and the numbers that it has in place of others
keys = dataclass(frozen=True)  # a decorator: the fields of the class are keys of a table
INVESTED, SHARED = Needs("invest share"), Needs("share")


# --- production -------------------------------------------------------------------------------------------


class Power:
    """Power production ``s = A xs^alpha``, ``p = B xp^beta``."""

    @staticmethod
    def outputs(xs: PerPlayer, xp: PerPlayer, numbers: Numbers) -> tuple[PerPlayer, PerPlayer]:
        """Return ln s and ln p."""
        log_s = log(numbers["safety_productivity"]) + numbers["safety_exponent"] * log(xs)
        return log_s, log(numbers["performance_productivity"]) + numbers["performance_exponent"] * log(xp)


def log(x: Array) -> Array:
    """Return the logarithm; minus infinity at 0, with slope 0."""
    # a small number in place of 0, not 1: bounds on small amounts that may be 0 remain small
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, TRACE)), -jnp.inf)


# --- contest: who wins --------------------------------------------------------------------------------------


class ContestKind:
    """A contest success function."""

    @classmethod
    def probabilities(
        cls, log_p: PerPlayer, p: PerPlayer, numbers: Numbers
    ) -> Float[Array, "player outcome"]:
        """Return the probability that each player wins, and last that nobody does, the same in all rows.

        The row of a player may be computed from its own probability to win and from those of the others if
        it does not, which do not depend on its performance.
        """
        raise NotImplementedError


def _with_no_winner(q: PerPlayer) -> Chances:
    """Return probabilities to win, and last what is left of 1, in a row for each player."""
    outcomes = jnp.append(q, jnp.maximum(1 - jnp.sum(q), 0.0))  # rounding may lift the sum above 1
    return jnp.broadcast_to(outcomes, (len(q), len(outcomes)))


@keys
class Ratio(ContestKind):
    """The ratio contest ``q_j = p_j^m / (sum p^m + 1/kappa)`` (Tullock 1980)."""

    decisiveness: Annotated[
        Positive | list[Positive],
        INTERVAL,
        Symbol("m"),
        "exponent (ratio) or slope (logit) of performance",
    ] = 1.0
    ease_of_winning: Annotated[
        Positive | list[Positive] | None,
        INTERVAL,
        Symbol("kappa"),
        "1/kappa is the weight of the no-winner outcome (default: somebody wins)",
    ] = None

    @classmethod
    def weights(cls, log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
        """Return the logarithms of the players' weights, to which their probabilities are proportional."""
        return jnp.where(log_p > -jnp.inf, numbers["decisiveness"] * log_p, -jnp.inf)

    @classmethod
    def probabilities(
        cls, log_p: PerPlayer, p: PerPlayer, numbers: Numbers
    ) -> Float[Array, "player outcome"]:
        return _shares_of_weights(cls.weights(log_p, p, numbers), numbers)


@keys
class Logit(Ratio):
    """The logit contest, ``q_j`` proportional to ``exp(m p_j)`` (Hirshleifer 1989).

    Players without performance take part: ``1/n`` each if nobody performs.
    """

    @classmethod
    def weights(cls, log_p: PerPlayer, p: PerPlayer, numbers: Numbers) -> PerPlayer:
        return numbers["decisiveness"] * p


class Best(ContestKind):
    """The contest that the highest performance wins: ties are split, and nobody wins at performance 0."""

    @classmethod
    def probabilities(
        cls, log_p: PerPlayer, p: PerPlayer, numbers: Numbers
    ) -> Float[Array, "player outcome"]:
        is_highest = (log_p == jnp.max(log_p)) & (log_p > -jnp.inf)
        return _with_no_winner(is_highest / jnp.maximum(jnp.sum(is_highest), 1))


def log_nobody(numbers: Numbers) -> Scalar:
    """Return the logarithm of the weight of no winner, 1/kappa; minus infinity where somebody always wins."""
    return -jnp.log(numbers["ease_of_winning"]) if "ease_of_winning" in numbers else jnp.asarray(-jnp.inf)


def _shares_of_weights(logs: PerPlayer, numbers: Numbers) -> Chances:
    """Return the probabilities that each player and nobody wins; nobody wins where all weights are 0.

    A row holds the own probability, and those of the others as shares of what is left. Bounds on a player's
    payoffs over its own choices are then close: its weight is in one term.
    """
    players = len(logs)
    weights = jnp.append(logs, log_nobody(numbers))
    rivals = jnp.where(jnp.eye(players, players + 1, dtype=bool), -jnp.inf, weights)
    is_contested = jnp.any(rivals > -jnp.inf, axis=1, keepdims=True)
    top = jnp.max(rivals, axis=1, keepdims=True)
    top = jax.lax.stop_gradient(jnp.where(top > -jnp.inf, top, 0.0))
    parts = jnp.exp(rivals - top)
    # in place of 1 the exponential of a shift of 0, so that results can be seen not to depend on the shift
    total = jnp.where(is_contested, jnp.sum(parts, axis=1, keepdims=True), jnp.exp(-top))
    # against nobody any weight wins, and without one nobody does
    is_present = (logs > -jnp.inf)[:, None]
    log_odds = jnp.where(is_present, logs[:, None], NO_WEIGHT) - top - jnp.log(total)
    win = jnp.where(is_present, jnp.where(is_contested, jax.nn.sigmoid(log_odds), 1.0), 0.0)
    loss = jnp.where(is_present, jnp.where(is_contested, jax.nn.sigmoid(-log_odds), 0.0), 1.0)
    is_last = jnp.arange(players + 1) == players
    shares = jnp.where(is_contested, parts / total, is_last)
    return jnp.where(jnp.eye(players, players + 1, dtype=bool), win, loss * shares)


# --- risk: whose safety counts ------------------------------------------------------------------------------


class RiskKind:
    """The probabilities that a win ends without a disaster."""

    @classmethod
    def safety(cls, z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
        """Return S, the probability of no disaster by winner, from the log odds z of technologies."""
        raise NotImplementedError

    @classmethod
    def unsafe(cls, z: PerPlayer, safety: PerPlayer) -> PerPlayer:
        """Return ``1 - S``."""
        return 1 - safety

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        """Return the plainest kind with the same values at these numbers, and the numbers that change."""
        return cls, {}


class WinnerOnly(RiskKind):
    """The winner's own safety."""

    @classmethod
    def safety(cls, z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
        return sigma

    @classmethod
    def unsafe(cls, z: PerPlayer, safety: PerPlayer) -> PerPlayer:
        return jax.nn.sigmoid(-z)  # without cancellation


@keys
class Multiplicative(RiskKind):
    """The safety of all, ``exp[(n / sum w) sum_k w_k ln sigma_k]``; zero weights are skipped."""

    safety_weight: Annotated[Amounts, Symbol("w"), "weight of each player's safety"] = 1.0

    @classmethod
    def safety(cls, z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
        w = numbers["safety_weight"]
        counted = w > 0
        # where nothing counts, 0 times the logarithm of no safety would be NaN
        is_certain = jnp.isinf(z) | ~counted
        logs = jnp.where(is_certain, 0.0, -jax.nn.softplus(-jnp.where(is_certain, 0.0, z)))
        is_hopeless = jnp.any(counted & (z == -jnp.inf))
        together = jnp.sum(w * logs) * len(z) / jnp.sum(w)
        return jnp.broadcast_to(jnp.where(is_hopeless, 0.0, jnp.exp(together)), z.shape)


@keys
class Additive(Multiplicative):
    """The mean safety ``sum w_k sigma_k / sum w``."""

    @classmethod
    def safety(cls, z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
        w = numbers["safety_weight"]
        return jnp.broadcast_to(jnp.sum(w * sigma) / jnp.sum(w), z.shape)


@keys
class Mixed(RiskKind):
    """The winner's safety and the losers' mean, ``(1-lam) sigma_j + lam mean_{k != j} sigma_k``."""

    loser_weight: Annotated[
        Share | list[Share], INTERVAL, Symbol("lam"), "weight of the losers' mean safety"
    ] = 0.0

    @classmethod
    def safety(cls, z: PerPlayer, sigma: PerPlayer, numbers: Numbers) -> PerPlayer:
        rivals = (jnp.sum(sigma) - sigma) / (len(z) - 1)
        return (1 - numbers["loser_weight"]) * sigma + numbers["loser_weight"] * rivals

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        return (cls if np.any(numbers["loser_weight"]) else WinnerOnly), {}


# --- reward -------------------------------------------------------------------------------------------------


@keys
class Reward:
    """The payoffs of winning and losing; `rewards` computes them."""

    prize: Annotated[Plain, Symbol("win_a"), "payoff of winning, the unit of payoffs"] = 1.0
    prize_per_performance: Annotated[
        Plain, Symbol("win_b"), "added to the prize per unit of own performance"
    ] = 0.0
    loser_prize: Annotated[Plain, Symbol("lose_a"), "payoff of losing"] = 0.0
    loser_prize_per_performance: Annotated[
        Plain, Symbol("lose_b"), "added to the loser's prize per unit of performance"
    ] = 0.0
    loser_prize_basis: Annotated[
        Literal["own", "winner"],
        Symbol("lose_index"),
        "whose parameters and performance determine a loser's prize",
    ] = "own"
    prize_survives: Annotated[
        bool | list[bool] | ndarray, Symbol("keep_prize"), "prizes are kept after a disaster"
    ] = False


def rewards(rules: Rules, numbers: Numbers, p: PerPlayer) -> Float[Array, "player winner"]:
    """Return ``rho_ij``, the payoff of player i if j wins without a disaster."""
    win = numbers["prize"] + numbers["prize_per_performance"] * p
    lose = numbers["loser_prize"] + numbers["loser_prize_per_performance"] * p
    losses = lose[None, :] if rules.loser_prize_basis == "winner" else lose[:, None]
    return jnp.where(jnp.eye(len(p), dtype=bool), win[:, None], losses)


def damages(numbers: Numbers, players: int) -> Float[Array, "player winner"]:
    """Return ``d_ij``, the loss of player i if j wins with a disaster, the winner's liability included."""
    d = numbers["disaster_cost"]
    matrix = d if d.ndim == 2 else jnp.broadcast_to(d[:, None], (players, players))
    return matrix + jnp.diag(numbers["liability"])


def without_winner(rules: Rules, numbers: Mapping[str, Any]) -> Any:
    """Return each player's payoff if nobody wins; nobody is liable then."""
    if rules.no_winner != "disaster":
        return numbers["no_winner"]
    d = numbers["disaster_cost"]
    return -(jnp.diagonal(d) if d.ndim == 2 else d)


# --- cost of inputs -----------------------------------------------------------------------------------------

PRICE = 0.1  # by default, of either input


class CostKind:
    """The cost of inputs."""

    @classmethod
    def costs(cls, xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        """Return each player's cost; ``safety`` is the logarithm of what a certificate measures."""
        raise NotImplementedError

    @classmethod
    def required(cls, safety: PerPlayer, numbers: Numbers) -> PerPlayer | None:
        """Return the logarithm of the safety at which costs jump, given all players'; None where none do."""
        return None

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        """Return the plainest kind with the same costs at these numbers, and the numbers that change."""
        return cls, {}


@keys
class Linear(CostKind):
    """The cost ``r_s xs + r_p xp``, less the subsidy on safety, with the tax on performance."""

    safety_price: Annotated[Amounts, Symbol("r_s"), "price per unit of safety input"] = PRICE
    performance_price: Annotated[Amounts, Symbol("r_p"), "price per unit of performance input"] = PRICE
    price: Annotated[
        Amounts | None,
        Symbol("r"),
        "price per unit of either input, in place of both (certification, penalty: default 0.1)",
    ] = None
    performance_tax: Annotated[Amounts, Symbol("tax"), "per unit of performance input"] = 0.0
    safety_subsidy: Annotated[Amounts, Symbol("subsidy"), "per unit of safety input"] = 0.0

    @classmethod
    def costs(cls, xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        price_s, price_p = input_prices(numbers)
        return price_s * xs + price_p * xp


def input_prices(numbers: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the prices of safety and of performance inputs, taxes and subsidies included."""
    price_p = numbers["performance_price"] + numbers["performance_tax"]
    return numbers["safety_price"] - numbers["safety_subsidy"], price_p


def _at_one_price(price: ndarray) -> Plainer:
    """Return the linear cost at one price of both inputs, with its numbers."""
    prices = dict.fromkeys(("safety_price", "performance_price"), price)
    return Linear, {"price": None, "performance_tax": 0 * price, "safety_subsidy": 0 * price, **prices}


@keys
class Quadratic(Linear):
    """The linear cost plus ``r2_s xs^2/2 + r2_p xp^2/2``."""

    safety_price_slope: Annotated[
        Amounts, Symbol("r2_s"), "rise of the price of safety per unit of its input"
    ] = 0.0
    performance_price_slope: Annotated[
        Amounts, Symbol("r2_p"), "rise of the price of performance per unit of its input"
    ] = 0.0

    @classmethod
    def costs(cls, xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        on_safety = super().costs(xs, xp, safety, numbers) + numbers["safety_price_slope"] * xs**2 / 2
        return on_safety + numbers["performance_price_slope"] * xp**2 / 2

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        rises = np.any(numbers["safety_price_slope"]) or np.any(numbers["performance_price_slope"])
        return (cls if rises else Linear), {}


@keys
class _Measured(CostKind):
    """A cost at one price of both inputs that depends on a measure of safety."""

    price: Annotated[Amounts, Symbol("r"), "price per unit of either input"] = PRICE
    measured_by: Annotated[
        Literal["odds", "effort"],
        Symbol("on"),
        "what the minimum applies to: the odds of safety, or s itself",
    ] = "odds"


@keys
class _Certified(_Measured):
    """A lower price of both inputs for players that are safe enough."""

    certified_price: Annotated[
        Amounts, Symbol("r_certified"), "the price for players that are safe enough"
    ] = 0.05

    @classmethod
    def is_safe(cls, safety: PerPlayer, numbers: Numbers) -> Bool[Array, "player"]:
        """Return the mask of players that are safe enough."""
        raise NotImplementedError

    @classmethod
    def costs(cls, xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        is_safe = cls.is_safe(safety, numbers)
        return jnp.where(is_safe, numbers["certified_price"], numbers["price"]) * (xs + xp)

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        same = np.all(numbers["price"] == numbers["certified_price"])
        return _at_one_price(numbers["price"]) if same else (cls, {})


Minimum = Annotated[Amounts, Symbol("s_min"), "the safety required, in the unit of measured_by"]


@keys
class Certification(_Certified):
    """One price of both inputs, lower for players whose safety is at least ``s_min``."""

    minimum: Minimum = 1.0

    @classmethod
    def is_safe(cls, safety: PerPlayer, numbers: Numbers) -> Bool[Array, "player"]:
        return safety >= log(numbers["minimum"])

    @classmethod
    def required(cls, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        return log(numbers["minimum"])

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        if np.any(numbers["minimum"]):
            return super().plain(numbers)
        return _at_one_price(numbers["certified_price"])


@keys
class RelativeCertification(_Certified):
    """The same where the threshold is the mean safety of the others plus a margin."""

    margin: Annotated[Plain, "by how much to exceed the mean safety of the others"] = 0.0

    @classmethod
    def is_safe(cls, safety: PerPlayer, numbers: Numbers) -> Bool[Array, "player"]:
        return jnp.exp(safety) >= cls._level(safety, numbers)

    @classmethod
    def required(cls, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        return log(jnp.maximum(cls._level(safety, numbers), 0.0))

    @classmethod
    def _level(cls, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        level = jnp.exp(safety)
        rivals = jnp.stack([jnp.mean(jnp.delete(level, k)) for k in range(len(level))])
        return rivals + numbers["margin"]


@keys
class Penalty(_Measured):
    """One price of both inputs, plus a fine for those whose safety is below ``s_min``."""

    minimum: Minimum = 1.0
    fine: Annotated[Amounts, "paid by players below the minimum"] = 0.0

    @classmethod
    def costs(cls, xs: PerPlayer, xp: PerPlayer, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        fined = jnp.where(safety >= cls.required(safety, numbers), 0.0, numbers["fine"])
        return numbers["price"] * (xs + xp) + fined

    @classmethod
    def required(cls, safety: PerPlayer, numbers: Numbers) -> PerPlayer:
        return log(numbers["minimum"])

    @classmethod
    def plain(cls, numbers: Table) -> Plainer:
        counts = np.any(numbers["fine"]) and np.any(numbers["minimum"])
        return (cls, {}) if counts else _at_one_price(numbers["price"])


# --- technology over periods: investment, depreciation and sharing -----------------------------------------


@keys
class Technology:
    """Investment in productivities and sharing of them, over several periods."""

    invest: Annotated[bool, "players may invest in their productivities"] = False
    share: Annotated[bool, "players may give away part of their lead; implies invest"] = False
    safety_investment_price: Annotated[
        Amounts, INVESTED, Symbol("r_inv_s"), "price per unit of productivity in safety"
    ] = 0.01
    performance_investment_price: Annotated[
        Amounts, INVESTED, Symbol("r_inv_p"), "price per unit of productivity in performance"
    ] = 0.01
    safety_sharing_price: Annotated[
        Amounts, SHARED, Symbol("r_share_s"), "price per unit of sharing of safety productivity"
    ] = 0.0
    performance_sharing_price: Annotated[
        Amounts, SHARED, Symbol("r_share_p"), "price per unit of sharing of performance productivity"
    ] = 0.0
    safety_depreciation: Annotated[
        Shares, INVESTED, Symbol("dep_s"), "fraction of safety productivity lost per period"
    ] = 0.0
    performance_depreciation: Annotated[
        Shares, INVESTED, Symbol("dep_p"), "fraction of performance productivity lost per period"
    ] = 0.0
    spillover: Annotated[
        Literal["sum", "max", "union"], SHARED, Symbol("spill"), "how leads that several players share add up"
    ] = "sum"
    sharing_unit: Annotated[
        Literal["fraction", "rate"],
        SHARED,
        Symbol("share_units"),
        "sharing is a fraction, or a rate x that shares the fraction 1-exp(-x)",
    ] = "fraction"


def spillover_gain(stock: PerPlayer, shared: PerPlayer, spillover: str) -> PerPlayer:
    """Return the productivity that each player receives from the others' leads.

    ``stock`` is the productivity at the start of the period, ``shared`` the fraction of its lead that each
    player shares, in [0, 1]. With ``sum``, the shared fractions of all leads add up; with three or more
    players a laggard may overtake the leader. With ``max``, the largest of them counts. With ``union``, a
    level of technology is known to a laggard if any player above it shares it, ``integral from K_i of 1 -
    prod_{j: K_j > l} (1 - phi_j)``; a laggard never overtakes the leader.

    Examples
    --------
    >>> stock, shared = jnp.array([10.0, 9.0, 2.0]), jnp.array([0.9, 0.9, 0.5])
    >>> [spillover_gain(stock, shared, rule).round(2).tolist() for rule in ("sum", "max", "union")]
    [[0.0, 0.9, 13.5], [0.0, 0.9, 7.2], [0.0, 0.9, 7.83]]
    """
    lead = jnp.maximum(stock[None, :] - stock[:, None], 0.0)
    if spillover != "union":
        received = shared[None, :] * lead
        return jnp.sum(received, axis=1) if spillover == "sum" else jnp.max(received, axis=1)
    order = jnp.argsort(stock)
    levels = stock[order]  # between two neighbouring levels the same players are above
    # after the k-th stock, those from k+1 on are above
    unknown = jnp.cumprod((1 - shared[order])[::-1])[::-1]
    steps = jnp.diff(levels) * (1 - unknown[1:])
    below = jnp.append(jnp.cumsum(steps[::-1])[::-1], 0.0)
    return jnp.zeros_like(stock).at[order].set(below)


# --- kinds by name, and custom functions in their place -----------------------------------------------------


@dataclass(frozen=True)
class CustomRule:
    """A user's function in place of the built-in kinds of a part."""

    part: str
    function: Rule

    def __call__(self, *arguments: Any) -> Any:
        """Return the function's numbers. Raises `ValueError` unless there is one per player."""
        output = call(self.part, self.function, *arguments)
        is_pair = self.part == "production"
        if is_pair and not (isinstance(output, tuple | list) and len(output) == 2):
            raise fault(self.part, self.function, "must answer two arrays, ln s and ln p")
        for array in output if is_pair else [output]:
            form = f"shape {array.shape}" if isinstance(array, jax.Array | ndarray) else type(array).__name__
            if form != f"shape {arguments[0].shape}":
                rule = f"must be one number per player, {arguments[0].shape}"
                raise fault(self.part, self.function, f"answers {form}; {rule}")
        return output

    def probabilities(self, *arguments: Any) -> Chances:
        """Return the function's probabilities to win, and last what is left of 1."""
        return _with_no_winner(self(*arguments))

    def required(self, *arguments: Any) -> None:
        """Return nothing: a custom cost is not known to jump."""

    outputs = safety = costs = __call__
    unsafe = RiskKind.unsafe


def call(part: str, function: Rule, *arguments: object) -> Any:
    """Return the result of a user's function. Raises `ValueError` that names the part and the function."""
    try:
        return function(*arguments)
    except Exception as error:  # a custom function may raise anything
        message = "".join(str(error).strip().splitlines()[:1])
        hint = "; write it with jax.numpy, without if on values" if isinstance(error, UNTRACED) else ""
        raise fault(part, function, f"raised {type(error).__name__}: {message}{hint}") from None


def fault(part: str, function: Rule, reason: str) -> ValueError:
    """Return the error of a user's function."""
    return ValueError(f"{part}: {rule_name(function)} {reason}")


UNTRACED = (jax.errors.TracerBoolConversionError, jax.errors.TracerArrayConversionError)


def rule_name(rule: Any) -> str:
    """Return the kind of a built-in class, the name of a function, or the class of another object.

    >>> rule_name(WinnerOnly), rule_name(CustomRule("cost", log))
    ('winner_only', 'log')
    """
    if isinstance(rule, type):
        return kind_name(rule)
    function = rule.function if isinstance(rule, CustomRule) else rule
    try:
        return str(function.__name__)
    except AttributeError:
        return type(function).__name__


ContestWord: TypeAlias = Literal["ratio", "logit", "best"] | Rule
RiskWord: TypeAlias = Literal["winner_only", "multiplicative", "additive", "mixed"] | Rule
CostWord: TypeAlias = (
    Literal["linear", "quadratic", "certification", "relative_certification", "penalty"] | Rule
)
TABLES: dict[str, Keys] = {
    "contest": keys_by_kind(
        Annotated[
            ContestWord,
            "who wins: ratio or logit of performance, best, or a function (ln p, p, numbers) -> chances",
        ],
        *(Ratio, Logit, Best),
    ),
    "risk": keys_by_kind(
        Annotated[
            RiskWord,
            "whose safety counts: a word, or a function (z, sigma, numbers) -> probabilities by winner",
        ],
        *(WinnerOnly, Multiplicative, Additive, Mixed),
    ),
    "reward": Keys(Reward),
    "cost": keys_by_kind(
        Annotated[CostWord, "cost of inputs: a word, or a function (xs, xp, ln of safety, numbers) -> costs"],
        *(Linear, Quadratic, Certification, RelativeCertification, Penalty),
    ),
    "technology": Keys(Technology),
}
"""The keys of the tables of a race."""
KINDS: dict[str, dict[str, Any]] = {"production": {"power": Power}}
"""The built-in kinds by part and name; the first of a part is the default."""
KINDS |= {part: dict(note.kinds) for part, note in TABLES.items() if note.kinds}


# --- one period ---------------------------------------------------------------------------------------------


class Rules(NamedTuple):
    """The kinds and options of a race that are chosen by name.

    Hashable, so that compiled programs are reused.
    """

    production: type[Power] | CustomRule
    contest: type[ContestKind] | CustomRule
    risk: type[RiskKind] | CustomRule
    cost: type[CostKind] | CustomRule
    loser_prize_basis: str = "own"
    no_winner: str = "value"
    measured_by: str = "odds"

    @property
    def custom(self) -> dict[str, CustomRule]:
        """The custom functions by part."""
        return {part: rule for part, rule in self._asdict().items() if isinstance(rule, CustomRule)}


class Outcome(NamedTuple):
    """The results of a period's inputs, conditional on the period being reached."""

    log_s: PerPlayer  # ln of effort safety
    log_p: PerPlayer  # ln of performance
    z: PerPlayer  # log odds that the own technology is safe
    sigma: PerPlayer  # the same as a probability
    q: PerPlayer  # win probability
    nobody: PerPlayer  # probability that nobody wins, the same for all
    S: PerPlayer  # probability that no disaster happens, by winner
    safe: PerPlayer  # probability of a safe win, the same for all
    disaster: PerPlayer  # likewise
    cost: PerPlayer
    u: PerPlayer  # payoff


def outcome(rules: Rules, numbers: Numbers, xs: PerPlayer, xp: PerPlayer) -> Outcome:
    """Return all results of a period at safety inputs ``xs`` and performance inputs ``xp``."""
    log_s, log_p = rules.production.outputs(xs, xp, numbers)
    is_built = log_p > -jnp.inf
    theta = numbers["scale_penalty"]
    # 0 times minus infinity would be NaN
    spoiled = jnp.where(theta > 0, theta * jnp.where(is_built, log_p, 0.0), 0.0)
    # without performance there is no technology that could fail
    z = jnp.where((theta > 0) & ~is_built, jnp.inf, log_s - spoiled)
    sigma = jax.nn.sigmoid(z)
    p = jnp.exp(log_p)
    probabilities = rules.contest.probabilities(log_p, p, numbers)
    wins, p_nobody = probabilities[:, :-1], probabilities[:, -1]
    safety = rules.risk.safety(z, sigma, numbers)
    unsafe = rules.risk.unsafe(z, safety)
    cost = rules.cost.costs(xs, xp, z if rules.measured_by == "odds" else log_s, numbers)
    u = gains(rules, numbers, p, wins, p_nobody, safety, unsafe) - cost
    disaster = jnp.sum(wins * unsafe, axis=1)
    if rules.no_winner == "disaster":
        disaster = disaster + p_nobody
    q, safe = jnp.diagonal(wins), jnp.sum(wins * safety, axis=1)
    return Outcome(log_s, log_p, z, sigma, q, p_nobody, safety, safe, disaster, cost, u)


def gains(
    rules: Rules,
    numbers: Numbers,
    p: PerPlayer,
    q: Float[Array, "player winner"],
    p_nobody: PerPlayer,
    safe: PerPlayer,
    unsafe: PerPlayer,
) -> PerPlayer:
    """Return payoffs before costs, ``sum_j q_j [S_j rho_ij + (1-S_j)(keep_i rho_ij - d_ij)] + q_0 v_i``."""
    rho, d = rewards(rules, numbers, p), damages(numbers, len(p))
    payoffs_of_wins = safe * rho + unsafe * (numbers["prize_survives"][:, None] * rho - d)
    # 0 times an infinite prize would be NaN
    won = jnp.sum(jnp.where(q > 0, q * jnp.where(q > 0, payoffs_of_wins, 0.0), 0.0), axis=1)
    return won + p_nobody * without_winner(rules, numbers)
