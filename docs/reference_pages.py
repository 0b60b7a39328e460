"""Reference pages from the package itself: lines ``% entries ...`` of a page become tables and entries.

| line | becomes |
|---|---|
| `% entries MODULE` | a table name, sentence and the entries of all public names of a module |
| `% entries MODULE: NAME NAME` | the same of these names |
| `% families` | a table family, sentence of all families, and a section of each with its keys |
| `% keys FAMILY` | on the family's page of the textbook: a table of the keys that its own tables leave out |
| `% kinds` | a table kind, sentence of all methods |
| `% methods MODULE` | the methods of a subpackage with their options |
| `% commands` | the commands with their arguments and options |
| `% reproduced` | published values beside ours |
| `% thesis` | those of the thesis on karma economies |
| `% thumbnails` | the pictures of the gallery by purpose |
| `% licences` | licences of all dependencies |
| `% times` | times beside other packages |
"""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, is_typeddict

DOCS = Path(__file__).parent
ORACLES = "rivalry.core.oracles"


def public(module: str) -> list[str]:
    """Return the public names of a module, sorted."""
    found = import_module(module)
    if module == ORACLES:
        homes = (ORACLES, "rivalry.core.dispatch")
        return sorted(
            name for name, value in vars(found).items() if getattr(value, "__module__", "") in homes
        )
    names = getattr(found, "__all__", None) or dir(found)
    ours = (name for name in names if not name.startswith("_"))
    values = {name: getattr(found, name) for name in ours}
    return sorted(
        name
        for name, value in values.items()
        if getattr(value, "__module__", "").startswith("rivalry") and not inspect.ismodule(value)
    )


def sentence(value: Any) -> str:
    """Return the first sentence of a docstring, for a cell of a table."""
    text = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    first = re.split(r"(?<=[.:]) (?=[A-Z`])", text)[0].rstrip(".:")
    return cell(first.replace("``", "`"))


def cell(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    text = re.sub(r"(?<!\\)\|", r"\\|", text)
    pieces = re.split(r"(`[^`]*`)", text)  # code stays as it is
    plain = [re.sub(r"([<\[*_$])", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(a + b for a, b in zip(plain, [*pieces[1::2], ""], strict=True))


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def entries(module: str, names: str = "") -> str:
    """Return a table of names with one sentence each, and their entries."""
    found = import_module(module)
    shown = module.replace(ORACLES, "rivalry.oracles")
    chosen = names.split() or public(module)
    rows = [(f"{{py:obj}}`{name} <{shown}.{name}>`", sentence(getattr(found, name))) for name in chosen]
    described = "\n\n".join(entry(shown, name, getattr(found, name)) for name in chosen)
    return f"{table(('name', ''), rows)}\n\n```{{eval-rst}}\n{described}\n```"


def entry(module: str, name: str, value: Any) -> str:
    """Return the entry of a name in reStructuredText."""
    target = f"{module}::{name}"  # a function may have the name of its module
    if is_typeddict(value):  # autodoc finds no signature of one
        return f".. autoclass:: {target}(**keys)"
    if isinstance(value, type):
        return f".. autoclass:: {target}\n   :members:"
    return f".. autofunction:: {target}"


def page_of(family: str) -> Path | None:
    """Return the page of the textbook with the line ``% keys FAMILY``; None if there is none."""
    line = re.compile(rf"^% keys {family}$", re.M)
    pages = sorted((DOCS / "textbook").glob("*.md"))
    return next((page for page in pages if line.search(page.read_text(encoding="utf-8"))), None)


def tables_of_keys(page: Path) -> list[str]:
    """Return the tables of keys that are written on a page."""
    text = page.read_text(encoding="utf-8")
    return [rows.rstrip() for rows in re.findall(r"^\| symbol \| key .*?(?=^[^|]|\Z)", text, re.M | re.S)]


def keys_in(rows: str) -> set[str]:
    """Return the keys that a table explains."""
    return {key for row in rows.splitlines()[2:] for key in re.findall(r"`([\w.]+)`", row.split(" | ")[1])}


def keys(family: str) -> str:
    """Return a table, from their annotations, of the keys that the tables on a family's page leave out."""
    from rivalry.games import GAMES
    from rivalry.lab.study import parameters
    from rivalry.schema.registry import load

    page = page_of(family)
    written = {key for rows in tables_of_keys(page) for key in keys_in(rows)} if page else set()
    written |= {key.partition(".")[0] for key in written}  # a part, where its keys are written
    rows = [row for row in parameters(load(GAMES[family].target)) if row.name not in written]
    cells = [
        (_formulas(row.symbol), f"`{row.name}`", cell(row.meaning), _values(row), _default(row))
        for row in rows
    ]
    return table(("symbol", "key", "meaning", "values", "default"), cells) if cells else ""


GREEK = "alpha beta gamma delta epsilon eta theta kappa lambda mu nu xi pi rho sigma tau phi psi"
LETTER = re.compile(rf"({GREEK.replace(' ', '|')}|[a-zA-Z])(_[a-z])?")


def _formulas(symbols: str) -> str:
    """Return the symbols of a key as formulas, Greek letters by their names; other names are of old files."""
    words = ("\\" * (word in GREEK.split()) + word for word in symbols.split() if LETTER.fullmatch(word))
    return ", ".join(f"${word}$" for word in words)


def _values(row: Any) -> str:
    """Return the words that a key takes, or the bounds of its numbers."""
    words = re.findall(r'"([^"]+)"', row.type)
    return ", ".join(f"`{word}`" for word in words) or cell(row.bounds)


def _default(row: Any) -> str:
    usual = "required" if row.required else "" if row.default is None else f"`{row.default!r}`"
    return usual.replace("|", r"\|")


def families() -> str:
    """Return the table of all families, and a section of each: its factory, its keys and its page."""
    from rivalry.games import GAMES

    rows = [(f"[{name}](#{name})", cell(row.title)) for name, row in GAMES.items()]
    sections = [f"## {name}\n\n{family(name)}" for name in GAMES]
    return "\n\n".join([table(("family", "model"), rows), *sections])


def family(name: str) -> str:
    """Return the entry of a family's factory, with the tables of its keys and a link to its page."""
    factory = f"```{{eval-rst}}\n.. autofunction:: rivalry.games::{name}\n```"
    if (page := page_of(name)) is None:
        return f"{factory}\n\n{keys(name)}"
    link = f"The mathematics: [{page.stem.replace('_', ' ')}](../textbook/{page.name})."
    return "\n\n".join(filter(None, [factory, *tables_of_keys(page), keys(name), link]))


def _requirements(kind: type) -> str:
    from rivalry.core.needs import needs_of

    needs = [need.words for need in needs_of(kind)]
    return f"Needs {', '.join(needs)}.\n\n" if needs else ""


def options(target: Callable[..., Any]) -> str:
    """Return the table of the options of a method's class."""
    from rivalry.lab.study import parameters

    rows = parameters(target)
    if not rows:
        return "It has no options."
    cells = [
        (f"`{row.name}`", cell(row.type), _default(row), cell(row.bounds), cell(row.meaning)) for row in rows
    ]
    return table(("key", "takes", "default", "bounds", "meaning"), cells)


def kinds() -> str:
    """Return the table of all kinds of methods."""
    from rivalry.methods import METHODS

    rows = [(f"[`{kind}`](#{_anchor(kind)})", cell(row.title)) for kind, row in METHODS.items()]
    return table(("kind", ""), rows)


def _anchor(kind: str) -> str:
    return f"method-{kind.replace('_', '-').replace('.', '-')}"


def methods(package: str) -> str:
    """Return the entries of the methods whose first class is in a subpackage."""
    from rivalry.methods import METHODS
    from rivalry.schema.registry import load

    found = []
    for kind, row in METHODS.items():
        home = row.targets[0].partition(":")[0]
        if home != package and home.rpartition(".")[0] != package:
            continue
        found.append(f"({_anchor(kind)})=\n\n### `{kind}`\n\n{cell(row.title).capitalize()}.")
        for target in row.targets:
            name = target.partition(":")[2]
            found.append(f"```{{eval-rst}}\n.. autoclass:: rivalry.methods::{name}\n```")
            found.append(_requirements(load(target)) + options(load(target)))
    return "\n\n".join(found)


def commands() -> str:
    """Return the commands with their arguments and options."""
    import typer.main

    from rivalry.cli.commands import app

    group: Any = typer.main.get_command(app)
    rows = [(f"[`{name}`](#command-{name})", cell(one.help)) for name, one in group.commands.items()]
    found = [table(("command", ""), rows)]
    for name, one in group.commands.items():
        taken = [option for option in one.params if option.name != "help"]
        words = " ".join(_written(option) for option in taken if option.param_type_name == "argument")
        found.append(f"(command-{name})=\n\n## `rivalry {name}{' ' + words if words else ''}`\n\n{one.help}")
        cells = [
            (f"`{_written(option)}`".replace("|", r"\|"), cell(option.help or ""))
            for option in taken
            if option.help or option.param_type_name == "option"
        ]
        found.append(table(("argument or option", "meaning"), cells))
    return "\n\n".join(found)


def _written(option: Any) -> str:
    if option.param_type_name == "argument":
        return str(option.metavar or option.name.upper())
    flag = max(option.opts, key=len)
    return flag if option.is_flag else f"{flag} {option.metavar or option.name.upper()}"


def licences() -> str:
    """Return the table that `licences.py` wrote."""
    with (DOCS / "reference" / "licences.csv").open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    return table(columns, rows)


def times() -> str:
    """Return what `benchmarks.peers` measured, and on which machine."""
    text = (DOCS.parent / "benchmarks" / "other_packages.md").read_text(encoding="utf-8")
    parts = re.findall(r"^<!-- (?:times|peers) -->\n\n(.*?)\n\n<!--", text, re.M | re.S)
    return "\n\n".join(parts)


WRITERS: dict[str, Callable[..., str]] = {
    "entries": lambda line: entries(*(part.strip() for part in line.split(":", 1))),
    "families": lambda line: families(),
    "keys": keys,
    "kinds": lambda line: kinds(),
    "methods": methods,
    "commands": lambda line: commands(),
    "reproduced": lambda line: import_module("reproduced").page(),
    "thesis": lambda line: import_module("reproduced").thesis(),
    "thumbnails": lambda line: import_module("gallery").grid(),
    "licences": lambda line: licences(),
    "times": lambda line: times(),
}


def expand(text: str) -> str:
    """Return a page with the lines that name a part of the package replaced by it."""
    return re.sub(
        rf"^% ({'|'.join(WRITERS)})\b ?(.*)$",
        lambda line: WRITERS[line[1]](line[2].strip()),
        text,
        flags=re.M,
    )


def _expand(app: Any, page: str, source: list[str]) -> None:
    if page == "howto/gallery":
        source[0] = import_module("gallery").complete(expand(source[0]))
    elif page.startswith(("reference/", "textbook/")):
        source[0] = expand(source[0])


def _shorten(app: Any, what: str, name: str, value: Any, options: Any, signature: Any, returned: Any) -> Any:
    """Leave the keys of factories and methods to the tables below their entries."""
    home, _, last = name.rpartition(".")
    if home == "rivalry.methods" and what == "class":
        return "(**options)", None
    if home == "rivalry.games":
        return ("(*tables, **keys)" if last == "matrix" else "(**keys)"), None
    return None


def setup(app: Any) -> dict[str, Any]:
    """Connect the expansion with the reading of pages."""
    app.connect("source-read", _expand)
    app.connect("autodoc-process-signature", _shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
