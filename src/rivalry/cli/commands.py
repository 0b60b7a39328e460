"""The command line: its commands, and how each ends; slow dependencies are imported when one is called."""

from __future__ import annotations

import os
import sys
from errno import EBADF, EIO, ENOSPC, EPIPE
from pathlib import Path
from typing import Annotated, Any

import typer

from rivalry.cli import output, work
from rivalry.cli.options import Json, argument, option
from rivalry.schema.register import collect
from rivalry.schema.registry import load, near, suggestion

UsageError: Any = typer.BadParameter.__base__  # typer's own, or click's

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

INTERRUPTED, WRONG, FAILED = 130, 2, 1
STUDY_FAILED = {"DamagedFile", "DiskFull", "ClusterLost"}
WRONG_INPUT = {"OptionError", "StudyError", "StoreError", "ClusterError", "ServeError"}
"""Errors by name, since imports of their classes are slow."""


def carry_out(arguments: list[str]) -> int:
    """Run a command line and return its exit status; report an error in one line on stderr."""
    try:
        result = app(args=arguments or ["--help"], prog_name="rivalry", standalone_mode=False)
    except (Exception, SystemExit) as error:
        result, line = _ended(error, arguments)
        if line:
            output.note(f"rivalry: {line}")
    if result == INTERRUPTED:  # how newer versions of typer report Ctrl-C
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _ended(error: BaseException, arguments: list[str]) -> tuple[int, str]:
    """Return the exit status of an error, and what to report; raise one of ours if RIVALRY_DEBUG is set."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, typer.Abort):
        return INTERRUPTED, ""
    if isinstance(error, typer.Exit):
        return error.exit_code, ""
    if isinstance(error, UsageError):
        return WRONG, _usage(error, arguments)
    if kinds & (STUDY_FAILED | WRONG_INPUT):
        return FAILED if kinds & STUDY_FAILED else WRONG, str(error)
    if isinstance(error, SystemExit):  # none of the package's: status 0 would hide that nothing was done
        from rivalry.schema.registry import place_of

        return FAILED, f"a file of the study called sys.exit({error.code!r}){place_of(error)}"
    if isinstance(error, MemoryError):
        return FAILED, f"not enough memory: {str(error).strip() or 'take fewer or smaller cells'}"
    if isinstance(error, OSError):
        try:
            os.getcwd()
        except FileNotFoundError:
            return WRONG, "the working directory no longer exists; change to one that does"
        if error.filename is not None:  # a folder without write permission, a missing file
            return WRONG, f"{error.filename}: {error.strerror}"
        if error.errno in (EPIPE, ENOSPC, EBADF, EIO):
            output.discard(sys.stdout)
            lost = f"output cannot be written: {error.strerror}"
            return (0, "") if error.errno == EPIPE else (FAILED, lost)
    from rivalry.cli.show import missing_device

    if reason := missing_device():
        return WRONG, reason
    if os.environ.get("RIVALRY_DEBUG"):
        raise error
    report = "internal error, please report (RIVALRY_DEBUG=1 tells all)"
    return FAILED, f"{report}: {type(error).__name__}: {error}"


def _usage(error: Any, arguments: list[str]) -> str:
    """Return the parser's error in one line, with the nearest known name for an unknown one."""
    if type(error).__name__ == "NoSuchOption":
        options = error.ctx.command.params if error.ctx else []
        names = [name for option in options for name in option.opts if name.startswith("--")]
        return f"{error.option_name}: no such option; {near(error.option_name, [*names, '--help'])}"
    message = str(error.format_message())
    if "No such command" in message:
        wrong = next((word for word in arguments if not word.startswith("-")), "")
        return f"{wrong}: no such command; {_command_meant(wrong)}"
    command = f"{error.ctx.info_name}: " if error.ctx is not None and error.ctx.parent is not None else ""
    return f"{command}{message[:1].lower()}{message[1:]}".rstrip(".")


def _command_meant(wrong: str) -> str:
    from rivalry.lab.study import studies

    if wrong in studies() or wrong.endswith(".toml"):
        return f"a study is run by `rivalry run {wrong}`"
    functions = [command.callback.__name__ for command in app.registered_commands if command.callback]
    return suggestion(wrong, [name.strip("_") for name in functions])


def _print_version(flag: bool) -> bool:
    if flag:
        from importlib.metadata import version

        output.print_result(False, None, version("rivalry"))
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
    kind: Annotated[str | None, argument("[games|methods|studies|plots]")] = None,
    family: Annotated[
        str | None,
        argument("[FAMILY|WORD]", "Only this family of games, or studies about a word."),
    ] = None,
    json: Json = False,
) -> int:
    """List studies to begin with, or all of one kind."""
    from rivalry.cli import show

    if kind is None and not json:
        return output.print_result(json, None, *show.begin())
    rows = show.rows_of_list(kind, family)
    return output.print_result(json, rows, *show.table(rows))


@app.command()
def show(
    name: Annotated[
        str,
        argument("STUDY|RUN|GAME|METHOD|PLOT|FILE.py:NAME", "What to show; no file is run."),
    ],
    json: Json = False,
) -> int:
    """Show a study, an answer, a game, a method, a plot or a class.

    Parameters are listed with units, defaults and bounds. `plots.NAME` is a plot whose name is that of a
    game or study too.
    """
    from rivalry.cli.show import describe

    data, parts = describe(name)
    return output.print_result(json, data, *parts)


@app.command()
def new(
    what: Annotated[str, argument("study|game|method|agent|learner|plot")],
    name: Annotated[str, argument("NAME", "Name of the files to write, without ending.")],
    family: Annotated[
        str | None,
        option("--family", "FAMILY", "Family of games of a study; default influencer."),
    ] = None,
    json: Json = False,
) -> int:
    """Write a template: study, game, method, agent, learner or plot.

    It works as it is. All but a study come with a study that uses them. Comments say what to replace.
    """
    from rivalry.cli import new as templates

    paths = templates.new(what, name, family)
    return output.print_result(
        json, {"files": list(map(str, paths))}, *paths, f"next: rivalry run {name}.toml"
    )


for _command in (
    *(work.run, work.resume, work.work, work.merge, work.status, work.report, work.export),
    *(work.pack, work.verify, work.certify),
):
    app.command()(_command)


@app.command()
def cite(
    study: Annotated[
        str | None,
        argument("[STUDY]", "A bundled study's name, a TOML file, or the folder of a run."),
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
    families: Annotated[list[str] | None, argument("[FAMILY]...", "Only these families of games.")] = None,
    json: Json = False,
) -> int:
    """Compile what first results need, once, into the caches."""
    from rivalry.cli import warm as first_results
    from rivalry.results.table import table_of

    with output.reserve_stdout():
        durations = first_results.warm(first_results.parts_of_families(families or []))
    return output.print_result(json, durations, table_of(durations))


@app.command()
def doctor(json: Json = False) -> int:
    """Report versions and devices, and what is missing."""
    from rivalry.cli.show import installation
    from rivalry.results.table import table_of

    rows = installation()
    return output.print_result(json, rows, table_of(rows, ["name", "version", "state", "remedy"]))


@app.command()
def completion(
    shell: Annotated[str, argument("bash|zsh|fish", "The shell that reads the script.")],
    json: Json = False,
) -> int:
    """Print a script that completes commands, options and names.

    In bash `source <(rivalry completion bash)` tries it. Store it for all sessions, and again after an
    update.
    """
    from typer.main import get_command

    from rivalry.cli.completion import script

    text = script(shell, get_command(app))
    return output.print_result(json, {"script": text}, text.rstrip())


REGISTERED: dict[str, str] = collect("COMMANDS")
for _name, _target in REGISTERED.items():
    app.command(_name)(load(_target))


if __name__ == "__main__":
    sys.exit(carry_out(sys.argv[1:]))
