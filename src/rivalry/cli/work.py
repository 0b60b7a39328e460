"""Commands that compute runs or read them; each imports slow dependencies when called."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from rivalry.cli import output, summary, values
from rivalry.cli.options import (
    AcceptVersion,
    Address,
    Device,
    ExecutorName,
    Json,
    RunFolder,
    StudyName,
    Trust,
    Verbose,
    WorkerCount,
    argument,
    flag,
    option,
)
from rivalry.cli.values import OptionError
from rivalry.schema.keys import write_key
from rivalry.schema.register import collect
from rivalry.schema.registry import load, near, suggestion

if TYPE_CHECKING:
    from rivalry.lab.answer import Answer
    from rivalry.lab.executor import Hire
    from rivalry.lab.store import Run
    from rivalry.lab.study import Study
    from rivalry.lab.study.identity import Table, TableDict

    Reported = tuple[Run, Answer, Path]  # a run, its answer, and its report
    PrintParts = Callable[..., None]  # prints parts of a result

REPLICATIONS = ("replications", "count")
FAILED, UNDECIDED = 1, 3  # exit statuses; the second is of `verify`, where cells were left out
DIGESTS = "digest of study, cells and certificates: {digest}; of all files: {root}"


def run(
    study: StudyName,
    set_: Annotated[list[str] | None, option("--set", "KEY=VALUE", "Change a key of the study.")] = None,
    sweep: Annotated[
        list[str] | None,
        option("--sweep", "KEY=FROM:TO:COUNT", "Sweep a key over a range; or KEY=A,B,C."),
    ] = None,
    replications: Annotated[
        int | None,
        option("--replications", "N", "Replications per point.", min=1, max=10**6),
    ] = None,
    workers: WorkerCount = None,
    quick: Annotated[bool, flag("--quick", "Run the reduced form of the study, in seconds.")] = False,
    out: Annotated[Path | None, option("--out", "DIR", "Folder of the run; default runs/NAME.")] = None,
    executor: ExecutorName = "local",
    address: Address = None,
    device: Device = None,
    accept_version: AcceptVersion = False,
    trust: Trust = False,
    verbose: Verbose = False,
    json: Json = False,
) -> int:
    """Run a study, or continue its run."""
    options = _execution(workers, executor, address, device, accept_version=accept_version, trusted=trust)
    with output.reserve_stdout() as print_parts:
        selected_study = _chosen_study(study, set_ or [], sweep or [], replications, quick)
        reported = carry_out_study(selected_study, out, options, None if json else print_parts)
    return _print_run(json, reported, verbose)


def resume(
    run: RunFolder,
    workers: WorkerCount = None,
    executor: ExecutorName = "local",
    address: Address = None,
    device: Device = None,
    accept_version: AcceptVersion = False,
    trust: Trust = False,
    verbose: Verbose = False,
    json: Json = False,
) -> int:
    """Continue a run where it stopped, to the same bits."""
    options = _execution(workers, executor, address, device, accept_version=accept_version, trusted=trust)
    with output.reserve_stdout() as print_parts:
        reported = _continue_run(run, options, None if json else print_parts)
    return _print_run(json, reported, verbose)


def work(
    run: RunFolder,
    shard: Annotated[str, option("--shard", "K/N", "Which of N shards to compute; K counts from 1.")],
    out: Annotated[Path | None, option("--out", "DIR", "Its folder; default RUN/array/K-of-N.")] = None,
    workers: WorkerCount = None,
    device: Device = None,
    trust: Trust = False,
    json: Json = False,
) -> int:
    """Compute one shard of a run, as one of the tasks of a cluster.

    `rivalry resume RUN` takes all shards in RUN/array, and `rivalry merge` those elsewhere.
    """
    _choose_device(device)
    with output.reserve_stdout():
        from rivalry.lab.array import Shard, progress_of
        from rivalry.lab.array import work as compute

        portion, opened = Shard(*values.shard(shard)), _opened(run)
        output.note_files([part.study for part in opened.runs().values()])
        with output.progress(f"{run} {portion}") as receive:
            part = compute(opened, portion, out, workers=workers, progress=receive, trusted=trust)
    counts = progress_of(opened, portion, part.folder)
    output.print_result(json, {"run": str(run), "folder": str(part.folder), **counts}, _shard_line(counts))
    return int(counts["done"] < counts["total"])


def _shard_line(row: Table) -> str:
    return f"shard {row['shard']} of {row['of']}: {row['done']} of {row['total']} cells done"


def merge(
    run: RunFolder,
    parts: Annotated[list[Path], argument("PART...", "Folders of shards of the run.")],
    json: Json = False,
) -> int:
    """Take the cells of shards that were computed elsewhere."""
    from rivalry.lab.array import merge as take

    opened = _opened(run)
    for error in take(opened, parts):
        output.note(f"{error}; left out")
    counts = opened.counts()
    return output.print_result(
        json, {"run": str(run), "cells": counts}, f"{opened.name}: {_in_words(counts)}"
    )


def _in_words(counts: Table) -> str:
    return ", ".join(f"{count} {key}" for key, count in counts.items())


def status(run: RunFolder, json: Json = False) -> int:
    """Report how many cells are done, left and failed."""
    from rivalry.lab.answer.caveats import failures_of
    from rivalry.lab.array import progress_of, shards
    from rivalry.lab.store import status_of

    opened = _opened(run)
    parts, damaged = opened.runs(), _note_damaged(opened)
    counts = opened.counts(damaged)
    rows = [progress_of(opened, shard, path) for shard, path in shards(opened)]
    stored = sum(len(part.checkpoints()) for part in parts.values())
    progress: TableDict = {"run": str(run), "status": status_of(counts), "cells": counts}
    progress |= {"checkpoints": stored} | ({"shards": rows} if rows else {})
    lines = [f"{opened.name}: {progress['status']}", _in_words(counts)]
    if stored:
        checkpoints = "their checkpoints" if stored > 1 else "its checkpoint"
        lines.append(f"{stored} begun: `rivalry resume` goes on from {checkpoints}")
    lines += map(_shard_line, rows)
    for name, part in parts.items():
        kinds = failures_of(part.failures()).items()
        lines += [f"failed: {_in_part(name, id)}: {failure.line()}" for id, failure in kinds]
    return output.print_result(json, progress, *lines)


def report(
    run: RunFolder,
    out: Annotated[Path | None, option("--out", "DIR", "Output folder; default RUN.")] = None,
    verbose: Verbose = False,
    json: Json = False,
) -> int:
    """Rebuild figures and report.html, and print the answer."""
    from rivalry.lab.answer import answer_of

    opened = _opened(run)
    answer = answer_of(opened)
    path = _build_report(opened, answer, out)
    data = {"run": str(run), "answer": answer.as_json(), "report": str(path)} if json else None
    return output.print_result(json, data, *([] if json else summary.of_run(opened, answer, path, verbose)))


def export(
    run: RunFolder,
    to: Annotated[
        str,
        option("--to", "csv|xlsx|latex|markdown|parquet|netcdf|png|svg|pdf", "Format."),
    ],
    out: Annotated[Path | None, option("--out", "DIR", "Output folder; default RUN/export.")] = None,
    everything: Annotated[
        bool, flag("--all", "Write all that is stored, not the table of the answer.")
    ] = False,
    json: Json = False,
) -> int:
    """Export the answer's table, the figures or the dataset."""
    from rivalry.lab.export import FORMATS
    from rivalry.lab.export import export as write

    if to not in FORMATS:
        raise OptionError(f"--to {to}: {near(to, FORMATS)}")
    opened = _opened(run)
    if out is not None and os.path.isfile(out):
        raise OptionError(f"--out {out}: is a file; must be a folder")
    exported = write(opened, to, out, everything=everything)
    return print_files(json, opened, exported.files, exported.left_out)


def print_files(json: bool, run: Run, files: Sequence[Path], left_out: Sequence[Any]) -> int:
    """Print the files that were written of a run, and report what they lack."""
    note_left_out(run)
    rows = [row._asdict() for row in left_out]
    return output.print_result(json, {"files": list(map(str, files)), "left_out": rows}, *files)


def pack(
    run: RunFolder,
    out: Annotated[Path | None, option("--out", "FILE", "The file; default RUN.zip.")] = None,
    license: Annotated[
        str | None,
        option("--license", "SPDX", "Licence of the results, such as CC-BY-4.0."),
    ] = None,
    json: Json = False,
) -> int:
    """Write a run as one file that others can read and verify.

    It is a zip file of study, results, certificates, report, versions of packages, and digests of all files.
    """
    from rivalry.lab.packing import pack as write
    from rivalry.lab.packing import root_of

    if license is not None and not re.fullmatch(r"[A-Za-z0-9.+\-]+", license):
        raise OptionError(f"--license {license}: must be an SPDX identifier, such as CC-BY-4.0")
    opened = _opened(run)
    path = opened.folder.with_name(f"{opened.folder.name}.zip") if out is None else out
    if os.path.isdir(path) or path.suffix != ".zip":
        raise OptionError(f"--out {path}: must be a file that ends in .zip")
    note_left_out(opened)
    note_folder(path)
    write(opened, path, licence=license or "")
    packed = {"run": str(run), "file": str(path), "bytes": path.stat().st_size}
    packed |= {"digest": opened.digest(), "root": root_of(path)}
    return output.print_result(json, packed, path, DIGESTS.format(**packed))


def verify(
    file: Annotated[Path, argument("FILE", "A file that `rivalry pack` wrote.")],
    cells: Annotated[
        int | None, option("--cells", "N", "Random cells to compute again; default all.", min=1, max=10**6)
    ] = None,
    trust: Annotated[bool, flag("--trust", "Run the code in it, if its study names any.")] = False,
    large: Annotated[bool, flag("--large", "Allow 8 GB of files in it; default 256 MB.")] = False,
    json: Json = False,
) -> int:
    """Check a packed run.

    Its digests are compared, and its cells computed again. Pages, figures and the dataset are not judged. The
    answer is one of three words: verified (exit status 0), contradicted (1), undecided (3), where cells are
    not finished or were left out.
    """
    from rivalry.lab.executor import RunEvent
    from rivalry.lab.packing import WITHIN
    from rivalry.lab.packing import verify as check

    if not file.exists():
        raise OptionError(f"{file}: no such file")
    with output.reserve_stdout(), output.progress(str(file)) as receive:
        verified = check(
            file,
            cells=cells,
            trusted=trust,
            large=large,
            progress=lambda k, total: receive(RunEvent("progress", "", k, total)),
        )
    versions, count, word = "; ".join(verified.versions), len(verified.faults), verified.word
    remainder = verified.total - len(verified.cells)
    details = {
        "verified": ", except what is not checked",
        "contradicted": f", {count} difference{'s' * (count > 1)}",
        "undecided": f": {remainder} cells were not computed again",
    }
    answer = {"file": str(file), "word": word, **verified._asdict()}
    output.print_result(
        json,
        answer,
        f"{verified.files} files: every byte is the one that was packed",
        f"{verified.done} of {verified.total} cells, {'not ' * (verified.done < verified.total)}complete",
        f"{len(verified.cells)} cells computed again, compared "
        + (f"within {WITHIN:g}, since here is {versions}" if versions else "to the bit"),
        f"not checked: {'; '.join(verified.unchecked)}",
        *verified.faults,
        f"{word}{details[word]}; {DIGESTS.format(**answer)}",
    )
    return {"verified": 0, "contradicted": FAILED, "undecided": UNDECIDED}[word]


def certify(
    run: Annotated[Path | None, argument("[RUN]", "A run's folder.")] = None,
    proof: Annotated[bool, flag("--proof", "Round outward, and prove equilibria near the profiles.")] = False,
    export: Annotated[
        Path | None,
        option("--export", "DIR", "Also write proof files, checked by rivalry-check if installed."),
    ] = None,
    policy: Annotated[
        str | None,
        option(
            "--policy",
            "FILE",
            "A policy, FILE.py:NAME, or a table, FILE.npy, FILE.npz:NAME, FILE.pt:NAME, FILE.csv.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        option(
            "--profile",
            "FILE",
            "Output of another solver: text, JSON, CSV, .npy; flows of links, FILE.csv:COLUMN.",
        ),
    ] = None,
    q_values: Annotated[
        bool, flag("--q-values", "With --policy: the table holds action values; judge the best.")
    ] = False,
    game: Annotated[
        str | None,
        option("--game", "GAME", "A study or TOML; of --profile also .nfg, .efg or FILE.py:NAME."),
    ] = None,
    json: Json = False,
) -> int:
    """Recompute certificates of a run, or certify a strategy file.

    Stored cells do not change.
    """
    if sum(source is not None for source in (run, policy, profile)) != 1:
        raise OptionError("certify: give a run's folder, or --policy or --profile with --game")
    if (run is None) != (game is not None):
        raise OptionError("--policy or --profile, and --game: give both, or none")
    if q_values and policy is None:
        raise OptionError("--q-values: is for --policy")
    if proof and run is None:
        raise OptionError("--proof: is for a run's folder")
    if export is not None and run is not None and not proof:
        raise OptionError("--export: is for --proof, --policy or --profile")
    with output.reserve_stdout():
        if run is not None:
            data, parts = _certify_run(run, proof, export)
        else:
            from rivalry.cli.profiles import certify_policy, certify_profile

            judge = certify_profile if policy is None else partial(certify_policy, q_values=q_values)
            data, parts = judge(str(policy or profile), str(game), export)
    return output.print_result(json, data, *parts)


def _certify_run(folder: Path, proof: bool, export: Path | None) -> tuple[TableDict, list[Any]]:
    """Recompute certificates; later reports use them."""
    from rivalry.lab.answer import answer_of
    from rivalry.lab.executor import certify
    from rivalry.results.table import table_of
    from rivalry.text.display import bound_in_words

    run = _opened(folder)
    output.note_files([part.study for part in run.runs().values()])
    with output.progress(str(folder)) as receive:
        count = certify(run, proof=proof, export=export, progress=receive)
    note_left_out(run)
    answer = answer_of(run)
    certificates = _certificates(run, answer)
    rows = []
    for row in certificates:
        bounds = {key: bound_in_words(row[key]) for key in ("bound", "radius") if row[key] is not None}
        rows.append({**row, **bounds, "largest gain": row["regret"]})
    columns = ["cell", "algorithm", "claim", "coverage", "largest gain", "bound"]
    columns += ["rounding", "radius", "reason"] * proof
    proofs = [] if export is None else sorted(export.rglob("proofs.txt"))
    files = [line for proof_file in proofs for line in proof_file.read_text(encoding="utf-8").splitlines()]
    end = f"{count} certificates recomputed; `rivalry report {quote(str(folder))}` shows them"
    value: TableDict = {"run": str(folder), "certificates": certificates}
    value |= {} if export is None else {"proofs": files}
    return value, [table_of(rows, columns, "cells"), *summary.claims(answer), *files, end]


# Choice of what is computed, and where


def _execution(
    workers: int | None, executor: str, address: str | None, device: str | None, **rights: bool
) -> dict[str, Any]:
    """Return the arguments of `rivalry.lab.executor.carry_out`. Raises `OptionError`."""
    hire = _hire(executor, address)
    _choose_device(device, executor)
    return {"workers": workers, "executor": hire, **rights}


def _hire(name: str, address: str | None) -> Hire | None:
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


def _choose_device(name: str | None, executor: str = "local") -> None:
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


def _chosen_study(
    name: str, sets: Sequence[str], sweeps: Sequence[str], replications: int | None, quick: bool
) -> Study:
    """Return the study that a command line describes. Raises `StudyError`, `OptionError`."""
    from rivalry.lab.study import load_study

    changes, swept = values.settings(sets), values.sweeps(sweeps)
    if twice := [key[1:] for key in swept if key[1:] in changes]:
        raise OptionError(f"--sweep {write_key(twice[0])}: is given to --set too; give one of them")
    if replications is not None:
        if REPLICATIONS in changes:
            raise OptionError("--replications: is given to --set too; give one of them")
        changes[REPLICATIONS] = replications
    study = load_study(name)
    return (study.quick_form() if quick else study).with_changes(changes | swept)


# Runs


def _opened(folder: Path) -> Run:
    """Run in a folder. Raises `StoreError`, `DamagedFile`."""
    from rivalry.lab.store import Run

    return Run.open(folder)


def carry_out_study(
    study: Study, out: Path | None, options: Table, print_parts: PrintParts | None = None
) -> Reported:
    """Run a study, or continue its run, and report it; each part is printed when it is answered."""
    from rivalry.lab.store import Run, finished_cells

    folder = study.default_folder if out is None else out
    studies = list(study.parts().values()) or [study]

    def open_run() -> Run:
        _note_other_form(folder, study)
        return Run.create_or_open(folder, study, same_name=True)

    return _carry_out(studies, studies, finished_cells(folder, study.parts()), open_run, options, print_parts)


def _note_other_form(folder: Path, study: Study) -> None:
    """Report that a folder holds another form of a study, whose report is replaced."""
    from rivalry.lab.store import StoreError

    with suppress(StoreError):  # no run yet, or a damaged one, which is mended
        run = _opened(folder)
        changed = run.name == study.name and run.head["study"] != study.resolved()
        if changed and run.counts()["done"]:
            output.note(
                f"{folder} holds another form of {study.name} ({run.title}); its cells stay stored, its "
                "report and figures are replaced; --out FOLDER has a run of its own"
            )


def prepare(name: str, out: Path | None) -> Run:
    """Check a study as a whole, and make the folder of its run. Raises `StudyError`, `StoreError`."""
    from rivalry.lab.store import Run, finished_cells
    from rivalry.lab.study import load_study

    study = load_study(name)
    folder = study.default_folder if out is None else out
    output.note_files(list(study.parts().values()) or [study])
    with output.checking(study.name) as receive:
        study.check(receive, finished_cells(folder, study.parts()))
    return Run.create_or_open(folder, study, same_name=True)


def _continue_run(folder: Path, options: Table, print_parts: PrintParts | None) -> Reported:
    """Continue a run, with the cells of its shards."""
    from rivalry.lab.array import gather
    from rivalry.lab.store import finished_cells

    run = _opened(folder)
    for error in gather(run):
        output.note(f"{error}; left out")
    parts, finished = run.runs().values(), finished_cells(folder, run.parts())
    # a stored study was checked before its first cell ran: without cells to compute there is nothing to check
    unfinished = [part.study for part in parts if not finished >= {cell.id for cell in part.cells}]
    return _carry_out([part.study for part in parts], unfinished, finished, lambda: run, options, print_parts)


def _carry_out(
    studies: Sequence[Study],
    unchecked: Sequence[Study],
    finished: Collection[str],
    open_run: Callable[[], Run],
    options: Table,
    print_parts: PrintParts | None,
) -> Reported:
    """Check the studies that may need it, compute the remaining cells, and build figures and report."""
    from rivalry.lab.answer import answer_of
    from rivalry.lab.executor import as_context
    from rivalry.lab.figures import draw_own

    output.note_files(studies, plots=True)
    _note_controls(unchecked)
    with as_context(options["executor"]):
        for study in unchecked:
            with output.checking(study.name) as receive_count:
                study.check(receive_count, finished)
        run = open_run()
        parts = _compute(run, options, print_parts)
    with output.alive(lambda: f"{run.folder}: collecting the results"):
        answer = answer_of(run, parts)
    if not any(part.plot_files for part in studies) and run.is_reported():
        _note_texts(run) if run.status == "done" else note_left_out(run)
        return run, answer, run.folder / "report.html"
    drawing = f"{run.folder}: drawing the figures and the report"
    output.note(drawing)
    with output.alive(lambda: drawing):
        # plots of user files, which only this command may run; later reports use these figures
        for part in run.runs().values():
            with part.locking():
                for line in draw_own(part):
                    output.note(f"{part.name}: {line}")
                    part.log(line)
        return run, answer, _build_report(run, answer)


def _compute(run: Run, options: Table, print_parts: PrintParts | None) -> dict[str, Answer]:
    """Compute the remaining cells of a run, and return the answers of its parts.

    Each answer is printed when its part is done, since later parts may take minutes.
    """
    from rivalry.lab.answer import answer_of
    from rivalry.lab.executor import RunEvent, carry_out

    answers: dict[str, Answer] = {}
    parts = run.parts()
    if print_parts is not None and parts:
        print_parts(run.head["study"].get("question") or run.title, "")
    with output.progress(str(run.folder)) as show:

        def receive(event: RunEvent) -> object:
            if event.kind == "collected":
                name = event.cell
                answers[name] = answer_of(parts[name])
                if print_parts is not None:
                    print_parts(*summary.of_part(name, parts[name], answers[name]), "")
            return show(event)

        carry_out(run, progress=receive, **options)
    return answers


def _build_report(run: Run, answer: Answer, out: Path | None = None) -> Path:
    from rivalry.lab.report.page import build

    note_left_out(run)
    return build(run, output.note, out, answer)


def _print_run(json: bool, reported: Reported, verbose: bool) -> int:
    """Print the answer of a run, and return the exit status: 1 unless all cells are done."""
    if json:
        output.print_result(json, _result(*reported))
    else:
        output.print_result(json, None, *summary.of_run(*reported, verbose, are_told=True))
    return int(reported[0].status != "done")


def _result(run: Run, answer: Answer, path: Path) -> TableDict:
    """Output of ``run --json``; the lists of a study's parts are joined."""
    from rivalry.lab.answer.caveats import warnings_of
    from rivalry.lab.checks import results
    from rivalry.lab.store import status_of
    from rivalry.lab.study.expect import differences

    counts, parts = run.counts(), run.runs().values()
    rows = [
        {"study": name or run.name, **row}
        for name, part in (answer.parts or {"": answer}).items()
        for row in results(part.data, part.cells)
    ]
    warnings = [(part.name, row) for part in parts for row in warnings_of(part.warnings().values())]
    return {
        "run": str(run.folder),
        "study": run.name,
        "answer": answer.as_json(),
        "status": status_of(counts),
        "cells": {key: counts[key] for key in ("total", "done", "failed")},
        "results": rows,
        "expectations": [judged.row for judged in answer.checks],
        "certificates": _certificates(run, answer),
        "changed": [change.text for part in parts for change in differences(part.head["study"])],
        "warnings": [{"study": name, "warning": row.words, "cells": row.cells} for name, row in warnings],
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


# What a command reports beside its result


def _note_controls(studies: Sequence[Study]) -> None:
    """Report placebos that run because a study does not say that they should not."""
    from rivalry.lab.study.names import CONTROLS, with_controls

    for part in studies:
        for table in part.method:
            names = [row["name"] for row in with_controls([table])[1:]]
            if names and CONTROLS not in table:
                output.note(
                    f"{part.name}: {', '.join(names)} run too, as placebos: gains that they have as "
                    f"well show no punishment; {CONTROLS} = false in [[method]] leaves them out"
                )


def note_folder(path: Path) -> None:
    """Report the folder of a file to be written, if it will be made."""
    if not path.parent.exists():
        output.note(f"makes the folder {path.parent}")


def _note_damaged(run: Run) -> list[Any]:
    """Report damaged files of a run and edits of study.toml; return the damaged files."""
    from rivalry.lab.store import redo

    damaged = [error for part in run.runs().values() for error in part.damaged()]
    for error in damaged:
        output.note(f"{error}; left out, `rivalry {redo(error)} {quote(str(run.folder))}` computes it again")
    _note_texts(run)
    return damaged


def note_left_out(run: Run) -> None:
    """Report damaged files, edits of study.toml, and cells that an output lacks."""
    damaged = _note_damaged(run)
    for part in run.runs().values():
        if left_out := part.missing_cells(error for error in damaged if part.folder in error.path.parents):
            counted = Counter(row.reason.partition(" (")[0] for row in left_out)
            kinds = ", ".join(f"{count} {kind}" for kind, count in counted.items())
            omission = f"{len(left_out)} of {len(part.cells)} cells are left out ({kinds})"
            output.note(f"{part.folder}: {omission}; `rivalry resume` computes them")


def _note_texts(run: Run) -> None:
    for part in dict.fromkeys([run, *run.runs().values()]):
        if part.text_fault:
            output.note(part.text_fault)
