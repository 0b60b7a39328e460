"""What must hold of a certificate, beside the deviations that the referee finds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

import rivalry as rv
from tests.referee.models import Case
from tests.referee.search import best

TOLERANCE = 1e-6  # the package's, of what a player can win or lose by its own choice
SEARCHED = 0.1  # of a gain: by how much a certificate may miss it that only a search stands behind
ROUNDING = 1e-9  # of a payoff's size: two ways of adding up the same numbers


def faults(case: Case, seed: int = 0) -> list[str]:
    """Return what is wrong with the package's certificate at a case's profile; no line where nothing is."""
    return verdict(case, seed).faults


class Verdict(NamedTuple):
    """What the referee says of a certificate.

    Attributes
    ----------
    faults
        Where it claims too much, one line each.
    claim
        The claim; "refused" where the package refused a wrong oracle by its name.
    understated
        Whether no player gains, and the claim is weaker than an equilibrium.
    """

    faults: list[str]
    claim: str
    understated: bool = False


def verdict(case: Case, seed: int = 0) -> Verdict:
    """Judge the package's certificate at a case's profile."""
    rng = np.random.default_rng(seed)
    game = case.make()
    x = case.place(game, case.profile)
    try:
        proof = rv.certificate(game, x, proof=case.misled)
    except ValueError as error:
        if case.misled and str(error).startswith(f"best_response of {type(game).__name__}: "):
            return Verdict([], "refused")
        raise
    theirs = np.asarray(game.payoffs(x))
    found = []
    gains, stakes = np.zeros(len(theirs)), np.zeros(len(theirs))
    for player, own in enumerate(theirs):
        here = float(case.payoff(case.profile, player, case.profile[player][None])[0])
        with np.errstate(all="ignore"):  # payoffs that are no numbers are passed over
            most, least = best(case, player, rng)
        # a payoff may be the difference of sums as large as the largest payoffs
        lost = 8 * np.finfo(float).eps * max(abs(most), abs(least), 1e-300)
        if not np.isclose(own, here, rtol=ROUNDING, atol=lost):
            found.append(f"player {player} is paid {own!r}, by the formula {here!r}")
        slack = ROUNDING * max(abs(most), abs(here))
        gains[player], stakes[player] = max(most - here, 0.0), max(most, here) - min(least, here)
        if gains[player] > proof.bound[player] + slack:
            found.append(f"player {player} gains {gains[player]:.6g}; stated bound {proof.bound[player]:.6g}")
        missed = 1e-3 * stakes[player]
        if proof.coverage == "lower bound":
            missed = max(missed, SEARCHED * gains[player])
        if gains[player] - proof.regret[player] > missed + 10 * slack:
            found.append(
                f"player {player} gains {gains[player]:.6g} of {stakes[player]:.6g}; "
                f"stated regret {proof.regret[player]:.6g} ({proof.method})"
            )
        if case.attained and not np.isfinite(proof.regret[player]):
            found.append(f"player {player}: regret {proof.regret[player]!r}")
    tiny = np.all(gains <= 1e-3 * TOLERANCE * stakes + 2 * np.finfo(float).eps * np.abs(theirs))
    return Verdict(
        found + _claims(proof.claim, gains, stakes, theirs),
        proof.claim,
        bool(tiny) and proof.claim != "equilibrium",
    )


def _claims(claim: str, gains: np.ndarray, stakes: np.ndarray, payoffs: np.ndarray) -> Sequence[str]:
    """Return a line where the claim says more than the gains allow."""
    allowed = {"equilibrium": TOLERANCE, "approximate equilibrium": 0.01, "no deviation found": TOLERANCE}
    if claim not in allowed:
        return []
    # twice: the stakes are what two searches saw
    most = 2 * allowed[claim] * stakes + 128 * np.finfo(float).eps * np.abs(payoffs) + 1e-300
    worst = int(np.argmax(gains / most))
    if gains[worst] <= most[worst]:
        return []
    return [f"{claim!r}, but player {worst} gains {gains[worst]:.6g} of {stakes[worst]:.6g}"]
