"""Commands that repeat, continue or rebuild a run, as its report and its frozen page print them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from rivalry.lab.study.expect import Difference, differences
from rivalry.lab.study.names import studies
from rivalry.schema.keys import Key, quoted, write_key, write_name

if TYPE_CHECKING:
    from rivalry.lab.store import Run


def commands(run: Run) -> list[tuple[str, str]]:
    """Return the commands that repeat, continue or rebuild a run, each with what it does."""
    command, options = run_command(run), changes_of(run)
    repetition = [(f"{command}{options}", "the same, with the changes of this run")] if options else []
    return [
        *repetition,
        (command, "run the study as written, from the start"),
        ("rivalry resume RUN", "continue this run and repeat failed cells; RUN is the folder of this page"),
        ("rivalry report RUN", "rebuild this page and its figures from the stored data"),
        ("rivalry certify RUN", "recompute the certificates of the stored profiles"),
        (
            "rivalry certify RUN --proof",
            "the same with outward rounding, and with proofs of exact equilibria",
        ),
        ("rivalry export RUN --to csv", "export the results for other tools"),
    ]


def run_command(run: Run) -> str:
    """Return the command that runs the study of a run as written."""
    stored = run.name not in studies() and (run.folder / "study.toml").exists()
    quick = " --quick" if run.head["study"].get("quick_form") else ""
    return f"rivalry run {'study.toml' if stored else shlex.quote(run.name)}{quick}"


def changes_of(run: Run, without: Collection[Key] = ()) -> str:
    """Return the options that make a run's changes to its study, except those of the keys ``without``."""
    return "".join(_option(change) for change in differences(run.head["study"]) if change.key not in without)


def sweep_option(key: Key, value: object) -> str:
    """Return the option of the command line that computes one value of a swept key.

    >>> sweep_option(("game", "reach"), 0.25), sweep_option(("game", "cost", 1), [1, 2])
    ('--sweep game.reach=0.25', "--sweep 'game.cost[1]=[[1, 2]]'")
    """
    single = isinstance(value, bool | int | float) or re.fullmatch(r"[\w-]+", str(value))
    text = as_toml(value).strip('"') if single else as_toml([value])
    return f"--sweep {shlex.quote(f'{write_key(key)}={text}')}"


def _option(difference: Difference) -> str:
    """Return the option of the command line that makes a change."""
    if difference.swept:
        return f" --sweep {shlex.quote(f'{difference.text}={as_toml(difference.after)}')}"
    return f" --set {shlex.quote(f'{difference.text}={as_toml(difference.after[0])}')}"


def as_toml(value: object) -> str:
    """Return a value as TOML writes it inline.

    >>> as_toml({"kind": "scenario", "over": ["reach", 1]})
    '{ kind = "scenario", over = ["reach", 1] }'
    """
    if isinstance(value, Mapping):
        entries = [f"{write_name(key)} = {as_toml(entry)}" for key, entry in value.items()]
        return f"{{ {', '.join(entries)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)
