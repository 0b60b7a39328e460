"""Commands; each imports slow dependencies when called, so that ``--help`` is fast."""

from __future__ import annotations

import os
import sys
from errno import EBADF, EIO, ENOSPC, EPIPE
from pathlib import Path
from typing import Annotated, Any

import typer

from rivalry.cli import output, values, work
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
    output_option,
)
from rivalry.schema.register import collect
from rivalry.schema.registry import load, near, suggestion

UsageError: Any = typer.BadParameter.__base__  # typer's own, or click's
Abort: Any = typer.Abort

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

INTERRUPTED, FAILED = 130, 1
UNDECIDED = 3  # of `verify`: nothing contradicts, and not all cells were computed again
KINDS = ("games", "methods", "studies", "plots")


def carry_out(arguments: list[str]) -> int:
    """Run a command line and return its exit status; report invalid input in one line on stderr."""
    try:
        with output.warnings_in_a_line():
            result = app(args=arguments or ["--help"], prog_name="rivalry", standalone_mode=False)
        if result == INTERRUPTED:  # how newer versions of typer report Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except UsageError as error:
        return output.report_mistake(_usage(error, arguments))
    except Abort:
        raise KeyboardInterrupt from None
    except typer.Exit as stop:
        return int(stop.exit_code)
    except ValueError as error:
        return _report_error(error)
    except OSError as error:  # a folder without write permission, a missing file
        if not _working_folder():
            return output.report_mistake("the working directory no longer exists; change to one that does")
        if error.errno in (EPIPE, ENOSPC, EBADF, EIO) and error.filename is None:
            return output.report_lost_output(error)
        if error.filename is None:
            return output.report_internal_error(error)
        return output.report_mistake(f"{error.filename}: {error.strerror}")
    except SystemExit as error:  # none of the package's: status 0 would hide that nothing was done
        from rivalry.schema.registry import place_of

        output.note(f"rivalry: a file of the study called sys.exit({error.code!r}){place_of(error)}")
        return FAILED
    except MemoryError as error:
        output.note(f"rivalry: not enough memory: {str(error).strip() or 'take fewer or smaller cells'}")
        return FAILED
    except Exception as error:  # an error of the package: one line, the traceback on request
        from rivalry.cli.show import missing_device

        reason = missing_device()
        return output.report_mistake(reason) if reason else output.report_internal_error(error)


def _working_folder() -> bool:
    """True if the working directory still exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _report_error(error: ValueError) -> int:
    """Report an error in one line; return 2 for invalid input, 1 for any other error."""
    kinds = {kind.__name__ for kind in type(error).__mro__}  # by name: imports of the classes are slow
    if kinds & {"DamagedFile", "DiskFull", "ClusterLost"}:
        output.note(f"rivalry: {error}")
        return FAILED
    invalid = kinds & {"OptionError", "StudyError", "StoreError", "ClusterError", "ServeError"}
    return output.report_mistake(str(error)) if invalid else output.report_internal_error(error)


def _usage(error: Any, arguments: list[str]) -> str:
    """Return the parser's error in one line, with the nearest known name for an unknown one."""
    if type(error).__name__ == "NoSuchOption":
        options = error.ctx.command.params if error.ctx else []
        option_names = [name for option in options for name in option.opts if name.startswith("--")]
        return f"{error.option_name}: no such option; {near(error.option_name, [*option_names, '--help'])}"
    message = str(error.format_message())
    if "No such command" in message:
        wrong = next((word for word in arguments if not word.startswith("-")), "")
        return f"{wrong}: no such command; {_command_meant(wrong)}"
    command = f"{error.ctx.info_name}: " if error.ctx is not None and error.ctx.parent is not None else ""
    text = message if message.startswith("Invalid value") else message[:1].lower() + message[1:]
    return f"{command}{text}".rstrip(".")


def _command_meant(wrong: str) -> str:
    from rivalry.lab.study import studies

    if wrong in studies() or wrong.endswith(".toml"):
        return f"a study is run by `rivalry run {wrong}`"
    functions = [command.callback.__name__ for command in app.registered_commands if command.callback]
    return suggestion(wrong, [name.strip("_") for name in functions])


def _print_version(flag: bool) -> bool:
    if flag:
        from importlib.metadata import version

        output.print_text(version("rivalry"))
        raise typer.Exit
    return flag


@app.callback()
def rivalry(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Games of competition: equilibria, what learning agents do, and the certified distance between the two.

    A study names a game, methods, a sweep and what was published; `rivalry run STUDY` carries it out.
    Begin with `rivalry run tour`.
    """


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Argument(metavar="[games|methods|studies|plots]")] = None,
    family: Annotated[
        str | None,
        typer.Argument(metavar="[FAMILY|WORD]", help="Only this family of games, or studies about a word."),
    ] = None,
    json: Json = False,
) -> int:
    """List studies to begin with, or all of one kind."""
    from rivalry.cli import show

    if kind is not None and kind not in KINDS:
        hint = "learners are among the methods" if kind == "learners" else near(kind, KINDS)
        raise values.OptionError(f"list {kind}: {hint}")
    if kind is None and not json:
        return output.print_result(json, None, show.begin())
    rows = [
        row
        for kind_name in ([kind] if kind else KINDS)
        for row in show.rows(kind_name, with_kind=kind is None)
    ]
    if kind is not None and family is not None:
        rows = show.rows_of_family(kind, rows, family)
        if not rows:
            output.note(f"no {kind} of the family {family}; `rivalry list {kind}` lists all")
    return output.print_result(json, rows, show.table(rows))


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|RUN|GAME|METHOD|PLOT|FILE.py:NAME", help="What to show; no file is run."
        ),
    ],
    json: Json = False,
) -> int:
    """Show a study, an answer, a game, a method, a plot or a class.

    Parameters are listed with units, defaults and bounds. `plots.NAME` is a plot whose name is that of a
    game or study too.
    """
    from rivalry.cli.show import describe

    return output.print_result(json, *describe(name))


@app.command()
def new(
    what: Annotated[str, typer.Argument(metavar="study|game|method|agent|learner|plot")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the files to write, without ending.")],
    family: Annotated[
        str | None,
        typer.Option("--family", metavar="FAMILY", help="Family of games of a study; default influencer."),
    ] = None,
    json: Json = False,
) -> int:
    """Write a template: study, game, method, agent, learner or plot.

    It works as it is. All but a study come with a study that uses them. Comments say what to replace.
    """
    from rivalry.cli import new as templates

    paths = [str(path) for path in templates.new(what, name, family)]
    return output.print_result(json, {"files": paths}, "\n".join([*paths, f"next: rivalry run {name}.toml"]))


@app.command()
def run(
    study: StudyName,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the study.")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", metavar="KEY=FROM:TO:COUNT", help="Sweep a key over a range; or KEY=A,B,C."),
    ] = None,
    replications: Annotated[
        str | None, typer.Option("--replications", metavar="N", help="Replications per point.")
    ] = None,
    workers: WorkerCount = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run the reduced form of the study, in seconds.")
    ] = False,
    out: Annotated[Path | None, output_option("Folder of the run; default runs/NAME.")] = None,
    executor: ExecutorName = "local",
    address: Address = None,
    device: Device = None,
    accept_version: AcceptVersion = False,
    trust: Trust = False,
    verbose: Verbose = False,
    json: Json = False,
) -> int:
    """Run a study, or continue its run."""
    options = work.execution_options(workers, executor, address, device, accept_version, trust)
    repeated = values.whole_number(replications, "--replications", limit=10**6)
    with output.reserve_stdout():
        chosen_study = work.study(study, set_ or [], sweep or [], repeated, quick)
        reported = work.run(chosen_study, out, options)
    return _print_run(json, reported, verbose)


@app.command()
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
    options = work.execution_options(workers, executor, address, device, accept_version, trust)
    with output.reserve_stdout():
        reported = work.resume(run, options)
    return _print_run(json, reported, verbose)


@app.command("work")
def work_(
    run: RunFolder,
    shard: Annotated[
        str, typer.Option("--shard", metavar="K/N", help="Which of N shards to compute; K counts from 1.")
    ],
    out: Annotated[Path | None, output_option("Folder of the shard; default RUN/array/K-of-N.")] = None,
    workers: WorkerCount = None,
    device: Device = None,
    trust: Trust = False,
    json: Json = False,
) -> int:
    """Compute one shard of a run, as one of the tasks of a cluster.

    `rivalry resume RUN` takes all shards in RUN/array, and `rivalry merge` those elsewhere.
    """
    count = values.whole_number(workers, "--workers", limit=1024)
    work.choose_device(device)
    with output.reserve_stdout():
        progress, text = work.work(run, values.shard(shard), out, count, trusted=trust)
    output.print_result(json, progress, text)
    return int(progress["done"] < progress["total"])


@app.command()
def merge(
    run: RunFolder,
    parts: Annotated[list[Path], typer.Argument(metavar="PART...", help="Folders of shards of the run.")],
    json: Json = False,
) -> int:
    """Take the cells of shards that were computed elsewhere."""
    return output.print_result(json, *work.merge(run, parts))


def _print_run(json: bool, reported: work.Reported, verbose: bool) -> int:
    """Print the answer of a run, and return the exit status: 1 unless all cells are done."""
    if json:
        output.print_json(work.result(reported))
    else:
        output.print_text(work.results_as_text(reported, verbose=verbose))
    return int(reported.run.status != "done")


@app.command()
def status(run: RunFolder, json: Json = False) -> int:
    """Report how many cells are done, left and failed."""
    return output.print_result(json, *work.status(run))


@app.command()
def report(
    run: RunFolder,
    out: Annotated[Path | None, output_option("Output folder; default RUN.")] = None,
    verbose: Verbose = False,
    json: Json = False,
) -> int:
    """Rebuild figures and report.html, and print the answer."""
    rebuilt = work.report(run, out)
    if json:
        summary = {"run": str(run), "answer": rebuilt.answer.as_json(), "report": str(rebuilt.path)}
        return output.print_result(json, summary, "")
    return output.print_result(json, None, work.results_as_text(rebuilt, verbose=verbose))


@app.command()
def export(
    run: RunFolder,
    to: Annotated[
        str,
        typer.Option("--to", metavar="csv|xlsx|latex|markdown|parquet|netcdf|png|svg|pdf", help="Format."),
    ],
    out: Annotated[Path | None, output_option("Output folder; default RUN/export.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Write all that is stored, not the table of the answer.")
    ] = False,
    json: Json = False,
) -> int:
    """Export the answer's table, the figures or the dataset."""
    exported = work.export(run, to, out, everything)
    return output.print_result(json, exported, "\n".join(exported["files"]))


@app.command()
def pack(
    run: RunFolder,
    out: Annotated[Path | None, output_option("The file; default RUN.zip.", "FILE")] = None,
    license: Annotated[
        str | None,
        typer.Option("--license", metavar="SPDX", help="Licence of the results, such as CC-BY-4.0."),
    ] = None,
    json: Json = False,
) -> int:
    """Write a run as one file that others can read and verify.

    It is a zip file of study, results, certificates, report, versions of packages, and digests of all files.
    """
    return output.print_result(json, *work.pack(run, out, license))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `rivalry pack` wrote.")],
    cells: Annotated[
        str | None, typer.Option("--cells", metavar="N", help="Random cells to compute again; default all.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run the code in it, if its study names any.")
    ] = False,
    large: Annotated[
        bool, typer.Option("--large", help="Allow 8 GB of files in it; default 256 MB.")
    ] = False,
    json: Json = False,
) -> int:
    """Check a packed run.

    Its digests are compared, and its cells computed again. Pages, figures and the dataset are not judged. The
    answer is one of three words: verified (exit status 0), contradicted (1), undecided (3), where cells were
    left out.
    """
    count = values.whole_number(cells, "--cells", limit=10**6)
    if not file.exists():
        raise values.OptionError(f"{file}: no such file")
    with output.reserve_stdout():
        verification, text = work.verify(file, count, trust, large)
    output.print_result(json, verification, text)
    return {"verified": 0, "contradicted": FAILED, "undecided": UNDECIDED}[verification["word"]]


@app.command()
def certify(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run's folder.")] = None,
    proof: Annotated[
        bool, typer.Option("--proof", help="Round outward, and prove equilibria near the profiles.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="DIR",
            help="Also write proof files, checked by rivalry-check if installed.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="A policy, FILE.py:NAME, or a table in FILE.npy, FILE.npz:NAME, FILE.pt:NAME or FILE.csv.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="What another solver printed: text, JSON, CSV, .npy; flows of links, FILE.csv:COLUMN.",
        ),
    ] = None,
    q_values: Annotated[
        bool, typer.Option("--q-values", help="With --policy: the table holds action values; judge the best.")
    ] = False,
    game: Annotated[
        str | None,
        typer.Option(
            "--game", metavar="GAME", help="A study or TOML; of --profile also .nfg, .efg or FILE.py:NAME."
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Recompute certificates of a run, or certify a file of strategies.

    Stored cells do not change.
    """
    if sum(source is not None for source in (run, policy, profile)) != 1:
        raise values.OptionError("certify: give a run's folder, or --policy or --profile with --game")
    if (run is None) != (game is not None):
        raise values.OptionError("--policy or --profile, and --game: give both, or none")
    if q_values and policy is None:
        raise values.OptionError("--q-values: is for --policy")
    if proof and run is None:
        raise values.OptionError("--proof: is for a run's folder")
    if export is not None and run is not None and not proof:
        raise values.OptionError("--export: is for --proof, --policy or --profile")
    with output.reserve_stdout():
        if run is not None:
            answer = work.certify(run, proof, export)
        elif policy is not None and game is not None:
            answer = work.certify_policy(policy, game, export, q_values)
        elif profile is not None and game is not None:
            from rivalry.cli.profiles import certify_profile

            answer = certify_profile(profile, game, export)
    return output.print_result(json, *answer)


@app.command()
def cite(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]", help="A bundled study's name, a TOML file, or the folder of a run."
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Print BibTeX of the package and of a source."""
    from datetime import date

    from rivalry.lab.citation import bibtex, bibtex_of_run
    from rivalry.lab.study import load_study, studies

    if study is not None and study not in studies() and Path(study).is_dir():
        entry = bibtex_of_run(Path(study))
    else:
        entry = bibtex(load_study(study) if study is not None else None, date.today().year)
    return output.print_result(json, {"bibtex": entry}, entry)


@app.command()
def warm(
    families: Annotated[
        list[str] | None, typer.Argument(metavar="[FAMILY]...", help="Only these families of games.")
    ] = None,
    json: Json = False,
) -> int:
    """Compile what first results need, once, into the caches."""
    from rivalry.cli import warm as first_results
    from rivalry.cli.show import table as show_table

    with output.reserve_stdout():
        durations = first_results.warm(first_results.parts_of_families(families or []))
    return output.print_result(json, durations, show_table(durations, ["family", "fills", "seconds"]))


@app.command()
def doctor(json: Json = False) -> int:
    """Report versions and devices, and what is missing."""
    from rivalry.cli import show

    rows = show.installation()
    return output.print_result(json, rows, show.table(rows, ["name", "version", "state", "remedy"]))


REGISTERED: dict[str, str] = collect("COMMANDS")
for _name, _target in REGISTERED.items():
    app.command(_name)(load(_target))


if __name__ == "__main__":
    sys.exit(carry_out(sys.argv[1:]))
