"""The same game in other words: payoffs, choices and players rewritten by a `Wording`."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from rivalry.core.space import Box
from rivalry.runtime.jax import jnp


class Wording(NamedTuple):
    """A way to write a game of a box; the default is the game as it is."""

    factors: tuple[float, ...] = ()  # of payoffs, per player
    constants: tuple[float, ...] = ()  # of payoffs, per player
    unit: float = 1.0  # a choice of 1 is written as so much
    origin: float = 0.0  # a choice of 0 is written as so much
    mirrored: bool = False  # choices are counted from the high end
    beyond: float = 0.0  # so many times the range is allowed above the high end, and pays less than that end
    order: tuple[int, ...] = ()  # the players' new order
    dummies: int = 0  # players without an effect, whose payoff is 0
    # values of a further choice of every player that cannot change; payoffs would rise with it, and slopes of
    # other choices depend on it
    fixed: tuple[float, ...] = ()
    fixed_first: bool = False  # it is the first choice of all

    def with_fixed(self, x: Any) -> Any:
        """A profile with the further choices, at their values."""
        if not self.fixed:
            return x
        fixed = jnp.array(self.fixed)[:, None]
        return jnp.concatenate([fixed, x] if self.fixed_first else [x, fixed], axis=1)

    def without_fixed(self, x: Any) -> tuple[Any, Any]:
        """A profile without the further choices, and by how much these exceed their values."""
        if not self.fixed:
            return x, 0.0
        axis = 0 if self.fixed_first else x.shape[1] - 1
        others = x[:, 1:] if self.fixed_first else x[:, :-1]
        return others, x[:, axis : axis + 1] - jnp.array(self.fixed)[:, None]


class Rewritten(eqx.Module):
    """A game of a box in another wording."""

    game: Any
    wording: Wording = eqx.field(static=True)

    @property
    def space(self) -> Box:
        box, wording = self.game.space, self.wording
        low, high = box.low, box.high
        ends = low, high + wording.beyond * (high - low)
        if wording.mirrored:
            ends = low + high - ends[1], low + high - ends[0]
        rows = [*(wording.order or range(len(low)))]
        rows += [0] * wording.dummies
        ends = tuple(wording.origin + wording.unit * end[jnp.array(rows)] for end in ends)
        return Box(*map(wording.with_fixed, ends))

    def payoffs(self, x: Any) -> Any:
        box, wording = self.game.space, self.wording
        x, rise = wording.without_fixed(x)
        players = len(x) - wording.dummies
        order = np.array(wording.order or range(players))
        amounts = x[:players][np.argsort(order)]
        amounts = (amounts - wording.origin) / wording.unit
        amounts = box.low + box.high - amounts if wording.mirrored else amounts
        inside = jnp.minimum(amounts, box.high) if wording.beyond else amounts
        excess = jnp.sum((amounts - inside) / (box.high - box.low), axis=1)
        pays = self.game.payoffs(inside) - (excess if wording.beyond else 0.0)
        pays = pays + jnp.sum(rise * (5.0 + amounts), axis=1) if wording.fixed else pays
        if wording.factors:
            pays = pays * jnp.asarray(wording.factors)
        if wording.constants:
            pays = pays + jnp.asarray(wording.constants)
        return jnp.concatenate([pays[order], jnp.zeros(wording.dummies)])

    def written(self, x: np.ndarray) -> np.ndarray:
        """The profile ``x`` of the game in this wording."""
        box, wording = self.game.space, self.wording
        x = np.asarray(box.low) + np.asarray(box.high) - x if wording.mirrored else x
        rows = [*(wording.order or range(len(x))), *[0] * wording.dummies]
        return np.asarray(wording.with_fixed(wording.origin + wording.unit * x[rows]))
