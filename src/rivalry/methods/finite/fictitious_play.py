"""Fictitious play of a finite game."""

from __future__ import annotations

from rivalry.methods.finite.regret_matching import SampledPlay


class FictitiousPlay(SampledPlay):
    """Fictitious play: every player plays a best response to the past play of the others, ties random (Brown
    1951).

    With more than two players the response is to the others' joint empirical play. The first period is
    random, or with ``start`` drawn from that profile. The record is that of `RegretMatching`. The empirical
    play approaches equilibrium in zero-sum games (Robinson 1951) and potential games (Monderer and Shapley
    1996); elsewhere it need not (Shapley 1964).

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("matching_pennies"), FictitiousPlay(), max_steps=20_000)
    >>> bool(abs(solution.profile - 0.5).max() < 0.02)
    True
    """

    def _rule(self) -> str:
        return "FICTITIOUS"
