"""The files that describe the project: one version, addresses that exist, forms that can be read."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from rivalry.cli.commands import app
from tests.unit.test_house import differences

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted(path.name for path in ROOT.glob("*.md"))


def test_all_files_state_the_version_and_licence_of_the_project() -> None:
    codemeta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    terms = {"license": f"https://spdx.org/licenses/{PROJECT['license']}"}
    lines = [
        f'codemeta.json: set "{key}" to "{value}", as in pyproject.toml'
        for key, value in ({key: PROJECT[key] for key in ("version", "description")} | terms).items()
        if codemeta[key] != value
    ]
    lines += [
        f"CITATION.cff: set the line `{key}: {PROJECT[key]}`, as in pyproject.toml"
        for key in ("version", "license")
        if f"{key}: {PROJECT[key]}" not in citation
    ]
    assert not lines, "\n".join(lines)


def test_the_conda_recipe_has_the_requirements_of_the_project() -> None:
    recipe = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    run = recipe.partition("\n  run:\n")[2].partition("\n\n")[0]
    packages = re.findall(r"^    - ([\w-]+ >=[^#\n]*[^# \n])", run, re.MULTILINE)
    names = {"matplotlib": "matplotlib-base"}  # the package without graphical toolkits
    parts = [re.fullmatch(r"([\w-]+)(>=[\w.]+)", line) for line in PROJECT["dependencies"]]
    assert all(parts), "pyproject.toml: compare other forms of requirements with conda/recipe.yaml too"
    needed = [f"{names.get(part[1], part[1])} {part[2]}" for part in parts if part]
    place = "conda/recipe.yaml, run: "
    lines = differences(
        ["python >=${{ python_min }}", *needed],
        packages,
        place + "add `- {}`, as in pyproject.toml",
        place + "remove `- {}`, which is not in pyproject.toml",
    )
    stated = {
        f"  version: {PROJECT['version']}",
        f'  python_min: "{PROJECT["requires-python"].removeprefix(">=")}"',
        f'  summary: "{PROJECT["description"]}"',
        f"  license: {PROJECT['license']}",
        f"      - rivalry = {PROJECT['scripts']['rivalry']}",
    }
    lines += differences(stated, recipe.splitlines(), "conda/recipe.yaml: set `{}`, as in pyproject.toml")
    assert not lines, "\n".join(lines)


def test_the_badges_state_the_licence_and_the_versions_of_python() -> None:
    badges = re.findall(r"^\[!\[([^\]]+)\]", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    versions = [line.split()[-1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    stated = [f"Licence: {PROJECT['license']}", f"Python {versions[0]} to {versions[-1]}"]
    assert badges == stated, f"README.md: replace badges {badges} by {stated}, as in pyproject.toml"


def test_the_changelog_keeps_its_form() -> None:
    """Sections per version, the newest first; entries in the groups of Keep a Changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (?!\[Unreleased\])(.*)$", text, re.MULTILINE)
    form = r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|not yet released)"
    lines = [
        f'CHANGELOG.md, "## {title}": write "## [1.2.3] - 2026-01-31" or "... - not yet released"'
        for title in versions
        if not re.fullmatch(form, title)
    ]
    numbers = [tuple(map(int, re.findall(r"\d+", title)[:3])) for title in versions]
    if numbers != sorted(set(numbers), reverse=True):
        lines.append("CHANGELOG.md: sort the versions, the newest first")
    if ".".join(map(str, numbers[0])) != PROJECT["version"]:
        lines.append(f"CHANGELOG.md: begin with a section of version {PROJECT['version']} of pyproject.toml")
    known = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    for section in text.split("\n## ")[1:]:
        groups, place = re.findall(r"^### (.*)$", section, re.MULTILINE), section.splitlines()[0]
        if not groups or len(groups) != len(set(groups)) or not set(groups) <= set(known):
            lines.append(f'CHANGELOG.md, "## {place}": groups {groups}: use some of {known}, each once')
        if verbs := re.findall(r"^- (?:Added|Changed|Removed|Fixed): .*", section, re.MULTILINE):
            lines.append(f'CHANGELOG.md, "## {place}": move to the group of its first word: {verbs}')
    assert not lines, "\n".join(lines)


def test_the_changelog_names_commands_and_extras_that_exist() -> None:
    words = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    extras = set(re.findall(r"extra `(\w+)`", words))
    unknown = sorted(extras - set(PROJECT["optional-dependencies"]))
    lines = [
        f"CHANGELOG.md: extra `{extra}` is not in pyproject.toml: correct the entry" for extra in unknown
    ]
    listed = words.partition("**The command** `rivalry`: ")[2].partition("each with")[0]
    commands = {row.callback.__name__.rstrip("_") for row in app.registered_commands if row.callback}
    place = "CHANGELOG.md, **The command** `rivalry`: "
    names = re.findall(r"`(\w+)`", listed)
    lines += differences(commands, names, place + "add `{}`", place + "remove `{}`, which is no command")
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("name", PAGES)
def test_relative_links_name_existing_files(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    lines = [
        f"{name}: no file {target}: correct the link" for target in targets if not (ROOT / target).exists()
    ]
    assert not lines, "\n".join(lines)


DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*/*.md"))


def test_nothing_is_installed_from_an_index_that_does_not_have_it() -> None:
    lines = []
    for name in {*PAGES, *DOCS} - {"RELEASING.md"}:
        text = (ROOT / name).read_text(encoding="utf-8")
        lines += [
            f"{name}: pip install {command}: install from the checkout or a wheel, as README.md does"
            for command in re.findall(r"pip install (['\"]?rivalry\b[^\n`]*)", text)
        ]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_have_names_and_distinct_fields(form: Path) -> None:
    rows, file = form.read_text(encoding="utf-8").splitlines(), form.relative_to(ROOT).as_posix()
    fields = [row.split()[-1] for row in rows if row.strip().startswith("id:")]
    for number, key in enumerate(("name: ", "description: "), 1):
        assert rows[number - 1].startswith(key), f"{file}:{number}: begin the line with `{key}`"
    assert fields, f"{file}: add a field with an `id:`"
    assert len(fields) == len(set(fields)), f"{file}: rename repeated ids among {fields}"
    areas = sum(row == "  - type: textarea" for row in rows)
    assert areas == len(fields), f"{file}: {areas} textareas and {len(fields)} ids: add an `id:` to each"
