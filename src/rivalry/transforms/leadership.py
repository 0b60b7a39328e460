"""Leadership: games of the leaders, who anticipate how followers respond, in two or more stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Protocol, cast, runtime_checkable

import equinox as eqx
import numpy as np
from annotated_types import Ge, Lt
from jaxtyping import Array, Bool, Float

from rivalry.certificates.deviations import searching, traceable_best_response
from rivalry.core import oracles
from rivalry.core.game import Game, own_gradients, payoff_against, refuse_shared
from rivalry.core.reparametrisation import is_reparametrised, unconstrain, unconstrained_game
from rivalry.core.results import Record
from rivalry.core.space import Box, Profile, ends, stacked_grids
from rivalry.core.tolerances import ROUNDING, SAME_NUMBER, SEARCH_TIE, TIE
from rivalry.core.tree import static
from rivalry.proofs.arithmetic import bounds_of_responses  # noqa: F401 (the rule of the operation)
from rivalry.proofs.arithmetic.best_responses import best_responses, with_bounded_responses
from rivalry.runtime.jax import compiled, jax, jnp
from rivalry.schema.validate import check_keywords
from rivalry.tables.stages import check_stages
from rivalry.transforms.frozen import (
    Players,
    Restricted,
    WholeProfile,
    interior_profile,
    player_indices,
    whole_profile,
)

AT_BOUND = 1e-9  # of a box's width: nearer to a bound than this is on it
SINGULAR = 1e-10  # a Jacobian with a smaller scaled determinant has no implicit derivative
POLISH, POLISHED_WITHIN = 2, 1e-5  # Newton steps at the end, and the longest, in widths of the box
EARLY, NEARER = 20, 1e-2  # rounds that may begin with such steps, and the longest of these, in widths
NEWTON, LATER = 30, 5  # Newton steps of any length where no round came to rest, and rounds that follow
STEPS = (1e-1, 1e-2, 1e-3, 1e-4)  # of the range: deviations that refute a registered response


@runtime_checkable
class Respond(Protocol):
    """A follower policy: anything that can be called inside ``jit``; it needs no derivative."""

    def __call__(self, game: Game, x: Profile, followers: Players) -> Profile:
        """Return the profile ``x`` with the followers' rows replaced by their responses to the others'."""


@check_keywords
def stackelberg(game: Game, leaders: Iterable[int], respond: Respond | None = None) -> Leadership:
    """Return the game of the leaders, who anticipate that the others respond by ``respond``.

    The follower policy need not be differentiable: derivatives of the responses follow from the followers'
    own first-order conditions (implicit function theorem), in the coordinates in which their box is searched;
    followers at a bound, or at zero, do not move. Derivatives of the leaders' payoffs, of any order, are
    right wherever responses are smooth. In spaces other than a box responses count as constant.

    The metrics ``play`` (seat, axis) and ``play_payoff`` (seat) hold the strategy and payoff of every player.
    The certificate is that of the leaders, given the answers of ``respond``.

    Parameters
    ----------
    game : Game
        The base game.
    leaders : iterable of int
        The players that move first.
    respond : Respond, optional
        ``respond(game, x, followers)`` returns ``x`` with the followers' rows replaced. By default
        `transforms.Followers`, which searches for mutual best responses.

    Returns
    -------
    Leadership
        The game of the leaders, in the given order.

    Raises
    ------
    ValueError
        For leaders that do not exist or are named twice, and if no follower remains.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = stackelberg(rv.games.matrix("battle_of_the_sexes"), [0])
    >>> game.payoffs(game.space.check([[1.0, 0.0]])).tolist()  # the leader goes to the opera, and is joined
    [3.0]
    """
    refuse_shared(game, "stackelberg")
    players = game.space.shape[0]
    indices = player_indices(leaders, players, "leaders")
    if len(indices) == players:
        raise ValueError(f"leaders: all {players} players; must leave at least one follower")
    respond = Followers() if respond is None else respond
    if not callable(respond):
        raise ValueError(f"respond: {respond!r} must be callable: respond(game, x, followers) -> x")
    return Leadership(game, interior_profile(game.space), indices, respond)


class Leadership(Restricted):
    """The game of the leaders; see `stackelberg`."""

    respond: Any

    @property
    def followers(self) -> Players:
        """Return the players that respond."""
        return tuple(p for p in range(self.base.shape[0]) if p not in self.players)

    @property
    def whole_game(self) -> Any:
        """Return the game in which all players choose, leaders and followers of every stage."""
        return oracles.base_game(self.game)

    @property
    def stages(self) -> tuple[Players, ...]:
        """Return the players of each stage, by index in the game in which all players choose."""
        if not isinstance(self.game, Leadership):
            return (self.players, self.followers)
        # this game divides the first stage of the game that it is made of
        divided, *later = self.game.stages
        first_stage = tuple(divided[p] for p in self.players)
        return (first_stage, tuple(p for p in divided if p not in first_stage), *later)

    def whole(self, x: Profile) -> WholeProfile:
        profile = _responses(self, self.put(x))
        self.require_responses(x, profile)
        return profile

    def measures(self, x: Profile) -> Record:
        self.require_responses(x, whole_profile(self, x))
        return super().measures(x)

    def require_responses(self, x: Profile, profile: WholeProfile) -> None:
        """Raise `ValueError`, with the leaders' choices, where no responses are found; not inside jit."""
        if isinstance(profile, jax.core.Tracer) or isinstance(x, jax.core.Tracer):
            return
        if np.isfinite(np.asarray(x)).all() and np.isnan(np.asarray(profile)).any():
            rows = zip(self.players, np.asarray(x).tolist(), strict=True)
            choices = [f"player {player} chooses {row}" for player, row in rows]
            named = ", ".join(choices)
            raise ValueError(f"respond: no mutual best responses of the followers are found where {named}")


class BoundedLeadership(Leadership):
    """The game of leaders whose followers' best responses have bounds: the form in which it is proved."""

    axes: Players = static()  # of the followers' choices

    def whole(self, x: Profile) -> WholeProfile:
        """Return the profile of all players, its followers' choices by the operation that has bounds."""
        profile, box = self.put(x), self.game.space
        choice_index = np.array(self.followers), np.array(self.axes)

        def pay(numbers: Array, choices: Array) -> Array:
            """Return the followers' payoffs at their choices, at the profile ``numbers`` otherwise."""
            chosen_profile = numbers.reshape(profile.shape).at[choice_index].set(choices, unique_indices=True)
            if not oracles.deviation_payoff.knows(self.game):
                return self.game.payoffs(chosen_profile)[choice_index[0]]
            pays = []
            for k in self.followers:
                payoff = oracles.deviation_payoff(self.game, chosen_profile, k)
                pays.append(payoff(chosen_profile[k]))
            return jnp.stack(pays)

        responses = best_responses(pay, profile.ravel(), box.low[choice_index], box.high[choice_index])
        return profile.at[choice_index].set(responses, unique_indices=True)


def _has_bounds(led: Leadership) -> bool:
    """True if followers of one stage have one choice each in a box, and respond by `Followers`."""
    space = led.game.space
    if isinstance(led, BoundedLeadership) or isinstance(
        led.game, Leadership
    ):  # bounds of stages take minutes
        return False
    if not isinstance(led.respond, Followers) or not isinstance(space, Box) or is_reparametrised(led.game):
        return False
    choices = np.asarray(space.mask)[list(led.followers)].sum(axis=1)
    return bool(np.all(choices == 1)) and not oracles.discontinuity(led.game)


@with_bounded_responses.register(Leadership, when=_has_bounds)
def _(game: Leadership) -> BoundedLeadership:
    axes = np.argmax(np.asarray(game.game.space.mask)[list(game.followers)], axis=1).tolist()
    return BoundedLeadership(game.game, game.base, game.players, game.respond, tuple(axes))


oracles.base_game.register(Leadership)(lambda game: game.whole_game)
oracles.move_order.register(Leadership)(lambda game: game.stages)


def _responds_evenly(led: Leadership) -> bool:
    """True if leaders are distinguished by the game alone, which a custom policy may not ensure."""
    is_built_in = type(led.respond).__module__.startswith("rivalry.")
    return is_built_in and oracles.exchangeable.knows(led.game)


@oracles.exchangeable.register(Leadership, when=_responds_evenly)
def _(game: Leadership) -> np.ndarray:
    return oracles.exchangeable(game.game)[list(game.players)]


@compiled  # traced once, although payoffs and their derivatives contain it several times
def _answer(lead: Leadership, x: Profile) -> Profile:
    """Return the profile in which the followers have responded to the leaders in ``x``."""
    numbers, form = eqx.partition(lead, eqx.is_array)

    # a batch is computed in sequence: side by side, all profiles would take the rounds of the slowest
    @jax.custom_batching.sequential_vmap  # type: ignore[untyped-decorator]
    def respond(numbers: Leadership, x: Profile) -> Profile:
        game = eqx.combine(numbers, form)
        answer: Profile = game.respond(game.game, x, game.followers)
        return answer

    return respond(numbers, x)


@eqx.filter_custom_jvp
def _responses(lead: Leadership, x: Profile) -> Profile:
    """Return all players' strategies after the followers responded."""
    answer = _answer(lead, x)
    rows = jnp.asarray(lead.followers)
    return x.at[rows].set(answer[rows], unique_indices=True)


@_responses.def_jvp  # type: ignore[untyped-decorator]
def _responses_jvp(primals: Any, tangents: Any) -> tuple[Profile, Profile]:
    """Return the responses and their derivative, by the implicit function theorem.

    In the coordinates ``y`` in which the box is searched, the responses ``y_F`` solve ``g = 0`` for the
    followers' own gradients ``g``. Hence ``dy_F = -(dg/dy_F)^-1 dg``, where ``dg`` is the change of ``g``
    with the game's numbers and the leaders' strategies while ``y_F`` is fixed. Coordinates at a bound do not
    move, nor do followers in a space other than a box.
    """
    lead, x = primals
    lead_tangent, x_tangent = tangents
    rows, profile = jnp.asarray(lead.followers), _responses(lead, x)
    if x_tangent is None:
        x_tangent = jnp.zeros_like(x)
    leaders_tangent = x_tangent.at[rows].set(0.0, unique_indices=True)
    if not isinstance(lead.game.space, Box):
        return profile, leaders_tangent
    flat, y = unconstrained_game(lead.game), unconstrain(lead.game, profile)
    dx_dy = flat.slopes(y)[0] if is_reparametrised(lead.game) else jnp.ones_like(y)
    responses = y[rows]
    free = inside(flat.space, y)[rows]

    def own_gradient(lead: Leadership, y: Profile) -> Array:
        candidate = y.at[rows].set(responses, unique_indices=True)
        return own_gradients(unconstrained_game(lead.game), candidate, lead.followers)

    # at an amount of 0 dx/dy is 0, and the coordinate counts as fixed
    y_tangent = jnp.where(dx_dy > 0, leaders_tangent / jnp.where(dx_dy > 0, dx_dy, 1.0), 0.0)
    _, gradient_tangent = eqx.filter_jvp(own_gradient, (lead, y), (lead_tangent, y_tangent))
    followers_tangent = newton_step(flat, y, lead.followers, free, gradient_tangent) * dx_dy[rows]
    return profile, leaders_tangent.at[rows].set(followers_tangent, unique_indices=True)


def inside(space: Box, x: Profile) -> Bool[Array, "player axis"]:
    """Return the mask of the coordinates that are not at a bound of the box."""
    margin = AT_BOUND * (space.high - space.low)
    return (x > space.low + margin) & (x < space.high - margin)


def newton_step(
    game: Game,
    x: Profile,
    players: Players,
    free: Bool[Array, "follower axis"],
    gradient: Float[Array, "follower axis"] | None = None,
) -> Float[Array, "follower axis"]:
    """Return the Newton step ``-J^-1 gradient`` of ``players`` in their ``free`` coordinates.

    ``J`` is the Jacobian of the players' own gradients by their own free coordinates at ``x``; ``gradient``
    is by default these own gradients. The step is 0 in other coordinates, and everywhere if ``J`` is singular
    or not finite.
    """
    rows, shape = jnp.asarray(players), free.shape

    def stack_gradients(y: Array) -> tuple[Array, Array]:
        candidate = x.at[rows].set(y.reshape(shape), unique_indices=True)
        gradients = own_gradients(game, candidate, players).ravel()
        return gradients, gradients

    y, mask = x[rows].ravel(), free.ravel()
    identity = jnp.eye(y.size)
    # has_aux: one evaluation gives the gradients and their Jacobian
    jacobian, gradient_now = jax.jacfwd(stack_gradients, has_aux=True)(y)
    # rows and columns of the identity, so that coordinates at a bound do not move
    jacobian = jnp.where(mask[:, None] & mask[None, :], jacobian, identity)
    target = gradient_now if gradient is None else gradient.ravel()
    is_finite = jnp.all(jnp.isfinite(jacobian))
    is_regular = is_finite & (_scaled_determinant(jax.lax.stop_gradient(jacobian)) > SINGULAR)
    jacobian = jnp.where(is_regular, jacobian, identity)
    target = jnp.where(is_regular & mask, target, 0.0)
    step: Array = target / jacobian[0] if y.size == 1 else jnp.linalg.solve(jacobian, target)
    return -step.reshape(shape)


def _scaled_determinant(jacobian: Array) -> Array:
    """Return the determinant after scaling every row to length 1, from 0 (singular) to 1 (orthogonal)."""
    # rows are scaled, since a determinant depends on the units of the gradients
    longest = jnp.max(jnp.abs(jacobian))
    lengths = jnp.linalg.norm(jacobian, axis=1, keepdims=True)
    rows = jnp.where(lengths > SINGULAR * longest, jacobian / lengths, 0.0)
    return jnp.abs(jnp.linalg.det(rows))


@check_keywords
class Followers(eqx.Module):
    """Mutual best responses of the followers.

    Each moves to its global best response in turn, until no follower gains by a move, up to rounding.

    A best response is the oracle `rivalry.oracles.best_response` where JAX can trace it; steps from it show
    that no nearby strategy pays more. Otherwise it is searched on a grid of ``points`` strategies, with
    climbs from the best of them; ties go to the first grid point. In a box Newton's method polishes every
    round, in the coordinates in which the box is searched, and goes on where ``rounds`` rounds did not come
    to rest. If followers still gain, the responses are NaN, and an error names the leaders' choices wherever
    payoffs are computed at concrete ones.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("stag_hunt")
    >>> Followers()(game, game.pure("stag", "hare"), (1,)).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """

    points: Annotated[int, Ge(2), "strategies on the search grid of every follower"] = static(default=65)
    rounds: Annotated[int, Ge(1), "rounds of responses"] = static(default=100)
    tol: Annotated[
        float,
        Ge(0),
        Lt(np.inf),
        "movement of a registered response, relative to the space, that counts as rest",
    ] = static(default=1e-9)

    def __call__(self, game: Game, x: Profile, followers: Players) -> Profile:
        """Return ``x`` with the followers' rows replaced by their responses."""
        rows = jnp.asarray(followers)
        if is_reparametrised(game):
            flat = unconstrained_game(game)
            profile = flat.constrain(self(flat, flat.unconstrain(x), followers))
            return x.at[rows].set(game.space.project(profile)[rows])
        grids = _grids(game, followers, self.points)
        range_of = jnp.max(grids, axis=(0, 1)) - jnp.min(grids, axis=(0, 1))
        registered = traceable_best_response(game, x, rows[0])

        def replace_row(k: Array, x: Profile, first: Array) -> tuple[Profile, Array]:
            """Move follower ``k`` where it gains, in the first round in any case; return whether it moved."""
            present, response = x[rows[k]], traceable_best_response(game, x, rows[k])
            if response is not None:
                strategy = response[0]
                moves = ~(jnp.max(jnp.abs(strategy - present)) <= self.tol * jnp.max(range_of))
            else:
                strategy, gain, tolerance = _searched(game, x, rows[k], grids[k])
                moves = first | ~(gain <= tolerance)
            return x.at[rows[k]].set(jnp.where(moves, strategy, present)), moves

        def respond_in_turn(carry: tuple[Profile, Array, Array]) -> tuple[Profile, Array, Array]:
            """Take Newton steps in a box, then let each follower respond; count the round.

            Later rounds take none, as steps never end at a kink; the one after ``rounds`` takes any length.
            """
            x, _, count = carry
            if isinstance(game.space, Box):
                max_step = jnp.where(count < EARLY, NEARER, 0.0)
                steps = jnp.where(count == 0, 0, POLISH)
                is_last_resort = count == self.rounds
                max_step = jnp.where(is_last_resort, jnp.inf, max_step)
                steps = jnp.where(is_last_resort, NEWTON, steps)
                x = _newton(game, x, followers, max_step, steps)

            def turn(k: Array, carry: tuple[Profile, Array]) -> tuple[Profile, Array]:
                x, moves = replace_row(k, carry[0], count == 0)
                return x, carry[1] | moves

            x, moves = jax.lax.fori_loop(0, len(followers), turn, (x, jnp.asarray(False)))
            return x, moves, count + 1

        if len(followers) == 1:
            # one round: the response of a single follower does not depend on its own strategy
            x, _ = replace_row(jnp.asarray(0), x, jnp.asarray(True))
            is_exact = registered is not None and registered[2] == "tight"
            at_rest = jnp.asarray(True)
        else:
            begin = (x, jnp.asarray(True), jnp.asarray(0))
            x, moves, _ = jax.lax.while_loop(
                lambda carry: carry[1] & (carry[2] < self.rounds + LATER), respond_in_turn, begin
            )
            is_exact, at_rest = False, ~moves
        if isinstance(game.space, Box) and not is_exact:
            # strategies whose gain is below rounding differ in half of their digits
            x = _newton(game, x, followers, jnp.asarray(POLISHED_WITHIN), jnp.asarray(POLISH))
        if registered is not None:
            at_rest &= ~jnp.any(jax.vmap(lambda row: gains_nearby(game, x, row))(rows))
        return x.at[rows].set(jnp.where(at_rest, x[rows], jnp.nan))


def _searched(game: Game, x: Profile, player: Array, grid: Array) -> tuple[Array, Array, Array]:
    """Return a follower's response by search, its gain, and the largest gain that counts as zero.

    Of strategies that pay equally, up to rounding, it is the one nearest to the earliest grid point.
    """
    strategies, payoffs, values = searching(game, x, player, grid)
    best = jnp.max(payoffs)
    payoff_range = best - jnp.median(values)
    payoff_range = jnp.where(jnp.isfinite(payoff_range), payoff_range, 0.0)
    ties = payoffs >= best - SEARCH_TIE * payoff_range - ROUNDING * jnp.abs(best)
    distance = jnp.sum(jnp.abs(strategies[:, None] - grid), axis=2)
    grid_point = jnp.where(ties, jnp.argmin(distance, axis=1), len(grid))
    index = jnp.argmax(jnp.where(grid_point == jnp.min(grid_point), payoffs, -jnp.inf))
    gain = best - payoff_against(game, x, player)(x[player])
    return strategies[index], gain, TIE * payoff_range + ROUNDING * jnp.abs(best)


def gains_nearby(game: Game, x: Profile, player: Array) -> Array:
    """True if a follower gains by a step along one axis from what is registered as its best response."""
    low, high = ends(game.space)
    range_of = jnp.where(jnp.isfinite(high - low), high - low, 1.0)[player]
    steps = jnp.concatenate([sign * size * jnp.diag(range_of) for size in STEPS for sign in (1, -1)])
    points = jax.vmap(lambda step: game.space.project(x.at[player].add(step))[player])(steps)
    payoff = payoff_against(game, x, player)
    paid = jax.vmap(payoff)(jnp.concatenate([x[player][None], points]))
    return jnp.max(paid) > paid[0] + SAME_NUMBER * jnp.max(jnp.abs(paid))


def _grids(game: Game, followers: Players, points: int) -> Float[Array, "follower point axis"]:
    return stacked_grids([game.space.grid(player, points) for player in followers])


def _newton(game: Game, x: Profile, followers: Players, max_step: Array, steps: Array) -> Profile:
    """Return the profile after so many Newton steps of the followers in their free coordinates.

    A step longer than ``max_step``, in widths of the box, is left out: at a kink of payoffs the gradients are
    not zero at the best response, and Newton's method leads away.
    """
    rows, space = jnp.asarray(followers), game.space
    longest = max_step * jnp.max(space.high - space.low)  # type: ignore[attr-defined]

    def step(_: Array, x: Profile) -> Profile:
        move = newton_step(game, x, followers, inside(space, x)[rows])  # type: ignore[arg-type]
        is_short = jnp.max(jnp.abs(move)) <= longest
        candidate = space.project(x.at[rows].add(jnp.where(is_short, move, 0.0)))
        return x.at[rows].set(candidate[rows])

    polished: Profile = jax.lax.fori_loop(0, steps, step, x)
    return polished


@check_keywords
def hierarchy(game: Game, stages: Sequence[Sequence[int]], respond: Respond | None = None) -> Leadership:
    """Return the game of the first of several stages, which anticipates the responses of all later ones.

    With two stages this is `stackelberg`; with more, the responses of the last stage are part of the game in
    which the stage before responds, and so on.

    Parameters
    ----------
    game : Game
        The base game.
    stages : sequence of sequence of int
        An ordered partition of the players; those of one stage choose simultaneously, knowing earlier stages.
    respond : Respond, optional
        The follower policy, as for `stackelberg`.

    Returns
    -------
    Leadership
        The game of the first stage.

    Raises
    ------
    ValueError
        For a player that is missing or named twice, and for fewer than two stages.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.race(players=3)
    >>> hierarchy(game, [[1], [0, 2]]).followers
    (0, 2)
    """
    check_stages(stages, game.space.shape[0])
    if len(stages) < 2:
        raise ValueError(f"stages: {len(stages)} stage; must be at least 2 for some to lead")
    led: Any = game
    for leaders in leaders_of_stages(stages):
        led = stackelberg(led, leaders, respond)
    return cast(Leadership, led)


def leaders_of_stages(stages: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the players that lead each stage, the last stage first, by index in the game of those left."""
    remaining = sorted(player for stage in stages for player in stage)
    for index in range(len(stages) - 1, 0, -1):
        leaders = sorted(player for stage in stages[:index] for player in stage)
        yield [remaining.index(player) for player in leaders]
        remaining = leaders
