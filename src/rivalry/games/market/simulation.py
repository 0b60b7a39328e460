"""Markets played by given policies, many times: quantities, prices, cash flows and what these are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from rivalry.core.jax import jax, put
from rivalry.games.market.cash_flow import Flow
from rivalry.games.market.native_play import MarketPlay
from rivalry.games.market.valuation import Valuation, valuation

if TYPE_CHECKING:
    from rivalry.games.market.game import Market

Policy = Callable[[Array, PRNGKeyArray], Array]


class Simulation(NamedTuple):
    """What runs of a market brought."""

    q: np.ndarray  # [run period firm]: sold
    p: np.ndarray  # [run period firm]
    profit: np.ndarray  # [run period firm]: before tax and adjustment
    cash_flow: np.ndarray  # [run period firm]
    valuation: Valuation  # [run firm]: at the market's own gamma, convention and terminal value


def simulate(
    market: Any, policy: object, periods: int, *, runs: int = 1, seed: int = 0, observation: str = "last_q"
) -> Simulation:
    """Play of a market for so many periods, so many times.

    ``policy`` is what all firms choose, ``[firm axis]`` or ``[period firm axis]`` in the space of
    ``market.play()``, or a function that JAX can trace, ``policy(seen [firm feature], key) -> [firm axis]``.
    Of a market with stages it is asked before every stage. The same seed gives the same numbers. Raises
    `ValueError` for choices outside the space.

    >>> import rivalry as rv
    >>> found = simulate(rv.games.market(gamma=[0.95, 0.8]), [[45.0], [22.5]], 3)
    >>> found.p[0, :, 0].tolist(), found.cash_flow[0, 0].tolist()
    ([32.5, 32.5, 32.5], [1012.5, 506.25])
    """
    whole = getattr(market, "market", market)
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise ValueError(f"runs: {runs!r} must be a whole number, at least 1")
    game = whole.play(periods, observation)
    rule = policy if callable(policy) else None
    rows = np.zeros((periods, 0)) if callable(policy) else _rows(game, policy, periods)
    flows = _play(game, rule, put(rows), jax.random.split(jax.random.key(seed), runs))
    q, p, profit, cash_flow = (np.asarray(part) for part in flows)
    return Simulation(q, p, profit, cash_flow, worth(whole, cash_flow))


def worth(market: Market, cash_flows: np.ndarray) -> Valuation:
    """What ``cash_flows [.. period firm]`` are worth to the firms of a market, ``[.. firm]``.

    With every firm's own discount factor, the market's convention and its terminal value.
    """
    numbers = {name: np.asarray(market.numbers[name]) for name in ("gamma", "terminal_growth", "multiple")}
    return valuation(
        np.moveaxis(cash_flows, -2, -1),
        numbers["gamma"],
        convention=market.accounts.convention,
        terminal=market.accounts.terminal,
        growth=numbers["terminal_growth"],
        multiple=numbers["multiple"],
    )


def _rows(game: MarketPlay, policy: object, periods: int) -> np.ndarray:
    """What is chosen in every period, ``[period firm axis]``. Raises `ValueError`."""
    given = np.asarray(policy, dtype=float)
    if given.ndim == 2:
        one = np.asarray(game.space.check(given, "policy"))
        return np.broadcast_to(one, (periods, *one.shape))
    if given.ndim != 3 or len(given) != periods:
        shape = game.space.shape
        raise ValueError(f"policy: shape {given.shape} must be {shape} or {(periods, *shape)}")
    checked = [game.space.check(row, f"policy, period {t}") for t, row in enumerate(given)]
    return np.stack([np.asarray(row) for row in checked])


@eqx.filter_jit
def _play(game: MarketPlay, policy: Policy | None, rows: Float[Array, "period ..."], keys: Array) -> Flow:
    """All runs, each ``[run period firm]``."""

    def one(key: PRNGKeyArray) -> Flow:
        first, rest = jax.random.split(key)
        steps = jax.random.split(rest, len(rows))

        def period(state: Any, inputs: Any) -> Any:
            return _period(game, policy, state, inputs)

        brought: Flow = jax.lax.scan(period, game.reset(first), (rows, steps))[1]
        return brought

    found: Flow = jax.vmap(one)(keys)
    return found


def _period(game: MarketPlay, policy: Policy | None, state: Any, inputs: tuple[Array, Any]) -> Any:
    """All stages of a period; what it brought."""
    row, key = inputs
    for stage in range(len(game.market.stages)):
        choose, fall = jax.random.split(jax.random.fold_in(key, stage))
        x = row if policy is None else policy(game.observe(state), choose)
        state, *_ = game.step(state, x, fall)
    return state, state.last
