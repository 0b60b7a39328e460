"""What is compared with whom: the numbers both sides are given, and how far their results may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Work(NamedTuple):
    """A piece of work that we and some peers can do."""

    title: str
    task: str  # name of the function on either side
    peers: tuple[str, ...]
    inputs: dict[str, Any]
    difference: Callable[[dict[str, Any], Any, Any], float]  # of inputs, our result and theirs
    accuracy: float  # largest difference at which both have done the work


def _bimatrix(size: int) -> dict[str, Any]:
    A, B = np.random.default_rng(1).random((2, size, size))
    return {"A": A.tolist(), "B": B.tolist()}


def _gain(inputs: dict[str, Any], profile: Any) -> float:
    """Return the largest gain by a unilateral deviation of a bimatrix game."""
    A, B = np.array(inputs["A"]), np.array(inputs["B"])
    x, y = (np.array(row, dtype=float) for row in profile)
    return float(max((A @ y).max() - x @ A @ y, (x @ B).max() - x @ B @ y))


def _kuhn_tree() -> str:
    """Return Kuhn's poker as a file of Gambit's format."""
    lines, seen = ['EFG 2 R "Kuhn" { "first" "second" }', ""], {}

    def number(key: tuple[Any, ...]) -> int:
        """Count keys of one kind, the first entry, from 1."""
        known = seen.setdefault(key[0], {})
        return int(known.setdefault(key, len(known) + 1))

    def visit(cards: tuple[int, ...], bets: str) -> None:
        if len(cards) < 2:
            left = [card for card in range(3) if card not in cards]
            deals = " ".join(f'"{card}" 1/{len(left)}' for card in left)
            lines.append(f'c "" {number(("deal", cards))} "" {{ {deals} }} 0')
            for card in left:
                visit((*cards, card), bets)
        elif bets in ("pp", "bp", "bb", "pbp", "pbb"):
            if bets.endswith("bp"):  # who passes after a bet loses the ante
                wins, stake = len(bets) % 2 == 0, 1
            else:
                wins, stake = cards[0] > cards[1], 1 + bets.endswith("bb")
            pays = stake if wins else -stake
            lines.append(f't "" {number(("end", cards, bets))} "" {{ {pays} {-pays} }}')
        else:
            player = len(bets) % 2
            lines.append(f'p "" {player + 1} {number((player, cards[player], bets))} "" {{ "p" "b" }} 0')
            for move in "pb":
                visit(cards, bets + move)

    visit((), "")
    return "\n".join(lines) + "\n"


def _same_numbers(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    a, b = np.array(ours, dtype=float), np.array(theirs, dtype=float)
    return float(np.abs(a - b).max()) if a.shape == b.shape else np.inf


def _rows(found: Any) -> np.ndarray:
    """Return points as rows in an order that rounding does not change, each once."""
    rows = np.array([np.concatenate([np.ravel(part) for part in point]) for point in found])
    _, first = np.unique(rows.round(6), axis=0, return_index=True)
    return np.asarray(rows[first])


def _same_points(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    return _same_numbers(inputs, _rows(ours), _rows(theirs))


def _same_stacks(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    return max(_same_points(inputs, mine, other) for mine, other in zip(ours, theirs, strict=True))


def _equilibria_of_paths(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    """Theirs are among ours, which also list pure equilibria; all are equilibria."""
    known = _rows(ours)
    far = max(np.abs(known - row).max(axis=1).min() for row in _rows(theirs))
    return float(max(far, *(_gain(inputs, profile) for profile in [*ours, *theirs])))


def _gains(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    return max(_gain(inputs, ours), _gain(inputs, theirs))


def _exploitability(inputs: dict[str, Any], policy: Any) -> float:
    """Return what one agent of the chain gains by its best response, on average over its states."""
    size, slip, gamma = inputs["places"], inputs["slip"], inputs["gamma"]
    pi, x = np.array(policy, dtype=float), np.arange(size)
    chances = np.zeros((size, 3, size))
    for action in range(3):
        for more, chance in ((-1, slip), (0, 1 - 2 * slip), (1, slip)):
            for here in x:
                chances[here, action, min(max(here + action - 1 + more, 0), size - 1)] += chance
    walk = np.einsum("sa,san->sn", pi, chances)
    mu = np.linalg.lstsq(np.vstack([walk.T - np.eye(size), np.ones(size)]), np.append(np.zeros(size), 1.0))[0]
    middle = (x - (size - 1) / 2)[:, None]
    paid = (
        -inputs["pull"] * middle**2 - inputs["move"] * np.array([1, 0, 1]) - inputs["crowding"] * mu[:, None]
    )
    value = np.linalg.solve(np.eye(size) - gamma * walk, (pi * paid).sum(axis=1))
    best = value
    for _ in range(2000):
        best = (paid + gamma * chances @ best).max(axis=1)
    return float(mu @ (best - value))


def _both_exploitabilities(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    return max(_exploitability(inputs, ours), _exploitability(inputs, theirs))


def _relative_gaps(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    """Return the larger relative gap of two sides' flows of links."""
    return max(_judged_flows(flow)[0] for flow in (ours, theirs))


def _objectives(inputs: dict[str, Any], ours: Any, theirs: Any) -> float:
    """Return by how much Beckmann's objectives of two sides' flows of links differ, in parts of ours."""
    mine, other = (_judged_flows(flow)[1] for flow in (ours, theirs))
    return abs(other / mine - 1)


def _judged_flows(flow: Any) -> tuple[float, float]:
    """Return the relative gap and Beckmann's objective of flows of links."""
    import rivalry as rv
    from benchmarks.peers.roads import demand_of, sioux_falls

    network = sioux_falls()
    game = rv.games.routes(network["links"], demand=demand_of(network["trips"]))
    flows = np.array(flow)
    excess = float(rv.certificate(game, flows).regret[0] * game.trips.sum())
    return excess / float(flows @ game.costs(flows)), game.potential(flows)


CYCLE = np.array([[0.0, -1.0, 2.0], [2.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])  # rock, paper, scissors, biased
PLAYED = {"A": CYCLE.tolist(), "B": (-CYCLE).tolist(), "periods": 10_000}
FLOW = {
    "A": [[3.0, 0.0, 1.0], [2.0, 2.0, 0.5], [0.0, 1.0, 4.0]],
    "B": [[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 2.0]],
    "start": [[0.3, 0.3, 0.4], [0.35, 0.35, 0.3]],
    "end": 10.0,
}
# firms change outputs at a cost; states are 1 and both outputs; the price is 10 - 2 Q
DUOPOLY = {
    "A": np.eye(3).tolist(),
    "B": np.eye(3)[1:, :, None].tolist(),
    "R": [
        [[0.0, -5.0, 0.0], [-5.0, 2.0, 1.0], [0.0, 1.0, 0.0]],
        [[0.0, 0.0, -5.0], [0.0, 0.0, 1.0], [-5.0, 1.0, 2.0]],
    ],
    "Q": [[[12.0]], [[12.0]]],
    "discount": 0.96,
}
DILEMMA = [[3.0, 0.0], [5.0, 1.0]]
AUTOMATA = [
    *("cooperator", "defector", "tit_for_tat", "suspicious_tit_for_tat", "tit_for_two_tats"),
    *("grudger", "win_stay_lose_shift", "alternator"),
]
SYMMETRIC = np.random.default_rng(3).random((6, 6)).tolist()
FIVE, TWELVE = _bimatrix(5), _bimatrix(12)
LISTS = ("nashpy", "quantecon", "pygambit")
# BenchMFG's own settings
CHAIN = {
    "places": 7,
    "crowding": 40.0,
    "move": 2.0,
    "pull": 3.0,
    "slip": 0.025,
    "gamma": 0.9,
    "rate": 0.005,
    "beta": 5.0,
    "rounds": 150,
}
# 94 markets of 24 products of 5 firms, simulated by pyblp after Nevo (2000); firm 1 buys firm 2
CEREALS = {
    "table": "build/peers/pyblp/lib/python*/site-packages/pyblp/data/nevo_products.csv",
    "slope": -30.0,
    "buyer": 1,
    "bought": 2,
}
BEACH = {"places": 20, "periods": 20, "rounds": 50}

WORKS = (
    Work("all equilibria, 5 x 5", "all_equilibria", LISTS, FIVE, _same_points, 1e-9),
    Work(
        *("all equilibria of 100 games, 5 x 5", "stack_of_games", ("quantecon",)),
        *({"games": 100, "size": 5}, _same_stacks, 1e-9),
    ),
    Work("all equilibria, 12 x 12", "all_equilibria", LISTS[1:], TWELVE, _same_points, 1e-9),
    Work("all equilibria in fractions, 5 x 5", "exact_equilibria", LISTS[2:], FIVE, _same_points, 1e-9),
    Work(
        *("Lemke-Howson from every label, 12 x 12", "lemke_howson", LISTS[:2]),
        *(TWELVE, _equilibria_of_paths, 1e-9),
    ),
    Work("fictitious play, 10,000 periods, 3 x 3", "fictitious_play", LISTS[:2], PLAYED, _gains, 0.05),
    Work("replicator dynamics to time 10, 3 x 3", "replicator", ("nashpy",), FLOW, _same_numbers, 1e-6),
    Work(
        *("Markov-perfect strategies, two firms", "linear_quadratic", ("quantecon",)),
        *(DUOPOLY, _same_numbers, 1e-8),
    ),
    Work(
        *("payoffs of the repeated dilemma, discount 0.9", "repeated_payoffs", ("quantecon",)),
        *(
            {"A": [[9.0, 1.0], [10.0, 3.0]], "B": [[9.0, 10.0], [1.0, 3.0]], "discount": 0.9},
            _same_points,
            1e-6,
        ),
    ),
    Work("value of Kuhn's poker", "tree_value", ("pygambit",), {"tree": _kuhn_tree()}, _same_numbers, 1e-9),
    Work(
        "value of Kuhn's poker", "poker_value", ("open_spiel",), {"name": "kuhn_poker"}, _same_numbers, 1e-8
    ),
    Work(
        "value of Leduc poker", "poker_value", ("open_spiel",), {"name": "leduc_poker"}, _same_numbers, 1e-8
    ),
    Work(
        "gains at uniform play, Leduc",
        "nash_conv",
        ("open_spiel",),
        {"name": "leduc_poker"},
        _same_numbers,
        1e-9,
    ),
    Work(
        *("crowd on a ring, mirror descent, 10 rounds", "crowd_mirror_descent", ("open_spiel",)),
        *({"rounds": 10}, _same_numbers, 1e-9),
    ),
    Work(
        *("crowd on a ring, fictitious play, 10 rounds", "crowd_fictitious_play", ("open_spiel",)),
        *({"rounds": 10}, _same_numbers, 1e-9),
    ),
    Work(
        *("beach bar, mirror descent, 50 rounds", "beach_mirror_descent", ("mfglib",)),
        *(BEACH | {"rate": 0.1}, _same_numbers, 1e-9),
    ),
    Work(
        "beach bar, fictitious play, 50 rounds",
        "beach_fictitious_play",
        ("mfglib",),
        BEACH,
        _same_numbers,
        1e-9,
    ),
    Work(
        *("fixation by the Fermi rule, 6 strategies", "fixation", ("egttools",)),
        *({"payoffs": SYMMETRIC, "population": 100, "selection": 0.1}, _same_numbers, 1e-12),
    ),
    Work(
        *("round robin of 8 automata, 200 turns", "round_robin", ("axelrod",)),
        *({"payoffs": DILEMMA, "strategies": AUTOMATA, "turns": 200}, _same_numbers, 0.0),
    ),
    Work(
        *("chain, mirror descent, 150 rounds", "chain_mirror_descent", ("bench_mfg_suite",)),
        *(CHAIN, _both_exploitabilities, 0.01),
    ),
    Work(
        *("six firms under a shared cap", "shared_cap", ("nashopt",)),
        *(
            {"costs": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "demand": 20.0, "cap": 8.0, "high": 10.0},
            _same_numbers,
            1e-7,
        ),
    ),
    *(
        Work(
            *(
                f"Sioux Falls to a relative gap of {gap:.0e}",
                "equilibrium_of_roads",
                ("aequilibrae", "pytraf"),
            ),
            *({"gap": gap}, _relative_gaps, gap),
        )
        for gap in (1e-4, 1e-6)
    ),
    Work(
        *("objective of Sioux Falls at a gap of 1e-08", "equilibrium_of_roads", ("pytraf",)),
        *({"gap": 1e-8}, _objectives, 1e-9),
    ),
    Work(
        *("costs and merged prices, 94 cereal markets", "costs_and_merged_prices", ("pyblp",)),
        *(CEREALS, _same_numbers, 1e-9),
    ),
    Work(
        *("merged prices, 94 cereal markets", "merged_prices", ("pyblp",)),
        *(CEREALS, _same_numbers, 1e-9),
    ),
    Work(
        *("karma of 100 agents, 200 steps", "karma_episode", ("karma_game_library",)),
        *({"agents": 100, "mean_karma": 10, "steps": 200}, _same_numbers, 0.01),
    ),
)
