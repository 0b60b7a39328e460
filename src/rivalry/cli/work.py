"""Implementation of ``run``, ``resume``, ``status``, ``report``, ``export`` and ``certify``."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.cli import output, summary, values
from rivalry.cli.values import OptionError
from rivalry.schema.keys import Key, write_key
from rivalry.schema.register import collect
from rivalry.schema.registry import from_file, hook, load, near, suggestion
from rivalry.schema.validate import SIMILAR

if TYPE_CHECKING:
    from rivalry.core.results import Certificate, Record
    from rivalry.lab.answer import Answer
    from rivalry.lab.executor import Hire
    from rivalry.lab.store import Run
    from rivalry.lab.study import Cell, Study
    from rivalry.lab.study.identity import Table, TableDict
    from rivalry.lab.study.points import Changes

    Printed = tuple[TableDict, str]  # as JSON and as text


REPLICATIONS = ("replications", "count")


def executor(name: str, address: str | None) -> Hire | None:
    """Return the executor factory, or None for this machine's workers. Raises `OptionError`."""
    if name == "local":
        if address is not None:
            raise OptionError(f"--address {address}: is for --executor ray")
        return None
    registered: dict[str, str] = collect("EXECUTORS")
    if name not in registered:
        raise OptionError(f"--executor {name}: {suggestion(name, ('local', *registered))}")
    try:
        hire: Hire = load(registered[name])(address)
    except ValueError as error:  # its library is missing
        raise OptionError(f"--{error}") from None
    return hire


def choose_device(name: str | None, executor: str = "local") -> None:
    """Choose where programs of JAX run; without a choice on the CPU, unless JAX_PLATFORMS says otherwise.

    Raises `OptionError`.
    """
    if name is None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")  # no device is looked for
        return
    from rivalry.runtime.jax import DEVICES, choose_device

    if name not in DEVICES:
        raise OptionError(f"--device {name}: {near(name, DEVICES)}")
    if executor != "local":
        raise OptionError(f"--device {name}: is for workers of this machine; set JAX_PLATFORMS on the others")
    try:
        choose_device(name)
    except ValueError as error:
        raise OptionError(f"--device {error}") from None


class ExecutionOptions(NamedTuple):
    """Mode and rights of computing cells: arguments of `rivalry.lab.executor.carry_out`."""

    workers: int | None
    executor: Hire | None
    accept_version: bool
    trusted: bool


def execution_options(
    workers: str | None,
    name: str,
    address: str | None,
    device: str | None,
    accept_version: bool,
    trusted: bool,
) -> ExecutionOptions:
    """Mode of computing cells, from options of the command line. Raises `OptionError`."""
    hire = executor(name, address)
    choose_device(device, name)
    count = values.whole_number(workers, "--workers", limit=1024)
    return ExecutionOptions(count, hire, accept_version, trusted)


def study(
    name: str, sets: Sequence[str], sweeps: Sequence[str], replications: int | None, quick: bool
) -> Study:
    """Return the study that a command line describes. Raises `StudyError`, `OptionError`."""
    from rivalry.lab.study import load_study

    changes, swept = values.settings(sets), values.sweeps(sweeps)
    for key in swept:
        if key[1:] in changes:
            raise OptionError(f"--sweep {write_key(key[1:])}: is given to --set too; give one of them")
    if replications is not None:
        if REPLICATIONS in changes:
            raise OptionError("--replications: is given to --set too; give one of them")
        changes[REPLICATIONS] = replications
    chosen_study = load_study(name)
    parts = list(chosen_study.parts().values()) or [chosen_study]
    for key in changes | swept:
        _check_table(parts, key)
    # before the changes are applied: the error then names the parts that take them
    if chosen_study.include and (changes or swept):
        raise OptionError(_takers(chosen_study, changes | swept))
    if quick:
        chosen_study = chosen_study.quick_form()
    return chosen_study.with_changes(changes | swept)


def _check_table(parts: Sequence[Study], key: Key) -> None:
    """Raise `OptionError` for a key without its table, such as ``reach`` for ``game.reach``."""
    from rivalry.games import GAMES
    from rivalry.lab.study.document import RUN_KEYS
    from rivalry.lab.study.expect import TABLES
    from rivalry.lab.study.names import keys_of_kind
    from rivalry.methods import METHODS

    option, (name, *path) = ("--sweep", key[1:]) if key[0] == "sweep" else ("--set", key)
    if name in TABLES:
        return
    tables: set[Key] = set()
    for part in parts:
        of_game = {*keys_of_kind(part.game, "family", GAMES), *(part.game or {})} - {"family"}
        tables |= {("game", parameter) for parameter in of_game}
        for table in part.method:
            parameters = {*keys_of_kind(table, "kind", METHODS), *RUN_KEYS, *table} - {"kind", "name"}
            tables |= {("method", table["name"], parameter) for parameter in parameters}
    close = get_close_matches(str(name)[:100], sorted({str(key[-1]) for key in tables}), n=1, cutoff=SIMILAR)
    if full := [write_key((*key, *path)) for key in sorted(tables) if key[-1] in close]:
        plain = write_key((name, *path))
        raise OptionError(f"{option} {plain}: needs its table; did you mean {' or '.join(full)}?")


def _takers(parent: Study, changes: Changes) -> str:
    """Return the error message for a change to a study of studies, with the parts that accept it."""
    key = next(iter(changes))
    option, path = ("--sweep", key[1:]) if key[0] == "sweep" else ("--set", key)
    setting = "--replications" if key == REPLICATIONS else f"{option} {write_key(path)}"
    takers = [name for name, part in parent.parts().items() if _takes(part, key, changes[key])]
    rule = f"run one of those that take it: {', '.join(takers)}" if takers else "none of them takes it"
    return f"{setting}: {parent.name} is a study of studies; {rule}"


def _takes(part: Study, key: Key, value: object) -> bool:
    try:
        part.with_changes({key: value}).check()
    except ValueError:
        return False
    return True


class Reported(NamedTuple):
    """A run, its answer, and the path of its report."""

    run: Run
    answer: Answer
    path: Path


def run_at(folder: Path) -> Run:
    """Run in a folder. Raises `StoreError`, `DamagedFile`."""
    from rivalry.lab.store import Run

    return Run.open(folder)


def run(chosen_study: Study, out: Path | None, options: ExecutionOptions) -> Reported:
    """Run a study, or continue its run."""
    from rivalry.lab.store import Run, finished_cells

    folder = chosen_study.default_folder if out is None else out

    studies = list(chosen_study.parts().values()) or [chosen_study]
    finished = finished_cells(folder, chosen_study.parts())

    def open_run() -> Run:
        _note_other_form(folder, chosen_study)
        return Run.create_or_open(folder, chosen_study, same_name=True)

    return _carry_out(studies, studies, finished, open_run, options)


def _note_other_form(folder: Path, chosen_study: Study) -> None:
    """Report that a folder holds another form of a study, whose report is replaced."""
    from rivalry.lab.store import StoreError

    with suppress(StoreError):  # no run yet, or a damaged one, which is mended
        stored_run = run_at(folder)
        changed = stored_run.name == chosen_study.name and stored_run.head["study"] != chosen_study.resolved()
        if changed and stored_run.counts()["done"]:
            output.note(
                f"{folder} holds another form of {chosen_study.name} ({stored_run.title}); its cells stay "
                "stored, its report and figures are replaced; --out FOLDER has a run of its own"
            )


def prepare(name: str, out: Path | None) -> Run:
    """Check a study as a whole, and make the folder of its run. Raises `StudyError`, `StoreError`."""
    from rivalry.lab.store import Run, finished_cells

    chosen_study = study(name, (), (), None, False)
    folder = chosen_study.default_folder if out is None else out
    _note_files(list(chosen_study.parts().values()) or [chosen_study])
    chosen_study.check(output.check_progress(), finished_cells(folder, chosen_study.parts()))
    return Run.create_or_open(folder, chosen_study, same_name=True)


def resume(folder: Path, options: ExecutionOptions) -> Reported:
    """Continue a run, with the cells of its shards."""
    from rivalry.lab.array import gather
    from rivalry.lab.store import finished_cells

    run = run_at(folder)
    for error in gather(run):
        output.note(f"{error}; left out")
    finished = finished_cells(folder, run.parts())
    parts = list(run.runs().values())
    studies = [part.study for part in parts]
    # a stored study was checked before its first cell ran: without cells to compute there is nothing to check
    unfinished = [
        study
        for study, part in zip(studies, parts, strict=True)
        if not finished >= {c.id for c in part.cells}
    ]
    return _carry_out(studies, unfinished, finished, lambda: run, options)


def _note_files(studies: Sequence[Study], *, plots: bool = False) -> None:
    """Report which user files will be used; with ``plots`` also those that draw plots.

    Names come from the studies' own tables; other mentions of files in a stored study are not trusted.
    """
    for part in studies:
        for name in sorted({*part.own_files, *(part.plot_files if plots else ())}):
            verb = "runs" if name.endswith(".py") else "reads"
            output.note(f"{verb} {part.folder / name}, which the study {part.name} names")


def _note_controls(studies: Sequence[Study]) -> None:
    """Report negative controls that run because a study does not say that they should not."""
    from rivalry.lab.study.names import CONTROLS, with_controls

    for part in studies:
        for table in part.method:
            names = [row["name"] for row in with_controls([table])[1:]]
            if names and CONTROLS not in table:
                clause = (
                    f"{', '.join(names)} run too, as negative controls: gains that they have as well show no"
                )
                rule = f"{CONTROLS} = false in [[method]] leaves them out"
                output.note(f"{part.name}: {clause} punishment; {rule}")


def _carry_out(
    studies: Sequence[Study],
    unchecked: Sequence[Study],
    finished: Collection[str],
    open_run: Callable[[], Run],
    options: ExecutionOptions,
) -> Reported:
    """Check the studies that may need it, compute the remaining cells, and build figures and report."""
    from rivalry.lab.answer import answer_of
    from rivalry.lab.executor import as_context, carry_out

    _note_files(studies, plots=True)
    _note_controls(unchecked)
    with as_context(options.executor):
        for study in unchecked:
            with output.alive(f"checking the study {study.name}"):
                study.check(output.check_progress(), finished)
        run = open_run()
        with output.progress(str(run.folder)) as receive:
            carry_out(run, progress=receive, **options._asdict())
    with output.alive(f"{run.folder}: collecting the results"):
        answer = answer_of(run)
    if not any(part.plot_files for part in studies) and run.is_reported():
        _note_texts(run) if run.status == "done" else note_left_out(run)
        path = run.folder / "report.html"
    else:
        drawing = f"{run.folder}: drawing the figures and the report"
        output.note(drawing)
        with output.alive(drawing):
            _draw_own(run)
            path = _report(run, answer)
    return Reported(run, answer, path)


def _draw_own(run: Run) -> None:
    """Draw the plots of user files, which only this command may run; later reports use these figures."""
    from rivalry.lab.figures import draw_own

    for name, part in (run.parts() or {run.name: run}).items():
        with part.locking():
            for line in draw_own(part):
                output.note(f"{name}: {line}")
                part.log(line)


def result(reported: Reported) -> TableDict:
    """Output of ``run --json``; the lists of a study's parts are joined."""
    from rivalry.lab.answer.caveats import warnings_of
    from rivalry.lab.checks import results
    from rivalry.lab.store import status_of
    from rivalry.lab.study.expect import differences

    run, answer, path = reported
    answers = answer.parts or {"": answer}
    counts, parts = run.counts(), run.runs()
    return {
        "run": str(run.folder),
        "study": run.name,
        "answer": answer.as_json(),
        "status": status_of(counts),
        "cells": {key: counts[key] for key in ("total", "done", "failed")},
        "results": [
            {"study": name or run.name, **row}
            for name, part in answers.items()
            for row in results(part.data, part.cells)
        ],
        "expectations": [judged.row for judged in answer.checks],
        "certificates": _certificates(run, answer),
        "changed": [change.text for part in parts.values() for change in differences(part.head["study"])],
        "warnings": [
            {"study": part.name, "warning": row.words, "cells": row.cells}
            for part in parts.values()
            for row in warnings_of(part.warnings().values())
        ],
        "report": str(path),
    }


def _certificates(run: Run, answer: Answer) -> list[TableDict]:
    """Return the certificates of a run; cells of its parts are named ``PART/CELL``."""
    return [
        {"study": part or run.name, **row, "cell": _in_part(part, row["cell"])}
        for part, part_answer in (answer.parts or {"": answer}).items()
        for row, _ in part_answer.cells
    ]


def _in_part(part: str, cell: str) -> str:
    return f"{part}/{cell}" if part else cell


def certify_policy(policy: str, game: str, export: Path | None, q_values: bool) -> Printed:
    """Certify a policy of a file in the first game of a study, and write its proof to a folder.

    The policy is ``FILE.py:NAME`` or a table that `rivalry.core.foreign_tables` reads; with ``q_values`` a
    table holds action values, whose greedy policy is judged.

    Raises `OptionError` and `StudyError`.
    """
    from rivalry.core.claims import percent_in_words
    from rivalry.core.files import folder_for
    from rivalry.core.foreign_tables import FORMS, is_table
    from rivalry.lab.proofs import saved_and_checked
    from rivalry.text.display import bound_in_words

    with values.of_option("--game", game):
        study, cell = first_cell(game)
    file, _, name = policy.rpartition(":")
    table = is_table(policy)
    if not table and not (file.endswith(".py") and name.isidentifier()):
        raise OptionError(f"--policy: {policy!r} must be FILE.py:NAME, {FORMS}")
    folder = None if export is None else folder_for(export)
    _note_files([study])
    if not table:
        output.note(f"runs {file}, which --policy names")
    with values.of_option("--policy", policy):
        if table:
            handed = _Policy(policy, Path(policy.replace(":", "_")).stem, None, q_values)
        else:
            loaded = from_file(f"{Path(file).name}:{name}", Path(file).parent)
            handed = _Policy(policy, name, loaded, q_values)
        judged, save = _policy_certificate(study, cell.task["game"], handed)
    row = {"policy": policy, "study": study.name, "at": cell.point, **certificate_row(judged)}
    row["read_in_order"] = handed.order
    crowd = judged.concept == "mean field"  # rows are types, of which one agent deviates
    head = ["type" if crowd else "player", f"largest gain{judged.facts.unit}", "bound"]
    gains = [(k, gain, bound_in_words(row["bound"][k])) for k, gain in enumerate(row["regret"])]
    lines = [output.table(head, gains), repr(judged)]
    if crowd and judged.at_stake is not None:
        share = percent_in_words(float((judged.regret / judged.at_stake).max()))
        meaning = "gain: that of an agent of the type from a best response"
        lines.append(f"{meaning}; {share} of what its own choice changes")
    if handed.order:
        lines.append(f"read in the order {handed.order}")
    if folder is None:
        return {"certificates": [row]}, "\n".join(lines)
    _, line = saved_and_checked(save, folder / f"{name}.json")
    return {"certificates": [row], "proofs": [line]}, "\n".join([*lines, line])


def first_cell(name: str) -> tuple[Study, Cell]:
    """Return a study and its first cell, and note where others have other games. Raises `ValueError`."""
    from rivalry.lab.study import load_study

    study = load_study(name)
    if study.include:
        raise ValueError(f"{name}: includes studies ({', '.join(study.include)}); name one of them")
    first, *rest = study.cells()
    if any(cell.task["game"] != first.task["game"] for cell in rest):
        where = ", ".join(f"{key} = {value}" for key, value in first.point.items())
        output.note(f"{study.name}: has several games; judged in the first: {where}")
    return study, first


def certificate_row(judged: Certificate) -> TableDict:
    """Return a certificate as a table for JSON."""
    import numpy as np

    row: TableDict = {"tolerance": float(np.max(judged.tolerance))}
    for name in ("claim", "coverage", "rounding", "concept", "method"):
        row[name] = getattr(judged, name)
    return row | {"regret": judged.regret.tolist(), "bound": judged.bound.tolist()}


class _Policy:
    """A policy that was loaded, or else a file; ``order`` is that in which one without names was read."""

    def __init__(self, file: str, name: str, loaded: Any, q_values: bool) -> None:
        self.file, self.name, self.loaded, self.q_values, self.order = file, name, loaded, q_values, ""

    def read(self, actions: Sequence[str] = (), states: Sequence[str] = ()) -> Any:
        """Return the function, or the actions or probabilities. Raises `ValueError`."""
        from rivalry.core.foreign_tables import is_table, read_named_table, table_of_rows
        from rivalry.core.naming import NamedTable, name_list, rows_of_frame
        from rivalry.tables.policy_answers import policy_numbers
        from rivalry.tables.policy_response import greedy_table

        policy, has_names = self.loaded, False
        if is_table(self.file):
            policy, has_names = read_named_table(self.file, actions, states)
        elif isinstance(policy, NamedTable):
            policy, has_names = table_of_rows(rows_of_frame(policy), actions, states)
        if callable(policy):
            if self.q_values:
                raise ValueError("--q-values: needs a table [state action] or [player state action]")
            return policy
        policy = policy_numbers(policy, self.name)
        if actions and not has_names:
            self.order = name_list(actions) + f"; states {name_list(states)}" * bool(states)
        if self.q_values and policy.ndim < 2:
            raise ValueError("--q-values: needs a table [state action] or [player state action]")
        return greedy_table(policy) if self.q_values else policy


def _policy_certificate(
    study: Study, table: Table, handed: _Policy
) -> tuple[Certificate, Callable[[Path], None]]:
    """Return the certificate of a policy in a population, in repeated play, or of a profile.

    Returned with it is a function that writes the proof to a file, or raises `ValueError`.
    """
    import numpy as np

    from rivalry.certificates.certify import certificate
    from rivalry.core.game import Game, is_population
    from rivalry.core.naming import names_of
    from rivalry.lab.study import build_game, build_method
    from rivalry.methods import RepeatedQLearning
    from rivalry.solving import ExactProof, proof_of
    from rivalry.solving.exact_proofs import save_policy
    from rivalry.tables.policy_response import policy_certificate, policy_names, policy_table

    game = build_game(table, study.folder)
    if is_population(game):
        policy = handed.read()
        policy_numbers = hook("policy_table")(game, policy) if callable(policy) else policy
        return certificate(game, policy_numbers), ExactProof(game, None, {}).save
    for cell in study.cells():
        if cell.task["game"] == table:
            method = build_method(cell.task["method"], study.folder, game)
            if isinstance(method, RepeatedQLearning):
                world = method.world(game)
                rates = method.discounts(world)
                # certificate and proof are of one table
                chances = policy_table(world, handed.read(*policy_names(world)))
                return policy_certificate(world, rates, chances), partial(save_policy, world, rates, chances)
    if not isinstance(game, Game):
        raise ValueError(f"{type(game).__name__} has no payoffs by which a policy could be judged")
    names = names_of(game)
    shared = names.entries[0] if len(set(names.entries)) == 1 else ()
    policy = handed.read(shared)
    if callable(policy):
        raise ValueError("this game is played once, without observations: give a profile")
    shape = tuple(game.space.shape)
    if policy.shape not in (shape, shape[:1] * (shape[1:] == (1,))):
        raise ValueError(f"shape {policy.shape} must be {shape}, [player axis]")
    x = game.space.check(policy.reshape(shape), "policy")
    record: Record = {"profile": (("player", "axis"), np.asarray(x))}
    return certificate(game, x), proof_of(game, None, record).save


def status(folder: Path) -> Printed:
    """Return a run's progress as JSON and as text; report damaged files on stderr."""
    from rivalry.lab.array import progress_of, shards
    from rivalry.lab.store import redo, status_of

    run = run_at(folder)
    damaged = [error for part in run.runs().values() for error in part.damaged()]
    for error in damaged:
        command = f"rivalry {redo(error)} {quote(str(folder))}"
        output.note(f"{error}; `{command}` sets it aside and computes it again")
    _note_texts(run)
    counts = run.counts(damaged)
    rows = [progress_of(run, shard, path) for shard, path in shards(run)]
    stored = sum(len(part.checkpoints()) for part in run.runs().values())
    progress: TableDict = {"run": str(folder), "status": status_of(counts), "cells": counts}
    progress |= {"checkpoints": stored}
    progress |= {"shards": rows} if rows else {}
    lines = [
        f"{run.name}: {progress['status']}",
        ", ".join(f"{count} {key}" for key, count in counts.items()),
    ]
    if stored:
        checkpoints = "their checkpoints" if stored > 1 else "its checkpoint"
        lines.append(f"{stored} begun: `rivalry resume` goes on from {checkpoints}")
    lines += map(_shard_line, rows)
    for name, part in run.runs().items():
        if failures := part.failures():
            from rivalry.lab.answer.caveats import failures_of

            kinds = failures_of(failures).items()
            lines += [f"failed: {_in_part(name, id)}: {failure.line()}" for id, failure in kinds]
    return progress, "\n".join(lines)


def work(
    folder: Path, shard: tuple[int, int], out: Path | None, workers: int | None, *, trusted: bool
) -> Printed:
    """Compute a shard of a run; return how far it is, as JSON and as text."""
    from rivalry.lab.array import Shard, progress_of, work

    run, portion = run_at(folder), Shard(*shard)
    _note_files([part.study for part in run.runs().values()])
    with output.progress(f"{folder} {portion}") as receive:
        part = work(run, portion, out, workers=workers, progress=receive, trusted=trusted)
    progress = {"run": str(folder), "folder": str(part.folder), **progress_of(run, portion, part.folder)}
    return progress, _shard_line(progress)


def _shard_line(row: Table) -> str:
    return f"shard {row['shard']} of {row['of']}: {row['done']} of {row['total']} cells done"


def merge(folder: Path, parts: Sequence[Path]) -> Printed:
    """Merge shards that were computed elsewhere; report damaged files on stderr."""
    from rivalry.lab.array import merge

    run = run_at(folder)
    for error in merge(run, parts):
        output.note(f"{error}; left out")
    counts = run.counts()
    text = f"{run.name}: {', '.join(f'{count} {key}' for key, count in counts.items())}"
    return {"run": str(folder), "cells": counts}, text


def report(folder: Path, out: Path | None = None) -> Reported:
    """Rebuild the report from stored data, in the run or in the folder ``out``."""
    from rivalry.lab.answer import answer_of

    run = run_at(folder)
    answer = answer_of(run)
    return Reported(run, answer, _report(run, answer, out))


def _report(run: Run, answer: Answer, out: Path | None = None) -> Path:
    from rivalry.lab.report.page import build

    note_left_out(run)
    return build(run, output.note, out, answer)


def results_as_text(reported: Reported, *, verbose: bool = False) -> str:
    """Return the answer of a run with a report as text."""
    return summary.text(*reported, verbose=verbose)


def note_folder(path: Path) -> None:
    """Report the folder of a file to be written, if it will be made."""
    if not path.parent.exists():
        output.note(f"makes the folder {path.parent}")


def note_left_out(run: Run) -> None:
    """Report damaged files, cells that an output lacks, and edits of study.toml."""
    from rivalry.lab.store import redo

    for part in run.runs().values():
        damaged = part.damaged()
        for error in damaged:
            output.note(f"{error}; left out, `rivalry {redo(error)}` computes it again")
        if left_out := part.missing_cells(damaged):
            counted = Counter(row.reason.partition(" (")[0] for row in left_out)
            kinds = ", ".join(f"{count} {kind}" for kind, count in counted.items())
            omission = f"{len(left_out)} of {len(part.cells)} cells are left out ({kinds})"
            output.note(f"{part.folder}: {omission}; `rivalry resume` computes them")
    _note_texts(run)


def _note_texts(run: Run) -> None:
    for part in dict.fromkeys([run, *run.runs().values()]):
        if part.text_fault:
            output.note(part.text_fault)


def export(folder: Path, to: str, out: Path | None, everything: bool = False) -> TableDict:
    """Write the results in another format; return the files and what they lack. Raises `OptionError`."""
    from rivalry.lab.export import FORMATS
    from rivalry.lab.export import export as write

    if to not in FORMATS:
        raise OptionError(f"--to {to}: {near(to, FORMATS)}")
    run = run_at(folder)
    if out is not None and os.path.isfile(out):
        raise OptionError(f"--out {out}: is a file; must be a folder")
    exported = write(run, to, out, everything=everything)
    note_left_out(run)
    return {
        "files": [str(path) for path in exported.files],
        "left_out": [row._asdict() for row in exported.left_out],
    }


def pack(folder: Path, out: Path | None, license: str | None) -> Printed:
    """Write a run as one file."""
    from rivalry.lab.packing import pack, root_of

    if license is not None and not re.fullmatch(r"[A-Za-z0-9.+\-]+", license):
        raise OptionError(f"--license {license}: must be an SPDX identifier, such as CC-BY-4.0")
    run = run_at(folder)
    path = run.folder.with_name(f"{run.folder.name}.zip") if out is None else out
    if os.path.isdir(path) or path.suffix != ".zip":
        raise OptionError(f"--out {path}: must be a file that ends in .zip")
    note_left_out(run)
    note_folder(path)
    pack(run, path, licence=license or "")
    packed = {"run": str(folder), "file": str(path), "bytes": path.stat().st_size}
    packed |= {"digest": run.digest(), "root": root_of(path)}
    return packed, f"{path}\n{DIGESTS.format(**packed)}"


DIGESTS = "digest of study, cells and certificates: {digest}; of all files: {root}"


def verify(path: Path, cells: int | None, trusted: bool, large: bool) -> Printed:
    """Check a packed run."""
    from rivalry.lab.executor import RunEvent
    from rivalry.lab.packing import WITHIN, verify

    with output.progress(str(path)) as receive:
        verification = verify(
            path,
            cells=cells,
            trusted=trusted,
            large=large,
            progress=lambda k, total: receive(RunEvent("progress", "", k, total)),
        )
    complete = "complete" if verification.done == verification.total else "not complete"
    bits = "to the bit"
    if verification.versions:
        bits = f"within {WITHIN:g}, since here is {'; '.join(verification.versions)}"
    lines = [
        f"{verification.files} files: every byte is the one that was packed",
        f"{verification.done} of {verification.total} cells, {complete}",
        f"{len(verification.cells)} cells computed again, compared {bits}",
        f"not checked: {'; '.join(verification.unchecked)}",
        *verification.faults,
    ]
    count = len(verification.faults)
    details = {
        "verified": ", except what is not checked",
        "contradicted": f", {count} difference{'s' * (count > 1)}",
        "undecided": f": {verification.done - len(verification.cells)} cells were not computed again",
    }
    word = verification.word
    answer = {"file": str(path), "word": word, **verification._asdict()}
    lines.append(f"{word}{details[word]}; {DIGESTS.format(**answer)}")
    return answer, "\n".join(lines)


def certify(folder: Path, proof: bool = False, export: Path | None = None) -> Printed:
    """Recompute certificates; later reports use them."""
    from rivalry.lab.answer import answer_of
    from rivalry.lab.executor import certify as recompute
    from rivalry.text.display import bound_in_words

    run = run_at(folder)
    _note_files([part.study for part in run.runs().values()])
    with output.progress(str(folder)) as receive:
        count = recompute(run, proof=proof, export=export, progress=receive)
    note_left_out(run)
    answer = answer_of(run)
    certificates = _certificates(run, answer)
    keys = ["cell", "algorithm", "claim", "coverage", "regret", "bound"]
    keys += ["rounding", "radius", "reason"] * proof
    upper = {"bound", "radius"}
    rows = [
        [bound_in_words(row[key]) if key in upper and row[key] is not None else row[key] for key in keys]
        for row in certificates
    ]
    head = ["largest gain" if key == "regret" else key for key in keys]
    lines = [output.table(head, rows), *summary.claims(answer)]
    proofs = [] if export is None else sorted(export.rglob("proofs.txt"))
    files = [line for proof_file in proofs for line in proof_file.read_text(encoding="utf-8").splitlines()]
    lines += files
    lines.append(f"{count} certificates recomputed; `rivalry report {quote(str(folder))}` shows them")
    value: TableDict = {"run": str(folder), "certificates": certificates}
    return value | ({} if export is None else {"proofs": files}), "\n".join(lines)
