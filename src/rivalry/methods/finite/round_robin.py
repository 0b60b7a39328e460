"""A round robin of strategies of a repeated game that are finite automata."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.schema.registry import near


class Automaton(NamedTuple):
    """A Moore machine, which begins in state 0: an action and, by both players' actions, the next state."""

    defects: tuple[float, ...]  # [state]: chance of action 1
    after: tuple[tuple[tuple[int, int], tuple[int, int]], ...]  # [state][own action][opponent's]: next state


def _watching(actions: tuple[int, ...], after: tuple[tuple[int, int], ...]) -> Automaton:
    """Return a machine whose next state ``after[state][opponent's action]`` ignores its own action."""
    return Automaton(tuple(map(float, actions)), tuple((row, row) for row in after))


AUTOMATA = {
    "cooperator": _watching((0,), ((0, 0),)),
    "defector": _watching((1,), ((0, 0),)),
    "random": Automaton((0.5,), (((0, 0), (0, 0)),)),
    "tit_for_tat": _watching((0, 1), ((0, 1), (0, 1))),
    "suspicious_tit_for_tat": _watching((1, 0), ((1, 0), (1, 0))),
    "tit_for_two_tats": _watching((0, 0, 1), ((0, 1), (0, 2), (0, 2))),
    "grudger": _watching((0, 1), ((0, 1), (1, 1))),
    "win_stay_lose_shift": Automaton((0.0, 1.0), (((0, 1), (1, 0)),) * 2),
    "alternator": Automaton((0.0, 1.0), (((1, 1), (0, 0)),) * 2),
}
"""Strategies by name; action 0 is to cooperate, action 1 to defect."""


class RoundRobin(OneStepLearner):
    """Every strategy meets every other one in the repeated game (Axelrod 1984).

    The game is of two players with two actions each: the first is to cooperate, the second to defect. A match
    has ``turns`` periods without discounting. All strategies are automata; `random` draws its actions. With
    ``noise`` each action is exchanged for the other one with this probability, and both players then see, and
    remember of themselves, what was played. Payoffs are expected values, exact in both cases: the states of
    two automata are a Markov chain.

    The record holds ``match_payoff`` (strategy, opponent), the mean payoff per turn, ``score`` (strategy),
    the sum of payoffs over all turns of the matches with other strategies, and ``ranking`` (rank), the names
    of the strategies by score, in the order of the list where scores are equal.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])
    >>> solution = rv.solve(game, RoundRobin(["defector", "tit_for_tat"], turns=10))
    >>> solution.data.match_payoff.values.tolist(), solution.data.score.values.tolist()
    ([[1.0, 1.4], [0.9, 3.0]], [14.0, 9.0])
    >>> noisy = RoundRobin(["tit_for_tat", "random"], turns=1000, noise=0.05)
    >>> rv.solve(game, noisy).data.match_payoff.values.round(2).tolist()
    [[2.26, 2.25], [2.25, 2.25]]

    References
    ----------
    Axelrod, The Evolution of Cooperation, 1984; Rubinstein, "Finite automata play the repeated prisoner's
    dilemma", Journal of Economic Theory 39, 1986.
    """

    strategies: Annotated[list[str], "their names"]
    turns: Annotated[int, Ge(1), "periods of a match"] = 200
    noise: Annotated[float, Ge(0), Le(1), "chance that an action is exchanged for the other one"] = 0.0

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        tables = stateless_tables(world)
        if tables.shape[1:] != (2, 2):
            sizes = " x ".join(map(str, tables.shape[1:]))
            raise ValueError(f"game: {sizes} actions; must be two players with two actions each")
        for name in self.strategies:
            if name not in AUTOMATA:
                raise ValueError(f"strategies: {name!r} is no strategy; {near(name, AUTOMATA)}")
        count = len(self.strategies)
        return {**self.unfinished(), "earned": np.zeros((count, count))}

    def result(self, world: object) -> Session:
        """Return the payoffs of strategies in all matches."""
        return {"earned": self._earnings(stateless_tables(world)[0])}

    def _earnings(self, table: np.ndarray) -> np.ndarray:
        """Return the mean earnings of each strategy as the row player over all turns, by opponent."""
        machines = [AUTOMATA[name] for name in self.strategies]
        count, size = len(machines), max(len(machine.after) for machine in machines)
        # [machine, state, action]; states that a smaller machine lacks are never reached
        chances = np.zeros((count, size, 2))
        moves = np.zeros((count, size, 2, 2, size))
        for machine, chance, move in zip(machines, chances, moves, strict=True):
            chance[: len(machine.after), 1] = machine.defects
            for state, a, b in np.ndindex(len(machine.after), 2, 2):
                move[state, a, b, machine.after[state][a][b]] = 1.0
        chances[..., 0] = 1 - chances[..., 1]
        # an error exchanges the actions
        chances = (1 - self.noise) * chances + self.noise * chances[..., ::-1]
        moves *= chances[..., None, None]
        # the chain of each pair's joint states; one more state carries the payoff, and powers add it up
        chain = np.zeros((count, count, size**2 + 1, size**2 + 1))
        joint = np.einsum("isabu,jtbav->ijstuv", moves, moves)
        chain[..., :-1, :-1] = joint.reshape(count, count, size**2, size**2)
        chain[..., :-1, -1] = np.einsum("isa,jtb,ab->ijst", chances, chances, table).reshape(count, count, -1)
        chain[..., -1, -1] = 1.0
        return np.linalg.matrix_power(chain, self.turns)[..., 0, -1]

    def read(self, world: object, session: Session) -> Record:
        earned = session["earned"]
        words = [name.replace("_", " ").title() for name in self.strategies]
        score = earned.sum(axis=1) - np.diag(earned)
        return {
            "status": scalar("converged" if session["over"][0] else "iteration limit"),
            "match_payoff": (("strategy", "opponent"), earned / self.turns),
            "score": (("strategy",), score),
            "ranking": (("rank",), np.array([words[k] for k in np.argsort(-score, kind="stable")])),
        }
