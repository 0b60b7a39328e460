"""Scaling of bids in karma, for the studies `karma_scaling` and `karma_sublinearity`.

Karma has no other use. If all karma is multiplied by ``a``, bids should be multiplied by ``a`` as well:
``b(u, a k; a m, a n) = a b(u, k; m, n)``, where ``m`` is the mean and ``n`` the largest karma. If in addition
bids increase in ``m``, then ``b(u, a k; m) = a b(u, k; m/a) <= a b(u, k; m)`` for ``a > 1``: bids are
sublinear in own karma. Both statements concern continuous karma; integer bids satisfy them up to about half a
unit.

Source: Vaishampayan (ETH Zurich 2024), appendix B.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Gt, Lt
from numpy import ndarray

from rivalry.core.results import Record, scalar
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.runtime.jax import floats
from rivalry.studies.karma_constants import EconomyComputation

BID = ("player", "private", "karma")
SLACK = 0.5  # the largest deviation of integer bids from those of continuous karma
FACTOR = 2  # ratio of karma between the two economies of the scaling law
FILL = (0.1, 0.2, 0.3, 0.4, 0.5)  # mean karma of economies as a fraction of the largest amount


class Gap(NamedTuple):
    """Deviations of two economies from the scaling law, in units of karma of the smaller one."""

    max: float
    mean: float
    factor: int  # of the scales
    gaps: ndarray  # [private karma], of the smaller economy's states


def scaling_gap(bids: object, larger: object) -> Gap:
    """Return the deviation of mean bids from the scaling law, ``|b(u, a k; larger)/a - b(u, k)|``.

    Parameters
    ----------
    bids, larger : array_like
        Mean bids at karma 0, 1, .., ``[.. karma]``. The factor ``a`` is the ratio of the largest karma.

    Returns
    -------
    Gap
        Largest and mean deviation, the factor, and all deviations ``[.. karma]``.

    References
    ----------
    Vaishampayan (2024), appendix B.

    Examples
    --------
    >>> scaling_gap([[0.0, 1.0, 1.5]], [[0.0, 0.0, 2.0, 3.0, 4.0]])[:3]
    (0.5, 0.16666666666666666, 2)
    """
    small, large = floats(bids), floats(larger)
    factor = (large.shape[-1] - 1) // (small.shape[-1] - 1)
    gaps = np.abs(large[..., ::factor] / factor - small)
    return Gap(float(gaps.max()), float(gaps.mean()), factor, gaps)


class Growth(NamedTuple):
    """The largest violations of the premise and of the conclusion of lemma A.1, in units of karma."""

    falls: float  # the largest fall of a mean bid from one mean karma to a larger one
    exceeds: float  # the largest b(u, a k) - a b(u, k), a = 2, 3, ..
    monotone: bool  # bids increase in the mean karma, within the slack
    sublinear: bool


def sublinearity(bids: object) -> Growth:
    """Return the largest violations of premise and conclusion of lemma A.1 in bids ``[economy .. karma]``.

    The economies differ only in mean karma, which increases. Two integer bids can show a decrease of twice
    the `SLACK` and an excess of ``1 + a`` times the slack; more violates the premise or the conclusion.

    >>> sublinearity([[0.0, 1.0, 1.5, 2.0], [0.0, 1.0, 2.0, 2.5]])
    Growth(falls=0.0, exceeds=0.0, monotone=True, sublinear=True)
    """
    table = floats(bids)
    falls = float(np.max(table[:-1] - table[1:], initial=0.0))
    exceeds, relative_excess = 0.0, 0.0
    # both bids may be off by the slack, and the smaller one counts `factor` times
    for factor in range(2, table.shape[-1]):
        scaled = table[..., ::factor]
        over = float(np.max(scaled - factor * table[..., : scaled.shape[-1]], initial=0.0))
        exceeds, relative_excess = max(exceeds, over), max(relative_excess, over / (1 + factor))
    return Growth(falls, exceeds, falls <= 2 * SLACK, relative_excess <= SLACK)


class EquilibriumComparison(EconomyComputation):
    """Base class that compares mean bids at the logit equilibria of several variants of an economy."""

    beta: Annotated[float, Gt(0), Lt(np.inf), "inverse temperature of the equilibria, per unit of payoff"] = (
        100.0
    )

    def economies(self, game: object) -> list[Any]:
        """Return the economies to compare."""
        raise NotImplementedError

    def comparison(self, game: object, bids: list[ndarray]) -> Record:
        """Return the record of their mean bids, each ``[player private karma]``."""
        raise NotImplementedError

    def length(self, world: object) -> int:
        """Return the number of economies; one step is one equilibrium."""
        return len(self.economies(world))

    def begin(self, world: object, stream: np.random.SeedSequence) -> dict[str, ndarray]:
        """Return an initial session; nothing is random."""
        return {f"policy{k}": np.zeros(0) for k in range(self.length(world))}

    def advance(self, world: object, session: dict[str, ndarray], steps: int) -> int:
        """Compute further equilibria, at most ``steps``."""
        solved = 0
        for k, game in enumerate(self.economies(world)):
            if session[f"policy{k}"].size or solved == steps:
                continue
            policy, _, residual = equilibrium(game, self.beta)
            if not residual <= 1e-9:
                raise ValueError(f"beta: at {self.beta:g} no equilibrium was found (residual {residual:.1e})")
            session[f"policy{k}"] = policy
            solved += 1
        return solved

    def read(self, world: object, session: dict[str, ndarray]) -> Record:
        """Return the comparison once all equilibria are known."""
        bids = []
        for k, game in enumerate(self.economies(world)):
            if not session[f"policy{k}"].size:
                return {}
            bids.append((session[f"policy{k}"] @ np.arange(game.shape[2])).reshape(game.shape))
        return self.comparison(world, bids)


class ScalingLaw(EquilibriumComparison):
    """Compare mean bids at the logit equilibrium with those at twice the mean and largest karma.

    The scaling law is ``b(k; m, n) = b(a k; a m, a n)/a``, where ``m`` is the mean and ``n`` the largest
    karma. Bids are integers, so it holds up to about half a unit. The record has ``scaling_gap`` (player,
    private, karma), its largest entry ``largest_scaling_gap`` and ``mean_scaling_gap``, and both economies'
    mean bids.

    Raises
    ------
    ValueError
        Where an equilibrium is not found.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), appendix B.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.karma(max_karma=2, mean_karma=1.0), ScalingLaw(beta=5.0))
    >>> solution.data.scaling_gap.shape, bool(solution.data.largest_scaling_gap < 0.5)
    ((1, 2, 3), True)
    """

    def economies(self, game: Any) -> list[Any]:
        """Return the game and the scaled game."""
        return [game, game.rescale(FACTOR)]

    def comparison(self, game: object, bids: list[ndarray]) -> Record:
        """Return the deviations from the scaling law."""
        gap = scaling_gap(*bids)
        return {
            "scaling_gap": (BID, gap.gaps),
            "largest_scaling_gap": scalar(gap.max),
            "mean_scaling_gap": scalar(gap.mean),
            "mean_bid": (BID, bids[0]),
            "mean_bid_scaled": ((*BID[:2], "karma_scaled"), bids[1]),
        }


def _means(game: Any) -> list[float]:
    return [part * (game.shape[2] - 1) for part in FILL]


class Sublinearity(EquilibriumComparison):
    """Compare mean bids at the logit equilibria of economies with increasing mean karma and equal maximum.

    If bids increase in the mean karma ``m``, ``b(k; m/a) <= b(k; m)``, the scaling law implies that they are
    sublinear in own karma: ``b(a k) <= a b(k)``. ``largest_fall`` and ``largest_excess`` are the largest
    violations of the premise and of the conclusion, in units of karma; ``bids_rise`` and ``sublinear`` report
    whether rounding of bids by at most half a unit explains them. ``mean_bid`` has one row per economy, with
    mean karma ``mean_karma``.

    Raises
    ------
    ValueError
        Where an equilibrium is not found.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), lemma A.1.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=1.0)
    >>> solution = rv.solve(game, Sublinearity(beta=5.0))
    >>> solution.data.mean_karma.values.tolist(), bool(solution.data.sublinear)
    ([0.4, 0.8, 1.2, 1.6, 2.0], True)
    """

    def economies(self, game: Any) -> list[Any]:
        """Return the game with each mean karma."""
        return [game.with_mean_karma(mean) for mean in _means(game)]

    def comparison(self, game: Any, bids: list[ndarray]) -> Record:
        """Return the violations of premise and conclusion."""
        result = sublinearity(np.stack(bids))
        return {
            "urgency": (BID[:2], np.asarray(game.stakes)),
            "mean_karma": (("mean_karma",), np.asarray(_means(game))),
            "mean_bid": (("mean_karma", *BID), np.stack(bids)),
            "largest_fall": scalar(result.falls),
            "largest_excess": scalar(result.exceeds),
            "bids_rise": scalar(result.monotone),
            "sublinear": scalar(result.sublinear),
        }
