"""Files that are not what an option takes: every option of every command refuses them in one line."""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from rivalry.cli.commands import app
from tests.cli.conftest import Answer, Command

MATRIX = '[game]\nfamily = "matrix"\nname = "chicken"\n'
STUDY = f'{MATRIX}[[method]]\nkind = "pure_equilibria"\n'
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
CONTENTS = {
    "picture": PICTURE,
    "zip": b"PK\x03\x04" + bytes(range(256)),
    "utf16": STUDY.encode("utf-16"),
    "latin": "[game]\nfamily = 'marché'\n".encode("latin-1"),
    "empty": b"",
}
KINDS = (*CONTENTS, "folder", "missing", "circle")
ENDINGS = (".toml", ".nfg", ".efg", ".json", ".csv", ".npy", ".npz", ".xlsx", ".parquet", ".txt", ".py:name")
# words of Python and of its libraries, which say nothing to those who do not program
FOREIGN = re.compile(
    r"codec|Errno|\w+Error\b|Expecting|magic|Traceback|No such file or|NoneType|not iterable|null bytes|Zip"
)
READ = {"STUDY", "RUN", "TOML", "GAME", "BOT", "FILE"}  # in the forms of arguments that are read
WRITTEN = {"--out", "--export"}
BESIDE = {  # what an option is given together with
    ("certify", "--game"): ("--profile", "profile.txt"),
    ("certify", "--profile"): ("--game", "matrix.toml"),
    ("certify", "--policy"): ("--game", "study.toml"),
    ("certify", "--export"): ("run", "--proof"),
    ("audit", "--market"): ("bot.py:price",),
    ("slurm", "--out"): ("study.toml", "--shards", "2", "--print"),
    ("slurm", ""): ("--shards", "2", "--print"),
}
GOOD = {
    "RUN": "run",
    "STUDY": "study.toml",
    "PART...": "run",
    "K/N": "1/2",
    "N": "2",
    "BOT": "bot.py:price",
}  # by the form of what is needed
FAILED = {"verify"}  # a packed file that was changed is a result: status 1


class Place(NamedTuple):
    """An argument or an option of a command that takes a file."""

    command: str
    option: str  # empty for an argument
    others: tuple[str, ...]  # the rest of its command line

    def line(self, value: str) -> list[str]:
        """Return the command line with a value."""
        return [self.command, *filter(None, [self.option]), value, *self.others]


def places(written: bool) -> Iterator[Place]:
    """Yield all arguments and options of the parsers that are read, or written, as files."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for command, parser in commands.items():
        needed = [parameter for parameter in parser.params if parameter.required]
        for parameter in parser.params:
            words = set(re.findall(r"[A-Z]+", parameter.metavar or ""))
            option = "" if parameter.param_type_name == "argument" else parameter.opts[0]
            if (option in WRITTEN) != written or not (written or words & READ):
                continue
            others = list(BESIDE.get((command, option), ()))
            for other in needed:
                if other is not parameter and (command, option) not in BESIDE:
                    others += [] if other.param_type_name == "argument" else [other.opts[0]]
                    others.append(GOOD.get(other.metavar, other.metavar.split("|")[0]))
            yield Place(command, option, tuple(others))


@pytest.fixture
def wrong(rivalry: Command) -> Command:
    """Runs a command line in a folder with files of all kinds, good and wrong."""
    for name, text in {
        "matrix.toml": MATRIX,
        "study.toml": STUDY,
        "profile.txt": "1,0,0,1",
        "bot.py": "def price(history):\n    return 1.5\n",
        "run/note.txt": "",
    }.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    for kind in KINDS:
        for ending in ENDINGS:
            path = Path(f"{kind}{ending.partition(':')[0]}")
            if kind in CONTENTS:
                path.write_bytes(CONTENTS[kind])
            elif kind == "folder":
                path.mkdir()
            elif kind == "circle":
                path.symlink_to(path.name)
    return rivalry


def refused(answer: Answer, file: str, place: Place) -> str:
    """Return what is wrong with an answer to a wrong file, or an empty text."""
    *notes, line = answer.err.splitlines() or [""]
    if answer.status not in ({1, 2} if place.command in FAILED else {2}):
        return f"status {answer.status}"
    if not line.startswith("rivalry: ") or not all(note.startswith("runs ") for note in notes):
        return "not one line"
    if Path(file).stem not in line or not line.startswith(f"rivalry: {place.option}"):
        return "names another"
    return "words of Python" if FOREIGN.search(line) else ""


def faults(run: Command, place: Place, kinds: Iterable[str] = KINDS, endings: Iterable[str] = ENDINGS) -> str:
    """Return the wrong answers of a place to files of these kinds and endings, a line each."""
    lines = []
    for kind, ending in product(kinds, endings):
        answer = run(*place.line(f"{kind}{ending}"))
        if fault := refused(answer, f"{kind}{ending}".partition(":")[0], place):
            lines.append(f"{' '.join(place.line(kind + ending))}: {fault}: {answer.out}{answer.err}")
    return "".join(lines)


ALL = list(places(written=False))
APART = {"audit", "open"}  # these start processes and servers, if nothing is wrong
each_place = pytest.mark.parametrize(
    "place", [p for p in ALL if p.command not in APART], ids=lambda place: f"{place.command}{place.option}"
)


def test_places_are_found() -> None:
    options = {(place.command, place.option) for place in ALL}
    assert {("certify", "--profile"), ("certify", "--policy"), ("certify", "--game"), ("run", "")} <= options


@each_place
def test_a_wrong_file_is_refused_in_one_line_that_names_it(wrong: Command, place: Place) -> None:
    assert not faults(wrong, place, ["picture", "missing"], [".toml"])


@pytest.mark.slow
@each_place
def test_wrong_files_of_all_kinds_are_refused(wrong: Command, place: Place) -> None:
    assert not faults(wrong, place)


LONG = "x" * 300
ENDS = {"pack": ".zip", "freeze": ".html", "audit": ".html"}  # of files, in place of folders


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", list(places(written=True)), ids=lambda place: f"{place.command}{place.option}"
)
def test_a_place_that_cannot_be_written_is_named_as_it_was_given(wrong: Command, place: Place) -> None:
    assert wrong("run", "study.toml", "--out", "done").status == 0
    Path("note.txt").write_text("")
    others = ["done" if word == "run" else word for word in place.others]
    for folder in ("note.txt", "note.txt/below", "/proc/below", LONG, f"new/{LONG}"):
        target = folder + (f"/page{ENDS[place.command]}" if place.command in ENDS else "")
        answer = wrong(place.command, place.option, target, *others)
        last = answer.err.splitlines()[-1]
        assert answer.status == 2, answer.err
        assert last.removeprefix("rivalry: ").removeprefix("--out ").startswith(folder[:30]), last
        assert not FOREIGN.search(last)
        assert not re.search(r"\.part\b|\.making", last), last


@pytest.mark.slow
@pytest.mark.parametrize("place", [p for p in ALL if p.command in APART], ids=lambda place: place.option)
def test_processes_are_not_begun_for_a_wrong_file(
    wrong: Command, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(*_: object, **__: object) -> None:
        raise AssertionError("serves a file that is none")

    monkeypatch.setattr("rivalry.web.serve._listen", serve)
    assert not faults(wrong, place, ["picture", "utf16", "folder", "missing"], [".toml", ".py:name"])
