"""Ceilings on the size of the project: what is added is paid for by what goes.

`sizes.json` has the largest size that each part may have; it only falls. `python -m tests.unit.test_sizes`
lowers it to the present sizes.
"""

import ast
import io
import json
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CEILINGS = Path(__file__).with_name("sizes.json")
LONG = 60  # lines of a function, with its docstring
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def sources(folder: str, suffix: str = ".py") -> Iterator[str]:
    for path in sorted((ROOT / folder).rglob(f"*{suffix}")):
        yield path.read_text(encoding="utf-8")


def count_tokens(source: str) -> int:
    """Number of tokens other than comments and layout.

    >>> count_tokens("x = 1  # one" + chr(10) + chr(10) + "y = x")
    6
    """
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return sum(token.type not in LAYOUT for token in tokens)


def count_long_functions(source: str) -> int:
    """Number of functions of more than `LONG` lines."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, functions)]
    return sum((node.end_lineno or node.lineno) - node.lineno >= LONG for node in nodes)


def dependencies() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return len(project["dependencies"])


SIZES: dict[str, Callable[[], int]] = {
    "tokens of src": lambda: sum(map(count_tokens, sources("src"))),
    "functions above 60 lines in src": lambda: sum(map(count_long_functions, sources("src"))),
    "lines of tests": lambda: sum(source.count("\n") for source in sources("tests")),
    "words of docs": lambda: sum(len(source.split()) for source in sources("docs", ".md")),
    "dependencies": dependencies,
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_do_not_rise(name: str) -> None:
    ceiling = json.loads(CEILINGS.read_text(encoding="utf-8"))[name]
    size = SIZES[name]()
    assert size <= ceiling, f"{name}: {size:,} is above {ceiling:,}; take out as much as was added"


def test_tokens_are_those_of_the_code() -> None:
    assert count_tokens("# a comment\n\n\ndef f(x):\n    return x\n") == 8


def test_long_functions_are_counted_with_their_last_line() -> None:
    body = "    x = 1\n"
    assert count_long_functions("def f():\n" + body * (LONG - 1)) == 0
    assert count_long_functions("def f():\n" + body * LONG) == 1


if __name__ == "__main__":
    recorded = json.loads(CEILINGS.read_text(encoding="utf-8")) if CEILINGS.exists() else {}
    sizes = {name: size() for name, size in SIZES.items()}
    lowered = {name: min(size, recorded.get(name, size)) for name, size in sizes.items()}
    CEILINGS.write_text(json.dumps(lowered, indent=1) + "\n", encoding="utf-8")
    print(*(f"{name}: {sizes[name]:,}, at most {lowered[name]:,}" for name in SIZES), sep="\n")
