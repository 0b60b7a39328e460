"""Baselines without karma, Lipschitz constants and the Lasry-Lions sum against simulation and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rivalry.economies.karma import karma
from rivalry.economies.karma.chains import stationary
from rivalry.studies import karma_constants, karma_scaling
from rivalry.studies.karma_constants import (
    MECHANISMS,
    change_matrix,
    constants,
    exact_baseline,
    find_counterexample,
    kernel_constant,
    theta_matrix,
)
from rivalry.studies.karma_scaling import scaling_gap, sublinearity
from tests.lipschitz import ratios, tables_of

CHAINS = {
    "independent": ([1.0, 5.0], [0.5, 0.5]),
    "sticky": ([1.0, 9.0, 9.0], [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.0, 0.5, 0.5]]),
    "periodic": ([0.0, 2.0, 7.0], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
}


# baselines without karma


def played(rule: str, u: np.ndarray, chain: np.ndarray, law: np.ndarray, steps: int, agents: int) -> list:
    """Mean reward, and the standard deviations of rewards and wins over agents, in one simulation."""
    rng = np.random.default_rng(5)
    z = rng.choice(len(u), agents, p=law)
    paid, wins = np.zeros(agents), np.zeros(agents)
    turn = rng.permutation(agents) % 2
    for step in range(steps):
        one, two = rng.permutation(agents).reshape(2, -1)
        bid = {"COIN": 0 * wins, "DICT": u[z], "TURN": -wins, "ROTATION": wins}[rule]
        coin = rng.random(len(one)) < 0.5
        first = (bid[one] > bid[two]) | ((bid[one] == bid[two]) & coin)
        won = np.zeros(agents, dtype=bool)
        won[one], won[two] = first, ~first
        won = turn == step % 2 if rule == "ROTATION" else won
        paid -= u[z] * ~won
        wins += won
        z = (rng.random(agents)[:, None] > np.cumsum(chain, axis=1)[z]).sum(axis=1)
    return [paid.mean() / steps, -paid.std() / steps, -wins.std() / steps]


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("rule", MECHANISMS)
def test_baselines_match_a_simulation(rule: str, name: str) -> None:
    """Also for chains with memory, where rewards of different steps are correlated."""
    u, given = CHAINS[name]
    chain, law = stationary(given)
    for steps in (1, 12, 25):
        found = exact_baseline(rule, u, given, steps)
        seen = played(rule, np.array(u), chain, law, steps, 40_000)
        np.testing.assert_allclose(found[0], seen[0], atol=0.03)
        np.testing.assert_allclose(found[1:], seen[1:], rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("rule", MECHANISMS)
def test_baselines_of_two_steps_match_enumeration(rule: str) -> None:
    """Every path of two urgencies and two outcomes, with its probability."""
    u, chain = np.array([1.0, 4.0]), np.array([[0.9, 0.1], [0.3, 0.7]])
    law = np.array([0.75, 0.25])
    higher = np.array([0.625, 0.125])  # probability of losing by urgency
    paths = []
    for first, second, lost_one, lost_two in product((0, 1), repeat=4):
        chances = {
            "COIN": (0.5, 0.5),
            "DICT": (higher[first], higher[second]),
            "ROTATION": (0.5, 1.0 - lost_one),
            "TURN": (0.5, 0.25 if lost_one else 0.75),  # half have won: they lose to half, and half of ties
        }[rule]
        chance = law[first] * chain[first, second]
        for lost, own in zip((lost_one, lost_two), chances, strict=True):
            chance *= own if lost else 1 - own
        paths.append((chance, -u[first] * lost_one - u[second] * lost_two, 2 - lost_one - lost_two))
    chance, paid, wins = np.array(paths).T
    assert chance.sum() == pytest.approx(1)

    def sd(x: np.ndarray) -> float:
        return float(np.sqrt(chance @ x**2 - (chance @ x) ** 2))

    expected = (chance @ paid / 2, -sd(paid) / 2, -sd(wins) / 2)
    np.testing.assert_allclose(exact_baseline(rule, u, chain, 2), expected, atol=1e-14)


def test_turn_taking_approaches_rotation_in_the_long_run() -> None:
    """Wins stay within one half of their mean, so unfairness of access falls as 1 / steps."""
    for steps in (10_001, 10**9):
        found = exact_baseline("TURN", [1.0, 5.0], [0.5, 0.5], steps)
        ideal = exact_baseline("ROTATION", [1.0, 5.0], [0.5, 0.5], steps)
        assert found.access_fairness * steps == pytest.approx(-0.5, abs=0.05)
        assert found.reward_fairness == pytest.approx(ideal.reward_fairness, rel=2 / steps)


@pytest.mark.slow
def test_extrapolated_steps_match_single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    u, chain = CHAINS["sticky"]
    quick = [exact_baseline("TURN", u, chain, steps) for steps in (600, 601)]
    monkeypatch.setattr(karma_constants, "STEADY", -1.0)
    slow = [exact_baseline("TURN", u, chain, steps) for steps in (600, 601)]
    np.testing.assert_allclose(quick, slow, rtol=1e-12)


@pytest.mark.parametrize("chain", [[0.3, 0.7], [[0.9, 0.1], [0.4, 0.6]]], ids=["independent", "sticky"])
@pytest.mark.parametrize("steps", [1, 50, 51])
def test_equal_urgencies_make_rewards_proportional_to_losses(chain: list, steps: int) -> None:
    """Losses are binomial by chance and by urgency; taking turns by parity they differ by at most one."""
    for rule in ("COIN", "DICT"):
        found = exact_baseline(rule, [3.0, 3.0], chain, steps)
        assert found.access_fairness == pytest.approx(-0.5 / np.sqrt(steps), rel=1e-14)
        assert found.reward_fairness == pytest.approx(3 * found.access_fairness, rel=1e-14)
    found = exact_baseline("ROTATION", [3.0, 3.0], chain, steps)
    assert found == pytest.approx((-1.5, -1.5 * (steps % 2) / steps, -0.5 * (steps % 2) / steps), rel=1e-14)


def test_stationary_distributions() -> None:
    for u, given in CHAINS.values():
        chain, law = stationary(given)
        assert law.sum() == pytest.approx(1)
        assert len(law) == len(u)
        np.testing.assert_allclose(law @ chain, law, atol=1e-15)
    transient, law = stationary([[0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(law @ transient, [0, 1], atol=1e-15)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (("AUCTION", [1.0], [1.0], 5), "mechanism: 'AUCTION' is unknown; known: COIN, "),
        (("COIN", [1.0, 2.0], [[0.5, 0.5]], 5), r"chain: shape \(1, 2\) must be square, or one distribution"),
        (("COIN", [1.0, 2.0], [[0.5, 0.5], [0.5, 0.6]], 5), r"chain\[1\]: \[0.5, 0.6\] must be prob"),
        (("COIN", [1.0, 2.0], [[1.5, -0.5], [0.5, 0.5]], 5), r"chain\[0\]: \[1.5, -0.5\] must be prob"),
        (("COIN", [1.0, -2.0], [0.5, 0.5], 5), "must be a list of numbers of at least 0"),
        (("COIN", [1.0, 2.0, 3.0], [0.5, 0.5], 5), "chain: 2 states must be 3"),
        (("COIN", [1.0, 2.0], [[1.0, 0.0], [0.0, 1.0]], 5), "must have one stationary distribution"),
    ],
    ids=range(7),
)
def test_wrong_baselines_are_refused(rules: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact_baseline(*rules)


# Lipschitz constants


class Plain:
    """An economy in plain NumPy: only payments are redistributed; karma above the maximum is lost."""

    def __init__(self, max_karma: int, society: bool, urgencies: tuple[float, ...] = (0.2, 1.0)) -> None:
        self.max_karma, self.society, self.u = max_karma, society, np.array(urgencies)
        self.phi = np.array([[0.3, 0.7], [0.9, 0.1]])
        self.legal = np.tile(np.tri(max_karma + 1, dtype=bool), (2, 1))

    def win(self, nu: np.ndarray) -> np.ndarray:
        return np.cumsum(nu) - nu / 2

    def reward(self, rho: np.ndarray) -> np.ndarray:
        return -np.repeat(self.u, self.max_karma + 1)[:, None] * (1 - self.win(rho.sum(axis=0)))

    def transition(self, rho: np.ndarray) -> np.ndarray:
        nu = rho.sum(axis=0)
        win, top = self.win(nu), self.max_karma
        paid = np.sum(nu * win * np.arange(top + 1))
        gifts = {int(paid): 1 - paid % 1, int(paid) + 1: paid % 1} if self.society else {0: 1.0}
        karma = np.zeros((top + 1, top + 1, top + 1))
        for k in range(top + 1):
            for b in range(k + 1):
                for gift, chance in gifts.items():
                    karma[k, b, min(top, k - b + gift)] += win[b] * chance
                    for other in range(b, top + 1):
                        met = nu[other] * (0.5 if other == b else 1.0) * chance
                        karma[k, b, min(top, k + gift + (0 if self.society else other))] += met
        return np.einsum("uv,kbl->ukbvl", self.phi, karma).reshape(2 * (top + 1), top + 1, -1)


def own_bid(max_karma: int) -> np.ndarray:
    """The payment of a winner, its bid, against every bid of the loser."""
    return np.tile(np.arange(max_karma + 1)[:, None], max_karma + 1)


def plays(economy: Plain, count: int) -> list:
    """Pairs of distributions and policies, some distant and some close."""
    rng, states = np.random.default_rng(3), 2 * (economy.max_karma + 1)

    def law(shape: tuple[int, ...], sharp: float) -> np.ndarray:
        weights = rng.gamma(sharp, size=shape) + 1e-300
        return weights / weights.sum(axis=-1, keepdims=True)

    def play() -> tuple[np.ndarray, np.ndarray]:
        sharp = 10 ** rng.uniform(-2, 1)
        weights = np.where(economy.legal, law(economy.legal.shape, sharp), 0) + 1e-300 * economy.legal
        return law((states,), sharp), weights / weights.sum(axis=1, keepdims=True)

    found = []
    for number in range(count):
        one, two = play(), play()
        part = 1.0 if number % 2 else 10 ** rng.uniform(-4, 0)
        found.append((one, tuple(a + part * (b - a) for a, b in zip(one, two, strict=True))))
    return found


@pytest.mark.parametrize("society", [False, True], ids=["PBP", "PBS"])
@pytest.mark.parametrize("tight", [False, True], ids=["printed", "tight"])
def test_observed_ratios_do_not_exceed_the_lipschitz_constants(society: bool, tight: bool) -> None:
    economy = Plain(5, society)
    kernel = kernel_constant(own_bid(5), society=society, tight=tight)
    bounds = constants(1.0, 0.8, kernel, u_min=0.2, tight=tight)
    seen = ratios(economy.reward, economy.transition, economy.legal, 0.8, plays(economy, 150))
    assert seen.above(bounds) == ()
    assert min(seen) > 0


@pytest.mark.slow
def test_constants_do_not_hold_if_overflow_is_redistributed() -> None:
    """They hold if a winner pays only what the loser can receive, not if the surplus is redistributed."""
    bounds = constants(1.0, 0.8, u_min=0.2, tight=True)
    seen = {}
    for overflow in ("winner_pays_room", "surplus"):
        game = karma(max_karma=5, mean_karma=2.5, gamma=0.8, urgencies=[0.2, 1.0], overflow=overflow)
        pairs = plays(Plain(5, False), 150)
        seen[overflow] = ratios(*tables_of(game), np.asarray(game.legal), 0.8, pairs)
    assert seen["winner_pays_room"].above(bounds) == ()
    assert seen["surplus"].above(bounds) == ("K_rho",)


@pytest.mark.slow
def test_population_tables_match_plain_rules() -> None:
    """Without overflow: all agents have little karma."""
    plain, rng = Plain(6, society=True), np.random.default_rng(8)
    game = karma(max_karma=6, mean_karma=2.0, payment="PBS", urgencies=[0.2, 1.0], chain=plain.phi.tolist())
    rho = np.where(plain.legal, rng.random(plain.legal.shape), 0) * (np.arange(7) < 3)
    rho *= np.tile(np.arange(7) < 3, 2)[:, None]
    rho /= rho.sum()
    reward, transition = (table(rho) for table in tables_of(game))
    np.testing.assert_allclose(reward[plain.legal], plain.reward(rho)[plain.legal], atol=1e-14)
    np.testing.assert_allclose(transition[plain.legal], plain.transition(rho)[plain.legal], atol=1e-14)


def test_tight_constants_are_attained() -> None:
    """All bid zero or all their karma: rewards of other bids change by half the distribution's change."""
    economy = Plain(4, society=True)
    state = np.tile([0.0, 0.0, 0.0, 0.0, 0.5], 2)
    low, high = np.eye(5)[[0] * 10], np.eye(5)[[0, 1, 2, 3, 4] * 2]
    seen = ratios(economy.reward, economy.transition, economy.legal, 0.5, [((state, low), (state, high))])
    assert seen.L_rho == pytest.approx(constants(1.0, 0.5, tight=True).L_rho)


def test_a_constant_that_is_too_small_is_detected() -> None:
    economy = Plain(3, society=True)
    seen = ratios(economy.reward, economy.transition, economy.legal, 0.5, plays(economy, 20))
    assert "L_rho" in seen.above(constants(0.05, 0.5, kernel_constant(own_bid(3), society=True)))
    assert "K_rho" in seen.above(constants(1.0, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["own", "second", "difference"])
def test_mean_payments_respect_the_kernel_constant(rule: str) -> None:
    """Mean payments to society over distributions of bids; distributions of gifts differ by twice that."""
    top, rng = 6, np.random.default_rng(2)
    b, c = np.ogrid[: top + 1, : top + 1]
    charge = {"own": b + 0 * c, "second": np.minimum(b, c), "difference": np.abs(b - c)}[rule]
    pair = np.where(b >= c, charge, charge.T)
    tight = kernel_constant(charge, society=True, tight=True)
    assert tight <= kernel_constant(charge, society=True)
    assert kernel_constant(charge, society=False) == 0.0
    worst = 0.0
    for _ in range(3000):
        nu, other = (rng.dirichlet(np.full(top + 1, 10 ** rng.uniform(-2, 0)) + 1e-3) for _ in range(2))
        moved = nu @ pair @ nu / 2 - other @ pair @ other / 2
        worst = max(worst, 2 * abs(moved) / np.abs(nu - other).sum())
    assert worst <= tight
    assert worst > 0.5 * tight or rule == "difference"


def test_a_discount_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"discount: 1.0 must be in \[0, 1\)"):
        constants(1.0, 1.0)


# the Lasry-Lions sum


def slowly(u: np.ndarray, p: np.ndarray, v: np.ndarray, w: np.ndarray, tie: str) -> float:
    """The definition (5.6), sum by sum."""
    total = 0.0
    for urgency, bid in product(range(len(u)), range(v.shape[1])):
        change = 0.0
        for law, sign in ((p @ v, 1), (p @ w, -1)):
            win = sum(law[other] for other in range(bid)) + (law[bid] / 2 if tie == "coin" else 0.0)
            change += sign * win
        total += p[urgency] * (v[urgency, bid] - w[urgency, bid]) * u[urgency] * change
    return total


def laws(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


@pytest.mark.parametrize("tie", ["coin", "nobody"])
def test_the_lasry_lions_sum_matches_its_definition(tie: str) -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 4):
        u, p = rng.uniform(0, 9, count), laws(rng, count)
        v, w = laws(rng, count, 6), laws(rng, count, 6)
        found = (u * p) @ change_matrix(v, w, tie) @ p
        assert found == pytest.approx(slowly(u, p, v, w, tie), abs=1e-13)
        if count == 1:
            one = -0.5 * u[0] * np.sum((v - w) ** 2) if tie == "nobody" else 0.0
            assert found == pytest.approx(one, abs=1e-14)


def test_the_change_matrix_is_skew_symmetric_with_fair_ties() -> None:
    rng = np.random.default_rng(4)
    v, w = laws(rng, 3, 7), laws(rng, 3, 7)
    fair = change_matrix(v, w)
    np.testing.assert_allclose(fair, -fair.T, atol=1e-15)
    lost = change_matrix(v, w, "nobody")
    np.testing.assert_allclose(lost + lost.T, -(v - w) @ (v - w).T, atol=1e-15)
    np.testing.assert_allclose(theta_matrix(7) + theta_matrix(7).T, np.ones((7, 7)))


@pytest.mark.parametrize("tie", ["coin", "nobody"])
def test_counterexamples_are_feasible_economies(tie: str) -> None:
    """Lemma 5.1: no bid above karma, the given mean karma, and a positive sum by the definition."""
    found = find_counterexample([1.0, 30.0], [0.4, 0.6], mean_karma=2.7, max_karma=6, tie=tie)
    assert np.all(found.policies[..., ~np.tri(7, dtype=bool)] == 0)
    np.testing.assert_allclose(found.policies.sum(axis=-1), 1)
    np.testing.assert_allclose(found.karma @ np.arange(7), 2.7)
    np.testing.assert_allclose(found.karma.sum(axis=1), 1)
    bids = np.einsum("uk,pukb->pub", found.karma, found.policies)
    assert slowly(found.urgencies, found.distribution, *bids, tie) == pytest.approx(found.S, abs=1e-12)
    assert found.S > 1e-3
    text = found.text()
    assert text.startswith(f"S = {found.S:.6g} > 0")
    assert "urgency 30, probability 0.6, mean karma 2.7" in text


def test_no_counterexample_exists_with_one_urgency() -> None:
    assert find_counterexample([3.0], [1.0], tries=30) is None
    assert find_counterexample([3.0], [1.0], tries=30, tie="nobody") is None


# scaling laws


def test_scaling_gap_of_two_economies() -> None:
    """Bids that scale exactly have no gap; a change at one state is located there."""
    small = np.array([[0.0, 0.5, 1.0, 1.25], [0.0, 1.0, 1.5, 2.0]])
    large = np.stack([3 * np.interp(np.arange(10) / 3, np.arange(4), row) for row in small])
    assert scaling_gap(small, large)[:3] == (pytest.approx(0.0), pytest.approx(0.0), 3)
    large[1, 6] += 0.6
    found = scaling_gap(small, large)
    assert found.max == pytest.approx(0.2)
    assert found.mean == pytest.approx(0.2 / 8)
    assert np.argmax(found.gaps) == 6


def test_sublinearity_of_bids(monkeypatch: pytest.MonkeyPatch) -> None:
    k = np.arange(13.0)
    means = [1.0, 2.0, 4.0]
    roots = np.stack([np.sqrt(mean * k) for mean in means])[:, None]
    found = sublinearity(roots)
    assert found == (0.0, 0.0, True, True)
    found = sublinearity(np.stack([k**2 / mean for mean in means]))
    assert found.falls == pytest.approx(144 / 2)
    assert found.exceeds == pytest.approx(12**2 - 12 * 1)  # from one unit of karma to twelve
    assert found[2:] == (False, False)
    whole = np.round(np.stack([0.1 * mean * k for mean in means]))  # they exceed only by rounding
    assert sublinearity(whole).exceeds > 0
    assert sublinearity(whole)[2:] == (True, True)
    monkeypatch.setattr(karma_scaling, "SLACK", 0.1)
    assert not sublinearity(whole).sublinear
