"""Replicator dynamics on simplices, in continuous time and in multiplicative steps."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, get_args

import equinox as eqx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from rivalry._jax import jnp
from rivalry.game import Finish, Game, own_gradients, scale_of
from rivalry.methods import boundaries, end_state, integrate, schedules
from rivalry.methods.end_state import NEAR
from rivalry.methods.schedules import Rate
from rivalry.methods.tangent import Motion
from rivalry.space import Profile, Simplex, Space

Form = Literal["continuous", "mirror"]


class Multiplied(NamedTuple):
    """Where the multiplicative form stands; ``time`` is the sum of rates."""

    profile: Profile
    taken: Array
    time: Float[Array, ""]


class Replicator(eqx.Module):
    """Entries that pay more than a player's average grow: ``x_l' = x_l (g_l - sum_m x_m g_m)``.

    ``g`` is the gradient of the player's own payoff: in a matrix game what each pure action would pay, so
    that this is the classical replicator equation, one population a player. For simplices only.

    ``form`` says how it moves. `continuous`: one step of the method is one accepted step of a stiff adaptive
    solver (Kvaerno5, rtol 1e-9, atol 1e-11). `mirror`: ``x_l`` becomes proportional to ``x_l exp(rate g_l)``,
    with ``rate`` in units of one over payoff: a number, one a player, or a schedule as for gradient ascent.

    It settles when no entry moves, or that is there at all would still grow, by more than ``tol`` times the
    game's payoff scale. What is absent stays absent, so it may rest where an absent entry would pay more:
    such an end is an ``unstable_point``, and the certificate tells that it is no equilibrium. Stability is
    judged by the Jacobian of this field in all directions that keep the sum, absent entries included, after
    Newton's polish; an end held by absent entries is a ``boundary``. What does not rest is tested for a cycle
    of the continuous form.

    Reference: Hofbauer & Sigmund (1998), chapters 7 and 10; the mirror form: multiplicative weights.

    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.matrix("prisoners_dilemma"), Replicator(), [[0.9, 0.1], [0.4, 0.6]])
    >>> found.end_state, found.claim, found.profile.values.tolist()
    ('boundary', 'equilibrium', [[0.0, 1.0], [0.0, 1.0]])
    """

    form: Annotated[Form, "in continuous time, or in multiplicative steps"] = eqx.field(
        static=True, default="continuous"
    )
    rate: Annotated[Rate, "mirror: step size, a number, one a player, or a schedule"] = 0.01

    def __check_init__(self) -> None:
        if self.form not in get_args(Form):
            raise ValueError(f"form: {self.form!r} must be one of {', '.join(get_args(Form))}")
        schedules.check(self.rate)

    @staticmethod
    def fits(game: Any) -> bool:
        """On games of payoffs that are played on simplices."""
        return hasattr(game, "payoffs") and isinstance(getattr(game, "space", None), Simplex)

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> integrate.Flow | Multiplied:
        """At the start; the key is not needed. Raises `ValueError` on another space than a simplex."""
        if not isinstance(game.space, Simplex):
            raise ValueError(f"space: {type(game.space).__name__} must be a Simplex for the replicator")
        schedules.check_players(self.rate, len(start))
        if self.form == "continuous":
            return integrate.begin(game, jnp.asarray(start), motion=REPLICATION)
        return Multiplied(jnp.asarray(start), jnp.zeros((), dtype=int), jnp.zeros(()))

    def step(self, game: Game, state: Any, key: PRNGKeyArray) -> integrate.Flow | Multiplied:
        """One accepted step of the solver, or one multiplication; the key is not needed."""
        if self.form == "continuous":
            return integrate.advance(game, state, motion=REPLICATION)
        rate = schedules.each(self.rate, state.taken, len(state.profile))
        push = rate * own_gradients(game, state.profile)
        x = boundaries.apply("mirror", game.space, state.profile, push)
        return Multiplied(x, state.taken + 1, state.time + jnp.mean(rate))

    def residual(self, game: Game, state: Any) -> Float[Array, ""]:
        """The largest speed of an entry, or relative growth of one that is there, over the payoff scale."""
        x = state.profile
        ahead = _ahead(game.space, x, own_gradients(game, x))
        growth = jnp.max(jnp.where(x > 0, ahead, 0.0), initial=0.0)
        return jnp.maximum(jnp.max(jnp.abs(x * ahead)), growth) / scale_of(game)

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Polish, spectrum of this field, cycle; coincident players are moved apart on an unstable point."""
        end = end_state.analyse(game, profile, key, motion=REPLICATION)
        if end.onward is None:
            return end
        # moved apart, as far as they can without what is absent
        apart = jnp.where(end.profile > _least(game.space), end.onward, end.profile)
        apart = apart / jnp.sum(apart, axis=1, keepdims=True)
        stuck = bool(jnp.max(jnp.abs(apart - end.profile)) < 1e-12)
        return end._replace(onward=None if stuck else apart)


def _ahead(space: Space, x: Profile, gradient: Profile) -> Profile:
    """How far each entry's gradient is above the player's average; 0 where there is no entry."""
    mine = jnp.where(space.mask, gradient, 0.0)
    return jnp.where(space.mask, mine - jnp.sum(x * mine, axis=1, keepdims=True), 0.0)


def _least(space: Space) -> float:
    return space.least if isinstance(space, Simplex) else 0.0


def _field(game: Game, y: Profile) -> Profile:
    # an integrator's stages may leave the space: there the field goes on smoothly
    return y * _ahead(game.space, y, own_gradients(game, game.space.project(y)))


def _present(space: Space, x: Profile, gradient: Profile, slack: float) -> Bool[Array, "player axis"]:
    """Entries that are there where the motion rests: neither absent nor on their way out."""
    absent = x <= _least(space) + slack
    leaving = (x <= NEAR) & (_ahead(space, x, gradient) < 0)
    return space.mask & ~(absent | leaving)


def _in_proportion(space: Space, x: Profile, y: Profile) -> Profile:
    """What a step leads to: what was absent stays so, which a Euclidean projection would not keep."""
    there = jnp.where(x > 0, jnp.maximum(y, _least(space)), 0.0)
    return there / jnp.sum(there, axis=1, keepdims=True)


REPLICATION = Motion(_field, _present, _in_proportion, whole=True)
"""The replicator equation's field, and where it can rest."""
