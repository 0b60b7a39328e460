"""Compiled roll-outs and updates of the actor-critic learner."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import equinox as eqx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, UInt32

from rivalry.core.space import Box, PerPlayer, Profile, Scalar, width
from rivalry.runtime.jax import compiled, jax, jnp
from rivalry.transforms import Followers

DECAYS = 0.9, 0.999  # of Adam's moments, per update
PERIODS = 4  # of play per copy and update

Row = Float[Array, "weight"]


class Play(NamedTuple):
    """The base game with all players, and numerical parameters."""

    game: Any
    scale: Array  # [player]: of payoffs
    discount: PerPlayer
    fixed: Profile  # choices of fixed players
    now: Bool[Array, "player player"]  # whose choice of this period a player observes
    last: Bool[Array, ""]  # whether every player observes all choices of the last period


class Networks(eqx.Module):
    """The networks of a player, with one hidden layer of ``tanh`` each."""

    actor: eqx.nn.MLP  # from an observation to the outputs that `RolloutPlan.policy` maps
    critic: eqx.nn.MLP  # from an observation to its value


def zero_networks(features: int, hidden: int, axes: int) -> Networks:
    """Return networks of some sizes with all weights 0."""

    def network(outputs: int | Literal["scalar"]) -> eqx.nn.MLP:
        return eqx.nn.MLP(features, outputs, hidden, depth=1, activation=jnp.tanh, key=jax.random.key(0))

    # shapes only: every draw of equinox would compile a program
    shapes = eqx.filter_eval_shape(lambda: Networks(network(2 * axes), network("scalar")))
    return jax.tree.map(lambda leaf: leaf if callable(leaf) else np.zeros(leaf.shape), shapes)


class RolloutPlan(NamedTuple):
    """Static settings of a roll-out: compiled programs depend on its strings and integers, not its arrays."""

    stages: tuple[tuple[int, ...], ...]
    roles: tuple[str, ...]
    zero: Networks  # of the sizes that all players' networks have
    min_deviation: Scalar
    rate: Scalar
    updates: Int[Array, ""]
    samples: Int[Array, ""]

    def rows(self, role: str, players: tuple[int, ...]) -> tuple[int, ...]:
        """Return the players in ``players`` that have a role."""
        return tuple(player for player in players if self.roles[player] == role)

    def networks(self, row: Row) -> Networks:
        """Return the networks with the weights of a row, the actor's first."""
        arrays, static = eqx.partition(self.zero, eqx.is_array)
        _, unravel = ravel_pytree(arrays)
        return eqx.combine(unravel(row), static)

    def policy(self, row: Row, observed: Float[Array, "feature"]) -> tuple[Array, Array]:
        """Return the means and standard deviations of a player's draws, ``[axis]``, at an observation."""
        mean, raw = jnp.split(self.networks(row).actor(observed), 2)
        return mean, self.min_deviation + jnp.exp(raw)


class LearningState(NamedTuple):
    """Everything that an update changes, and its key."""

    key: UInt32[Array, "word"]
    clock: Array  # updates taken
    choice: Float[Array, "copy player axis"]  # of the last period
    weights: Float[Array, "player weight"]  # of both networks
    first: Float[Array, "player weight"]  # moments of their gradients
    second: Float[Array, "player weight"]
    reward_curve: Float[Array, "sample player"]  # sums of updates' mean payoffs
    choice_curve: Float[Array, "sample player axis"]  # and of their mean choices


class RolloutPeriod(NamedTuple):
    """Observations, choices and payoffs of one period."""

    features: Float[Array, "player feature"]
    sampled: Float[Array, "player axis"]  # before the mapping into the box
    choice: Float[Array, "player axis"]
    payoff: PerPlayer


def squash(space: Box, sampled: Profile) -> Profile:
    """Map the real line into the interior of the box, by the logistic function in the search coordinates."""
    return spread(space, jax.nn.sigmoid(sampled))


def spread(space: Box, part: Profile) -> Profile:
    """Return the choices at shares of the box from 0 to 1, in those coordinates."""
    low, high = space.unconstrain(space.low), space.unconstrain(space.high)
    return space.project(space.constrain(low + (high - low) * part))


def share(space: Box, x: Profile) -> Profile:
    """Return the shares of the box at which choices lie: the inverse of `spread`."""
    return jnp.asarray((space.unconstrain(x) - space.unconstrain(space.low)) / width(space.unconstrained()))


def features(play: Play, before: Profile, x: Profile) -> Float[Array, "player feature"]:
    """Return every player's observation, from -1 to 1: this period's choices, and the last's.

    0 if unobserved.
    """
    space = play.game.space
    visible_now, visible_last = (2 * share(space, profile) - 1 for profile in (x, before))
    visible = jnp.where(play.now[:, :, None], visible_now, 0.0), jnp.where(play.last, visible_last, 0.0)
    rows = [jnp.broadcast_to(values, (len(x), *x.shape)) for values in visible]
    return jnp.concatenate(rows, axis=1).reshape(len(x), -1)


def period(
    play: Play, plan: RolloutPlan, weights: Array, before: Profile, noise: Profile, even: Profile
) -> RolloutPeriod:
    """Play one period, stage after stage, then payoffs.

    ``noise`` is normal, ``even`` uniform between 0 and 1.
    """
    space = play.game.space
    choices = {"random": spread(space, even), "fixed": play.fixed}
    x, sampled = before, jnp.zeros_like(before)
    for stage in plan.stages:
        mean, deviation = jax.vmap(plan.policy)(weights, features(play, before, x))
        actions = mean + deviation * noise
        stage_choices = choices | {"learns": squash(space, actions)}
        if oracles := plan.rows("oracle", stage):
            stage_choices["oracle"] = Followers()(play.game, x, oracles)
        for player in stage:
            x = x.at[player].set(stage_choices[plan.roles[player]][player])
            sampled = sampled.at[player].set(actions[player])
    return RolloutPeriod(features(play, before, x), sampled, x, play.game.payoffs(x) / play.scale)


@compiled
def greedy(play: Play, plan: RolloutPlan, weights: Array, x: Profile, rounds: Array) -> tuple[Profile, Array]:
    """Return choices and deviations of the policies after some periods without noise."""

    def step(x: Profile) -> RolloutPeriod:
        # a half: random players stay at the middle of the box
        return period(play, plan, weights, x, jnp.zeros_like(x), jnp.full_like(x, 0.5))

    x = jax.lax.fori_loop(0, rounds, lambda _, x: step(x).choice, x)
    outcome = step(x)
    _, deviation = jax.vmap(plan.policy)(weights, outcome.features)
    return outcome.choice, deviation


@compiled
def advance(play: Play, plan: RolloutPlan, learning: LearningState, updates: Array) -> LearningState:
    """Run ``updates`` updates."""
    return jax.lax.fori_loop(0, updates, lambda _, state: _update(play, plan, state), learning)


def _update(play: Play, plan: RolloutPlan, learning: LearningState) -> LearningState:
    """Play some periods in all copies with the same policies, then take one step of every player's networks.

    One further period is played for its observations.
    """
    # by the number of the update: the same bits however a run is divided into calls
    key = jax.random.fold_in(jax.random.wrap_key_data(learning.key), learning.clock)

    def together(choice: Array, key: Array) -> tuple[Array, RolloutPeriod]:
        noise_key, two = jax.random.split(key)
        noise, even = jax.random.normal(noise_key, choice.shape), jax.random.uniform(two, choice.shape)
        outcome = jax.vmap(lambda x, e, u: period(play, plan, learning.weights, x, e, u))(choice, noise, even)
        return outcome.choice, outcome

    _, outcome = jax.lax.scan(together, learning.choice, jax.random.split(key, PERIODS + 1))

    def loss(row: Array, features: Array, sampled: Array, payoff: Array, discount: Array) -> Array:
        return _player_loss(plan, row, features, sampled, payoff, discount, play.last)

    slopes = jax.vmap(jax.grad(loss), in_axes=(0, 2, 2, 2, 0))(
        learning.weights, outcome.features, outcome.sampled[:-1], outcome.payoff[:-1], play.discount
    )
    rate = plan.rate * (1.0 - learning.clock / plan.updates)
    steps, momentum, variance = _adam(slopes, learning.first, learning.second, learning.clock + 1)
    sample = learning.clock * plan.samples // plan.updates
    mean = jnp.mean(outcome.payoff[:-1], axis=(0, 1)) * play.scale
    return LearningState(
        learning.key,
        learning.clock + 1,
        # the further period served its observations only: the next roll-out starts before it
        outcome.choice[-2],
        learning.weights - rate * steps,
        momentum,
        variance,
        learning.reward_curve.at[sample].add(mean),
        learning.choice_curve.at[sample].add(jnp.mean(outcome.choice[:-1], axis=(0, 1))),
    )


def _adam(slopes: Array, momentum: Array, variance: Array, count: Array) -> tuple[Array, Array, Array]:
    """Return the steps of update ``count``, from 1 on, and both moments (Kingma & Ba, 2015)."""
    first_decay, two = DECAYS
    momentum, variance = (
        (1 - first_decay) * slopes + first_decay * momentum,
        (1 - two) * slopes**2 + two * variance,
    )
    # what the moments lack since they began at 0
    mean, square = (
        m / (1 - decay**count).astype(m.dtype) for m, decay in ((momentum, first_decay), (variance, two))
    )
    return mean / (jnp.sqrt(square) + 1e-8), momentum, variance


def _player_loss(
    plan: RolloutPlan,
    row: Row,
    observations: Float[Array, "period_and_next copy feature"],
    sampled: Float[Array, "period copy axis"],
    payoff: Float[Array, "period copy"],
    discount: Array,
    realised: Array,
) -> Array:
    """Return the loss of one player's networks: ``-E[A log pi(drawn | seen)] + E[(target - v(seen))^2]/2``.

    Values are per period, ``(1 - delta)`` times the discounted sum. A period's target is ``(1 - delta) payoff
    + delta next``, where ``next`` is the next period's target if ``realised``, else ``v`` of the next
    observation; after the last period it is ``v``. The advantage A is the target minus ``v(seen)``,
    standardised.
    """

    def outputs(features: Array) -> tuple[Array, Array, Array]:
        return *plan.policy(row, features), plan.networks(row).critic(features)

    mean, deviation, values = jax.vmap(jax.vmap(outputs))(observations)
    # targets and advantages are constants: otherwise the critic would also move its targets
    fixed_values = jax.lax.stop_gradient(values)

    def target_of(next_value: Array, period: tuple[Array, Array]) -> tuple[Array, Array]:
        paid, value = period
        next_target = (1 - discount) * paid + discount * jnp.where(realised, next_value, value)
        return next_target, next_target

    _, target = jax.lax.scan(target_of, fixed_values[-1], (payoff, fixed_values[1:]), reverse=True)
    above = target - fixed_values[:-1]
    # in standard deviations, so that no option depends on units of payoff; 1e-8: all may be equal
    above = (above - jnp.mean(above)) / (jnp.std(above) + 1e-8)
    away = (sampled - mean[:-1]) / deviation[:-1]
    # without 2 pi and the slope of the mapping into the box, which do not depend on the weights
    log_chance = jnp.sum(-(away**2) / 2 - jnp.log(deviation[:-1]), axis=-1)
    return -jnp.mean(above * log_chance) + jnp.mean((target - values[:-1]) ** 2) / 2
