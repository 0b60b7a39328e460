"""Gradient ascent by Euler steps: schedules, boundaries, orders of moving, stopping rules."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple
from warnings import warn

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy import ndarray

from rivalry.core.game import Game, Record, own_gradients, own_payoff, require_continuity, scales_of
from rivalry.core.method import ENDINGS, BaseMethod, Finish
from rivalry.core.results import scalar
from rivalry.core.space import Profile, Scalar, width
from rivalry.core.tree import static
from rivalry.methods.dynamics import boundaries, step_sizes
from rivalry.methods.dynamics.boundaries import Boundary
from rivalry.methods.dynamics.step_sizes import Rate
from rivalry.methods.dynamics.tangent_cone import relative
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import compiled, concrete_module, jax, jnp, put_concrete

Rule = Literal["gradient", "step", "certificate", "displacement"]

USUAL = 0.005  # rate, times the squared width over the payoff scale of each player
WINDOW = 5  # consecutive steps that must be small under the rule `step`
DISPLACED = 1e-5  # L1 distance from two steps earlier under the rule `displacement`
BALL = 0.01  # of the width: radius in which the rule `certificate` searches for gains
BALL_STEPS = 16
CERTIFIED_EVERY = 100  # steps between two such searches


class Ascent(NamedTuple):
    """State of an ascent, with the memory of its stopping rules."""

    profile: Profile
    gradient: Profile
    earlier: Profile  # one step before
    displacement: Float[Array, "step"]  # largest displacement / rate of the last steps, as `relative`
    back: Scalar  # L1 distance from two steps earlier
    gain: Scalar  # the largest local regret at the last test
    taken: Array
    time: Scalar  # the sum of rates, which corresponds to the time of a gradient flow


class GradientAscent(BaseMethod):
    """Projected gradient ascent of every player's own payoff: ``x_i <- boundary(x_i + rate_t grad_i u_i)``.

    ``rate`` is in units of strategy squared per payoff: one number, one per player, or a schedule ``{kind =
    "cosine", min = .., max = .., steps = T}`` that falls from max to min in T steps and then stays constant.
    The default of a player is 0.005 times its squared width over its payoff scale.

    ``stop`` names one or more rules. The run ends when the number of one of them is at most ``tol`` times the
    player's payoff scale, and ``stopped_by`` names it:

    - ``gradient``: the largest projected gradient ``(P(x + rate g) - x)/rate``, times the width;
    - ``step``: the largest displacement divided by the rate, times the width, in five consecutive steps;
    - ``certificate``: the largest gain within 1 % of the width, tested every 100 steps;
    - ``displacement``: an L1 distance of at most 1e-5 from the profile two steps earlier, whatever ``tol``.
      It takes small steps for convergence, and serves replications of a source that stops so.

    Newton's method then polishes the final profile, and ``end_state`` classifies it. Euler steps converge
    to a rest point only at rates below ``-2 Re(v)/|v|^2`` for each eigenvalue v of the Jacobian there, stored
    as ``rate_limit``; a larger final rate raises a warning.

    References
    ----------
    Rosen (1965), Existence and uniqueness of equilibrium points for concave n-person games.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    >>> solution = rv.solve(game, GradientAscent(), start=[0.1, 0.4, 0.9])
    >>> solution.end_state, str(solution.data.stopped_by.values)
    ('stable_point', 'gradient')
    """

    rate: Annotated[
        Rate | None,
        "step size: a number, one per player, or a schedule (default: 0.005 width^2 / payoff scale)",
    ] = None
    update: Annotated[
        Literal["simultaneous", "sequential"],
        "whether players observe the moves of earlier players in the step",
    ] = static(default="simultaneous")
    order: Annotated[Literal["fixed", "random"], "order of the players in a sequential step"] = static(
        default="fixed"
    )
    boundary: Annotated[Boundary, "treatment of moves that leave the space"] = static(default="project")
    stop: Annotated[Rule | list[Rule], "stopping rule or rules"] = static(default="gradient")

    def __check_init__(self) -> None:
        step_sizes.check(self.rate)

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the stopping rules as a tuple."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    def compares_payoffs(self) -> bool:
        return True

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> Ascent:
        """Return the start and its gradients; the key is not used."""
        require_continuity(game)
        boundaries.check(self.boundary, game.space)
        step_sizes.check_players(self.rate, len(start))
        start = jnp.asarray(start)
        window, infinite, zero = jnp.full(WINDOW, jnp.inf), jnp.asarray(jnp.inf), jnp.zeros(())
        gradient, count = own_gradients(game, start), jnp.zeros((), int)
        return Ascent(start, gradient, start, window, infinite, infinite, count, zero)

    def step(self, game: Game, state: Ascent, key: PRNGKeyArray) -> Ascent:
        """Take one Euler step of all players; the key is consumed where the order is random."""
        rate = self._rates(game, state.taken)
        x = self._next_profile(game, state, rate, key)
        gradient, time = own_gradients(game, x), state.time + jnp.mean(rate)
        after = self._update_memory(game, state, x, rate)
        return after._replace(profile=x, gradient=gradient, taken=state.taken + 1, time=time)

    def _rates(self, game: Game, step: object) -> Float[Array, "player 1"]:
        """Step size of every player at a step, a column."""
        if self.rate is not None:
            return step_sizes.of_players(self.rate, step, game.space.shape[0])
        widths, scales = width(game.space), scales_of(game)
        xp = concrete_module(widths, scales)  # in NumPy it compiles nothing
        narrowest = xp.min(xp.asarray(widths), axis=1, keepdims=True)
        return put_concrete(USUAL * narrowest**2 / xp.asarray(scales)[:, None])

    def _update_memory(self, game: Game, state: Ascent, x: Profile, rate: Array) -> Ascent:
        """Return the memory of the active stopping rules after the step to ``x``; the others cost nothing."""
        if "step" in self.rules:
            displacement = jnp.max(jnp.abs(relative(game, (x - state.profile) / rate)))
            state = state._replace(displacement=jnp.roll(state.displacement, 1).at[0].set(displacement))
        if "displacement" in self.rules:
            # the distance from two steps earlier exists from the second step on
            back = jnp.where(state.taken > 0, jnp.sum(jnp.abs(x - state.earlier)), jnp.inf)
            state = state._replace(back=back, earlier=state.profile)
        if "certificate" in self.rules:
            due = (state.taken + 1) % CERTIFIED_EVERY == 0
            state = state._replace(gain=jax.lax.cond(due, lambda: local_regret(game, x), lambda: state.gain))
        return state

    def _next_profile(self, game: Game, state: Ascent, rate: Array, key: PRNGKeyArray) -> Profile:
        def step_from(x: Profile, gradient: Profile) -> Profile:
            return boundaries.apply(self.boundary, game.space, x, rate * gradient)

        if self.update == "simultaneous":
            return step_from(state.profile, state.gradient)
        order = jnp.arange(len(state.profile))
        if self.order == "random":
            order = jax.random.permutation(key, order)

        def turn(k: Array, x: Profile) -> Profile:
            player = order[k]
            return x.at[player].set(step_from(x, own_gradients(game, x))[player])

        return jax.lax.fori_loop(0, len(order), turn, state.profile)

    def residual(self, game: Game, state: Ascent) -> Scalar:
        """Return the smallest of the rules' numbers, in units of the payoff scale."""
        numbers = self._residuals(game, state)
        # the rule `displacement` is a distance, not a payoff: `ending` tests it
        return jnp.min(
            jnp.stack([numbers[rule] for rule in self.rules if rule != "displacement"] or [jnp.inf])
        )

    @compiled
    def _residuals(self, game: Game, state: Ascent) -> dict[str, Array]:
        rate = self._rates(game, state.taken)
        target = game.space.project(state.profile + rate * state.gradient)
        pull = relative(game, (target - state.profile) / rate)
        numbers = {
            "gradient": jnp.max(jnp.abs(pull)),
            "step": jnp.max(state.displacement),
            "certificate": state.gain,
        }
        return numbers

    def ending(self, game: Game, state: Ascent) -> Array:
        """Return `converged` if the rule `displacement` is active and met."""
        is_met = (state.back <= DISPLACED) & jnp.asarray("displacement" in self.rules)
        return jnp.where(is_met, ENDINGS.index("converged"), 0)

    def diagnostics(self, state: Ascent) -> dict[str, Array | ndarray]:
        return {"time": state.time}

    def report(self, game: Game, state: Ascent, status: str) -> Record:
        """Return ``stopped_by``, the rule with the smallest number, if a rule ended the ascent."""
        if status == "iteration limit":
            return {}
        return {"stopped_by": scalar(self._stopping_rule(game, state))}

    def _stopping_rule(self, game: Game, state: Ascent) -> str:
        """Return the rule that ended the ascent."""
        if "displacement" in self.rules and float(state.back) <= DISPLACED:
            return "displacement"
        if len(self.rules) == 1:
            return self.rules[0]
        numbers = self._residuals(game, state)
        numbers_of_rules = {rule: float(number) for rule, number in numbers.items() if rule in self.rules}
        return min(numbers_of_rules, key=numbers_of_rules.__getitem__) if numbers_of_rules else ""

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Return the polished end, spectrum, cycle and Euler limit.

        Warn if the last rate is above that limit.
        """
        end = end_state.analyse(game, profile, key)
        rates = np.ravel(self._rates(game, 0) if self.rate is None else step_sizes.final_step_size(self.rate))
        limit, rate = euler_limit(game, end, rates), float(np.max(rates))
        if rate > limit:
            warn(
                f"rate: {rate:g} is above {limit:.3g}, from where on Euler steps leave this point: lower it",
                stacklevel=2,
            )
        return end._replace(measures=end.measures | {"rate_limit": scalar(limit)})


def euler_limit(game: Game, end: Finish, rates: np.ndarray) -> float:
    """Return the largest rate at which Euler steps remain at a stable end, NaN elsewhere.

    It is the smallest ``-2 Re(v)/|v|^2`` over the eigenvalues v of the Jacobian in the free directions, whose
    rows are first weighted by the players' rates over the largest of them.
    """
    if end.end_state not in ("stable_point", "boundary"):
        return float("nan")
    # an Euler step multiplies each player's rows by its rate: x + rate J x
    weight = np.broadcast_to(rates / np.max(rates), (end.profile.shape[0],))
    values, _ = end_state.spectrum(game, end.profile, weight)
    return float(np.min(-2 * values.real / np.abs(values) ** 2, initial=np.inf))


def local_regret(game: Game, x: Profile) -> Scalar:
    """Return the largest gain that a player finds within `BALL` of the width by local search of its own
    payoff, in units of its payoff scale.

    A lower bound on nearby gains, without information on more distant strategies.
    """
    ball = BALL * width(game.space)

    def gain(player: Array) -> Array:
        def payoff(strategy: Array) -> Array:
            return own_payoff(game, x, player, strategy)

        def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
            strategy, value, length = carry
            slope = jnp.where(game.space.mask[player], jax.grad(payoff)(strategy), 0.0)
            push = length * ball[player] * slope / jnp.maximum(jnp.max(jnp.abs(slope)), 1e-300)
            candidate = jnp.clip(strategy + push, x[player] - ball[player], x[player] + ball[player])
            candidate = game.space.project(x.at[player].set(candidate))[player]
            new = payoff(candidate)
            better = new > value
            pick = jnp.where(better, 1.5, 0.5)
            return (
                jnp.where(better, candidate, strategy),
                jnp.where(better, new, value),
                length * pick,
            ), None

        carry = (x[player], payoff(x[player]), jnp.ones(()))
        (_, value, _), _ = jax.lax.scan(step, carry, length=BALL_STEPS)
        return value - carry[1]

    return jnp.max(jax.vmap(gain)(jnp.arange(len(x))) / scales_of(game))
