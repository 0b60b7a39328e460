"""A race as it is lived: period by period, ends drawn by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Box, Profile

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

LEAST = 1e-12  # stocks are seen as logarithms, those below this as this


class Played(NamedTuple):
    """The period that comes next, and the technology in it; nothing where that never changes."""

    period: Int[Array, ""]
    state: Float[Array, "stock player"]


class RacePlay(eqx.Module):
    """A race played period by period; a `MarkovGame`. Made by `Race.play`.

    A reward is what the period pays, before it is known who wins; whether play goes on is drawn. A win (an
    unsafe win, where ``end_on`` says so) and the last period end play; a horizon without end is cut after
    ``periods``. Everybody sees the period, ``ln A`` and ``ln B`` of all.
    """

    race: Race
    periods: int | None = eqx.field(static=True)

    @property
    def space(self) -> Box:
        """Inputs of one period."""
        return self.race.period_space

    def reset(self, key: PRNGKeyArray) -> Played:
        """The first period; nothing is drawn."""
        state = jnp.zeros((0, self.race.players)) if self.race.endless else self.race.opening()
        return Played(jnp.asarray(0), state)

    def step(
        self, state: Played, x: Profile, key: PRNGKeyArray
    ) -> tuple[Played, Float[Array, "player"], Bool[Array, ""], Bool[Array, ""]]:
        t = jnp.asarray(0) if self.race.endless else state.period
        paid, goes_on, later = self.race.period(t, state.state, x)
        over = jax.random.uniform(key) >= goes_on
        following = Played(state.period + 1, later)
        if self.race.endless:
            cut = jnp.asarray(False) if self.periods is None else following.period >= self.periods
            return following, paid, over, cut & ~over
        return following, paid, over | (following.period >= self.race.periods), jnp.asarray(False)

    def observe(self, state: Played) -> Float[Array, "player feature"]:
        """The period, then ``ln A`` of all players, then ``ln B``."""
        race = self.race
        t = jnp.asarray(0) if race.endless else jnp.minimum(state.period, race.periods - 1)
        numbers = race.numbers_at(t)
        stocks = state.state if state.state.size else jnp.stack([numbers["A"], numbers["B"]])
        logs = jnp.log(jnp.maximum(stocks, LEAST)).ravel()
        seen = jnp.append(state.period.astype(float), logs)
        return jnp.broadcast_to(seen, (race.players, seen.size))
