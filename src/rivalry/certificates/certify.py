"""Certificates of equilibrium from best deviations, bounds on their gains, and stakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rivalry.certificates.branch_and_bound import search_together
from rivalry.certificates.deviations import (
    best_responses,
    few_axes,
    nearest_response,
    outward_response,
    refuse_above,
    responses_at,
    rounding_error,
    search_of_responses,
    source_of_bound,
)
from rivalry.certificates.units import GameAtProfile, Unit, unit_at, units_at
from rivalry.core.assumed_range import NO_BEST_RESPONSE, with_rise
from rivalry.core.batched_games import PART, Together
from rivalry.core.dispatch import Unsupported
from rivalry.core.game import Game, is_agents, is_population
from rivalry.core.oracles import Response, claim_scope, flow_certificate, shared_constraints
from rivalry.core.payoffs import (
    checked_parts,
    concrete_array,
    concrete_profile,
    payoffs,
    payoffs_at,
    payoffs_of,
)
from rivalry.core.results import COVERAGES, Certificate, Rounding
from rivalry.core.space import Box, visibly_apart
from rivalry.core.tolerances import APPROXIMATE, EPS, ROUNDING, TOLERANCE, VANISHING
from rivalry.runtime.jax import promote_ranks, put
from rivalry.schema.registry import load
from rivalry.schema.validate import check_keywords, limit_of, whole_number

POINTS = 201
"""Points of a search grid where a strategy has one axis."""


@check_keywords
@promote_ranks
def certificate(
    game: object,
    x: Any,
    *,
    tolerance: float = TOLERANCE,
    points: int = POINTS,
    proof: bool = False,
) -> Certificate:
    """Return the largest unilateral gain of every player at ``x``, and a proven upper bound on it.

    Parameters
    ----------
    game : Game or PopulationGame
        A game with payoffs, a population, or a road network.
    x : array_like
        Profile ``[player axis]``; of a population its policy, ``[state action]``; of a road network the
        flows of its links, ``[link]``.
    tolerance : float
        Relative to what each player would lose by another ordinary choice (`rivalry.certificates.units`);
        what rounding can do to a gain is added.
    points : int
        Number of points of the search grid where a strategy has one axis.
    proof : bool
        Compute bounds with outward rounding also where the game has a bound or a best response of its own,
        and prove an equilibrium near ``x`` if there is one. Where that fails, ``method`` says why.

    Returns
    -------
    Certificate
        Regrets are searched over each player's whole strategy space; where nothing is proved the bound is
        infinite.

    Raises
    ------
    ValueError
        For a game without payoffs of profiles, for a profile outside the space, and for a registered bound
        that a payoff contradicts.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> certificate(game, [[0.0, 1.0], [0.0, 1.0]]).claim
    'equilibrium'
    """
    limit_of("tolerance", tolerance)
    whole_number("points", points, 2)
    if is_population(game) or flow_certificate.knows(game):
        if proof:
            raise ValueError(
                "proof: must be False for a population, whose gains are bounded in floating point only"
            )
        if not is_population(game):
            return flow_certificate(game, x, tolerance)
        of_policy = load("rivalry.population.certificate:population_certificate")  # of a layer above
        return of_policy(game, x, tolerance=tolerance)
    if not isinstance(game, Game):
        use = "; rivalry.solve certifies the policies of agents in play" if is_agents(game) else ""
        raise ValueError(f"game: {type(game).__name__} has no payoffs of profiles{use}")
    return _certificate(game, concrete_profile(game, x), tolerance, points, proof)


def _certificate(
    game: Game, x: Any, tolerance: float, points: int = POINTS, proof: bool = False
) -> Certificate:
    """Return `certificate` at a profile that is known to be one of the game."""
    if shared_constraints.knows(game):
        from rivalry.certificates.shared import shared_certificate  # loads JAX

        return shared_certificate(game, x, tolerance, points)
    at = GameAtProfile(game, x)
    responses = responses_at(at, range(x.shape[0]), points)
    if proof:
        responses = [outward_response(at, player, response) for player, response in enumerate(responses)]
    units = [at.unit(player, response) for player, response in enumerate(responses)]
    result = _judge(game, x, at.payoffs, responses, units, tolerance, proof)
    return _with_proof(game, x, result) if proof else result


def certificates(games: Together, profiles: np.ndarray, tolerance: float) -> list[Certificate]:
    """Return `certificate` of several games, each at its profile ``[game player axis]`` of its space."""
    if len(games) == 1 or shared_constraints.knows(games.games[0]):
        pairs = zip(games.games, profiles, strict=True)
        return [_certificate(game, concrete_array(game, x), tolerance) for game, x in pairs]
    responses = _responses_together(games, profiles)
    units = _units_together(games, profiles, responses)
    current_payoffs = payoffs_at(games, profiles)
    rows = zip(games.games, profiles, current_payoffs, responses, units, strict=True)
    return [_judge(*row, tolerance, proof=False) for row in rows]


def _responses_together(games: Together, profiles: np.ndarray) -> list[list[Response]]:
    """Return best responses ``[game][player]`` with their bounds, `PART` games at a time."""
    registered = best_responses(games, profiles)
    if registered is not None and registered[0][0].coverage == "tight":
        return registered
    pairs = zip(games.games, profiles, strict=True)
    places = [GameAtProfile(game, concrete_array(game, x)) for game, x in pairs]
    candidates: list[dict[int, Response]] = [{} for _ in places]
    if registered is not None:
        candidates = [dict(enumerate(answers)) for answers in registered]
        for at, answers, units in zip(
            places, registered, _units_together(games, profiles, registered), strict=True
        ):
            for player, (response, unit) in enumerate(zip(answers, units, strict=True)):
                at.know_unit(player, response, unit)
    responses = []
    for begin in range(0, len(places), PART):
        part = slice(begin, begin + PART)
        searches = [
            search_of_responses(at, range(len(at.x)), POINTS, starts)
            for at, starts in zip(places[part], candidates[part], strict=True)
        ]
        responses += search_together(searches)
    return responses


def _units_together(
    games: Together, profiles: np.ndarray, responses: Sequence[Sequence[Response]]
) -> list[list[Unit]]:
    """Return units of gains ``[game][player]`` from best responses ``[game][player]``."""
    by_player = zip(*responses, strict=True)
    units = [units_at(games, profiles, player, answers) for player, answers in enumerate(by_player)]
    return [list(row) for row in zip(*units, strict=True)]


def _judge(
    game: Game,
    x: Any,
    current_payoffs: np.ndarray,
    responses: Sequence[Response],
    units: Sequence[Unit],
    tolerance: float,
    proof: bool,
) -> Certificate:
    """Return the certificate that payoffs at ``x``, best responses and units of gains prove."""
    profile, responses, units = np.asarray(x), list(responses), list(units)
    for player, response in enumerate(responses):
        with np.errstate(invalid="ignore"):  # of two infinite payoffs, which no tie is near
            gain = response.payoff - current_payoffs[player]
        near = nearest_response(game, profile, player, response, gain, units[player].size)
        if near is not response:
            responses[player], units[player] = near, unit_at(game, x, player, near)
    # strategies moved to for the unit may pay more than the response: they are deviations too
    attained = np.maximum([unit.best for unit in units], [response.payoff for response in responses])
    best_payoffs = np.maximum(attained, [response.supremum for response in responses])
    _refuse_contradicted_bounds(game, x, current_payoffs, best_payoffs, responses, proof)
    with np.errstate(invalid="ignore"):  # infinite payoffs, whose differences are replaced below
        regret = np.maximum(best_payoffs - current_payoffs, 0.0)
        # fmax: where no payoff was found (NaN) an infinite bound remains infinite
        bound = np.maximum(
            np.fmax([response.bound for response in responses], best_payoffs) - current_payoffs, 0.0
        )
    best_responses = np.array([response.strategy for response in responses])
    limits = np.fmax(np.where(np.isfinite(bound), bound, regret), np.abs(current_payoffs))
    sizes = np.array([unit.capped(limit) for unit, limit in zip(units, limits, strict=True)])
    rounded = _rounding_of_payoffs(game, profile, current_payoffs, best_payoffs)
    # payoffs of other ordinary choices are rounded too, also where that at x is 0
    ordinary = np.array([unit.size for unit in units])
    rounded = np.maximum(rounded, EPS * np.where(np.isfinite(ordinary), ordinary, 0.0))
    allowed, hidden = tolerance * sizes + rounded, np.zeros(len(sizes))
    if np.any(np.fmax(regret, bound) > allowed):
        error = np.array([response.error for response in responses])
        if isinstance(game.space, Box):
            gain_change, hidden = _rounding_of_choices(game, game.space, profile, best_responses)
            error = error + gain_change
        # a regret above rounding is no error of rounding, so less than it is allowed
        allowed = allowed + np.where(regret > rounded, np.minimum(error, regret / 2), error)
    # without payoffs at x no gain is defined, and none is excluded
    if not np.isfinite(current_payoffs).all():
        regret, bound = np.full_like(current_payoffs, np.nan), np.full_like(current_payoffs, np.inf)
    method = ""
    # of payoffs whose digits are lost to a constant, or to rounding of choices, small gains are unknown
    uncertain = np.where(regret > allowed, hidden, rounded)
    largest = np.array([unit.largest for unit in units])
    is_lost = np.where(regret > allowed, regret <= hidden, (largest > 0) & (rounded > APPROXIMATE * largest))
    if np.any(is_lost):
        regret, bound = np.where(is_lost, np.nan, regret), np.where(is_lost, np.inf, bound)
        method = (
            f"; payoffs are rounded to {np.max(uncertain[is_lost]):.2g}, and another choice costs "
            f"{np.max(largest[is_lost]):.2g}"
        )
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        approached = best_payoffs - attained > allowed
    if np.any(approached):
        player = int(np.argmax(approached))
        method += f"; {NO_BEST_RESPONSE}: gains of player {player} approach {regret[player]:.3g}"
    # a certificate covers no more than its weakest response
    weak = min(responses, key=lambda response: COVERAGES.index(response.coverage))
    weakest = weak.coverage
    if weakest in ("tight", "bounded"):
        # a gap within the tolerance between regret and bound leaves nothing undecided
        weakest = "tight" if np.all(bound - regret <= allowed) else "bounded"
    roundings = {response.rounding for response in responses}
    rounding: Rounding = (
        (roundings.pop() if len(roundings) == 1 else "floating point") if np.isfinite(bound).any() else ""
    )
    if rounding == "outward":  # the difference is rounded too
        bound = np.where(bound > 0, np.nextafter(bound, np.inf), bound)
    # where both ends of a range are far any gain is small beside the unit, but not beside the choices
    distant = np.any(visibly_apart(game.space, profile, best_responses, tolerance), axis=1)
    allowed = np.where(distant & (regret > rounded), np.minimum(rounded, allowed), allowed)
    words = weak.method + method
    numbers = regret, bound, weakest, words, allowed, sizes, rounding
    result = Certificate(*numbers, payoff=current_payoffs, scope=claim_scope(game))
    return with_rise(game, profile, [response.strategy for response in responses], result)


def _refuse_contradicted_bounds(
    game: Game,
    x: Any,
    current_payoffs: np.ndarray,
    best_payoffs: np.ndarray,
    responses: Sequence[Response],
    proof: bool,
) -> None:
    """Raise `ValueError` for a bound on payoffs that a payoff exceeds."""
    for player, response in enumerate(responses):
        highest = best_payoffs[player]
        # a profile that is outside the space by rounding contradicts no bound
        if current_payoffs[player] > response.bound + ROUNDING * abs(response.bound):
            inside = concrete_profile(game, np.asarray(game.space.project(put(np.asarray(x)))))
            highest = max(highest, payoffs(game, inside)[player])
        source = "" if response.rounding == "outward" else source_of_bound(game)
        refuse_above(game, x, player, source, highest, response.strategy, response.bound)


def _rounding_of_payoffs(
    game: Game, x: np.ndarray, current_payoffs: np.ndarray, best_payoffs: np.ndarray
) -> np.ndarray:
    """Return a bound on the rounding errors of gains, ``[player]``."""
    if rounding_error.knows(game):
        return np.array([rounding_error(game, x, player) for player in range(len(x))])
    rounded = ROUNDING * np.maximum(np.abs(best_payoffs), np.abs(current_payoffs))
    return np.where(np.isfinite(rounded), np.maximum(rounded, VANISHING), 0.0)


def _rounding_of_choices(
    game: Game, space: Box, x: np.ndarray, best_responses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of gains and of payoffs, ``[player]``, by rounding of all choices.

    A gain is that from ``x`` to a best response. Choices move by `ROUNDING` times their size, as of 1 - x at
    x = 1. What leaps beside the profile changes by as much at once and by twice the rounding.
    """
    low, high = np.asarray(space.low), np.asarray(space.high)
    shift = np.sign((low + high) / 2 - x) * ROUNDING * np.abs(x)
    profiles = np.stack([np.clip(x + step * shift, low, high) for step in range(3)])
    current, best = np.empty((2, 3, len(x)))
    for player in range(len(x)):
        deviations = profiles.copy()
        deviations[:, player] = best_responses[player]
        rows = np.concatenate([profiles, deviations])
        current[:, player], best[:, player] = payoffs_of(Together([game]), rows[None], player).reshape(2, 3)
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        return _change_by_rounding(best - current), _change_by_rounding(current)


def _change_by_rounding(values: np.ndarray) -> np.ndarray:
    """Return the linear change ``[player]`` of values ``[step player]`` after no, one and two steps."""
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        once, twice = np.abs(values[1:] - values[0])
        change = np.fmin(twice - once, 1.5 * once)
    return np.where(np.isfinite(change), np.maximum(change, 0.0), 0.0)


def _with_proof(game: Game, x: Any, result: Certificate) -> Certificate:
    """Return the certificate with the distance to an equilibrium, or the reason why none is proved.

    A gain within the tolerance is not enough where the proved equilibrium is visibly apart.
    """
    from rivalry.proofs.maxima import maximum_near  # loads JAX
    from rivalry.proofs.points import equilibrium_near

    # of more axes no bound is computed with outward rounding, and a proof would search just as many boxes
    searchable = checked_parts(game) or all(few_axes(game, player) for player in range(len(x)))
    if result.claim == "not an equilibrium" or not searchable:
        return result
    try:
        radius, reason = equilibrium_near(game, np.asarray(x))
        # of payoffs with a larger bound the boxes around the profile are not decided either
        may_be_kink = radius is None and len(x) == 1 and result.claim == "equilibrium"
        if may_be_kink and (distance := maximum_near(game, np.asarray(x))) is not None:
            radius, reason = distance, ""
    except Unsupported as error:
        radius, reason = None, str(error)
    if radius is not None and reason:
        assert result.payoff is not None
        rounded = ROUNDING * (2 * np.abs(result.payoff) + np.asarray(result.at_stake))
        allowed = np.where(result.regret > rounded, np.minimum(rounded, result.tolerance), result.tolerance)
        radius, result = None, result._replace(tolerance=allowed)
    if radius is None:
        return result if reason in result.method else result._replace(method=f"{result.method}; {reason}")
    proved = result.rounding == "outward" and result.claim == "equilibrium"
    return result._replace(radius=radius, coverage="proved" if proved else result.coverage)
