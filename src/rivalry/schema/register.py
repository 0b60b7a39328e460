"""Optional subpackages and other distributions: the tables in which they register what they add.

A *register* is a module of plain data, ``rivalry.NAME.register`` in an optional subpackage, or the module
that another distribution names in the entry-point group ``rivalry.register``. It imports nothing heavy and
has any of these tables:

==================  ====================================================================================
``GAMES``           families: a `FamilyEntry` by name
``METHODS``         kinds of methods: an `Entry` by name; of a kind that is there, its classes are added
``PLOTS``           a `PlotEntry` by name
``DEFAULTS``        what a report shows of a family where a study names nothing: `FamilyDefaults`
``STUDIES``         files of studies by name, ``package:file`` without ``.toml``
``TABLES``          functions of tables of results, by the variable that begins each: see `rivalry.results`
``REPORT_SECTIONS`` tables of a report: functions of the dataset: see `rivalry.results.table.ReportSection`
``LABELS``          capital letters that studies use as labels, with what they mean, for a report
``ENVIRONMENTS``    environments of agents, by the name of the type of their kernels' arrays
``VIEWS``           modules that make data of living figures, by the name of the view that draws them
``COMMANDS``        functions of the command line by name, with annotations as Typer reads them
``EXECUTORS``       executors of cells by their names on the command line, made from an address
``HOOKS``           functions that the package calls where they are there
==================  ====================================================================================

Everything that code of the package asks of an optional subpackage goes through these tables, so that a
subpackage whose folder is removed leaves the rest at work.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

NameTuple = tuple[str, ...]
Draws = Literal["nothing", "start", "search", "play"]
OPTIONAL = {
    "audit": "audit",
    "economies": (
        "CityQLearning CitySimulation PopulationQLearning Simulation UncappedEquilibrium agent_histogram "
        "bid_congestion bid_distribution city city_policy design_search example_bids example_routes "
        "exploitability_curve fairness_plane karma karma_histogram lane_load mean_bids "
        "policy_map policy_table redistribution_level simulation social_traces street_map "
        "uncapped_equilibrium"
    ),
    "integrations": "DQN PPO SAC ray rllib.dqn rllib.ppo rllib.sac slurm",
    "interop": "EnvironmentQLearning games_of_file read_profiles rounding_of",
    "living": "Run.explore Solution.explore figures_of_report freeze",
    "roads": "DepartureTimeEquilibrium StochasticUserEquilibrium SystemOptimum UserEquilibrium arrivals "
    "bottleneck departure_time_equilibrium routes stochastic_user_equilibrium system_optimum "
    "user_equilibrium",
    "web": "open",
}
"""Optional subpackages, each with the names that it alone registers: a message on one names its home."""
GROUP = "rivalry.register"

T = TypeVar("T")


class Entry(NamedTuple):
    """A registered kind of method.

    Parameters
    ----------
    targets
        ``module:attribute`` of each class.
    title
        One sentence.
    controls
        Placebos: values of the option ``control``.
    uses
        Packages whose versions are stored with results, besides those of every run.
    result
        Variables of the record that the method is for; those that a result holds are in its first table.
    draws
        Where random numbers enter: nowhere; in a random start and order; also in a search, such as the
        directions in which it leaves unstable points; or in play itself, so that a single result has noise.
    draws_with
        Option with which a method that draws nothing simulates.
    batched
        Whether cells of a study are computed together, ``cells_per_batch`` of them by one task.
    """

    targets: NameTuple
    title: str
    controls: NameTuple = ()
    uses: NameTuple = ()
    result: NameTuple = ()
    draws: Draws = "play"
    draws_with: str = ""
    batched: bool = False


class FamilyEntry(NamedTuple):
    """A registered family of games; its keys are read from the annotations of its factory.

    Parameters
    ----------
    target
        ``module:attribute`` of the factory.
    title
        One sentence.
    symbols
        Payoffs as a formula in plain text for reports.
    first
        Tables of a first study, which ``rivalry new`` writes and ``rivalry warm`` solves: ``method``, and
        ``game`` and ``sweep`` if it has any.
    example
        Arguments that make an example game, where the defaults do not.
    begin
        Up to three studies to begin with, which ``rivalry list`` names.
    words
        Names of keys in words, where they are not the key with spaces.
    axes
        What the coordinates of a strategy are, with units, for axes of figures; one name serves all.
    player
        What a player is, in one word.
    continuum
        Whether nobody in its games acts alone, so that they are no environments.
    """

    target: str
    title: str
    symbols: str
    first: Mapping[str, Mapping[str, Any]]
    example: Mapping[str, Any] = MappingProxyType({})
    begin: NameTuple = ()
    words: Mapping[str, str] = MappingProxyType({})
    axes: NameTuple = ("choice",)
    player: str = "player"
    continuum: bool = False

    @property
    def targets(self) -> tuple[str]:
        """The factory, as the targets of other registered names are written."""
        return (self.target,)


BENCHMARKS = "benchmarks"
"""Plot data of a game alone: quantities at its benchmarks, as in ``nash_payoff``."""


class PlotEntry(NamedTuple):
    """A plot's function, a noun phrase that titles it, and the plot data it draws, stored in cells.

    ``families`` are those whose recipe it is; none for a chart of any game. ``by_quantity`` are the plot data
    that its option ``quantity`` asks for. ``captions`` title it where an option has a value, by
    ``option=value``, and under ``""`` where none has. ``spare``: it draws the plot data where the game has
    them, and something without.
    """

    target: str
    title: str
    families: NameTuple = ()
    views: NameTuple = ()
    spare: bool = False
    by_quantity: Mapping[str, str] = MappingProxyType({})
    captions: Mapping[str, str] = MappingProxyType({})

    @property
    def targets(self) -> tuple[str]:
        """The function, as the targets of other registered names are written."""
        return (self.target,)

    def views_of(self, options: Mapping[str, Any]) -> NameTuple:
        """Return the plot data that the plot draws with these options."""
        quantity = options.get("quantity")
        extra = self.by_quantity.get(quantity) if isinstance(quantity, str) else None
        return self.views if extra is None else (*self.views, extra)

    def caption_of(self, options: Mapping[str, Any]) -> str:
        """Return a noun phrase for what the plot draws with these options."""
        captions = (self.captions.get(f"{name}={value}") for name, value in options.items())
        if title := next(filter(None, captions), ""):
            return title
        return self.title if "quantity" in options else self.captions.get("", self.title)


class DefaultFigure(NamedTuple):
    """A plot with its options, and how it shows several methods.

    ``methods`` is ``all`` (the plot draws them all), ``compare`` (with its option ``compare``), ``series``
    (as values of its option ``series``), or ``each`` (a figure per method). ``values``: the plot draws the
    values of a swept coordinate as a ``series``. ``swept``: it needs a parameter swept over numbers. A figure
    without ``needs`` among the data is left out.
    """

    kind: str
    needs: str
    methods: str = "all"
    values: bool = False
    swept: bool = False
    options: Mapping[str, Any] = MappingProxyType({})


class FamilyDefaults(NamedTuple):
    """Default metrics and figures of a family.

    Parameters
    ----------
    metrics
        Names of metrics for the table of the answer, the most important first.
    figures
        Figures of a report, in order.
    """

    metrics: NameTuple = ()
    figures: tuple[DefaultFigure, ...] = ()


E = TypeVar("E", bound=Entry | FamilyEntry | PlotEntry)
_BESIDE_STUDIES = re.compile(r"rivalry\.(studies\.\w+|\w+\.study):[A-Za-z]\w*")


def is_beside_studies(name: object) -> bool:
    """True for the name of a method or plot in a module beside the bundled studies.

    Studies of an optional subpackage have theirs in its module ``study``.

    It works from any folder, so that a copy of a bundled study runs.

    >>> is_beside_studies("rivalry.studies.karma_theory:Contractivity"), is_beside_studies("newton")
    (True, False)
    """
    return isinstance(name, str) and _BESIDE_STUDIES.fullmatch(name) is not None


def entry_of(name: Any, entries: Mapping[str, E]) -> Entry | E | None:
    """Return the entry of a name that is known or beside the bundled studies; None for another."""
    return Entry((name,), "defined beside the study") if is_beside_studies(name) else entries.get(name)


def is_there(name: str) -> bool:
    """True for an optional subpackage that is installed."""
    return (Path(__file__).parents[1] / name / "register.py").is_file()


@cache  # reads the metadata of every installed package: 20 ms
def _registers() -> tuple[Mapping[str, Any], ...]:
    from importlib.metadata import entry_points

    registers = [vars(import_module(f"rivalry.{name}.register")) for name in filter(is_there, OPTIONAL)]
    for point in entry_points(group=GROUP):
        try:
            registers.append(vars(point.load()))
        except Exception as error:  # a broken distribution must not hide the others
            warnings.warn(f"{point.value} registers nothing: {type(error).__name__}: {error}", stacklevel=2)
    return tuple(registers)


def collect(
    table: str,
    base: Mapping[str, T] = MappingProxyType({}),
    join: Callable[[T, T], T] = lambda entry, addition: entry,
) -> dict[str, T]:
    """Return a table of the package with the entries of all registers, sorted by name.

    Of two entries of a name, ``join`` makes one; by default the earlier stays, the package's before all.
    """
    collected_table = dict(base)
    for register in _registers():
        for name, entry in register.get(table, {}).items():
            collected_table[name] = join(collected_table[name], entry) if name in collected_table else entry
    return dict(sorted(collected_table.items()))


def missing_home(name: object) -> str:
    """Return the message on a name of an optional subpackage that is not installed; empty for any other.

    >>> missing_home("karma")  # where the economies are installed
    ''
    """
    for home, names in OPTIONAL.items():
        if str(name) in names.split() and not is_there(home):
            return f"{name} needs rivalry.{home}, which is not installed"
    return ""
