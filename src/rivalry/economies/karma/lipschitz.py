"""Lipschitz constants of rewards, transitions and values of a karma economy, and the contraction condition.

Distances between states and between bids are 0 or 1; distances between distributions are sums of absolute
differences. ``nu`` is the distribution of bids and ``rho`` that of states with bids, and ``|nu - nu'| <=
|rho - rho'|``. The cost of losing is at most ``u_max`` and karma at most ``max_karma``. As in the source,
karma in excess of the largest amount is ignored: its redistribution can make transitions steeper than every
bound here (`ratios` shows it).

Source: Vaishampayan (ETH Zurich 2024), equations 5.1 to 5.4 and the conditions that follow them, after
Yardim, Cayci, Geist and He (ICML 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jax, jnp, put
from rivalry.core.validate import whole_number

PAYMENTS = ("PBP", "PBS")
Play = tuple[np.ndarray, np.ndarray]  # a distribution of states [state], and a policy [state action]
Table = Callable[[np.ndarray], np.ndarray]  # of rho [state action]


class Constants(NamedTuple):
    """Lipschitz constants L (rewards, values, the map) and K (transitions); the suffix names the variable."""

    L_u: float  # reward in the urgency, 5.1
    L_k: float  # reward in karma, 5.1
    L_b: float  # reward in the agent's bid, 5.1
    L_nu: float  # reward in the distribution of bids, 5.1
    K_u: float  # transition in the urgency, 5.2
    K_k: float  # transition in karma, 5.2
    K_b: float  # transition in the agent's bid, 5.2
    K_nu: float  # transition in the distribution of bids, 5.2 (peer) or 5.4 (society)
    L_s: float  # reward in the state: L_u, since karma itself pays nothing
    L_a: float  # reward in the action: L_b
    L_rho: float  # reward in the distribution of states with bids: L_nu
    K_s: float  # transition in the state: K_u
    K_a: float  # transition in the action: K_b
    K_rho: float  # transition in the distribution of states with bids: K_nu
    discount: float
    dh: float  # lower bound on the distance of a policy's entropy from the largest
    L_pop: float  # stationary distribution of states with bids in the policy
    L_vs: float  # value in the state
    L_vpi: float  # value in the policy
    L_vrho: float  # value in the distribution
    L_qpi: float  # action value in the policy
    L_qrho: float  # action value in the distribution
    L: float  # whole map: L_pop L_qrho + L_qpi

    def contracts(self, temperature: float) -> bool:
        """Return whether a policy mirror ascent step provably contracts: ``L < temperature = 1 / beta``."""
        return temperature > self.L


def constants(
    u_max: float,
    discount: float,
    payment: str | float = "PBP",
    *,
    max_karma: int = 20,
    L_pop: float = 0.0,
    dh: float = 0.0,
    u_min: float = 0.0,
    tight: bool = False,
) -> Constants:
    """Return all Lipschitz constants of an economy with the payment rule ``payment``.

    ``payment`` is ``PBP`` (the winner pays its bid to the loser), ``PBS`` (to society), or for another rule
    the constant of its karma kernel in the distribution of bids, summed over outcomes (`kernel_constant`);
    ``K_nu`` is 1 more. With ``L_pop = dh = 0``, their smallest possible values, ``L`` is the smallest
    temperature that the theory could allow.

    ``tight`` takes the smallest constants for which the inequalities hold. A probability of losing changes by
    at most half of ``|nu - nu'|``, so ``L_nu = u_max/2``. The payment per agent changes by at most
    ``max_karma/2`` times ``|nu - nu'|``, so ``K_nu = max_karma + 1`` under PBS. Two urgencies differ by at
    most ``L_u = u_max - u_min``. Values of two states differ by ``L_s + L_a`` per step because both state and
    action may differ, and by ``L_a`` where only karma differs. Raises `ValueError` for numbers out of range.

    >>> found = constants(1.0, 0.9)
    >>> round(found.L_vs, 9), round(found.L, 9), found.contracts(temperature=1.0)
    (20.0, 126.0, False)
    """
    if not 0 <= discount < 1:
        raise ValueError(f"discount: {discount} must be in [0, 1)")
    for name, value in (("u_max", u_max), ("L_pop", L_pop), ("dh", dh), ("u_min", u_min)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name}: {value} must be at least 0")
    if u_min > u_max:
        raise ValueError(f"u_min: {u_min} must be at most u_max, {u_max}")
    L_u, L_b, L_nu = float(u_max), float(u_max), float(u_max)
    if tight:
        L_u, L_nu = float(u_max - u_min), u_max / 2
    # two distributions are at most 2 apart, two states or bids at most 1
    K, K_nu = 2.0, 1.0 + _kernel(payment, max_karma, tight)
    g, later = discount, 1 / (1 - discount)
    L_vs = (L_u + L_b + dh) / (1 - g * min(1.0, (K + K) / 2))
    L_vpi = (4 * L_b + g * K * L_vs) / 4 * later
    L_vrho = (2 * L_nu + g * K_nu * L_vs) / 2 * later
    L_qpi = g * L_vpi + g * L_vs * K
    L_qrho = L_nu + g * L_vrho + g * L_vs * K_nu / 2
    ends = (L_vs, L_vpi, L_vrho, L_qpi, L_qrho, L_pop * L_qrho + L_qpi)
    short = (L_u, L_b, L_nu, K, K, K_nu)  # by state, action and distribution of both
    return Constants(L_u, 0.0, L_b, L_nu, K, K, K, K_nu, *short, g, dh, L_pop, *ends)


def _kernel(payment: str | float, max_karma: int, tight: bool) -> float:
    """Return the Lipschitz constant of the karma kernel, summed over outcomes, in ``nu``."""
    if isinstance(payment, str):
        if payment not in PAYMENTS:
            raise ValueError(f"payment: {payment!r} must be one of {', '.join(PAYMENTS)}, or a number")
        whole_number("max_karma", max_karma, 1)
        return 0.0 if payment == "PBP" else float(max_karma if tight else 2 * max_karma)
    if not (np.isfinite(payment) and payment >= 0):
        raise ValueError(f"payment: {payment} must be at least 0, the constant of a karma kernel")
    return float(payment)


def kernel_constant(charge: object, *, society: bool, tight: bool = False) -> float:
    """Return the constant of the karma kernel where a winner with ``b`` against ``c`` pays ``charge[b, c]``.

    With payment to the loser it is 0: karma depends on the distribution of bids only through the opponent,
    which is counted already. With payment to society, agents receive ``floor(s)`` or ``ceil(s)``, and two
    levels ``s`` give distributions that differ by at most ``2 |s - s'|``. The level is half the payment of a
    pair, so its constant is the largest charge, or with ``tight`` half of the range of charges. Raises
    `ValueError` for an invalid table.

    >>> charge = np.tile(np.arange(21)[:, None], 21)
    >>> kernel_constant(charge, society=True), kernel_constant(charge, society=True, tight=True)
    (40.0, 20.0)
    """
    table = np.asarray(charge, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.all(table >= 0):
        raise ValueError(f"charge: shape {table.shape} must be square, with numbers of at least 0")
    paid = table[np.tril_indices(len(table))]  # lower bids never win
    if not society:
        return 0.0
    return float(paid.max() - paid.min()) if tight else float(2 * paid.max())


def tables_of(game: PopulationGame) -> tuple[Table, Table]:
    """Return a population's rewards and transitions as functions of ``rho``, for `ratios`.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=2, mean_karma=1.0)
    >>> reward, transition = tables_of(game)
    >>> rho = np.full((6, 3), 1 / 12) * np.tile(np.tri(3), (2, 1))
    >>> reward(rho).shape, transition(rho).sum(axis=2)[5].round(12).tolist()
    ((6, 3), [1.0, 1.0, 1.0])
    """

    def table(part: int) -> Table:
        return lambda rho: np.asarray(_rewards_and_transitions(game, put(rho))[part])

    return table(0), table(1)


@eqx.filter_jit
def _rewards_and_transitions(game: PopulationGame, rho: Array) -> tuple[Array, Array]:
    """Return rewards ``[state action]`` and transitions ``[state action state]`` given ``rho``."""
    mu = rho.sum(axis=1)
    # in states without mass the policy does not matter
    pi = jnp.where(mu[:, None] > 0, rho / jnp.where(mu > 0, mu, 1.0)[:, None], 0.0)
    env = game.environment(mu, pi)
    return game.reward(env), jnp.moveaxis(jax.vmap(game.expect(env))(jnp.eye(len(mu))), 0, 2)


class Ratios(NamedTuple):
    """Largest quotients observed, each named as the constant of `Constants` that bounds it."""

    L_rho: float
    K_rho: float
    L_vs: float
    L_vpi: float
    L_vrho: float
    L_qpi: float
    L_qrho: float

    def above(self, bounds: Constants, slack: float = 1e-9) -> tuple[str, ...]:
        """Return the names of ratios above their bounds by more than ``slack``, relative and absolute."""
        return tuple(
            name
            for name, seen in self._asdict().items()
            if seen > getattr(bounds, name) * (1 + slack) + slack
        )


def ratios(
    reward: Table, transition: Table, legal: np.ndarray, discount: float, pairs: Iterable[tuple[Play, Play]]
) -> Ratios:
    """Return the largest changes of rewards, transitions and values between two plays, per unit of distance.

    ``reward(rho)`` is ``[state action]`` and ``transition(rho)`` is ``[state action state]``, where ``rho``
    is the distribution of states with actions; ``legal`` is ``[state action]``. A play is a distribution of
    states and a policy, zero at illegal actions. Values are the unregularised values of a policy in the
    environment of a play. The distance of policies is the largest over states.

    >>> legal = np.ones((2, 2), dtype=bool)
    >>> plays = (np.array([0.5, 0.5]), np.eye(2)), (np.array([0.5, 0.5]), np.eye(2)[::-1])
    >>> stay = np.eye(2)[:, None].repeat(2, axis=1)
    >>> found = ratios(lambda rho: np.tile(rho.sum(axis=0), (2, 1)), lambda rho: stay, legal, 0.5, [plays])
    >>> found.L_rho, found.K_rho
    (0.0, 0.0)
    """
    seen = np.zeros(len(Ratios._fields))
    for here, there in pairs:
        seen = np.maximum(seen, _quotients(reward, transition, legal, discount, here, there))
    return Ratios(*(float(value) for value in seen))


def _quotients(
    reward: Table, transition: Table, legal: np.ndarray, discount: float, here: Play, there: Play
) -> list[float]:
    """Return the quotients of `Ratios` for one pair."""
    rho, rho_there = (mu[:, None] * pi for mu, pi in (here, there))
    far = float(np.abs(rho - rho_there).sum())
    apart = float(np.abs(here[1] - there[1]).sum(axis=1).max())
    frozen = (reward(rho), transition(rho))
    shifted = (reward(rho_there), transition(rho_there))
    value, quality = _values(*frozen, here[1], discount)
    pi_value, pi_quality = _values(*frozen, there[1], discount)
    rho_value, rho_quality = _values(*shifted, here[1], discount)

    def largest(change: np.ndarray, by: float) -> float:
        return float(np.abs(change).max() / by) if by > 0 else 0.0

    return [
        largest((frozen[0] - shifted[0])[legal], far),
        largest(np.abs(frozen[1] - shifted[1]).sum(axis=2)[legal], far),
        float(np.ptp(value)),
        largest(value - pi_value, apart),
        largest(value - rho_value, far),
        largest((quality - pi_quality)[legal], apart),
        largest((quality - rho_quality)[legal], far),
    ]


def _values(
    reward: np.ndarray, transition: np.ndarray, pi: np.ndarray, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return values ``[state]`` and ``[state action]`` of a policy in a fixed environment."""
    onward = np.einsum("sa,sat->st", pi, transition)
    value = np.linalg.solve(np.eye(len(pi)) - discount * onward, np.sum(pi * reward, axis=1))
    return value, reward + discount * transition @ value
