"""Commands that start Python: nothing of the working folder is imported, and no text ends a line."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rivalry.runtime.processes import python_command, shell_line, start

SOURCE = Path(__file__).parents[2] / "src" / "rivalry"
HOME = SOURCE / "runtime" / "processes.py"
STARTS = re.compile(r"sys\.executable|[\"']-[mP][\"']|\bpython3? (-\w+ )*-m\b|\{python\}")
BESIDE = {"Popen", "system", "popen", "fork", "forkpty", "execv", "execvp", "execve", "posix_spawn", "spawnv"}


@pytest.mark.slow
def test_python_is_started_by_one_function() -> None:
    """Sentences may name a command for a person; nothing else builds one."""
    found = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in (".py", ".toml", ".j2", ".js", ".sh") and path != HOME
        for line in path.read_text(encoding="utf-8").splitlines()
        if STARTS.search(line) and "``python -m" not in line and not re.search(r'f"python -m \S+ RUN:', line)
    ]
    assert not found, "start Python by rivalry.runtime.processes.python_command"


def programs(path: Path) -> list[str]:
    """Calls that leave a program running beside this one, and imports of them under other names."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            module = ast.unparse(node.func).partition(".")[0]
            names = [name] if name == "Popen" or (module in ("os", "subprocess") and name in BESIDE) else []
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "subprocess"):
            aliases = [(alias.name, alias.asname) for alias in node.names if alias.name in BESIDE]
            names = [name for name, other in aliases if (name, other) != ("Popen", None)]  # seen at its call
        lines += [f"{path.name}:{node.lineno}: {name}" for name in names]  # type: ignore[attr-defined]
    return lines


@pytest.mark.slow
def test_programs_are_started_by_one_function() -> None:
    """What runs beside this program has its streams, its session and its limit of memory from `start`."""
    lines = [line for path in sorted(SOURCE.rglob("*.py")) if path != HOME for line in programs(path)]
    assert not lines, "start programs by rivalry.runtime.processes.start"
    assert programs(HOME)


def test_starts_of_programs_are_found_and_annotations_are_not(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("from subprocess import PIPE, Popen as P\nimport os\nprocess: subprocess.Popen[bytes]\n")
    assert programs(path) == ["module.py:1: Popen"]
    path.write_text("subprocess.Popen(['ls'])\nos.system('ls')\ngame.system('ls')\nasyncio.run(main())\n")
    assert programs(path) == ["module.py:1: Popen", "module.py:2: system"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes is limited on Linux only")
def test_a_program_has_no_streams_unless_stated_and_a_limit_of_memory() -> None:
    code = "import sys, resource; print(len(sys.stdin.read()), *resource.getrlimit(resource.RLIMIT_AS))"
    command = [*python_command("x")[:1], "-c", code]
    process = start(command, stdout=subprocess.PIPE, memory=2**33)
    assert process.communicate()[0].split() == [b"0", *[str(2**33).encode()] * 2]
    quiet = start(command)
    assert (quiet.stdout, quiet.stdin, quiet.wait()) == (None, None, 0)


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
