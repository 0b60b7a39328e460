"""Public names for extensions: few, documented, and all that templates and tutorials import."""

import ast
import re
from pathlib import Path

import rivalry as rv
from tests.unit.test_house import place

ROOT = Path(__file__).parents[2]
IMPORT = re.compile(r"^(?:from (rivalry[\w.]*) import |import (rivalry[\w.]*)).*$", re.M)
CELL = re.compile(r"^```(?:\{code-cell\} ipython3|python)\n(.*?)^```", re.M | re.S)


def test_few_names_each_explained() -> None:
    names = rv.extend.__all__
    file = place("rivalry.extend")
    assert 8 <= len(names) <= 18, f"{file}: {len(names)} names, not 8 to 18: export what extensions need"
    lines = [
        f"{file}: {name} has no docstring: add one where it is defined"
        for name in names
        if not (getattr(rv.extend, name).__doc__ or "").strip()
    ]
    assert not lines, "\n".join(lines)


def imported(code: str) -> set[tuple[str, str]]:
    """Return the modules of the package that code imports from, each with a name."""
    found = set()
    for node in ast.walk(ast.parse(code.replace("$", ""))):  # $Class and $name of a template are no names yet
        if isinstance(node, ast.ImportFrom):
            found |= {(str(node.module), name.name) for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {(name.name, "") for name in node.names}
    return {(module, name) for module, name in found if module.split(".")[0] == "rivalry"}


def imported_by(page: Path) -> set[tuple[str, str]]:
    text = re.sub(r"^[!%:].*$", "", page.read_text(encoding="utf-8"), flags=re.M)
    return set().union(*(imported(match[1]) for match in CELL.finditer(text)))


def test_what_extends_the_package_imports_public_names_only() -> None:
    """A stranger's file that was begun from one of these depends on nothing that may move."""
    files = [*ROOT.glob("src/rivalry/cli/templates/*.py.txt"), *ROOT.glob("docs/*/examples/*.py")]
    assert len(files) == 12, (
        f"src/rivalry/cli/templates, docs/*/examples: {len(files)} files, not 12: "
        "correct the number in tests/unit/test_extend.py"
    )
    names = {file: imported(file.read_text(encoding="utf-8")) for file in files}
    for page in ("tutorial/2_own_game", "tutorial/own_learner"):
        names[ROOT / f"docs/{page}.md"] = imported_by(ROOT / f"docs/{page}.md")
    lines = [
        f"{file.relative_to(ROOT)} imports {module}.{name}: export it from rivalry.extend"
        for file, pairs in names.items()
        for module, name in sorted(pairs)
        if module not in ("rivalry", "rivalry.extend")
    ]
    assert not lines, "\n".join(lines)
    assert any(module == "rivalry.extend" for pairs in names.values() for module, _ in pairs)


def test_pages_import_from_rv_and_its_modules_only() -> None:
    """What a page tells its reader to import stands at most one level below the package."""
    public = {"rivalry", "rivalry.integrations", *(f"rivalry.{name}" for name in rv.__all__)}
    lines = []
    for page in [ROOT / "README.md", *ROOT.glob("docs/*/*.md")]:
        # cells with dots in place of arguments are no programs, so that nothing is parsed
        for match in IMPORT.finditer(page.read_text(encoding="utf-8")):
            module = match[1] or match[2]
            if module not in public:
                lines.append(
                    f"{page.relative_to(ROOT)}: {match[0]}: export it from a module such as rv.markets"
                )
    assert not lines, "\n".join(lines)
