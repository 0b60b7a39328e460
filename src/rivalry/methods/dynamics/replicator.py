"""Replicator dynamics on simplices, in continuous time and in multiplicative steps."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Gt
from jaxtyping import Array, Bool, Float, PRNGKeyArray
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import stateless_tables
from rivalry.core.game import Game, own_gradients, scale_of, scales_of
from rivalry.core.method import ENDINGS, BaseMethod, Finish
from rivalry.core.needs import PAYOFFS, SIMPLEX, fits
from rivalry.core.space import Profile, Scalar, Simplex, Space
from rivalry.core.tree import static
from rivalry.methods.dynamics import boundaries, integrate, step_sizes
from rivalry.methods.dynamics.step_sizes import Rate
from rivalry.methods.dynamics.tangent_cone import Motion, relative
from rivalry.methods.limit_sets import end_state
from rivalry.methods.limit_sets.end_state import END_WITHIN
from rivalry.runtime.jax import floats, jnp, key_of_number, put

USUAL = 0.05  # rate of the mirror form, times the payoff scale of each player
ROW_SUM = 1e-9  # largest error of the sum of a row of mutation chances


class Multiplied(NamedTuple):
    """State of the forms in steps; ``time`` is the sum of rates, or the number of generations."""

    profile: Profile
    taken: Array
    time: Scalar


class Shared(NamedTuple):
    """State of a single population, as a profile of equal rows; ``own`` is the state of its single row."""

    profile: Profile
    own: Any


class Population(eqx.Module):
    """A symmetric game played by one population: a profile ``[1 axis]`` is its members' average strategy.

    An entry's gradient is a member's payoff from that action against the others, who are drawn at
    random from the population; the payoff is their mean.
    """

    game: Any

    @property
    def space(self) -> Simplex:
        space = self.game.space
        return Simplex(space.sizes[:1], space.min_share)

    def full_profile(self, x: Float[Array, "1 axis"]) -> Profile:
        """Return the profile ``[player axis]`` in which every player plays the population's strategy."""
        return jnp.broadcast_to(x, self.game.space.shape)

    def payoffs(self, x: Profile) -> Float[Array, "1"]:
        # player 0 stands for any member, since the game is symmetric
        return jnp.asarray(self.game.payoffs(self.full_profile(x))[:1])


@oracles.payoff_scale.register(Population)
def _(game: Population) -> Any:
    return scales_of(game.game)[:1]


@oracles.gradients.register(Population)
def _(game: Population, x: Profile) -> Profile:
    # only the member's own strategy varies, not the population's: no chain rule through the other rows
    return own_gradients(game.game, game.full_profile(x), (0,))


class Mutating(eqx.Module):
    """A game whose players' offspring mutate with the chances ``mutation [parent offspring]``."""

    game: Any
    mutation: Array

    @property
    def space(self) -> Simplex:
        return Simplex(self.game.space.sizes, self.game.space.min_share)

    def payoffs(self, x: Profile) -> Float[Array, " player"]:
        return jnp.asarray(self.game.payoffs(x))


@oracles.payoff_scale.register(Mutating)
def _(game: Mutating) -> Any:
    return oracles.payoff_scale(game.game)


@oracles.gradients.register(Mutating)
def _(game: Mutating, x: Profile) -> Profile:
    return own_gradients(game.game, x)


def symmetric(game: Game) -> bool:
    """True where permuting players permutes their payoffs, tested at two random profiles."""
    if isinstance(game.space, Simplex) and len(set(game.space.sizes)) > 1:
        return False
    # rounding of payoffs: their sums run in another order when players are permuted
    close = 1e-9 * float(scale_of(game))
    for seed in range(2):
        x = np.asarray(game.space.sample(key_of_number(seed)))
        payoffs = np.asarray(game.payoffs(put(x)))
        for player in range(1, len(x)):
            order = np.arange(len(x))
            # transpositions with player 0 generate all permutations
            order[[0, player]] = player, 0
            if np.max(np.abs(np.asarray(game.payoffs(put(x[order]))) - payoffs[order])) > close:
                return False
    return True


class Replicator(BaseMethod):
    """Replicator dynamics: actions that pay more than a player's average grow, ``x_l' = x_l (g_l - sum_m x_m
    g_m)``.

    ``g`` is the gradient of the player's own payoff: in a matrix game the payoff of each pure action, so
    that this is the classical replicator equation. For simplices only.

    ``populations`` is the matching. `each`: every player is drawn from a population of its own. `one`:
    all are drawn from the same population, whose state every row of the profile repeats; for symmetric
    games. A start is then one strategy ``[axis]``, or the mean of its rows. Both have the same symmetric rest
    points, but not their stability: a mixed evolutionarily stable strategy attracts one population, and
    repels two.

    ``form`` is the form of the dynamics. `continuous`: one step of the method is one accepted step of a stiff
    adaptive solver (Rodas5P, rtol 1e-9, atol 1e-11). `mirror`: ``x_l`` becomes proportional to ``x_l
    exp(rate g_l)``, with ``rate`` in units of one over payoff: a number, one per player, or a schedule as for
    gradient ascent. `discrete`: generations that do not overlap, ``x_l`` becomes ``x_l g_l / sum_m x_m g_m``;
    payoffs must not be negative, and their sizes matter.

    With ``mutation`` ``Q [parent offspring]``, rows that sum to one, the replicator-mutator equation is
    ``x_l' = sum_m x_m g_m Q_ml - x_l sum_m x_m g_m``, or the same in generations; a constant added to payoffs
    then changes the motion. ``end_time`` ends a motion before it rests, with the status ``completed``. In
    both cases the end is not polished, and its stability is not computed.

    The method converges when no entry moves, and no entry that is present would still grow, by more than
    ``tol`` times the player's payoff scale. Absent actions stay absent, so it may rest where an absent action
    would pay more: such an end is an ``unstable_point``, and the certificate shows that it is no equilibrium.
    Stability is that of the Jacobian of this field in all directions that preserve the sum, absent entries
    included, after Newton's polish; an end held by absent entries is a ``boundary``. Motions that do not come
    to rest are tested for a cycle of the continuous form.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("prisoners_dilemma"), Replicator(), [[0.9, 0.1], [0.4, 0.6]])
    >>> solution.end_state, solution.claim, solution.profile.values.tolist()
    ('boundary', 'equilibrium', [[0.0, 1.0], [0.0, 1.0]])

    References
    ----------
    Hofbauer & Sigmund (1998), chapters 7, 10 and 20; the mirror form: multiplicative weights.
    """

    form: Annotated[
        Literal["continuous", "mirror", "discrete"],
        "in continuous time, in multiplicative steps, or in generations",
    ] = static(default="continuous")
    rate: Annotated[
        Rate | None,
        "mirror: step size, a number, one per player, or a schedule (default: 0.05 / payoff scale)",
    ] = None
    populations: Annotated[
        Literal["each", "one"], "a population for each player, or one for all, in a symmetric game"
    ] = static(default="each")

    end_time: Annotated[float | None, Gt(0), "time of the end; without it, when the motion rests"] = None
    mutation: Annotated[
        list[list[float]] | None, "chances [parent][offspring] of mutation; rows sum to 1"
    ] = None

    def __check_init__(self) -> None:
        step_sizes.check(self.rate)
        if self.mutation is not None and self.form == "mirror":
            raise ValueError("mutation: is for the forms continuous and discrete; leave it out")

    needs = (PAYOFFS, SIMPLEX)

    def check_game(self, game: Any) -> None:
        """Raise `ValueError` for a game that does not suit the populations, the form or the mutation."""
        if not fits(type(self), game):
            return
        if self.mutation is not None:
            chances, sizes = floats(self.mutation), game.space.sizes
            square = len(set(sizes)) == 1 and chances.shape == (sizes[0], sizes[0])
            if not square or np.any(chances < 0) or np.any(abs(chances.sum(axis=1) - 1) > ROW_SUM):
                rule = "numbers from 0 on, square, a row per action, rows that sum to 1"
                raise ValueError(f"mutation: must be {rule}; actions per player: {sizes}")
        if self.form == "discrete" and oracles.to_finite.knows(game):
            lowest = float(stateless_tables(oracles.to_finite(game)).min())
            if lowest < 0:
                rule = "must not be negative where generations are discrete; add a constant"
                raise ValueError(f"form: the payoff {lowest:g} {rule}")
        if self.populations == "one" and not symmetric(game):
            rule = "must be symmetric for one population; take populations = 'each'"
            raise ValueError(f"populations: {type(game).__name__} game of {len(game.space.sizes)} {rule}")

    def start_of(self, game: Any, start: Any) -> Any:
        """Return a strategy ``[axis]`` of one population as that of every player."""
        if self.populations == "one" and not isinstance(start, str) and np.ndim(start) == 1:
            return np.tile(np.asarray(start), (game.space.shape[0], 1)).tolist()
        return start

    def compares_payoffs(self) -> bool:
        """True for forms that ignore constants: generations multiply by payoffs, mutants by fitness."""
        return self.form != "discrete" and self.mutation is None

    def init(
        self, game: Game, start: Profile, key: PRNGKeyArray
    ) -> integrate.FlowState | Multiplied | Shared:
        """Return the state at the start; the key is not used.

        Raise `ValueError` on a space other than a simplex.
        """
        if not isinstance(game.space, Simplex):
            raise ValueError(f"space: {type(game.space).__name__} must be a Simplex for the replicator")
        if self.populations == "one" and not isinstance(game, Population):
            common = Population(game)
            shared_state = self.init(common, jnp.mean(jnp.asarray(start), axis=0, keepdims=True), key)
            return Shared(common.full_profile(shared_state.profile), shared_state)
        step_sizes.check_players(self.rate, len(start))
        if self.form == "continuous":
            return integrate.begin(self._played(game), jnp.asarray(start), motion=REPLICATION)
        return Multiplied(jnp.asarray(start), jnp.zeros((), int), jnp.zeros(()))

    def step(self, game: Game, state: Any, key: PRNGKeyArray) -> integrate.FlowState | Multiplied | Shared:
        """Take one accepted step of the solver, or one multiplication; the key is not used."""
        if isinstance(state, Shared):
            common = Population(game)
            shared_state = self.step(common, state.own, key)
            return Shared(common.full_profile(shared_state.profile), shared_state)
        if self.form == "continuous":
            end = jnp.inf if self.end_time is None else self.end_time
            state = state._replace(next=jnp.minimum(state.next, end))
            return integrate.advance(self._played(game), state, motion=REPLICATION)
        if self.form == "discrete":
            pays = jnp.where(game.space.mask, own_gradients(game, state.profile), 0.0)
            offspring = _offspring(self._played(game), state.profile * pays)
            x = offspring / jnp.sum(offspring, axis=1, keepdims=True)
            return Multiplied(x, state.taken + 1, state.time + 1)
        if self.rate is None:
            rate = USUAL / scales_of(game)[:, None]
        else:
            rate = step_sizes.of_players(self.rate, state.taken, len(state.profile))
        push = rate * own_gradients(game, state.profile)
        x = boundaries.apply("mirror", game.space, state.profile, push)
        return Multiplied(x, state.taken + 1, state.time + jnp.mean(rate))

    def residual(self, game: Game, state: Any) -> Scalar:
        """Return the largest speed of an entry, or relative growth of a present one, over payoff scales."""
        x = state.profile
        if self.mutation is not None:
            return jnp.max(jnp.abs(relative(game, _field(self._played(game), x))))
        ahead = relative(game, _relative_growth(game.space, x, own_gradients(game, x)))
        # a nearly absent entry hardly moves even while it grows: its relative growth must vanish, too
        growth = jnp.max(jnp.where(x > 0, ahead, 0.0), initial=0.0)
        return jnp.maximum(jnp.max(jnp.abs(x * ahead)), growth)

    def ending(self, game: Game, state: Any) -> Any:
        """Return the index of ``completed`` from ``end_time`` on."""
        if self.end_time is None:
            return 0
        return jnp.where(self.diagnostics(state)["time"] >= self.end_time, ENDINGS.index("completed"), 0)

    def diagnostics(self, state: Any) -> dict[str, Array | ndarray]:
        return {"time": state.own.time if isinstance(state, Shared) else state.time}

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish | None:
        """Return the polished end, spectrum of this field and cycle; None with ``end_time`` or ``mutation``.

        Coincident players are moved apart if unstable.
        """
        if self.end_time is not None or self.mutation is not None:
            return None
        if self.populations == "one":
            # in its own directions alone; at an unstable point the population stays
            common = Population(game)
            end = end_state.analyse(common, profile[:1], key, departs=False, motion=REPLICATION)
            for name, (dims, value) in end.measures.items():
                if dims == ("player", "axis"):
                    end.measures[name] = (dims, np.tile(value, (len(profile), 1)))
            return end._replace(profile=common.full_profile(end.profile))
        end = end_state.analyse(game, profile, key, motion=REPLICATION)
        if end.onward is None:
            return end
        # move players apart, as far as possible without absent entries
        departure = jnp.where(end.profile > _lower_bound(game.space), end.onward, end.profile)
        departure = departure / jnp.sum(departure, axis=1, keepdims=True)
        # only absent entries would separate them: a departure to the same profile would repeat for ever
        stuck = bool(jnp.max(jnp.abs(departure - end.profile)) < 1e-12)
        return end._replace(onward=None if stuck else departure)

    def _played(self, game: Game) -> Any:
        """Return the game with its mutations."""
        return game if self.mutation is None else Mutating(game, jnp.asarray(self.mutation))


def _relative_growth(space: Space, x: Profile, gradient: Profile) -> Profile:
    """Return each entry's gradient minus the player's average; 0 for padding."""
    fitness = jnp.where(space.mask, gradient, 0.0)
    return jnp.where(space.mask, fitness - jnp.sum(x * fitness, axis=1, keepdims=True), 0.0)


def _lower_bound(space: Space) -> float:
    return space.min_share if isinstance(space, Simplex) else 0.0


def _field(game: Game, y: Profile) -> Profile:
    # an integrator's stages may leave the space: extend the field smoothly
    if isinstance(game, Mutating):
        grown = jnp.where(game.space.mask, y * own_gradients(game, game.space.project(y)), 0.0)
        return _offspring(game, grown) - y * jnp.sum(grown, axis=1, keepdims=True)
    return y * _relative_growth(game.space, y, own_gradients(game, game.space.project(y)))


def _offspring(game: Any, grown: Profile) -> Profile:
    """Return the offspring of parents ``grown [player action]``, after mutation where there is any."""
    return grown @ game.mutation if isinstance(game, Mutating) else grown


def _present(space: Space, x: Profile, gradient: Profile, slack: float) -> Bool[Array, "player axis"]:
    """Return the entries that are present where the motion rests: neither absent nor vanishing."""
    absent = x <= _lower_bound(space) + slack
    leaving = (x <= END_WITHIN) & (_relative_growth(space, x, gradient) < 0)
    return space.mask & ~(absent | leaving)


def _renormalise(game: Game, x: Profile, y: Profile) -> Profile:
    """Return the profile after a step with absent entries still absent, unlike a Euclidean projection."""
    remaining_entries = jnp.where(x > 0, jnp.maximum(y, _lower_bound(game.space)), 0.0)
    return remaining_entries / jnp.sum(remaining_entries, axis=1, keepdims=True)


REPLICATION = Motion(_field, _present, _renormalise, in_all_directions=True)
"""The replicator equation's field, and where it can rest."""
