"""Certificates of equilibrium from best deviations, bounds on their gains, and stakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
from rivalry.core.oracles import (
    Response,
    claim_scope,
    flow_certificate,
    proved_response,
    shared_constraints,
)
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
    """Return the largest unilateral gain of every player at ``x``, and an upper bound on it.

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
        Regrets are searched over each player's whole strategy space. Bounds are infinite where none is known;
        `Certificate.rounding` says whether they are proved or in floating point.

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
    return _certificate_at(game, concrete_profile(game, x), tolerance, points, proof)


def _certificate_at(
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
        return [_certificate_at(game, concrete_array(game, x), tolerance) for game, x in pairs]
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


class _DeviationGains(NamedTuple):
    """Payoffs at a profile and those of the best deviations, in units of payoff, ``[player]``.

    Attributes
    ----------
    current
        At the profile.
    attained
        The best that any strategy met pays: a best response, or one moved to for the unit of gains.
    highest
        The best that is attained or approached.
    bounds
        Upper bounds on the payoffs of all deviations, infinite where there are none.
    """

    current: np.ndarray
    attained: np.ndarray
    highest: np.ndarray
    bounds: np.ndarray

    @property
    def regret(self) -> np.ndarray:
        """The largest gain found."""
        with np.errstate(invalid="ignore"):  # of infinite payoffs, whose gains are undefined
            return np.maximum(self.highest - self.current, 0.0)

    @property
    def bound(self) -> np.ndarray:
        """The largest gain that is not excluded."""
        with np.errstate(invalid="ignore"):
            # fmax: where no payoff was found (NaN) an infinite bound remains infinite
            return np.maximum(np.fmax(self.bounds, self.highest) - self.current, 0.0)


class _Allowance(NamedTuple):
    """Sizes beside which gains are judged, in units of payoff, ``[player]``.

    Attributes
    ----------
    sizes
        Units of gains.
    rounded
        What rounding of payoffs changes in a gain.
    hidden
        What rounding of choices changes in a payoff, where gains are large enough to ask.
    allowed
        The largest gain of an equilibrium.
    """

    sizes: np.ndarray
    rounded: np.ndarray
    hidden: np.ndarray
    allowed: np.ndarray


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
    profile = np.asarray(x)
    responses, units = _nearest_of_ties(game, profile, current_payoffs, responses, units)
    gains = _gains(current_payoffs, responses, units)
    _refuse_contradicted_bounds(game, x, gains, responses, proof)
    allowance = _allowance(game, profile, gains, responses, units, tolerance)
    regret, bound, notes = _decided_gains(gains, allowance, units)
    notes += _note_of_supremum(gains, regret, allowance.allowed)
    # a certificate covers no more than its weakest response
    weakest = min(responses, key=lambda response: COVERAGES.index(response.coverage))
    coverage = weakest.coverage
    if coverage in ("tight", "bounded"):
        # a gap within the tolerance between regret and bound leaves nothing undecided
        is_tight = np.all(bound - regret <= allowance.allowed)
        coverage = "tight" if is_tight else "bounded"
    rounding = _rounding_of_bound(responses, bound)
    if rounding == "outward":  # the difference is rounded too
        bound = np.where(bound > 0, np.nextafter(bound, np.inf), bound)
    result = Certificate(
        regret,
        bound,
        coverage,
        weakest.method + notes,
        _allowed_near(game, profile, responses, regret, allowance, tolerance),
        allowance.sizes,
        rounding,
        payoff=current_payoffs,
        scope=claim_scope(game),
    )
    return with_rise(game, profile, [response.strategy for response in responses], result)


def _nearest_of_ties(
    game: Game,
    x: np.ndarray,
    current_payoffs: np.ndarray,
    responses: Sequence[Response],
    units: Sequence[Unit],
) -> tuple[list[Response], list[Unit]]:
    """Return best responses, of those that tie the nearest to ``x``, and their units of gains."""
    nearest_responses, nearest_units = [], []
    for player, (response, unit) in enumerate(zip(responses, units, strict=True)):
        with np.errstate(invalid="ignore"):  # of two infinite payoffs, which no tie is near
            gain = response.payoff - current_payoffs[player]
        nearest = nearest_response(game, x, player, response, gain, unit.size)
        nearest_responses.append(nearest)
        nearest_units.append(unit if nearest is response else unit_at(game, x, player, nearest))
    return nearest_responses, nearest_units


def _gains(
    current_payoffs: np.ndarray, responses: Sequence[Response], units: Sequence[Unit]
) -> _DeviationGains:
    """Return the gains of best responses; strategies moved to for a unit are deviations too."""
    attained = np.maximum([unit.best for unit in units], [response.payoff for response in responses])
    highest = np.maximum(attained, [response.supremum for response in responses])
    bounds = np.array([response.bound for response in responses])
    return _DeviationGains(current_payoffs, attained, highest, bounds)


def _allowance(
    game: Game,
    x: np.ndarray,
    gains: _DeviationGains,
    responses: Sequence[Response],
    units: Sequence[Unit],
    tolerance: float,
) -> _Allowance:
    """Return the largest gains of an equilibrium: by tolerance, rounding of payoffs, and errors of bounds.

    Errors of bounds and rounding of choices count where tolerance and rounding of payoffs do not suffice.
    """
    regret, bound = gains.regret, gains.bound
    limits = np.fmax(np.where(np.isfinite(bound), bound, regret), np.abs(gains.current))
    sizes = np.array([unit.capped(limit) for unit, limit in zip(units, limits, strict=True)])
    rounded = _rounding_of_payoffs(game, x, gains, units)
    allowed, hidden = tolerance * sizes + rounded, np.zeros(len(sizes))
    if np.any(np.fmax(regret, bound) > allowed):
        error = np.array([response.error for response in responses])
        if isinstance(game.space, Box):
            strategies = np.array([response.strategy for response in responses])
            gain_change, hidden = _rounding_of_choices(game, game.space, x, strategies)
            error = error + gain_change
        # a regret above rounding is no error of rounding, so less than it is allowed
        allowed = allowed + np.where(regret > rounded, np.minimum(error, regret / 2), error)
    return _Allowance(sizes, rounded, hidden, allowed)


def _decided_gains(
    gains: _DeviationGains, allowance: _Allowance, units: Sequence[Unit]
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return regrets and bounds ``[player]``, and a note; NaN and infinity where rounding hides a gain."""
    regret, bound = gains.regret, gains.bound
    # without payoffs at x no gain is defined, and none is excluded
    if not np.isfinite(gains.current).all():
        regret, bound = np.full_like(regret, np.nan), np.full_like(bound, np.inf)
    # of payoffs whose digits are lost to a constant, or to rounding of choices, small gains are unknown
    is_gain = regret > allowance.allowed
    largest = np.array([unit.largest for unit in units])
    is_lost_to_constant = (largest > 0) & (allowance.rounded > APPROXIMATE * largest)
    is_lost = np.where(is_gain, regret <= allowance.hidden, is_lost_to_constant)
    if not np.any(is_lost):
        return regret, bound, ""
    uncertain = np.where(is_gain, allowance.hidden, allowance.rounded)
    note = (
        f"; payoffs are rounded to {np.max(uncertain[is_lost]):.2g}, and another choice costs "
        f"{np.max(largest[is_lost]):.2g}"
    )
    return np.where(is_lost, np.nan, regret), np.where(is_lost, np.inf, bound), note


def _note_of_supremum(gains: _DeviationGains, regret: np.ndarray, allowed: np.ndarray) -> str:
    """Return a note on the first player whose gains approach a supremum that no strategy attains."""
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        is_approached = gains.highest - gains.attained > allowed
    if not np.any(is_approached):
        return ""
    player = int(np.argmax(is_approached))
    return f"; {NO_BEST_RESPONSE}: gains of player {player} approach {regret[player]:.3g}"


def _rounding_of_bound(responses: Sequence[Response], bound: np.ndarray) -> Rounding:
    """Return the kind of rounding of all bounds; floating point where they differ in it."""
    if not np.isfinite(bound).any():
        return ""
    roundings = {response.rounding for response in responses}
    return roundings.pop() if len(roundings) == 1 else "floating point"


def _allowed_near(
    game: Game,
    x: np.ndarray,
    responses: Sequence[Response],
    regret: np.ndarray,
    allowance: _Allowance,
    tolerance: float,
) -> np.ndarray:
    """Return the largest gains of an equilibrium ``[player]``: no more than rounding by distant responses.

    Where both ends of a range are far, any gain is small beside the unit, but not beside the choices.
    """
    strategies = np.array([response.strategy for response in responses])
    is_distant = np.any(visibly_apart(game.space, x, strategies, tolerance), axis=1)
    no_more_than_rounding = np.minimum(allowance.rounded, allowance.allowed)
    return np.where(is_distant & (regret > allowance.rounded), no_more_than_rounding, allowance.allowed)


def _refuse_contradicted_bounds(
    game: Game, x: Any, gains: _DeviationGains, responses: Sequence[Response], proof: bool
) -> None:
    """Raise `ValueError` for a bound on payoffs that a payoff exceeds."""
    for player, response in enumerate(responses):
        highest = gains.highest[player]
        # a profile that is outside the space by rounding contradicts no bound
        if gains.current[player] > response.bound + ROUNDING * abs(response.bound):
            inside = concrete_profile(game, np.asarray(game.space.project(put(np.asarray(x)))))
            highest = max(highest, payoffs(game, inside)[player])
        # of outward bounds the engine is the source, unless a registered proof has answered alone
        is_engine = response.rounding == "outward" and (proof or not proved_response.knows(game))
        source = "" if is_engine else source_of_bound(game)
        refuse_above(game, x, player, source, highest, response.strategy, response.bound)


def _rounding_of_payoffs(
    game: Game, x: np.ndarray, gains: _DeviationGains, units: Sequence[Unit]
) -> np.ndarray:
    """Return a bound on the rounding errors of gains, ``[player]``."""
    if rounding_error.knows(game):
        rounded = np.array([rounding_error(game, x, player) for player in range(len(x))])
    else:
        rounded = ROUNDING * np.maximum(np.abs(gains.highest), np.abs(gains.current))
        rounded = np.where(np.isfinite(rounded), np.maximum(rounded, VANISHING), 0.0)
    # payoffs of other ordinary choices are rounded too, also where that at x is 0
    ordinary = np.array([unit.size for unit in units])
    return np.maximum(rounded, EPS * np.where(np.isfinite(ordinary), ordinary, 0.0))


def _rounding_of_choices(
    game: Game, space: Box, x: np.ndarray, best_responses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of gains and of payoffs, ``[player]``, by rounding of all choices.

    A gain is that from ``x`` to a best response. Choices move towards the middles of their ranges by
    `ROUNDING` times their size, as of 1 - x at x = 1, once and twice.
    """
    low, high = np.asarray(space.low), np.asarray(space.high)
    shift = np.sign((low + high) / 2 - x) * ROUNDING * np.abs(x)
    profiles = np.stack([np.clip(x + step * shift, low, high) for step in range(3)])
    # [step player]
    current, best = np.empty((2, 3, len(x)))
    for player in range(len(x)):
        deviations = profiles.copy()
        deviations[:, player] = best_responses[player]
        rows = np.concatenate([profiles, deviations])
        current[:, player], best[:, player] = payoffs_of(Together([game]), rows[None], player).reshape(2, 3)
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        return _change_by_rounding(best - current), _change_by_rounding(current)


def _change_by_rounding(values: np.ndarray) -> np.ndarray:
    """Return the linear change ``[player]`` of values ``[step player]`` after no, one and two steps.

    Both changes include a jump beside the profile, so that their difference leaves it out.
    """
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        once, twice = np.abs(values[1:] - values[0])
        change = np.fmin(twice - once, 1.5 * once)
    return np.where(np.isfinite(change), np.maximum(change, 0.0), 0.0)


def _with_proof(game: Game, x: Any, result: Certificate) -> Certificate:
    """Return the certificate with a proved distance to an equilibrium, or the reason why none is proved.

    If the equilibrium that is proved is visibly apart, the certificate keeps no distance, and its gains are
    allowed no more than rounding.
    """
    from rivalry.proofs.maxima import maximum_near  # loads JAX
    from rivalry.proofs.points import equilibrium_near

    # with more axes a proof would search as many boxes as a bound with outward rounding, which is not tried
    searchable = checked_parts(game) or all(few_axes(game, player) for player in range(len(x)))
    if result.claim == "not an equilibrium" or not searchable:
        return result
    try:
        radius, reason = equilibrium_near(game, np.asarray(x))
        # a maximum at a kink; without a small bound on gains the boxes around it are not decided either
        may_be_kink = radius is None and len(x) == 1 and result.claim == "equilibrium"
        distance = maximum_near(game, np.asarray(x)) if may_be_kink else None
        if distance is not None:
            radius, reason = distance, ""
    except Unsupported as error:
        radius, reason = None, str(error)
    if radius is not None and reason:
        assert result.payoff is not None
        # the equilibrium is visibly apart
        rounded = ROUNDING * (2 * np.abs(result.payoff) + np.asarray(result.at_stake))
        allowed = np.where(result.regret > rounded, np.minimum(rounded, result.tolerance), result.tolerance)
        result = result._replace(tolerance=allowed)
        radius = None
    if radius is None:
        return result if reason in result.method else result._replace(method=f"{result.method}; {reason}")
    proved = result.rounding == "outward" and result.claim == "equilibrium"
    return result._replace(radius=radius, coverage="proved" if proved else result.coverage)
