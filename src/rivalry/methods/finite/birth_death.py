"""Birth-death processes of a finite population that plays a symmetric game: exact fixation probabilities."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from itertools import combinations
from math import comb, prod
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.methods.finite import compositions

PROFILES = 2000  # joint actions between which rare mutants move, at most


class BirthDeath(BaseLearner):
    """Base class of processes in which one of ``population`` individuals at a time is replaced by a copy of
    another.

    Groups of as many as the game has players are drawn without replacement; payoffs are their means. An
    individual that turns up in a population of ``N`` others of one action takes over with the probability

        1 / (1 + sum_j prod_{k <= j} T-(k) / T+(k)),  j = 1, .., N - 1,

    where ``T+`` and ``T-`` are the chances that the ``k`` mutants become one more or one fewer.

    With ``mutation`` all compositions of the population are a Markov chain, in which an individual takes each
    of the other actions with the chance ``mutation / (actions - 1)``.

    With ``populations = "each"`` every player is drawn from a population of its own. One of the populations,
    all equally likely, changes at a time; its members are paid their means against the others.
    """

    population: Annotated[int, Ge(2), Le(100_000), "number of individuals"] = 100
    populations: Annotated[
        Literal["one", "each"], "one population in all roles of a symmetric game, or one for each player"
    ] = "one"
    mutation: Annotated[
        float | None,
        Ge(0),
        Le(1),
        "chance of another action, all equally likely, in place of the copied one; 0 or none: the limit",
    ] = None
    changes: Annotated[
        int, Ge(1000), "simulated changes per replication, where compositions are too many to solve for"
    ] = 20_000

    @abstractmethod
    def log_ratio(self, mutant: ndarray, resident: ndarray) -> ndarray:
        """Return ``log(T-/T+)`` where mutants and residents are paid as given, one entry per state."""

    @abstractmethod
    def log_changes(self, counts: ndarray, paid: ndarray) -> ndarray:
        """Return logs of the chances ``[state lost gained]`` that one individual's action becomes another.

        ``counts`` and ``paid`` ``[state action]`` are numbers of individuals and their mean payoffs.
        """

    def tables(self, world: object) -> ndarray:
        """Return the payoffs ``[player action_0 ..]`` that the process compares."""
        return stateless_tables(world)

    def length(self, world: object) -> int:
        """Return the number of steps: one per resident whose mutants are followed; one with mutation."""
        return 1 if self.mutation else len(_residents(self.tables(world), self.populations))

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        """Return a session without results. Raises `ValueError` for games that are not symmetric."""
        tables = self.tables(world)
        sizes = tables.shape[1:]
        if self.populations == "one" and not is_symmetric(stateless_tables(world)):
            raise ValueError(
                "game: must be symmetric where one population plays all roles; "
                'populations="each" has one per player'
            )
        if max(sizes) < 2:
            raise ValueError("game: has one action; there is nothing that could take over")
        if self.populations == "one" and self.population < len(tables):
            raise ValueError(f"population: {self.population} must be at least {len(tables)}, the players")
        counter = np.array([0])
        if self.mutation:
            seed = stream.generate_state(4)
            return {
                "log_share": np.zeros(0),
                "simulated": np.zeros((0, 0, 0)),
                "seed": seed,
                "taken": counter,
            }
        if self.populations == "one":
            return {"log_fixation": np.full((sizes[0],) * 2, np.nan), "taken": counter}
        if prod(sizes) > PROFILES:
            raise ValueError(f"game: {prod(sizes)} joint actions; must be {PROFILES} at most")
        return {"log_fixation": np.full((prod(sizes), len(sizes), max(sizes)), np.nan), "taken": counter}

    def advance(self, world: object, session: Session, steps: int) -> int:
        tables, begin = self.tables(world), int(session["taken"][0])
        end = min(begin + steps, self.length(world))
        if end > begin and self.mutation:
            self._mix(tables, session)
        elif self.populations == "one":
            table = tables[0]
            for resident in range(begin, end):
                for mutant in range(len(table)):
                    ratios = np.zeros(self.population - 1)
                    if mutant != resident:  # equals are neutral, even with fitness 0
                        ratios = self.log_ratio(*group_payoffs(table, mutant, resident, self.population))
                    session["log_fixation"][resident, mutant] = log_fixation(ratios)
        else:
            joint = _residents(tables, self.populations)
            for resident in range(begin, end):
                for player, actions in enumerate(tables.shape[1:]):
                    for mutant in range(actions):
                        session["log_fixation"][resident, player, mutant] = self._in_role(
                            tables[player], joint[resident], player, mutant
                        )
        session["taken"] = np.array([end])
        return end - begin

    def _in_role(self, table: ndarray, joint: ndarray, player: int, mutant: int) -> float:
        """Return the log of the chance that a mutant takes over one population, the others at ``joint``."""
        joint_mutant = joint.copy()
        joint_mutant[player] = mutant
        ratios = np.zeros(self.population - 1)
        if mutant != joint[player]:
            paid = (np.full(len(ratios), table[tuple(actions)]) for actions in (joint_mutant, joint))
            ratios = self.log_ratio(*paid)
        return log_fixation(ratios)

    def _changes(self, tables: ndarray, counts: ndarray) -> list[ndarray]:
        """Return logs of chances of all changes, per population, at counts ``[state population axis]``."""
        if self.populations == "one":
            return [self.log_changes(counts[:, 0], compositions.group_means(tables[0], counts[:, 0]))]
        return [
            self.log_changes(counts[:, i, :size], compositions.role_means(tables, counts, i))
            - np.log(len(tables))
            for i, size in enumerate(tables.shape[1:])
        ]

    def _sizes(self, tables: ndarray) -> tuple[int, ...]:
        return tables.shape[1:2] if self.populations == "one" else tables.shape[1:]

    def _mix(self, tables: ndarray, session: Session) -> None:
        """Solve for the stationary distribution of compositions, or simulate them."""
        sizes, changes = self._sizes(tables), partial(self._changes, tables)
        if compositions.fits(self.population, sizes):
            chain = compositions.chain_of(self.population, sizes, changes)
            session["log_share"] = compositions.log_stationary(chain)
        else:
            rng = np.random.default_rng(session["seed"])
            session["simulated"] = compositions.simulated_shares(
                self.population, sizes, changes, self.changes, rng
            )

    def read(self, world: object, session: Session) -> Record:
        tables = self.tables(world)
        status = "converged" if session["taken"][0] == self.length(world) else "iteration limit"
        record: Record = {"status": scalar(status)}
        if self.mutation:
            return record | self._mixed(tables, session)
        logs, joint = session["log_fixation"], _residents(tables, self.populations)
        if self.populations == "one":
            chances, shares = np.exp(logs), stationary(logs)
            off_diagonal = np.where(np.eye(len(chances), dtype=bool), 0.0, chances)
            return record | {
                "fixation": (("resident", "mutant"), chances),
                "mean_fixation": (("type",), off_diagonal.sum(axis=0) / (len(chances) - 1)),
                "small_mutation": (("type",), shares),
                "most_common_type": scalar(_most_common(shares)),
            }
        shares = stationary(_between(logs, joint, tables.shape[1:]))
        return record | {
            "joint_action": (("joint", "player"), joint),
            "fixation": (("joint", "player", "axis"), np.exp(logs)),
            "small_mutation": (("joint",), shares),
            "most_common_joint": scalar(_most_common(shares)),
        }

    def _mixed(self, tables: ndarray, session: Session) -> Record:
        """Return mean shares of actions with mutation, and the distribution of compositions or intervals."""
        sizes, record = self._sizes(tables), Record()
        single = self.populations == "one"
        dims = ("axis",) if single else ("player", "axis")
        if len(session["log_share"]):
            states = compositions.all_compositions(self.population, sizes)
            chances = np.exp(session["log_share"])
            mean = np.einsum("s,spa->pa", chances, states) / self.population
            record["composition"] = ("state", *dims), states[:, 0] if single else states
            record["composition_probability"] = ("state",), chances
            record["most_common_composition"] = scalar(_most_common(chances))
        else:
            runs = session["simulated"]
            mean = runs.mean(axis=0) if len(runs) else np.full((len(sizes), max(sizes)), np.nan)
            if len(runs):
                from scipy.special import stdtrit

                wide = stdtrit(len(runs) - 1, 0.975) * runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
                ends = np.clip(np.stack([mean - wide, mean + wide], axis=-1), 0.0, 1.0)
                record["mean_share_interval"] = (*dims, "end"), ends[0] if single else ends
                record["status"] = scalar("completed")
        record["mean_share"] = dims, mean[0] if single else mean
        common = [_most_common(row) for row in mean]
        record["most_common_type"] = scalar(common[0]) if single else (("player",), np.array(common))
        return record


def _residents(tables: ndarray, populations: str) -> ndarray:
    """Return populations of one action: types ``[resident 1]``, or joint actions ``[resident player]``."""
    sizes = tables.shape[1:2] if populations == "one" else tables.shape[1:]
    return np.indices(sizes).reshape(len(sizes), -1).T


def _between(logs: ndarray, joint: ndarray, sizes: tuple[int, ...]) -> ndarray:
    """Return logs of chances ``[joint other_joint]`` that a mutant takes over, per mutant of a population.

    The populations are equally likely to have the next mutant, and within one all other actions are.
    """
    moves = np.full((len(joint),) * 2, -np.inf)
    for player, size in enumerate(sizes):
        for mutant in range(size):
            mutants = joint.copy()
            mutants[:, player] = mutant
            index = np.ravel_multi_index(tuple(mutants.T), sizes)
            moves[np.arange(len(joint)), index] = logs[:, player, mutant] - np.log(max(size - 1, 1))
    return moves


def _most_common(shares: ndarray) -> int:
    """Return the index of the largest share; -1 where one is not known."""
    return -1 if np.isnan(shares).any() else int(np.argmax(shares))


def is_symmetric(tables: ndarray) -> bool:
    """True where permuting the players of ``tables [player action_0 ..]`` permutes their payoffs.

    >>> is_symmetric(np.array([[[3, 0], [5, 1]], [[3, 5], [0, 1]]]))
    True
    """
    if len(set(tables.shape[1:])) > 1:
        return False
    payoffs = tables[0]
    return all(
        np.array_equal(np.swapaxes(payoffs, i, j), tables[j] if i == 0 else payoffs)
        for i, j in combinations(range(len(tables)), 2)
    )


def group_payoffs(table: ndarray, mutant: int, resident: int, population: int) -> tuple[ndarray, ...]:
    """Return mean payoffs ``[state]`` of mutants and of residents with 1, .., N - 1 mutants.

    ``table [own other_1 ..]`` is paid to one player of a symmetric game; the others of its group are drawn
    without replacement.

    >>> [paid.tolist() for paid in group_payoffs(np.array([[3.0, 1.0], [1.0, 2.0]]), 0, 1, 3)]
    [[1.0, 2.0], [1.5, 1.0]]
    """
    coplayers = table.ndim - 1
    states = range(1, population)
    means = []
    for action, fellows in ((mutant, 1), (resident, 0)):
        paid = [table[(action, *(mutant,) * j, *(resident,) * (coplayers - j))] for j in range(coplayers + 1)]
        means.append(
            np.array(
                [
                    sum(
                        comb(k - fellows, j) * comb(population - 1 - k + fellows, coplayers - j) * pay
                        for j, pay in enumerate(paid)
                    )
                    for k in states
                ]
            )
            / comb(population - 1, coplayers)
        )
    return tuple(means)


def log_fixation(log_ratios: ndarray) -> float:
    """Return the log of the chance that one mutant takes over, from ``log(T-/T+)`` at 1, .., N - 1 mutants.

    Infinite ratios are those of fitness 0. NaN where mutants can neither vanish nor take over.

    >>> float(np.exp(log_fixation(np.zeros(3))).round(12)), log_fixation(np.array([0.5, np.inf]))
    (0.25, -inf)
    """
    from scipy.special import logsumexp

    up, down = np.flatnonzero(log_ratios == -np.inf), np.flatnonzero(log_ratios == np.inf)
    if len(down):
        return np.nan if len(up) and up[0] < down[-1] else -np.inf
    return -float(logsumexp(np.append(0.0, np.cumsum(log_ratios))))


def stationary(log_fixations: ndarray) -> ndarray:
    """Return the share of time ``[action]`` of each action where mutations are rare.

    A mutant of another action, all equally likely, takes over or vanishes before the next one
    (Fudenberg and Imhof 2006). Computed without subtractions, by elimination of states (Grassmann, Taksar and
    Heyman 1985), in logarithms: ratios of chances may be known where the chances are too small for a float.
    NaN where a chance of fixation is missing, or where the shares depend on the first population.

    >>> stationary(np.log([[0.5, 0.1], [0.3, 0.5]])).round(12).tolist()
    [0.75, 0.25]
    """
    count = len(log_fixations)
    is_reachable = (log_fixations > -np.inf) | np.eye(count, dtype=bool)
    recurrent = np.flatnonzero(np.linalg.matrix_power(is_reachable.astype(float), count).all(axis=0))
    if np.isnan(log_fixations).any() or not len(recurrent):
        return np.full(count, np.nan)
    # elimination ends at an action that all others lead to, so none of them is left with no way out
    order = np.roll(np.arange(count), -recurrent[0])
    moves = log_fixations[np.ix_(order, order)]
    for k in range(count - 1, 0, -1):
        moves[:k, k] -= np.logaddexp.reduce(moves[k, :k])
        moves[:k, :k] = np.logaddexp(moves[:k, :k], np.add.outer(moves[:k, k], moves[k, :k]))
    share = np.zeros(count)
    for k in range(1, count):
        share[k] = np.logaddexp.reduce(share[:k] + moves[:k, k])
    return np.exp(share - np.logaddexp.reduce(share))[np.argsort(order)]
