"""Fictitious play of a finite game."""

from __future__ import annotations

from typing import ClassVar

from rivalry.methods.finite.regret_matching import SampledPlay


class FictitiousPlay(SampledPlay):
    """Every player plays a best response to what the others have played so far; ties are drawn (Brown 1951).

    With more than two players the reply is to the others' joint empirical play. The first period is drawn.
    The record is that of `RegretMatching`. The empirical play approaches equilibrium in zero-sum games
    (Robinson 1951) and games with a potential (Monderer and Shapley 1996); elsewhere it need not (Shapley
    1964).

    Examples
    --------
    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.matrix("matching_pennies"), FictitiousPlay(), max_steps=20_000)
    >>> bool(abs(found.profile - 0.5).max() < 0.02)
    True
    """

    rule: ClassVar[str] = "FICTITIOUS"
