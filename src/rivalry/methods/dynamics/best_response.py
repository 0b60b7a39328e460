"""Best-response dynamics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Gt, Interval, Le
from jaxtyping import Array, Float, PRNGKeyArray

from rivalry.certificates.deviations import compiled_search, search, search_grid, traceable_best_response
from rivalry.core import oracles
from rivalry.core.batched_games import Together
from rivalry.core.game import Game, Record, has_closed_form, kernel_conversion, own_payoff, scales, scales_of
from rivalry.core.method import ENDINGS, BaseMethod, Finish
from rivalry.core.oracles import compiled_response
from rivalry.core.payoffs import payoffs
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.results import scalar
from rivalry.core.space import PerPlayer, Profile, Scalar, Strategy, stacked_grids, width
from rivalry.core.tolerances import SEARCH_TIE
from rivalry.core.tree import static
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import concrete_module, jax, jnp, put

if TYPE_CHECKING:
    from types import ModuleType

REMEMBERED = 64  # past profiles: the longest cycle, in rounds, that is detected
SAME_PROFILE, MOVED = 1e-7, 1e-4  # of the width: equal profiles; players who still move
REST_WITHIN = 1e-3  # of the width: largest distance to the root of best responses with negligible gain


class ResponseRounds(NamedTuple):
    """A profile, the regrets before the last round, earlier profiles, and the detected period (0: none)."""

    profile: Profile
    regret: PerPlayer
    past: Float[Array, "round player axis"]  # latest round first, infinite where there was none
    period: Array
    grids: Float[Array, "player point axis"]


class BestResponse(BaseMethod):
    """Best-response dynamics: players move to their global best responses, in sequence or simultaneously.

    A best response is searched over the whole space, on a grid and then by local search, or is the game's own
    ``best_response`` where it has one that JAX can trace. Of equally good responses the nearest is taken. One
    step is a round of all players. The method converges when no player gains more than ``tol`` times its
    payoff scale, and is ``cycling`` when a profile of the last 64 rounds recurs: ``cycle_rounds`` is the
    period, and a warning names a method that may find an equilibrium.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 2, resource="bimodal")
    >>> solution = rv.solve(game, BestResponse(), start=[0.1, 0.9])
    >>> solution.status, solution.claim
    ('converged', 'equilibrium')

    References
    ----------
    Cournot (1838); Monderer & Shapley (1996) for when it converges.
    """

    update: Annotated[
        Literal["sequential", "simultaneous"],
        "whether players observe the responses of earlier players in the round",
    ] = static(default="sequential")
    order: Annotated[Literal["fixed", "random"], "order of the players in a sequential round"] = static(
        default="fixed"
    )
    damping: Annotated[
        float, Interval(gt=0, le=1), "fraction of the distance to the best response that a player moves"
    ] = 1.0
    points: Annotated[int, Gt(1), Le(100_000), "strategies per player on the search grid"] = static(
        default=201
    )
    polish: Annotated[
        bool, "finish with Newton steps on the first-order conditions; needs a box and differentiable payoffs"
    ] = static(default=True)

    def check_game(self, game: Game) -> None:
        """Raise `ValueError` for payoffs that jump where no best response exists, with a closed form."""
        reason = oracles.discontinuity(game)
        answers = oracles.best_response.knows(game) or oracles.mixed_best_response.knows(game)
        has_rivals = game.space.shape[0] > 1  # whoever is alone undercuts nobody
        if reason and has_rivals and not answers and has_closed_form(game):
            raise ValueError(f"{reason}: there is no best response to undercut by; use closed_form")

    def compares_payoffs(self) -> bool:
        return True

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> ResponseRounds:
        """Return the start without history; the key is not used."""
        start = jnp.asarray(start)
        past = jnp.full((REMEMBERED, *start.shape), jnp.inf)  # the largest of many NaN may be a number
        regret, period = jnp.full(len(start), jnp.inf), jnp.zeros((), int)
        # nothing is searched where rounds call the game's own best response
        registered = self.order == "fixed" and compiled_response.knows(game)
        grids = jnp.zeros((len(start), 0, start.shape[1])) if registered else _grids(game, self.points)
        return ResponseRounds(start, regret, past.at[0].set(start), period, grids)

    def steps_singly(self, game: Game) -> bool:
        return self.order == "fixed" and (compiled_response.knows(game) or _anticipates(game))

    def step(self, game: Game, state: ResponseRounds, key: PRNGKeyArray) -> ResponseRounds:
        """Take one round; the key is consumed where the order is random."""
        together = self.update == "simultaneous"
        if concrete_module(state.profile) is np and self.steps_singly(game):
            return self._step_singly(game, state, together)
        order = jnp.arange(len(state.profile))
        if self.order == "random":
            order = jax.random.permutation(key, order)

        def move(x: Profile, player: Array) -> tuple[Profile, Array]:
            profile_seen = state.profile if together else x
            response, gain = nearest_best_response(game, profile_seen, player, state.grids[player])
            strategy = profile_seen[player] + self.damping * (response - profile_seen[player])
            return x.at[player].set(strategy), gain

        x, gains = jax.lax.scan(move, state.profile, order)
        # the scan returns gains in the order of moves
        regret = jnp.zeros(len(order)).at[order].set(gains)
        past, period = jnp.roll(state.past, 1, axis=0).at[0].set(x), _period(game, x, state.past)
        return state._replace(profile=x, regret=regret, past=past, period=period)

    def _step_singly(self, game: Game, state: ResponseRounds, together: bool) -> ResponseRounds:
        """Return the same round, from one response after the other by a program of its own."""
        before: Any = np.asarray(state.profile)
        regret: Any = np.zeros(len(before))
        x, past_rounds = before.copy(), np.asarray(state.past)
        for player in range(len(x)):
            profile_seen = before.copy() if together else x.copy()
            payoff_now = payoffs(game, profile_seen)[player]
            if compiled_response.knows(game):
                strategies, paid = compiled_response(game, put(profile_seen), player)
            else:
                grid = np.asarray(state.grids[player])
                strategies, paid, _ = compiled_search(game, profile_seen, put(player), grid)
            response, regret[player] = _nearest(
                np,
                np.asarray(strategies),
                np.asarray(paid),
                profile_seen[player],
                payoff_now,
                scales(game)[player],
            )
            x[player] = profile_seen[player] + np.asarray(self.damping) * (response - profile_seen[player])
        past: Any = np.concatenate([x[None], past_rounds[:-1]])
        period = _period(game, x, past_rounds)
        return state._replace(profile=x, regret=regret, past=past, period=period)

    def residual(self, game: Game, state: ResponseRounds) -> Any:
        """Return the largest gain of a player in the last round, in units of its payoff scale."""
        xp = concrete_module(state.regret)
        return xp.max(state.regret / (scales_of(game) if xp is not np else scales(game)))

    def ending(self, game: Game, state: ResponseRounds) -> Any:
        """Return `cycling` once a profile has recurred while players still move."""
        return concrete_module(state.period).where(state.period > 0, ENDINGS.index("cycling"), 0)

    def report(self, game: Game, state: ResponseRounds, status: str) -> Record:
        """Return ``cycle_rounds``: rounds until the profile recurred, 0 where it did not.

        Where it did, a text ``remedy`` names a method that may find an equilibrium, and its cost.
        """
        if status == "iteration limit":
            return {}
        record: Record = {"cycle_rounds": scalar(state.period)}
        if status == "cycling":
            record["remedy"] = scalar(self._remedy(game, int(state.period)))
        return record

    def _remedy(self, game: Game, period: int) -> str:
        text = f"best responses repeat every {period} rounds"
        if self.update == "simultaneous":
            return f"{text}: take update='sequential', or damping=0.5; neither takes longer"
        if kernel_conversion(game) is not None:
            return f"{text}: MixedEquilibria() lists mixed equilibria, within a second up to 15 actions each"
        return (
            f"{text}: DoubleOracle() seeks a mixed equilibrium, in some 5 to 50 rounds of searches like "
            "these; damping=0.5 may reach a pure one"
        )

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish | None:
        """Return the root of the first-order conditions near the end, and its spectrum.

        The key is not used.
        """
        return end_state.at_rest(game, profile, near=REST_WITHIN) if self.polish else None

    def finish_together(
        self, games: Together, profiles: np.ndarray, keys: Sequence[PRNGKeyArray]
    ) -> list[Finish | None]:
        """Return `finish` of several games, from programs that serve them all."""
        if not self.polish:
            return [None] * len(games)
        return end_state.all_at_rest(games, profiles, REST_WITHIN)


def _period(game: Game, x: Any, past: Any) -> Any:
    xp = concrete_module(past)
    gaps = xp.max(xp.abs(past - x) / xp.asarray(width(game.space)), axis=(1, 2))
    # gaps[0] is the movement of this round: where it is small players come to rest, and do not cycle
    is_return = (gaps <= SAME_PROFILE) & (gaps[0] > MOVED)
    return xp.where(xp.any(is_return), xp.argmax(is_return) + 1, 0)


def _grids(game: Game, points: int) -> Float[Array, "player point axis"]:
    return stacked_grids([search_grid(game, player, points) for player in range(game.space.shape[0])])


def _anticipates(game: Game) -> bool:
    """True where players anticipate responses that no oracle answers.

    A search through responses is a large program: rounds call that of the certificate.
    """
    plain = game.game if isinstance(game, Unconstrained) else game
    return oracles.move_order.knows(plain) and not oracles.best_response.knows(game)


def nearest_best_response(game: Game, x: Profile, player: Array, grid: Array) -> tuple[Strategy, Scalar]:
    """Return the best response of ``player`` nearest to its strategy, and its gain, at least 0."""
    strategy, payoff = x[player], own_payoff(game, x, player, x[player])
    response = traceable_best_response(game, x, player)
    strategies, paid = response[:2] if response is not None else search(game, x, player, grid)
    return _nearest(jnp, strategies, paid, strategy, payoff, scales_of(game)[player])


def _nearest(
    xp: ModuleType, strategies: Any, paid: Any, strategy: Any, payoff: Any, scale: Any
) -> tuple[Any, Any]:
    """Return the best strategy nearest to ``strategy``, and its gain over ``payoff``, at least 0."""
    # the present strategy is a candidate, the nearest of all: players who cannot gain do not move
    strategies = xp.vstack([strategies, strategy])
    paid = xp.append(paid, payoff)
    highest = xp.max(paid)
    tied = paid >= highest - SEARCH_TIE * scale
    far = xp.sum((strategies - strategy) ** 2, axis=-1)
    nearest = xp.argmin(xp.where(tied, far, xp.inf))
    return strategies[nearest], xp.maximum(highest - payoff, 0.0)
