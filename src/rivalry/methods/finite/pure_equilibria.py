"""All pure equilibria of a finite game, by enumeration of joint actions."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import exact_tables, stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, none_exists, scalar
from rivalry.tables.exact import best_responses, pure_equilibria


class PureEquilibria(BaseLearner):
    """All pure equilibria of a finite game: joint actions at which no player gains by another action.

    One step checks one player on all joint actions. Payoffs that differ by four units in the last place at
    most are equal; whole numbers and fractions that doubles do not hold are compared exactly. The record
    holds ``equilibria`` (equilibrium, player, action), row-major by joint action, ``equilibrium_payoff``,
    ``equilibrium_count`` and ``complete``, false since mixed ones are not searched; the profile is the first.
    If there is none, the status and the claim are ``none exists``.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("chicken"), PureEquilibria())
    >>> int(solution.data.equilibrium_count), solution.claim
    (2, 'equilibrium')
    """

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        joint = stateless_tables(world)[0].size
        return {"stable": np.ones(joint, bool), "checked": np.array([0])}

    def advance(self, world: object, session: Session, steps: int) -> int:
        tables = exact_tables(world)
        begin = int(session["checked"][0])
        end = min(begin + steps, len(tables))
        for player in range(begin, end):
            session["stable"] &= best_responses(tables, player).ravel()
        session["checked"][0] = end
        return end - begin

    def read(self, world: object, session: Session) -> Record:
        tables = stateless_tables(world)
        sizes = tables.shape[1:]
        if session["checked"][0] < len(tables):
            no_profiles = np.zeros((0, len(sizes), max(sizes)))
            return equilibria_record(
                tables, no_profiles, "iteration limit", False, "not all players were checked"
            )
        equilibria = profiles_of(session["stable"].reshape(sizes))
        reason = "every pure equilibrium; mixed ones were not sought"
        record = equilibria_record(tables, equilibria, "converged", False, reason)
        if len(equilibria):
            return record
        checked = "all joint actions were checked; a mixed equilibrium exists, and was not sought"
        return record | none_exists("equilibrium in pure strategies") | {"complete_reason": scalar(checked)}


def pure_profiles(tables: ndarray) -> ndarray:
    """Return all pure equilibria [equilibrium player action] of tables [player action_0 ..]."""
    return profiles_of(pure_equilibria(tables))


def equilibria_record(
    tables: ndarray, equilibria: ndarray, status: str, complete: bool, reason: str
) -> Record:
    """Return the record of equilibria [equilibrium player action], the first of which is the profile."""
    undefined = np.full(equilibria.shape[1:], np.nan)
    status = "not found" if status == "converged" and not len(equilibria) else status
    pays = [[float(expected_over(table, x, ())) for table in tables] for x in equilibria]
    return {
        "profile": (("player", "axis"), equilibria[0] if len(equilibria) else undefined),
        "status": scalar(status),
        "equilibria": (("equilibrium", "player", "action"), equilibria),
        "equilibrium_payoff": (("equilibrium", "player"), np.reshape(pays, (len(equilibria), len(tables)))),
        "equilibrium_count": scalar(len(equilibria)),
        "complete": scalar(complete),
        "complete_reason": scalar(reason),
    }


def support_order(equilibria: ndarray) -> list[int]:
    """Return the order of equilibria that all lists have: smallest supports first, then by action."""
    # it does not depend on the algorithm
    return sorted(
        range(len(equilibria)), key=lambda k: ((equilibria[k] > 0).sum(), (-equilibria[k]).ravel().tolist())
    )


def expected_over(table: ndarray, x: ndarray, remaining: tuple[int, ...]) -> ndarray:
    """Return a table averaged over the mixtures of all but the ``remaining`` players, axes in order."""
    expected = table
    # from the last axis on, so that the axes of the others keep their numbers
    for player in reversed(range(table.ndim)):
        if player not in remaining:
            expected = np.tensordot(expected, x[player, : table.shape[player]], axes=(player, 0))
    return expected


def profiles_of(mask: ndarray) -> ndarray:
    """Return the joint actions ``[action_0 ..]`` that are True, as profiles [equilibrium player action]."""
    joint = np.argwhere(mask)
    profiles = np.zeros((len(joint), mask.ndim, max(mask.shape)))
    np.put_along_axis(profiles, joint[:, :, None], 1.0, axis=2)
    return profiles
