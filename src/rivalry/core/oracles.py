"""Oracles: knowledge of a game beyond its space and payoffs, registered for the class of the game.

A game reserves two names, ``space`` and ``payoffs``. All other knowledge of it, from the scale of its payoffs
to a closed-form best response, is given by the *oracles* of this module: functions of a game, each with a
generic answer that holds for every game. A custom class registers its answers:

>>> import jax.numpy as jnp
>>> from rivalry import Box, certificate, oracles
>>> class Duopoly:
...     space = Box.interval(0.0, 1.0, players=2)
...
...     def payoffs(self, x):
...         return (x * (1 - x.sum()))[:, 0]
>>> @oracles.best_response.register(Duopoly)
... def _(game, x, player):
...     own = jnp.clip((1 - (x.sum() - x[player])) / 2, 0.0, 1.0)
...     return own, game.payoffs(x.at[player].set(own))[player], "tight"
>>> certificate(Duopoly(), [[1 / 3], [1 / 3]]).claim
'equilibrium'

Attributes and methods of a game are never read as answers, whatever their names.

The modules of a family depend on each other in the order model, analyses, oracles, factory. ``model.py``
holds the class, its data and its payoffs, and imports nothing of the family. ``oracles.py`` registers every
answer (``@oracles.best_response.register(Market, when=...)``) and may import model and analyses. The last
line of ``model.py`` names it as a string: ``at_home(Market, "rivalry.families.market.oracles")``. That module
is imported when an oracle first meets the class or a subclass, also in a spawned worker, since a process with
a game has imported its model. A family in one file, or a wrapper, registers beside the class and does not
call `at_home`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import Contest, FiniteGame, GameTree, LinearQuadraticGame, SequenceForm
from rivalry.core.dispatch import Oracle as Oracle
from rivalry.core.dispatch import Unsupported as Unsupported
from rivalry.core.dispatch import at_home as at_home
from rivalry.core.dispatch import forward as forward
from rivalry.core.dispatch import inner_knows as inner_knows
from rivalry.core.dispatch import oracle as oracle
from rivalry.core.dispatch import unknown as unknown
from rivalry.core.results import Certificate, Coverage, Record, Rounding
from rivalry.runtime.jax import jax, jnp, seldom

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float

    from rivalry.core.space import PerPlayer, Profile, Scalar, Strategy

# Games with payoffs. Descriptions first: subclasses inherit their answers even if they change payoffs.
# `tests/unit/test_wrappers.py` demands that a wrapper answers each oracle, or leaves it generic on purpose.


class Labels(NamedTuple):
    """Names of players and of the axes of a strategy; empty where they are numbered.

    ``actions`` are those of every player where a strategy is a mixture of its actions; ``entries`` are those
    of every player's strategy where players have others.
    """

    players: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    actions: tuple[tuple[str, ...], ...] = ()
    entries: tuple[tuple[str, ...], ...] = ()


@oracle(inherited=True)
def payoff_scale(game: object) -> Array | ndarray | float:
    """Return the scale of payoffs, a number above 0 or one per player, that JAX may trace. Generic: 1.

    Methods that compare payoffs measure the scale at their start where a game does not state it.
    """
    return 1.0


@oracle(inherited=True)
def discontinuity(game: object) -> str:
    """Return the cause of discontinuous payoffs; empty where gradients may be followed (generic).

    Methods that follow gradients reject a game with a discontinuity and quote the text.
    """
    return ""


@oracle(inherited=True)
def labels(game: object) -> Labels:
    """Return the names of players and of the axes of a strategy. Generic: none."""
    return Labels()


@oracle(inherited=True)
def metrics(game: object, x: Profile) -> Record:
    """Return named arrays to store with every result, ``{name: (dimensions, array)}``. Generic: none."""
    return {}


PlotData = Mapping[str, Callable[[Any], Record]]  # functions of a profile, by name
Traced = dict[str, tuple[tuple[str, ...], Any]]  # dimensions and an array that JAX can trace, by name


BestResponse = tuple[Any, Any, Coverage]  # strategy, payoff, how much of the space was covered


@oracle(inherited=True)
def traced_metrics(game: object, x: Profile) -> Traced:
    """Return `metrics` as arrays that JAX can trace, for expectations over mixtures and for derivatives.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "metrics that JAX can trace")


def compiled_metrics(game: object, x: Profile) -> Record:
    """Return all `traced_metrics`: the answer to `metrics` of games that have no others."""
    return {name: (dims, np.asarray(array)) for name, (dims, array) in _compiled_metrics(game, x).items()}


_compiled_metrics = seldom(traced_metrics)


@oracle(inherited=True)
def named_start(game: object, name: str) -> Profile:
    """Return the initial profile of this name; raise `ValueError` for an unknown name (generic: for any)."""
    raise ValueError(f"start: {name!r} must be a profile; this game has no named starts")


@oracle(inherited=True)
def validate_parameter(game: object, name: str, value: float) -> str:
    """Reason why the array ``name`` may not take ``value``; empty where it may (generic)."""
    return ""


@oracle(inherited=True)
def shared_constraints(game: object, x: Profile) -> Float[Array, "constraint"]:
    """Return functions of all players' choices at ``x``, of which none may be above 0. Generic: none.

    A player may choose what the box and, given the others' choices, these constraints allow. JAX traces the
    function. Methods that do not take them refuse a game for which they are registered.
    """
    return jnp.zeros(0)


# Answers that depend on payoffs: a subclass that changes payoffs or space does not inherit them.


class Response(NamedTuple):
    """A player's best response, with its payoff and an upper bound on every payoff."""

    strategy: ndarray  # [axis]
    payoff: float
    bound: float  # upper bound on every payoff, proved or in floating point; inf where none is known
    coverage: Coverage
    method: str
    tried: ndarray | None = None  # payoffs of the searched strategies, independent of the player's own one
    rounding: Rounding = "floating point"  # of the bound
    supremum: float = -np.inf  # payoffs approach it, whether or not a strategy attains it
    error: float = 0.0  # by which rounding widens the bound, where intervals enclose payoffs


@oracle()
def exchangeable(game: Any) -> ndarray:
    """Return one integer per player, ``[player]``, equal for exchangeable players. Generic: all differ.

    An answer is a proposal: `rivalry.core.exchanges` confirms it by payoffs before anything uses it. Lists,
    distances and basins of attraction do not distinguish exchangeable players.
    """
    return np.arange(game.space.shape[0])


def first_equal(rows: ndarray) -> ndarray:
    """Return the number of the first row that equals each of ``rows [player parameter]``, ``[player]``."""
    return np.array([np.flatnonzero((rows == row).all(axis=1))[0] for row in rows])


@oracle()
def deviation_payoff(game: Any, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    """Return ``player``'s payoff as a function of its own strategy ``[axis]``, with the others at ``x``."""
    return lambda strategy: game.payoffs(x.at[player].set(strategy))[player]


@oracle()
def gradients(game: object, x: Profile) -> Profile:
    """Return every player's gradient of its own payoff in its own strategy, ``[player axis]``.

    Generic: by differentiating `deviation_payoff`.
    """
    return gradients_of(game, x, jnp.arange(x.shape[0]))


def gradients_of(game: object, x: Profile, rows: Array) -> Float[Array, "row axis"]:
    """Return the gradients of the players ``rows``, by differentiation."""

    def slope_of(player: Array) -> Array:
        return jax.grad(lambda strategy: deviation_payoff(game, x, player)(strategy))(x[player])

    return jax.vmap(slope_of)(rows)


@oracle()
def jacobian(game: object, x: Profile) -> Float[Array, "row column"]:
    """Return the derivative of the stacked `gradients` in the stacked profile, player-major.

    Generic: by differentiation.
    """

    def stack_gradients(y: Array) -> Array:
        return gradients(game, y.reshape(x.shape)).ravel()

    rows: Array = jax.jacfwd(stack_gradients)(x.ravel())
    return rows.reshape(x.size, x.size)


@oracle()
def best_response(game: object, x: Profile, player: int | Array) -> BestResponse:
    """Return a best response of ``player`` to the others at ``x``, its payoff, and the coverage.

    The coverage ``tight`` claims that no strategy pays more. A response that JAX can trace for a traced
    ``player`` also serves followers and best-response dynamics.

    The default raises `Unsupported`; `rivalry.best_response` then searches.
    """
    raise unknown(game, "best response")


@oracle()
def proved_response(game: object, x: Profile, player: int) -> Response:
    """Return a best response with an upper bound on every payoff of ``player``, for certificates.

    Answers compute with concrete numbers. Generic: the answer of `best_response`, whose payoff is the bound
    where its coverage is tight.
    """
    return registered_response(*best_response(game, x, player))


def registered_response(strategy: object, payoff: Any, coverage: Coverage) -> Response:
    """Return the answer of `best_response` as certificates take it."""
    bound = float(payoff) if coverage == "tight" else np.inf
    return Response(np.asarray(strategy), float(payoff), bound, coverage, "registered best response")


@oracle()
def compiled_response(game: object, x: Profile, player: int) -> tuple[Strategy | ndarray, Any]:
    """Return the answer of `best_response` at a concrete profile, without coverage, by a program of its own.

    It is for best responses that take seconds to compile: best-response dynamics then take their rounds one
    by one with this program, which certificates share. The generic answer raises `Unsupported`: best
    responses are part of the program that needs them.
    """
    raise unknown(game, "best response with a program of its own")


@oracle()
def mixed_best_response(game: object, support: ndarray, weights: ndarray, player: int) -> BestResponse:
    """Return a best response to independent mixtures of the others, in the form of `best_response`.

    The others play ``support [player action axis]`` with probabilities ``weights [player action]``. The
    generic answer raises `Unsupported`.
    """
    raise unknown(game, "best response to mixtures")


@oracle()
def payoff_bound(game: object, x: Profile, player: int | Array, low: Strategy, high: Strategy) -> Scalar:
    """Return an upper bound on the payoffs of own strategies from ``low [axis]`` to ``high [axis]``.

    The others play ``x``. Certificates on a box prove their bound from it by branch and bound. Generic:
    infinity.
    """
    return jnp.asarray(jnp.inf)


@oracle()
def search_points(game: Any, player: int) -> Float[Array, "point axis"]:
    """Return additional starting points of the search for ``player``'s best response. Generic: none."""
    return jnp.zeros((0, game.space.shape[1]))


@oracle()
def closed_form(game: object) -> ndarray:
    """Return first-order points in closed form, ``[root player axis]``, the most plausible first.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "closed form")


@oracle()
def plot_data(game: object) -> PlotData:
    """Return functions of a profile that compute arrays for plots, by name. Generic: none."""
    return {}


def forward_at(kind: type, inside: Callable[[Any, Any], Any]) -> None:
    """Answer oracles of profiles of a wrapper by those of its field ``game``, where these are registered.

    ``inside(wrapper, x)`` is the profile of ``game`` at the wrapper's profile ``x``.
    """

    def at(wrapper: object, compute: Callable[[Any], Record]) -> Callable[[Any], Record]:
        return lambda x: compute(inside(wrapper, x))

    def answer(profile_oracle: Oracle[..., Any]) -> Callable[..., Any]:
        return lambda wrapper, x: profile_oracle(wrapper.game, inside(wrapper, x))

    for profile_oracle in (metrics, traced_metrics, shared_constraints):
        profile_oracle.register(kind, when=inner_knows(profile_oracle))(answer(profile_oracle))
    plot_data.register(kind, when=inner_knows(plot_data))(
        lambda wrapper: {name: at(wrapper, oracle) for name, oracle in plot_data(wrapper.game).items()}
    )


# Conversions into the forms that methods take. One that a game lacks raises `Unsupported` with the reason in
# one line; methods state their requirements by `to_finite.knows(game)`, which computes nothing.


@oracle()
def to_finite(game: object) -> FiniteGame:
    """Return the payoff tables of a game in which the players choose among finitely many actions.

    Profiles of such a game are mixed strategies, or indices of actions. The generic answer raises
    `Unsupported`; `rivalry.tables.tabulate` makes tables of other games at grid points.
    """
    raise unknown(game, "finite form")


class Cases(NamedTuple):
    """All equilibria of a game, found case by case in exact arithmetic."""

    equilibria: list[list[list[Fraction]]]  # [equilibrium player axis]
    size: int  # number of cases
    noun: str
    plural: str


@oracle(inherited=True)
def flow_certificate(game: object, x: Any, tolerance: float) -> Certificate:
    """Return the certificate of flows that many travellers make together; raise `Unsupported` (generic)."""
    raise unknown(game, "certificate of flows")


@oracle(inherited=True)
def flow_answer(game: object, source: str) -> tuple[dict[str, Any], list[str]]:
    """Judge the flows in a file: numbers by name, and lines of text; raise `Unsupported` (generic)."""
    raise unknown(game, "certificate of flows")


@oracle()
def equilibria_by_cases(game: object) -> Cases:
    """Return all equilibria of a game whose payoffs jump, in fractions.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "proof by cases")


@oracle()
def to_sequence_form(game: object) -> SequenceForm:
    """Return the sequence form of a finite game, in which moves follow moves or are simultaneous.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "sequence form")


@oracle()
def to_tree(game: object) -> GameTree:
    """Return the nodes of a game in extensive form. The generic answer raises `Unsupported`."""
    raise unknown(game, "tree of moves")


@oracle()
def one_quadrature(game: object, games: Sequence[Any]) -> Any:
    """Return the game with the finest of the quadratures of ``games``, which are this one at other values.

    Along a parameter payoffs are then smooth, and arrays have one shape. The generic answer raises
    `Unsupported`.
    """
    raise unknown(game, "quadrature of its own")


@oracle()
def to_contest(game: object, grid: ndarray) -> Contest:
    """Return the terms of which payoffs at grid points ``[player action axis]`` are sums.

    `rivalry.tables.tabulate` then fills tables by a compiled loop, or computes payoffs on demand where a
    table would be too large. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs that are shares of a contest")


@oracle()
def action_levels(game: object, count: int) -> Any:
    """Return ``count`` levels per axis, in one of the forms that `rivalry.tables.tabulate` takes.

    Generic: ``count`` itself, for an even grid.
    """
    return count


@oracle()
def to_repeated(game: object, grid: ndarray, sizes: ndarray) -> FiniteGame:
    """Return the tables of the infinitely repeated game at grid points ``[player action axis]``.

    ``sizes [player]`` are the numbers of actions. The tables include the order of moves;
    ``observation_slots`` holds the observations of a round. The generic answer raises `Unsupported`: the
    stage game is simply repeated.
    """
    raise unknown(game, "repeated form of its own")


class Stages(NamedTuple):
    """Play over finitely many periods, or one period that represents all of an infinite horizon.

    A strategy of the whole game holds those of the periods, one after the other.
    """

    periods: int
    space: Any  # of one period
    weights: Any  # [period player]: weight of a period's payoff in the total
    infinite_horizon: bool = False
    coupled: str = ""  # how periods depend on each other beyond whether play continues; empty if they do not
    all_reached: bool = False  # whether play continues, whatever the strategies are


@oracle()
def to_stages(game: object) -> Stages:
    """Return the periods of a game that is played over several. Generic: raises `Unsupported`."""
    raise unknown(game, "periods to go through")


@oracle()
def initial_state(game: object) -> Float[Array, "stock player"]:
    """Return the state at the first period; shape ``[0 player]`` for a game without state.

    Raises `ValueError` for an infinite horizon. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "initial state")


@oracle()
def transition(
    game: object, t: int | Array, state: Float[Array, "stock player"], row: Float[Array, "player axis"]
) -> tuple[Array, Array, Array]:
    """Return the payoffs ``[player]`` of period ``t``, the continuation probability and the next state.

    JAX can trace the function; ``row`` holds the strategies of the period. The generic answer raises
    `Unsupported`.
    """
    raise unknown(game, "transition from period to period")


@oracle()
def stage_game(game: object, t: int | Array, ahead: PerPlayer) -> Any:
    """Return period ``t`` as a one-shot game with continuation values ``ahead``, for backward induction.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "stage games")


class Summand(NamedTuple):
    """A part of a game whose payoffs are weighted sums over its parts."""

    name: str  # period 1, level -30
    weight: float
    game: Any


@oracle()
def separate_parts(game: object) -> list[Summand]:
    """Return the games of which a game is the weighted sum; an empty list if its parts depend on each other.

    The axes of a profile are those of the parts, one after the other and equally many each. A profile is an
    equilibrium if and only if those of all parts are. The generic answer has the periods of a game.
    """
    if not to_stages.knows(game):
        return []
    stages = to_stages(game)
    if stages.periods < 2 or stages.infinite_horizon or stages.coupled or not stages.all_reached:
        return []
    ahead = jnp.zeros(np.shape(stages.weights)[1])
    return [Summand(f"period {t + 1}", 1.0, stage_game(game, t, ahead)) for t in range(stages.periods)]


@oracle()
def state_game(game: object, t: int | Array, state: Float[Array, "stock player"], ahead: object) -> Any:
    """Return period ``t`` in a state as a game with a registered best response and ``after(x)``.

    It serves feedback equilibria; ``ahead`` holds the values of the next period's states. The generic answer
    raises `Unsupported`.
    """
    raise unknown(game, "games of a period in a state")


@oracle()
def state_bounds(game: object, t: int) -> tuple[ndarray, ndarray]:
    """Return lower and upper bounds of the states of period ``t``, ``[stock player]`` each.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "bounds of its states")


@oracle()
def to_linear_quadratic(game: object) -> LinearQuadraticGame:
    """Return the infinite-horizon game with linear dynamics and quadratic costs.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "linear-quadratic form")


@oracle()
def outside_linear(game: object, states: ndarray) -> str:
    """Reason why the linear-quadratic form fails on a path of states; empty (generic) if it does not."""
    return ""


@oracle()
def to_markov(game: object, periods: int | None = None) -> Any:
    """Return native play, period by period, as a `rivalry.core.game.MarkovGame` truncated after ``periods``.

    The generic answer raises `Unsupported`: the game is only played by repetition.
    """
    raise unknown(game, "native play")


@oracle()
def to_agents(game: object) -> Any:
    """Return the tuple of arrays that compiled kernels take to simulate finitely many agents.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "arrays for simulated agents")


# Play over periods: discounting, order of moves, legal actions and observations.


@oracle(inherited=True)
def discount_factors(game: object) -> Any:
    """Return the players' discount factors, ``[player]`` or one for all. Generic: NaN."""
    return np.nan


@oracle(inherited=True)
def payoff_growth(game: object) -> Any:
    """Return the growth rate of payoffs per period. Generic: 0."""
    return 0.0


@oracle(inherited=True)
def move_order(game: Any) -> tuple[tuple[int, ...], ...]:
    """Return the players of each stage of a period, by their indices in `base_game`.

    Generic: one stage with simultaneous moves.
    """
    return (tuple(range(game.space.shape[0])),)


@oracle(inherited=True)
def alternating(game: object) -> bool:
    """True if players revise their choices in turn, as `turns` says. Generic: False."""
    return False


@oracle(inherited=True)
def turns(game: Any) -> tuple[tuple[int, ...], ...]:
    """Return the players that move in each period of a cycle, where players alternate.

    Generic: one player per period, in order.
    """
    return tuple((player,) for player in range(game.space.shape[0]))


@oracle(inherited=True)
def base_game(game: object) -> Any:
    """Return the game in which all players choose, for a game of leaders. Generic: the game itself."""
    return game


class GainBounds(NamedTuple):
    """The benchmarks of profit gains."""

    nash: Any  # [player]: payoffs of the one-shot equilibrium
    joint: Any  # [player]: payoffs at the joint maximum
    critical_discount: Any  # [player]: the least at which Nash reversion supports the joint maximum


@oracle()
def profit_gain_bounds(game: object) -> GainBounds:
    """Return the payoffs at which the profit gain is 0 and 1, with the critical discount factors.

    Raises `ValueError` for a game without such payoffs. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "benchmarks of profit gains")


@oracle()
def games_of_nature(game: object) -> list[Any]:
    """Return the game at every exogenous state of nature, slowest in the tables of `to_repeated`.

    Generic: the game itself, without any.
    """
    return [game]


@oracle()
def cycle_value(game: object, cash_flow: ndarray, gamma: ndarray) -> tuple[ndarray, ndarray]:
    """Return the values of perpetual cash flows, and the share of the terminal value in each.

    ``cash_flow`` is ``[session player]``, ``gamma`` ``[player]``. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "valuation of cash flows")


@oracle()
def discounting_channels(
    game: object,
    tables: FiniteGame | None = None,
    learns: Sequence[bool] | None = None,
    discounts: Sequence[float] | ndarray | None = None,
) -> Any:
    """Return the channels by which discount factors can affect results, with a one-line ``text``.

    ``state`` holds the names of what choices change from period to period.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "channels of discounting")


def claim_scope(game: Any) -> str:
    """Return the scope of a claim about one period; empty for a game that carries nothing further.

    It follows from `discounting_channels`, also for a wrapper of such a game.
    """
    while not discounting_channels.knows(game):
        if not (type(game).__module__.startswith("rivalry.") and "game" in dir(game)):
            return ""
        game = game.game
    states = discounting_channels(game).state
    return f"of one period (later ones depend on it through {' and '.join(states)})" if states else ""


# Oracles of a `rivalry.core.game.MarkovGame`, with states of its own type.


@oracle(inherited=True)
def active_players(game: Any, state: Any) -> Bool[Array, "player"]:
    """Return a mask of the players that move in a state. Generic: all."""
    return jnp.ones(game.space.shape[0], bool)


@oracle(inherited=True)
def present_players(game: Any, state: Any) -> Bool[Array, "player"]:
    """Return a mask of the players that have not left permanently. Generic: all."""
    return jnp.ones(game.space.shape[0], bool)


@oracle(inherited=True)
def legal_actions(game: object, state: Any) -> Bool[Array, "player action"]:
    """Return a mask of the legal actions in a state. Generic: raises `Unsupported`, all are legal."""
    raise unknown(game, "mask of legal actions")


@oracle()
def normalized_observation(game: Any, state: Any) -> Float[Array, "player feature"]:
    """Return observations scaled to order 1, for learners. Generic: ``game.observe(state)``."""
    return game.observe(state)


@oracle()
def observation_bounds(game: object) -> tuple[Array | ndarray, Array | ndarray]:
    """Return lower and upper bounds on all observations of play, ``[player feature]``. Generic: infinite."""
    return np.asarray(-np.inf), np.asarray(np.inf)


@oracle(inherited=True)
def own_units(game: object) -> bool:
    """True if environments take actions in the game's units by default. Generic: False, -1 to 1."""
    return False


def __dir__() -> list[str]:
    """Return the oracles, the types of their answers and what registers them, for completion in editors."""
    types = [name for name, value in globals().items() if isinstance(value, type)]
    types = [name for name in types if globals()[name].__module__ == __name__]
    oracles = [name for name, value in globals().items() if isinstance(value, Oracle)]
    return sorted({*types, *oracles, "Oracle", "Unsupported", "at_home", "forward", "oracle"})
