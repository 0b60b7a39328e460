"""How many imports lie between each test file and a change: `python -m tests.near REV` prints it as JSON.

An edge is an import, also inside a function, or the name of a lazily loaded file: tests and studies name a
family, a method, a chart or a study by its word. A test is near a change if few edges lead from its file to a
changed file.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
SOURCES = ("src/", "checker/src/", "")
# Files that tests and studies name by a word: `best_response`, `BestResponse`, `tour`.
NAMED = re.compile(r"src/rivalry/(families|methods|plots/charts|transforms|studies|economies|integrations)/")
# Tables of names: what they list is loaded only where something else names it.
TABLES = re.compile(r"src/rivalry/(\w+/)?(__init__|games|register)\.py")


def module_of(file: str) -> str:
    """Dotted name of a Python file."""
    for source in SOURCES:
        if file.startswith(source):
            stem = file[len(source) :].removesuffix(".py").removesuffix("/__init__")
            return stem.replace("/", ".")
    return file


def imported(tree: ast.Module, strings: bool) -> Iterator[str]:
    """Modules that a file imports, but for type checkers alone; with ``strings``, those it names as text."""
    checked = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for line in block.body
        for node in ast.walk(line)
    }
    for node in ast.walk(tree):
        if node in checked:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif strings and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"rivalry(?:\.\w+)+", node.value)


def edges(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Files that each file imports or names, from the texts of all files of the tree."""
    modules = {module_of(file): file for file in texts if file.endswith(".py")}
    words: defaultdict[str, set[str]] = defaultdict(set)
    for file in texts:
        path = PurePosixPath(file)
        if NAMED.match(file) and path.stem != "__init__":
            for word in (path.stem, "".join(part.capitalize() for part in path.stem.split("_"))):
                words[word].add(file)
        if file.startswith("src/rivalry/families/") and len(path.parts) > 4:
            words[path.parts[3]].add(file)
        if path.suffix in (".json", ".toml", ".js", ".css", ".efg", ".nfg"):
            words[path.name].add(file)
    public = {}  # names of `rv.`, each with its module
    for node in ast.parse(texts.get("src/rivalry/__init__.py", "")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES":
            for module, names in ast.literal_eval(node.value).items():
                public |= dict.fromkeys(names, f"rivalry.{module}")
    graph = {}
    for file, text in texts.items():
        targets: set[str] = set()
        if file.endswith(".py"):
            named = set(imported(ast.parse(text), strings=not TABLES.fullmatch(file)))
            if file.startswith("tests/"):
                named |= {public[name] for name in re.findall(r"\brv\.(\w+)", text) if name in public}
            targets |= {modules[name] for name in named if name in modules}
        if file.startswith(("tests/", "src/rivalry/studies/")):
            names = {*re.findall(r"\w+", text), *re.findall(r"\w+\.\w+", text)}
            targets |= {target for name in names & set(words) for target in words[name]}
        graph[file] = targets - {file}
    return graph


def distances(graph: Mapping[str, set[str]], changed: Iterable[str]) -> dict[str, int]:
    """Number of edges from each file to the nearest changed file, for files that lead to any."""
    importers: defaultdict[str, set[str]] = defaultdict(set)
    for file, targets in graph.items():
        for target in targets:
            importers[target].add(file)
    distance = dict.fromkeys(changed, 0)
    queue = deque(distance)
    while queue:
        target = queue.popleft()
        for file in importers[target]:
            if file not in distance:
                distance[file] = distance[target] + 1
                queue.append(file)
    return distance


def tree_texts() -> dict[str, str]:
    """Texts of all files that git knows, without pictures and other binary files."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in names.split():
        try:
            texts[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
    return texts


def near(revision: str) -> dict[str, int]:
    """Distance of every test file from what changed since a revision; only files that reach it."""
    command = ["git", "diff", "--name-only", revision, "--"]
    changed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return {
        file: distance
        for file, distance in distances(edges(tree_texts()), changed).items()
        if PurePosixPath(file).name.startswith("test_")
    }


if __name__ == "__main__":
    print(json.dumps(near(sys.argv[1])))
