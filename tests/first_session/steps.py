"""The steps of a first session: commands and snippets, with the exit status and words that each must have."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parents[2] / "README.md"


class Step(NamedTuple):
    """One command line, or a snippet of Python."""

    command: str = ""
    code: str = ""
    status: int = 0
    says: tuple[str, ...] = ()  # each must occur in the output
    quotes: tuple[str, ...] = ()  # each must occur in the output, up to line breaks and rounding errors
    report: bool = False  # the last line names a report that opens offline

    @property
    def words(self) -> str:
        """What the newcomer types."""
        return (
            f"$ {self.command}"
            if self.command
            else "\n".join(f">>> {line}" for line in self.code.splitlines())
        )


def run(command: str, *says: str) -> Step:
    return Step(command, says=says, report=True)


def wrong(command: str, *says: str) -> Step:
    return Step(command, status=2, says=says)


def blocks(language: str) -> list[str]:
    """Return the README's blocks of code in a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def typed_in_readme() -> list[str]:
    """Return the commands of the README that follow the installation, without their comments."""
    lines = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and "pip install" not in line]


def quoted(number: int) -> tuple[str, ...]:
    """Return the lines that the README says its first game (0) or its first study (1) prints."""
    return (blocks("text")[number].rstrip(),)


def same_words(text: str) -> str:
    """Return a text without its line breaks; numbers at the level of rounding errors are all the same."""
    return re.sub(r"\b\d(?:\.\d+)?e-1\d\b", "#", " ".join(text.split()))


def files() -> dict[str, str]:
    """Return the file that lies in the newcomer's folder: the README's study."""
    (study,) = blocks("toml")
    return {"mine.toml": study}


def looking() -> list[Step]:
    return [
        Step("rivalry", says=("Begin with `rivalry run tour`",)),
        Step("rivalry --version"),
        Step("rivalry --help", says=("Usage: rivalry", "  doctor ", "learner or plot.\n")),
        Step("rivalry run --help", says=("--set", "KEY=VALUE")),
        Step("rivalry list", says=("To begin with", "race_stakes")),
        Step("rivalry list games", says=("influencer", "karma")),
        Step("rivalry list studies race", says=("race_readme", "quick")),
        Step("rivalry list methods matrix", says=("mixed_equilibria",)),
        Step("rivalry show race_readme", says=("[[method]]",)),
        Step("rivalry show race", says=("\ndisaster_cost; ", "Methods: ")),
        Step("rivalry show best_response", says=("default",)),
        Step("rivalry doctor", says=("rivalry", "device 0")),
    ]


def running() -> list[Step]:
    change = "rivalry run race_readme --set game.disaster_cost=2"
    parquet = find_spec("pyarrow") is not None
    return [
        run(change, "cost of a disaster 2 instead of 1", "claim"),
        Step("rivalry status runs/race_readme", says=("race_readme: done",)),
        run("rivalry resume runs/race_readme", "2 of 2 cells"),
        Step("rivalry export runs/race_readme --to csv", says=(".csv",)),
        Step("rivalry export runs/race_readme --to parquet", says=(".parquet",))
        if parquet
        else wrong("rivalry export runs/race_readme --to parquet", "[parquet]'"),
        wrong("rivalry run race_readme --set disaster_cost=2", "did you mean game.disaster_cost?"),
    ]


def writing() -> list[Step]:
    steps = []
    for what in ("game", "method", "study"):
        steps += [
            Step(f"rivalry new {what} my_{what}", says=(f"next: rivalry run my_{what}.toml",)),
            run(f"rivalry run my_{what}.toml", "claim"),
        ]
    return [*steps, wrong("rivalry new game my_game", "my_game.py exists already")]


def opening() -> list[Step]:
    """Return the README's first game and its first study, which print what it quotes."""
    return [
        Step(code=blocks("python")[0], quotes=quoted(0)),
        Step("rivalry run race_stakes", quotes=quoted(1), report=True),
    ]


def session() -> list[Step]:
    """Return all steps in order."""
    said = typed_in_readme()
    return [
        *looking(),
        *running(),
        *(
            run(line) if line.split()[1] in ("run", "report") else Step(line)
            for line in said
            if "tour" not in line
        ),
        Step(code="\n".join(blocks("python")), says=("equilibrium", "[45.  22.5]")),
        *opening(),
        *writing(),
    ]
