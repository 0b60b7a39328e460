"""Annotations as checks: every call into the package is held against its types and array shapes.

Done by jaxtyping and beartype. Beartype looks an annotation's names up in the module where they stand, so the
imports that a module makes only for type checkers (`if TYPE_CHECKING:`) are made here: those of jaxtyping
before the module, since what is subscripted is needed as a function is decorated, the others after it, unless
the module has an `else` that defines their names.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from beartype import BeartypeConf, beartype

PACKAGE = "rivalry"
COMPILED = ("kernels",)
AT_WORK = os.environ.get("RIVALRY_TYPED", "") != ""

# A whole number is welcome where a number is, as it is for type checkers.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


class _Names(MetaPathFinder):
    """Finds the package's modules as the other finders do, and completes them once they are executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] != PACKAGE:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                _complete_after(spec.loader)
                return spec
        return None


_waiting: list[ModuleType] = []
_depth = 0


def _complete_after(loader: Any) -> None:
    """Once no import is under way any more: modules may name each other for type checkers."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        global _depth
        _depth += 1
        try:
            _run_type_checking_blocks(module, before=True)
            execute(module)
            _waiting.append(module)
        finally:
            _depth -= 1
        while _depth == 0 and _waiting:
            _run_type_checking_blocks(_waiting.pop())

    loader.exec_module = exec_module


def _run_type_checking_blocks(module: ModuleType, before: bool = False) -> None:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            imports = [line for line in node.body if isinstance(line, ast.Import | ast.ImportFrom)]
            body = [line for line in imports if _is_of_arrays(line) or not (before or node.orelse)]
            block = ast.Module(body=[*body], type_ignores=[])
            exec(compile(block, str(module.__file__), "exec"), vars(module))


def _is_of_arrays(line: ast.stmt) -> bool:
    """Whether a line imports types of arrays."""
    return isinstance(line, ast.ImportFrom) and line.module == "jaxtyping"


def _checked_modules() -> list[str]:
    """The package's modules except those with loops that Numba compiles as they stand."""
    folder = Path(str(find_spec(PACKAGE).origin)).parent  # type: ignore[union-attr]
    compiled = {path.parent for name in COMPILED for path in folder.glob(f"*/{name}")}
    parts = [
        path
        for part in folder.iterdir()
        for path in (part.iterdir() if part in compiled else [part])
        if not path.name.startswith("__") and path.name not in COMPILED and path.suffix in ("", ".py")
    ]
    return sorted(".".join((PACKAGE, *path.relative_to(folder).with_suffix("").parts)) for path in parts)


def install() -> None:
    """From here on, modules of the package that are imported are checked."""
    from jaxtyping import install_import_hook

    assert not any(name.split(".")[0] == PACKAGE for name in sys.modules), (
        "the package was imported before its checks"
    )
    # Of a list, beartype checks one item drawn at random; here the last one, so that runs do not differ.
    with suppress(ImportError):  # where beartype 0.23 draws; other versions may draw elsewhere
        from beartype._check.code import codemain

        codemain.getrandbits = lambda bits: -1  # type: ignore[attr-defined]
    install_import_hook(_checked_modules(), "tests.typed.checked")
    sys.meta_path.insert(0, _Names())
