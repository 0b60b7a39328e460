"""Technology over periods: investment, depreciation, and what players give away of their lead."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp

SPILLS = ("sum", "max", "union")


def advanced(
    stock: Float[Array, "player"],
    invested: Float[Array, "player"],
    given: Float[Array, "player"] | None,
    depreciation: Float[Array, "player"],
    spill: str,
) -> Float[Array, "player"]:
    """The stock after a period: what is left of it, what was invested, and what others gave away.

    ``given`` is the fraction that each gives away of its lead, in [0, 1]; the lead is that of the period's
    start, so what is invested today is shared tomorrow.
    """
    after = (1 - depreciation) * stock + invested
    return after if given is None else after + received(stock, given, spill)


def received(
    stock: Float[Array, "player"], given: Float[Array, "player"], spill: str
) -> Float[Array, "player"]:
    """What each player gets of the others' leads.

    ``sum``: from everybody ahead, the fraction of the lead; with three players or more a laggard may pass
    the leader. ``max``: the largest of these. ``union``: a level is known to the laggard if anybody above it
    tells, ``integral from K_i of 1 - prod_{j: K_j > l} (1 - phi_j)``; it never passes the leader.

    >>> stock, given = jnp.array([10.0, 9.0, 2.0]), jnp.array([0.9, 0.9, 0.5])
    >>> [received(stock, given, spill).round(2).tolist() for spill in SPILLS]
    [[0.0, 0.9, 13.5], [0.0, 0.9, 7.2], [0.0, 0.9, 7.83]]
    """
    lead = jnp.maximum(stock[None, :] - stock[:, None], 0.0)
    if spill == "union":
        return _union(stock, given)
    each = given[None, :] * lead
    return jnp.sum(each, axis=1) if spill == "sum" else jnp.max(each, axis=1)


def _union(stock: Array, given: Array) -> Array:
    """The union rule: between two neighbouring stocks the same players are above."""
    order = jnp.argsort(stock)
    levels = stock[order]
    # after the k-th stock, those from k+1 on are above
    kept = jnp.cumprod((1 - given[order])[::-1])[::-1]
    steps = jnp.diff(levels) * (1 - kept[1:])
    below = jnp.append(jnp.cumsum(steps[::-1])[::-1], 0.0)
    return jnp.zeros_like(stock).at[order].set(below)


def fraction(share: Array, units: str) -> Array:
    """The fraction of a lead that a sharing input gives away: itself, or ``1 - exp(-x)`` of a rate x."""
    return share if units == "fraction" else -jnp.expm1(-share)


def paths(
    start: Any, invested: Any, given: Any, depreciation: Any, spill: str
) -> Float[Array, "stage player"]:
    """The stock at the start of every period and after the last, ``[stage player]``.

    ``invested``, ``depreciation`` and ``given`` (or None) are ``[period player]``.
    """

    def period(stock: Array, inputs: Any) -> tuple[Array, Array]:
        put_in, share, lost = inputs
        return advanced(stock, put_in, share, lost, spill), stock

    last, before = jax.lax.scan(period, start, (invested, given, depreciation))
    return jnp.concatenate([before, last[None]])
