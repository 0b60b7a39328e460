"""Whether the unit of karma matters: the bids of an economy beside those of one with more of everything."""

from __future__ import annotations

from typing import Annotated, Any

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt

from rivalry.game import PopulationGame
from rivalry.methods.population.equilibrium import equilibrium
from rivalry.results import Record


class ScalingLaw(eqx.Module):
    """Mean bids at the logit equilibrium, beside those with ``factor`` times as much karma and room.

    The law says ``b(k; kbar) = b(a k; a kbar, a kmax)/a``. Bids are whole numbers, so it holds to about half
    a unit. The record has ``scaling_gap`` (player, private, karma), its largest entry ``largest_scaling_gap``
    and ``mean_scaling_gap``, and both economies' mean bids. For populations that can be ``scaled(factor)``.
    Raises `ValueError` where an equilibrium is not found.

    Source: Vaishampayan (ETH Zurich 2024), appendix B.

    >>> import rivalry as rv
    >>> found = rv.learn(rv.games.karma(kmax=2, kbar=1.0), ScalingLaw(beta=5.0))
    >>> found.data.scaling_gap.shape, bool(found.data.largest_scaling_gap < 0.5)
    ((1, 2, 3), True)
    """

    beta: Annotated[float, Gt(0), "inverse temperature of the equilibria, per unit of payoff"] = 100.0
    factor: Annotated[int, Ge(2), "how much more karma there is in the second economy"] = 2

    @classmethod
    def fits(cls, game: Any) -> bool:
        """For populations that can be scaled."""
        return isinstance(game, PopulationGame) and hasattr(game, "scaled")

    def world(self, game: Any) -> Any:
        """The game itself."""
        return game

    def length(self, world: Any) -> int:
        """Two equilibria."""
        return 2

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        """Nothing is drawn. Raises `ValueError` for a game that cannot be scaled."""
        if not self.fits(world):
            raise ValueError(f"game: {type(world).__name__} must be a population that can be scaled")
        world.scaled(self.factor)
        return {"policy0": np.zeros(0), "policy1": np.zeros(0)}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        """One equilibrium after the other."""
        for k, game in enumerate((world, world.scaled(self.factor))):
            if session[f"policy{k}"].size:
                continue
            policy, _, residual = equilibrium(game, self.beta)
            if not residual <= 1e-9:
                raise ValueError(f"beta: at {self.beta:g} no equilibrium was found (residual {residual:.1e})")
            session[f"policy{k}"] = policy
            return 1
        return 0

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        """The gap, where both are known."""
        bids = []
        for k, game in enumerate((world, world.scaled(self.factor))):
            if not session[f"policy{k}"].size:
                return {}
            bids.append((session[f"policy{k}"] @ np.arange(game.shape[2])).reshape(game.shape))
        gap = np.abs(bids[1][..., :: self.factor] / self.factor - bids[0])
        dims = ("player", "private", "karma")
        return {
            "scaling_gap": (dims, gap),
            "largest_scaling_gap": ((), gap.max()),
            "mean_scaling_gap": ((), gap.mean()),
            "mean_bid": (dims, bids[0]),
            "mean_bid_scaled": (("player", "private", "karma_scaled"), bids[1]),
        }
