"""Fixation in finite populations against Markov chains solved by NumPy, and closed forms."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import Fermi, Moran

DOVES = np.array([[1.0, 4.0], [2.0, 3.0]])  # each action is a best response to the other


def symmetric(rows: np.ndarray) -> Any:
    return rv.games.matrix(rows, rows.T)


def paid(rows: np.ndarray, mutants: int, population: int) -> tuple[float, float]:
    """Payoffs of a mutant (action 0) and a resident (action 1), means over all other individuals."""
    members = [0] * mutants + [1] * (population - mutants)

    def mean(me: int) -> float:
        return float(np.mean([rows[members[me], members[k]] for k in range(population) if k != me]))

    return mean(0), mean(population - 1)


def moves(rows: np.ndarray, k: int, population: int, rule: str, strength: float) -> tuple[float, float]:
    """Chances that ``k`` mutants become one more or one fewer, from the rule of the process."""
    mutant, resident = paid(rows, k, population)
    part = k / population
    if rule == "fermi":
        mixed = part * (1 - part) * population / (population - 1)
        return tuple(mixed / (1 + np.exp(-strength * d)) for d in (mutant - resident, resident - mutant))  # type: ignore[return-value]
    fit = [1 - strength + strength * pay for pay in (mutant, resident)]
    chosen = k * fit[0] / (k * fit[0] + (population - k) * fit[1])
    return chosen * (1 - part), (1 - chosen) * part


def absorbed(rows: np.ndarray, population: int, rule: str, strength: float) -> float:
    """The chance to end with mutants only from one mutant, by a linear system."""
    chain = np.zeros((population + 1, population + 1))
    for k in range(1, population):
        more, fewer = moves(rows, k, population, rule, strength)
        chain[k, k - 1], chain[k, k + 1], chain[k, k] = fewer, more, 1 - more - fewer
    inner = slice(1, population)
    return float(np.linalg.solve(np.eye(population - 1) - chain[inner, inner], chain[inner, population])[0])


@pytest.mark.parametrize(
    ("rule", "strength", "kind"), [("moran", 0.7, Moran), ("moran", 1.0, Moran), ("fermi", 0.3, Fermi)]
)
def test_fixation_is_absorption_of_the_chain(rule: str, strength: float, kind: Callable[..., Any]) -> None:
    found = rv.solve(symmetric(DOVES), kind(population=7, selection=strength)).data.fixation.values
    assert found[1, 0] == pytest.approx(absorbed(DOVES, 7, rule, strength), rel=1e-12)
    assert found[0, 1] == pytest.approx(absorbed(DOVES[::-1, ::-1], 7, rule, strength), rel=1e-12)


@pytest.mark.parametrize("fitness", [0.5, 2.0])
def test_constant_fitness_has_the_classical_formula(fitness: float) -> None:
    """A mutant of relative fitness r takes over with (1 - 1/r) / (1 - 1/r^N)."""
    found = rv.solve(symmetric(np.array([[fitness, fitness], [1.0, 1.0]])), Moran(population=30)).data
    exact = (1 - 1 / fitness) / (1 - fitness**-30)
    assert found.fixation.values[1, 0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("kind", [Moran, Fermi])
def test_neutral_mutants_take_over_once_in_as_many_times_as_individuals(kind: Callable[..., Any]) -> None:
    found = rv.solve(symmetric(np.ones((3, 3))), kind(population=12)).data
    assert found.fixation.values == pytest.approx(np.full((3, 3), 1 / 12))
    assert found.small_mutation.values == pytest.approx(np.full(3, 1 / 3))
    assert int(found.most_common_type) == 0  # the first of equals, whatever the rounding


def test_groups_of_three_are_drawn_without_replacement() -> None:
    """Mean payoffs over all pairs of others, one by one."""
    rows = np.array([[0.2, 1.0, 0.0], [3.0, 0.5, 2.0]])  # [own][others of action 1]
    table = np.array([[[rows[a, b + c] for c in range(2)] for b in range(2)] for a in range(2)])
    game = rv.games.matrix(table, table.transpose(1, 0, 2), table.transpose(1, 2, 0))
    found = rv.solve(game, Fermi(population=6, selection=0.8)).data.fixation.values[0, 1]
    total, product_so_far = 1.0, 1.0
    for k in range(1, 6):
        members = [1] * k + [0] * (6 - k)

        def mean(me: int, members: Sequence[int] = members) -> float:
            others = [j for j in range(6) if j != me]
            pairs = [(i, j) for i, j in product(others, others) if i < j]
            return float(np.mean([rows[members[me], members[i] + members[j]] for i, j in pairs]))

        product_so_far *= np.exp(-0.8 * (mean(0) - mean(5)))
        total += product_so_far
    assert found == pytest.approx(1 / total, rel=1e-12)


def test_shares_are_those_of_the_chain_with_rare_mutations() -> None:
    """The stationary distribution of all states, with mutation 1e-7 per step."""
    population, mutation = 6, 1e-7
    chain = np.zeros((7, 7))
    for k in range(7):
        more, fewer = moves(DOVES, k, population, "fermi", 0.5) if 0 < k < 6 else (0.0, 0.0)
        more, fewer = more + mutation * (1 - k / 6), fewer + mutation * k / 6
        chain[k, max(k - 1, 0)] += fewer
        chain[k, min(k + 1, 6)] += more
        chain[k, k] += 1 - more - fewer
    system = np.vstack([chain.T - np.eye(7), np.ones(7)])
    share = np.linalg.lstsq(system, np.append(np.zeros(7), 1.0), rcond=None)[0]
    found = rv.solve(symmetric(DOVES), Fermi(population=6, selection=0.5)).data.small_mutation.values
    assert found == pytest.approx([share[6], share[0]], abs=1e-5)


def exact_fixation(rows: np.ndarray, population: int, strength: float, kind: type) -> Any:
    """Chance that a mutant with action 0 takes over, in exact fractions (Moran) or 60 digits (Fermi)."""
    pays = [[Fraction(float(value)) for value in row] for row in rows]
    total, term = Fraction(1), Fraction(1)
    exponent = Fraction(0)
    for k in range(1, population):
        mutant = (pays[0][0] * (k - 1) + pays[0][1] * (population - k)) / (population - 1)
        resident = (pays[1][0] * k + pays[1][1] * (population - k - 1)) / (population - 1)
        weight = Fraction(strength)
        if kind is Moran:
            term *= (1 - weight + weight * resident) / (1 - weight + weight * mutant)
            total += term
        else:
            exponent += weight * (resident - mutant)
            total += mpmath.exp(mpmath.mpf(exponent.numerator) / exponent.denominator)
    return 1 / total


def exact_shares(rows: np.ndarray, population: int, strength: float, kind: type) -> list[float]:
    with mpmath.workdps(60):
        into = [exact_fixation(some, population, strength, kind) for some in (rows, rows[::-1, ::-1])]
        return [float(part / (into[0] + into[1])) for part in into]


@pytest.mark.parametrize("strength", [1.0, 14.0, 14.92, 15.5, 1000.0])
def test_shares_are_known_where_chances_are_too_small_for_a_float(strength: float) -> None:
    """Two conventions, one of which pays slightly more: ratios of chances below 1e-308."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0005]])
    shares = rv.solve(symmetric(rows), Fermi(population=200, selection=strength)).data.small_mutation.values
    assert shares == pytest.approx(exact_shares(rows, 200, strength, Fermi), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("population", [20, 1500])
def test_shares_of_the_moran_process_are_those_of_exact_fractions(population: int) -> None:
    rows = np.array([[4.0, 0.25], [0.25, 4.015625]])
    shares = rv.solve(symmetric(rows), Moran(population=population)).data.small_mutation.values
    assert shares == pytest.approx(exact_shares(rows, population, 1.0, Moran), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_shares_of_three_actions_are_the_same_in_logarithms(seed: int) -> None:
    """The stationary distribution of the chain of populations of one action, by a linear system."""
    rows = np.random.default_rng(seed).uniform(size=(3, 3))
    data = rv.solve(symmetric(rows), Fermi(population=10)).data
    chain = data.fixation.values * (1 - np.eye(3)) / 2
    chain += np.diag(1 - chain.sum(axis=1))
    system = np.vstack([chain.T - np.eye(3), np.ones(3)])
    shares = np.linalg.lstsq(system, np.array([0.0, 0, 0, 1]), rcond=None)[0]
    assert data.small_mutation.values == pytest.approx(shares, rel=1e-9)
    moved = rv.solve(symmetric(rows + 2.0**20), Fermi(population=10)).data  # about 32 bits remain
    assert moved.small_mutation.values == pytest.approx(shares, rel=1e-7)


def test_a_fitness_of_zero_decides_who_takes_over() -> None:
    """Mutants without offspring vanish; two such conventions depend on the first population."""
    rows = np.array([[1.0, 1.0], [0.0, 1.0]])  # residents of action 1 never replace action 0 at its last step
    data = rv.solve(symmetric(rows), Moran(population=5)).data
    total, term = Fraction(1), Fraction(1)
    for k in range(1, 5):
        term *= Fraction(4 - k, 4)
        total += term
    assert data.fixation.values[1, 0] == pytest.approx(float(1 / total), rel=1e-12)
    assert (data.fixation.values[0, 1], data.small_mutation.values.tolist()) == (0, [1.0, 0.0])
    swapped = rv.solve(symmetric(rows[::-1, ::-1]), Moran(population=5)).data
    assert swapped.small_mutation.values.tolist() == [0.0, 1.0]
    both = rv.solve(symmetric(np.eye(2)), Moran(population=5)).data
    assert both.fixation.values[[0, 1], [1, 0]].tolist() == [0.0, 0.0]
    assert np.isnan(both.small_mutation).all()


def test_what_cannot_be_played_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="game: must be symmetric"):
        rv.solve(rv.games.matrix("matching_pennies"), Moran())
    with pytest.raises(ValueError, match="selection: 1 gives the fitness -1"):
        rv.solve(rv.games.matrix("chicken"), Moran(population=2))
    with pytest.raises(ValueError, match="selection: 1 gives the fitness 0"):
        rv.solve(symmetric(np.array([[1.0, 0.0], [0.0, 1.0]])), Moran(population=2))
    with pytest.raises(ValueError, match="population: 2 must be at least 3"):
        rv.solve(rv.games.matrix("volunteers_dilemma"), Fermi(population=2))


def test_a_share_is_no_strategy_and_claims_nothing() -> None:
    found = rv.solve(symmetric(DOVES), Fermi(population=5))
    assert "profile" not in found.data
    assert "no certificate" in str(found)
