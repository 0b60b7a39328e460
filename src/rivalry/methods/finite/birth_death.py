"""Birth-death processes of finite populations: exact chances of fixation, and shares with mutation.

One individual at a time changes its action, by the rule of a subclass: imitation or reproduction. The chains
between populations are those of `rivalry.methods.finite.compositions`.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from itertools import combinations
from math import prod
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.core.tolerances import TIE
from rivalry.methods.continuous.mixtures import payoff_ranges
from rivalry.methods.finite import compositions

PROFILES = 2000  # populations of one action, or joint actions, between which rare mutants move, at most
USUAL = 5.0  # intensity of selection of the Fermi rule, over the range of each player's payoffs


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
    def log_ratio(self, paid: ndarray) -> ndarray:
        """Return ``log(T-/T+) [state]`` where mutants and residents are paid ``paid [state 2]``."""

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
        return 1 if self.mutation else prod(self._sizes(self.tables(world)))

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        """Return a session without results. Raises `ValueError` for games that are not symmetric."""
        tables = self.tables(world)
        sizes = self._sizes(tables)
        if self.populations == "one" and not is_symmetric(stateless_tables(world)):
            raise ValueError(
                "game: must be symmetric where one population plays all roles; "
                'populations="each" has one per player'
            )
        if max(sizes) < 2:
            raise ValueError("game: has one action; there is nothing that could take over")
        if self.populations == "one" and self.population < len(tables):
            raise ValueError(f"population: {self.population} must be at least {len(tables)}, the players")
        if not self.mutation and prod(sizes) > PROFILES:
            raise ValueError(f"game: {prod(sizes)} joint actions; must be {PROFILES} at most")
        followed = 0 if self.mutation else prod(sizes)
        return {
            "log_fixation": np.full(
                (followed, len(sizes), max(sizes)), np.nan
            ),  # [resident population mutant]
            "log_share": np.zeros(0),
            "simulated": np.zeros((0, 0, 0)),
            "seed": stream.generate_state(4),
            "taken": np.array([0]),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        tables, begin = self.tables(world), int(session["taken"][0])
        end, residents = min(begin + steps, self.length(world)), self._residents(tables)
        if end > begin and self.mutation:
            self._mix(tables, session)
            begin = end - 1
        else:
            for resident in range(begin, end):
                for player, size in enumerate(self._sizes(tables)):
                    for mutant in range(size):
                        session["log_fixation"][resident, player, mutant] = self._log_fixation_at(
                            tables, residents[resident], player, mutant
                        )
        session["taken"] = np.array([end])
        return end - begin

    def _log_fixation_at(self, tables: ndarray, joint: ndarray, player: int, mutant: int) -> float:
        """Return the log of the chance that a mutant takes over one population, the others at ``joint``."""
        if mutant == joint[player]:  # equals are neutral, even with fitness 0
            return -float(np.log(self.population))
        mutants = np.arange(1, self.population)
        if self.populations == "one":
            pair = np.ix_(*[[mutant, joint[player]]] * len(tables))
            counts = np.stack([mutants, self.population - mutants], axis=1)
            paid = compositions.group_means(tables[0][pair], counts)
        else:
            joint_mutant = joint.copy()
            joint_mutant[player] = mutant
            pays = [tables[(player, *actions)] for actions in (joint_mutant, joint)]
            paid = np.broadcast_to(pays, (len(mutants), 2))
        return log_fixation(self.log_ratio(paid))

    def _changes(self, tables: ndarray, counts: ndarray) -> ndarray:
        """Return logs of chances ``[state population lost gained]`` at ``counts [state population axis]``."""
        sizes, logs = self._sizes(tables), np.full((*counts.shape, counts.shape[-1]), -np.inf)
        for i, size in enumerate(sizes):
            if self.populations == "one":
                paid = compositions.group_means(tables[0], counts[:, 0])
            else:
                paid = compositions.role_means(tables, counts, i)
            # the populations are equally likely to change
            logs[:, i, :size, :size] = self.log_changes(counts[:, i, :size], paid) - np.log(len(sizes))
        return logs

    def _sizes(self, tables: ndarray) -> tuple[int, ...]:
        """Return the number of actions of each population."""
        return tables.shape[1:2] if self.populations == "one" else tables.shape[1:]

    def _residents(self, tables: ndarray) -> ndarray:
        """Return the actions ``[resident population]`` of populations of one action."""
        sizes = self._sizes(tables)
        return np.indices(sizes).reshape(len(sizes), -1).T

    def _mix(self, tables: ndarray, session: Session) -> None:
        """Solve for the stationary distribution of compositions, or simulate them."""
        arguments = self.population, self._sizes(tables), partial(self._changes, tables)
        if compositions.fits(*arguments[:2]):
            session["log_share"] = compositions.log_stationary(compositions.chain_of(*arguments))
        else:
            rng = np.random.default_rng(session["seed"])
            session["simulated"] = compositions.simulated_shares(*arguments, self.changes, rng)

    def read(self, world: object, session: Session) -> Record:
        tables = self.tables(world)
        status = "converged" if session["taken"][0] == self.length(world) else "iteration limit"
        record: Record = {"status": scalar(status)}
        if self.mutation:
            return record | self._mixed(tables, session)
        logs, joint = session["log_fixation"], self._residents(tables)
        chances, shares = np.exp(logs), compositions.stationary(_between(logs, joint, self._sizes(tables)))
        if self.populations == "one":
            chances = chances[:, 0]
            off_diagonal = np.where(np.eye(len(chances), dtype=bool), 0.0, chances)
            return record | {
                "fixation": (("resident", "mutant"), chances),
                "mean_fixation": (("type",), off_diagonal.sum(axis=0) / (len(chances) - 1)),
                "small_mutation": (("type",), shares),
                "most_common_type": scalar(_most_common(shares)),
            }
        return record | {
            "joint_action": (("joint", "player"), joint),
            "fixation": (("joint", "player", "axis"), chances),
            "small_mutation": (("joint",), shares),
            "most_common_joint": scalar(_most_common(shares)),
        }

    def _mixed(self, tables: ndarray, session: Session) -> Record:
        """Return mean shares of actions with mutation, and the distribution of compositions or intervals."""
        sizes, record = self._sizes(tables), Record()
        dims: tuple[str, ...] = ("player", "axis")
        part: int | slice = slice(None)
        if self.populations == "one":
            dims, part = ("axis",), 0
        if len(session["log_share"]):
            states = compositions.all_compositions(self.population, sizes)
            chances = np.exp(session["log_share"])
            mean = np.einsum("s,spa->pa", chances, states) / self.population
            record["composition"] = ("state", *dims), states[:, part]
            record["composition_probability"] = ("state",), chances
            record["most_common_composition"] = scalar(_most_common(chances))
        else:
            runs = session["simulated"]
            mean = runs.mean(axis=0) if len(runs) else np.full((len(sizes), max(sizes)), np.nan)
            if len(runs):
                from scipy.special import stdtrit

                wide = stdtrit(len(runs) - 1, 0.975) * runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
                ends = np.clip(np.stack([mean - wide, mean + wide], axis=-1), 0.0, 1.0)
                record["mean_share_interval"] = (*dims, "end"), ends[part]
                record["status"] = scalar("completed")
        record["mean_share"] = dims, mean[part]
        record["most_common_type"] = dims[:-1], np.asarray(np.array(list(map(_most_common, mean)))[part])
        return record


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
    """Return the index of the largest share, the first of those as large; -1 where one is not known."""
    return -1 if np.isnan(shares).any() else int(np.argmax(shares >= (1 - TIE) * shares.max()))


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


class Moran(BirthDeath):
    """Moran process: an individual drawn in proportion to fitness has a copy, which replaces any individual.

    Fitness is ``1 - w + w`` times the payoff, with ``w`` the intensity of selection ``selection``; so
    ``T-(k) / T+(k)`` is the fitness of residents over that of mutants. A symmetric game with one population,
    or ``populations = "each"``, a population per player.

    The record holds ``fixation`` (resident, mutant), the exact chance that one mutant takes over a population
    of residents, on the diagonal ``1 / population``; ``mean_fixation`` (type), its mean over the residents of
    other actions; ``small_mutation`` (type), the share of time in each population of one action where
    mutations are rare, NaN where that depends on the first population; and ``most_common_type``, with the
    largest share, the first of equals. A type is the number of an action. Shares are no strategy, and are
    not certified.

    With ``mutation`` a copy has, with this chance, one of the other actions, all equally likely, as in the
    Axelrod library. The record then holds ``mean_share`` (axis), the mean over the stationary distribution of
    the share of individuals with each action, and ``most_common_type``, with the largest one; and
    ``composition`` (state, axis), all numbers of individuals with each action, with
    ``composition_probability`` and the index ``most_common_composition``. With two actions the chain is
    solved by detailed balance, with more by elimination without subtractions, both in logarithms where
    needed. Where compositions are too many (of 260 individuals with three actions, or 33 with four), they are
    simulated, and ``mean_share_interval`` (axis, end) is a 95 % interval by replications that began at
    different populations of one action; wide intervals mean that such populations are rarely left.

    With a population per player all entries of actions are (player, axis). Without mutation ``fixation``
    (joint, player, axis) is the chance that a mutant with that action takes over its population where all
    play ``joint_action`` (joint, player), and ``small_mutation`` (joint) the share of time, with
    ``most_common_joint`` the index of the largest.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix([[3, 1], [1, 2]], [[3, 1], [1, 2]])
    >>> rv.solve(game, Moran(population=4)).data.fixation.values.round(5).tolist()
    [[0.25, 0.125], [0.21875, 0.25]]

    References
    ----------
    Nowak, Sasaki, Taylor and Fudenberg, Nature 428, 2004; Taylor, Fudenberg, Sasaki and Nowak, Bulletin of
    Mathematical Biology 66, 2004; Fudenberg and Imhof, Journal of Economic Theory 131, 2006, for mutations.
    """

    selection: Annotated[
        float, Gt(0), Le(1), "intensity of selection w; fitness is 1 - w + w times payoff"
    ] = 1.0

    def log_ratio(self, paid: ndarray) -> ndarray:
        """Return the log of residents' over mutants' fitness, infinite where one of them is 0."""
        with np.errstate(divide="ignore"):
            logs = np.log(self._fitness(paid, np.ones(paid.shape, bool)))
        return np.asarray(logs[:, 1] - logs[:, 0])

    def log_changes(self, counts: ndarray, paid: ndarray) -> ndarray:
        mutation, actions = self.mutation or 0.0, counts.shape[1]
        offspring = counts * self._fitness(paid, counts > 0)
        # sums of the others, because differences from the total would lose digits
        mutated = offspring @ (1 - np.eye(actions)) / max(actions - 1, 1)
        gained = (1 - mutation) * offspring + mutation * mutated
        with np.errstate(divide="ignore"):
            lost = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
            chance = np.log(gained) - np.log(offspring.sum(axis=1, keepdims=True))
        return lost[:, :, None] + chance[:, None, :]

    def _fitness(self, paid: ndarray, present: ndarray) -> ndarray:
        """Return the fitness ``[state action]``, 1 where an action is alone or absent.

        Raises `ValueError` for a fitness below 0, or where nobody has offspring.
        """
        fitness = np.asarray(1 - self.selection + self.selection * np.where(present, paid, 1.0))
        if fitness.min() < 0:
            raise ValueError(
                f"selection: {self.selection:g} gives the fitness {fitness.min():g}; must be so small that "
                "no fitness is negative, or payoffs larger"
            )
        # individuals of one action are equal, even with fitness 0
        fitness = np.where(present.sum(axis=1, keepdims=True) == 1, 1.0, fitness)
        if not (fitness * present).max(axis=1).min() > 0:
            raise ValueError(f"selection: {self.selection:g} gives the fitness 0 to all; must be smaller")
        return fitness


class Fermi(BirthDeath):
    """Fermi process: an individual imitates another with the chance ``1 / (1 + exp(-beta d))``.

    Both are drawn at random, ``d`` is what the other is paid more, and ``beta`` the intensity of selection
    ``selection``; so ``T-(k) / T+(k) = exp(-beta d)`` with ``d`` what mutants are paid more. A symmetric
    game with one population, or a population per player. The record is that of `Moran`.

    With ``mutation`` an individual does not imitate, with this chance, but takes one of the other actions at
    random. So one of ``n_j`` individuals becomes one of ``n_k`` with the chance ``mutation n_j / (N (m - 1))
    + (1 - mutation) n_j n_k / N**2 / (1 + exp(-beta d))`` with ``m`` actions (Traulsen et al. 2009).

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("prisoners_dilemma"), Fermi(population=10, selection=0.1))
    >>> solution.data.small_mutation.values.round(4).tolist()
    [0.1545, 0.8455]
    >>> often = Fermi(population=10, selection=0.1, mutation=0.2)
    >>> rv.solve(rv.games.matrix("prisoners_dilemma"), often).data.mean_share.values.round(4).tolist()
    [0.4621, 0.5379]

    References
    ----------
    Traulsen, Nowak and Pacheco, Physical Review E 74, 2006; Fudenberg and Imhof, Journal of Economic Theory
    131, 2006, for rare mutations; Traulsen, Hauert, De Silva, Nowak and Sigmund, "Exploration dynamics in
    evolutionary games", PNAS 106, 2009.
    """

    selection: Annotated[
        float | None,
        Ge(0),
        Lt(np.inf),
        "intensity of selection beta, per unit of payoff (default: 5 over each player's payoff range)",
    ] = None

    def tables(self, world: object) -> ndarray:
        tables = super().tables(world)
        if self.selection is not None:
            return self.selection * tables
        ranges = payoff_ranges(world).reshape(-1, *[1] * (tables.ndim - 1))
        return USUAL / ranges * tables

    def log_ratio(self, paid: ndarray) -> ndarray:
        """Return the excess payoff of residents, times the intensity of selection."""
        return np.asarray(paid[:, 1] - paid[:, 0])

    def log_changes(self, counts: ndarray, paid: ndarray) -> ndarray:
        mutation, actions = self.mutation or 0.0, counts.shape[1]
        with np.errstate(divide="ignore"):
            share = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
            copied, mutated = np.log(1 - mutation), np.log(mutation / max(actions - 1, 1))
        excess = paid[:, :, None] - paid[:, None, :]
        imitates = share[:, None, :] - np.logaddexp(0.0, excess)
        return share[:, :, None] + np.logaddexp(copied + imitates, mutated)
