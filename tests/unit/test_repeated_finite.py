"""Subgame-perfect payoffs of repeated games, and round robins of automata."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

import rivalry as rv
from rivalry.methods import RoundRobin, SubgamePerfectPayoffs
from rivalry.methods.finite.round_robin import AUTOMATA

TABLES = np.array(
    [[[16, 3, 0], [21, 10, -1], [9, 5, -5]], [[9, 13, 3], [1, 4, 0], [0, -4, -15]]], dtype=float
)
DILEMMA = rv.games.matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])


def support(tables: np.ndarray, vertices: np.ndarray, discount: float, direction: np.ndarray) -> float:
    """Return how far the payoffs that a set enforces reach in a direction (Abreu, Pearce and Stacchetti)."""
    best, threat = -np.inf, vertices.min(axis=0)
    for joint in np.ndindex(*tables.shape[1:]):
        own = tables[(slice(None), *joint)]
        gain = [tables[0][:, joint[1]].max() - own[0], tables[1][joint[0]].max() - own[1]]
        low = threat + (1 - discount) / discount * np.array(gain)
        shares = linprog(-vertices @ direction, -vertices.T, 1e-9 - low, np.ones((1, len(vertices))), [1.0])
        if shares.x is not None:
            best = max(best, (1 - discount) * own @ direction - discount * shares.fun)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.3, 0.6])
def test_the_set_is_a_fixed_point_of_what_it_enforces(discount: float) -> None:
    found = rv.solve(rv.games.matrix(*TABLES), SubgamePerfectPayoffs(discount=discount))
    assert found.status == "converged"
    vertices = found.data.payoff_vertices.values
    for angle in np.linspace(0, 2 * np.pi, 13):
        direction = np.array([np.cos(angle), np.sin(angle)])
        reach = support(TABLES, vertices, discount, direction)
        assert reach == pytest.approx((vertices @ direction).max(), abs=1e-7)
    assert np.allclose(found.data.threat, vertices.min(axis=0), atol=1e-9)


def test_payoffs_of_the_dilemma_need_the_critical_discount_factors() -> None:
    # grim trigger: 3 >= 5 (1 - d) + d, so d >= 1/2; taking turns to defect: 5 d / (1 + d) >= 1, so d >= 1/4
    for discount, welfare in ((0.2, 2.0), (0.24, 2.0), (0.26, 5.0), (0.49, 5.0), (0.5, 6.0)):
        vertices = rv.solve(DILEMMA, SubgamePerfectPayoffs(discount=discount)).data.payoff_vertices.values
        assert vertices.min(axis=0).tolist() == pytest.approx([1.0, 1.0])
        assert vertices.sum(axis=1).max() == pytest.approx(welfare)


@pytest.mark.parametrize("factors", [(1.0, 1e12), (1e-6, 1e6), (1e12, 1e-6), (3.0, 7e-5)])
@pytest.mark.parametrize("wealth", [(0.0, 0.0), (1e6, 0.0), (-3e5, 1e6)])
@pytest.mark.parametrize("tables", [TABLES, np.array([[[9, 1], [10, 3]], [[9, 10], [1, 3]]])])
def test_neither_units_nor_wealth_of_a_player_matter(
    tables: np.ndarray, wealth: tuple[float, float], factors: tuple[float, float]
) -> None:
    """Payoffs times a factor per player, plus a constant of up to a million of its units."""
    base = rv.solve(rv.games.matrix(*tables), SubgamePerfectPayoffs(discount=0.6)).data
    factor, moved = np.array(factors), np.array(wealth) * factors
    changed = tables * factor[:, None, None] + moved[:, None, None]
    data = rv.solve(rv.games.matrix(*changed), SubgamePerfectPayoffs(discount=0.6)).data
    assert data.status == base.status
    # a constant of 1e6 leaves 1e-10 of a unit
    within = (1e-9 if any(wealth) else 1e-11) * np.ptp(tables.reshape(2, -1), axis=1)
    vertices = (data.payoff_vertices.values - moved) / factor
    assert vertices.shape == base.payoff_vertices.shape
    assert np.all(abs(vertices - base.payoff_vertices.values) <= within)
    assert np.all(abs((data.threat.values - moved) / factor - base.threat.values) <= within)
    assert np.all(vertices >= base.threat.values - within)


def test_without_pure_equilibria_nothing_is_found() -> None:
    found = rv.solve(rv.games.matrix("matching_pennies"), SubgamePerfectPayoffs(discount=0.3))
    assert found.status == "not found"
    with pytest.raises(ValueError, match="3 players; must be two"):
        rv.solve(rv.games.matrix("jordan"), SubgamePerfectPayoffs())


def test_matches_of_automata_are_those_played_by_hand() -> None:
    names = ["tit_for_two_tats", "alternator", "win_stay_lose_shift", "suspicious_tit_for_tat", "grudger"]
    found = rv.solve(DILEMMA, RoundRobin(names, turns=4)).data
    # CCCC against CDCD: no two defections in a row
    assert found.match_payoff[0, 1].item() == (3 + 0 + 3 + 0) / 4
    # win-stay lose-shift CCDD against CDCD: 3, 0, then it shifts: 5, and stays: 1
    assert found.match_payoff[2, 1].item() == (3 + 0 + 5 + 1) / 4
    # DCDC against CDDD
    assert found.match_payoff[3, 4].item() == (5 + 0 + 1 + 1) / 4
    assert found.score[0].item() == pytest.approx(4 * (found.match_payoff[0].sum() - 3).item())
    with pytest.raises(ValueError, match="strategies: 'tit_for_tta' is no strategy; did you mean"):
        rv.solve(DILEMMA, RoundRobin(["tit_for_tta"]))
    with pytest.raises(ValueError, match="3 x 3 actions; must be two players with two actions each"):
        rv.solve(rv.games.matrix("rock_paper_scissors"), RoundRobin(["defector"]))


def cooperates(name: str, own: list[int], theirs: list[int]) -> float:
    """The chance to cooperate after histories of what was played (1: defect), as Axelrod's library has it."""
    last = bool(theirs)
    return float(
        {
            "cooperator": lambda: True,
            "defector": lambda: False,
            "random": lambda: 0.5,
            "tit_for_tat": lambda: not last or theirs[-1] == 0,
            "suspicious_tit_for_tat": lambda: last and theirs[-1] == 0,
            "tit_for_two_tats": lambda: theirs[-2:] != [1, 1],
            "grudger": lambda: 1 not in theirs,
            "win_stay_lose_shift": lambda: not last or own[-1] == theirs[-1],
            "alternator": lambda: not last or own[-1] == 1,
        }[name]()
    )


def expected_payoffs(one: str, other: str, turns: int, noise: float) -> float:
    """What the first earns on average, over all ways in which actions may be played."""

    def ahead(own: list[int], theirs: list[int]) -> float:
        if len(own) == turns:
            return 0.0
        p, q = cooperates(one, own, theirs), cooperates(other, theirs, own)
        p, q = (x * (1 - noise) + (1 - x) * noise for x in (p, q))
        total = 0.0
        for a, b in product(range(2), repeat=2):
            chance = (p if a == 0 else 1 - p) * (q if b == 0 else 1 - q)
            if chance:
                total += chance * ([[3, 0], [5, 1]][a][b] + ahead([*own, a], [*theirs, b]))
        return total

    return ahead([], [])


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_expected_payoffs_are_those_over_all_histories(noise: float) -> None:
    names = list(AUTOMATA)
    found = rv.solve(DILEMMA, RoundRobin(names, turns=4, noise=noise)).data.match_payoff.values
    wanted = [[expected_payoffs(one, other, 4, noise) / 4 for other in names] for one in names]
    assert found == pytest.approx(np.array(wanted), rel=1e-12)


def test_long_noisy_matches_are_the_stationary_chain_of_four_states() -> None:
    """Players with memory of one turn: the chain of last actions (Nowak and Sigmund 1990)."""
    noise, memory = (
        0.02,
        {"tit_for_tat": [1, 0, 1, 0], "win_stay_lose_shift": [1, 0, 0, 1], "random": [0.5] * 4},
    )
    for (one, p), (other, q) in product(memory.items(), repeat=2):
        mine = np.array(p) * (1 - 2 * noise) + noise  # after (own, other's) CC, CD, DC, DD
        theirs = (np.array(q) * (1 - 2 * noise) + noise)[[0, 2, 1, 3]]
        chain = np.stack(
            [mine * theirs, mine * (1 - theirs), (1 - mine) * theirs, (1 - mine) * (1 - theirs)], axis=1
        )
        system = np.vstack([chain.T - np.eye(4), np.ones(4)])
        share = np.linalg.lstsq(system, np.append(np.zeros(4), 1.0), rcond=None)[0]
        found = rv.solve(DILEMMA, RoundRobin([one, other], turns=20_000, noise=noise)).data
        assert found.match_payoff.values[0, 1] == pytest.approx(share @ [3, 0, 5, 1], abs=5e-3)
