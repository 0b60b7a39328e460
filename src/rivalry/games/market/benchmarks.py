"""What a market's firms would choose, and earn, in the equilibria that learners are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.certify import payoffs
from rivalry.core.jax import put
from rivalry.core.oracles import payoff_scale
from rivalry.core.results import Record
from rivalry.games.market import closed_forms, numerical
from rivalry.games.market.checks import one_of
from rivalry.games.market.cournot import MOST_SUBSETS
from rivalry.games.market.demand import INTERCEPT
from rivalry.games.market.stage_responses import StageReplies
from rivalry.transforms import hierarchy

if TYPE_CHECKING:
    from rivalry.games.market.game import Market

NAMES = ("nash", "stackelberg", "cartel", "competitive")
ALIKE = 1e-9  # of a market's size: profits that differ by less are equal


class Benchmark(NamedTuple):
    """One period at a benchmark, ``[player]``, in the mean over the shock's levels."""

    choice: np.ndarray
    q: np.ndarray
    p: np.ndarray
    profit: np.ndarray  # before tax
    payoff: np.ndarray  # after tax
    measures: Record  # of that profile: surplus, welfare, concentration
    numerical: bool  # found by a search, for want of a closed form
    equilibrium: bool = True  # False: leaders have no pure equilibrium; regrets are the smallest found


def benchmark(market: Market, name: str) -> Benchmark:
    """The benchmark ``nash``, ``stackelberg``, ``cartel`` or ``competitive``.

    Closed forms first; else best replies in turn (``nash``), a leader's search over the followers' replies
    (``stackelberg``) or ascents of joint profit (``cartel``), with ``numerical`` set. A shock that firms see
    is taken level by level, and averaged. ``stackelberg`` is of the market's own stages, or, where it has
    one, of firm 0 leading. Raises `ValueError` where there is no such benchmark.

    >>> import rivalry as rv
    >>> found = benchmark(rv.games.market(), "cartel")
    >>> found.q.tolist(), found.profit.tolist()
    ([22.5, 22.5], [1012.5, 1012.5])
    """
    one_of("benchmark", name, NAMES)
    if market.shock is None or not market.shock.observed:
        return _told(market, *FOUND[name](market))
    levels, odds = np.asarray(market.shock.levels), np.asarray(market.shock.probabilities)
    return _mean([benchmark(_at_level(market, float(level)), name) for level in levels], odds)


def benchmarks(market: Market) -> dict[str, Benchmark]:
    """All benchmarks that the market has, by name."""
    found = {}
    for name in NAMES:
        try:
            found[name] = benchmark(market, name)
        except ValueError:
            continue
    return found


def gain_between(market: Market) -> tuple[np.ndarray, np.ndarray]:
    """Payoffs ``[player]`` in the Nash equilibrium and at the joint maximum, between which gains are told.

    A gain is ``(payoff - nash)/(joint - nash)``. Raises `ValueError` where the two are equal for a firm.

    >>> import rivalry as rv
    >>> [part.tolist() for part in gain_between(rv.games.market())]
    [[900.0, 900.0], [1012.5, 1012.5]]
    """
    nash, joint = benchmark(market, "nash").payoff, benchmark(market, "cartel").payoff
    for firm, (low, high) in enumerate(zip(nash, joint, strict=True)):
        if abs(high - low) <= ALIKE * float(payoff_scale(market)):
            raise ValueError(
                f"profit gain: firm {firm} earns {low:g} in equilibrium and at the joint maximum: undefined"
            )
    return nash, joint


Choice = tuple[np.ndarray, bool, bool]  # what all choose, whether searched, whether an equilibrium


def _nash(market: Market) -> Choice:
    try:
        return _first(closed_forms.nash(market)), False, True
    except ValueError:
        if market.rule.jumps:
            raise
    return numerical.settled(market, _guess(market)), True, True


def _cartel(market: Market) -> Choice:
    try:
        return closed_forms.joint(market), False, True
    except ValueError:
        if market.rule.jumps or (
            market.rule.demand == "isoelastic" and float(market.numbers["elasticity"]) <= 1
        ):
            raise
    begins = numerical.starts(market, _guess(market))
    if not market.jumps:
        return numerical.joint(market, begins), True, True
    found = [numerical.joint(market, begins, shut) for shut in _shut(market)]
    total = [float(np.sum(np.asarray(payoffs(market, put(x[:, None]))))) for x in found]
    return found[int(np.argmax(total))], True, True


def _shut(market: Market) -> list[np.ndarray]:
    """Sets of firms ``[player]`` that may be closed to save their fixed costs, none first."""
    saves = (np.asarray(market.numbers["fixed_cost"]) > 0) & (np.asarray(market.space.low)[:, 0] == 0)
    firms = np.flatnonzero(saves)
    if len(firms) > MOST_SUBSETS:
        raise ValueError(
            f"fixed_cost: {len(firms)} firms have fixed costs; all sets of producers are tried for at "
            f"most {MOST_SUBSETS}"
        )
    every = (out for size in range(len(firms) + 1) for out in combinations(firms, size))
    return [np.isin(np.arange(market.players), out) for out in every]


def _competitive(market: Market) -> Choice:
    """Price takers; those who do not see a shock go by its mean."""
    return closed_forms.competitive(_at_mean(market)), market.shock is not None, True


def _stackelberg(market: Market) -> Choice:
    rest = tuple(range(1, market.players))
    if not rest:
        raise ValueError("stages: one firm has nobody to lead")
    stages = market.stages if len(market.stages) > 1 else ((0,), rest)
    try:
        found = closed_forms.led(market, stages)
    except ValueError:
        if market.rule.jumps:
            raise
    else:
        return found.q, False, found.equilibrium
    game = hierarchy(market, stages, StageReplies(searched=bool(market.jumps)))
    leaders = numerical.settled(game, _guess(market)[list(game.stages[0])])
    return np.asarray(numerical.everyone(game, put(leaders[:, None])))[:, 0], True, True


FOUND: dict[str, Callable[[Any], Choice]] = {
    "nash": _nash,
    "stackelberg": _stackelberg,
    "cartel": _cartel,
    "competitive": _competitive,
}


def _first(roots: np.ndarray) -> np.ndarray:
    if not len(roots):
        raise ValueError("fixed_cost: fixed costs leave no pure equilibrium; use double_oracle")
    return np.asarray(roots[0, :, 0])


def _told(market: Market, choice: np.ndarray, searched: bool, equilibrium: bool = True) -> Benchmark:
    x = put(np.asarray(choice, dtype=float)[:, None])
    found = market.measures(x)
    q, p, profit = (found[name][1] for name in ("quantity", "price", "profit"))
    paid = np.asarray(payoffs(market, x))
    return Benchmark(np.asarray(choice), q, p, profit, paid, found, searched, equilibrium)


def _at_level(market: Market, level: float) -> Market:
    """The market at one level of its shock."""
    name = INTERCEPT[market.rule.demand]
    moved = market.numbers | {name: market.numbers[name] + level}
    return replace(market, numbers=moved, shock=None)


def _at_mean(market: Market) -> Market:
    """The market with its shock at its mean."""
    if market.shock is None:
        return market
    return _at_level(market, float(np.asarray(market.shock.probabilities) @ np.asarray(market.shock.levels)))


def _guess(market: Market) -> np.ndarray:
    """Choices to start a search from: the equilibrium without the shock, or some way up the box."""
    try:
        return _first(closed_forms.nash(_at_mean(market)))
    except ValueError:
        low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
        return np.asarray(low + (high - low) / (1 + market.players))


def _mean(found: list[Benchmark], odds: np.ndarray) -> Benchmark:
    """Benchmarks level by level, averaged."""

    def mean(rows: list[np.ndarray]) -> np.ndarray:
        return np.asarray(np.tensordot(odds, np.stack(rows), 1))

    told: Record = {
        name: (dims, mean([one.measures[name][1] for one in found]))
        for name, (dims, _) in found[0].measures.items()
    }
    return Benchmark(
        choice=mean([one.choice for one in found]),
        q=mean([one.q for one in found]),
        p=mean([one.p for one in found]),
        profit=mean([one.profit for one in found]),
        payoff=mean([one.payoff for one in found]),
        measures=told,
        numerical=any(one.numerical for one in found),
        equilibrium=all(one.equilibrium for one in found),
    )
