"""A market as it is lived: period by period, in the order in which firms choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from rivalry.core.jax import jax, jnp, put
from rivalry.core.registry import near
from rivalry.core.space import Box, Profile
from rivalry.games.market.cash_flow import Flow, Standing, market_size, opening, settle
from rivalry.games.market.checks import beyond

if TYPE_CHECKING:
    from rivalry.games.market.game import Market

OBSERVATIONS = ("last_q", "last_p", "own_q_price", "price", "none")
LARGEST = 1e12  # what is seen is cut there


class Played(NamedTuple):
    """A market between two choices."""

    standing: Standing
    now: Float[Array, "firm axis"]  # what has been chosen in this period, else what stands
    stage: Int[Array, ""]
    shock: Int[Array, ""]  # the level in this period
    last: Flow  # what the last period brought


class MarketPlay(eqx.Module):
    """A market played period by period; a `MarkovGame`. Made by `Market.play`.

    In a period the shock falls, the stages act, the market clears once, all cash flows are settled together
    (the rewards), and states move on. A step is a period; in a market with stages it is a stage, and the last
    one pays. ``movers`` says whose turn it is; in alternating play that is firm ``t mod n``, while the
    others' choices stand. Rows of those whose turn it is not are ignored.

    A choice is a quantity or a price. Where a change of output takes effect a period later
    (``predetermined``), it is that change: output goes from ``q`` to ``q + u``, kept in the market's box.
    Where firms invest, investment is a second axis, and outputs reach up to where nothing is paid for them.
    With growth, outputs, changes and investments are per unit of market size, and rewards are money.

    Firms see (``observation``) all quantities sold last, ``last_q``, all prices, ``last_p``, the own quantity
    and price, ``own_q_price``, the ``price`` of one good, or ``none``; and besides what choices stand where
    those matter, an observed shock, a sticky price, who has left, their own capacity and cash, market size,
    and what earlier stages chose. The horizon cuts play; a firm that runs out of cash has left for good
    (``alive``), and play ends with the last one.
    """

    market: Market
    space: Box  # of the choices of a period
    reach: Float[Array, "firm"]  # the largest output
    periods: int | None = eqx.field(static=True)
    observation: str = eqx.field(static=True)
    grows: bool = eqx.field(static=True)

    def reset(self, key: PRNGKeyArray) -> Played:
        """The first period, with its shock drawn; choices of before it too, where none are given."""
        market = self.market
        drawn, falls = jax.random.split(key)
        if "initial" in market.numbers:
            choice = market.numbers["initial"]
        elif market.dynamics.adjustment != "none":
            choice = market.space.low[:, 0]
        else:
            choice = market.space.sample(drawn)[:, 0]
        standing = opening(market, choice)
        shock = jnp.asarray(0) if market.shock is None else _drawn(market.shock.probabilities, falls)
        sold, still = market.cleared(choice[:, None]), jnp.zeros(market.players)
        before = Flow(sold.q, sold.p, still, still)
        return Played(standing, self._resting(standing), jnp.asarray(0), shock, before)

    def step(
        self, state: Played, x: Profile, key: PRNGKeyArray
    ) -> tuple[Played, Float[Array, "player"], Bool[Array, ""], Bool[Array, ""]]:
        market = self.market
        now = jnp.where(self.movers(state)[:, None], x, state.now)
        settled = state.stage == len(market.stages) - 1
        shift = 0.0 if market.shock is None else market.shock.levels[state.shock]
        flow, standing = settle(market, state.standing, now, shift, self.reach)
        shock = state.shock if market.shock is None else _drawn(market.shock.transitions[state.shock], key)
        after = Played(standing, self._resting(standing), jnp.asarray(0), shock, flow)
        between = state._replace(now=now, stage=state.stage + 1)
        following: Played = jax.tree.map(lambda a, b: jnp.where(settled, a, b), after, between)
        cut = jnp.asarray(False) if self.periods is None else following.standing.period >= self.periods
        gone = ~jnp.any(following.standing.active)
        return following, jnp.where(settled, flow.cash_flow, 0.0), gone, cut & ~gone

    def movers(self, state: Played) -> Bool[Array, "player"]:
        """Whose turn it is."""
        market = self.market
        firms = jnp.arange(market.players)
        if market.timing == "alternating":
            turn = firms == state.standing.period % market.players
        else:
            turn = put(_stage_rows(market))[state.stage]
        return turn & state.standing.active

    def alive(self, state: Played) -> Bool[Array, "player"]:
        """Who has not left."""
        return state.standing.active

    def observe(self, state: Played) -> Float[Array, "player feature"]:
        """What each firm sees, in the order of the description."""
        firms = self.market.players
        parts = [*self._remembered(state.last), *self._states(state)]
        each = [part if part.ndim == 2 else jnp.broadcast_to(part, (firms, part.size)) for part in parts]
        seen = jnp.concatenate(each or [jnp.zeros((firms, 1))], axis=1)
        return jnp.clip(seen, -LARGEST, LARGEST)

    def _remembered(self, last: Flow) -> list[Array]:
        found: dict[str, list[Array]] = {
            "none": [],
            "last_q": [last.q],
            "last_p": [last.p],
            "own_q_price": [last.q[:, None], last.p[:, None]],
            "price": [last.p[:, None]],
        }
        return found[self.observation]

    def _states(self, state: Played) -> list[Array]:
        """What is seen of the states that there are: rows for all, or columns of one's own."""
        market, standing = self.market, state.standing
        states = market.dynamics
        found: list[Array] = []
        if states.adjustment != "none" or market.timing == "alternating":
            found.append(standing.choice)
        if market.shock is not None and market.shock.observed:
            found.append(market.shock.levels[state.shock][None])
        if states.sticky:
            found.append(standing.price[None])
        if states.cash:
            found += [standing.active.astype(float), standing.cash[:, None]]
        if states.invest:
            found.append(standing.capacity[:, None])
        if self.grows:
            found.append(market_size(market, standing.period)[None])
        if len(market.stages) > 1:
            earlier = jnp.arange(len(market.stages)) < state.stage
            moved = jnp.any(put(_stage_rows(market)) & earlier[:, None], axis=0)
            found += [jnp.where(moved[:, None], state.now, 0.0).ravel(), moved.astype(float)]
        return found

    def _resting(self, standing: Standing) -> Float[Array, "firm axis"]:
        """What is played by those whose turn does not come: choices stand, nothing is invested."""
        still = jnp.zeros(self.space.shape)
        if self.market.timing != "alternating" or self.market.dynamics.adjustment == "predetermined":
            return still
        return still.at[:, 0].set(standing.choice)


def played(market: Market, periods: int | None, observation: str) -> MarketPlay:
    """The market played on and on; see `MarketPlay`. Raises `ValueError`."""
    if periods is not None and (isinstance(periods, bool) or not isinstance(periods, int) or periods < 1):
        raise ValueError(f"periods: {periods!r} must be a whole number, at least 1")
    if observation not in OBSERVATIONS:
        raise ValueError(f"observation: {observation!r} is unknown; {near(observation, OBSERVATIONS)}")
    if observation == "price" and not market.rule.homogeneous:
        raise ValueError("observation: 'price' is that of one good; with several take 'last_p'")
    low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
    reach = high
    if market.dynamics.invest and market.rule.choice == "quantity":  # capacity may come to exceed the box
        reach = np.maximum(high, beyond(market.rule.demand, market.rule.choice, market.numbers))
    ends = [(low, reach)]
    if market.dynamics.adjustment == "predetermined":
        ends = [(low - reach, reach - low)]
    if market.dynamics.invest:
        logit = market.rule.demand == "logit"  # there shares are sold
        most = np.ones_like(high) if logit else beyond(market.rule.demand, "quantity", market.numbers)
        ends.append((-most if market.dynamics.reversible else 0.0 * most, most))
    least, largest = (put(np.stack(edge, axis=1)) for edge in zip(*ends, strict=True))
    grows = bool(np.asarray(market.numbers["growth"]) != 0)
    return MarketPlay(market, Box(least, largest), put(reach), periods, observation, grows)


def _stage_rows(market: Market) -> np.ndarray:
    """Who chooses in every stage, ``[stage firm]``."""
    return np.array([[firm in stage for firm in range(market.players)] for stage in market.stages])


def _drawn(odds: Float[Array, "level"], key: PRNGKeyArray) -> Int[Array, ""]:
    """A level with these chances."""
    at = jnp.searchsorted(jnp.cumsum(odds), jax.random.uniform(key), side="right")
    return jnp.minimum(at, odds.shape[0] - 1)
