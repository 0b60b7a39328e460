"""Results: certificates, solutions, records, labelled datasets and their provenance.

Everything below the entry point works on a *record*: ``name -> (dimensions, array)``. xarray is imported only
to make labelled datasets.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.claims import CERTIFIED as CERTIFIED
from rivalry.core.claims import CLAIMS as CLAIMS
from rivalry.core.claims import COVERAGES as COVERAGES
from rivalry.core.claims import NONE_EXISTS, UNCERTIFIED, ClaimFacts, Status
from rivalry.core.claims import UNREFUTED as UNREFUTED
from rivalry.core.claims import Claim as Claim
from rivalry.core.claims import Coverage as Coverage
from rivalry.core.claims import Rounding as Rounding
from rivalry.core.tolerances import APPROXIMATE
from rivalry.results import tables_of
from rivalry.results.reader import NamesByDimension as NamesByDimension
from rivalry.results.reader import Reader, player_names, profile_rows
from rivalry.results.render import dataframe, html, latex, latex_label
from rivalry.results.table import Table
from rivalry.runtime.jax import floats
from rivalry.schema.registry import hook
from rivalry.text.display import (
    OneLineRepr,
    attributes_of,
    count_text,
    equilibrium_rows,
    html_table,
    key_in_words,
    solution_rows,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray, Dataset


Dims = tuple[str, ...]
SCHEMA = 2  # of every stored file: from version 0.1.0 on, later packages read what earlier ones wrote

SIX = 6  # digits of numbers in print
PROFILE = "profile"  # title of the table of the profile


STORED_AS = {
    "method": "certificate_method",
    "residual": "concept_residual",
    "radius": "certificate_radius",
    "multipliers": "multiplier",
    "error": "regret_error",
    "scope": "claim_scope",
}
"""Names in a record of the fields of a certificate, where they differ."""

TRUTH = {"flag_values": np.array([0.0, 1.0]), "flag_meanings": "false true"}
"""Attributes of Booleans in a run's dataset, as in the CF conventions for NetCDF."""

PACKAGES = ("numpy", "jax", "jaxlib", "equinox", "diffrax", "numba", "scipy", "quantecon", "xarray")
"""Packages whose versions are stored with every run."""

LARGE = 2**30  # bytes of a variable above which its padding is limited
SPARSE = 1000  # the most padded bytes per stored byte of a large variable

# What a cell stores: name -> (dimensions, array). xarray takes such pairs unchanged.
Variable = tuple[Dims, ndarray]
Record = dict[str, Variable]


def scalar(value: object) -> Variable:
    """Return a variable without dimensions."""
    return (), np.asarray(value)


def indexed(*dims: str, **arrays: object) -> Record:
    """Return variables with the same dimensions.

    >>> indexed("player", payoff=np.ones(2))
    {'payoff': (('player',), array([1., 1.]))}
    """
    return {name: (dims, np.asarray(array)) for name, array in arrays.items()}


class Certificate(NamedTuple):
    """The largest unilateral gain of every player, how it was computed, and an upper bound on it.

    Arrays are ``[player]``, in units of payoff.

    Parameters
    ----------
    regret
        The largest gain found.
    bound
        Upper bound on any gain, infinite where none is known; proved unless it is in floating point.
    coverage
        How ``regret`` is known, from the strongest: ``proved``, ``tight``, ``bounded``, ``lower bound``,
        ``local`` or ``estimated``.
    method
        How ``regret`` was computed, in words.
    tolerance
        Largest ``regret`` and ``bound`` of an equilibrium, per player or one number for all players.
    at_stake
        Payoff that each player can win or lose by its own choice while the others stay; None where unknown.
    rounding
        Of ``bound``: ``exact`` (rational arithmetic), ``outward`` (rounding errors included) or ``floating
        point``; empty without a bound.
    concept, residual
        Solution concept of the method, and the residual of its equations if it is not Nash equilibrium.
    radius
        An equilibrium is proved to exist at most this far from the profile, in every choice; None
        without a proof.
    multipliers
        Of shared constraints, ``[player constraint]``, by which ``bound`` was computed, in units of payoff
        per unit of constraint; None for a game without any. ``residual`` is then the largest violation of a
        constraint.
    payoff
        Payoffs at the profile, printed beside the gains; None where unknown. Records have them anyway.
    error
        Half the width of the 95 % interval of an estimated ``regret``; infinite where play was too short for
        one, None where the regret is no estimate, or its interval is the tolerance.
    scope
        What the claim is of, where it is not the whole game: one of several periods that depend on each
        other.
    """

    regret: ndarray
    bound: ndarray
    coverage: Coverage
    method: str
    tolerance: float | ndarray
    at_stake: ndarray | None = None
    rounding: Rounding = ""
    concept: str = "Nash"
    residual: float | None = None
    radius: float | None = None
    multipliers: ndarray | None = None
    payoff: ndarray | None = None
    error: ndarray | None = None
    scope: str = ""

    @property
    def variational(self) -> bool:
        """True if one list of multipliers of shared constraints supports the choices of all players."""
        equal = self.multipliers is not None and bool(np.all(self.multipliers == self.multipliers[0]))
        return equal and self.claim not in ("not an equilibrium", "not decided")

    @property
    def claim(self) -> Claim | Literal["no certificate"]:
        """The strongest statement these numbers allow.

        >>> Certificate(np.array([0.0]), np.array([1e-9]), "tight", "vertices", 1e-6).claim
        'equilibrium'
        """
        if not np.size(self.regret):
            return UNCERTIFIED
        low, high = self.gains
        # an infinite gain is within no tolerance, not even an infinite one, within which nothing is
        tolerance = np.minimum(self.tolerance, np.finfo(float).max)
        refuted: Claim = "not an equilibrium" if np.any(low > tolerance) else "not decided"
        if self.error is not None:
            return "small estimated gain" if self.largest_gain <= APPROXIMATE else refuted
        is_small = np.isfinite(self.regret) & np.isfinite(self.tolerance) & (self.regret <= tolerance)
        within = bool(np.all(is_small))
        # a local search says nothing of distant deviations, however small its regret
        if self.coverage == "local":
            return "local equilibrium" if within else refuted
        if within and np.all(high <= tolerance):
            return "equilibrium"
        if self.largest_gain <= APPROXIMATE:
            return "approximate equilibrium"
        return "no deviation found" if within else refuted

    @property
    def gains(self) -> tuple[ndarray, ndarray]:
        """Lower and upper end of the largest gain of every player, the interval that every claim is made of.

        Of estimates it has 95 % confidence, and no upper end where they are lower bounds. The upper end is
        infinite where no finite interval holds the regret; the lower end of NaN is minus infinity, so that it
        refutes nothing.

        >>> Certificate(np.array([0.5, np.nan]), np.array([2.0, 1.0]), "bounded", "", 1e-6).gains
        (array([ 0.5, -inf]), array([ 2., inf]))
        """
        if self.error is None:
            low, high = self.regret, self.bound
        else:
            low, high = self.regret - self.error, self.regret + self.error
            # the gain of one deviation in play: others may gain more
            high = np.full_like(high, np.inf) if self.coverage == "lower bound" else high
        rounding = np.abs(np.where(np.isfinite(self.tolerance), self.tolerance, 0.0))
        holds = np.isfinite(self.regret) & np.isfinite(high) & (self.regret <= high + rounding)
        return np.where(np.isnan(low), -np.inf, low), np.where(holds, high, np.inf)

    @property
    def largest_gain(self) -> float:
        """The largest bound as a share of what own choice changes; infinite where either is unknown.

        Of estimates it is the upper end of their interval.

        >>> Certificate(np.array([0.0]), np.array([0.1]), "tight", "", 1e-6, np.array([20.0])).largest_gain
        0.005
        """
        _, upper = self.gains
        if self.at_stake is None or not np.isfinite(self.tolerance).all():
            return float("inf")
        # of an unknown change nothing is a small part
        stake = np.where(np.isfinite(self.at_stake), self.at_stake, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            # where own choice changes nothing, ignore rounding errors
            parts = np.where(upper > self.tolerance, upper / stake, 0.0)
        return float(np.max(parts, initial=0.0))

    @property
    def facts(self) -> ClaimFacts:
        """The facts to put into words, of the player that decides the claim.

        >>> Certificate(np.array([0.0]), np.array([1e-9]), "tight", "vertices", 1e-6).facts.limit
        'at most 1e-09 in floating point'
        """
        if not np.size(self.regret):
            return ClaimFacts()
        # units, and so tolerances, may differ between players
        above = self.regret > self.tolerance
        player = int(np.argmax(np.where(above, self.regret, -1.0) if np.any(above) else self.regret))

        fields = self._asdict() | {"claim": self.claim, "share": self.largest_gain, "gain": self.regret}
        fields["bound"] = np.max(self.bound)
        of_player: dict[str, Any] = {}
        for name in ClaimFacts._fields:
            value = fields.get(name, "")
            if not isinstance(value, str):
                numbers = np.asarray(value, float)  # None becomes NaN
                is_known = numbers.shape in ((), np.shape(self.regret))
                value = float(numbers[player] if numbers.ndim else numbers) if is_known else np.nan
            of_player[name] = value
        return ClaimFacts(**of_player)

    def record(self) -> Record:
        """Return the certificate as a record."""
        record: Record = {}
        for name, value in {**self._asdict(), "claim": self.claim}.items():
            if value is not None and name != "payoff" and (name, value) != ("scope", ""):
                array = np.asarray(value) if isinstance(value, str) else floats(value)
                record[STORED_AS.get(name, name)] = (("player", "constraint")[: array.ndim], array)
        if self.multipliers is not None:
            record["variational"] = scalar(self.variational)
        return record

    @classmethod
    def from_record(cls, record: Record) -> Certificate | None:
        """Return the certificate stored in a record, or None; older records lack the last fields."""
        if not {"regret", "bound", "coverage", "certificate_method", "tolerance"} <= set(record):
            return None
        stored = {name: STORED_AS.get(name, name) for name in cls._fields}
        arrays = {
            name: record[stored_name][1] for name, stored_name in stored.items() if stored_name in record
        }
        fields: dict[str, Any] = {n: a if np.ndim(a) else np.asarray(a).item() for n, a in arrays.items()}
        return cls(**fields)

    def __repr__(self) -> str:
        """Return one line: the claim, the largest gain and its bound, and how they were computed."""
        return self.facts.line


NO_CERTIFICATE = Certificate(np.empty(0), np.empty(0), "estimated", "", 0.0)
"""The certificate of a result that has none: its claim is ``no certificate``."""


def claim_facts(record: Record, proof: Certificate | None) -> ClaimFacts:
    """Return the facts from which a record's claim is put into words, by its certificate if it has one."""
    if "absent" in record:
        return ClaimFacts(NONE_EXISTS, absent=str(record["absent"][1]))
    return (proof or NO_CERTIFICATE).facts


def none_exists(sought: str) -> Record:
    """Return status and claim of a method that has proved that none exists of what it sought.

    >>> none_exists("equilibrium in pure strategies")["status"][1].item()
    'none exists'
    """
    return dict.fromkeys(("status", "claim"), scalar(NONE_EXISTS)) | {"absent": scalar(sought)}


def gains_left_open(numbers: Mapping[str, ndarray]) -> ndarray:
    """Return the largest gains ``[... player]`` that stored certificates leave open.

    They are shares of what own choice changes: bounds, or upper ends of intervals of estimates; NaN or
    infinite where unknown.

    >>> stored = {"regret": [1.0], "regret_error": [np.nan, 0.5], "bound": [3.0], "at_stake": [100.0]}
    >>> gains_left_open({name: np.array(values) for name, values in stored.items()}).tolist()
    [0.03, 0.015]
    """
    upper = numbers["bound"]
    if "regret_error" in numbers:
        error = numbers["regret_error"]
        upper = np.where(np.isnan(error), upper, numbers["regret"] + error)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(upper / numbers["at_stake"])


@dataclass(frozen=True)
class Solution:
    """The final profile of a method, its status and its certificate.

    ``record`` holds all results as plain arrays; the properties return them with labels. ``names`` are those
    of the players and of the axes of a strategy, where the game has any. ``plot_record`` computes the data
    of a plot, ``prove`` returns the `proof` of a record; ``game`` is what was solved, and ``world`` what a
    learner built from it to learn in. Choices are printed to six digits, or ``in_full`` where these have
    other payoffs.
    """

    record: Record
    certificate: Certificate
    names: NamesByDimension = field(default_factory=dict)
    plot_record: Callable[[str, Mapping[str, Any]], Record] | None = field(
        default=None, repr=False, compare=False
    )
    game: Any = field(default=None, repr=False, compare=False)
    world: Any = field(default=None, repr=False, compare=False)
    prove: Callable[[Record], Any] | None = field(default=None, repr=False, compare=False)
    in_full: bool = field(default=False, repr=False, compare=False)

    @property
    def profile(self) -> DataArray:
        """The profile, labelled ``player`` and ``axis``.

        For finitely supported mixtures in a continuous game: the probabilities, labelled ``player`` and
        ``action``, of the strategies ``action_grid`` in `data`.
        """
        return self._label(self._played)

    @property
    def _played(self) -> str:
        is_mixture = "mixture" in self.record and "profile" not in self.record
        return "mixture" if is_mixture else "profile"

    @property
    def payoff(self) -> DataArray:
        """Payoffs at the profile, labelled ``player``."""
        return self._label("payoff")

    @property
    def status(self) -> Status:
        """The termination status."""
        return str(self.record["status"][1])  # type: ignore[return-value]

    @property
    def claim(self) -> Claim | Literal["no certificate"]:
        """The strongest statement that is proved or certified; ``no certificate`` without one."""
        return NONE_EXISTS if self.status == NONE_EXISTS else self.certificate.claim

    @property
    def steps(self) -> int:
        """Steps taken."""
        return int(self.record["steps"][1])

    @property
    def end_state(self) -> str | None:
        """The end state of a dynamic: stable_point, unstable_point, cycle, moving or boundary."""
        return str(self.record["end_state"][1]) if "end_state" in self.record else None

    @property
    def path(self) -> Dataset | None:
        """The path of profiles, if recorded: ``path [step player axis]`` against ``path_step``."""
        if "path" not in self.record:
            return None
        along = {k: v for k, v in self.record.items() if k == "path" or k.startswith("path_")}
        return dataset(along, self.names)

    @property
    def data(self) -> Dataset:
        """All results as one labelled dataset."""
        return dataset(self.record, self.names)

    def plot_data(self, plot: str, **options: object) -> Dataset:
        """Return all results with the data of a plot; ``rv.plots.cycle(solution)`` computes these itself.

        Parameters
        ----------
        plot
            The name of the plot, one of those that `rivalry list plots` shows.
        **options
            Options of the plot, some of which need further data.

        Raises
        ------
        ValueError
            For an unknown plot, and for one that the game or the result has no data for.
        """
        plot_arrays = self.plot_record(plot, options) if self.plot_record else {}
        return dataset(self.record | plot_arrays, self.names)

    @property
    def proof(self) -> Any:
        """The proof of the result; ``proof.save(FILE)`` writes it for ``rivalry-check``.

        Saving raises `ValueError` for a result without one.
        """
        if self.prove is None:
            raise ValueError("proof: there is none of a solution that no method computed")
        return self.prove(self.record)

    def explore(self) -> Any:
        """Return living figures, which can be dragged, for a notebook (extra ``notebook``)."""
        return hook("Solution.explore")(self)

    def _label(self, name: str) -> DataArray:
        if name not in self.record:
            raise AttributeError(f"solution: has no {name}; `data` holds {', '.join(sorted(self.record))}")
        return dataset({name: self.record[name]}, self.names)[name]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Tables of what the method is for, the profile if there is one, and what stands beside it.

        Each has ``columns`` and ``rows``, whose entries have a text and a number. `to_dataframe` has them in
        full.
        """
        return tuple(self._tables_in_order(numbers=False))

    def to_dataframe(self, table: int | str = 0) -> DataFrame:
        """Return a table as numbers, in full precision; words stay words.

        Parameters
        ----------
        table : int or str
            The number of the table in `tables`, or its title.

        Raises
        ------
        ValueError
            For a result without tables, and for an unknown title.

        Examples
        --------
        >>> import rivalry as rv
        >>> rv.solve(rv.games.market(), rv.methods.ClosedForm()).to_dataframe().payoff.round(6).tolist()
        [900.0, 900.0]
        """
        selected = self._table(list(self._tables_in_order(numbers=True)), table)
        return dataframe(selected)

    def to_latex(self, table: int | str = 0) -> str:
        """Return a table for LaTeX with booktabs rules, the claim below it; see `to_dataframe`.

        Its caption is what the table is of, and the game where that describes itself.
        """
        selected = self._table(self.tables, table)
        words = claim_facts(self.record, self.certificate).statement
        below = [] if self.claim == UNCERTIFIED else [f"Claim: {words}."]
        lists = equilibrium_rows(self.record)  # whether there are others
        below += [f"{name[:1].upper()}{name[1:]}: {text}." for name, text in lists.items()]
        title = selected.title
        of_game = [repr(self.game).partition(": ")[0]] if isinstance(self.game, OneLineRepr) else []
        caption = ". ".join([f"{title[:1].upper()}{title[1:]}", *of_game])
        return latex(selected, caption=caption, label=latex_label(title), below=below)

    def _table(self, tables: Sequence[Table], key: int | str) -> Table:
        """Return one of the tables, by number or title."""
        titles = [table.title for table in tables]
        if isinstance(key, int) and -len(tables) <= key < len(tables):
            return tables[key]
        if key in titles:
            return tables[titles.index(str(key))]
        choices = f"must be one of {', '.join(titles)}, or a number"
        if not titles:
            choices = f"this result has no tables: {next(reversed(self._rows().values()))}"
        raise ValueError(f"table: {key!r}; {choices}")

    def _tables_in_order(self, *, numbers: bool) -> Iterator[Table]:
        """Yield the tables of what the method is for, that of the profile, and those that stand beside it."""
        tables = list(tables_of(self._reader(numbers=numbers)))
        yield from (table for table in tables if table.shows)
        rows = profile_rows(self.record, self.names, in_full=self.in_full, numbers=numbers)
        if rows:
            yield Table(rows, "players", PROFILE, shows=("profile", "payoff"), claimed="all")
        yield from (table for table in tables if not table.shows)

    def _reader(self, *, numbers: bool) -> Reader:
        """Return the arrays of the record without padding, with the names of players and coordinates."""
        mask = np.asarray(self.record.get("is_choice", ((), np.True_))[1])
        arrays: dict[str, ndarray] = {}
        for name, (dims, array) in self.record.items():
            is_profile = dims[-2:] == ("player", "axis") and array.dtype.kind == "f"
            has_shape = mask.ndim == 2 and array.shape[-2:] == mask.shape
            arrays[name] = np.where(mask, array, np.nan) if is_profile and has_shape else array
        players = player_names(self.record, self.names)
        axes = self.names.get("axis", ())
        return Reader(arrays, players=players, axes=lambda variable: axes, numbers=numbers, digits=SIX)

    def __repr__(self) -> str:
        rows = self._rows()
        name_width = max(map(len, rows))
        lines = [f"Solution: {self.status} after {count_text(self.steps, 'step')}"]
        lines += [f"  {name:<{name_width}}  {text}" for name, text in rows.items()]
        for table in self._printed_tables():
            lines += [f"  {line}" for line in repr(table).split("\n")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = {"status": f"{self.status} after {count_text(self.steps, 'step')}", **self._rows()}
        tables = "".join(map(html, self._printed_tables()))
        return f"<div>{html_table('Solution', rows)}{tables}</div>"

    def _printed_tables(self) -> list[Table]:
        """Return the tables below the claim: a profile that is a row of a list is not repeated."""
        if any(table.holds_profile for table in self.tables):
            return [table for table in self.tables if table.title != PROFILE]
        return list(self.tables)

    def _rows(self) -> dict[str, str]:
        rows = solution_rows(self.record, claim_facts(self.record, self.certificate).line)
        payoff = self.record.get("payoff", ((), None))[1]
        words = self.certificate._replace(payoff=payoff).facts.small_gain
        return rows | ({"gain": words} if words else {})


def labelled(values: ndarray, *dims: str) -> DataArray:
    """Return an array with names of its dimensions.

    >>> labelled(np.zeros((2, 3)), "player", "axis").sizes["axis"]
    3
    """
    from xarray import DataArray

    return DataArray(values, dims=dims)


def dataset(record: Record, names: NamesByDimension = MappingProxyType({})) -> Dataset:
    """Return a record as a labelled dataset; ``names`` are the coordinates of dimensions, where known.

    A dimension whose length differs in an earlier variable gets a name of its own, as in `collect`.

    >>> data = dataset({"payoff": (("player",), np.array([1.0, 2.0]))}, {"player": ("old", "new")})
    >>> float(data.payoff.sel(player="new")), data.payoff.attrs["units"]
    (2.0, 'payoff')
    """
    import xarray as xr

    variables: Record = {}
    for name, (dims, array) in record.items():
        variables[name] = (_unique_dims(name, dims, array.shape, variables, ()), array)
    return describe(xr.Dataset(variables), names)


def describe(data: Dataset, names: NamesByDimension = MappingProxyType({})) -> Dataset:
    """Return a dataset whose variables have names, units and meanings, and its dimensions coordinates."""
    coordinates = {dim: list(labels) for dim, labels in names.items() if data.sizes.get(dim) == len(labels)}
    data = data.assign_coords(
        {dim: labels for dim, labels in coordinates.items() if dim not in data.variables}
    )
    for name, variable in data.variables.items():
        variable.attrs = attributes_of(str(name)) | variable.attrs
    return data


def collect(
    rows: Sequence[tuple[Mapping[str, Any], Record]],
    axes: Mapping[str, Sequence[Any]],
    companions: Mapping[str, tuple[str, Sequence[Any]]] | None = None,
    names: NamesByDimension = MappingProxyType({}),
) -> Dataset:
    """Combine the records of many cells into one dataset.

    Missing values are NaN (numbers), empty (text) or -1 (integers). Arrays of unequal length are padded the
    same way, at the end. Truth values are stored as 1.0, 0.0 and NaN with the attributes `TRUTH`, whether any
    is missing or not: a variable's type does not depend on how much of a run is complete.

    A variable with the name of an axis or a companion is left out. A cell without a dimension that others
    have fills only its first entry. A variable that is its own dimension, and equal in all cells, becomes a
    coordinate.

    Parameters
    ----------
    rows : sequence of (mapping, Record)
        Pairs of a record and its coordinates, one value per name in ``axes``.
    axes : mapping
        The values of every coordinate, in order.
    companions : mapping, optional
        Further coordinates: name to (axis, values along this axis).
    names : mapping, optional
        Coordinates of dimensions of the records, such as names of players.

    Examples
    --------
    >>> rows = [({"reach": 0.1}, {"payoff": (("player",), np.array([1.0, 2.0]))})]
    >>> collect(rows, {"reach": [0.1, 0.2]}).payoff.values.tolist()
    [[1.0, 2.0], [nan, nan]]
    """
    places = [at for at, _ in rows]
    return label_columns(columns_of(record for _, record in rows), places, axes, companions, names)


class Column(NamedTuple):
    """Values of one variable in the cells where its dimensions, shape and type agree."""

    dims: Dims  # of one cell
    at: ndarray  # [row] the cells' numbers, increasing
    values: ndarray  # [row ...]


Columns = dict[str, list[Column]]
"""Columns of every variable: many cells in few arrays."""


def columns_of(records: Iterable[Record], numbers: Iterable[int] | None = None) -> Columns:
    """Return records as columns; ``numbers``, increasing, are those of their cells, by default from 0 on.

    >>> (one,) = columns_of({"steps": ((), np.asarray(k))} for k in (5, 7))["steps"]
    >>> one.at.tolist(), one.values.tolist()
    ([0, 1], [5, 7])
    """
    equal: dict[Any, tuple[list[int], list[ndarray]]] = defaultdict(lambda: ([], []))
    for k, record in zip(count() if numbers is None else numbers, records, strict=False):
        for name, (dims, array) in record.items():
            # the order in memory too, since a stored cell has the same bytes again
            order = array.ndim > 1 and array.flags.fnc
            at, arrays = equal[name, dims, array.shape, array.dtype, order]
            at.append(k)
            arrays.append(array)
    columns: Columns = {}
    for (name, dims, *_, order), (at, arrays) in equal.items():
        stacked = np.stack([array.T for array in arrays]) if order else np.stack(arrays)
        column = Column(dims, np.array(at), transpose_cells(stacked) if order else stacked)
        columns.setdefault(name, []).append(column)
    return columns


def transpose_cells(values: ndarray) -> ndarray:
    """Return an array with all dimensions but the first in reverse order."""
    return values.transpose(0, *range(values.ndim - 1, 0, -1))


def label_columns(
    columns: Columns,
    places: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Sequence[Any]],
    companions: Mapping[str, tuple[str, Sequence[Any]]] | None,
    names: NamesByDimension = MappingProxyType({}),
) -> Dataset:
    """Return the dataset of `collect` from columns; ``places`` are the coordinates of every cell."""
    import xarray as xr

    lead, lengths = tuple(axes), tuple(map(len, axes.values()))
    where = np.zeros(len(places), int)
    for name, values in axes.items():
        index = {place_key(value): k for k, value in enumerate(values)}
        where = where * len(values) + [index[place_key(at[name])] for at in places]
    coordinates: dict[str, Any] = {name: (name, _coordinate(values)) for name, values in axes.items()}
    for name, (along, values) in (companions or {}).items():
        coordinates[name] = (along, _coordinate(values))
    variables: Record = {}
    attributes: dict[str, dict[str, Any]] = {}
    for name in sorted(columns):
        if name in coordinates:  # the coordinate already holds a swept parameter
            continue
        parts_of_variable = sorted(columns[name], key=lambda column: int(column.at[0]))
        reference = parts_of_variable[0].values[0]
        if all(dims == (name,) and _all_equal(values, reference) for dims, _, values in parts_of_variable):
            coordinates[name] = (parts_of_variable[0].dims, reference)
            continue
        if any(column.values.dtype.kind == "b" for column in parts_of_variable):
            parts_of_variable = [
                c._replace(values=c.values.astype(float)) if c.values.dtype.kind == "b" else c
                for c in parts_of_variable
            ]
            attributes[name] = TRUTH
        dims, padded = _pad_cells(
            name, [column._replace(at=where[column.at]) for column in parts_of_variable], lengths
        )
        variables[name] = (_unique_dims(name, dims, padded.shape[len(lead) :], variables, lead), padded)
    described = {name: (*value, attributes.get(name, {})) for name, value in variables.items()}
    data = xr.Dataset(described, coords=coordinates)
    for name in (*axes, *(companions or {})):
        data[name].attrs["long_name"] = key_in_words(name)
    return describe(data, names)


def _all_equal(values: ndarray, reference: ndarray) -> bool:
    return values.shape[1:] == reference.shape and bool(np.all(values == reference))


def is_truth(values: DataArray) -> bool:
    """True if a variable of a run's dataset holds Booleans."""
    return "flag_meanings" in values.attrs


def stack_records(records: Sequence[Record], lead: Mapping[str, int]) -> Record:
    """Combine records in row-major order of the dimensions ``lead`` into one record with these first.

    >>> one, two = ({"payoff": (("player",), np.array(p))} for p in ([1.0], [2.0, 3.0]))
    >>> stack_records([one, two], {"batch": 2})["payoff"][1].tolist()
    [[1.0, nan], [2.0, 3.0]]
    """
    stacked: Record = {}
    for name, columns in sorted(columns_of(records).items()):
        dims, values = _pad_cells(name, columns, tuple(lead.values()))
        stacked[name] = ((*lead, *dims), values)
    return stacked


def unstack_records(record: Record, lead: int) -> list[Record]:
    """Return the records that `stack_records` combined, in row-major order.

    ``lead`` is the number of leading dimensions. They are read from ``profile``, or else from ``status``;
    variables without them are left out.

    >>> whole = {"profile": (("batch", "player"), np.array([[1.0, 2.0], [3.0, 4.0]]))}
    >>> [part["profile"][1].tolist() for part in unstack_records(whole, 1)]
    [[1.0, 2.0], [3.0, 4.0]]
    """
    dims, array = record["profile" if "profile" in record else "status"]
    lead_dims, shape = dims[:lead], array.shape[:lead]
    rows = {name: value for name, value in record.items() if value[0][:lead] == lead_dims}
    return [
        {name: (dims[lead:], np.asarray(array)[place]) for name, (dims, array) in rows.items()}
        for place in np.ndindex(*shape)
    ]


def _pad_cells(name: str, columns: Sequence[Column], lengths: tuple[int, ...]) -> Variable:
    """Return the other dimensions, and one padded array with the leading ``lengths``."""
    dims, columns = _align(name, columns)
    arrays = [column.values for column in columns]
    shape = tuple(max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True))
    rows, equal = sum(map(len, arrays)), all(array.shape[1:] == shape for array in arrays)
    blank, dtype = _blank(arrays, complete=equal and rows == prod(lengths))
    size, stored = prod(lengths + shape) * dtype.itemsize, sum(array.nbytes for array in arrays)
    # one cell with a very large array would enlarge the rows of all others
    if size > LARGE and size * rows > SPARSE * stored * prod(lengths):
        raise ValueError(f"{name}: {stored} bytes in {rows} cells would be padded to {size}")
    values = np.full((prod(lengths), *shape), blank, dtype)
    for _, at, array in columns:
        corner: tuple[Any, ...] = (at, *map(slice, array.shape[1:]))
        values[corner] = array
    return dims, values.reshape((*lengths, *shape))


def rename_dim(dims: Dims, old: str, new: str) -> Dims:
    """Return dimensions with one of them renamed.

    >>> rename_dim(("step", "player"), "player", "seat")
    ('step', 'seat')
    """
    return tuple(new if dim == old else dim for dim in dims)


def _align(name: str, columns: Sequence[Column]) -> tuple[Dims, list[Column]]:
    """Return dimensions that all columns fit, and the columns reshaped to these."""
    # "seat" counts followers too; where some cells have it, the players of the others are seats
    if any("seat" in column.dims for column in columns):
        columns = [column._replace(dims=rename_dim(column.dims, "player", "seat")) for column in columns]
    dims = max((column.dims for column in columns), key=len)
    aligned = []
    for own_dims, at, values in columns:
        dims_iterator = iter(dims)
        if not all(d in dims_iterator for d in own_dims):  # consumes the iterator: the order must agree too
            raise ValueError(f"{name}: has dimensions {own_dims} in one cell and {dims} in another")
        shape = [values.shape[1 + own_dims.index(d)] if d in own_dims else 1 for d in dims]
        aligned.append(Column(dims, at, values if own_dims == dims else values.reshape(len(at), *shape)))
    return dims, aligned


def _unique_dims(name: str, dims: Dims, shape: tuple[int, ...], variables: Record, lead: Dims) -> Dims:
    """Return a variable's dimensions; one whose length differs in another variable gets a separate name."""
    known_sizes = dict[str, int]()
    for known_dims, array in variables.values():
        known_sizes |= zip(known_dims, array.shape, strict=True)
    unique = list(lead)
    for dim, size in zip(dims, shape, strict=True):
        is_free = known_sizes.get(dim, size) == size and dim not in lead
        unique.append(dim if is_free else f"{name}_{dim}")
    return tuple(unique)


def place_key(value: object) -> Any:
    """Return a hashable key of a coordinate's value; equal lists of numbers have equal keys."""
    if not isinstance(value, (list, tuple, ndarray, dict)):  # faster than a union
        return value
    try:
        return tuple(floats(value).ravel().tolist())
    except (TypeError, ValueError):  # tables, words, or lists of unequal length
        return repr(value)


def _coordinate(values: Sequence[Any]) -> ndarray:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.asarray(values)
    return np.asarray([value if isinstance(value, str) else repr(value) for value in values])


def _blank(arrays: Sequence[ndarray], *, complete: bool) -> tuple[Any, Any]:
    """Return the fill value and the dtype for all ``arrays``."""
    if arrays[0].dtype.kind == "U":
        return "", max((a.dtype for a in arrays), key=lambda d: d.itemsize)
    dtype = np.result_type(*arrays)
    if dtype.kind == "b":
        return (False, dtype) if complete else (np.nan, np.dtype(float))
    if dtype.kind == "u":  # unsigned integers cannot hold -1
        return -1, np.dtype(np.int64)
    return (-1, dtype) if dtype.kind == "i" else (np.nan, dtype)


def netcdf(data: Dataset) -> bytes:
    """Return a dataset as the bytes of a NetCDF file without timestamps: equal data give equal bytes."""
    # in memory: the HDF5 library does not survive a full disk
    content = data.to_netcdf(None, engine="h5netcdf")
    return bytes(content)


def provenance(packages: Iterable[str] = ()) -> dict[str, str]:
    """Platform and versions of installed packages, and of ``packages``, stored with every run."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    system = platform.python_version(), platform.platform(), platform.machine()
    versions = dict(zip(("python", "platform", "machine"), system, strict=True))
    if (device := os.environ.get("JAX_PLATFORMS", "cpu").partition(",")[0]) != "cpu":
        versions["device"] = device
    for name in ("rivalry", *PACKAGES, *sorted(packages)):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
