"""The study model: a game, methods, a sweep, replications and published values in one frozen object."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rivalry.games import GAMES
from rivalry.lab.study import document, expect, names
from rivalry.lab.study.errors import StudyError, read_key, unknown
from rivalry.lab.study.expect import Axes
from rivalry.lab.study.identity import Table, TableDict, canonical, digest, join, plain, words
from rivalry.lab.study.points import MOST, MOST_KEYS, Cell, Changes, Grid, apply_changes, flat, short_names
from rivalry.lab.study.schema import keys_of
from rivalry.methods import METHODS
from rivalry.runtime.imports import pause_collection
from rivalry.schema.keys import Key, overlap, write_key
from rivalry.schema.registry import load
from rivalry.text.display import html_table

SCHEMA = 1  # of a resolved study and of a cell's task
# from so many points on, so many cells are computed together by default; few points are spread over processes
TOGETHER = ((5_000, 64), (64, 16))


@dataclass(frozen=True, repr=False)
class Study:
    """A study; the arguments are the keys of a study file.

    The constructor checks all that does not require building the game; `check` does the rest.

    Parameters
    ----------
    name
        Name of the study, of its run's folder by default.
    title, question, source, cost
        Text of the study; ``cost`` is ``seconds``, ``minutes`` or ``hours``.
    game, sweep, batch, replications
        Tables of a study file.
    method
        One table or a list of tables.
    folder
        Folder of the files named in the study.
    based_on
        Name of the study of which this is a copy: its expectations are not compared where the copy has other
        numbers.

    Raises
    ------
    StudyError
        For an invalid study.

    Examples
    --------
    >>> study = Study(
    ...     name="two",
    ...     game={"family": "matrix", "name": "chicken"},
    ...     method={"kind": "regret_matching"},
    ...     replications={"count": 2},
    ... )
    >>> study
    Study two: game matrix, method regret_matching, 2 cells
    >>> Study.from_resolved(study.resolved()) == study
    True
    """

    name: str = "study"
    title: str = ""
    question: str = ""
    source: str = ""
    cost: str = "seconds"
    game: Table | None = None
    method: Any = ()
    sweep: Table = field(default_factory=dict)
    batch: Table = field(default_factory=dict)
    replications: Table = field(default_factory=dict)
    expect: Sequence[Table] = ()
    quick: Table = field(default_factory=dict)
    certificate: Table = field(default_factory=dict)
    plots: Sequence[str | Table] = ()
    answer: Table = field(default_factory=dict)
    citation: Table = field(default_factory=dict)
    include: Sequence[str] = ()
    based_on: str = ""
    cells_per_batch: int | None = None
    included: Mapping[str, Study] = field(default_factory=dict)  # the included studies, in quick form
    is_quick: bool = False
    as_written: bool = field(default=True, compare=False)  # unchanged since it was written
    base: Table | None = None  # the tables before the changes, where these made a difference
    origin: Table | None = None  # tables of the study a copy is based on, where they differ
    files: Mapping[str, str] | None = None  # SHA-256 of every .py file named in the study
    folder: Path = field(default=Path("."), compare=False)
    text: str = field(default="", compare=False)  # text of the study's file, if it has one
    where: str = field(default="", compare=False)  # name in messages: the file's path, or the study's name

    def __post_init__(self) -> None:
        if isinstance(self.method, Mapping):
            object.__setattr__(self, "method", [self.method])
        try:
            self._normalise()
        except StudyError as error:
            raise error.inside(self.label) from None

    def _normalise(self) -> None:
        assign = object.__setattr__
        for key in document.KEYS:
            assign(self, key, plain(getattr(self, key), (key,)))
        read = document.read(document.nonempty(vars(self)))
        assign(self, "method", tuple(read.method))
        assign(self, "expect", tuple(read.expect))
        assign(self, "plots", tuple(self.plots))
        assign(self, "include", tuple(self.include))
        if self.include:
            assign(self, "files", {})
            return
        assign(self, "replications", read.replications)
        assign(self, "certificate", read.certificate)
        assign(self, "sweep", self._grid.table)
        assign(self, "batch", self._batch.table)
        self._check_keys()
        names.views(self.plots)
        if self.files is None:
            assign(self, "files", names.file_digests(self.own_files, self.folder))
        if self.as_written:
            if self.based_on and not self.is_quick:
                assign(self, "origin", self._find_origin())
            inherited = self.origin or {"expect": (), "plots": ()}
            expect.check(self.expect, self._names_for_at, quick=self.is_quick, inherited=inherited["expect"])
            # the quick form may lack points that the plots name
            plots = () if self.is_quick else self.plots
            expect.check_plots(plots, self._names_for_at, inherited=inherited["plots"])
            if not self.is_quick:
                expect.check_test(self.answer.get("test") or {}, self._names_for_at)

    def _find_origin(self) -> TableDict | None:
        """Return tables of the study that this copy is based on; None if no number differs."""
        if self.based_on not in names.studies():
            raise StudyError(unknown(self.based_on, names.studies(), "a bundled study"), key="based_on")
        base = load_study(self.based_on)
        if base.include:
            rule = f"{self.based_on} is a study of studies; name one of its: {', '.join(base.included)}"
            raise StudyError(rule, key="based_on")
        tables = base._numbers | {key: plain(getattr(base, key)) for key in ("quick", "expect", "plots")}
        tables = self._with_defaults(tables, [("game", key) for key in self.game or {}])
        return tables if any(tables[key] != value for key, value in self._numbers.items()) else None

    def _with_defaults(self, tables: Table, changes: Iterable[Key]) -> TableDict:
        """Return tables of a study with the defaults of changed keys, so that a default is no change."""
        game = tables["game"] or {}
        return {**tables, "game": game | names.defaults(str(game.get("family")), changes, game)}

    @property
    def _names_for_at(self) -> Axes:
        """Names and values that ``at`` of an expectation or a plot may use."""
        coordinates: TableDict = {
            "algorithm": self.methods,
            "replication": range(self.replications["count"]),
        }
        batched = bool(self.batched) or any("starts" in table for table in self.method)
        return Axes(self.coordinates | self.batched | coordinates, self.game or {}, batched)

    @cached_property
    def _grid(self) -> Grid:
        return Grid(self.sweep, "sweep")

    @cached_property
    def _batch(self) -> Grid:
        return Grid(self.batch, "batch")

    def _check_keys(self) -> None:
        """Check that swept keys exist, none is also batched, and batch dimensions are given once."""
        for table_name, grid in (("sweep", self._grid), ("batch", self._batch)):
            for point in islice(grid, 1):
                try:
                    apply_changes(self.game or {}, self.method, point)
                except StudyError as error:
                    raise StudyError(error.message, key=f"{table_name}.{error.key}") from None
        count = self._grid.count * len(names.with_controls(self.method)) * self.replications["count"]
        if count > MOST["sweep"]:
            key = "replications.count" if self.replications["count"] > 1 else "sweep"
            raise StudyError(f"{count:.6g} cells are too many; must be at most {MOST['sweep']}", key=key)
        if repeated := [key for key in self._batch.forms if key in self._grid.forms]:
            rule = "is in [sweep] too; it can be in one of them"
            raise StudyError(rule, key=write_key(("batch", *repeated[0])))
        clashes = {"starts": "a batch has points or starts, not both", "path": "a batch records no paths"}
        for k, table in enumerate(self.method if self._batch.forms else ()):
            for key, rule in clashes.items():
                if table.get(key):
                    raise StudyError(f"clashes with [batch]: {rule}", key=f"method[{k}].{key}")

    @property
    def label(self) -> str:
        """Name of the study in messages."""
        return self.where or self.name

    @property
    def family(self) -> str | None:
        """The game's family; None for a study of studies."""
        return self.game["family"] if self.game else None

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods and of their placebos."""
        return tuple(str(table["name"]) for table in names.with_controls(self.method))

    @property
    def tolerance(self) -> float:
        """The certificates' tolerance, in units of the game's payoff scale."""
        return float(self.certificate["tolerance"])

    @property
    def coordinates(self) -> dict[str, list[Any]]:
        """Values of every swept coordinate, without those of the batch."""
        return {self._names[key]: values for key, values in self._grid.values.items()}

    @property
    def batched(self) -> dict[str, list[Any]]:
        """Values of every batched coordinate."""
        return {self._names[key]: values for key, values in self._batch.values.items()}

    @property
    def _names(self) -> dict[Key, str]:
        """Names of coordinates by swept or batched key."""
        return short_names([*self._grid.values, *self._batch.values])

    def parts(self) -> dict[str, Study]:
        """Return the included studies, each in quick form, by name."""
        return dict(self.included)

    def with_changes(self, changes: Mapping[str, Any] | Mapping[Key, Any]) -> Study:
        """Return a copy with dotted keys changed, as ``--set`` and ``[quick]`` do.

        Keys are ``game.reach``, ``game.demand."a>b"`` (quoted as in TOML), ``method.NAME.rate``,
        ``replications.count``, ``certificate.tolerance``, ``sweep.game.reach`` (all values) or
        ``sweep.game.reach.count`` (one entry of the spacing), or their parts as tuples; likewise for
        ``batch``. Changing a swept key of the game or of a method ends its sweep. Values of swept keys
        are set last and together, so that all keys of a zip may be shortened.

        Raises
        ------
        StudyError
            For an unknown key, or changes to a study of studies.
        """
        parts = {read_key(key) if isinstance(key, str) else key: value for key, value in changes.items()}
        new = self._change(parts)
        if new is self:
            return self
        base = self._with_defaults(self._numbers if self.base is None else self.base, parts)
        origin = self.origin and self._with_defaults(self.origin, parts)
        return replace(new, base=None if new._numbers == base else base, origin=origin)

    def _change(self, changes: Changes) -> Study:
        """Return a copy with other values of keys; what it says of its origin stays. Raises `StudyError`."""
        if not changes:
            return self
        self._check_changes(changes)
        parameters, options = Changes(), dict[str, Changes]()
        for (root, *path), value in changes.items():
            if root in ("game", "method"):
                parameters[(root, *path)] = value
            else:
                options.setdefault(str(root), {})[tuple(path)] = value
        tables: TableDict = {}
        for root in ("replications", "certificate"):
            if root in options:
                changed = {write_key(key): value for key, value in options[root].items()}
                tables[root] = {**getattr(self, root), **changed}
        if parameters:
            try:
                tables["game"], tables["method"] = apply_changes(self.game or {}, self.method, parameters)
            except StudyError as error:
                raise error.inside(self.label) from None
        # swept keys come last and together: each of a zip alone would have another length than the others
        for root in ("sweep", "batch"):
            if parameters or root in options:
                tables |= {root: self._respaced(root, parameters, options.get(root, {})), "files": None}
        return replace(self, as_written=False, **tables)

    def _check_changes(self, changes: Changes) -> None:
        """Raise `StudyError` for changes to a study of studies, too many of them, and keys outside tables."""
        if self.include:
            key = next(iter(changes))
            path = key[1:] if key[0] in ("sweep", "batch") else key
            takes = partial(overlap, path)
            takers = [name for name, part in self.included.items() if any(map(takes, part._keys()))]
            names_of_parts = ", ".join(takers) or "none"
            rule = f"a study of studies takes no changes; its studies with that key: {names_of_parts}"
            raise StudyError(rule, key=write_key(key), where=self.label)
        if len(changes) > MOST_KEYS:
            rule = f"{len(changes)} changes are too many; must be at most {MOST_KEYS}"
            raise StudyError(f"{rule}; one may set a whole table", where=self.label)
        for key in changes:
            if key[0] not in expect.TABLES or not key[1:]:
                meant = " or ".join(write_key(full) for full in self._keys() if full[-1] in key)
                rule = f"did you mean {meant}?" if meant else "write TABLE.KEY, as in game.reach"
                raise StudyError(rule, key=write_key(key), where=self.label)

    def _keys(self) -> list[Key]:
        """Keys of the tables that the package knows, which a change may name."""
        tables: dict[Key, Iterable[str]] = {
            ("game",): names.keys_of_kind(self.game, "family", GAMES),
            ("replications",): keys_of(document.Replications),
            ("certificate",): keys_of(document.CertificateTable),
        }
        for row in self.method:
            tables["method", row["name"]] = {*document.RUN_KEYS, *names.keys_of_kind(row, "kind", METHODS)}
        return [(*place, name) for place, keys in tables.items() for name in keys]

    @property
    def _numbers(self) -> TableDict:
        """Tables that determine the results; see `rivalry.lab.study.expect.differences`."""
        return {key: plain(getattr(self, key)) for key in expect.TABLES}

    def _respaced(self, root: str, parameters: Changes, options: Changes) -> TableDict:
        """Return a table of values without keys that parameters set, and with other values."""
        forms = {
            key: form
            for key, form in flat(getattr(self, root)).items()
            if not any(key[:k] in parameters for k in range(1, len(key) + 1))
        }
        for (*path, end), value in options.items():
            above, key = tuple(path), (*path, end)
            if end in ("from", "to", "count", "scale") and isinstance(forms.get(above), Mapping):
                forms[above] = {**forms[above], end: value}
            elif end == "count" and path and key not in forms:
                rule = "there is no { from, to, count } of that key"
                raise StudyError(rule, key=write_key((root, *key)), where=self.label)
            else:
                forms[key] = value
        return {write_key(key): form for key, form in forms.items()}

    def quick_form(self) -> Study:
        """Return the form that ``--quick`` runs: the keys of ``quick`` applied once. Raises `StudyError`."""
        if self.is_quick or self.include:
            return self
        try:
            new = self._change(flat(self.quick))
            # changes of the quick form belong to the study
            base, origin = (tables and self._reduced(tables) for tables in (self.base, self.origin))
            return replace(new, is_quick=True, as_written=self.as_written, base=base, origin=origin)
        except StudyError as error:
            key = f"[quick] {error.key}" if error.key else "[quick]"
            raise StudyError(error.message, key=key, where=self.label) from None

    def _reduced(self, tables: Table) -> TableDict:
        """Return tables of the unchanged study in its quick form."""
        full = replace(self, **tables, base=None, origin=None, based_on="")
        return {**tables, **full._change(flat(full.quick))._numbers}

    def resolved(self) -> TableDict:
        """Settings that determine the run, as data for JSON; `from_resolved` reads them back."""
        tables: TableDict = {"schema": SCHEMA, "name": self.name, "quick_form": self.is_quick}
        tables |= {"files": dict(self.files or {})}
        tables |= {key: plain(getattr(self, key)) for key in document.KEYS}
        tables |= {
            key: plain(getattr(self, key)) for key in ("base", "origin") if getattr(self, key) is not None
        }
        if self.include:
            tables["included"] = {name: part.resolved() for name, part in self.included.items()}
        return tables

    @classmethod
    def from_resolved(cls, data: Table, folder: Path | None = None) -> Study:
        """Return the study of `resolved` data; ``folder`` holds its ``.py`` files. Raises `StudyError`."""
        fields = document.without_retired(data)
        schema = fields.pop("schema", None)
        if schema != SCHEMA:
            raise StudyError(f"{schema!r} must be {SCHEMA}: another rivalry wrote this", key="schema")
        fields["is_quick"] = fields.pop("quick_form", False)
        for key in fields:
            if key not in cls.__dataclass_fields__:
                raise StudyError("unknown key in a stored study", key=key)
        fields["files"] = fields.get("files") or {}  # no file is read to learn what was stored
        included = {
            name: cls.from_resolved(part, folder) for name, part in fields.pop("included", {}).items()
        }
        return cls(**fields, included=included, folder=folder or Path("."), as_written=False)

    def cells(self) -> list[Cell]:
        """Return every cell in the order of the sweep, without building a game; none for a study of studies.

        A method that a swept key does not affect is computed once, at the key's first value. A method without
        random draws has one replication.
        """
        return list(self._cells_of_sweep)

    @cached_property
    @pause_collection()
    def _cells_of_sweep(self) -> tuple[Cell, ...]:
        if self.include:
            return ()
        cells: dict[str, Cell] = {}
        short, tasks = self._names, _Tasks(self)
        tables = names.with_controls(self.method)
        for k, point in enumerate(self._grid):
            game, methods = apply_changes(self.game or {}, self.method, point)
            at = {short[key]: value for key, value in point.items()}
            if point and self._grid.zipped and self._step == "point":
                at["point"] = k
            if any(key[0] == "method" for key in point):
                tables = names.with_controls(methods)
            for cell in tasks.cells(at, game, tables):
                cells.setdefault(cell.id, cell)
        return tuple(cells.values())

    @property
    def own_files(self) -> list[str]:
        """``.py`` and data files named by game, methods, sweep and batch."""
        return names.files_in([self.game, *self.method, self.sweep, self.batch])

    @property
    def plot_files(self) -> list[str]:
        """``.py`` files named by the plots; they determine no cell."""
        return names.files_in([row if isinstance(row, str) else row.get("kind") for row in self.plots])

    @property
    def views(self) -> list[str]:
        """Names of the plot data that the plots draw."""
        named = names.benchmarks_named(self.answer.get("test") or {}, self.plots)
        return sorted({*names.views(self.plots), *named})

    @property
    def batch_size(self) -> int:
        """Number of cells computed together, where methods allow it: as given, or by the number of points."""
        if self.cells_per_batch is not None:
            return self.cells_per_batch
        return next((cells for points, cells in TOGETHER if self._grid.count >= points), 1)

    def axes(self, cells: Iterable[Cell]) -> dict[str, list[Any]]:
        """Return the dataset's dimensions and values: swept coordinates, ``algorithm``, ``replication``.

        Keys of a zip (``zip = true``) share one dimension, see `companions`.
        """
        cells = list(cells)
        swept = self.coordinates
        if self._grid.zipped and swept:
            swept = {self._step: swept.get(self._step, list(range(self._grid.count)))}
        computed = {cell.method for cell in cells}
        methods = [name for name in self.methods if name in computed]
        replications = sorted({cell.replication for cell in cells})
        return {**swept, "algorithm": methods, "replication": replications}

    def companions(self) -> dict[str, tuple[str, list[Any]]]:
        """Return the further coordinates of the dimension of a zip: ``{name: (dimension, values)}``."""
        if not self._grid.zipped:
            return {}
        return {name: (self._step, values) for name, values in self.coordinates.items() if name != self._step}

    def place(self, cell: Cell) -> TableDict:
        """Return a cell's position in the dataset: a value for each of `axes`."""
        return {**cell.point, "algorithm": cell.method, "replication": cell.replication}

    @cached_property
    def _step(self) -> str:
        """Dimension that the keys of a zip share: the first whose values all differ, or ``point``."""
        for name, values in self.coordinates.items():
            if len({json.dumps(value) for value in values}) == len(values):
                return name
        return "point"

    def check(self, progress: Callable[[int, int], object] | None = None, done: Collection[str] = ()) -> None:
        """Build every game and method of the study, and check that each method can start.

        ``progress`` receives the number of cells checked and the total. Cells ``done`` need no check.

        Raises
        ------
        StudyError
            For a study that cannot be run.
        """
        from rivalry.lab.study.check import Checker, check_plots, interval_keys

        try:
            for part in self.parts().values():
                part.check(progress, done)
            names.verify(self.files or {}, self.folder)
            checker = Checker(self.folder)
            cells = [cell for cell in self._cells_of_sweep if cell.id not in done]
            if (self.plots or self.views) and not self.include:
                check_plots(self.plots, checker.game(self.game or {}), self.folder, self.views)
            for table in self.method if cells else ():
                checker.pair(self.game or {}, table)
            keys = interval_keys(self.game or {}, self.method, self._grid, self._batch) if cells else []
            intervals = {key: self._names[key] for key in keys}
            decisive = [self._names[key] for key in self._grid.values if key not in intervals]
            for count in checker.cells(cells, decisive, intervals):
                if progress is not None:
                    progress(count, len(cells))
        except StudyError as error:
            tables = {"game": self.game, "method": self.method}
            raise document.located(error, tables).inside(self.label) from None

    @property
    def default_folder(self) -> Path:
        """Default folder of a run: ``runs/NAME``, in quick form ``runs/NAME-quick``."""
        return Path("runs") / (f"{self.name}-quick" if self.is_quick else self.name)

    def run(
        self,
        out: str | Path | None = None,
        *,
        workers: int | None = None,
        progress: Callable[[Any], object] | None = None,
        executor: object = None,
    ) -> Any:
        """Run the study, or continue its run, and return the run, by default in `default_folder`.

        Arguments and errors are those of `rivalry.run_study`.
        """
        run_study = load("rivalry.lab.executor:run_study")  # by name: execution is a layer above studies
        return run_study(self, out, workers=workers, progress=progress, executor=executor)

    def _summary(self) -> str:
        if self.include:
            return f"Study {self.name}: {', '.join(self.include)}"
        names_written = [str(table["name"]) for table in self.method]
        parts = [f"game {self.family}", f"method{'s' * (len(names_written) > 1)} {', '.join(names_written)}"]
        if len(self.methods) > len(names_written):
            parts.append(f"{len(self.methods) - len(names_written)} placebos")
        parts += [f"{name} × {len(values)}" for name, values in self.coordinates.items()]
        if self.batched:
            parts.append(f"{self._batch.count} games per batch")
        count = len(self._cells_of_sweep)
        parts.append(f"{count} cell{'s' * (count != 1)}" + (", quick form" if self.is_quick else ""))
        return f"Study {self.name}: {', '.join(parts)}"

    def __repr__(self) -> str:
        return "\n  ".join(filter(None, [self._summary(), self.title, self.question, self.source]))

    def _repr_html_(self) -> str:
        rows = {"title": self.title, "question": self.question, "source": self.source}
        return html_table(self._summary(), {name: text for name, text in rows.items() if text})


class _MethodText(NamedTuple):
    """A method's table and what its cells share: texts of tasks and streams without what varies between."""

    table: TableDict  # kept, so that no other table has its identity
    name: str
    batch: TableDict | None
    more: TableDict  # further keys of the tasks
    task: list[str]  # before and after the texts of game, point and replication
    stream: list[str]  # before and after the text of the game
    draws: bool


class _Tasks:
    """The tasks of a study's cells: what is the same for all of them is written once."""

    def __init__(self, study: Study) -> None:
        self.batch = study.batch
        self.together = (study.cells_per_batch or 1) if study.files else study.batch_size
        self.replications = study.replications
        self.fixed = {
            "schema": SCHEMA,
            "seed": study.replications["seed"],
            "tolerance": study.tolerance,
            "views": study.views,
            "files": study.files,
        }
        self.texts = {key: canonical(value) for key, value in self.fixed.items()}
        self.methods: dict[int, _MethodText] = {}  # by the identity of the table

    def cells(self, at: TableDict, game: TableDict, tables: Sequence[TableDict]) -> Iterator[Cell]:
        """Yield the cells at one point of the sweep."""
        of_game = canonical(game)
        for table in tables:
            if id(table) not in self.methods:
                self.methods[id(table)] = self._method(table)
            method = self.methods[id(table)]
            # paired points draw the same numbers: their stream depends on the replication only
            point = [] if self.replications["paired"] else words(of_game.join(method.stream))
            begin, middle, end, suffix = method.task
            begin = f"{begin}{of_game}{middle}[{','.join(map(str, point))}]{end}"
            shared = {"game": game, "method": table, "batch": method.batch, "point": point}
            shared |= self.fixed | method.more
            for replication in range(self.replications["count"] if method.draws else 1):
                cell_id = digest(f"{begin}{replication}{suffix}").hex()[:16]
                yield Cell(cell_id, at, method.name, replication, {**shared, "replication": replication})

    def _method(self, table: TableDict) -> _MethodText:
        """Return the common part of the cells of a method's table."""
        method_key = "method", table["name"]
        method_batch = {
            text: form
            for text, form in self.batch.items()
            if (key := read_key(text))[0] != "method" or key[:2] == method_key
        }
        batch = method_batch if set(method_batch) - {"zip"} else None
        texts = {**self.texts, "batch": canonical(batch), "method": canonical(table)}
        together = self.together if batch is None and names.goes_together(table) else 1
        further_keys = {"cells_per_batch": together} if together > 1 else {}
        texts |= {key: canonical(value) for key, value in further_keys.items()}
        # neither a method's name nor where its class is defined changes random numbers
        plain = {k: v for k, v in table.items() if k != "name"} | {"kind": names.plain_kind(table["kind"])}
        # of these keys' entries a mark, which no canonical JSON has
        task = join({**texts, "game": "\0", "point": "\0", "replication": "\0"}).split("\0")
        stream = join({"batch": texts["batch"], "game": "\0", "method": canonical(plain)}).split("\0")
        return _MethodText(table, str(table["name"]), batch, further_keys, task, stream, names.draws(table))


def load_study(name: str | Path) -> Study:
    """Return a bundled study or that of a TOML file, checked as far as possible without building its game.

    Returns
    -------
    Study
        The study; nothing is computed yet.

    Raises
    ------
    StudyError
        For an unknown name, a missing or malformed file, or an error in it.

    Examples
    --------
    >>> load_study("tour").parts()["lovett_fig6"].family
    'influencer'
    """
    return _load(name, folder_beside=Path("."), above="")


def _load(name: str | Path, folder_beside: Path, above: str) -> Study:
    """Return the study of a name or file. Raises `StudyError`.

    ``above`` is the label of the study that includes it, from ``folder_beside``; empty without one.
    """
    path, where, label = names.find_study(name, folder_beside)
    data, text = names.read_toml(path, where)
    folder = Path(str(path)).parent
    try:
        read = document.read(plain(data))
        if read.include and above:
            raise StudyError(f"{above} includes it, so it cannot include others itself", key="include")
        parts = (_load(part, folder, label) for part in read.include)
        included = {part.name: part.quick_form() for part in parts}
        if len(included) < len(read.include):
            raise StudyError("names a study twice", key="include")
        study = Study(name=label, **data, included=included, folder=folder, text=text, where=where)
        study.quick_form()
    except StudyError as error:
        raise document.located(error, data).inside(where) from None
    return study


def text_fault(path: Path, stored: Study) -> str:
    """Return the difference of a study file from the study that was read from it; empty without one.

    The stored study may be a quick form, and may have changes: its tables before these are compared.
    """
    try:
        data, _ = names.read_toml(path, path.name)
        document.read(plain(data))
        # no file that the text names is read: those of the stored study are checked with its cells
        fields: TableDict = {"included": stored.included, "files": {}, "where": path.name}
        study_of_text = Study(name=stored.name, **data, **fields)
        study_of_text = study_of_text.quick_form() if stored.is_quick else study_of_text
    except StudyError as error:
        return str(error)
    before = plain(stored.base or stored._numbers)
    changed = [("game", key) for key in before["game"] or {}]
    tables = study_of_text._with_defaults(study_of_text._numbers, changed) if study_of_text.game else {}
    old = study_of_text.resolved() | tables
    new = stored.resolved() | before
    old["included"], new["included"] = (
        [Path(file_name).stem for file_name in study_of_text.include],
        list(stored.included),
    )
    wrong = [key for key in old if key not in ("base", "origin", "files") and old[key] != new.get(key)]
    return f"{path.name}: its {', '.join(wrong)} differs from study.json" if wrong else ""
