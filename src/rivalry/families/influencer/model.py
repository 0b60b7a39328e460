"""The influencer game: its data, shares of the resource and payoffs.

A *row* is anything with influence: first the players, then the third party (if any), then abstention.
Everything is computed from the logarithm of influence, so that nothing underflows.
"""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.oracles import at_home
from rivalry.core.space import Box, PerPlayer, Profile, Scalar, Simplex
from rivalry.core.tree import payoff_method, static
from rivalry.families.influencer.kernels import ChosenReach, Kernel, squared_distance
from rivalry.runtime.jax import jax, jnp
from rivalry.text.display import Description, OneLineRepr


class InfluencerGame(OneLineRepr, eqx.Module):
    """A game of players that choose positions; each point's resource is shared in proportion to influence.

    The shares ``G [row point]`` are the softmax over rows of ``log f``, and the payoff of a row is
    ``sum_k B_k G_k``. All rows together get ``sum_k B_k``, less the cost of chosen reaches. Use `influencer`
    to make a game: it validates every number.

    Attributes
    ----------
    space : Box or Simplex
        The positions of players. A chosen reach is the last axis.
    points : Array
        The points of the resource, ``b [point axis]``.
    weights : Array
        The resource at each point, ``B [point]``.
    kernel : Kernel
        The logarithm of each player's influence; its parameters are also attributes of the game.
    budgets : Array
        Factors of each player's influence, ``[player]``.
    third_party : Array or None
        Influence of the third party, ``[point]``.
    abstention : Array or None
        The factor Q of abstention's influence, ``Q prod_j |b - x_j|^2``.
    zero_influence : {"error", "share", "lost"}
        Treatment of the resource at a point where no row has influence.
    reach_cost : Array or None
        Cost per unit of a chosen reach, ``[player]``.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.14, 0.14], resource="bimodal")
    >>> game.payoffs(game.space.check([0.1, 0.9])).round(6).tolist()
    [24.728113, 24.728113]
    """

    space: Box | Simplex
    points: Float[Array, "point axis"]
    weights: Float[Array, "point"]
    kernel: Kernel
    budgets: PerPlayer
    third_party: Float[Array, "point"] | None
    abstention: Scalar | None
    zero_influence: Literal["error", "share", "lost"] = static(default="error")
    reach_cost: PerPlayer | None = None

    def _title_and_parameters(self) -> Description:
        parameters: dict[str, Any] = {"kernel": type(self.kernel).__name__, **self.kernel.parameters}
        if isinstance(self.kernel, ChosenReach):
            parameters["reach"] = "chosen, the last axis"
        parameters["resource"] = f"{float(np.asarray(self.weights).sum()):.6g} at {len(self.points)} points"
        if self.third_party is not None:
            parameters["third party"] = np.asarray(self.third_party)
        if self.abstention is not None:
            parameters["abstention"] = np.asarray(self.abstention)
        return f"Influencer game of {self.players} players on {_describe(self.space)}", parameters

    def __getattr__(self, name: str) -> Any:
        # the kernel's fields and parameters are attributes of the game: with_(game, reach=0.2) and game.reach
        # by __dict__: while an object is copied or unpickled `self.kernel` would recurse
        kernel = self.__dict__.get("kernel")
        if isinstance(kernel, Kernel) and not name.startswith("_"):
            fields = {**vars(kernel), **kernel.parameters}
            if name in fields:
                return fields[name]
        raise AttributeError(f"this influencer game has no {name!r}")

    @property
    def players(self) -> int:
        """The number of players."""
        return self.space.shape[0]

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return each player's payoff at the profile ``x [player axis]``, in units of the resource."""
        return self.all_payoffs(x)[: x.shape[0]]

    def all_payoffs(self, x: Profile) -> Float[Array, "row"]:
        """Return the payoff of every row, the third party and abstention included."""
        payoffs = self.shares(x) @ self.weights
        return payoffs if self.reach_cost is None else payoffs.at[: len(x)].add(-self.reach_cost * x[:, -1])

    def shares(self, x: Profile) -> Float[Array, "row point"]:
        """Return ``G``, every row's share of the resource at every point.

        Where no row has influence the players share equally, or the resource is lost, according to
        ``zero_influence``. With ``error`` this raises `ValueError`; compiled code returns NaN instead.
        """
        shares, _ = self.divide(self.kernel.logs(x, self.points), x)
        self.check_shares(shares)
        return shares

    def log_influence(self, x: Profile) -> Float[Array, "row point"]:
        """Return ``log f`` of every row at every point; minus infinity where a row has no influence."""
        return self._rows(self.kernel.logs(x, self.points), x)

    def divide(
        self, logs_of_players: Float[Array, "player point"], x: Profile
    ) -> tuple[Float[Array, "row point"], Float[Array, "point"]]:
        """Shares and the logarithm of total influence, from logarithms of each player's influence."""
        logs = self._rows(logs_of_players, x)
        # shares do not depend on what is subtracted from all logarithms, so neither do derivatives
        top = jnp.max(logs, axis=0)
        is_empty = jnp.isneginf(top)
        top = jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0.0))
        if self.zero_influence != "error":
            # no 0 / 0 in the branch not chosen: its derivative would be NaN, and NaN times 0 is NaN
            logs = jnp.where(is_empty, 0.0, logs)
        parts = jnp.exp(logs - top)
        total = jnp.sum(parts, axis=0)
        if self.zero_influence != "error":
            players = x.shape[0]
            equal_share = 1.0 / players if self.zero_influence == "share" else 0.0
            # outside rows, after the players, get nothing
            fill = jnp.where(jnp.arange(len(logs)) < players, equal_share, 0.0)[:, None]
            return jnp.where(is_empty, fill, parts / total), jnp.where(is_empty, 0.0, top + jnp.log(total))
        return parts * (1 / total), top + jnp.log(total)

    def check_shares(self, shares: Float[Array | ndarray, "row point"]) -> None:
        """Raise `ValueError` if ``zero_influence`` is ``error`` and no row has influence at a point."""
        if self.zero_influence != "error" or isinstance(shares, jax.core.Tracer):
            return
        empty = np.flatnonzero(np.isnan(np.asarray(shares)).all(axis=0))
        if empty.size:
            at = np.asarray(self.points)[empty[0]].tolist()
            raise ValueError(
                f"zero_influence: all influence is 0 at resource point {empty[0]}, {at}; "
                "'share' divides it equally, 'lost' gives it to nobody"
            )

    def _rows(self, log_influence: Float[Array, "player point"], x: Profile) -> Float[Array, "row point"]:
        rows = [log_influence + jnp.log(self.budgets)[:, None]]
        if self.third_party is not None:
            rows.append(jnp.log(self.third_party)[None])
        if self.abstention is not None:
            squares = squared_distance(x, self.points)
            # the derivative of log 0 is set to 0: the row's share has a finite, vanishing derivative there
            logs = jnp.where(squares > 0, jnp.log(jnp.where(squares > 0, squares, 1.0)), -jnp.inf)
            rows.append((jnp.log(self.abstention) + jnp.sum(logs, axis=0))[None])
        return jnp.concatenate(rows) if len(rows) > 1 else rows[0]


def _describe(space: Box | Simplex) -> str:
    """Return the space in words."""
    if isinstance(space, Simplex):
        return f"the simplex of {space.shape[1]} corners"
    edges = zip(np.asarray(space.low)[0], np.asarray(space.high)[0], strict=True)
    return " × ".join(f"[{low:g}, {high:g}]" for low, high in edges)


at_home(InfluencerGame, "rivalry.families.influencer.oracles")
