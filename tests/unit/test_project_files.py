"""The files that describe the project: one version, addresses that exist, forms that can be read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from rivalry.cli.commands import app

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted(path.name for path in ROOT.glob("*.md"))


def test_all_files_state_the_version_and_licence_of_the_project() -> None:
    codemeta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert codemeta["version"] == PROJECT["version"]
    assert codemeta["description"] == PROJECT["description"]
    assert f"version: {PROJECT['version']}" in citation.splitlines()
    assert f"license: {PROJECT['license']}" in citation.splitlines()
    assert codemeta["license"].endswith(f"/{PROJECT['license']}")


def test_the_badges_state_the_licence_and_the_versions_of_python() -> None:
    badges = re.findall(r"^\[!\[([^\]]+)\]", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    versions = [line.split()[-1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert badges == [f"Licence: {PROJECT['license']}", f"Python {versions[0]} to {versions[-1]}"]


def test_the_changelog_keeps_its_form() -> None:
    """Sections per version, the newest first; entries in the groups of Keep a Changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (?!\[Unreleased\])(.*)$", text, re.MULTILINE)
    assert all(
        re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|not yet released)", one) for one in versions
    )
    numbers = [tuple(map(int, re.findall(r"\d+", one)[:3])) for one in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    assert ".".join(map(str, numbers[0])) == PROJECT["version"]
    for section in text.split("\n## ")[1:]:
        groups = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert len(groups) == len(set(groups))
        assert set(groups) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert groups
        assert not re.search(r"^- (Added|Changed|Removed|Fixed): ", section, re.MULTILINE)


def test_the_changelog_names_commands_and_extras_that_exist() -> None:
    words = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    extras = set(re.findall(r"extra `(\w+)`", words))
    assert extras <= set(PROJECT["optional-dependencies"])
    listed = words.partition("**The command** `rivalry`: ")[2].partition("each with")[0]
    commands = {one.callback.__name__ for one in app.registered_commands if one.callback}
    assert set(re.findall(r"`(\w+)`", listed)) == {name.rstrip("_") for name in commands}


@pytest.mark.parametrize("name", PAGES)
def test_relative_links_name_existing_files(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("name", [name for name in PAGES if name != "RELEASING.md"])
def test_nothing_is_installed_from_an_index_that_does_not_have_it(name: str) -> None:
    """An extra of the installed package may be named: pip keeps the package that is there."""
    commands = re.findall(r"pip install ([^\n`]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert [command for command in commands if re.match(r"rivalry\b", command)] == []


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_have_names_and_distinct_fields(form: Path) -> None:
    lines = form.read_text(encoding="utf-8").splitlines()
    fields = [line.split()[-1] for line in lines if line.strip().startswith("id:")]
    assert lines[0].startswith("name: ")
    assert lines[1].startswith("description: ")
    assert fields
    assert len(fields) == len(set(fields))
    assert sum(line == "  - type: textarea" for line in lines) == len(fields)
