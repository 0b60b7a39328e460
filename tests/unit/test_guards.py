"""Guards: counts of constructs that make the package hard to read may fall, never rise.

Each guard lists its findings in the source. It fails where there are more than `guards.json` records,
and names those that are new. `python -m tests.unit.test_guards` records the present findings; the record
may only shrink.
"""

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rivalry.games import GAMES
from rivalry.methods import METHODS
from rivalry.schema.register import collect
from tests.unit.test_house import MODULES, imports, in_circles, in_files

pytestmark = pytest.mark.slow

RECORD = Path(__file__).with_name("guards.json")
SHORT = 200  # lines

# Identifiers that the package used before; each has a standard term in its place.
RETIRED = re.compile(
    "alike|begun|best_reply|carry_on|ceiling|curved|drawn|endless|everybody|gain_between|goes|held|inner|inward|"
    "jumps|kbar|kept|kmax|lanes?|laws?|least|listed|lived|moved|odds|opening|outer|p_update|pooled_gain|"
    "proved_reply|q0|refuses|repl(y|ies)|seats|sees|settled|shown|stock_range|told|trained_gain"
)
# Words that stand for a noun without naming it, each with what to write in its place.
PRONOUNS = {
    word: nouns
    for nouns, words in {
        "what it holds, such as solution, record or matches": (
            "found got known seen taken tried said asked made done gone met"
        ),
        "what was selected, such as rows or actions": "chosen picked wanted needed",
        "arguments, or the parameter that it replaces": "given",
        "the element, such as player, row or term": "one each every another",
        "whose it is, such as rival or player": "other others own mine ours yours theirs",
        "players, rows or terms": (
            "everyone everybody everything nobody nothing somebody something anybody anything"
        ),
        "the noun itself": "it its that these this those they them",
        "reason, subject, player or position": "what which who whom whose why how here there",
        "count, remainder or suffix": "more less",
    }.items()
    for word in words.split()
}
# where a lane is a road lane
ROADS = re.compile(r"\.economies|living\.streets")


def trees() -> Iterator[tuple[str, ast.Module]]:
    for module, path in MODULES.items():
        yield module, ast.parse(path.read_text(encoding="utf-8"))


def circles() -> list[str]:
    """Modules in import cycles; imports for type checkers and inside functions count."""
    return in_circles(
        {module: {found.module for found in imports(path)} - {module} for module, path in MODULES.items()}
    )


def homonyms() -> list[str]:
    """Names of classes that two modules or more define."""
    homes: dict[str, set[str]] = defaultdict(set)
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(module)
    return sorted(f"{name}: {', '.join(sorted(at))}" for name, at in homes.items() if len(at) > 1)


def one_importer() -> list[str]:
    """Modules under 200 lines that exactly one other module imports, and that no name is registered for."""
    named = {target for entry in (GAMES | METHODS).values() for target in entry.targets}
    plain = (target for table in ("COMMANDS", "ENVIRONMENTS", "HOOKS") for target in collect(table).values())
    registered = {target.partition(":")[0] for target in (*named, *plain)}
    importers: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        for found in imports(path):
            if found.module != module:
                importers[found.module].add(module)
    return sorted(
        f"{module} (imported by {min(importers[module])})"
        for module, path in MODULES.items()
        if len(importers[module]) == 1
        and module not in registered
        and path.name != "__init__.py"
        and len(path.read_text(encoding="utf-8").splitlines()) < SHORT
    )


def probes() -> list[str]:
    """Calls of `hasattr` and `getattr` with a literal name."""
    return sorted(
        f"{module}: {node.func.id} {node.args[1].value}"
        for module, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("hasattr", "getattr")
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    )


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Names of functions, classes, parameters, variables and fields of a module, once per function."""
    names, nodes = set(), list(ast.iter_child_nodes(tree))
    for node in nodes:  # grows
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
            yield from defined_names(node)
            continue
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        nodes += ast.iter_child_nodes(node)
    yield from names


def retired_names() -> list[str]:
    """Retired identifiers and modules called so, once per module; bindings called by a pronoun, each."""
    findings = []
    for module, tree in trees():
        names = list(defined_names(tree))
        findings += [f"{module}: {name}" for name in names if name.strip("_") in PRONOUNS]
        for name in {*names, module.rpartition(".")[2]}:
            plain = name.strip("_")
            if RETIRED.fullmatch(plain) and not (plain.startswith("lane") and ROADS.search(module)):
                findings.append(f"{module}: {name}")
    return sorted(findings)


COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def dense_expressions() -> list[str]:
    """Comprehensions with two loops or conditions, or within another; ternaries within either."""
    findings = []
    for module, tree in trees():
        findings += [f"{module}: {name}" for name in _dense(tree, "", within=False)]
    return sorted(findings)


def _dense(node: ast.AST, name: str, *, within: bool) -> Iterator[str]:
    """Yield the name of the function of every dense expression; ``within`` one already."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        name = node.name
    is_comprehension = isinstance(node, COMPREHENSIONS)
    if isinstance(node, COMPREHENSIONS) and not within:
        loops = node.generators
        if len(loops) > 1 or len(loops[0].ifs) > 1:
            yield name
    if within and (is_comprehension or isinstance(node, ast.IfExp)):
        yield name
    # what a nested function does is a thought of its own
    starts_anew = isinstance(node, ast.stmt | ast.Lambda)
    within = not starts_anew and (within or is_comprehension or isinstance(node, ast.IfExp))
    for child in ast.iter_child_nodes(node):
        yield from _dense(child, name, within=within)


# with what to do where a count rises
GUARDS: dict[str, tuple[Callable[[], list[str]], str]] = {
    "circles": (circles, "move what both modules need to a third"),
    "dense_expressions": (dense_expressions, "give the inner expression a statement and a name"),
    "homonyms": (homonyms, "rename one of the classes"),
    "one_importer": (one_importer, "merge it into the module that imports it"),
    "probes": (probes, "remove it: declare the attribute in a type or protocol"),
    "retired_names": (retired_names, "use the standard term of the field (docs/reference/terms.md)"),
}


def more_than(recorded: list[str], found: list[str]) -> list[str]:
    """The findings that are not recorded, if there are more findings than records."""
    return sorted((Counter(found) - Counter(recorded)).elements()) if len(found) > len(recorded) else []


def noun_for(finding: str) -> str:
    """What to write in place of a binding called by a pronoun; empty for other findings."""
    nouns = PRONOUNS.get(finding.partition(": ")[2].strip("_"))
    return f"write {nouns}" if nouns else ""


@pytest.mark.parametrize("name", GUARDS)
def test_guarded_counts_do_not_rise(name: str) -> None:
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))[name]
    guard, remedy = GUARDS[name]
    findings = guard()
    rise = f"{name} rose from {len(recorded)} to {len(findings)}"
    fewer = "where a number fell, record it by python -m tests.unit.test_guards"
    lines = [
        f"{in_files(new)}: {rise}: {noun_for(new) or remedy}; {fewer}"
        for new in more_than(recorded, findings)
    ]
    assert not lines, "\n".join(lines)


def test_import_cycles_are_found_and_chains_are_not() -> None:
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": set(), "d": {"a"}}) == []
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == ["b (b)", "c (b)", "d (d)"]


def test_defined_names_are_found_and_used_names_are_not() -> None:
    tree = ast.parse("class A:\n    told: int\n    def held(self, kept): self.shown = kept.lived\n")
    assert set(defined_names(tree)) == {"A", "told", "held", "self", "kept", "shown"}


def test_names_are_defined_once_per_function() -> None:
    tree = ast.parse(
        "found = 1\ndef f(each):\n    found = each\n    found += 1\n    g = lambda found: found\n"
    )
    assert sorted(defined_names(tree)) == ["each", "f", "found", "found", "g"]


def test_findings_count_only_where_there_are_more_than_recorded() -> None:
    assert more_than(["a", "b"], ["a", "c"]) == []
    assert more_than(["a", "b"], ["a", "a", "c"]) == ["a", "c"]


if __name__ == "__main__":
    record = {name: guard() for name, (guard, _) in GUARDS.items()}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(*(f"{name}: {len(found)}" for name, found in record.items()), sep="\n")
