"""Constants of learning in karma economies that need no search, for the study `karma_theory`.

*Lipschitz constants.* Distances between states and between bids are 0 or 1; distances between distributions
are sums of absolute differences. ``nu`` is the distribution of bids and ``rho`` that of states with bids, and
``|nu - nu'| <= |rho - rho'|``. The cost of losing is at most ``u_max`` and karma at most ``max_karma``. As in
the source, karma in excess of the largest amount is ignored: its redistribution can make transitions steeper
than every bound here.

*Baselines* are rules without karma among infinitely many agents. All agents meet in uniformly random pairs in
every step, and one of each pair is served; the other pays its urgency ``u``. ``COIN`` serves an agent at
random, ``DICT`` (dictator) the one with the higher urgency, ``TURN`` the one served less often so far. Ties
are broken at random. ``ROTATION`` is the limit of turn-taking: every agent is served in every second step,
half of the agents in odd ones.

Urgencies follow a chain ``P`` from its stationary distribution ``w``, so an agent's rewards are
autocorrelated. With ``A = P - 1 w'`` and ``c_d = (w f)' A^d f`` the covariance of ``f(z_t)`` and
``f(z_t+d)``, the sum of ``T`` terms has the variance ``T Var f + 2 sum_d=1..T-1 (T-d) c_d``. An opponent, one
of infinitely many, is independent of the agent's history.

The *Lasry-Lions sum* tests whether agents that behave like others receive lower rewards. Two populations have
bid distributions ``v[u, b]`` given the urgency and a common distribution ``p`` of urgencies. With ``d = v -
v'`` and ``theta_nu(b)`` the probability of winning with ``b`` against bids distributed as ``nu = p v``, the
sum is ``S = sum_u,b u p_u d_ub (theta_nu(b) - theta_nu'(b)) = (u p)' A p`` with ``A = d Theta d'``.
Monotonicity requires ``S <= 0`` always. With fair ties ``Theta + Theta' = 1 1'`` and rows of ``d`` sum to 0,
so ``A`` is skew-symmetric: 0 on the diagonal and, unless ``A = 0``, positive somewhere. Hence ``S = 0`` with
one urgency, and ``S`` can have either sign with several. If ties lose, ``S = -1/2 sum (p d)^2`` with one
urgency.

Source: Vaishampayan (ETH Zurich 2024), chapter 5; the Lipschitz constants after Yardim, Cayci, Geist and He
(ICML 2023).
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from rivalry.core.method import BaseLearner, OneStepLearner
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.economies.karma import KarmaEconomy
from rivalry.economies.karma.chains import stationary
from rivalry.economies.karma.checks import require_all_bids
from rivalry.economies.kernels.shapes import COIN, NOBODY, SOCIETY
from rivalry.runtime.jax import floats
from rivalry.schema.validate import check_word
from rivalry.studies.karma_theory import rows

MECHANISMS = ("COIN", "DICT", "ROTATION", "TURN")
WIDTH = 40  # tracked numbers of wins around half the steps: probabilities beyond are below 1e-300
STEADY = 1e-15  # of the largest urgency: convergence tolerance
Tie = Literal["coin", "nobody"]
ZERO_SUM = 1e-12  # smaller sums may be 0
STEPS = 10_000  # of the baselines: length of the simulations in the thesis
CONSTANTS = ("L_vs", "L_vpi", "L_vrho", "L_qpi", "L_qrho", "L")


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
    L: float  # whole map: L_pop L_qrho + L_qpi; a step provably contracts where 1/beta is above it


def constants(
    u_max: float,
    discount: float,
    kernel: float = 0.0,
    *,
    L_pop: float = 0.0,
    dh: float = 0.0,
    u_min: float = 0.0,
    tight: bool = False,
) -> Constants:
    """Return all Lipschitz constants of an economy.

    Parameters
    ----------
    u_max, u_min : float
        The largest and the smallest urgency.
    discount : float
        Discount factor per step, below 1.
    kernel : float
        Constant of the karma kernel in the distribution of bids, summed over outcomes (`kernel_constant`): 0
        where the winner pays the loser; ``K_nu`` is 1 more.
    L_pop, dh : float
        Constants of the population and of the entropy. At 0, their smallest possible values, ``L`` is the
        smallest temperature that the theory could allow.
    tight : bool
        Take the smallest constants for which the inequalities hold. A probability of losing changes by at
        most half of ``|nu - nu'|``, so ``L_nu = u_max/2``. Two urgencies differ by at most ``L_u = u_max -
        u_min``. Values of two states differ by ``L_s + L_a`` per step because both state and action may
        differ, and by ``L_a`` where only karma differs.

    Raises
    ------
    ValueError
        For a discount of 1.

    Examples
    --------
    >>> bounds = constants(1.0, 0.9)
    >>> round(bounds.L_vs, 9), round(bounds.L, 9)
    (20.0, 126.0)
    """
    if not 0 <= discount < 1:
        raise ValueError(f"discount: {discount} must be in [0, 1)")
    L_u, L_b, L_nu = float(u_max), float(u_max), float(u_max)
    if tight:
        L_u, L_nu = float(u_max - u_min), u_max / 2
    # two distributions are at most 2 apart, two states or bids at most 1
    K, K_nu = 2.0, 1.0 + kernel
    g, horizon_factor = discount, 1 / (1 - discount)
    L_vs = (L_u + L_b + dh) / (1 - g * min(1.0, (K + K) / 2))
    L_vpi = (4 * L_b + g * K * L_vs) / 4 * horizon_factor
    L_vrho = (2 * L_nu + g * K_nu * L_vs) / 2 * horizon_factor
    L_qpi = g * L_vpi + g * L_vs * K
    L_qrho = L_nu + g * L_vrho + g * L_vs * K_nu / 2
    ends = (L_vs, L_vpi, L_vrho, L_qpi, L_qrho, L_pop * L_qrho + L_qpi)
    short = (L_u, L_b, L_nu, K, K, K_nu)  # by state, action and distribution of both
    return Constants(L_u, 0.0, L_b, L_nu, K, K, K, K_nu, *short, g, dh, L_pop, *ends)


def kernel_constant(charge: object, *, society: bool, tight: bool = False) -> float:
    """Return the constant of the karma kernel where a winner with ``b`` against ``c`` pays ``charge[b, c]``.

    With payment to the loser it is 0: karma depends on the distribution of bids only through the opponent,
    which is counted already. With payment to society, agents receive ``floor(s)`` or ``ceil(s)``, and two
    levels ``s`` give distributions that differ by at most ``2 |s - s'|``. The level is half the payment of a
    pair, so its constant is the largest charge, or with ``tight`` half of the range of charges.

    >>> charge = np.tile(np.arange(21)[:, None], 21)
    >>> kernel_constant(charge, society=True), kernel_constant(charge, society=True, tight=True)
    (40.0, 20.0)
    """
    table = floats(charge)
    paid = table[np.tril_indices(len(table))]  # lower bids never win
    if not society:
        return 0.0
    return float(paid.max() - paid.min()) if tight else float(2 * paid.max())


class Baseline(NamedTuple):
    """Metrics of a rule without karma; fairness is minus a standard deviation over agents."""

    efficiency: float  # mean reward per agent and step
    reward_fairness: float  # of agents' mean rewards over the steps
    access_fairness: float  # of the shares of steps in which they were served


def exact_baseline(mechanism: str, urgencies: object, chain: object, steps: int) -> Baseline:
    """Return efficiency and fairness of a rule without karma among infinitely many agents, up to rounding.

    Parameters
    ----------
    mechanism : str
        The rule, such as ``COIN``, ``TURN`` or ``DICT``.
    urgencies : array_like
        Urgency in each private state, at least 0, ``[private]``.
    chain : array_like
        Transition matrix ``[private private]`` with rows summing to 1, or a distribution ``[private]`` of
        independent draws.
    steps : int
        Steps over which fairness is measured.

    Returns
    -------
    Baseline
        Efficiency, fairness of rewards and of access; fairness is minus a standard deviation over agents.

    Raises
    ------
    ValueError
        For an unknown rule, negative urgencies and an invalid chain.

    Examples
    --------
    >>> [round(value, 9) for value in exact_baseline("DICT", [1.0, 5.0], [0.5, 0.5], 10_000)]
    [-1.0, -0.015811388, -0.005]
    """
    check_word("mechanism", mechanism, MECHANISMS)
    u = floats(urgencies)
    if u.ndim != 1 or not np.all(u >= 0):
        raise ValueError(f"urgencies: {urgencies!r} must be a list of numbers of at least 0")
    moves, w = stationary(chain)
    if len(moves) != len(u):
        raise ValueError(f"chain: {len(moves)} states must be {len(u)}, one an urgency")
    if mechanism in ("COIN", "DICT"):
        lost = losing_probability(u, w) if mechanism == "DICT" else np.full(len(u), 0.5)
        efficiency, rewards, wins = _by_urgency(u, lost, moves, w, steps)
    else:
        efficiency, rewards, wins = (_turns if mechanism == "TURN" else _rotation)(u, moves, w, steps)
    # rounding may leave a variance below 0; adding 0.0 turns -0.0 into 0.0
    fairness = (-float(np.sqrt(max(v, 0.0))) / steps + 0.0 for v in (rewards, wins))
    return Baseline(float(efficiency), *fairness)


def losing_probability(urgencies: ndarray, distribution: ndarray) -> ndarray:
    """Return the probability ``[private]`` of losing to the higher urgency, ties at random.

    >>> losing_probability(np.array([1.0, 5.0]), np.array([0.5, 0.5])).tolist()
    [0.75, 0.25]
    """
    higher = urgencies[None, :] > urgencies[:, None]
    return (higher + 0.5 * (urgencies[None, :] == urgencies[:, None])) @ distribution


def _by_urgency(
    u: ndarray, lost: ndarray, chain: ndarray, w: ndarray, steps: int
) -> tuple[float, float, float]:
    """Return the mean reward, and variances of the sums of rewards and of wins.

    ``lost [private]`` is the probability of losing.
    """
    paid = u * lost
    mean = w @ paid
    second_moment = w @ (u * paid) - mean**2
    wins = steps / 4 + _dependence(lost, chain, w, steps)
    return -mean, steps * second_moment + _dependence(paid, chain, w, steps), wins


def _rotation(u: ndarray, chain: ndarray, w: ndarray, steps: int) -> tuple[float, float, float]:
    """Return the same with every second step lost; after an odd number half have lost once more."""
    mean, two_step_chain = w @ u, chain @ chain
    within = [
        n * (w @ (u - mean) ** 2) + _dependence(u, two_step_chain, w, n) if n else 0.0
        for n in (steps // 2, (steps + 1) // 2)
    ]
    uneven = steps % 2 / 4
    return -mean / 2, float(np.mean(within)) + uneven * mean**2, uneven


def _dependence(f: ndarray, chain: ndarray, w: ndarray, steps: int) -> float:
    """Return ``2 sum_d=1..T-1 (T-d) c_d`` for ``f`` ``[private]``.

    With ``G_n = A + .. + A^n`` the sum ``D_n`` grows by ``G_n``: ``[A^n+1, G_n, D_n]`` times one matrix, so a
    power of that does for any number of steps, periodic chains included.
    """
    if np.ptp(f) == 0:
        return 0.0  # exactly: the powers of A would leave rounding errors
    z, identity, zeros = len(f), np.eye(len(f)), np.zeros((len(f), len(f)))
    deviation = chain - w
    onward = np.block([[deviation, identity, zeros], [zeros, identity, identity], [zeros, zeros, identity]])
    begin = np.hstack([deviation @ deviation, deviation, zeros])
    double = (begin @ np.linalg.matrix_power(onward, steps - 1))[:, 2 * z :]
    return float(2 * (w * f) @ double @ f)


def _turns(u: ndarray, chain: ndarray, w: ndarray, steps: int) -> tuple[float, float, float]:
    """Return the same where the agent with fewer wins is served.

    Steps are simulated until the distribution of wins about their mean repeats itself.

    ``nu`` is the distribution of wins; ``carried`` ``[win private]`` is the mean over the agents in that
    state of the rewards so far, less their expectation; ``square`` is their variance. Wins do not depend on
    urgencies.
    """
    mean = w @ u
    if_lost, if_won = mean / 2 - u, mean / 2

    def turn(nu: ndarray, carried: ndarray, square: float) -> tuple[ndarray, ndarray, float]:
        lost = (np.cumsum(nu) - nu / 2)[:, None]  # the agent with more wins loses
        mass = nu[:, None] * w
        square += float(np.sum(mass * (lost * if_lost**2 + (1 - lost) * if_won**2)))
        square += 2 * float(np.sum(carried * (lost * if_lost + (1 - lost) * if_won)))
        stay = lost * (carried + mass * if_lost)
        rise = (1 - lost) * (carried + mass * if_won)
        after = lost[:, 0] * nu + np.roll((1 - lost[:, 0]) * nu, 1)
        return after, (stay + np.roll(rise, 1, axis=0)) @ chain, square

    state = (np.zeros(WIDTH), np.zeros((WIDTH, len(u))), 0.0)
    state[0][WIDTH // 2] = 1.0
    before = state
    for step in range(steps):
        if step % 2 == 0:  # half the steps are won: wins are counted relative to that
            nu, carried, square = state
            if step:
                nu, carried = np.roll(nu, -1), np.roll(carried, -1, axis=0)
            state = (nu, carried, square)
            change = max(np.abs(nu - before[0]).max(), np.abs(carried - before[1]).max() / max(u.max(), 1.0))
            if step and change <= STEADY:
                # the distribution repeats: each further pair of steps adds the same to the variance
                state = (nu, carried, square + (steps - step) // 2 * (square - before[2]))
                state = turn(*state) if steps % 2 else state
                break
            before = state
        state = turn(*state)
    nu, _, square = state
    wins = np.arange(WIDTH)
    return -mean / 2, square, float(nu @ (wins - nu @ wins) ** 2)


def theta_matrix(bids: int, tie: str = "coin") -> ndarray:
    """Return ``Theta [bid bid]``: ``Theta nu`` are the probabilities of winning, by the rule of ties.

    >>> theta_matrix(3)[1].tolist(), theta_matrix(3, "nobody")[1].tolist()
    ([1.0, 0.5, 0.0], [1.0, 0.0, 0.0])
    """
    return np.tri(bids, k=-1) + (0.5 * np.eye(bids) if tie == "coin" else 0.0)


def change_matrix(bids: ArrayLike, bids_prime: ArrayLike, tie: str = "coin") -> ndarray:
    """Return ``A = d Theta d'``, ``[urgency urgency]``, of two tables of bid distributions ``[urgency bid]``.

    >>> change_matrix([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    d = np.subtract(bids, bids_prime)
    return d @ theta_matrix(d.shape[1], tie) @ d.T


class Counterexample(NamedTuple):
    """Two populations with the same urgencies and the same mean karma for which ``S`` is positive."""

    urgencies: ndarray  # [urgency]
    distribution: ndarray  # [urgency]
    mean_karma: float
    karma: ndarray  # [urgency karma], the distribution of karma given the urgency, of both populations
    policies: ndarray  # [population urgency karma bid]
    bids: ndarray  # [population urgency bid]
    A: ndarray  # [urgency urgency]
    S: float
    tie: str

    def text(self, digits: int = 4) -> str:
        """Return the example in words and numbers, enough to recompute it, without the policies."""
        matrix = np.array2string(self.A, precision=digits, suppress_small=True, separator=", ")
        lines = [f"S = {self.S:.6g} > 0, equals: {'toss a coin' if self.tie == 'coin' else 'all lose'}"]
        for u, p, k in zip(self.urgencies, self.distribution, self.karma, strict=True):
            lines.append(f"urgency {u:g}, probability {p:g}, mean karma {k @ np.arange(len(k)):.6g}")
        for name, table in zip(("bids ", "bids'"), self.bids, strict=True):
            for u, row in zip(self.urgencies, table, strict=True):
                lines.append(f"{name} at {u:g}: {' '.join(f'{value:.{digits}f}' for value in row)}")
        return "\n".join([*lines, f"A = {matrix}"])


def find_counterexample(
    urgencies: object = (1.0, 5.0),
    distribution: object = (0.5, 0.5),
    *,
    mean_karma: float = 10.0,
    max_karma: int = 20,
    tie: Tie = "coin",
    tries: int = 200,
    seed: int | np.random.SeedSequence = 0,
) -> Counterexample | None:
    """Search for two populations with a positive Lasry-Lions sum among random pairs of policies.

    Karma has the same distribution at every urgency, in both populations: half of its mass at the mean, half
    spread evenly around it. In every state bids are sampled from a symmetric Dirichlet distribution of
    concentration 1/2. With one urgency there is no counterexample.

    Parameters
    ----------
    urgencies, distribution : array_like
        Cost of losing and its distribution, ``[urgency]``.
    mean_karma, max_karma : float, int
        Mean and largest amount of karma.
    tie : str
        ``coin``, or ``nobody``: equal bids both lose.
    tries : int
        Number of pairs.
    seed : int or SeedSequence
        Seed of the pairs.

    Returns
    -------
    Counterexample or None
        The pair with the largest sum, or None if no sum is above 0.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), equation 5.9 and Lemma 5.1.

    Examples
    --------
    >>> example = find_counterexample(max_karma=4, mean_karma=2.0, tries=20)
    >>> example.S > 0, round(float(example.distribution @ example.karma @ np.arange(5)), 12)
    (True, 2.0)
    """
    u, p = floats(urgencies), floats(distribution)
    karma = np.tile(_karma_distribution(mean_karma, max_karma), (len(u), 1))
    rng, candidate = np.random.default_rng(seed), None
    for _ in range(tries):
        policies = rows(rng, np.full((2, len(u), max_karma + 1), 0.5))
        bids = np.einsum("uk,pukb->pub", karma, policies)
        bids /= bids.sum(axis=-1, keepdims=True)
        A = change_matrix(bids[0], bids[1], tie)
        S = float((u * p) @ A @ p)
        if candidate is None or candidate.S < S:
            candidate = Counterexample(u, p, mean_karma, karma, policies, bids, A, S, tie)
    return candidate if candidate is not None and candidate.S > ZERO_SUM else None


def _karma_distribution(mean: float, top: int) -> ndarray:
    """Return a distribution on 0..most with the given mean: half at the mean, half evenly around it."""
    away = np.abs(np.arange(top + 1) - mean)
    half_width = np.floor(min(mean, top - mean))
    even = np.clip(1 + half_width - away, 0.0, 1.0)  # sloping ends keep the mean
    return np.maximum(0.0, 1 - away) / 2 + even / even.sum() / 2


def analytic_constants(game: KarmaEconomy) -> Record:
    """Return Lipschitz constants and exact baselines per type, and a Lasry-Lions sum.

    The constants are those of equations 5.1 to 5.4 (``lipschitz_tight``: the smallest that the proofs allow),
    with the smallest possible ``L_pop`` and ``dh``; a step of mirror ascent provably contracts at
    temperatures above L. The baselines, by ``mechanism``, are those of a population of this type alone over
    `STEPS` steps. The counterexample of Lemma 5.1 is a pair of bid distributions by private state with
    positive ``lasry_lions``, sought for the first type where ties are random or both agents lose.
    """
    record: Record = {}
    urgencies_of_types = [_urgencies_of_type(game, k) for k in range(len(game.type_names))]
    for name, tight in (("lipschitz", False), ("lipschitz_tight", True)):
        kernel = kernel_constant(game.charge, society=game.receiver == SOCIETY, tight=tight)
        constants_of_types = [
            constants(float(u.max()), float(gamma), kernel, u_min=float(u.min()), tight=tight)
            for (u, _), gamma in zip(urgencies_of_types, game.gamma, strict=True)
        ]
        values = np.asarray(list(map(attrgetter(*CONSTANTS), constants_of_types)))
        record[name] = (("player", "constant"), values)
    record["constant"] = (("constant",), np.asarray(CONSTANTS))
    record["temperature_needed"] = (("player",), record["lipschitz"][1][:, -1])
    exact = [
        [exact_baseline(mechanism, *urgency_and_chain, STEPS) for mechanism in MECHANISMS]
        for urgency_and_chain in urgencies_of_types
    ]
    for name, table in zip(Baseline._fields, np.moveaxis(np.asarray(exact), 2, 0), strict=True):
        record[f"baseline_{name}"] = (("player", "mechanism"), table)
    record["mechanism"] = (("mechanism",), np.asarray(MECHANISMS))
    if game.tie not in (COIN, NOBODY):
        return record
    urgencies, chain = urgencies_of_types[0]
    case = find_counterexample(
        urgencies,
        stationary(chain)[1],
        mean_karma=float(game.mean_karma),
        max_karma=game.most,
        tie="nobody" if game.tie == NOBODY else "coin",
    )
    if case is None:
        return record | {"lasry_lions": scalar(np.nan)}
    record["lasry_lions"] = scalar(case.S)
    record["lasry_lions_bids"] = (("population", "private", "bid"), np.asarray(case.bids))
    record["counterexample"] = scalar(case.text())
    return record


def _urgencies_of_type(game: KarmaEconomy, k: int) -> tuple[ndarray, ndarray]:
    """Return the urgencies of a type and their transition matrix, without padding."""
    stakes, chain = np.asarray(game.stakes)[k], np.asarray(game.chain)[k]
    # types with fewer private states are padded with unreachable ones
    real = np.flatnonzero((stakes > 0) | (chain.sum(axis=0) > 0))
    size = int(real.max()) + 1
    return stakes[:size], chain[:size, :size]


class EconomyComputation(BaseLearner):
    """Base class of computations on karma economies."""

    needs = (Need("a karma economy", lambda game: isinstance(game, KarmaEconomy)),)

    def world(self, game: KarmaEconomy) -> Any:
        """Return the game. Raises `ValueError` where bids are listed, and for contests of more than two."""
        require_all_bids(game, "constants and comparisons are of these")
        if not game.in_pairs:
            raise ValueError("participants: must be 2: constants and comparisons are of pairs")
        if game.by_outcome:
            raise ValueError("served_chain: must be that of all agents in constants and comparisons")
        if game.rewards.size:
            raise ValueError("reward: must be left out: constants and comparisons are of costs of losing")
        return game


class AnalyticConstants(OneStepLearner, EconomyComputation):
    """Report what is known of a game without a search: constants, exact benchmarks, counterexamples.

    For karma economies; there is no certificate.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.karma(urgencies=[0.2, 1.0], gamma=0.9), AnalyticConstants())
    >>> round(float(solution.data.temperature_needed[0]))
    126
    """

    def result(self, world: object) -> dict[str, ndarray]:
        """Return no entries: the constants need no step."""
        return {}

    def read(self, world: Any, session: dict[str, ndarray]) -> Record:
        """Return the constants."""
        return analytic_constants(world)
