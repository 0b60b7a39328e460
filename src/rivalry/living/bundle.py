"""One script out of the modules of living figures, so that a page or a notebook loads nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

STATIC = Path(__file__).parent / "static"
VIEWS = tuple(sorted(path.stem for path in (STATIC / "views").glob("*.js")))
"""The names of all views."""

_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"([^"]+)";?[ \t]*$', re.M)
_EXPORT = re.compile(r"^export\s+(?:async\s+)?(?:function\*?|const|let|class)\s+([A-Za-z_$][\w$]*)", re.M)
_DEFAULT = re.compile(r"^export\s+default\s+", re.M)


def style() -> str:
    """Return the style sheet of all views."""
    return (STATIC / "style.css").read_text(encoding="utf-8")


def page_script(views: Iterable[str]) -> str:
    """Return a script that draws the figures of a page as soon as the page is read."""
    return _script(views, "host.startPage(views);")


def widget_module(views: Iterable[str]) -> str:
    """Return a module of JavaScript in the form that anywidget takes."""
    return _script(views, "export default host.notebook(views);", closed=False)


def _script(views: Iterable[str], final_line: str, *, closed: bool = True) -> str:
    """Return the modules of ``views`` and of the host, each in a scope of its own, and the ``final_line``."""
    order: dict[Path, str] = {}
    names = sorted(set(views))
    for path in (STATIC / "host.js", *(STATIC / "views" / f"{name}.js" for name in names)):
        _add(path, order, ())
    number = {path: f"m{k}" for k, path in enumerate(order)}
    parts = [f"const {number[path]} = (() => {{\n{_body(path, number)}}})();" for path in order]
    entries = (f"{name}: {number[STATIC / 'views' / f'{name}.js']}.standard" for name in names)
    parts += [
        f"const host = {number[STATIC / 'host.js']};",
        f"const views = {{ {', '.join(entries)} }};",
        final_line,
    ]
    text = "\n".join(parts)
    # inside a page, this would end the script
    text = re.sub(r"</(?=script)|<!--", lambda match: match[0].replace("<", r"\x3c"), text, flags=re.I)
    return f'"use strict";\n(() => {{\n{text}\n}})();\n' if closed else f"{text}\n"


def _add(path: Path, order: dict[Path, str], within: tuple[Path, ...]) -> None:
    """Add a module after those that it imports."""
    if path in within:
        raise ValueError(f"{path.name}: imports itself by way of {within[-1].name}")
    if path in order:
        return
    text = path.read_text(encoding="utf-8")
    for _, source in _IMPORT.findall(text):
        _add((path.parent / source).resolve(), order, (*within, path))
    order[path] = text


def _body(path: Path, number: dict[Path, str]) -> str:
    """Return a module as the body of a function that returns its exports."""

    def bound(match: re.Match[str]) -> str:
        names = re.sub(r"\s+as\s+", ": ", " ".join(match[1].split()))
        return f"const {{ {names} }} = {number[(path.parent / match[2]).resolve()]};"

    text = path.read_text(encoding="utf-8")
    exported = _EXPORT.findall(text)
    text = _IMPORT.sub(bound, text)
    text, standard = _DEFAULT.subn("const standard = ", text)
    text = _EXPORT.sub(lambda match: match[0].removeprefix("export").lstrip(), text)
    if statement := re.search(r"^\s*(?:import|export)\b.*", text, flags=re.M):
        raise ValueError(
            f"{path.name}: {statement[0].strip()!r} must be a named import or export, or one default"
        )
    return f"{text}\nreturn {{ {', '.join([*exported, *['standard'] * standard])} }};\n"
