"""The same tree in other words: units and constants of payoffs, names of moves, outcomes of chance in two."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.extensive import Chance, Decision, Extensive
from rivalry.methods import LinearProgramme, SubgamePerfectEquilibria

Rules = Callable[[tuple[Any, ...]], Any]
HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def poker(history: tuple[Any, ...]) -> Any:
    """A card of two, a bet or a check, a call or a fold: one side knows the card."""
    match history:
        case ():
            return Chance({"high": HALF, "low": HALF})
        case (card,):
            return Decision(0, card, ("bet", "check"))
        case (card, "check"):
            return [1, -1] if card == "high" else [-1, 1]
        case (_, "bet"):
            return Decision(1, "after a bet", ("call", "fold"))
        case (_, "bet", "fold"):
            return [1, -1]
        case (card, *_):
            return [2, -2] if card == "high" else [-2, 2]


def entry(history: tuple[Any, ...]) -> Any:
    """Weather, then entry into a market whose owner fights or not, and a game of two prices after that."""
    match history:
        case ():
            return Chance({"good": THIRD, "bad": 1 - THIRD})
        case (weather,):
            return Decision(0, weather, ("in", "out"))
        case (weather, "out"):
            return [0, 4 if weather == "good" else 3]
        case (weather, "in"):
            return Decision(1, ("entry", weather), ("fight", "share"))
        case (_, "in", "fight"):
            return [-2, -1]
        case (weather, "in", "share"):
            return Decision(0, ("price", weather), ("high", "low"))
        case (weather, "in", "share", _):
            return Decision(1, ("price", weather), ("high", "low"))
        case (weather, _, _, first, second):
            table = {("high", "high"): (3, 3), ("high", "low"): (0, 2), ("low", "high"): (2, 0)}
            return [p + (weather == "good") for p in table.get((first, second), (1, 1))]


def rescaled(rules: Rules) -> Rules:
    def scaled(history: tuple[Any, ...]) -> Any:
        node = rules(history)
        if isinstance(node, Chance | Decision):
            return node
        return [Fraction(factor) * p + more for p, factor, more in zip(node, *SCALE, strict=True)]

    return scaled


SCALE = ((8, Fraction(1, 4)), (16, -5))


def renamed(rules: Rules) -> Rules:
    """Every move and every information set under another name."""

    def other(history: tuple[Any, ...]) -> Any:
        node = rules(tuple(move.removeprefix("my ") for move in history))
        if isinstance(node, Chance):
            return Chance({f"my {move}": p for move, p in node.probabilities.items()})
        if isinstance(node, Decision):
            names = tuple(f"my {move}" for move in node.actions)
            return Decision(node.player, ("set", node.information), names)
        return node

    return other


def divided(rules: Rules) -> Rules:
    """Each outcome of chance as two outcomes of half its probability, which nobody can tell apart."""

    def split(history: tuple[Any, ...]) -> Any:
        node = rules(tuple(move.split("#")[0] for move in history))
        if isinstance(node, Chance):
            return Chance({f"{move}#{k}": p / 2 for move, p in node.probabilities.items() for k in range(2)})
        return node

    return split


CHANGES = {"payoffs": rescaled, "names": renamed, "chance": divided}


def moved_payoffs(payoff: np.ndarray, change: str) -> np.ndarray:
    factors, constants = (np.array(part, dtype=float) for part in SCALE)
    return factors * payoff + constants if change == "payoffs" else payoff


@pytest.mark.parametrize("change", CHANGES)
def test_the_value_of_a_constant_sum_tree_is_the_same(change: str) -> None:
    plain = rv.solve(Extensive.from_rules(poker), LinearProgramme())
    rules = CHANGES[change](poker)
    if change == "payoffs":  # one unit for both, so that the sum stays constant

        def rules(history: tuple[Any, ...]) -> Any:
            node = poker(history)
            return node if isinstance(node, Chance | Decision) else [8 * node[0] + 3, 8 * node[1] + 2]

    found = rv.solve(Extensive.from_rules(rules), LinearProgramme())
    np.testing.assert_array_equal(found.profile, plain.profile)
    assert (found.status, found.claim) == (plain.status, plain.claim)
    low = Fraction(str(plain.data.exact_bound.values[0]))
    expected = 8 * low + 3 if change == "payoffs" else low
    assert found.data.exact_bound.values.tolist() == [str(expected)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_subgame_perfect_lists_are_the_same(change: str) -> None:
    # chance before different information sets: each weather is a subgame, unless its outcomes are split
    plain = rv.solve(Extensive.from_rules(entry), SubgamePerfectEquilibria())
    found = rv.solve(Extensive.from_rules(CHANGES[change](entry)), SubgamePerfectEquilibria())
    if change == "chance":  # subgames that are joined may have more equilibria, and none is lost
        lists = [{tuple(x.ravel().round(12)) for x in one.data.equilibria.values} for one in (plain, found)]
        assert lists[0] <= lists[1]
        return
    np.testing.assert_array_equal(found.data.equilibria.values, plain.data.equilibria.values)
    assert (found.status, found.claim) == (plain.status, plain.claim)
    np.testing.assert_allclose(found.payoff, moved_payoffs(plain.payoff.values, change), rtol=1e-12)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("rules", [poker, entry])
def test_certificates_are_the_same(rules: Rules, change: str) -> None:
    games = [Extensive.from_rules(one) for one in (rules, CHANGES[change](rules))]
    sizes = [len(own) for own in games[0].space.entries]
    rng = np.random.default_rng(3)
    for _ in range(5):
        parts = [[rng.dirichlet(np.ones(k)) for k in own] for own in games[0].space.sizes]
        x = np.zeros(games[0].space.shape)
        for player, own in enumerate(parts):
            x[player, : sum(map(len, own))] = np.concatenate(own)
        plain, found = (rv.certificate(game, x) for game in games)
        factors = np.array(SCALE[0], dtype=float) if change == "payoffs" else np.ones(len(sizes))
        np.testing.assert_allclose(found.regret, factors * plain.regret, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.at_stake, factors * plain.at_stake, rtol=1e-9)
        assert found.claim == plain.claim
