"""Equilibria near given starts: sequential best responses, then Newton's method."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Array
from numpy import ndarray

from rivalry.certificates.units import measured
from rivalry.core.game import Game
from rivalry.core.method import ENDINGS, BaseMethod, take_step
from rivalry.core.oracles import payoff_scale
from rivalry.core.reparametrisation import constrain, unconstrain, unconstrained_game
from rivalry.core.space import Profile, Space, width
from rivalry.methods.dynamics.best_response import BestResponse
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import compiled, jax, put

GAIN = 1e-8  # of the payoff scale: best responses that gain no more are at rest
ROUNDS = 200  # most rounds of best responses
SAME_END = 1e-4  # of the width, in the coordinates of the search: closer ends are the same
ROOT_WITHIN = 1e-2  # of the width: a more distant root is another point

SearchPoints = Annotated[int, Ge(2), Le(100_000), "strategies per player on the search grid"]


class Reached(NamedTuple):
    """The end of a method, and its `results.Status`."""

    profile: Profile
    status: str


def run_to_end(game: Game, method: BaseMethod, start: Profile, *, tol: float, budget: int) -> Reached:
    """Run ``method`` from ``start`` until its residual is at most ``tol``, or for ``budget`` steps.

    For methods that draw nothing: every step is given the same key.
    """
    profile, ended = _steps(game, method, start, put(tol), put(budget))
    status = ENDINGS[int(ended)] if int(ended) else "iteration limit"
    return Reached(profile, status)


@compiled
def _steps(
    game: Game, method: BaseMethod, start: Profile, tol: Array, budget: Array
) -> tuple[Profile, Array]:
    key = jax.random.key(0)

    def step(carry):  # type: ignore[no-untyped-def]
        state, count, _ = carry
        state, outcome = take_step(method, game, state, key, tol)
        return state, count + 1, outcome.status

    def going(carry):  # type: ignore[no-untyped-def]
        return (carry[1] < budget) & (carry[2] == 0)

    begin = (method.init(game, start, key), put(0), put(0))
    state, _, ended = jax.lax.while_loop(going, step, begin)
    return state.profile, ended


def equilibrium_from(game: Game, start: Profile, *, points: int) -> Reached:
    """Return the end of sequential best responses from ``start``, refined by Newton steps.

    ``points`` is the size of each player's search grid. Starts and ends are amounts; the search is in the
    coordinates of `unconstrained_game`. Where no root of the own gradients is near the end, as with kinked
    payoffs, the end is returned unrefined. Only a certificate says whether the profile is an equilibrium.
    """
    if not payoff_scale.knows(game):  # gains are compared with `GAIN` in units of payoff otherwise
        (game,) = measured([game], np.asarray(start)[None])
    flat = unconstrained_game(game)
    begin = flat.space.project(unconstrain(game, put(start)))
    responses = run_to_end(flat, BestResponse(points=points), begin, tol=GAIN, budget=ROUNDS)
    root = root_near(flat, responses.profile) if responses.status == "converged" else None
    end = responses.profile if root is None else root
    return responses._replace(profile=constrain(game, end))


def ends_from(game: Game, starts: ndarray, *, points: int) -> list[ndarray]:
    """Return the distinct ends of `equilibrium_from`, ``[player axis]`` each, the first found first.

    Starts [start player axis] and profiles are amounts. Ends that are not finite are left out.
    """
    wide = np.asarray(width(unconstrained_game(game).space))
    ends: list[ndarray] = []
    places: list[ndarray] = []
    for start in starts:
        end = equilibrium_from(game, put(start), points=points).profile
        # in the coordinates of the search, where amounts of different orders of magnitude are comparable
        place = np.asarray(unconstrain(game, put(end)))
        is_known = any(np.max(np.abs(place - end) / wide) <= SAME_END for end in places)
        if np.isfinite(place).all() and not is_known:
            ends.append(np.asarray(end))
            places.append(place)
    return ends


def random_starts(space: Space, stream: np.random.SeedSequence, count: int, start: ndarray | None) -> ndarray:
    """Return random profiles ``[start player axis]``, the first of them replaced by ``start``."""
    key = jax.random.wrap_key_data(put(stream.generate_state(2, np.uint32)))
    starts = np.stack(
        [np.asarray(space.sample(key_of_start)) for key_of_start in jax.random.split(key, count)]
    )
    if start is not None:
        starts[0] = start
    return starts


def root_near(game: Game, start: Profile) -> Profile | None:
    """Return the root of all own gradients within `ROOT_WITHIN` widths of ``start``, or None."""
    end = end_state.at_rest(game, start, near=ROOT_WITHIN)
    return put(end.profile) if end is not None and end.end_state else None
