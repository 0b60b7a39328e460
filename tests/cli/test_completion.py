"""Completion of the command line, asked of the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rivalry.cli.completion import WRITERS
from rivalry.games import GAMES
from rivalry.lab.study import studies
from rivalry.methods import METHODS
from tests.cli.conftest import Command

SHELLS = {
    "bash": """source "$1"
read -ra COMP_WORDS <<< "$2"
if [[ $2 == *" " ]]; then COMP_WORDS+=(""); fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_rivalry
printf '%s\\n' "${COMPREPLY[@]}"
""",
    "fish": 'source $argv[1]; complete -C "$argv[2]" | string replace -r "\\t.*" ""; true',
}


@pytest.fixture(params=SHELLS)
def complete(request: pytest.FixtureRequest, rivalry: Command, tmp_path: Path) -> Any:
    """Return what a shell proposes for a line in a folder with a study and a run."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    script = tmp_path / "script"
    script.write_text(rivalry("completion", shell).out)
    folder = tmp_path / "home"
    (folder / "runs").mkdir(parents=True)
    (folder / "mine.toml").touch()
    (folder / "mine.py").touch()
    start = {
        "bash": ["bash", "--norc", "-c", SHELLS[shell], "-"],
        "fish": ["fish", "-N", "-c", SHELLS[shell]],
    }

    def ask(line: str) -> list[str]:
        done = subprocess.run(
            [*start[shell], str(script), line], cwd=folder, capture_output=True, text=True, check=True
        )
        return sorted(word.rstrip("/") for word in done.stdout.split())

    return ask


def test_words_that_a_line_allows_are_proposed(complete: Any) -> None:
    assert complete("rivalry re") == ["report", "resume"]
    assert complete("rivalry list ") == ["games", "methods", "plots", "studies"]
    assert complete("rivalry list studies ") == sorted(GAMES)
    assert complete("rivalry run race_") == sorted(name for name in studies() if name.startswith("race_"))
    assert complete("rivalry run --re") == ["--replications"]
    assert complete("rivalry run race_stakes --executor ") == ["local", "ray"]
    assert complete("rivalry show fictitious") == [name for name in METHODS if name.startswith("fictitious")]
    assert complete("rivalry warm race ma") == ["market", "matrix"]
    assert complete("rivalry completion ") == sorted(WRITERS)


def test_files_of_studies_and_folders_of_runs_are_proposed(complete: Any) -> None:
    assert complete("rivalry run mi") == ["mine.toml", *(name for name in studies() if name.startswith("mi"))]
    assert complete("rivalry resume ru") == ["runs"]


def test_zsh_reads_the_script(rivalry: Command, tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    script = tmp_path / "script"
    script.write_text(rivalry("completion", "zsh").out)
    words = (
        "COMP_WORDS=(rivalry run race_st); COMP_CWORD=2; setopt ksharrays; _rivalry; print -l ${COMPREPLY[@]}"
    )
    command = ["zsh", "-f", "-c", f"source {script}; {words}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)})
    assert set(studies()) <= set(done.stdout.split())  # of which zsh itself shows those that begin alike


def test_another_shell_is_refused(rivalry: Command) -> None:
    done = rivalry("completion", "tcsh")
    assert done.status == 2
    assert "completion tcsh: " in done.err
