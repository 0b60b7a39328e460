"""The influencer game: shares in logarithms, payoffs, own gradients and their Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import Record
from rivalry.core.jax import jax, jnp, put
from rivalry.core.registry import near
from rivalry.core.space import Box, Profile, Simplex, Strategy
from rivalry.games.influencer.contest import contest
from rivalry.games.influencer.deviations import available, candidates, ceiling, payoff_against
from rivalry.games.influencer.kernels import ChosenReach, Custom, Kernel, apart, square
from rivalry.games.influencer.plot_data import VIEWS, measures, view
from rivalry.tables.kernels.shapes import Contest

STARTS = {
    2: [0.1, 0.9],
    3: [0.1, 0.4, 0.9],
    4: [0.1, 0.4, 0.7, 0.9],
    5: [0.1, 0.3, 0.4, 0.7, 0.9],
    6: [0.1, 0.3, 0.4, 0.6, 0.7, 0.9],
    7: [0.1, 0.3, 0.4, 0.2, 0.6, 0.7, 0.9],
    8: [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9],
    9: [0.1, 0.25, 0.3, 0.35, 0.45, 0.65, 0.75, 0.7, 0.9],
    10: [0.1, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.9],
    11: [0.1, 0.2, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.9],
    12: [0.1, 0.2, 0.25, 0.3, 0.35, 0.45, 0.6, 0.65, 0.75, 0.7, 0.8, 0.9],
    16: [p for p in (0.115, 0.21, 0.29, 0.391, 0.609, 0.71, 0.79, 0.885) for _ in range(2)],  # eight pairs
}


class InfluencerGame(eqx.Module):
    """Every point ``b_k`` holds ``B_k``; a player's share there is its part of all influence.

    Rows are the players, then a third party (where there is one), then abstention. The shares ``G`` are
    the softmax of all rows' ``log f`` at each point and the payoff of a row is ``sum_k B_k G_k``; all rows
    sum to ``sum B``. Where players choose their reach, it is the last axis of a profile, and ``reach_cost``
    times it is taken from their payoffs. Made by `influencer`, which checks every number.

    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.14, 0.14], resource="bimodal")
    >>> game.payoffs(game.named_start("paper_default")).round(6).tolist()
    [24.728113, 24.728113]
    """

    space: Box | Simplex
    points: Float[Array, "point axis"]
    weights: Float[Array, "point"]
    kernel: Kernel
    budgets: Float[Array, "player"]
    third_party: Float[Array, "point"] | None
    abstention: Float[Array, ""] | None
    zero_influence: Literal["error", "share", "lost"] = eqx.field(static=True, default="error")
    reach_cost: Float[Array, "player"] | None = None

    def __repr__(self) -> str:
        try:
            where = _where(self.space)
            numbers = {name: np.asarray(value) for name, value in self.kernel_parameters.items()}
            there = float(np.asarray(self.weights).sum())
        except (AttributeError, IndexError, TypeError, jax.errors.TracerArrayConversionError):
            return str(eqx.tree_pformat(self))  # inside a transformation: shapes are all there is
        lines = [f"Influencer game of {self.players} players on {where}"]
        lines += [f"  kernel {type(self.kernel).__name__}"]
        lines[-1] += "".join(
            f", {k} {' '.join(np.array2string(v, precision=6).split())}" for k, v in numbers.items()
        )
        lines += [f"  resource {there:.6g} in all, at {len(self.points)} points"]
        lines += ["  with a third party"] * (self.third_party is not None)
        lines += ["  with abstention"] * (self.abstention is not None)
        lines += ["  who choose their reach, the last axis"] * isinstance(self.kernel, ChosenReach)
        return "\n".join(lines)

    def __getattr__(self, name: str) -> Any:
        # the kernel's parameters are the game's own: with_(game, reach=0.2) and game.reach
        if not name.startswith("_"):
            kernel = self.__dict__.get("kernel")
            parameters = getattr(kernel, "parameters", {})
            if name in parameters:
                return parameters[name]
            if name in getattr(type(kernel), "__dataclass_fields__", {}):
                return getattr(kernel, name)
        raise AttributeError(f"this influencer game has no {name!r}")

    @property
    def players(self) -> int:
        """How many play."""
        return self.space.shape[0]

    @property
    def kernel_parameters(self) -> dict[str, Array]:
        """The kernel's numbers, one entry a player each."""
        if isinstance(self.kernel, Custom):
            return dict(self.kernel.parameters)
        names = ("reach", "variance", "covariance", "exponent", "alpha")
        return {name: getattr(self.kernel, name) for name in names if hasattr(self.kernel, name)}

    @property
    def scale(self) -> Float[Array, ""]:
        """The whole resource, ``sum B``: what payoffs are compared with."""
        if isinstance(self.weights, jax.core.Tracer):
            return self.weights.sum()
        return put(np.asarray(self.weights).sum())  # no program of its own for one sum

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """What each player gets, in units of the resource."""
        return self.all_payoffs(x)[: x.shape[0]]

    def all_payoffs(self, x: Profile) -> Float[Array, "row"]:
        """What each row gets, outside rows included; they sum to ``sum B``, less what reaches cost."""
        found = self.shares(x) @ self.weights
        return found if self.reach_cost is None else found.at[: len(x)].add(-self.reach_cost * x[:, -1])

    def shares(self, x: Profile) -> Float[Array, "row point"]:
        """``G``: every row's part of the resource at every point.

        Where all influence is exactly zero the players share equally, or the resource is lost, as
        ``zero_influence`` says; under ``error`` this raises `ValueError` (inside compiled code: gives NaN).
        """
        shares, _ = self._shares(self.kernel.logs(x, self.points), x)
        self.refuse_nan(shares)
        return shares

    def log_influence(self, x: Profile) -> Float[Array, "row point"]:
        """``log f`` of every row at every point; minus infinity where a row has no influence."""
        return self._rows(self.kernel.logs(x, self.points), x)

    @property
    def payoff_against(self) -> Callable[[Profile, int | Array], Callable[[Strategy], Float[Array, ""]]]:
        """One's payoff as a function of one's own position; not with abstention, which moves with it."""
        if self.abstention is not None:
            raise AttributeError("abstention depends on one's own position")
        return partial(payoff_against, self)

    def gradients(self, x: Profile) -> Profile:
        """Every player's own gradient, ``sum_k B G_i [(1 - G_i) d_i - G_a e_ai]``.

        ``d_i`` is the slope of the own log-influence, ``e_ai`` that of the abstention row's.
        """
        own, pull = self.kernel.logs_and_pull(x, self.points)
        shares, total = self._shares(own, x)
        mine = shares[: x.shape[0]]
        slopes = pull(self.weights * mine * (1 - mine))
        if self.reach_cost is not None:
            slopes = slopes.at[:, -1].add(-self.reach_cost)
        if self.abstention is None:
            return slopes
        pushed = self.weights * mine * self._without(x, total, 1)
        return slopes + 2 * jnp.sum(pushed[..., None] * self._apart(x), axis=1)

    def jacobian(self, x: Profile) -> Float[Array, "row column"]:
        """Derivative of the stacked own gradients in the stacked profile, player-major, in closed form.

        Without abstention the diagonal blocks are ``sum B G (1-G) [h + d d' (1-2G)]`` and the others
        ``-sum B G_i G_j (1-2G_i) d_i d_j'``, where h is the second derivative of the own log-influence.
        """
        players, axes = x.shape
        own = self.kernel.logs(x, self.points)
        shares, total = self._shares(own, x)
        g = shares[:players]
        d, h = self.kernel.slopes(x, self.points), self.kernel.curvatures(x, self.points)
        push = jnp.zeros_like(d)  # G_a e_ai
        if self.abstention is not None:
            push = -2 * self._without(x, total, 1)[..., None] * self._apart(x)
        bar = g[..., None] * d + push
        same = jnp.eye(players)[:, :, None, None, None]
        own_part = d - bar
        cross = same * d[:, None, :, None, :] - bar[None, :, :, None, :]  # [i j point 1 axis]
        moved = g[:, None, :, None, None] * (d[:, None, :, :, None] * cross + same * h[:, None])
        moved = moved - push[:, None, :, :, None] * bar[None, :, :, None, :]
        if self.abstention is not None:
            moved = moved + self._second(x, total)
        blocks = own_part[:, None, :, :, None] * cross + same * h[:, None] - moved
        summed = jnp.einsum("ik,ijkab->iajb", self.weights * g, blocks)
        return summed.reshape(players * axes, players * axes)

    def _rows(self, own: Float[Array, "player point"], x: Profile) -> Float[Array, "row point"]:
        rows = [own + jnp.log(self.budgets)[:, None]]
        if self.third_party is not None:
            rows.append(jnp.log(self.third_party)[None])
        if self.abstention is not None:
            squares = square(x, self.points)
            # the slope of log 0 is taken as 0: its share has a finite, vanishing derivative there
            logs = jnp.where(squares > 0, jnp.log(jnp.where(squares > 0, squares, 1.0)), -jnp.inf)
            rows.append((jnp.log(self.abstention) + jnp.sum(logs, axis=0))[None])
        return jnp.concatenate(rows) if len(rows) > 1 else rows[0]

    def _shares(
        self, own: Float[Array, "player point"], x: Profile
    ) -> tuple[Float[Array, "row point"], Float[Array, "point"]]:
        """Shares, and the logarithm of all influence at each point; nothing underflows."""
        logs = self._rows(own, x)
        top = jax.lax.stop_gradient(jnp.max(logs, axis=0))
        if self.zero_influence != "error":
            nobody = jnp.isneginf(top)
            top = jnp.where(nobody, 0.0, top)
        parts = jnp.exp(logs - top)
        total = jnp.sum(parts, axis=0)
        if self.zero_influence != "error":
            players = x.shape[0]
            each = 1.0 / players if self.zero_influence == "share" else 0.0
            fill = jnp.where(jnp.arange(len(logs)) < players, each, 0.0)[:, None]
            total = jnp.where(nobody, 1.0, total)
            return jnp.where(nobody, fill, parts / total), top + jnp.log(total)
        return parts * (1 / total), top + jnp.log(total)

    def _without(self, x: Profile, total: Float[Array, "point"], order: int) -> Array:
        """The abstention share with one (or, ``order`` 2, two) of its factors ``|b - x_j|^2`` left out.

        ``[player point]`` or ``[player player point]``; taken as a product, so finite where a factor is 0.
        """
        players = x.shape[0]
        keep = 1 - jnp.eye(players)
        if order == 2:
            keep = keep[:, None] * keep[None, :]
        factors = jnp.where(keep[..., None] > 0, square(x, self.points), 1.0)
        assert self.abstention is not None
        return self.abstention * jnp.prod(factors, axis=-2) * jnp.exp(-total)

    def _second(self, x: Profile, total: Float[Array, "point"]) -> Float[Array, "i j point axis axis"]:
        """Second derivatives of the abstention row's influence, over all influence."""
        players, axes = x.shape
        q = self._apart(x)
        same = jnp.eye(players)[:, :, None, None, None]
        place = jnp.diag(jnp.arange(axes) < self.points.shape[1])  # a reach moves nobody away
        diagonal = 2 * self._without(x, total, 1)[:, None, :, None, None] * place
        pairs = (
            4 * self._without(x, total, 2)[..., None, None] * q[:, None, :, :, None] * q[None, :, :, None, :]
        )
        return same * diagonal + (1 - same) * pairs

    def _apart(self, x: Profile) -> Float[Array, "player point axis"]:
        """``b - x``, and 0 along an axis that is no place."""
        more = x.shape[1] - self.points.shape[1]
        return jnp.pad(apart(x, self.points), ((0, 0), (0, 0), (0, more)))

    def refuse_nan(self, shares: Float[Array, "row point"]) -> None:
        """Raises `ValueError` where ``zero_influence`` is ``error`` and nobody has influence at a point."""
        if self.zero_influence != "error" or isinstance(shares, jax.core.Tracer):
            return
        empty = np.flatnonzero(np.isnan(np.asarray(shares)).all(axis=0))
        if empty.size:
            at = np.asarray(self.points)[empty[0]].tolist()
            raise ValueError(
                f"zero_influence: all influence is 0 at resource point {empty[0]}, {at}; "
                "'share' divides it equally, 'lost' gives it to nobody"
            )

    @property
    def ceiling(self) -> Callable[[Profile, int | Array, Strategy, Strategy], Float[Array, ""]]:
        """``ceiling(x, player, low, high)``: no own position in that cell pays more.

        Not with custom kernels, nor on a simplex.
        """
        if not available(self):
            raise AttributeError("no largest value is known for a custom kernel, or on a simplex")
        return partial(ceiling, self)

    @property
    def candidates(self) -> Callable[[int], Float[Array, "candidate axis"]]:
        """``candidates(player)``: positions that searches try beside their grid.

        Not on an interval with a kernel of the family, where branch and bound finds what a grid misses.
        """
        if available(self) and self.space.shape[1] == 1:
            raise AttributeError("no candidates are needed on an interval")
        return partial(candidates, self)

    @property
    def proved_reply(self) -> Callable[[Profile, int], Any]:
        """The best response with its bound: in Blotto contests, found by `blotto.best_division`."""
        from rivalry.games.influencer import blotto

        if not blotto.known(self):
            raise AttributeError("no proof beyond that of a search")
        return partial(blotto.best_division, self)

    @property
    def views(self) -> tuple[str, ...]:
        """Larger arrays that plots draw; the vector field only on an interval."""
        return VIEWS if self.space.shape[1] == 1 else VIEWS[:-1]

    @property
    def alike(self) -> np.ndarray:
        """``[player]``: equal numbers for players with equal kernels, budgets, costs and room to move."""
        own = [self.budgets, *self.kernel_parameters.values()]
        own += [self.reach_cost] if self.reach_cost is not None else []
        own += [self.space.low, self.space.high] if isinstance(self.space, Box) else []
        rows = np.concatenate([np.reshape(np.asarray(part), (self.players, -1)) for part in own], axis=1)
        return np.array([np.flatnonzero((rows == row).all(axis=1))[0] for row in rows])

    def refuses(self, name: str, value: float) -> str:
        """Why the array ``name`` may not take a value, or nothing; one's own kernels take any."""
        if name == "covariance":
            return "is no matrix (its size is the variance)"
        positive = {"budgets"} | (set() if isinstance(self.kernel, Custom) else set(self.kernel_parameters))
        if name in positive and not value > 0:
            return "must be above 0"
        return "must be at least 0" if name == "abstention" and not value >= 0 else ""

    def contest(self, places: np.ndarray) -> Contest:
        """What tables of payoffs at ``places [player action axis]`` are made of."""
        return contest(self, places)

    def measures(self, x: Profile) -> Record:
        """What is stored with every result; see `rivalry.games.influencer.plot_data.measures`."""
        return measures(self, x)

    def view(self, name: str, x: Profile) -> Record:
        """One of ``views`` at a profile, as named arrays."""
        return view(self, name, x)

    def named_start(self, name: str) -> Profile:
        """``paper_default``: the source's starts on an interval (2 to 12, 16 players); else evenly spaced.

        Reaches that are chosen start in the middle of their range.
        Raises `ValueError` for another name, and on a box or a simplex.
        """
        if name != "paper_default":
            raise ValueError(f"start: {name!r} is no named start; {near(name, ['paper_default'])}")
        players = self.players
        if not isinstance(self.space, Box) or self.points.shape[1] != 1:
            raise ValueError("start: paper_default is for an interval; give positions, or 'random'")
        at = STARTS.get(players, np.linspace(0.1, 0.9, players).tolist())
        low, high = self.space.low, self.space.high
        parts = jnp.full(low.shape, 0.5).at[:, 0].set(jnp.asarray(at))
        return low + (high - low) * parts


def _where(space: Box | Simplex) -> str:
    """The space in words."""
    if isinstance(space, Simplex):
        return f"the simplex of {space.shape[1]} corners"
    edges = zip(np.asarray(space.low)[0], np.asarray(space.high)[0], strict=True)
    return " × ".join(f"[{low:g}, {high:g}]" for low, high in edges)
