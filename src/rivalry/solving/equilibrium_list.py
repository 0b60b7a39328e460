"""Complete lists of equilibria with proofs, and numbers of equilibria for ranges: `all_equilibria`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from rivalry.core.game import refuse_shared
from rivalry.core.needs import fits, needs_of
from rivalry.core.results import Solution
from rivalry.results.render import html, text_lines
from rivalry.results.table import Table
from rivalry.runtime.jax import compiling_seconds
from rivalry.schema.registry import load
from rivalry.schema.validate import refuse_unknown
from rivalry.solving.inputs import check_game
from rivalry.solving.progress import ProgressCallback
from rivalry.solving.single import solve
from rivalry.text.display import counts_in_words, equilibrium_rows, html_table

if TYPE_CHECKING:
    from pandas import DataFrame


class _Printed:
    """A base class of results that are printed as a sentence and a table."""

    solution: Solution

    def _tables(self) -> list[Table]:
        """Return the list of equilibria, or of ranges."""
        return [table for table in self.solution.tables if table.noun in ("equilibria", "ranges")]

    def __repr__(self) -> str:
        title, *further = (f"{name}: {text}" for name, text in equilibrium_rows(self.solution.record).items())
        lines = [title.removeprefix("equilibria: ")]
        for table in self._tables():
            lines += text_lines(table)
        return "\n".join([*lines, *further])

    def _repr_html_(self) -> str:
        rows = equilibrium_rows(self.solution.record)
        title = rows.pop("equilibria")
        return f"<div>{html_table(title, rows)}{''.join(map(html, self._tables()))}</div>"

    @property
    def proof(self) -> Any:
        """The proof of the result; ``proof.save(FILE)`` writes it for ``rivalry-check``.

        Saving raises `ValueError` for a proof that cannot be written as a file.
        """
        return self.solution.proof


@dataclass(frozen=True, repr=False)
class EquilibriumList(_Printed):
    """The equilibria of a game, each proved, and whether there can be others.

    Attributes
    ----------
    equilibria : ndarray
        ``[equilibrium player axis]``; the mixed strategies of a finite game.
    radius : ndarray
        Largest distance in any choice from an entry of the list to the exact equilibrium, ``[equilibrium]``;
        NaN in populations.
    complete : bool
        Whether it is proved that there is no other equilibrium of the kind that was searched for.
    reason : str
        Why the list is complete, or what is missing.
    undecided : ndarray
        Boxes that may hold further equilibria, ``[undecided player axis end]``.
    sets : ndarray
        Those of them that are proved to hold at least one, ``[set player axis end]``; perhaps a continuum.
    certified : ndarray
        Other profiles that a certificate calls equilibria, ``[profile player axis]``; no exact one is proved.
    payoffs : ndarray
        ``[equilibrium player]``.
    solution : Solution
        Everything that the method computed.
    """

    equilibria: np.ndarray
    radius: np.ndarray
    complete: bool
    reason: str
    undecided: np.ndarray
    sets: np.ndarray
    certified: np.ndarray
    payoffs: np.ndarray
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
class EquilibriumCounts(_Printed):
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
    ranges: np.ndarray
    counts: np.ndarray
    undecided_where: np.ndarray
    solution: Solution


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
) -> EquilibriumList | EquilibriumCounts:
    """Return the equilibria of a game, each with a proof, and whether the list is complete.

    On intervals and simplices all pure equilibria are searched for (`rivalry.methods.AllEquilibria`), in
    finite games pure and mixed ones. In populations several logit equilibria are searched for
    (`rivalry.methods.PopulationEquilibria`), each with a certificate but none with a radius; the list is
    never complete.

    Parameters
    ----------
    game
        A game on a box or a simplex whose payoffs JAX can trace, with up to 32 choices (coordinates of the
        strategies of all players); a finite game; or a population.
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
        For a game that no method lists equilibria of, for payoffs with jumps or without an interval form, and
        for a range of a parameter that the game does not have or that reaches values it refuses.

    Examples
    --------
    >>> import rivalry as rv
    >>> equilibria = rv.all_equilibria(rv.games.influencer(reach=[0.25, 0.25], resource="bimodal"))
    >>> equilibria.complete, equilibria.equilibria.round(6).tolist()
    (True, [[[0.5], [0.5]]])
    >>> print(str(equilibria).split(" (")[0])
    exactly 1 equilibrium, proved
    """
    from rivalry.methods import METHODS, AllEquilibria, FiniteEquilibria

    refuse_shared(game, "all_equilibria")
    kinds = [load(target) for target in METHODS["all_equilibria"].targets]
    fitting = [kind for kind in kinds if fits(kind, game)]
    if not fitting:
        if "payoffs" in dir(game) or type(game).__module__ == "builtins":  # else a game of another kind
            check_game(game)
        needed = " or ".join(", ".join(need.words for need in needs_of(kind)) for kind in kinds)
        raise ValueError(f"game: {type(game).__name__} has no list of equilibria; needed are {needed}")
    refuse_unknown(fitting[0], options, "all_equilibria", extras=("max_seconds", "progress", "where"))
    if where is not None:
        if fitting[0] is not AllEquilibria:
            raise ValueError("where: parameters are ranges only in games on intervals and simplices")
        options["where"] = dict(where)
    if fitting[0] is FiniteEquilibria:  # one limit of time, not the smaller of two
        options.setdefault("seconds", np.inf if max_seconds is None else max_seconds)
    before = compiling_seconds()
    solution = solve(game, fitting[0](**options), max_seconds=max_seconds, progress=progress)
    if "stopped_by" in solution.record:
        reason, compiling = solution.record["complete_reason"][1], compiling_seconds() - before
        times = f"{max_seconds:g} s of search are over, and {compiling:.0f} s of compiling"
        solution.record["complete_reason"] = ((), np.asarray(f"{reason}; {times}"))
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
