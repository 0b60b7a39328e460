"""Architecture rules, checked on the source: allowed imports, layers, and the public interface."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import rivalry
from rivalry.schema.register import OPTIONAL
from rivalry.schema.registry import load

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "rivalry"

# For each library, the subpackages and modules that may import it, lazily or not.
HOMES = {
    "numba": {"tables.kernels", "economies.kernels"},
    "xarray": {"core.results", "plots", "economies.figures", "families.figures", "roads.figures", "studies"},
    "h5netcdf": {"core.results", "plots"},
    "pandas": {"core.foreign_tables", "core.results", "lab.export", "plots", "results"},
    "matplotlib": {"plots", "economies.figures", "families.figures", "studies"},
    "mpltern": {"plots", "families.figures"},
    "quantecon": {"interop"},
    "nashpy": {"interop"},
    "diffrax": {"methods"},
    "flint": {"methods", "tables"},
    "networkx": {"economies", "families", "plots", "roads"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"solving"},
    "jinja2": {"lab.report"},
    "sqlite3": {"lab.store"},
    "subprocess": {"runtime.processes"},
    "threadpoolctl": {"runtime.blas"},
    "pettingzoo": {"envs", "interop"},
    "gymnasium": {"envs", "integrations", "interop"},
    "ray": {"integrations"},
    "torch": {"core.foreign_tables", "integrations"},
    "fastapi": {"web"},
    "uvicorn": {"web"},
    "tomlkit": {"web"},
    "anywidget": {"living"},
}

# Layers of subpackages from the lowest: one may import only from lower layers.
LAYERS: list[set[str]] = [
    {"runtime", "schema", "text"},
    {"results"},
    {"core"},
    {"proofs", "tables.kernels"},
    {"certificates", "economies.kernels", "plots"},
    {"economies.figures", "families.figures", "population", "tables"},
    {"transforms"},
    {"families", "games", "influencers", "karma", "markets", "methods", "races", "trees"},
    {"extend"},
    {"envs"},
    {"economies", "roads"},
    {"solving", "studies", "lab.study", "lab.trust"},
    {"check", "interop", "lab.checkpoints", "lab.store"},
    {"lab.worker", "lab.checks", "lab.dimensions", "lab.discounted"},
    {"lab.bins", "lab.figures"},
    {"lab.answer", "lab.citation", "lab.proofs"},
    {"lab.executor", "lab.export", "lab.report"},
    {"lab.array", "lab.packing"},
    {"cli"},
    {"audit", "integrations", "living"},
    {"web"},
    {"__main__"},
]
APART = ("lab", "tables.kernels", "economies.kernels", "economies.figures")
LAYER = {subpackage: layer for layer, subpackages in enumerate(LAYERS) for subpackage in subpackages}

MOST_ANY = 840  # parameters; a share would rise where typed code is deleted

# Libraries that `import rivalry` and `rivalry --help` must not load.
HEAVY = (
    *("jax", "numpy", "scipy", "xarray", "pandas", "matplotlib"),
    *("numba", "quantecon", "equinox", "diffrax"),
)


class Import(NamedTuple):
    """One imported module, where, and whether only a type checker makes the import."""

    module: str
    line: int
    for_types: bool
    lazy: bool


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sources()}


def place(module: str, line: int = 0) -> str:
    """File of a module, and the line, as `src/rivalry/games.py:12`."""
    file = MODULES[module].relative_to(ROOT).as_posix()
    return f"{file}:{line}" if line else file


def in_files(text: str) -> str:
    """Text with files in place of modules."""
    return re.sub(r"\brivalry[\w.]*", lambda name: place(name[0]) if name[0] in MODULES else name[0], text)


def subpackage_of(module: str) -> str:
    """The subpackage of a module; the module itself in core and lab; "" for the top-level package."""
    first, second, *rest = [*module.split(".")[1:], "", ""]
    if first == "families" and rest[:1] == ["figures"]:  # plots of datasets, which import no game
        return "families.figures"
    both = f"{first}.{second}".strip(".")
    return both if first in APART or both in APART else first


@cache
def imports(path: Path) -> tuple[Import, ...]:
    return tuple(_walk(ast.parse(path.read_text(encoding="utf-8")), module_of(path), False, False))


def _walk(node: ast.AST, module: str, for_types: bool, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(name.name, child.lineno, for_types, lazy) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{place(module, child.lineno)}: write the relative import as absolute"
            yield from (Import(name, child.lineno, for_types, lazy) for name in _targets(child))
        checked = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        deeper = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _walk(child, module, for_types or checked, lazy or deeper)


def _targets(node: ast.ImportFrom) -> set[str]:
    """The modules that `from a import b, c` names: `a.b` where that is one, else `a`."""
    base = str(node.module)
    return {f"{base}.{name.name}" if f"{base}.{name.name}" in MODULES else base for name in node.names}


def differences(needed: Iterable[str], present: Iterable[str], absent: str, extra: str = "") -> list[str]:
    """One line per name that is absent, and with ``extra`` per name in excess; ``{}`` stands for the name."""
    before, after = set(needed), set(present)
    lines = [absent.format(name) for name in sorted(before - after) if absent]
    return lines + [extra.format(name) for name in sorted(after - before) if extra]


def every_import() -> Iterator[tuple[str, str, Import]]:
    """Module, file and line in words, and import, of all imports of the package."""
    for module, path in MODULES.items():
        for entry in imports(path):
            yield module, f"{place(module, entry.line)} imports {entry.module}", entry


def in_circles(imported: Mapping[str, set[str]]) -> list[str]:
    """Modules in import cycles, as ``module (first module of its cycle)``."""
    reached: dict[str, set[str]] = {}
    for module in imported:
        todo, seen = list(imported[module]), set[str]()
        while todo:
            other = todo.pop()
            if other not in seen:
                seen.add(other)
                todo.extend(imported.get(other, ()))
        reached[module] = seen
    circles = {
        module: min(other for other in seen if module in reached.get(other, ()))
        for module, seen in reached.items()
        if module in seen
    }
    return sorted(f"{module} ({first})" for module, first in circles.items())


def test_libraries_are_imported_only_from_allowed_modules() -> None:
    lines = [
        f"{where}: import it in {', '.join(sorted(HOMES[library]))} only (HOMES in tests/unit/test_house.py)"
        for module, where, entry in every_import()
        if not entry.for_types
        and (library := entry.module.split(".")[0]) in HOMES
        and HOMES[library].isdisjoint({subpackage_of(module), module.removeprefix("rivalry.")})
    ]
    assert not lines, "\n".join(lines)


def test_scipy_is_imported_inside_functions() -> None:
    lines = [
        f"{where}: move the import into the functions that need it"
        for _, where, entry in every_import()
        if entry.module.split(".")[0] in ("scipy", "quantecon") and not (entry.lazy or entry.for_types)
    ]
    assert not lines, "\n".join(lines)


WRITERS = {"rivalry.core.files: open", "rivalry.core.files: os.open"}


def test_files_are_written_by_one_function() -> None:
    """Others would follow links that a stranger's folder holds; see `rivalry.core.files.write`."""
    calls = {}
    for module, path in MODULES.items():
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                words = ast.unparse(call)
                opens = re.match(r"[\w.]*\bopen\(.*('[wax]b?\+?'|'[ra]b?\+'|O_WRONLY|O_RDWR|O_CREAT)", words)
                if (opens and "devnull" not in words) or re.search(
                    r"\.(write_text|write_bytes|touch)\([^()]*\)$", words
                ):
                    calls[f"{module}: {words.partition('(')[0]}"] = (
                        f"{place(module, call.lineno)} calls {words}"
                    )
    lines = [
        f"{words}: call rivalry.core.files.write" for name, words in calls.items() if name not in WRITERS
    ]
    lines += differences(WRITERS, calls, "tests/unit/test_house.py, WRITERS: remove {}")
    assert not lines, "\n".join(lines)


def test_every_library_is_declared() -> None:
    """Imported libraries are in pyproject.toml by name, not only as dependencies of others."""
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [need for needs in project["optional-dependencies"].values() for need in needs]
    needs = [*project["dependencies"], *extras]
    declared = {re.match(r"(?:python-)?([\w-]+)", need)[1].lower().replace("-", "_") for need in needs}
    known = declared | set(sys.stdlib_module_names) | {"rivalry"}
    lines = [
        f"{where}: add it to dependencies or to an extra in pyproject.toml"
        for _, where, entry in every_import()
        if entry.module.split(".")[0] not in known
    ]
    assert not lines, "\n".join(lines)


def test_every_subpackage_has_a_layer() -> None:
    lines = [
        f"{place(module)}: add {subpackage} to LAYERS in tests/unit/test_house.py, above all it imports"
        for module in MODULES
        if (subpackage := subpackage_of(module)) not in {*LAYER, "", "core", "lab"}
    ]
    assert not lines, "\n".join(lines)


def test_imports_go_to_lower_layers_only() -> None:
    """Subpackages of one layer do not import each other, so games and methods are independent."""
    lines = [
        f"{where}: move what is needed to a lower layer (LAYERS in tests/unit/test_house.py)"
        for module, where, entry in every_import()
        if (subpackage := subpackage_of(module)) and entry.module.startswith("rivalry.")
        if (other := subpackage_of(entry.module)) != subpackage
        if LAYER.get(other, len(LAYERS)) >= LAYER.get(subpackage, len(LAYERS))
    ]
    assert not lines, "\n".join(lines)


# Names of `rivalry.proofs` that other packages use; families use only the last rows.
OF_PROOFS = {
    "certificates": "ByRow Interval bounding_box enclosed equilibrium_near first_tree form_of halves "
    "maximum_near middle_shares negative_definite over_rows Curvature payoff_curvature payoff_range "
    "with_bounded_responses",
    "methods": "BATCH BoxSearch CaseAnalysis Coordinates GameOnRanges InFractions InLogs "
    "MERGE_DISTANCE SeparateParts VERDICTS "
    "begin_on_ranges combined_list coordinates equilibrium_bounds list_of_boxes "
    "list_record of_part on_ranges operations points_of profile_of profiles_of record_of_cases "
    "record_on_ranges rounding_radius search_on_ranges searched",
    "solving": "Document RangesProof SmoothProof VERSION write",
    "transforms": "best_responses bounds_of_responses with_bounded_responses",
    "families": "BoundsOfEquilibria Interval amounts derivatives enclose enclosed equilibrium_bounds "
    "over_rows slopes_in_logs slopes_in_shares terms_in_fractions",
}


def test_other_packages_use_the_listed_names_of_proofs_only() -> None:
    used = set[str]()
    for module, path in MODULES.items():
        package = module.split(".")[1:2]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("rivalry.proofs"):
                used |= {f"{package[0]}: {name.name}" for name in node.names if package != ["proofs"]}
    listed = {f"{package}: {name}" for package, names in OF_PROOFS.items() for name in names.split()}
    extra = (
        "{} is imported from rivalry.proofs: use a name of OF_PROOFS in tests/unit/test_house.py, or list it"
    )
    lines = differences(listed, used, "tests/unit/test_house.py, OF_PROOFS: remove {}", extra)
    assert not lines, "\n".join(lines)


def test_numbers_that_decide_have_one_name_and_one_home() -> None:
    """No other module gives a name of `rivalry.core.tolerances` another meaning."""
    names = {
        module: {
            name.id: name.lineno
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }
        for module, path in MODULES.items()
    }
    deciding = names.pop("rivalry.core.tolerances")
    assert deciding, "src/rivalry/core/tolerances.py: no number is assigned: keep the tolerances there"
    lines = [
        f"{place(module, line)} assigns {name}: import it from rivalry.core.tolerances, or rename it"
        for module, assigned in names.items()
        for name, line in assigned.items()
        if name in deciding
    ]
    assert not lines, "\n".join(lines)


BELOW = {  # of a package, the only others that it imports
    "runtime": set(),
    "schema": set(),
    "text": set(),
    "results": {"runtime", "schema", "text"},
    "core": {"runtime", "schema", "text", "results"},
    "proofs": {"runtime", "schema", "text", "results", "core"},
    "certificates": {"runtime", "schema", "text", "results", "core", "proofs"},
}


def test_the_lowest_packages_import_only_those_below() -> None:
    lines = [
        f"{where}: move what is needed to rivalry.{package[0]} or below"
        for module, where, entry in every_import()
        if (package := module.split(".")[1:2]) and package[0] in BELOW and entry.module.startswith("rivalry.")
        if entry.module.split(".")[1] not in {package[0], *BELOW[package[0]]}
    ]
    assert not lines, "\n".join(lines)


# Subpackages that are one: the workbench shows living figures, and the methods of studies of economies are
# loaded only where such a study names them.
TOGETHER = {("web", "living"), ("studies", "economies")}
PLACE = re.compile(rf"rivalry\.({'|'.join(OPTIONAL)})\b[\w.]*(:\w+)?")


def test_optional_subpackages_are_reached_through_tables_only() -> None:
    """Each can be removed: others name nothing of it, whether by an import or as text to import."""
    lines = []
    for module, path in MODULES.items():
        first = module.partition(".")[2].partition(".")[0]
        found = [(one.module, one.line) for one in imports(path) if not (one.for_types and not first)]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = (
            node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        found += [(node.value, node.lineno) for node in texts]
        for name, line in found:
            match = PLACE.fullmatch(name)
            if match and match[1] != first and (first, match[1]) not in TOGETHER:
                table = "a table of its register (rivalry.schema.register.collect)"
                lines.append(f"{place(module, line)} names {name}: reach it through {table}")
    assert not lines, "\n".join(lines)


def test_the_top_level_package_is_not_imported_from_within() -> None:
    lines = [
        f"{where}: import from the module that defines the name"
        for _, where, entry in every_import()
        if entry.module == "rivalry"
    ]
    assert not lines, "\n".join(lines)


def test_imports_have_no_cycles_including_lazy_ones() -> None:
    edges = {
        module: {f.module for f in imports(path) if f.module in MODULES and not f.for_types} - {module}
        for module, path in MODULES.items()
    }
    edges.pop("rivalry")
    lines = [
        f"{in_files(cycle)}: an import cycle: move what both need to a third module"
        for cycle in in_circles(edges)
    ]
    assert not lines, "\n".join(lines)


def test_no_module_has_a_catch_all_name() -> None:
    words = {"util", "utils", "common", "helper", "helpers", "manager", "misc"}
    lines = [
        f"{place(module)}: rename the module after its content"
        for module, path in MODULES.items()
        if words & set(path.stem.lower().split("_"))
    ]
    assert not lines, "\n".join(lines)


def test_few_parameters_are_of_any_type() -> None:
    """What is `Any` no type checker looks at; lower the number where you can."""
    parameters = [
        (place(module), ast.unparse(parameter.annotation))
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.arguments)
        for parameter in (*node.posonlyargs, *node.args, *node.kwonlyargs, node.vararg, node.kwarg)
        if parameter is not None and parameter.annotation is not None
    ]
    untyped = Counter(file for file, kind in parameters if kind in ("Any", "Any | None"))
    assert untyped.total() <= MOST_ANY, (
        f"{untyped.total()} parameters are Any, more than MOST_ANY = {MOST_ANY} of tests/unit/test_house.py: "
        "annotate those you added:\n" + "\n".join(f"{file}: {n} Any" for file, n in untyped.most_common())
    )


def test_public_names_are_sorted_few_and_complete() -> None:
    file, names = "src/rivalry/__init__.py", list(rivalry.__all__)
    assert names == sorted(set(names)), f"{file}: sort `__all__`, without repetition"
    assert len(names) <= 40, f"{file}: {len(names)} public names, more than 40: export from a subpackage"
    assert dir(rivalry) == names, f"{file}: return `__all__` from `__dir__`"


@pytest.mark.parametrize("name", [name for name in rivalry.__all__ if name != "__version__"])
def test_every_public_name_resolves_to_its_module(name: str) -> None:
    value, init = getattr(rivalry, name), "src/rivalry/__init__.py"
    if name in rivalry._MODULES:
        home, module = f"rivalry.{rivalry._MODULES[name]}", value.__module__
        assert f"{module}.".startswith(f"{home}."), f"{init}, _NAMES: list {name} under {module}, not {home}"
    else:
        home, module = f"rivalry.{rivalry._SUBPACKAGES[name]}", value.__name__
        assert module == home, f"{init}, _SUBPACKAGES: {name} is {module}, not {home}: correct the row"
    assert (value.__doc__ or "").strip(), f"{in_files(module)}: {name} has no docstring: add one"


def test_version_matches_the_installed_package() -> None:
    from importlib.metadata import version

    assert rivalry.__version__ == version("rivalry"), (
        "src/rivalry/__init__.py: `__version__` is not that of the installed package: run pip install -e ."
    )


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'equilibrium'"):
        rivalry.equilibrium  # noqa: B018


@pytest.mark.parametrize("subpackage", ["games", "methods", "plots"])
def test_every_registered_name_resolves(subpackage: str) -> None:
    package = importlib.import_module(f"rivalry.{subpackage}")
    registered, file = getattr(package, subpackage.upper()), place(f"rivalry.{subpackage}")
    assert list(registered) == sorted(registered), f"{file}: sort the names of {subpackage.upper()}"
    for name, entry in registered.items():
        assert entry.title, f"{file}: {name} has no title: add one"
        for target in entry.targets:
            attribute = target.partition(":")[2]
            same = getattr(package, attribute, None) is load(target)
            assert same, f"{file}: {package.__name__}.{attribute} is not {target}: correct the entry {name}"


MODULES_BY_NAME = """
import sys
for name in sys.argv[1:]:
    names = {}
    try:
        exec(f"import {name} as module", names)
    except ModuleNotFoundError as error:
        print(name, "needs", error.name)
    except ImportError as error:
        print(name, "fails:", error)
    else:
        if names["module"] is not sys.modules[name]:
            print(name, "is hidden by", names["module"])
"""


def test_every_module_can_be_imported_by_its_name() -> None:
    """`import a.b.c as m` gives the module, which a function or class of the same name would hide."""
    names = [module for module in MODULES if not module.endswith("__main__")]
    command = [sys.executable, "-c", MODULES_BY_NAME, *names, *names]  # a second time, once all are imported
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # of the extras, Ray alone is imported outside functions; elsewhere it is present or named in one line
    extras = r"rivalry\.(integrations\.rllib\.bridge needs ray|envs\S* fails: .*pip install '.*\[envs\]')"
    lines = [
        f"{in_files(line)}: import an extra inside functions; rename what hides a module"
        for line in done.stdout.splitlines()
        if not re.fullmatch(extras, line)
    ]
    assert not lines, "\n".join(lines)


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys; print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stderr.split())


HELP = """
import sys
from rivalry.cli import main
sys.argv = ["rivalry", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize("code", ["import rivalry", HELP], ids=["import", "help"])
def test_import_and_help_load_no_heavy_library(code: str) -> None:
    modules = loaded_by(code)
    heavy = sorted(set(HEAVY) & modules)
    lines = [
        f"{where}: move the import into the functions that need it"
        for module, where, entry in every_import()
        if module in modules and entry.module.split(".")[0] in heavy and not (entry.lazy or entry.for_types)
    ]
    indirect = (
        f"src/rivalry: a dependency loads {heavy}: python -X importtime -c 'import rivalry' shows which"
    )
    assert not heavy, "\n".join(lines) or indirect
