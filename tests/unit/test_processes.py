"""Commands that start Python: nothing of the working folder is imported, and no text ends a line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rivalry.runtime.processes import python_command, shell_line

SOURCE = Path(__file__).parents[2] / "src" / "rivalry"
STARTS = re.compile(r"sys\.executable|[\"']-[mP][\"']|\bpython3? (-\w+ )*-m\b|\{python\}")


def test_python_is_started_by_one_function() -> None:
    """Sentences may name a command for a person; nothing else builds one."""
    found = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in (".py", ".toml", ".j2", ".js", ".sh") and path.name != "processes.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if STARTS.search(line) and "``python -m" not in line and not re.search(r'f"python -m \S+ RUN:', line)
    ]
    assert not found, "start Python by rivalry.runtime.processes.python_command"


def test_a_file_in_the_working_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("print('of the folder')")
    done = subprocess.run(
        python_command("json.tool", "--compact"), input="[1]", cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1]\n", "")


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "a\x1b[2Jb"])
def test_line_breaks_and_control_characters_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"^'a.+b': must not have control characters or line breaks$"):
        shell_line(python_command("rivalry", "run", word))


def test_a_shell_reads_back_every_word() -> None:
    words = ["a b", "$(echo no)", "`echo no`", "'", '"', "\\", "*", "~", "#", "!x", "-n", "", "é%a;&|<>(){}"]
    code = "import sys; sys.stdout.write(chr(0).join(sys.argv[1:]))"
    line = shell_line([python_command("x")[0], "-c", code, *words])
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.split("\0") == words
