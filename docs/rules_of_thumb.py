"""Rules of thumb in random games: how often they hold, and the smallest counterexample.

`python docs/rules_of_thumb.py` draws 1,000 games per rule, for docs/textbook/rules_of_thumb.md, and writes
proof files of counterexamples beside it.

A rule is a function of a game that returns whether it holds, or None where the game is not of its class.
Payoffs are whole numbers, of which nothing is rounded; lists are those of the package, in fractions.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog

import rivalry as rv

HIGHEST, ROUNDS = 9, 2000
PROOFS = Path(__file__).parent / "textbook" / "rule_proofs"


class Rule(NamedTuple):
    """A rule, how its games are drawn, and the smaller games among which a counterexample is looked for."""

    text: str
    draw: Callable[[np.random.Generator], Any]
    holds: Callable[[Any], bool | None]
    small: Callable[[], Any]  # games in order of size; the first that fails is printed


def bimatrix(size: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(0, HIGHEST + 1, (2, size, size))


def all_bimatrix(highest: int = 2) -> list[np.ndarray]:
    """All 2 x 2 games of payoffs 0 to ``highest``, by their largest payoff and then by their sum."""
    games = [np.reshape(numbers, (2, 2, 2)) for numbers in product(range(highest + 1), repeat=8)]
    return sorted(games, key=lambda game: (game.max(), game.sum()))


def symmetric(numbers: Any) -> np.ndarray:
    own = np.reshape(numbers, (2, 2))
    return np.stack([own, own.T])


def draw_symmetric(rng: np.random.Generator) -> np.ndarray:
    return symmetric(rng.integers(1, HIGHEST + 1, 4))


def all_symmetric() -> list[np.ndarray]:
    numbers = sorted(product(range(1, 6), repeat=4), key=lambda each: (max(each), sum(each)))
    return [symmetric(each) for each in numbers]


def nash(game: np.ndarray) -> np.ndarray:
    """Extreme equilibria of the package's list, [equilibrium player action]."""
    return rv.solve(rv.games.matrix(*game.astype(float)), rv.methods.MixedEquilibria()).data.equilibria.values


def strict(game: np.ndarray) -> list[tuple[int, int]]:
    """Profiles at which each player loses by any other action."""
    found = []
    for i, j in np.ndindex(*game.shape[1:]):
        row, column = np.delete(game[0, :, j], i), np.delete(game[1, i], j)
        if (row < game[0, i, j]).all() and (column < game[1, i, j]).all():
            found.append((i, j))
    return found


def best_responses_settle(own: np.ndarray) -> bool | None:
    """In a game of one payoff for both: simultaneous best responses reach a fixed point from every start."""
    if len(np.unique(own)) < own.size:
        return None
    to_column, to_row = own.argmax(axis=0), own.argmax(axis=1)
    for i, j in np.ndindex(*own.shape):
        for _ in range(own.size):
            i, j = to_column[j], to_row[i]
        if (to_column[j], to_row[i]) != (i, j):
            return False
    return True


def fictitious_end(game: np.ndarray) -> tuple[int, int]:
    """The last actions of fictitious play, from the belief that all actions are equally likely."""
    counts = [np.ones(game.shape[2], dtype=int), np.ones(game.shape[1], dtype=int)]
    for _ in range(ROUNDS):
        i, j = int((game[0] @ counts[0]).argmax()), int((counts[1] @ game[1]).argmax())
        counts[0][j] += 1
        counts[1][i] += 1
    return i, j


def play_ends_at_an_equilibrium(game: np.ndarray) -> bool | None:
    """A strict equilibrium once played is played for ever, so that its play is proved to end there."""
    ends = strict(game)
    return fictitious_end(game) in ends if ends else None


def factors(game: np.ndarray) -> list[int] | None:
    """Products of the losses from leaving each of the two strict equilibria, or None."""
    ends = strict(game)
    if len(ends) != 2:
        return None
    return [int((game[0, i, j] - game[0, 1 - i, j]) * (game[1, i, j] - game[1, i, 1 - j])) for i, j in ends]


def learners_take_the_risk_dominant(game: np.ndarray) -> bool | None:
    losses = factors(game)
    if losses is None or losses[0] == losses[1]:
        return None
    return fictitious_end(game) == strict(game)[int(losses[1] > losses[0])]


def risk_and_payoff_agree(game: np.ndarray) -> bool | None:
    losses = factors(game)
    if losses is None or losses[0] == losses[1]:
        return None
    first, second = (game[0, i, j] for i, j in strict(game))
    return None if first == second else bool((losses[0] > losses[1]) == (first > second))


def number_is_odd(game: np.ndarray) -> bool | None:
    """Of games whose equilibria are all isolated."""
    data = rv.solve(rv.games.matrix(*game.astype(float)), rv.methods.MixedEquilibria()).data
    count = data.equilibria.shape[0]
    return count % 2 == 1 if len(np.unique(data.component)) == count else None


def correlated(game: np.ndarray, welfare: np.ndarray) -> float:
    """The largest expected ``welfare`` of a correlated equilibrium."""
    rows, size = [], game.shape[1:]
    for player in range(2):
        table = np.moveaxis(game[player], player, 0)
        for told, other in np.ndindex(len(table), len(table)):
            row = np.zeros(size)
            np.moveaxis(row, player, 0)[told] = table[other] - table[told]
            rows.append(row.ravel())
    found = linprog(
        -welfare.ravel(), A_ub=rows, b_ub=np.zeros(len(rows)), A_eq=np.ones((1, welfare.size)), b_eq=1
    )
    return -float(found.fun)


def mediators_add_nothing(game: np.ndarray) -> bool:
    """Welfare is compared with a slack of 1e-7, which only rounding of the linear programme needs."""
    total = game.sum(axis=0)
    best = max(x @ total @ y for x, y in nash(game))
    return bool(correlated(game, total) <= best + 1e-7)


def unique_is_all_that_is_correlated(game: np.ndarray) -> bool | None:
    """Where one Nash equilibrium is all, no profile has more probability in a correlated one."""
    listed = nash(game)
    if len(listed) != 1:
        return None
    joint = np.outer(*listed[0])
    for profile in np.ndindex(*joint.shape):
        mark = np.zeros(joint.shape)
        mark[profile] = 1.0
        if correlated(game, mark) > joint[profile] + 1e-7:
            return False
    return True


def dominance_finds_it(game: np.ndarray) -> bool | None:
    """With one strict equilibrium and no other: elimination of strictly dominated pure actions finds it."""
    if len(nash(game)) != 1 or len(strict(game)) != 1:
        return None
    left = [list(range(size)) for size in game.shape[1:]]
    for _ in range(sum(game.shape[1:])):
        for player in range(2):
            table = np.moveaxis(game[player], player, 0)[:, left[1 - player]]
            left[player] = [
                k for k in left[player] if not any((table[m] > table[k]).all() for m in left[player])
            ]
    return [len(part) for part in left] == [1, 1]


def fixation(game: np.ndarray, population: int) -> Fraction:
    """Probability that one player of the first action takes over (Moran process; Nowak et al. 2004)."""
    (a, b), (c, d) = (list(map(int, row)) for row in game[0])
    total, ratio = Fraction(1), Fraction(1)
    for i in range(1, population):
        first = a * (i - 1) + b * (population - i)
        second = c * i + d * (population - i - 1)
        ratio *= Fraction(second, first)
        total += ratio
    return 1 / total


def dominated_is_not_favoured(game: np.ndarray, population: int = 3) -> bool | None:
    """The first action, strictly dominated, takes over with at most the probability 1/N of a neutral one."""
    if not (game[0, 0] < game[0, 1]).all():
        return None
    return fixation(game, population) <= Fraction(1, population)


def price_leader(numbers: Any) -> bool | None:
    """Demands ``a_i - b p_i + g p_j``, costs 0: the follower gains more from being led than the leader."""
    a, b, g = numbers[:2], numbers[2], numbers[3]
    a = [Fraction(int(each)) for each in a]
    b, g = Fraction(int(b)), Fraction(int(g))
    if not g < b:
        return None
    at_once = [(2 * b * a[i] + g * a[1 - i]) / (4 * b**2 - g**2) for i in range(2)]
    leader = (2 * b * a[0] + g * a[1]) / (2 * (2 * b**2 - g**2))
    led = [leader, (a[1] + g * leader) / (2 * b)]

    def profit(i: int, p: list[Fraction]) -> Fraction:
        return p[i] * (a[i] - b * p[i] + g * p[1 - i])

    gains = [profit(i, led) - profit(i, at_once) for i in range(2)]
    return gains[1] > gains[0]


def outputs_on_a_grid(prices: Any, costs: Any, firms: int) -> list[int]:
    """Total outputs of all pure Cournot equilibria; a firm makes 0 to 3 units at ``costs``."""
    totals = []
    for made in product(range(len(costs)), repeat=firms):
        others = [sum(made) - own for own in made]
        gains = [
            max(q * prices[q + rest] - costs[q] for q in range(len(costs)))
            - own * prices[own + rest]
            + costs[own]
            for own, rest in zip(made, others, strict=True)
        ]
        if max(gains) == 0:
            totals.append(sum(made))
    return totals


def more_firms_lower_prices(market: tuple[Any, Any]) -> bool | None:
    """From two to three firms neither the smallest nor the largest output of an equilibrium falls."""
    two, three = (outputs_on_a_grid(*market, firms) for firms in (2, 3))
    return None if not two or not three else min(two) <= min(three) and max(two) <= max(three)


def draw_market(rng: np.random.Generator) -> tuple[Any, Any]:
    prices = np.sort(rng.integers(0, 21, 10))[::-1]
    return prices, np.concatenate([[0], np.cumsum(rng.integers(0, 11, 3))])


def crowd_error(worth: Any, agents: int) -> Fraction:
    """Largest distance of a pure equilibrium from the mean field.

    Two places are worth ``v - c share`` and ``-d share``.
    """
    v, c, d = map(int, worth)
    limit = Fraction(v + d, c + d)
    rest = [
        n
        for n in range(agents + 1)
        if (n == 0 or v * agents - c * n >= -d * (agents - n + 1))
        and (n == agents or -d * (agents - n) >= v * agents - c * (n + 1))
    ]
    return max(abs(Fraction(n, agents) - limit) for n in rest)


def error_halves(worth: Any) -> bool | None:
    """With 40 agents in place of 20 the error of the mean field is 9/20 to 11/20 as large."""
    v, c, _ = map(int, worth)
    if not 0 <= v < c:
        return None
    few, many = crowd_error(worth, 20), crowd_error(worth, 40)
    return 9 * few <= 20 * many <= 11 * few


def numbers(count: int) -> tuple[Callable[[np.random.Generator], Any], Callable[[], Any]]:
    """Whole numbers from 1 to 20, and all of them up to 4 in order of the largest."""
    ordered = sorted(product(range(1, 5), repeat=count), key=lambda each: (max(each), sum(each)))
    return lambda rng: rng.integers(1, 21, count), lambda: ordered


def drawn(draw: Callable[[np.random.Generator], Any], count: int = 1000) -> Callable[[], Any]:
    """Further random games, those of the smallest sum first."""

    def games() -> Any:
        rng = np.random.default_rng(2)
        return sorted((draw(rng) for _ in range(count)), key=lambda game: sum(map(np.sum, game)))

    return games


RULES = (
    Rule(
        "simultaneous best responses settle in a game of common interest",
        *(lambda rng: rng.permutation(9).reshape(3, 3), best_responses_settle),
        lambda: [np.reshape(each, (2, 2)) for each in product(range(4), repeat=4)],
    ),
    Rule(
        "fictitious play ends at a pure equilibrium if there is a strict one",
        bimatrix(3),
        play_ends_at_an_equilibrium,
        all_bimatrix,
    ),
    Rule(
        "fictitious play takes the risk-dominant of two equilibria",
        bimatrix(2),
        learners_take_the_risk_dominant,
        all_bimatrix,
    ),
    Rule("the risk-dominant equilibrium pays more", draw_symmetric, risk_and_payoff_agree, all_symmetric),
    Rule("a game of isolated equilibria has an odd number of them", bimatrix(3), number_is_odd, all_bimatrix),
    Rule(
        "a mediator adds nothing to the best Nash equilibrium",
        bimatrix(3),
        mediators_add_nothing,
        all_symmetric,
    ),
    Rule(
        "a unique Nash equilibrium is the only correlated one",
        bimatrix(3),
        unique_is_all_that_is_correlated,
        drawn(lambda rng: rng.integers(0, 3, (2, 3, 3))),
    ),
    Rule(
        "elimination of actions worse than another finds a unique pure equilibrium",
        bimatrix(3),
        dominance_finds_it,
        drawn(lambda rng: rng.integers(0, 3, (2, 3, 3))),
    ),
    Rule(
        "selection among three does not favour a strictly dominated action",
        draw_symmetric,
        dominated_is_not_favoured,
        all_symmetric,
    ),
    Rule("the follower in prices gains more than the leader", *numbers(4)[:1], price_leader, numbers(4)[1]),
    Rule(
        "with a third firm the price does not rise", draw_market, more_firms_lower_prices, drawn(draw_market)
    ),
    Rule(
        "twice as many agents, half the error of the mean field", *numbers(3)[:1], error_halves, numbers(3)[1]
    ),
)


def tested(rule: Rule, games: int) -> tuple[int, int]:
    """Numbers of random games of the class, and of those in which the rule holds."""
    rng, told = np.random.default_rng(1), []
    for _ in range(100 * games):
        holds = rule.holds(rule.draw(rng))
        if holds is not None:
            told.append(holds)
        if len(told) == games:
            break
    return len(told), sum(told)


def counterexample(rule: Rule) -> Any:
    """The first of the small games in which the rule fails, or None."""
    return next((game for game in rule.small() if rule.holds(game) is False), None)


def outputs_game(prices: Any, costs: Any, firms: int) -> np.ndarray:
    """Profits of all combinations of outputs, [firm output ..]."""
    made = np.indices([len(costs)] * firms)
    return made * np.array(prices)[made.sum(axis=0)] - np.array(costs)[made]


MARKET = [14, 12, 9, 7, 7, 7, 5, 3, 3, 3], [0, 1, 6, 6]
COUNTEREXAMPLES = {
    "common_interest": np.array([[[0, 2], [3, 1]]] * 2),
    "equals_stay_equal": np.array([[[0, 1], [1, 0]]] * 2),
    "risk_dominance": symmetric((3, 3, 1, 4)),
    "two_equilibria": np.array([[[0, 0], [0, 1]]] * 2),
    "mediator": symmetric((1, 5, 2, 4)),
    "unique_equilibrium": np.array([[[1, 1, 0], [1, 0, 2], [2, 0, 1]], [[0, 1, 2], [1, 1, 0], [0, 1, 1]]]),
    "elimination": np.array([[[0, 1, 1], [0, 1, 0], [2, 1, 0]], [[2, 0, 0], [1, 0, 2], [1, 0, 0]]]),
    "dominated_action": symmetric((1, 4, 2, 5)),
    "two_firms": outputs_game(*MARKET, firms=2),
    "three_firms": outputs_game(*MARKET, firms=3),
}


def write_proofs(folder: Path) -> None:
    """Write lists of all equilibria, of three firms in pure strategies, each with its proof."""
    for name, game in COUNTEREXAMPLES.items():
        method = rv.methods.MixedEquilibria() if len(game) == 2 else rv.methods.PureEquilibria()
        rv.solve(rv.games.matrix(*game.astype(float)), method).proof.save(folder / f"{name}.json")


def main() -> None:
    """Print each rule, games, share and counterexample; write proof files."""
    write_proofs(PROOFS)
    for rule in RULES:
        games, held = tested(rule, 1000)
        failing = counterexample(rule)
        shown = None if failing is None else [np.asarray(part).tolist() for part in failing]
        print(f"| {rule.text} | {games} | {held / games:.3f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
