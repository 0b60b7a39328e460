"""Populations with mutation against transition matrices that are built individual by individual."""

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations, product
from math import comb, factorial, prod
from typing import Any

import mpmath
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import Fermi, Moran
from rivalry.methods.finite import compositions

TWO = np.array([[2.0, 0.0], [0.0, 1.0]])
CYCLE = np.array([[1.0, 2.0, 0.5], [0.5, 1.0, 2.5], [2.0, 0.25, 1.0]])


def symmetric(rows: np.ndarray) -> Any:
    return rv.games.matrix(rows, rows.T)


def mean_pay(members: list[int], me: int, pay: Callable[..., float]) -> Fraction:
    """Mean over all ordered groups of others, one by one."""
    others = [k for k in range(len(members)) if k != me]
    groups = list(permutations(others, pay.__code__.co_argcount - 1))
    total = sum(Fraction(pay(members[me], *(members[k] for k in group))) for group in groups)
    return total / len(groups)


def by_individuals(kind: type, members: list[int], actions: int, pays: list[Any], mutation: Fraction) -> Any:
    """Chances of the next population ``{counts: chance}``, from draws of individuals."""
    size, after = len(members), {}

    def add(place: int, action: int, chance: Any) -> None:
        new = [*members[:place], action, *members[place + 1 :]]
        counts = tuple(new.count(a) for a in range(actions))
        after[counts] = after.get(counts, 0) + chance

    for place in range(size):
        for model in range(size):
            if kind is Fermi:  # place looks at model, both drawn from all
                drawn, other = mpmath.mpf(1) / size**2, members[place]
                copies = 1 / (1 + mpmath.exp(pays[place] - pays[model]))
                add(place, members[model], drawn * (1 - mutation) * copies)
                add(place, other, drawn * (1 - mutation) * (1 - copies))
            else:  # model has the offspring, place dies
                drawn, other = pays[model] / sum(pays) / size, members[model]
                add(place, other, drawn * (1 - mutation))
            for action in range(actions):
                if action != other:
                    add(place, action, drawn * mutation / (actions - 1))
    return after


def dense(kind: type, size: int, actions: int, pay: Callable[..., float], mutation: float) -> dict[Any, Any]:
    """The stationary distribution of the whole matrix, with 50 digits."""
    states = [s for s in product(range(size + 1), repeat=actions) if sum(s) == size]
    with mpmath.workdps(50):
        system = mpmath.zeros(len(states))
        for i, counts in enumerate(states):
            members = [a for a, n in enumerate(counts) for _ in range(n)]
            paid = [mean_pay(members, me, pay) for me in range(size)]
            numbers = [mpmath.mpf(p.numerator) / p.denominator for p in paid]
            rate = mpmath.mpf(Fraction(mutation).numerator) / Fraction(mutation).denominator
            for there, chance in by_individuals(kind, members, actions, numbers, rate).items():
                system[states.index(there), i] += chance
            system[i, i] -= 1
        for i in range(len(states)):
            system[0, i] = 1
        right = mpmath.zeros(len(states), 1)
        right[0] = 1
        share = mpmath.lu_solve(system, right)
        return {state: share[i] for i, state in enumerate(states)}


def assert_same(found: Any, wanted: dict[Any, Any], rel: float = 1e-11) -> None:
    states = [tuple(row) for row in found.composition.values.tolist()]
    assert sorted(states) == sorted(wanted)
    assert found.composition_probability.values == pytest.approx(
        [float(wanted[state]) for state in states], rel=rel, abs=0
    )
    mean = np.array(states).T @ found.composition_probability.values / sum(states[0])
    assert found.mean_share.values == pytest.approx(mean, rel=1e-12)
    assert mean[int(found.most_common_type)] == pytest.approx(mean.max(), rel=1e-12)
    chances = found.composition_probability.values
    assert chances[int(found.most_common_composition)] == pytest.approx(chances.max(), rel=1e-12)


@pytest.mark.parametrize("mutation", [1e-6, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("kind", [Fermi, Moran])
def test_two_actions_are_the_matrix_of_all_individuals(kind: Any, mutation: float) -> None:
    rows = TWO + (1.0 if kind is Moran else 0.0)
    found = rv.solve(symmetric(rows), kind(population=5, selection=1.0, mutation=mutation)).data
    assert_same(found, dense(kind, 5, 2, lambda a, b: rows[a, b], mutation))


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize(("kind", "mutation"), [(Fermi, 0.02), (Moran, 0.02), (Moran, 1.0), (Fermi, 1e-9)])
def test_three_actions_are_the_matrix_of_all_individuals(
    kind: Any, mutation: float, logs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if logs:
        original = compositions._eliminated

        def underflows(banded: np.ndarray, arithmetic: Any) -> np.ndarray:
            if arithmetic is compositions.FLOATS:
                raise FloatingPointError
            return original(banded, arithmetic)

        monkeypatch.setattr(compositions, "_eliminated", underflows)
    found = rv.solve(symmetric(CYCLE), kind(population=4, selection=1.0, mutation=mutation)).data
    assert_same(found, dense(kind, 4, 3, lambda a, b: CYCLE[a, b], mutation))


def test_groups_of_three_with_mutation() -> None:
    def pay(own: int, one: int, other: int) -> float:
        return [[0.5, 1.0, 0.25], [3.0, 0.5, 2.0]][own][one + other]

    table = np.array([[[pay(a, b, c) for c in range(2)] for b in range(2)] for a in range(2)])
    game = rv.games.matrix(table, table.transpose(1, 0, 2), table.transpose(1, 2, 0))
    assert_same(
        rv.solve(game, Fermi(population=5, selection=1.0, mutation=0.1)).data, dense(Fermi, 5, 2, pay, 0.1)
    )


@pytest.mark.parametrize("kind", [Fermi, Moran])
def test_detailed_balance_holds_for_two_actions(kind: Any) -> None:
    """Flows up and down are equal at every cut, with chances from the rule itself."""
    method, rows = kind(population=60, selection=1.0, mutation=0.03), TWO + 0.5
    found = rv.solve(symmetric(rows), method).data
    counts, share = found.composition.values, found.composition_probability.values
    chances = np.exp(method.log_changes(counts, compositions.group_means(rows, counts)))
    up, down = share[:-1] * chances[:-1, 1, 0], share[1:] * chances[1:, 0, 1]
    assert up == pytest.approx(down, rel=1e-11)


@pytest.mark.parametrize("actions", [2, 3])
def test_uniform_copies_are_multinomial(actions: int) -> None:
    """A copy of each action with the same chance: payoffs do not matter."""
    rows = (np.arange(9.0).reshape(3, 3) + 1)[:actions, :actions]
    found = rv.solve(symmetric(rows), Moran(population=12, mutation=1 - 1 / actions)).data
    exact = [
        factorial(12) / prod(map(factorial, row)) / actions**12 for row in found.composition.values.tolist()
    ]
    assert found.composition_probability.values == pytest.approx(exact, rel=1e-10)


def test_mutation_without_imitation_is_binomial() -> None:
    found = rv.solve(symmetric(TWO), Fermi(population=30, mutation=1.0)).data
    exact = [comb(30, k) / 2**30 for k in range(31)]
    assert found.composition_probability.values == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("rows", "method"),
    [
        (np.array([[1, 0], [0, 1.002]]), {"population": 200, "selection": 29.45}),
        (np.array([[1, 0], [0, 1.0005]]), {"population": 200, "selection": 14.86}),
        (np.array([[2.0, 0.0], [0.0, 1.0]]), {"population": 5000, "selection": 1.0}),
        (np.array([[1, 0, 0.2], [0, 1.01, 0.1], [0.1, 0.3, 1.005]]), {"population": 30, "selection": 60.0}),
        (CYCLE, {"population": 10, "selection": 0.3}),
    ],
)
def test_rare_mutations_are_the_limit(rows: np.ndarray, method: dict[str, Any]) -> None:
    """Also where chances of fixation are below the smallest float."""
    limit = rv.solve(symmetric(rows), Fermi(**method)).data
    near = rv.solve(symmetric(rows), Fermi(**method, mutation=1e-60)).data
    assert near.mean_share.values == pytest.approx(limit.small_mutation.values, abs=1e-7)
    none = rv.solve(symmetric(rows), Fermi(**method, mutation=0.0)).data
    assert none.small_mutation.values.tolist() == limit.small_mutation.values.tolist()


def test_shares_have_the_names_of_actions() -> None:
    game = rv.games.matrix(TWO, TWO.T, actions=["stag", "hare"])
    found = rv.solve(game, Fermi(population=20, mutation=0.01)).data
    assert found.mean_share.axis.values.tolist() == ["stag", "hare"]
    assert found.mean_share.sel(axis="stag") > 0.9


def two_roles(tables: np.ndarray, size: int, mutation: float, strength: float) -> np.ndarray:
    """Mean shares ``[player action]`` of two populations with two actions, by a dense matrix of floats."""
    states = list(product(range(size + 1), repeat=2))  # individuals with action 1
    chain = np.zeros((len(states),) * 2)
    for here, counts in enumerate(states):
        for player in range(2):
            share = counts[1 - player] / size
            table = tables[player] if player == 0 else tables[player].T
            pays = table @ [1 - share, share]
            for lost, gained in ((0, 1), (1, 0)):
                n = counts[player] if lost else size - counts[player]
                copies = (size - n) / size / (1 + np.exp(-strength * (pays[gained] - pays[lost])))
                chance = n / size * ((1 - mutation) * copies + mutation) / 2
                there = list(counts)
                there[player] += gained - lost
                if chance:
                    chain[here, states.index(tuple(there))] += chance
        chain[here, here] = 1 - chain[here].sum()
    system = np.vstack([chain.T - np.eye(len(states)), np.ones(len(states))])
    share = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    ones = share @ np.array(states) / size
    return np.stack([1 - ones, ones], axis=1)


ROLES = np.array([[[2.0, 0.0], [1.0, 3.0]], [[1.0, 0.5], [0.0, 2.0]]])


def test_two_roles_are_two_populations() -> None:
    game = rv.games.matrix(*ROLES)
    found = rv.solve(game, Fermi(population=6, selection=0.7, mutation=0.05, populations="each")).data
    assert found.mean_share.values == pytest.approx(two_roles(ROLES, 6, 0.05, 0.7), abs=1e-10)


def test_rare_mutants_in_two_roles_are_the_limit_of_the_chain() -> None:
    game = rv.games.matrix(*ROLES)
    limit = rv.solve(game, Fermi(population=6, selection=0.7, populations="each")).data
    share = limit.small_mutation.values @ limit.joint_action.values
    assert two_roles(ROLES, 6, 1e-6, 0.7)[:, 1] == pytest.approx(share, abs=1e-4)
    fixed = limit.fixation.values[2]  # all play (1, 0); against action 0 player 0 is paid 2 or 1
    assert fixed[0, 0] == pytest.approx((1 - np.exp(-0.7)) / (1 - np.exp(-0.7 * 6)), rel=1e-12)


def test_roles_of_different_sizes() -> None:
    """Three actions against two that all pay the same: every composition by its number of arrangements."""
    game = rv.games.matrix(np.ones((3, 2)), np.ones((3, 2)))
    found = rv.solve(game, Moran(population=5, mutation=0.3, populations="each")).data
    assert found.mean_share.values[0] == pytest.approx([1 / 3] * 3)
    assert found.mean_share.values[1] == pytest.approx([0.5, 0.5, 0.0])
    assert len(found.composition) == comb(7, 2) * comb(6, 1)


@pytest.mark.slow
def test_simulated_intervals_hold_the_exact_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    method = {"population": 12, "selection": 0.5, "mutation": 0.1}
    exact = rv.solve(symmetric(CYCLE), Fermi(**method)).data.mean_share.values
    monkeypatch.setattr(compositions, "WORK", 0)
    found = rv.solve(symmetric(CYCLE), Fermi(**method, changes=3000), seed=1).data
    low, high = found.mean_share_interval.values.T
    assert found.status == "completed"
    assert np.all(low <= exact)
    assert np.all(exact <= high)
    assert np.all(high - low < 0.05)


def test_fitness_zero_with_mutation() -> None:
    """Defectors among themselves are paid 0: they have no offspring, but cooperators have defectors."""
    rows = np.array([[3.0, 1.0], [5.0, 0.0]])
    found = rv.solve(symmetric(rows), Moran(population=4, mutation=0.25)).data
    assert found.mean_share.values.sum() == pytest.approx(1)
    assert np.all(found.composition_probability.values > 0)


def test_wrong_input_is_one_line() -> None:
    with pytest.raises(ValueError, match="mutation: 2"):
        Fermi(mutation=2.0)
    with pytest.raises(ValueError, match='populations="each" has one per player'):
        rv.solve(rv.games.matrix(*ROLES), Fermi(population=4, mutation=0.1))
    with pytest.raises(ValueError, match="the fitness 0 to all"):
        rv.solve(symmetric(np.zeros((2, 2))), Moran(population=4, mutation=0.1))
