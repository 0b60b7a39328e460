"""Complete lists of equilibria with proofs, and numbers of equilibria for ranges: `all_equilibria`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy import ndarray

from rivalry.core.exact_payoffs import holds_doubles, split_payoffs
from rivalry.core.game import refuse_shared
from rivalry.core.needs import fits, needs_of
from rivalry.core.results import Solution, scalar
from rivalry.results.render import dataframe, html
from rivalry.results.table import Row, Table, exactly
from rivalry.runtime.jax import compiling_seconds, search_clock
from rivalry.schema.registry import load
from rivalry.schema.validate import limit_of, refuse_masked, refuse_unknown
from rivalry.solving.inputs import check_game
from rivalry.solving.progress import ProgressCallback
from rivalry.solving.single import solve
from rivalry.text.display import counts_in_words, equilibrium_rows, html_table

if TYPE_CHECKING:
    from pandas import DataFrame


class _Printed:
    """A base class of results that are printed as a sentence and a table."""

    def _tables(self) -> list[Table]:
        raise NotImplementedError

    def _rows(self) -> dict[str, str]:
        """Return the sentence, under ``equilibria``, and what else is known."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, *further = (f"{name}: {text}" for name, text in self._rows().items())
        tables = map(repr, self._tables())
        return "\n".join([title.removeprefix("equilibria: "), *tables, *further])

    def _repr_html_(self) -> str:
        rows = self._rows()
        title = rows.pop("equilibria")
        return f"<div>{html_table(title, rows)}{''.join(map(html, self._tables()))}</div>"


class _Solved(_Printed):
    """A base class of results of one run of a method."""

    solution: Solution

    def _tables(self) -> list[Table]:
        """Return the list of equilibria, or of ranges."""
        return [table for table in self.solution.tables if table.noun in ("equilibria", "ranges")]

    def _rows(self) -> dict[str, str]:
        return equilibrium_rows(self.solution.record)

    @property
    def proof(self) -> Any:
        """The proof of the result; ``proof.save(FILE)`` writes it for ``rivalry-check``.

        Saving raises `ValueError` for a proof that cannot be written as a file.
        """
        return self.solution.proof


@dataclass(frozen=True, repr=False)
class EquilibriumList(_Solved):
    """The equilibria of a game, each proved, and whether there can be others.

    Attributes
    ----------
    equilibria : ndarray
        ``[equilibrium player axis]``; the mixed strategies of a finite game.
    radius : ndarray
        Largest distance in any choice from an entry of the list to the exact equilibrium, ``[equilibrium]``.
    complete : bool
        Whether it is proved that there is no other equilibrium of the kind that was searched for.
    reason : str
        Why the list is complete, or what is missing.
    undecided : ndarray
        Boxes that may hold further equilibria, ``[undecided player axis end]``.
    sets : ndarray
        Smallest boxes around sets of equilibria, ``[set player axis end]``; vertices are in ``solution``.
    certified : ndarray
        Other profiles that a certificate calls equilibria, ``[profile player axis]``; no exact one is proved.
    payoffs : ndarray
        ``[equilibrium player]``.
    solution : Solution
        Everything that the method computed.
    """

    equilibria: ndarray
    radius: ndarray
    complete: bool
    reason: str
    undecided: ndarray
    sets: ndarray
    certified: ndarray
    payoffs: ndarray
    solution: Solution

    def __len__(self) -> int:
        return len(self.equilibria)

    def to_dataframe(self) -> DataFrame:
        """Return the list, a row per equilibrium; see `Solution.to_dataframe`."""
        return self.solution.to_dataframe("equilibria")

    def to_latex(self) -> str:
        """Return the list as a LaTeX table; see `Solution.to_latex`."""
        return self.solution.to_latex("equilibria")


@dataclass(frozen=True, repr=False)
class EquilibriumLists(_Printed):
    """The equilibria of a stack of games of two players, in exact arithmetic.

    ``lists[k]`` is the `EquilibriumList` of game ``k``, computed when it is asked for.

    Attributes
    ----------
    games : ndarray
        Payoffs, ``[game player action_0 action_1]``.
    exact : ndarray
        The same as they were given.
    equilibria : ndarray
        All extreme equilibria of all games, to the nearest floats, ``[equilibrium player action]``: game by
        game, in the order of single lists, padded with zeros where a player has fewer actions.
    game : ndarray
        The number of the game of each, ``[equilibrium]``.
    payoffs : ndarray
        ``[equilibrium player]``.
    counts : ndarray
        Numbers of extreme equilibria, ``[game]``.
    pure_counts : ndarray
        Numbers of pure ones, ``[game]``.
    complete : ndarray
        Whether it is proved that there are no other extreme equilibria, ``[game]``; false where the
        enumeration takes too long, and nothing is listed.
    degenerate : ndarray
        Whether a strategy has more pure best responses than actions, so that there may be further equilibria
        between extreme ones, ``[game]``.
    """

    games: ndarray
    exact: ndarray
    equilibria: ndarray
    game: ndarray
    payoffs: ndarray
    counts: ndarray
    pure_counts: ndarray
    complete: ndarray
    degenerate: ndarray

    def __len__(self) -> int:
        return len(self.games)

    def __getitem__(self, number: int) -> EquilibriumList:
        from rivalry.games import matrix

        return all_equilibria(matrix(payoffs=self.exact[number]))

    def _rows(self) -> dict[str, str]:
        numbers = {
            "games": len(self),
            "extreme equilibria": len(self.game),
            "pure ones": self.pure_counts.sum(),
            "complete lists, exact": self.complete.sum(),
            "degenerate games": self.degenerate.sum(),
        }
        line = "; ".join(f"{name}: {number:,}" for name, number in numbers.items())
        if len(self) == 3:  # payoffs of three players have the same shape where the first has two actions
            line += "; read as games of two players, not as one of three (games.matrix)"
        return {"equilibria": line}

    def _tables(self) -> list[Table]:
        columns = {"equilibria": self.counts, "pure": self.pure_counts}
        truths = {"complete": self.complete, "degenerate": self.degenerate}
        rows = list[Row]()
        for k in range(len(self)):
            row = {"game": exactly(str(k), k)}
            row |= {name: exactly(str(values[k]), float(values[k])) for name, values in columns.items()}
            row |= {
                name: exactly("yes" if values[k] else "no", float(values[k]))
                for name, values in truths.items()
            }
            rows.append(row)
        return [Table(rows, "games")]

    def to_dataframe(self) -> DataFrame:
        """Return a row per game: numbers of equilibria, and 1 or 0 for what is true or not."""
        [table] = self._tables()
        return dataframe(table)


@dataclass(frozen=True, repr=False)
class EquilibriumCounts(_Solved):
    """Numbers of equilibria that are proved for all values of parameters in ranges.

    Attributes
    ----------
    where : dict
        The ranges that were asked for, by the name of the parameter.
    count : str
        The numbers in the ranges that are decided, such as ``exactly 1`` or ``1 to 3``; if none is, a smaller
        number, as in ``at least 1``.
    complete : bool
        Whether the number is proved for all values.
    ranges : ndarray
        The ranges that are decided, ``[range parameter end]``. Ranges of one parameter are in order, and two
        that touch have different numbers.
    counts : ndarray
        The number of equilibria for every value in them, ``[range]``.
    undecided_where : ndarray
        Ranges in which the number is not known, ``[range parameter end]``, as around a value at which it
        changes.
    solution : Solution
        Everything that the method computed.
    """

    where: dict[str, tuple[float, float]]
    count: str
    complete: bool
    ranges: ndarray
    counts: ndarray
    undecided_where: ndarray
    solution: Solution


@overload
def all_equilibria(  # type: ignore[overload-overlap]
    game: ndarray | Sequence[Any], *, max_seconds: float | None = 60.0
) -> EquilibriumLists:
    """Equilibria of a stack of games."""


@overload
def all_equilibria(
    game: object,
    *,
    where: None = None,
    max_seconds: float | None = 60.0,
    progress: ProgressCallback | bool | None = None,
    **options: object,
) -> EquilibriumList:
    """Equilibria of one game."""


@overload
def all_equilibria(
    game: object,
    *,
    where: Mapping[str, tuple[float, float]],
    max_seconds: float | None = 60.0,
    progress: ProgressCallback | bool | None = None,
    **options: object,
) -> EquilibriumCounts:
    """Numbers of equilibria over the intervals of ``where``."""


def all_equilibria(
    game: object,
    *,
    where: Mapping[str, tuple[float, float]] | None = None,
    max_seconds: float | None = 60.0,
    progress: ProgressCallback | bool | None = None,
    **options: object,
) -> EquilibriumList | EquilibriumLists | EquilibriumCounts:
    """Return the equilibria of a game, each with a proof, and whether the list is complete.

    On intervals and simplices all pure equilibria are searched for (`rivalry.methods.AllEquilibria`), in
    finite games pure and mixed ones.

    Parameters
    ----------
    game
        A game on a box or a simplex whose payoffs JAX can trace, with up to 32 choices (coordinates of the
        strategies of all players); or a finite game. An array or list of payoffs
        ``[game player action_0 action_1]`` is a stack of games of two players, of which `EquilibriumLists`
        are returned; one game of three players is a `rivalry.games.matrix`.
    where
        Ranges of parameters, ``{"reach": (0.24, 0.26)}``: numbers of equilibria are then proved for all of
        their values, and `EquilibriumCounts` are returned. Names are those of sweeps and studies.
    max_seconds
        Time limit of the search, after which the equilibria proved so far are returned; None for no limit.
        The time of compiling programs, up to a minute for a new game, does not count.
    progress
        As for `rivalry.solve`.
    **options
        Options of the method.

    Raises
    ------
    ValueError
        For a game that no method lists equilibria of, for payoffs with jumps or without an interval form, for
        a stack of another shape, or with options, which are of single games, and for a range of a parameter
        that the game does not have or that reaches values it refuses.

    Examples
    --------
    >>> import rivalry as rv
    >>> equilibria = rv.all_equilibria(rv.games.influencer(reach=[0.25, 0.25], resource="bimodal"))
    >>> equilibria.complete, equilibria.equilibria.round(6).tolist()
    (True, [[[0.5], [0.5]]])
    >>> print(str(equilibria).split(" (")[0])
    exactly 1 equilibrium, proved

    A stack of two games, of which the second has a continuum of equilibria:

    >>> rv.all_equilibria([[[[3, 0], [0, 2]], [[2, 0], [0, 3]]], [[[1, 1], [0, 0]], [[2, 2], [1, 1]]]])
    games: 2; extreme equilibria: 5; pure ones: 4; complete lists, exact: 2; degenerate games: 1
    game  equilibria  pure  complete  degenerate
    0     3           2     yes       no
    1     2           2     yes       yes
    """
    from rivalry.methods import AllEquilibria, FiniteEquilibria

    if max_seconds is not None:
        limit_of("max_seconds", max_seconds, positive=True)
    if isinstance(game, (ndarray, list, tuple)):
        if options or where is not None or progress is not None:
            raise ValueError("game: a stack of games takes max_seconds alone; options are for single games")
        return _lists_of_stack(game, max_seconds)
    refuse_shared(game, "all_equilibria")
    method = _method_of_lists(game)
    refuse_unknown(method, options, "all_equilibria", extras=("max_seconds", "progress", "where"))
    if where is not None:
        if method is not AllEquilibria:
            raise ValueError("where: parameters are ranges only in games on intervals and simplices")
        options["where"] = dict(where)
    if method is FiniteEquilibria:  # one limit of time, not the smaller of two
        options.setdefault("seconds", np.inf if max_seconds is None else max_seconds)
    before = compiling_seconds()
    solution = solve(game, method(**options), max_seconds=max_seconds, progress=progress)
    if "stopped_by" in solution.record:
        reason, compiling = solution.record["complete_reason"][1], compiling_seconds() - before
        times = f"{max_seconds:g} s of search are over, and {compiling:.0f} s of compiling"
        solution.record["complete_reason"] = scalar(f"{reason}; {times}")
    record = {name: value for name, (_, value) in solution.record.items()}
    if where is not None:
        decided = record["where_decided"]
        return EquilibriumCounts(
            {name: (float(low), float(high)) for name, (low, high) in where.items()},
            counts_in_words(solution.record),
            bool(record["complete"]),
            record["where_range"][decided],
            record["where_count"][decided],
            record["where_range"][~decided],
            solution,
        )
    return EquilibriumList(
        record["equilibria"],
        record["radius"],
        bool(record["complete"]),
        str(record["complete_reason"]),
        record["undecided"],
        record.get("equilibrium_set", record["undecided"][:0]),
        record.get("certified", record["equilibria"][:0]),
        record["equilibrium_payoff"],
        solution,
    )


def _method_of_lists(game: object) -> Any:
    """Return the class of methods that lists equilibria of a game. Raises `ValueError` without any."""
    from rivalry.methods import METHODS

    methods = [load(target) for target in METHODS["all_equilibria"].targets]
    for method in methods:
        if fits(method, game):
            return method
    if "payoffs" in dir(game) or type(game).__module__ == "builtins":  # else a game of another kind
        check_game(game)
    needed = " or ".join(", ".join(need.words for need in needs_of(method)) for method in methods)
    raise ValueError(f"game: {type(game).__name__} has no list of equilibria; needed are {needed}")


def _lists_of_stack(payoffs: ndarray | Sequence[Any], max_seconds: float | None) -> EquilibriumLists:
    """Return the equilibria of all games ``[game player action_0 action_1]``. Raises `ValueError`."""
    from rivalry.methods.finite.mixed_equilibria import vertex_list
    from rivalry.tables.extreme_equilibria import TooMany

    games, exact = _stack_of_games(payoffs)
    # many games are worth loading the compiled search
    import rivalry.tables.kernels.vertices  # noqa: F401

    end = inf if max_seconds is None else search_clock() + max_seconds
    complete, degenerate = np.zeros((2, len(games)), bool)
    lists = [np.zeros((0, 2, max(games.shape[2:])))] * len(games)
    for k, numbers in enumerate(games):
        searched: Any = numbers
        if exact is not games and (fractions := split_payoffs(exact[k])[1]) is not None:
            searched = fractions.numbers
        try:
            session = vertex_list(searched, end)
        except TooMany:
            continue  # its list stays empty, and incomplete
        complete[k], degenerate[k] = True, session["degenerate"][0]
        lists[k] = session["found"]
    counts = np.array([len(equilibria) for equilibria in lists], int)
    game = np.repeat(np.arange(len(games)), counts)
    equilibria = np.concatenate(lists)
    support_size = (equilibria > 0).sum(axis=(1, 2))
    # the order of single lists: smallest supports first, then by action
    by_action = -equilibria.reshape(len(game), 2 * equilibria.shape[2]).T[::-1]
    order = np.lexsort([*by_action, support_size, game])
    equilibria = equilibria[order]
    rows, columns = (equilibria[:, player, :size] for player, size in enumerate(games.shape[2:]))
    pays = np.einsum("ei,epij,ej->ep", rows, games[game], columns)
    pure = np.bincount(game[support_size == 2], minlength=len(games))
    return EquilibriumLists(games, exact, equilibria, game, pays, counts, pure, complete, degenerate)


def _stack_of_games(payoffs: ndarray | Sequence[Any]) -> tuple[ndarray, ndarray]:
    """Return payoffs ``[game player action_0 action_1]`` as doubles, and as they are. Raises `ValueError`."""
    form = "numbers [game player action_0 action_1] of two players"
    refuse_masked("game", payoffs)
    try:
        games = np.array(payoffs, float)
        exact = games if holds_doubles(payoffs) else np.array(payoffs, object)
    except (TypeError, ValueError):
        raise ValueError(f"game: payoffs of a stack must be {form}, as many actions in each game") from None
    if games.ndim != 4 or games.shape[1] != 2 or not games[:1].size:
        raise ValueError(f"game: payoffs of a stack must be {form}; these have the shape {games.shape}")
    if not np.isfinite(games).all():
        place = np.argwhere(~np.isfinite(games))[0].tolist()
        raise ValueError(f"game: payoffs of a stack must be finite; entry {place} is {games[tuple(place)]}")
    return games, exact
