"""Declarations of lazy names for type checkers and editors: `python -m tests.declarations` writes them.

A module whose names are loaded on first use has a stub beside it, which imports each name from its home.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from subprocess import run
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

SOURCE = Path(__file__).parents[1] / "src" / "rivalry"
REGISTERED = {"games": "GAMES", "methods": "METHODS", "plots": "PLOTS"}
WITH_MODULES = ("extend", "influencers", "karma", "markets", "races", "tables", "trees")
TYPES: dict[type, str] = {frozenset: "frozenset[str]", tuple: "tuple[str, ...]", dict: "dict[str, {}]"}


def homes(name: str) -> dict[str, str]:
    """Return where each lazy name of a module is defined; "" is the package itself."""
    module = import_module(f"rivalry.{name}".rstrip("."))
    if not name:  # a subpackage is imported from the package that holds it
        packages = vars(module)["_SUBPACKAGES"]
        found = {one: home.rpartition(".")[0] for one, home in packages.items()} | vars(module)["_MODULES"]
        return {one: f"rivalry.{home}".rstrip(".") for one, home in found.items()}
    targets: list[str] = []
    if name in WITH_MODULES:
        targets = [target for target in module._MODULES.values() if ":" in target]
        packages = [target for target in module._MODULES.values() if ":" not in target]
        modules = {target.rpartition(".")[2]: target.rpartition(".")[0] for target in packages}
        return {target.partition(":")[2]: target.partition(":")[0] for target in targets} | modules
    else:
        targets = [one for entry in vars(module)[REGISTERED[name]].values() for one in entry.targets]
    found = {target.partition(":")[2]: target.partition(":")[0] for target in targets}
    others = (one for one in dir(module) if one not in found and not one.isupper())
    return found | {one: getattr(module, one).__module__ for one in others}


def own(module: ModuleType, imports: set[str]) -> Iterator[str]:
    """Yield the declarations of what a module defines itself, and add what they import."""
    for node in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) if not name.startswith("_"):
                yield f"def {name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or node)}: ..."
            case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper() and not name.startswith("_"):
                value = vars(module)[name]
                kind = type(next(iter(value.values()))) if isinstance(value, dict) else str
                if kind is not str:
                    imports.add(f"from {kind.__module__} import {kind.__name__}")
                yield f"{name}: {TYPES[type(value)].format(kind.__name__)}"
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                imports |= {"from collections.abc import Mapping", "from typing import Any"}
                yield f"{name}: {ast.unparse(node.annotation)}"


def keywords_of(name: str, factory: Any, imports: set[str]) -> str:
    """Return the declaration of a factory of groups of keys, and add what it imports."""
    parameters = inspect.signature(factory).parameters
    types = {key: type_of(parameter.annotation, imports) for key, parameter in parameters.items()}
    game = get_type_hints(inspect.unwrap(factory))["return"]
    keywords = ", ".join(f"{key}: {kind} = ..." for key, kind in types.items())
    return f"def {name}(*, {keywords}) -> {type_of(game, imports)}: ..."


def type_of(hint: Any, imports: set[str]) -> str:
    """Return an annotation without its notes, and add what it imports.

    >>> type_of(Annotated[list[float], "amounts"] | None, set())
    'list[float] | None'
    """
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_of(members[0], imports)
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(type_of(member, imports) for member in members))
    if origin is Literal:
        imports.add("from typing import Literal")
        # typing caches unions of Literals that are equal in another order: the first one made decides
        return f"Literal[{', '.join(sorted(map(repr, members)))}]"
    if origin is Callable:
        imports |= {"from collections.abc import Callable", "from typing import Any"}
        return "Callable[..., Any]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(type_of(member, imports) for member in members)}]"
    if hint is type(None):
        return "None"
    if hint.__module__ != "builtins":
        imports.add(f"from {hint.__module__} import {hint.__name__}")
    return str(hint.__name__)


def declaration(name: str) -> str:
    """Return the stub of a module with lazy names."""
    module = import_module(f"rivalry.{name}".rstrip("."))
    imports, factories = set[str](), list[str]()
    for one, home in homes(name).items():
        loaded = getattr(module, one)
        # of other lazy names a type checker reads the signature where they are defined
        if name == "games" and "__signature__" in vars(loaded):
            factories.append(keywords_of(one, loaded, imports))
        else:
            imports.add(f"from {home} import {one} as {one}")
    lines = [f'"""{(module.__doc__ or "").splitlines()[0]}"""', ""]
    rest = [*factories, *own(module, imports), *(["__version__: str"] if not name else [])]
    text = "\n".join([*lines, *sorted(imports), "", *rest, ""])
    for action in (["check", "--fix-only", "--select=I"], ["format"]):
        command = [*ruff(), *action, "--quiet", "--stdin-filename=x.pyi", "-"]
        text = run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


def ruff() -> list[str]:
    """Return the command that runs ruff, of this environment or on the PATH. Raises `SystemExit`."""
    if find_spec("ruff") is not None:
        return [sys.executable, "-m", "ruff"]
    if program := which("ruff"):
        return [program]
    raise SystemExit("tests.declarations: ruff lays out the stubs and is missing: pip install ruff")


def stub_of(name: str) -> Path:
    """Return the path of a module's stub."""
    return Path(str(import_module(f"rivalry.{name}".rstrip(".")).__file__)).with_suffix(".pyi")


NAMES = ("", *REGISTERED, *WITH_MODULES)

if __name__ == "__main__":
    for module_name in NAMES:
        stub_of(module_name).write_text(declaration(module_name), encoding="utf-8")
