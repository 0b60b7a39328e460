"""The page of rules of thumb: every counterexample by hand, and shares and lists again by brute force."""

import json
import re
import sys
from fractions import Fraction
from importlib import import_module
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sympy import Matrix, Rational

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
rules = import_module("rules_of_thumb")
sys.path.pop(0)

PAGE = DOCS / "textbook/rules_of_thumb.md"
ROWS = re.findall(r"^\| (.+?) \| (\d?\.\d+) \(", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def supports(game: np.ndarray) -> list[tuple[tuple[Fraction, ...], ...]]:
    """All equilibria of a bimatrix game of supports of equal size, by linear equations in fractions."""
    size, found = game.shape[1], []
    for count in range(1, size + 1):
        for rows in combinations(range(size), count):
            for columns in combinations(range(size), count):
                y = mixture(game[0][np.ix_(rows, columns)])
                x = mixture(game[1][np.ix_(rows, columns)].T)
                if x is None or y is None:
                    continue
                whole = [[Fraction(0)] * size for _ in range(2)]
                for part, used, weights in zip(whole, (rows, columns), (x, y), strict=True):
                    for action, weight in zip(used, weights, strict=True):
                        part[action] = weight
                paid = [[sum(int(a) * w for a, w in zip(row, whole[1], strict=True)) for row in game[0]]]
                paid += [[sum(int(b) * w for b, w in zip(row, whole[0], strict=True)) for row in game[1].T]]
                if all(paid[k][used[0]] == max(paid[k]) for k, used in enumerate((rows, columns))):
                    found.append(tuple(map(tuple, whole)))
    return found


def mixture(payoffs: np.ndarray) -> list[Fraction] | None:
    """The positive probabilities of columns that make all rows pay the same, or None."""
    count = len(payoffs)
    equations = [[*map(int, payoffs[0] - payoffs[k])] for k in range(1, count)] + [[1] * count]
    system = Matrix(equations)
    if system.det() == 0:
        return None
    weights = system.LUsolve(Matrix([0] * (count - 1) + [1]))
    return [Fraction(int(w.p), int(w.q)) for w in map(Rational, weights)] if min(weights) > 0 else None


def test_every_rule_of_the_script_has_a_row_of_the_page() -> None:
    assert [row[0] for row in ROWS] == [rule.text for rule in rules.RULES]


def advice_gains(game: np.ndarray, joint: np.ndarray) -> list[int]:
    """Gains from each other action after each piece of advice, times the weight of all profiles."""
    own, other = game[0] @ joint.T, game[1].T @ joint
    return [
        int(each[k, told] - each[told, told]) for each in (own, other) for told, k in np.ndindex(each.shape)
    ]


def test_best_responses_and_fictitious_play_turn_round() -> None:
    own = np.array([[0, 2], [3, 1]])
    assert min(own[1, 0], own[0, 1]) > max(own[0, 0], own[1, 1])  # both leave either end of the diagonal
    assert not rules.best_responses_settle(own)
    alike = np.stack([np.array([[0, 1], [1, 0]])] * 2)
    assert (alike[0] == alike[1].T).all()  # so both choose alike, and no such profile is an equilibrium
    assert rules.strict(alike) == [(0, 1), (1, 0)]
    assert rules.play_ends_at_an_equilibrium(alike) is False


def test_risk_dominance_against_payoff_dominance() -> None:
    own = np.array([[3, 3], [1, 4]])
    assert own[0, 0] - own[1, 0] > own[1, 1] - own[0, 1] > 0
    assert own[0, 0] < own[1, 1]


def test_two_isolated_equilibria() -> None:
    """Whoever gives the second action any weight makes it the other's only best response."""
    own = np.array([[0, 0], [0, 1]])
    assert (own[1] - own[0]).tolist() == [0, 1]
    assert supports(np.stack([own, own.T])) == [((1, 0), (1, 0)), ((0, 1), (0, 1))]


def test_a_mediator_that_adds() -> None:
    game = rules.symmetric((1, 5, 2, 4))
    joint = np.array([[0, 1], [1, 1]])
    assert max(advice_gains(game, joint)) == 0
    assert Fraction(int((game.sum(axis=0) * joint).sum()), 3) == Fraction(22, 3)
    assert max(np.array(x) @ game.sum(axis=0) @ np.array(y) for x, y in supports(game)) == 7


def test_a_correlated_equilibrium_beside_a_unique_one() -> None:
    game = rules.COUNTEREXAMPLES["unique_equilibrium"]
    joint = np.array([[0, 2, 1], [1, 2, 1], [0, 0, 0]])  # sevenths
    assert max(advice_gains(game, joint)) == 0
    half, third = Fraction(1, 2), Fraction(1, 3)
    assert supports(game) == [((half, half, 0), (0, 2 * third, third))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "game", [rules.COUNTEREXAMPLES[name] for name in ("two_equilibria", "mediator", "unique_equilibrium")]
)
def test_equilibria_of_counterexamples_are_those_of_the_package(game: np.ndarray) -> None:
    own = [[[float(w) for w in part] for part in each] for each in supports(game)]
    np.testing.assert_allclose(sorted(own), sorted(rules.nash(game).tolist()), rtol=0, atol=1e-12)


def test_elimination_by_pure_actions_stops_too_early() -> None:
    row, column = rules.COUNTEREXAMPLES["elimination"]
    assert (column[:, 0] > column[:, 1]).all()
    rest = row[:, [0, 2]]
    assert (rest[0] + rest[2] > 2 * rest[1]).all()
    assert not any((rest[a] > rest[b]).all() for a, b in np.ndindex(3, 3))
    assert not (column[:, 0] > column[:, 2]).all()
    assert rules.dominance_finds_it(np.stack([row, column])) is False


def test_selection_for_a_dominated_action() -> None:
    """Of three players 1 or 2 use it: chances to take over from the balance of births."""
    (a, b), (c, d) = (1, 4), (2, 5)
    assert (a, b) < (c, d)
    up = [Fraction(2 * b, 2 * b + c + d), Fraction(a + b, a + b + 2 * c)]  # a birth of it, if numbers change
    takes_over = up[0] * up[1] / (1 - up[0] * (1 - up[1]))
    assert takes_over == rules.fixation(rules.symmetric((a, b, c, d)), 3) == Fraction(40, 103)


def test_a_third_firm_that_raises_the_price() -> None:
    prices, costs = rules.MARKET
    for made in ((3, 3), (1, 1, 3)):
        for own in made:
            profits = [q * prices[sum(made) - own + q] - costs[q] for q in range(4)]
            assert profits[own] == max(profits)
    assert prices[3 + 3] < prices[1 + 1 + 3]
    assert rules.outputs_on_a_grid(prices, costs, 2) == [6]


@pytest.mark.parametrize(("name", "game"), rules.COUNTEREXAMPLES.items())
def test_proof_files_of_counterexamples_are_verified(name: str, game: np.ndarray) -> None:
    """By the checker; the games and equilibria that they state are those of the page, in fractions."""
    main = pytest.importorskip("rivalry_check.__main__")
    file = rules.PROOFS / f"{name}.json"
    assert f"<rule_proofs/{name}.json>" in PAGE.read_text(encoding="utf-8")
    stated = json.loads(file.read_text(encoding="utf-8"))
    assert [[int(entry) for entry in table] for table in stated["payoffs"]] == game.reshape(
        len(game), -1
    ).tolist()
    assert str(len(stated["equilibria"])) in main.check(str(file)).split()
    if len(game) == 2:
        assert stated["claim"] == "extreme_equilibria"
        lists = [[[*map(Fraction, part)] for part in each] for each in stated["equilibria"]]
        assert sorted(lists) == sorted([*map(list, each)] for each in supports(game))
    else:
        best = [table == table.max(axis=firm, keepdims=True) for firm, table in enumerate(game)]
        assert stated["equilibria"] == np.argwhere(np.all(best, axis=0)).tolist()


def test_errors_of_a_mean_field_that_do_not_halve() -> None:
    for agents in (20, 40):
        stays, comes = (
            {n for n in range(1, agents) if agents - 2 * n >= n - agents - 1},
            {n for n in range(1, agents) if n - agents < agents - 2 * (n + 1)},
        )
        stable = stays - comes
        assert max(abs(Fraction(n, agents) - Fraction(2, 3)) for n in stable) == Fraction(1, 60)
    assert rules.error_halves((1, 2, 1)) is False


@pytest.mark.nightly
@pytest.mark.parametrize("number", range(len(rules.RULES)))
def test_shares_of_the_page_come_again_from_fewer_games(number: int) -> None:
    games, held = rules.tested(rules.RULES[number], 50)
    share = float(ROWS[number][1])
    assert games == 50
    assert abs(held / games - share) <= 4 * (max(share * (1 - share), 0.01) / games) ** 0.5


@pytest.mark.nightly
def test_lists_are_those_of_all_supports_in_fractions() -> None:
    """Without ties all equilibria have supports of equal size."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        game = rng.permutation(1000)[:18].reshape(2, 3, 3)
        listed = sorted(np.concatenate(row).round(9).tolist() for row in rules.nash(game))
        own = sorted([float(w) for part in each for w in part] for each in supports(game))
        np.testing.assert_allclose(own, listed, rtol=0, atol=1e-8)
        assert len(own) % 2 == 1
